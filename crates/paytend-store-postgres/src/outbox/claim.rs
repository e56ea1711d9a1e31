//! Claims orders for dispatchers.

use paytend_inbox::{Id, Lease, SealedPayload};
use paytend_outbox::{ClaimOrders, ClaimedOrder, Pause, SkippedOrders, millis, system_time};
use tokio_postgres::{Row, Transaction};

use crate::error::OpError;
use crate::outbox::admin::recovering_since;
use crate::outbox::rows::{self, REQUEST, RESULT, Stored};
use crate::rows::{get, limit};

/// The maximum number of unreadable orders after which a transaction reads no more rows. The limit bounds the time for
/// which the rows are locked.
const MAX_UNREADABLE: usize = 1_000;

/// Claims due orders. Reads each operation separately, so that no orders are read for an operation that has reached its
/// limit. Skips locked rows.
///
/// An order that cannot be read, for example because a newer program has written it, is never claimed. It holds up only
/// the later orders of its order key.
pub(super) async fn claim(
    transaction: &Transaction<'_>,
    request: &ClaimOrders,
    skipped: &SkippedOrders,
) -> Result<Found, OpError> {
    let now = rows::now(transaction).await?;
    let (mut due, mut unreadable): (Vec<Due>, Vec<i64>) = (Vec::new(), Vec::new());
    // The orders that were read in this transaction, and the orders that earlier claims could not read.
    let mut seen: Vec<i64> = skipped.at(now).into_iter().collect();
    for (operation, count) in &request.operations {
        let paused = is_paused(transaction, operation).await?;
        let condition = if paused { " AND (sends > 0 OR state <> 'recorded' OR decision IS NOT NULL)" } else { "" };
        let condition = format!(
            "is_open AND head AND due_at IS NOT NULL{condition} AND operation = $1 AND due_at <= $2 \
             AND id <> ALL ($4) ORDER BY due_at, id LIMIT $3 FOR NO KEY UPDATE SKIP LOCKED"
        );
        let wanted = due.len().saturating_add(request.limit.min(*count));
        // Orders that cannot be read do not count towards the limit. If there are many, more rows are read at a time.
        while due.len() < wanted && unreadable.len() < MAX_UNREADABLE {
            let count = limit((wanted - due.len()).max(unreadable.len()));
            let rows = transaction.query(&rows::select(&condition), &[operation, &now, &count, &seen]).await?;
            // If another transaction has changed a row since this statement began, PostgreSQL has checked the condition
            // with the new values.
            for row in &rows {
                if due.len() == wanted {
                    break;
                }
                let id = get(row, rows::ID)?;
                seen.push(id);
                match read(transaction, row, id).await {
                    Ok(order) => due.push(order),
                    Err(error) => {
                        rows::of_row(error)?;
                        unreadable.push(id);
                    }
                }
            }
            if limit(rows.len()) < count {
                break;
            }
        }
    }
    skipped.record(now, &unreadable);
    due.sort_by_key(|due| (due.stored.progress.due_at, due.stored.id));
    due.truncate(request.limit);
    let mut claimed = Vec::with_capacity(due.len());
    let is_recovering = !due.is_empty() && recovering_since(transaction).await?.is_some();
    for Due { mut stored, request: sealed, result } in due {
        if is_recovering {
            stored.progress.recover_unsent(now, stored.facts.not_before.map(millis));
        }
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
    Ok(Found { claimed, is_complete: unreadable.len() < MAX_UNREADABLE })
}

/// The result of a claim.
pub(super) struct Found {
    pub(super) claimed: Vec<ClaimedOrder>,
    /// Whether all due orders were considered. If not, the next claim skips the orders that could not be read.
    pub(super) is_complete: bool,
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
