//! Whether a worker is still claiming.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use tokio::time::Instant;

/// Reports when a worker last asked its store for notifications, for readiness checks.
#[derive(Clone, Debug)]
pub struct WorkerHealth {
    started: Instant,
    /// Milliseconds from `started` to the last answer of the store.
    last: Arc<AtomicU64>,
}

impl WorkerHealth {
    pub(super) fn new() -> Self {
        Self { started: Instant::now(), last: Arc::default() }
    }

    pub(super) fn polled(&self) {
        let millis = u64::try_from(self.started.elapsed().as_millis()).unwrap_or(u64::MAX);
        self.last.store(millis, Ordering::Relaxed);
    }

    /// Returns the time since the store last answered a claim of the worker, or since the worker was built. A worker
    /// whose slots are all in use does not claim; it reports the time of its last check for free slots.
    pub fn since_last_poll(&self) -> Duration {
        self.started.elapsed().saturating_sub(Duration::from_millis(self.last.load(Ordering::Relaxed)))
    }
}
