//! Tests with servers that are killed under load.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use paytend_inbox::{Accepted, Query, Store as _, StoreAdmin as _, StoreKeys};
use paytend_store_nats::{NatsOptions, NatsStore};
use paytend_vectors::Seeded;

use crate::cluster::{Cluster, Setup};
use crate::support::{accept, options, try_claim};

const LEASE: Duration = Duration::from_secs(3);
const RECOVERY: Duration = Duration::from_secs(180);

/// Returns the number of kills. It is small unless the `PAYTEND_FAULT_ROUNDS` environment variable is set.
fn rounds() -> usize {
    std::env::var("PAYTEND_FAULT_ROUNDS").map_or(3, |rounds| rounds.parse().unwrap())
}

#[derive(Default)]
struct Reported {
    accepted: Mutex<BTreeSet<String>>,
    new: Mutex<Vec<String>>,
    completed: Mutex<BTreeSet<String>>,
    /// The rows that handlers have inserted into their database, by their unique key.
    effects: Mutex<BTreeMap<String, String>>,
    runs: AtomicUsize,
    stopped: AtomicBool,
}

async fn receive(store: NatsStore, keys: Arc<StoreKeys>, reported: Arc<Reported>, prefix: usize, random: Seeded) {
    for number in 0.. {
        if reported.stopped.load(Ordering::SeqCst) {
            return;
        }
        // Some notifications are duplicates of earlier notifications. Each notification is sent until it is
        // acknowledged.
        let number = if random.below(10) == 0 { random.below(number + 1) } else { number };
        let name = format!("{prefix}-{number}");
        match accept(&store, &keys, &name).await {
            Ok(accepted) => {
                if let Accepted::New(_) = accepted {
                    reported.new.lock().unwrap().push(name.clone());
                }
                reported.accepted.lock().unwrap().insert(name);
            }
            Err(_) => tokio::time::sleep(Duration::from_millis(20)).await,
        }
    }
}

async fn work(store: NatsStore, reported: Arc<Reported>) {
    while !reported.stopped.load(Ordering::SeqCst) {
        process(&store, &reported).await;
    }
}

async fn process(store: &NatsStore, reported: &Reported) {
    let claimed = try_claim(store, 5, LEASE).await.unwrap_or_default();
    if claimed.is_empty() {
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
    for claimed in &claimed {
        let name = claimed.facts.business_id.clone().unwrap();
        reported.runs.fetch_add(1, Ordering::SeqCst);
        assert!(!claimed.is_sighting, "no duplicate requires another run");
        // This is the value of `Delivery::idempotency_key`, which differs for each run.
        let key = format!("{}-{}", claimed.facts.dedup, claimed.completed_runs);
        reported.effects.lock().unwrap().insert(key, name.clone());
        if store.complete(claimed.lease, None).await.is_ok() {
            assert!(reported.completed.lock().unwrap().insert(name), "completed twice");
        }
    }
}

fn impatient(cluster: &Cluster, name: &str) -> NatsOptions {
    options(cluster, name).operation_timeout(Duration::from_secs(4))
}

#[tokio::test(flavor = "multi_thread")]
async fn killed_servers_lose_no_notification_and_repeat_no_effect() {
    let Some(mut cluster) = Cluster::start(Setup::default()).await else { return };
    let random = Seeded::new();
    let name = cluster.store_name();
    let keys = Arc::new(StoreKeys::generate().unwrap());
    let reported = Arc::new(Reported::default());
    // The streams are created before the load starts, because creating them can take a long time.
    options(&cluster, &name).open().await.unwrap();
    let mut tasks = Vec::new();
    for prefix in 0..3 {
        let (receiver, worker) = (impatient(&cluster, &name), impatient(&cluster, &name));
        let random = Seeded::with(random.next());
        let (keys, first, second) = (Arc::clone(&keys), Arc::clone(&reported), Arc::clone(&reported));
        let receiver = receiver.open().await.unwrap();
        let worker = worker.open().await.unwrap();
        tasks.push(tokio::spawn(receive(receiver, keys, first, prefix, random)));
        tasks.push(tokio::spawn(work(worker, second)));
    }
    for round in 0..rounds() {
        let enough = reported.accepted.lock().unwrap().len() + 20 + random.below(100);
        wait_for(&cluster, "the store did not recover", || reported.accepted.lock().unwrap().len() >= enough).await;
        let leader = cluster.wait_until_current(&name).await;
        let victim = if round % 2 == 0 { cluster.number(&leader) } else { random.below(cluster.size()) };
        cluster.kill(victim);
        // While one server is stopped, notifications are still accepted and processed.
        let enough = reported.accepted.lock().unwrap().len() + 10;
        wait_for(&cluster, "no notification was accepted in time", || {
            reported.accepted.lock().unwrap().len() >= enough
        })
        .await;
        cluster.restart(victim).await;
    }
    reported.stopped.store(true, Ordering::SeqCst);
    for task in tasks {
        task.await.unwrap();
    }
    cluster.wait_until_current(&name).await;
    let store = options(&cluster, &name).open().await.unwrap();
    let deadline = Instant::now() + RECOVERY;
    loop {
        process(&store, &reported).await;
        let stats = store.stats().await.unwrap();
        if stats.ready + stats.leased + stats.backoff == 0 {
            break;
        }
        assert!(Instant::now() < deadline, "{stats:?}");
    }
    assert_eq!(store.check().await.unwrap(), Vec::<String>::new());
    let entries = store.list(Query { limit: usize::MAX, ..Query::default() }).await.unwrap();
    let stored: BTreeSet<String> = entries.iter().filter_map(|entry| entry.facts.business_id.clone()).collect();
    assert_eq!(stored.len(), entries.len(), "a notification was stored twice");
    let (accepted, new) = (reported.accepted.lock().unwrap(), reported.new.lock().unwrap());
    assert!(accepted.is_subset(&stored), "a notification was acknowledged but not stored");
    assert_eq!(new.iter().collect::<BTreeSet<_>>().len(), new.len(), "a notification was reported as new twice");
    let effects = reported.effects.lock().unwrap();
    let names: BTreeSet<String> = effects.values().cloned().collect();
    assert_eq!(names.len(), effects.len(), "the effect of a notification happened twice");
    assert_eq!(names, stored);
    assert!(reported.completed.lock().unwrap().is_subset(&names));
    eprintln!(
        "{} kills: {} notifications acknowledged, {} stored, {} lost, {} effects of {} runs",
        rounds(),
        accepted.len(),
        stored.len(),
        accepted.difference(&stored).count(),
        effects.len(),
        reported.runs.load(Ordering::SeqCst),
    );
}

async fn wait_for(cluster: &Cluster, message: &str, is_met: impl Fn() -> bool) {
    let deadline = Instant::now() + RECOVERY;
    while !is_met() {
        assert!(Instant::now() < deadline, "{message}: {}", cluster.log());
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
}
