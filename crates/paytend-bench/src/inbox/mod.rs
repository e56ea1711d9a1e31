//! Benchmarks for receiving notifications into a store, from the socket to the disk, and for the store alone at several
//! sizes.

mod growth;
mod rates;
mod report;
mod service;
mod steady;

use std::time::Duration;

use paytend_inbox::{Inbox, StoreKeys};
use paytend_store_sqlite::SqliteStore;

use self::report::Report;
use self::service::Keys;

/// The store sizes to measure, in notifications.
const SIZES: [usize; 3] = [10_000, 100_000, 1_000_000];

/// Runs the measurements named in the arguments, or all of them. Returns whether all results are within their limits.
///
/// With `--full`, the constant loads last 600 and 30 seconds instead of 20 and 5, and the stores grow to a million
/// notifications instead of 100,000. With `--write=FILE`, the report is also written to this file.
pub(crate) fn run() -> bool {
    let is_given = |name: &str| std::env::args().any(|argument| argument == name);
    let all = !["rates", "steady", "growth"].into_iter().any(is_given);
    let full = is_given("--full");
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build().unwrap();
    let report = runtime.block_on(async {
        let mut report = Report::default();
        let keys = Keys::generate();
        if all || is_given("rates") {
            let directory = tempfile::tempdir().unwrap();
            report.rates = Some(rates::measure(&keys, &open(directory.path()).await).await);
        }
        if all || is_given("steady") {
            let loads = [(500, if full { 600 } else { 20 }), (2_000, if full { 30 } else { 5 })];
            for (rate, seconds) in loads {
                let directory = tempfile::tempdir().unwrap();
                let inbox = open(directory.path()).await;
                report.steady.push(steady::measure(&keys, &inbox, rate, Duration::from_secs(seconds)).await);
            }
        }
        if all || is_given("growth") {
            let sizes = if full { &SIZES[..] } else { &SIZES[..2] };
            report.growth.push(("SQLite", growth::sqlite(sizes).await));
            report.growth.extend(growth::postgres(sizes).await.map(|points| ("PostgreSQL", points)));
        }
        report
    });
    println!("{}", report.markdown());
    crate::report::write(&report.markdown());
    report.holds()
}

async fn open(directory: &std::path::Path) -> Inbox<SqliteStore> {
    let store = SqliteStore::open(directory.join("inbox.db")).unwrap();
    Inbox::open(store, StoreKeys::generate().unwrap()).await.unwrap()
}
