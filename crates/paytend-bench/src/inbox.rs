//! `bench inbox`: measures receiving notifications into an SQLite store, from the socket to the disk.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use axum::Router;
use axum::routing::MethodRouter;
use paytend_crypto::{Fields, Keyring, OsRandom, Outgoing, PrivateKey, rustcrypto};
use paytend_crypto_aws_lc::AwsLc;
use paytend_inbox::testing::TestNotification;
use paytend_inbox::{Accepted, ClaimRequest, Inbox, Store as _, StoreKeys};
use paytend_model::Product;
use paytend_store_sqlite::SqliteStore;
use paytend_webhook::server::{Budget, Endpoint};
use paytend_webhook::{PaytendReceiver, Reply};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{TcpListener, TcpStream};

use crate::PARTNER_ID;

/// The number of connections of the senders.
const CONNECTIONS: usize = 64;
/// The number of notifications in one round.
const ROUND: usize = 3_000;
/// The number of rounds. The result is the median of all rounds.
const ROUNDS: usize = 5;

/// The keys of the sender and of the receiver.
struct Keys {
    sender: Keyring,
    receiver: Keyring,
}

pub(crate) fn run(full: bool) {
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build().unwrap();
    runtime.block_on(async {
        let [paytend, partner] = [(); 2].map(|()| rustcrypto::generate(1024, &OsRandom).unwrap());
        let keys = Keys { sender: ring(&paytend, &partner), receiver: ring(&partner, &paytend) };
        let directory = tempfile::tempdir().unwrap();
        let store = SqliteStore::open(directory.path().join("inbox.db")).unwrap();
        let inbox = Inbox::open(store, StoreKeys::generate().unwrap()).await.unwrap();
        let is_named = |part: &str| std::env::args().any(|argument| argument == part);
        let all = !["rates", "steady", "growth"].into_iter().any(is_named);
        if all || is_named("rates") {
            rates(&keys, &inbox).await;
        }
        if all || is_named("steady") {
            steady(&keys, &inbox, 500, Duration::from_secs(if full { 600 } else { 20 })).await;
            steady(&keys, &inbox, 2_000, Duration::from_secs(if full { 30 } else { 5 })).await;
        }
        if !all && !is_named("growth") {
            return;
        }
        growth(if full { &[10_000, 100_000, 1_000_000] } else { &[10_000, 100_000] }).await;
    });
}

fn ring(own: &PrivateKey, peer: &PrivateKey) -> Keyring {
    Keyring::builder().backend(&AwsLc).own_key(own).peer_key(peer.public_key()).build().unwrap()
}

/// Creates the requests of a round, each with a different deposit.
fn requests(keys: &Keys, round: &str, count: usize) -> Arc<Vec<Vec<u8>>> {
    let fields = Fields::notification(PARTNER_ID, "2");
    let requests = (0..count).map(|number| {
        let (id, remark) = (format!("{round}-{number}"), "0".repeat(300));
        let content = format!(
            r#"{{"transactionId":"{id}","orderNo":"{id}","amount":25.00,"currency":"EUR","remark":"{remark}"}}"#
        );
        let body = keys.sender.seal(&Outgoing::new(&fields).payload(&content)).unwrap().into_document();
        format!("POST / HTTP/1.1\r\nhost: bench\r\ncontent-length: {}\r\n\r\n{body}", body.len()).into_bytes()
    });
    Arc::new(requests.collect())
}

async fn serve(keys: &Keys, route: impl FnOnce(Endpoint<PaytendReceiver>) -> MethodRouter) -> std::net::SocketAddr {
    let endpoint = Endpoint::new(PaytendReceiver::new(Product::Baas, PARTNER_ID, keys.receiver.clone()))
        .listed_budget(Budget::new().max_concurrent(2).max_waiting(512));
    let app = Router::new().route("/", route(endpoint));
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    tokio::spawn(async move { axum::serve(listener, app).await });
    address
}

/// Sends a request, and returns the HTTP status of the response.
async fn exchange(stream: &mut TcpStream, request: &[u8], buffer: &mut Vec<u8>) -> u16 {
    stream.write_all(request).await.unwrap();
    buffer.clear();
    loop {
        stream.read_buf(buffer).await.unwrap();
        let text = String::from_utf8_lossy(buffer);
        if let Some((head, body)) = text.split_once("\r\n\r\n") {
            let length = head.lines().find_map(|line| line.strip_prefix("content-length: ")?.parse::<usize>().ok());
            if body.len() >= length.unwrap_or_default() {
                return head.split(' ').nth(1).unwrap().parse().unwrap();
            }
        }
    }
}

/// Sends all requests on several connections as fast as possible, and returns how many were acknowledged each second.
async fn rate(address: std::net::SocketAddr, requests: &Arc<Vec<Vec<u8>>>) -> u128 {
    let next = Arc::new(AtomicUsize::new(0));
    let started = Instant::now();
    let senders = (0..CONNECTIONS).map(|_| {
        let (next, requests) = (Arc::clone(&next), Arc::clone(requests));
        tokio::spawn(async move {
            let mut stream = TcpStream::connect(address).await.unwrap();
            let mut buffer = Vec::new();
            while let Some(request) = requests.get(next.fetch_add(1, Ordering::Relaxed)) {
                assert_eq!(exchange(&mut stream, request, &mut buffer).await, 200);
            }
        })
    });
    for sender in senders.collect::<Vec<_>>() {
        sender.await.unwrap();
    }
    requests.len() as u128 * 1_000_000 / started.elapsed().as_micros()
}

fn median(mut values: Vec<u128>) -> u128 {
    values.sort_unstable();
    values[values.len() / 2]
}

async fn rates(keys: &Keys, inbox: &Inbox<SqliteStore>) {
    let plain = serve(keys, |endpoint| paytend_webhook::axum::route(endpoint, async |_| Reply::Accepted)).await;
    let stored = serve(keys, |endpoint| paytend_webhook::axum::route(endpoint, inbox.handler())).await;
    let [mut plain_rates, mut new_rates, mut duplicate_rates] = [Vec::new(), Vec::new(), Vec::new()];
    for round in 0..ROUNDS {
        let requests = requests(keys, &format!("r{round}"), ROUND);
        plain_rates.push(rate(plain, &requests).await);
        new_rates.push(rate(stored, &requests).await);
        duplicate_rates.push(rate(stored, &requests).await);
    }
    let [plain, new, duplicate] = [plain_rates, new_rates, duplicate_rates].map(median);
    println!("SQLite, AWS-LC, 1024 bits, {CONNECTIONS} connections, senders on the same processors:");
    println!("- HTTP and cryptography alone: {plain} per second");
    println!("- new notifications, stored:   {new} per second, {} ‰ of that rate", new * 1000 / plain);
    println!("- duplicates, counted:         {duplicate} per second, {} ‰ of that rate", duplicate * 1000 / plain);
}

/// Sends `rate` requests per second for `time`, without waiting for responses, and prints the response times.
async fn steady(keys: &Keys, inbox: &Inbox<SqliteStore>, rate: usize, time: Duration) {
    let address = serve(keys, |endpoint| paytend_webhook::axum::route(endpoint, inbox.handler())).await;
    let seconds = usize::try_from(time.as_secs()).unwrap();
    // The requests of at most 30 seconds are sealed in advance, because all requests would need too much memory. After
    // 30 seconds, the same requests are sent again, and are duplicates.
    let requests = requests(keys, &format!("steady {rate}"), rate * seconds.min(30));
    let (sender, mut results) = tokio::sync::mpsc::unbounded_channel();
    let idle = Arc::new(tokio::sync::Mutex::new(Vec::<TcpStream>::new()));
    let started = tokio::time::Instant::now();
    for number in 0..rate * seconds {
        let due = started + Duration::from_micros(number as u64 * 1_000_000 / rate as u64);
        tokio::time::sleep_until(due).await;
        let (requests, idle, sender) = (Arc::clone(&requests), Arc::clone(&idle), sender.clone());
        tokio::spawn(async move {
            let known = idle.lock().await.pop();
            let mut stream = match known {
                Some(stream) => stream,
                None => TcpStream::connect(address).await.unwrap(),
            };
            let status = exchange(&mut stream, &requests[number % requests.len()], &mut Vec::new()).await;
            let _ = sender.send((status, due.elapsed()));
            idle.lock().await.push(stream);
        });
    }
    drop(sender);
    let (mut times, mut refused, mut other) = (Vec::new(), 0, 0);
    while let Some((status, time)) = results.recv().await {
        match status {
            200 => times.push(time),
            503 => refused += 1,
            _ => other += 1,
        }
    }
    times.sort_unstable();
    let at = |thousandths: usize| times.get(times.len() * thousandths / 1000).copied().unwrap_or_default();
    println!(
        "{rate} per second for {seconds} s: {} acknowledged, {refused} asked to retry, {other} other; \
         p50 {:?}, p99 {:?}, p99.9 {:?}",
        times.len(),
        at(500),
        at(990),
        at(999),
    );
}

/// Measures the store without HTTP and cryptography, at several numbers of stored notifications.
async fn growth(sizes: &[usize]) {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("inbox.db");
    let (store, keys) = (SqliteStore::open(&path).unwrap(), Arc::new(StoreKeys::generate().unwrap()));
    let mut stored = 0;
    for size in sizes {
        while stored < *size {
            accept(&store, &keys, stored, 2_000).await;
            stored += 2_000;
            // Completes all notifications, so that none are pending before the measurement.
            drain(&store).await;
        }
        let started = Instant::now();
        for _ in 0..5 {
            accept(&store, &keys, stored, 2_000).await;
            stored += 2_000;
        }
        let new = 10_000 * 1_000_000 / started.elapsed().as_micros();
        let started = Instant::now();
        let done = drain(&store).await;
        let completed = done as u128 * 1_000_000 / started.elapsed().as_micros();
        let started = Instant::now();
        for _ in 0..5 {
            accept(&store, &keys, 0, 2_000).await;
        }
        let duplicates = 10_000 * 1_000_000 / started.elapsed().as_micros();
        let bytes = std::fs::metadata(&path).unwrap().len();
        println!(
            "store with {size}: {new} new, {duplicates} duplicates, {completed} claimed and completed per second; \
             {} MiB, {} bytes each",
            bytes >> 20,
            bytes / stored as u64,
        );
    }
}

async fn accept(store: &SqliteStore, keys: &Arc<StoreKeys>, from: usize, count: usize) {
    let accepting = (from..from + count).map(|number| {
        let name = format!("{number:0>1000}");
        // With a business ID, a duplicate is only counted, as most duplicates in production are.
        let notification = TestNotification { business_id: Some(number.to_string()), ..TestNotification::new(name) };
        store.accept(notification.prepare(keys))
    });
    let accepted = futures_util::future::join_all(accepting).await;
    assert!(accepted.iter().all(|accepted| matches!(accepted, Ok(Accepted::New(_) | Accepted::Duplicate { .. }))));
}

/// Claims and completes all pending notifications, and returns their number.
async fn drain(store: &SqliteStore) -> usize {
    let mut done = 0;
    loop {
        let request = ClaimRequest { limit: 200, lease: Duration::from_secs(60), holder: 1, kind_limits: Vec::new() };
        let claimed = store.claim(request).await.unwrap();
        if claimed.is_empty() {
            return done;
        }
        done += claimed.len();
        let completed = futures_util::future::join_all(claimed.iter().map(|c| store.complete(c.lease, None))).await;
        assert!(completed.iter().all(Result::is_ok));
    }
}
