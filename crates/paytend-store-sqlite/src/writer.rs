//! The writer, a single thread that executes all changes and commits them in batches.
//!
//! The thread takes all waiting operations, runs each operation in a savepoint, commits once, and then sends all
//! replies. While the thread waits for the disk, new operations wait in the queue. If a commit fails, every operation
//! of its batch fails.

use std::os::raw::c_int;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicI32, AtomicU64, Ordering};
use std::time::{Duration, Instant};

use paytend_inbox::{StoreError, StoreErrorKind};
use rusqlite::{Connection, Transaction, TransactionBehavior};
use tokio::sync::mpsc;

use crate::counts::Counts;
use crate::duplicates;
use crate::engine::open_writer;
use crate::error::{is_suspect, store_error};
use crate::options::SqliteOptions;

/// The maximum number of operations in one transaction.
const MAX_BATCH: usize = 512;
/// The minimum size of the write-ahead log, in pages, at which an idle writer copies the log to the file.
const IDLE_CHECKPOINT: c_int = 1_000;
/// The minimum size, in pages, at which the writer copies the log even if operations are waiting.
const BUSY_CHECKPOINT: c_int = 4_000;
/// The minimum size, in pages, at which the writer also waits for readers. It waits for up to [`FORCED_WAIT`].
const FORCED_CHECKPOINT: c_int = 16_000;
/// How long a forced checkpoint waits for readers.
const FORCED_WAIT: Duration = Duration::from_millis(200);
/// How many SQLite virtual machine steps run between two checks of the time limit.
const DEADLINE_STEPS: c_int = 1_000;
/// The minimum time between two attempts to reopen the file.
const REOPEN_PAUSE: Duration = Duration::from_millis(100);

/// An operation on the store.
pub(crate) trait Operation: Send {
    /// Runs the operation in a savepoint.
    fn run(&mut self, transaction: &Transaction<'_>) -> Verdict;

    /// Returns whether a notification may be ready after this operation.
    fn wakes_workers(&self) -> bool;

    /// Sends the reply to the caller, with the result of the commit.
    fn reply(self: Box<Self>, committed: Result<(), StoreError>);
}

/// The verdict on an operation's changes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Verdict {
    /// The changes are committed.
    Keep,
    /// The changes are rolled back.
    RollBack,
    /// The disk or the file failed. The whole batch is rolled back, and the file is reopened and checked.
    Suspect,
}

pub(crate) struct Writer {
    options: SqliteOptions,
    connection: Option<Connection>,
    operations: mpsc::Receiver<Box<dyn Operation>>,
    deadline: Deadline,
    counts: Arc<Counts>,
    log_pages: Arc<AtomicI32>,
    /// Whether the writer itself is committing. All other commits are refused; see [`Writer::adopt`].
    committing: Arc<AtomicBool>,
    /// Called after a batch that may have made a notification ready.
    changed: Box<dyn Fn() + Send>,
    /// The error that requires the file to be reopened, if any.
    broken: Option<StoreError>,
    reopened_at: Option<Instant>,
}

impl Writer {
    /// Creates a writer for a file.
    pub(crate) fn new(
        options: SqliteOptions,
        operations: mpsc::Receiver<Box<dyn Operation>>,
        deadline: Deadline,
        counts: Arc<Counts>,
    ) -> Self {
        Self {
            options,
            connection: None,
            operations,
            deadline,
            counts,
            log_pages: Arc::default(),
            committing: Arc::default(),
            changed: Box::new(|| {}),
            broken: None,
            reopened_at: None,
        }
    }

    /// Starts the writer thread. The thread ends when all senders of operations are dropped.
    pub(crate) fn start(
        mut self,
        connection: Connection,
        changed: impl Fn() + Send + 'static,
    ) -> Result<(), StoreError> {
        self.changed = Box::new(changed);
        let started = std::thread::Builder::new().name("paytend-sqlite".into()).spawn(move || self.run(connection));
        started.map(drop).map_err(|error| StoreError::unavailable(format!("cannot start the writer thread: {error}")))
    }

    fn run(mut self, connection: Connection) {
        if let Err(error) = self.adopt(connection) {
            self.suspect(store_error("prepare the connection", error));
        }
        let mut batch = Vec::with_capacity(MAX_BATCH);
        while self.operations.blocking_recv_many(&mut batch, MAX_BATCH) > 0 {
            // An operation can end the transaction of its batch. The remaining operations run in a new transaction.
            while !batch.is_empty() {
                self.process(&mut batch);
            }
            self.checkpoint();
        }
    }

    /// Prepares a connection and uses it as the writer's connection.
    fn adopt(&mut self, mut connection: Connection) -> Result<(), rusqlite::Error> {
        let pages = Arc::clone(&self.log_pages);
        connection.wal_hook(Some(move |_: &mut rusqlite::hooks::Wal, count: c_int| {
            pages.store(count, Ordering::Relaxed);
            Ok(())
        }))?;
        // If an error in an effect ends the transaction, each later statement would be committed separately. This hook
        // refuses such commits.
        let committing = Arc::clone(&self.committing);
        connection.commit_hook(Some(move || !committing.load(Ordering::Relaxed)))?;
        let deadline = self.deadline.clone();
        connection.progress_handler(DEADLINE_STEPS, Some(move || deadline.has_passed()))?;
        self.connection = Some(connection);
        Ok(())
    }

    /// Runs operations in one transaction, commits, sends the replies, and removes the operations from the list.
    fn process(&mut self, operations: &mut Vec<Box<dyn Operation>>) {
        let (committing, counts) = (Arc::clone(&self.committing), Arc::clone(&self.counts));
        let (run, result) = match self.reopen() {
            Ok(connection) => batch(connection, operations, &committing, &counts),
            Err(error) => (operations.len(), Err(Failure { error, suspect: false })),
        };
        counts.finished(result.is_ok());
        let committed = result.map_err(|Failure { error, suspect }| {
            tracing::error!(%error, operations = run, "operations were not stored");
            if suspect {
                self.suspect(error.clone());
            }
            error
        });
        fail::fail_point!("sqlite-after-commit");
        metrics::histogram!("paytend_sqlite_batch_operations").record(u32::try_from(run).unwrap_or(u32::MAX));
        let wakes = operations[..run].iter().any(|operation| operation.wakes_workers());
        // Workers are woken before the replies are sent.
        if wakes {
            (self.changed)();
        }
        for operation in operations.drain(..run) {
            operation.reply(committed.clone());
        }
    }

    /// Refuses all operations until the file is reopened and checked.
    fn suspect(&mut self, error: StoreError) {
        self.counts.suspend(true);
        self.broken = Some(error);
    }

    /// Returns the connection. Reopens the file after a disk error, because SQLite's cache can then differ from the
    /// disk.
    fn reopen(&mut self) -> Result<&mut Connection, StoreError> {
        if let Some(broken) = self.broken.clone() {
            if self.reopened_at.is_some_and(|at| at.elapsed() < REOPEN_PAUSE) {
                return Err(broken);
            }
            self.reopened_at = Some(Instant::now());
            self.connection = None;
            let connection = open_writer(&self.options)?;
            check_pages(&connection)?;
            self.adopt(connection).map_err(|error| store_error("prepare the connection", error))?;
            self.broken = None;
            self.counts.suspend(false);
            tracing::warn!("the file was reopened and checked after an error");
        }
        self.connection.as_mut().ok_or_else(|| StoreError::unavailable("the file is not open"))
    }

    fn checkpoint(&mut self) {
        let pages = self.log_pages.load(Ordering::Relaxed);
        metrics::gauge!("paytend_sqlite_log_pages").set(pages);
        let waiting = !self.operations.is_empty();
        if pages < IDLE_CHECKPOINT || (pages < BUSY_CHECKPOINT && waiting) {
            return;
        }
        let Some(connection) = &self.connection else { return };
        fail::fail_point!("sqlite-before-checkpoint");
        let forced = pages >= FORCED_CHECKPOINT;
        let result = if forced { truncate_log(connection, FORCED_WAIT) } else { copy_log(connection, "PASSIVE") };
        fail::fail_point!("sqlite-after-checkpoint");
        match result {
            Ok(true) => self.log_pages.store(0, Ordering::Relaxed),
            Ok(false) if forced => {
                tracing::warn!(
                    pages,
                    "the write-ahead log is growing because a reader has been active for a long time"
                );
            }
            Ok(false) => {}
            Err(error) => {
                let error = store_error("copy the write-ahead log into the file", error);
                tracing::error!(%error, "checkpoint failed");
                self.suspect(error);
            }
        }
    }
}

/// The time limit for the effect in progress.
#[derive(Clone)]
pub(crate) struct Deadline {
    started: Instant,
    /// The deadline in milliseconds from `started`, or 0 if there is no limit.
    at: Arc<AtomicU64>,
}

impl Deadline {
    pub(crate) fn new() -> Self {
        Self { started: Instant::now(), at: Arc::default() }
    }

    fn elapsed(&self) -> u64 {
        u64::try_from(self.started.elapsed().as_millis()).unwrap_or(u64::MAX)
    }

    /// Sets the limit to `time` from now.
    pub(crate) fn set(&self, time: Duration) {
        let time = u64::try_from(time.as_millis()).unwrap_or(u64::MAX);
        self.at.store(self.elapsed().saturating_add(time).max(1), Ordering::Relaxed);
    }

    pub(crate) fn clear(&self) {
        self.at.store(0, Ordering::Relaxed);
    }

    pub(crate) fn has_passed(&self) -> bool {
        let at = self.at.load(Ordering::Relaxed);
        at != 0 && self.elapsed() > at
    }
}

/// The reason why a batch was not committed.
struct Failure {
    error: StoreError,
    suspect: bool,
}

impl Failure {
    fn of(doing: &str, error: rusqlite::Error) -> Self {
        let suspect = is_suspect(&error);
        Self { error: store_error(doing, error), suspect }
    }
}

/// Runs operations until an operation ends the transaction, and then commits. The result applies to the returned number
/// of operations. These are the operations that ran, or all operations if the transaction could not begin.
fn batch(
    connection: &mut Connection,
    operations: &mut [Box<dyn Operation>],
    committing: &AtomicBool,
    counts: &Counts,
) -> (usize, Result<(), Failure>) {
    fail::fail_point!("sqlite-before-begin");
    let transaction = match begin(connection) {
        Ok(transaction) => transaction,
        Err(error) => return (operations.len(), Err(Failure::of("write", error))),
    };
    if let Err(error) = duplicates::write(counts, &transaction) {
        return (operations.len(), Err(Failure::of("count duplicates", error)));
    }
    let mut run = 0;
    for operation in operations {
        run += 1;
        fail::fail_point!("sqlite-before-operation");
        if let Err(error) = execute(&transaction, "SAVEPOINT paytend_operation") {
            return (run, Err(Failure::of("write", error)));
        }
        let verdict = operation.run(&transaction);
        fail::fail_point!("sqlite-after-operation");
        if verdict == Verdict::Suspect {
            return (run, Err(interrupted(true)));
        }
        // The savepoint is absent if SQLite or an effect has ended the transaction.
        if transaction.is_autocommit() || end(&transaction, verdict).is_err() {
            return (run, Err(interrupted(false)));
        }
    }
    let started = Instant::now();
    committing.store(true, Ordering::Relaxed);
    let committed = commit(transaction);
    committing.store(false, Ordering::Relaxed);
    metrics::histogram!("paytend_sqlite_commit_seconds").record(started.elapsed());
    (run, committed.map_err(|error| Failure::of("commit", error)))
}

/// Ends an operation's savepoint. The verdict determines whether its changes are kept.
fn end(transaction: &Transaction<'_>, verdict: Verdict) -> Result<(), rusqlite::Error> {
    if verdict != Verdict::Keep {
        execute(transaction, "ROLLBACK TO paytend_operation")?;
    }
    execute(transaction, "RELEASE paytend_operation")
}

fn execute(transaction: &Transaction<'_>, sql: &str) -> Result<(), rusqlite::Error> {
    transaction.prepare_cached(sql)?.execute([]).map(drop)
}

fn begin(connection: &mut Connection) -> Result<Transaction<'_>, rusqlite::Error> {
    connection.transaction_with_behavior(TransactionBehavior::Immediate)
}

fn commit(transaction: Transaction<'_>) -> Result<(), rusqlite::Error> {
    fail::fail_point!("sqlite-before-commit", |_| Err(rusqlite::Error::SqliteFailure(
        rusqlite::ffi::Error::new(rusqlite::ffi::SQLITE_IOERR_FSYNC),
        None,
    )));
    transaction.commit()
}

fn interrupted(suspect: bool) -> Failure {
    Failure {
        error: StoreError::unavailable("the transaction was rolled back because of a different operation"),
        suspect,
    }
}

/// Copies the write-ahead log to the file. Returns whether the whole log was copied.
fn copy_log(connection: &Connection, mode: &str) -> Result<bool, rusqlite::Error> {
    let (busy, pages, copied): (i64, i64, i64) =
        connection.query_row(&format!("PRAGMA wal_checkpoint({mode})"), [], |row| {
            Ok((row.get(0)?, row.get(1)?, row.get(2)?))
        })?;
    Ok(busy == 0 && pages == copied)
}

/// Copies the write-ahead log to the file and empties the log. Waits for readers for at most `wait`.
pub(crate) fn truncate_log(connection: &Connection, wait: Duration) -> Result<bool, rusqlite::Error> {
    connection.busy_timeout(wait)?;
    let result = copy_log(connection, "TRUNCATE");
    connection.busy_timeout(crate::engine::BUSY_TIMEOUT)?;
    result
}

/// Checks the structure of a reopened file, and copies the write-ahead log to the file.
fn check_pages(connection: &Connection) -> Result<(), StoreError> {
    let failed = |error| store_error("check the file", error);
    let found: String = connection.query_row("PRAGMA quick_check(1)", [], |row| row.get(0)).map_err(failed)?;
    if found != "ok" {
        return Err(StoreError::new(StoreErrorKind::Corrupt, "the file is damaged: restore a backup"));
    }
    settle_log(connection)
}

/// Copies the write-ahead log to the file and syncs the file, so that all data is on disk without the log.
pub(crate) fn settle_log(connection: &Connection) -> Result<(), StoreError> {
    let failed = |error| store_error("copy the write-ahead log into the file", error);
    // An active reader can prevent the log from being emptied, but not from being copied.
    let settled =
        copy_log(connection, "PASSIVE").map_err(failed)? || truncate_log(connection, FORCED_WAIT).map_err(failed)?;
    if settled {
        Ok(())
    } else {
        Err(StoreError::unavailable("the write-ahead log cannot be copied: the file is in use"))
    }
}
