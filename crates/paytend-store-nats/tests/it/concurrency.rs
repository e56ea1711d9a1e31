//! Tests with several programs that use one store.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use paytend_inbox::testing::TestNotification;
use paytend_inbox::{Accepted, Id, Release, Store as _, StoreAdmin as _, StoreKeys};
use paytend_vectors::Seeded;

use crate::cluster::Cluster;
use crate::support::{accept, claim, options};

const LEASE: Duration = Duration::from_secs(120);

#[tokio::test(flavor = "multi_thread")]
async fn exactly_one_of_several_concurrent_deliveries_is_new() {
    let Some(cluster) = Cluster::shared().await else { return };
    let name = cluster.store_name();
    let keys = Arc::new(StoreKeys::generate().unwrap());
    let mut tasks = Vec::new();
    for _ in 0..6 {
        let (store, keys) = (options(&cluster, &name).open().await.unwrap(), Arc::clone(&keys));
        store.bind_keys(keys.check_value()).await.unwrap();
        tasks.push(tokio::spawn(async move {
            let names: Vec<String> = (0..25).map(|number| format!("{number}")).collect();
            let accepted = names.iter().map(|name| async { accept(&store, &keys, name).await.unwrap() });
            futures_util::future::join_all(accepted).await
        }));
    }
    let mut of_number: BTreeMap<usize, Vec<Accepted>> = BTreeMap::new();
    for task in tasks {
        for (number, accepted) in task.await.unwrap().into_iter().enumerate() {
            of_number.entry(number).or_default().push(accepted);
        }
    }
    for accepted in of_number.values() {
        let new = accepted.iter().filter(|accepted| matches!(accepted, Accepted::New(_))).count();
        let ids: BTreeSet<Id> = accepted.iter().map(|accepted| accepted.id()).collect();
        let sighting = |accepted: &Accepted| match accepted {
            Accepted::New(_) => None,
            Accepted::Duplicate { sighting, .. } => Some(*sighting),
        };
        let sightings: BTreeSet<u64> = accepted.iter().filter_map(sighting).collect();
        assert_eq!((new, ids.len()), (1, 1), "{accepted:?}");
        assert_eq!(sightings, (1..=5).collect(), "each duplicate is counted once: {accepted:?}");
    }
    let store = options(&cluster, &name).open().await.unwrap();
    assert_eq!(store.check().await.unwrap(), Vec::<String>::new());
    assert_eq!(store.stats().await.unwrap().sightings, 5 * 25);
}

/// The notifications and order keys that are being processed.
#[derive(Default)]
struct Active {
    keys: Mutex<BTreeSet<String>>,
    processed: Mutex<BTreeMap<Id, usize>>,
    stopped: AtomicBool,
}

fn ordered(number: usize) -> TestNotification {
    let key = (number % 5).to_string();
    let business_id = Some(key.clone());
    let requeue_sighting = number.is_multiple_of(3);
    TestNotification { order: Some(key), business_id, requeue_sighting, ..TestNotification::new(number.to_string()) }
}

#[tokio::test(flavor = "multi_thread")]
async fn workers_process_one_notification_of_an_order_key_at_a_time() {
    let Some(cluster) = Cluster::shared().await else { return };
    let name = cluster.store_name();
    let keys = Arc::new(StoreKeys::generate().unwrap());
    let active = Arc::new(Active::default());
    let seeds = Seeded::new();
    let mut workers = Vec::new();
    for _ in 0..4 {
        let store = options(&cluster, &name).open().await.unwrap();
        let (active, random) = (Arc::clone(&active), Seeded::with(seeds.next()));
        workers.push(tokio::spawn(async move {
            while !active.stopped.load(Ordering::SeqCst) {
                let claimed = claim(&store, 1 + random.below(3), LEASE).await;
                let processing = claimed.iter().map(|claimed| {
                    let key = claimed.facts.business_id.clone().unwrap();
                    assert!(
                        active.keys.lock().unwrap().insert(key.clone()),
                        "two notifications with order key {key} are being processed"
                    );
                    let end = random.below(8);
                    let (store, active) = (&store, &active);
                    async move {
                        tokio::task::yield_now().await;
                        // The key is removed before the completion, because another worker can claim the next
                        // notification immediately afterwards.
                        assert!(active.keys.lock().unwrap().remove(&key));
                        let lease = claimed.lease;
                        match end {
                            0 => store.release(lease, Release::DeadLetter { cause: "poison".into() }).await,
                            1 => store.release(lease, Release::GiveBack).await,
                            2 => store.release(lease, retry()).await,
                            _ => {
                                *active.processed.lock().unwrap().entry(lease.id).or_default() += 1;
                                store.complete(lease, None).await
                            }
                        }
                        .unwrap();
                    }
                });
                futures_util::future::join_all(processing).await;
                tokio::time::sleep(Duration::from_millis(1)).await;
            }
        }));
    }
    let store = options(&cluster, &name).open().await.unwrap();
    for number in 0..120 {
        store.accept(ordered(number).prepare(&keys)).await.unwrap();
        match seeds.below(8) {
            0 => drop(store.accept(ordered(seeds.below(number + 1)).prepare(&keys)).await.unwrap()),
            1 => drop(store.redrive(None).await.unwrap()),
            _ => {}
        }
    }
    let deadline = Instant::now() + Duration::from_secs(120);
    loop {
        store.redrive(None).await.unwrap();
        let stats = store.stats().await.unwrap();
        if stats.done == 120 {
            break;
        }
        assert!(Instant::now() < deadline && workers.iter().all(|worker| !worker.is_finished()), "{stats:?}");
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    active.stopped.store(true, Ordering::SeqCst);
    for worker in workers {
        worker.await.unwrap();
    }
    assert_eq!(active.processed.lock().unwrap().len(), 120);
    assert_eq!(store.check().await.unwrap(), Vec::<String>::new());
}

fn retry() -> Release {
    Release::Retry { after: Duration::from_millis(5), cause: "later".into() }
}
