//! The time limit of effects.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

/// The time limit for the effect in progress.
#[derive(Clone)]
pub(crate) struct Deadline {
    started: Instant,
    /// The deadline in milliseconds from `started`, or 0 if there is no limit.
    at: Arc<AtomicU64>,
}

impl Deadline {
    pub(crate) fn new() -> Self {
        Self { started: Instant::now(), at: Arc::default() }
    }

    fn elapsed(&self) -> u64 {
        u64::try_from(self.started.elapsed().as_millis()).unwrap_or(u64::MAX)
    }

    /// Sets the limit to `time` from now.
    pub(crate) fn set(&self, time: Duration) {
        let time = u64::try_from(time.as_millis()).unwrap_or(u64::MAX);
        self.at.store(self.elapsed().saturating_add(time).max(1), Ordering::Relaxed);
    }

    pub(crate) fn clear(&self) {
        self.at.store(0, Ordering::Relaxed);
    }

    pub(crate) fn has_passed(&self) -> bool {
        let at = self.at.load(Ordering::Relaxed);
        at != 0 && self.elapsed() > at
    }
}
