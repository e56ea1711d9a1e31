//! The stored data of an order.

use std::collections::BTreeMap;
use std::fmt;
use std::time::{Duration, SystemTime};

use paytend_client::History;
use paytend_inbox::{Lease, Mac, SealedPayload, StoreError, StoreKeys};

pub use crate::new_order::NewOrder;
use crate::progress::Progress;
use crate::terms::{Decision, State};
use crate::unreadable::UnreadableOrder;

/// The facts about an order, which never change. A store keeps them unencrypted.
#[derive(Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct OrderFacts {
    /// The order number, which identifies the order. It can be personal data, so `Debug` output does not contain it.
    pub number: String,
    /// The `requestId`, which is the same each time the order is sent.
    pub request_id: String,
    /// The path of the operation, such as `/issuing/card/topup`.
    pub operation: String,
    /// An HMAC of the content. Orders with equal content have equal tags.
    pub content_tag: Mac,
    /// The order key. Orders with equal keys are sent one after the other. An order without a key does not wait for
    /// other orders.
    pub order_key: Option<Mac>,
    /// The time before which the order is not sent.
    pub not_before: Option<SystemTime>,
    /// The W3C trace context in which the order was submitted.
    pub traceparent: Option<String>,
}

impl OrderFacts {
    /// Creates facts from the required values. All other values are empty. A store uses this function when it reads
    /// facts.
    pub fn new(number: String, request_id: String, operation: String, content_tag: Mac) -> Self {
        Self { number, request_id, operation, content_tag, order_key: None, not_before: None, traceparent: None }
    }

    /// Calls `use_parts` with the values that an encrypted part of this order is bound to.
    pub(crate) fn with_binding<T>(&self, part: &str, use_parts: impl FnOnce(&[&[u8]]) -> T) -> T {
        use_parts(&[
            b"paytend-outbox 1",
            part.as_bytes(),
            self.number.as_bytes(),
            self.request_id.as_bytes(),
            self.operation.as_bytes(),
        ])
    }
}

impl fmt::Debug for OrderFacts {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("OrderFacts")
            .field("request_id", &self.request_id)
            .field("operation", &self.operation)
            .finish_non_exhaustive()
    }
}

/// The names of the encrypted parts of an order.
pub(crate) const REQUEST: &str = "request";
pub(crate) const RESULT: &str = "result";

/// The result of submitting an order.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Submitted {
    /// The order is new, and is stored.
    New,
    /// An order with this number and the same content was submitted before. Nothing was changed, with one exception:
    /// if nothing has been sent and the file is stored by reference, its path was updated.
    Known {
        /// The state of the order that is already stored.
        state: State,
    },
}

/// A request to claim due orders.
#[derive(Clone, Debug)]
pub struct ClaimOrders {
    /// The maximum number of orders to claim.
    pub limit: usize,
    /// The length of the lease.
    pub lease: Duration,
    /// A random number that differs for each claim. All leases from the claim contain it.
    pub holder: u64,
    /// The paths of the operations to claim, each with the maximum number of orders to claim. Orders of other
    /// operations are not claimed.
    pub operations: Vec<(String, usize)>,
}

/// An order that a dispatcher has claimed.
#[derive(Clone, Debug)]
pub struct ClaimedOrder {
    /// The lease, which is required to change the order.
    pub lease: Lease,
    /// The facts.
    pub facts: OrderFacts,
    /// The progress of the order after the claim.
    pub progress: Progress,
    /// The encrypted request; `None` if it was removed.
    pub request: Option<SealedPayload>,
    /// The encrypted result, if the outcome is known and only the handler has to run again.
    pub result: Option<SealedPayload>,
    /// The time of the claim, by the store's clock.
    pub now: SystemTime,
}

/// How an order's outcome became known.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Ended {
    /// The response arrived.
    Responded,
    /// A query or a notification shows that the order exists.
    Found,
    /// The order was rejected and does not exist.
    Rejected,
    /// An operator has decided the outcome.
    Decided,
}

impl Ended {
    /// Returns the final state of an order whose outcome became known in this way.
    pub fn state(self) -> State {
        match self {
            Self::Responded => State::Responded,
            Self::Found => State::Found,
            Self::Rejected => State::Rejected,
            Self::Decided => State::Decided,
        }
    }
}

/// The result of an attempt that does not complete the order.
#[derive(Clone, Debug)]
pub enum OrderRelease {
    /// Nothing was sent. The order is attempted again after a delay.
    NotSent {
        /// The history without the failed send.
        history: History,
        /// The delay, at most 24 hours.
        after: Duration,
        /// The cause of the failure.
        cause: String,
    },
    /// The order may have been executed. It is queried after a delay.
    Unknown {
        /// The history of sends and queries.
        history: History,
        /// The delay, at most 24 hours.
        after: Duration,
        /// The cause of the last failure.
        cause: Option<String>,
    },
    /// An operator must decide the outcome.
    Stuck {
        /// The history of sends and queries.
        history: History,
        /// The reason why the outcome is unknown, such as the last failure.
        cause: String,
    },
    /// The outcome is known and stored, but the handler failed. The handler runs again after a delay.
    Unhandled {
        /// How the outcome became known.
        ended: Ended,
        /// The delay, at most 24 hours, or `None` if the order waits for an operator.
        after: Option<Duration>,
        /// The cause of the failure.
        cause: String,
    },
    /// Nothing was sent or queried, and the attempt does not count towards the retry limit.
    GiveBack {
        /// The delay, at most 24 hours.
        after: Duration,
        /// The reason why nothing was done. `None` keeps the cause of the last failure.
        cause: Option<String>,
    },
}

/// An operator action.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Action {
    /// Decides the outcome of an order that is stuck, unknown or not sent. The handler then runs with the decision. An
    /// order that was never sent cannot be marked as executed.
    Decide(Decision),
    /// Queries a stuck order again, or runs a failed handler again. If the order was never sent, it is sent.
    Retry,
    /// Completes an order whose outcome is known or decided, without running its handler. This is necessary if the
    /// handler can never run, for example because the key of the request is lost.
    Close,
}

impl Action {
    /// Returns the name that identifies the action in the audit log.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Decide(Decision::Executed) => "decide executed",
            Self::Decide(Decision::NotExecuted) => "decide not-executed",
            Self::Retry => "retry",
            Self::Close => "close",
        }
    }
}

/// The operator who performs an action, and the reason. Both are stored and shown to operators.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Audit {
    /// The name of the user or program that performs the action.
    pub who: String,
    /// The operator's reason for the action.
    pub why: String,
}

/// An audit entry, which records an operator action.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct AuditEntry {
    /// The time of the action, by the store's clock.
    pub at: SystemTime,
    /// The action, such as `decide executed`.
    pub action: String,
    /// The operator who performed the action, and the reason.
    pub audit: Audit,
}

impl AuditEntry {
    /// Creates an entry for an action.
    pub fn new(at: SystemTime, action: String, audit: Audit) -> Self {
        Self { at, action, audit }
    }
}

/// An order as shown to an operator.
#[derive(Clone, Debug)]
pub struct OrderEntry {
    /// The store's ID for the order. Orders that are submitted later have larger IDs.
    pub id: i64,
    /// The facts.
    pub facts: OrderFacts,
    /// The progress.
    pub progress: Progress,
    /// The time at which the order was submitted, by the store's clock.
    pub submitted_at: SystemTime,
    /// The encrypted request; `None` in lists, or if it was removed.
    pub request: Option<SealedPayload>,
    /// The encrypted result; `None` in lists, or if there is no result.
    pub result: Option<SealedPayload>,
    /// Operator actions; empty in lists.
    pub audit: Vec<AuditEntry>,
}

/// Selects orders for [`list_orders`](crate::OutboxAdmin::list_orders).
#[derive(Clone, Debug, Default)]
pub struct OrderQuery {
    /// Selects only orders in this state.
    pub state: Option<State>,
    /// Selects only orders that call the operation with this path.
    pub operation: Option<String>,
    /// Selects only orders that were submitted at this time or later.
    pub since: Option<SystemTime>,
    /// Selects only orders with a larger [`id`](OrderEntry::id), to request the next page.
    pub after: Option<i64>,
    /// The maximum number of orders to return.
    pub limit: usize,
}

/// A page of the orders that an [`OrderQuery`] selects.
#[derive(Clone, Debug, Default)]
#[non_exhaustive]
pub struct OrderPage {
    /// The orders without their content, sorted by ID.
    pub entries: Vec<OrderEntry>,
    /// The orders of this page that cannot be read, sorted by ID. They count towards the limit of the query. If the
    /// query selects a state, an order whose state cannot be read is not listed.
    pub unreadable: Vec<UnreadableOrder>,
    /// The [`after`](OrderQuery::after) of the next page, or `None` if this is the last page.
    pub next: Option<i64>,
}

impl OrderPage {
    /// Adds the next order of the page. A store uses this function.
    pub fn push(&mut self, order: Result<OrderEntry, UnreadableOrder>) {
        match order {
            Ok(entry) => {
                self.next = Some(entry.id);
                self.entries.push(entry);
            }
            Err(unreadable) => {
                self.next = Some(unreadable.id);
                self.unreadable.push(unreadable);
            }
        }
    }

    /// Ends the page. If it contains fewer orders than the limit of the query, it is the last page. A store uses this
    /// function.
    pub fn end(&mut self, limit: usize) {
        if self.entries.len() + self.unreadable.len() < limit {
            self.next = None;
        }
    }
}

/// The result of [`recover_orders`](crate::OutboxAdmin::recover_orders).
#[derive(Clone, Debug, Default, PartialEq, Eq)]
#[must_use = "unreadable orders were not recovered: recover them with the newest version of the program"]
#[non_exhaustive]
pub struct Recovered {
    /// The number of orders that will be queried.
    pub count: u64,
    /// The open orders that cannot be read, sorted by ID. They were not recovered.
    pub unreadable: Vec<UnreadableOrder>,
}

/// Counts of the orders in an outbox.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct OrderStats {
    /// The number of orders in each state, listed as in [`State::ALL`].
    pub states: [u64; State::ALL.len()],
    /// The number of orders whose outcome is known but whose handler has not succeeded.
    pub unhandled: u64,
    /// The number of open orders whose row or encrypted content cannot be read. Those whose row cannot be read are in
    /// [`OrderPage::unreadable`]; [`check_orders`](crate::OutboxAdmin::check_orders) names an example of both.
    /// Those in a known state are also counted in [`states`](Self::states).
    pub unreadable: u64,
    /// How long the oldest due order has been due.
    pub oldest_due: Option<Duration>,
    /// The number of open orders that need each payload key to decrypt their request or result. An order waits while a
    /// key that it needs is missing.
    pub open_by_key: BTreeMap<u32, u64>,
    /// The time at which a recovery began, or `None` if no recovery is in progress. During a recovery, new orders are
    /// queried before they are sent. See [`recover_orders`](crate::OutboxAdmin::recover_orders).
    pub recovering_since: Option<SystemTime>,
}

impl OrderStats {
    /// Returns the number of orders in a state.
    pub fn count(&self, state: State) -> u64 {
        let counts = State::ALL.into_iter().zip(self.states);
        counts.filter(|(known, _)| *known == state).map(|(_, count)| count).sum()
    }

    /// Sets the number of orders in a state.
    pub fn set(&mut self, state: State, count: u64) {
        for (known, value) in State::ALL.into_iter().zip(&mut self.states) {
            if known == state {
                *value = count;
            }
        }
    }
}

/// A pause in sending the orders of an operation.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Pause {
    /// The path of the operation, or `*` for all operations.
    pub operation: String,
    /// The time at which the pause began, by the store's clock.
    pub since: SystemTime,
    /// The operator who paused sending, and the reason.
    pub audit: Audit,
}

impl Pause {
    /// The value of `operation` that selects all operations.
    pub const ALL: &'static str = "*";

    /// Creates a pause that began at `since`.
    pub fn new(operation: String, since: SystemTime, audit: Audit) -> Self {
        Self { operation, since, audit }
    }
}

/// Decrypts an encrypted part of an order.
pub(crate) fn open(
    keys: &StoreKeys,
    facts: &OrderFacts,
    part: &str,
    sealed: &SealedPayload,
) -> Result<zeroize::Zeroizing<Vec<u8>>, StoreError> {
    let owner = format!("the order with requestId {}", facts.request_id);
    facts.with_binding(part, |parts| keys.open_bound(&owner, parts, sealed)).map(zeroize::Zeroizing::new)
}
