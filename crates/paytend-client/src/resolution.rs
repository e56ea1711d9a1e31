//! How to find out that there is no such order.

use std::time::Duration;

use crate::error::Error;

/// How unknown outcomes are resolved.
///
/// An order is found when the query succeeds and names it. That there is none is told by a code, and the provider's codes are in the
/// partner's documents: without [`unknown_order_codes`](Self::unknown_order_codes) nothing is ever sent again, and an order that cannot be
/// found stays an unknown outcome.
#[derive(Clone, Debug, PartialEq, Eq)]
#[must_use]
pub struct Resolution {
    codes: Vec<String>,
    looks: u32,
    settle: Duration,
    sends: u32,
    poll: Duration,
}

impl Default for Resolution {
    fn default() -> Self {
        Self { codes: Vec::new(), looks: 3, settle: Duration::from_secs(10), sends: 2, poll: Duration::from_secs(1) }
    }
}

impl Resolution {
    /// Resolution without codes: it finds orders, and never concludes that there is none.
    pub fn new() -> Self {
        Self::default()
    }

    /// The codes by which the query says that it knows no such order. A code that can mean anything else must not be among them.
    pub fn unknown_order_codes<C: Into<String>>(mut self, codes: impl IntoIterator<Item = C>) -> Self {
        self.codes = codes.into_iter().map(Into::into).collect();
        self
    }

    /// How many times in a row the query must say so before the order is sent again (default 3): the first request may still be on its way.
    pub fn looks(mut self, times: u32) -> Self {
        self.looks = times.max(1);
        self
    }

    /// How long the query must have said so before the order is sent again (default 10 s). It is sent again with the same `requestId` and the
    /// same bytes, so that a provider that keeps either unique carries it out once even if the first request arrives later still; if it
    /// keeps neither, this time is all there is between the two.
    pub fn settle(mut self, time: Duration) -> Self {
        self.settle = time;
        self
    }

    /// How many times the order is sent at most, the first included (default 2). What a retry policy allows of requests that were not sent does
    /// not count.
    pub fn sends(mut self, times: u32) -> Self {
        self.sends = times.max(1);
        self
    }

    /// Sets how long [`Client::send_and_wait`](crate::Client::send_and_wait) waits between two queries for the final state (default
    /// 1 s).
    pub fn poll_interval(mut self, time: Duration) -> Self {
        self.poll = time;
        self
    }

    /// Returns the resolution for the sandbox of this workspace (the crate `paytend-sandbox`), whose query reports an unknown order
    /// by the code `S102`. The code is that sandbox's own, and not Paytend's.
    pub fn local_sandbox() -> Self {
        Self::new().unknown_order_codes(["S102"])
    }

    pub(crate) fn poll(&self) -> Duration {
        self.poll
    }

    pub(crate) fn max_sends(&self) -> u32 {
        self.sends
    }

    /// Whether the query has said so often and long enough.
    pub(crate) fn is_enough(&self, looks: u32, waited: Duration) -> bool {
        looks >= self.looks && waited >= self.settle
    }

    /// The least time between two looks.
    pub(crate) fn pause(&self) -> Duration {
        // Rounded up, so that as many pauses are the whole time.
        self.settle.saturating_add(Duration::from_nanos(u64::from(self.looks) - 1)) / self.looks
    }

    pub(crate) fn says_unknown(&self, error: &Error) -> bool {
        error.is_authenticated() && error.api_code().is_some_and(|code| self.codes.iter().any(|known| known == code))
    }
}
