//! `paytend events`: shows and resends the notifications in a store, or the notifications that a sandbox has sent.

mod delivered;
mod follow;
mod stored;

use std::path::PathBuf;

use clap::{Args, Subcommand};
use paytend_inbox::Id;
use serde::Serialize;
use url::Url;

use crate::cmd::inbox::store::StoreArgs;
use crate::exit::{Category, Failure};
use crate::global::JsonArgs;
use crate::keyfiles::PermissionArgs;
use crate::output;
use crate::progress::Progress;
use crate::signals;

pub(crate) use self::delivered::resend_at;

#[derive(Subcommand)]
pub(crate) enum Command {
    /// List the notifications
    List(ListArgs),
    /// Show a notification with its content, which contains personal data
    Show(ShowArgs),
    /// Send notifications again
    Resend(ResendArgs),
    /// Print new notifications as they arrive
    Tail(ListArgs),
}

#[derive(Args)]
pub(crate) struct SourceArgs {
    /// The file that `paytend listen --inbox` writes
    #[arg(long, value_name = "FILE", conflicts_with = "store")]
    inbox: Option<PathBuf>,
    /// The control URL of a running sandbox, to use the notifications that this sandbox has sent
    #[arg(long, value_name = "URL", conflicts_with_all = ["inbox", "store"])]
    sandbox: Option<Url>,
    #[command(flatten)]
    store: StoreArgs,
}

#[derive(Args)]
pub(crate) struct ListArgs {
    #[command(flatten)]
    source: SourceArgs,
    /// Only notifications of this kind, such as fund-deposit
    #[arg(long)]
    kind: Option<String>,
    #[command(flatten)]
    json: JsonArgs,
}

#[derive(Args)]
pub(crate) struct ShowArgs {
    #[command(flatten)]
    source: SourceArgs,
    /// The ID of the notification
    id: Id,
    /// The store's key file. For an SQLite store, the default is the file next to it
    #[arg(long, value_name = "FILE", conflicts_with = "sandbox")]
    store_key: Option<PathBuf>,
    #[command(flatten)]
    json: JsonArgs,
}

#[derive(Args)]
pub(crate) struct ResendArgs {
    #[command(flatten)]
    source: SourceArgs,
    /// The IDs of the notifications
    #[arg(required = true)]
    ids: Vec<Id>,
    /// The store's key file. For an SQLite store, the default is the file next to it
    #[arg(long, value_name = "FILE", conflicts_with = "sandbox")]
    store_key: Option<PathBuf>,
    /// The URL of the receiver. With --sandbox, the default is the URL that the notification was last sent to
    #[arg(long, value_name = "URL", required_unless_present = "sandbox")]
    to: Option<Url>,
    /// The directory with the provider's private keys, such as one created by `paytend sandbox --keys`
    #[arg(long, value_name = "DIR", required_unless_present = "sandbox", conflicts_with = "sandbox")]
    keys: Option<PathBuf>,
    #[command(flatten)]
    permissions: PermissionArgs,
    #[command(flatten)]
    json: JsonArgs,
}

/// A notification that was sent again. `schemas/events-resend.json` describes the members.
#[derive(Serialize)]
pub(crate) struct Resent {
    pub(crate) id: i64,
    /// The HTTP status of the receiver's response, or 0 if there was no response.
    pub(crate) status: u16,
    pub(crate) acknowledged: bool,
    /// Why the notification was not sent, or not acknowledged.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) error: Option<String>,
    #[serde(skip)]
    pub(crate) name: String,
}

impl Resent {
    pub(crate) fn print(&self, json: bool) -> Result<(), Failure> {
        if json {
            return output::json(self);
        }
        let status = if self.status == 0 { "no response".to_owned() } else { self.status.to_string() };
        let answer = if self.acknowledged { "acknowledged" } else { "not acknowledged" };
        let error = self.error.as_ref().map(|error| format!(": {error}")).unwrap_or_default();
        let [name, error] = [&self.name, &error].map(|text| output::visible(text));
        Ok(output::line(&format!("{}  {name}  → {status}, {answer}{error}", self.id))?)
    }

    /// Describes a notification that could not be sent, or to which there was no response.
    fn failed(id: Id, failure: &Failure) -> Self {
        let (name, error) = ("-".to_owned(), Some(failure.message().to_owned()));
        Self { id: id.get(), status: 0, acknowledged: false, error, name }
    }
}

pub(crate) fn run(command: Command) -> Result<(), Failure> {
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(1).enable_all().build()?;
    signals::run(runtime, dispatch(command))
}

async fn dispatch(command: Command) -> Result<(), Failure> {
    match command {
        Command::List(args) => match &args.source.sandbox {
            Some(url) => delivered::list(url, &args).await,
            None => stored::list(&args).await,
        },
        Command::Show(args) => match &args.source.sandbox {
            Some(url) => delivered::show(url, &args).await,
            None => stored::show(&args).await,
        },
        Command::Resend(args) => resend(&args).await,
        Command::Tail(args) => match &args.source.sandbox {
            Some(url) => delivered::tail(url, &args).await,
            None => stored::tail(&args).await,
        },
    }
}

/// Sends each notification again, in the specified order. If one is not acknowledged or cannot be sent, the others are
/// still sent.
async fn resend(args: &ResendArgs) -> Result<(), Failure> {
    if args.source.sandbox.is_some() && args.permissions.is_given() {
        return Err(Failure::usage("--danger-any-permissions cannot be used with --sandbox, which has its own keys"));
    }
    let progress = Progress::new("resent", args.ids.len());
    let (mut ended, mut printed) = (Ended::default(), Ok(()));
    for id in &args.ids {
        let resent = match (&args.source.sandbox, &args.to, &args.keys) {
            (Some(url), to, _) => delivered::resend(url, *id, to.as_ref()).await,
            (None, Some(to), Some(keys)) => stored::resend(args, *id, to, keys).await,
            _ => return Err(Failure::usage("no receiver: pass --to URL and --keys DIR, or --sandbox URL")),
        };
        let resent = ended.count(*id, resent);
        printed = printed.and_then(|()| progress.around(|| resent.print(args.json.json)));
        progress.step();
    }
    // If a notification failed, its failure is returned, and a failure to print is not.
    ended.result().and(printed)
}

/// The outcomes of all attempts to send notifications again.
#[derive(Default)]
struct Ended {
    acknowledged: u32,
    refused: u32,
    /// The failed attempts, each with the ID of its notification.
    failed: Vec<(Id, Failure)>,
}

impl Ended {
    /// Records the outcome of an attempt, and returns the line to print for it.
    fn count(&mut self, id: Id, resent: Result<Resent, Failure>) -> Resent {
        match resent {
            Ok(resent) => {
                let count = if resent.acknowledged { &mut self.acknowledged } else { &mut self.refused };
                *count += 1;
                resent
            }
            Err(failure) => {
                let resent = Resent::failed(id, &failure);
                self.failed.push((id, failure));
                resent
            }
        }
    }

    /// Returns the result of the command. Its category is `Network` only if no notification at all was sent, because a
    /// script may repeat the command after a network error.
    fn result(self) -> Result<(), Failure> {
        let unknown = self.failed.iter().position(|(_, failure)| failure.category() == Category::OutcomeUnknown);
        let Some((id, failure)) = self.failed.get(unknown.unwrap_or_default()) else {
            return if self.refused == 0 { Ok(()) } else { Err(unacknowledged(self.refused)) };
        };
        let sent = self.acknowledged + self.refused;
        let category = match failure.category() {
            Category::Network if sent > 0 => Category::Rejected,
            category => category,
        };
        let mut message = match self.failed.len() {
            1 => format!("notification {id}: {failure}"),
            count => format!("{count} notifications failed; the first is {id}: {failure}"),
        };
        if sent > 0 {
            message
                .push_str(&format!("; {} others were acknowledged, and {} were not", self.acknowledged, self.refused));
        }
        Err(Failure::new(category, message))
    }
}

/// Returns the failure for notifications that the receiver did not acknowledge.
pub(crate) fn unacknowledged(count: u32) -> Failure {
    let what = if count == 1 { "the notification".to_owned() } else { format!("{count} notifications") };
    Failure::new(Category::Rejected, format!("the receiver did not acknowledge {what}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Scripts may repeat the command after exit code 5 (a network error), so this code is used only if nothing was
    /// sent.
    #[test]
    fn exit_code_of_several_notifications_depends_on_each() {
        use Category::{Network, OutcomeUnknown, Rejected, Unexpected};
        let sent = |acknowledged| Ok(Resent { id: 1, status: 200, acknowledged, error: None, name: String::new() });
        let failed = |category| Err(Failure::new(category, "why"));
        for (attempts, category) in [
            (vec![sent(true), sent(true)], None),
            (vec![sent(true), sent(false)], Some(Rejected)),
            (vec![failed(Network), failed(Network)], Some(Network)),
            (vec![failed(Network), sent(true)], Some(Rejected)),
            (vec![sent(false), failed(Network)], Some(Rejected)),
            (vec![failed(Network), failed(OutcomeUnknown), sent(true)], Some(OutcomeUnknown)),
            (vec![failed(Unexpected), sent(true), failed(OutcomeUnknown)], Some(OutcomeUnknown)),
            (vec![sent(true), failed(Unexpected)], Some(Unexpected)),
        ] {
            let mut ended = Ended::default();
            let codes: Vec<bool> = attempts.iter().map(Result::is_ok).collect();
            for (id, attempt) in (1..).zip(attempts) {
                ended.count(Id::new(id), attempt);
            }
            assert_eq!(ended.result().err().map(|failure| failure.category()), category, "{codes:?}");
        }
    }
}
