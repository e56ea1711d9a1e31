//! Which limit ended a call.

use std::fmt;
use std::time::Duration;

/// The limit of time that ended a call.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum TimeLimit {
    /// The limit of one attempt: [`Builder::attempt_timeout`](crate::Builder::attempt_timeout).
    Attempt(Duration),
    /// The limit of the whole call: [`Builder::deadline`](crate::Builder::deadline) or
    /// [`Request::deadline`](crate::Request::deadline).
    Deadline(Duration),
    /// The deadline, while other calls used all of [`Builder::max_in_flight`](crate::Builder::max_in_flight).
    Concurrency(Duration),
    /// The deadline, before [`Builder::rate_limit`](crate::Builder::rate_limit) allows another request.
    Rate(Duration),
}

impl TimeLimit {
    /// Returns how long the limit was.
    pub fn duration(self) -> Duration {
        match self {
            Self::Attempt(limit) | Self::Deadline(limit) | Self::Concurrency(limit) | Self::Rate(limit) => limit,
        }
    }
}

impl fmt::Display for TimeLimit {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Attempt(limit) => write!(f, "the attempt timeout of {limit:?} passed"),
            Self::Deadline(limit) => write!(f, "the deadline of {limit:?} passed"),
            Self::Concurrency(limit) => {
                write!(f, "the deadline of {limit:?} passed while other calls used all of max_in_flight")
            }
            Self::Rate(limit) => write!(f, "the rate limit allows no request before the deadline of {limit:?}"),
        }
    }
}

impl std::error::Error for TimeLimit {}
