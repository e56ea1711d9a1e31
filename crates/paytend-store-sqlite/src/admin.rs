//! Operator actions.

use std::time::SystemTime;

use paytend_inbox::{
    AuditEntry, AuditEvent, AuditQuery, Entry, Erasure, Id, Kind, Query, State, Stats, StoreAdmin, StoreError,
};
use rusqlite::{Connection, OptionalExtension as _, Transaction, params};

use crate::accept::{Pending, enqueue};
use crate::clock::millis;
use crate::finish::die;
use crate::rows::{self, ENTRY, ENTRY_TABLES, FACTS};
use crate::store::SqliteStore;
use crate::writer::truncate_log;
use crate::{audit, check, engine};

/// The maximum number of notifications that one write changes. The limit keeps other operations from waiting too long.
const CHUNK: usize = 1_000;

impl StoreAdmin for SqliteStore {
    async fn list(&self, query: Query) -> Result<Vec<Entry>, StoreError> {
        self.write_counts().await;
        self.read("list notifications", move |connection| list(connection, &query)).await
    }

    async fn show(&self, id: Id, viewer: Option<String>) -> Result<Option<Entry>, StoreError> {
        if let Some(viewer) = viewer {
            // The access is recorded before the content is returned.
            self.record(AuditEvent::new(AuditEvent::REVEAL, viewer).id(Some(id))).await?;
        }
        self.write_counts().await;
        self.read("read a notification", move |connection| show(connection, id)).await
    }

    async fn redrive(&self, ids: Option<Vec<Id>>) -> Result<u64, StoreError> {
        let clock = self.shared.options.clock.clone();
        let (ids, mut redriven) = (ids.map(|ids| ids.iter().map(|id| id.get()).collect::<Vec<_>>()), 0);
        let ids = match ids {
            Some(ids) => ids,
            None => self.read("list dead letters", dead).await?,
        };
        for chunk in ids.chunks(CHUNK) {
            let (chunk, clock) = (chunk.to_vec(), clock.clone());
            redriven += self.write(move |transaction| redrive(transaction, clock.now(), &chunk)).await?;
        }
        Ok(redriven)
    }

    async fn bury(&self, id: Id, cause: String) -> Result<bool, StoreError> {
        let clock = self.shared.options.clock.clone();
        self.write(move |transaction| die(transaction, clock.now(), id.get(), Some(&cause))).await
    }

    async fn stats(&self) -> Result<Stats, StoreError> {
        let now = self.shared.options.clock.now();
        self.write_counts().await;
        self.read("count notifications", move |connection| stats(connection, now)).await
    }

    async fn check(&self) -> Result<Vec<String>, StoreError> {
        let mut problems = self.read("check the store", check::integrity).await?;
        let settings = self.run("read the settings", |transaction| Ok(engine::settings(transaction)?));
        problems.extend(check::settings(&settings.await.map_err(StoreError::from)?));
        Ok(problems)
    }

    async fn erase(&self, erasure: Erasure) -> Result<u64, StoreError> {
        let clock = self.shared.options.clock.clone();
        let erased = self.write(move |transaction| erase(transaction, clock.now(), &erasure)).await?;
        if erased > 0 {
            // The write-ahead log contains earlier versions of the pages until it is emptied.
            let path = self.clone();
            let emptied = tokio::task::spawn_blocking(move || {
                let connection = engine::open_writer(&path.shared.options)?;
                truncate_log(&connection, engine::BUSY_TIMEOUT)
                    .map_err(|error| crate::error::store_error("empty the write-ahead log", error))
            });
            match emptied.await {
                Ok(Ok(true)) => {}
                Ok(Err(error)) => return Err(error),
                _ => tracing::warn!("erased values stay in the write-ahead log until its next checkpoint"),
            }
        }
        Ok(erased)
    }

    async fn drop_payloads(&self, before: SystemTime) -> Result<u64, StoreError> {
        let (before, mut dropped) = (millis(before), 0);
        loop {
            let count = self.write(move |transaction| drop_payloads(transaction, before)).await?;
            dropped += count;
            if count < CHUNK as u64 {
                return Ok(dropped);
            }
        }
    }

    async fn record(&self, event: AuditEvent) -> Result<(), StoreError> {
        let now = self.shared.options.clock.now();
        let recorded = self.write(move |transaction| audit::record(transaction, now, &event));
        recorded.await
    }

    async fn audit(&self, query: AuditQuery) -> Result<Vec<AuditEntry>, StoreError> {
        self.read("read the audit log", move |connection| audit::list(connection, &query)).await
    }

    async fn probe(&self) -> Result<Vec<(&'static str, String)>, StoreError> {
        let now = self.shared.options.clock.now();
        let probed = self.run("write", move |transaction| {
            transaction
                .execute("INSERT OR REPLACE INTO paytend_meta VALUES ('probe', ?1)", [now.to_be_bytes().as_slice()])?;
            Ok(engine::settings(transaction)?)
        });
        probed.await.map_err(StoreError::from)
    }
}

fn list(connection: &Connection, query: &Query) -> Result<Vec<Entry>, rusqlite::Error> {
    let condition = match query.state {
        None => "",
        Some(State::Ready) => "AND w.state = 0",
        Some(State::Leased) => "AND w.state = 1",
        Some(State::Backoff) => "AND w.state = 2",
        Some(State::Dead) => "AND d.id IS NOT NULL",
        Some(_) => "AND w.id IS NULL AND d.id IS NULL",
    };
    let sql = format!(
        "SELECT {FACTS}, {ENTRY} FROM {ENTRY_TABLES} WHERE n.id > ?1 AND n.received_at >= ?2 \
         AND (?3 IS NULL OR n.kind = ?3) {condition} ORDER BY n.id"
    );
    let parameters = params![
        query.after.map_or(i64::MIN, Id::get),
        query.since.map_or(i64::MIN, millis),
        query.kind.as_ref().map(|kind| kind.as_str()),
    ];
    let mut statement = connection.prepare_cached(&sql)?;
    let mut rows = statement.query(parameters)?;
    let mut entries = Vec::new();
    // Unreadable rows do not count towards the limit, because callers treat a list that is shorter than the limit as
    // the last page.
    while entries.len() < query.limit
        && let Some(row) = rows.next()?
    {
        match rows::entry(row) {
            Ok(entry) => entries.push(entry),
            Err(error) if error.sqlite_error_code().is_some() => return Err(error),
            Err(error) => tracing::error!(id = row.get::<_, i64>(12)?, %error, "a stored row cannot be read"),
        }
    }
    Ok(entries)
}

fn show(connection: &Connection, id: Id) -> Result<Option<Entry>, rusqlite::Error> {
    let sql = format!("SELECT {FACTS}, {ENTRY} FROM {ENTRY_TABLES} WHERE n.id = ?1");
    let Some(mut entry) = connection.prepare_cached(&sql)?.query_row([id.get()], rows::entry).optional()? else {
        return Ok(None);
    };
    entry.payload = Some(rows::payload(connection, id.get())?);
    Ok(Some(entry))
}

fn dead(connection: &Connection) -> Result<Vec<i64>, rusqlite::Error> {
    connection.prepare_cached("SELECT id FROM paytend_dead ORDER BY id")?.query_map([], |row| row.get(0))?.collect()
}

fn redrive(transaction: &Transaction<'_>, now: i64, ids: &[i64]) -> Result<u64, rusqlite::Error> {
    let mut redriven = 0;
    for id in ids {
        let pending = transaction
            .prepare_cached("DELETE FROM paytend_dead WHERE id = ?1 RETURNING fence, is_sighting, cause")?
            .query_row([id], |row| Ok(Pending { fence: row.get(0)?, is_sighting: row.get(1)?, cause: row.get(2)? }))
            .optional()?;
        if let Some(pending) = pending {
            enqueue(transaction, now, *id, &pending)?;
            redriven += 1;
        }
    }
    Ok(redriven)
}

fn stats(connection: &Connection, now: i64) -> Result<Stats, rusqlite::Error> {
    let count = |sql: &str| connection.prepare_cached(sql)?.query_row([], |row| row.get::<_, u64>(0));
    let mut stats = Stats::default();
    stats.ready = count("SELECT count(*) FROM paytend_work WHERE state = 0")?;
    stats.leased = count("SELECT count(*) FROM paytend_work WHERE state = 1")?;
    stats.backoff = count("SELECT count(*) FROM paytend_work WHERE state = 2")?;
    stats.dead = count("SELECT count(*) FROM paytend_dead")?;
    let all = count("SELECT count(*) FROM paytend_notification")?;
    stats.done = all.saturating_sub(stats.ready + stats.leased + stats.backoff + stats.dead);
    stats.sightings =
        count("SELECT coalesce(sum(last), 0) FROM (SELECT max(number) AS last FROM paytend_sighting GROUP BY id)")?;
    let oldest: Option<i64> = connection
        .prepare_cached("SELECT due_at FROM paytend_work WHERE head = 1 AND due_at <= ?1 ORDER BY due_at, id LIMIT 1")?
        .query_row([now], |row| row.get(0))
        .optional()?;
    stats.oldest_ready = oldest.map(|due_at| std::time::Duration::from_millis(now.abs_diff(due_at)));
    Ok(stats)
}

fn erase(transaction: &Transaction<'_>, now: i64, erasure: &Erasure) -> Result<u64, rusqlite::Error> {
    let found: Vec<(i64, String, String)> = transaction
        .prepare_cached("SELECT id, route, kind FROM paytend_notification WHERE business_id = ?1")?
        .query_map([erasure.business_id()], |row| Ok((row.get(0)?, row.get(1)?, row.get(2)?)))?
        .collect::<Result<_, _>>()?;
    let selected = |(id, route, kind): (i64, String, String)| {
        let selected =
            erasure.selects_all() || route.parse().is_ok_and(|route| erasure.selects(route, &Kind::from_stored(kind)));
        selected.then_some(id)
    };
    let ids: Vec<i64> = found.into_iter().filter_map(selected).collect();
    for id in &ids {
        for sql in [
            "DELETE FROM paytend_payload WHERE id = ?1",
            "UPDATE paytend_outcome SET cause = NULL WHERE id = ?1",
            "UPDATE paytend_dead SET cause = NULL WHERE id = ?1",
        ] {
            transaction.prepare_cached(sql)?.execute([id])?;
        }
        die(transaction, now, *id, Some("erased"))?;
        transaction
            .prepare_cached(
                "UPDATE paytend_notification SET business_id = NULL, business_state = NULL, order_key = NULL \
                 WHERE id = ?1",
            )?
            .execute([id])?;
    }
    Ok(ids.len() as u64)
}

fn drop_payloads(transaction: &Transaction<'_>, before: i64) -> Result<u64, rusqlite::Error> {
    let dropped = transaction
        .prepare_cached(
            "DELETE FROM paytend_payload WHERE id IN (SELECT p.id FROM paytend_payload p \
             JOIN paytend_notification n ON n.id = p.id WHERE n.received_at < ?1 \
             AND NOT EXISTS (SELECT 1 FROM paytend_work w WHERE w.id = p.id) \
             AND NOT EXISTS (SELECT 1 FROM paytend_dead d WHERE d.id = p.id) LIMIT ?2)",
        )?
        .execute(params![before, CHUNK])?;
    Ok(dropped as u64)
}
