//! An in-memory index of the store. Each program builds its index from the streams.
//!
//! The index determines which notifications a program tries to claim. The conditional writes determine whether a claim
//! succeeds. An outdated index therefore causes conflicts, but no wrong results.

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::time::Duration;

use paytend_inbox::{ClaimRequest, Mac, State, Stats};

use crate::record::{Record, StoredState};

#[derive(Default)]
pub(crate) struct Index {
    known: BTreeMap<i64, Known>,
    pending: BTreeMap<i64, Pending>,
    /// The claimable notifications, by due time and number.
    due: BTreeSet<(i64, i64)>,
    orders: HashMap<Mac, Order>,
    /// The current notifications of order keys that the index does not contain yet.
    awaited: BTreeMap<i64, Mac>,
    counts: [u64; 5],
    sightings: u64,
}

/// The data of each notification in the index.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Known {
    pub(crate) dedup: Mac,
    pub(crate) state: StoredState,
    /// The sequence number of the record's message, or 0 if there is no record.
    pub(crate) sequence: u64,
    pub(crate) received_at: i64,
    pub(crate) removed: bool,
    sightings: u64,
}

struct Pending {
    record: Record,
    /// The due time in `due`, if the notification is claimable.
    placed: Option<i64>,
    /// The sequence number of the record that made the notification pending again, or 0.
    entered: u64,
}

#[derive(Default)]
struct Order {
    /// The sequence number of the register's message, or 0 if it is not known.
    sequence: u64,
    /// The number of the claimable notification.
    current: Option<i64>,
    pending: BTreeSet<i64>,
}

/// A notification to claim.
#[derive(Clone, Debug)]
pub(crate) struct Candidate {
    pub(crate) dedup: Mac,
    pub(crate) sequence: u64,
    pub(crate) record: Record,
    /// The order key, and the sequence number of its register's message.
    pub(crate) order: Option<(Mac, u64)>,
}

impl Index {
    /// Adds a notification, unless the index already contains it.
    pub(crate) fn add(&mut self, dedup: Mac, record: Record) -> bool {
        if self.known.contains_key(&record.id) {
            return false;
        }
        self.set(dedup, 0, record);
        true
    }

    /// Applies a record, unless a later record of the notification is known.
    pub(crate) fn apply(&mut self, dedup: Mac, sequence: u64, record: Record) -> bool {
        if self.known.get(&record.id).is_some_and(|known| known.sequence >= sequence) {
            return false;
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
            sightings: record.sightings,
        };
        self.counts[record.state as usize] += 1;
        self.sightings += record.sightings;
        let before = self.known.insert(id, known);
        if record.state.is_pending() {
            let (placed, entered) = match (self.pending.get(&id), before) {
                (Some(pending), _) => (pending.placed, pending.entered),
                (None, Some(_)) => (None, sequence),
                (None, None) => (None, 0),
            };
            self.pending.insert(id, Pending { record, placed, entered });
        } else if let Some(Pending { placed: Some(due_at), .. }) = self.pending.remove(&id) {
            self.due.remove(&(due_at, id));
        }
        if old_key != new_key {
            self.leave(old_key, id);
            self.enter(new_key, id);
        }
        self.place(id);
    }

    /// Removes a notification that no longer exists.
    pub(crate) fn remove(&mut self, id: i64) {
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
            self.sightings -= known.sightings;
        }
    }

    fn enter(&mut self, key: Option<Mac>, id: i64) {
        let Some(key) = key else { return };
        let order = self.orders.entry(key).or_default();
        order.pending.insert(id);
        order.current.get_or_insert(id);
    }

    /// Removes a notification from its order key. If it was the current notification, the pending notification with the
    /// smallest number becomes the current notification.
    fn leave(&mut self, key: Option<Mac>, id: i64) {
        let Some(key) = key else { return };
        let Some(order) = self.orders.get_mut(&key) else { return };
        order.pending.remove(&id);
        if order.current == Some(id) {
            order.current = order.pending.first().copied();
        }
        let next = order.current;
        if order.pending.is_empty() {
            self.orders.remove(&key);
        }
        if let Some(next) = next {
            self.place(next);
        }
    }

    /// Applies the register of an order key, unless a later register is known.
    pub(crate) fn apply_order(&mut self, key: Mac, sequence: u64, current: i64) {
        let Some(order) = self.orders.get_mut(&key).filter(|order| order.sequence < sequence) else { return };
        order.sequence = sequence;
        let before = order.current;
        let is_awaited = !self.known.contains_key(&current);
        // If the notification became pending again after the register was written, it waits for the current
        // notification.
        let is_later = self.pending.get(&current).is_some_and(|pending| pending.entered > sequence);
        if is_awaited || (order.pending.contains(&current) && !is_later) {
            order.current = Some(current);
        }
        if is_awaited {
            // Until this notification is read, no other notification of the key may be claimed.
            self.awaited.insert(current, key);
        }
        for id in before.into_iter().chain([current]) {
            self.place(id);
        }
    }

    /// Selects the next notification for order keys whose current notification is not pending. The stream was read up
    /// to `position`.
    pub(crate) fn settle_awaited(&mut self, position: u64) {
        let position = i64::try_from(position).unwrap_or(i64::MAX);
        while let Some(entry) = self.awaited.first_entry().filter(|entry| *entry.key() <= position) {
            let (id, key) = entry.remove_entry();
            if !self.pending.contains_key(&id) {
                self.leave(Some(key), id);
            }
        }
    }

    /// Adds a pending notification to the claimable notifications if it is the current notification of its key, and
    /// removes it otherwise.
    fn place(&mut self, id: i64) {
        let Some(pending) = self.pending.get_mut(&id) else { return };
        let order = pending.record.order_key.and_then(|key| self.orders.get(&key));
        let is_current = order.is_none_or(|order| order.current == Some(id));
        let wanted = is_current.then_some(pending.record.due_at);
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

    /// Returns whether a notification is the claimable notification of its order key.
    pub(crate) fn is_current(&self, key: Mac, id: i64) -> bool {
        self.orders.get(&key).is_some_and(|order| order.current == Some(id) && order.pending.contains(&id))
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

    /// Returns up to `limit` notifications with numbers above `after` for which `wanted` returns true.
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
        let oldest = self.due.first().map(|(due_at, _)| now - due_at).filter(|age| *age >= 0);
        stats.oldest_ready = oldest.map(|age| Duration::from_millis(age.unsigned_abs()));
        stats
    }

    /// Returns a problem for each order key that has pending notifications but no claimable notification.
    pub(crate) fn order_problems(&self) -> Vec<String> {
        let is_wrong = |id| !self.awaited.contains_key(&id);
        let wrong = self
            .orders
            .values()
            .filter(|order| order.current.is_none_or(|id| !order.pending.contains(&id) && is_wrong(id)));
        wrong
            .map(|order| {
                format!("an order key with {} notifications has no claimable notification", order.pending.len())
            })
            .collect()
    }
}

/// Returns whether a known notification has this state.
pub(crate) fn has_state(known: &Known, state: Option<State>) -> bool {
    state.is_none_or(|state| known.state.get() == state)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn key() -> Mac {
        Mac::from_bytes([1; 32])
    }

    fn record(id: i64, state: StoredState) -> Record {
        let mut record = Record::new(id, "kind".into(), Some(key()), 10);
        record.state = state;
        record
    }

    fn dedup(id: i64) -> Mac {
        let mut bytes = [0; 32];
        bytes[..8].copy_from_slice(&id.to_be_bytes());
        Mac::from_bytes(bytes)
    }

    fn claimable(index: &Index) -> Vec<i64> {
        let request = ClaimRequest { limit: 9, lease: Duration::ZERO, holder: 1, kind_limits: Vec::new() };
        index.candidates(10, &request, 0).into_iter().map(|candidate| candidate.record.id).collect()
    }

    #[test]
    fn records_that_arrive_before_their_notification_or_out_of_order_are_kept() {
        let mut index = Index::default();
        assert!(index.apply(dedup(1), 5, record(1, StoredState::Done)));
        assert!(!index.add(dedup(1), record(1, StoredState::Ready)));
        assert!(!index.apply(dedup(1), 4, record(1, StoredState::Leased)));
        assert_eq!(index.known(1).unwrap().state, StoredState::Done);
        assert_eq!((index.stats(10).done, index.stats(10).ready), (1, 0));
        index.remove(1);
        assert_eq!(index.stats(10), Stats::default());
    }

    #[test]
    fn notification_in_the_register_blocks_its_key_until_it_is_read() {
        let mut index = Index::default();
        index.add(dedup(1), record(1, StoredState::Ready));
        index.apply_order(key(), 7, 5);
        assert_eq!(claimable(&index), Vec::<i64>::new());
        index.settle_awaited(4);
        assert_eq!(claimable(&index), Vec::<i64>::new());
        // The notification is pending, so it stays the current notification.
        index.add(dedup(5), record(5, StoredState::Ready));
        index.settle_awaited(5);
        assert_eq!(claimable(&index), [5]);
        index.apply(dedup(5), 9, record(5, StoredState::Done));
        assert_eq!(claimable(&index), [1]);
        // The notification no longer exists.
        index.apply_order(key(), 10, 8);
        assert_eq!(index.order_problems(), Vec::<String>::new());
        index.settle_awaited(8);
        assert_eq!(claimable(&index), [1]);
        // An earlier message of the register changes nothing.
        index.apply_order(key(), 8, 99);
        assert_eq!(claimable(&index), [1]);
    }

    #[test]
    fn redriven_notification_is_not_selected_by_an_earlier_register() {
        let mut index = Index::default();
        index.apply(dedup(1), 6, record(1, StoredState::Dead));
        index.add(dedup(2), record(2, StoredState::Ready));
        index.apply(dedup(1), 7, record(1, StoredState::Ready));
        index.apply_order(key(), 5, 1);
        assert_eq!(claimable(&index), [2]);
        index.apply_order(key(), 8, 1);
        assert_eq!(claimable(&index), [1]);
        // In an index without the redrive, the register determines the current notification.
        let mut index = Index::default();
        index.add(dedup(2), record(2, StoredState::Ready));
        index.apply(dedup(1), 7, record(1, StoredState::Ready));
        index.apply_order(key(), 5, 1);
        assert_eq!(claimable(&index), [1]);
    }

    #[test]
    fn redriven_notification_waits_for_the_current_notification() {
        let mut index = Index::default();
        index.apply(dedup(1), 1, record(1, StoredState::Dead));
        index.apply(dedup(2), 2, record(2, StoredState::Leased));
        index.apply(dedup(1), 3, record(1, StoredState::Ready));
        index.add(dedup(3), record(3, StoredState::Ready));
        assert_eq!(claimable(&index), [2], "its lease has ended");
        index.apply(dedup(2), 4, record(2, StoredState::Done));
        assert_eq!(claimable(&index), [1]);
        index.apply(dedup(1), 5, record(1, StoredState::Dead));
        assert_eq!(claimable(&index), [3]);
    }
}
