//! Tests with servers that crash under load.

use std::collections::BTreeSet;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use futures_util::future::join_all;
use paytend_inbox::{Query, StoreAdmin as _, StoreKeys};
use paytend_store_postgres::PostgresStore;
use paytend_store_postgres::tokio_postgres::Config;
use paytend_vectors::Seeded;
use rustix::process::{Pid, Signal, kill_process};

use crate::server::{Server, execute, number};
use crate::support::{EFFECTS, accept, claim, open, process};

const LEASE: Duration = Duration::from_millis(500);
/// The number of receivers, and also the number of workers.
const EACH: usize = 10;

/// Returns the number of crashes. It is small unless the `PAYTEND_FAULT_ROUNDS` environment variable is set.
fn rounds() -> usize {
    std::env::var("PAYTEND_FAULT_ROUNDS").map_or(3, |rounds| rounds.parse().unwrap())
}

/// The notifications that the store has reported as accepted or completed.
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
        let claimed = claim(&store, 20, LEASE).await;
        let completing = claimed.iter().map(|claimed| process(&store, claimed));
        for (claimed, completed) in claimed.iter().zip(join_all(completing).await) {
            if completed {
                reported.completed.lock().unwrap().insert(claimed.facts.business_id.clone().unwrap());
            }
        }
        if claimed.is_empty() {
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
    }
}

/// Receivers and workers with separate stores, which simulate separate processes.
struct Load {
    store: PostgresStore,
    reported: Arc<Reported>,
    tasks: Vec<tokio::task::JoinHandle<()>>,
}

impl Load {
    async fn start(config: Config) -> Self {
        let keys = Arc::new(StoreKeys::generate().unwrap());
        let (reported, mut tasks) = (Arc::new(Reported::default()), Vec::new());
        for prefix in 0..EACH {
            let store = open(config.clone(), 2).await;
            tasks.push(tokio::spawn(receive(store, Arc::clone(&keys), Arc::clone(&reported), prefix)));
            tasks.push(tokio::spawn(work(open(config.clone(), 2).await, Arc::clone(&reported))));
        }
        let store = open(config, 2).await;
        Self { store, reported, tasks }
    }

    fn accepted(&self) -> usize {
        self.reported.accepted.lock().unwrap().len()
    }

    /// Waits until `count` more notifications are accepted.
    async fn accepts(&self, count: usize) {
        let enough = self.accepted() + count;
        let deadline = Instant::now() + Duration::from_secs(60);
        while self.accepted() < enough {
            assert!(Instant::now() < deadline, "the store did not recover from the crash");
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
    }

    /// Processes the remaining notifications, and compares the reported results with the stored rows.
    async fn finish(self) {
        let Self { store, reported, tasks } = self;
        reported.stopped.store(true, Ordering::SeqCst);
        for task in tasks {
            task.await.unwrap();
        }
        let deadline = Instant::now() + Duration::from_secs(120);
        loop {
            let claimed = claim(&store, 50, Duration::from_secs(30)).await;
            join_all(claimed.iter().map(|claimed| process(&store, claimed))).await;
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
        assert!(accepted.is_subset(&stored), "a notification was acknowledged but not stored");
        assert!(completed.is_subset(&effects), "a notification was completed without its effect");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn server_crashes_lose_no_notification_and_repeat_no_effect() {
    let Some(mut server) = Server::start(&[]).await else { return };
    let random = Seeded::new();
    let config = server.database().await;
    execute(&config, EFFECTS).await;
    let load = Load::start(config).await;
    for round in 0..rounds() {
        load.accepts(20 + random.below(200)).await;
        if round % 2 == 0 {
            server.crash();
            server.run().await;
        } else {
            kill_session(&server.config("postgres")).await;
        }
    }
    load.finish().await;
}

/// Kills a process that completes notifications. The server then ends all other sessions and recovers.
async fn kill_session(config: &Config) {
    let sql = "SELECT coalesce((SELECT pid FROM pg_stat_activity WHERE state <> 'idle' AND pid <> pg_backend_pid() \
         AND (query LIKE '%SAVEPOINT paytend_effect%' OR query LIKE 'INSERT INTO effect%') LIMIT 1), 0)";
    let deadline = Instant::now() + Duration::from_secs(60);
    loop {
        if let Some(process) = Pid::from_raw(number(config, sql).await) {
            return kill_process(process, Signal::KILL).unwrap();
        }
        assert!(Instant::now() < deadline, "no session was completing a notification");
        tokio::time::sleep(Duration::from_millis(1)).await;
    }
}

/// A claim is committed without waiting for the disk, so a crash can undo its attempt count. Repeated crashes must not
/// undo the count every time.
#[tokio::test(flavor = "multi_thread")]
async fn attempts_that_crash_the_server_are_counted() {
    let Some(mut server) = Server::start(&[]).await else { return };
    let config = server.database().await;
    let keys = Arc::new(StoreKeys::generate().unwrap());
    let store = open(config.clone(), 2).await;
    accept(&store, &keys, "poison").await.unwrap();
    let mut tries = Vec::new();
    for _ in 0..4 {
        let deadline = Instant::now() + Duration::from_secs(60);
        let claimed = loop {
            if let Some(claimed) = claim(&store, 1, Duration::from_millis(1)).await.pop() {
                break claimed;
            }
            assert!(Instant::now() < deadline, "the notification is not claimed");
            tokio::time::sleep(Duration::from_millis(5)).await;
        };
        tries.push(claimed.tries);
        server.crash();
        server.run().await;
    }
    assert!(tries[3] >= 3 && tries[1..].is_sorted_by(|one, next| one < next), "{tries:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn failover_to_a_synchronous_standby_loses_nothing_and_repeats_no_effect() {
    let Some(mut primary) = Server::start(&[]).await else { return };
    let random = Seeded::new();
    let mut config = primary.database().await;
    execute(&config, EFFECTS).await;
    let standby = primary.standby().await;
    // The setting is changed after the standby was copied from the primary. Otherwise, the standby would also have the
    // setting, and would wait for another standby when it becomes the primary.
    execute(&config, "ALTER SYSTEM SET synchronous_standby_names = '*'").await;
    execute(&config, "SELECT pg_reload_conf()").await;
    let synchronous = "DO $$ BEGIN WHILE NOT EXISTS (SELECT FROM pg_stat_replication WHERE sync_state = 'sync') LOOP \
         PERFORM pg_sleep(0.02), pg_stat_clear_snapshot(); END LOOP; END $$";
    execute(&config, synchronous).await;
    config.host_path(standby.directory());
    let load = Load::start(config).await;
    load.accepts(50 + random.below(200)).await;
    // The standby receives no more data, and later becomes the primary. Without synchronous commits, notifications that
    // are acknowledged after this point would be lost.
    let receiver = number(&standby.config("postgres"), "SELECT pid FROM pg_stat_wal_receiver").await;
    let receiver = Pid::from_raw(receiver).unwrap();
    kill_process(receiver, Signal::STOP).unwrap();
    let (before, deadline) = (load.accepted(), Instant::now() + Duration::from_millis(500));
    while load.accepted() < before + 50 && Instant::now() < deadline {
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
    primary.destroy();
    kill_process(receiver, Signal::KILL).unwrap();
    standby.answers().await;
    execute(&standby.config("postgres"), "SELECT pg_promote()").await;
    load.accepts(50).await;
    load.finish().await;
}
