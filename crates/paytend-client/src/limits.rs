//! How many requests at once, and how many in a time.

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

/// At most so many requests in any such time, on the long run: each takes the next free slot, and a burst may take a whole time's at
/// once (the "generic cell rate algorithm").
#[derive(Debug)]
pub(crate) struct Rate {
    slot: Duration,
    burst: Duration,
    /// When the slot after the last one taken begins.
    next: Mutex<Duration>,
}

impl Rate {
    pub(crate) fn new(count: u32, per: Duration) -> Self {
        Self { slot: per / count.max(1), burst: per, next: Mutex::new(Duration::ZERO) }
    }

    /// Takes the next slot; how long to wait for it.
    pub(crate) fn take(&self, now: Duration) -> Duration {
        let mut next = self.next.lock().unwrap_or_else(PoisonError::into_inner);
        let begins = (*next).max(now);
        let wait = (begins + self.slot).saturating_sub(now + self.burst);
        *next = begins + self.slot;
        wait
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_burst_passes_and_the_rest_waits_its_turn() {
        let rate = Rate::new(5, Duration::from_secs(1));
        let waits: Vec<u128> = (0..8).map(|_| rate.take(Duration::from_secs(100)).as_millis()).collect();
        assert_eq!(waits, [0, 0, 0, 0, 0, 200, 400, 600]);
        // A second later one second's worth of slots has become free, of which three are taken already.
        assert_eq!(rate.take(Duration::from_secs(101)).as_millis(), 0);
        let waits: Vec<u128> = (0..3).map(|_| rate.take(Duration::from_secs(101)).as_millis()).collect();
        assert_eq!(waits, [0, 200, 400]);
        // Idle time gives no more than one burst.
        let waits: Vec<u128> = (0..6).map(|_| rate.take(Duration::from_secs(900)).as_millis()).collect();
        assert_eq!(waits, [0, 0, 0, 0, 0, 200]);
    }
}
