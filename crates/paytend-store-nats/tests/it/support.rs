//! The harness of the conformance suite, and helpers of the tests.

use std::sync::Arc;
use std::time::Duration;

use paytend_inbox::testing::{EffectEnd, Harness, TestClock, TestNotification};
use paytend_inbox::{Accepted, ClaimRequest, Claimed, Store as _, StoreError, StoreKeys};
use paytend_store_nats::{NatsEffect, NatsOptions, NatsStore};

use crate::cluster::Cluster;

pub(crate) struct NatsHarness<'a> {
    cluster: &'a Cluster,
    clock: Arc<TestClock>,
}

impl<'a> NatsHarness<'a> {
    pub(crate) fn new(cluster: &'a Cluster) -> Self {
        Self { cluster, clock: Arc::default() }
    }
}

impl Harness for NatsHarness<'_> {
    type Store = NatsStore;

    // JetStream has no transactions that could contain a handler's effect.
    const HAS_EFFECTS: bool = false;

    async fn create(&self) -> NatsStore {
        let clock = Arc::clone(&self.clock);
        options(self.cluster, &self.cluster.store_name()).clock(move || clock.now()).open().await.unwrap()
    }

    async fn advance(&self, _: &NatsStore, time: Duration) {
        self.clock.advance(time);
    }

    fn effect(&self, _: &str, _: EffectEnd) -> NatsEffect {
        panic!("the store has no effects")
    }

    async fn recorded(&self, _: &NatsStore) -> Vec<String> {
        Vec::new()
    }
}

/// Returns options with long timeouts, for a machine that runs many tests.
pub(crate) fn options(cluster: &Cluster, name: &str) -> NatsOptions {
    let options = NatsOptions::from_url(&cluster.url()).unwrap().system_url(&cluster.system_url()).unwrap();
    options.name(name).unwrap().operation_timeout(Duration::from_secs(60))
}

pub(crate) async fn claim(store: &NatsStore, limit: usize, lease: Duration) -> Vec<Claimed> {
    let request = ClaimRequest { limit, lease, holder: 1, kind_limits: Vec::new() };
    store.claim(request).await.unwrap_or_default()
}

/// Accepts a notification whose name is also its business ID. Some notifications have an order key.
pub(crate) async fn accept(store: &NatsStore, keys: &Arc<StoreKeys>, name: &str) -> Result<Accepted, StoreError> {
    let order = name.len().is_multiple_of(2).then(|| name[..name.len() - 1].to_owned());
    let notification = TestNotification { business_id: Some(name.to_owned()), order, ..TestNotification::new(name) };
    store.accept(notification.prepare(keys)).await
}
