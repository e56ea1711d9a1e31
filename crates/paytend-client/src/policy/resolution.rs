//! Settings for resolving orders with an unknown outcome.

use std::time::Duration;

use crate::error::Error;

/// Settings for resolving orders whose outcome is unknown.
///
/// An order is found when the query succeeds and its response contains the order number. If no such order exists, the
/// query returns a code that is specified in the partner's documents. Without
/// [`unknown_order_codes`](Self::unknown_order_codes), no order is sent again, and the outcome of an order that is not
/// found remains unknown.
#[derive(Clone, Debug, PartialEq, Eq)]
#[must_use]
pub struct Resolution {
    codes: Vec<String>,
    confirmations: u32,
    settle_time: Duration,
    max_sends: u32,
    poll: Duration,
}

impl Default for Resolution {
    fn default() -> Self {
        Self {
            codes: Vec::new(),
            confirmations: 3,
            settle_time: Duration::from_secs(10),
            max_sends: 2,
            poll: Duration::from_secs(1),
        }
    }
}

impl Resolution {
    /// Creates the default settings, without codes, so that orders can be found but are never reported as missing.
    pub fn new() -> Self {
        Self::default()
    }

    /// Sets the codes that the query returns if no such order exists.
    ///
    /// Include only codes that have no other meaning.
    pub fn unknown_order_codes<C: Into<String>>(mut self, codes: impl IntoIterator<Item = C>) -> Self {
        self.codes = codes.into_iter().map(Into::into).collect();
        self
    }

    /// Sets how many times in a row the query must report an unknown order before the order is sent again (default 3).
    /// Several reports are needed because the first request may still be in transit.
    pub fn confirmations(mut self, times: u32) -> Self {
        self.confirmations = times.max(1);
        self
    }

    /// Sets how long the query must keep reporting an unknown order before the order is sent again (default 10 s).
    ///
    /// The order is sent again with the same `requestId` and the same bytes. A provider that deduplicates by either of
    /// them executes the order once, even if the first request arrives later. If the provider deduplicates by neither
    /// the `requestId` nor the bytes, this time is the only protection against executing the order twice.
    pub fn settle_time(mut self, time: Duration) -> Self {
        self.settle_time = time;
        self
    }

    /// Sets the maximum number of times that the order is sent, including the first (default 2). Retries of requests
    /// that were not sent do not count.
    pub fn max_sends(mut self, times: u32) -> Self {
        self.max_sends = times.max(1);
        self
    }

    /// Sets the interval at which [`Client::send_and_wait`](crate::Client::send_and_wait) queries for the final state
    /// (default 1 s).
    pub fn poll_interval(mut self, time: Duration) -> Self {
        self.poll = time;
        self
    }

    /// Returns the settings for the local sandbox (the `paytend-sandbox` crate), whose query reports an unknown order
    /// with the code `S102`.
    ///
    /// This code is specific to that sandbox. It is not a Paytend code.
    pub fn local_sandbox() -> Self {
        Self::new().unknown_order_codes(["S102"])
    }

    pub(crate) fn poll(&self) -> Duration {
        self.poll
    }

    pub(crate) fn allowed_sends(&self) -> u32 {
        self.max_sends
    }

    /// Returns whether enough confirmations of an unknown order have arrived, and the settle time has elapsed.
    pub(crate) fn is_enough(&self, confirmations: u32, waited: Duration) -> bool {
        confirmations >= self.confirmations && waited >= self.settle_time
    }

    /// Returns the minimum time between two queries.
    pub(crate) fn pause(&self) -> Duration {
        // The pause is rounded up, so that all pauses add up to at least the settle time.
        self.settle_time.saturating_add(Duration::from_nanos(u64::from(self.confirmations) - 1)) / self.confirmations
    }

    /// Returns whether an error is an authentic report of an unknown order.
    pub(crate) fn is_unknown_order(&self, error: &Error) -> bool {
        error.is_authenticated() && error.api_code().is_some_and(|code| self.codes.iter().any(|known| known == code))
    }
}
