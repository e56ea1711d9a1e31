//! How to find out that there is no such order.

use crate::error::Error;

/// How unknown outcomes are resolved.
///
/// An order is found when the query succeeds. That there is none is told by a code, and the provider's codes are in the partner's
/// documents: without [`unknown_order_codes`](Self::unknown_order_codes) nothing is ever sent again, and an order that cannot be found stays
/// an unknown outcome.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
#[must_use]
pub struct Resolution {
    codes: Vec<String>,
    looks: Option<u32>,
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

    /// How many times in a row the query must say so, with growing waits between, before the order is sent again (default 3): the first
    /// request may still be on its way. It is sent again with the same `requestId` and the same bytes, so that a provider that keeps
    /// either unique carries it out once even then.
    pub fn looks(mut self, times: u32) -> Self {
        self.looks = Some(times.max(1));
        self
    }

    pub(crate) fn needed_looks(&self) -> u32 {
        self.looks.unwrap_or(3)
    }

    pub(crate) fn says_unknown(&self, error: &Error) -> bool {
        error.is_authenticated() && error.api_code().is_some_and(|code| self.codes.iter().any(|known| known == code))
    }
}
