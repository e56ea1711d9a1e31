//! Claims orders for dispatchers.

use paytend_inbox::{Id, Lease};
use paytend_outbox::{ClaimOrders, ClaimedOrder, Pause, system_time};
use rusqlite::{Transaction, params};

use crate::outbox::rows::{self, REQUEST, RESULT};

/// Claims due orders. Orders whose lease has expired are claimed only if `takes_over` is set. Reads each operation
/// separately, so that no orders are read for an operation that has reached its limit.
pub(super) fn claim(
    transaction: &Transaction<'_>,
    now: i64,
    request: &ClaimOrders,
    takes_over: bool,
) -> Result<Vec<ClaimedOrder>, rusqlite::Error> {
    let mut due: Vec<(i64, i64)> = Vec::new();
    for (operation, limit) in &request.operations {
        let limit = i64::try_from(request.limit.min(*limit)).unwrap_or(i64::MAX);
        let paused = is_paused(transaction, operation)?;
        let condition = if paused { " AND (sends > 0 OR state <> 'recorded' OR decision IS NOT NULL)" } else { "" };
        let free = if takes_over { "" } else { "AND is_leased = 0" };
        let sql = format!(
            "SELECT due_at, id FROM paytend_order WHERE is_open = 1 AND head = 1 AND due_at IS NOT NULL{condition} \
             {free} AND operation = ?1 AND due_at <= ?2 ORDER BY due_at, id LIMIT ?3"
        );
        let mut statement = transaction.prepare_cached(&sql)?;
        let found = statement.query_map(params![operation, now, limit], |row| Ok((row.get(0)?, row.get(1)?)))?;
        due.extend(found.collect::<Result<Vec<_>, _>>()?);
    }
    due.sort_unstable();
    due.truncate(request.limit);
    let mut claimed = Vec::with_capacity(due.len());
    for (_, id) in due {
        let Some(mut stored) = rows::by_id(transaction, id)? else { continue };
        stored.progress.claim(now, request.lease, request.holder);
        rows::save(transaction, id, &stored.progress)?;
        claimed.push(ClaimedOrder {
            lease: Lease { id: Id::new(id), fence: stored.progress.fence, holder: request.holder },
            request: rows::part(transaction, id, REQUEST)?,
            result: rows::part(transaction, id, RESULT)?,
            facts: stored.facts,
            progress: stored.progress,
            now: system_time(now),
        });
    }
    Ok(claimed)
}

/// Returns whether sending is paused for an operation.
pub(super) fn is_paused(transaction: &Transaction<'_>, operation: &str) -> Result<bool, rusqlite::Error> {
    transaction
        .prepare_cached("SELECT 1 FROM paytend_order_pause WHERE operation IN (?1, ?2)")?
        .exists([operation, Pause::ALL])
}
