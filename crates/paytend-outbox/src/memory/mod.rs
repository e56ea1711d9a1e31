//! An in-memory store, for tests and as the reference for other stores.

mod rows;

use std::fmt;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, SystemTime};

use paytend_client::History;
use paytend_inbox::{FinishError, HandlerError, Lease, Mac, SealedPayload, StoreError, StoreErrorKind};
use tokio::sync::Notify;

use crate::audit_log::{OrderAuditQuery, RecordedAction};
use crate::error::{ActionError, BeginSendError, SubmitError};
use crate::notice::OrderNotice;
use crate::record::{
    Action, Audit, ClaimOrders, ClaimedOrder, Ended, NewOrder, OrderEntry, OrderPage, OrderQuery, OrderRelease,
    OrderStats, Pause, Recovered, Submitted,
};
use crate::store::{OutboxAdmin, OutboxStore};
use crate::terms::millis;
use rows::Rows;

type Clock = dyn Fn() -> SystemTime + Send + Sync;

/// An in-memory store, for tests. **Everything is lost when the process ends**, including the orders whose outcome is
/// unknown.
#[derive(Clone)]
pub struct MemoryOutbox {
    shared: Arc<Shared>,
}

struct Shared {
    rows: Mutex<Rows>,
    changed: Notify,
    clock: Box<Clock>,
}

/// A transaction of a [`MemoryOutbox`]. Its changes are kept only if the transaction succeeds.
pub struct OutboxTransaction {
    rows: Rows,
    now: i64,
}

impl OutboxTransaction {
    /// Submits an order.
    ///
    /// # Errors
    /// Returns [`SubmitError::Conflict`] if the order number belongs to an order with different content.
    pub fn submit(&mut self, order: &NewOrder) -> Result<Submitted, SubmitError> {
        self.rows.submit(self.now, order)
    }

    /// Records a notification about an order. Returns `true` if the order exists and either this is its first
    /// notification or the notification makes the order due.
    pub fn notice(&mut self, notice: &OrderNotice) -> bool {
        self.rows.notice(self.now, notice)
    }

    /// Records a line of text. [`MemoryOutbox::recorded`] returns the recorded lines.
    pub fn record(&mut self, line: impl Into<String>) {
        self.rows.recorded.push(line.into());
    }
}

impl fmt::Debug for OutboxTransaction {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("OutboxTransaction").finish_non_exhaustive()
    }
}

/// A change to apply in the same transaction that completes an order.
pub type MemoryOutboxEffect = Box<dyn FnOnce(&mut OutboxTransaction) -> Result<(), HandlerError> + Send>;

impl MemoryOutbox {
    /// Creates an empty store.
    pub fn new() -> Self {
        Self::with_clock(SystemTime::now)
    }

    /// Creates an empty store that uses a custom clock.
    pub fn with_clock(clock: impl Fn() -> SystemTime + Send + Sync + 'static) -> Self {
        let shared = Shared { rows: Mutex::default(), changed: Notify::new(), clock: Box::new(clock) };
        Self { shared: Arc::new(shared) }
    }

    /// Runs a function in a transaction. If it returns an error or panics, nothing is changed.
    ///
    /// # Errors
    /// Returns the function's error.
    pub fn transaction<T, E>(&self, function: impl FnOnce(&mut OutboxTransaction) -> Result<T, E>) -> Result<T, E> {
        let now = self.now();
        let mut rows = self.rows();
        let mut transaction = OutboxTransaction { rows: rows.clone(), now };
        let value = function(&mut transaction)?;
        *rows = transaction.rows;
        drop(rows);
        self.shared.changed.notify_waiters();
        Ok(value)
    }

    /// Returns the lines that effects have recorded.
    pub fn recorded(&self) -> Vec<String> {
        self.rows().recorded.clone()
    }

    fn rows(&self) -> MutexGuard<'_, Rows> {
        // A function that panics has changed only a copy of the rows, so a poisoned lock is safe to use.
        self.shared.rows.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn now(&self) -> i64 {
        millis((self.shared.clock)())
    }

    /// Changes the rows, and wakes the waiting dispatchers.
    fn change<T>(&self, function: impl FnOnce(&mut Rows, i64) -> T) -> T {
        let now = self.now();
        let value = function(&mut self.rows(), now);
        self.shared.changed.notify_waiters();
        value
    }
}

impl Default for MemoryOutbox {
    fn default() -> Self {
        Self::new()
    }
}

impl fmt::Debug for MemoryOutbox {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("MemoryOutbox").finish_non_exhaustive()
    }
}

impl OutboxStore for MemoryOutbox {
    type Effect = MemoryOutboxEffect;

    async fn bind_outbox_keys(&self, check: Mac) -> Result<(), StoreError> {
        match self.rows().bound.get_or_insert(check) {
            known if *known == check => Ok(()),
            _ => Err(StoreError::new(StoreErrorKind::Keys, "the store was created with a different key file")),
        }
    }

    async fn submit_order(&self, order: NewOrder) -> Result<Submitted, SubmitError> {
        self.change(|rows, now| rows.submit(now, &order))
    }

    async fn claim_orders(&self, request: ClaimOrders) -> Result<Vec<ClaimedOrder>, StoreError> {
        let now = self.now();
        Ok(self.rows().claim(now, &request))
    }

    async fn extend_order(&self, lease: Lease, time: Duration) -> Result<(), FinishError> {
        let now = self.now();
        self.rows().held(lease)?.progress.extend(now, time);
        Ok(())
    }

    async fn begin_send(&self, lease: Lease) -> Result<History, BeginSendError> {
        let now = self.now();
        self.rows().begin_send(now, lease)
    }

    async fn record_outcome(&self, lease: Lease, ended: Ended, result: SealedPayload) -> Result<(), FinishError> {
        self.rows().record_outcome(lease, ended, result)
    }

    async fn complete_order(
        &self,
        lease: Lease,
        ended: Ended,
        effect: Option<MemoryOutboxEffect>,
    ) -> Result<(), FinishError> {
        self.transaction(|transaction| {
            transaction.rows.held(lease)?;
            if let Some(effect) = effect {
                let applied = catch_unwind(AssertUnwindSafe(|| effect(transaction)));
                let applied = applied.unwrap_or_else(|_| Err(HandlerError::retry("the effect panicked")));
                applied.map_err(FinishError::Effect)?;
            }
            transaction.rows.complete(lease, ended)
        })
    }

    async fn release_order(
        &self,
        lease: Lease,
        release: OrderRelease,
        result: Option<SealedPayload>,
    ) -> Result<(), FinishError> {
        self.change(|rows, now| rows.release(now, lease, &release, result))
    }

    async fn notice_order(&self, notice: OrderNotice) -> Result<bool, StoreError> {
        Ok(self.change(|rows, now| rows.notice(now, &notice)))
    }

    async fn orders_changed(&self) {
        self.shared.changed.notified().await;
    }
}

impl OutboxAdmin for MemoryOutbox {
    async fn list_orders(&self, query: OrderQuery) -> Result<OrderPage, StoreError> {
        Ok(self.rows().list(&query))
    }

    async fn show_order(&self, number: String, viewer: Option<String>) -> Result<Option<OrderEntry>, StoreError> {
        let now = self.now();
        Ok(self.rows().show(now, &number, viewer))
    }

    async fn act_on_order(
        &self,
        number: String,
        action: Action,
        audit: Audit,
    ) -> Result<Result<(), ActionError>, StoreError> {
        Ok(self.change(|rows, now| rows.act(now, &number, action, audit)))
    }

    async fn pause_sending(&self, operation: String, audit: Audit) -> Result<(), StoreError> {
        self.change(|rows, now| rows.pause(now, operation, audit));
        Ok(())
    }

    async fn resume_sending(&self, operation: String, audit: Audit) -> Result<bool, StoreError> {
        Ok(self.change(|rows, now| rows.resume(now, &operation, audit)))
    }

    async fn paused(&self) -> Result<Vec<Pause>, StoreError> {
        Ok(self.rows().paused())
    }

    async fn order_stats(&self) -> Result<OrderStats, StoreError> {
        let now = self.now();
        Ok(self.rows().stats(now))
    }

    async fn recover_orders(&self, audit: Audit) -> Result<Recovered, StoreError> {
        let count = self.change(|rows, now| rows.recover(now, audit));
        Ok(Recovered { count, unreadable: Vec::new() })
    }

    async fn end_recovery(&self, audit: Audit) -> Result<bool, StoreError> {
        Ok(self.change(|rows, now| rows.end_recovery(now, audit)))
    }

    async fn drop_order_content(&self, before: SystemTime, audit: Audit) -> Result<u64, StoreError> {
        Ok(self.change(|rows, now| rows.drop_content(now, millis(before), &audit)))
    }

    async fn order_audit(&self, query: OrderAuditQuery) -> Result<Vec<RecordedAction>, StoreError> {
        Ok(self.rows().audit(&query))
    }

    async fn check_orders(&self) -> Result<Vec<String>, StoreError> {
        Ok(Vec::new())
    }
}
