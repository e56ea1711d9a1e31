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
use tokio_postgres::IsolationLevel;

use crate::connect::Server;
use crate::effect::{self, PostgresEffect};
use crate::error::{OpError, pool_error};
use crate::hints::Hints;
use crate::queue::Queue;
use crate::{claim, finish, settings};

/// The interval at which an idle worker checks whether the server's clock was set back.
const REPAIR_INTERVAL: Duration = Duration::from_secs(60);
/// The time limit of a rollback. Afterwards, the connection is closed, which also rolls back the transaction.
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
    hints: Hints,
    /// The time of the last check for due times that are too far in the future.
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
                hints,
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

    /// Runs an operation in a transaction, in the current task. Returns its value and the connection.
    pub(crate) async fn transact<T, F>(&self, doing: &'static str, function: F) -> Result<(T, Object), OpError>
    where
        F: for<'a> FnOnce(&'a Transaction<'a>) -> BoxFuture<'a, Result<T, OpError>>,
    {
        self.shared.transact(doing, function).await
    }

    /// Runs an operation in a transaction, in a separate task. The commit continues if the caller stops waiting.
    pub(crate) async fn run<T, F>(&self, doing: &'static str, function: F) -> Result<T, FinishError>
    where
        T: Send + 'static,
        F: for<'a> FnOnce(&'a Transaction<'a>) -> BoxFuture<'a, Result<T, OpError>> + Send + 'static,
    {
        let shared = Arc::clone(&self.shared);
        let running = tokio::spawn(async move {
            let run = shared.transact(doing, function).await;
            run.map(|(value, _)| value).map_err(|error| error.into_finish(doing))
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

    /// Makes pending work due if it waits only because the server's clock was set back.
    pub(crate) async fn repair_times(&self) -> Result<(), StoreError> {
        let repaired = self.write("read the times", |transaction| Box::pin(finish::repair_times(transaction))).await?;
        if repaired > 0 {
            tracing::warn!(repaired, "the server's clock was set back: pending notifications are due again");
            self.notify();
        }
        Ok(())
    }

    /// Refuses settings that can lose acknowledged notifications, unless the options accept such settings.
    pub(crate) fn check_settings(&self, settings: &[(&'static str, String)]) -> Result<(), StoreError> {
        if self.shared.rules.danger_any_settings { Ok(()) } else { settings::check(settings) }
    }

    /// Repairs the times, unless they were repaired within the last minute.
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

    /// Runs an operation in a transaction. Returns its value and the connection.
    async fn transact<T, F>(&self, doing: &'static str, function: F) -> Result<(T, Object), OpError>
    where
        F: for<'a> FnOnce(&'a Transaction<'a>) -> BoxFuture<'a, Result<T, OpError>>,
    {
        let mut client = self.pool.get().await.map_err(|error| pool_error(doing, error))?;
        let transaction = client.build_transaction().isolation_level(IsolationLevel::ReadCommitted).start().await?;
        let error = match function(&transaction).await {
            Ok(value) => match transaction.commit().await {
                Ok(()) => return Ok((value, client)),
                Err(error) => OpError::Sql(error),
            },
            Err(error @ OpError::Stuck(_)) => {
                drop(transaction);
                self.server.abandon(client);
                return Err(error);
            }
            Err(error) => {
                let rolled_back = tokio::time::timeout(ROLLBACK_TIMEOUT, transaction.rollback()).await;
                if !matches!(rolled_back, Ok(Ok(()))) {
                    self.server.abandon(client);
                    return Err(error);
                }
                error
            }
        };
        if error.is_unsafe() {
            // The connection is closed, because the unsafe setting may apply only to its session.
            drop(Object::take(client));
        }
        Err(error)
    }
}

fn not_completed() -> FinishError {
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
                tracing::error!(id, %error, "the notification is claimed again after its lease");
            }
        }
        self.repair_times_if_due().await?;
        Ok(found.claimed)
    }

    async fn extend(&self, lease: Lease, time: Duration) -> Result<(), FinishError> {
        self.run("extend a lease", move |transaction| Box::pin(finish::extend(transaction, lease, time))).await
    }

    async fn complete(&self, lease: Lease, effect: Option<PostgresEffect>) -> Result<(), FinishError> {
        let shared = Arc::clone(&self.shared);
        let doing = "complete a notification";
        let running = tokio::spawn(async move {
            let effect = effect.map(|effect| (effect, shared.rules.effect_timeout));
            let has_effect = effect.is_some();
            let completed =
                shared.transact(doing, move |transaction| Box::pin(effect::complete(transaction, lease, effect))).await;
            match completed {
                Ok((others_are_ready, client)) => {
                    if has_effect {
                        tokio::spawn(effect::reset(client));
                    }
                    Ok(others_are_ready)
                }
                Err(error) if has_effect => Err(effect::commit_error(error).into_finish(doing)),
                Err(error) => Err(error.into_finish(doing)),
            }
        });
        if running.await.unwrap_or_else(|_| Err(not_completed()))? {
            self.notify();
        }
        Ok(())
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
