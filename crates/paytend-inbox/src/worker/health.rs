//! A handle that reports whether a worker makes progress.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use tokio::time::Instant;

/// Reports when a worker last made progress, for readiness checks.
#[derive(Clone, Debug)]
pub struct WorkerHealth {
    started: Instant,
    /// The time from `started` to the last progress, in milliseconds.
    last: Arc<AtomicU64>,
}

impl WorkerHealth {
    pub(super) fn new() -> Self {
        Self { started: Instant::now(), last: Arc::default() }
    }

    pub(super) fn progressed(&self) {
        let millis = u64::try_from(self.started.elapsed().as_millis()).unwrap_or(u64::MAX);
        self.last.store(millis, Ordering::Relaxed);
    }

    /// Returns the time since the last successful claim, since the last attempt ended, or since the worker was created,
    /// whichever is shortest. A worker whose slots are all in use claims nothing. If all its handlers are stuck, this
    /// time keeps growing.
    pub fn since_last_progress(&self) -> Duration {
        self.started.elapsed().saturating_sub(Duration::from_millis(self.last.load(Ordering::Relaxed)))
    }
}
