//! Shows the notifications in a store.

use std::path::Path;
use std::time::Duration;

use paytend_inbox::{Entry, Id, Inbox, StoreAdmin as _, StoredPayload};
use serde::Serialize;
use serde_json::value::RawValue;
use url::Url;

use super::follow::Follower;
use super::{ListArgs, ResendArgs, Resent, ShowArgs, SourceArgs};
use crate::cmd::inbox::any_store::AnyStore;
use crate::cmd::inbox::listing::no_notification;
use crate::cmd::inbox::operator::operator;
use crate::cmd::inbox::store::{StoreName, open_sqlite};
use crate::cmd::inbox::time::rfc3339;
use crate::cmd::trigger::sender::{Sender, http_client, post};
use crate::exit::{Category, Failure};
use crate::output::{self, visible};

/// The interval at which `tail` reads new notifications.
const INTERVAL: Duration = Duration::from_millis(250);

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
    /// The content; set only by `show`.
    #[serde(skip_serializing_if = "Option::is_none")]
    content: Option<Box<RawValue>>,
}

impl SourceArgs {
    async fn open(&self) -> Result<AnyStore, Failure> {
        match &self.inbox {
            Some(file) => open_sqlite(file),
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
    /// Prints a notification if it has the requested kind.
    fn print(&self, entry: &Entry) -> Result<(), Failure> {
        let listed = listed(entry);
        if self.kind.as_ref().is_some_and(|kind| kind != listed.kind) {
            return Ok(());
        }
        if self.json.json {
            return output::json(&listed);
        }
        let [kind, id] = [listed.kind, listed.business_id.unwrap_or("-")].map(visible);
        let state = visible(listed.business_state.unwrap_or_default());
        Ok(output::line(&format!(
            "{:>6}  {}  {:<15}  {kind:<18}  {id} {state}  {}",
            listed.id, listed.received_at, listed.route, listed.state
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

pub(super) async fn list(args: &ListArgs) -> Result<(), Failure> {
    let store = args.source.open().await?;
    Follower::new(&store).read(&store, |entry| args.print(entry)).await
}

pub(super) async fn tail(args: &ListArgs) -> Result<(), Failure> {
    let store = args.source.open().await?;
    let mut follower = Follower::new(&store);
    // Notifications that are already in the store are not printed.
    follower.skip(&store).await?;
    output::note("waiting for notifications");
    loop {
        follower.read(&store, |entry| args.print(entry)).await?;
        tokio::time::sleep(INTERVAL).await;
    }
}

/// Returns a notification and its content. The store records the access in its audit log.
async fn opened(source: &SourceArgs, id: Id, store_key: Option<&Path>) -> Result<(Entry, Vec<u8>), Failure> {
    let store = source.open().await?;
    let entry = store.show(id, Some(format!("paytend events, {}", operator()))).await?;
    let entry = entry.ok_or_else(|| no_notification(id).with_hint("`paytend events list` lists the notifications"))?;
    let inbox = Inbox::open(store, source.name()?.keys(store_key)?).await?;
    let payload = entry.payload.clone().unwrap_or(StoredPayload::Dropped);
    let content = inbox.open_payload(id, &entry.facts, &payload)?;
    let removed = || {
        let message = format!(
            "the content of notification {id} has been removed after its retention period or by `paytend inbox erase`; \
             only the provider can send it again"
        );
        Failure::new(Category::Unexpected, message)
    };
    Ok((entry, content.ok_or_else(removed)?))
}

pub(super) async fn show(args: &ShowArgs) -> Result<(), Failure> {
    let (entry, content) = opened(&args.source, args.id, args.store_key.as_deref()).await?;
    let text = String::from_utf8_lossy(&content).into_owned();
    // Content that is not strict JSON is shown as a string.
    let json = raw(&text);
    if args.json.json {
        return output::json(&Listed { content: json.ok(), ..listed(&entry) });
    }
    let listed = listed(&entry);
    output::note(format!("{}  {}  {}  {}", listed.received_at, listed.route, listed.kind, listed.state));
    Ok(output::json_text(json.as_ref().map_or(&text, |json| json.get()))?)
}

/// Returns content as JSON with its numbers unchanged. Content that is not strict JSON becomes a string.
pub(super) fn raw(content: &str) -> Result<Box<RawValue>, serde_json::Error> {
    RawValue::from_string(content.to_owned()).or_else(|_| serde_json::value::to_raw_value(content))
}

pub(super) async fn resend(args: &ResendArgs, id: Id, to: &Url, keys: &Path) -> Result<Resent, Failure> {
    let (entry, content) = opened(&args.source, id, args.store_key.as_deref()).await?;
    let content = String::from_utf8(content).map_err(|_| Failure::usage("the content is not valid UTF-8"))?;
    let sender = Sender::new(keys, args.permissions.file_permissions());
    let (route, kind) = (entry.facts.route, entry.facts.kind.to_string());
    let request = sender.request(route, &entry.facts.notify_type, &content, None)?;
    let answer = post(&http_client(to)?, to, route, request).await?;
    Ok(Resent { id: id.get(), status: answer.status, acknowledged: answer.acknowledged, error: None, name: kind })
}
