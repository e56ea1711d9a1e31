//! Removes content: erasure and retention.

use paytend_inbox::{Erasure, Kind, StoreError};
use rusqlite::{Connection, OptionalExtension as _, Transaction, params};

use crate::engine::{self, BUSY_TIMEOUT};
use crate::error::store_error;
use crate::finish::die;
use crate::log::{Copied, truncate_log};
use crate::store::SqliteStore;

/// The maximum number of notifications that one write reads and changes. The limit keeps other operations from waiting
/// too long.
const CHUNK: usize = 1_000;

const NO_WORK: &str = "NOT EXISTS (SELECT 1 FROM paytend_work w WHERE w.id = p.id) \
     AND NOT EXISTS (SELECT 1 FROM paytend_dead d WHERE d.id = p.id)";

impl SqliteStore {
    /// Erases the notifications that an erasure selects, a limited number at a time.
    pub(crate) async fn erase_selected(&self, erasure: Erasure) -> Result<u64, StoreError> {
        let erased = self.erase_chunks(erasure).await;
        // The log is emptied even if this call failed or found nothing, because an earlier call may have failed after
        // it had erased values.
        let emptied = self.empty_log().await;
        erased.and_then(|erased| emptied.map(|()| erased))
    }

    async fn erase_chunks(&self, erasure: Erasure) -> Result<u64, StoreError> {
        let (mut erased, mut after) = (0, Some(i64::MIN));
        while let Some(last) = after {
            let (clock, selection) = (self.shared.options.clock.clone(), erasure.clone());
            let chunk = self.write(move |transaction| erase(transaction, clock.now(), &selection, last));
            let (count, next) = chunk.await?;
            (erased, after) = (erased + count, next);
        }
        Ok(erased)
    }

    /// Empties the write-ahead log, because it can contain pages with the erased values.
    async fn empty_log(&self) -> Result<(), StoreError> {
        let options = self.shared.options.clone().must_exist();
        let emptied = tokio::task::spawn_blocking(move || {
            let connection = engine::open_writer(&options)?;
            truncate_log(&connection, BUSY_TIMEOUT).map_err(|error| store_error("empty the write-ahead log", error))
        });
        match emptied.await {
            Ok(Ok(Copied::All)) => {}
            Ok(Err(error)) => return Err(error),
            _ => tracing::warn!("erased values stay in the write-ahead log until its next checkpoint"),
        }
        Ok(())
    }

    /// Removes the content of processed notifications that were received before a time. The read connection finds these
    /// notifications, so that the writer does not wait for the search.
    pub(crate) async fn drop_old_payloads(&self, before: i64) -> Result<u64, StoreError> {
        const DOING: &str = "find content to remove";
        let Some(latest) = self.read(DOING, move |connection| latest_before(connection, before)).await? else {
            return Ok(0);
        };
        let (mut dropped, mut after) = (0, i64::MIN);
        loop {
            let ids = self.read(DOING, move |connection| droppable(connection, before, after, latest)).await?;
            let Some(last) = ids.last() else { return Ok(dropped) };
            after = *last;
            dropped += self.write(move |transaction| drop_payloads(transaction, &ids)).await?;
        }
    }
}

/// Erases some notifications after an ID. Returns the number of selected notifications, and the last ID that was read,
/// if there can be more.
fn erase(
    transaction: &Transaction<'_>,
    now: i64,
    erasure: &Erasure,
    after: i64,
) -> Result<(u64, Option<i64>), rusqlite::Error> {
    let found: Vec<(i64, String, String)> = transaction
        .prepare_cached(
            "SELECT id, route, kind FROM paytend_notification WHERE business_id = ?1 AND id > ?2 ORDER BY id LIMIT ?3",
        )?
        .query_map(params![erasure.business_id(), after, CHUNK], |row| Ok((row.get(0)?, row.get(1)?, row.get(2)?)))?
        .collect::<Result<_, _>>()?;
    let last = if found.len() < CHUNK { None } else { found.last().map(|(id, ..)| *id) };
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
    Ok((ids.len() as u64, last))
}

/// Returns the ID of the last notification that was received before a time. Later IDs are not searched for content to
/// remove. If the clock was set back, a later ID can also have an earlier time. A later call then removes its content.
fn latest_before(connection: &Connection, before: i64) -> Result<Option<i64>, rusqlite::Error> {
    connection
        .prepare_cached(
            "SELECT id FROM paytend_notification WHERE received_at < ?1 ORDER BY received_at DESC, id DESC LIMIT 1",
        )?
        .query_row([before], |row| row.get(0))
        .optional()
}

/// Returns the query for processed notifications that still have content. The query begins with the contents, because
/// most notifications have no content after some time.
pub(crate) fn droppable_sql() -> String {
    format!(
        "SELECT p.id FROM paytend_payload p CROSS JOIN paytend_notification n ON n.id = p.id \
         WHERE p.id > ?2 AND p.id <= ?3 AND n.received_at < ?1 AND {NO_WORK} ORDER BY p.id LIMIT ?4"
    )
}

fn droppable(connection: &Connection, before: i64, after: i64, latest: i64) -> Result<Vec<i64>, rusqlite::Error> {
    connection
        .prepare_cached(&droppable_sql())?
        .query_map(params![before, after, latest, CHUNK], |row| row.get(0))?
        .collect()
}

/// Removes the content of these notifications, unless they have become pending again or dead letters.
fn drop_payloads(transaction: &Transaction<'_>, ids: &[i64]) -> Result<u64, rusqlite::Error> {
    let mut statement =
        transaction.prepare_cached(&format!("DELETE FROM paytend_payload AS p WHERE p.id = ?1 AND {NO_WORK}"))?;
    let mut dropped = 0;
    for id in ids {
        dropped += statement.execute([id])? as u64;
    }
    Ok(dropped)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The query plan must not begin with the notifications, because it would then read every notification that was
    /// ever received.
    #[test]
    fn retention_reads_only_notifications_that_still_have_content() {
        let mut connection = Connection::open_in_memory().unwrap();
        crate::schema::migrate(&mut connection, 0).unwrap();
        connection
            .execute_batch(
                "WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 20000) \
                 INSERT INTO paytend_notification \
                 (id, dedup, content_tag, route, kind, notify_type, verified_by, received_at) \
                 SELECT i, CAST(i AS BLOB), x'00', 'payby', 'a', '1', 'a', i FROM n; \
                 INSERT INTO paytend_payload SELECT id, 0, x'00', x'00' FROM paytend_notification WHERE id > 19990",
            )
            .unwrap();
        let sql = droppable_sql();
        let mut plan = connection.prepare(&format!("EXPLAIN QUERY PLAN {sql}")).unwrap();
        let plan: Vec<String> =
            plan.query_map(params![20_000, 0, 20_000, 5], |row| row.get(3)).unwrap().collect::<Result<_, _>>().unwrap();
        assert!(plan[0].starts_with("SEARCH p USING INTEGER PRIMARY KEY"), "{plan:?}");
        assert!(!plan.iter().any(|step| step.contains("TEMP B-TREE")), "{plan:?}");
        let mut statement = connection.prepare(&sql).unwrap();
        let found = statement.query_map(params![19_996, i64::MIN, 20_000, 9], |row| row.get(0)).unwrap();
        assert_eq!(found.collect::<Result<Vec<i64>, _>>().unwrap(), [19_991, 19_992, 19_993, 19_994, 19_995]);
        let steps = statement.get_status(rusqlite::StatementStatus::VmStep);
        assert!(steps < 1_000, "the query took {steps} steps");
    }
}
