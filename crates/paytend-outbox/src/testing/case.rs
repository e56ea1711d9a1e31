//! A store under test, and the steps that the test cases share.

#![allow(clippy::expect_used, clippy::unwrap_used, clippy::panic, reason = "a failed check panics")]

use std::sync::Arc;
use std::time::Duration;

use paytend_inbox::{FinishError, Lease, SealedPayload, StoreKeys};

use crate::error::SubmitError;
use crate::record::{Audit, ClaimOrders, ClaimedOrder, Ended, OrderEntry, OrderRelease, Submitted};
use crate::store::{OutboxAdmin, OutboxStore};
use crate::terms::State;
use crate::testing::{EffectEnd, Harness, TestOrder};

pub(super) const LEASE: Duration = Duration::from_secs(60);
pub(super) const PAY: &str = "/test/pay";

pub(super) fn audit() -> Audit {
    Audit { who: "the suite".into(), why: "as requested".into() }
}

/// A store under test and its harness.
pub(super) struct Case<'a, H: Harness> {
    pub(super) harness: &'a H,
    pub(super) store: H::Store,
    pub(super) keys: Arc<StoreKeys>,
}

impl<'a, H: Harness> Case<'a, H> {
    pub(super) async fn new(harness: &'a H) -> Self {
        let keys = Arc::new(StoreKeys::generate().unwrap());
        let store = harness.create().await;
        store.bind_outbox_keys(keys.check_value()).await.unwrap();
        Self { harness, store, keys }
    }

    pub(super) async fn submit(&self, order: &TestOrder) -> Result<Submitted, SubmitError> {
        self.store.submit_order(order.prepare(&self.keys)).await
    }

    pub(super) async fn submit_new(&self, number: &str) {
        assert_eq!(self.submit(&TestOrder::new(number)).await.unwrap(), Submitted::New, "{number}");
    }

    pub(super) async fn submit_ordered(&self, number: &str, name: &str) {
        let order = TestOrder { order_by: Some(name.into()), ..TestOrder::new(number) };
        assert_eq!(self.submit(&order).await.unwrap(), Submitted::New, "{number}");
    }

    pub(super) async fn claim_of(&self, limit: usize, operations: &[(&str, usize)]) -> Vec<ClaimedOrder> {
        let operations = operations.iter().map(|(path, limit)| ((*path).to_owned(), *limit)).collect();
        let claimed = self.store.claim_orders(ClaimOrders { limit, lease: LEASE, holder: 1, operations }).await;
        let claimed = claimed.unwrap();
        assert!(claimed.len() <= limit, "a claim returned {} orders for a limit of {limit}", claimed.len());
        claimed
    }

    pub(super) async fn claim(&self, limit: usize) -> Vec<ClaimedOrder> {
        self.claim_of(limit, &[(PAY, limit)]).await
    }

    pub(super) async fn claim_one(&self) -> ClaimedOrder {
        self.claim(1).await.pop().expect("an order is due")
    }

    pub(super) async fn claimed_numbers(&self, limit: usize) -> Vec<String> {
        self.claim(limit).await.into_iter().map(|claimed| claimed.facts.number).collect()
    }

    pub(super) async fn advance(&self, time: Duration) {
        self.harness.advance(&self.store, time).await;
    }

    pub(super) fn sealed(&self, content: &str) -> SealedPayload {
        self.keys.seal_bound(&[b"result"], content.as_bytes()).unwrap()
    }

    pub(super) async fn complete(&self, lease: Lease, line: &str, end: EffectEnd) -> Result<(), FinishError> {
        self.record(lease).await?;
        let effect = self.harness.effect(line, end);
        self.store.complete_order(lease, Ended::Responded, Some(effect)).await
    }

    /// Stores a response.
    pub(super) async fn record(&self, lease: Lease) -> Result<(), FinishError> {
        self.store.record_outcome(lease, Ended::Responded, self.sealed("the response")).await
    }

    /// Sends and completes an order.
    pub(super) async fn finish(&self, claimed: &ClaimedOrder) {
        self.store.begin_send(claimed.lease).await.unwrap();
        self.complete(claimed.lease, &claimed.facts.number, EffectEnd::Ok).await.unwrap();
    }

    pub(super) async fn stuck(&self, claimed: &ClaimedOrder) {
        let release = OrderRelease::Stuck { history: claimed.progress.history, cause: "no response".into() };
        self.store.release_order(claimed.lease, release, None).await.unwrap();
    }

    pub(super) async fn entry(&self, number: &str) -> OrderEntry {
        self.store.show_order(number.into(), None).await.unwrap().expect("the order exists")
    }

    pub(super) async fn state(&self, number: &str) -> State {
        self.entry(number).await.progress.state
    }

    pub(super) async fn recorded(&self) -> Vec<String> {
        let mut recorded = self.harness.recorded(&self.store).await;
        recorded.sort();
        recorded
    }

    pub(super) async fn is_consistent(&self) {
        assert_eq!(self.store.check_orders().await.unwrap(), Vec::<String>::new());
    }
}

pub(super) fn assert_lost(result: Result<(), FinishError>) {
    assert!(matches!(result, Err(FinishError::LeaseLost)), "expected a lost lease: {result:?}");
}
