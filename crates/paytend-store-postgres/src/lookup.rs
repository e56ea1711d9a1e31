//! Looks up completions for which it is unknown whether the commit succeeded.

use std::collections::HashSet;

use deadpool_postgres::Transaction;
use paytend_inbox::{Id, Lease};

use crate::error::OpError;
use crate::rows::get;

/// Limits the wait for a transaction that is still running on the server.
const LIMIT: &str = "SET LOCAL statement_timeout = '10s'";

/// Returns the IDs of the notifications that were completed with their leases. All other completions have failed, and
/// cannot succeed later.
pub(crate) async fn completed(transaction: &Transaction<'_>, leases: Vec<Lease>) -> Result<HashSet<Id>, OpError> {
    let ids: Vec<i64> = leases.iter().map(|lease| lease.id.get()).collect();
    let fences: Vec<i64> = leases.iter().map(|lease| lease.fence).collect();
    transaction.batch_execute(LIMIT).await?;
    // This statement waits for the earlier transaction, which has locked the rows until it ends.
    let sql = "SELECT id FROM paytend_work WHERE id = ANY($1) ORDER BY id FOR UPDATE";
    transaction.query(sql, &[&ids]).await?;
    let sql = "SELECT o.id FROM unnest($1::bigint[], $2::bigint[]) AS l(id, fence) \
         JOIN paytend_outcome o ON o.id = l.id AND o.fence = l.fence WHERE o.result = 'done'";
    let rows = transaction.query(sql, &[&ids, &fences]).await?;
    let mut completed = HashSet::new();
    for row in &rows {
        completed.insert(Id::new(get(row, 0)?));
    }
    // This statement writes a row, so the commit waits for the disk and for a synchronous standby. Every earlier
    // commit, including the completions that were read above, is then durable too.
    let sql = "INSERT INTO paytend_meta (name, value) VALUES ('lookup', convert_to(paytend_now()::text, 'UTF8')) \
         ON CONFLICT (name) DO UPDATE SET value = excluded.value";
    transaction.execute(sql, &[]).await?;
    Ok(completed)
}
