//! Reads the orders in an outbox.

use std::path::Path;
use std::time::{Duration, SystemTime};

use paytend_model::Operation as _;
use paytend_model::issuing::Topup;
use paytend_outbox::{Decision, OrderEntry, OrderQuery, OutboxAdmin as _, State, open_request, open_result};
use paytend_reconcile::{Entry, EntryTime, Kind, List, Orders, Rules, Status};
use serde_json::Value;

use crate::cmd::inbox::any_store::AnyStore;
use crate::cmd::inbox::store::StoreArgs;
use crate::cmd::outbox::each;
use crate::cmd::reconcile::inbox::millis;
use crate::cmd::reconcile::orders::OrderSource;
use crate::exit::{Category, Failure};

/// The maximum number of orders read from the store at once.
const PAGE: usize = 1_000;
/// The maximum time between the submission of an order and its execution. Orders submitted up to this long before the
/// period are also read.
const BEFORE: Duration = Duration::from_secs(30 * 24 * 3600);

/// The topups in the outbox of a store. If the store has never contained an order, the result is the same as without a
/// source of orders.
pub(super) struct OutboxOrders<'a> {
    pub(super) store: &'a StoreArgs,
    pub(super) key: Option<&'a Path>,
    /// The start of the period, in milliseconds since the Unix epoch.
    pub(super) start: i64,
    pub(super) rules: &'a Rules,
}

impl OrderSource for OutboxOrders<'_> {
    async fn orders(&self) -> Result<Orders, Failure> {
        let store = self.store.open().await?;
        // A NATS store cannot contain orders.
        if matches!(store, AnyStore::Nats(_)) {
            return Ok(Orders::not_given());
        }
        let all = OrderQuery { limit: 1, ..OrderQuery::default() };
        if each!(&store, store => store.list_orders(all.clone()))?.is_empty() {
            return Ok(Orders::not_given());
        }
        let keys = self.store.name(None)?.keys(self.key)?;
        let start = u64::try_from(self.start).unwrap_or_default();
        let since = (SystemTime::UNIX_EPOCH + Duration::from_millis(start)).checked_sub(BEFORE);
        let operation = Some(Topup::INFO.path.to_owned());
        let mut query = OrderQuery { operation, since, limit: PAGE, ..OrderQuery::default() };
        let mut orders = Orders::new();
        loop {
            let listed = each!(&store, store => store.list_orders(query.clone()))?;
            for order in listed.iter().filter(|order| is_sent(order)) {
                // `None` leaves the access out of the audit log, because the report contains only identifiers and
                // amounts.
                let number = order.facts.number.clone();
                let Some(shown) = each!(&store, store => store.show_order(number.clone(), None))? else { continue };
                let request = open_request(&keys, &shown)?;
                let result = open_result(&keys, &shown)?;
                orders.push_entry(self.entry(&shown, request.as_deref().map(String::as_str), result.as_deref())?);
            }
            match listed.last() {
                Some(last) if listed.len() == PAGE => query.after = Some(last.id),
                _ => return Ok(orders),
            }
        }
    }
}

/// Returns whether the order may have been sent to the provider.
fn is_sent(order: &OrderEntry) -> bool {
    order.progress.history.sends > 0 || order.progress.state != State::Recorded
}

impl OutboxOrders<'_> {
    fn entry(&self, order: &OrderEntry, request: Option<&str>, result: Option<&String>) -> Result<Entry, Failure> {
        let mut entry = Entry::new(List::Orders, order.facts.number.clone());
        entry.order_no = Some(order.facts.number.clone());
        entry.kind = Some(Kind::Topup);
        entry.time = Some(EntryTime::Millis(millis(order.progress.history.last_sent.unwrap_or(order.submitted_at))));
        entry.status_code = status_code(order, result);
        entry.status = self.status(order, entry.status_code.as_deref());
        let Some(request) = request else {
            entry.unreadable.push("content".to_owned());
            return Ok(entry);
        };
        // The parser's message is left out, because it can contain values from the order.
        let topup: Topup = serde_json::from_str(request).map_err(|_| {
            let number = &order.facts.number;
            Failure::new(Category::Configuration, format!("the stored request of order {number} is not a topup"))
        })?;
        entry.card = Some(topup.card_id.as_ref().to_owned());
        entry.amount = Some(topup.amount.value());
        entry.currency = Some(topup.currency.as_ref().to_owned());
        Ok(entry)
    }

    /// Returns the status of an order, or `None` if the rules do not define the code in the order's result.
    fn status(&self, order: &OrderEntry, code: Option<&str>) -> Option<Status> {
        match order.progress.state {
            State::Rejected => Some(Status::Failed),
            State::Decided => Some(match order.progress.decision {
                Some(Decision::Executed) => Status::Succeeded,
                _ => Status::Failed,
            }),
            State::Responded | State::Found => self.rules.codes.statuses.topups.get(code?).copied(),
            _ => Some(Status::Unknown),
        }
    }
}

/// Returns the status code in the result of an order that exists.
fn status_code(order: &OrderEntry, result: Option<&String>) -> Option<String> {
    if !matches!(order.progress.state, State::Responded | State::Found) {
        return None;
    }
    let result: Value = serde_json::from_str(result?).ok()?;
    let data: Value = serde_json::from_str(result["data"].as_str()?).ok()?;
    match &data["status"] {
        Value::String(code) => Some(code.clone()),
        Value::Number(code) => Some(code.to_string()),
        _ => None,
    }
}
