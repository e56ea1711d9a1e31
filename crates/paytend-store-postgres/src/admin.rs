//! Operator actions.

use std::collections::BTreeMap;
use std::time::{Duration, SystemTime};

use deadpool_postgres::Transaction;
use paytend_inbox::{
    AuditEntry, AuditEvent, AuditQuery, Entry, Erasure, Id, Kind, Query, State, Stats, StoreAdmin, StoreClock,
    StoreError, StoredPayload,
};

use crate::accept::enqueue;
use crate::error::OpError;
use crate::finish::die;
use crate::locks::{lock_key, lock_keys, lock_number};
use crate::payloads::{self, DAY};
use crate::rows::{ENTRY_TABLES, count, entry, entry_columns, get, limit, text};
use crate::store::PostgresStore;
use crate::{audit, check, settings};

/// The maximum number of notifications that one transaction changes.
const CHUNK: usize = 1_000;

impl StoreAdmin for PostgresStore {
    async fn list(&self, query: Query) -> Result<Vec<Entry>, StoreError> {
        self.write("list notifications", move |transaction| Box::pin(async move { list(transaction, &query).await }))
            .await
    }

    async fn show(&self, id: Id, viewer: Option<String>) -> Result<Option<Entry>, StoreError> {
        self.write("read a notification", move |transaction| {
            Box::pin(async move {
                if let Some(viewer) = viewer {
                    let event = AuditEvent::new(AuditEvent::REVEAL, viewer).id(Some(id));
                    audit::record(transaction, &event).await?;
                }
                show(transaction, id).await
            })
        })
        .await
    }

    async fn redrive(&self, ids: Option<Vec<Id>>) -> Result<u64, StoreError> {
        let ids: Vec<i64> = match ids {
            Some(ids) => ids.into_iter().map(Id::get).collect(),
            None => self.write("list dead letters", |transaction| Box::pin(dead(transaction))).await?,
        };
        let mut redriven = 0;
        for id in ids {
            let one = self.write("redrive", move |transaction| Box::pin(redrive(transaction, id)));
            redriven += u64::from(one.await?);
        }
        self.notify();
        Ok(redriven)
    }

    async fn bury(&self, id: Id, cause: String) -> Result<bool, StoreError> {
        let buried = self.write("bury", move |transaction| {
            Box::pin(async move {
                if !lock_pending(transaction, id.get()).await? {
                    return Ok(false);
                }
                die(transaction, id.get(), Some(&cause)).await
            })
        });
        let buried = buried.await?;
        self.notify();
        Ok(buried)
    }

    async fn stats(&self) -> Result<Stats, StoreError> {
        let stats = self.write("count notifications", |transaction| Box::pin(stats(transaction))).await?;
        // Some servers do not offer these counts, for example because of their permissions.
        let reported = self.write("read the server's counts", |transaction| Box::pin(report_server(transaction)));
        if let Err(error) = reported.await {
            tracing::debug!(%error, "the server's counts are not reported");
        }
        Ok(stats)
    }

    async fn check(&self) -> Result<Vec<String>, StoreError> {
        self.write("check the store", |transaction| {
            Box::pin(async move {
                let mut problems = check::integrity(transaction).await?;
                problems.extend(settings::problems(&settings::read(transaction.client()).await?));
                Ok(problems)
            })
        })
        .await
    }

    async fn erase(&self, erasure: Erasure) -> Result<u64, StoreError> {
        let erased =
            self.write("erase", move |transaction| Box::pin(async move { erase(transaction, &erasure).await }));
        let erased = erased.await?;
        self.notify();
        Ok(erased)
    }

    async fn clock(&self) -> Result<StoreClock, StoreError> {
        self.write("read the times", |transaction| Box::pin(clock(transaction))).await
    }

    async fn drop_payloads(&self, before: SystemTime) -> Result<u64, StoreError> {
        let doing = "remove content";
        let partitions = self.write(doing, move |transaction| Box::pin(payloads::ended(transaction, before))).await?;
        let mut dropped = 0;
        for partition in partitions {
            let name = partition.clone();
            let whole = self
                .write(doing, move |transaction| Box::pin(async move { payloads::drop_day(transaction, &name).await }));
            if let Some(count) = whole.await? {
                dropped += count;
                continue;
            }
            loop {
                let name = partition.clone();
                let some = self.write(doing, move |transaction| {
                    Box::pin(async move { payloads::delete_processed(transaction, &name, before, CHUNK).await })
                });
                let count = some.await?;
                dropped += count;
                if count < CHUNK as u64 {
                    break;
                }
            }
        }
        Ok(dropped)
    }

    async fn record(&self, event: AuditEvent) -> Result<(), StoreError> {
        self.write("record an action", move |transaction| {
            Box::pin(async move { audit::record(transaction, &event).await })
        })
        .await
    }

    async fn audit(&self, query: AuditQuery) -> Result<Vec<AuditEntry>, StoreError> {
        self.write("read the audit log", move |transaction| {
            Box::pin(async move { audit::list(transaction, &query).await })
        })
        .await
    }

    async fn probe(&self) -> Result<Vec<(&'static str, String)>, StoreError> {
        let settings = self.write("write", |transaction| {
            Box::pin(async move {
                let sql = "INSERT INTO paytend_meta (name, value) \
                     VALUES ('probe', convert_to(paytend_now()::text, 'UTF8')) \
                     ON CONFLICT (name) DO UPDATE SET value = excluded.value";
                transaction.execute(sql, &[]).await?;
                Ok(settings::read(transaction.client()).await?)
            })
        });
        let settings = settings.await?;
        // The settings are checked again, because they can change while the server runs.
        self.check_settings(&settings)?;
        Ok(settings)
    }
}

async fn list(transaction: &Transaction<'_>, query: &Query) -> Result<Vec<Entry>, OpError> {
    let condition = match query.state {
        None => "",
        Some(State::Ready) => "AND w.state = 0",
        Some(State::Leased) => "AND w.state = 1",
        Some(State::Backoff) => "AND w.state = 2",
        Some(State::Dead) => "AND d.id IS NOT NULL",
        Some(_) => "AND w.id IS NULL AND d.id IS NULL",
    };
    let sql = format!(
        "SELECT {} FROM {ENTRY_TABLES} WHERE n.id > $1 AND ($2::timestamptz IS NULL OR n.received_at >= $2) \
         AND ($3::text IS NULL OR n.kind = $3) {condition} ORDER BY n.id LIMIT $4",
        entry_columns()
    );
    let statement = transaction.prepare_cached(&sql).await?;
    let mut after = query.after.map_or(i64::MIN, Id::get);
    let kind = query.kind.as_ref().map(|kind| text(kind.as_str()));
    let mut entries = Vec::new();
    loop {
        let missing = limit(query.limit.saturating_sub(entries.len()));
        let rows = transaction.query(&statement, &[&after, &query.since, &kind, &missing]).await?;
        for row in &rows {
            after = get(row, 12)?;
            match entry(row) {
                Ok(entry) => entries.push(entry),
                Err(_) => tracing::error!(id = after, "a row is unreadable and not listed; `check` counts such rows"),
            }
        }
        // Callers treat a list that is shorter than the limit as the last page, so more rows are read in place of
        // unreadable rows.
        if limit(rows.len()) < missing || entries.len() >= query.limit {
            return Ok(entries);
        }
    }
}

async fn show(transaction: &Transaction<'_>, id: Id) -> Result<Option<Entry>, OpError> {
    let sql = format!("SELECT {}, {DAY} FROM {ENTRY_TABLES} WHERE n.id = $1", entry_columns());
    let statement = transaction.prepare_cached(&sql).await?;
    let Some(row) = transaction.query_opt(&statement, &[&id.get()]).await? else { return Ok(None) };
    let days = BTreeMap::from([(get(&row, 19)?, vec![id.get()])]);
    let payload = payloads::read(transaction, &days).await?.remove(&id.get());
    Ok(Some(Entry { payload: Some(payload.unwrap_or(Ok(StoredPayload::Dropped))?), ..entry(&row)? }))
}

async fn dead(transaction: &Transaction<'_>) -> Result<Vec<i64>, OpError> {
    let rows = transaction.query("SELECT id FROM paytend_dead ORDER BY id", &[]).await?;
    rows.iter().map(|row| get(row, 0)).collect()
}

async fn redrive(transaction: &Transaction<'_>, id: i64) -> Result<bool, OpError> {
    lock_key_of(transaction, id).await?;
    let sql = "DELETE FROM paytend_dead WHERE id = $1 RETURNING fence, is_sighting, cause";
    let statement = transaction.prepare_cached(sql).await?;
    let Some(row) = transaction.query_opt(&statement, &[&id]).await? else { return Ok(false) };
    let cause: Option<String> = get(&row, 2)?;
    enqueue(transaction, id, get(&row, 0)?, get(&row, 1)?, cause.as_deref()).await?;
    Ok(true)
}

/// Locks a notification's order key.
async fn lock_key_of(transaction: &Transaction<'_>, id: i64) -> Result<(), OpError> {
    let statement = transaction.prepare_cached("SELECT order_key FROM paytend_notification WHERE id = $1").await?;
    let row = transaction.query_opt(&statement, &[&id]).await?;
    if let Some(key) = row.map(|row| get::<Option<Vec<u8>>>(&row, 0)).transpose()?.flatten() {
        lock_key(transaction, &key).await?;
    }
    Ok(())
}

/// Locks the order key and then the pending row. Returns whether the notification is pending. Fails if the row is
/// already locked, because an effect that holds the row may wait for the order key.
async fn lock_pending(transaction: &Transaction<'_>, id: i64) -> Result<bool, OpError> {
    lock_key_of(transaction, id).await?;
    lock_work(transaction, id).await
}

/// Locks the pending row. The caller must hold the order key's lock. Returns whether the notification is pending.
async fn lock_work(transaction: &Transaction<'_>, id: i64) -> Result<bool, OpError> {
    let statement = transaction.prepare_cached("SELECT 1 FROM paytend_work WHERE id = $1 FOR UPDATE NOWAIT").await?;
    Ok(transaction.query_opt(&statement, &[&id]).await?.is_some())
}

async fn stats(transaction: &Transaction<'_>) -> Result<Stats, OpError> {
    let sql = "SELECT (SELECT count(*) FROM paytend_work WHERE state = 0), \
         (SELECT count(*) FROM paytend_work WHERE state = 1), (SELECT count(*) FROM paytend_work WHERE state = 2), \
         (SELECT count(*) FROM paytend_notification), (SELECT count(*) FROM paytend_dead), \
         (SELECT count(*) FROM paytend_sighting), \
         (SELECT (extract(epoch FROM paytend_now() - min(due_at)) * 1000)::bigint FROM paytend_work \
         WHERE ready AND due_at <= (SELECT paytend_now()))";
    let row = transaction.query_one(sql, &[]).await?;
    let mut stats = Stats::default();
    (stats.ready, stats.leased, stats.backoff) = (count(&row, 0)?, count(&row, 1)?, count(&row, 2)?);
    (stats.dead, stats.sightings) = (count(&row, 4)?, count(&row, 5)?);
    stats.done = count(&row, 3)?.saturating_sub(stats.ready + stats.leased + stats.backoff + stats.dead);
    let oldest: Option<i64> = get(&row, 6)?;
    stats.oldest_ready = oldest.map(|millis| Duration::from_millis(u64::try_from(millis).unwrap_or_default()));
    Ok(stats)
}

/// Reports the dead rows of the store's tables, and the size of the write-ahead log that the whole server has written.
async fn report_server(transaction: &Transaction<'_>) -> Result<(), OpError> {
    let sql = "SELECT coalesce(sum(n_dead_tup), 0)::bigint, \
         pg_wal_lsn_diff(pg_current_wal_insert_lsn(), '0/0')::bigint \
         FROM pg_stat_user_tables WHERE pg_table_is_visible(relid) AND relname LIKE 'paytend\\_%'";
    let row = transaction.query_one(sql, &[]).await?;
    metrics::gauge!("paytend_postgres_dead_tuples").set(u32::try_from(count(&row, 0)?).unwrap_or(u32::MAX));
    metrics::counter!("paytend_postgres_wal_bytes_total").absolute(count(&row, 1)?);
    Ok(())
}

async fn clock(transaction: &Transaction<'_>) -> Result<StoreClock, OpError> {
    // The condition leaves out infinite times, which a damaged row can contain.
    let sql = "SELECT paytend_now(), (SELECT received_at FROM paytend_notification \
         WHERE received_at < 'infinity' AND received_at > '-infinity' ORDER BY received_at DESC LIMIT 1)";
    let row = transaction.query_one(sql, &[]).await?;
    Ok(StoreClock { now: get(&row, 0)?, last_received: get(&row, 1)? })
}

async fn erase(transaction: &Transaction<'_>, erasure: &Erasure) -> Result<u64, OpError> {
    let sql = "SELECT id, route, kind, order_key FROM paytend_notification \
         WHERE left(business_id, 200) = left($1, 200) AND business_id = $1 ORDER BY id FOR NO KEY UPDATE";
    let rows = transaction.query(sql, &[&text(erasure.business_id())]).await?;
    let (mut ids, mut keys): (Vec<i64>, Vec<i64>) = (Vec::new(), Vec::new());
    for row in &rows {
        let (route, kind) = (get::<&str>(row, 1)?.parse(), Kind::from_stored(get(row, 2)?));
        if erasure.selects_all() || route.is_ok_and(|route| erasure.selects(route, &kind)) {
            ids.push(get(row, 0)?);
            keys.extend(get::<Option<&[u8]>>(row, 3)?.map(lock_number));
        }
    }
    // All transactions lock notification rows first, then order keys, and then other rows, so that they cannot
    // deadlock.
    lock_keys(transaction, keys).await?;
    payloads::delete(transaction, &ids).await?;
    for sql in [
        "UPDATE paytend_outcome SET cause = NULL WHERE id = ANY($1)",
        "UPDATE paytend_dead SET cause = NULL WHERE id = ANY($1)",
    ] {
        transaction.execute(sql, &[&ids]).await?;
    }
    for id in &ids {
        if lock_work(transaction, *id).await? {
            die(transaction, *id, Some("erased")).await?;
        }
    }
    let sql = "UPDATE paytend_notification SET business_id = NULL, business_state = NULL, order_key = NULL \
         WHERE id = ANY($1)";
    Ok(transaction.execute(sql, &[&ids]).await?)
}
