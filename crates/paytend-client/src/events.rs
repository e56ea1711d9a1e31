//! What happens to calls, for metrics and alarms.

use std::time::Duration;

use crate::{ErrorKind, Outcome};

/// Something that happened to a call. It holds nothing secret and nothing personal.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Event {
    /// What happened.
    pub phase: Phase,
    /// The operation's name.
    pub operation: String,
    /// The `requestId`.
    pub request_id: String,
    /// The number of the attempt, from one; zero before the first.
    pub attempt: u32,
    /// The answer's HTTP status, if there was an answer. Of a call, the last one's.
    pub status: Option<u16>,
    /// Why it failed; `None` after a success, and when it was dropped.
    pub error: Option<ErrorKind>,
    /// What became of the request; `None` after a success.
    pub outcome: Option<Outcome>,
    /// How long the attempt took, or, of the call, all of it.
    pub latency: Duration,
}

/// What may happen to a call.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Phase {
    /// An attempt has ended.
    Attempt,
    /// The call has ended.
    Finished,
    /// The caller dropped the call before it ended. `outcome` says whether it had been sent.
    Dropped,
}

/// Told what happens. Called in the middle of the call, so it must not take long. Any `Fn(&Event)` is one.
pub trait Events: Send + Sync + 'static {
    /// Something happened.
    fn on(&self, event: &Event);
}

impl<F: Fn(&Event) + Send + Sync + 'static> Events for F {
    fn on(&self, event: &Event) {
        self(event);
    }
}
