//! How many requests at once, and how many in a time.

use std::collections::VecDeque;
use std::fmt;
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use tokio::sync::Semaphore;

/// The limits of a client and its clones.
pub(crate) struct Limits {
    pub(crate) at_once: Option<Semaphore>,
    pub(crate) rate: Option<Rate>,
}

impl fmt::Debug for Limits {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Limits").field("rate", &self.rate).finish_non_exhaustive()
    }
}

/// At most so many requests in any such time.
#[derive(Debug)]
pub(crate) struct Rate {
    count: usize,
    per: Duration,
    /// When the last so many requests began, or will: in order.
    begins: Mutex<VecDeque<Duration>>,
}

/// A request's place in time. Dropped before it is used, it is given back.
#[derive(Debug)]
pub(crate) struct Slot<'r> {
    rate: &'r Rate,
    begin: Duration,
    pub(crate) wait: Duration,
    used: bool,
}

impl Rate {
    pub(crate) fn new(count: u32, per: Duration) -> Self {
        Self { count: usize::try_from(count).unwrap_or(usize::MAX), per, begins: Mutex::default() }
    }

    /// Takes the next place, if it is no further away than `left`.
    pub(crate) fn take(&self, now: Duration, left: Duration) -> Option<Slot<'_>> {
        let mut begins = self.begins.lock().unwrap_or_else(PoisonError::into_inner);
        // The one that so many requests began before must be a whole time ago.
        let last = begins.len().checked_sub(self.count).and_then(|at| begins.get(at));
        let begin = last.map_or(now, |begin| begin.saturating_add(self.per).max(now));
        let wait = begin - now;
        if wait >= left {
            return None;
        }
        begins.push_back(begin);
        while begins.len() > self.count.saturating_mul(2)
            || begins.front().is_some_and(|b| b.saturating_add(self.per) <= now)
        {
            begins.pop_front();
        }
        Some(Slot { rate: self, begin, wait, used: false })
    }
}

impl Slot<'_> {
    /// The request begins now.
    pub(crate) fn used(mut self) {
        self.used = true;
    }
}

impl Drop for Slot<'_> {
    fn drop(&mut self) {
        if self.used {
            return;
        }
        let mut begins = self.rate.begins.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(at) = begins.iter().rposition(|begin| *begin == self.begin) {
            begins.remove(at);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const FOREVER: Duration = Duration::MAX;

    fn waits(rate: &Rate, now: u64, calls: usize) -> Vec<u128> {
        let one = |_| {
            let slot = rate.take(Duration::from_millis(now), FOREVER).unwrap();
            let wait = slot.wait.as_millis();
            slot.used();
            wait
        };
        (0..calls).map(one).collect()
    }

    #[test]
    fn a_burst_passes_and_the_rest_waits_its_turn() {
        let rate = Rate::new(3, Duration::from_secs(1));
        assert_eq!(waits(&rate, 100_000, 8), [0, 0, 0, 1000, 1000, 1000, 2000, 2000]);
        assert_eq!(waits(&rate, 100_500, 2), [1500, 2500]);
        // Idle time gives no more than one burst.
        assert_eq!(waits(&rate, 900_000, 4), [0, 0, 0, 1000]);
    }

    /// In any window of the time there are no more than the count.
    #[test]
    fn no_window_holds_more() {
        let rate = Rate::new(5, Duration::from_millis(1000));
        let mut begins = Vec::new();
        for now in (0..10_000).step_by(70) {
            let slot = rate.take(Duration::from_millis(now), FOREVER).unwrap();
            begins.push(now + u64::try_from(slot.wait.as_millis()).unwrap());
            slot.used();
        }
        assert!(begins.is_sorted());
        for window in begins.windows(6) {
            assert!(window[5] - window[0] >= 1000, "{window:?}");
        }
    }

    /// Who does not come in time takes no place, and who goes away gives it back: the next ones do not wait for nobody.
    #[test]
    fn nobody_waits_for_who_is_not_there() {
        let rate = Rate::new(1, Duration::from_secs(1));
        let now = Duration::from_secs(5);
        rate.take(now, FOREVER).unwrap().used();
        for _ in 0..100 {
            assert!(rate.take(now, Duration::from_millis(1000)).is_none());
        }
        for _ in 0..100 {
            assert_eq!(rate.take(now, FOREVER).unwrap().wait, Duration::from_secs(1));
        }
        let longest = Rate::new(1, Duration::MAX);
        longest.take(now, FOREVER).unwrap().used();
        assert!(longest.take(now, Duration::from_secs(60)).is_none());
    }
}
