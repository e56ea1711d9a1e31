//! What an order's status code means.

use std::collections::BTreeMap;
use std::fmt;

/// The state of an order, by its status code.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum OrderState {
    /// The order stands and is not decided yet.
    Processing,
    /// The order succeeded. This is final.
    Succeeded,
    /// The order failed. This is final.
    Failed,
    /// No meaning is configured for the code, or the response has no status (`None`).
    Unknown(Option<String>),
}

impl OrderState {
    /// Returns whether the state does not change any more.
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
            Self::Unknown(Some(_)) => f.write_str("unknown: no meaning is configured for its status code"),
            Self::Unknown(None) => f.write_str("unknown: the response has no status"),
        }
    }
}

/// What the status codes of orders mean. The provider's codes are in the partner's documents and not public, so there is no
/// default.
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
    /// The first code that was given two meanings.
    ambiguous: Option<String>,
}

impl OrderStates {
    /// Creates a mapping without codes: every state is unknown.
    pub fn new() -> Self {
        Self::default()
    }

    /// Returns the codes of the sandbox of this workspace (the crate `paytend-sandbox`): `1` processing, `2` succeeded, `3` failed.
    /// They are that sandbox's own, and not Paytend's.
    pub fn local_sandbox() -> Self {
        Self::new().processing(["1"]).succeeded(["2"]).failed(["3"])
    }

    /// Adds codes of orders that are not decided yet.
    pub fn processing<C: Into<String>>(self, codes: impl IntoIterator<Item = C>) -> Self {
        self.with(codes, &OrderState::Processing)
    }

    /// Adds codes of orders that succeeded.
    pub fn succeeded<C: Into<String>>(self, codes: impl IntoIterator<Item = C>) -> Self {
        self.with(codes, &OrderState::Succeeded)
    }

    /// Adds codes of orders that failed.
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

    /// Returns the state that a status code means.
    pub fn state(&self, code: Option<&str>) -> OrderState {
        let known = code.and_then(|code| self.codes.get(code));
        known.cloned().unwrap_or_else(|| OrderState::Unknown(code.map(str::to_owned)))
    }

    /// Returns the first code that was given two meanings.
    pub(crate) fn ambiguous(&self) -> Option<&str> {
        self.ambiguous.as_deref()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_code_has_one_meaning() {
        let states = OrderStates::local_sandbox();
        assert_eq!(states.state(Some("1")), OrderState::Processing);
        assert_eq!(states.state(None), OrderState::Unknown(None));
        assert_eq!(states.ambiguous(), None);
        assert_eq!(states.clone().failed(["3"]).ambiguous(), None);
        assert_eq!(states.failed(["2"]).ambiguous(), Some("2"));
        assert!(!OrderState::Processing.is_final() && OrderState::Failed.is_final());
    }
}
