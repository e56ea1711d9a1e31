//! Removes content.
//!
//! The facts are first moved to the record, which marks the content as removed. Then the message of the notification is
//! deleted. If the program ends between the two steps, the next removal deletes the message.

use std::collections::BTreeSet;

use paytend_inbox::{Erasure, StoreError};

use crate::admin::change;
use crate::finish::Current;
use crate::message::{Headers, StoredFacts, corrupt};
use crate::record::StoredState;
use crate::scan::read_all;
use crate::store::Shared;
use crate::streams::Log;

/// The maximum number of notifications that are selected from the index at a time.
const CHUNK: usize = 1_000;

/// Calls a function with the facts of each notification that has a message.
async fn each_message(shared: &Shared, mut found: impl FnMut(i64, StoredFacts)) -> Result<(), StoreError> {
    let read = read_all(&shared.streams, Log::Inbox, None, |scanned| {
        let headers = scanned.message.message.headers.as_ref().ok_or_else(corrupt)?;
        found(i64::try_from(scanned.sequence).map_err(|_| corrupt())?, Headers::read(headers)?.facts);
        Ok(())
    });
    read.await
}

/// Returns the numbers of the notifications that have a message.
pub(crate) async fn stored_ids(shared: &Shared) -> Result<BTreeSet<i64>, StoreError> {
    let mut ids = BTreeSet::new();
    each_message(shared, |id, _| ids.extend([id])).await?;
    Ok(ids)
}

/// Erases the notifications that an erasure selects.
pub(crate) async fn erase(shared: &Shared, erasure: &Erasure) -> Result<u64, StoreError> {
    let watched = shared.synchronized().await?;
    let is_wanted = |facts: &StoredFacts| facts.is_selected(erasure);
    let mut found = Vec::new();
    each_message(shared, |id, facts| found.extend(is_wanted(&facts).then_some((id, facts)))).await?;
    let mut erased = 0;
    for (id, facts) in found {
        let changed = change(shared, id, |record, _| {
            let is_new = record.removed.is_none();
            if is_new {
                record.erase(facts.clone());
            }
            is_new
        });
        erased += u64::from(changed.await?);
        delete(shared, id).await?;
    }
    // The facts of notifications whose content was removed are in their records.
    let removed = watched.index().select(i64::MIN, usize::MAX, |known| known.removed);
    for (id, _) in removed {
        let changed = change(shared, id, |record, _| match record.removed.clone() {
            Some(facts) if is_wanted(&facts) => {
                record.erase(*facts);
                true
            }
            _ => false,
        });
        erased += u64::from(changed.await?);
    }
    Ok(erased)
}

/// Removes the content of processed notifications that were received before a time.
pub(crate) async fn drop_payloads(shared: &Shared, before: i64) -> Result<u64, StoreError> {
    let watched = shared.synchronized().await?;
    let mut dropped = 0;
    let mut after = i64::MIN;
    loop {
        let chunk = watched.index().select(after, CHUNK, |known| {
            known.state == StoredState::Done && !known.removed && known.received_at < before
        });
        let Some((last, _)) = chunk.last() else { return Ok(dropped) };
        after = *last;
        for (id, _) in chunk {
            let sequence = u64::try_from(id).map_err(|_| corrupt())?;
            let Some(message) = shared.streams.message(Log::Inbox, sequence).await? else { continue };
            let facts = Headers::read(&message.headers)?.facts;
            let changed = change(shared, id, |record, _| {
                let is_wanted = record.state == StoredState::Done && record.removed.is_none();
                if is_wanted {
                    record.removed = Some(Box::new(facts.clone()));
                }
                is_wanted
            });
            if changed.await? {
                dropped += 1;
                delete(shared, id).await?;
            }
        }
    }
}

/// Forgets processed notifications whose content was removed.
pub(crate) async fn forget(shared: &Shared, before: i64) -> Result<u64, StoreError> {
    let watched = shared.synchronized().await?;
    let old = watched.index().select(i64::MIN, usize::MAX, |known| {
        known.state == StoredState::Done && known.removed && known.received_at < before
    });
    let mut forgotten = 0;
    for (id, known) in old {
        let Some(current) = Current::read(shared, known.dedup).await? else { continue };
        let record = &current.record;
        if record.id != id || record.state != StoredState::Done || record.removed.is_none() {
            continue;
        }
        // The message is deleted first: without its record, the notification would be processed again. If a duplicate
        // arrives now, the record is replaced and has a different sequence number, so the new record is kept.
        delete(shared, id).await?;
        shared.streams.delete(Log::Work, current.sequence).await?;
        watched.index().remove(id);
        forgotten += 1;
    }
    Ok(forgotten)
}

/// Deletes the message of a notification.
async fn delete(shared: &Shared, id: i64) -> Result<(), StoreError> {
    shared.streams.delete(Log::Inbox, u64::try_from(id).map_err(|_| corrupt())?).await
}
