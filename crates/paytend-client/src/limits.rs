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
    /// When the last so many requests begin, in order. A caller who goes away leaves its place empty: whoever takes a later one already waits.
    begins: Mutex<VecDeque<Duration>>,
}

impl Rate {
    pub(crate) fn new(count: u32, per: Duration) -> Self {
        Self { count: usize::try_from(count).unwrap_or(usize::MAX), per, begins: Mutex::default() }
    }

    /// Takes the next place, if it is no further away than `left`; how long to wait for it.
    pub(crate) fn take(&self, now: Duration, left: Duration) -> Option<Duration> {
        let mut begins = self.begins.lock().unwrap_or_else(PoisonError::into_inner);
        let last = begins.back().copied().unwrap_or_default();
        // The one that is so many before this one must be a whole time ago.
        let free = begins.len().checked_sub(self.count).and_then(|at| begins.get(at));
        let begin = free.map_or(now, |begin| begin.saturating_add(self.per)).max(now).max(last);
        let wait = begin - now;
        if wait >= left {
            return None;
        }
        begins.push_back(begin);
        // No more than so many matter, and none that is a whole time ago.
        while begins.len() > self.count || begins.front().is_some_and(|first| first.saturating_add(self.per) <= now) {
            begins.pop_front();
        }
        Some(wait)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const FOREVER: Duration = Duration::MAX;

    fn waits(rate: &Rate, now: u64, calls: usize) -> Vec<u128> {
        (0..calls).map(|_| rate.take(Duration::from_millis(now), FOREVER).unwrap().as_millis()).collect()
    }

    #[test]
    fn a_burst_passes_and_the_rest_waits_its_turn() {
        let rate = Rate::new(3, Duration::from_secs(1));
        assert_eq!(waits(&rate, 100_000, 8), [0, 0, 0, 1000, 1000, 1000, 2000, 2000]);
        assert_eq!(waits(&rate, 100_500, 2), [1500, 2500]);
        // Idle time gives no more than one burst.
        assert_eq!(waits(&rate, 900_000, 4), [0, 0, 0, 1000]);
    }

    /// In any window of the time there are no more than the count, whoever is refused in between, and however long the queue is.
    #[test]
    fn no_window_holds_more() {
        for (count, step) in [(1, 70), (2, 300), (5, 70), (5, 900), (3, 1)] {
            let rate = Rate::new(count, Duration::from_millis(1000));
            let mut begins = Vec::new();
            let mut now = 5000;
            for turn in 0..400_u64 {
                now += turn % 7 * step;
                let left = if turn % 3 == 0 { Duration::from_millis(1500) } else { FOREVER };
                if let Some(wait) = rate.take(Duration::from_millis(now), left) {
                    begins.push(now + u64::try_from(wait.as_millis()).unwrap());
                }
            }
            assert!(begins.is_sorted() && begins.len() > 100);
            for window in begins.windows(usize::try_from(count).unwrap() + 1) {
                assert!(window.last().unwrap() - window[0] >= 1000, "{count} {step} {window:?}");
            }
        }
    }

    /// Who would come too late takes no place: the next ones do not wait for nobody.
    #[test]
    fn nobody_waits_for_who_was_refused() {
        let rate = Rate::new(1, Duration::from_secs(1));
        let now = Duration::from_secs(5);
        assert_eq!(rate.take(now, FOREVER), Some(Duration::ZERO));
        for _ in 0..100 {
            assert_eq!(rate.take(now, Duration::from_millis(1000)), None);
        }
        assert_eq!(rate.take(now, FOREVER), Some(Duration::from_secs(1)));
        let longest = Rate::new(1, Duration::MAX);
        assert_eq!(longest.take(now, FOREVER), Some(Duration::ZERO));
        assert_eq!(longest.take(now, Duration::from_secs(60)), None);
    }
}
