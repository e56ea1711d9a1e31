//! The store.

use std::fmt;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use deadpool_postgres::{Object, Pool, Transaction};
use futures_util::future::BoxFuture;
use paytend_inbox::{
    Accepted, ClaimRequest, Claimed, FinishError, Lease, Mac, NewNotification, Release, Store, StoreError,
    StoreErrorKind,
};
use paytend_outbox::SkippedOrders;
use tokio_postgres::IsolationLevel;

use crate::completions::Completions;
use crate::connect::Server;
use crate::effect::PostgresEffect;
use crate::error::{OpError, is_definite, pool_error};
use crate::hints::Hints;
use crate::queue::Queue;
use crate::together::{self, Member, Report};
use crate::{claim, finish, settings};

/// The interval at which idle workers check whether the server's clock was set back.
const REPAIR_INTERVAL: Duration = Duration::from_secs(60);
/// The time limit for a rollback. If it is exceeded, the connection is closed, which also rolls back the transaction.
const ROLLBACK_TIMEOUT: Duration = Duration::from_secs(1);

/// A store of notifications in a PostgreSQL database. Cloning is cheap, and the clones share the connections.
///
/// Any number of processes can use one database. Open a store with [`PostgresOptions`](crate::PostgresOptions).
#[derive(Clone)]
pub struct PostgresStore {
    shared: Arc<Shared>,
}

struct Shared {
    server: Server,
    pool: Pool,
    rules: Rules,
    queue: Queue,
    completions: Completions,
    hints: Hints,
    skipped_orders: SkippedOrders,
    /// The time of the last search for due times that are too far in the future.
    repaired: Mutex<Option<Instant>>,
}

/// The options that apply to operations.
pub(crate) struct Rules {
    pub(crate) effect_timeout: Duration,
    pub(crate) danger_any_settings: bool,
    pub(crate) listen: bool,
}

impl PostgresStore {
    pub(crate) fn new(server: Server, pool: Pool, rules: Rules) -> Self {
        let hints = Hints::new(pool.clone(), rules.listen.then(|| server.clone()));
        Self {
            shared: Arc::new(Shared {
                server,
                pool,
                rules,
                queue: Queue::default(),
                completions: Completions::default(),
                hints,
                skipped_orders: SkippedOrders::default(),
                repaired: Mutex::default(),
            }),
        }
    }

    /// Returns the pool of connections.
    pub fn pool(&self) -> &Pool {
        &self.shared.pool
    }

    pub(crate) fn queue(&self) -> &Queue {
        &self.shared.queue
    }

    pub(crate) fn skipped_orders(&self) -> &SkippedOrders {
        &self.shared.skipped_orders
    }

    pub(crate) fn completions(&self) -> &Completions {
        &self.shared.completions
    }

    /// Runs an operation in a transaction, in the current task. Returns its result, and the connection if it can be
    /// used again.
    pub(crate) async fn attempt<T, F>(&self, doing: &'static str, function: F) -> (Result<T, OpError>, Option<Object>)
    where
        F: for<'a> FnOnce(&'a Transaction<'a>) -> BoxFuture<'a, Result<T, OpError>>,
    {
        self.shared.attempt(doing, function).await
    }

    /// Completes several notifications in one transaction, in the current task.
    pub(crate) async fn attempt_together(
        &self,
        doing: &'static str,
        members: &mut [Member],
    ) -> (Result<Report, OpError>, Option<Object>) {
        self.shared.attempt_together(doing, members).await
    }

    /// Runs an operation in a transaction, in a separate task. The commit continues if the caller stops waiting.
    pub(crate) async fn run<T, F>(&self, doing: &'static str, function: F) -> Result<T, FinishError>
    where
        T: Send + 'static,
        F: for<'a> FnOnce(&'a Transaction<'a>) -> BoxFuture<'a, Result<T, OpError>> + Send + 'static,
    {
        let shared = Arc::clone(&self.shared);
        let running = tokio::spawn(async move {
            let (result, _) = shared.attempt(doing, function).await;
            result.map_err(|error| error.into_finish(doing))
        });
        running.await.unwrap_or_else(|_| Err(not_completed()))
    }

    /// Runs an operation that does not depend on a lease.
    pub(crate) async fn write<T, F>(&self, doing: &'static str, function: F) -> Result<T, StoreError>
    where
        T: Send + 'static,
        F: for<'a> FnOnce(&'a Transaction<'a>) -> BoxFuture<'a, Result<T, OpError>> + Send + 'static,
    {
        self.run(doing, function).await.map_err(StoreError::from)
    }

    /// Makes pending notifications and orders due if they are waiting only because the server's clock was set back.
    pub(crate) async fn repair_times(&self) -> Result<(), StoreError> {
        let repaired = self.write("read the times", |transaction| Box::pin(finish::repair_times(transaction))).await?;
        if repaired > 0 {
            tracing::warn!(repaired, "the server's clock was set back: pending notifications are due again");
            self.notify();
        }
        Ok(())
    }

    /// Returns an error if the settings could cause acknowledged notifications to be lost, unless the options accept
    /// such settings.
    pub(crate) fn check_settings(&self, settings: &[(&'static str, String)]) -> Result<(), StoreError> {
        if self.shared.rules.danger_any_settings { Ok(()) } else { settings::check(settings) }
    }

    /// Repairs due times that are too far in the future, unless this was done within the last minute.
    pub(crate) async fn repair_times_if_due(&self) -> Result<(), StoreError> {
        if self.shared.must_repair() { self.repair_times().await } else { Ok(()) }
    }

    pub(crate) fn effect_timeout(&self) -> Duration {
        self.shared.rules.effect_timeout
    }

    pub(crate) fn notify(&self) {
        self.shared.hints.notify();
    }
}

impl Shared {
    /// Returns whether the times must be checked again.
    fn must_repair(&self) -> bool {
        let mut repaired = self.repaired.lock().unwrap_or_else(PoisonError::into_inner);
        let must = repaired.is_none_or(|at| at.elapsed() >= REPAIR_INTERVAL);
        if must {
            *repaired = Some(Instant::now());
        }
        must
    }

    /// Runs an operation in a transaction. Returns its result, and the connection if it can be used again.
    async fn attempt<T, F>(&self, doing: &'static str, function: F) -> (Result<T, OpError>, Option<Object>)
    where
        F: for<'a> FnOnce(&'a Transaction<'a>) -> BoxFuture<'a, Result<T, OpError>>,
    {
        let mut client = match self.pool.get().await {
            Ok(client) => client,
            Err(error) => return (Err(pool_error(doing, error).into()), None),
        };
        let ended = match begin(&mut client).await {
            Ok(transaction) => {
                let result = function(&transaction).await;
                end(transaction, result).await
            }
            Err(error) => (Err(error), Disposal::Keep),
        };
        self.dispose(client, ended)
    }

    /// Completes several notifications in one transaction. Returns a report, and the connection if it can be used
    /// again.
    pub(crate) async fn attempt_together(
        &self,
        doing: &'static str,
        members: &mut [Member],
    ) -> (Result<Report, OpError>, Option<Object>) {
        let mut client = match self.pool.get().await {
            Ok(client) => client,
            Err(error) => return (Err(pool_error(doing, error).into()), None),
        };
        let ended = match begin(&mut client).await {
            Ok(transaction) => {
                let result = together::complete(&transaction, members, self.rules.effect_timeout).await;
                end(transaction, result).await
            }
            Err(error) => (Err(error), Disposal::Keep),
        };
        self.dispose(client, ended)
    }

    fn dispose<T>(
        &self,
        client: Object,
        ended: (Result<T, OpError>, Disposal),
    ) -> (Result<T, OpError>, Option<Object>) {
        let (result, disposal) = ended;
        match disposal {
            Disposal::Keep => (result, Some(client)),
            Disposal::Close => {
                drop(Object::take(client));
                (result, None)
            }
            Disposal::Abandon => {
                self.server.abandon(client);
                (result, None)
            }
        }
    }
}

/// The action to take with a connection after a transaction.
enum Disposal {
    Keep,
    Close,
    /// A statement may still be running, so it is cancelled and the connection is closed.
    Abandon,
}

async fn begin(client: &mut Object) -> Result<Transaction<'_>, OpError> {
    Ok(client.build_transaction().isolation_level(IsolationLevel::ReadCommitted).start().await?)
}

/// Commits a transaction after a success, and rolls it back after an error.
async fn end<T>(transaction: Transaction<'_>, result: Result<T, OpError>) -> (Result<T, OpError>, Disposal) {
    let error = match result {
        Ok(value) => match transaction.commit().await {
            Ok(()) => return (Ok(value), Disposal::Keep),
            Err(error) if is_definite(&error) => OpError::Commit(error),
            Err(error) => return (Err(OpError::Unknown(error)), Disposal::Close),
        },
        Err(error @ OpError::Stuck(_)) => return (Err(error), Disposal::Abandon),
        Err(error) => {
            let rolled_back = tokio::time::timeout(ROLLBACK_TIMEOUT, transaction.rollback()).await;
            if !matches!(rolled_back, Ok(Ok(()))) {
                return (Err(error), Disposal::Abandon);
            }
            error
        }
    };
    // The unsafe setting may apply only to this session, so the connection is closed.
    let disposal = if error.is_unsafe() { Disposal::Close } else { Disposal::Keep };
    (Err(error), disposal)
}

pub(crate) fn not_completed() -> FinishError {
    StoreError::unavailable("the operation did not complete").into()
}

impl Store for PostgresStore {
    type Effect = PostgresEffect;

    async fn bind_keys(&self, check: Mac) -> Result<(), StoreError> {
        let bound = self.write("check the key file", move |transaction| {
            Box::pin(async move {
                let insert = "INSERT INTO paytend_meta (name, value) VALUES ('keys', $1) ON CONFLICT DO NOTHING";
                transaction.execute(insert, &[&check.as_bytes().as_slice()]).await?;
                let row = transaction.query_one("SELECT value FROM paytend_meta WHERE name = 'keys'", &[]).await?;
                Ok(row.try_get::<_, Vec<u8>>(0)? == check.as_bytes())
            })
        });
        if bound.await? {
            return Ok(());
        }
        Err(StoreError::new(StoreErrorKind::Keys, "the store was created with a different key file"))
    }

    async fn accept(&self, notification: NewNotification) -> Result<Accepted, StoreError> {
        self.store(notification).await
    }

    async fn claim(&self, request: ClaimRequest) -> Result<Vec<Claimed>, StoreError> {
        let found =
            self.write("claim", move |transaction| Box::pin(async move { claim::claim(transaction, &request).await }));
        let found = found.await?;
        for lease in found.unreadable {
            let id = lease.id.get();
            tracing::error!(id, "a row is unreadable: the notification becomes a dead letter");
            let cause = "unreadable: the row contains an invalid value".to_owned();
            if let Err(error) = self.release(lease, Release::DeadLetter { cause }).await {
                tracing::error!(
                    id,
                    %error,
                    "failed to release the notification; it will be claimed again when its lease expires"
                );
            }
        }
        self.repair_times_if_due().await?;
        Ok(found.claimed)
    }

    async fn extend(&self, lease: Lease, time: Duration) -> Result<(), FinishError> {
        self.run("extend a lease", move |transaction| Box::pin(finish::extend(transaction, lease, time))).await
    }

    async fn complete(&self, lease: Lease, effect: Option<PostgresEffect>) -> Result<(), FinishError> {
        self.complete_queued(lease, effect).await
    }

    async fn release(&self, lease: Lease, release: Release) -> Result<(), FinishError> {
        let released = self.run("end an attempt", move |transaction| {
            Box::pin(async move { finish::release(transaction, lease, &release).await })
        });
        released.await?;
        self.notify();
        Ok(())
    }

    async fn changed(&self) {
        self.shared.hints.changed().await;
    }
}

impl fmt::Debug for PostgresStore {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("PostgresStore").field("pool", &self.shared.pool.status()).finish_non_exhaustive()
    }
}
