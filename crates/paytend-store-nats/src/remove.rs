//! Removes content and forgets notifications.
//!
//! The facts are first moved to the record, which marks the content as removed. Then the message of the notification is
//! deleted. If the program ends between the two steps, or the deletion fails, the next removal deletes the message.

use async_nats::jetstream::message::PublishMessage;
use paytend_inbox::{Erasure, Mac, StoreError, StoreErrorKind};

use crate::admin::change;
use crate::clock::stored_at;
use crate::finish::{Current, own_message};
use crate::index::Known;
use crate::message::{Headers, StoredFacts, corrupt, dedup_of};
use crate::record::{Record, StoredState};
use crate::scan::read_all;
use crate::store::Shared;
use crate::streams::{Log, operation_id};

/// The maximum number of notifications that are selected from the index at a time.
const CHUNK: usize = 1_000;
/// The prefix of announcement names. An announcement is a message that lists forgotten notifications, for the indexes
/// of all programs.
pub(crate) const FORGOTTEN: &str = "forgotten-";
/// How long an announcement is kept, in milliseconds.
const FORGOTTEN_MILLIS: i64 = 3_600_000;

/// The message of a notification, without its body.
pub(crate) struct MessageHead {
    pub(crate) dedup: Mac,
    /// The facts, or `None` if they cannot be read.
    pub(crate) facts: Option<StoredFacts>,
    /// The size of the body, in bytes.
    pub(crate) size: usize,
}

/// Calls a function with the sequence number of each message, and with the message if its subject belongs to a
/// notification.
pub(crate) async fn each_message(
    shared: &Shared,
    mut found: impl FnMut(i64, Option<MessageHead>),
) -> Result<(), StoreError> {
    let read = read_all(&shared.streams, Log::Inbox, None, |scanned| {
        let message = &scanned.message.message;
        let header = |name: &str| message.headers.as_ref()?.get(name)?.as_str().parse().ok();
        let facts = |dedup| Some(Headers::read(message.headers.as_ref()?, dedup).ok()?.facts);
        let size = header("Nats-Msg-Size").unwrap_or_default();
        let head = dedup_of(&message.subject).map(|dedup| MessageHead { dedup, facts: facts(dedup), size });
        found(i64::try_from(scanned.sequence).map_err(|_| corrupt())?, head);
        Ok(())
    });
    read.await
}

/// Erases the notifications that an erasure selects.
///
/// The messages are read from the stream instead of the index, because the index may not contain notifications that
/// have just arrived. A message is deleted only after its record has been marked as removed.
pub(crate) async fn erase(shared: &Shared, erasure: &Erasure) -> Result<u64, StoreError> {
    let watched = shared.synchronized().await?;
    let mut found = Vec::new();
    let collect = |id: i64, message: Option<MessageHead>| {
        if let Some(MessageHead { dedup, facts: Some(facts), .. }) = message
            && facts.is_selected(erasure)
        {
            found.push((id, dedup, facts));
        }
    };
    each_message(shared, collect).await?;
    let mut erased = 0;
    for (id, dedup, facts) in found {
        let changed = change(shared, id, dedup, |record, _| {
            // If the dead letter contains an unreadable record, this record can contain the facts, too.
            let is_new = record.removed.is_none() || record.has_original();
            if is_new {
                record.erase(facts.clone());
            }
            is_new
        });
        erased += u64::from(changed.await?.is_written());
        if Current::read(shared, dedup).await?.is_some_and(|current| current.record.removed.is_some()) {
            delete_message(shared, id, dedup).await?;
        }
    }
    // The facts of notifications whose content was removed are in their records. The index is synchronized again,
    // because a different program may have removed content in the meantime.
    watched.synchronize(&shared.streams).await?;
    let removed = watched.index().select(i64::MIN, usize::MAX, |known| known.removed);
    let removed = removed.into_iter().map(|(id, known)| (id, known.dedup));
    let displaced = watched.index().displaced().into_iter().map(|dedup| (0, dedup));
    for (id, dedup) in removed.chain(displaced) {
        let changed = change(shared, id, dedup, |record, _| match record.removed.clone() {
            Some(facts) if facts.is_selected(erasure) => {
                record.erase(*facts);
                true
            }
            _ => false,
        });
        erased += u64::from(changed.await?.is_written());
    }
    Ok(erased)
}

/// Removes the content of processed notifications that were received before a time. Also completes earlier removals in
/// which the message could not be deleted.
pub(crate) async fn drop_payloads(shared: &Shared, before: i64) -> Result<u64, StoreError> {
    let watched = shared.synchronized().await?;
    let mut dropped = 0;
    let mut after = i64::MIN;
    loop {
        let chunk = watched.index().select(after, CHUNK, |known| {
            let is_old = known.state == StoredState::Done && known.received_at < before;
            (known.removed && known.has_message) || (is_old && !known.removed)
        });
        let Some((last, _)) = chunk.last() else { return Ok(dropped) };
        after = *last;
        for (id, known) in chunk {
            if known.removed {
                delete_message(shared, id, known.dedup).await?;
            } else if drop_payload(shared, id, known.dedup).await? {
                dropped += 1;
            }
        }
    }
}

async fn drop_payload(shared: &Shared, id: i64, dedup: Mac) -> Result<bool, StoreError> {
    // The content is in the message, so a notification without a message has no content to remove.
    let Some(message) = own_message(shared, id, dedup).await? else { return Ok(false) };
    let Ok(Headers { facts, .. }) = Headers::read(&message.headers, dedup) else {
        tracing::error!(id, "the facts of a notification cannot be read: its content is kept");
        return Ok(false);
    };
    let is_changed = change(shared, id, dedup, |record, _| {
        let is_wanted = record.id == id && record.state == StoredState::Done && record.removed.is_none();
        if is_wanted {
            record.removed = Some(Box::new(facts.clone()));
        }
        is_wanted
    });
    let is_changed = is_changed.await?.is_written();
    if is_changed {
        delete_message(shared, id, dedup).await?;
    }
    Ok(is_changed)
}

/// Forgets processed notifications whose content no longer exists, and deletes old registers.
pub(crate) async fn forget(shared: &Shared, before: i64) -> Result<u64, StoreError> {
    remove_announcements(shared).await?;
    forget_registers(shared, before).await?;
    let watched = shared.synchronized().await?;
    let old = watched.index().select(i64::MIN, usize::MAX, |known| {
        let is_without_content = known.removed || !known.has_message;
        known.state == StoredState::Done && is_without_content && known.received_at < before
    });
    let mut count = 0;
    for chunk in old.chunks(CHUNK) {
        let mut forgotten = Vec::new();
        for (id, known) in chunk {
            forgotten.extend(forget_one(shared, *id, known).await?);
        }
        announce(shared, &forgotten).await?;
        count += forgotten.len() as u64;
    }
    Ok(count)
}

/// Deletes the message and the record of a notification. Returns the ID and the sequence number of the record, or
/// `None` if another program has changed the notification.
async fn forget_one(shared: &Shared, id: i64, known: &Known) -> Result<Option<(i64, u64)>, StoreError> {
    let (watched, dedup) = (shared.watched(), known.dedup);
    let current = match Current::read(shared, dedup).await {
        Ok(Some(current)) => current,
        Ok(None) => {
            // Another program has already forgotten the notification.
            watched.index().forget(id, known.sequence);
            return Ok(None);
        }
        Err(error) if error.kind() == StoreErrorKind::Corrupt => return Ok(None),
        Err(error) => return Err(error),
    };
    let Record { state, removed, .. } = &current.record;
    if current.record.id != id || *state != StoredState::Done {
        return Ok(None);
    }
    if removed.is_none() && (known.has_message || own_message(shared, id, dedup).await?.is_some()) {
        return Ok(None);
    }
    // The message is deleted first, because a message without a record would be processed again. If a duplicate arrives
    // now, its new record has a different sequence number, so it is not deleted here.
    delete_message(shared, id, dedup).await?;
    let is_deleted = shared.streams.delete(Log::Work, current.sequence).await?;
    // The deletion finds no record if the response to an earlier try was lost, or if a duplicate has replaced the
    // record. In the second case, a later record exists, and the notification is kept.
    if !is_deleted && Current::read(shared, dedup).await?.is_some() {
        return Ok(None);
    }
    watched.index().forget(id, current.sequence);
    Ok(Some((id, current.sequence)))
}

/// Deletes the registers that were last written before a time, if their order keys have no pending notifications.
///
/// A claim that runs at the same time writes the register again, with a new sequence number, so the new register is not
/// deleted.
async fn forget_registers(shared: &Shared, before: i64) -> Result<(), StoreError> {
    let mut found = Vec::new();
    let registers = shared.streams.names.orders();
    let read = read_all(&shared.streams, Log::Work, Some(&registers), |scanned| {
        let is_old = scanned.message.info().is_ok_and(|info| stored_at(info.published) < before);
        found.extend(dedup_of(&scanned.message.message.subject).filter(|_| is_old).map(|key| (key, scanned.sequence)));
        Ok(())
    });
    read.await?;
    // The index is synchronized after the registers were read, so it contains the notifications that they name.
    let watched = shared.synchronized().await?;
    for (key, sequence) in found {
        let has_pending = watched.index().has_pending(key);
        if !has_pending {
            shared.streams.delete(Log::Work, sequence).await?;
        }
    }
    Ok(())
}

/// Announces forgotten notifications, so that all programs remove them from their indexes.
async fn announce(shared: &Shared, forgotten: &[(i64, u64)]) -> Result<(), StoreError> {
    if forgotten.is_empty() {
        return Ok(());
    }
    let subject = shared.streams.names.meta(&format!("{FORGOTTEN}{}", operation_id()?));
    let json = serde_json::to_vec(forgotten).map_err(|_| corrupt())?;
    shared.streams.put(Log::Work, &subject, PublishMessage::build().payload(json.into()), 0).await.map(drop)
}

/// Deletes old announcements, which all running programs have read. Programs that start later do not need them.
async fn remove_announcements(shared: &Shared) -> Result<(), StoreError> {
    let old = shared.clock.now().saturating_sub(FORGOTTEN_MILLIS);
    let mut found = Vec::new();
    let names = &shared.streams.names;
    let (prefix, all) = (names.meta(FORGOTTEN), names.meta("*"));
    let read = read_all(&shared.streams, Log::Work, Some(&all), |scanned| {
        let is_old = scanned.message.info().is_ok_and(|info| stored_at(info.published) < old);
        if is_old && scanned.message.message.subject.starts_with(&prefix) {
            found.push(scanned.sequence);
        }
        Ok(())
    });
    read.await?;
    for sequence in found {
        shared.streams.delete(Log::Work, sequence).await?;
    }
    Ok(())
}

/// Deletes a message if it belongs to the notification with this dedup key.
pub(crate) async fn delete_message(shared: &Shared, id: i64, dedup: Mac) -> Result<(), StoreError> {
    if let Some(message) = own_message(shared, id, dedup).await? {
        shared.streams.delete(Log::Inbox, message.sequence).await?;
    }
    if let Some(watched) = shared.started() {
        watched.index().set_message(id, dedup, false);
    }
    Ok(())
}
