//! Tests with a sandbox that executes duplicates, requests that arrive late, and dispatchers whose clocks differ.

use std::collections::BTreeSet;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use paytend_client::{
    Client, Environment, Exchange, HttpRequest, HttpTransport, Resolution, RetryPolicy, Transport, TransportError,
    TransportErrorKind,
};
use paytend_inbox::StoreKeys;
use paytend_outbox::{OrderQuery, Outbox, OutboxAdmin as _, State, SubmitOptions};
use paytend_sandbox::Sandbox;
use paytend_store_sqlite::{SqliteOptions, SqliteStore};
use paytend_vectors::Seeded;
use tokio::task::JoinHandle;

use crate::child::shifted_by_millis;
use crate::orders::{dispatcher, execute_duplicates, topup};
use crate::parent::rounds;

const LEASE: Duration = Duration::from_secs(2);
/// The pause between two queries is a third of this time.
const SETTLE_TIME: Duration = Duration::from_millis(900);
/// How long a request can take to reach the sandbox after it was handed over. Each clock step can shorten the settle
/// time by one pause, so this time is shorter than a pause.
const MAX_TRANSIT: Duration = Duration::from_millis(100);
/// The differences between the clocks and the system clock, in milliseconds. The first differences are accepted.
const SHIFTS: [i64; 13] = [
    0,
    0,
    200,
    1_500,
    -1_500,
    3_000,
    -3_000,
    5 * 60_000,
    -7 * 60_000,
    2 * 3_600_000,
    -3 * 3_600_000,
    36 * 3_600_000,
    -36 * 3_600_000,
];

/// A network that delays and loses requests and responses. A request that was handed over arrives even if its
/// dispatcher has ended.
#[derive(Debug)]
struct Network {
    http: HttpTransport,
    random: Arc<Seeded>,
    /// Whether the network works without faults.
    is_calm: AtomicBool,
    /// The number of requests that arrived after their dispatcher had already received an error.
    late: Arc<AtomicUsize>,
}

/// What happens to a request.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Fate {
    Arrives,
    IsLost,
    /// It arrives after the client has received an error.
    IsLate,
    ResponseIsLost,
}

fn broken() -> TransportError {
    TransportError::new(TransportErrorKind::Broken)
}

impl Network {
    fn new(random: Arc<Seeded>) -> Self {
        let http = HttpTransport::new(|| reqwest::Client::builder().no_proxy().build()).unwrap();
        Self { http, random, is_calm: false.into(), late: Arc::default() }
    }

    /// Returns how long the request waits before it is handed over, how long it takes to arrive, and what happens to
    /// it.
    fn choose(&self, is_query: bool) -> (Duration, Duration, Fate) {
        if self.is_calm.load(Ordering::SeqCst) {
            return (Duration::ZERO, Duration::ZERO, Fate::Arrives);
        }
        let millis = |bound| Duration::from_millis(self.random.below(bound) as u64);
        // Most queries succeed, because a failed query delays the next send.
        if is_query && self.random.below(10) > 0 {
            return (Duration::ZERO, millis(20), Fate::Arrives);
        }
        let stall = if self.random.below(3) == 0 { millis(1_330) } else { Duration::ZERO };
        let fate = match self.random.below(20) {
            0 | 1 => Fate::IsLost,
            2 | 3 => Fate::ResponseIsLost,
            4..8 => Fate::IsLate,
            _ => Fate::Arrives,
        };
        (stall, millis(90), fate)
    }
}

impl Transport for Network {
    fn discard_connections(&self) {
        self.http.discard_connections();
    }

    fn exchange(&self, request: HttpRequest) -> Exchange<'_> {
        Box::pin(async move {
            let is_calm = self.is_calm.load(Ordering::SeqCst);
            let (stall, transit, fate) = self.choose(!request.url.ends_with("/topup"));
            tokio::time::sleep(stall).await;
            let HttpRequest { url, headers, body, max_response_bytes, fresh_connection, .. } = request;
            let body = body.into_bytes()?;
            let (http, handed_over, late) = (self.http.clone(), Instant::now(), Arc::clone(&self.late));
            // This task continues if the dispatcher ends.
            let exchange = tokio::spawn(async move {
                tokio::time::sleep(transit).await;
                // On a busy machine, a request can take too long. A busy machine must not lose all requests, however.
                if fate == Fate::IsLost || (!is_calm && handed_over.elapsed() > MAX_TRANSIT) {
                    return Err(broken());
                }
                if fate == Fate::IsLate {
                    late.fetch_add(1, Ordering::SeqCst);
                }
                let mut request = HttpRequest::new(url, headers, body.into(), max_response_bytes);
                request.fresh_connection = fresh_connection;
                http.exchange(request).await
            });
            if fate == Fate::IsLate {
                return Err(broken());
            }
            match exchange.await {
                Ok(response) if fate == Fate::Arrives => response,
                _ => Err(broken()),
            }
        })
    }
}

/// The sandbox and what all processes share.
struct World {
    sandbox: Sandbox,
    network: Arc<Network>,
    keys: StoreKeys,
    folder: tempfile::TempDir,
}

/// A simulated process: its own store, whose clock differs, and a dispatcher.
struct Process {
    outbox: Outbox<SqliteStore>,
    running: JoinHandle<()>,
}

impl World {
    async fn new(random: &Arc<Seeded>) -> Self {
        let sandbox = Sandbox::start().await.unwrap();
        execute_duplicates(&sandbox);
        let keys = StoreKeys::generate().unwrap();
        Self {
            sandbox,
            network: Arc::new(Network::new(Arc::clone(random))),
            keys,
            folder: tempfile::tempdir().unwrap(),
        }
    }

    async fn start(&self, shift: i64, lease: Duration) -> Process {
        let store = shifted_by_millis(SqliteOptions::new(self.folder.path().join("orders.db")), shift).open().unwrap();
        let table = "CREATE TABLE IF NOT EXISTS effect (name TEXT NOT NULL)";
        store.write(move |transaction| transaction.execute_batch(table)).await.unwrap();
        let sandbox = &self.sandbox;
        let keyring = sandbox.partner_keyring().unwrap();
        let client = Client::builder(Environment::BaseUrl(sandbox.url()), sandbox.partner_id(), keyring)
            .transport(Arc::clone(&self.network) as Arc<dyn Transport>)
            .resolution(Resolution::local_sandbox().settle_time(SETTLE_TIME).max_sends(20))
            .retry(RetryPolicy::never())
            .build()
            .unwrap();
        let outbox = Outbox::open(store, self.keys.clone(), client).await.unwrap();
        let dispatcher = dispatcher(&outbox).lease(lease).max_concurrent(8).build();
        let running = tokio::spawn(async move {
            dispatcher.run(std::future::pending()).await;
        });
        Process { outbox, running }
    }

    /// Processes the remaining orders without faults, and compares the store with the ledger.
    async fn finish_and_check(&self, count: usize) {
        self.network.is_calm.store(true, Ordering::SeqCst);
        // This clock is ahead of all other clocks, so all leases and delays have ended.
        // The longer lease leaves enough time for each query on a busy machine.
        let process = self.start(4 * 36 * 3_600_000, LEASE * 3).await;
        let store = process.outbox.store();
        let deadline = Instant::now() + Duration::from_secs(120);
        loop {
            let stats = store.order_stats().await.unwrap();
            if stats.open_by_key.is_empty() {
                break;
            }
            assert!(Instant::now() < deadline, "orders were not completed in time: {stats:?}");
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
        process.running.abort();
        let entries =
            store.list_orders(OrderQuery { limit: usize::MAX, ..OrderQuery::default() }).await.unwrap().entries;
        let mut numbers = BTreeSet::new();
        for entry in entries {
            let executed = self.sandbox.topup_count(&entry.facts.number);
            assert_eq!(executed, 1, "order {} was executed {executed} times: {:?}", entry.facts.number, entry.progress);
            assert!(matches!(entry.progress.state, State::Responded | State::Found), "{:?}", entry.progress);
            numbers.insert(entry.facts.number);
        }
        assert_eq!(numbers, (0..count).map(|number| number.to_string()).collect(), "orders are missing");
        let effects = store.write(|transaction| {
            let sql = "SELECT count(*), count(DISTINCT name) FROM effect";
            transaction.query_row(sql, [], |row| Ok((row.get::<_, usize>(0)?, row.get::<_, usize>(1)?)))
        });
        assert_eq!(effects.await.unwrap(), (count, count), "an effect happened twice or not at all");
        assert!(self.sandbox.conserves_money());
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn no_order_is_executed_twice_by_dispatchers_with_different_clocks() {
    let random = Arc::new(Seeded::new());
    let world = World::new(&random).await;
    let mut processes: [Option<Process>; 2] = [None, None];
    let mut count = 0;
    for _ in 0..rounds(8) {
        for _ in 0..1 + random.below(5) {
            let order = topup(world.sandbox.card_id(), &count.to_string());
            // One process, or both processes at the same time.
            let submitting = processes.iter().flatten().take(1 + random.below(2));
            let submitting = submitting.map(|process| process.outbox.submit(&order, SubmitOptions::new()));
            let submitted = futures_util::future::join_all(submitting).await;
            count += usize::from(!submitted.is_empty());
            assert!(submitted.iter().all(Result::is_ok), "{submitted:?}");
        }
        tokio::time::sleep(Duration::from_millis(random.below(300) as u64)).await;
        // A process crashes and is started again with a different clock while the other process sends orders.
        let index = random.below(2);
        if let Some(crashed) = processes[index].take() {
            crashed.running.abort();
        }
        processes[index] = Some(world.start(SHIFTS[random.below(SHIFTS.len())], LEASE).await);
        // Some processes run for longer than a lease.
        tokio::time::sleep(Duration::from_millis(600 + random.below(1_800) as u64)).await;
    }
    for process in processes.into_iter().flatten() {
        process.running.abort();
    }
    println!("{count} orders, {} late requests", world.network.late.load(Ordering::SeqCst));
    world.finish_and_check(count).await;
}
