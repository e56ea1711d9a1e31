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
use crate::signals::until_interrupted;

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
    /// The control URL of a running sandbox, for the notifications that it has sent
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
    #[arg(long, value_name = "FILE")]
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
    #[arg(long, value_name = "FILE")]
    store_key: Option<PathBuf>,
    /// The URL of the receiver. A sandbox uses its previous URL by default
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
    /// The HTTP status of the receiver's response, or 0 if a sandbox received no response.
    pub(crate) status: u16,
    pub(crate) acknowledged: bool,
    #[serde(skip)]
    pub(crate) name: String,
}

impl Resent {
    pub(crate) fn print(&self, json: bool) -> Result<(), Failure> {
        if json {
            return output::json(self);
        }
        let answer = if self.acknowledged { "acknowledged" } else { "not acknowledged" };
        Ok(output::line(&format!("{}  {}  → {}, {answer}", self.id, self.name, self.status))?)
    }
}

pub(crate) fn run(command: Command) -> Result<(), Failure> {
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(1).enable_all().build()?;
    runtime.block_on(until_interrupted(dispatch(command)))
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

/// Sends each notification again, in the specified order. If one is not acknowledged, the others are still sent.
async fn resend(args: &ResendArgs) -> Result<(), Failure> {
    let progress = Progress::new("resent", args.ids.len());
    let (mut refused, mut printed) = (0u32, Ok(()));
    for id in &args.ids {
        let resent = match (&args.source.sandbox, &args.to, &args.keys) {
            (Some(url), to, _) => delivered::resend(url, *id, to.as_ref()).await?,
            (None, Some(to), Some(keys)) => stored::resend(args, *id, to, keys).await?,
            _ => return Err(Failure::usage("no receiver: pass --to URL and --keys DIR, or --sandbox URL")),
        };
        refused += u32::from(!resent.acknowledged);
        printed = printed.and_then(|()| progress.around(|| resent.print(args.json.json)));
        progress.step();
    }
    // An unacknowledged notification is more important than a failure to print the results.
    match refused {
        0 => printed,
        count => Err(unacknowledged(count)),
    }
}

/// Returns the failure for notifications that the receiver did not acknowledge.
pub(crate) fn unacknowledged(count: u32) -> Failure {
    let what = if count == 1 { "the notification".to_owned() } else { format!("{count} notifications") };
    Failure::new(Category::Rejected, format!("the receiver did not acknowledge {what}"))
}
