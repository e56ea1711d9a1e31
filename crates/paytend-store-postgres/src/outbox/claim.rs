//! Claims orders for dispatchers.

use paytend_inbox::{Id, Lease};
use paytend_outbox::{ClaimOrders, ClaimedOrder, Pause, system_time};
use tokio_postgres::Transaction;

use crate::error::OpError;
use crate::outbox::rows::{self, REQUEST, RESULT, Stored};
use crate::rows::limit;

/// Claims due orders. Reads each operation separately, so that no orders are read for an operation that has reached its
/// limit. Skips locked rows.
pub(super) async fn claim(transaction: &Transaction<'_>, request: &ClaimOrders) -> Result<Vec<ClaimedOrder>, OpError> {
    let now = rows::now(transaction).await?;
    let mut due: Vec<Stored> = Vec::new();
    for (operation, count) in &request.operations {
        let paused = is_paused(transaction, operation).await?;
        let condition = if paused { " AND (sends > 0 OR state <> 'recorded' OR decision IS NOT NULL)" } else { "" };
        let condition = format!(
            "is_open AND head AND due_at IS NOT NULL{condition} AND operation = $1 AND due_at <= $2 \
             ORDER BY due_at, id LIMIT $3 FOR NO KEY UPDATE SKIP LOCKED"
        );
        let count = limit(request.limit.min(*count));
        let rows = transaction.query(&rows::select(&condition), &[operation, &now, &count]).await?;
        // If a row was changed concurrently, PostgreSQL checks the condition again with the new values.
        for row in &rows {
            due.push(rows::stored(row)?);
        }
    }
    due.sort_by_key(|stored| (stored.progress.due_at, stored.id));
    due.truncate(request.limit);
    let mut claimed = Vec::with_capacity(due.len());
    for mut stored in due {
        stored.progress.claim(now, request.lease, request.holder);
        rows::save(transaction, stored.id, &stored.progress).await?;
        claimed.push(ClaimedOrder {
            lease: Lease { id: Id::new(stored.id), fence: stored.progress.fence, holder: request.holder },
            request: rows::part(transaction, stored.id, REQUEST).await?,
            result: rows::part(transaction, stored.id, RESULT).await?,
            facts: stored.facts,
            progress: stored.progress,
            now: system_time(now),
        });
    }
    Ok(claimed)
}

/// Returns whether sending is paused for an operation.
pub(super) async fn is_paused(transaction: &Transaction<'_>, operation: &str) -> Result<bool, OpError> {
    let sql = "SELECT 1 FROM paytend_order_pause WHERE operation IN ($1, $2)";
    Ok(!transaction.query(sql, &[&operation, &Pause::ALL]).await?.is_empty())
}
