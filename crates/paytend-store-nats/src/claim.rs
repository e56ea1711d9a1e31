//! Claims notifications.

use std::sync::atomic::Ordering;

use async_nats::jetstream::message::PublishMessage;
use futures_util::StreamExt as _;
use paytend_inbox::{ClaimRequest, Claimed, Facts, Mac, StoreError, StoredPayload};

use crate::clock::system_time;
use crate::finish::{Current, replace};
use crate::index::Candidate;
use crate::message::{Headers, content, corrupt};
use crate::record::Record;
use crate::store::Shared;
use crate::streams::{Log, Written};

/// The maximum number of claims that are written concurrently.
const CONCURRENT: usize = 32;
/// The maximum number of rounds of a claim, if other workers have taken all candidates.
const ROUNDS: usize = 4;

/// Claims due notifications.
pub(crate) async fn claim(shared: &Shared, request: &ClaimRequest) -> Result<Vec<Claimed>, StoreError> {
    let watched = shared.watched();
    watched.loaded().await?;
    watched.reached(&shared.streams, Log::Inbox, shared.last_accepted.load(Ordering::SeqCst)).await?;
    let mut skip = 0;
    for _ in 0..ROUNDS {
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
        let (mut claimed, mut failed) = (Vec::new(), None);
        for result in taken {
            match result {
                Ok(taken) => claimed.extend(taken),
                Err(error) => failed = Some(error),
            }
        }
        match failed {
            // Claimed notifications must be returned, even after an error.
            _ if !claimed.is_empty() => return Ok(claimed),
            Some(error) => return Err(error),
            // Other workers have taken these candidates, and will try the next candidates in order. The next round
            // therefore skips a random number of candidates.
            None => skip = random_below(watched.index().due_count(now).saturating_sub(request.limit)),
        }
    }
    Ok(Vec::new())
}

/// Returns a random number below a bound of at most 256, or 0.
fn random_below(bound: usize) -> usize {
    let mut random = [0; 4];
    let _ = getrandom::fill(&mut random);
    usize::try_from(u32::from_le_bytes(random)).unwrap_or_default() % bound.clamp(1, 256)
}

/// Claims a notification. Returns `None` if a different program has changed it.
async fn take(shared: &Shared, candidate: Candidate, request: &ClaimRequest) -> Result<Option<Claimed>, StoreError> {
    let Candidate { dedup, sequence, record, order } = candidate;
    let Some((facts, payload)) = stored(shared, &record).await? else {
        refresh(shared, dedup, record.id).await?;
        return Ok(None);
    };
    if let Some((key, expected)) = order
        && !take_order(shared, key, expected, record.id).await?
    {
        return Ok(None);
    }
    let mut next = record;
    next.claim(shared.clock.now(), request.lease, request.holder);
    if replace(shared, dedup, sequence, &next).await? == Written::Conflict {
        refresh(shared, dedup, next.id).await?;
        return Ok(None);
    }
    Ok(Some(Claimed {
        lease: next.lease(),
        tries: next.tries,
        is_sighting: next.is_sighting,
        completed_runs: next.completed_runs,
        sightings: next.sightings,
        received_at: system_time(next.received_at),
        facts,
        payload,
    }))
}

/// Reads the facts and the content of a notification. Returns `None` if its message was removed.
pub(crate) async fn stored(shared: &Shared, record: &Record) -> Result<Option<(Facts, StoredPayload)>, StoreError> {
    if let Some(facts) = &record.removed {
        return Ok(Some(((**facts).clone().into_facts()?, StoredPayload::Dropped)));
    }
    let sequence = u64::try_from(record.id).map_err(|_| corrupt())?;
    let Some(message) = shared.streams.message(Log::Inbox, sequence).await? else { return Ok(None) };
    let facts = Headers::read(&message.headers)?.facts.into_facts()?;
    Ok(Some((facts, StoredPayload::SealedWithoutId(content(&message.payload)?))))
}

/// Writes the register of an order key before its current notification is claimed.
///
/// The register is written even if it already contains this notification. Otherwise, a worker with an outdated index
/// could consider the notification completed and write the next notification to the register. Both would then be
/// processed at the same time.
async fn take_order(shared: &Shared, key: Mac, mut expected: u64, id: i64) -> Result<bool, StoreError> {
    let subject = shared.streams.names.order(key);
    let message = PublishMessage::build().payload(id.to_string().into());
    let watched = shared.watched();
    for _ in 0..2 {
        if let Written::At(sequence) = shared.streams.put(Log::Work, &subject, message.clone(), expected).await? {
            watched.index().apply_order(key, sequence, id);
            return Ok(true);
        }
        // The index does not keep the registers of keys without pending notifications.
        let Some(register) = shared.streams.last(Log::Work, &subject).await? else { return Ok(false) };
        let current = serde_json::from_slice(&register.payload).map_err(|_| corrupt())?;
        // The records before the register determine whether the notification is still the current notification of its
        // key.
        watched.reached(&shared.streams, Log::Work, register.sequence).await?;
        watched.index().apply_order(key, register.sequence, current);
        if !watched.is_current(key, id) {
            return Ok(false);
        }
        expected = register.sequence;
    }
    Ok(false)
}

/// Reads a record that a different program has changed.
async fn refresh(shared: &Shared, dedup: Mac, id: i64) -> Result<(), StoreError> {
    let current = Current::read(shared, dedup).await?;
    match current {
        Some(current) if current.record.id == id => {}
        // The dedup key belongs to an earlier notification whose content was removed, so this notification is a
        // duplicate.
        Some(_) => {
            let sequence = u64::try_from(id).map_err(|_| corrupt())?;
            shared.streams.delete(Log::Inbox, sequence).await?;
            shared.watched().index().remove(id);
        }
        None => {}
    }
    Ok(())
}
