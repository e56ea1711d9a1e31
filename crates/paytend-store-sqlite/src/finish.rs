//! Ends attempts. Every change first checks the fence.

use std::time::Duration;

use paytend_inbox::{FinishError, Lease, Release};
use rusqlite::types::Value;
use rusqlite::{Connection, OptionalExtension as _, Transaction, params};

use crate::clock::after;
use crate::error::OpError;

/// The maximum delay of a retry.
const MAX_DELAY: Duration = Duration::from_secs(24 * 3600);

/// Makes notifications due whose due time shows that the system clock was set back. These are ready notifications with
/// a due time in the future, and all notifications with a due time after the maximum delay.
pub(crate) fn repair_times(connection: &Connection, now: i64) -> Result<(), rusqlite::Error> {
    let (condition, latest) = ("(state = 0 AND due_at > ?1) OR due_at > ?2", after(now, MAX_DELAY));
    // In most cases, no row matches. This check avoids taking the write lock.
    if connection.prepare(&format!("SELECT 1 FROM paytend_work WHERE {condition}"))?.exists([now, latest])? {
        connection.execute(&format!("UPDATE paytend_work SET due_at = ?1 WHERE {condition}"), [now, latest])?;
    }
    Ok(())
}

/// The pending row (`paytend_work`) of a notification whose lease is valid.
pub(crate) struct Held {
    lease: Lease,
    tries: u32,
    is_sighting: bool,
    again: bool,
    cause: Option<String>,
}

/// Returns the pending row for a lease, or an error if the lease is lost.
pub(crate) fn held(transaction: &Transaction<'_>, lease: Lease) -> Result<Held, OpError> {
    let held = transaction
        .prepare_cached(
            "SELECT tries, is_sighting, again, cause FROM paytend_work \
             WHERE id = ?1 AND fence = ?2 AND holder = ?3 AND state = 1",
        )?
        .query_row(params![lease.id.get(), lease.fence, lease.holder.cast_signed()], |row| {
            Ok(Held { lease, tries: row.get(0)?, is_sighting: row.get(1)?, again: row.get(2)?, cause: row.get(3)? })
        })
        .optional()?;
    held.ok_or_else(|| FinishError::LeaseLost.into())
}

pub(crate) fn extend(transaction: &Transaction<'_>, now: i64, lease: Lease, time: Duration) -> Result<(), OpError> {
    held(transaction, lease)?;
    transaction
        .prepare_cached("UPDATE paytend_work SET due_at = ?2 WHERE id = ?1")?
        .execute(params![lease.id.get(), after(now, time)])?;
    Ok(())
}

/// Completes a notification whose lease is valid. The caller has already applied the effect in the same transaction.
pub(crate) fn complete(transaction: &Transaction<'_>, now: i64, held: &Held) -> Result<(), OpError> {
    let id = held.lease.id.get();
    outcome(transaction, now, held, "done", held.cause.as_deref())?;
    if held.again {
        transaction
            .prepare_cached(
                "UPDATE paytend_work SET state = 0, tries = 0, due_at = ?2, is_sighting = 1, again = 0 WHERE id = ?1",
            )?
            .execute(params![id, now])?;
    } else {
        remove(transaction, id)?;
    }
    Ok(())
}

pub(crate) fn release(transaction: &Transaction<'_>, now: i64, lease: Lease, release: &Release) -> Result<(), OpError> {
    let held = held(transaction, lease)?;
    let id = lease.id.get();
    match release {
        Release::Retry { after: delay, cause } => {
            outcome(transaction, now, &held, "retry", Some(cause))?;
            transaction
                .prepare_cached("UPDATE paytend_work SET state = 2, due_at = ?2, cause = ?3 WHERE id = ?1")?
                .execute(params![id, after(now, (*delay).min(MAX_DELAY)), cause])?;
        }
        Release::GiveBack => {
            transaction
                .prepare_cached(
                    "UPDATE paytend_work SET state = 0, due_at = ?2, tries = max(tries - 1, 0) WHERE id = ?1",
                )?
                .execute(params![id, now])?;
        }
        Release::DeadLetter { cause } => {
            outcome(transaction, now, &held, "dead", Some(cause))?;
            die(transaction, now, id, Some(cause))?;
        }
    }
    Ok(())
}

/// Turns a pending notification into a dead letter. Returns whether the notification was pending.
pub(crate) fn die(
    transaction: &Transaction<'_>,
    now: i64,
    id: i64,
    cause: Option<&str>,
) -> Result<bool, rusqlite::Error> {
    let inserted = transaction
        .prepare_cached(
            "INSERT OR REPLACE INTO paytend_dead (id, died_at, fence, tries, is_sighting, cause) \
             SELECT id, ?2, fence, tries, is_sighting, ?3 FROM paytend_work WHERE id = ?1",
        )?
        .execute(params![id, now, cause])?;
    if inserted == 1 {
        remove(transaction, id)?;
    }
    Ok(inserted == 1)
}

/// Removes a pending row. If the row was the first with its order key, the next row with this key becomes the first.
fn remove(transaction: &Transaction<'_>, id: i64) -> Result<(), rusqlite::Error> {
    let (order_key, head): (Value, bool) = transaction
        .prepare_cached("DELETE FROM paytend_work WHERE id = ?1 RETURNING order_key, head")?
        .query_row([id], |row| Ok((row.get(0)?, row.get(1)?)))?;
    if head && order_key != Value::Null { promote(transaction, &order_key) } else { Ok(()) }
}

/// Makes the first pending row with an order key claimable. The key of a damaged row can have any type and length.
fn promote(transaction: &Transaction<'_>, order_key: &Value) -> Result<(), rusqlite::Error> {
    transaction
        .prepare_cached(
            "UPDATE paytend_work SET head = 1 WHERE id = (SELECT min(id) FROM paytend_work WHERE order_key = ?1)",
        )?
        .execute([order_key])
        .map(drop)
}

/// Excludes a pending row without a notification from claims. It cannot become a dead letter, because a dead letter
/// requires a notification. The next row with the same order key can then be claimed.
pub(crate) fn exclude(transaction: &Transaction<'_>, id: i64) -> Result<(), rusqlite::Error> {
    let order_key: Value = transaction
        .prepare_cached("UPDATE paytend_work SET head = 0 WHERE id = ?1 RETURNING order_key")?
        .query_row([id], |row| row.get(0))?;
    transaction
        .prepare_cached(
            "UPDATE paytend_work SET head = 1 WHERE id = (SELECT min(w.id) FROM paytend_work w WHERE w.order_key = ?1 \
             AND EXISTS (SELECT 1 FROM paytend_notification n WHERE n.id = w.id))",
        )?
        .execute([order_key])
        .map(drop)
}

fn outcome(
    transaction: &Transaction<'_>,
    now: i64,
    held: &Held,
    result: &str,
    cause: Option<&str>,
) -> Result<(), rusqlite::Error> {
    transaction
        .prepare_cached(
            "INSERT INTO paytend_outcome (id, fence, ended_at, result, tries, is_sighting, cause) \
             VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7)",
        )?
        .execute(params![held.lease.id.get(), held.lease.fence, now, result, held.tries, held.is_sighting, cause])?;
    Ok(())
}
