//! Claims notifications for workers.

use std::collections::{BTreeMap, HashMap};

use deadpool_postgres::Transaction;
use futures_util::join;
use paytend_inbox::{ClaimRequest, Claimed, Id, Lease, StoredPayload};
use tokio_postgres::Row;
use tokio_postgres::types::ToSql;

use crate::error::OpError;
use crate::payloads::{self, DAY};
use crate::plans::use_indexes;
use crate::rows::{FACTS, corrupt, count, facts, get, limit, millis, millis_of, system_time, text, tries};

/// A query for due notifications. It is materialized, because PostgreSQL could otherwise run it several times and lock
/// more rows than the limit.
const DUE: &str = "WITH due AS MATERIALIZED (SELECT id, due_at FROM paytend_work \
     WHERE ready AND due_at <= (SELECT paytend_now()) ORDER BY due_at, id LIMIT $1 FOR UPDATE SKIP LOCKED)";

/// A query for due notifications, with limits per kind. It reads each kind separately, so that no rows are read for a
/// kind that has reached its limit.
const DUE_BY_KIND: &str = "WITH RECURSIVE kinds AS (\
     (SELECT min(kind) AS kind FROM paytend_work WHERE ready) UNION ALL \
     SELECT (SELECT min(w.kind) FROM paytend_work w WHERE w.ready AND w.kind > kinds.kind) \
     FROM kinds WHERE kinds.kind IS NOT NULL), \
     limits AS (SELECT kinds.kind, least(coalesce(l.n, $1), $1) AS n FROM kinds \
     LEFT JOIN unnest($4::text[], $5::bigint[]) AS l(kind, n) ON l.kind = kinds.kind WHERE kinds.kind IS NOT NULL), \
     found AS MATERIALIZED (SELECT f.id, f.due_at FROM limits CROSS JOIN LATERAL (\
     SELECT w.id, w.due_at FROM paytend_work w WHERE w.ready AND w.kind = limits.kind \
     AND w.due_at <= (SELECT paytend_now()) ORDER BY w.due_at, w.id LIMIT limits.n FOR UPDATE SKIP LOCKED) f), \
     due AS MATERIALIZED (SELECT id, due_at FROM found ORDER BY due_at, id LIMIT $1)";

/// Claims the notifications.
const TAKE: &str = "UPDATE paytend_work w SET state = 1, fence = w.fence + 1, \
     tries = least(w.tries, 2147483646) + 1, \
     due_at = paytend_now() + $2::bigint * interval '1 millisecond', holder = $3 \
     FROM due JOIN paytend_notification n ON n.id = due.id WHERE w.id = due.id RETURNING ";

/// Reads how many sightings and completed runs a notification has. A separate statement reads these counts after the
/// claim. The claim itself would not see a completion that is committed while the claim waits for its locks.
const COUNTS: &str = "SELECT l.id, coalesce((SELECT max(number) FROM paytend_sighting s WHERE s.id = l.id), 0), \
     (SELECT count(*) FROM paytend_outcome o WHERE o.id = l.id AND o.result = 'done') \
     FROM unnest($1::bigint[]) AS l(id)";

/// The columns of a claimed notification that follow its facts.
///
/// The last column reports whether the server has recently recovered from a crash. During such a recovery, the server
/// resets its statistics, so the reset is later than the server's start.
const CLAIMED: &str = "n.id, w.fence, w.tries, w.is_sighting, \
     CASE WHEN isfinite(due.due_at) THEN (extract(epoch FROM due.due_at) * 1000000)::bigint ELSE 0 END, \
     coalesce(pg_stat_get_bgwriter_stat_reset_time() >= \
     greatest(pg_postmaster_start_time(), clock_timestamp() - interval '1 hour'), true)";

/// Commits without waiting for the disk. If a server crash undoes a claim, its lease is lost, because every change
/// checks the holder. The attempt is then not counted. Therefore, only first attempts are claimed without waiting, and
/// none after a crash. Otherwise, a notification that crashes the server would never become a dead letter.
const ASYNCHRONOUS: &str = "SET LOCAL synchronous_commit = off";

/// The result of a claim.
#[derive(Default)]
pub(crate) struct Found {
    pub(crate) claimed: Vec<Claimed>,
    /// The leases of claimed notifications whose rows contain an invalid value.
    pub(crate) unreadable: Vec<Lease>,
}

/// Claims notifications that are due, starting with the notification that has been due for the longest time.
pub(crate) async fn claim(transaction: &Transaction<'_>, request: &ClaimRequest) -> Result<Found, OpError> {
    let (count_limit, lease, holder) = (limit(request.limit), millis(request.lease), request.holder.cast_signed());
    let columns = format!("{FACTS}, {CLAIMED}, {}, {DAY}", millis_of("n.received_at"));
    let mut rows = if request.kind_limits.is_empty() {
        let statement = transaction.prepare_cached(&format!("{DUE} {TAKE} {columns}")).await?;
        let values: [&(dyn ToSql + Sync); 3] = [&count_limit, &lease, &holder];
        let (planned, rows) = join!(use_indexes(transaction), transaction.query(&statement, &values));
        planned.and(rows)?
    } else {
        let statement = transaction.prepare_cached(&format!("{DUE_BY_KIND} {TAKE} {columns}")).await?;
        let kinds: Vec<_> = request.kind_limits.iter().map(|(kind, _)| text(kind.as_str())).collect();
        let limits: Vec<i64> = request.kind_limits.iter().map(|(_, count)| limit(*count)).collect();
        let values: [&(dyn ToSql + Sync); 5] = [&count_limit, &lease, &holder, &kinds, &limits];
        let (planned, rows) = join!(use_indexes(transaction), transaction.query(&statement, &values));
        planned.and(rows)?
    };
    if rows.is_empty() {
        return Ok(Found::default());
    }
    let mut days: BTreeMap<String, Vec<i64>> = BTreeMap::new();
    for row in &rows {
        days.entry(get(row, 19)?).or_default().push(get(row, 12)?);
    }
    rows.sort_by_cached_key(|row| (get::<i64>(row, 16).unwrap_or_default(), get::<i64>(row, 12).unwrap_or_default()));
    let mut is_first = true;
    for row in &rows {
        is_first &= get::<i32>(row, 14)? == 1 && !get::<bool>(row, 17)?;
    }
    let set_commit = async { if is_first { transaction.batch_execute(ASYNCHRONOUS).await } else { Ok(()) } };
    let (set, counts, payloads) = join!(set_commit, counts(transaction, &days), payloads::read(transaction, &days));
    set?;
    let (mut counts, mut payloads) = (counts?, payloads?);
    let mut found = Found::default();
    for row in &rows {
        let id = get(row, 12)?;
        let lease = Lease { id: Id::new(id), fence: get(row, 13)?, holder: request.holder };
        let counts = counts.remove(&id).unwrap_or_default();
        match read_one(row, lease, counts, payloads.remove(&id)) {
            Ok(claimed) => found.claimed.push(claimed),
            Err(_) => found.unreadable.push(lease),
        }
    }
    // The claim joins the notifications. This leaves out no row, because of a foreign key.
    Ok(found)
}

/// The sighting count and the completed-run count, or `None` if either is invalid.
type Counts = Option<(u64, u64)>;

async fn counts(
    transaction: &Transaction<'_>,
    days: &BTreeMap<String, Vec<i64>>,
) -> Result<HashMap<i64, Counts>, OpError> {
    let ids: Vec<i64> = days.values().flatten().copied().collect();
    let statement = transaction.prepare_cached(COUNTS).await?;
    let rows = transaction.query(&statement, &[&ids]).await?;
    let counts = |row: &Row| Some((count(row, 1).ok()?, count(row, 2).ok()?));
    rows.iter().map(|row| Ok((get(row, 0)?, counts(row)))).collect()
}

fn read_one(
    row: &Row,
    lease: Lease,
    counts: Counts,
    payload: Option<Result<StoredPayload, OpError>>,
) -> Result<Claimed, OpError> {
    let (sightings, completed_runs) = counts.ok_or_else(corrupt)?;
    Ok(Claimed {
        lease,
        tries: tries(get(row, 14)?)?,
        is_sighting: get(row, 15)?,
        completed_runs,
        sightings,
        received_at: system_time(get(row, 18)?),
        facts: facts(row, 0)?,
        payload: payload.unwrap_or(Ok(StoredPayload::Dropped))?,
    })
}
