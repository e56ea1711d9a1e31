//! The order keys of the index. Of the notifications with one key, only one is claimable at a time.

use std::collections::BTreeSet;
use std::time::{Duration, Instant};

use paytend_inbox::Mac;

use crate::index::{Index, Pending};

/// The pending notifications with one order key.
#[derive(Default)]
pub(super) struct Order {
    /// The sequence number of the register's message, or 0 if it is not known.
    pub(super) sequence: u64,
    /// The ID of the claimable notification.
    pub(super) current: Option<i64>,
    /// Whether the register names the claimable notification.
    is_registered: bool,
    pending: BTreeSet<i64>,
}

impl Index {
    /// Adds a notification to its order key.
    ///
    /// The messages and the records are read independently, so a notification can be added before an earlier
    /// notification with the same key. The earlier notification then becomes the current notification. Exceptions are a
    /// current notification that was already claimed, is named in the register, or became pending again.
    pub(super) fn enter(&mut self, key: Option<Mac>, id: i64) {
        let Some(key) = key else { return };
        let order = self.orders.entry(key).or_default();
        order.pending.insert(id);
        let Some(current) = order.current else {
            order.current = Some(id);
            return;
        };
        let is_first_run = |pending: &Pending| pending.entered == 0;
        let is_replaceable = |pending: &Pending| pending.record.fence == 0 && is_first_run(pending);
        let is_earlier = id < current
            && !order.is_registered
            && self.pending.get(&current).is_some_and(is_replaceable)
            && self.pending.get(&id).is_some_and(is_first_run);
        if is_earlier {
            order.current = Some(id);
            self.place(current);
        }
    }

    /// Removes a notification from its order key. If it was the current notification, the pending notification with the
    /// smallest ID becomes the current notification.
    pub(super) fn leave(&mut self, key: Option<Mac>, id: i64) {
        let Some(key) = key else { return };
        let Some(order) = self.orders.get_mut(&key) else { return };
        order.pending.remove(&id);
        if order.current == Some(id) {
            (order.current, order.is_registered) = (order.pending.first().copied(), false);
        }
        let next = order.current;
        if order.pending.is_empty() {
            self.orders.remove(&key);
        }
        if let Some(next) = next {
            self.place(next);
        }
    }

    /// Applies an order key's register, which contains the ID of the key's current notification, unless a later
    /// register is known. A register that cannot be read is ignored.
    pub(crate) fn apply_order(&mut self, key: Mac, sequence: u64, current: Option<i64>) {
        let Some(order) = self.orders.get_mut(&key).filter(|order| order.sequence < sequence) else { return };
        order.sequence = sequence;
        let Some(current) = current else { return };
        let before = order.current;
        let is_awaited = !self.known.contains_key(&current);
        // A notification that became pending again after the register was written is not selected by this register.
        let is_later = self.pending.get(&current).is_some_and(|pending| pending.entered > sequence);
        if is_awaited || (order.pending.contains(&current) && !is_later) {
            (order.current, order.is_registered) = (Some(current), true);
        }
        if is_awaited {
            // The register names a notification that has not been read yet. Until it is read, no other notification
            // with the key can be claimed.
            self.awaited.insert(current, (key, Instant::now()));
        }
        for id in before.into_iter().chain([current]) {
            self.place(id);
        }
    }

    /// Records that the register of an order key was deleted. The next register is then the first message of its
    /// subject.
    pub(crate) fn remove_register(&mut self, key: Mac) {
        if let Some(order) = self.orders.get_mut(&key) {
            order.sequence = 0;
        }
    }

    /// Returns whether an order key has pending notifications.
    pub(crate) fn has_pending(&self, key: Mac) -> bool {
        self.orders.contains_key(&key)
    }

    /// Selects the next notification for each order key whose register names a notification up to `position` that is
    /// not pending. The stream has been read up to this position, so such a notification is processed or does not
    /// exist.
    pub(crate) fn settle_awaited(&mut self, position: u64) {
        let position = i64::try_from(position).unwrap_or(i64::MAX);
        self.settle(|id, _| id <= position);
    }

    /// Selects the next notification for each order key whose register names a notification that was not read within
    /// this time. Such a notification does not exist, because all stored messages have been read.
    pub(crate) fn settle_missing(&mut self, time: Duration) {
        self.settle(|_, since| since.elapsed() >= time);
    }

    fn settle(&mut self, is_settled: impl Fn(i64, Instant) -> bool) {
        let settled = self.awaited.iter().filter(|(id, (_, since))| is_settled(**id, *since));
        let settled: Vec<(i64, Mac)> = settled.map(|(id, (key, _))| (*id, *key)).collect();
        for (id, key) in settled {
            self.awaited.remove(&id);
            if !self.pending.contains_key(&id) {
                self.leave(Some(key), id);
            }
        }
    }

    /// Returns whether a notification is the claimable notification of its order key.
    pub(crate) fn is_current(&self, key: Mac, id: i64) -> bool {
        self.orders.get(&key).is_some_and(|order| order.current == Some(id) && order.pending.contains(&id))
    }

    /// Returns a description of each order key that has pending notifications but no claimable notification.
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
