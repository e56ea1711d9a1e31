//! Stores notifications.

use async_nats::jetstream::message::StreamMessage;
use paytend_inbox::{Accepted, Id, NewNotification, StoreError};

use crate::finish::{Current, update};
use crate::message::{Headers, corrupt, notification};
use crate::record::Record;
use crate::store::Shared;
use crate::streams::{Log, Written};

/// Stores a notification, or a sighting if it is known.
///
/// One write stores the notification or recognizes a duplicate: the write succeeds only if its subject, which contains
/// the dedup key, has no message. A notification whose content was removed has a record but no message. If the content
/// is removed between the check for a record and the write, the notification is stored again. It is not processed
/// again, because a claim requires a record with the same number.
pub(crate) async fn accept(shared: &Shared, new: &NewNotification) -> Result<Accepted, StoreError> {
    let dedup = new.facts.dedup;
    if let Some(current) = Current::read(shared, dedup).await? {
        return sight(shared, new, current).await;
    }
    let subject = shared.streams.names.notification(new.facts.route, dedup);
    let sealed = new.payload.seal_without_id()?;
    let message = notification(&new.facts, shared.clock.now(), &sealed)?;
    if let Written::At(sequence) = shared.streams.put(Log::Inbox, &subject, message, 0).await? {
        shared.accepted(sequence);
        return Ok(Accepted::New(Id::new(number(sequence)?)));
    }
    if let Some(known) = shared.streams.last(Log::Inbox, &subject).await? {
        let first = Current { sequence: 0, record: first_record(&known)? };
        return sight(shared, new, first).await;
    }
    match Current::read(shared, dedup).await? {
        Some(current) => sight(shared, new, current).await,
        None => Err(StoreError::unavailable("a different program has removed the notification; send it again")),
    }
}

/// Stores the arrival of a duplicate. Every duplicate is stored, regardless of the notification's policy.
async fn sight(shared: &Shared, new: &NewNotification, current: Current) -> Result<Accepted, StoreError> {
    let requeue = new.requeue_sighting;
    let changed = update(shared, new.facts.dedup, current, |record, now| {
        record.sight(now, requeue);
        Ok(())
    });
    let record = changed.await?;
    if requeue && let Some(watched) = shared.started() {
        watched.notify();
    }
    Ok(Accepted::Duplicate { id: Id::new(record.id), sighting: record.sightings })
}

/// Creates the first record of a stored notification.
pub(crate) fn first_record(message: &StreamMessage) -> Result<Record, StoreError> {
    let Headers { facts, received_at } = Headers::read(&message.headers)?;
    Ok(Record::new(number(message.sequence)?, facts.kind().to_owned(), facts.order_key, received_at))
}

pub(crate) fn number(sequence: u64) -> Result<i64, StoreError> {
    i64::try_from(sequence).map_err(|_| corrupt())
}
