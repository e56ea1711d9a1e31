//! The client's clock. Tests can replace it to avoid real waits.

use std::fmt;
use std::future::Future;
use std::pin::Pin;
use std::time::{Duration, Instant};

/// The future returned by [`Clock::sleep`].
pub type Sleep = Pin<Box<dyn Future<Output = ()> + Send>>;

/// A clock for measuring time and waiting. The default is [`SystemClock`]; a test clock can end waits immediately.
pub trait Clock: fmt::Debug + Send + Sync + 'static {
    /// Returns the time since a fixed point in time. The value never decreases.
    fn now(&self) -> Duration;

    /// Returns a future that completes after `duration`.
    fn sleep(&self, duration: Duration) -> Sleep;
}

/// The default clock, which uses the system's monotonic clock and tokio's timer.
#[derive(Clone, Debug)]
pub struct SystemClock {
    start: Instant,
}

impl Default for SystemClock {
    fn default() -> Self {
        Self { start: Instant::now() }
    }
}

impl Clock for SystemClock {
    fn now(&self) -> Duration {
        self.start.elapsed()
    }

    fn sleep(&self, duration: Duration) -> Sleep {
        Box::pin(tokio::time::sleep(duration))
    }
}
