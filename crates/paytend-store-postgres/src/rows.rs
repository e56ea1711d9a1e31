//! Reads the rows of notifications.

use std::borrow::Cow;
use std::time::{Duration, SystemTime};

use paytend_inbox::{
    Entry, Facts, Id, Kind, Mac, Route, SealedPayload, State, StoreError, StoreErrorKind, StoredPayload,
};
use tokio_postgres::Row;
use tokio_postgres::types::FromSql;

use crate::error::OpError;

/// The columns that [`facts`] reads, from the table with the alias `n`.
pub(crate) const FACTS: &str = "n.dedup, n.content_tag, n.route, n.kind, n.notify_type, n.business_kind, \
     n.business_id, n.business_state, n.order_key, n.verified_by, n.traceparent, n.sent_at";

/// Returns an SQL expression that converts a time column to milliseconds since the Unix epoch. An infinite time is
/// null.
pub(crate) fn millis_of(column: &str) -> String {
    format!("CASE WHEN isfinite({column}) THEN (extract(epoch from {column}) * 1000)::bigint END")
}

/// Reads a column.
pub(crate) fn get<'a, T: FromSql<'a>>(row: &'a Row, column: usize) -> Result<T, OpError> {
    Ok(row.try_get(column)?)
}

pub(crate) fn corrupt() -> OpError {
    StoreError::new(StoreErrorKind::Corrupt, "the store contains an unexpected value").into()
}

/// Reads facts from the [`FACTS`] columns, which begin at index `first`.
pub(crate) fn facts(row: &Row, first: usize) -> Result<Facts, OpError> {
    let bytes = |column| -> Result<Mac, OpError> {
        let bytes: &[u8] = get(row, first + column)?;
        Ok(Mac::from_bytes(bytes.try_into().map_err(|_| corrupt())?))
    };
    let route: &str = get(row, first + 2)?;
    let route: Route = route.parse().map_err(|_| corrupt())?;
    let kind = Kind::from_stored(get(row, first + 3)?);
    let mut facts = Facts::new(bytes(0)?, bytes(1)?, route, kind, get(row, first + 4)?);
    facts.business_kind = get(row, first + 5)?;
    facts.business_id = get(row, first + 6)?;
    facts.business_state = get(row, first + 7)?;
    facts.order_key = get::<Option<&[u8]>>(row, first + 8)?.map(|_| bytes(8)).transpose()?;
    facts.verified_by = get(row, first + 9)?;
    facts.traceparent = get(row, first + 10)?;
    facts.sent_at = get(row, first + 11)?;
    Ok(facts)
}

/// Reads the content from the `key_id`, `nonce` and `sealed` columns, which begin at index `first`.
pub(crate) fn payload(row: &Row, first: usize) -> Result<StoredPayload, OpError> {
    let key_id: i64 = get(row, first)?;
    let nonce: &[u8] = get(row, first + 1)?;
    Ok(StoredPayload::Sealed(SealedPayload {
        key_id: u32::try_from(key_id).map_err(|_| corrupt())?,
        nonce: nonce.try_into().map_err(|_| corrupt())?,
        ciphertext: get(row, first + 2)?,
    }))
}

/// Reads a count. Returns an error if it is negative.
pub(crate) fn count(row: &Row, column: usize) -> Result<u64, OpError> {
    u64::try_from(get::<i64>(row, column)?).map_err(|_| corrupt())
}

/// Converts a number of attempts. Returns an error if it is negative.
pub(crate) fn tries(number: i32) -> Result<u32, OpError> {
    u32::try_from(number).map_err(|_| corrupt())
}

/// Returns the columns that [`entry`] reads.
pub(crate) fn entry_columns() -> String {
    let last =
        |column| format!("(SELECT {column} FROM paytend_outcome o WHERE o.id = n.id ORDER BY fence DESC LIMIT 1)");
    format!(
        "{FACTS}, n.id, {received_at}, w.state, d.id, coalesce(w.tries, d.tries, {tries}, 0), \
         coalesce((SELECT max(number) FROM paytend_sighting s WHERE s.id = n.id), 0), \
         CASE WHEN w.id IS NOT NULL THEN w.cause WHEN d.id IS NOT NULL THEN d.cause ELSE {cause} END",
        received_at = millis_of("n.received_at"),
        tries = last("tries"),
        cause = last("cause"),
    )
}

/// The tables that an entry's columns refer to.
pub(crate) const ENTRY_TABLES: &str = "paytend_notification n LEFT JOIN paytend_work w ON w.id = n.id \
     LEFT JOIN paytend_dead d ON d.id = n.id";

/// Reads an entry from the columns that [`entry_columns`] returns.
pub(crate) fn entry(row: &Row) -> Result<Entry, OpError> {
    let state = match (get::<Option<i16>>(row, 14)?, get::<Option<i64>>(row, 15)?) {
        (Some(0), _) => State::Ready,
        (Some(1), _) => State::Leased,
        (Some(_), _) => State::Backoff,
        (None, Some(_)) => State::Dead,
        (None, None) => State::Done,
    };
    Ok(Entry {
        id: Id::new(get(row, 12)?),
        facts: facts(row, 0)?,
        state,
        tries: tries(get(row, 16)?)?,
        sightings: count(row, 17)?,
        received_at: system_time(get(row, 13)?),
        cause: get(row, 18)?,
        payload: None,
    })
}

/// Replaces U+0000, which PostgreSQL text values cannot contain.
pub(crate) fn text(text: &str) -> Cow<'_, str> {
    if text.contains('\0') { text.replace('\0', "\u{fffd}").into() } else { text.into() }
}

pub(crate) fn system_time(millis: i64) -> SystemTime {
    let distance = Duration::from_millis(millis.unsigned_abs());
    let time = if millis < 0 {
        SystemTime::UNIX_EPOCH.checked_sub(distance)
    } else {
        SystemTime::UNIX_EPOCH.checked_add(distance)
    };
    time.unwrap_or(SystemTime::UNIX_EPOCH)
}

/// Converts a duration to milliseconds.
pub(crate) fn millis(time: Duration) -> i64 {
    i64::try_from(time.as_millis()).unwrap_or(i64::MAX / 1_000_000)
}

/// Converts a count to a `bigint`. Larger values become the maximum.
pub(crate) fn limit(count: usize) -> i64 {
    i64::try_from(count).unwrap_or(i64::MAX)
}
