//! Tests that remove content, forget notifications, and delete the consumers of an index.

use std::sync::Arc;
use std::time::{Duration, Instant};

use futures_util::StreamExt as _;
use paytend_inbox::{Accepted, Id, State, Store as _, StoreAdmin as _, StoreKeys, StoredPayload};
use paytend_store_nats::NatsStore;
use paytend_vectors::Seeded;

use crate::cluster::Cluster;
use crate::support::{accept, claim, claim_until_found, far_future, options};

const LEASE: Duration = Duration::from_secs(120);
const ROUNDS: usize = 8;

async fn process_all(store: &NatsStore) -> usize {
    let claimed = claim(store, 100, LEASE).await;
    for claimed in &claimed {
        store.complete(claimed.lease, None).await.unwrap();
    }
    claimed.len()
}

#[tokio::test(flavor = "multi_thread")]
async fn duplicates_of_removed_notifications_are_recognized_until_they_are_forgotten() {
    let Some(cluster) = Cluster::shared().await else { return };
    let name = cluster.store_name();
    let keys = Arc::new(StoreKeys::generate().unwrap());
    let store = options(&cluster, &name).open().await.unwrap();
    let Accepted::New(id) = accept(&store, &keys, "a").await.unwrap() else { panic!("a is new") };
    let Accepted::New(pending) = accept(&store, &keys, "bb").await.unwrap() else { panic!("bb is new") };
    let claimed = claim(&store, 1, LEASE).await;
    store.complete(claimed[0].lease, None).await.unwrap();
    let context = cluster.context().await;
    let stream = context.get_stream(format!("{name}-inbox")).await.unwrap();
    let message = stream.get_raw_message(u64::try_from(id.get()).unwrap()).await.unwrap();
    assert_eq!(store.drop_payloads(far_future()).await.unwrap(), 1);
    assert_eq!(store.drop_payloads(far_future()).await.unwrap(), 0);
    assert_eq!(accept(&store, &keys, "a").await.unwrap(), Accepted::Duplicate { id, sighting: 1 });
    // A duplicate that arrives during the removal of the content is stored, but not processed again.
    context
        .publish_with_headers(message.subject.to_string(), message.headers.clone(), message.payload.clone())
        .await
        .unwrap()
        .await
        .unwrap();
    let other = options(&cluster, &name).open().await.unwrap();
    for store in [&store, &other] {
        let ids: Vec<Id> = claim(store, 10, LEASE).await.iter().map(|claimed| claimed.lease.id).collect();
        assert!(ids.is_empty() || ids == [pending], "{ids:?}");
    }
    assert_eq!(other.check().await.unwrap(), Vec::<String>::new());
    let entry = other.show(id, None).await.unwrap().unwrap();
    assert_eq!((entry.state, entry.payload), (State::Done, Some(StoredPayload::Dropped)));
    assert_eq!(entry.facts.business_id.as_deref(), Some("a"));
    // Only processed notifications are forgotten.
    assert_eq!(store.forget(far_future()).await.unwrap(), 1);
    assert_eq!(store.stats().await.unwrap().done, 0);
    let fresh = options(&cluster, &name).open().await.unwrap();
    assert!(fresh.show(id, None).await.unwrap().is_none());
    assert!(fresh.show(pending, None).await.unwrap().is_some());
    assert!(matches!(accept(&fresh, &keys, "a").await.unwrap(), Accepted::New(again) if again > id));
    assert_eq!(fresh.check().await.unwrap(), Vec::<String>::new());
    assert_eq!(process_all(&fresh).await, 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn index_recovers_from_deleted_consumers() {
    let Some(cluster) = Cluster::shared().await else { return };
    let name = cluster.store_name();
    let keys = Arc::new(StoreKeys::generate().unwrap());
    let store = options(&cluster, &name).open().await.unwrap();
    accept(&store, &keys, "first").await.unwrap();
    assert_eq!(process_all(&store).await, 1);
    let context = cluster.context().await;
    for log in ["inbox", "work"] {
        let stream = context.get_stream(format!("{name}-{log}")).await.unwrap();
        let consumers: Vec<_> = stream.consumer_names().collect().await;
        // On a busy machine, a consumer that was replaced may still exist.
        assert!(!consumers.is_empty());
        for consumer in consumers {
            stream.delete_consumer(&consumer.unwrap()).await.unwrap();
        }
    }
    accept(&store, &keys, "second").await.unwrap();
    assert_eq!(process_all(&store).await, 1);
    assert_eq!(store.stats().await.unwrap().done, 2);
    // The consumers are deleted when the store is dropped.
    drop(store);
}

/// One program reads a stream for the first time while another program deletes the stream's last message.
#[tokio::test(flavor = "multi_thread")]
async fn loading_a_stream_ends_even_if_its_last_message_is_deleted() {
    let Some(cluster) = Cluster::shared().await else { return };
    let name = cluster.store_name();
    let (keys, random) = (Arc::new(StoreKeys::generate().unwrap()), Seeded::new());
    let accepting = options(&cluster, &name).open().await.unwrap();
    let stream = cluster.context().await.get_stream(format!("{name}-inbox")).await.unwrap();
    for round in 0..ROUNDS {
        let id = accept(&accepting, &keys, &round.to_string()).await.unwrap().id();
        let fresh = options(&cluster, &name).open().await.unwrap();
        let delay = Duration::from_micros(random.below(4_000) as u64);
        let delete = async {
            let start = Instant::now();
            while start.elapsed() < delay {
                tokio::task::yield_now().await;
            }
            stream.delete_message(u64::try_from(id.get()).unwrap()).await.unwrap();
        };
        let (stats, ()) = futures_util::future::join(fresh.stats(), delete).await;
        assert!(stats.unwrap().ready <= 1, "round {round}");
        // Messages that arrive later are read.
        let later = accept(&accepting, &keys, &format!("later {round}")).await.unwrap().id();
        let claimed = claim_until_found(&fresh).await;
        assert_eq!(claimed.iter().map(|claimed| claimed.lease.id).collect::<Vec<_>>(), [later], "round {round}");
        fresh.complete(claimed[0].lease, None).await.unwrap();
    }
}
