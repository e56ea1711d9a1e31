//! Stores in temporary directories, and the harness for the conformance suite.

use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use paytend_inbox::testing::{EffectEnd, Harness, TestClock, TestNotification};
use paytend_inbox::{ClaimRequest, Claimed, Id, Store as _, StoreKeys};
use paytend_store_sqlite::rusqlite::params;
use paytend_store_sqlite::{SqliteEffect, SqliteOptions, SqliteStore};
use tempfile::TempDir;

pub(crate) const EFFECTS: &str = "CREATE TABLE IF NOT EXISTS effect (line TEXT NOT NULL)";

pub(crate) struct SqliteHarness {
    pub(crate) directory: TempDir,
    clock: Arc<TestClock>,
    next: std::sync::atomic::AtomicUsize,
}

impl SqliteHarness {
    pub(crate) fn new() -> Self {
        Self { directory: tempfile::tempdir().unwrap(), clock: Arc::default(), next: 0.into() }
    }

    pub(crate) fn now(&self) -> std::time::SystemTime {
        self.clock.now()
    }

    pub(crate) fn path(&self, name: &str) -> PathBuf {
        self.directory.path().join(name)
    }

    pub(crate) fn options(&self, name: &str) -> SqliteOptions {
        let clock = Arc::clone(&self.clock);
        SqliteOptions::new(self.path(name)).clock(move || clock.now())
    }
}

impl Harness for SqliteHarness {
    type Store = SqliteStore;

    async fn create(&self) -> SqliteStore {
        let number = self.next.fetch_add(1, std::sync::atomic::Ordering::SeqCst);
        let store = self.options(&format!("{number}.db")).open().unwrap();
        store.write(|transaction| transaction.execute_batch(EFFECTS)).await.unwrap();
        store
    }

    async fn reopen(&self, store: SqliteStore) -> SqliteStore {
        drop(store);
        let number = self.next.load(std::sync::atomic::Ordering::SeqCst) - 1;
        self.options(&format!("{number}.db")).must_exist().open().unwrap()
    }

    async fn advance(&self, _: &SqliteStore, time: Duration) {
        self.clock.advance(time);
    }

    fn effect(&self, line: &str, end: EffectEnd) -> SqliteEffect {
        let line = line.to_owned();
        Box::new(move |transaction| {
            transaction.execute("INSERT INTO effect VALUES (?1)", params![line])?;
            end.apply()
        })
    }

    async fn recorded(&self, store: &SqliteStore) -> Vec<String> {
        recorded(store).await
    }
}

/// Returns the lines that effects have recorded.
pub(crate) async fn recorded(store: &SqliteStore) -> Vec<String> {
    let read = store.write(|transaction| {
        transaction.prepare("SELECT line FROM effect ORDER BY line")?.query_map([], |row| row.get(0))?.collect()
    });
    read.await.unwrap()
}

pub(crate) async fn accept(store: &SqliteStore, keys: &Arc<StoreKeys>, name: &str) -> Id {
    store.accept(TestNotification::new(name).prepare(keys)).await.unwrap().id()
}

pub(crate) async fn claim(store: &SqliteStore, limit: usize) -> Vec<Claimed> {
    let request = ClaimRequest { limit, lease: Duration::from_secs(60), holder: 1, kind_limits: Vec::new() };
    store.claim(request).await.unwrap()
}

pub(crate) fn keys() -> Arc<StoreKeys> {
    Arc::new(StoreKeys::generate().unwrap())
}
