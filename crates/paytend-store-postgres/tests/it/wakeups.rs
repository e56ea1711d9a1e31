//! Tests of the hints that wake workers in other processes.

use std::sync::Arc;
use std::time::{Duration, Instant};

use paytend_inbox::{Completion, Inbox, StoreKeys, Worker};
use paytend_store_postgres::{PostgresOptions, PostgresStore};
use tokio::sync::{mpsc, oneshot};

use crate::server::{Server, execute};
use crate::support::{accept, open};

const POLL_INTERVAL: Duration = Duration::from_secs(600);
/// A deadline that is much shorter than the poll interval, but long enough for a busy machine.
const SOON: Duration = Duration::from_secs(20);

/// Waits until exactly `expected` connections are listening.
async fn listeners(store: &PostgresStore, expected: i64) {
    let deadline = Instant::now() + SOON;
    loop {
        let sql = "SELECT count(*) FROM pg_stat_activity WHERE query = 'LISTEN paytend_inbox' AND state = 'idle'";
        let client = store.pool().get().await.unwrap();
        let count: i64 = client.query_one(sql, &[]).await.unwrap().get(0);
        drop(client);
        if count == expected {
            return;
        }
        assert!(Instant::now() < deadline, "{count} connections listen instead of {expected}");
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn worker_on_another_connection_is_woken_and_a_lost_listener_reconnects() {
    let Some(server) = Server::start(&[]).await else { return };
    let config = server.database().await;
    let directory = tempfile::tempdir().unwrap();
    let keys = || StoreKeys::load_or_create(directory.path().join("keys")).unwrap();
    let (receiver, shared_keys) = (open(config.clone(), 2).await, Arc::new(keys()));
    let inbox = Inbox::open(open(config.clone(), 2).await, keys()).await.unwrap();
    let (processed, mut times) = mpsc::unbounded_channel();
    let worker = Worker::builder(inbox, move |_| {
        let processed = processed.clone();
        async move {
            processed.send(Instant::now()).unwrap();
            Ok(Completion::without_effect())
        }
    })
    .poll_interval(POLL_INTERVAL)
    .build();
    let (stop, stopped) = oneshot::channel::<()>();
    let running = tokio::spawn(worker.run(async move { drop(stopped.await) }));
    listeners(&receiver, 1).await;
    let mut latencies = Vec::new();
    for number in 0..40 {
        if number == 20 {
            let sql = "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE query = 'LISTEN paytend_inbox'";
            execute(&config, sql).await;
            listeners(&receiver, 1).await;
        }
        let started = Instant::now();
        accept(&receiver, &shared_keys, &format!("n{number}")).await.unwrap();
        let at = tokio::time::timeout(SOON, times.recv()).await.expect("the worker is woken").unwrap();
        latencies.push(at.saturating_duration_since(started));
    }
    latencies.sort();
    eprintln!("accepted to processed: median {:?}, longest {:?}", latencies[20], latencies[39]);
    stop.send(()).unwrap();
    running.await.unwrap();
    // The connection is closed when the store is dropped.
    listeners(&receiver, 0).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn only_stores_that_wait_for_changes_open_a_listen_connection() {
    let Some(server) = Server::start(&[]).await else { return };
    let config = server.database().await;
    let keys = Arc::new(StoreKeys::generate().unwrap());
    let receiver = open(config.clone(), 1).await;
    accept(&receiver, &keys, "a").await.unwrap();
    let polling = PostgresOptions::new(config).without_listener().open().await.unwrap();
    let waited = tokio::time::timeout(Duration::from_millis(300), paytend_inbox::Store::changed(&polling)).await;
    assert!(waited.is_err());
    listeners(&receiver, 0).await;
}
