//! The retry policy for failed notifications.

use std::time::Duration;

/// The maximum delay between two attempts.
pub(crate) const MAX_DELAY: Duration = Duration::from_secs(24 * 3600);

/// A limit on attempts, and the backoff between them.
///
/// The delay before attempt `n + 1` is a random duration between zero and `base · 2ⁿ⁻¹`, at most `cap` (full jitter).
/// The jitter prevents many workers from retrying at the same time after a dependency has failed.
///
/// ```
/// use std::time::Duration;
/// use paytend_inbox::RetryPolicy;
/// let policy = RetryPolicy::new().max_tries(10).base(Duration::from_secs(1)).cap(Duration::from_secs(600));
/// assert!(policy.delay(3, u64::MAX) <= Duration::from_secs(4));
/// assert_eq!(policy.delay(3, 0), Duration::ZERO);
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct RetryPolicy {
    max_tries: u32,
    base: Duration,
    cap: Duration,
}

impl Default for RetryPolicy {
    /// Returns a policy with 20 attempts, a base of 2 s and a cap of one hour. The sum of the delays before a
    /// notification becomes a dead letter is about 4.6 hours on average, and at most 9.1 hours.
    fn default() -> Self {
        Self { max_tries: 20, base: Duration::from_secs(2), cap: Duration::from_secs(3600) }
    }
}

impl RetryPolicy {
    /// Creates the default policy: 20 attempts, a base of 2 s and a cap of one hour.
    pub fn new() -> Self {
        Self::default()
    }

    /// Sets the maximum number of attempts, at least 1. After the last failed attempt, the notification becomes a dead
    /// letter.
    #[must_use]
    pub fn max_tries(mut self, count: u32) -> Self {
        self.max_tries = count.max(1);
        self
    }

    /// Sets the upper bound of the first delay.
    #[must_use]
    pub fn base(mut self, time: Duration) -> Self {
        self.base = time;
        self
    }

    /// Sets the upper bound of every delay, at most 24 hours.
    #[must_use]
    pub fn cap(mut self, time: Duration) -> Self {
        self.cap = time.min(MAX_DELAY);
        self
    }

    /// Returns the maximum number of attempts.
    pub fn tries(&self) -> u32 {
        self.max_tries
    }

    /// Returns the delay after attempt number `tries` has failed. `random` is a random number from the whole range of
    /// `u64`.
    pub fn delay(&self, tries: u32, random: u64) -> Duration {
        let doublings = tries.saturating_sub(1).min(31);
        let bound = self.base.saturating_mul(1 << doublings).min(self.cap);
        let micros = u64::try_from(bound.as_micros()).unwrap_or(u64::MAX);
        Duration::from_micros(if micros == u64::MAX { random } else { random % (micros + 1) })
    }
}

/// Returns a random number. If the operating system returns no random numbers, returns the middle of the range.
pub(crate) fn random() -> u64 {
    getrandom::u64().unwrap_or(u64::MAX / 2)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn delays_double_up_to_the_cap() {
        let policy = RetryPolicy::new().base(Duration::from_secs(1)).cap(Duration::from_secs(10));
        let longest = |tries| (0..64).map(|i| policy.delay(tries, u64::MAX - i)).max().unwrap();
        for (tries, bound) in [(0, 1), (1, 1), (2, 2), (3, 4), (4, 8), (5, 10), (40, 10), (u32::MAX, 10)] {
            let seconds = Duration::from_secs(bound);
            assert!(longest(tries) <= seconds, "{tries}");
            assert_eq!(policy.delay(tries, bound * 1_000_000), seconds, "{tries}");
        }
    }

    #[test]
    fn delays_are_spread_over_the_whole_range() {
        let policy = RetryPolicy::new().base(Duration::from_secs(8));
        let random = paytend_vectors::Seeded::new();
        let mut quarters = [0; 4];
        for _ in 0..400 {
            quarters[policy.delay(1, random.next()).as_secs().min(7) as usize / 2] += 1;
        }
        assert!(quarters.iter().all(|count| *count > 50), "{quarters:?}");
    }
}
