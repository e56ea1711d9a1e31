//! Tests of writes that succeed although their responses are lost.

use std::sync::Arc;
use std::time::{Duration, Instant};

use paytend_inbox::{Accepted, Store as _, StoreAdmin as _, StoreKeys};
use paytend_store_nats::NatsStore;

use crate::cluster::Cluster;
use crate::lossy_proxy::LossyProxy;
use crate::support::{claim, claim_until_found, far_future, options, requeued, through};

const LEASE: Duration = Duration::from_secs(120);

/// A store whose responses can be lost, and a second store that is connected to the servers directly.
struct Pair {
    proxy: LossyProxy,
    lossy: NatsStore,
    direct: NatsStore,
    keys: Arc<StoreKeys>,
}

impl Pair {
    async fn open() -> Option<(Arc<Cluster>, Self)> {
        let cluster = Cluster::shared().await?;
        let name = cluster.store_name();
        let proxy = LossyProxy::start(cluster.port(0)).await;
        let direct = options(&cluster, &name).open().await.unwrap();
        let lossy = through(&proxy, &cluster, &name).await;
        let keys = Arc::new(StoreKeys::generate().unwrap());
        for store in [&lossy, &direct] {
            store.stats().await.unwrap();
        }
        Some((cluster, Self { proxy, lossy, direct, keys }))
    }

    async fn wait_for_drop(&self, count: usize) {
        let deadline = Instant::now() + Duration::from_secs(60);
        while self.proxy.dropped() < count {
            assert!(Instant::now() < deadline, "no response was dropped");
            tokio::time::sleep(Duration::from_millis(1)).await;
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn sighting_is_processed_once_if_the_response_was_lost() {
    let Some((_cluster, pair)) = Pair::open().await else { return };
    pair.direct.accept(requeued("a").prepare(&pair.keys)).await.unwrap();
    let claimed = claim_until_found(&pair.direct).await;
    pair.direct.complete(claimed[0].lease, None).await.unwrap();
    pair.proxy.drop_responses(1);
    let accepting = pair.lossy.accept(requeued("a").prepare(&pair.keys));
    let processing = async {
        pair.wait_for_drop(1).await;
        let claimed = claim_until_found(&pair.direct).await;
        assert!(claimed[0].is_sighting);
        pair.direct.complete(claimed[0].lease, None).await.unwrap();
    };
    let (accepted, ()) = futures_util::future::join(accepting, processing).await;
    assert!(matches!(accepted.unwrap(), Accepted::Duplicate { sighting: 1, .. }));
    let stats = pair.direct.stats().await.unwrap();
    assert_eq!((stats.done, stats.ready, stats.sightings), (1, 0, 1));
    assert!(claim(&pair.direct, 1, LEASE).await.is_empty());
}

#[tokio::test(flavor = "multi_thread")]
async fn redriven_notification_is_processed_once_if_the_response_was_lost() {
    let Some((_cluster, pair)) = Pair::open().await else { return };
    let id = pair.direct.accept(requeued("a").prepare(&pair.keys)).await.unwrap().id();
    assert!(pair.direct.bury(id, "a test".into()).await.unwrap());
    pair.lossy.stats().await.unwrap();
    pair.proxy.drop_responses(1);
    let processing = async {
        pair.wait_for_drop(1).await;
        let claimed = claim_until_found(&pair.direct).await;
        let cause = paytend_inbox::Release::DeadLetter { cause: "again".into() };
        pair.direct.release(claimed[0].lease, cause).await.unwrap();
    };
    let (redriven, ()) = futures_util::future::join(pair.lossy.redrive(Some(vec![id])), processing).await;
    assert_eq!(redriven.unwrap(), 1);
    assert_eq!(pair.direct.stats().await.unwrap().dead, 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn completion_succeeds_even_if_its_response_was_lost() {
    let Some((_cluster, pair)) = Pair::open().await else { return };
    pair.direct.accept(requeued("a").prepare(&pair.keys)).await.unwrap();
    let claimed = claim_until_found(&pair.lossy).await;
    pair.proxy.drop_responses(1);
    let again = async {
        pair.wait_for_drop(1).await;
        pair.direct.accept(requeued("a").prepare(&pair.keys)).await.unwrap();
        assert!(claim_until_found(&pair.direct).await[0].is_sighting);
    };
    let (completed, ()) = futures_util::future::join(pair.lossy.complete(claimed[0].lease, None), again).await;
    completed.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn claim_returns_the_notification_even_if_its_response_was_lost() {
    let Some((_cluster, pair)) = Pair::open().await else { return };
    let id = pair.direct.accept(requeued("a").prepare(&pair.keys)).await.unwrap().id();
    pair.lossy.stats().await.unwrap();
    pair.proxy.drop_responses(1);
    let sighting = async {
        pair.wait_for_drop(1).await;
        pair.direct.accept(requeued("a").prepare(&pair.keys)).await.unwrap();
    };
    let (claimed, ()) = futures_util::future::join(claim_until_found(&pair.lossy), sighting).await;
    assert_eq!((claimed[0].lease.id, claimed[0].lease.fence), (id, 1));
    pair.lossy.complete(claimed[0].lease, None).await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn notification_is_reported_as_new_even_if_the_response_was_lost() {
    let Some((_cluster, pair)) = Pair::open().await else { return };
    pair.proxy.drop_responses(1);
    let accepting = pair.lossy.accept(requeued("a").prepare(&pair.keys));
    let processing = async {
        let claimed = claim_until_found(&pair.direct).await;
        pair.direct.complete(claimed[0].lease, None).await.unwrap();
    };
    let (accepted, ()) = futures_util::future::join(accepting, processing).await;
    assert!(matches!(accepted.unwrap(), Accepted::New(_)));
    let stats = pair.direct.stats().await.unwrap();
    assert_eq!((stats.done, stats.sightings, pair.proxy.dropped()), (1, 0, 1));
}

#[tokio::test(flavor = "multi_thread")]
async fn notification_whose_deletion_was_not_confirmed_is_forgotten_by_all_programs() {
    let Some((_cluster, pair)) = Pair::open().await else { return };
    pair.direct.accept(requeued("a").prepare(&pair.keys)).await.unwrap();
    let claimed = claim_until_found(&pair.direct).await;
    pair.direct.complete(claimed[0].lease, None).await.unwrap();
    assert_eq!(pair.lossy.drop_payloads(far_future()).await.unwrap(), 1);
    // The response to the deletion of the record is lost.
    pair.proxy.drop_deletions(1);
    assert_eq!(pair.lossy.forget(far_future()).await.unwrap(), 1);
    assert_eq!(pair.proxy.dropped(), 1);
    for store in [&pair.lossy, &pair.direct] {
        assert_eq!(store.stats().await.unwrap().done, 0);
    }
}
