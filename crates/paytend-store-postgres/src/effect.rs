//! The effects that handlers return.

use std::panic::AssertUnwindSafe;
use std::time::{Duration, Instant};

use deadpool_postgres::{Object, Transaction};
use futures_util::future::BoxFuture;
use futures_util::{FutureExt as _, join};
use paytend_inbox::{Completion, FinishError, HandlerError, Lease};
use tokio_postgres::error::SqlState;
use tokio_postgres::types::{ToSql, Type};

use crate::error::{OpError, describe, is_definite, is_unsafe};
use crate::finish;
use crate::plans::{PLAN_NORMALLY, USE_INDEXES};
use crate::rows::{get, millis};

/// Checks an effect's deferred constraints and fires its deferred triggers while its settings still apply.
const CHECK: &str = "RESET synchronous_commit; SET CONSTRAINTS ALL IMMEDIATE; SET CONSTRAINTS ALL DEFERRED";
/// Resets the settings and the role that an effect has changed, and drops its cursors and temporary tables.
pub(crate) const RESET: &str = "RESET SESSION AUTHORIZATION; RESET ROLE; RESET ALL; CLOSE ALL; DISCARD TEMP";
/// Releases the session-level advisory locks that an effect has taken.
const UNLOCK: &str = "SELECT pg_advisory_unlock_all()";
/// How much longer the server's time limits are than this program's limits.
const GRACE: Duration = Duration::from_secs(1);
/// The time limit for resetting the settings of a connection.
const RESET_TIMEOUT: Duration = Duration::from_secs(1);

/// A change to apply in the same transaction that completes a notification. Create it with [`in_transaction`].
pub type PostgresEffect =
    Box<dyn for<'a> FnOnce(&'a tokio_postgres::Transaction<'a>) -> BoxFuture<'a, Result<(), HandlerError>> + Send>;

/// Returns a completion that applies a change in the same transaction that completes the notification.
///
/// If the change returns an error or exceeds its time limit, it is rolled back and the notification is attempted again.
/// The change fails if it begins or ends a transaction. When the change has ended, its deferred constraints are
/// checked. Then, before the commit, the settings and the role that it has changed are reset.
///
/// Short changes of several notifications share a transaction, and each is rolled back separately if it fails. See
/// "Effects that share a transaction" in this crate's documentation.
///
/// `execute_typed` and `query_typed` need one round trip to the server. `execute` and `query` need two if they are
/// called with SQL text.
///
/// ```
/// use paytend_inbox::{Completion, Delivery, HandlerError, types};
/// use paytend_store_postgres::tokio_postgres::types::Type;
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
///             let sql = "INSERT INTO booking (amount) VALUES ($1::text::numeric)";
///             transaction.execute_typed(sql, &[(&amount, Type::TEXT)]).await?;
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

/// Applies the effect, if there is one, and completes the notification. Returns whether another notification became
/// ready, and how long the effect took.
pub(crate) async fn complete(
    transaction: &Transaction<'_>,
    lease: Lease,
    effect: Option<PostgresEffect>,
    limit: Duration,
) -> Result<(bool, Duration), OpError> {
    let Some(effect) = effect else {
        let held = finish::held(transaction, lease).await?;
        return Ok((finish::complete(transaction, &held).await?, Duration::ZERO));
    };
    let held = finish::held_for_effect(transaction, lease, limit).await?;
    let began = Instant::now();
    apply_guarded(effect, transaction, limit, held.transaction()).await?;
    let took = began.elapsed();
    Ok((finish::complete(transaction, &held).await?, took))
}

/// Limits how long an effect's statements and pauses can take. Returns the ID of the transaction.
pub(crate) async fn limit(transaction: &tokio_postgres::Transaction<'_>, limit: Duration) -> Result<String, OpError> {
    let sql = "SELECT pg_current_xact_id()::text, set_config('statement_timeout', $1, true), \
         set_config('idle_in_transaction_session_timeout', $1, true)";
    let limit = server_limit(with_grace(limit)).to_string();
    get(&transaction.query_typed_one(sql, &[(&limit, Type::TEXT)]).await?, 0)
}

/// Applies an effect in its own transaction. Then undoes the effect's changes to the session, so that the next
/// statements use the store's tables and permissions. `number` is the transaction's ID, and shows whether the effect
/// has ended the transaction.
pub(crate) async fn apply_guarded(
    effect: PostgresEffect,
    transaction: &tokio_postgres::Transaction<'_>,
    limit: Duration,
    number: &str,
) -> Result<(), OpError> {
    transaction.batch_execute(PLAN_NORMALLY).await?;
    apply(effect, transaction, limit).await?;
    let reset = format!("{CHECK}; {RESET}; {}; {USE_INDEXES}", limits(with_grace(limit), with_grace(limit)));
    let is_same = "SELECT pg_current_xact_id()::text = $1";
    let row: [(&(dyn ToSql + Sync), Type); 1] = [(&number, Type::TEXT)];
    // Both statements are sent in this order, without waiting for replies in between.
    let (reset, is_same) = join!(transaction.batch_execute(&reset), transaction.query_typed_one(is_same, &row));
    match reset {
        Err(error) if error.code() == Some(&SqlState::IN_FAILED_SQL_TRANSACTION) => {
            return Err(failed(HandlerError::retry("the effect ignored an error of a statement")));
        }
        // The session has an unsafe setting. `OpError::Commit` causes its connection to be closed.
        Err(error) if is_unsafe(&error) => return Err(OpError::Commit(error)),
        // The effect has violated a deferred constraint.
        Err(error) if is_definite(&error) => return Err(failed(HandlerError::retry(describe(&error)))),
        reset => reset?,
    }
    if is_same?.try_get(0)? {
        return Ok(());
    }
    Err(failed(HandlerError::retry("the effect ended the transaction")))
}

/// Returns statements that limit the time of each statement and of each pause in the rest of the transaction. The
/// server then ends a stuck effect even if this program or the network fails.
pub(crate) fn limits(statement: Duration, pause: Duration) -> String {
    format!(
        "SET LOCAL statement_timeout = {}; SET LOCAL idle_in_transaction_session_timeout = {}",
        server_limit(statement),
        server_limit(pause)
    )
}

/// Returns the server's time limit for an effect with this limit.
pub(crate) fn with_grace(limit: Duration) -> Duration {
    limit.saturating_add(GRACE)
}

/// Converts a time limit to milliseconds, for a setting of the server.
pub(crate) fn server_limit(limit: Duration) -> i64 {
    // PostgreSQL accepts only values that fit in 32 bits.
    millis(limit).min(i64::from(i32::MAX))
}

/// Applies an effect within its time limit. A panic becomes an error without the panic's message.
pub(crate) async fn apply(
    effect: PostgresEffect,
    transaction: &tokio_postgres::Transaction<'_>,
    limit: Duration,
) -> Result<(), OpError> {
    // The effect is called inside the future, so that a panic in this call is also caught.
    let applying = AssertUnwindSafe(async { effect(transaction).await }).catch_unwind();
    match tokio::time::timeout(limit, applying).await {
        Ok(Ok(applied)) => applied.map_err(|error| failed(with_description(error))),
        Ok(Err(_)) => Err(failed(HandlerError::retry("the effect panicked"))),
        Err(_) => Err(OpError::Stuck(HandlerError::retry("the effect exceeded its time limit"))),
    }
}

fn failed(error: HandlerError) -> OpError {
    FinishError::Effect(error).into()
}

/// Adds a description to a PostgreSQL error, whose `Display` text is only "db error".
fn with_description(error: HandlerError) -> HandlerError {
    let described = error.source().and_then(|source| source.downcast_ref().map(describe));
    match described {
        Some(described) => error.with_cause(described),
        None => error,
    }
}

/// Returns the result of a transaction with an effect, and resets its connection. A commit that the server refuses is
/// reported as an error of the effect, because the effect has violated a constraint or changed a setting.
pub(crate) fn ended<T>((result, client): (Result<T, OpError>, Option<Object>)) -> Result<T, OpError> {
    if let Some(client) = client {
        tokio::spawn(reset(client));
    }
    result.map_err(|error| match error {
        OpError::Commit(error) => failed(HandlerError::retry(describe(&error))),
        error => error,
    })
}

/// Resets the session's settings and role, which an effect can change, and releases the session's advisory locks. If
/// that fails, closes the connection.
async fn reset(client: Object) {
    let sql = format!("{RESET}; {UNLOCK}");
    let reset = tokio::time::timeout(RESET_TIMEOUT, client.batch_execute(&sql)).await;
    if !matches!(reset, Ok(Ok(()))) {
        drop(Object::take(client));
    }
}
