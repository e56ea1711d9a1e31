//! Effects of handlers.

use std::panic::AssertUnwindSafe;
use std::time::Duration;

use deadpool_postgres::{Object, Transaction};
use futures_util::FutureExt as _;
use futures_util::future::BoxFuture;
use paytend_inbox::{Completion, FinishError, HandlerError, Lease};
use tokio_postgres::error::SqlState;

use crate::error::{OpError, describe};
use crate::finish;
use crate::settings::UNSAFE;

/// Resets all session state that an effect can change.
const RESET: &str = "RESET ALL; RESET SESSION AUTHORIZATION; RESET ROLE; SELECT pg_advisory_unlock_all()";
/// The time limit for resetting the settings of a connection.
const RESET_TIMEOUT: Duration = Duration::from_secs(1);

/// A change in the transaction that completes a notification. Create it with [`in_transaction`].
pub type PostgresEffect =
    Box<dyn for<'a> FnOnce(&'a tokio_postgres::Transaction<'a>) -> BoxFuture<'a, Result<(), HandlerError>> + Send>;

/// Completes a notification together with a change in the same transaction.
///
/// If the change returns an error or exceeds its time limit, it is rolled back and the notification is attempted again.
/// The change fails if it begins or ends a transaction, or changes a setting on which durability depends. Other changed
/// settings are reset after the transaction.
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

/// Applies the effect, if any, and completes the notification. Returns whether another notification became ready.
pub(crate) async fn complete(
    transaction: &Transaction<'_>,
    lease: Lease,
    effect: Option<(PostgresEffect, Duration)>,
) -> Result<bool, OpError> {
    let Some((effect, limit)) = effect else {
        let held = finish::held(transaction, lease).await?;
        return finish::complete(transaction, &held).await;
    };
    let held = finish::held_for_effect(transaction, lease, limit).await?;
    apply(effect, transaction, limit).await?;
    finish::complete(transaction, &held).await.map_err(|error| match error {
        OpError::Sql(error) if error.code() == Some(&SqlState::IN_FAILED_SQL_TRANSACTION) => {
            failed(HandlerError::retry("the effect ignored an error of a statement"))
        }
        error => error,
    })
}

/// Applies an effect within its time limit. A panic becomes an error without the panic's message.
pub(crate) async fn apply(
    effect: PostgresEffect,
    transaction: &tokio_postgres::Transaction<'_>,
    limit: Duration,
) -> Result<(), OpError> {
    // The effect is called inside the future, because this call can panic too.
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

/// Adds a description to an error of PostgreSQL, whose `Display` text is only "db error".
fn with_description(error: HandlerError) -> HandlerError {
    let described = error.source().and_then(|source| source.downcast_ref().map(describe));
    match described {
        Some(described) => error.with_cause(described),
        None => error,
    }
}

/// Converts the error of a commit. If the commit was refused because an effect had changed a setting, the notification
/// is attempted again.
pub(crate) fn commit_error(error: OpError) -> OpError {
    match error {
        OpError::Sql(error) if error.code().is_some_and(|code| code.code() == UNSAFE) => {
            failed(HandlerError::retry(describe(&error)))
        }
        error => error,
    }
}

/// Resets the settings, the role and the locks of a session after an effect. Closes the connection if the reset fails.
pub(crate) async fn reset(client: Object) {
    let reset = tokio::time::timeout(RESET_TIMEOUT, client.batch_execute(RESET)).await;
    if !matches!(reset, Ok(Ok(()))) {
        drop(Object::take(client));
    }
}
