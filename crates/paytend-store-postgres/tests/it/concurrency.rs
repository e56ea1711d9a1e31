//! Tests with ten receivers and ten workers on one database.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use paytend_inbox::testing::TestNotification;
use paytend_inbox::{Store as _, StoreAdmin as _, StoreKeys};
use paytend_vectors::Seeded;

use crate::server::{Server, execute, number};
use crate::support::{EFFECTS, accept, claim, open, process};

const RECEIVERS: usize = 10;
const WORKERS: usize = 10;
const EACH: usize = 60;

#[tokio::test(flavor = "multi_thread")]
async fn ten_receivers_and_ten_workers_process_each_notification_once() {
    let Some(server) = Server::start(&[]).await else { return };
    let config = server.database().await;
    execute(&config, EFFECTS).await;
    let keys = Arc::new(StoreKeys::generate().unwrap());
    let finished = Arc::new(AtomicBool::new(false));
    let mut tasks = Vec::new();
    for receiver in 0..RECEIVERS {
        let (store, keys) = (open(config.clone(), 2).await, Arc::clone(&keys));
        store.bind_keys(keys.check_value()).await.unwrap();
        tasks.push(tokio::spawn(async move {
            let random = Seeded::new();
            for number in 0..EACH {
                // Receivers with adjacent numbers receive the same notifications at about the same time.
                let name = format!("{}-{number}", (receiver + random.below(2)) % RECEIVERS);
                assert!(accept(&store, &keys, &name).await.is_some());
            }
        }));
    }
    let mut workers = Vec::new();
    for _ in 0..WORKERS {
        let (store, finished) = (open(config.clone(), 2).await, Arc::clone(&finished));
        workers.push(tokio::spawn(async move {
            loop {
                let all_received = finished.load(Ordering::SeqCst);
                let claimed = claim(&store, 5, Duration::from_secs(30)).await;
                for claimed in &claimed {
                    assert!(process(&store, claimed).await);
                }
                let stats = store.stats().await.unwrap();
                if all_received && stats.ready + stats.leased == 0 {
                    return;
                }
                tokio::task::yield_now().await;
            }
        }));
    }
    for task in tasks {
        task.await.unwrap();
    }
    finished.store(true, Ordering::SeqCst);
    for worker in workers {
        worker.await.unwrap();
    }
    let store = open(config, 1).await;
    assert_eq!(store.check().await.unwrap(), Vec::<String>::new());
    let client = store.pool().get().await.unwrap();
    let rows = client.query("SELECT line, count(*) FROM effect GROUP BY line", &[]).await.unwrap();
    let effects: BTreeMap<String, i64> = rows.iter().map(|row| (row.get(0), row.get(1))).collect();
    assert!(effects.values().all(|count| *count == 1), "{effects:?}");
    drop(client);
    assert_eq!(store.stats().await.unwrap().done, effects.len() as u64);
    assert!(effects.len() >= EACH);
}

/// A claim begins before a completion commits, and locks the row after the commit. The claim must count the completed
/// run, so that its idempotency key is different.
#[tokio::test(flavor = "multi_thread")]
async fn claim_during_a_completion_counts_the_completed_run() {
    const LEASE: Duration = Duration::from_secs(600);
    let Some(server) = Server::start(&[]).await else { return };
    let config = server.database().await;
    let store = open(config.clone(), 4).await;
    let mut slow = config.clone();
    slow.application_name("slow");
    let slow = open(slow, 1).await;
    // When the slow store claims, it takes its snapshot first and then reads the time. Reading the time blocks on this
    // advisory lock.
    let clock = "CREATE OR REPLACE FUNCTION paytend_now() RETURNS timestamptz LANGUAGE plpgsql VOLATILE AS $$ BEGIN \
         IF current_setting('application_name') = 'slow' THEN PERFORM pg_advisory_xact_lock_shared(77); END IF; \
         RETURN clock_timestamp(); END $$";
    execute(&config, clock).await;
    let keys = Arc::new(StoreKeys::generate().unwrap());
    let new = TestNotification { requeue_sighting: true, ..TestNotification::new("one") };
    store.accept(new.prepare(&keys)).await.unwrap();
    // The lease expires immediately, but it is valid until the notification is claimed again.
    let first = claim(&store, 1, Duration::ZERO).await.pop().unwrap();
    store.accept(new.prepare(&keys)).await.unwrap();
    let lock = store.pool().get().await.unwrap();
    lock.batch_execute("SELECT pg_advisory_lock(77)").await.unwrap();
    let claiming = tokio::spawn(async move { claim(&slow, 1, LEASE).await.pop() });
    let deadline = Instant::now() + Duration::from_secs(60);
    let waiting = "SELECT count(*)::int FROM pg_locks WHERE locktype = 'advisory' AND NOT granted";
    while number(&config, waiting).await == 0 {
        assert!(Instant::now() < deadline, "the claim did not wait");
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
    store.complete(first.lease, None).await.unwrap();
    lock.batch_execute("SELECT pg_advisory_unlock(77)").await.unwrap();
    let again = claiming.await.unwrap().expect("the sighting is claimed");
    assert_eq!((again.is_sighting, again.completed_runs, again.sightings), (true, 1, 1));
}
