//! The writer, a single thread that executes all changes and commits them in batches.
//!
//! The thread takes all waiting operations, runs each operation in a savepoint, commits once, and then sends all
//! replies. While the thread waits for the disk, new operations wait in the queue. If a commit fails, every operation
//! of its batch fails. [`NotCommitted`] reports whether the commit was attempted.

use std::os::raw::c_int;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicI32, Ordering};
use std::time::{Duration, Instant};

use paytend_inbox::{StoreError, StoreErrorKind};
use rusqlite::{Connection, Transaction, TransactionBehavior};
use tokio::sync::mpsc;

use crate::counts::Counts;
use crate::deadline::Deadline;
use crate::duplicates;
use crate::engine::open_writer;
use crate::error::{is_suspect, store_error};
use crate::log::{Copied, copy_log, settle_log, truncate_log};
use crate::options::SqliteOptions;
use crate::schema;

/// The maximum number of operations in one transaction.
const MAX_BATCH: usize = 512;
/// The maximum number of times that the writer lets other threads run before a transaction.
const MAX_YIELDS: usize = 4;
/// The size of a page: SQLite's default.
const PAGE_BYTES: c_int = 4_096;
/// The minimum size of the write-ahead log, in pages, at which an idle writer copies the log to the file.
const IDLE_CHECKPOINT: c_int = 1_000;
/// The minimum size, in pages, at which the writer copies the log even if operations are waiting.
const BUSY_CHECKPOINT: c_int = 4_000;
/// The minimum size, in pages, at which the writer also waits for readers. It waits for up to [`FORCED_WAIT`].
const FORCED_CHECKPOINT: c_int = 16_000;
/// How long a forced checkpoint waits for readers.
const FORCED_WAIT: Duration = Duration::from_millis(200);
/// The time between two forced checkpoints, so that a reader that is active for a long time does not slow down all
/// writes.
const FORCED_PAUSE: Duration = Duration::from_secs(5);
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
    fn reply(self: Box<Self>, committed: Result<(), NotCommitted>);
}

/// The reason why an operation was not committed.
#[derive(Clone, Debug)]
pub(crate) enum NotCommitted {
    /// No commit was attempted, so nothing was changed.
    RolledBack(StoreError),
    /// The commit failed. It is unknown whether the changes are stored.
    Unknown(StoreError),
}

impl NotCommitted {
    pub(crate) fn into_error(self) -> StoreError {
        match self {
            Self::RolledBack(error) | Self::Unknown(error) => error,
        }
    }
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
    /// The time of the last forced checkpoint.
    forced_at: Option<Instant>,
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
            forced_at: None,
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
            self.gather(&mut batch);
            // An operation can end the transaction of its batch. The remaining operations run in a new transaction.
            while !batch.is_empty() {
                self.process(&mut batch);
            }
            self.checkpoint();
        }
    }

    /// Lets other threads run, and adds the operations that they submit, so that a commit covers more operations. If no
    /// other thread is ready to run, this takes no time.
    fn gather(&mut self, batch: &mut Vec<Box<dyn Operation>>) {
        for _ in 0..MAX_YIELDS {
            let gathered = batch.len();
            std::thread::yield_now();
            while batch.len() < MAX_BATCH
                && let Ok(operation) = self.operations.try_recv()
            {
                batch.push(operation);
            }
            if batch.len() == gathered {
                return;
            }
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
            Err(error) => (operations.len(), Err(Failure { reason: NotCommitted::RolledBack(error), suspect: false })),
        };
        counts.finished(result.is_ok());
        let committed = result.map_err(|Failure { reason, suspect }| {
            let error = reason.clone().into_error();
            tracing::error!(%error, operations = run, "operations were not stored");
            if suspect {
                self.suspect(error);
            }
            reason
        });
        fail::fail_point!("sqlite-after-commit");
        metrics::histogram!("paytend_sqlite_batch_operations").record(u32::try_from(run).unwrap_or(u32::MAX));
        let wakes = operations[..run].iter().any(|operation| operation.wakes_workers());
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
            // If the file has disappeared, for example with its volume, an empty file must not replace it.
            let connection = open_writer(&self.options.clone().must_exist())?;
            check_pages(&connection)?;
            schema::require(&connection)?;
            self.adopt(connection).map_err(|error| store_error("prepare the connection", error))?;
            self.broken = None;
            self.counts.suspend(false);
            tracing::warn!("the file was reopened and checked after an error");
        }
        self.connection.as_mut().ok_or_else(|| StoreError::unavailable("the file is not open"))
    }

    fn checkpoint(&mut self) {
        let pages = self.log_pages.load(Ordering::Relaxed);
        metrics::gauge!("paytend_sqlite_log_bytes").set(pages.saturating_mul(PAGE_BYTES));
        let waiting = !self.operations.is_empty();
        if pages < IDLE_CHECKPOINT || (pages < BUSY_CHECKPOINT && waiting) {
            return;
        }
        let Some(connection) = &self.connection else { return };
        fail::fail_point!("sqlite-before-checkpoint");
        let forced = pages >= FORCED_CHECKPOINT && self.forced_at.is_none_or(|at| at.elapsed() >= FORCED_PAUSE);
        let result = if forced { truncate_log(connection, FORCED_WAIT) } else { copy_log(connection, "PASSIVE") };
        fail::fail_point!("sqlite-after-checkpoint");
        match result {
            Ok(Copied::All) => {
                self.log_pages.store(0, Ordering::Relaxed);
                self.forced_at = None;
            }
            Ok(_) if forced => {
                self.forced_at = Some(Instant::now());
                tracing::warn!(
                    pages,
                    "the write-ahead log is growing because a reader has been active for a long time"
                );
            }
            Ok(_) => {}
            Err(error) => {
                let error = store_error("copy the write-ahead log into the file", error);
                tracing::error!(%error, "checkpoint failed");
                self.suspect(error);
            }
        }
    }
}

/// The reason why a batch was not committed.
struct Failure {
    reason: NotCommitted,
    suspect: bool,
}

impl Failure {
    /// Creates the failure for an error before the commit.
    fn of(doing: &str, error: rusqlite::Error) -> Self {
        let suspect = is_suspect(&error);
        Self { reason: NotCommitted::RolledBack(store_error(doing, error)), suspect }
    }

    /// Creates the failure for a commit error.
    fn of_commit(error: rusqlite::Error) -> Self {
        let suspect = is_suspect(&error);
        Self { reason: NotCommitted::Unknown(store_error("commit", error)), suspect }
    }
}

/// Runs operations until an operation ends the transaction, and then commits. Returns the result, and the number of
/// operations to which it applies. These are the operations that ran, or all operations if the transaction could not
/// begin.
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
        if transaction.is_autocommit() {
            return (run, Err(interrupted(false)));
        }
        if let Err(error) = end(&transaction, verdict) {
            return (run, Err(interrupted(is_suspect(&error))));
        }
    }
    let started = Instant::now();
    committing.store(true, Ordering::Relaxed);
    let committed = commit(transaction);
    committing.store(false, Ordering::Relaxed);
    metrics::histogram!("paytend_sqlite_commit_seconds").record(started.elapsed());
    (run, committed.map_err(Failure::of_commit))
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
    let error = StoreError::unavailable("the transaction was rolled back because another operation in it failed");
    Failure { reason: NotCommitted::RolledBack(error), suspect }
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
