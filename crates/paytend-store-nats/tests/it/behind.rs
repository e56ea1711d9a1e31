//! Tests of workers whose indexes differ because one index is outdated.

use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::{Duration, Instant};

use futures_util::StreamExt as _;
use futures_util::future::join;
use paytend_inbox::testing::TestNotification;
use paytend_inbox::{Claimed, Id, Release, Store as _, StoreAdmin as _, StoreKeys};
use paytend_store_nats::NatsStore;
use paytend_store_nats::async_nats::jetstream::stream::Stream;

use crate::cluster::Cluster;
use crate::support::{claim, options};

const LEASE: Duration = Duration::from_secs(120);
const ROUNDS: usize = 12;

async fn consumers(stream: &Stream) -> BTreeSet<String> {
    stream.consumer_names().map(Result::unwrap).collect().await
}

/// Waits until a store reads the stream again, and returns the new consumers. After a long wait, the result can also
/// contain new consumers of other stores.
async fn new_consumers(stream: &Stream, others: &BTreeSet<String>) -> Vec<String> {
    let deadline = Instant::now() + Duration::from_secs(60);
    loop {
        let found: Vec<String> = consumers(stream).await.difference(others).cloned().collect();
        if !found.is_empty() {
            return found;
        }
        assert!(Instant::now() < deadline, "the stream was not read again in time");
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
}

/// Claims with both stores at the same time, until one of them has claimed a notification. Then claims twice with each
/// store, before and after the store has read all messages. Returns all claimed notifications.
async fn claim_both(behind: &NatsStore, current: &NatsStore) -> Vec<Claimed> {
    let deadline = Instant::now() + Duration::from_secs(60);
    let mut claimed = Vec::new();
    while claimed.is_empty() {
        assert!(Instant::now() < deadline, "no notification could be claimed in time");
        let (one, other) = join(claim(behind, 10, LEASE), claim(current, 10, LEASE)).await;
        claimed.extend(one.into_iter().chain(other));
    }
    for store in [behind, current] {
        claimed.extend(claim(store, 10, LEASE).await);
        store.stats().await.unwrap();
        claimed.extend(claim(store, 10, LEASE).await);
    }
    claimed
}

#[tokio::test(flavor = "multi_thread")]
async fn workers_with_different_indexes_never_hold_two_notifications_with_the_same_order_key() {
    let Some(cluster) = Cluster::shared().await else { return };
    let name = cluster.store_name();
    let keys = Arc::new(StoreKeys::generate().unwrap());
    let [current, operator, behind] = [(), (), ()].map(|()| async { options(&cluster, &name).open().await.unwrap() });
    let (current, operator) = (current.await, operator.await);
    for store in [&current, &operator] {
        store.stats().await.unwrap();
    }
    let stream = cluster.context().await.get_stream(format!("{name}-inbox")).await.unwrap();
    // On a busy machine, a store may just be starting to read the stream again.
    let deadline = Instant::now() + Duration::from_secs(60);
    let mut others = consumers(&stream).await;
    while others.len() < 2 {
        assert!(Instant::now() < deadline, "the stores did not read the stream in time");
        tokio::time::sleep(Duration::from_millis(20)).await;
        others = consumers(&stream).await;
    }
    let behind = behind.await;
    let accept = async |name: String, key: usize| -> Id {
        let order = Some(key.to_string());
        operator.accept(TestNotification { order, ..TestNotification::new(name) }.prepare(&keys)).await.unwrap().id()
    };
    for round in 0..ROUNDS {
        let first = accept(format!("first {round}"), round).await;
        let [claimed] = &*claim(&operator, 10, LEASE).await else { panic!("one notification is due") };
        operator.release(claimed.lease, Release::DeadLetter { cause: "poison".into() }).await.unwrap();
        for store in [&current, &operator, &behind] {
            assert_eq!(store.stats().await.unwrap().ready, 0);
        }
        // The new consumers of `behind` are deleted, so it does not receive the second notification. `current` receives
        // it before the first notification is ready again.
        for name in new_consumers(&stream, &others).await {
            stream.delete_consumer(&name).await.unwrap();
        }
        let second = accept(format!("second {round}"), round).await;
        while current.stats().await.unwrap().ready == 0 {}
        assert_eq!(operator.redrive(Some(vec![first])).await.unwrap(), 1);
        let leases: Vec<_> = claim_both(&behind, &current).await.iter().map(|claimed| claimed.lease).collect();
        assert_eq!(leases.len(), 1, "only one notification with an order key is processed at a time: {leases:?}");
        operator.complete(leases[0], None).await.unwrap();
        let rest = claim(&operator, 10, LEASE).await;
        let ids: BTreeSet<Id> = leases.iter().map(|lease| lease.id).chain(rest.iter().map(|c| c.lease.id)).collect();
        assert_eq!(ids, [first, second].into());
        operator.complete(rest[0].lease, None).await.unwrap();
    }
    assert_eq!(behind.check().await.unwrap(), Vec::<String>::new());
    assert_eq!(behind.stats().await.unwrap().done, 2 * ROUNDS as u64);
}
