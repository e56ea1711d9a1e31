//! The sandbox's clock, which runs at the machine's pace, runs faster, or is frozen.

use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use serde::{Deserialize, Serialize};

use crate::world::time::Millis;

/// The pace of the sandbox's clock.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
#[non_exhaustive]
pub enum Pace {
    /// The same pace as the machine's clock.
    Real,
    /// Time is stopped until it is [advanced](crate::Sandbox::advance).
    Frozen,
    /// A multiple of real time; 60 means one minute per second.
    Accelerated(u32),
}

/// A start time and the pace at which time passes from then on.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Clock {
    began: Instant,
    from: Millis,
    pace: Pace,
}

impl Clock {
    pub(crate) fn new(from: Millis, pace: Pace) -> Self {
        Self { began: Instant::now(), from, pace }
    }

    /// Returns the time on the machine's clock.
    pub(crate) fn machine() -> Millis {
        let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
        Millis::try_from(since.as_millis()).unwrap_or(Millis::MAX)
    }

    pub(crate) fn pace(&self) -> Pace {
        self.pace
    }

    fn factor(&self) -> u64 {
        match self.pace {
            Pace::Real => 1,
            Pace::Frozen => 0,
            Pace::Accelerated(factor) => factor.into(),
        }
    }

    pub(crate) fn now(&self) -> Millis {
        let passed = Millis::try_from(self.began.elapsed().as_millis()).unwrap_or(Millis::MAX);
        self.from.saturating_add(passed.saturating_mul(self.factor()))
    }

    /// Sets the current time and the pace of the clock.
    pub(crate) fn set(&mut self, at: Millis, pace: Pace) {
        *self = Self::new(at, pace);
    }

    /// Returns how much real time will pass until the sandbox's clock reaches `at`, or `None` if time is frozen.
    pub(crate) fn until(&self, at: Millis) -> Option<Duration> {
        let wait = at.saturating_sub(self.now());
        match self.factor() {
            _ if wait == 0 => Some(Duration::ZERO),
            0 => None,
            factor => Some(Duration::from_millis(wait.div_ceil(factor))),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn clock_runs_at_the_configured_pace() {
        let mut clock = Clock::new(5_000, Pace::Frozen);
        assert_eq!((clock.now(), clock.until(5_001), clock.until(5_000)), (5_000, None, Some(Duration::ZERO)));
        clock.set(7_000, Pace::Accelerated(3_600_000));
        assert!(clock.until(3_607_000).unwrap() <= Duration::from_millis(1));
        clock.set(7_000, Pace::Real);
        let wait = clock.until(17_000).unwrap();
        assert!(wait <= Duration::from_secs(10) && wait > Duration::from_secs(1), "{wait:?}");
    }
}
