//! Operator actions on orders.

use std::time::{Duration, SystemTime};

use paytend_inbox::StoreError;
use paytend_outbox::{
    Action, ActionError, Audit, AuditEntry, OrderAuditQuery, OrderEntry, OrderPage, OrderQuery, OrderStats,
    OutboxAdmin, Pause, Progress, RecordedAction, Recovered, State, millis, system_time, unreadable_problem,
};
use rusqlite::{Connection, OptionalExtension as _, Transaction, params};

use crate::outbox::finish;
use crate::outbox::rows::{self, Stored};
use crate::store::SqliteStore;

/// The maximum number of orders that one write changes. The limit keeps other operations from waiting too long.
const CHUNK: usize = 1_000;

/// The name under which the start time of the current recovery is stored. It is absent if no recovery is in progress.
const RECOVERY: &str = "recovering since";

/// Queries that count invalid rows, each with a description of the problem.
const RULES: [(&str, &str); 5] = [
    (
        "SELECT count(*) FROM (SELECT 1 FROM paytend_order WHERE is_open = 1 AND order_key IS NOT NULL \
         GROUP BY order_key HAVING sum(head) <> 1 OR max(CASE head WHEN 1 THEN id END) <> min(id))",
        "order keys do not have their first order as the only claimable order",
    ),
    ("SELECT count(*) FROM paytend_order WHERE order_key IS NULL AND head <> 1", "orders cannot be claimed"),
    (
        "SELECT count(*) FROM paytend_order WHERE is_open = 0 AND (due_at IS NOT NULL OR is_leased = 1 OR \
         state NOT IN ('responded', 'found', 'rejected', 'decided'))",
        "completed orders are not final",
    ),
    (
        "SELECT count(*) FROM paytend_order WHERE is_open = 1 AND due_at IS NULL AND \
         state NOT IN ('stuck', 'responded', 'found', 'rejected', 'decided')",
        "orders are neither due nor stuck",
    ),
    (
        "SELECT count(*) FROM paytend_order o WHERE is_open = 1 AND NOT EXISTS \
         (SELECT 1 FROM paytend_order_part p WHERE p.place = 2 * o.id)",
        "orders have no request",
    ),
];

impl OutboxAdmin for SqliteStore {
    async fn list_orders(&self, query: OrderQuery) -> Result<OrderPage, StoreError> {
        self.read("list orders", move |connection| list(connection, &query)).await
    }

    async fn show_order(&self, number: String, viewer: Option<String>) -> Result<Option<OrderEntry>, StoreError> {
        if let Some(viewer) = viewer {
            // The access is recorded before the content is returned.
            let (now, number) = (self.shared.options.clock.now(), number.clone());
            let recorded = self.write(move |transaction| {
                let Some(stored) = rows::by_number(transaction, &number)? else { return Ok(()) };
                let audit = Audit { who: viewer, why: String::new() };
                let entry = AuditEntry::new(system_time(now), "show".to_owned(), audit);
                rows::audit(transaction, Some(stored.id), &entry)
            });
            recorded.await?;
        }
        self.read("read an order", move |connection| show(connection, &number)).await
    }

    async fn act_on_order(
        &self,
        number: String,
        action: Action,
        audit: Audit,
    ) -> Result<Result<(), ActionError>, StoreError> {
        let clock = self.shared.options.clock.clone();
        self.write(move |transaction| {
            let now = clock.now();
            let Some(mut stored) = rows::by_number(transaction, &number)? else { return Ok(Err(ActionError::Absent)) };
            if let Err(refused) = stored.progress.act(now, action) {
                return Ok(Err(refused));
            }
            finish(transaction, &stored)?;
            let entry = AuditEntry::new(system_time(now), action.as_str().to_owned(), audit);
            rows::audit(transaction, Some(stored.id), &entry)?;
            Ok(Ok(()))
        })
        .await
    }

    async fn pause_sending(&self, operation: String, audit: Audit) -> Result<(), StoreError> {
        let clock = self.shared.options.clock.clone();
        self.write(move |transaction| {
            let now = clock.now();
            transaction.execute(
                "INSERT INTO paytend_order_pause (operation, since, who, why) VALUES (?1, ?2, ?3, ?4) \
                 ON CONFLICT DO NOTHING",
                params![operation, now, audit.who, audit.why],
            )?;
            rows::audit(transaction, None, &AuditEntry::new(system_time(now), format!("pause {operation}"), audit))
        })
        .await
    }

    async fn resume_sending(&self, operation: String, audit: Audit) -> Result<bool, StoreError> {
        let clock = self.shared.options.clock.clone();
        self.write(move |transaction| {
            let removed = transaction.execute("DELETE FROM paytend_order_pause WHERE operation = ?1", [&operation])?;
            let entry = AuditEntry::new(system_time(clock.now()), format!("resume {operation}"), audit);
            rows::audit(transaction, None, &entry)?;
            Ok(removed > 0)
        })
        .await
    }

    async fn paused(&self) -> Result<Vec<Pause>, StoreError> {
        self.read("read the pauses", |connection| {
            let sql = "SELECT operation, since, who, why FROM paytend_order_pause ORDER BY operation";
            let mut statement = connection.prepare_cached(sql)?;
            let pauses = statement.query_map([], |row| {
                let audit = Audit { who: row.get(2)?, why: row.get(3)? };
                Ok(Pause::new(row.get(0)?, system_time(row.get(1)?), audit))
            })?;
            pauses.collect()
        })
        .await
    }

    async fn order_stats(&self) -> Result<OrderStats, StoreError> {
        let now = self.shared.options.clock.now();
        self.read("count orders", move |connection| stats(connection, now)).await
    }

    async fn recover_orders(&self, audit: Audit) -> Result<Recovered, StoreError> {
        let clock = self.shared.options.clock.clone();
        // The changes are made in one transaction, so that a dispatcher that starts too early finds either all orders
        // prepared or none.
        self.write(move |transaction| recover(transaction, clock.now(), audit)).await
    }

    async fn end_recovery(&self, audit: Audit) -> Result<bool, StoreError> {
        let clock = self.shared.options.clock.clone();
        self.write(move |transaction| {
            let (now, removed) =
                (clock.now(), transaction.execute("DELETE FROM paytend_meta WHERE name = ?1", [RECOVERY])?);
            if removed > 0 {
                let unsent = "SELECT id FROM paytend_order WHERE is_open = 1 AND sends = 0 ORDER BY id";
                drop(recover_each(transaction, now, unsent, &audit, Progress::recover_unsent)?);
            }
            let entry = AuditEntry::new(system_time(now), "end recovery".to_owned(), audit);
            rows::audit(transaction, None, &entry)?;
            Ok(removed > 0)
        })
        .await
    }

    async fn drop_order_content(&self, before: SystemTime, audit: Audit) -> Result<u64, StoreError> {
        let (mut dropped, mut last, mut is_recorded) = (0, i64::MIN, false);
        loop {
            let time = millis(before);
            let found = self.read("find orders with content", move |connection| droppable(connection, time, last));
            let Droppable { ids, last: examined } = found.await?;
            // If no order has content, this is recorded too.
            if !ids.is_empty() || (examined.is_none() && !is_recorded) {
                let (clock, audit) = (self.shared.options.clock.clone(), audit.clone());
                let now = move || system_time(clock.now());
                dropped +=
                    self.write(move |transaction| drop_content(transaction, now(), &ids, before, &audit)).await?;
                is_recorded = true;
            }
            let Some(place) = examined else { return Ok(dropped) };
            last = place;
        }
    }

    async fn order_audit(&self, query: OrderAuditQuery) -> Result<Vec<RecordedAction>, StoreError> {
        self.read("read the audit log", move |connection| rows::audit_log(connection, &query)).await
    }

    async fn check_orders(&self) -> Result<Vec<String>, StoreError> {
        self.read("check the orders", |connection| {
            // All rules read the same snapshot.
            let transaction = connection.unchecked_transaction()?;
            let mut problems = Vec::new();
            for (sql, problem) in RULES {
                let count: i64 = transaction.query_row(sql, [], |row| row.get(0))?;
                if count > 0 {
                    problems.push(format!("{count} {problem}"));
                }
            }
            let (count, first) = rows::count_unreadable(&transaction, "true")?;
            problems.extend(unreadable_problem(count, first.as_deref()));
            Ok(problems)
        })
        .await
    }
}

fn list(connection: &Connection, query: &OrderQuery) -> Result<OrderPage, rusqlite::Error> {
    // If the query selects no state, the table is read in the order of the IDs.
    let state = if query.state.is_some() { "o.state = ?4" } else { "?4 IS NULL" };
    let condition = format!(
        "o.id > ?1 AND o.submitted_at >= ?2 AND (?3 IS NULL OR o.operation = ?3) AND {state} ORDER BY o.id LIMIT ?5"
    );
    let parameters = params![
        query.after.unwrap_or(i64::MIN),
        query.since.map_or(i64::MIN, millis),
        query.operation,
        query.state.map(State::as_str),
        i64::try_from(query.limit).unwrap_or(i64::MAX),
    ];
    let mut statement = connection.prepare_cached(&rows::select(&condition))?;
    let mut rows = statement.query(parameters)?;
    let mut page = OrderPage::default();
    while let Some(row) = rows.next()? {
        page.push(rows::try_stored(row)?.map(Stored::entry));
    }
    page.end(query.limit);
    Ok(page)
}

fn show(connection: &Connection, number: &str) -> Result<Option<OrderEntry>, rusqlite::Error> {
    let Some(stored) = rows::by_number(connection, number)? else { return Ok(None) };
    let id = stored.id;
    let mut statement = connection
        .prepare_cached("SELECT at, action, who, why FROM paytend_order_audit WHERE id = ?1 ORDER BY rowid")?;
    let audit = statement.query_map([id], |row| {
        let audit = Audit { who: row.get(2)?, why: row.get(3)? };
        Ok(AuditEntry::new(system_time(row.get(0)?), row.get(1)?, audit))
    })?;
    let audit = audit.collect::<Result<_, _>>()?;
    let rows::Parts { request, result } = rows::parts(connection, id)?;
    Ok(Some(OrderEntry { request, result, audit, ..stored.entry() }))
}

fn stats(connection: &Connection, now: i64) -> Result<OrderStats, rusqlite::Error> {
    let mut stats = OrderStats::default();
    for state in State::ALL {
        let count = connection
            .prepare_cached("SELECT count(*) FROM paytend_order WHERE state = ?1")?
            .query_row([state.as_str()], |row| row.get(0))?;
        stats.set(state, count);
    }
    stats.unhandled = connection
        .prepare_cached(
            "SELECT count(*) FROM paytend_order WHERE is_open = 1 \
             AND state IN ('responded', 'found', 'rejected', 'decided')",
        )?
        .query_row([], |row| row.get(0))?;
    let oldest: Option<i64> = connection
        .prepare_cached(
            "SELECT min(due_at) FROM paytend_order WHERE is_open = 1 AND head = 1 AND due_at IS NOT NULL \
             AND due_at <= ?1",
        )?
        .query_row([now], |row| row.get(0))
        .optional()?
        .flatten();
    stats.oldest_due = oldest.map(|due_at| Duration::from_millis(now.abs_diff(due_at)));
    let mut statement = connection.prepare_cached(
        "SELECT p.key_id, count(DISTINCT o.id) FROM paytend_order o \
         JOIN paytend_order_part p ON p.place BETWEEN 2 * o.id AND 2 * o.id + 1 WHERE o.is_open = 1 GROUP BY p.key_id",
    )?;
    stats.open_by_key = statement.query_map([], |row| Ok((row.get(0)?, row.get(1)?)))?.collect::<Result<_, _>>()?;
    stats.unreadable = rows::count_unreadable(connection, "o.is_open = 1")?.0;
    stats.recovering_since = recovering_since(connection)?.map(system_time);
    Ok(stats)
}

/// Returns the time at which the current recovery began, or `None` if no recovery is in progress.
pub(super) fn recovering_since(connection: &Connection) -> Result<Option<i64>, rusqlite::Error> {
    let mut statement = connection.prepare_cached("SELECT value FROM paytend_meta WHERE name = ?1")?;
    statement.query_row([RECOVERY], |row| row.get(0)).optional().map(|time| time.map(i64::from_be_bytes))
}

/// Completed orders that still have content.
struct Droppable {
    ids: Vec<i64>,
    /// The place of the last part that was examined, or `None` if there was none.
    last: Option<i64>,
}

/// Examines some parts after a place. The read connection finds the orders, so that the writer does not wait for the
/// search. The query begins with the contents, because most orders have no content after some time.
fn droppable(connection: &Connection, before: i64, after: i64) -> Result<Droppable, rusqlite::Error> {
    let mut statement = connection.prepare_cached(
        "SELECT p.place, p.id, o.is_open = 0 AND o.submitted_at < ?1 \
         FROM paytend_order_part p CROSS JOIN paytend_order o ON o.id = p.id \
         WHERE p.place > ?2 ORDER BY p.place LIMIT ?3",
    )?;
    let mut parts = statement.query(params![before, after, CHUNK])?;
    let mut found = Droppable { ids: Vec::new(), last: None };
    while let Some(part) = parts.next()? {
        found.last = part.get(0)?;
        if part.get(2)? {
            found.ids.push(part.get(1)?);
        }
    }
    // Both parts of an order are adjacent.
    found.ids.dedup();
    Ok(found)
}

/// Removes the content of these orders, unless they are no longer completed, and records the removal. Returns the
/// number of orders whose content was removed.
fn drop_content(
    transaction: &Transaction<'_>,
    now: SystemTime,
    ids: &[i64],
    before: SystemTime,
    audit: &Audit,
) -> Result<u64, rusqlite::Error> {
    let mut statement = transaction.prepare_cached(
        "DELETE FROM paytend_order_part WHERE place BETWEEN 2 * ?1 AND 2 * ?1 + 1 \
         AND EXISTS (SELECT 1 FROM paytend_order o WHERE o.id = ?1 AND o.is_open = 0)",
    )?;
    let mut dropped = 0;
    for id in ids {
        if statement.execute([id])? > 0 {
            dropped += 1;
            let entry = AuditEntry::new(now, AuditEntry::DROP_CONTENT.to_owned(), audit.clone());
            rows::audit(transaction, Some(*id), &entry)?;
        }
    }
    rows::audit(transaction, None, &AuditEntry::dropped_content(now, before, dropped, audit.clone()))?;
    Ok(dropped)
}

fn recover(transaction: &Transaction<'_>, now: i64, audit: Audit) -> Result<Recovered, rusqlite::Error> {
    transaction.execute(
        "INSERT INTO paytend_meta (name, value) VALUES (?1, ?2) ON CONFLICT DO NOTHING",
        params![RECOVERY, now.to_be_bytes().as_slice()],
    )?;
    let open = "SELECT id FROM paytend_order WHERE is_open = 1 ORDER BY id";
    let recovered = recover_each(transaction, now, open, &audit, Progress::recover)?;
    rows::audit(transaction, None, &AuditEntry::new(system_time(now), "recover".to_owned(), audit))?;
    Ok(recovered)
}

/// Changes the orders that a query selects, and records the recovery of each changed order.
fn recover_each(
    transaction: &Transaction<'_>,
    now: i64,
    sql: &str,
    audit: &Audit,
    change: fn(&mut Progress, i64, Option<i64>) -> bool,
) -> Result<Recovered, rusqlite::Error> {
    let mut recovered = Recovered::default();
    let ids: Vec<i64> = transaction.prepare(sql)?.query_map([], |row| row.get(0))?.collect::<Result<_, _>>()?;
    for id in ids {
        let read = transaction.prepare_cached(&rows::select("o.id = ?1"))?.query_row([id], rows::try_stored)?;
        let mut stored = match read {
            Ok(stored) => stored,
            Err(unreadable) => {
                recovered.unreadable.push(unreadable);
                continue;
            }
        };
        if change(&mut stored.progress, now, stored.facts.not_before.map(millis)) {
            rows::save(transaction, id, &stored.progress)?;
            let entry = AuditEntry::new(system_time(now), "recover".to_owned(), audit.clone());
            rows::audit(transaction, Some(id), &entry)?;
            recovered.count += 1;
        }
    }
    Ok(recovered)
}
