//! Tests of interrupted removals, and of removals that run while notifications arrive.

use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::{Duration, Instant};

use async_nats::HeaderMap;
use futures_util::StreamExt as _;
use futures_util::future::{join, join_all};
use paytend_inbox::testing::TestNotification;
use paytend_inbox::{Accepted, State, Store as _, StoreAdmin as _, StoreKeys, StoredPayload};
use paytend_store_nats::NatsStore;
use paytend_vectors::Seeded;

use crate::cluster::Cluster;
use crate::lossy_proxy::LossyProxy;
use crate::support::{Raw, accept, claim, claim_until_found, far_future, options, requeued, through};

const LEASE: Duration = Duration::from_secs(120);
const ROUNDS: usize = 20;
const ARRIVALS: usize = 12;

async fn process(store: &NatsStore) {
    for claimed in claim_until_found(store).await {
        store.complete(claimed.lease, None).await.unwrap();
    }
}

/// Yields until the time has passed. Tokio's timers, with their resolution of a millisecond, are too coarse here.
async fn pass(time: Duration) {
    let start = Instant::now();
    while start.elapsed() < time {
        tokio::task::yield_now().await;
    }
}

/// Makes a proxy hide messages from the index of its store. Messages that are already stored are not hidden.
pub(crate) async fn silence(proxy: &LossyProxy, raw: &Raw, log: &str) {
    let names: Vec<String> = raw.stream(log).await.consumer_names().map(Result::unwrap).collect().await;
    assert!(!names.is_empty());
    proxy.silence(names);
}

#[tokio::test(flavor = "multi_thread")]
async fn silent_consumers_are_replaced() {
    let Some(cluster) = Cluster::shared().await else { return };
    let name = cluster.store_name();
    let keys = Arc::new(StoreKeys::generate().unwrap());
    let proxy = LossyProxy::start(cluster.port(0)).await;
    let receiver = options(&cluster, &name).open().await.unwrap();
    let worker = through(&proxy, &cluster, &name).await;
    let raw = Raw::new(&cluster, &name).await;
    accept(&receiver, &keys, "a").await.unwrap();
    process(&worker).await;
    silence(&proxy, &raw, "inbox").await;
    accept(&receiver, &keys, "c").await.unwrap();
    process(&worker).await;
    // The index does not receive the record that makes a processed notification ready again.
    silence(&proxy, &raw, "work").await;
    receiver.accept(requeued("c").prepare(&keys)).await.unwrap();
    process(&worker).await;
    assert!(proxy.dropped() > 0);
}

/// The content was not deleted, because the program ended before the deletion.
#[tokio::test(flavor = "multi_thread")]
async fn interrupted_removal_is_completed_by_the_next_removal() {
    let Some(cluster) = Cluster::shared().await else { return };
    let name = cluster.store_name();
    let keys = Arc::new(StoreKeys::generate().unwrap());
    let store = options(&cluster, &name).open().await.unwrap();
    let id = accept(&store, &keys, "a").await.unwrap().id();
    process(&store).await;
    let raw = Raw::new(&cluster, &name).await;
    let dedup = TestNotification::new("a").prepare(&keys).facts.dedup;
    let record = raw.stream("work").await.get_last_raw_message_by_subject(&format!("{name}.work.{dedup}")).await;
    let [message] = &*raw.all("inbox").await else { panic!("one notification is stored") };
    let facts = message.headers.get("Paytend-Facts").unwrap().as_str();
    let mut record: serde_json::Value = serde_json::from_slice(&record.unwrap().payload).unwrap();
    record["removed"] = serde_json::from_str(facts).unwrap();
    raw.publish(&format!("work.{dedup}"), HeaderMap::new(), record.to_string()).await;
    assert_eq!(store.show(id, None).await.unwrap().unwrap().payload, Some(StoredPayload::Dropped));
    assert!(
        store.check().await.unwrap()[0].starts_with("1 notifications still have content that should have been removed")
    );
    assert_eq!(store.drop_payloads(far_future()).await.unwrap(), 0);
    assert!(raw.all("inbox").await.is_empty());
    assert_eq!(store.check().await.unwrap(), Vec::<String>::new());
}

/// Erases an object while notifications about it arrive. All acknowledged notifications must still be known, and all
/// content that was stored before the erasure must be removed.
#[tokio::test(flavor = "multi_thread")]
async fn erasure_loses_no_notification_that_arrives_at_the_same_time() {
    let Some(cluster) = Cluster::shared().await else { return };
    let name = cluster.store_name();
    let (keys, random) = (Arc::new(StoreKeys::generate().unwrap()), Seeded::new());
    let proxy = LossyProxy::start(cluster.port(0)).await;
    let receiver = options(&cluster, &name).open().await.unwrap();
    let operator = through(&proxy, &cluster, &name).await;
    let raw = Raw::new(&cluster, &name).await;
    let about = |name: &str| TestNotification { business_id: Some("object".into()), ..TestNotification::new(name) };
    let mut accepted = BTreeSet::new();
    // There are fewer rounds here, because each round waits for a new consumer.
    for round in 0..ROUNDS / 3 {
        accepted.insert(receiver.accept(about(&format!("before {round}")).prepare(&keys)).await.unwrap().id());
        operator.stats().await.unwrap();
        // The operator's index does not receive notifications that arrive from now on.
        silence(&proxy, &raw, "inbox").await;
        let arrivals = (0..ARRIVALS).map(|number| {
            let delay = Duration::from_micros(random.below(8_000) as u64);
            let (receiver, keys) = (&receiver, &keys);
            async move {
                pass(delay).await;
                if number == 0 {
                    let known = receiver.accept(about(&format!("before {round}")).prepare(keys)).await.unwrap();
                    assert!(matches!(known, Accepted::Duplicate { .. }), "{known:?}");
                }
                receiver.accept(about(&format!("during {round} {number}")).prepare(keys)).await.unwrap().id()
            }
        });
        let (new, erased) = join(join_all(arrivals), operator.erase("object".into())).await;
        accepted.extend(new);
        assert!(erased.unwrap() >= 1);
    }
    operator.erase("object".into()).await.unwrap();
    assert!(raw.all("inbox").await.is_empty(), "some content was not erased");
    let fresh = options(&cluster, &name).open().await.unwrap();
    assert_eq!(fresh.check().await.unwrap(), Vec::<String>::new());
    for id in accepted {
        let entry = fresh.show(id, None).await.unwrap().unwrap_or_else(|| panic!("{id} is lost"));
        assert_eq!((entry.state, entry.payload), (State::Dead, Some(StoredPayload::Dropped)));
    }
}

/// A different program moves the facts to the record after the erasure has read the records, and deletes the message
/// before the erasure reads the messages.
#[tokio::test(flavor = "multi_thread")]
async fn erasure_finds_facts_that_another_program_moves_at_the_same_time() {
    let Some(cluster) = Cluster::shared().await else { return };
    let name = cluster.store_name();
    let keys = Arc::new(StoreKeys::generate().unwrap());
    let proxy = LossyProxy::start(cluster.port(0)).await;
    let other = options(&cluster, &name).open().await.unwrap();
    let operator = through(&proxy, &cluster, &name).await;
    let raw = Raw::new(&cluster, &name).await;
    let notification = TestNotification { business_id: Some("object".into()), ..TestNotification::new("a") };
    let id = other.accept(notification.prepare(&keys)).await.unwrap().id();
    process(&other).await;
    operator.stats().await.unwrap();
    silence(&proxy, &raw, "work").await;
    // The operator reads the messages with a new consumer.
    proxy.hold(&format!("CONSUMER.CREATE.{name}-inbox"));
    let removing = async {
        proxy.held().await;
        assert_eq!(other.drop_payloads(far_future()).await.unwrap(), 1);
        proxy.release();
    };
    let (erased, ()) = join(operator.erase("object".into()), removing).await;
    assert_eq!(erased.unwrap(), 1);
    let entry = other.show(id, None).await.unwrap().unwrap();
    assert_eq!(entry.facts.business_id, None);
    for message in raw.all("work").await {
        assert!(!String::from_utf8_lossy(&message.payload).contains("object"), "{}", message.subject);
    }
}

/// A duplicate that arrives while its notification is being forgotten is either requeued or accepted as new. In both
/// cases, it must be processed.
#[tokio::test(flavor = "multi_thread")]
async fn duplicate_that_arrives_while_its_notification_is_forgotten_is_processed() {
    let Some(cluster) = Cluster::shared().await else { return };
    let name = cluster.store_name();
    let (keys, random) = (Arc::new(StoreKeys::generate().unwrap()), Seeded::new());
    let store = options(&cluster, &name).open().await.unwrap();
    let receiver = options(&cluster, &name).open().await.unwrap();
    for round in 0..ROUNDS {
        let notification = requeued(&format!("a{round}"));
        store.accept(notification.prepare(&keys)).await.unwrap();
        process(&store).await;
        store.drop_payloads(far_future()).await.unwrap();
        let delay = Duration::from_micros(random.below(8_000) as u64);
        let duplicate = async {
            pass(delay).await;
            // A provider sends a notification again until it is acknowledged.
            while receiver.accept(notification.prepare(&keys)).await.is_err() {}
        };
        let ((), forgotten) = join(duplicate, store.forget(far_future())).await;
        assert!(forgotten.unwrap() <= 1);
        process(&store).await;
        assert_eq!(store.check().await.unwrap(), Vec::<String>::new(), "round {round}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn forgotten_notifications_are_removed_from_all_indexes() {
    let Some(cluster) = Cluster::shared().await else { return };
    let name = cluster.store_name();
    let keys = Arc::new(StoreKeys::generate().unwrap());
    let store = options(&cluster, &name).open().await.unwrap();
    let other = options(&cluster, &name).open().await.unwrap();
    for number in 0..5 {
        accept(&store, &keys, &format!("number {number}")).await.unwrap();
    }
    while store.stats().await.unwrap().done < 5 {
        process(&store).await;
    }
    assert_eq!(other.stats().await.unwrap().done, 5);
    assert_eq!(store.forget(far_future()).await.unwrap(), 5);
    for store in [&store, &other, &options(&cluster, &name).open().await.unwrap()] {
        assert_eq!(store.stats().await.unwrap().done, 0);
        assert_eq!(store.check().await.unwrap(), Vec::<String>::new());
    }
    assert_eq!(other.forget(far_future()).await.unwrap(), 0);
}

/// The register of an order key contains the ID of a notification that no longer exists, and no notification has a
/// larger ID.
#[tokio::test(flavor = "multi_thread")]
async fn register_of_a_forgotten_notification_does_not_hold_up_its_key() {
    let Some(cluster) = Cluster::shared().await else { return };
    let name = cluster.store_name();
    let keys = Arc::new(StoreKeys::generate().unwrap());
    let store = options(&cluster, &name).open().await.unwrap();
    let ordered = |name: &str| TestNotification { order: Some("key".into()), ..TestNotification::new(name) };
    let first = store.accept(ordered("first").prepare(&keys)).await.unwrap().id();
    assert!(store.bury(first, "a test".into()).await.unwrap());
    store.accept(ordered("last").prepare(&keys)).await.unwrap();
    process(&store).await;
    assert_eq!(store.forget(far_future()).await.unwrap(), 1);
    assert_eq!(store.redrive(Some(vec![first])).await.unwrap(), 1);
    let fresh = options(&cluster, &name).open().await.unwrap();
    assert_eq!(claim_until_found(&fresh).await[0].lease.id, first);
}

/// Another program deletes the stored check value between the write and the read.
#[tokio::test(flavor = "multi_thread")]
async fn binding_the_keys_is_retried_if_the_check_value_is_deleted() {
    let Some(cluster) = Cluster::shared().await else { return };
    let name = cluster.store_name();
    let keys = StoreKeys::generate().unwrap();
    let store = options(&cluster, &name).open().await.unwrap();
    let other = options(&cluster, &name).open().await.unwrap();
    let stream = Raw::new(&cluster, &name).await.stream("work").await;
    let subject = format!("{name}.meta.keys");
    for round in 0..60 {
        other.bind_keys(keys.check_value()).await.unwrap();
        let delete = async {
            if let Ok(message) = stream.get_last_raw_message_by_subject(&subject).await {
                stream.delete_message(message.sequence).await.unwrap();
            }
        };
        let (bound, ()) = join(store.bind_keys(keys.check_value()), delete).await;
        bound.unwrap_or_else(|error| panic!("round {round}: {error}"));
    }
    store.bind_keys(keys.check_value()).await.unwrap();
    let error = other.bind_keys(StoreKeys::generate().unwrap().check_value()).await.unwrap_err();
    assert_eq!(error.kind(), paytend_inbox::StoreErrorKind::Keys);
    assert!(claim(&store, 1, LEASE).await.is_empty());
}
