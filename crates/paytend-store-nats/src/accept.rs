//! Stores notifications.

use async_nats::jetstream::message::StreamMessage;
use paytend_inbox::{Accepted, Id, Mac, NewNotification, StoreError};

use crate::clock::stored_at;
use crate::finish::{Current, Update, own_message, update};
use crate::message::{Headers, corrupt, dedup_of, notification};
use crate::record::Record;
use crate::remove::delete_message;
use crate::store::Shared;
use crate::streams::{Log, Written, operation_number};

/// The maximum number of attempts to accept a notification. An attempt fails if another program removes the
/// notification at the same time.
const ROUNDS: usize = 5;

/// Stores a notification. If it is already stored, records a sighting instead.
///
/// A single write either stores the notification or recognizes a duplicate. The subject contains the dedup key, and
/// the write succeeds only if the subject has no message. The record of a notification is kept after its content was
/// removed, so that duplicates are still recognized. If the message of a record was lost, the new message replaces it.
/// The record is read both before and after the write.
pub(crate) async fn accept(shared: &Shared, new: &NewNotification) -> Result<Accepted, StoreError> {
    for _ in 0..ROUNDS {
        if let Some(accepted) = try_accept(shared, new).await? {
            return Ok(accepted);
        }
    }
    Err(StoreError::unavailable("another program has removed the notification; send it again"))
}

/// The ID of a notification's message, and the time at which the notification was received.
#[derive(Clone, Copy)]
pub(crate) struct Message {
    pub(crate) id: i64,
    pub(crate) received_at: i64,
}

/// Tries to store a notification. Returns `None` if another program removed the notification at the same time.
async fn try_accept(shared: &Shared, new: &NewNotification) -> Result<Option<Accepted>, StoreError> {
    let dedup = new.facts.dedup;
    let subject = shared.streams.names.notification(new.facts.route, dedup);
    if let Some(current) = Current::read(shared, dedup).await? {
        let known = shared.streams.last(Log::Inbox, &subject).await?;
        match known {
            Some(known) => return sight_known(shared, new, current, &known).await,
            None if current.record.removed.is_some() => return sight(shared, new, current).await,
            // The record's message was lost, so the notification is stored again.
            None => {}
        }
    }
    let received_at = shared.clock.now();
    let stored = notification(&new.facts, received_at, &new.payload.seal_without_id()?)?;
    if let Written::At(sequence) = shared.streams.put(Log::Inbox, &subject, stored, 0).await? {
        let message = Message { id: number(sequence)?, received_at };
        // A worker may already have claimed the notification and written its record. Such a record belongs to this
        // message, so it does not indicate a duplicate.
        let other = Current::read(shared, dedup).await?.filter(|current| !current.record.fits(message.id, received_at));
        if let Some(current) = other
            && let Some(current) = settle(shared, dedup, current, message).await?
        {
            return sight(shared, new, current).await;
        }
        shared.accepted(sequence);
        return Ok(Some(Accepted::New(Id::new(message.id))));
    }
    let Some(known) = shared.streams.last_behind(Log::Inbox, &subject, 0).await? else { return Ok(None) };
    let first = Current::new(0, first_record(&known)?);
    let current = Current::read(shared, dedup).await?.unwrap_or(first);
    sight_known(shared, new, current, &known).await
}

/// Records that the notification in this message was received again.
async fn sight_known(
    shared: &Shared,
    new: &NewNotification,
    current: Current,
    known: &StreamMessage,
) -> Result<Option<Accepted>, StoreError> {
    let Record { id, received_at, .. } = first_record(known)?;
    match settle(shared, new.facts.dedup, current, Message { id, received_at }).await? {
        Some(current) => sight(shared, new, current).await,
        None => Ok(None),
    }
}

/// Records a sighting. Every sighting is stored, regardless of the notification's policy. Returns `None` if another
/// program has removed the notification.
async fn sight(shared: &Shared, new: &NewNotification, current: Current) -> Result<Option<Accepted>, StoreError> {
    let (requeue, operation) = (new.requeue_sighting, operation_number()?);
    let changed = update(shared, new.facts.dedup, current, |record, now| record.sight(now, requeue, operation));
    let record = match changed.await? {
        Update::Written(record) | Update::Unchanged(record) => record,
        Update::Gone => return Ok(None),
    };
    if requeue && let Some(watched) = shared.started() {
        watched.notify();
    }
    Ok(Some(Accepted::Duplicate { id: Id::new(record.id), sighting: record.sightings }))
}

/// Decides whether a message is a duplicate. The notification's record may belong to this message or to a different
/// message. Returns the current record. If another program has removed the record, returns `None`, and the message is a
/// new notification.
///
/// - If the content was removed or the record's own message exists, the message is a duplicate and is deleted.
/// - If the record's own message was lost, the record is moved to this message.
pub(crate) async fn settle(
    shared: &Shared,
    dedup: Mac,
    current: Current,
    message: Message,
) -> Result<Option<Current>, StoreError> {
    let Message { id, received_at } = message;
    let own = current.record.id;
    if current.record.fits(id, received_at) {
        return Ok(Some(current));
    }
    if own != id && own_message(shared, own, dedup).await?.is_some() {
        delete_duplicate(shared, id, dedup).await?;
        return Ok(Some(current));
    }
    if current.record.removed.is_some() {
        // The record is written again before the message is deleted. Otherwise, another program that is forgetting the
        // notification could delete the record, and neither the record nor the message would remain.
        let written = update(shared, dedup, current, |record, _| record.removed.is_some());
        match written.await? {
            Update::Written(_) => delete_duplicate(shared, id, dedup).await?,
            Update::Unchanged(_) => {}
            Update::Gone => return Ok(None),
        }
        return Current::read(shared, dedup).await;
    }
    let adopted = update(shared, dedup, current, |record, now| {
        let is_lost = record.id == own && record.removed.is_none() && !record.fits(id, received_at);
        if is_lost {
            record.adopt(now, id, received_at);
        }
        is_lost
    });
    match adopted.await? {
        Update::Written(_) | Update::Unchanged(_) => Current::read(shared, dedup).await,
        Update::Gone => Ok(None),
    }
}

async fn delete_duplicate(shared: &Shared, id: i64, dedup: Mac) -> Result<(), StoreError> {
    delete_message(shared, id, dedup).await?;
    if let Some(watched) = shared.started() {
        watched.index().remove_unrecorded(id, dedup);
    }
    Ok(())
}

/// Returns the first record of a stored notification.
pub(crate) fn first_record(message: &StreamMessage) -> Result<Record, StoreError> {
    let dedup = dedup_of(&message.subject).ok_or_else(corrupt)?;
    let stored_at = stored_at(message.time);
    Ok(Headers::first_record(Some(&message.headers), dedup, number(message.sequence)?, stored_at))
}

pub(crate) fn number(sequence: u64) -> Result<i64, StoreError> {
    i64::try_from(sequence).map_err(|_| corrupt())
}
