//! A conformance suite for stores.
//!
//! Implement [`Harness`] for a store and call [`conformance`] and [`random_history`] in its tests. Both panic with a
//! message if the store breaks the contract of [`OutboxStore`].

mod audit;
mod case;
mod history;
mod operators;
mod suite;
mod unreadable;

use std::future::Future;
use std::sync::Arc;
use std::time::{Duration, SystemTime};

use paytend_inbox::StoreKeys;
pub use paytend_inbox::testing::{EffectEnd, TestClock};

use crate::memory::{MemoryOutbox, MemoryOutboxEffect};
use crate::outbox::differing;
use crate::record::{NewOrder, OrderFacts, REQUEST, Submitted};
use crate::store::{OutboxAdmin, OutboxStore};
use crate::upload::StoredUpload;

pub use history::random_history;

/// Creates and controls a store under test.
pub trait Harness {
    /// The store.
    type Store: OutboxAdmin;

    /// Creates an empty store.
    fn create(&self) -> impl Future<Output = Self::Store>;

    /// Moves the store's clock forward, or has the same effect by moving all stored times back.
    fn advance(&self, store: &Self::Store, time: Duration) -> impl Future<Output = ()>;

    /// Returns the time by the store's clock.
    fn now(&self, store: &Self::Store) -> impl Future<Output = SystemTime>;

    /// Creates an effect that records a line in the store and then succeeds, returns an error or panics; see
    /// [`EffectEnd`].
    fn effect(&self, line: &str, end: EffectEnd) -> <Self::Store as OutboxStore>::Effect;

    /// Records a line and submits an order in one transaction. The transaction then succeeds, returns an error or
    /// panics; see [`EffectEnd`]. Returns `None` if the transaction was rolled back.
    fn submit_with_line(
        &self,
        store: &Self::Store,
        order: NewOrder,
        line: &str,
        end: EffectEnd,
    ) -> impl Future<Output = Option<Submitted>>;

    /// Returns the lines that committed effects have recorded, in any order.
    fn recorded(&self, store: &Self::Store) -> impl Future<Output = Vec<String>>;

    /// The SQL literal for a zero byte, if the orders are in a table `paytend_order` and their encrypted parts in a
    /// table `paytend_order_part`. If `None`, the suite skips the checks of unreadable orders.
    const ZERO_BYTE: Option<&'static str> = None;

    /// Runs SQL statements that change the stored orders, as another program or a damaged disk does.
    fn execute(&self, _store: &Self::Store, _sql: String) -> impl Future<Output = ()> {
        async {}
    }
}

/// Checks the contract of a store.
///
/// # Panics
/// Panics if the store breaks the contract.
pub async fn conformance<H: Harness>(harness: &H) {
    suite::run(harness).await;
    operators::run(harness).await;
    unreadable::run(harness).await;
    audit::run(harness).await;
}

/// The harness for the in-memory store.
#[derive(Debug, Default)]
pub struct MemoryHarness {
    clock: Arc<TestClock>,
}

impl Harness for MemoryHarness {
    type Store = MemoryOutbox;

    async fn create(&self) -> MemoryOutbox {
        let clock = Arc::clone(&self.clock);
        MemoryOutbox::with_clock(move || clock.now())
    }

    async fn advance(&self, _: &MemoryOutbox, time: Duration) {
        self.clock.advance(time);
    }

    async fn now(&self, _: &MemoryOutbox) -> SystemTime {
        self.clock.now()
    }

    fn effect(&self, line: &str, end: EffectEnd) -> MemoryOutboxEffect {
        let line = line.to_owned();
        Box::new(move |transaction| {
            transaction.record(line);
            end.apply()
        })
    }

    async fn submit_with_line(
        &self,
        store: &MemoryOutbox,
        order: NewOrder,
        line: &str,
        end: EffectEnd,
    ) -> Option<Submitted> {
        let submitted = store.transaction(|transaction| {
            transaction.record(line);
            let submitted = transaction.submit(&order).map_err(crate::SubmitError::into_handler_error)?;
            end.apply().map(|()| submitted)
        });
        submitted.ok()
    }

    async fn recorded(&self, store: &MemoryOutbox) -> Vec<String> {
        store.recorded()
    }
}

/// An order for a store under test. It is not a valid request, so it cannot be sent.
#[derive(Clone, Debug)]
pub struct TestOrder {
    /// The order number.
    pub number: String,
    /// The path of the operation.
    pub operation: String,
    /// The content, a JSON object.
    pub content: String,
    /// Orders with equal names are sent in order.
    pub order_by: Option<String>,
    /// The time before which the order is not sent.
    pub not_before: Option<SystemTime>,
    /// The path of an upload's file, which is stored by reference.
    pub file: Option<String>,
}

impl TestOrder {
    /// Creates an order for the `/test/pay` operation, without an order key or a schedule.
    pub fn new(number: impl Into<String>) -> Self {
        Self {
            number: number.into(),
            operation: "/test/pay".to_owned(),
            content: r#"{"amount":"1.00","card":"7"}"#.to_owned(),
            order_by: None,
            not_before: None,
            file: None,
        }
    }

    /// Returns the prepared order, encrypted with these keys.
    ///
    /// # Panics
    /// Panics if the operating system cannot generate random numbers.
    #[allow(clippy::expect_used, reason = "for tests")]
    pub fn prepare(&self, keys: &Arc<StoreKeys>) -> NewOrder {
        let tag = keys.tag("outbox content", &[self.operation.as_bytes(), self.content.as_bytes()]);
        let request_id = format!("request {:016x}", getrandom::u64().expect("randomness"));
        let mut facts = OrderFacts::new(self.number.clone(), request_id, self.operation.clone(), tag);
        facts.order_key = self.order_by.as_ref().map(|name| keys.tag("outbox order", &[name.as_bytes()]));
        facts.not_before = self.not_before;
        let upload = self.file.as_ref().map(|path| StoredUpload::example(&self.content, path));
        let bytes =
            upload.as_ref().map_or_else(|| self.content.clone().into_bytes(), |upload| upload.to_bytes().to_vec());
        let request = facts.with_binding(REQUEST, |parts| keys.seal_bound(parts, &bytes)).expect("randomness");
        let content = self.content.clone();
        let compare = move |stored: &[u8]| differing(&String::from_utf8_lossy(stored), &content);
        NewOrder { facts, request, keys: Arc::clone(keys), compare: Arc::new(compare), upload: upload.map(Arc::new) }
    }
}
