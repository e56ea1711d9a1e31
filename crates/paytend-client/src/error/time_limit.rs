//! The time limits of a call.

use std::fmt;
use std::time::Duration;

/// The time limit that ended a call.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum TimeLimit {
    /// The timeout for one attempt: [`Builder::attempt_timeout`](crate::ClientBuilder::attempt_timeout).
    Attempt(Duration),
    /// The deadline for the whole call: [`Builder::deadline`](crate::ClientBuilder::deadline) or
    /// [`Request::deadline`](crate::Request::deadline).
    Deadline(Duration),
    /// The deadline of a call that was waiting because of
    /// [`Builder::max_in_flight`](crate::ClientBuilder::max_in_flight).
    Concurrency(Duration),
    /// The deadline of a call that [`Builder::rate_limit`](crate::ClientBuilder::rate_limit) did not allow to start in
    /// time.
    Rate(Duration),
}

impl TimeLimit {
    /// Returns the duration of the limit.
    pub fn duration(self) -> Duration {
        match self {
            Self::Attempt(limit) | Self::Deadline(limit) | Self::Concurrency(limit) | Self::Rate(limit) => limit,
        }
    }
}

impl fmt::Display for TimeLimit {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Attempt(limit) => write!(f, "the attempt timed out after {limit:?}"),
            Self::Deadline(limit) => write!(f, "the deadline of {limit:?} expired"),
            Self::Concurrency(limit) => {
                write!(f, "the deadline of {limit:?} expired while other calls used all slots of max_in_flight")
            }
            Self::Rate(limit) => write!(f, "the rate limit allows no request before the deadline of {limit:?}"),
        }
    }
}

impl std::error::Error for TimeLimit {}
