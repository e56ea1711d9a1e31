//! Ends attempts. Every change first checks the fence.

use std::time::Duration;

use deadpool_postgres::Transaction;
use futures_util::join;
use paytend_inbox::{FinishError, HandlerError, Lease, Release};
use tokio_postgres::Row;
use tokio_postgres::types::ToSql;

use crate::effect::{server_limit, with_grace};
use crate::error::OpError;
use crate::locks::lock_key;
use crate::plans::use_indexes;
use crate::rows::{get, millis, text};

/// The maximum delay of a retry.
const MAX_DELAY: Duration = Duration::from_secs(24 * 3600);

/// Makes notifications due whose due time shows that the server's clock was set back. These are ready notifications
/// with a due time in the future, and all notifications with a due time after the maximum delay. Other leases and
/// delays keep their times. Returns the number of changed rows.
pub(crate) async fn repair_times(transaction: &Transaction<'_>) -> Result<u64, OpError> {
    let sql = "UPDATE paytend_work SET due_at = paytend_now() WHERE id IN (SELECT id FROM paytend_work \
         WHERE due_at > paytend_now() \
         AND (state = 0 OR due_at > paytend_now() + $1::bigint * interval '1 millisecond') FOR UPDATE SKIP LOCKED)";
    let statement = transaction.prepare_cached(sql).await?;
    let repaired = transaction.execute(&statement, &[&millis(MAX_DELAY)]).await?;
    Ok(repaired + crate::outbox::repair_times(transaction, millis(MAX_DELAY)).await?)
}

/// The pending row (`paytend_work`) of a notification whose lease is valid. The row is locked until the transaction
/// ends.
pub(crate) struct Held {
    lease: Lease,
    tries: i32,
    is_sighting: bool,
    again: bool,
    cause: Option<String>,
    order_key: Option<Vec<u8>>,
    /// The ID of the transaction that has locked the row.
    transaction: String,
}

impl Held {
    /// Returns the ID of the transaction that has locked the row.
    pub(crate) fn transaction(&self) -> &str {
        &self.transaction
    }
}

/// The columns of [`Held`], and the condition under which the lease is valid. The query locks the row. Claims skip a
/// locked row, even after the lease has expired.
const HELD: &str = "tries, is_sighting, again, cause, order_key, pg_current_xact_id()::text";
const IS_HELD: &str = "FROM paytend_work WHERE id = $1 AND fence = $2 AND holder = $3 AND state = 1 FOR UPDATE";

/// Locks the pending row for a lease.
pub(crate) async fn held(transaction: &Transaction<'_>, lease: Lease) -> Result<Held, OpError> {
    let statement = transaction.prepare_cached(&format!("SELECT {HELD} {IS_HELD}")).await?;
    let (id, holder) = (lease.id.get(), lease.holder.cast_signed());
    let values: [&(dyn ToSql + Sync); 3] = [&id, &lease.fence, &holder];
    let (planned, row) = join!(use_indexes(transaction), transaction.query_opt(&statement, &values));
    read_held(lease, planned.and(row)?)
}

/// Locks the pending row for a lease, and sets time limits for each statement and each idle period of the transaction.
/// The server then ends a stuck effect even if this program or the network fails.
pub(crate) async fn held_for_effect(
    transaction: &Transaction<'_>,
    lease: Lease,
    limit: Duration,
) -> Result<Held, OpError> {
    let sql = format!(
        "SELECT {HELD}, set_config('statement_timeout', $4, true), \
         set_config('idle_in_transaction_session_timeout', $4, true) {IS_HELD}"
    );
    let statement = transaction.prepare_cached(&sql).await?;
    let limit = server_limit(with_grace(limit)).to_string();
    let (id, holder) = (lease.id.get(), lease.holder.cast_signed());
    let values: [&(dyn ToSql + Sync); 4] = [&id, &lease.fence, &holder, &limit];
    let (planned, row) = join!(use_indexes(transaction), transaction.query_opt(&statement, &values));
    read_held(lease, planned.and(row)?)
}

fn read_held(lease: Lease, row: Option<Row>) -> Result<Held, OpError> {
    let row = row.ok_or(FinishError::LeaseLost)?;
    Ok(Held {
        lease,
        tries: get(&row, 0)?,
        is_sighting: get(&row, 1)?,
        again: get(&row, 2)?,
        cause: get(&row, 3)?,
        order_key: get(&row, 4)?,
        transaction: get(&row, 5)?,
    })
}

pub(crate) async fn extend(transaction: &Transaction<'_>, lease: Lease, time: Duration) -> Result<(), OpError> {
    let sql = "UPDATE paytend_work SET due_at = paytend_now() + $3::bigint * interval '1 millisecond' \
         WHERE id = $1 AND fence = $2 AND holder = $4 AND state = 1";
    let statement = transaction.prepare_cached(sql).await?;
    match transaction
        .execute(&statement, &[&lease.id.get(), &lease.fence, &millis(time), &lease.holder.cast_signed()])
        .await?
    {
        0 => Err(FinishError::LeaseLost.into()),
        _ => Ok(()),
    }
}

/// Completes a notification whose pending row is locked. The caller has already applied the effect in the same
/// transaction. Returns whether another notification became ready.
pub(crate) async fn complete(transaction: &Transaction<'_>, held: &Held) -> Result<bool, OpError> {
    outcome(transaction, held, "done", held.cause.as_deref()).await?;
    if held.again {
        let sql = "UPDATE paytend_work SET state = 0, tries = 0, due_at = paytend_now(), is_sighting = true, \
             again = false WHERE id = $1";
        let statement = transaction.prepare_cached(sql).await?;
        transaction.execute(&statement, &[&held.lease.id.get()]).await?;
        return Ok(true);
    }
    if let Some(key) = &held.order_key {
        lock_key(transaction, key).await?;
    }
    remove(transaction, held.lease.id.get()).await
}

pub(crate) async fn release(transaction: &Transaction<'_>, lease: Lease, release: &Release) -> Result<(), OpError> {
    let held = held(transaction, lease).await?;
    let id = lease.id.get();
    match release {
        Release::Retry { after, cause } => {
            outcome(transaction, &held, "retry", Some(cause)).await?;
            let cause = text(cause);
            let sql = "UPDATE paytend_work SET state = 2, cause = $3, \
                 due_at = paytend_now() + $2::bigint * interval '1 millisecond' WHERE id = $1";
            let statement = transaction.prepare_cached(sql).await?;
            transaction.execute(&statement, &[&id, &millis((*after).min(MAX_DELAY)), &cause]).await?;
        }
        Release::GiveBack => {
            let sql = "UPDATE paytend_work SET state = 0, due_at = paytend_now(), \
                 tries = greatest(tries - 1, 0) WHERE id = $1";
            let statement = transaction.prepare_cached(sql).await?;
            transaction.execute(&statement, &[&id]).await?;
        }
        Release::DeadLetter { cause } => {
            outcome(transaction, &held, "dead", Some(cause)).await?;
            if let Some(key) = &held.order_key {
                lock_key(transaction, key).await?;
            }
            die(transaction, id, Some(cause)).await?;
        }
    }
    Ok(())
}

/// Turns a pending notification into a dead letter. Returns whether the notification was pending. The caller must hold
/// the order key's lock.
pub(crate) async fn die(transaction: &Transaction<'_>, id: i64, cause: Option<&str>) -> Result<bool, OpError> {
    let cause = cause.map(text);
    let sql = "INSERT INTO paytend_dead (id, fence, tries, is_sighting, cause) \
         SELECT id, fence, tries, is_sighting, $2 FROM paytend_work WHERE id = $1";
    let statement = transaction.prepare_cached(sql).await?;
    let died = transaction.execute(&statement, &[&id, &cause]).await? == 1;
    if died {
        remove(transaction, id).await?;
    }
    Ok(died)
}

/// Removes a pending row. If the row was the first with its order key, the next notification with this key becomes
/// ready. Returns whether another notification became ready. The caller must hold the order key's lock.
async fn remove(transaction: &Transaction<'_>, id: i64) -> Result<bool, OpError> {
    let statement =
        transaction.prepare_cached("DELETE FROM paytend_work WHERE id = $1 RETURNING order_key, ready").await?;
    let Some(row) = transaction.query_opt(&statement, &[&id]).await? else { return Ok(false) };
    if let (Some(key), true) = (get::<Option<Vec<u8>>>(&row, 0)?, get::<bool>(&row, 1)?) {
        let sql = "UPDATE paytend_work SET ready = true \
             WHERE id = (SELECT min(id) FROM paytend_work WHERE order_key = $1)";
        let statement = transaction.prepare_cached(sql).await?;
        return Ok(transaction.execute(&statement, &[&key]).await? > 0);
    }
    Ok(false)
}

/// Records that an attempt has ended. Fails if the effect has ended the transaction that locked the pending row.
async fn outcome(transaction: &Transaction<'_>, held: &Held, result: &str, cause: Option<&str>) -> Result<(), OpError> {
    let sql = "INSERT INTO paytend_outcome (id, fence, result, tries, is_sighting, cause) \
         SELECT $1, $2, $3, $4, $5, $6 WHERE pg_current_xact_id()::text = $7";
    let statement = transaction.prepare_cached(sql).await?;
    let (id, fence, cause) = (held.lease.id.get(), held.lease.fence, cause.map(text));
    let row: [&(dyn ToSql + Sync); 7] =
        [&id, &fence, &result, &held.tries, &held.is_sighting, &cause, &held.transaction];
    match transaction.execute(&statement, &row).await? {
        1 => Ok(()),
        _ => Err(FinishError::Effect(HandlerError::retry("the effect ended the transaction")).into()),
    }
}
