//! `paytend outbox list`, `show` and `stats`: show the orders in an outbox.

use std::path::PathBuf;
use std::time::SystemTime;

use clap::Args;
use paytend_outbox::{
    OrderEntry, OrderQuery, OutboxAdmin as _, State, UnreadableOrder, open_request, open_result, system_time,
};
use serde_json::{Value, json};

use crate::cmd::inbox::operator::operator;
use crate::cmd::inbox::store::StoreArgs;
use crate::cmd::inbox::time::{parse_since, rfc3339};
use crate::cmd::outbox::keys::KeyArgs;
use crate::cmd::outbox::manage::no_order;
use crate::cmd::outbox::{each, operation_path};
use crate::exit::Failure;
use crate::output;

/// The maximum number of orders read from the store at once.
const PAGE: usize = 1_000;

#[derive(Args)]
pub(crate) struct ListArgs {
    #[command(flatten)]
    store: StoreArgs,
    /// Only orders in this state: recorded, sending, unknown, stuck, responded, found, rejected or decided
    #[arg(long)]
    state: Option<State>,
    /// Only orders for this operation: a name such as topup, or a path
    #[arg(long)]
    operation: Option<String>,
    /// Only orders submitted since a time, such as 2026-11-28T09:00:00Z, or 15h for the last 15 hours
    #[arg(long, value_name = "TIME", value_parser = parse_since)]
    since: Option<SystemTime>,
    /// Print one JSON object per line
    #[arg(long)]
    json: bool,
}

pub(crate) async fn list(args: ListArgs) -> Result<(), Failure> {
    let operation = args.operation.as_deref().map(operation_path).transpose()?;
    let store = args.store.open().await?;
    let mut query = OrderQuery { state: args.state, operation, since: args.since, after: None, limit: PAGE };
    loop {
        let page = each!(&store, store => store.list_orders(query.clone()))?;
        let readable = page.entries.iter().map(|entry| (entry.id, summary(entry), line(entry)));
        let unreadable =
            page.unreadable.iter().map(|order| (order.id, unreadable_summary(order), unreadable_line(order)));
        let mut orders: Vec<_> = readable.chain(unreadable).collect();
        orders.sort_by_key(|(id, ..)| *id);
        for (_, summary, line) in orders {
            output::result(args.json, &summary, &line)?;
        }
        query.after = page.next;
        if query.after.is_none() {
            return Ok(());
        }
    }
}

/// Returns an order as JSON. The members are part of the interface for scripts.
fn summary(entry: &OrderEntry) -> Value {
    let (facts, progress) = (&entry.facts, &entry.progress);
    let history = &progress.history;
    json!({
        "id": entry.id,
        "number": facts.number,
        "request_id": facts.request_id,
        "operation": facts.operation,
        "state": progress.state.as_str(),
        "handled": !progress.is_open,
        "sends": history.sends,
        "queries": history.queries,
        "confirmations": history.confirmations,
        "notified": progress.is_notified,
        "decision": progress.decision.map(|decision| decision.as_str()),
        "cause": progress.cause,
        "submitted_at": rfc3339(entry.submitted_at),
        "not_before": facts.not_before.map(rfc3339),
        "last_sent_at": history.last_sent.map(rfc3339),
        "due_at": progress.due_at.map(|due_at| rfc3339(system_time(due_at))),
    })
}

/// The state that is shown for an order that cannot be read.
const UNREADABLE: &str = "unreadable";

/// Returns an order that cannot be read as JSON, with the same members as [`summary`].
fn unreadable_summary(order: &UnreadableOrder) -> Value {
    json!({
        "id": order.id,
        "number": order.number,
        "request_id": null,
        "operation": null,
        "state": UNREADABLE,
        "handled": null,
        "sends": null,
        "queries": null,
        "confirmations": null,
        "notified": null,
        "decision": null,
        "cause": null,
        "submitted_at": rfc3339(order.submitted_at),
        "not_before": null,
        "last_sent_at": null,
        "due_at": null,
    })
}

fn unreadable_line(order: &UnreadableOrder) -> String {
    let number = order.number.as_deref().unwrap_or("-");
    format!(
        "{:>8}  {}  {UNREADABLE}  {}, not sent: use the newest version of the program",
        order.id,
        rfc3339(order.submitted_at),
        output::visible(number),
    )
}

fn line(entry: &OrderEntry) -> String {
    let progress = &entry.progress;
    let handled = if progress.state.is_final() && progress.is_open { ", not handled" } else { "" };
    let cause = progress.cause.as_ref().map(|cause| format!(", {}", output::visible(cause))).unwrap_or_default();
    format!(
        "{:>8}  {}  {:<9}  {:<28}  {}  sends {}{handled}{cause}",
        entry.id,
        rfc3339(entry.submitted_at),
        progress.state,
        entry.facts.operation,
        output::visible(&entry.facts.number),
        progress.history.sends,
    )
}

#[derive(Args)]
pub(crate) struct ShowArgs {
    #[command(flatten)]
    store: StoreArgs,
    /// The order number
    number: String,
    /// Decrypt and show the request and the result. The store records the access and the user
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
    let entry = each!(&store, store => store.show_order(args.number.clone(), viewer))?;
    let entry = entry.ok_or_else(|| no_order(&args.number))?;
    let mut shown = summary(&entry);
    shown["traceparent"] = json!(entry.facts.traceparent);
    let audit = entry.audit.iter().map(|audit| {
        json!({
            "at": rfc3339(audit.at), "action": audit.action, "who": audit.audit.who, "why": audit.audit.why,
        })
    });
    shown["audit"] = audit.collect();
    if args.reveal {
        let keys = args.store.name(None)?.keys(args.store_key.as_deref())?;
        shown["request"] = json!(open_request(&keys, &entry)?.as_deref());
        shown["result"] = json!(open_result(&keys, &entry)?.as_deref());
    }
    if args.json {
        return output::json(&shown);
    }
    for (name, value) in shown.as_object().into_iter().flatten() {
        let text = value.as_str().map_or_else(|| value.to_string(), str::to_owned);
        output::line(&format!("{name:<15} {}", output::visible(&text)))?;
    }
    Ok(())
}

#[derive(Args)]
pub(crate) struct StatsArgs {
    #[command(flatten)]
    store: StoreArgs,
    #[command(flatten)]
    keys: KeyArgs,
    /// Print a JSON object
    #[arg(long)]
    json: bool,
}

pub(crate) async fn stats(args: StatsArgs) -> Result<(), Failure> {
    let store = args.store.open().await?;
    let stats = each!(&store, store => store.order_stats())?;
    let paused = each!(&store, store => store.paused())?;
    let mut members = serde_json::Map::new();
    for state in State::ALL {
        members.insert(state.as_str().to_owned(), json!(stats.count(state)));
    }
    members.insert("unhandled".to_owned(), json!(stats.unhandled));
    members.insert("unreadable".to_owned(), json!(stats.unreadable));
    members.insert("oldest_due_s".to_owned(), json!(stats.oldest_due.map(|age| age.as_secs_f64())));
    let missing = args.keys.missing(&args.store, &stats)?;
    members.insert("missing_keys".to_owned(), json!(missing));
    members.insert("recovering_since".to_owned(), json!(stats.recovering_since.map(rfc3339)));
    let paused = paused.iter().map(|pause| {
        json!({
            "operation": pause.operation, "since": rfc3339(pause.since), "who": pause.audit.who,
            "why": pause.audit.why,
        })
    });
    members.insert("paused".to_owned(), paused.collect());
    if args.json {
        return output::json(&members);
    }
    for (name, value) in &members {
        output::line(&format!("{name:<15} {value}"))?;
    }
    Ok(())
}
