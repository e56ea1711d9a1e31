//! Tests of streams that were restored from backups with different dates.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use paytend_inbox::testing::{TestClock, TestNotification};
use paytend_inbox::{Accepted, Id, Inbox, State, Store as _, StoreAdmin as _, StoreKeys};
use paytend_store_nats::NatsStore;

use crate::cluster::Cluster;
use crate::support::{Raw, claim, far_future, options};

const LEASE: Duration = Duration::from_secs(120);

/// A store with a clock that the test moves.
struct Place {
    cluster: Arc<Cluster>,
    name: String,
    keys: Arc<StoreKeys>,
    clock: Arc<TestClock>,
}

impl Place {
    async fn new() -> Option<Self> {
        let cluster = Cluster::shared().await?;
        let name = cluster.store_name();
        Some(Self { cluster, name, keys: Arc::new(StoreKeys::generate().unwrap()), clock: Arc::default() })
    }

    async fn open(&self) -> NatsStore {
        let clock = Arc::clone(&self.clock);
        options(&self.cluster, &self.name).clock(move || clock.now()).open().await.unwrap()
    }

    async fn accept(&self, store: &NatsStore, name: &str) -> Accepted {
        let notification = TestNotification { business_id: Some(name.into()), ..TestNotification::new(name) };
        store.accept(notification.prepare(&self.keys)).await.unwrap()
    }

    /// Claims all notifications. Returns their leases by name, as read from the content, and checks that the content
    /// matches the facts.
    async fn claim_all(&self, store: &NatsStore) -> BTreeMap<String, paytend_inbox::Lease> {
        let inbox = Inbox::open(store.clone(), StoreKeys::parse(&self.keys.to_text()).unwrap()).await.unwrap();
        let claimed = claim(store, 100, LEASE).await;
        let opened = claimed.iter().map(|claimed| {
            let content = inbox.open_payload(claimed.lease.id, &claimed.facts, &claimed.payload).unwrap().unwrap();
            let name = String::from_utf8(content).unwrap();
            assert_eq!(claimed.facts.business_id.as_ref(), Some(&name));
            (name, claimed.lease)
        });
        opened.collect()
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn notifications_stored_after_a_restore_are_not_confused_with_lost_notifications() {
    let Some(place) = Place::new().await else { return };
    let store = place.open().await;
    for name in ["a", "b", "processed", "leased", "lost"] {
        assert!(matches!(place.accept(&store, name).await, Accepted::New(_)));
    }
    let claimed = place.claim_all(&store).await;
    store.complete(claimed["processed"], None).await.unwrap();
    store.complete(claimed["a"], None).await.unwrap();
    drop(store);
    let raw = Raw::new(&place.cluster, &place.name).await;
    let old = raw.all("inbox").await;
    raw.restore("inbox", &old[..2]).await;
    place.clock.advance(LEASE);
    // The IDs 3 and 4 are assigned again.
    let store = place.open().await;
    assert_eq!(place.accept(&store, "new 1").await, Accepted::New(Id::new(3)));
    assert_eq!(place.accept(&store, "new 2").await, Accepted::New(Id::new(4)));
    let worker = place.open().await;
    let claimed = place.claim_all(&worker).await;
    assert_eq!(claimed.keys().collect::<Vec<_>>(), ["b", "new 1", "new 2"]);
    for (number, name) in [(3, "new 1"), (4, "new 2")] {
        let entry = worker.show(Id::new(number), None).await.unwrap().unwrap();
        assert_eq!((entry.state, entry.facts.business_id.as_deref()), (State::Leased, Some(name)));
    }
    let problems = worker.check().await.unwrap().join("\n");
    assert!(problems.contains("2 notifications have an ID that belongs to a different notification"), "{problems}");
    assert!(problems.contains("1 notifications have a record but no message, such as 5"), "{problems}");
    // All lost notifications are recognized as duplicates. The two that were not yet processed are processed again.
    assert!(matches!(place.accept(&store, "processed").await, Accepted::Duplicate { .. }));
    assert!(matches!(place.accept(&store, "leased").await, Accepted::Duplicate { .. }));
    assert!(matches!(place.accept(&store, "lost").await, Accepted::Duplicate { .. }));
    for lease in claimed.into_values() {
        worker.complete(lease, None).await.unwrap();
    }
    worker.stats().await.unwrap();
    let again = place.claim_all(&worker).await;
    assert_eq!(again.keys().collect::<Vec<_>>(), ["leased", "lost"]);
    for lease in again.into_values() {
        worker.complete(lease, None).await.unwrap();
    }
    for store in [&worker, &place.open().await] {
        assert_eq!(store.check().await.unwrap(), Vec::<String>::new());
        let stats = store.stats().await.unwrap();
        assert_eq!((stats.done, stats.ready, stats.leased, stats.dead), (7, 0, 0, 0));
    }
}

/// A pending notification whose message is missing becomes a dead letter.
#[tokio::test(flavor = "multi_thread")]
async fn record_without_a_message_does_not_hold_up_other_notifications() {
    let Some(place) = Place::new().await else { return };
    let store = place.open().await;
    for name in ["kept", "gone"] {
        place.accept(&store, name).await;
    }
    let claimed = place.claim_all(&store).await;
    assert_eq!(claimed.len(), 2);
    drop(store);
    let raw = Raw::new(&place.cluster, &place.name).await;
    let old = raw.all("inbox").await;
    raw.restore("inbox", &old[..1]).await;
    place.clock.advance(LEASE);
    let store = place.open().await;
    let claimed = place.claim_all(&store).await;
    assert_eq!(claimed.keys().collect::<Vec<_>>(), ["kept"]);
    store.complete(claimed["kept"], None).await.unwrap();
    // A server that is behind may not have the message yet, so the loss is confirmed later.
    assert_eq!(store.stats().await.unwrap().dead, 0);
    place.clock.advance(Duration::from_secs(60));
    assert!(place.claim_all(&store).await.is_empty());
    let stats = store.stats().await.unwrap();
    assert_eq!((stats.done, stats.dead), (1, 1));
    assert_eq!(place.open().await.stats().await.unwrap().dead, 1);
    // When the notification is sent again, it is processed.
    assert!(matches!(place.accept(&store, "gone").await, Accepted::Duplicate { .. } | Accepted::New(_)));
    store.stats().await.unwrap();
    let claimed = place.claim_all(&store).await;
    store.complete(claimed["gone"], None).await.unwrap();
    assert_eq!(store.check().await.unwrap(), Vec::<String>::new());
}

#[tokio::test(flavor = "multi_thread")]
async fn notifications_without_their_records_are_processed_again() {
    let Some(place) = Place::new().await else { return };
    let store = place.open().await;
    for name in ["a", "b", "c"] {
        place.accept(&store, name).await;
    }
    let claimed = place.claim_all(&store).await;
    let raw = Raw::new(&place.cluster, &place.name).await;
    let old = raw.all("work").await;
    store.complete(claimed["a"], None).await.unwrap();
    drop(store);
    // The first two messages are the format and the check value of the keys.
    raw.restore("work", &old[..2]).await;
    place.clock.advance(LEASE);
    let fresh = place.open().await;
    let again = place.claim_all(&fresh).await;
    assert_eq!(again.len(), 3);
    for lease in again.into_values() {
        fresh.complete(lease, None).await.unwrap();
    }
    assert_eq!(fresh.check().await.unwrap(), Vec::<String>::new());
}

/// A processed notification whose message is missing has no content to remove.
#[tokio::test(flavor = "multi_thread")]
async fn processed_notification_without_a_message_is_forgotten() {
    let Some(place) = Place::new().await else { return };
    let store = place.open().await;
    for name in ["kept", "gone"] {
        place.accept(&store, name).await;
    }
    for lease in place.claim_all(&store).await.into_values() {
        store.complete(lease, None).await.unwrap();
    }
    drop(store);
    let raw = Raw::new(&place.cluster, &place.name).await;
    raw.restore("inbox", &raw.all("inbox").await[..1]).await;
    let store = place.open().await;
    assert_eq!(store.stats().await.unwrap().done, 2);
    assert_eq!(store.forget(far_future()).await.unwrap(), 2);
    assert_eq!((store.stats().await.unwrap().done, place.open().await.stats().await.unwrap().done), (0, 0));
}
