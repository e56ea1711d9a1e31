//! Call events, for metrics and alerts.

use std::time::Duration;

use paytend_crypto::RequestId;

use crate::error::kind::{ErrorKind, Outcome};

/// An event during a call. It contains no secrets or personal data.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Event {
    /// What happened: an attempt ended, the call ended, or the call was dropped.
    pub phase: Phase,
    /// The operation's name.
    pub operation: String,
    /// The `requestId`.
    pub request_id: RequestId,
    /// The attempt number, starting at one; zero before the first attempt.
    pub attempt: u32,
    /// The HTTP status of the response, if any. For a whole call, this is the status of the last response.
    pub status: Option<u16>,
    /// The kind of failure; `None` for a success or a dropped call.
    pub error: Option<ErrorKind>,
    /// The request's outcome; `None` for a success.
    pub outcome: Option<Outcome>,
    /// The duration of the attempt, or of the whole call.
    pub latency: Duration,
}

/// The phase of a call, as reported by an [`Event`].
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Phase {
    /// An attempt has ended.
    Attempt,
    /// The call has ended.
    Finished,
    /// The caller dropped the call before it ended. `outcome` reports whether its request had been sent.
    Dropped,
}

/// A receiver of events. Every `Fn(&Event)` implements this trait.
///
/// The receiver is called synchronously during the call and must return quickly.
pub trait EventListener: Send + Sync + 'static {
    /// Called for each event.
    fn on_event(&self, event: &Event);
}

impl<F: Fn(&Event) + Send + Sync + 'static> EventListener for F {
    fn on_event(&self, event: &Event) {
        self(event);
    }
}
