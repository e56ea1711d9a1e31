//! Changes to the records of notifications.

use std::time::Duration;

use async_nats::jetstream::message::PublishMessage;
use paytend_inbox::{FinishError, Lease, Mac, StoreError};

use crate::accept::first_record;
use crate::error::too_slow;
use crate::message::corrupt;
use crate::record::Record;
use crate::store::Shared;
use crate::streams::{Log, Written};

/// The maximum number of attempts of a change after conflicts with other programs.
const MAX_CONFLICTS: u32 = 100;

/// A record with the sequence number of its message, or 0 if the record has no message.
#[derive(Clone, Debug)]
pub(crate) struct Current {
    pub(crate) sequence: u64,
    pub(crate) record: Record,
}

impl Current {
    /// Reads the record of a notification.
    pub(crate) async fn read(shared: &Shared, dedup: Mac) -> Result<Option<Self>, StoreError> {
        let subject = shared.streams.names.record(dedup);
        let Some(message) = shared.streams.last(Log::Work, &subject).await? else { return Ok(None) };
        let record: Record = serde_json::from_slice(&message.payload).map_err(|_| corrupt())?;
        if let Some(watched) = shared.started() {
            watched.index().apply(dedup, message.sequence, record.clone());
        }
        Ok(Some(Self { sequence: message.sequence, record }))
    }

    /// Reads the record of a notification whose number is known. Creates a new record if the notification was never
    /// attempted.
    pub(crate) async fn read_known(shared: &Shared, id: i64, dedup: Mac) -> Result<Option<Self>, StoreError> {
        if let Some(current) = Self::read(shared, dedup).await? {
            return Ok(Some(current));
        }
        let sequence = u64::try_from(id).map_err(|_| corrupt())?;
        let message = shared.streams.message(Log::Inbox, sequence).await?;
        message.map(|message| Ok(Self { sequence: 0, record: first_record(&message)? })).transpose()
    }
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

/// Changes a record. If a different program has changed the record, the change is computed again for the new record.
pub(crate) async fn update(
    shared: &Shared,
    dedup: Mac,
    mut current: Current,
    change: impl Fn(&mut Record, i64) -> Result<(), FinishError>,
) -> Result<Record, FinishError> {
    for conflicts in 0..MAX_CONFLICTS {
        let mut next = current.record.clone();
        change(&mut next, shared.clock.now())?;
        match replace(shared, dedup, current.sequence, &next).await? {
            Written::At(_) => return Ok(next),
            Written::Conflict => {}
        }
        // The random pause prevents further conflicts of programs that change the same record.
        tokio::time::sleep(Duration::from_millis(u64::from(jitter(conflicts)))).await;
        match Current::read(shared, dedup).await? {
            // A former leader can respond with an earlier record, which is ignored.
            Some(read) if read.sequence >= current.sequence => current = read,
            _ => {}
        }
    }
    Err(too_slow("change the notification").into())
}

fn jitter(conflicts: u32) -> u8 {
    let mut random = [0];
    // An error is ignored: without random pauses, conflicts only become more frequent.
    let _ = getrandom::fill(&mut random);
    random[0] >> 6_u32.saturating_sub(conflicts)
}

/// Changes the record of a valid lease.
pub(crate) async fn leased(
    shared: &Shared,
    lease: Lease,
    change: impl Fn(&mut Record, i64),
) -> Result<(), FinishError> {
    let id = lease.id.get();
    let watched = shared.watched();
    watched.loaded().await?;
    let known = watched.index().known(id).ok_or(FinishError::LeaseLost)?;
    let pending = watched.index().pending(id).filter(|(_, record)| record.is_leased_with(lease));
    let current = match pending {
        Some((sequence, record)) => Some(Current { sequence, record }),
        // The index may be outdated.
        None => Current::read_known(shared, id, known.dedup).await?,
    };
    let current = current.ok_or(FinishError::LeaseLost)?;
    update(shared, known.dedup, current, |record, now| {
        if !record.is_leased_with(lease) {
            return Err(FinishError::LeaseLost);
        }
        change(record, now);
        Ok(())
    })
    .await?;
    watched.notify();
    Ok(())
}
