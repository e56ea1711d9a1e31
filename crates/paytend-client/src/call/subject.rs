//! The identifiers in a request, and the check that its response contains the same identifiers.
//!
//! Nothing in Paytend's envelope ties a response to its request, so a genuine response for another order passes
//! verification. A request and its response can contain the same identifiers: an order, a card, a holder or a user.
//! Which identifiers a response contains is inferred, not documented. To compare different fields, set
//! [`Builder::response_names`](crate::ClientBuilder::response_names).

use std::borrow::Cow;
use std::fmt;

use serde::Deserialize;

use crate::error::mismatch::Mismatch;

/// The identifier fields that a request and its response may have in common.
const NAMES: [&str; 4] = [ORDER, "cardId", "holderId", "userId"];

/// The order number field. If a request contains an order number, its response must contain the same number.
const ORDER: &str = "orderNo";

/// The identifiers in a request, with which its response is compared.
#[derive(Clone, Default)]
pub(crate) struct Subject {
    /// The wire names of the identifier fields, and their values in the request. The values can be personal data, so
    /// they must not appear in errors or `Debug` output.
    named: Vec<(String, String)>,
    /// The fields that a response must contain.
    required: Required,
}

/// The identifier fields of a request that its response must also contain.
#[derive(Clone, Copy, Default, PartialEq)]
enum Required {
    /// No fields, for example because the operation has no response data.
    #[default]
    None,
    /// The order number. The other fields are compared only if the response contains them.
    Order,
    /// All configured fields.
    All,
}

impl Subject {
    /// Reads the identifiers from a request's payload.
    ///
    /// `configured` replaces the default fields. All configured fields are required. `has_response` specifies whether
    /// the operation has response data. Without response data, the order number is not required.
    pub(crate) fn of(payload: &str, configured: Option<&[String]>, has_response: bool) -> Self {
        let wanted = |name: &str| match configured {
            Some(names) => names.iter().any(|wanted| wanted == name),
            None => NAMES.contains(&name),
        };
        let members = paytend_json::members(payload.as_bytes()).unwrap_or_default();
        let named = members.iter().filter_map(|member| {
            let name = text(member.name).filter(|name| wanted(name))?;
            match Value::of(member.value) {
                Value::Text(value) => Some((name.into_owned(), value)),
                Value::Unreadable | Value::Absent => None,
            }
        });
        let named = named.collect();
        let required = match configured {
            Some(_) => Required::All,
            None if has_response => Required::Order,
            None => Required::None,
        };
        Self { named, required }
    }

    /// Returns the same identifiers, all of them optional, so that the response can omit any of them.
    pub(crate) fn optional(&self) -> Self {
        Self { required: Required::None, ..self.clone() }
    }

    /// Checks that a response's payload contains the request's identifiers.
    ///
    /// A payload that is not an object is not checked here. It is reported when the data is parsed.
    ///
    /// # Errors
    /// Returns [`Mismatch`] if an identifier differs, or if a required identifier is missing.
    pub(crate) fn check(&self, payload: &[u8]) -> Result<(), Mismatch> {
        if self.named.is_empty() || payload.is_empty() {
            return Ok(());
        }
        let Ok(found) = paytend_json::members(payload) else { return Ok(()) };
        let found: Vec<(Cow<'_, str>, Value)> =
            found.iter().filter_map(|member| Some((text(member.name)?, Value::of(member.value)))).collect();
        for (name, value) in &self.named {
            let mut same_name =
                found.iter().filter(|(known, other)| known == name && *other != Value::Absent).peekable();
            let required = match self.required {
                Required::None => false,
                Required::Order => name == ORDER,
                Required::All => true,
            };
            if required && same_name.peek().is_none() {
                return Err(Mismatch::Unnamed(name.clone()));
            }
            if same_name.any(|(_, other)| *other != Value::Text(value.clone())) {
                return Err(Mismatch::Other(name.clone()));
            }
        }
        Ok(())
    }
}

impl fmt::Debug for Subject {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_list().entries(self.named.iter().map(|(name, _)| name)).finish()
    }
}

/// The value of an identifier field.
#[derive(PartialEq)]
enum Value {
    /// A string or a number. `1755902` and `"1755902"` are the same identifier.
    Text(String),
    /// A string that is not valid Unicode. It differs from every value in a request.
    Unreadable,
    /// No identifier: an empty string, `null`, or a value that is neither a string nor a number.
    Absent,
}

impl Value {
    fn of(json: &[u8]) -> Self {
        match json.first() {
            Some(b'"') => match text(json) {
                Some(text) if text.is_empty() => Self::Absent,
                Some(text) => Self::Text(text.into_owned()),
                None => Self::Unreadable,
            },
            Some(b'-' | b'0'..=b'9') => Self::Text(String::from_utf8_lossy(json).into_owned()),
            _ => Self::Absent,
        }
    }
}

/// Returns the value of a JSON string; `None` if it contains an unpaired surrogate or bytes that are not UTF-8.
fn text(json: &[u8]) -> Option<Cow<'_, str>> {
    #[derive(Deserialize)]
    struct Text<'t>(#[serde(borrow)] Cow<'t, str>);

    serde_json::from_slice::<Text<'_>>(json).ok().map(|Text(text)| text)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(request: &str, response: &str) -> Result<(), Mismatch> {
        Subject::of(request, None, true).check(response.as_bytes())
    }

    #[test]
    fn identifiers_in_request_and_response_are_compared() {
        let topup = r#"{"cardId":"1755902","orderNo":"T-1","amount":"25.00"}"#;
        let other = |name: &str| Err(Mismatch::Other(name.into()));
        for (response, expected) in [
            (r#"{"orderNo":"T-1","status":"2"}"#, Ok(())),
            (r#"{"orderNo":"T-1","cardId":1755902}"#, Ok(())),
            (r#"{"\u006frderNo":"T\u002d1"}"#, Ok(())),
            (r#"{"orderNo":"T-2","status":"2"}"#, other("orderNo")),
            (r#"{"orderNo":"T-1","cardId":"7"}"#, other("cardId")),
            // If the response contains a member twice, both values are compared.
            (r#"{"orderNo":"T-1","orderNo":"T-2"}"#, other("orderNo")),
            (r#"{"x":1}"#, Err(Mismatch::Unnamed("orderNo".into()))),
            (r#"{"orderNo":""}"#, Err(Mismatch::Unnamed("orderNo".into()))),
            (r#"{"orderNo":null}"#, Err(Mismatch::Unnamed("orderNo".into()))),
            (r#"{"nested":{"orderNo":"T-1"}}"#, Err(Mismatch::Unnamed("orderNo".into()))),
            (r#"{"cardId":"1755902","balance":"25.00"}"#, Err(Mismatch::Unnamed("orderNo".into()))),
            // A payload that is not an object is reported later, when the data is parsed.
            ("", Ok(())),
            ("{", Ok(())),
        ] {
            assert_eq!(check(topup, response), expected, "{response}");
        }
    }

    /// An authentic response is compared even if it is not strict JSON.
    #[test]
    fn identifier_that_is_not_unicode_is_a_mismatch() {
        let topup = Subject::of(r#"{"orderNo":"T-1"}"#, None, true);
        let other = Err(Mismatch::Other("orderNo".into()));
        assert_eq!(topup.check(br#"{"orderNo":"T-2","x":"\ud800"}"#), other);
        assert_eq!(topup.check(br#"{"orderNo":"T-1\ud800"}"#), other);
        assert_eq!(topup.check(b"{\"orderNo\":\"T-1\xff\"}"), other);
        assert_eq!(topup.check(b"{\"orderNo\":\"T-1\",\"x\":\"\xff\"}"), Ok(()));
    }

    /// The card field in responses is inferred, so a response without the field is accepted.
    #[test]
    fn response_without_a_card_is_accepted_but_a_different_card_is_a_mismatch() {
        let balance = r#"{"cardId":"1755902"}"#;
        assert_eq!(check(balance, r#"{"balance":"1.00"}"#), Ok(()));
        assert_eq!(check(balance, r#"{"cardId":"1755902","balance":"1.00"}"#), Ok(()));
        assert_eq!(check(balance, r#"{"cardId":"7"}"#), Err(Mismatch::Other("cardId".into())));
        // The request contains none of the fields that are compared, so the response is accepted.
        assert_eq!(check(r#"{"idNo":"1"}"#, r#"{"holderId":"7"}"#), Ok(()));
    }

    #[test]
    fn configured_names_replace_the_defaults() {
        let topup = r#"{"cardId":"1755902","orderNo":"T-1"}"#;
        let subject = |names: &[&str]| {
            let names: Vec<String> = names.iter().map(|name| (*name).to_owned()).collect();
            Subject::of(topup, Some(&names), true)
        };
        assert_eq!(subject(&[]).check(r#"{"orderNo":"T-2"}"#.as_bytes()), Ok(()));
        assert_eq!(subject(&["cardId"]).check(r#"{"orderNo":"T-2","cardId":"1755902"}"#.as_bytes()), Ok(()));
        assert_eq!(subject(&["cardId"]).check(r#"{"cardId":"7"}"#.as_bytes()), Err(Mismatch::Other("cardId".into())));
        // Configured fields are required.
        let unnamed = Err(Mismatch::Unnamed("cardId".into()));
        assert_eq!(subject(&["cardId"]).check(r#"{"orderNo":"T-1"}"#.as_bytes()), unnamed);
        // Without response data the order number is not required, but a different order number is still a mismatch.
        assert_eq!(Subject::of(topup, None, false).check(r#"{"x":1}"#.as_bytes()), Ok(()));
        let other = Subject::of(topup, None, false).check(r#"{"orderNo":"T-2"}"#.as_bytes());
        assert_eq!(other, Err(Mismatch::Other("orderNo".into())));
    }

    #[test]
    fn identifier_values_are_not_shown() {
        let subject = Subject::of(r#"{"orderNo":"CANARY"}"#, None, true);
        let shown = format!("{subject:?} {}", subject.check(r#"{"orderNo":"CANARY2"}"#.as_bytes()).unwrap_err());
        assert!(!shown.contains("CANARY") && shown.contains("orderNo"), "{shown}");
    }
}
