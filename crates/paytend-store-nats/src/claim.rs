//! Claims notifications.

use std::sync::atomic::Ordering;

use async_nats::jetstream::message::PublishMessage;
use futures_util::StreamExt as _;
use paytend_inbox::{ClaimRequest, Claimed, Facts, Mac, StoreError, StoreErrorKind, StoredPayload};

use crate::accept::{Message, first_record, settle};
use crate::clock::{after, system_time};
use crate::finish::{Current, own_message, replace, sequence_of};
use crate::index::Candidate;
use crate::message::{Headers, content};
use crate::record::Record;
use crate::store::Shared;
use crate::streams::{Log, Written, operation_number};
use crate::watch::MISSING_TIME;

/// The maximum number of claims that are written concurrently.
const CONCURRENT: usize = 32;
/// The maximum number of rounds in a claim. A new round begins if other workers have taken all candidates.
const ROUNDS: usize = 4;

/// The maximum number of attempts to write the register of an order key.
const REGISTER_WRITES: usize = 3;

const UNREADABLE: &str = "the notification cannot be read: it was written by another program or a newer version";

/// The result of an attempt to claim a notification.
enum Take {
    Claimed(Box<Claimed>),
    /// Another worker has claimed the notification first.
    Contested,
    /// The notification cannot be claimed at this time.
    Unclaimable,
}

/// Claims due notifications.
pub(crate) async fn claim(shared: &Shared, request: &ClaimRequest) -> Result<Vec<Claimed>, StoreError> {
    let watched = shared.watched();
    watched.loaded().await?;
    watched.reached(&shared.streams, Log::Inbox, shared.last_accepted.load(Ordering::SeqCst)).await?;
    let (mut skip, mut rounds) = (0, 0);
    while rounds < ROUNDS {
        rounds += 1;
        let now = shared.clock.now();
        let candidates = watched.candidates(now, request, skip);
        if candidates.is_empty() && skip > 0 {
            skip = 0;
            continue;
        }
        if candidates.is_empty() {
            return Ok(Vec::new());
        }
        let takes = candidates.into_iter().map(|candidate| take(shared, candidate, request));
        let taken: Vec<_> = futures_util::stream::iter(takes).buffered(CONCURRENT).collect().await;
        let (mut claimed, mut failed, mut unclaimable) = (Vec::new(), None, false);
        for result in taken {
            match result {
                Ok(Take::Claimed(taken)) => claimed.push(*taken),
                Ok(Take::Contested) => {}
                Ok(Take::Unclaimable) => unclaimable = true,
                Err(error) => failed = Some(error),
            }
        }
        match failed {
            // If another candidate caused an error, the claimed notifications must still be returned.
            _ if !claimed.is_empty() => return Ok(claimed),
            Some(error) => return Err(error),
            // This round is not counted, because the next round selects other candidates.
            None if unclaimable => rounds -= 1,
            // Other workers have taken these candidates, and will try the next candidates in the same order. The next
            // round skips a random number of candidates, so that it usually tries different candidates.
            None => skip = random_below(watched.index().due_count(now).saturating_sub(request.limit)),
        }
    }
    Ok(Vec::new())
}

/// Returns a random number below `bound` and below 256, or 0 if `bound` is 0.
fn random_below(bound: usize) -> usize {
    let mut random = [0; 4];
    let _ = getrandom::fill(&mut random);
    usize::try_from(u32::from_le_bytes(random)).unwrap_or_default() % bound.clamp(1, 256)
}

/// Tries to claim a notification.
async fn take(shared: &Shared, candidate: Candidate, request: &ClaimRequest) -> Result<Take, StoreError> {
    let Candidate { dedup, sequence, record, order } = candidate;
    let (facts, payload) = match stored(shared, dedup, &record).await {
        Ok(Some(found)) => found,
        Ok(None) => return miss(shared, dedup, sequence, record).await,
        Err(error) if error.kind() == StoreErrorKind::Corrupt => {
            tracing::error!(id = record.id, "a notification cannot be read: it becomes a dead letter");
            return bury(shared, dedup, sequence, record, |record| record.bury(UNREADABLE.to_owned())).await;
        }
        Err(error) => return Err(error),
    };
    if let Some((key, expected)) = order
        && !(is_first(shared, key, &record).await? && take_order(shared, key, expected, record.id).await?)
    {
        return Ok(Take::Contested);
    }
    let (mut next, operation) = (record, operation_number()?);
    next.is_repeated(operation);
    next.claim(shared.clock.now(), request.lease, request.holder);
    if replace(shared, dedup, sequence, &next).await? == Written::Conflict {
        // The claim may have been written although its response was lost, and a sighting may have changed the record
        // since then.
        match refresh(shared, dedup, next.id).await? {
            Some(current) if current.remembers(operation) && current.is_leased_with(next.lease()) => next = current,
            _ => return Ok(Take::Contested),
        }
    }
    Ok(Take::Claimed(Box::new(Claimed {
        lease: next.lease(),
        tries: next.tries,
        is_sighting: next.is_sighting,
        completed_runs: next.completed_runs,
        sightings: next.sightings,
        received_at: system_time(next.received_at),
        facts,
        payload,
    })))
}

/// Reads the facts and the content of a notification. Returns `None` if the message does not exist, or belongs to a
/// different notification.
pub(crate) async fn stored(
    shared: &Shared,
    dedup: Mac,
    record: &Record,
) -> Result<Option<(Facts, StoredPayload)>, StoreError> {
    if let Some(facts) = &record.removed {
        return Ok(Some(((**facts).clone().into_facts()?, StoredPayload::Dropped)));
    }
    let Some(message) = own_message(shared, record.id, dedup).await? else { return Ok(None) };
    let facts = Headers::read(&message.headers, dedup)?.facts.into_facts()?;
    Ok(Some((facts, StoredPayload::SealedWithoutId(content(&message.payload)?))))
}

/// Turns a notification into a dead letter, unless another program has changed it.
async fn bury(
    shared: &Shared,
    dedup: Mac,
    sequence: u64,
    mut record: Record,
    bury: impl FnOnce(&mut Record),
) -> Result<Take, StoreError> {
    let id = record.id;
    bury(&mut record);
    if replace(shared, dedup, sequence, &record).await? == Written::Conflict {
        refresh(shared, dedup, id).await?;
        return Ok(Take::Contested);
    }
    Ok(Take::Unclaimable)
}

/// Handles a notification whose message was not found.
///
/// A server that is behind may not have the message yet. Therefore, the notification is first delayed for longer than
/// such a server can keep responding. If the message is still not found, a notification with a record becomes a dead
/// letter. A notification without a record does not exist, and is removed from the index.
async fn miss(shared: &Shared, dedup: Mac, sequence: u64, record: Record) -> Result<Take, StoreError> {
    let id = record.id;
    let changed = match Current::read(shared, dedup).await? {
        Some(current) if current.is_unreadable => {
            replace(shared, dedup, current.sequence, &current.record).await?;
            true
        }
        Some(current) if current.record.id != id => {
            shared.watched().index().remove(id, dedup);
            true
        }
        Some(current) => current.sequence != sequence,
        None => false,
    };
    if changed {
        return Ok(Take::Contested);
    }
    if !shared.watched().index().delay(id, after(shared.clock.now(), MISSING_TIME)) {
        return Ok(Take::Unclaimable);
    }
    if sequence == 0 {
        shared.watched().index().remove(id, dedup);
        return Ok(Take::Unclaimable);
    }
    tracing::error!(id, "the message of a notification is missing: the notification becomes a dead letter");
    bury(shared, dedup, sequence, record, Record::miss).await
}

/// Returns whether a notification is still the current notification of its order key. If it was never attempted, first
/// waits until all earlier messages have been read, because one of them can be an earlier notification with the key.
async fn is_first(shared: &Shared, key: Mac, record: &Record) -> Result<bool, StoreError> {
    if record.fence != 0 {
        return Ok(true);
    }
    let watched = shared.watched();
    watched.reached(&shared.streams, Log::Inbox, sequence_of(record.id)?).await?;
    Ok(watched.is_current(key, record.id))
}

/// Writes the register of an order key before the key's current notification is claimed. A register is a message that
/// contains the ID of the only notification with this key that can be claimed.
///
/// The register is written even if it already contains this notification. Otherwise, a worker with an outdated index
/// could consider the notification completed and write the next notification to the register. Both notifications would
/// then be processed at the same time.
async fn take_order(shared: &Shared, key: Mac, mut expected: u64, id: i64) -> Result<bool, StoreError> {
    let subject = shared.streams.names.order(key);
    let message = PublishMessage::build().payload(id.to_string().into());
    let watched = shared.watched();
    for _ in 0..REGISTER_WRITES {
        if let Written::At(sequence) = shared.streams.put(Log::Work, &subject, message.clone(), expected).await? {
            watched.index().apply_order(key, sequence, Some(id));
            return Ok(true);
        }
        // The write failed because the register has changed, or because the index did not contain it. The index drops
        // the register of a key that has no pending notifications.
        let register = shared.streams.last(Log::Work, &subject).await?;
        expected = register.as_ref().map_or(0, |register| register.sequence);
        // The records before the register determine whether the notification is still the current notification of its
        // key, so they are read first. If the register was deleted, all records are read.
        let before = if register.is_some() { expected } else { shared.streams.last_sequence(Log::Work).await? };
        watched.reached(&shared.streams, Log::Work, before).await?;
        match register {
            // A register that cannot be read is treated as if it contained no ID.
            Some(register) => {
                let current = serde_json::from_slice(&register.payload).ok();
                watched.index().apply_order(key, expected, current);
            }
            None => watched.index().remove_register(key),
        }
        if !watched.is_current(key, id) {
            return Ok(false);
        }
    }
    Ok(false)
}

/// Reads a record that another program has changed. If the record belongs to a different message of the notification,
/// the message with this ID is deleted as a duplicate, or the record is moved to it.
async fn refresh(shared: &Shared, dedup: Mac, id: i64) -> Result<Option<Record>, StoreError> {
    let watched = shared.watched();
    let Some(current) = Current::read(shared, dedup).await? else {
        // Another program has deleted the record, or the server is behind and does not have it yet.
        if let Some(message) = own_message(shared, id, dedup).await? {
            watched.index().renew(dedup, first_record(&message)?);
        }
        return Ok(None);
    };
    if current.is_unreadable {
        // The dead letter contains the unreadable record, so that a program that can read it can restore it later.
        replace(shared, dedup, current.sequence, &current.record).await?;
        return Ok(None);
    }
    if current.record.id != id {
        if let Some(message) = own_message(shared, id, dedup).await? {
            let received_at = first_record(&message)?.received_at;
            settle(shared, dedup, current, Message { id, received_at }).await?;
        }
        // If the record now refers to this message, the index adds the notification again when it reads the record.
        watched.index().remove_unrecorded(id, dedup);
        return Ok(None);
    }
    Ok(Some(current.record))
}
