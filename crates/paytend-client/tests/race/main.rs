//! A race test: a request reported as "not sent" must never reach the server in full.
//!
//! Calls give up at about the time the body is handed over. The server reads raw bytes and records complete requests.
//!
//! `PAYTEND_RACE_TRIES` sets the number of calls per kind of connection (`cargo xtask race` sets a high number), and
//! `PAYTEND_RACE_SEED` sets the seed.

// Tests may panic.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::print_stdout, clippy::cast_possible_truncation)]

mod clock;
mod keys;
mod wire;

use std::collections::HashSet;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use futures_util::future::{Either, join_all, select};
use paytend_client::{
    Client, ClientBuilder, Clock as _, Environment, Event, Exchange, HttpRequest, HttpTransport, Outcome, Phase,
    RetryPolicy, Transport,
};
use paytend_model::issuing::Topup;
use paytend_vectors::PARTNER_ID;

use clock::SpinningClock;
use wire::{Protocol, Server};

/// The number of calls in flight.
const CALLERS: u64 = 4;

/// A small seeded random number generator (SplitMix64).
#[derive(Clone)]
struct Random(u64);

impl Random {
    fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        z ^ (z >> 31)
    }
}

/// A transport that opens a new connection for each request.
#[derive(Debug)]
struct Fresh(HttpTransport);

impl Transport for Fresh {
    fn exchange(&self, mut request: HttpRequest) -> Exchange<'_> {
        request.fresh_connection = true;
        self.0.exchange(request)
    }
}

/// The IDs of the requests reported as not sent, and the number of requests with each of the other outcomes.
#[derive(Default)]
struct Reported {
    not_sent: HashSet<String>,
    unknown: usize,
    dropped: usize,
}

fn topup() -> Topup {
    Topup::builder().card_id("1755902").order_no("T-1").amount("25.00".parse().unwrap()).currency("EUR").build()
}

fn builder(server: &Server, clock: &Arc<SpinningClock>, pooled: bool) -> ClientBuilder {
    let pem = server.certificate().to_owned();
    let make = move || {
        let client = reqwest::Client::builder()
            .no_proxy()
            .redirect(reqwest::redirect::Policy::none())
            .retry(reqwest::retry::never());
        match reqwest::Certificate::from_pem(pem.as_bytes()) {
            Ok(certificate) => client.tls_certs_only([certificate]).build(),
            Err(error) => Err(error),
        }
    };
    let transport = HttpTransport::new(make).unwrap();
    let transport: Arc<dyn Transport> = if pooled { Arc::new(transport) } else { Arc::new(Fresh(transport)) };
    Client::builder(Environment::BaseUrl(server.url().to_owned()), PARTNER_ID, keys::keyring())
        .retry(RetryPolicy::never())
        .clock(Arc::clone(clock) as _)
        .transport(transport)
}

/// Returns the median time until the body is handed over, in microseconds.
async fn handover_time(client: &Client, clock: &SpinningClock) -> u64 {
    let mut times = Vec::new();
    for _ in 0..11 {
        let (began, reported) = (clock.now(), Arc::new(Mutex::new(None)));
        let (ours, now) = (Arc::clone(&reported), clock.clone());
        let topup = topup();
        let call = client
            .request(&topup)
            .deadline(Duration::from_millis(200))
            .progress(move |_, _| *ours.lock().unwrap() = Some(now.now()));
        let _ = call.send().await;
        times.extend(reported.lock().unwrap().map(|at| at.saturating_sub(began).as_micros() as u64));
    }
    times.sort_unstable();
    times.get(times.len() / 2).copied().unwrap_or(1000).max(20)
}

/// Makes calls that give up at random times around the handover, either by a timeout or by being dropped.
async fn calls(client: &Client, clock: &SpinningClock, usual: u64, tries: u64, mut random: Random) {
    for number in 0..tries {
        let limit = Duration::from_nanos(usual * 300 + random.next() % (usual * 1500));
        let topup = topup();
        if number % 2 == 0 {
            let _ = client.request(&topup).deadline(limit).send().await;
        } else {
            let call = std::pin::pin!(client.send(&topup));
            if let Either::Left((result, _)) = select(call, clock.sleep(limit)).await {
                drop(result);
            }
        }
    }
}

/// Returns three counts: the requests reported as not sent, as unknown and as dropped.
///
/// Panics if a request reported as not sent arrived.
fn race(protocol: Protocol, pooled: bool, workers: usize, tries: u64, seed: u64) -> (usize, usize, usize) {
    let server = Server::start(protocol, pooled);
    let clock = Arc::new(SpinningClock::default());
    let reported: Arc<Mutex<Reported>> = Arc::default();
    let ours = Arc::clone(&reported);
    let events = move |event: &Event| {
        let mut reported = ours.lock().unwrap();
        if event.phase == Phase::Attempt {
            return;
        }
        reported.dropped += usize::from(event.phase == Phase::Dropped);
        match event.outcome {
            Some(Outcome::NotSent) => drop(reported.not_sent.insert(event.request_id.to_string())),
            _ => reported.unknown += 1,
        }
    };
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(workers).enable_all().build().unwrap();
    runtime.block_on(async {
        let client = builder(&server, &clock, pooled).events(events).build().unwrap();
        let usual = handover_time(&client, &clock).await;
        let callers = (0..CALLERS).map(|caller| {
            let (client, clock) = (client.clone(), Arc::clone(&clock));
            let random = Random(seed ^ (caller << 56));
            tokio::spawn(async move { calls(&client, &clock, usual, tries / CALLERS, random).await })
        });
        for done in join_all(callers).await {
            done.unwrap();
        }
    });
    // Close all connections, so that no more requests can arrive.
    drop(runtime);
    let received = server.stop();
    let reported = reported.lock().unwrap();
    let violations = reported.not_sent.intersection(&received).count();
    let shown = format!(
        "{protocol:?}, {}, {workers} workers, seed {seed}: {} not sent, {} sent or unknown, {} of them dropped, {} \
         complete at the server",
        if pooled { "pooled" } else { "fresh" },
        reported.not_sent.len(),
        reported.unknown,
        reported.dropped,
        received.len(),
    );
    println!("{shown}");
    assert_eq!(violations, 0, "reported as not sent, but complete at the server: {shown}");
    (reported.not_sent.len(), reported.unknown, reported.dropped)
}

fn number(variable: &str) -> Option<u64> {
    std::env::var(variable).ok()?.parse().ok()
}

#[test]
fn request_reported_as_not_sent_never_arrives() {
    let tries = number("PAYTEND_RACE_TRIES").unwrap_or(400);
    let seed = number("PAYTEND_RACE_SEED").unwrap_or_else(|| {
        std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).unwrap().subsec_nanos().into()
    });
    let mut total = (0, 0, 0);
    for protocol in [Protocol::Http1, Protocol::Http1OverTls, Protocol::Http2OverTls] {
        for pooled in [true, false] {
            for workers in [1, 2, 8] {
                // A handshake takes much longer than a request, so fewer calls are made on new connections.
                let tries = if pooled { tries } else { tries / protocol.cost() };
                let counted = race(protocol, pooled, workers, tries.max(CALLERS), seed);
                total = (total.0 + counted.0, total.1 + counted.1, total.2 + counted.2);
            }
        }
    }
    println!(
        "{} not sent, {} sent or unknown; {} dropped; no request reported as not sent was complete at the server",
        total.0, total.1, total.2
    );
    assert!(total.0 > 0 && total.1 > 0, "both outcomes must occur: {total:?}");
}
