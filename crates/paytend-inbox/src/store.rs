//! The interface between an inbox and its store.

use std::future::Future;
use std::time::{Duration, SystemTime};

use crate::audit::{AuditEntry, AuditEvent, AuditQuery};
use crate::error::{FinishError, StoreError};
use crate::record::{Accepted, ClaimRequest, Claimed, Entry, Erasure, NewNotification, Query, Release, Stats};
use crate::terms::{Id, Lease, Mac};

/// A durable store of notifications.
///
/// The contract, which the module `testing` checks:
///
/// - When [`accept`](Self::accept) returns `Ok`, the notification survives a power cut. A dedup key is stored once,
///   however many calls run at the same time.
/// - A claimed notification is not claimed again before its lease ends. Its fence then grows.
/// - A change for a fence or a holder other than those of the last claim fails with [`FinishError::LeaseLost`] and
///   changes nothing.
/// - [`complete`](Self::complete) applies the effect and the completion in one transaction, or neither.
/// - Of the notifications with one order key, at most one can be claimed at a time. When it is done or dead, the
///   pending one with the smallest number follows. A notification that is redriven or requeued as a sighting waits
///   behind the one that can be claimed, even if its number is smaller.
/// - Dropping a returned future does not cancel a commit that has begun.
///
/// Handles are cheap to clone and share the store. The same type of a store crate can implement the traits of other
/// queues, so that a handler's effect can add to them in its transaction.
pub trait Store: Clone + Send + Sync + 'static {
    /// A change in the transaction that completes a notification. Each store defines this type.
    type Effect: Send + 'static;

    /// Checks that the store belongs to this deduplication key, and remembers the key if the store is new.
    fn bind_keys(&self, check: Mac) -> impl Future<Output = Result<(), StoreError>> + Send;

    /// Stores a notification, or a sighting if its dedup key is known. A sighting is stored as
    /// [`NewNotification::sightings`] requires.
    fn accept(&self, notification: NewNotification) -> impl Future<Output = Result<Accepted, StoreError>> + Send;

    /// Claims notifications that are due, those that have been due for longest first. A notification whose stored
    /// values cannot be read becomes a dead letter, so that it does not hold up other notifications.
    fn claim(&self, request: ClaimRequest) -> impl Future<Output = Result<Vec<Claimed>, StoreError>> + Send;

    /// Extends a lease, which then ends after this time from now.
    fn extend(&self, lease: Lease, time: Duration) -> impl Future<Output = Result<(), FinishError>> + Send;

    /// Applies the effect and completes the notification in one transaction. A store can apply several effects in one
    /// transaction. If one is rolled back because of the others, it returns [`FinishError::NotApplied`].
    fn complete(
        &self,
        lease: Lease,
        effect: Option<Self::Effect>,
    ) -> impl Future<Output = Result<(), FinishError>> + Send;

    /// Ends an attempt without completing the notification.
    fn release(&self, lease: Lease, release: Release) -> impl Future<Output = Result<(), FinishError>> + Send;

    /// Waits until a notification may have become ready. The future may complete early or never: a worker also polls.
    fn changed(&self) -> impl Future<Output = ()> + Send;
}

/// The interface of a store for operators.
pub trait StoreAdmin: Store {
    /// Returns notifications in the order of their numbers, without content.
    fn list(&self, query: Query) -> impl Future<Output = Result<Vec<Entry>, StoreError>> + Send;

    /// Returns a notification with its encrypted content. `viewer` is recorded in the audit: pass it if the content is
    /// shown to a user.
    fn show(&self, id: Id, viewer: Option<String>) -> impl Future<Output = Result<Option<Entry>, StoreError>> + Send;

    /// Makes dead letters ready again, with all their attempts. Without identifiers, all dead letters. Each one waits
    /// behind the notification of its order key that can currently be claimed. Returns the number of notifications that
    /// were dead.
    fn redrive(&self, ids: Option<Vec<Id>>) -> impl Future<Output = Result<u64, StoreError>> + Send;

    /// Makes a dead letter of a notification that is neither done nor dead. Returns whether it was changed.
    fn bury(&self, id: Id, cause: String) -> impl Future<Output = Result<bool, StoreError>> + Send;

    /// Returns the counts.
    fn stats(&self) -> impl Future<Output = Result<Stats, StoreError>> + Send;

    /// Checks the integrity of the store and the settings of its engine. Returns the problems.
    fn check(&self) -> impl Future<Output = Result<Vec<String>, StoreError>> + Send;

    /// Removes content, object number and state of the selected notifications. Those not yet processed become dead
    /// letters. Returns the number of notifications.
    ///
    /// The rows stay for deduplication, with the HMACs of the dedup key and of the content, and with the sightings.
    /// Notifications without an object number cannot be erased. Backups, replicas and logs of the engine are not
    /// changed.
    fn erase(&self, erasure: Erasure) -> impl Future<Output = Result<u64, StoreError>> + Send;

    /// Removes the content of processed notifications that were received before this time. Returns the number of
    /// notifications whose content was removed.
    ///
    /// Pending notifications and dead letters keep their content. A store may keep content until the day (UTC) of its
    /// receipt has ended.
    fn drop_payloads(&self, before: SystemTime) -> impl Future<Output = Result<u64, StoreError>> + Send;

    /// Records an action of an operator, before the action. [`show`](Self::show) records its own access.
    fn record(&self, event: AuditEvent) -> impl Future<Output = Result<(), StoreError>> + Send;

    /// Returns recorded events, the latest first.
    fn audit(&self, query: AuditQuery) -> impl Future<Output = Result<Vec<AuditEntry>, StoreError>> + Send;

    /// Writes durably, to prove that the store accepts notifications. Returns the engine's settings.
    fn probe(&self) -> impl Future<Output = Result<Vec<(&'static str, String)>, StoreError>> + Send;
}
