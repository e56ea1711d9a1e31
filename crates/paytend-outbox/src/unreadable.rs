//! Orders that this version of the program cannot read.

use std::collections::{HashMap, HashSet};
use std::fmt;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::SystemTime;

/// How long claims skip an order that cannot be read, in milliseconds.
const PAUSE: i64 = 60_000;

/// An order that this version of the program cannot read, because a newer version has written it or its row is damaged.
///
/// The order is never sent and never changed. Later orders with its order key wait for it.
#[derive(Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct UnreadableOrder {
    /// The store's ID for the order.
    pub id: i64,
    /// The order number, if it can be read. It can be personal data, so `Debug` output does not contain it.
    pub number: Option<String>,
    /// The time at which the order was submitted, by the store's clock.
    pub submitted_at: SystemTime,
}

impl UnreadableOrder {
    /// Creates the description of an order that cannot be read. A store uses this function.
    pub fn new(id: i64, number: Option<String>, submitted_at: SystemTime) -> Self {
        Self { id, number, submitted_at }
    }
}

impl fmt::Debug for UnreadableOrder {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("UnreadableOrder").field("id", &self.id).finish_non_exhaustive()
    }
}

/// Returns the problem that `check` reports for orders that cannot be read, if there are any. `first` is the number of
/// one of them. It is intended for store crates.
pub fn unreadable_problem(count: u64, first: Option<&str>) -> Option<String> {
    let such_as = first.map(|first| format!(", such as {first}")).unwrap_or_default();
    (count > 0).then(|| {
        format!(
            "{count} orders cannot be read{such_as}: a newer program may have written them, so use the newest version"
        )
    })
}

/// The IDs of orders that the claims of this process could not read. It is intended for store crates.
///
/// Claims skip these orders for a minute. Otherwise, every claim would read and report them again. Nothing is written
/// about these orders, so another process with a newer version can claim them at any time. Times are in milliseconds by
/// the store's clock.
#[derive(Debug, Default)]
pub struct SkippedOrders {
    /// The time until which each order is skipped.
    until: Mutex<HashMap<i64, i64>>,
}

impl SkippedOrders {
    fn until(&self) -> MutexGuard<'_, HashMap<i64, i64>> {
        self.until.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Returns the orders that a claim at this time skips.
    pub fn at(&self, now: i64) -> HashSet<i64> {
        // If the clock was set back, a time can be further in the future than the pause.
        let skips = |until: i64| until > now && until <= now.saturating_add(PAUSE);
        self.until().iter().filter(|(_, until)| skips(**until)).map(|(id, _)| *id).collect()
    }

    /// Records the orders that a claim could not read, and logs them. An order that is still unreadable after the pause
    /// is not logged again. Returns the number of orders that were logged.
    pub fn record(&self, now: i64, unreadable: &[i64]) -> usize {
        let mut until = self.until();
        let count = until.len();
        // An order that was not found again after its pause is closed, waits, or can be read.
        until.retain(|_, until| until.abs_diff(now) <= PAUSE.unsigned_abs());
        let mut new = Vec::new();
        for id in unreadable {
            if until.insert(*id, now.saturating_add(PAUSE)).is_none() {
                new.push(*id);
            }
        }
        if let Some(first) = new.first() {
            tracing::error!(
                count = new.len(),
                id = first,
                "orders cannot be read and are not sent: use the newest version of the program; \
                 `paytend outbox list` names these orders"
            );
        }
        if count > 0 || !until.is_empty() {
            let count = u32::try_from(until.len()).unwrap_or(u32::MAX);
            metrics::gauge!("paytend_outbox_unreadable_orders").set(count);
        }
        new.len()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn unreadable_orders_are_skipped_for_a_minute_and_logged_once() {
        let skipped = SkippedOrders::default();
        assert!(skipped.record(0, &[]) == 0 && skipped.at(0).is_empty());
        assert_eq!(skipped.record(1_000, &[7, 8]), 2);
        assert_eq!(skipped.at(1_000), [7, 8].into());
        assert_eq!(skipped.record(2_000, &[9]), 1);
        assert_eq!(skipped.at(60_999), [7, 8, 9].into());
        // The claims after the pause read the orders again.
        assert_eq!(skipped.at(61_000), [9].into());
        assert_eq!(skipped.record(61_500, &[7]), 0, "an order was logged twice");
        assert_eq!(skipped.at(61_500), [7, 9].into());
        // The order 8 was not found again, because it was fixed. It is logged if it becomes unreadable again.
        assert_eq!(skipped.record(121_001, &[7]), 0);
        assert_eq!(skipped.record(121_001, &[8]), 1);
    }

    #[test]
    fn clock_that_is_set_back_does_not_extend_the_pause() {
        let skipped = SkippedOrders::default();
        skipped.record(1_000_000, &[7]);
        assert!(skipped.at(0).is_empty());
        assert!(skipped.at(i64::MAX).is_empty() && skipped.at(i64::MIN).is_empty());
        assert_eq!(skipped.record(0, &[7]), 1);
        assert_eq!(skipped.at(0), [7].into());
        skipped.record(i64::MAX, &[7]);
    }

    #[test]
    fn debug_output_does_not_contain_the_number() {
        let order = UnreadableOrder::new(7, Some("4711".into()), SystemTime::UNIX_EPOCH);
        assert!(!format!("{order:?}").contains("4711"));
    }
}
