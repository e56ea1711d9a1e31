//! Changes to the records of notifications.

use std::time::Duration;

use async_nats::jetstream::message::{PublishMessage, StreamMessage};
use paytend_inbox::{FinishError, Lease, Mac, StoreError};

use crate::accept::first_record;
use crate::clock::stored_at;
use crate::error::too_slow;
use crate::message::{corrupt, dedup_of};
use crate::record::{Record, UNREADABLE_KIND};
use crate::store::Shared;
use crate::streams::{Log, Written, operation_number};

/// The maximum number of attempts to make a change that conflicts with changes from other programs.
const MAX_CONFLICTS: u32 = 100;
/// How many times a record is read again if it is missing or earlier than expected. A server that is no longer the
/// leader can respond in this way. After this many reads, the response is accepted as correct.
const MAX_EARLIER: u32 = 6;

/// A record and the sequence number of its message, or 0 if the record has no message.
#[derive(Clone, Debug)]
pub(crate) struct Current {
    pub(crate) sequence: u64,
    pub(crate) record: Record,
    /// Whether the stored record cannot be read. `record` is then the dead letter that the next change stores.
    pub(crate) is_unreadable: bool,
}

/// The result of a change.
#[derive(Debug)]
pub(crate) enum Update {
    Written(Record),
    /// The change does not apply to the record.
    Unchanged(Record),
    /// The record has been removed.
    Gone,
}

impl Update {
    pub(crate) fn is_written(&self) -> bool {
        matches!(self, Self::Written(_))
    }
}

impl Current {
    pub(crate) fn new(sequence: u64, record: Record) -> Self {
        Self { sequence, record, is_unreadable: false }
    }

    /// Reads the record of a notification. If the record cannot be read, returns a dead letter that contains the
    /// record. Nothing is written.
    pub(crate) async fn read(shared: &Shared, dedup: Mac) -> Result<Option<Self>, StoreError> {
        let subject = shared.streams.names.record(dedup);
        let Some(message) = shared.streams.last(Log::Work, &subject).await? else { return Ok(None) };
        let Ok(record) = Record::read(&message.payload) else {
            return dead_letter_of_unreadable(shared, dedup, &message).await;
        };
        if let Some(watched) = shared.started() {
            watched.index().apply(dedup, message.sequence, record.clone());
        }
        Ok(Some(Self::new(message.sequence, record)))
    }

    /// Reads the record of a notification whose ID is known. Returns a new record if the notification was never
    /// attempted.
    pub(crate) async fn read_known(shared: &Shared, id: i64, dedup: Mac) -> Result<Option<Self>, StoreError> {
        if let Some(current) = Self::read(shared, dedup).await? {
            return Ok(Some(current));
        }
        let message = own_message(shared, id, dedup).await?;
        message.map(|message| Ok(Self::new(0, first_record(&message)?))).transpose()
    }
}

/// Returns the dead letter that the next change stores in place of a record that cannot be read.
///
/// Returns `None` if the record contains no readable ID and the notification has no message, because the ID is then
/// unknown.
async fn dead_letter_of_unreadable(
    shared: &Shared,
    dedup: Mac,
    unreadable: &StreamMessage,
) -> Result<Option<Current>, StoreError> {
    let subject = shared.streams.names.any_notification(dedup);
    let first = match shared.streams.last(Log::Inbox, &subject).await? {
        Some(message) => first_record(&message)?,
        None => Record::new(0, UNREADABLE_KIND.to_owned(), None, stored_at(unreadable.time)),
    };
    let sequence = unreadable.sequence;
    let record = first.replacing_unreadable(&unreadable.payload, sequence);
    if record.id < 1 {
        return Ok(None);
    }
    tracing::error!(id = record.id, "a record cannot be read: the notification is shown as a dead letter");
    Ok(Some(Current { sequence, record, is_unreadable: true }))
}

/// Replaces a record if no other program has changed it.
pub(crate) async fn replace(shared: &Shared, dedup: Mac, sequence: u64, next: &Record) -> Result<Written, StoreError> {
    let json = serde_json::to_vec(next).map_err(|_| corrupt())?;
    let subject = shared.streams.names.record(dedup);
    let message = PublishMessage::build().payload(json.into());
    let written = shared.streams.put(Log::Work, &subject, message, sequence).await?;
    if let (Written::At(sequence), Some(watched)) = (written, shared.started()) {
        watched.index().apply(dedup, sequence, next.clone());
    }
    Ok(written)
}

/// Changes a record. If another program has changed the record, the change is computed again for the new record.
/// `change` returns whether it applies.
pub(crate) async fn update(
    shared: &Shared,
    dedup: Mac,
    mut current: Current,
    change: impl Fn(&mut Record, i64) -> bool,
) -> Result<Update, StoreError> {
    let mut earlier = 0;
    for conflicts in 0..MAX_CONFLICTS {
        let mut next = current.record.clone();
        if !change(&mut next, shared.clock.now()) {
            return Ok(Update::Unchanged(next));
        }
        match replace(shared, dedup, current.sequence, &next).await? {
            Written::At(_) => return Ok(Update::Written(next)),
            Written::Conflict => {}
        }
        // The random pause prevents more conflicts between programs that change the same record.
        tokio::time::sleep(Duration::from_millis(u64::from(jitter(conflicts)))).await;
        match Current::read(shared, dedup).await? {
            Some(read) if read.sequence >= current.sequence || earlier >= MAX_EARLIER => current = read,
            None if earlier >= MAX_EARLIER => return Ok(Update::Gone),
            _ => earlier += 1,
        }
    }
    Err(too_slow("change the notification"))
}

fn jitter(conflicts: u32) -> u8 {
    let mut random = [0];
    // An error is ignored. Without random pauses, conflicts are only more frequent.
    let _ = getrandom::fill(&mut random);
    random[0] >> 6_u32.saturating_sub(conflicts)
}

/// Ends an attempt if its lease is still held. If the response is lost and the write is repeated, the repetition is
/// recognized even if the record has changed again.
pub(crate) async fn end(shared: &Shared, lease: Lease, change: impl Fn(&mut Record, i64)) -> Result<(), FinishError> {
    let operation = operation_number()?;
    let ended = leased(shared, lease, |record, now| {
        record.is_repeated(operation);
        change(record, now);
    });
    match ended.await? {
        Update::Unchanged(record) if record.remembers(operation) => Ok(()),
        Update::Written(_) => Ok(()),
        Update::Unchanged(_) | Update::Gone => Err(FinishError::LeaseLost),
    }
}

/// Extends a lease if it is still held.
pub(crate) async fn extend(shared: &Shared, lease: Lease, time: Duration) -> Result<(), FinishError> {
    match leased(shared, lease, |record, now| record.extend(now, time)).await? {
        Update::Written(_) => Ok(()),
        Update::Unchanged(_) | Update::Gone => Err(FinishError::LeaseLost),
    }
}

/// Changes a notification's record if the lease is still held.
async fn leased(shared: &Shared, lease: Lease, change: impl Fn(&mut Record, i64)) -> Result<Update, FinishError> {
    let id = lease.id.get();
    let watched = shared.watched();
    watched.loaded().await?;
    let known = watched.index().known(id).ok_or(FinishError::LeaseLost)?;
    let pending = watched.index().pending(id).filter(|(_, record)| record.is_leased_with(lease));
    let current = match pending {
        Some((sequence, record)) => Some(Current::new(sequence, record)),
        // The index may be outdated, so the record is read from the stream.
        None => Current::read_known(shared, id, known.dedup).await?,
    };
    let current = current.ok_or(FinishError::LeaseLost)?;
    let updated = update(shared, known.dedup, current, |record, now| {
        let is_held = record.is_leased_with(lease);
        if is_held {
            change(record, now);
        }
        is_held
    });
    let updated = updated.await?;
    watched.notify();
    Ok(updated)
}

/// Reads the message with this ID if it belongs to this notification. After a restore, the ID can belong to a different
/// notification.
pub(crate) async fn own_message(shared: &Shared, id: i64, dedup: Mac) -> Result<Option<StreamMessage>, StoreError> {
    if id < 1 {
        return Ok(None);
    }
    let message = shared.streams.message(Log::Inbox, sequence_of(id)?).await?;
    Ok(message.filter(|message| dedup_of(&message.subject) == Some(dedup)))
}

/// Converts a notification's ID to the sequence number of its message.
pub(crate) fn sequence_of(id: i64) -> Result<u64, StoreError> {
    u64::try_from(id).map_err(|_| corrupt())
}
