//! Reads and writes the rows of orders.

use std::time::Duration;

use paytend_client::{History, SendResult};
use paytend_inbox::{FinishError, Mac, SealedPayload, StoreError, StoreErrorKind};
use paytend_outbox::{
    Audit, AuditEntry, Decision, OrderAuditQuery, OrderEntry, OrderFacts, Progress, RecordedAction, State,
    UnreadableOrder, millis, system_time,
};
use tokio_postgres::{Row, Transaction};

use crate::error::OpError;
use crate::rows::{get, limit, text};

/// The columns of an order that [`stored`] reads.
const COLUMNS: &str = "o.number, o.request_id, o.operation, o.content_tag, o.order_key, o.not_before, o.traceparent, \
     o.state, o.is_open, o.sends, o.last_sent_at, o.last_send, o.confirmations, o.confirmed_at, o.settled_ms, \
     o.queries, o.fence, o.tries, o.is_leased, o.due_at, o.decision, o.is_notified, o.is_due_again, o.cause, o.id, \
     o.submitted_at, o.holder, o.failed_queries";

/// The names of the encrypted parts of an order.
pub(super) const REQUEST: &str = "request";
pub(super) const RESULT: &str = "result";

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

pub(super) fn corrupt() -> OpError {
    StoreError::new(StoreErrorKind::Corrupt, "the store contains an unexpected value").into()
}

/// Reads a count. Returns an error if it is negative.
fn count(row: &Row, column: usize) -> Result<u32, OpError> {
    u32::try_from(get::<i64>(row, column)?).map_err(|_| corrupt())
}

fn mac(bytes: &[u8]) -> Result<Mac, OpError> {
    Ok(Mac::from_bytes(bytes.try_into().map_err(|_| corrupt())?))
}

/// Columns in the query of [`select`].
const NUMBER: usize = 0;
pub(super) const ID: usize = 24;
const SUBMITTED_AT: usize = 25;

/// Returns a query for orders that [`stored`] reads.
pub(super) fn select(condition: &str) -> String {
    format!("SELECT {COLUMNS} FROM paytend_order o WHERE {condition}")
}

/// Returns an error that is not limited to one row.
pub(super) fn of_row(error: OpError) -> Result<(), OpError> {
    match &error {
        OpError::Finish(FinishError::Store(of_row)) if of_row.kind() == StoreErrorKind::Corrupt => Ok(()),
        _ => Err(error),
    }
}

/// Reads an order, or describes an order that cannot be read.
pub(super) fn try_stored(row: &Row) -> Result<Result<Stored, UnreadableOrder>, OpError> {
    match stored(row) {
        Ok(stored) => Ok(Ok(stored)),
        Err(error) => {
            of_row(error)?;
            let submitted_at = system_time(get(row, SUBMITTED_AT)?);
            Ok(Err(UnreadableOrder::new(get(row, ID)?, Some(get(row, NUMBER)?), submitted_at)))
        }
    }
}

/// Counts the orders that match a condition and cannot be read, or whose encrypted parts cannot be read. Returns their
/// number and one of their numbers.
pub(super) async fn count_unreadable(
    transaction: &Transaction<'_>,
    condition: &str,
) -> Result<(u64, Option<String>), OpError> {
    let sql = format!(
        "SELECT count(*), min(number) FROM paytend_order o WHERE {condition} AND (state <> ALL ($1) \
         OR decision <> ALL ($2) OR octet_length(content_tag) <> 32 OR octet_length(order_key) <> 32 \
         OR least(sends, confirmations, queries, failed_queries, tries, settled_ms) < 0 \
         OR greatest(sends, confirmations, queries, failed_queries, tries) > 4294967295 \
         OR EXISTS (SELECT 1 FROM paytend_order_part p WHERE p.id = o.id \
         AND (octet_length(nonce) <> 24 OR key_id NOT BETWEEN 0 AND 4294967295)))"
    );
    let states: Vec<&str> = State::ALL.map(State::as_str).to_vec();
    let decisions: Vec<&str> = [Decision::Executed, Decision::NotExecuted].map(Decision::as_str).to_vec();
    let row = transaction.query_one(&sql, &[&states, &decisions]).await?;
    Ok((crate::rows::count(&row, 0)?, get(&row, 1)?))
}

pub(super) fn stored(row: &Row) -> Result<Stored, OpError> {
    let mut facts = OrderFacts::new(get(row, 0)?, get(row, 1)?, get(row, 2)?, mac(get(row, 3)?)?);
    facts.order_key = get::<Option<&[u8]>>(row, 4)?.map(mac).transpose()?;
    facts.not_before = get::<Option<i64>>(row, 5)?.map(system_time);
    facts.traceparent = get(row, 6)?;
    let mut history = History::new();
    history.sends = count(row, 9)?;
    history.last_sent = get::<Option<i64>>(row, 10)?.map(system_time);
    history.last_send = match get::<i16>(row, 11)? {
        1 => SendResult::Rejected,
        2 => SendResult::Unreadable,
        _ => SendResult::Unknown,
    };
    history.confirmations = count(row, 12)?;
    history.last_confirmed = get::<Option<i64>>(row, 13)?.map(system_time);
    history.settled = Duration::from_millis(u64::try_from(get::<i64>(row, 14)?).map_err(|_| corrupt())?);
    history.queries = count(row, 15)?;
    history.failed_queries = count(row, 27)?;
    let progress = Progress {
        state: get::<&str>(row, 7)?.parse().map_err(paytend_outbox::unknown_state)?,
        is_open: get(row, 8)?,
        history,
        fence: get(row, 16)?,
        holder: get::<i64>(row, 26)?.cast_unsigned(),
        tries: count(row, 17)?,
        is_leased: get(row, 18)?,
        due_at: get(row, 19)?,
        decision: get::<Option<&str>>(row, 20)?.map(str::parse).transpose().map_err(|_| corrupt())?,
        is_notified: get(row, 21)?,
        is_due_again: get(row, 22)?,
        cause: get(row, 23)?,
    };
    Ok(Stored { id: get(row, ID)?, facts, progress, submitted_at: get(row, SUBMITTED_AT)? })
}

/// Returns the time of the store's clock in milliseconds since the Unix epoch.
pub(super) async fn now(transaction: &Transaction<'_>) -> Result<i64, OpError> {
    get(&transaction.query_one("SELECT paytend_now_ms()", &[]).await?, 0)
}

/// Finds an order without locking its row.
pub(super) async fn find(transaction: &Transaction<'_>, number: &str) -> Result<Option<Stored>, OpError> {
    let row = transaction.query_opt(&select("o.number = $1"), &[&number]).await?;
    row.as_ref().map(stored).transpose()
}

/// Finds an order and locks its row.
pub(super) async fn by_number(transaction: &Transaction<'_>, number: &str) -> Result<Option<Stored>, OpError> {
    let row = transaction.query_opt(&select("o.number = $1 FOR NO KEY UPDATE"), &[&number]).await?;
    row.as_ref().map(stored).transpose()
}

/// Finds an order and locks its row.
pub(super) async fn by_id(transaction: &Transaction<'_>, id: i64) -> Result<Option<Stored>, OpError> {
    let row = transaction.query_opt(&select("o.id = $1 FOR NO KEY UPDATE"), &[&id]).await?;
    row.as_ref().map(stored).transpose()
}

/// Inserts an order. Returns the ID that the store has assigned, or `None` if another transaction has inserted the
/// order. The caller must hold the order key's lock.
pub(super) async fn insert(
    transaction: &Transaction<'_>,
    now: i64,
    facts: &OrderFacts,
    progress: &Progress,
) -> Result<Option<i64>, OpError> {
    let sql = "INSERT INTO paytend_order (number, request_id, operation, content_tag, order_key, not_before, \
         traceparent, submitted_at, state, is_open, head, due_at) VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, \
         NOT EXISTS (SELECT 1 FROM paytend_order WHERE order_key = $5 AND is_open), $11) \
         ON CONFLICT (number) DO NOTHING RETURNING id";
    let row = transaction
        .query_opt(
            sql,
            &[
                &facts.number,
                &facts.request_id,
                &facts.operation,
                &facts.content_tag.as_bytes().as_slice(),
                &facts.order_key.as_ref().map(|key| key.as_bytes().as_slice()),
                &facts.not_before.map(millis),
                &facts.traceparent,
                &now,
                &progress.state.as_str(),
                &progress.is_open,
                &progress.due_at,
            ],
        )
        .await?;
    row.map(|row| get(&row, 0)).transpose()
}

/// Writes the progress of an order whose row is locked.
pub(super) async fn save(transaction: &Transaction<'_>, id: i64, progress: &Progress) -> Result<(), OpError> {
    let sql = "UPDATE paytend_order SET state = $2, is_open = $3, sends = $4, last_sent_at = $5, last_send = $6, \
         confirmations = $7, confirmed_at = $8, settled_ms = $9, queries = $10, fence = $11, tries = $12, \
         is_leased = $13, due_at = $14, decision = $15, is_notified = $16, is_due_again = $17, cause = $18, \
         holder = $19, failed_queries = $20 \
         WHERE id = $1";
    let history = &progress.history;
    let last_send: i16 = match history.last_send {
        SendResult::Rejected => 1,
        SendResult::Unreadable => 2,
        _ => 0,
    };
    transaction
        .execute(
            sql,
            &[
                &id,
                &progress.state.as_str(),
                &progress.is_open,
                &i64::from(history.sends),
                &history.last_sent.map(millis),
                &last_send,
                &i64::from(history.confirmations),
                &history.last_confirmed.map(millis),
                &i64::try_from(history.settled.as_millis()).unwrap_or(i64::MAX),
                &i64::from(history.queries),
                &progress.fence,
                &i64::from(progress.tries),
                &progress.is_leased,
                &progress.due_at,
                &progress.decision.map(|decision| decision.as_str()),
                &progress.is_notified,
                &progress.is_due_again,
                &progress.cause.as_deref().map(text),
                &progress.holder.cast_signed(),
                &i64::from(history.failed_queries),
            ],
        )
        .await?;
    Ok(())
}

/// Makes the next order with the same order key claimable once the order before it has completed. The caller must hold
/// the key's lock.
pub(super) async fn promote(transaction: &Transaction<'_>, key: &Mac) -> Result<(), OpError> {
    let sql = "UPDATE paytend_order SET head = true WHERE id = \
         (SELECT min(id) FROM paytend_order WHERE order_key = $1 AND is_open)";
    transaction.execute(sql, &[&key.as_bytes().as_slice()]).await?;
    Ok(())
}

pub(super) async fn put_part(
    transaction: &Transaction<'_>,
    id: i64,
    part: &str,
    sealed: &SealedPayload,
) -> Result<(), OpError> {
    let sql = "INSERT INTO paytend_order_part (id, part, key_id, nonce, sealed) VALUES ($1, $2, $3, $4, $5) \
         ON CONFLICT (id, part) DO UPDATE SET key_id = excluded.key_id, nonce = excluded.nonce, \
         sealed = excluded.sealed";
    let key_id = i64::from(sealed.key_id);
    transaction.execute(sql, &[&id, &part, &key_id, &sealed.nonce.as_slice(), &sealed.ciphertext]).await?;
    Ok(())
}

pub(super) async fn part(transaction: &Transaction<'_>, id: i64, part: &str) -> Result<Option<SealedPayload>, OpError> {
    let sql = "SELECT key_id, nonce, sealed FROM paytend_order_part WHERE id = $1 AND part = $2";
    let Some(row) = transaction.query_opt(sql, &[&id, &part]).await? else { return Ok(None) };
    Ok(Some(SealedPayload {
        key_id: u32::try_from(get::<i64>(&row, 0)?).map_err(|_| corrupt())?,
        nonce: get::<&[u8]>(&row, 1)?.try_into().map_err(|_| corrupt())?,
        ciphertext: get(&row, 2)?,
    }))
}

/// Records an operator action.
pub(super) async fn audit(transaction: &Transaction<'_>, id: Option<i64>, entry: &AuditEntry) -> Result<(), OpError> {
    let sql = "INSERT INTO paytend_order_audit (at, id, action, who, why) VALUES ($1, $2, $3, $4, $5)";
    let row: [&(dyn tokio_postgres::types::ToSql + Sync); 5] =
        [&millis(entry.at), &id, &entry.action, &text(&entry.audit.who), &text(&entry.audit.why)];
    transaction.execute(sql, &row).await?;
    Ok(())
}

/// Returns recorded operator actions, latest first.
pub(super) async fn audit_log(
    transaction: &Transaction<'_>,
    query: &OrderAuditQuery,
) -> Result<Vec<RecordedAction>, OpError> {
    let sql = "SELECT a.number, o.number, a.at, a.action, a.who, a.why FROM paytend_order_audit a \
         LEFT JOIN paytend_order o ON o.id = a.id WHERE a.number < $1 AND a.at >= $2 \
         AND ($3::text IS NULL OR o.number = $3) ORDER BY a.number DESC LIMIT $4";
    let (before, since) = (query.before.unwrap_or(i64::MAX), query.since.map_or(i64::MIN, millis));
    let rows = transaction.query(sql, &[&before, &since, &query.order, &limit(query.limit)]).await?;
    let mut recorded = Vec::with_capacity(rows.len());
    for row in &rows {
        let audit = Audit { who: get(row, 4)?, why: get(row, 5)? };
        let entry = AuditEntry::new(system_time(get(row, 2)?), get(row, 3)?, audit);
        recorded.push(RecordedAction::new(get(row, 0)?, get(row, 1)?, entry));
    }
    Ok(recorded)
}
