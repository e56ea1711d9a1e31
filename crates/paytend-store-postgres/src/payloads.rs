//! The encrypted content, which is stored in one partition per day.

use std::collections::{BTreeMap, HashMap};
use std::time::SystemTime;

use deadpool_postgres::Transaction;
use paytend_inbox::StoredPayload;

use crate::error::OpError;
use crate::rows::{count, get, limit, payload};

/// An SQL expression for the day (UTC) on which a notification was received, as text. The notification is read from
/// the table with the alias `n`. If the time is infinite, the text is empty.
pub(crate) const DAY: &str = "coalesce(to_char(n.received_at AT TIME ZONE 'UTC', 'YYYY-MM-DD'), '')";

/// The number of days for which partitions are added in advance.
const AHEAD: i32 = 3;
/// The maximum number of payloads that are moved out of a partition before it is dropped. If a partition has more such
/// payloads, its other rows are deleted instead.
const MAX_KEPT: u64 = 1_000;
/// Limits how long dropping a partition waits to lock all partitions. Other transactions are blocked during this wait.
const LOCK_TIMEOUT: &str = "SET LOCAL lock_timeout = '1s'";

/// A subquery that selects the IDs of notifications whose content is still needed.
const UNPROCESSED: &str = "(SELECT id FROM paytend_work UNION ALL SELECT id FROM paytend_dead)";

/// Adds the partitions for the current day and the next days.
pub(crate) async fn add_days(transaction: &Transaction<'_>) -> Result<(), OpError> {
    transaction.batch_execute(LOCK_TIMEOUT).await?;
    transaction.execute("SELECT paytend_add_days($1)", &[&AHEAD]).await?;
    Ok(())
}

/// Reads the content of notifications, grouped by day. Notifications without content are left out of the result.
///
/// The SQL text contains the day as a literal, so that the server reads and locks only one partition.
pub(crate) async fn read(
    transaction: &Transaction<'_>,
    days: &BTreeMap<String, Vec<i64>>,
) -> Result<HashMap<i64, Result<StoredPayload, OpError>>, OpError> {
    let mut found = HashMap::new();
    for (day, ids) in days.iter().filter(|(day, _)| is_day(day)) {
        let sql = format!(
            "SELECT key_id, nonce, sealed, id FROM paytend_payload WHERE received_on = '{day}' AND id = ANY($1)"
        );
        let statement = transaction.prepare_cached(&sql).await?;
        for row in transaction.query(&statement, &[ids]).await? {
            found.insert(get(&row, 3)?, payload(&row, 0));
        }
    }
    Ok(found)
}

/// Deletes the content of notifications.
pub(crate) async fn delete(transaction: &Transaction<'_>, ids: &[i64]) -> Result<(), OpError> {
    let sql = format!("SELECT {DAY}, array_agg(n.id) FROM paytend_notification n WHERE n.id = ANY($1) GROUP BY 1");
    for row in transaction.query(&sql, &[&ids]).await? {
        let (day, ids): (String, Vec<i64>) = (get(&row, 0)?, get(&row, 1)?);
        if is_day(&day) {
            let sql = format!("DELETE FROM paytend_payload WHERE received_on = '{day}' AND id = ANY($1)");
            transaction.execute(&sql, &[&ids]).await?;
        }
    }
    Ok(())
}

/// Returns whether a text is a date, which can be inserted into a statement safely.
fn is_day(day: &str) -> bool {
    !day.is_empty() && day.bytes().all(|byte| byte.is_ascii_digit() || byte == b'-')
}

/// Returns the partitions for all days that ended before this time, and the default partition.
pub(crate) async fn ended(transaction: &Transaction<'_>, before: SystemTime) -> Result<Vec<String>, OpError> {
    let sql = "SELECT c.relname::text FROM pg_inherits i JOIN pg_class c ON c.oid = i.inhrelid \
         WHERE i.inhparent = 'paytend_payload'::regclass AND (c.relname = 'paytend_payload_rest' \
         OR c.relname ~ '^paytend_payload_[0-9]{8}$' \
         AND to_date(right(c.relname, 8), 'YYYYMMDD') + 1 <= ($1::timestamptz AT TIME ZONE 'UTC')) ORDER BY 1";
    let rows = transaction.query(sql, &[&before]).await?;
    rows.iter().map(|row| get(row, 0)).collect()
}

/// Drops a partition, and moves the content of unprocessed notifications to the default partition. Returns the number
/// of removed payloads. Returns `None` if the partition is kept, because it is the default partition or too many
/// payloads would have to be moved.
pub(crate) async fn drop_day(transaction: &Transaction<'_>, partition: &str) -> Result<Option<u64>, OpError> {
    if partition == "paytend_payload_rest" {
        return Ok(None);
    }
    let sql = format!(
        "SELECT (SELECT count(*) FROM {partition}), (SELECT count(*) FROM {partition} p WHERE p.id IN {UNPROCESSED})"
    );
    let row = transaction.query_one(&sql, &[]).await?;
    let (all, kept) = (count(&row, 0)?, count(&row, 1)?);
    if kept > MAX_KEPT {
        return Ok(None);
    }
    transaction.batch_execute(LOCK_TIMEOUT).await?;
    transaction.batch_execute(&format!("ALTER TABLE paytend_payload DETACH PARTITION {partition}")).await?;
    // The rows are read again under the lock, because a notification may have become a dead letter since the first
    // read.
    let sql = format!(
        "INSERT INTO paytend_payload (received_on, id, key_id, nonce, sealed) \
         SELECT received_on, id, key_id, nonce, sealed FROM {partition} p WHERE p.id IN {UNPROCESSED}"
    );
    let kept = transaction.execute(&sql, &[]).await?;
    transaction.batch_execute(&format!("DROP TABLE {partition}")).await?;
    Ok(Some(all.saturating_sub(kept)))
}

/// Deletes the content of some processed notifications in a partition. Only notifications that were received before
/// this time are selected.
pub(crate) async fn delete_processed(
    transaction: &Transaction<'_>,
    partition: &str,
    before: SystemTime,
    max: usize,
) -> Result<u64, OpError> {
    let sql = format!(
        "DELETE FROM {partition} WHERE id IN (SELECT p.id FROM {partition} p \
         JOIN paytend_notification n ON n.id = p.id WHERE n.received_at < $1 \
         AND NOT EXISTS (SELECT 1 FROM paytend_work w WHERE w.id = p.id) \
         AND NOT EXISTS (SELECT 1 FROM paytend_dead d WHERE d.id = p.id) LIMIT $2)"
    );
    Ok(transaction.execute(&sql, &[&before, &limit(max)]).await?)
}
