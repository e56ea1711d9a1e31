//! The interface between an inbox and its store.

use std::future::Future;
use std::time::{Duration, SystemTime};

use crate::audit::{AuditEntry, AuditEvent, AuditQuery};
use crate::error::{FinishError, StoreError};
use crate::record::{
    Accepted, ClaimRequest, Claimed, Entry, Erasure, NewNotification, Query, Release, Stats, StoreClock,
};
use crate::terms::{Id, Lease, Mac};

/// A durable store of notifications.
///
/// The contract, which the `testing` module checks:
///
/// - When [`accept`](Self::accept) returns `Ok`, the notification survives a power cut. A dedup key is stored only
///   once, even if several calls run at the same time.
/// - A claimed notification is not claimed again before its lease expires. Each claim increases the fence.
/// - A change whose fence or holder differs from that of the last claim fails with [`FinishError::LeaseLost`] and
///   changes nothing.
/// - [`complete`](Self::complete) applies the effect and the completion in one transaction, or applies neither.
/// - Of the notifications with the same order key, at most one can be claimed at a time. When that notification is done
///   or dead, the pending notification with the smallest ID can be claimed next. A notification that is redriven or
///   requeued as a sighting waits for the currently claimable notification, even if its own ID is smaller.
/// - Dropping a returned future does not cancel a commit that has begun.
///
/// Handles are cheap to clone and share the store. A store type can also implement the traits of other queues, such as
/// an outbox. An effect can then add entries to those queues in the same transaction.
pub trait Store: Clone + Send + Sync + 'static {
    /// A change to apply in the same transaction that completes a notification. Each store defines its own type.
    type Effect: Send + 'static;

    /// Checks that the store was created with this deduplication key. A new store saves a value that identifies the
    /// key.
    fn bind_keys(&self, check: Mac) -> impl Future<Output = Result<(), StoreError>> + Send;

    /// Stores a notification. If its dedup key is already stored, records a sighting instead.
    /// [`NewNotification::sightings`] determines how a sighting is stored.
    fn accept(&self, notification: NewNotification) -> impl Future<Output = Result<Accepted, StoreError>> + Send;

    /// Claims due notifications, starting with the notification that has been due for the longest time. A notification
    /// whose stored values cannot be read becomes a dead letter, so that it does not hold up other notifications.
    fn claim(&self, request: ClaimRequest) -> impl Future<Output = Result<Vec<Claimed>, StoreError>> + Send;

    /// Extends a lease. The lease then expires `time` from now.
    fn extend(&self, lease: Lease, time: Duration) -> impl Future<Output = Result<(), FinishError>> + Send;

    /// Applies the effect and completes the notification in one transaction. A store can apply several effects in one
    /// transaction. If an effect is rolled back because another effect in the transaction failed, this method returns
    /// [`FinishError::NotApplied`].
    fn complete(
        &self,
        lease: Lease,
        effect: Option<Self::Effect>,
    ) -> impl Future<Output = Result<(), FinishError>> + Send;

    /// Ends an attempt without completing the notification. A store can run this operation in the same transaction
    /// as other operations. If the transaction is rolled back because one of them failed, this method returns
    /// [`FinishError::NotApplied`].
    fn release(&self, lease: Lease, release: Release) -> impl Future<Output = Result<(), FinishError>> + Send;

    /// Waits until a notification may have become ready. Workers also poll, so the future is allowed to complete early
    /// or never.
    fn changed(&self) -> impl Future<Output = ()> + Send;
}

/// The interface through which operators manage a store.
pub trait StoreAdmin: Store {
    /// Returns notifications without their content, ordered by ID.
    fn list(&self, query: Query) -> impl Future<Output = Result<Vec<Entry>, StoreError>> + Send;

    /// Returns a notification with its encrypted content. `viewer` is recorded in the audit log. Pass it if the content
    /// is shown to a user.
    fn show(&self, id: Id, viewer: Option<String>) -> impl Future<Output = Result<Option<Entry>, StoreError>> + Send;

    /// Requeues dead letters and resets their attempt counts. `None` selects all dead letters. A redriven
    /// notification waits for the currently claimable notification with the same order key. Returns the number of
    /// redriven notifications.
    ///
    /// If some cannot be redriven, for example because a newer program has written them, redrives the others and
    /// returns an error that names some of them.
    fn redrive(&self, ids: Option<Vec<Id>>) -> impl Future<Output = Result<u64, StoreError>> + Send;

    /// Turns a notification that is neither done nor dead into a dead letter. Returns whether the notification was
    /// changed.
    fn bury(&self, id: Id, cause: String) -> impl Future<Output = Result<bool, StoreError>> + Send;

    /// Returns the number of notifications in each state, the number of sightings, and how long the oldest due
    /// notification has been due.
    fn stats(&self) -> impl Future<Output = Result<Stats, StoreError>> + Send;

    /// Checks the integrity of the store and its engine's settings. Returns a description of each problem.
    fn check(&self) -> impl Future<Output = Result<Vec<String>, StoreError>> + Send;

    /// Removes the content, business ID and state of the selected notifications. Pending notifications become dead
    /// letters. Returns the number of selected notifications.
    ///
    /// The rows are kept for deduplication, with the HMACs of the dedup key and of the content, and with the sightings.
    /// Notifications without a business ID cannot be erased. Backups, replicas and logs of the engine are not changed.
    fn erase(&self, erasure: Erasure) -> impl Future<Output = Result<u64, StoreError>> + Send;

    /// Returns the time of the store's clock. All times in the store are read from this clock.
    fn clock(&self) -> impl Future<Output = Result<StoreClock, StoreError>> + Send;

    /// Removes the content of processed notifications that were received before this time. Returns the number of
    /// notifications whose content was removed.
    ///
    /// Subtract the age from the time that [`clock`](Self::clock) returns. The system clock of this machine can be
    /// wrong, and removed content cannot be restored.
    ///
    /// Pending notifications and dead letters keep their content. A store may keep content until the day (UTC) of its
    /// receipt has ended.
    fn drop_payloads(&self, before: SystemTime) -> impl Future<Output = Result<u64, StoreError>> + Send;

    /// Records an operator action. Call this method before the action. Do not call it for [`show`](Self::show), which
    /// records the action itself.
    fn record(&self, event: AuditEvent) -> impl Future<Output = Result<(), StoreError>> + Send;

    /// Returns recorded events, latest first.
    fn audit(&self, query: AuditQuery) -> impl Future<Output = Result<Vec<AuditEntry>, StoreError>> + Send;

    /// Performs a durable write, to check that the store can accept notifications. Returns the engine's settings as
    /// names and values, or an error if the store refuses them.
    fn probe(&self) -> impl Future<Output = Result<Vec<(&'static str, String)>, StoreError>> + Send;
}
