//! The identifiers of stored notifications and of the attempts to process them.

use std::fmt;
use std::str::FromStr;

/// The ID that the store has assigned to a notification. Among notifications with the same order key, later
/// notifications have larger IDs.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Id(i64);

impl Id {
    /// Creates an ID from the number that the store has assigned.
    pub fn new(number: i64) -> Self {
        Self(number)
    }

    /// Returns the ID as a number.
    pub fn get(self) -> i64 {
        self.0
    }
}

impl fmt::Display for Id {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(&self.0, f)
    }
}

impl FromStr for Id {
    type Err = std::num::ParseIntError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        text.parse().map(Self)
    }
}

/// A 32-byte HMAC-SHA256 value, computed with one of the deployment's secret keys.
///
/// A plain hash of personal data can be reversed by hashing every candidate. An HMAC can be reversed only with the key.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Mac([u8; 32]);

impl Mac {
    /// Creates a value from bytes that were read from a store.
    pub fn from_bytes(bytes: [u8; 32]) -> Self {
        Self(bytes)
    }

    /// Returns the bytes.
    pub fn as_bytes(&self) -> &[u8; 32] {
        &self.0
    }
}

impl fmt::Display for Mac {
    /// Writes the value as 64 lower-case hexadecimal digits.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:x}", base16ct::HexDisplay(&self.0))
    }
}

impl fmt::Debug for Mac {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Mac({self})")
    }
}

/// The right to process a notification for a limited time.
///
/// Every claim of the notification increases the fence. A store does not accept a lease with an older fence: it does
/// not extend the lease, and does not complete or release the notification. A worker with an expired lease therefore
/// cannot change the result. The store also compares the holder, because a store that was restored from a backup
/// assigns the same fences again.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Lease {
    /// The ID of the notification.
    pub id: Id,
    /// How many times this notification has been claimed so far. It never decreases.
    pub fence: i64,
    /// The random number that identifies the claim.
    pub holder: u64,
}

/// The state of a stored notification.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum State {
    /// Not yet claimed, or waiting for a different notification with the same order key.
    Ready,
    /// Claimed by a worker. The notification can be claimed again when its lease has expired.
    Leased,
    /// Failed, and waiting for the next attempt.
    Backoff,
    /// Processed.
    Done,
    /// A dead letter. It is not attempted again unless an operator redrives it.
    Dead,
}

impl State {
    /// All states.
    pub const ALL: [Self; 5] = [Self::Ready, Self::Leased, Self::Backoff, Self::Done, Self::Dead];

    /// Returns the name in lower case, such as `ready`.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Ready => "ready",
            Self::Leased => "leased",
            Self::Backoff => "backoff",
            Self::Done => "done",
            Self::Dead => "dead",
        }
    }
}

impl fmt::Display for State {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.as_str())
    }
}

/// The error returned when parsing an invalid [`State`].
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("invalid state; the states are ready, leased, backoff, done and dead")]
#[non_exhaustive]
pub struct ParseStateError;

impl FromStr for State {
    type Err = ParseStateError;

    fn from_str(text: &str) -> Result<Self, ParseStateError> {
        Self::ALL.into_iter().find(|state| state.as_str() == text).ok_or(ParseStateError)
    }
}
