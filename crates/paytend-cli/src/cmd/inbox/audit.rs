//! `paytend inbox audit`: lists the operator actions.

use std::time::SystemTime;

use clap::Args;
use paytend_inbox::{AuditEntry, AuditQuery, Id, StoreAdmin as _};
use serde_json::json;

use crate::cmd::inbox::store::StoreArgs;
use crate::cmd::inbox::time::{parse_since, rfc3339};
use crate::exit::Failure;
use crate::output;

/// The maximum number of events read from the store at once.
const PAGE: usize = 1_000;

#[derive(Args)]
pub(crate) struct AuditArgs {
    #[command(flatten)]
    store: StoreArgs,
    /// Only events about this notification
    #[arg(long)]
    id: Option<Id>,
    /// Only events since a time, such as 2026-11-28T09:00:00Z, or 15h for the last 15 hours
    #[arg(long, value_name = "TIME", value_parser = parse_since)]
    since: Option<SystemTime>,
    /// Print one JSON object per line
    #[arg(long)]
    json: bool,
}

pub(crate) async fn audit(args: AuditArgs) -> Result<(), Failure> {
    let store = args.store.open().await?;
    let mut query = AuditQuery { id: args.id, since: args.since, before: None, limit: PAGE };
    loop {
        let entries = store.audit(query.clone()).await?;
        for entry in &entries {
            match args.json {
                true => output::json_line(&members(entry))?,
                false => output::line(&line(entry))?,
            }
        }
        match entries.last() {
            Some(last) if entries.len() == PAGE => query.before = Some(last.number),
            _ => return Ok(()),
        }
    }
}

/// Returns an event as JSON. The members are part of the interface for scripts.
fn members(AuditEntry { number, at, event }: &AuditEntry) -> String {
    json!({
        "number": number,
        "at": rfc3339(*at),
        "action": event.action,
        "id": event.id.map(Id::get),
        "operator": event.operator,
        "detail": event.detail,
    })
    .to_string()
}

fn line(AuditEntry { number, at, event }: &AuditEntry) -> String {
    let id = event.id.map_or_else(|| "-".to_owned(), |id| id.to_string());
    let detail = event.detail.as_deref().unwrap_or_default();
    format!("{number:>6}  {}  {:<8}  {id:>8}  {}  {detail}", rfc3339(*at), event.action, event.operator)
        .trim_end()
        .to_owned()
}
