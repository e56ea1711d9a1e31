//! The harness for the conformance suite, and helper functions for the tests.

use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant, SystemTime};

use async_nats::HeaderMap;
use async_nats::jetstream::Context;
use async_nats::jetstream::message::StreamMessage;
use async_nats::jetstream::stream::Stream;
use bytes::Bytes;
use paytend_inbox::testing::{EffectEnd, Harness, TestClock, TestNotification};
use paytend_inbox::{Accepted, ClaimRequest, Claimed, Store as _, StoreError, StoreKeys};
use paytend_store_nats::{NatsEffect, NatsOptions, NatsStore};

use crate::cluster::Cluster;
use crate::lossy_proxy::LossyProxy;

pub(crate) struct NatsHarness<'a> {
    cluster: &'a Cluster,
    clock: Arc<TestClock>,
    /// The name of the store that was created last.
    name: Mutex<String>,
}

impl<'a> NatsHarness<'a> {
    pub(crate) fn new(cluster: &'a Cluster) -> Self {
        Self { cluster, clock: Arc::default(), name: Mutex::default() }
    }

    async fn open(&self, name: &str) -> NatsStore {
        let clock = Arc::clone(&self.clock);
        options(self.cluster, name).clock(move || clock.now()).open().await.unwrap()
    }
}

impl Harness for NatsHarness<'_> {
    type Store = NatsStore;

    // JetStream has no transactions that could contain a handler's effect.
    const HAS_EFFECTS: bool = false;

    async fn create(&self) -> NatsStore {
        let name = self.cluster.store_name();
        self.name.lock().unwrap().clone_from(&name);
        self.open(&name).await
    }

    // A program that starts builds its index from the streams.
    async fn reopen(&self, store: NatsStore) -> NatsStore {
        drop(store);
        let name = self.name.lock().unwrap().clone();
        self.open(&name).await
    }

    async fn advance(&self, _: &NatsStore, time: Duration) {
        self.clock.advance(time);
    }

    fn effect(&self, _: &str, _: EffectEnd) -> NatsEffect {
        panic!("the store does not support effects")
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

/// Returns a time that is later than all times of receipt.
pub(crate) fn far_future() -> SystemTime {
    SystemTime::now() + Duration::from_secs(86_400)
}

pub(crate) async fn claim(store: &NatsStore, limit: usize, lease: Duration) -> Vec<Claimed> {
    try_claim(store, limit, lease).await.unwrap()
}

/// Claims notifications. Returns an error if the servers do not respond.
pub(crate) async fn try_claim(store: &NatsStore, limit: usize, lease: Duration) -> Result<Vec<Claimed>, StoreError> {
    store.claim(ClaimRequest { limit, lease, holder: 1, kind_limits: Vec::new() }).await
}

/// Accepts a notification whose name is also its business ID. Some notifications have an order key.
pub(crate) async fn accept(store: &NatsStore, keys: &Arc<StoreKeys>, name: &str) -> Result<Accepted, StoreError> {
    let order = name.len().is_multiple_of(2).then(|| name[..name.len() - 1].to_owned());
    let notification = TestNotification { business_id: Some(name.to_owned()), order, ..TestNotification::new(name) };
    store.accept(notification.prepare(keys)).await
}

/// Claims repeatedly until a notification is claimed.
pub(crate) async fn claim_until_found(store: &NatsStore) -> Vec<Claimed> {
    let deadline = Instant::now() + Duration::from_secs(60);
    loop {
        let claimed = claim(store, 10, Duration::from_secs(120)).await;
        if !claimed.is_empty() {
            return claimed;
        }
        assert!(Instant::now() < deadline, "no notification could be claimed in time");
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
}

/// Opens a store behind a proxy.
pub(crate) async fn through(proxy: &LossyProxy, cluster: &Cluster, name: &str) -> NatsStore {
    let options = NatsOptions::from_url(&format!("nats://inbox:secret@127.0.0.1:{}", proxy.port)).unwrap();
    let options = options.system_url(&cluster.system_url()).unwrap().name(name).unwrap();
    options.operation_timeout(Duration::from_secs(60)).open().await.unwrap()
}

/// Returns a notification whose duplicates cause the handler to run again.
pub(crate) fn requeued(name: &str) -> TestNotification {
    TestNotification { requeue_sighting: true, ..TestNotification::new(name) }
}

/// Direct access to the messages of a store.
pub(crate) struct Raw {
    pub(crate) context: Context,
    name: String,
}

impl Raw {
    pub(crate) async fn new(cluster: &Cluster, name: &str) -> Self {
        Self { context: cluster.context().await, name: name.to_owned() }
    }

    /// Returns the `inbox` or `work` stream.
    pub(crate) async fn stream(&self, log: &str) -> Stream {
        self.context.get_stream(format!("{}-{log}", self.name)).await.unwrap()
    }

    /// Publishes a message, and returns its sequence number.
    pub(crate) async fn publish(&self, subject: &str, headers: HeaderMap, payload: impl Into<Bytes>) -> u64 {
        let subject = format!("{}.{subject}", self.name);
        let sent = self.context.publish_with_headers(subject, headers, payload.into()).await.unwrap();
        sent.await.unwrap().sequence
    }

    /// Returns all messages of a stream.
    pub(crate) async fn all(&self, log: &str) -> Vec<StreamMessage> {
        let stream = self.stream(log).await;
        let mut messages = Vec::new();
        for sequence in 1..=stream.cached_info().state.last_sequence {
            messages.extend(stream.get_raw_message(sequence).await.ok());
        }
        messages
    }

    /// Resets a stream to these messages, as restoring a backup does. They must have been the stream's first messages.
    pub(crate) async fn restore(&self, log: &str, messages: &[StreamMessage]) {
        let config = self.stream(log).await.cached_info().config.clone();
        self.context.delete_stream(&config.name).await.unwrap();
        self.context.create_stream(config).await.unwrap();
        for message in messages {
            let mut headers = HeaderMap::new();
            for (name, values) in message.headers.iter() {
                let name: &str = name.as_ref();
                // Headers that begin with `Nats-` contain the conditions of the original write, so they are not copied.
                if !name.starts_with("Nats-") {
                    values.iter().for_each(|value| headers.append(name, value.as_str()));
                }
            }
            let sent = self.context.publish_with_headers(message.subject.clone(), headers, message.payload.clone());
            assert_eq!(sent.await.unwrap().await.unwrap().sequence, message.sequence);
        }
    }
}
