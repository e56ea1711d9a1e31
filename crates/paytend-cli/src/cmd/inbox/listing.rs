//! `paytend inbox list`, `show` and `stats`: show the notifications in a store.

use std::path::PathBuf;
use std::time::SystemTime;

use clap::Args;
use paytend_inbox::{Entry, Id, Inbox, Kind, Query, State, StoreAdmin as _, StoredPayload};
use serde_json::{Value, json};

use crate::cmd::inbox::operator::operator;
use crate::cmd::inbox::store::StoreArgs;
use crate::cmd::inbox::time::{parse_since, rfc3339};
use crate::exit::{Category, Failure};
use crate::output;

/// The maximum number of notifications read from the store at once.
const PAGE: usize = 1_000;

#[derive(Args)]
pub(crate) struct ListArgs {
    #[command(flatten)]
    store: StoreArgs,
    /// Only notifications in this state: ready, leased, backoff, done or dead
    #[arg(long)]
    state: Option<State>,
    /// Only notifications of this kind, such as fund-deposit
    #[arg(long)]
    kind: Option<String>,
    /// Only notifications received since a time, such as 2026-11-28T09:00:00Z, or 15h for the last 15 hours
    #[arg(long, value_name = "TIME", value_parser = parse_since)]
    since: Option<SystemTime>,
    /// Print one JSON object per line
    #[arg(long)]
    json: bool,
}

pub(crate) async fn list(args: ListArgs) -> Result<(), Failure> {
    let store = args.store.open().await?;
    let mut query = Query { limit: PAGE, ..Query::default() };
    (query.state, query.kind, query.since) = (args.state, args.kind.map(Kind::from_stored), args.since);
    loop {
        let entries = store.list(query.clone()).await?;
        for entry in &entries {
            output::line(&if args.json { summary(entry).to_string() } else { line(entry) })?;
        }
        match entries.last() {
            Some(last) if entries.len() == PAGE => query.after = Some(last.id),
            _ => return Ok(()),
        }
    }
}

/// Returns a notification as JSON. The members are part of the interface for scripts.
fn summary(entry: &Entry) -> Value {
    let facts = &entry.facts;
    json!({
        "id": entry.id.get(),
        "dedup": facts.dedup.to_string(),
        "provider": facts.route.provider().to_string().to_lowercase(),
        "product": facts.route.product().map(|product| product.as_str()),
        "kind": facts.kind.as_str(),
        "business_id": facts.business_id,
        "business_state": facts.business_state,
        "state": entry.state.as_str(),
        "tries": entry.tries,
        "sightings": entry.sightings,
        "received_at": rfc3339(entry.received_at),
    })
}

fn line(entry: &Entry) -> String {
    let facts = &entry.facts;
    let or_dash = |text: &Option<String>| text.clone().unwrap_or_else(|| "-".to_owned());
    format!(
        "{:>8}  {}  {:<7}  {:<15}  {:<18}  {} {}  tries {}, sightings {}",
        entry.id.get(),
        rfc3339(entry.received_at),
        entry.state,
        facts.route,
        facts.kind,
        or_dash(&facts.business_id),
        or_dash(&facts.business_state),
        entry.tries,
        entry.sightings,
    )
}

#[derive(Args)]
pub(crate) struct ShowArgs {
    #[command(flatten)]
    store: StoreArgs,
    /// The ID of the notification
    id: Id,
    /// Decrypt and show the content. The store records the access and the user
    #[arg(long)]
    reveal: bool,
    /// The store's key file. For an SQLite store, the default is the file next to it
    #[arg(long, value_name = "FILE")]
    store_key: Option<PathBuf>,
    /// Print a JSON object
    #[arg(long)]
    json: bool,
}

pub(crate) async fn show(args: ShowArgs) -> Result<(), Failure> {
    let store = args.store.open().await?;
    let viewer = args.reveal.then(operator);
    let entry = store.show(args.id, viewer).await?.ok_or_else(|| no_notification(args.id))?;
    let mut shown = summary(&entry);
    shown["notify_type"] = json!(entry.facts.notify_type);
    shown["business_kind"] = json!(entry.facts.business_kind);
    shown["verified_by"] = json!(entry.facts.verified_by);
    shown["traceparent"] = json!(entry.facts.traceparent);
    shown["cause"] = json!(entry.cause);
    shown["has_content"] = json!(entry.payload.as_ref().is_some_and(StoredPayload::has_content));
    if args.reveal {
        let keys = args.store.name(None)?.keys(args.store_key.as_deref())?;
        let inbox = Inbox::open(store, keys).await?;
        let payload = entry.payload.clone().unwrap_or(StoredPayload::Dropped);
        let content = inbox.open_payload(args.id, &entry.facts, &payload)?;
        shown["content"] = json!(content.map(|content| String::from_utf8_lossy(&content).into_owned()));
    }
    if args.json {
        return Ok(output::line(&shown.to_string())?);
    }
    for (name, value) in shown.as_object().into_iter().flatten() {
        let text = value.as_str().map_or_else(|| value.to_string(), str::to_owned);
        output::line(&format!("{name:<15} {text}"))?;
    }
    Ok(())
}

pub(crate) fn no_notification(id: Id) -> Failure {
    Failure::new(Category::Unexpected, format!("the store has no notification {id}"))
}

#[derive(Args)]
pub(crate) struct StatsArgs {
    #[command(flatten)]
    store: StoreArgs,
    /// Print a JSON object
    #[arg(long)]
    json: bool,
}

pub(crate) async fn stats(args: StatsArgs) -> Result<(), Failure> {
    let stats = args.store.open().await?.stats().await?;
    let oldest = stats.oldest_ready.map(|age| age.as_secs_f64());
    let members = json!({
        "ready": stats.ready,
        "leased": stats.leased,
        "backoff": stats.backoff,
        "done": stats.done,
        "dead": stats.dead,
        "sightings": stats.sightings,
        "oldest_ready_s": oldest,
    });
    if args.json {
        return Ok(output::line(&members.to_string())?);
    }
    for (name, value) in members.as_object().into_iter().flatten() {
        output::line(&format!("{name:<15} {value}"))?;
    }
    Ok(())
}
