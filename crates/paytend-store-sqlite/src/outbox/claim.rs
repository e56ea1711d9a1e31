//! Claims orders for dispatchers.

use paytend_inbox::{Id, Lease};
use paytend_outbox::{ClaimOrders, ClaimedOrder, Pause, SkippedOrders, millis, system_time};
use rusqlite::{Transaction, params};

use crate::outbox::admin::recovering_since;
use crate::outbox::rows::{self, Parts, Stored};

/// The maximum number of unreadable orders that one transaction reads. The limit keeps other operations from waiting
/// too long.
const MAX_UNREADABLE: usize = 1_000;

/// Claims due orders. Orders whose lease has expired are claimed only if `takes_over` is set. Reads each operation
/// separately, so that no orders are read for an operation that has reached its limit.
///
/// An order that cannot be read, for example because a newer program has written it, is never claimed. It holds up only
/// the later orders of its order key.
pub(super) fn claim(
    transaction: &Transaction<'_>,
    now: i64,
    request: &ClaimOrders,
    takes_over: bool,
    skipped: &SkippedOrders,
) -> Result<Found, rusqlite::Error> {
    let (mut due, mut unreadable): (Vec<Due>, Vec<i64>) = (Vec::new(), Vec::new());
    let skip = skipped.at(now);
    for (operation, limit) in &request.operations {
        let wanted = due.len().saturating_add(request.limit.min(*limit));
        let paused = is_paused(transaction, operation)?;
        let condition = if paused { " AND (sends > 0 OR state <> 'recorded' OR decision IS NOT NULL)" } else { "" };
        let free = if takes_over { "" } else { "AND is_leased = 0" };
        let sql = format!(
            "SELECT due_at, id FROM paytend_order WHERE is_open = 1 AND head = 1 AND due_at IS NOT NULL{condition} \
             {free} AND operation = ?1 AND due_at <= ?2 ORDER BY due_at, id"
        );
        let mut statement = transaction.prepare_cached(&sql)?;
        let mut found = statement.query(params![operation, now])?;
        while due.len() < wanted
            && unreadable.len() < MAX_UNREADABLE
            && let Some(row) = found.next()?
        {
            let (due_at, id) = (row.get(0)?, row.get(1)?);
            if skip.contains(&id) {
                continue;
            }
            match read(transaction, due_at, id) {
                Ok(order) => due.extend(order),
                Err(error) => {
                    rows::of_row(error)?;
                    unreadable.push(id);
                }
            }
        }
    }
    skipped.record(now, &unreadable);
    due.sort_unstable_by_key(|due| (due.due_at, due.stored.id));
    due.truncate(request.limit);
    let mut claimed = Vec::with_capacity(due.len());
    let is_recovering = recovering_since(transaction)?.is_some();
    for Due { mut stored, parts, .. } in due {
        let before = stored.progress.clone();
        if is_recovering {
            stored.progress.recover_unsent(now, stored.facts.not_before.map(millis));
        }
        stored.progress.claim(now, request.lease, request.holder);
        rows::save_change(transaction, stored.id, &before, &stored.progress)?;
        claimed.push(ClaimedOrder {
            lease: Lease { id: Id::new(stored.id), fence: stored.progress.fence, holder: request.holder },
            request: parts.request,
            result: parts.result,
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

/// A due order.
struct Due {
    due_at: i64,
    stored: Stored,
    parts: Parts,
}

fn read(transaction: &Transaction<'_>, due_at: i64, id: i64) -> Result<Option<Due>, rusqlite::Error> {
    let Some(stored) = rows::by_id(transaction, id)? else { return Ok(None) };
    let parts = rows::parts(transaction, id)?;
    Ok(Some(Due { due_at, stored, parts }))
}

/// Returns whether sending is paused for an operation.
pub(super) fn is_paused(transaction: &Transaction<'_>, operation: &str) -> Result<bool, rusqlite::Error> {
    transaction
        .prepare_cached("SELECT 1 FROM paytend_order_pause WHERE operation IN (?1, ?2)")?
        .exists([operation, Pause::ALL])
}
