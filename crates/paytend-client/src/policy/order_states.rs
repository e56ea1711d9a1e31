//! Order states and their status codes.

use std::collections::BTreeMap;
use std::fmt;

/// The state of an order, derived from its status code.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum OrderState {
    /// The order exists and has no final result yet.
    Processing,
    /// The order succeeded, which is a final state.
    Succeeded,
    /// The order failed, which is a final state.
    Failed,
    /// No meaning is configured for the code, or the response has no status (`None`).
    Unknown(Option<String>),
}

impl OrderState {
    /// Returns whether the state is final and cannot change any more.
    pub fn is_final(&self) -> bool {
        matches!(self, Self::Succeeded | Self::Failed)
    }
}

impl fmt::Display for OrderState {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Processing => f.write_str("processing"),
            Self::Succeeded => f.write_str("succeeded"),
            Self::Failed => f.write_str("failed"),
            Self::Unknown(Some(_)) => f.write_str("unknown: the status code is not configured; see order_states"),
            Self::Unknown(None) => f.write_str("unknown: the response has no status"),
        }
    }
}

/// A mapping from order status codes to order states.
///
/// The provider's codes are not public, so the default mapping is empty. Take the codes from the partner's documents.
///
/// ```
/// use paytend_client::{OrderState, OrderStates};
/// let states = OrderStates::new().processing(["0", "1"]).succeeded(["2"]).failed(["3"]);
/// assert_eq!(states.state(Some("2")), OrderState::Succeeded);
/// assert_eq!(states.state(Some("9")), OrderState::Unknown(Some("9".into())));
/// ```
#[derive(Clone, Debug, Default, PartialEq, Eq)]
#[must_use]
pub struct OrderStates {
    codes: BTreeMap<String, OrderState>,
    /// The first code that was mapped to two states.
    ambiguous: Option<String>,
}

impl OrderStates {
    /// Creates a mapping without codes, so that every state is [`OrderState::Unknown`].
    pub fn new() -> Self {
        Self::default()
    }

    /// Returns the mapping for the local sandbox (the `paytend-sandbox` crate): `1` means processing, `2` succeeded and
    /// `3` failed.
    ///
    /// These codes are specific to that sandbox. They are not Paytend's codes.
    pub fn local_sandbox() -> Self {
        Self::new().processing(["1"]).succeeded(["2"]).failed(["3"])
    }

    /// Adds the codes of orders that are still processing.
    pub fn processing<C: Into<String>>(self, codes: impl IntoIterator<Item = C>) -> Self {
        self.with(codes, &OrderState::Processing)
    }

    /// Adds the codes of orders that succeeded.
    pub fn succeeded<C: Into<String>>(self, codes: impl IntoIterator<Item = C>) -> Self {
        self.with(codes, &OrderState::Succeeded)
    }

    /// Adds the codes of orders that failed.
    pub fn failed<C: Into<String>>(self, codes: impl IntoIterator<Item = C>) -> Self {
        self.with(codes, &OrderState::Failed)
    }

    fn with<C: Into<String>>(mut self, codes: impl IntoIterator<Item = C>, state: &OrderState) -> Self {
        for code in codes {
            let code = code.into();
            let before = self.codes.insert(code.clone(), state.clone());
            if before.is_some_and(|before| before != *state) {
                self.ambiguous.get_or_insert(code);
            }
        }
        self
    }

    /// Returns the state for a status code.
    pub fn state(&self, code: Option<&str>) -> OrderState {
        let known = code.and_then(|code| self.codes.get(code));
        known.cloned().unwrap_or_else(|| OrderState::Unknown(code.map(str::to_owned)))
    }

    /// Returns the first code that was mapped to two states.
    pub(crate) fn ambiguous(&self) -> Option<&str> {
        self.ambiguous.as_deref()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn code_with_two_states_is_ambiguous() {
        let states = OrderStates::local_sandbox();
        assert_eq!(states.state(Some("1")), OrderState::Processing);
        assert_eq!(states.state(None), OrderState::Unknown(None));
        assert_eq!(states.ambiguous(), None);
        assert_eq!(states.clone().failed(["3"]).ambiguous(), None);
        assert_eq!(states.failed(["2"]).ambiguous(), Some("2"));
        assert!(!OrderState::Processing.is_final() && OrderState::Failed.is_final());
    }
}
