//! Reads and writes the rows of orders.

use std::time::Duration;

use paytend_client::{History, SendResult};
use paytend_inbox::{Mac, SealedPayload};
use paytend_outbox::{
    Audit, AuditEntry, OrderAuditQuery, OrderEntry, OrderFacts, Progress, RecordedAction, UnreadableOrder, millis,
    system_time,
};
use rusqlite::types::Type;
use rusqlite::{Connection, OptionalExtension as _, Row, Transaction, params};

/// The columns that [`facts`] reads.
const FACTS: &str = "o.number, o.request_id, o.operation, o.content_tag, o.order_key, o.not_before, o.traceparent";

/// The columns that [`progress`] reads, after [`FACTS`].
const PROGRESS: &str = "o.state, o.is_open, o.sends, o.last_sent_at, o.last_send, o.confirmations, o.confirmed_at, \
     o.settled_ms, o.queries, o.fence, o.tries, o.is_leased, o.due_at, o.decision, o.is_notified, o.is_due_again, \
     o.cause, o.holder, o.failed_queries";

/// An encrypted part of an order.
#[derive(Clone, Copy, PartialEq)]
pub(super) enum Part {
    Request,
    Result,
}

impl Part {
    fn name(self) -> &'static str {
        match self {
            Self::Request => "request",
            Self::Result => "result",
        }
    }

    /// Returns the key of the row that contains this part of an order.
    fn place(self, id: i64) -> i64 {
        2 * id + i64::from(self == Self::Result)
    }
}

/// The encrypted parts of an order that are stored.
#[derive(Default)]
pub(super) struct Parts {
    pub(super) request: Option<SealedPayload>,
    pub(super) result: Option<SealedPayload>,
}

/// A stored order, without its encrypted parts.
pub(super) struct Stored {
    pub(super) id: i64,
    pub(super) facts: OrderFacts,
    pub(super) progress: Progress,
    pub(super) submitted_at: i64,
}

impl Stored {
    pub(super) fn entry(self) -> OrderEntry {
        OrderEntry {
            id: self.id,
            facts: self.facts,
            progress: self.progress,
            submitted_at: system_time(self.submitted_at),
            request: None,
            result: None,
            audit: Vec::new(),
        }
    }
}

/// Columns in the query of [`select`].
const NUMBER: usize = 0;
const ID: usize = 26;
const SUBMITTED_AT: usize = 27;
const IS_PART_DAMAGED: usize = 28;

/// Returns a query for orders that [`stored`] reads.
pub(super) fn select(condition: &str) -> String {
    format!("SELECT {FACTS}, {PROGRESS}, o.id, o.submitted_at FROM paytend_order o WHERE {condition}")
}

pub(super) fn stored(row: &Row<'_>) -> rusqlite::Result<Stored> {
    Ok(Stored { facts: facts(row)?, progress: progress(row)?, id: row.get(ID)?, submitted_at: row.get(SUBMITTED_AT)? })
}

/// Returns an error from SQLite itself, which is not limited to one row.
pub(super) fn of_row(error: rusqlite::Error) -> rusqlite::Result<()> {
    if error.sqlite_error_code().is_some() { Err(error) } else { Ok(()) }
}

/// Reads an order, or describes an order that cannot be read.
pub(super) fn try_stored(row: &Row<'_>) -> rusqlite::Result<Result<Stored, UnreadableOrder>> {
    match stored(row) {
        Ok(stored) => Ok(Ok(stored)),
        Err(error) => {
            of_row(error)?;
            let submitted_at = system_time(row.get(SUBMITTED_AT)?);
            Ok(Err(UnreadableOrder::new(row.get(ID)?, row.get(NUMBER).ok(), submitted_at)))
        }
    }
}

/// Counts the orders that match a condition and cannot be read, or whose encrypted parts cannot be read. Returns their
/// number and one of their numbers.
pub(super) fn count_unreadable(connection: &Connection, condition: &str) -> rusqlite::Result<(u64, Option<String>)> {
    let sql = format!(
        "SELECT {FACTS}, {PROGRESS}, o.id, o.submitted_at, EXISTS (SELECT 1 FROM paytend_order_part p \
         WHERE p.place BETWEEN 2 * o.id AND 2 * o.id + 1 \
         AND (length(nonce) <> 24 OR key_id NOT BETWEEN 0 AND 4294967295)) \
         FROM paytend_order o WHERE {condition} ORDER BY o.id"
    );
    let mut statement = connection.prepare_cached(&sql)?;
    let mut rows = statement.query([])?;
    let (mut count, mut first) = (0, None);
    while let Some(row) = rows.next()? {
        let number = match try_stored(row)? {
            Ok(stored) if row.get(IS_PART_DAMAGED)? => Some(stored.facts.number),
            Ok(_) => continue,
            Err(unreadable) => unreadable.number,
        };
        (count, first) = (count + 1, first.or(number));
    }
    Ok((count, first))
}

fn facts(row: &Row<'_>) -> rusqlite::Result<OrderFacts> {
    let tag = Mac::from_bytes(row.get(3)?);
    let mut facts = OrderFacts::new(row.get(0)?, row.get(1)?, row.get(2)?, tag);
    facts.order_key = row.get::<_, Option<[u8; 32]>>(4)?.map(Mac::from_bytes);
    facts.not_before = row.get::<_, Option<i64>>(5)?.map(system_time);
    facts.traceparent = row.get(6)?;
    Ok(facts)
}

fn parse<T: std::str::FromStr>(row: &Row<'_>, column: usize) -> rusqlite::Result<Option<T>>
where
    T::Err: std::error::Error + Send + Sync + 'static,
{
    let text: Option<String> = row.get(column)?;
    let parsed = text.map(|text| text.parse()).transpose();
    parsed.map_err(|error| rusqlite::Error::FromSqlConversionFailure(column, Type::Text, Box::new(error)))
}

fn progress(row: &Row<'_>) -> rusqlite::Result<Progress> {
    let mut history = History::new();
    history.sends = row.get(9)?;
    history.last_sent = row.get::<_, Option<i64>>(10)?.map(system_time);
    history.last_send = match row.get::<_, i64>(11)? {
        1 => SendResult::Rejected,
        2 => SendResult::Unreadable,
        _ => SendResult::Unknown,
    };
    history.confirmations = row.get(12)?;
    history.last_confirmed = row.get::<_, Option<i64>>(13)?.map(system_time);
    history.settled = Duration::from_millis(row.get(14)?);
    history.queries = row.get(15)?;
    history.failed_queries = row.get(25)?;
    let state = parse(row, 7)?.ok_or(rusqlite::Error::InvalidColumnType(7, "state".to_owned(), Type::Null))?;
    Ok(Progress {
        state,
        is_open: row.get(8)?,
        history,
        fence: row.get(16)?,
        holder: row.get::<_, i64>(24)?.cast_unsigned(),
        tries: row.get(17)?,
        is_leased: row.get(18)?,
        due_at: row.get(19)?,
        decision: parse(row, 20)?,
        is_notified: row.get(21)?,
        is_due_again: row.get(22)?,
        cause: row.get(23)?,
    })
}

/// Returns the values of the progress columns as SQL parameters, starting at `?2`.
macro_rules! progress_params {
    ($first:expr, $progress:expr) => {
        params![
            $first,
            $progress.state.as_str(),
            $progress.is_open,
            $progress.history.sends,
            $progress.history.last_sent.map(millis),
            match $progress.history.last_send {
                SendResult::Rejected => 1,
                SendResult::Unreadable => 2,
                _ => 0,
            },
            $progress.history.confirmations,
            $progress.history.last_confirmed.map(millis),
            i64::try_from($progress.history.settled.as_millis()).unwrap_or(i64::MAX),
            $progress.history.queries,
            $progress.fence,
            $progress.tries,
            $progress.is_leased,
            $progress.due_at,
            $progress.decision.map(|decision| decision.as_str()),
            $progress.is_notified,
            $progress.is_due_again,
            $progress.cause,
            $progress.holder.cast_signed(),
            $progress.history.failed_queries,
        ]
    };
}

/// Writes the progress of an order.
pub(super) fn save(transaction: &Transaction<'_>, id: i64, progress: &Progress) -> rusqlite::Result<()> {
    transaction
        .prepare_cached(
            "UPDATE paytend_order SET state = ?2, is_open = ?3, sends = ?4, last_sent_at = ?5, last_send = ?6, \
             confirmations = ?7, confirmed_at = ?8, settled_ms = ?9, queries = ?10, fence = ?11, tries = ?12, \
             is_leased = ?13, due_at = ?14, decision = ?15, is_notified = ?16, is_due_again = ?17, cause = ?18, \
             holder = ?19, failed_queries = ?20 \
             WHERE id = ?1",
        )?
        .execute(progress_params!(id, progress))?;
    Ok(())
}

/// Writes the new values of the columns that describe the lease of an order.
const SAVE_LEASE: &str = "UPDATE paytend_order SET fence = ?2, tries = ?3, is_leased = ?4, due_at = ?5, \
     is_due_again = ?6, cause = ?7, holder = ?8 WHERE id = ?1";

/// Writes the progress of an order whose previous progress was `before`.
///
/// SQLite writes to an index whenever a statement sets one of its columns, even to the same value. The index of states
/// contains all orders. If only the lease has changed, as in most claims, the state is therefore not set.
pub(super) fn save_change(
    transaction: &Transaction<'_>,
    id: i64,
    before: &Progress,
    progress: &Progress,
) -> rusqlite::Result<()> {
    let Progress { state, is_open, history, decision, is_notified, .. } = before;
    // All fields are listed, so that a new field is not forgotten here.
    let Progress {
        state: new_state,
        is_open: is_still_open,
        history: new_history,
        decision: new_decision,
        is_notified: is_now_notified,
        fence,
        tries,
        is_leased,
        due_at,
        is_due_again,
        cause,
        holder,
    } = progress;
    if (state, is_open, history) != (new_state, is_still_open, new_history)
        || (decision, is_notified) != (new_decision, is_now_notified)
    {
        return save(transaction, id, progress);
    }
    let values = params![id, fence, tries, is_leased, due_at, is_due_again, cause, holder.cast_signed()];
    transaction.prepare_cached(SAVE_LEASE)?.execute(values)?;
    Ok(())
}

/// Inserts an order. Returns the ID that the store has assigned.
pub(super) fn insert(
    transaction: &Transaction<'_>,
    now: i64,
    facts: &OrderFacts,
    progress: &Progress,
) -> rusqlite::Result<i64> {
    let key = facts.order_key.as_ref().map(|key| key.as_bytes());
    let id = transaction
        .prepare_cached(
            "INSERT INTO paytend_order (number, request_id, operation, content_tag, order_key, not_before, \
             traceparent, submitted_at, head, state, is_open, sends, last_send, confirmations, settled_ms, queries, \
             failed_queries, fence, tries, is_leased, is_notified, is_due_again) \
             SELECT ?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, \
             NOT EXISTS (SELECT 1 FROM paytend_order WHERE order_key = ?5 AND is_open = 1), \
             '', 1, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0",
        )?
        .insert(params![
            facts.number,
            facts.request_id,
            facts.operation,
            facts.content_tag.as_bytes(),
            key,
            facts.not_before.map(millis),
            facts.traceparent,
            now,
        ])?;
    save(transaction, id, progress)?;
    Ok(id)
}

pub(super) fn by_number(connection: &Connection, number: &str) -> rusqlite::Result<Option<Stored>> {
    connection.prepare_cached(&select("o.number = ?1"))?.query_row([number], stored).optional()
}

pub(super) fn by_id(connection: &Connection, id: i64) -> rusqlite::Result<Option<Stored>> {
    connection.prepare_cached(&select("o.id = ?1"))?.query_row([id], stored).optional()
}

/// Makes the next order with the same order key claimable once the order before it has completed.
pub(super) fn promote(transaction: &Transaction<'_>, facts: &OrderFacts) -> rusqlite::Result<()> {
    let Some(key) = &facts.order_key else { return Ok(()) };
    transaction
        .prepare_cached(
            "UPDATE paytend_order SET head = 1 WHERE id = \
             (SELECT min(id) FROM paytend_order WHERE order_key = ?1 AND is_open = 1)",
        )?
        .execute([key.as_bytes()])?;
    Ok(())
}

pub(super) fn put_part(
    transaction: &Transaction<'_>,
    id: i64,
    part: Part,
    sealed: &SealedPayload,
) -> rusqlite::Result<()> {
    transaction
        .prepare_cached(
            "INSERT OR REPLACE INTO paytend_order_part (place, id, part, key_id, nonce, sealed) \
             VALUES (?1, ?2, ?3, ?4, ?5, ?6)",
        )?
        .execute(params![part.place(id), id, part.name(), sealed.key_id, sealed.nonce, sealed.ciphertext])?;
    Ok(())
}

/// The query for parts between two places, which [`sealed`] reads.
const PARTS: &str = "SELECT key_id, nonce, sealed, place FROM paytend_order_part WHERE place BETWEEN ?1 AND ?2";

fn sealed(row: &Row<'_>) -> rusqlite::Result<SealedPayload> {
    Ok(SealedPayload { key_id: row.get(0)?, nonce: row.get(1)?, ciphertext: row.get(2)? })
}

/// Reads the encrypted request of an order.
pub(super) fn request(connection: &Connection, id: i64) -> rusqlite::Result<Option<SealedPayload>> {
    let place = Part::Request.place(id);
    connection.prepare_cached(PARTS)?.query_row([place, place], sealed).optional()
}

/// Reads both parts of an order.
pub(super) fn parts(connection: &Connection, id: i64) -> rusqlite::Result<Parts> {
    let mut statement = connection.prepare_cached(PARTS)?;
    let mut rows = statement.query([Part::Request.place(id), Part::Result.place(id)])?;
    let mut parts = Parts::default();
    while let Some(row) = rows.next()? {
        let is_result = row.get::<_, i64>(3)? == Part::Result.place(id);
        *(if is_result { &mut parts.result } else { &mut parts.request }) = Some(sealed(row)?);
    }
    Ok(parts)
}

/// Records an operator action.
pub(super) fn audit(transaction: &Transaction<'_>, id: Option<i64>, entry: &AuditEntry) -> rusqlite::Result<()> {
    transaction
        .prepare_cached("INSERT INTO paytend_order_audit (at, id, action, who, why) VALUES (?1, ?2, ?3, ?4, ?5)")?
        .execute(params![millis(entry.at), id, entry.action, entry.audit.who, entry.audit.why])?;
    Ok(())
}

/// Returns recorded operator actions, latest first.
pub(super) fn audit_log(connection: &Connection, query: &OrderAuditQuery) -> rusqlite::Result<Vec<RecordedAction>> {
    let of_order = if query.order.is_some() { "o.number = ?3" } else { "?3 IS NULL" };
    let sql = format!(
        "SELECT a.rowid, o.number, a.at, a.action, a.who, a.why FROM paytend_order_audit a \
         LEFT JOIN paytend_order o ON o.id = a.id WHERE a.rowid < ?1 AND a.at >= ?2 AND {of_order} \
         ORDER BY a.rowid DESC LIMIT ?4"
    );
    let parameters = params![
        query.before.unwrap_or(i64::MAX),
        query.since.map_or(i64::MIN, millis),
        query.order,
        i64::try_from(query.limit).unwrap_or(i64::MAX),
    ];
    let mut statement = connection.prepare_cached(&sql)?;
    let recorded = statement.query_map(parameters, |row| {
        let audit = Audit { who: row.get(4)?, why: row.get(5)? };
        let entry = AuditEntry::new(system_time(row.get(2)?), row.get(3)?, audit);
        Ok(RecordedAction::new(row.get(0)?, row.get(1)?, entry))
    })?;
    recorded.collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn change_of_a_lease_does_not_write_to_the_index_of_all_orders() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("orders.db");
        drop(crate::SqliteStore::open(&path).unwrap());
        let connection = Connection::open(&path).unwrap();
        let page = |index: &str| -> i64 {
            let sql = "SELECT rootpage FROM sqlite_schema WHERE name = ?1";
            connection.query_row(sql, [index], |row| row.get(0)).unwrap()
        };
        let mut statement = connection.prepare(&format!("EXPLAIN {SAVE_LEASE}")).unwrap();
        let step = |row: &Row<'_>| Ok((row.get::<_, String>("opcode")?, row.get::<_, i64>("p2")?));
        let steps = statement.query_map([rusqlite::types::Null; 8], step).unwrap();
        let steps: Vec<_> = steps.map(Result::unwrap).collect();
        let written = |index: &str| steps.contains(&("OpenWrite".to_owned(), page(index)));
        assert!(written("paytend_order_due"), "{steps:?}");
        assert!(!written("paytend_order_state"), "{steps:?}");
    }
}
