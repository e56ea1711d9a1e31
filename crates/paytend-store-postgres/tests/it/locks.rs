//! Tests of operations that lock the same rows and order keys at the same time.

use std::sync::Arc;
use std::time::Duration;

use futures_util::future::join_all;
use paytend_inbox::testing::TestNotification;
use paytend_inbox::{Erasure, Release, Store as _, StoreAdmin as _, StoreKeys};
use paytend_vectors::Seeded;

use crate::server::{Server, execute};
use crate::support::{EFFECTS, claim, open, process};

const LEASE: Duration = Duration::from_secs(600);
const ROUNDS: usize = 25;

/// A delivery that loses the race to insert a notification records a sighting, which waits for a completion that waits
/// for the order key's lock.
#[tokio::test(flavor = "multi_thread")]
async fn concurrent_deliveries_and_completions_do_not_deadlock() {
    let Some(server) = Server::start(&["deadlock_timeout=10s"]).await else { return };
    let config = server.database().await;
    execute(&config, EFFECTS).await;
    let keys = Arc::new(StoreKeys::generate().unwrap());
    let receivers = [open(config.clone(), 3).await, open(config.clone(), 3).await, open(config.clone(), 3).await];
    let worker = open(config.clone(), 4).await;
    let started = std::time::Instant::now();
    for round in 0..ROUNDS {
        let accepting =
            (0..8).flat_map(|number| receivers.iter().map(move |receiver| (receiver, number)).collect::<Vec<_>>());
        let accepting = join_all(accepting.map(|(receiver, number)| {
            let new = TestNotification {
                order: Some(format!("order {number}")),
                business_id: Some(format!("{round} {number}")),
                requeue_sighting: true,
                ..TestNotification::new(format!("{round} {number}"))
            };
            receiver.accept(new.prepare(&keys))
        }));
        let working = async {
            for _ in 0..4 {
                for one in claim(&worker, 100, LEASE).await {
                    process(&worker, &one).await;
                }
            }
        };
        let (accepted, ()) = futures_util::join!(accepting, working);
        assert!(accepted.iter().all(Result::is_ok), "{accepted:?}");
    }
    assert!(started.elapsed() < Duration::from_secs(ROUNDS as u64 * 4), "{:?}", started.elapsed());
    assert_eq!(worker.check().await.unwrap(), Vec::<String>::new());
}

/// An erasure locks several order keys.
#[tokio::test(flavor = "multi_thread")]
async fn erasures_redrives_and_deliveries_do_not_deadlock() {
    let Some(server) = Server::start(&["deadlock_timeout=100ms"]).await else { return };
    let config = server.database().await;
    let keys = Arc::new(StoreKeys::generate().unwrap());
    let stores = [open(config.clone(), 4).await, open(config.clone(), 4).await];
    let random = Seeded::new();
    let new = |name: String, object: usize, order: usize| TestNotification {
        order: Some(format!("order {order}")),
        business_id: Some(format!("object {object}")),
        ..TestNotification::new(name)
    };
    for round in 0..ROUNDS {
        for number in 0..24 {
            let notification = new(format!("{round} {number}"), number % 3, random.below(12));
            stores[0].accept(notification.prepare(&keys)).await.unwrap();
        }
        for one in claim(&stores[0], 6, LEASE).await {
            stores[0].release(one.lease, Release::DeadLetter { cause: "given up".into() }).await.unwrap();
        }
        let erasing = join_all((0..3).map(|object| stores[0].erase(Erasure::new(format!("object {object}")))));
        let redriving = join_all([stores[1].redrive(None), stores[1].redrive(None)]);
        let accepting = join_all((0..24).map(|number| {
            let notification = new(format!("{round} again {number}"), 5, random.below(12));
            stores[1].accept(notification.prepare(&keys))
        }));
        let (erased, redriven, accepted) = futures_util::join!(erasing, redriving, accepting);
        for error in erased.into_iter().chain(redriven).filter_map(Result::err) {
            // The operation fails if a completion has locked the row, but it must not deadlock.
            assert!(!error.to_string().contains("deadlock"), "{error}");
        }
        assert!(accepted.iter().all(Result::is_ok), "{accepted:?}");
    }
    assert_eq!(stores[0].check().await.unwrap(), Vec::<String>::new());
}
