//! Reads the rows of notifications.

use paytend_inbox::{Entry, Facts, Id, Kind, Mac, SealedPayload, State, StoredPayload};
use rusqlite::types::Type;
use rusqlite::{Connection, OptionalExtension as _, Row};

use crate::clock::system_time;

/// The columns that [`facts`] reads, from the table with the alias `n`.
pub(crate) const FACTS: &str = "n.dedup, n.content_tag, n.route, n.kind, n.notify_type, n.business_kind, \
     n.business_id, n.business_state, n.order_key, n.verified_by, n.traceparent, n.sent_at";

/// Reads facts from the [`FACTS`] columns, which are the first columns of the row.
pub(crate) fn facts(row: &Row<'_>) -> rusqlite::Result<Facts> {
    let route: String = row.get(2)?;
    let route =
        route.parse().map_err(|error| rusqlite::Error::FromSqlConversionFailure(2, Type::Text, Box::new(error)))?;
    let mut facts = Facts::new(mac(row, 0)?, mac(row, 1)?, route, Kind::from_stored(row.get(3)?), row.get(4)?);
    facts.business_kind = row.get(5)?;
    facts.business_id = row.get(6)?;
    facts.business_state = row.get(7)?;
    facts.order_key = row.get::<_, Option<[u8; 32]>>(8)?.map(Mac::from_bytes);
    facts.verified_by = row.get(9)?;
    facts.traceparent = row.get(10)?;
    facts.sent_at = row.get(11)?;
    Ok(facts)
}

fn mac(row: &Row<'_>, column: usize) -> rusqlite::Result<Mac> {
    row.get(column).map(Mac::from_bytes)
}

/// Reads the content of a notification.
pub(crate) fn payload(connection: &Connection, id: i64) -> rusqlite::Result<StoredPayload> {
    let sealed = connection
        .prepare_cached("SELECT key_id, nonce, sealed FROM paytend_payload WHERE id = ?1")?
        .query_row([id], |row| Ok(SealedPayload { key_id: row.get(0)?, nonce: row.get(1)?, ciphertext: row.get(2)? }))
        .optional()?;
    Ok(sealed.map_or(StoredPayload::Dropped, StoredPayload::Sealed))
}

/// Returns how many sightings a notification has.
pub(crate) fn sightings(connection: &Connection, id: i64) -> rusqlite::Result<u64> {
    let last: Option<i64> = connection
        .prepare_cached("SELECT max(number) FROM paytend_sighting WHERE id = ?1")?
        .query_row([id], |row| row.get(0))?;
    Ok(last.and_then(|last| u64::try_from(last).ok()).unwrap_or_default())
}

/// Returns how many times a notification has been completed.
pub(crate) fn completed_runs(connection: &Connection, id: i64) -> rusqlite::Result<u64> {
    connection
        .prepare_cached("SELECT count(*) FROM paytend_outcome WHERE id = ?1 AND result = 'done'")?
        .query_row([id], |row| row.get(0))
}

/// The columns that [`entry`] reads, after [`FACTS`].
pub(crate) const ENTRY: &str = "n.id, n.received_at, w.state, d.id, \
     coalesce(w.tries, d.tries, \
     (SELECT tries FROM paytend_outcome o WHERE o.id = n.id ORDER BY fence DESC LIMIT 1), 0), \
     coalesce((SELECT max(number) FROM paytend_sighting s WHERE s.id = n.id), 0), \
     CASE WHEN w.id IS NOT NULL THEN w.cause WHEN d.id IS NOT NULL THEN d.cause \
     ELSE (SELECT cause FROM paytend_outcome o WHERE o.id = n.id ORDER BY fence DESC LIMIT 1) END";

/// The tables that [`ENTRY`] refers to.
pub(crate) const ENTRY_TABLES: &str = "paytend_notification n LEFT JOIN paytend_work w ON w.id = n.id \
     LEFT JOIN paytend_dead d ON d.id = n.id";

/// Reads an entry from the [`FACTS`] and [`ENTRY`] columns.
pub(crate) fn entry(row: &Row<'_>) -> rusqlite::Result<Entry> {
    let state = match (row.get::<_, Option<i64>>(14)?, row.get::<_, Option<i64>>(15)?) {
        (Some(0), _) => State::Ready,
        (Some(1), _) => State::Leased,
        (Some(_), _) => State::Backoff,
        (None, Some(_)) => State::Dead,
        (None, None) => State::Done,
    };
    Ok(Entry {
        id: Id::new(row.get(12)?),
        facts: facts(row)?,
        state,
        tries: row.get(16)?,
        sightings: row.get(17)?,
        received_at: system_time(row.get(13)?),
        cause: row.get(18)?,
        payload: None,
    })
}
