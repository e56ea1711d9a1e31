//! `paytend events`: the notifications in a store.

use std::path::PathBuf;
use std::time::Duration;

use clap::{Args, Subcommand};
use paytend_inbox::{Entry, Id, Inbox, Kind, Query, StoreAdmin as _, StoredPayload};
use paytend_store_sqlite::SqliteOptions;
use serde::Serialize;
use serde_json::value::RawValue;
use url::Url;

use crate::cmd::inbox::any_store::AnyStore;
use crate::cmd::inbox::store::{StoreArgs, StoreName};
use crate::cmd::inbox::time::rfc3339;
use crate::cmd::trigger::sender::{Sender, http_client, post};
use crate::exit::{Category, Failure};
use crate::keyfiles::PermissionArgs;
use crate::output;

/// The interval at which `tail` reads new notifications.
const INTERVAL: Duration = Duration::from_millis(250);
/// The maximum number of notifications that one read returns.
const PAGE: usize = 1_000;

#[derive(Subcommand)]
pub(crate) enum Command {
    /// List the notifications
    List(ListArgs),
    /// Show a notification with its content, which contains personal data
    Show(ShowArgs),
    /// Send a notification again, sealed with the provider's keys in a sandbox's directory
    Resend(ResendArgs),
    /// Print new notifications as they arrive
    Tail(ListArgs),
}

#[derive(Args)]
pub(crate) struct FileArgs {
    /// The file of `paytend listen --inbox`
    #[arg(long, value_name = "FILE", conflicts_with = "store")]
    inbox: Option<PathBuf>,
    #[command(flatten)]
    store: StoreArgs,
}

#[derive(Args)]
pub(crate) struct ListArgs {
    #[command(flatten)]
    file: FileArgs,
    /// Only this kind, such as fund-deposit
    #[arg(long)]
    kind: Option<String>,
    /// Print JSON, one line for each notification
    #[arg(long)]
    json: bool,
}

#[derive(Args)]
pub(crate) struct ShowArgs {
    #[command(flatten)]
    file: FileArgs,
    /// The number of the notification
    id: Id,
    /// The key file of the store; the default is the file beside it
    #[arg(long, value_name = "FILE")]
    store_key: Option<PathBuf>,
    /// Print JSON
    #[arg(long)]
    json: bool,
}

#[derive(Args)]
pub(crate) struct ResendArgs {
    #[command(flatten)]
    show: ShowArgs,
    /// The URL of the receiver
    #[arg(long, value_name = "URL")]
    to: Url,
    /// The directory with the provider's private keys, as `paytend sandbox --keys` writes it
    #[arg(long, value_name = "DIR")]
    keys: PathBuf,
    #[command(flatten)]
    permissions: PermissionArgs,
}

/// A notification in a list. `schemas/events.json` describes the members.
#[derive(Serialize)]
struct Listed<'a> {
    id: i64,
    received_at: String,
    route: &'static str,
    kind: &'a str,
    business_id: Option<&'a str>,
    business_state: Option<&'a str>,
    state: &'static str,
    sightings: u64,
    /// The content, only in `show`.
    #[serde(skip_serializing_if = "Option::is_none")]
    content: Option<Box<RawValue>>,
}

pub(crate) fn run(command: Command) -> Result<(), Failure> {
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(1).enable_all().build()?;
    runtime.block_on(async {
        tokio::select! {
            done = dispatch(command) => done,
            _ = tokio::signal::ctrl_c() => Err(Failure::interrupted()),
        }
    })
}

async fn dispatch(command: Command) -> Result<(), Failure> {
    match command {
        Command::List(args) => list(&args).await,
        Command::Show(args) => show(&args).await,
        Command::Resend(args) => resend(&args).await,
        Command::Tail(args) => tail(&args).await,
    }
}

impl FileArgs {
    async fn open(&self) -> Result<AnyStore, Failure> {
        match &self.inbox {
            Some(file) => Ok(AnyStore::Sqlite(SqliteOptions::new(file).must_exist().open()?)),
            None => self.store.open().await,
        }
    }

    fn name(&self) -> Result<StoreName, Failure> {
        match &self.inbox {
            Some(file) => Ok(StoreName::Sqlite(file.clone())),
            None => self.store.name(None),
        }
    }
}

impl ListArgs {
    fn print(&self, entry: &Entry) -> Result<(), Failure> {
        let listed = listed(entry);
        if self.json {
            return output::json(&listed);
        }
        let state = listed.business_state.unwrap_or_default();
        Ok(output::line(&format!(
            "{:>6}  {}  {:<15}  {:<18}  {} {state}  {}",
            listed.id,
            listed.received_at,
            listed.route,
            listed.kind,
            listed.business_id.unwrap_or("-"),
            listed.state
        ))?)
    }
}

fn listed(entry: &Entry) -> Listed<'_> {
    let facts = &entry.facts;
    Listed {
        id: entry.id.get(),
        received_at: rfc3339(entry.received_at),
        route: facts.route.as_str(),
        kind: facts.kind.as_str(),
        business_id: facts.business_id.as_deref(),
        business_state: facts.business_state.as_deref(),
        state: entry.state.as_str(),
        sightings: entry.sightings,
        content: None,
    }
}

async fn list(args: &ListArgs) -> Result<(), Failure> {
    let store = args.file.open().await?;
    print_after(&store, args, None).await?;
    Ok(())
}

async fn tail(args: &ListArgs) -> Result<(), Failure> {
    let store = args.file.open().await?;
    let mut last = None;
    // The notifications that are already in the store are not printed.
    loop {
        let entries = store.list(Query { limit: PAGE, after: last, ..Query::default() }).await?;
        last = entries.last().map(|entry| entry.id).or(last);
        if entries.len() < PAGE {
            break;
        }
    }
    output::note("waiting for notifications");
    loop {
        last = print_after(&store, args, last).await?;
        tokio::time::sleep(INTERVAL).await;
    }
}

/// Prints the notifications after a number, and returns the last number.
async fn print_after(store: &AnyStore, args: &ListArgs, mut last: Option<Id>) -> Result<Option<Id>, Failure> {
    loop {
        let kind = args.kind.clone().map(Kind::from_stored);
        let entries = store.list(Query { limit: PAGE, kind, after: last, ..Query::default() }).await?;
        entries.iter().try_for_each(|entry| args.print(entry))?;
        last = entries.last().map(|entry| entry.id).or(last);
        if entries.len() < PAGE {
            return Ok(last);
        }
    }
}

/// Returns a notification and its content. The store records this access in its audit.
async fn opened(args: &ShowArgs) -> Result<(Entry, Vec<u8>), Failure> {
    let store = args.file.open().await?;
    let user = ["SUDO_USER", "USER", "LOGNAME"].iter().find_map(|name| std::env::var(name).ok());
    let viewer = format!("paytend events, user {}", user.unwrap_or_else(|| "unknown".to_owned()));
    let entry = store.show(args.id, Some(viewer)).await?;
    let entry = entry
        .ok_or_else(|| Failure::new(Category::Unexpected, format!("the store has no notification {}", args.id)))?;
    let inbox = Inbox::open(store, args.file.name()?.keys(args.store_key.as_deref())?).await?;
    let payload = entry.payload.clone().unwrap_or(StoredPayload::Dropped);
    let content = inbox.open_payload(args.id, &entry.facts, &payload)?;
    let removed = || Failure::new(Category::Unexpected, format!("the content of notification {} was removed", args.id));
    Ok((entry, content.ok_or_else(removed)?))
}

async fn show(args: &ShowArgs) -> Result<(), Failure> {
    let (entry, content) = opened(args).await?;
    let text = String::from_utf8_lossy(&content).into_owned();
    // Content that is not strict JSON is shown as a string.
    let json = RawValue::from_string(text.clone()).or_else(|_| serde_json::value::to_raw_value(&text));
    if args.json {
        return output::json(&Listed { content: json.ok(), ..listed(&entry) });
    }
    let listed = listed(&entry);
    output::note(format!("{}  {}  {}  {}", listed.received_at, listed.route, listed.kind, listed.state));
    Ok(output::json_text(json.as_ref().map_or(&text, |json| json.get()))?)
}

async fn resend(args: &ResendArgs) -> Result<(), Failure> {
    let (entry, content) = opened(&args.show).await?;
    let content = String::from_utf8(content).map_err(|_| Failure::usage("the content is not valid UTF-8"))?;
    let (route, sender) = (entry.facts.route, Sender::new(&args.keys, args.permissions.file_permissions()));
    let request = sender.request(route, &entry.facts.notify_type, &content, None)?;
    let answer = post(&http_client(&args.to)?, &args.to, route, request).await?;
    let printed = if args.show.json {
        output::json(&serde_json::json!({
            "id": entry.id.get(), "status": answer.status, "acknowledged": answer.acknowledged,
        }))
    } else {
        output::line(&format!("{}  {}  → {}", entry.id, entry.facts.kind, answer.status)).map_err(Failure::from)
    };
    if answer.acknowledged {
        printed?;
    }
    match answer.acknowledged {
        true => Ok(()),
        false => Err(Failure::new(Category::Rejected, "the receiver did not acknowledge the notification")),
    }
}
