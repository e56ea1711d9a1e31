//! `paytend trigger`: sends signed notifications, like a provider.

pub(crate) mod sender;
mod through_sandbox;

use std::path::PathBuf;

use clap::Args as ClapArgs;
use serde::Serialize;
use url::Url;

use self::sender::{Corruption, Sender, http_client, post};
use crate::event_kinds::{ALL, EventKind};
use crate::exit::{Category, Failure};
use crate::keyfiles::PermissionArgs;
use crate::output::{self, Style};
use crate::signals;
use crate::suggest::Suggested;

#[derive(ClapArgs)]
pub(crate) struct Args {
    /// The event, such as baas.fund-deposit; `--list` lists all events
    #[arg(required_unless_present = "list", hide_possible_values = true)]
    #[arg(value_parser = Suggested::new(ALL.iter().map(|kind| kind.name)))]
    event: Option<String>,
    /// List the events and their fields
    #[arg(long)]
    list: bool,
    /// The URL of the receiver
    #[arg(long, value_name = "URL", required_unless_present_any = ["list", "sandbox"])]
    to: Option<Url>,
    /// The directory with the provider's private keys, such as one created by `paytend sandbox --keys`
    #[arg(long, value_name = "DIR", required_unless_present_any = ["list", "sandbox"])]
    keys: Option<PathBuf>,
    /// The control URL of a running sandbox. The sandbox executes the event and sends the notification
    #[arg(long, value_name = "URL", conflicts_with_all = ["keys", "duplicate", "corrupt", "danger_any_permissions"])]
    sandbox: Option<Url>,
    /// A field of the content, such as amount=12.50; may be repeated
    #[arg(long, value_name = "PATH=VALUE")]
    set: Vec<String>,
    /// The number of notifications. Each notification has a new ID
    #[arg(long, value_name = "N", default_value_t = 1, value_parser = clap::value_parser!(u32).range(1..))]
    times: u32,
    /// Send each notification twice
    #[arg(long)]
    duplicate: bool,
    /// Corrupt the notifications, and fail if a corrupt notification is acknowledged
    #[arg(long, value_enum, value_name = "HOW")]
    corrupt: Option<Corruption>,
    /// Print JSON, one line for each request
    #[arg(long)]
    json: bool,
    #[command(flatten)]
    permissions: PermissionArgs,
}

#[derive(Serialize)]
struct Sent<'a> {
    event: &'static str,
    id: &'a str,
    duplicate: bool,
    corrupt: bool,
    status: u16,
    acknowledged: bool,
}

#[derive(Serialize)]
struct Listed {
    event: &'static str,
    fields: Vec<&'static str>,
}

pub(crate) fn run(args: &Args) -> Result<(), Failure> {
    let Some(event) = args.event.as_ref().filter(|_| !args.list) else { return list(args.json) };
    let kind = EventKind::find(event)?;
    if let Some(sandbox) = &args.sandbox {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
        return signals::run(runtime, through_sandbox::send(args, kind, sandbox));
    }
    let (Some(url), Some(keys)) = (&args.to, &args.keys) else {
        return Err(Failure::usage("no receiver: pass --to URL and --keys DIR, or --sandbox URL"));
    };
    let sender = Sender::new(keys, args.permissions.file_permissions());
    let http = http_client(url)?;
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    signals::run(runtime, send(args, kind, &sender, &http, url))
}

async fn send(
    args: &Args,
    kind: &'static EventKind,
    sender: &Sender,
    http: &reqwest::Client,
    url: &Url,
) -> Result<(), Failure> {
    let (mut unexpected, mut lines) = (0, Lines::new(args.json));
    for _ in 0..args.times {
        let content = kind.content(&args.set)?;
        let (id, text) = (kind.id(&content), content.to_string());
        for duplicate in [false, true].into_iter().take(if args.duplicate { 2 } else { 1 }) {
            let request = sender.request(kind.route, kind.notify_type, &text, args.corrupt)?;
            let answer = post(http, url, kind.route, request).await.map_err(|failure| lines.after_others(failure))?;
            let sent = Sent {
                event: kind.name,
                id: &id,
                duplicate,
                corrupt: args.corrupt.is_some(),
                status: answer.status,
                acknowledged: answer.acknowledged,
            };
            unexpected += u32::from(sent.acknowledged == sent.corrupt);
            lines.print(&sent);
        }
    }
    match (unexpected, args.corrupt.is_some()) {
        (0, _) => lines.finish(),
        (count, true) => {
            Err(Failure::new(Category::Unexpected, format!("the receiver acknowledged {count} corrupt notifications")))
        }
        (count, false) => {
            Err(Failure::new(Category::Rejected, format!("the receiver did not acknowledge {count} notifications")))
        }
    }
}

/// Prints a line for each notification. If a line cannot be written, the remaining notifications are still sent, and
/// the exit code still reports their outcome.
struct Lines {
    json: bool,
    /// The number of notifications that were sent.
    sent: u32,
    /// The first error while printing.
    unwritten: Option<Failure>,
}

impl Lines {
    fn new(json: bool) -> Self {
        Self { json, sent: 0, unwritten: None }
    }

    fn print(&mut self, sent: &Sent<'_>) {
        self.sent += 1;
        if self.unwritten.is_none() {
            self.unwritten = print(sent, self.json).err();
        }
    }

    /// Adds to a failure how many notifications were sent before it. If there were any, a network error becomes a
    /// rejection, because the exit code of a network error means that nothing was sent.
    fn after_others(&self, failure: Failure) -> Failure {
        let category = match failure.category() {
            _ if self.sent == 0 => return failure,
            Category::Network => Category::Rejected,
            category => category,
        };
        Failure::new(category, format!("{failure}; {} notifications were sent before", self.sent))
    }

    /// Returns the first error while printing, if there was one.
    fn finish(self) -> Result<(), Failure> {
        self.unwritten.map_or(Ok(()), Err)
    }
}

fn print(sent: &Sent<'_>, json: bool) -> Result<(), Failure> {
    if json {
        return output::json(sent);
    }
    let style = Style::stdout();
    let answer = match sent.acknowledged {
        true => format!("{}, acknowledged", sent.status),
        false => format!("{}, not acknowledged", sent.status),
    };
    let answer = if sent.acknowledged == sent.corrupt { style.bad(&answer) } else { style.good(&answer) };
    let note = if sent.duplicate { "  (duplicate)" } else { "" };
    Ok(output::line(&format!("{}  {}  → {answer}{note}", sent.event, sent.id))?)
}

fn list(json: bool) -> Result<(), Failure> {
    for kind in ALL {
        let listed =
            Listed { event: kind.name, fields: kind.description.fields.iter().map(|field| field.name).collect() };
        if json {
            output::json(&listed)?;
        } else {
            output::line(&format!("{:<26} {}", listed.event, listed.fields.join(", ")))?;
        }
    }
    Ok(())
}
