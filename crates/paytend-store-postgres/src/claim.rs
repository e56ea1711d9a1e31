//! Claims notifications for workers.

use std::collections::{BTreeMap, HashMap};

use deadpool_postgres::Transaction;
use paytend_inbox::{ClaimRequest, Claimed, Id, Lease, StoredPayload};

use crate::error::OpError;
use crate::payloads::{self, DAY};
use crate::rows::{FACTS, count, facts, get, limit, millis, millis_of, system_time, tries};

/// A query for due notifications. It is materialized, because a repeated scan would lock more rows than the limit.
const DUE: &str = "WITH due AS MATERIALIZED (SELECT id, due_at FROM paytend_work \
     WHERE ready AND due_at <= (SELECT paytend_now()) ORDER BY due_at, id LIMIT $1 FOR UPDATE SKIP LOCKED)";

/// A query for due notifications with limits for kinds. It reads each kind separately, so that a kind at its limit is
/// not read.
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

/// Claims the notifications without waiting for the disk. If a crash of the server undoes a claim, its lease is lost,
/// because every change checks the holder.
const TAKE: &str = "UPDATE paytend_work w SET state = 1, fence = w.fence + 1, \
     tries = least(w.tries, 2147483646) + 1, \
     due_at = paytend_now() + $2 * interval '1 millisecond', holder = $3 FROM due WHERE w.id = due.id \
     RETURNING w.id, w.fence, w.tries, w.is_sighting, due.due_at::text, \
     set_config('synchronous_commit', 'off', true)";

struct Taken {
    lease: Lease,
    tries: i32,
    is_sighting: bool,
}

/// The result of a claim.
#[derive(Default)]
pub(crate) struct Found {
    pub(crate) claimed: Vec<Claimed>,
    /// The leases of notifications whose rows contain an invalid value.
    pub(crate) unreadable: Vec<Lease>,
}

/// Claims due notifications.
pub(crate) async fn claim(transaction: &Transaction<'_>, request: &ClaimRequest) -> Result<Found, OpError> {
    let (count_limit, lease, holder) = (limit(request.limit), millis(request.lease), request.holder.cast_signed());
    // The number is passed as text, so that the server determines its type.
    let rows = if request.kind_limits.is_empty() {
        let statement = transaction.prepare_cached(&format!("{DUE} {}", TAKE.replace("$2", "$2::bigint"))).await?;
        transaction.query(&statement, &[&count_limit, &lease, &holder]).await?
    } else {
        let sql = format!("{DUE_BY_KIND} {}", TAKE.replace("$2", "$2::bigint"));
        let statement = transaction.prepare_cached(&sql).await?;
        let kinds: Vec<&str> = request.kind_limits.iter().map(|(kind, _)| kind.as_str()).collect();
        let limits: Vec<i64> = request.kind_limits.iter().map(|(_, count)| limit(*count)).collect();
        transaction.query(&statement, &[&count_limit, &lease, &holder, &kinds, &limits]).await?
    };
    if rows.is_empty() {
        return Ok(Found::default());
    }
    let mut taken = HashMap::new();
    for row in &rows {
        let lease = Lease { id: Id::new(get(row, 0)?), fence: get(row, 1)?, holder: request.holder };
        taken.insert(get::<i64>(row, 0)?, Taken { lease, tries: get(row, 2)?, is_sighting: get(row, 3)? });
    }
    read(transaction, &rows, taken).await
}

/// Reads the claimed notifications, starting with the notification that has been due for the longest time.
async fn read(
    transaction: &Transaction<'_>,
    rows: &[tokio_postgres::Row],
    mut taken: HashMap<i64, Taken>,
) -> Result<Found, OpError> {
    let mut ids: Vec<i64> = Vec::with_capacity(rows.len());
    let mut due: Vec<&str> = Vec::with_capacity(rows.len());
    for row in rows {
        ids.push(get(row, 0)?);
        due.push(get(row, 4)?);
    }
    let sql = format!(
        "SELECT {FACTS}, n.id, {}, coalesce((SELECT max(number) FROM paytend_sighting s WHERE s.id = n.id), 0), {DAY}, \
         (SELECT count(*) FROM paytend_outcome o WHERE o.id = n.id AND o.result = 'done') \
         FROM unnest($1::bigint[], $2::text[]) AS c(id, due_at) JOIN paytend_notification n ON n.id = c.id \
         ORDER BY c.due_at::timestamptz, n.id",
        millis_of("n.received_at")
    );
    let statement = transaction.prepare_cached(&sql).await?;
    let rows = transaction.query(&statement, &[&ids, &due]).await?;
    let mut days: BTreeMap<String, Vec<i64>> = BTreeMap::new();
    for row in &rows {
        days.entry(get(row, 15)?).or_default().push(get(row, 12)?);
    }
    let mut payloads = payloads::read(transaction, &days).await?;
    let mut found = Found::default();
    for row in &rows {
        let id = get(row, 12)?;
        let Some(taken) = taken.remove(&id) else { continue };
        let (lease, payload) = (taken.lease, payloads.remove(&id));
        match read_one(row, taken, payload) {
            Ok(claimed) => found.claimed.push(claimed),
            Err(_) => found.unreadable.push(lease),
        }
    }
    // All rows have a notification, because of a foreign key.
    Ok(found)
}

fn read_one(
    row: &tokio_postgres::Row,
    taken: Taken,
    payload: Option<Result<StoredPayload, OpError>>,
) -> Result<Claimed, OpError> {
    Ok(Claimed {
        lease: taken.lease,
        tries: tries(taken.tries)?,
        is_sighting: taken.is_sighting,
        completed_runs: count(row, 16)?,
        sightings: count(row, 14)?,
        received_at: system_time(get(row, 13)?),
        facts: facts(row, 0)?,
        payload: payload.unwrap_or(Ok(StoredPayload::Dropped))?,
    })
}
