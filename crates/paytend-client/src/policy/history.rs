//! The history of an order: its sends and queries.

use std::time::{Duration, SystemTime};

use crate::error::Error;
use crate::error::kind::{ErrorKind, Outcome};

/// How the last send of an order ended.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum SendResult {
    /// No authentic response arrived, or the process ended before the response could be recorded.
    #[default]
    Unknown,
    /// A signed rejection arrived. A rejection does not identify its order, so the order is queried.
    Rejected,
    /// A signed success arrived, but its data cannot be read. The order is not sent again.
    Unreadable,
}

/// The sends and queries of an order so far, which determine the next step.
///
/// Store the history with the order, and pass it to [`Client::resume`](crate::Client::resume) after a restart. The
/// times are wall-clock times, because a monotonic clock does not survive a restart. A confirmation is a query that
/// reported the order as unknown. The time between two confirmations counts as at most the planned pause between two
/// queries, and as zero if the clock was set back. Setting the clock forward can therefore shorten the settle time by
/// at most one planned pause.
///
/// ```
/// use std::time::SystemTime;
/// use paytend_client::{History, NextStep, Resolution};
/// let resolution = Resolution::new().unknown_order_codes(["1004"]);
/// let mut history = History::new();
/// assert_eq!(resolution.next_step(&history), NextStep::Send);
/// history.begin_send(SystemTime::now());
/// // The process may have ended here. Whether the order was sent is unknown, so it is queried first.
/// assert_eq!(resolution.next_step(&history), NextStep::Query);
/// ```
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct History {
    /// The number of sends that have begun and may have reached the provider.
    pub sends: u32,
    /// The time at which the last send began.
    pub last_sent: Option<SystemTime>,
    /// How the last send ended.
    pub last_send: SendResult,
    /// The number of consecutive queries since the last send that reported the order as unknown.
    pub confirmations: u32,
    /// The time of the last confirmation.
    pub last_confirmed: Option<SystemTime>,
    /// The time from the first to the last confirmation. Each interval counts as at most the planned pause.
    pub settled: Duration,
    /// The number of queries since the last send.
    pub queries: u32,
    /// The number of consecutive queries that failed.
    pub failed_queries: u32,
}

impl History {
    /// Creates the history for an order that has not been sent.
    pub fn new() -> Self {
        Self::default()
    }

    /// Counts a send. Store the history before the first byte is sent.
    pub fn begin_send(&mut self, now: SystemTime) {
        *self = Self { sends: self.sends.saturating_add(1), last_sent: Some(now), ..Self::default() };
    }

    /// Records that the last send failed.
    ///
    /// A send that was [not sent](Outcome::NotSent) is not counted. If an earlier send may have arrived, the order is
    /// queried again before the next send.
    pub fn send_failed(&mut self, error: &Error) {
        match (error.outcome(), error.kind()) {
            (Outcome::NotSent, _) => {
                self.sends = self.sends.saturating_sub(1);
                if self.sends == 0 {
                    *self = Self::default();
                }
            }
            (_, ErrorKind::Rejected) => self.last_send = SendResult::Rejected,
            (_, ErrorKind::Data) => self.last_send = SendResult::Unreadable,
            _ => self.last_send = SendResult::Unknown,
        }
    }

    /// Records that a query reported the order as unknown. `pause` is the planned time between two queries.
    pub(crate) fn confirm(&mut self, now: SystemTime, pause: Duration) {
        let since = self.last_confirmed.map(|last| now.duration_since(last).unwrap_or_default());
        self.settled = self.settled.saturating_add(since.unwrap_or_default().min(pause));
        self.confirmations = self.confirmations.saturating_add(1);
        self.last_confirmed = Some(now);
        self.failed_queries = 0;
        self.queries = self.queries.saturating_add(1);
    }

    /// Records that a query failed. This resets the confirmations, because they must be consecutive.
    pub fn query_failed(&mut self) {
        self.discard_confirmations();
        self.queries = self.queries.saturating_add(1);
        self.failed_queries = self.failed_queries.saturating_add(1);
    }

    /// Discards the confirmations, for example because they are too old. The order is queried again.
    pub fn discard_confirmations(&mut self) {
        (self.confirmations, self.last_confirmed, self.settled) = (0, None, Duration::ZERO);
    }

    /// Records that the order may have been sent by a process whose records are lost, for example because a store was
    /// restored from a backup. The order is then queried before anything is sent.
    pub fn may_have_been_sent(&mut self) {
        let last_send = if self.sends == 0 { SendResult::Unknown } else { self.last_send };
        *self = Self { sends: self.sends.max(1), last_sent: self.last_sent, last_send, ..Self::default() };
    }
}
