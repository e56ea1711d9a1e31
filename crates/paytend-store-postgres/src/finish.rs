//! Ending attempts. Every change checks the fence first.

use std::time::Duration;

use deadpool_postgres::Transaction;
use paytend_inbox::{FinishError, Lease, Release};

use crate::accept::lock_key;
use crate::error::OpError;
use crate::rows::{get, millis};

/// The longest delay of a retry.
const MAX_DELAY: Duration = Duration::from_secs(24 * 3600);

/// The work of a lease that is still held. Its row is locked until the transaction ends.
pub(crate) struct Held {
    lease: Lease,
    tries: i32,
    is_sighting: bool,
    again: bool,
    cause: Option<String>,
    order_key: Option<Vec<u8>>,
}

/// Locks the work of a lease. Claims pass by the locked row, even after the lease has ended.
pub(crate) async fn held(transaction: &Transaction<'_>, lease: Lease) -> Result<Held, OpError> {
    let sql = "SELECT tries, is_sighting, again, cause, order_key FROM paytend_work \
         WHERE id = $1 AND fence = $2 AND holder = $3 AND state = 1 FOR UPDATE";
    let statement = transaction.prepare_cached(sql).await?;
    let row = transaction.query_opt(&statement, &[&lease.id.get(), &lease.fence, &lease.holder.cast_signed()]).await?;
    let row = row.ok_or(FinishError::LeaseLost)?;
    Ok(Held {
        lease,
        tries: get(&row, 0)?,
        is_sighting: get(&row, 1)?,
        again: get(&row, 2)?,
        cause: get(&row, 3)?,
        order_key: get(&row, 4)?,
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

/// Completes held work. The caller has applied the effect in the same transaction.
pub(crate) async fn complete(transaction: &Transaction<'_>, held: &Held) -> Result<(), OpError> {
    outcome(transaction, held, "done", held.cause.as_deref()).await?;
    if held.again {
        let sql = "UPDATE paytend_work SET state = 0, tries = 0, due_at = paytend_now(), is_sighting = true, \
             again = false WHERE id = $1";
        let statement = transaction.prepare_cached(sql).await?;
        transaction.execute(&statement, &[&held.lease.id.get()]).await?;
        return Ok(());
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
            let sql = "UPDATE paytend_work SET state = 2, cause = $3, \
                 due_at = paytend_now() + $2::bigint * interval '1 millisecond' WHERE id = $1";
            let statement = transaction.prepare_cached(sql).await?;
            transaction.execute(&statement, &[&id, &millis((*after).min(MAX_DELAY)), cause]).await?;
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

/// Makes a dead letter of pending work. Returns whether there was any. The caller holds the lock of the order key.
pub(crate) async fn die(transaction: &Transaction<'_>, id: i64, cause: Option<&str>) -> Result<bool, OpError> {
    let sql = "INSERT INTO paytend_dead (id, fence, tries, is_sighting, cause) \
         SELECT id, fence, tries, is_sighting, $2 FROM paytend_work WHERE id = $1";
    let statement = transaction.prepare_cached(sql).await?;
    let died = transaction.execute(&statement, &[&id, &cause]).await? == 1;
    if died {
        remove(transaction, id).await?;
    }
    Ok(died)
}

/// Removes work. If it was the first of its order key, the next one becomes the first. The caller holds the lock of the
/// order key.
async fn remove(transaction: &Transaction<'_>, id: i64) -> Result<(), OpError> {
    let statement =
        transaction.prepare_cached("DELETE FROM paytend_work WHERE id = $1 RETURNING order_key, ready").await?;
    let Some(row) = transaction.query_opt(&statement, &[&id]).await? else { return Ok(()) };
    if let (Some(key), true) = (get::<Option<Vec<u8>>>(&row, 0)?, get::<bool>(&row, 1)?) {
        let sql = "UPDATE paytend_work SET ready = true \
             WHERE id = (SELECT min(id) FROM paytend_work WHERE order_key = $1)";
        let statement = transaction.prepare_cached(sql).await?;
        transaction.execute(&statement, &[&key]).await?;
    }
    Ok(())
}

async fn outcome(transaction: &Transaction<'_>, held: &Held, result: &str, cause: Option<&str>) -> Result<(), OpError> {
    let sql =
        "INSERT INTO paytend_outcome (id, fence, result, tries, is_sighting, cause) VALUES ($1, $2, $3, $4, $5, $6)";
    let statement = transaction.prepare_cached(sql).await?;
    let (id, fence) = (held.lease.id.get(), held.lease.fence);
    transaction.execute(&statement, &[&id, &fence, &result, &held.tries, &held.is_sighting, &cause]).await?;
    Ok(())
}
