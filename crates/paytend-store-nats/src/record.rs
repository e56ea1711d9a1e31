//! The record of a notification's progress, and the changes to the record.
//!
//! A record is the last message of a subject. It is replaced only if it is still the last message of its subject, so
//! each change is atomic. A notification without a record has never been attempted and has no duplicates.
//!
//! A program drops the members of a record that it does not know. If that is not acceptable for a new member, or if
//! older programs cannot read a new value, the format in `format.rs` must be increased.

use std::collections::HashMap;
use std::time::Duration;

use paytend_inbox::{Id, Lease, Mac, Release, State, StoreError};
use serde::de::IgnoredAny;
use serde::{Deserialize, Serialize};

use crate::clock::after;
use crate::message::{StoredFacts, corrupt};

/// The maximum delay of a retry.
const MAX_DELAY: Duration = Duration::from_secs(24 * 3600);
/// The number of operations that a record remembers. The README describes the consequences for repeated writes.
const REMEMBERED: usize = 32;
/// The kind of a notification whose facts cannot be read.
pub(crate) const UNREADABLE_KIND: &str = "unreadable";
const UNREADABLE_RECORD: &str = "the notification's record cannot be read: it was written by another program or a \
     newer version";
const MISSING: &str = "the notification's message is missing: it was deleted, or the streams were restored from \
     backups of different times";

/// The progress of a notification. The record contains all data that the index needs.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Record {
    /// The ID that the store has assigned to the notification.
    pub(crate) id: i64,
    pub(crate) kind: String,
    #[serde(default, skip_serializing_if = "Option::is_none", with = "crate::message::optional_mac")]
    pub(crate) order_key: Option<Mac>,
    pub(crate) received_at: i64,
    pub(crate) state: StoredState,
    pub(crate) fence: i64,
    pub(crate) tries: u32,
    /// The time of the next attempt, or the time at which the lease expires.
    pub(crate) due_at: i64,
    /// The random number that identifies the last claim.
    #[serde(default)]
    pub(crate) holder: u64,
    #[serde(default)]
    pub(crate) is_sighting: bool,
    /// How many times the notification has been completed.
    #[serde(default)]
    pub(crate) completed_runs: u64,
    /// Whether an attempt of the current run has begun.
    #[serde(default)]
    pub(crate) attempted: bool,
    /// Whether a duplicate that requires another run arrived after the first attempt of the run had begun.
    #[serde(default)]
    pub(crate) again: bool,
    #[serde(default)]
    pub(crate) sightings: u64,
    /// The last operations that began or ended an attempt, redrove the notification or counted a sighting. Repeating
    /// one of these operations changes nothing.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    recent: Vec<u64>,
    /// The ID that the notification had before its message was lost and stored again.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) formerly: Option<i64>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) cause: Option<String>,
    /// The facts of a notification whose message was removed together with its content.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) removed: Option<Box<StoredFacts>>,
    /// The unreadable record that this dead letter has replaced. If a program can read the record when the dead letter
    /// is redriven, it restores the record.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    original: Option<Box<str>>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub(crate) enum StoredState {
    Ready,
    Leased,
    Backoff,
    Done,
    Dead,
}

impl StoredState {
    pub(crate) fn get(self) -> State {
        match self {
            Self::Ready => State::Ready,
            Self::Leased => State::Leased,
            Self::Backoff => State::Backoff,
            Self::Done => State::Done,
            Self::Dead => State::Dead,
        }
    }

    pub(crate) fn is_pending(self) -> bool {
        matches!(self, Self::Ready | Self::Leased | Self::Backoff)
    }
}

impl Record {
    /// Creates a record for a notification that was never attempted.
    pub(crate) fn new(id: i64, kind: String, order_key: Option<Mac>, received_at: i64) -> Self {
        Self {
            id,
            kind,
            order_key,
            received_at,
            state: StoredState::Ready,
            fence: 0,
            tries: 0,
            due_at: received_at,
            holder: 0,
            is_sighting: false,
            completed_runs: 0,
            attempted: false,
            again: false,
            sightings: 0,
            recent: Vec::new(),
            formerly: None,
            cause: None,
            removed: None,
            original: None,
        }
    }

    /// Reads a stored record.
    pub(crate) fn read(payload: &[u8]) -> Result<Self, StoreError> {
        let record: Self = serde_json::from_slice(payload).map_err(|_| corrupt())?;
        if record.id > 0 { Ok(record) } else { Err(corrupt()) }
    }

    /// Returns the dead letter that replaces an unreadable record. `self` is a new record of the notification, with the
    /// ID 0 if the message does not exist. `sequence` is the sequence number of the unreadable message.
    ///
    /// The dead letter contains the unreadable record. Counters and facts that can be read are kept. The sequence
    /// number becomes the fence. It is larger than the fences of all earlier claims, because each claim is a message.
    pub(crate) fn replacing_unreadable(mut self, payload: &[u8], sequence: u64) -> Self {
        let old: serde_json::Value = serde_json::from_slice(payload).unwrap_or_default();
        let sequence = i64::try_from(sequence).unwrap_or(i64::MAX);
        if self.id == 0 {
            self.id = old["id"].as_i64().unwrap_or_default();
        }
        self.fence = old["fence"].as_i64().unwrap_or_default().max(sequence);
        self.completed_runs = old["completed_runs"].as_u64().unwrap_or_default();
        self.sightings = old["sightings"].as_u64().unwrap_or_default();
        self.removed = StoredFacts::deserialize(&old["removed"]).ok().map(Box::new);
        self.original = std::str::from_utf8(payload).ok().map(Box::from);
        self.bury(UNREADABLE_RECORD.to_owned());
        self
    }

    /// Returns whether this dead letter has replaced a record in a format that this program cannot read. A newer
    /// program may already have processed the notification. Text that is not a JSON object is not a record in any
    /// format.
    pub(crate) fn needs_newer_program(&self) -> bool {
        let Some(original) = &self.original else { return false };
        serde_json::from_str::<HashMap<String, IgnoredAny>>(original).is_ok()
            && Self::read(original.as_bytes()).is_err()
    }

    /// Restores the record that this dead letter has replaced, if this program can read it. The ID and the later
    /// sightings are kept. Returns `true` if the restored notification is processed, or was requeued here because of a
    /// duplicate.
    fn restore_original(&mut self, now: i64) -> bool {
        let Some(original) = self.original.take().and_then(|text| Self::read(text.as_bytes()).ok()) else {
            return false;
        };
        // A duplicate arrived while the notification was a dead letter, and it requires another run.
        let is_requeued = self.again && original.state == StoredState::Done;
        *self = Self {
            id: self.id,
            received_at: self.received_at,
            fence: original.fence.max(self.fence),
            sightings: original.sightings.max(self.sightings),
            recent: std::mem::take(&mut self.recent),
            formerly: self.formerly,
            removed: original.removed.or_else(|| self.removed.take()),
            ..original
        };
        if is_requeued {
            self.is_sighting = true;
            self.enqueue(now);
        }
        self.state == StoredState::Done || is_requeued
    }

    /// Returns whether this is a dead letter that contains the record that it has replaced.
    pub(crate) fn has_original(&self) -> bool {
        self.original.is_some()
    }

    /// Returns whether an operation has changed this record before.
    pub(crate) fn remembers(&self, operation: u64) -> bool {
        self.recent.contains(&operation)
    }

    /// Returns whether an operation has changed this record before. If it has not, remembers the operation.
    pub(crate) fn is_repeated(&mut self, operation: u64) -> bool {
        if self.remembers(operation) {
            return true;
        }
        if self.recent.len() >= REMEMBERED {
            self.recent.remove(0);
        }
        self.recent.push(operation);
        false
    }

    /// Returns whether the lease belongs to the last claim. The holder is also compared, because a store that was
    /// restored from a backup assigns the same fences again.
    pub(crate) fn is_leased_with(&self, lease: Lease) -> bool {
        self.state == StoredState::Leased && self.lease() == lease
    }

    /// Returns the lease of the last claim.
    pub(crate) fn lease(&self) -> Lease {
        Lease { id: Id::new(self.id), fence: self.fence, holder: self.holder }
    }

    pub(crate) fn claim(&mut self, now: i64, lease: Duration, holder: u64) {
        (self.state, self.due_at, self.attempted) = (StoredState::Leased, after(now, lease), true);
        (self.fence, self.holder) = (self.fence.saturating_add(1), holder);
        self.tries = self.tries.saturating_add(1);
    }

    pub(crate) fn extend(&mut self, now: i64, time: Duration) {
        self.due_at = after(now, time);
    }

    pub(crate) fn complete(&mut self, now: i64) {
        (self.completed_runs, self.attempted) = (self.completed_runs.saturating_add(1), false);
        if self.again {
            self.is_sighting = true;
            self.enqueue(now);
        } else {
            self.state = StoredState::Done;
        }
    }

    pub(crate) fn release(&mut self, now: i64, release: &Release) {
        match release {
            Release::Retry { after: delay, cause } => {
                (self.state, self.due_at) = (StoredState::Backoff, after(now, (*delay).min(MAX_DELAY)));
                self.cause = Some(cause.clone());
            }
            Release::GiveBack => {
                (self.state, self.due_at) = (StoredState::Ready, now);
                self.tries = self.tries.saturating_sub(1);
            }
            Release::DeadLetter { cause } => self.bury(cause.clone()),
        }
    }

    /// Records the arrival of a duplicate. Returns whether the record has changed.
    pub(crate) fn sight(&mut self, now: i64, requeue: bool, operation: u64) -> bool {
        if self.is_repeated(operation) {
            return false;
        }
        self.sightings = self.sightings.saturating_add(1);
        match self.state {
            _ if !requeue => {}
            StoredState::Done => {
                self.is_sighting = true;
                self.enqueue(now);
            }
            // The original record may be of a processed notification. If a redrive restores it, `again` causes another
            // run.
            StoredState::Dead => self.again |= self.has_original(),
            // A run that has not begun also covers this sighting, so no separate run is necessary.
            StoredState::Ready | StoredState::Leased | StoredState::Backoff => self.again |= self.attempted,
        }
        true
    }

    /// Makes a dead letter ready, or restores the record that it has replaced. A dead letter that needs a newer program
    /// is not changed. Returns whether the record has changed.
    pub(crate) fn redrive(&mut self, now: i64, operation: u64) -> bool {
        let is_changed = self.state == StoredState::Dead && !self.needs_newer_program() && !self.is_repeated(operation);
        if is_changed && !self.restore_original(now) {
            self.enqueue(now);
        }
        is_changed
    }

    /// Returns whether the record belongs to the message with this ID. The time of receipt is also compared, because
    /// IDs can be assigned again after a restore.
    pub(crate) fn fits(&self, id: i64, received_at: i64) -> bool {
        (self.id, self.received_at) == (id, received_at)
    }

    /// Moves the record to a later message of the notification, because its own message was lost.
    pub(crate) fn adopt(&mut self, now: i64, id: i64, received_at: i64) {
        self.formerly = (self.id != id).then_some(self.id);
        (self.id, self.received_at) = (id, received_at);
        if self.state == StoredState::Dead && self.cause.as_deref() == Some(MISSING) {
            self.enqueue(now);
        }
    }

    /// Turns a notification whose message does not exist into a dead letter.
    pub(crate) fn miss(&mut self) {
        self.bury(MISSING.to_owned());
    }

    fn enqueue(&mut self, now: i64) {
        (self.state, self.tries, self.due_at, self.again) = (StoredState::Ready, 0, now, false);
    }

    pub(crate) fn bury(&mut self, cause: String) {
        (self.state, self.cause) = (StoredState::Dead, Some(cause));
    }

    /// Removes the business ID and the object's state. A pending notification becomes a dead letter.
    pub(crate) fn erase(&mut self, mut facts: StoredFacts) {
        self.cause = None;
        if self.state.is_pending() {
            self.bury("erased".to_owned());
        }
        facts.erase();
        (self.order_key, self.original) = (None, None);
        self.removed = Some(Box::new(facts));
    }
}

#[cfg(test)]
mod tests;
