//! An in-memory index of the store. Each program builds its index from the streams.
//!
//! The index determines which notifications a program tries to claim. The conditional writes determine whether a claim
//! succeeds. Therefore, an outdated index can cause conflicting writes, but never a wrong result.

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::time::{Duration, Instant};

use paytend_inbox::{ClaimRequest, Mac, State, Stats};

use crate::record::{Record, StoredState};

mod order;

use order::Order;

#[derive(Default)]
pub(crate) struct Index {
    known: BTreeMap<i64, Known>,
    pending: BTreeMap<i64, Pending>,
    /// The claimable notifications, sorted by due time and ID.
    due: BTreeSet<(i64, i64)>,
    orders: HashMap<Mac, Order>,
    /// The notifications that a register names as current but that have not been read yet. Each ID maps to the order
    /// key and the time at which the register was read.
    awaited: BTreeMap<i64, (Mac, Instant)>,
    /// The records whose ID belongs to a different notification, because the streams were restored from backups of
    /// different times.
    displaced: BTreeMap<Mac, (u64, Record)>,
    counts: [u64; 5],
    sightings: u64,
}

/// The data that the index contains for each notification.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Known {
    pub(crate) dedup: Mac,
    pub(crate) state: StoredState,
    /// The sequence number of the record's message, or 0 if there is no record.
    pub(crate) sequence: u64,
    pub(crate) received_at: i64,
    pub(crate) removed: bool,
    /// Whether the message has been read. It may have been deleted since then.
    pub(crate) has_message: bool,
    sightings: u64,
}

struct Pending {
    record: Record,
    /// The due time of the notification's entry in `due`, or `None` if the notification is not claimable.
    placed: Option<i64>,
    /// The sequence number of the record that made the notification pending again, or 0 if it was always pending.
    entered: u64,
    /// The time before which the notification is not claimed, because its message was not found.
    delayed: Option<i64>,
}

/// A notification that a worker can try to claim.
#[derive(Clone, Debug)]
pub(crate) struct Candidate {
    pub(crate) dedup: Mac,
    pub(crate) sequence: u64,
    pub(crate) record: Record,
    /// The order key, and the sequence number of its register's message.
    pub(crate) order: Option<(Mac, u64)>,
}

impl Index {
    /// Adds a notification whose message was read, unless it is already known. If another notification has the same ID,
    /// that notification loses the ID, because its message no longer exists.
    pub(crate) fn add(&mut self, dedup: Mac, record: Record) -> bool {
        let id = record.id;
        match self.known.get_mut(&id) {
            Some(known) if known.dedup == dedup => {
                known.has_message = true;
                return false;
            }
            Some(known) => {
                let (other, sequence) = (known.dedup, known.sequence);
                let own = self.pending.get(&id).map(|pending| pending.record.clone());
                self.remove(id, other);
                let unknown = || Record::new(id, String::new(), None, 0);
                self.displaced.insert(other, (sequence, own.unwrap_or_else(unknown)));
            }
            None => {}
        }
        let (sequence, record) = match self.displaced.remove(&dedup) {
            Some(own) if own.1.id == id => own,
            Some(other) => {
                self.displaced.insert(dedup, other);
                (0, record)
            }
            None => (0, record),
        };
        self.set(dedup, sequence, record);
        self.set_message(id, dedup, true);
        true
    }

    /// Applies a record, unless a later record of the notification is known.
    pub(crate) fn apply(&mut self, dedup: Mac, sequence: u64, record: Record) -> bool {
        let known = self.known.get(&record.id);
        if self.displaced.get(&dedup).is_some_and(|(later, _)| *later > sequence)
            || known.is_some_and(|known| known.dedup == dedup && known.sequence >= sequence)
        {
            return false;
        }
        if known.is_some_and(|known| known.dedup != dedup) {
            self.displaced.insert(dedup, (sequence, record));
            return false;
        }
        self.displaced.remove(&dedup);
        if let Some(formerly) = record.formerly {
            self.remove(formerly, dedup);
        }
        self.set(dedup, sequence, record);
        true
    }

    fn set(&mut self, dedup: Mac, sequence: u64, record: Record) {
        let id = record.id;
        self.uncount(id);
        let old_key = self.pending.get(&id).and_then(|pending| pending.record.order_key);
        let new_key = record.order_key.filter(|_| record.state.is_pending());
        let known = Known {
            dedup,
            state: record.state,
            sequence,
            received_at: record.received_at,
            removed: record.removed.is_some(),
            has_message: self.known.get(&id).is_some_and(|known| known.has_message),
            sightings: record.sightings,
        };
        self.counts[record.state as usize] += 1;
        self.sightings = self.sightings.wrapping_add(record.sightings);
        let before = self.known.insert(id, known);
        if record.state.is_pending() {
            let (placed, entered) = match (self.pending.get(&id), before) {
                (Some(pending), _) => (pending.placed, pending.entered),
                (None, Some(_)) => (None, sequence),
                (None, None) => (None, 0),
            };
            self.pending.insert(id, Pending { record, placed, entered, delayed: None });
        } else if let Some(Pending { placed: Some(due_at), .. }) = self.pending.remove(&id) {
            self.due.remove(&(due_at, id));
        }
        if old_key != new_key {
            self.leave(old_key, id);
            self.enter(new_key, id);
        }
        self.place(id);
    }

    /// Replaces the record of a notification with a new record, because the stored record was not found. The
    /// notification stays the current notification of its order key, if it was before.
    pub(crate) fn renew(&mut self, dedup: Mac, record: Record) {
        if self.known.get(&record.id).is_some_and(|known| known.dedup == dedup) {
            self.set(dedup, 0, record);
        } else {
            self.add(dedup, record);
        }
    }

    /// Records whether a notification has a message.
    pub(crate) fn set_message(&mut self, id: i64, dedup: Mac, exists: bool) {
        if let Some(known) = self.known.get_mut(&id).filter(|known| known.dedup == dedup) {
            known.has_message = exists;
        }
    }

    /// Delays a notification whose message was not found. Returns whether it had already been delayed.
    pub(crate) fn delay(&mut self, id: i64, until: i64) -> bool {
        let Some(pending) = self.pending.get_mut(&id) else { return false };
        let is_repeated = pending.delayed.is_some();
        pending.delayed = Some(until);
        self.place(id);
        is_repeated
    }

    /// Removes a notification that was forgotten, if its last record had this sequence number.
    pub(crate) fn forget(&mut self, id: i64, sequence: u64) {
        if let Some(known) = self.known(id).filter(|known| known.sequence == sequence) {
            self.remove(id, known.dedup);
        }
    }

    /// Removes a notification that no longer exists and never had a record, if the ID belongs to this dedup key.
    pub(crate) fn remove_unrecorded(&mut self, id: i64, dedup: Mac) {
        if self.known.get(&id).is_some_and(|known| known.sequence == 0) {
            self.remove(id, dedup);
        }
    }

    /// Removes a notification that no longer exists, if the ID belongs to this dedup key.
    pub(crate) fn remove(&mut self, id: i64, dedup: Mac) {
        if self.known.get(&id).is_none_or(|known| known.dedup != dedup) {
            return;
        }
        self.uncount(id);
        self.known.remove(&id);
        if let Some(Pending { placed, record, .. }) = self.pending.remove(&id) {
            if let Some(due_at) = placed {
                self.due.remove(&(due_at, id));
            }
            self.leave(record.order_key, id);
        }
    }

    fn uncount(&mut self, id: i64) {
        if let Some(known) = self.known.get(&id) {
            self.counts[known.state as usize] -= 1;
            self.sightings = self.sightings.wrapping_sub(known.sightings);
        }
    }

    /// Adds a pending notification to the claimable notifications if it is the current notification of its key.
    /// Otherwise, removes it from the claimable notifications.
    fn place(&mut self, id: i64) {
        let Some(pending) = self.pending.get_mut(&id) else { return };
        let order = pending.record.order_key.and_then(|key| self.orders.get(&key));
        let is_current = order.is_none_or(|order| order.current == Some(id));
        let due_at = pending.record.due_at.max(pending.delayed.unwrap_or(i64::MIN));
        let wanted = is_current.then_some(due_at);
        if pending.placed == wanted {
            return;
        }
        if let Some(due_at) = pending.placed {
            self.due.remove(&(due_at, id));
        }
        if let Some(due_at) = wanted {
            self.due.insert((due_at, id));
        }
        pending.placed = wanted;
    }

    /// Returns the notifications to claim, starting with the notification that has been due for the longest time.
    /// `skip` is the number of notifications to skip.
    pub(crate) fn candidates(&self, now: i64, request: &ClaimRequest, skip: usize) -> Vec<Candidate> {
        let mut room: HashMap<&str, usize> =
            request.kind_limits.iter().map(|(kind, limit)| (kind.as_str(), *limit)).collect();
        let mut found = Vec::new();
        for (_, id) in self.due.range(..(now.saturating_add(1), i64::MIN)).skip(skip) {
            if found.len() == request.limit {
                break;
            }
            let (Some(known), Some(pending)) = (self.known.get(id), self.pending.get(id)) else { continue };
            match room.get_mut(pending.record.kind.as_str()) {
                Some(0) => continue,
                Some(room) => *room -= 1,
                None => {}
            }
            let order = pending.record.order_key.map(|key| (key, self.orders.get(&key).map_or(0, |o| o.sequence)));
            let (dedup, sequence) = (known.dedup, known.sequence);
            found.push(Candidate { dedup, sequence, record: pending.record.clone(), order });
        }
        found
    }

    /// Returns the number of claimable notifications.
    pub(crate) fn due_count(&self, now: i64) -> usize {
        self.due.range(..(now.saturating_add(1), i64::MIN)).count()
    }

    pub(crate) fn known(&self, id: i64) -> Option<Known> {
        self.known.get(&id).copied()
    }

    /// Returns the record of a pending notification, with the sequence number of its message.
    pub(crate) fn pending(&self, id: i64) -> Option<(u64, Record)> {
        Some((self.known.get(&id)?.sequence, self.pending.get(&id)?.record.clone()))
    }

    /// Returns up to `limit` notifications with IDs above `after` for which `wanted` returns `true`.
    pub(crate) fn select(&self, after: i64, limit: usize, wanted: impl Fn(&Known) -> bool) -> Vec<(i64, Known)> {
        let from = after.saturating_add(1);
        let chosen = self.known.range(from..).filter(|(_, known)| wanted(known));
        chosen.take(limit).map(|(id, known)| (*id, *known)).collect()
    }

    pub(crate) fn stats(&self, now: i64) -> Stats {
        let count = |state: StoredState| self.counts[state as usize];
        let mut stats = Stats::default();
        (stats.ready, stats.leased) = (count(StoredState::Ready), count(StoredState::Leased));
        (stats.backoff, stats.done) = (count(StoredState::Backoff), count(StoredState::Done));
        (stats.dead, stats.sightings) = (count(StoredState::Dead), self.sightings);
        let oldest = self.due.first().map(|(due_at, _)| now.saturating_sub(*due_at)).filter(|age| *age >= 0);
        stats.oldest_ready = oldest.map(|age| Duration::from_millis(age.unsigned_abs()));
        stats
    }

    /// Returns the time at which the notification with the largest ID was received.
    pub(crate) fn last_received(&self) -> Option<i64> {
        self.known.values().next_back().map(|known| known.received_at)
    }

    /// Returns the dedup keys of the records whose ID belongs to a different notification.
    pub(crate) fn displaced(&self) -> Vec<Mac> {
        self.displaced.keys().copied().collect()
    }
}

/// Returns whether a known notification has this state.
pub(crate) fn has_state(known: &Known, state: Option<State>) -> bool {
    state.is_none_or(|state| known.state.get() == state)
}

#[cfg(test)]
mod tests;
