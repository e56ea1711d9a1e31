//! Claims notifications for workers.

use std::collections::HashMap;

use paytend_inbox::{ClaimRequest, Claimed, Id, Lease};
use rusqlite::types::{FromSql, FromSqlError, FromSqlResult, ToSql, ToSqlOutput, ValueRef};
use rusqlite::{Transaction, params};

use crate::clock::{after, system_time};
use crate::error::OpError;
use crate::finish::{die, exclude};
use crate::rows::{self, FACTS};

/// Claims due notifications.
pub(crate) fn claim(transaction: &Transaction<'_>, now: i64, request: &ClaimRequest) -> Result<Vec<Claimed>, OpError> {
    let ids = if request.kind_limits.is_empty() {
        due(transaction, now, request.limit)?
    } else {
        due_by_kind(transaction, now, request)?
    };
    let due_at = after(now, request.lease);
    let mut claimed = Vec::with_capacity(ids.len());
    for id in ids {
        match take(transaction, id, due_at, request.holder) {
            Ok(taken) => claimed.push(taken),
            // An error from SQLite concerns more than this row, so the whole claim fails.
            Err(error) if error.sqlite_error_code().is_some() => return Err(error.into()),
            Err(error) => set_aside(transaction, now, id, &error)?,
        }
    }
    Ok(claimed)
}

/// Turns a notification whose row cannot be read into a dead letter, so that it does not hold up other notifications.
fn set_aside(transaction: &Transaction<'_>, now: i64, id: i64, error: &rusqlite::Error) -> Result<(), rusqlite::Error> {
    if let rusqlite::Error::QueryReturnedNoRows = error {
        tracing::error!(id, "a pending entry has no notification: run `paytend inbox check`");
        return exclude(transaction, id);
    }
    tracing::error!(id, %error, "a stored row cannot be read: the notification is a dead letter");
    die(transaction, now, id, Some(&format!("the stored row cannot be read: {error}"))).map(drop)
}

fn limit(count: usize) -> i64 {
    i64::try_from(count).unwrap_or(i64::MAX)
}

fn due(transaction: &Transaction<'_>, now: i64, count: usize) -> Result<Vec<i64>, rusqlite::Error> {
    transaction
        .prepare_cached("SELECT id FROM paytend_work WHERE head = 1 AND due_at <= ?1 ORDER BY due_at, id LIMIT ?2")?
        .query_map(params![now, limit(count)], |row| row.get(0))?
        .collect()
}

/// Returns due notifications, with limits per kind. Reads each kind separately, so that no rows are read for a kind
/// that has reached its limit.
fn due_by_kind(transaction: &Transaction<'_>, now: i64, request: &ClaimRequest) -> Result<Vec<i64>, rusqlite::Error> {
    let limits: HashMap<&[u8], usize> =
        request.kind_limits.iter().map(|(kind, limit)| (kind.as_str().as_bytes(), *limit)).collect();
    let mut next_kind =
        transaction.prepare_cached("SELECT min(kind) FROM paytend_work WHERE head = 1 AND kind > ?1")?;
    let mut of_kind = transaction.prepare_cached(
        "SELECT due_at, id FROM paytend_work WHERE head = 1 AND kind = ?1 AND due_at <= ?2 \
         ORDER BY due_at, id LIMIT ?3",
    )?;
    let mut due: Vec<(i64, i64)> = Vec::new();
    let mut kind = RawText(Vec::new());
    while let Some(next) = next_kind.query_row([&kind], |row| row.get::<_, Option<RawText>>(0))? {
        let count = limits.get(next.0.as_slice()).map_or(request.limit, |limit| request.limit.min(*limit));
        let found = of_kind.query_map(params![next, now, limit(count)], |row| Ok((row.get(0)?, row.get(1)?)))?;
        due.extend(found.collect::<Result<Vec<_>, _>>()?);
        kind = next;
    }
    due.sort_unstable();
    due.truncate(request.limit);
    Ok(due.into_iter().map(|(_, id)| id).collect())
}

/// The bytes of a text, which can be invalid UTF-8 if a different program has written the text.
struct RawText(Vec<u8>);

impl FromSql for RawText {
    fn column_result(value: ValueRef<'_>) -> FromSqlResult<Self> {
        match value {
            ValueRef::Text(text) => Ok(Self(text.to_vec())),
            _ => Err(FromSqlError::InvalidType),
        }
    }
}

impl ToSql for RawText {
    fn to_sql(&self) -> Result<ToSqlOutput<'_>, rusqlite::Error> {
        Ok(ToSqlOutput::Borrowed(ValueRef::Text(&self.0)))
    }
}

fn take(transaction: &Transaction<'_>, id: i64, due_at: i64, holder: u64) -> Result<Claimed, rusqlite::Error> {
    let (fence, tries, is_sighting) = transaction
        .prepare_cached(
            "UPDATE paytend_work SET state = 1, fence = fence + 1, tries = tries + 1, due_at = ?2, \
             holder = ?3 WHERE id = ?1 RETURNING fence, tries, is_sighting",
        )?
        .query_row(params![id, due_at, holder.cast_signed()], |row| Ok((row.get(0)?, row.get(1)?, row.get(2)?)))?;
    let (facts, received_at) = transaction
        .prepare_cached(&format!("SELECT {FACTS}, n.received_at FROM paytend_notification n WHERE n.id = ?1"))?
        .query_row([id], |row| Ok((rows::facts(row)?, row.get(12)?)))?;
    Ok(Claimed {
        lease: Lease { id: Id::new(id), fence, holder },
        tries,
        is_sighting,
        completed_runs: if is_sighting { rows::completed_runs(transaction, id)? } else { 0 },
        sightings: rows::sightings(transaction, id)?,
        received_at: system_time(received_at),
        facts,
        payload: rows::payload(transaction, id)?,
    })
}
