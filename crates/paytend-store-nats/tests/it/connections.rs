//! Tests of programs whose connections are slow or down, and of programs that only receive notifications.

use std::time::{Duration, SystemTime};

use futures_util::StreamExt as _;
use paytend_inbox::testing::TestNotification;
use paytend_inbox::{Store as _, StoreAdmin as _, StoreErrorKind, StoreKeys};
use paytend_store_nats::NatsOptions;

use crate::cluster::Cluster;
use crate::lossy_proxy::LossyProxy;
use crate::support::options;

const LIMIT: Duration = Duration::from_secs(60);

#[tokio::test(flavor = "multi_thread")]
async fn settings_check_fails_in_time_while_the_system_connection_is_down() {
    let Some(cluster) = Cluster::shared().await else { return };
    let proxy = LossyProxy::start(cluster.port(0)).await;
    let system = format!("nats://system:secret@127.0.0.1:{}", proxy.port);
    let options = NatsOptions::from_url(&cluster.url()).unwrap().system_url(&system).unwrap();
    let options = options.name(&cluster.store_name()).unwrap().operation_timeout(LIMIT);
    let store = options.open().await.unwrap();
    store.probe().await.unwrap();
    proxy.close();
    for _ in 0..2 {
        let error = tokio::time::timeout(LIMIT, store.probe()).await.unwrap().unwrap_err();
        assert_eq!(error.kind(), StoreErrorKind::Unavailable);
        assert!(error.to_string().starts_with("cannot read the settings of the servers"), "{error}");
    }
    assert!(tokio::time::timeout(LIMIT, store.check()).await.unwrap().is_err());
}

#[tokio::test(flavor = "multi_thread")]
async fn longest_operation_timeout_causes_no_panic() {
    let Some(cluster) = Cluster::shared().await else { return };
    let store = options(&cluster, &cluster.store_name()).operation_timeout(Duration::MAX).open().await.unwrap();
    store.probe().await.unwrap();
}

/// A process without an index also reads the time regularly, because times of receipt come from the servers' clock.
#[tokio::test(flavor = "multi_thread")]
async fn receiver_reads_the_time_of_the_servers_regularly() {
    let Some(cluster) = Cluster::shared().await else { return };
    let name = cluster.store_name();
    let keys = std::sync::Arc::new(StoreKeys::generate().unwrap());
    let receiver = options(&cluster, &name).open().await.unwrap();
    receiver.accept(TestNotification::new("a").prepare(&keys)).await.unwrap();
    let subject = format!("$JS.API.STREAM.INFO.{name}-work");
    let mut requests = cluster.context().await.client().subscribe(subject).await.unwrap();
    let request = tokio::time::timeout(LIMIT, requests.next()).await;
    assert!(request.unwrap().is_some(), "the time is not read");
}

/// The servers limit the size of headers, which contain the facts.
#[tokio::test(flavor = "multi_thread")]
async fn facts_of_more_than_63_000_bytes_are_stored() {
    let Some(cluster) = Cluster::shared().await else { return };
    let keys = std::sync::Arc::new(StoreKeys::generate().unwrap());
    let store = options(&cluster, &cluster.store_name()).open().await.unwrap();
    let of_length = |length: usize| {
        let business_id = Some("F".repeat(length));
        TestNotification { business_id, ..TestNotification::new(length.to_string()) }.prepare(&keys)
    };
    // A binary search finds the maximum length of an accepted business ID.
    let (mut accepted, mut refused) = (50_000, 80_000);
    while refused - accepted > 1 {
        let middle = usize::midpoint(accepted, refused);
        match store.accept(of_length(middle)).await {
            Ok(_) => accepted = middle,
            Err(error) => {
                assert!(error.to_string().contains("NATS cannot store them"), "{error}");
                refused = middle;
            }
        }
    }
    assert!(accepted > 63_000, "{accepted}");
    assert!(store.check().await.unwrap().is_empty());
}

#[tokio::test(flavor = "multi_thread")]
async fn now_returns_the_time_of_the_configured_clock() {
    let Some(cluster) = Cluster::shared().await else { return };
    let time = SystemTime::UNIX_EPOCH + LIMIT;
    let store = options(&cluster, &cluster.store_name()).clock(move || time).open().await.unwrap();
    assert_eq!(store.now(), time);
}
