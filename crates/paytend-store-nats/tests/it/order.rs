//! Tests of the order in which notifications with the same order key are processed.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::{Duration, Instant};

use futures_util::StreamExt as _;
use futures_util::future::join;
use paytend_inbox::testing::TestNotification;
use paytend_inbox::{Id, Store as _, StoreAdmin as _, StoreKeys};
use paytend_store_nats::NatsStore;
use paytend_store_nats::async_nats::jetstream::stream::Stream;
use paytend_vectors::Seeded;

use crate::cluster::Cluster;
use crate::lossy_proxy::LossyProxy;
use crate::races::silence;
use crate::support::{Raw, claim, claim_until_found, far_future, options, through};

const LEASE: Duration = Duration::from_secs(120);
const STEPS: usize = 120;
const TIMEOUT: Duration = Duration::from_secs(60);

fn ordered(name: &str, key: &str) -> TestNotification {
    let business_id = Some(key.to_owned());
    TestNotification { order: Some(key.to_owned()), business_id, ..TestNotification::new(name) }
}

/// Receivers have recorded a duplicate of the second notification before a worker starts. The worker reads the record
/// before the messages.
#[tokio::test(flavor = "multi_thread")]
async fn record_of_a_later_notification_does_not_change_the_order() {
    let Some(cluster) = Cluster::shared().await else { return };
    let name = cluster.store_name();
    let keys = Arc::new(StoreKeys::generate().unwrap());
    let receiver = options(&cluster, &name).open().await.unwrap();
    let first = receiver.accept(ordered("1", "key").prepare(&keys)).await.unwrap().id();
    receiver.accept(ordered("2", "key").prepare(&keys)).await.unwrap();
    receiver.accept(ordered("2", "key").prepare(&keys)).await.unwrap();
    let proxy = LossyProxy::start(cluster.port(0)).await;
    let worker = through(&proxy, &cluster, &name).await;
    proxy.hold(&format!("CONSUMER.CREATE.{name}-inbox"));
    let work = Raw::new(&cluster, &name).await.stream("work").await;
    let releasing = async {
        proxy.held().await;
        wait_until_delivered(&work).await;
        proxy.release();
    };
    let (claimed, ()) = join(claim(&worker, 9, LEASE), releasing).await;
    assert_eq!(claimed.iter().map(|claimed| claimed.lease.id).collect::<Vec<_>>(), [first]);
    worker.complete(claimed[0].lease, None).await.unwrap();
    assert_eq!(claim(&worker, 9, LEASE).await.len(), 1);
}

/// A running worker receives the record of the second notification, but none of the messages.
#[tokio::test(flavor = "multi_thread")]
async fn notification_is_not_claimed_before_all_earlier_messages_were_read() {
    let Some(cluster) = Cluster::shared().await else { return };
    let name = cluster.store_name();
    let keys = Arc::new(StoreKeys::generate().unwrap());
    let proxy = LossyProxy::start(cluster.port(0)).await;
    let receiver = options(&cluster, &name).open().await.unwrap();
    let worker = through(&proxy, &cluster, &name).await;
    worker.stats().await.unwrap();
    silence(&proxy, &Raw::new(&cluster, &name).await, "inbox").await;
    let first = receiver.accept(ordered("1", "key").prepare(&keys)).await.unwrap().id();
    receiver.accept(ordered("2", "key").prepare(&keys)).await.unwrap();
    receiver.accept(ordered("2", "key").prepare(&keys)).await.unwrap();
    let claimed = claim_until_found(&worker).await;
    assert_eq!(claimed.iter().map(|claimed| claimed.lease.id).collect::<Vec<_>>(), [first]);
}

/// Waits until a consumer has received all messages of a stream.
async fn wait_until_delivered(stream: &Stream) {
    let deadline = Instant::now() + TIMEOUT;
    loop {
        let consumers: Vec<_> = stream.consumers().collect().await;
        let mut delivered = consumers.into_iter().filter_map(Result::ok).map(|info| info.delivered.stream_sequence);
        if delivered.any(|sequence| sequence >= stream.cached_info().state.last_sequence) {
            return;
        }
        assert!(Instant::now() < deadline, "the stream is not read");
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
}

/// Programs start at different times, and duplicates arrive. Each notification is processed after all earlier
/// notifications with the same key.
#[tokio::test(flavor = "multi_thread")]
async fn each_key_stays_in_order_when_programs_start_at_different_times() {
    let Some(cluster) = Cluster::shared().await else { return };
    let name = cluster.store_name();
    let (keys, random) = (Arc::new(StoreKeys::generate().unwrap()), Seeded::new());
    let receiver = options(&cluster, &name).open().await.unwrap();
    let mut workers = vec![options(&cluster, &name).open().await.unwrap()];
    let (mut accepted, mut last) = (0, BTreeMap::<String, Id>::new());
    for _ in 0..STEPS {
        match random.below(10) {
            0..6 => {
                // Some deliveries are duplicates of earlier notifications.
                let number = if random.below(2) == 0 { random.below(accepted + 1) } else { accepted };
                let notification = ordered(&number.to_string(), &format!("key {}", number % 3));
                receiver.accept(notification.prepare(&keys)).await.unwrap();
                accepted = accepted.max(number + 1);
            }
            6 => {
                workers.push(options(&cluster, &name).open().await.unwrap());
                if workers.len() > 3 {
                    workers.remove(random.below(3));
                }
            }
            _ => process(&workers[random.below(workers.len())], random.below(4), &mut last).await,
        }
    }
    let worker = options(&cluster, &name).open().await.unwrap();
    while worker.stats().await.unwrap().ready > 0 {
        process(&worker, 4, &mut last).await;
    }
    assert_eq!(worker.stats().await.unwrap().done, accepted as u64);
    assert_eq!(worker.check().await.unwrap(), Vec::<String>::new());
}

async fn process(store: &NatsStore, limit: usize, last: &mut BTreeMap<String, Id>) {
    for claimed in claim(store, limit, LEASE).await {
        let id = claimed.lease.id;
        let before = last.insert(claimed.facts.business_id.clone().unwrap(), id);
        assert!(before.is_none_or(|before| before < id), "{id} was processed after {before:?}");
        store.complete(claimed.lease, None).await.unwrap();
    }
}

async fn registers(raw: &Raw) -> Vec<u64> {
    let work = raw.all("work").await;
    let registers = work.iter().filter(|message| message.subject.contains(".order."));
    registers.map(|message| message.sequence).collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn registers_of_keys_without_pending_notifications_are_forgotten() {
    let Some(cluster) = Cluster::shared().await else { return };
    let name = cluster.store_name();
    let keys = Arc::new(StoreKeys::generate().unwrap());
    let store = options(&cluster, &name).open().await.unwrap();
    let raw = Raw::new(&cluster, &name).await;
    for (name, key) in [("a1", "a"), ("b1", "b"), ("b2", "b"), ("c1", "c")] {
        store.accept(ordered(name, key).prepare(&keys)).await.unwrap();
    }
    let claimed = claim(&store, 10, LEASE).await;
    assert_eq!(claimed.len(), 3);
    for claimed in &claimed[..2] {
        store.complete(claimed.lease, None).await.unwrap();
    }
    assert_eq!(registers(&raw).await.len(), 3);
    // A notification with key "b" is pending, and a notification with key "c" is being processed.
    let operator = options(&cluster, &name).open().await.unwrap();
    assert_eq!(operator.forget(far_future()).await.unwrap(), 2);
    assert_eq!(registers(&raw).await.len(), 2);
    store.complete(claimed[2].lease, None).await.unwrap();
    let claimed = claim_until_found(&store).await;
    assert_eq!(claimed[0].facts.business_id.as_deref(), Some("b"));
    store.complete(claimed[0].lease, None).await.unwrap();
    assert_eq!(operator.forget(far_future()).await.unwrap(), 2);
    assert_eq!(registers(&raw).await, Vec::<u64>::new());
    // Key "a" is used again, by a worker whose index may still contain the deleted register.
    store.accept(ordered("a2", "a").prepare(&keys)).await.unwrap();
    assert_eq!(claim_until_found(&store).await.len(), 1);
    assert_eq!(store.check().await.unwrap(), Vec::<String>::new());
}

#[tokio::test(flavor = "multi_thread")]
async fn deleted_register_does_not_hold_up_its_key() {
    let Some(cluster) = Cluster::shared().await else { return };
    let name = cluster.store_name();
    let keys = Arc::new(StoreKeys::generate().unwrap());
    let store = options(&cluster, &name).open().await.unwrap();
    let raw = Raw::new(&cluster, &name).await;
    let first = store.accept(ordered("1", "key").prepare(&keys)).await.unwrap().id();
    let second = store.accept(ordered("2", "key").prepare(&keys)).await.unwrap().id();
    let claimed = claim(&store, 10, LEASE).await;
    assert_eq!(claimed.iter().map(|claimed| claimed.lease.id).collect::<Vec<_>>(), [first]);
    // Counting waits until the index has read the register.
    store.stats().await.unwrap();
    let [register] = *registers(&raw).await else { panic!("a key has one register") };
    raw.stream("work").await.delete_message(register).await.unwrap();
    store.complete(claimed[0].lease, None).await.unwrap();
    let claimed = claim(&store, 10, LEASE).await;
    assert_eq!(claimed.iter().map(|claimed| claimed.lease.id).collect::<Vec<_>>(), [second]);
    assert_eq!(registers(&raw).await.len(), 1);
}
