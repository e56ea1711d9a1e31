//! Claims orders for dispatchers.

use paytend_inbox::{Id, Lease, SealedPayload};
use paytend_outbox::{ClaimOrders, ClaimedOrder, Pause, system_time};
use tokio_postgres::{Row, Transaction};

use crate::error::OpError;
use crate::outbox::rows::{self, REQUEST, RESULT, Stored};
use crate::rows::{get, limit};

/// Claims due orders. Reads each operation separately, so that no orders are read for an operation that has reached its
/// limit. Skips locked rows.
///
/// An order that cannot be read, for example because a newer program has written it, is never claimed. It holds up only
/// the later orders of its order key.
pub(super) async fn claim(transaction: &Transaction<'_>, request: &ClaimOrders) -> Result<Vec<ClaimedOrder>, OpError> {
    let now = rows::now(transaction).await?;
    let mut due: Vec<Due> = Vec::new();
    for (operation, count) in &request.operations {
        let paused = is_paused(transaction, operation).await?;
        let condition = if paused { " AND (sends > 0 OR state <> 'recorded' OR decision IS NOT NULL)" } else { "" };
        let condition = format!(
            "is_open AND head AND due_at IS NOT NULL{condition} AND operation = $1 AND due_at <= $2 \
             AND id <> ALL ($4) ORDER BY due_at, id LIMIT $3 FOR NO KEY UPDATE SKIP LOCKED"
        );
        let wanted = due.len().saturating_add(request.limit.min(*count));
        let mut seen: Vec<i64> = Vec::new();
        // Orders that cannot be read do not count towards the limit.
        loop {
            let missing = limit(wanted - due.len());
            let rows = transaction.query(&rows::select(&condition), &[operation, &now, &missing, &seen]).await?;
            // If another transaction has changed a row since this statement began, PostgreSQL has checked the condition
            // with the new values.
            for row in &rows {
                let id = get(row, rows::ID)?;
                seen.push(id);
                match read(transaction, row, id).await {
                    Ok(order) => due.push(order),
                    Err(error) => rows::skip(id, error)?,
                }
            }
            if limit(rows.len()) < missing || due.len() >= wanted {
                break;
            }
        }
    }
    due.sort_by_key(|due| (due.stored.progress.due_at, due.stored.id));
    due.truncate(request.limit);
    let mut claimed = Vec::with_capacity(due.len());
    for Due { mut stored, request: sealed, result } in due {
        stored.progress.claim(now, request.lease, request.holder);
        rows::save(transaction, stored.id, &stored.progress).await?;
        claimed.push(ClaimedOrder {
            lease: Lease { id: Id::new(stored.id), fence: stored.progress.fence, holder: request.holder },
            request: sealed,
            result,
            facts: stored.facts,
            progress: stored.progress,
            now: system_time(now),
        });
    }
    Ok(claimed)
}

/// A due order, whose row is locked.
struct Due {
    stored: Stored,
    request: Option<SealedPayload>,
    result: Option<SealedPayload>,
}

async fn read(transaction: &Transaction<'_>, row: &Row, id: i64) -> Result<Due, OpError> {
    let stored = rows::stored(row)?;
    let request = rows::part(transaction, id, REQUEST).await?;
    Ok(Due { stored, request, result: rows::part(transaction, id, RESULT).await? })
}

/// Returns whether sending is paused for an operation.
pub(super) async fn is_paused(transaction: &Transaction<'_>, operation: &str) -> Result<bool, OpError> {
    let sql = "SELECT 1 FROM paytend_order_pause WHERE operation IN ($1, $2)";
    Ok(!transaction.query(sql, &[&operation, &Pause::ALL]).await?.is_empty())
}
