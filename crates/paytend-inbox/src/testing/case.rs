//! A store under test, and the steps that the test cases share.

#![allow(clippy::expect_used, clippy::unwrap_used, clippy::panic, reason = "a failed check panics")]

use std::sync::Arc;
use std::time::Duration;

use crate::error::FinishError;
use crate::keys::StoreKeys;
use crate::kind::Kind;
use crate::record::{Accepted, ClaimRequest, Claimed, Release};
use crate::store::{Store, StoreAdmin};
use crate::terms::{Id, Lease, State};
use crate::testing::{EffectEnd, Harness, TestNotification};

pub(super) const LEASE: Duration = Duration::from_secs(60);

/// A store under test and its harness.
pub(super) struct Case<'a, H: Harness> {
    harness: &'a H,
    pub(super) store: H::Store,
    pub(super) keys: Arc<StoreKeys>,
}

impl<'a, H: Harness> Case<'a, H> {
    pub(super) async fn new(harness: &'a H) -> Self {
        let keys = Arc::new(StoreKeys::generate().unwrap());
        let store = harness.create().await;
        store.bind_keys(keys.check_value()).await.unwrap();
        Self { harness, store, keys }
    }

    pub(super) async fn accept(&self, notification: &TestNotification) -> Accepted {
        self.store.accept(notification.prepare(&self.keys)).await.unwrap()
    }

    pub(super) async fn accept_new(&self, name: &str) -> Id {
        let Accepted::New(id) = self.accept(&TestNotification::new(name)).await else { panic!("{name} is not new") };
        id
    }

    pub(super) async fn accept_ordered(&self, name: &str, order: &str) -> Id {
        let notification = TestNotification { order: Some(order.into()), ..TestNotification::new(name) };
        self.accept(&notification).await.id()
    }

    pub(super) async fn claim(&self, limit: usize) -> Vec<Claimed> {
        self.claim_limited(limit, Vec::new()).await
    }

    pub(super) async fn claim_limited(&self, limit: usize, kind_limits: Vec<(Kind, usize)>) -> Vec<Claimed> {
        let claimed = self.store.claim(ClaimRequest { limit, lease: LEASE, holder: 1, kind_limits }).await.unwrap();
        assert!(claimed.len() <= limit, "a claim returned {} notifications for a limit of {limit}", claimed.len());
        claimed
    }

    pub(super) async fn claim_one(&self) -> Claimed {
        let mut claimed = self.claim(1).await;
        claimed.pop().expect("a notification is due")
    }

    pub(super) async fn claimed_ids(&self, limit: usize) -> Vec<Id> {
        self.claim(limit).await.iter().map(|claimed| claimed.lease.id).collect()
    }

    pub(super) async fn advance(&self, time: Duration) {
        self.harness.advance(&self.store, time).await;
    }

    pub(super) async fn complete(&self, lease: Lease, line: &str, end: EffectEnd) -> Result<(), FinishError> {
        let effect = H::HAS_EFFECTS.then(|| self.harness.effect(line, end));
        self.store.complete(lease, effect).await
    }

    pub(super) async fn dead_letter(&self, lease: Lease) {
        self.store.release(lease, Release::DeadLetter { cause: "poison".into() }).await.unwrap();
    }

    pub(super) async fn state(&self, id: Id) -> State {
        self.store.show(id, None).await.unwrap().expect("the notification exists").state
    }

    pub(super) async fn recorded(&self) -> Vec<String> {
        let mut recorded = self.harness.recorded(&self.store).await;
        recorded.sort();
        recorded
    }

    /// Checks that exactly these effects were committed, if the store supports effects.
    pub(super) async fn has_recorded(&self, lines: &[&str]) {
        if H::HAS_EFFECTS {
            assert_eq!(self.recorded().await, lines);
        }
    }

    pub(super) async fn is_consistent(&self) {
        assert_eq!(self.store.check().await.unwrap(), Vec::<String>::new());
    }
}

pub(super) fn assert_lost(result: Result<(), FinishError>) {
    assert!(matches!(result, Err(FinishError::LeaseLost)), "expected a lost lease: {result:?}");
}
