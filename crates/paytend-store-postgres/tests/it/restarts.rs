//! A server that crashes under load.

use std::collections::BTreeSet;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use paytend_inbox::{Query, StoreAdmin as _, StoreKeys};
use paytend_store_postgres::PostgresStore;
use paytend_vectors::Seeded;

use crate::server::{Server, execute};
use crate::support::{EFFECTS, accept, claim, open, process};

const LEASE: Duration = Duration::from_millis(500);

/// Returns the number of crashes: a few, unless the variable `PAYTEND_FAULT_ROUNDS` is set.
fn rounds() -> usize {
    std::env::var("PAYTEND_FAULT_ROUNDS").map_or(3, |rounds| rounds.parse().unwrap())
}

#[derive(Default)]
struct Reported {
    accepted: Mutex<BTreeSet<String>>,
    completed: Mutex<BTreeSet<String>>,
    stopped: AtomicBool,
}

async fn receive(store: PostgresStore, keys: Arc<StoreKeys>, reported: Arc<Reported>, prefix: usize) {
    for number in 0.. {
        if reported.stopped.load(Ordering::SeqCst) {
            return;
        }
        let name = format!("{prefix}-{number}");
        if accept(&store, &keys, &name).await.is_some() {
            reported.accepted.lock().unwrap().insert(name);
        } else {
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    }
}

async fn work(store: PostgresStore, reported: Arc<Reported>) {
    while !reported.stopped.load(Ordering::SeqCst) {
        let claimed = claim(&store, 5, LEASE).await;
        for claimed in &claimed {
            if process(&store, claimed).await {
                reported.completed.lock().unwrap().insert(claimed.facts.business_id.clone().unwrap());
            }
        }
        if claimed.is_empty() {
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn server_crashes_lose_nothing_and_repeat_no_effect() {
    let Some(mut server) = Server::start(&[]).await else { return };
    let random = Seeded::new();
    let config = server.database().await;
    execute(&config, EFFECTS).await;
    let keys = Arc::new(StoreKeys::generate().unwrap());
    let store = open(config, 12).await;
    let reported = Arc::new(Reported::default());
    let mut tasks = Vec::new();
    for prefix in 0..4 {
        tasks.push(tokio::spawn(receive(store.clone(), Arc::clone(&keys), Arc::clone(&reported), prefix)));
        tasks.push(tokio::spawn(work(store.clone(), Arc::clone(&reported))));
    }
    for _ in 0..rounds() {
        let enough = reported.accepted.lock().unwrap().len() + 20 + random.below(200);
        let deadline = Instant::now() + Duration::from_secs(60);
        while reported.accepted.lock().unwrap().len() < enough {
            assert!(Instant::now() < deadline, "the store does not recover from the crash");
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
        server.crash();
        server.run().await;
    }
    reported.stopped.store(true, Ordering::SeqCst);
    for task in tasks {
        task.await.unwrap();
    }
    let deadline = Instant::now() + Duration::from_secs(120);
    loop {
        let claimed = claim(&store, 50, Duration::from_secs(30)).await;
        futures_util::future::join_all(claimed.iter().map(|claimed| process(&store, claimed))).await;
        let stats = store.stats().await;
        if stats.as_ref().is_ok_and(|stats| stats.ready + stats.leased == 0) {
            break;
        }
        assert!(Instant::now() < deadline, "{stats:?}");
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
    assert_eq!(store.check().await.unwrap(), Vec::<String>::new());
    let entries = store.list(Query { limit: usize::MAX, ..Query::default() }).await.unwrap();
    let stored: BTreeSet<String> = entries.iter().filter_map(|entry| entry.facts.business_id.clone()).collect();
    let client = store.pool().get().await.unwrap();
    let rows = client.query("SELECT line FROM effect", &[]).await.unwrap();
    let effects: BTreeSet<String> = rows.iter().map(|row| row.get(0)).collect();
    assert_eq!(rows.len(), effects.len(), "an effect happened more than once");
    assert_eq!(effects, stored);
    let (accepted, completed) = (reported.accepted.lock().unwrap(), reported.completed.lock().unwrap());
    assert!(accepted.is_subset(&stored), "acknowledged and not stored");
    assert!(completed.is_subset(&effects), "completed without an effect");
}
