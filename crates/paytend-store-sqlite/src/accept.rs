//! Stores notifications and sightings.

use paytend_inbox::{Accepted, Facts, Id, NewNotification};
use rusqlite::{OptionalExtension as _, Transaction, params};

use crate::error::OpError;

/// Stores a notification. If it is already stored, records a sighting instead.
pub(crate) fn accept(transaction: &Transaction<'_>, now: i64, new: &NewNotification) -> Result<Accepted, OpError> {
    let known: Option<(i64, [u8; 32])> = transaction
        .prepare_cached("SELECT id, content_tag FROM paytend_notification WHERE dedup = ?1")?
        .query_row([new.facts.dedup.as_bytes()], |row| Ok((row.get(0)?, row.get(1)?)))
        .optional()?;
    if let Some((id, tag)) = known {
        let same_content = tag == *new.facts.content_tag.as_bytes();
        return sight(transaction, now, id, new, same_content);
    }
    let id = insert_notification(transaction, now, &new.facts)?;
    let sealed = new.payload.seal(Id::new(id))?;
    transaction
        .prepare_cached("INSERT INTO paytend_payload (id, key_id, nonce, sealed) VALUES (?1, ?2, ?3, ?4)")?
        .execute(params![id, sealed.key_id, sealed.nonce, sealed.ciphertext])?;
    enqueue(transaction, now, id, &Pending::default())?;
    Ok(Accepted::New(Id::new(id)))
}

fn insert_notification(transaction: &Transaction<'_>, now: i64, facts: &Facts) -> Result<i64, rusqlite::Error> {
    transaction
        .prepare_cached(
            "INSERT INTO paytend_notification (dedup, content_tag, route, kind, notify_type, business_kind, \
             business_id, business_state, order_key, verified_by, traceparent, sent_at, received_at) \
             VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?12, ?13)",
        )?
        .insert(params![
            facts.dedup.as_bytes(),
            facts.content_tag.as_bytes(),
            facts.route.as_str(),
            facts.kind.as_str(),
            facts.notify_type,
            facts.business_kind,
            facts.business_id,
            facts.business_state,
            facts.order_key.as_ref().map(|key| key.as_bytes()),
            facts.verified_by,
            facts.traceparent,
            facts.sent_at,
            now,
        ])
}

/// The earlier state of a notification that becomes pending.
#[derive(Default)]
pub(crate) struct Pending {
    /// The last fence of the notification. The next claim continues from this fence, even if the notification was
    /// completed.
    pub(crate) fence: i64,
    pub(crate) is_sighting: bool,
    pub(crate) cause: Option<String>,
}

/// Queues a notification after the pending notifications with the same order key.
pub(crate) fn enqueue(
    transaction: &Transaction<'_>,
    now: i64,
    id: i64,
    pending: &Pending,
) -> Result<(), rusqlite::Error> {
    transaction
        .prepare_cached(
            "INSERT INTO paytend_work \
             (id, kind, order_key, head, state, fence, tries, due_at, is_sighting, again, cause) \
             SELECT n.id, n.kind, n.order_key, \
             NOT EXISTS (SELECT 1 FROM paytend_work w WHERE w.order_key = n.order_key), 0, ?2, 0, ?3, ?4, 0, ?5 \
             FROM paytend_notification n WHERE n.id = ?1",
        )?
        .execute(params![id, pending.fence, now, pending.is_sighting, pending.cause])?;
    Ok(())
}

fn sight(
    transaction: &Transaction<'_>,
    now: i64,
    id: i64,
    new: &NewNotification,
    same_content: bool,
) -> Result<Accepted, OpError> {
    let sighting: u64 = transaction
        .prepare_cached(
            "INSERT INTO paytend_sighting (id, number, seen_at, sent_at, same_content) \
             SELECT ?1, coalesce(max(number), 0) + 1, ?2, ?3, ?4 FROM paytend_sighting WHERE id = ?1 RETURNING number",
        )?
        .query_row(params![id, now, new.facts.sent_at, same_content], |row| row.get(0))?;
    if new.requeue_sighting {
        requeue(transaction, now, id)?;
    }
    Ok(Accepted::Duplicate { id: Id::new(id), sighting })
}

/// Ensures that another attempt begins after the duplicate, unless the notification is a dead letter.
fn requeue(transaction: &Transaction<'_>, now: i64, id: i64) -> Result<(), rusqlite::Error> {
    // If the current run has begun, its handler may already have queried the state, so another run is necessary.
    let pending = transaction
        .prepare_cached(
            "UPDATE paytend_work SET again = again OR fence > coalesce((SELECT max(fence) FROM paytend_outcome \
             WHERE id = ?1 AND result = 'done'), 0) WHERE id = ?1",
        )?
        .execute([id])?;
    if pending > 0 || transaction.prepare_cached("SELECT 1 FROM paytend_dead WHERE id = ?1")?.exists([id])? {
        return Ok(());
    }
    let last = transaction
        .prepare_cached("SELECT fence, cause FROM paytend_outcome WHERE id = ?1 ORDER BY fence DESC LIMIT 1")?
        .query_row([id], |row| Ok(Pending { fence: row.get(0)?, is_sighting: true, cause: row.get(1)? }))
        .optional()?;
    enqueue(transaction, now, id, &last.unwrap_or(Pending { is_sighting: true, ..Pending::default() }))
}
