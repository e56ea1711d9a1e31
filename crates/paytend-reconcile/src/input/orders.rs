//! The partner's orders.

use std::fmt;

use paytend_model::Amount;
use serde::Deserialize;

use super::set;
use crate::entry::{Entry, EntryTime, Kind, Status};
use crate::list::List;

/// The partner's orders.
#[derive(Clone, Debug, Default)]
pub struct Orders {
    pub(crate) entries: Vec<Entry>,
    pub(crate) given: bool,
}

/// An order, which can be read from a line of a JSON Lines file:
///
/// ```
/// use paytend_reconcile::{OrderRecord, Orders};
/// let line = r#"{"order_no":"T-0001","kind":"topup","card":"1755902","amount":"25.00","currency":"EUR",
///     "status":"succeeded","at":"2026-11-27T10:15:30Z"}"#;
/// let mut orders = Orders::new();
/// orders.push(OrderRecord::from_json(line)?);
/// assert_eq!(orders.len(), 1);
/// # Ok::<(), paytend_reconcile::OrderError>(())
/// ```
///
/// `order_no`, `amount`, `currency` and `status` are required. The amount can be a JSON string or a JSON number.
#[derive(Clone, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
#[non_exhaustive]
pub struct OrderRecord {
    /// The order number that the partner assigned.
    pub order_no: String,
    /// The kind of transaction that was ordered (default: topup).
    #[serde(default = "topup")]
    pub kind: Kind,
    /// The ID of the card.
    #[serde(default)]
    pub card: Option<String>,
    /// The amount, in units of `currency`.
    pub amount: Amount,
    /// The code of the currency, such as `EUR`.
    pub currency: String,
    /// The outcome of the order. `rejected` and `not_sent` have the same meaning as `failed`.
    pub status: OrderStatus,
    /// The time of the order, in RFC 3339 format, or its date.
    #[serde(default)]
    pub at: Option<String>,
    /// The provider's transaction number, if it is known.
    #[serde(default)]
    pub trade_no: Option<String>,
}

fn topup() -> Kind {
    Kind::Topup
}

/// The status of an order, as written in a JSON Lines file.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum OrderStatus {
    /// The order was executed.
    Succeeded,
    /// The order was not executed.
    Failed,
    /// The order was rejected by the provider.
    Rejected,
    /// The order was never sent.
    NotSent,
    /// The order is not final yet.
    Processing,
    /// The order was sent, but its outcome is not known.
    Unknown,
}

impl From<OrderStatus> for Status {
    fn from(status: OrderStatus) -> Self {
        match status {
            OrderStatus::Succeeded => Self::Succeeded,
            OrderStatus::Failed | OrderStatus::Rejected | OrderStatus::NotSent => Self::Failed,
            OrderStatus::Processing => Self::Processing,
            OrderStatus::Unknown => Self::Unknown,
        }
    }
}

/// The error returned for an invalid order. It contains none of the order's values.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{0}")]
#[non_exhaustive]
pub struct OrderError(String);

impl OrderRecord {
    /// Reads an order from JSON.
    ///
    /// # Errors
    /// Returns [`OrderError`] if the text is not a JSON object with the fields of an order.
    pub fn from_json(line: &str) -> Result<Self, OrderError> {
        // The parser's message can contain values, so missing and unknown fields are reported before the text is
        // parsed.
        let json: serde_json::Map<String, serde_json::Value> =
            serde_json::from_str(line).map_err(|error| OrderError(format!("not a JSON object: {}", place(&error))))?;
        for name in ["order_no", "amount", "currency", "status"] {
            if json.get(name).is_none_or(|value| value.is_null() || value.as_str() == Some("")) {
                return Err(OrderError(format!("the field `{name}` is missing")));
            }
        }
        if let Some(name) = json.keys().find(|name| !FIELDS.contains(&name.as_str())) {
            return Err(OrderError(format!("unknown field `{}`", shown(name))));
        }
        let order: Self = serde_json::from_str(line).map_err(|error| {
            OrderError(format!("a field has an invalid value, {}; the documentation lists the fields", place(&error)))
        })?;
        Ok(order)
    }

    fn into_entry(self) -> Entry {
        let mut entry = Entry::new(List::Orders, self.order_no.clone());
        entry.order_no = set(Some(&self.order_no));
        entry.trade_no = self.trade_no.filter(|text| !text.is_empty());
        entry.card = self.card.filter(|text| !text.is_empty());
        entry.kind = Some(self.kind);
        entry.status = Some(self.status.into());
        entry.amount = Some(self.amount.value());
        entry.currency = Some(self.currency);
        entry.time = self.at.filter(|text| !text.is_empty()).map(EntryTime::Text);
        entry
    }
}

const FIELDS: [&str; 8] = ["order_no", "kind", "card", "amount", "currency", "status", "at", "trade_no"];

fn place(error: &serde_json::Error) -> String {
    format!("column {}", error.column())
}

/// Returns the start of a field name, without control characters.
fn shown(name: &str) -> String {
    name.chars().filter(|c| !c.is_control()).take(40).collect()
}

impl fmt::Debug for OrderRecord {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("OrderRecord").field("kind", &self.kind).field("status", &self.status).finish_non_exhaustive()
    }
}

impl Orders {
    /// Creates an empty list of orders. An empty list is compared, unlike [`not_given`](Self::not_given).
    pub fn new() -> Self {
        Self { given: true, ..Self::default() }
    }

    /// Creates the input for a comparison without orders.
    pub fn not_given() -> Self {
        Self::default()
    }

    /// Adds an order.
    pub fn push(&mut self, order: OrderRecord) {
        self.push_entry(order.into_entry());
    }

    /// Adds a row. Its list is set to [`List::Orders`].
    pub fn push_entry(&mut self, mut entry: Entry) {
        entry.list = List::Orders;
        self.given = true;
        self.entries.push(entry);
    }

    /// Returns the orders as rows.
    pub fn entries(&self) -> &[Entry] {
        &self.entries
    }

    /// Returns the number of orders.
    pub fn len(&self) -> usize {
        self.entries.len()
    }

    /// Returns whether there are no orders.
    pub fn is_empty(&self) -> bool {
        self.entries.is_empty()
    }
}
