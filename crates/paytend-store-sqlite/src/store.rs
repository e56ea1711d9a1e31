//! The SQLite store.

use std::fmt;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::Path;
use std::sync::mpsc::SyncSender;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use paytend_inbox::{
    Accepted, ClaimRequest, Claimed, Completion, FinishError, HandlerError, Lease, Mac, NewNotification, Release,
    Store, StoreError, StoreErrorKind,
};
use rusqlite::{Connection, OptionalExtension as _, Transaction};
use tokio::sync::{Notify, mpsc, oneshot};

use crate::clock::Clock;
use crate::counts::Counts;
use crate::deadline::Deadline;
use crate::duplicates::{Forward, Lookup, Lookups, is_always_recorded};
use crate::error::{OpError, is_suspect, store_error, suspect_cause};
use crate::options::SqliteOptions;
use crate::writer::{NotCommitted, Operation, Verdict, Writer};
use crate::{accept, claim, duplicates, engine, finish, log, outbox, schema};

/// A change to apply in the same transaction that completes a notification. Create it with [`in_transaction`].
pub type SqliteEffect = Box<dyn FnOnce(&Transaction<'_>) -> Result<(), HandlerError> + Send>;

/// Returns a completion that applies a change in the same transaction that completes the notification.
///
/// The change runs on the writer thread, so it should do nothing except run SQL. If the change returns an error, it is
/// rolled back and the notification is attempted again. The change must not begin or end transactions. If it ends its
/// transaction, it fails. It can read and write every table in the file.
///
/// ```
/// use paytend_inbox::{Completion, Delivery, HandlerError, types};
/// use paytend_store_sqlite::{SqliteEffect, in_transaction};
///
/// async fn book(
///     delivery: Delivery<Box<paytend_model::iban::IbanTransaction>>,
/// ) -> Result<Completion<SqliteEffect>, HandlerError> {
///     let deposit = delivery.into_notification();
///     let Some(amount) = deposit.amount else { return Err(HandlerError::dead_letter("no amount")) };
///     Ok(in_transaction(move |transaction| {
///         transaction.execute("INSERT INTO booking (amount) VALUES (?1)", [amount.value().to_string()])?;
///         Ok(())
///     }))
/// }
/// ```
pub fn in_transaction(
    effect: impl FnOnce(&Transaction<'_>) -> Result<(), HandlerError> + Send + 'static,
) -> Completion<SqliteEffect> {
    Completion::with_effect(Box::new(effect))
}

/// A store of notifications in an SQLite file. Cloning is cheap, and the clones share the file.
///
/// One thread performs all writes and commits many of them together. Several processes can open the same file, and wait
/// for each other's commits.
///
/// ```
/// # let directory = tempfile::tempdir()?;
/// # let path = directory.path().join("inbox.db");
/// use paytend_store_sqlite::SqliteStore;
/// let store = SqliteStore::open(path)?;
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Clone)]
pub struct SqliteStore {
    pub(crate) shared: Arc<Shared>,
}

pub(crate) struct Shared {
    pub(crate) options: SqliteOptions,
    pub(crate) clocks: outbox::Clocks,
    pub(crate) skipped: paytend_outbox::SkippedOrders,
    queue: Queue,
    lookups: SyncSender<Lookup>,
    counts: Arc<Counts>,
    deadline: Deadline,
    changed: Arc<Notify>,
    reader: Mutex<Connection>,
}

impl SqliteStore {
    /// Opens the store in a file, and creates the file if it does not exist. See [`SqliteOptions`] for settings.
    ///
    /// # Errors
    /// Returns [`StoreError`] in the same cases as [`SqliteOptions::open`].
    pub fn open(path: impl AsRef<Path>) -> Result<Self, StoreError> {
        SqliteOptions::new(path).open()
    }

    pub(crate) fn with(options: SqliteOptions) -> Result<Self, StoreError> {
        let mut connection = engine::open_writer(&options)?;
        // After a failed sync and a restart, the write-ahead log can contain transactions that are not on disk.
        // Therefore, the log is copied to the file before the store uses it.
        log::settle_log(&connection)?;
        if options.create {
            schema::migrate(&mut connection, options.clock.now())?;
        } else {
            schema::require(&connection)?;
        }
        finish::repair_times(&connection, options.clock.now()).map_err(|error| store_error("read the times", error))?;
        outbox::repair_times(&connection, options.clock.now()).map_err(|error| store_error("read the times", error))?;
        let reader = Mutex::new(engine::open_reader(&options)?);
        let (operations, receiver) = mpsc::channel(options.max_waiting);
        let (deadline, changed) = (Deadline::new(), Arc::new(Notify::new()));
        let notify = Arc::clone(&changed);
        let counts = Arc::new(Counts::default());
        let writer = Writer::new(options.clone(), receiver, deadline.clone(), Arc::clone(&counts));
        writer.start(connection, move || notify.notify_waiters())?;
        let queue = Queue { operations, clock: options.clock.clone() };
        let connection = engine::open_reader(&options)?;
        let (waiting, clock) = (options.max_waiting, options.clock.clone());
        let lookups = Lookups::start(connection, waiting, Arc::clone(&counts), clock, queue.clone())?;
        let clocks = outbox::Clocks::default();
        let skipped = paytend_outbox::SkippedOrders::default();
        let shared = Shared { options, clocks, skipped, queue, lookups, counts, deadline, changed, reader };
        Ok(Self { shared: Arc::new(shared) })
    }

    /// Runs a function in the writer's transaction, and returns its result after the commit. If the function returns an
    /// error, its changes are rolled back. The rules for [`in_transaction`] apply.
    ///
    /// # Errors
    /// Returns [`StoreError`] if the function fails or the commit fails. After a failed commit, it is unknown whether
    /// the changes are stored.
    pub async fn write<T: Send + 'static>(
        &self,
        function: impl FnOnce(&Transaction<'_>) -> Result<T, rusqlite::Error> + Send + 'static,
    ) -> Result<T, StoreError> {
        let written = self.run("write", |transaction| {
            let value = function(transaction)?;
            if transaction.is_autocommit() {
                return Err(StoreError::unavailable("the function ended the transaction").into());
            }
            Ok(value)
        });
        written.await.map_err(StoreError::from)
    }

    /// Runs an operation on the writer thread. Waits if the queue is full.
    pub(crate) async fn run<T: Send + 'static>(
        &self,
        doing: &'static str,
        function: impl FnOnce(&Transaction<'_>) -> Result<T, OpError> + Send + 'static,
    ) -> Result<T, FinishError> {
        let (operation, result) = Pending::create(doing, function);
        self.shared.queue.operations.send(operation).await.map_err(|_| stopped())?;
        result.await.unwrap_or_else(|_| Err(stopped().into()))
    }

    /// Writes the counted sightings, so that readers see them. If this fails, readers see an earlier count.
    pub(crate) async fn write_counts(&self) {
        if !self.shared.counts.is_empty() {
            let _ = self.run(COUNT, |_| Ok(())).await;
        }
    }

    /// Runs a function that only reads, on the read connection.
    pub(crate) async fn read<T: Send + 'static>(
        &self,
        doing: &'static str,
        function: impl FnOnce(&Connection) -> Result<T, rusqlite::Error> + Send + 'static,
    ) -> Result<T, StoreError> {
        let shared = Arc::clone(&self.shared);
        let reading = tokio::task::spawn_blocking(move || {
            // A poisoned lock is safe to use, because a transaction is rolled back when a panic drops it.
            let reader = shared.reader.lock().unwrap_or_else(PoisonError::into_inner);
            function(&reader).map_err(|error| store_error(doing, error))
        });
        reading.await.unwrap_or_else(|_| Err(StoreError::unavailable("the read did not complete")))
    }
}

impl SqliteStore {
    /// Applies an effect within its time limit. A panic becomes an error without the panic's message.
    pub(crate) fn apply(&self, effect: SqliteEffect, transaction: &Transaction<'_>) -> Result<(), HandlerError> {
        let (deadline, limit) = (&self.shared.deadline, self.shared.options.effect_timeout);
        deadline.set(limit);
        let applied = catch_unwind(AssertUnwindSafe(|| effect(transaction)));
        let timed_out = deadline.has_passed();
        deadline.clear();
        fail::fail_point!("sqlite-after-effect");
        let applied = applied.unwrap_or_else(|_| Err(HandlerError::retry("the effect panicked")));
        // An effect can ignore the error from a statement that was interrupted. However, SQLite has then rolled back
        // the whole transaction, including the effect's earlier writes.
        match applied {
            _ if timed_out => Err(HandlerError::retry("the effect exceeded its time limit")),
            Ok(()) if transaction.is_autocommit() => Err(HandlerError::retry("the effect ended the transaction")),
            applied => applied,
        }
    }
}

/// Converts an error from an effect. A disk or file error becomes an SQLite error, so that the file is reopened and
/// checked. If an effect converts such an error to text, it cannot be detected.
pub(crate) fn effect_error(error: HandlerError) -> OpError {
    match error.source().and_then(suspect_cause) {
        Some(suspect) => suspect.into(),
        None => FinishError::Effect(error).into(),
    }
}

fn stopped() -> StoreError {
    StoreError::unavailable("the writer thread has stopped")
}

/// The channel to the writer.
#[derive(Clone)]
struct Queue {
    operations: mpsc::Sender<Box<dyn Operation>>,
    clock: Clock,
}

impl Forward for Queue {
    /// Passes a notification to the writer. The caller receives an error if the queue is full.
    fn store(&self, Lookup { notification, caller }: Lookup) {
        let clock = self.clock.clone();
        let function = move |transaction: &Transaction<'_>| accept::accept(transaction, clock.now(), &notification);
        // A place in the queue is reserved first. Otherwise, a failed send would drop the channel to the caller.
        let error = match self.operations.try_reserve() {
            Ok(place) => return place.send(Pending::boxed("store a notification", function, caller)),
            Err(mpsc::error::TrySendError::Full(())) => StoreError::unavailable("the store is overloaded"),
            Err(mpsc::error::TrySendError::Closed(())) => stopped(),
        };
        let _ = caller.send(Err(error.into()));
    }

    /// Runs an empty operation to cause a commit. If the queue is full, this is unnecessary because the waiting
    /// operations cause a commit.
    fn commit(&self) {
        let (operation, _) = Pending::create(COUNT, |_| Ok(()));
        let _ = self.operations.try_send(operation);
    }
}

/// The names of operations that cannot make a notification ready, so they do not wake workers.
pub(crate) const CLAIM: &str = "claim";
const COUNT: &str = "count duplicates";
pub(crate) const EXTEND: &str = "extend a lease";
/// The names of operations that end attempts. If their batch is rolled back, they return [`FinishError::NotApplied`].
const COMPLETE: &str = "complete a notification";
pub(crate) const RELEASE: &str = "end an attempt";

/// An operation, its result, and the channel to its caller.
struct Pending<T, F> {
    doing: &'static str,
    function: Option<F>,
    result: Option<Result<T, FinishError>>,
    caller: oneshot::Sender<Result<T, FinishError>>,
}

impl<T, F> Pending<T, F>
where
    T: Send + 'static,
    F: FnOnce(&Transaction<'_>) -> Result<T, OpError> + Send + 'static,
{
    fn create(doing: &'static str, function: F) -> (Box<dyn Operation>, oneshot::Receiver<Result<T, FinishError>>) {
        let (caller, result) = oneshot::channel();
        (Self::boxed(doing, function, caller), result)
    }

    fn boxed(doing: &'static str, function: F, caller: oneshot::Sender<Result<T, FinishError>>) -> Box<dyn Operation> {
        Box::new(Self { doing, function: Some(function), result: None, caller })
    }
}

impl<T, F> Operation for Pending<T, F>
where
    T: Send + 'static,
    F: FnOnce(&Transaction<'_>) -> Result<T, OpError> + Send + 'static,
{
    fn run(&mut self, transaction: &Transaction<'_>) -> Verdict {
        let Some(function) = self.function.take() else { return Verdict::RollBack };
        // A claim without a caller would count an attempt that no worker makes.
        if self.doing == CLAIM && self.caller.is_closed() {
            return Verdict::RollBack;
        }
        let (verdict, result) = match catch_unwind(AssertUnwindSafe(|| function(transaction))) {
            Ok(Ok(value)) => (Verdict::Keep, Ok(value)),
            Ok(Err(OpError::Sql(error))) if is_suspect(&error) => {
                (Verdict::Suspect, Err(store_error(self.doing, error).into()))
            }
            Ok(Err(error)) => (Verdict::RollBack, Err(error.into_finish(self.doing))),
            Err(_) => (Verdict::RollBack, Err(StoreError::unavailable("the operation panicked").into())),
        };
        self.result = Some(result);
        verdict
    }

    fn wakes_workers(&self) -> bool {
        ![CLAIM, COUNT, EXTEND, outbox::BEGIN_SEND, outbox::RECORD].contains(&self.doing)
    }

    fn reply(self: Box<Self>, committed: Result<(), NotCommitted>) {
        let ends_attempt = [COMPLETE, RELEASE, outbox::COMPLETE, outbox::RECORD].contains(&self.doing);
        let result = match (self.result, committed) {
            // If the lease was lost because of another operation in the batch, that operation was rolled back, too.
            (None | Some(Ok(_) | Err(FinishError::LeaseLost)), Err(NotCommitted::RolledBack(_))) if ends_attempt => {
                Err(FinishError::NotApplied)
            }
            (Some(Err(error)), _) => Err(error),
            (_, Err(reason)) => Err(reason.into_error().into()),
            (Some(Ok(value)), Ok(())) => Ok(value),
            (None, Ok(())) => Err(StoreError::unavailable("the operation was not carried out").into()),
        };
        // Sending fails if the caller has stopped waiting. This error is ignored.
        let _ = self.caller.send(result);
    }
}

impl Store for SqliteStore {
    type Effect = SqliteEffect;

    async fn bind_keys(&self, check: Mac) -> Result<(), StoreError> {
        let bound = self.run("check the key file", move |transaction| {
            let known: Option<Vec<u8>> = transaction
                .query_row("SELECT value FROM paytend_meta WHERE name = 'keys'", [], |row| row.get(0))
                .optional()?;
            match known {
                Some(known) if known == check.as_bytes() => Ok(()),
                Some(_) => {
                    Err(StoreError::new(StoreErrorKind::Keys, "the store was created with a different key file").into())
                }
                None => {
                    let row = [check.as_bytes().as_slice()];
                    transaction.execute("INSERT INTO paytend_meta (name, value) VALUES ('keys', ?1)", row)?;
                    Ok(())
                }
            }
        });
        bound.await.map_err(StoreError::from)
    }

    async fn accept(&self, notification: NewNotification) -> Result<Accepted, StoreError> {
        let (caller, result) = oneshot::channel();
        let lookup = Lookup { notification, caller };
        let unanswered = if is_always_recorded(&lookup.notification) {
            Some(lookup)
        } else {
            duplicates::send(&self.shared.lookups, lookup)
        };
        if let Some(lookup) = unanswered {
            self.shared.queue.store(lookup);
        }
        let accepted = async { result.await.unwrap_or_else(|_| Err(stopped().into())) };
        accepted.await.map_err(StoreError::from)
    }

    async fn claim(&self, request: ClaimRequest) -> Result<Vec<Claimed>, StoreError> {
        let clock = self.shared.options.clock.clone();
        let claimed = self.run(CLAIM, move |transaction| claim::claim(transaction, clock.now(), &request));
        claimed.await.map_err(StoreError::from)
    }

    async fn extend(&self, lease: Lease, time: Duration) -> Result<(), FinishError> {
        let clock = self.shared.options.clock.clone();
        self.run(EXTEND, move |transaction| finish::extend(transaction, clock.now(), lease, time)).await
    }

    async fn complete(&self, lease: Lease, effect: Option<SqliteEffect>) -> Result<(), FinishError> {
        let (clock, store) = (self.shared.options.clock.clone(), self.clone());
        let completed = self.run(COMPLETE, move |transaction| {
            let held = finish::held(transaction, lease)?;
            if let Some(effect) = effect {
                store.apply(effect, transaction).map_err(effect_error)?;
            }
            finish::complete(transaction, clock.now(), &held)
        });
        completed.await
    }

    async fn release(&self, lease: Lease, release: Release) -> Result<(), FinishError> {
        let clock = self.shared.options.clock.clone();
        self.run(RELEASE, move |transaction| finish::release(transaction, clock.now(), lease, &release)).await
    }

    async fn changed(&self) {
        self.shared.changed.notified().await;
    }
}

impl fmt::Debug for SqliteStore {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("SqliteStore").field("path", &self.shared.options.path).finish_non_exhaustive()
    }
}
