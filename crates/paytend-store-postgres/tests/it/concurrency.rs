//! Tests with ten receivers and ten workers on one database.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use paytend_inbox::{Store as _, StoreAdmin as _, StoreKeys};
use paytend_vectors::Seeded;

use crate::server::{Server, execute};
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
                // Adjacent receivers receive the same notifications at about the same time.
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
