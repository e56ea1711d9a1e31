//! `paytend outbox audit`: lists the operator actions.

use std::time::SystemTime;

use clap::Args;
use paytend_outbox::{OrderAuditQuery, OutboxAdmin as _, RecordedAction};
use serde_json::json;

use crate::cmd::inbox::store::StoreArgs;
use crate::cmd::inbox::time::{parse_since, rfc3339};
use crate::cmd::outbox::each;
use crate::exit::Failure;
use crate::output;

/// The maximum number of actions read from the store at once.
const PAGE: usize = 1_000;

#[derive(Args)]
pub(crate) struct AuditArgs {
    #[command(flatten)]
    store: StoreArgs,
    /// Only actions on the order with this number
    #[arg(long, value_name = "NUMBER")]
    order: Option<String>,
    /// Only actions since a time, such as 2026-11-28T09:00:00Z, or 15h for the last 15 hours
    #[arg(long, value_name = "TIME", value_parser = parse_since)]
    since: Option<SystemTime>,
    /// Print one JSON object per line
    #[arg(long)]
    json: bool,
}

pub(crate) async fn audit(args: AuditArgs) -> Result<(), Failure> {
    let store = args.store.open().await?;
    let mut query = OrderAuditQuery { order: args.order, since: args.since, before: None, limit: PAGE };
    loop {
        let actions = each!(&store, store => store.order_audit(query.clone()))?;
        for action in &actions {
            match args.json {
                true => output::json_line(&members(action))?,
                false => output::line(&line(action))?,
            }
        }
        match actions.last() {
            Some(last) if actions.len() == PAGE => query.before = Some(last.number),
            _ => return Ok(()),
        }
    }
}

/// Returns an action as JSON. The members are part of the interface for scripts.
fn members(RecordedAction { number, order, entry, .. }: &RecordedAction) -> String {
    json!({
        "number": number, "at": rfc3339(entry.at), "action": entry.action, "order": order,
        "who": entry.audit.who, "why": entry.audit.why,
    })
    .to_string()
}

fn line(RecordedAction { number, order, entry, .. }: &RecordedAction) -> String {
    let order = order.as_deref().unwrap_or("-");
    let text = format!("{}  {order}  {}  {}", entry.action, entry.audit.who, entry.audit.why);
    format!("{number:>6}  {}  {}", rfc3339(entry.at), output::visible(&text)).trim_end().to_owned()
}
