//! An in-memory store, for tests and as the reference for other stores.

mod limits;
mod rows;

use std::fmt;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, SystemTime};

use tokio::sync::Notify;

use crate::audit::{AuditEntry, AuditEvent, AuditQuery};
use crate::error::{FinishError, HandlerError, StoreError, StoreErrorKind};
use crate::inbox::millis;
use crate::record::{
    Accepted, ClaimRequest, Claimed, Entry, Erasure, NewNotification, Query, Release, Stats, StoreClock,
};
use crate::store::{Store, StoreAdmin};
use crate::terms::{Id, Lease, Mac};
use crate::worker::Completion;
use rows::Rows;

pub use limits::MemoryLimits;

type Clock = dyn Fn() -> SystemTime + Send + Sync;

/// An in-memory store, for tests. **Everything is lost when the process ends**, so do not use this store for a
/// provider's notifications.
#[derive(Clone)]
pub struct MemoryStore {
    shared: Arc<Shared>,
}

struct Shared {
    rows: Mutex<Rows>,
    changed: Notify,
    clock: Box<Clock>,
}

/// The transaction in which a [`MemoryEffect`] runs. The effect can record lines of text, and [`MemoryStore::recorded`]
/// returns these lines after the commit.
#[derive(Debug, Default)]
pub struct MemoryTransaction {
    recorded: Vec<String>,
}

impl MemoryTransaction {
    /// Records a line. If the transaction is rolled back, the line is discarded.
    pub fn record(&mut self, line: impl Into<String>) {
        self.recorded.push(line.into());
    }
}

/// A change to apply in the same transaction that completes a notification. Create it with [`in_memory_transaction`].
pub type MemoryEffect = Box<dyn FnOnce(&mut MemoryTransaction) -> Result<(), HandlerError> + Send>;

/// Returns a completion that applies a change in the same transaction that completes the notification.
pub fn in_memory_transaction(
    effect: impl FnOnce(&mut MemoryTransaction) -> Result<(), HandlerError> + Send + 'static,
) -> Completion<MemoryEffect> {
    Completion::with_effect(Box::new(effect))
}

impl MemoryStore {
    /// Creates an empty store.
    pub fn new() -> Self {
        Self::with_clock(SystemTime::now)
    }

    /// Creates an empty store that uses a custom clock.
    pub fn with_clock(clock: impl Fn() -> SystemTime + Send + Sync + 'static) -> Self {
        let shared = Shared { rows: Mutex::default(), changed: Notify::new(), clock: Box::new(clock) };
        Self { shared: Arc::new(shared) }
    }

    /// Limits what the store keeps. By default, the store keeps everything, including the content of processed
    /// notifications.
    #[must_use]
    pub fn with_limits(self, limits: MemoryLimits) -> Self {
        self.rows().limits = Some(limits);
        self
    }

    /// Returns the lines that effects have recorded.
    pub fn recorded(&self) -> Vec<String> {
        self.rows().recorded.clone()
    }

    fn rows(&self) -> MutexGuard<'_, Rows> {
        // A panic in an effect is caught, so it does not poison the lock.
        self.shared.rows.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn now(&self) -> i64 {
        millis((self.shared.clock)()).unwrap_or(i64::MAX)
    }
}

impl Default for MemoryStore {
    fn default() -> Self {
        Self::new()
    }
}

impl fmt::Debug for MemoryStore {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("MemoryStore").finish_non_exhaustive()
    }
}

impl Store for MemoryStore {
    type Effect = MemoryEffect;

    async fn bind_keys(&self, check: Mac) -> Result<(), StoreError> {
        match self.rows().bound.get_or_insert(check) {
            known if *known == check => Ok(()),
            _ => Err(StoreError::new(StoreErrorKind::Keys, "the store was created with a different key file")),
        }
    }

    async fn accept(&self, notification: NewNotification) -> Result<Accepted, StoreError> {
        let now = self.now();
        let accepted = self.rows().accept(now, notification)?;
        self.shared.changed.notify_waiters();
        Ok(accepted)
    }

    async fn claim(&self, request: ClaimRequest) -> Result<Vec<Claimed>, StoreError> {
        let now = self.now();
        Ok(self.rows().claim(now, &request))
    }

    async fn extend(&self, lease: Lease, time: Duration) -> Result<(), FinishError> {
        let now = self.now();
        self.rows().extend(now, lease, time)
    }

    async fn complete(&self, lease: Lease, effect: Option<MemoryEffect>) -> Result<(), FinishError> {
        let now = self.now();
        self.rows().complete(now, lease, effect)?;
        self.shared.changed.notify_waiters();
        Ok(())
    }

    async fn release(&self, lease: Lease, release: Release) -> Result<(), FinishError> {
        let now = self.now();
        self.rows().release(now, lease, release)?;
        self.shared.changed.notify_waiters();
        Ok(())
    }

    async fn changed(&self) {
        self.shared.changed.notified().await;
    }
}

impl StoreAdmin for MemoryStore {
    async fn list(&self, query: Query) -> Result<Vec<Entry>, StoreError> {
        Ok(self.rows().list(&query))
    }

    async fn show(&self, id: Id, viewer: Option<String>) -> Result<Option<Entry>, StoreError> {
        let now = self.now();
        Ok(self.rows().show(now, id, viewer))
    }

    async fn redrive(&self, ids: Option<Vec<Id>>) -> Result<u64, StoreError> {
        let now = self.now();
        let count = self.rows().redrive(now, ids.as_deref());
        self.shared.changed.notify_waiters();
        Ok(count)
    }

    async fn bury(&self, id: Id, cause: String) -> Result<bool, StoreError> {
        let now = self.now();
        let buried = self.rows().bury(now, id, cause);
        self.shared.changed.notify_waiters();
        Ok(buried)
    }

    async fn stats(&self) -> Result<Stats, StoreError> {
        let now = self.now();
        Ok(self.rows().stats(now))
    }

    async fn check(&self) -> Result<Vec<String>, StoreError> {
        Ok(self.rows().check())
    }

    async fn erase(&self, erasure: Erasure) -> Result<u64, StoreError> {
        let now = self.now();
        let count = self.rows().erase(now, &erasure);
        self.shared.changed.notify_waiters();
        Ok(count)
    }

    async fn clock(&self) -> Result<StoreClock, StoreError> {
        Ok(StoreClock { now: (self.shared.clock)(), last_received: self.rows().last_received() })
    }

    async fn drop_payloads(&self, before: SystemTime) -> Result<u64, StoreError> {
        Ok(self.rows().drop_payloads(millis(before).unwrap_or(i64::MAX)))
    }

    async fn record(&self, event: AuditEvent) -> Result<(), StoreError> {
        let now = self.now();
        self.rows().record(now, event);
        Ok(())
    }

    async fn audit(&self, query: AuditQuery) -> Result<Vec<AuditEntry>, StoreError> {
        Ok(self.rows().audit(&query))
    }

    async fn probe(&self) -> Result<Vec<(&'static str, String)>, StoreError> {
        Ok(vec![("engine", "memory".into())])
    }
}
