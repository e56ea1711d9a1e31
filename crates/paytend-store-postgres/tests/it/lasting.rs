//! Tests of a store that is used in several Tokio runtimes, including a runtime that ends.

use std::sync::Arc;
use std::time::{Duration, Instant};

use futures_util::FutureExt as _;
use paytend_inbox::{Store as _, StoreKeys};
use paytend_store_postgres::{PostgresEffect, PostgresOptions, PostgresStore};
use tokio::runtime::{Builder, Runtime};

use crate::server::{Server, execute};
use crate::support::{EFFECTS, accept, claim, open, process};

const LEASE: Duration = Duration::from_secs(600);
const SOON: Duration = Duration::from_secs(30);
/// The time limit for effects that never end.
const LIMIT: Duration = Duration::from_millis(200);

fn runtime() -> Runtime {
    Builder::new_multi_thread().worker_threads(2).enable_all().build().unwrap()
}

/// Ends a runtime while its tasks accept, complete, listen and send hints, and returns the store.
fn interrupted(store: &PostgresStore, keys: &Arc<StoreKeys>, round: usize) {
    let dying = runtime();
    dying.block_on(async {
        for number in 0..20 {
            accept(store, keys, &format!("claimed {round} {number}")).await.unwrap();
        }
        assert!(store.changed().now_or_never().is_none());
    });
    let claimed = dying.block_on(claim(store, 100, LEASE));
    for one in claimed {
        let store = store.clone();
        let stuck: PostgresEffect = Box::new(|_| Box::pin(std::future::pending()));
        dying.spawn(async move { store.complete(one.lease, Some(stuck)).await });
    }
    let (accepted, mut count) = tokio::sync::mpsc::unbounded_channel();
    for number in 0..100 {
        let (store, keys, accepted) = (store.clone(), Arc::clone(keys), accepted.clone());
        dying.spawn(async move {
            accept(&store, &keys, &format!("lost {round} {number}")).await;
            let _ = accepted.send(());
        });
    }
    // The runtime can end before, while or after these notifications are accepted.
    for _ in 0..50 * round {
        count.blocking_recv().unwrap();
    }
    dying.shutdown_background();
}

#[test]
fn store_works_after_the_runtime_of_its_tasks_is_shut_down() {
    let living = runtime();
    let Some(server) = living.block_on(Server::start(&[])) else { return };
    let config = living.block_on(server.database());
    living.block_on(execute(&config, EFFECTS));
    let keys = Arc::new(StoreKeys::generate().unwrap());
    for round in 0..3 {
        let options = PostgresOptions::new(config.clone()).max_connections(4).effect_timeout(LIMIT);
        let store = living.block_on(options.open()).unwrap();
        interrupted(&store, &keys, round);
        let working = async {
            // Each connection that belonged to the ended runtime fails once, so a failed call is repeated.
            let deadline = Instant::now() + SOON;
            for number in 0..40 {
                while accept(&store, &keys, &format!("later {round} {number}")).await.is_none() {
                    assert!(Instant::now() < deadline, "the store did not accept a notification in time");
                }
            }
            for claimed in claim(&store, 1000, LEASE).await {
                assert!(process(&store, &claimed).await);
            }
            // Hints are still sent and received.
            let other = open(config.clone(), 1).await;
            loop {
                let [own, others] = [store.changed(), other.changed()];
                let both = async { futures_util::join!(own, others) };
                let number = deadline.saturating_duration_since(Instant::now()).as_nanos();
                let hint = async {
                    tokio::time::sleep(Duration::from_millis(50)).await;
                    accept(&other, &keys, &format!("hint {round} {number}")).await;
                    accept(&store, &keys, &format!("other hint {round} {number}")).await;
                    std::future::pending::<()>().await;
                };
                tokio::select! {
                    _ = both => break,
                    () = hint => {}
                    () = tokio::time::sleep(Duration::from_secs(1)) => {}
                }
                assert!(Instant::now() < deadline, "no hint arrived in time");
            }
        };
        living.block_on(async {
            tokio::time::timeout(SOON * 2, working).await.expect("a store operation did not end in time");
        });
    }
}
