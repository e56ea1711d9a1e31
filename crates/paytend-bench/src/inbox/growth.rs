//! Measures how fast a store is at different sizes.

use std::ops::Range;
use std::sync::Arc;
use std::time::{Duration, Instant};

use futures_util::StreamExt as _;
use paytend_inbox::testing::TestNotification;
use paytend_inbox::{Accepted, ClaimRequest, Store, StoreKeys};
use paytend_store_postgres::PostgresOptions;
use paytend_store_sqlite::SqliteStore;

use super::rates::median;
use crate::server::{Server, execute, number};

/// The number of notifications in each measurement.
const SAMPLE: usize = 10_000;
/// The number of measurements at each size. Their median counts.
const SAMPLES: usize = 3;
/// The number of notifications that are accepted or completed at the same time. It is equal to the number of
/// connections in the other measurements.
const CONCURRENT: usize = super::rates::CONNECTIONS;

/// The speed of a store at one size, in notifications per second.
pub(super) struct Point {
    pub(super) size: usize,
    pub(super) new: u128,
    pub(super) duplicates: u128,
    pub(super) completed: u128,
    /// The bytes on disk per stored notification.
    pub(super) bytes_each: u64,
}

/// Measures an SQLite store at several sizes.
pub(super) async fn sqlite(sizes: &[usize]) -> Vec<Point> {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("inbox.db");
    let store = SqliteStore::open(&path).unwrap();
    measure(&store, sizes, || async { std::fs::metadata(&path).unwrap().len() >> 10 }).await
}

/// Measures a PostgreSQL store at several sizes, or returns `None` if PostgreSQL is not installed.
pub(super) async fn postgres(sizes: &[usize]) -> Option<Vec<Point>> {
    let server = Server::start(&[]).await?;
    let config = server.database().await;
    let store = PostgresOptions::new(config.clone()).max_connections(10).open().await.unwrap();
    let kibibytes = || async {
        // Does what autovacuum would do on a long-running server.
        execute(&config, "VACUUM ANALYZE").await;
        let size = "SELECT (pg_database_size(current_database()) / 1024)::int";
        u64::try_from(number(&config, size).await).unwrap()
    };
    Some(measure(&store, sizes, kibibytes).await)
}

/// Fills a store to each size with processed notifications, as in a service whose workers keep up, and measures it.
async fn measure<S: Store>(store: &S, sizes: &[usize], kibibytes: impl AsyncFn() -> u64) -> Vec<Point> {
    let keys = Arc::new(StoreKeys::generate().unwrap());
    let (mut stored, mut points) = (0, Vec::new());
    for &size in sizes {
        while stored < size {
            accept(store, &keys, stored..stored + SAMPLE).await;
            stored += SAMPLE;
            drain(store).await;
        }
        let bytes_each = kibibytes().await * 1024 / stored as u64;
        let rate = |started: Instant| SAMPLE as u128 * 1_000_000 / started.elapsed().as_micros();
        let [mut new, mut completed, mut duplicates] = [const { Vec::new() }; 3];
        for _ in 0..SAMPLES {
            let started = Instant::now();
            accept(store, &keys, stored..stored + SAMPLE).await;
            new.push(rate(started));
            stored += SAMPLE;
            let started = Instant::now();
            assert_eq!(drain(store).await, SAMPLE);
            completed.push(rate(started));
            let started = Instant::now();
            accept(store, &keys, 0..SAMPLE).await;
            duplicates.push(rate(started));
        }
        let [new, completed, duplicates] = [new, completed, duplicates].map(median);
        points.push(Point { size, new, duplicates, completed, bytes_each });
    }
    points
}

async fn accept<S: Store>(store: &S, keys: &Arc<StoreKeys>, numbers: Range<usize>) {
    let accepted = futures_util::stream::iter(numbers).map(|number| {
        // One kilobyte of content. The contents of two notifications differ only in their last digits.
        let content = format!("{number:0>1000}");
        let notification = TestNotification { business_id: Some(number.to_string()), ..TestNotification::new(content) };
        store.accept(notification.prepare(keys))
    });
    let mut accepted = accepted.buffer_unordered(CONCURRENT);
    while let Some(accepted) = accepted.next().await {
        assert!(matches!(accepted, Ok(Accepted::New(_) | Accepted::Duplicate { .. })));
    }
}

/// Claims and completes all notifications, and returns their number.
async fn drain<S: Store>(store: &S) -> usize {
    let mut done = 0;
    loop {
        let lease = Duration::from_secs(60);
        let request = ClaimRequest { limit: CONCURRENT, lease, holder: 1, kind_limits: Vec::new() };
        let claimed = store.claim(request).await.unwrap();
        if claimed.is_empty() {
            return done;
        }
        done += claimed.len();
        let completed = futures_util::future::join_all(claimed.iter().map(|c| store.complete(c.lease, None))).await;
        assert!(completed.iter().all(Result::is_ok));
    }
}
