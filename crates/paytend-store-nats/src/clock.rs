//! The store's clock.

use std::fmt;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant, SystemTime};

use async_nats::datetime::DateTime;
use tokio::task::AbortHandle;

use crate::streams::Streams;

/// The time between two readings of the server's time.
const INTERVAL: Duration = Duration::from_secs(30);

/// A clock in milliseconds since the Unix epoch.
///
/// The clock uses the time of the server that leads the stream, so that all programs agree on when leases expire.
/// Between two readings of the server's time, it uses the monotonic clock of this machine.
#[derive(Clone)]
pub(crate) enum Clock {
    Server(Arc<Mutex<Reading>>),
    Custom(Arc<dyn Fn() -> SystemTime + Send + Sync>),
}

/// A time reported by the server, and the local time at which it was read.
pub(crate) struct Reading {
    time: i64,
    at: Instant,
}

impl Clock {
    pub(crate) fn server() -> Self {
        let reading = Reading { time: millis(SystemTime::now()), at: Instant::now() };
        Self::Server(Arc::new(Mutex::new(reading)))
    }

    pub(crate) fn custom(clock: impl Fn() -> SystemTime + Send + Sync + 'static) -> Self {
        Self::Custom(Arc::new(clock))
    }

    pub(crate) fn now(&self) -> i64 {
        match self {
            Self::Custom(clock) => millis(clock()),
            Self::Server(reading) => {
                let reading = reading.lock().unwrap_or_else(PoisonError::into_inner);
                after(reading.time, reading.at.elapsed())
            }
        }
    }

    /// Sets the clock to a time that the server has reported. The request was sent at `asked`.
    pub(crate) fn follow(&self, time: i64, asked: Instant) {
        if let Self::Server(reading) = self {
            let time = after(time, asked.elapsed() / 2);
            *reading.lock().unwrap_or_else(PoisonError::into_inner) = Reading { time, at: Instant::now() };
        }
    }
}

/// The task that reads the server's time regularly. It ends when the value is dropped.
pub(crate) struct ClockTask(AbortHandle);

impl ClockTask {
    pub(crate) fn start(streams: &Streams, clock: &Clock) -> Self {
        Self(tokio::spawn(follow(streams.clone(), clock.clone())).abort_handle())
    }
}

impl Drop for ClockTask {
    fn drop(&mut self) {
        self.0.abort();
    }
}

async fn follow(streams: Streams, clock: Clock) {
    loop {
        tokio::time::sleep(INTERVAL).await;
        let asked = Instant::now();
        match streams.server_time().await {
            Ok(time) => clock.follow(time, asked),
            Err(error) => tracing::warn!(%error, "cannot read the server's time; the clock of this machine is used"),
        }
    }
}

impl fmt::Debug for Clock {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Clock").field(&self.now()).finish()
    }
}

/// Converts a time to milliseconds since the Unix epoch.
pub(crate) fn millis(time: SystemTime) -> i64 {
    match time.duration_since(SystemTime::UNIX_EPOCH) {
        Ok(after) => i64::try_from(after.as_millis()).unwrap_or(i64::MAX),
        Err(before) => i64::try_from(before.duration().as_millis()).map_or(i64::MIN, |millis| -millis),
    }
}

/// Converts milliseconds since the Unix epoch to a time.
pub(crate) fn system_time(millis: i64) -> SystemTime {
    let distance = Duration::from_millis(millis.unsigned_abs());
    let time = if millis < 0 {
        SystemTime::UNIX_EPOCH.checked_sub(distance)
    } else {
        SystemTime::UNIX_EPOCH.checked_add(distance)
    };
    time.unwrap_or(SystemTime::UNIX_EPOCH)
}

/// Returns the time at which a server stored a message.
pub(crate) fn stored_at(time: DateTime) -> i64 {
    i64::try_from(time.unix_timestamp_nanos() / 1_000_000).unwrap_or_default()
}

/// Returns the time after a delay.
pub(crate) fn after(now: i64, delay: Duration) -> i64 {
    now.saturating_add(i64::try_from(delay.as_millis()).unwrap_or(i64::MAX))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn clock_follows_the_server_in_both_directions() {
        let clock = Clock::server();
        for time in [5_000_000_000_000, 1_000, -62_135_596_800_000] {
            assert_eq!(millis(system_time(time)), time);
            clock.follow(time, Instant::now());
            let now = clock.now();
            assert!((time..time + 10_000).contains(&now), "{now}");
        }
        assert_eq!(after(5, Duration::MAX), i64::MAX);
    }
}
