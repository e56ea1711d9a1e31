//! The interface between an outbox and its store.

use std::future::Future;
use std::time::{Duration, SystemTime};

use paytend_client::History;
use paytend_inbox::{FinishError, Lease, Mac, SealedPayload, StoreError};

use crate::audit_log::{OrderAuditQuery, RecordedAction};
use crate::error::{ActionError, BeginSendError, SubmitError};
use crate::notice::OrderNotice;
use crate::record::{
    Action, Audit, ClaimOrders, ClaimedOrder, Ended, NewOrder, OrderEntry, OrderPage, OrderQuery, OrderRelease,
    OrderStats, Pause, Recovered, Submitted,
};

/// A durable store of orders.
///
/// The contract, which the `testing` module checks:
///
/// - When [`submit_order`](Self::submit_order) returns `Ok`, the order survives a power cut. An order number is stored
///   only once, even if several calls run at the same time. Submitting the same order again changes nothing, unless
///   [`NewOrder::moved_file`] returns a new request.
/// - A claimed order is not claimed again before its lease expires. Each claim increases the fence.
/// - A change whose fence or holder differs from that of the last claim fails and changes nothing.
/// - When [`begin_send`](Self::begin_send) returns `Ok`, the send is counted durably. It fails if sending is paused.
/// - When [`record_outcome`](Self::record_outcome) returns `Ok`, the outcome and the result survive a crash.
/// - [`complete_order`](Self::complete_order) applies the effect and the completion in one transaction, or applies
///   neither.
/// - Of the orders with the same order key, only the first order that is not completed can be claimed. A stuck order
///   holds up the later orders.
/// - An order's progress is changed only by methods of [`Progress`](crate::Progress).
/// - An order whose row cannot be read is neither claimed nor changed. It is listed, and counted in
///   [`OrderStats`](crate::OrderStats). If only its encrypted content cannot be read, it is not claimed either.
/// - During a recovery, a claim calls [`Progress::recover_unsent`](crate::Progress::recover_unsent) first.
/// - Dropping a returned future does not cancel a commit that has begun.
///
/// Handles are cheap to clone and share the store. This trait and `paytend_inbox::Store` have no method names in
/// common, so that a type can implement both. Store crates also have functions that submit orders and record notices
/// in the caller's transaction.
pub trait OutboxStore: Clone + Send + Sync + 'static {
    /// A change to apply in the same transaction that completes an order. Each store defines its own type.
    type Effect: Send + 'static;

    /// Checks that the store was created with this deduplication key. A new store saves a value that identifies the
    /// key.
    fn bind_outbox_keys(&self, check: Mac) -> impl Future<Output = Result<(), StoreError>> + Send;

    /// Stores an order in a separate transaction.
    fn submit_order(&self, order: NewOrder) -> impl Future<Output = Result<Submitted, SubmitError>> + Send;

    /// Claims due orders, starting with the order that has been due for the longest time. Orders that were not sent are
    /// not claimed while sending is paused for their operation.
    fn claim_orders(&self, request: ClaimOrders) -> impl Future<Output = Result<Vec<ClaimedOrder>, StoreError>> + Send;

    /// Extends a lease. The lease then expires `time` from now.
    fn extend_order(&self, lease: Lease, time: Duration) -> impl Future<Output = Result<(), FinishError>> + Send;

    /// Counts a send durably, and returns the history including this send. The send must not begin before this method
    /// has returned `Ok`.
    fn begin_send(&self, lease: Lease) -> impl Future<Output = Result<History, BeginSendError>> + Send;

    /// Stores the outcome and the result of an order before its handler runs. The lease is kept.
    fn record_outcome(
        &self,
        lease: Lease,
        ended: Ended,
        result: SealedPayload,
    ) -> impl Future<Output = Result<(), FinishError>> + Send;

    /// Applies the effect and completes the order in one transaction. The outcome must have been recorded, or an
    /// operator must have decided it. If the transaction is rolled back because another change in it failed, the store
    /// returns [`FinishError::NotApplied`].
    fn complete_order(
        &self,
        lease: Lease,
        ended: Ended,
        effect: Option<Self::Effect>,
    ) -> impl Future<Output = Result<(), FinishError>> + Send;

    /// Ends an attempt without completing the order, and stores the result, if any.
    fn release_order(
        &self,
        lease: Lease,
        release: OrderRelease,
        result: Option<SealedPayload>,
    ) -> impl Future<Output = Result<(), FinishError>> + Send;

    /// Records a notification about an order, in a separate transaction. Returns `true` if the order exists and either
    /// this is its first notification or the notification makes the order due. If the order belongs to a different
    /// operation, it is left unchanged, and `false` is returned.
    fn notice_order(&self, notice: OrderNotice) -> impl Future<Output = Result<bool, StoreError>> + Send;

    /// Waits until an order may have become due. The future is allowed to complete early or never, because dispatchers
    /// also poll.
    fn orders_changed(&self) -> impl Future<Output = ()> + Send;
}

/// The interface through which operators manage stored orders. The store records each operator action in its audit log,
/// in the transaction of the action. A refused action is not recorded.
pub trait OutboxAdmin: OutboxStore {
    /// Returns a page of orders without their content, sorted by ID.
    fn list_orders(&self, query: OrderQuery) -> impl Future<Output = Result<OrderPage, StoreError>> + Send;

    /// Returns an order with its encrypted content. `viewer` is recorded in the audit log. Pass it if the content is
    /// shown to a user.
    fn show_order(
        &self,
        number: String,
        viewer: Option<String>,
    ) -> impl Future<Output = Result<Option<OrderEntry>, StoreError>> + Send;

    /// Applies an operator action and records it in the audit log.
    fn act_on_order(
        &self,
        number: String,
        action: Action,
        audit: Audit,
    ) -> impl Future<Output = Result<Result<(), ActionError>, StoreError>> + Send;

    /// Stops all dispatchers from sending orders of an operation (a path, or [`Pause::ALL`]), until
    /// [`resume_sending`](Self::resume_sending) is called. Sends in progress finish, and queries continue. The pause is
    /// durable.
    fn pause_sending(&self, operation: String, audit: Audit) -> impl Future<Output = Result<(), StoreError>> + Send;

    /// Ends a pause of an operation. Returns whether the operation was paused.
    fn resume_sending(&self, operation: String, audit: Audit) -> impl Future<Output = Result<bool, StoreError>> + Send;

    /// Returns the operations for which sending is paused.
    fn paused(&self) -> impl Future<Output = Result<Vec<Pause>, StoreError>> + Send;

    /// Returns the number of orders in each state and the other counts in [`OrderStats`](crate::OrderStats).
    fn order_stats(&self) -> impl Future<Output = Result<OrderStats, StoreError>> + Send;

    /// Begins the recovery of a store that was restored from a backup. Every order that is not final is queried before
    /// anything is sent, because it may have been sent after the backup. Orders that are submitted before
    /// [`end_recovery`](Self::end_recovery) are also queried first, because they may already have been submitted and
    /// sent after the backup. Stop all dispatchers first.
    ///
    /// Orders that cannot be read are left unchanged and are returned. Recover them with a version that can read them.
    /// If such an order has no recorded send and can be read later, a claim or the end of the recovery recovers it.
    fn recover_orders(&self, audit: Audit) -> impl Future<Output = Result<Recovered, StoreError>> + Send;

    /// Ends a recovery. Orders that are submitted afterwards are sent without a query. Open orders without a recorded
    /// send that can be read only now are recovered first. Returns whether a recovery was in progress.
    fn end_recovery(&self, audit: Audit) -> impl Future<Output = Result<bool, StoreError>> + Send;

    /// Removes the request and the result of completed orders that were submitted before this time. The rows are kept,
    /// so that the order numbers cannot be reused. Returns the number of orders whose content was removed.
    ///
    /// The action is recorded for each of these orders, in the transaction that removes the content. Each transaction
    /// also records its number of orders, even if there is none.
    fn drop_order_content(
        &self,
        before: SystemTime,
        audit: Audit,
    ) -> impl Future<Output = Result<u64, StoreError>> + Send;

    /// Returns recorded operator actions, latest first.
    fn order_audit(
        &self,
        query: OrderAuditQuery,
    ) -> impl Future<Output = Result<Vec<RecordedAction>, StoreError>> + Send;

    /// Checks the integrity of the orders. Returns a description of each problem.
    fn check_orders(&self) -> impl Future<Output = Result<Vec<String>, StoreError>> + Send;
}
