//! Operator actions.

use std::time::SystemTime;

use paytend_inbox::{
    AuditEntry, AuditEvent, AuditQuery, Entry, Erasure, Id, Query, State, Stats, StoreAdmin, StoreClock, StoreError,
    StoreErrorKind,
};
use rusqlite::{Connection, OptionalExtension as _, Transaction, params};

use crate::accept::{Pending, enqueue};
use crate::clock::{millis, system_time};
use crate::finish::die;
use crate::options::Synchronous;
use crate::rows::{self, ENTRY, ENTRY_TABLES, FACTS};
use crate::store::SqliteStore;
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
        self.erase_selected(erasure).await
    }

    async fn drop_payloads(&self, before: SystemTime) -> Result<u64, StoreError> {
        self.drop_old_payloads(millis(before)).await
    }

    async fn clock(&self) -> Result<StoreClock, StoreError> {
        let now = system_time(self.shared.options.clock.now());
        let latest = "SELECT max(received_at) FROM paytend_notification";
        let last_received = self.read("read the times", move |connection| {
            connection.query_row(latest, [], |row| row.get::<_, Option<i64>>(0))
        });
        Ok(StoreClock { now, last_received: last_received.await?.map(system_time) })
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
        let settings = probed.await.map_err(StoreError::from)?;
        // A service with an unsafe setting is not ready, unless the options accept the setting.
        match check::settings(&settings).first() {
            Some(problem) if self.shared.options.synchronous == Synchronous::Full => {
                Err(StoreError::new(StoreErrorKind::Configuration, problem.clone()))
            }
            _ => Ok(settings),
        }
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
