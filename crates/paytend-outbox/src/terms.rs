//! The states of an order, and the changes between them.

use std::fmt;
use std::str::FromStr;
use std::time::{Duration, SystemTime};

/// The state of an order in the outbox.
///
/// ```text
/// recorded → sending → responded
///               ↓
///            unknown → found | rejected | sending (again)
///               ↓
///             stuck  → decided
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum State {
    /// The order is stored, and nothing was sent.
    Recorded,
    /// A send has begun. If the process dies, the outcome of the send is unknown.
    Sending,
    /// The order may have been executed. It is queried.
    Unknown,
    /// Neither a response nor a query shows the outcome of the order. An operator must decide it.
    Stuck,
    /// The response arrived. This state is final.
    Responded,
    /// A query or a notification shows that the order exists. This state is final.
    Found,
    /// The order was rejected and does not exist. This state is final, unless a notification reports the order before
    /// its handler has succeeded.
    Rejected,
    /// An operator has decided the outcome. This state is final, unless the decision is that the order was not executed
    /// and a notification reports the order before its handler has succeeded.
    Decided,
}

impl State {
    /// All states.
    pub const ALL: [Self; 8] = [
        Self::Recorded,
        Self::Sending,
        Self::Unknown,
        Self::Stuck,
        Self::Responded,
        Self::Found,
        Self::Rejected,
        Self::Decided,
    ];

    /// Returns the name in lower case, such as `recorded`.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Recorded => "recorded",
            Self::Sending => "sending",
            Self::Unknown => "unknown",
            Self::Stuck => "stuck",
            Self::Responded => "responded",
            Self::Found => "found",
            Self::Rejected => "rejected",
            Self::Decided => "decided",
        }
    }

    /// Returns whether the outcome of the order is known.
    pub fn is_final(self) -> bool {
        matches!(self, Self::Responded | Self::Found | Self::Rejected | Self::Decided)
    }

    /// Returns whether an order in this state can change to `next`.
    pub fn may_become(self, next: Self) -> bool {
        match self {
            Self::Recorded => matches!(next, Self::Sending | Self::Unknown | Self::Stuck | Self::Decided),
            // `found` is not possible here: an order is queried only after its state has become `unknown`.
            Self::Sending => {
                matches!(next, Self::Recorded | Self::Unknown | Self::Stuck | Self::Responded | Self::Rejected)
            }
            Self::Unknown => matches!(
                next,
                Self::Sending | Self::Unknown | Self::Stuck | Self::Found | Self::Rejected | Self::Decided
            ),
            Self::Stuck => matches!(next, Self::Recorded | Self::Unknown | Self::Decided),
            Self::Responded | Self::Found | Self::Rejected | Self::Decided => false,
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
#[error("invalid state; the states are recorded, sending, unknown, stuck, responded, found, rejected and decided")]
#[non_exhaustive]
pub struct ParseStateError;

impl FromStr for State {
    type Err = ParseStateError;

    fn from_str(text: &str) -> Result<Self, ParseStateError> {
        Self::ALL.into_iter().find(|state| state.as_str() == text).ok_or(ParseStateError)
    }
}

/// An operator's decision about an order.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Decision {
    /// The order was executed.
    Executed,
    /// The order was not executed, and must not be sent anymore.
    NotExecuted,
}

impl Decision {
    /// Returns the name: `executed` or `not-executed`.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Executed => "executed",
            Self::NotExecuted => "not-executed",
        }
    }
}

impl fmt::Display for Decision {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.as_str())
    }
}

/// The error returned when parsing an invalid [`Decision`].
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("invalid decision; expected executed or not-executed")]
#[non_exhaustive]
pub struct ParseDecisionError;

impl FromStr for Decision {
    type Err = ParseDecisionError;

    fn from_str(text: &str) -> Result<Self, ParseDecisionError> {
        [Self::Executed, Self::NotExecuted].into_iter().find(|known| known.as_str() == text).ok_or(ParseDecisionError)
    }
}

/// Converts a time to milliseconds since the Unix epoch, the unit of stored times.
pub fn millis(time: SystemTime) -> i64 {
    match time.duration_since(SystemTime::UNIX_EPOCH) {
        Ok(after) => i64::try_from(after.as_millis()).unwrap_or(i64::MAX),
        Err(before) => i64::try_from(before.duration().as_millis()).map_or(i64::MIN, |millis| -millis),
    }
}

/// Converts milliseconds since the Unix epoch to a time.
pub fn system_time(millis: i64) -> SystemTime {
    let distance = Duration::from_millis(millis.unsigned_abs());
    let time = if millis < 0 {
        SystemTime::UNIX_EPOCH.checked_sub(distance)
    } else {
        SystemTime::UNIX_EPOCH.checked_add(distance)
    };
    time.unwrap_or(SystemTime::UNIX_EPOCH)
}

/// Returns the time after a delay. The delay is rounded up to milliseconds.
pub(crate) fn after(now: i64, delay: Duration) -> i64 {
    now.saturating_add(i64::try_from(delay.as_nanos().div_ceil(1_000_000)).unwrap_or(i64::MAX))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn final_states_do_not_change_and_no_state_skips_the_record_of_a_send() {
        for from in State::ALL {
            for to in State::ALL {
                if from.is_final() {
                    assert!(!from.may_become(to), "{from} → {to}");
                }
            }
            assert_eq!(from.as_str().parse(), Ok(from));
            let responds = from.may_become(State::Responded);
            assert_eq!(responds, from == State::Sending, "{from}");
        }
        assert!(!State::Stuck.may_become(State::Sending), "a stuck order is queried before it is sent");
    }

    #[test]
    fn times_round_trip() {
        for value in [0, 1, -1, 1_700_000_000_123, -62_135_596_800_000] {
            assert_eq!(millis(system_time(value)), value);
        }
        assert_eq!(after(5, Duration::from_micros(1)), 6);
        assert_eq!(after(5, Duration::MAX), i64::MAX);
    }
}
