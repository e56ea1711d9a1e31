//! The child process that the tests kill.

use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use paytend_inbox::testing::TestNotification;
use paytend_inbox::{ClaimRequest, Claimed, Release, Store as _, StoreKeys};
use paytend_store_sqlite::{SqliteEffect, SqliteOptions, SqliteStore};
use paytend_vectors::Seeded;

/// The environment variables that contain the child's task and directory.
pub(crate) const TASK: &str = "PAYTEND_CHILD_TASK";
pub(crate) const DIRECTORY: &str = "PAYTEND_CHILD_DIRECTORY";
/// The environment variable that sets the offset of the child's clock, in minutes.
pub(crate) const CLOCK: &str = "PAYTEND_CHILD_CLOCK";
/// The environment variable that contains the round, which makes the names of this child's notifications unique.
pub(crate) const ROUND: &str = "PAYTEND_CHILD_ROUND";

/// The entry point of the child process, which is not a test itself.
#[test]
fn child() {
    let Ok(task) = std::env::var(TASK) else { return };
    let directory = PathBuf::from(std::env::var_os(DIRECTORY).unwrap());
    let round = std::env::var(ROUND).unwrap();
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build().unwrap();
    runtime.block_on(async {
        match task.as_str() {
            "load" => load(open(&directory, false).await, &round).await,
            "load without sync" => load(open(&directory, true).await, &round).await,
            "orders" => crate::orders::load(&directory, &round).await,
            #[cfg(feature = "failpoints")]
            "orders failpoint" => {
                crate::failpoints::configure();
                crate::orders::load(&directory, &round).await;
            }
            "failing disk" => failing_disk(&directory, &round).await,
            #[cfg(feature = "failpoints")]
            "failpoint" => {
                crate::failpoints::configure();
                load(open(&directory, false).await, &round).await;
            }
            #[cfg(feature = "failpoints")]
            "failed commits" => crate::failpoints::fail_commits(&open(&directory, false).await, &round).await,
            other => panic!("unknown task {other}"),
        }
    });
}

/// Sets a store's clock to the system's time plus a number of minutes.
pub(crate) fn shifted(options: SqliteOptions, minutes: i64) -> SqliteOptions {
    shifted_by_millis(options, minutes * 60_000)
}

/// Sets a store's clock to the system's time plus a number of milliseconds.
pub(crate) fn shifted_by_millis(options: SqliteOptions, millis: i64) -> SqliteOptions {
    let (now, started) = (std::time::SystemTime::now(), std::time::Instant::now());
    let shift = Duration::from_millis(millis.unsigned_abs());
    let start = if millis < 0 { now - shift } else { now + shift };
    options.clock(move || start + started.elapsed())
}

/// A store, and the keys that are in the same directory.
#[derive(Clone)]
pub(crate) struct Opened {
    pub(crate) store: SqliteStore,
    pub(crate) keys: Arc<StoreKeys>,
}

pub(crate) async fn open(directory: &Path, without_sync: bool) -> Opened {
    let keys = Arc::new(StoreKeys::load_or_create(directory.join("keys")).unwrap());
    let mut options = SqliteOptions::new(directory.join("inbox.db"));
    if without_sync {
        options = options.danger_without_sync();
    }
    if let Ok(minutes) = std::env::var(CLOCK) {
        options = shifted(options, minutes.parse().unwrap());
    }
    let store = options.open().unwrap();
    store.bind_keys(keys.check_value()).await.unwrap();
    let table = "CREATE TABLE IF NOT EXISTS effect (name TEXT NOT NULL)";
    store.write(move |transaction| transaction.execute_batch(table)).await.unwrap();
    Opened { store, keys }
}

/// Reports a line to the parent. The pipe keeps the line even if this process is killed immediately.
pub(crate) fn report(line: &str) {
    if std::env::var_os(TASK).is_none() {
        return;
    }
    let mut out = std::io::stdout().lock();
    out.write_all(format!("\n{line}\n").as_bytes()).unwrap();
    out.flush().unwrap();
}

/// Accepts and processes notifications until the process is killed. Accepts some notifications twice.
async fn load(opened: Opened, round: &str) {
    report("ready");
    let receiving = (0..8).map(|receiver| tokio::spawn(receive(opened.clone(), format!("{round}-{receiver}"))));
    let working = (0..3).map(|_| tokio::spawn(work(opened.clone())));
    for task in receiving.chain(working).collect::<Vec<_>>() {
        task.await.unwrap();
    }
}

async fn receive(opened: Opened, prefix: String) {
    let random = Seeded::new();
    let mut recent: Vec<String> = Vec::new();
    for number in 0.. {
        let name = match recent.len() {
            0 => format!("{prefix}-{number}"),
            _ if random.below(4) > 0 => format!("{prefix}-{number}"),
            known => recent[random.below(known)].clone(),
        };
        if accept(&opened, &name).await {
            report(&format!("accepted {name}"));
            recent.push(name);
            recent.truncate(20);
        }
    }
}

/// Accepts a notification whose name is also its business ID. Returns whether the notification can be acknowledged.
pub(crate) async fn accept(opened: &Opened, name: &str) -> bool {
    let order = name.len().is_multiple_of(2).then(|| name[..name.len() - 1].to_owned());
    let notification = TestNotification { business_id: Some(name.to_owned()), order, ..TestNotification::new(name) };
    opened.store.accept(notification.prepare(&opened.keys)).await.is_ok()
}

async fn work(opened: Opened) {
    let random = Seeded::new();
    loop {
        for claimed in claim(&opened, 8).await {
            if random.below(10) == 0 {
                let retry = Release::Retry { after: Duration::from_millis(5), cause: "as requested".into() };
                let _ = opened.store.release(claimed.lease, retry).await;
            } else {
                process(&opened, &claimed).await;
            }
        }
        tokio::task::yield_now().await;
    }
}

/// Claims with a short lease, so that the leases of a killed process expire soon.
pub(crate) async fn claim(opened: &Opened, limit: usize) -> Vec<Claimed> {
    let request = ClaimRequest { limit, lease: Duration::from_millis(200), holder: 1, kind_limits: Vec::new() };
    opened.store.claim(request).await.unwrap_or_default()
}

/// Completes a notification with an effect.
pub(crate) async fn process(opened: &Opened, claimed: &Claimed) {
    let name = claimed.facts.business_id.clone().unwrap();
    let row = name.clone();
    let effect: SqliteEffect = Box::new(move |transaction| {
        transaction.execute("INSERT INTO effect VALUES (?1)", [row])?;
        Ok(())
    });
    if opened.store.complete(claimed.lease, Some(effect)).await.is_ok() {
        report(&format!("completed {name}"));
    }
}

/// Simulates two kinds of disk failures while notifications arrive.
async fn failing_disk(directory: &Path, round: &str) {
    let opened = open(directory, false).await;
    let fault = PathBuf::from(std::env::var_os("PAYTEND_DISK_FAULT").unwrap());
    report("ready");
    let phase = async |name: &str| {
        let mut stored = 0;
        for number in 0..20 {
            let name = format!("{round}-{name}-{number}");
            if accept(&opened, &name).await {
                report(&format!("accepted {name}"));
                stored += 1;
            }
            for claimed in claim(&opened, 1).await {
                process(&opened, &claimed).await;
            }
        }
        stored
    };
    assert_eq!(phase("healthy").await, 20);
    for (kind, name) in [("w", "full"), ("s", "broken")] {
        std::fs::write(&fault, kind).unwrap();
        assert_eq!(phase(name).await, 0, "a notification was acknowledged while the disk failed");
        std::fs::remove_file(&fault).unwrap();
        // The store must recover without a restart.
        let deadline = std::time::Instant::now() + Duration::from_secs(30);
        while !accept(&opened, &format!("{round}-after-{name}")).await {
            assert!(std::time::Instant::now() < deadline, "the store did not recover");
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
        report(&format!("accepted {round}-after-{name}"));
        assert_eq!(phase(&format!("after-{name}")).await, 20);
    }
    report("end");
    std::future::pending::<()>().await;
}
