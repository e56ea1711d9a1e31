//! Measures orders in an SQLite store, from submission to completion, and compares them with the client alone.

use std::fmt::Write as _;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use paytend_client::{Client, Environment, OrderStates, Resolution};
use paytend_crypto::rsa::Backend;
use paytend_crypto::rustcrypto::RustCrypto;
use paytend_crypto::{Keyring, OsRandom, rustcrypto};
use paytend_crypto_aws_lc::AwsLc;
use paytend_inbox::StoreKeys;
use paytend_model::issuing::Topup;
use paytend_outbox::testing::TestOrder;
use paytend_outbox::{ClaimOrders, Dispatcher, Outbox, OutboxStore as _, SubmitOptions, Submitted};
use paytend_sandbox::Sandbox;
use paytend_store_sqlite::{SqliteStore, in_transaction};

use crate::PARTNER_ID;
use crate::measure::decimal;

/// The number of orders that are sent at the same time.
const CONCURRENT: usize = 64;
/// The number of orders in one round.
const ROUND: usize = 2_000;
/// The number of rounds. The result is the median.
const ROUNDS: usize = 7;
/// The number of orders that are claimed in one round.
const CLAIMED: usize = 2_000;
/// The minimum speed relative to the client alone with the default backend, in thousandths.
const FLOOR: u128 = 700;
/// The minimum speed of claiming in a store with finished orders, relative to an empty store, in thousandths.
const CLAIM_FLOOR: u128 = 667;

/// Runs the benchmark, or one of its parts: `orders`, `claim`. With `--full`, claiming is measured in a store with
/// 1,000,000 finished orders instead of 100,000. With `--write=FILE`, the report is also written to this file. Returns
/// whether the ratios reach their minimums.
pub(crate) fn run() -> bool {
    let is_named = |part: &str| std::env::args().any(|argument| argument == part);
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build().unwrap();
    let (mut report, mut holds) = (String::new(), true);
    if !is_named("claim") {
        let [fast, default] = runtime
            .block_on(async { [orders("AWS-LC", AwsLc).await, orders("RustCrypto, the default", RustCrypto).await] });
        // Only the default backend must reach the minimum. With a faster backend, the store takes a larger share of the
        // time.
        holds &= default.share >= FLOOR;
        report.push_str(&orders_table(&[fast, default]));
    }
    if !is_named("orders") {
        let finished = if is_named("--full") { 1_000_000 } else { 100_000 };
        let claims = runtime.block_on(claims(finished));
        holds &= claims.share >= CLAIM_FLOOR;
        report.push_str(&claims.text());
    }
    println!("{report}");
    crate::report::write(&report);
    holds
}

/// The rates with one backend, in orders per second.
struct OrdersResult {
    backend: &'static str,
    alone: u128,
    stored: u128,
    /// The median of the ratios of the rounds, in thousandths.
    share: u128,
}

fn orders_table(results: &[OrdersResult]) -> String {
    let mut text = format!(
        "Orders that are submitted, sent and completed with an effect on SQLite, compared with the same\nrequests sent \
         by the client alone: 1024 bits, {CONCURRENT} at the same time, the sandbox on the same processors.\nValues \
         are orders per second.\n\n| backend | client alone | with the store | ratio | floor |\n|---|---|---|---|---|\n"
    );
    for (index, OrdersResult { backend, alone, stored, share }) in results.iter().enumerate() {
        let floor = if index + 1 == results.len() { decimal(FLOOR) } else { "–".to_owned() };
        let _ = writeln!(text, "| {backend} | {alone} | {stored} | {} | {floor} |", decimal(*share));
    }
    text.push('\n');
    text
}

/// The speed of claiming.
struct ClaimsResult {
    finished: usize,
    /// The times per order in an empty store and beside finished orders, in nanoseconds.
    empty: u128,
    full: u128,
    /// The median of the ratios of the rounds, in thousandths.
    share: u128,
}

impl ClaimsResult {
    fn text(&self) -> String {
        format!(
            "Claiming sixteen orders at a time on SQLite takes {} ns per order in an empty store, and {} ns in a \
             store\nwith {} finished orders: {} of the speed (floor {}).\n",
            self.empty,
            self.full,
            self.finished,
            decimal(self.share),
            decimal(CLAIM_FLOOR)
        )
    }
}

fn median(mut values: Vec<u128>) -> u128 {
    values.sort_unstable();
    values[values.len() / 2]
}

fn topup(card: &str, number: String) -> Topup {
    Topup::builder().card_id(card).order_no(number).amount("0.01".parse().unwrap()).currency("EUR").build()
}

/// Calls a function with each number below `count`, from several tasks.
async fn concurrently<F, T>(count: usize, function: F)
where
    F: Fn(usize) -> T + Clone + Send + Sync + 'static,
    T: Future<Output = ()> + Send,
{
    let next = Arc::new(AtomicUsize::new(0));
    let tasks = (0..CONCURRENT).map(|_| {
        let (next, function) = (Arc::clone(&next), function.clone());
        tokio::spawn(async move {
            loop {
                match next.fetch_add(1, Ordering::Relaxed) {
                    number if number < count => function(number).await,
                    _ => return,
                }
            }
        })
    });
    for task in tasks.collect::<Vec<_>>() {
        task.await.unwrap();
    }
}

/// Compares submitting, sending and completing orders with sending alone, in alternating rounds.
async fn orders(name: &'static str, backend: impl Backend + Copy + 'static) -> OrdersResult {
    let [paytend, partner] = [(); 2].map(|()| rustcrypto::generate(1024, &OsRandom).unwrap());
    let keyring =
        Keyring::builder().backend(&backend).own_key(&partner).peer_key(paytend.public_key()).build().unwrap();
    let builder = Sandbox::builder().backend(backend).key(paytend).partner(PARTNER_ID, partner.public_key().clone());
    let sandbox = builder.start().await.unwrap();
    let client = Client::builder(Environment::BaseUrl(sandbox.url()), PARTNER_ID, keyring)
        .order_states(OrderStates::local_sandbox())
        .resolution(Resolution::local_sandbox())
        .build()
        .unwrap();
    let directory = tempfile::tempdir().unwrap();
    let store = SqliteStore::open(directory.path().join("orders.db")).unwrap();
    let tables = "CREATE TABLE book (number TEXT PRIMARY KEY)";
    store.write(move |transaction| transaction.execute_batch(tables)).await.unwrap();
    let outbox = Outbox::open(store, StoreKeys::generate().unwrap(), client.clone()).await.unwrap();
    let completed = Arc::new(AtomicUsize::new(0));
    let counted = Arc::clone(&completed);
    let dispatcher = Dispatcher::builder(outbox.clone())
        .on::<Topup, _, _>(move |ended| {
            let (number, counted) = (ended.number().to_owned(), Arc::clone(&counted));
            std::future::ready(Ok(in_transaction(move |transaction| {
                transaction.prepare_cached("INSERT INTO book VALUES (?1)")?.execute([number])?;
                counted.fetch_add(1, Ordering::Relaxed);
                Ok(())
            })))
        })
        .max_concurrent(CONCURRENT)
        .build();
    tokio::spawn(dispatcher.run(std::future::pending()));
    let card = sandbox.card_id();
    let [mut alone, mut stored] = [Vec::new(), Vec::new()];
    for round in 0..ROUNDS {
        let started = Instant::now();
        let sending = client.clone();
        concurrently(ROUND, move |number| {
            let client = sending.clone();
            async move { drop(client.send(&topup(card, format!("A{round}-{number}"))).await.unwrap()) }
        })
        .await;
        alone.push(started.elapsed().as_micros());
        let (started, before) = (Instant::now(), completed.load(Ordering::Relaxed));
        let submitting = outbox.clone();
        concurrently(ROUND, move |number| {
            let outbox = submitting.clone();
            async move {
                let submitted = outbox.submit(&topup(card, format!("B{round}-{number}")), SubmitOptions::new()).await;
                assert_eq!(submitted.unwrap(), Submitted::New);
            }
        })
        .await;
        while completed.load(Ordering::Relaxed) < before + ROUND {
            tokio::time::sleep(Duration::from_millis(1)).await;
        }
        stored.push(started.elapsed().as_micros());
    }
    let share = median(alone.iter().zip(&stored).map(|(alone, stored)| alone * 1000 / stored.max(&1)).collect());
    let rate = |times: Vec<u128>| ROUND as u128 * 1_000_000 / median(times);
    OrdersResult { backend: name, alone: rate(alone), stored: rate(stored), share }
}

/// Compares the speed of claiming in a store that contains finished orders with the speed in an empty store, in
/// alternating rounds.
async fn claims(finished: usize) -> ClaimsResult {
    let directory = tempfile::tempdir().unwrap();
    let keys = Arc::new(StoreKeys::generate().unwrap());
    let [empty, full] = ["empty.db", "full.db"].map(|name| SqliteStore::open(directory.path().join(name)).unwrap());
    fill(&full, finished).await;
    let [mut empty_times, mut full_times] = [Vec::new(), Vec::new()];
    for round in 0..ROUNDS {
        for (store, times) in [(&empty, &mut empty_times), (&full, &mut full_times)] {
            let submitting = (0..CLAIMED)
                .map(|number| store.submit_order(TestOrder::new(format!("{round}-{number}")).prepare(&keys)));
            for submitted in futures_util::future::join_all(submitting).await {
                submitted.unwrap();
            }
            let started = Instant::now();
            let mut claimed = 0;
            while claimed < CLAIMED {
                let operations = vec![("/test/pay".to_owned(), 16)];
                let lease = Duration::from_secs(3600);
                let request = ClaimOrders { limit: 16, lease, holder: 1, operations };
                claimed += store.claim_orders(request).await.unwrap().len();
            }
            times.push(started.elapsed().as_micros());
        }
    }
    let share = median(empty_times.iter().zip(&full_times).map(|(empty, full)| empty * 1000 / full.max(&1)).collect());
    let each = |times: Vec<u128>| median(times) * 1000 / CLAIMED as u128;
    ClaimsResult { finished, empty: each(empty_times), full: each(full_times), share }
}

/// Inserts finished orders. Their encrypted parts are shorter than real ones.
async fn fill(store: &SqliteStore, count: usize) {
    const CHUNK: usize = 50_000;
    for first in (0..count).step_by(CHUNK) {
        let last = (first + CHUNK).min(count);
        let written = store.write(move |transaction| {
            transaction.execute_batch(&format!(
                "WITH RECURSIVE n(i) AS (SELECT {first} UNION ALL SELECT i + 1 FROM n WHERE i + 1 < {last})
                 INSERT INTO paytend_order (number, request_id, operation, content_tag, submitted_at, state, is_open,
                     head, sends, last_sent_at, last_send, confirmations, settled_ms, queries, failed_queries, fence,
                     tries, is_leased, is_notified, is_due_again)
                 SELECT 'F' || i, 'request ' || i, '/test/pay', randomblob(32), i, 'responded', 0, 1, 1, i, 0, 0, 0, 0,
                     0, 1, 0, 0, 0, 0 FROM n;
                 INSERT INTO paytend_order_part (place, id, part, key_id, nonce, sealed)
                 SELECT 2 * id + (part = 'result'), id, part, 1, randomblob(24), randomblob(200) FROM paytend_order,
                     (SELECT 'request' AS part UNION ALL SELECT 'result')
                 WHERE submitted_at >= {first} AND submitted_at < {last} AND id > {first} - 1"
            ))
        });
        written.await.unwrap();
    }
}

#[cfg(test)]
mod tests {
    use paytend_outbox::{OutboxAdmin as _, State};

    use super::*;

    #[tokio::test]
    async fn finished_orders_are_inserted() {
        let directory = tempfile::tempdir().unwrap();
        let store = SqliteStore::open(directory.path().join("orders.db")).unwrap();
        fill(&store, 120).await;
        let stats = store.order_stats().await.unwrap();
        let responded = State::ALL.iter().position(|state| *state == State::Responded).unwrap();
        assert_eq!(stats.states[responded], 120, "{stats:?}");
        assert_eq!(store.check_orders().await.unwrap(), Vec::<String>::new());
    }
}
