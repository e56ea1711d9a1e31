//! Tests with stores that are replaced by an earlier backup while orders are in progress.

use std::time::{Duration, Instant};

use paytend_outbox::{Audit, Outbox, OutboxAdmin as _};
use paytend_store_sqlite::{SqliteOptions, SqliteStore};
use paytend_vectors::Seeded;
use tokio::task::JoinHandle;

use crate::orders::{Place, add_faults, clear_faults, dispatcher, outbox, submit, topup};
use crate::parent::{Reported, rounds};

fn audit() -> Audit {
    Audit { who: "a test".into(), why: "restored".into() }
}

/// A store with two dispatchers.
struct Process {
    outbox: Outbox<SqliteStore>,
    running: [JoinHandle<()>; 2],
}

impl Process {
    /// Opens the store, prepares it if it was restored from a backup, and starts the dispatchers.
    async fn start(place: &Place, is_restored: bool) -> Self {
        let store = SqliteOptions::new(place.store.join("inbox.db")).open().unwrap();
        let table = "CREATE TABLE IF NOT EXISTS effect (name TEXT NOT NULL)";
        store.write(move |transaction| transaction.execute_batch(table)).await.unwrap();
        let outbox = outbox(store, &place.store, &place.profile).await;
        if is_restored {
            let recovered = outbox.store().recover_orders(audit()).await.unwrap();
            assert!(recovered.unreadable.is_empty(), "{recovered:?}");
        }
        let running = [(); 2].map(|()| {
            let dispatcher = dispatcher(&outbox).build();
            tokio::spawn(async move {
                dispatcher.run(std::future::pending()).await;
            })
        });
        Self { outbox, running }
    }

    /// Submits orders, each after a random pause.
    async fn submit(&self, place: &Place, numbers: std::ops::Range<usize>, random: &Seeded) {
        for number in numbers {
            let name = number.to_string();
            submit(&self.outbox, &topup(place.sandbox().card_id(), &name), &name, number).await.unwrap();
            tokio::time::sleep(Duration::from_millis(random.below(30) as u64)).await;
        }
    }

    fn crash(self) {
        for task in self.running {
            task.abort();
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn no_order_is_executed_twice_or_lost_after_a_backup_is_restored() {
    let random = Seeded::new();
    let mut place = Place::new().await;
    drop(paytend_inbox::StoreKeys::load_or_create(place.store.join("keys")).unwrap());
    let mut process = Process::start(&place, false).await;
    let mut next = 0;
    for round in 0..rounds(2) {
        let first = next;
        next += 1 + random.below(10);
        process.submit(&place, first..next, &random).await;
        let restored = place.store.with_file_name(format!("store-{round}"));
        std::fs::create_dir(&restored).unwrap();
        process.outbox.store().backup(&restored.join("inbox.db")).await.unwrap();
        std::fs::copy(place.store.join("keys"), restored.join("keys")).unwrap();
        // These orders are not in the backup.
        let first = next;
        next += random.below(10);
        process.submit(&place, first..next, &random).await;
        place.disturb(&random).await;
        process.crash();
        place.store = restored;
        process = Process::start(&place, true).await;
        // All orders in the books are submitted again.
        process.submit(&place, 0..next, &random).await;
        clear_faults(place.sandbox());
        let deadline = Instant::now() + Duration::from_secs(120);
        loop {
            let stats = process.outbox.store().order_stats().await.unwrap();
            if stats.open_by_key.is_empty() {
                break;
            }
            assert!(Instant::now() < deadline, "orders were not completed in time: {stats:?}");
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
        assert!(process.outbox.store().end_recovery(audit()).await.unwrap());
        add_faults(place.sandbox());
    }
    process.crash();
    let mut reported = Reported::default();
    reported.accepted.extend((0..next).map(|number| number.to_string()));
    place.finish_and_check(&reported).await;
}
