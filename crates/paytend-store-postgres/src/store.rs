//! The store.

use std::fmt;
use std::panic::AssertUnwindSafe;
use std::sync::Arc;
use std::time::Duration;

use deadpool_postgres::{Pool, Transaction};
use futures_util::FutureExt as _;
use futures_util::future::BoxFuture;
use paytend_inbox::{
    Accepted, ClaimRequest, Claimed, Completion, FinishError, HandlerError, Lease, Mac, NewNotification, Release,
    Store, StoreError, StoreErrorKind,
};
use tokio::sync::Notify;
use tokio_postgres::IsolationLevel;

use crate::error::{OpError, pool_error, store_error, without_lease};
use crate::options::PostgresOptions;
use crate::{accept, claim, finish, schema, settings};

/// A change in the transaction that completes a notification. [`in_transaction`] creates it.
pub type PostgresEffect =
    Box<dyn for<'a> FnOnce(&'a tokio_postgres::Transaction<'a>) -> BoxFuture<'a, Result<(), HandlerError>> + Send>;

/// Completes a notification together with a change in the same transaction.
///
/// If the change returns an error, it is rolled back and the notification is attempted again. It must not begin or end
/// transactions.
///
/// ```
/// use paytend_inbox::{Completion, Delivery, HandlerError, types};
/// use paytend_store_postgres::{PostgresEffect, in_transaction};
///
/// async fn book(
///     delivery: Delivery<Box<paytend_model::iban::IbanTransaction>>,
/// ) -> Result<Completion<PostgresEffect>, HandlerError> {
///     let deposit = delivery.into_notification();
///     let Some(amount) = deposit.amount else { return Err(HandlerError::dead_letter("no amount")) };
///     Ok(in_transaction(move |transaction| {
///         Box::pin(async move {
///             let amount = amount.value().to_string();
///             transaction.execute("INSERT INTO booking (amount) VALUES ($1::text::numeric)", &[&amount]).await?;
///             Ok(())
///         })
///     }))
/// }
/// ```
pub fn in_transaction<F>(effect: F) -> Completion<PostgresEffect>
where
    F: for<'a> FnOnce(&'a tokio_postgres::Transaction<'a>) -> BoxFuture<'a, Result<(), HandlerError>> + Send + 'static,
{
    Completion::with_effect(Box::new(effect))
}

/// A store of notifications in a PostgreSQL database. Cloning is cheap, and the clones share the connections.
///
/// Any number of processes can use one database. [`PostgresOptions`] opens a store.
#[derive(Clone)]
pub struct PostgresStore {
    shared: Arc<Shared>,
}

struct Shared {
    pool: Pool,
    effect_timeout: Duration,
    danger_any_settings: bool,
    /// Notified when a notification may have become ready in this process.
    changed: Notify,
}

impl PostgresStore {
    pub(crate) async fn with(pool: Pool, options: &PostgresOptions) -> Result<Self, StoreError> {
        let mut client = pool.get().await.map_err(|error| pool_error("connect", error))?;
        let settings = settings::read(&client).await.map_err(|error| store_error("read the settings", error))?;
        if !options.danger_any_settings {
            settings::check(&settings)?;
        }
        schema::migrate(&mut client).await?;
        drop(client);
        let shared = Shared {
            pool,
            effect_timeout: options.effect_timeout,
            danger_any_settings: options.danger_any_settings,
            changed: Notify::new(),
        };
        Ok(Self { shared: Arc::new(shared) })
    }

    /// Returns the pool of connections.
    pub fn pool(&self) -> &Pool {
        &self.shared.pool
    }

    /// Runs an operation in a transaction. It runs in a task, so that a caller who stops waiting does not interrupt a
    /// commit.
    pub(crate) async fn run<T, F>(&self, doing: &'static str, function: F) -> Result<T, FinishError>
    where
        T: Send + 'static,
        F: for<'a> FnOnce(&'a Transaction<'a>) -> BoxFuture<'a, Result<T, OpError>> + Send + 'static,
    {
        let pool = self.shared.pool.clone();
        let running = tokio::spawn(async move {
            let mut client = pool.get().await.map_err(|error| pool_error(doing, error))?;
            let sql = |error| FinishError::from(store_error(doing, error));
            let transaction =
                client.build_transaction().isolation_level(IsolationLevel::ReadCommitted).start().await.map_err(sql)?;
            match function(&transaction).await {
                Ok(value) => {
                    transaction.commit().await.map_err(sql)?;
                    Ok(value)
                }
                Err(error) => {
                    // A connection that cannot roll back is closed, which has the same effect.
                    let _ = transaction.rollback().await;
                    Err(error.into_finish(doing))
                }
            }
        });
        running.await.unwrap_or_else(|_| Err(StoreError::unavailable("the operation did not complete").into()))
    }

    /// Runs an operation that does not depend on a lease.
    pub(crate) async fn write<T, F>(&self, doing: &'static str, function: F) -> Result<T, StoreError>
    where
        T: Send + 'static,
        F: for<'a> FnOnce(&'a Transaction<'a>) -> BoxFuture<'a, Result<T, OpError>> + Send + 'static,
    {
        self.run(doing, function).await.map_err(without_lease)
    }

    /// Refuses settings with which an acknowledged notification can be lost, unless the options accept them.
    pub(crate) fn check_settings(&self, settings: &[(&'static str, String)]) -> Result<(), StoreError> {
        if self.shared.danger_any_settings { Ok(()) } else { settings::check(settings) }
    }

    pub(crate) fn effect_timeout(&self) -> Duration {
        self.shared.effect_timeout
    }

    pub(crate) fn notify(&self) {
        self.shared.changed.notify_waiters();
    }
}

/// Applies an effect within its time limit. A panic becomes an error without the panic's message.
pub(crate) async fn apply(
    effect: PostgresEffect,
    transaction: &tokio_postgres::Transaction<'_>,
    limit: Duration,
) -> Result<(), OpError> {
    // The call that creates the future may panic too, so it runs inside.
    let applying = AssertUnwindSafe(async { effect(transaction).await }).catch_unwind();
    let applied = match tokio::time::timeout(limit, applying).await {
        Ok(Ok(applied)) => applied,
        Ok(Err(_)) => Err(HandlerError::retry("the effect panicked")),
        Err(_) => Err(HandlerError::retry("the effect exceeded its time limit")),
    };
    applied.map_err(|error| FinishError::Effect(error).into())
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
        let accepted = self.write("store a notification", move |transaction| {
            Box::pin(async move { accept::accept(transaction, &notification).await })
        });
        let accepted = accepted.await?;
        self.notify();
        Ok(accepted)
    }

    async fn claim(&self, request: ClaimRequest) -> Result<Vec<Claimed>, StoreError> {
        self.write("claim", move |transaction| Box::pin(async move { claim::claim(transaction, &request).await })).await
    }

    async fn extend(&self, lease: Lease, time: Duration) -> Result<(), FinishError> {
        self.run("extend a lease", move |transaction| Box::pin(finish::extend(transaction, lease, time))).await
    }

    async fn complete(&self, lease: Lease, effect: Option<PostgresEffect>) -> Result<(), FinishError> {
        let limit = self.shared.effect_timeout;
        let completed = self.run("complete a notification", move |transaction| {
            Box::pin(async move {
                let held = finish::held(transaction, lease).await?;
                if let Some(effect) = effect {
                    apply(effect, transaction, limit).await?;
                }
                finish::complete(transaction, &held).await
            })
        });
        completed.await?;
        self.notify();
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
        self.shared.changed.notified().await;
    }
}

impl fmt::Debug for PostgresStore {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("PostgresStore").field("pool", &self.shared.pool.status()).finish_non_exhaustive()
    }
}
