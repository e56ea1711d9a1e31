//! Tests with processes that are killed while they submit orders and send them to a sandbox that injects faults.
//!
//! The parent runs the sandbox, restarts it, sets its clock, and kills the children, whose clocks differ. Afterwards,
//! the sandbox's ledger and the store must agree.

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use paytend_client::{Client, ClientBuilder, Resolution};
use paytend_inbox::{RetryPolicy, StoreKeys};
use paytend_model::issuing::Topup;
use paytend_outbox::{Dispatcher, DispatcherBuilder, OrderQuery, Outbox, OutboxAdmin as _, State, SubmitOptions};
use paytend_sandbox::{Fault, FaultKind, FolderOptions, KeyFolder, Sandbox, Settings, TopupState};
use paytend_store_sqlite::{SqliteOptions, SqliteStore, in_transaction};
use paytend_vectors::Seeded;

use crate::child::{CLOCK, open, report, shifted};
use crate::parent::{Reported, Running, rounds};

type Failure = Box<dyn std::error::Error + Send + Sync>;

/// The maximum difference between a child's clock and the system clock, in minutes.
const MAX_SHIFT: i64 = 36 * 60;

/// The environment variable that contains the path of the client's settings file, which is in the key directory.
const PROFILE: &str = "PAYTEND_CHILD_PROFILE";

fn client(profile: &Path) -> Client {
    // The sandbox executes duplicates, so the settle time must be longer than a request of a killed process can take.
    let resolution = Resolution::local_sandbox().settle_time(Duration::from_secs(1)).max_sends(20);
    let builder = ClientBuilder::from_file(profile, "sandbox").unwrap();
    builder.resolution(resolution).attempt_timeout(Duration::from_secs(10)).build().unwrap()
}

pub(crate) async fn outbox(store: SqliteStore, directory: &Path, profile: &Path) -> Outbox<SqliteStore> {
    let tables = "CREATE TABLE IF NOT EXISTS book (number TEXT PRIMARY KEY)";
    store.write(move |transaction| transaction.execute_batch(tables)).await.unwrap();
    let keys = StoreKeys::load(directory.join("keys")).unwrap();
    Outbox::open(store, keys, client(profile)).await.unwrap()
}

pub(crate) fn dispatcher(outbox: &Outbox<SqliteStore>) -> DispatcherBuilder<SqliteStore> {
    Dispatcher::builder(outbox.clone())
        .on::<Topup, _, _>(async |ended| {
            let number = ended.number().to_owned();
            Ok(in_transaction(move |transaction| {
                transaction.execute("INSERT INTO effect VALUES (?1)", [number])?;
                Ok(())
            }))
        })
        .lease(Duration::from_secs(1))
        .poll_interval(Duration::from_millis(20))
        .max_queries(1000)
        .retry(RetryPolicy::new().base(Duration::from_millis(20)).cap(Duration::from_millis(100)).max_tries(1000))
}

/// Submits orders and sends them with two dispatchers until the process is killed. Submits some orders twice.
pub(crate) async fn load(directory: &Path, round: &str) {
    let profile = PathBuf::from(std::env::var_os(PROFILE).unwrap());
    let outbox = outbox(open(directory, false).await.store, directory, &profile).await;
    for _ in 0..2 {
        tokio::spawn(dispatcher(&outbox).build().run(std::future::pending()));
    }
    report("ready");
    let card = std::env::var("PAYTEND_CHILD_CARD").unwrap();
    let random = Seeded::new();
    for number in 0.. {
        let name = format!("{round}-{number}");
        let topup = topup(&card, &name);
        let copies = 1 + random.below(2);
        let submitting = (0..copies).map(|_| submit(&outbox, &topup, &name, number));
        for submitted in futures_util::future::join_all(submitting).await {
            if submitted.is_ok() {
                report(&format!("accepted {name}"));
            }
        }
        tokio::time::sleep(Duration::from_millis(random.below(10) as u64)).await;
    }
}

pub(crate) fn topup(card: &str, number: &str) -> Topup {
    Topup::builder().card_id(card).order_no(number).amount("1.00".parse().unwrap()).currency("EUR").build()
}

/// Submits an order in the transaction that also inserts it into the books.
pub(crate) async fn submit(
    outbox: &Outbox<SqliteStore>,
    topup: &Topup,
    name: &str,
    number: usize,
) -> Result<(), Failure> {
    let options = match number % 3 {
        0 => SubmitOptions::new().order_by(format!("key {}", number % 2)),
        _ => SubmitOptions::new(),
    };
    let order = outbox.prepare(topup, options)?;
    let (store, name) = (outbox.store().clone(), name.to_owned());
    let submitted = outbox.store().transaction(move |transaction| -> Result<(), Failure> {
        transaction.execute("INSERT INTO book VALUES (?1) ON CONFLICT DO NOTHING", [name])?;
        store.submit_in(transaction, &order)?;
        Ok(())
    });
    submitted.await
}

/// A sandbox that injects faults and executes duplicates, and the directories for its keys and for the store.
pub(crate) struct Place {
    /// `None` while the sandbox restarts.
    sandbox: Option<Sandbox>,
    pub(crate) profile: PathBuf,
    /// The directory of the store.
    pub(crate) store: PathBuf,
    folder: tempfile::TempDir,
}

/// Starts a sandbox with the state that is stored in the directory. If the port is still in use, tries again.
async fn start(keys: &Path, port: u16, at: u64) -> Sandbox {
    let deadline = Instant::now() + Duration::from_secs(30);
    // The default funds are enough for 10,000 topups only.
    let mut settings = Settings::default();
    settings.funds = 1_000_000_000;
    let sandbox = loop {
        let folder = KeyFolder::open(&keys.join("keys"), &FolderOptions::new()).unwrap();
        let builder =
            Sandbox::builder().folder(folder).settings(settings.clone()).data(keys.join("state")).port(port).at(at);
        match builder.start().await {
            Ok(sandbox) => break sandbox,
            Err(error) => assert!(Instant::now() < deadline, "the sandbox did not start: {error}"),
        }
        tokio::time::sleep(Duration::from_millis(20)).await;
    };
    add_faults(&sandbox);
    sandbox
}

pub(crate) fn add_faults(sandbox: &Sandbox) {
    for (fault, percent) in [
        (FaultKind::ResetBefore, 6),
        (FaultKind::ResetAfter, 6),
        (FaultKind::HalfBody, 4),
        (FaultKind::Html502, 4),
        (FaultKind::UnsignedSuccess, 4),
        (FaultKind::WrongSignature, 4),
        (FaultKind::WrongKey, 2),
        (FaultKind::StaleKey, 2),
        (FaultKind::RateLimit, 2),
        (FaultKind::Hang, 1),
        (FaultKind::Latency { millis: 30 }, 5),
        (FaultKind::ClockSkew { millis: -86_400_000 }, 5),
    ] {
        sandbox.fault(Fault::on_all_calls(fault).percent(percent)).unwrap();
    }
    execute_duplicates(sandbox);
}

/// Removes all faults, except that a topup is executed each time it arrives.
pub(crate) fn clear_faults(sandbox: &Sandbox) {
    sandbox.clear_faults();
    execute_duplicates(sandbox);
}

/// Makes the sandbox execute a topup each time it arrives.
pub(crate) fn execute_duplicates(sandbox: &Sandbox) {
    sandbox.fault(Fault::on_all_calls(FaultKind::ExecuteDuplicate)).unwrap();
}

fn unix_millis() -> u64 {
    u64::try_from(std::time::SystemTime::UNIX_EPOCH.elapsed().unwrap().as_millis()).unwrap()
}

impl Place {
    pub(crate) async fn new() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let sandbox = start(folder.path(), 0, unix_millis()).await;
        let profile = sandbox.profile_file().unwrap().path().to_owned();
        let place = Self { sandbox: Some(sandbox), profile, store: folder.path().join("store"), folder };
        std::fs::create_dir(&place.store).unwrap();
        place
    }

    pub(crate) fn sandbox(&self) -> &Sandbox {
        self.sandbox.as_ref().unwrap()
    }

    /// Randomly restarts the sandbox, sets its clock, or does nothing.
    pub(crate) async fn disturb(&mut self, random: &Seeded) {
        match random.below(4) {
            0 => {
                let port = self.sandbox().url().rsplit(':').next().unwrap().parse().unwrap();
                drop(self.sandbox.take());
                // After about half of the restarts, the sandbox's clock is a day behind.
                let at = unix_millis() - random.below(2) as u64 * 86_400_000;
                self.sandbox = Some(start(self.folder.path(), port, at).await);
            }
            1 => self.sandbox().advance(Duration::from_secs(random.below(7_200) as u64)).await,
            _ => {}
        }
    }

    fn environment<'e>(&'e self, more: &[(&'e str, &'e str)]) -> Vec<(&'e str, &'e str)> {
        let mut environment = vec![(PROFILE, self.profile.to_str().unwrap())];
        environment.push(("PAYTEND_CHILD_CARD", self.sandbox().card_id()));
        environment.extend(more);
        environment
    }

    /// Sends the remaining orders without faults, and compares the store with the sandbox's ledger.
    pub(crate) async fn finish_and_check(&self, reported: &Reported) {
        let sandbox = self.sandbox();
        clear_faults(sandbox);
        // This clock is ahead of every child's clock, so all the children's leases and delays have ended.
        let options = shifted(SqliteOptions::new(self.store.join("inbox.db")), 2 * MAX_SHIFT + 24 * 60);
        let outbox = outbox(options.open().unwrap(), &self.store, &self.profile).await;
        let running = tokio::spawn(dispatcher(&outbox).build().run(std::future::pending()));
        let store = outbox.store();
        // Many rounds leave many orders, so the time limit starts again whenever an order is completed.
        let (mut fewest, mut deadline) = (i64::MAX, Instant::now());
        loop {
            // `order_stats` would read all open orders.
            let open = "SELECT count(*) FROM paytend_order WHERE is_open = 1";
            let open: i64 = store.write(move |orders| orders.query_row(open, [], |row| row.get(0))).await.unwrap();
            if open == 0 {
                break;
            }
            if open < fewest {
                (fewest, deadline) = (open, Instant::now() + Duration::from_secs(300));
            }
            if Instant::now() > deadline {
                panic!("orders were not completed in time: {:?}", store.order_stats().await.unwrap());
            }
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
        running.abort();
        let entries =
            store.list_orders(OrderQuery { limit: usize::MAX, ..OrderQuery::default() }).await.unwrap().entries;
        assert!(entries.iter().all(|entry| !entry.progress.is_open));
        let mut executed = 0;
        for entry in &entries {
            let number = &entry.facts.number;
            let topup = sandbox.topup(number);
            let expected = match entry.progress.state {
                State::Responded | State::Found => Some(TopupState::Succeeded),
                _ => None,
            };
            assert_eq!(topup, expected, "order {number} is {}", entry.progress.state);
            let count = sandbox.topup_count(number);
            assert!(count <= 1, "order {number} was executed {count} times: {:?}", entry.progress);
            executed += count;
        }
        let balance = sandbox.card(sandbox.card_id()).unwrap().balance().to_string();
        assert_eq!(balance, format!("{executed}.00"), "the ledger and the store contain different topups");
        assert!(sandbox.conserves_money());
        let numbers: BTreeSet<&String> = entries.iter().map(|entry| &entry.facts.number).collect();
        let forgotten: Vec<_> = reported.accepted.iter().filter(|number| !numbers.contains(number)).collect();
        assert!(forgotten.is_empty(), "orders were submitted but not stored: {forgotten:?}");
        let books = names(store, "SELECT number, count(*) FROM book GROUP BY number").await;
        assert!(books.keys().eq(numbers.iter().copied()), "the books and the store contain different orders");
        let effects = names(store, "SELECT name, count(*) FROM effect GROUP BY name").await;
        assert!(effects.keys().eq(numbers.iter().copied()) && effects.values().all(|count| *count == 1), "{effects:?}");
        assert_eq!(store.check_orders().await.unwrap(), Vec::<String>::new());
    }
}

async fn names(store: &SqliteStore, sql: &'static str) -> BTreeMap<String, i64> {
    let read = store.write(move |transaction| {
        transaction.prepare(sql)?.query_map([], |row| Ok((row.get(0)?, row.get(1)?)))?.collect()
    });
    read.await.unwrap()
}

#[tokio::test(flavor = "multi_thread")]
async fn no_order_is_executed_twice_or_lost_by_killed_processes() {
    let random = Seeded::new();
    let mut place = Place::new().await;
    let mut reported = Reported::default();
    // Usually two processes are running, each with two dispatchers. The older process is killed.
    let mut older: Option<Running> = None;
    for round in 0..rounds(8) {
        let shift = match random.below(3) {
            0 => {
                (i64::try_from(random.below(usize::try_from(2 * MAX_SHIFT).unwrap())).unwrap() - MAX_SHIFT).to_string()
            }
            _ => "0".to_owned(),
        };
        let child = Running::start("orders", &place.store, round, &place.environment(&[(CLOCK, &shift)]));
        let mut left = 5 + random.below(60);
        child.read_until(&mut reported, |line| {
            left = left.saturating_sub(usize::from(line.contains(' ')));
            left == 0
        });
        place.disturb(&random).await;
        if let Some(killed) = older.replace(child) {
            killed.kill(&mut reported);
        }
        if random.below(3) == 0
            && let Some(killed) = older.take()
        {
            killed.kill(&mut reported);
        }
    }
    if let Some(killed) = older {
        killed.kill(&mut reported);
    }
    assert!(reported.accepted.len() > 10, "{}", reported.accepted.len());
    place.finish_and_check(&reported).await;
}

/// The dispatcher's failpoints.
#[cfg(feature = "failpoints")]
pub(crate) const POINTS: [&str; 9] = [
    "outbox-before-begin-send",
    "outbox-before-send",
    "outbox-after-send",
    "outbox-after-query",
    "outbox-before-record",
    "outbox-after-record",
    "outbox-before-release",
    "outbox-before-complete",
    "outbox-after-complete",
];

#[cfg(feature = "failpoints")]
#[tokio::test(flavor = "multi_thread")]
async fn no_order_is_executed_twice_by_processes_killed_during_a_send() {
    // The log is too short for a checkpoint.
    let of_store = crate::failpoints::POINTS.into_iter().filter(|point| !point.contains("checkpoint"));
    let points: Vec<&str> = POINTS.into_iter().chain(of_store).collect();
    let random = Seeded::new();
    let place = Place::new().await;
    let mut reported = Reported::default();
    for round in 0..rounds(1) {
        for (index, point) in points.iter().enumerate() {
            // The store's points are passed more often than the dispatcher's points.
            let passes = (1 + random.below(if point.starts_with("sqlite") { 60 } else { 4 })).to_string();
            let more = [(crate::failpoints::POINT, *point), (crate::failpoints::PASSES, passes.as_str())];
            let environment = place.environment(&more);
            let child = Running::start("orders failpoint", &place.store, 100 * round + index, &environment);
            child.read_until(&mut reported, |_| false);
            child.kill(&mut reported);
        }
    }
    place.finish_and_check(&reported).await;
}
