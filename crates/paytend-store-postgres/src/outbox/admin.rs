//! Operator actions on orders.

use std::time::{Duration, SystemTime};

use paytend_inbox::StoreError;
use paytend_outbox::{
    Action, ActionError, Audit, AuditEntry, OrderAuditQuery, OrderEntry, OrderPage, OrderQuery, OrderStats,
    OutboxAdmin, Pause, Progress, RecordedAction, Recovered, State, millis, system_time, unreadable_problem,
};
use tokio_postgres::Transaction;
use tokio_postgres::types::ToSql;

use crate::error::OpError;
use crate::outbox::finish;
use crate::outbox::rows::{self, REQUEST, RESULT, Stored};
use crate::rows::{count, get, limit, text};
use crate::store::PostgresStore;

/// The maximum number of orders that one transaction changes.
const CHUNK: usize = 1_000;

/// The name under which the start time of the current recovery is stored. It is absent if no recovery is in progress.
const RECOVERY: &str = "recovering since";

/// Queries that count invalid rows, each with a description of the problem.
const RULES: [(&str, &str); 5] = [
    (
        "SELECT count(*) FROM (SELECT 1 FROM paytend_order WHERE is_open AND order_key IS NOT NULL GROUP BY order_key \
         HAVING count(*) FILTER (WHERE head) <> 1 OR max(id) FILTER (WHERE head) <> min(id)) k",
        "order keys do not have their first order as the only claimable order",
    ),
    ("SELECT count(*) FROM paytend_order WHERE order_key IS NULL AND NOT head", "orders cannot be claimed"),
    (
        "SELECT count(*) FROM paytend_order WHERE NOT is_open AND (due_at IS NOT NULL OR is_leased OR \
         state NOT IN ('responded', 'found', 'rejected', 'decided'))",
        "completed orders are not final",
    ),
    (
        "SELECT count(*) FROM paytend_order WHERE is_open AND due_at IS NULL AND \
         state NOT IN ('stuck', 'responded', 'found', 'rejected', 'decided')",
        "orders are neither due nor stuck",
    ),
    (
        "SELECT count(*) FROM paytend_order o WHERE is_open AND NOT EXISTS \
         (SELECT 1 FROM paytend_order_part p WHERE p.id = o.id AND p.part = 'request')",
        "orders have no request",
    ),
];

impl OutboxAdmin for PostgresStore {
    async fn list_orders(&self, query: OrderQuery) -> Result<OrderPage, StoreError> {
        self.write("list orders", move |transaction| Box::pin(async move { list(transaction, &query).await })).await
    }

    async fn show_order(&self, number: String, viewer: Option<String>) -> Result<Option<OrderEntry>, StoreError> {
        self.write("read an order", move |transaction| {
            Box::pin(async move { show(transaction, &number, viewer).await })
        })
        .await
    }

    async fn act_on_order(
        &self,
        number: String,
        action: Action,
        audit: Audit,
    ) -> Result<Result<(), ActionError>, StoreError> {
        let acted = self.write("change an order", move |transaction| {
            Box::pin(async move { act(transaction, &number, action, audit).await })
        });
        let acted = acted.await?;
        self.notify();
        Ok(acted)
    }

    async fn pause_sending(&self, operation: String, audit: Audit) -> Result<(), StoreError> {
        self.write("pause sending", move |transaction| {
            Box::pin(async move {
                let now = rows::now(transaction).await?;
                let sql = "INSERT INTO paytend_order_pause (operation, since, who, why) VALUES ($1, $2, $3, $4) \
                     ON CONFLICT DO NOTHING";
                transaction.execute(sql, &[&operation, &now, &audit.who, &audit.why]).await?;
                let entry = AuditEntry::new(system_time(now), format!("pause {operation}"), audit);
                rows::audit(transaction, None, &entry).await
            })
        })
        .await
    }

    async fn resume_sending(&self, operation: String, audit: Audit) -> Result<bool, StoreError> {
        let resumed = self.write("resume sending", move |transaction| {
            Box::pin(async move {
                let sql = "DELETE FROM paytend_order_pause WHERE operation = $1";
                let removed = transaction.execute(sql, &[&operation]).await?;
                let at = system_time(rows::now(transaction).await?);
                let entry = AuditEntry::new(at, format!("resume {operation}"), audit);
                rows::audit(transaction, None, &entry).await?;
                Ok(removed > 0)
            })
        });
        let resumed = resumed.await?;
        self.notify();
        Ok(resumed)
    }

    async fn paused(&self) -> Result<Vec<Pause>, StoreError> {
        self.write("read the pauses", |transaction| {
            Box::pin(async move {
                let sql = "SELECT operation, since, who, why FROM paytend_order_pause ORDER BY operation";
                let mut pauses = Vec::new();
                for row in &transaction.query(sql, &[]).await? {
                    let audit = Audit { who: get(row, 2)?, why: get(row, 3)? };
                    pauses.push(Pause::new(get(row, 0)?, system_time(get(row, 1)?), audit));
                }
                Ok(pauses)
            })
        })
        .await
    }

    async fn order_stats(&self) -> Result<OrderStats, StoreError> {
        self.write("count orders", |transaction| Box::pin(async move { stats(transaction).await })).await
    }

    async fn recover_orders(&self, audit: Audit) -> Result<Recovered, StoreError> {
        // The changes are made in one transaction, so that a dispatcher that starts too early finds either all orders
        // prepared or none.
        let recovered = self.write("prepare a restored store", move |transaction| {
            Box::pin(async move { recover(transaction, audit).await })
        });
        let recovered = recovered.await?;
        self.notify();
        Ok(recovered)
    }

    async fn end_recovery(&self, audit: Audit) -> Result<bool, StoreError> {
        self.write("end the recovery", move |transaction| {
            Box::pin(async move {
                lock(transaction).await?;
                let removed = transaction.execute("DELETE FROM paytend_meta WHERE name = $1", &[&RECOVERY]).await?;
                if removed > 0 {
                    drop(recover_each(transaction, "is_open AND sends = 0", &audit, Progress::recover_unsent).await?);
                }
                let at = system_time(rows::now(transaction).await?);
                rows::audit(transaction, None, &AuditEntry::new(at, "end recovery".to_owned(), audit)).await?;
                Ok(removed > 0)
            })
        })
        .await
    }

    async fn drop_order_content(&self, before: SystemTime, audit: Audit) -> Result<u64, StoreError> {
        let mut dropped = 0;
        loop {
            let audit = audit.clone();
            let count = self.write("remove the content of orders", move |transaction| {
                Box::pin(async move { drop_content(transaction, before, audit).await })
            });
            let (count, found) = count.await?;
            dropped += count;
            // Another operator may have removed some of the content that was found.
            if found < CHUNK as u64 {
                return Ok(dropped);
            }
        }
    }

    async fn order_audit(&self, query: OrderAuditQuery) -> Result<Vec<RecordedAction>, StoreError> {
        self.write("read the audit log", move |transaction| {
            Box::pin(async move { rows::audit_log(transaction, &query).await })
        })
        .await
    }

    async fn check_orders(&self) -> Result<Vec<String>, StoreError> {
        self.write("check the orders", |transaction| {
            Box::pin(async move {
                let mut problems = Vec::new();
                for (sql, problem) in RULES {
                    let found = count(&transaction.query_one(sql, &[]).await?, 0)?;
                    if found > 0 {
                        problems.push(format!("{found} {problem}"));
                    }
                }
                let (count, first) = rows::count_unreadable(transaction, "true").await?;
                problems.extend(unreadable_problem(count, first.as_deref()));
                Ok(problems)
            })
        })
        .await
    }
}

async fn list(transaction: &Transaction<'_>, query: &OrderQuery) -> Result<OrderPage, OpError> {
    let sql = rows::select(
        "o.id > $1 AND o.submitted_at >= $2 AND ($3::text IS NULL OR o.operation = $3) \
         AND ($4::text IS NULL OR o.state = $4) ORDER BY o.id LIMIT $5",
    );
    let after = query.after.unwrap_or(i64::MIN);
    let since = query.since.map_or(i64::MIN, millis);
    let state = query.state.map(State::as_str);
    let count = limit(query.limit);
    let mut page = OrderPage::default();
    for row in &transaction.query(&sql, &[&after, &since, &query.operation, &state, &count]).await? {
        page.push(rows::try_stored(row)?.map(Stored::entry));
    }
    page.end(query.limit);
    Ok(page)
}

async fn show(
    transaction: &Transaction<'_>,
    number: &str,
    viewer: Option<String>,
) -> Result<Option<OrderEntry>, OpError> {
    let Some(stored) = rows::find(transaction, number).await? else { return Ok(None) };
    let id = stored.id;
    if let Some(viewer) = viewer {
        let at = system_time(rows::now(transaction).await?);
        let entry = AuditEntry::new(at, "show".to_owned(), Audit { who: viewer, why: String::new() });
        rows::audit(transaction, Some(id), &entry).await?;
    }
    let sql = "SELECT at, action, who, why FROM paytend_order_audit WHERE id = $1 ORDER BY number";
    let mut audit = Vec::new();
    for row in &transaction.query(sql, &[&id]).await? {
        let by = Audit { who: get(row, 2)?, why: get(row, 3)? };
        audit.push(AuditEntry::new(system_time(get(row, 0)?), get(row, 1)?, by));
    }
    let request = rows::part(transaction, id, REQUEST).await?;
    let result = rows::part(transaction, id, RESULT).await?;
    Ok(Some(OrderEntry { request, result, audit, ..stored.entry() }))
}

async fn act(
    transaction: &Transaction<'_>,
    number: &str,
    action: Action,
    audit: Audit,
) -> Result<Result<(), ActionError>, OpError> {
    let Some(mut stored) = rows::by_number(transaction, number).await? else { return Ok(Err(ActionError::Absent)) };
    let now = rows::now(transaction).await?;
    if let Err(refused) = stored.progress.act(now, action) {
        return Ok(Err(refused));
    }
    finish(transaction, &stored).await?;
    let entry = AuditEntry::new(system_time(now), action.as_str().to_owned(), audit);
    rows::audit(transaction, Some(stored.id), &entry).await?;
    Ok(Ok(()))
}

async fn stats(transaction: &Transaction<'_>) -> Result<OrderStats, OpError> {
    let mut stats = OrderStats::default();
    for row in &transaction.query("SELECT state, count(*) FROM paytend_order GROUP BY state", &[]).await? {
        // A state that this version does not know is not counted here, but `check` reports it.
        if let Ok(state) = get::<&str>(row, 0)?.parse() {
            stats.set(state, count(row, 1)?);
        }
    }
    let sql = "SELECT (SELECT count(*) FROM paytend_order WHERE is_open \
         AND state IN ('responded', 'found', 'rejected', 'decided')), \
         (SELECT n.at - min(due_at) FROM paytend_order WHERE is_open AND head AND due_at IS NOT NULL \
         AND due_at <= n.at) FROM (SELECT paytend_now_ms() AS at) n";
    let row = transaction.query_one(sql, &[]).await?;
    stats.unhandled = count(&row, 0)?;
    let oldest: Option<i64> = get(&row, 1)?;
    stats.oldest_due = oldest.map(|millis| Duration::from_millis(millis.unsigned_abs()));
    let sql = "SELECT p.key_id, count(DISTINCT o.id) FROM paytend_order o JOIN paytend_order_part p ON p.id = o.id \
         WHERE o.is_open GROUP BY p.key_id";
    for row in &transaction.query(sql, &[]).await? {
        let key = u32::try_from(get::<i64>(row, 0)?).map_err(|_| rows::corrupt())?;
        stats.open_by_key.insert(key, count(row, 1)?);
    }
    stats.unreadable = rows::count_unreadable(transaction, "is_open").await?.0;
    stats.recovering_since = recovering_since(transaction).await?.map(system_time);
    Ok(stats)
}

/// Returns the time at which the current recovery began, or `None` if no recovery is in progress.
pub(super) async fn recovering_since(transaction: &Transaction<'_>) -> Result<Option<i64>, OpError> {
    let sql = "SELECT value FROM paytend_meta WHERE name = $1";
    let Some(row) = transaction.query_opt(sql, &[&RECOVERY]).await? else { return Ok(None) };
    let bytes = get::<&[u8]>(&row, 0)?.try_into().map_err(|_| rows::corrupt())?;
    Ok(Some(i64::from_be_bytes(bytes)))
}

/// Removes the content of some completed orders, and records the removal. Returns their number, and how many orders
/// with content were found.
async fn drop_content(transaction: &Transaction<'_>, before: SystemTime, audit: Audit) -> Result<(u64, u64), OpError> {
    let sql = "WITH old AS MATERIALIZED (SELECT DISTINCT p.id FROM paytend_order_part p \
         JOIN paytend_order o ON o.id = p.id WHERE NOT o.is_open AND o.submitted_at < $1 LIMIT $2), \
         deleted AS (DELETE FROM paytend_order_part p USING old WHERE p.id = old.id RETURNING p.id), \
         dropped AS (SELECT DISTINCT id FROM deleted ORDER BY id), \
         recorded AS (INSERT INTO paytend_order_audit (at, id, action, who, why) \
         SELECT $3::bigint, id, $4::text, $5::text, $6::text FROM dropped) \
         SELECT (SELECT count(*) FROM dropped), (SELECT count(*) FROM old)";
    let now = rows::now(transaction).await?;
    let (who, why) = (text(&audit.who).into_owned(), text(&audit.why).into_owned());
    let parameters: [&(dyn ToSql + Sync); 6] =
        [&millis(before), &limit(CHUNK), &now, &AuditEntry::DROP_CONTENT, &who, &why];
    let row = transaction.query_one(sql, &parameters).await?;
    let (dropped, found) = (count(&row, 0)?, count(&row, 1)?);
    let entry = AuditEntry::dropped_content(system_time(now), before, dropped, audit);
    rows::audit(transaction, None, &entry).await?;
    Ok((dropped, found))
}

async fn recover(transaction: &Transaction<'_>, audit: Audit) -> Result<Recovered, OpError> {
    lock(transaction).await?;
    let since = rows::now(transaction).await?.to_be_bytes();
    let sql = "INSERT INTO paytend_meta (name, value) VALUES ($1, $2) ON CONFLICT DO NOTHING";
    transaction.execute(sql, &[&RECOVERY, &since.as_slice()]).await?;
    let recovered = recover_each(transaction, "is_open", &audit, Progress::recover).await?;
    let now = rows::now(transaction).await?;
    rows::audit(transaction, None, &AuditEntry::new(system_time(now), "recover".to_owned(), audit)).await?;
    Ok(recovered)
}

/// Locks all orders until the end of the transaction.
async fn lock(transaction: &Transaction<'_>) -> Result<(), OpError> {
    // This lock waits for changes in progress, including changes that have locked a row but not written it yet, and
    // blocks later changes. A lock weaker than EXCLUSIVE could deadlock with these changes.
    transaction.batch_execute("LOCK TABLE paytend_order IN EXCLUSIVE MODE").await?;
    Ok(())
}

/// Changes the orders that a condition selects, and records the recovery of each changed order.
async fn recover_each(
    transaction: &Transaction<'_>,
    condition: &str,
    audit: &Audit,
    change: fn(&mut Progress, i64, Option<i64>) -> bool,
) -> Result<Recovered, OpError> {
    let rows = transaction.query(&rows::select(&format!("{condition} ORDER BY id FOR NO KEY UPDATE")), &[]).await?;
    let now = rows::now(transaction).await?;
    let mut recovered = Recovered::default();
    for row in &rows {
        let mut stored = match rows::try_stored(row)? {
            Ok(stored) => stored,
            Err(unreadable) => {
                recovered.unreadable.push(unreadable);
                continue;
            }
        };
        if change(&mut stored.progress, now, stored.facts.not_before.map(millis)) {
            rows::save(transaction, stored.id, &stored.progress).await?;
            let entry = AuditEntry::new(system_time(now), "recover".to_owned(), audit.clone());
            rows::audit(transaction, Some(stored.id), &entry).await?;
            recovered.count += 1;
        }
    }
    Ok(recovered)
}
