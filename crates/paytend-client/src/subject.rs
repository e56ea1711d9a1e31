//! What a request is about, and whether a response is about the same thing.
//!
//! Nothing in Paytend's envelope ties a response to its request: a genuine response about another order verifies as well. What
//! the two have in common is what they name: an order, a card, a holder, a user. That responses name them is inferred, by the
//! pattern of the requests, so [`Builder::response_names`](crate::Builder::response_names) can override it.

use std::borrow::Cow;
use std::fmt;

use serde::Deserialize;
use serde::de::{Deserializer, IgnoredAny, MapAccess, Visitor};
use serde_json::value::RawValue;

/// The fields by which a request and its response name the same thing.
const NAMES: [&str; 4] = [ORDER, "cardId", "holderId", "userId"];

/// The field that a response to a request with an order number must have.
const ORDER: &str = "orderNo";

/// What a request names.
#[derive(Clone, Default)]
pub(crate) struct Subject {
    /// Wire names with the request's values. Values are personal data at times: they appear in no error and no `Debug`.
    named: Vec<(String, String)>,
    /// Which names a response must have.
    required: Required,
}

/// Which of the names that a request has its response must have, too.
#[derive(Clone, Copy, Default, PartialEq)]
enum Required {
    /// None: the operation has no response data.
    #[default]
    None,
    /// The order number. The others are compared where the response has them.
    Order,
    /// All, as configured.
    All,
}

/// How a response fails to be about what was asked for. Holds the field's wire name, never a value.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Mismatch {
    /// The response names another one.
    Other(String),
    /// The response lacks a name that it must have.
    Unnamed(String),
}

impl fmt::Display for Mismatch {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Other(name) => write!(f, "the response has another {name} than the request"),
            Self::Unnamed(name) => write!(
                f,
                "the response has no {name}; if your documents say that it has none, set response_names on the client"
            ),
        }
    }
}

impl std::error::Error for Mismatch {}

impl Subject {
    /// Reads what a request's payload names.
    ///
    /// `configured` replaces the fields that are compared, and makes them required. `has_response` is whether the operation has
    /// response data: only then must a response name the order.
    pub(crate) fn of(payload: &str, configured: Option<&[String]>, has_response: bool) -> Self {
        let default = NAMES.map(str::to_owned);
        let wanted = configured.unwrap_or(&default);
        let named = if wanted.is_empty() { Vec::new() } else { members(payload, wanted) };
        let required = match configured {
            Some(_) => Required::All,
            None if has_response => Required::Order,
            None => Required::None,
        };
        Self { named, required }
    }

    /// Checks that a response's payload is about what the request was. A payload that is not a JSON object is not checked: it
    /// is reported as what it is.
    ///
    /// # Errors
    /// Returns [`Mismatch`].
    pub(crate) fn check(&self, payload: &str) -> Result<(), Mismatch> {
        if self.named.is_empty() || payload.is_empty() || serde_json::from_str::<IgnoredAny>(payload).is_err() {
            return Ok(());
        }
        let wanted: Vec<String> = self.named.iter().map(|(name, _)| name.clone()).collect();
        let found = members(payload, &wanted);
        for (name, value) in &self.named {
            let mut same_name = found.iter().filter(|(known, _)| known == name).peekable();
            let required = match self.required {
                Required::None => false,
                Required::Order => name == ORDER,
                Required::All => true,
            };
            if required && same_name.peek().is_none() {
                return Err(Mismatch::Unnamed(name.clone()));
            }
            if same_name.any(|(_, other)| other != value) {
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

/// The members of a JSON object that have one of these names and a value to compare: a string that is not empty, or a number.
fn members(object: &str, wanted: &[String]) -> Vec<(String, String)> {
    struct Wanted<'w>(&'w [String]);

    impl<'de> Visitor<'de> for Wanted<'_> {
        type Value = Vec<(String, String)>;

        fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
            f.write_str("an object")
        }

        fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Self::Value, A::Error> {
            let mut found = Vec::new();
            while let Some(Name(name)) = map.next_key()? {
                if !self.0.iter().any(|wanted| *wanted == name) {
                    map.next_value::<IgnoredAny>()?;
                } else if let Some(value) = comparable(map.next_value::<&RawValue>()?.get()) {
                    found.push((name.into_owned(), value));
                }
            }
            Ok(found)
        }
    }

    let mut json = serde_json::Deserializer::from_str(object);
    json.deserialize_map(Wanted(wanted)).unwrap_or_default()
}

#[derive(Deserialize)]
struct Name<'n>(#[serde(borrow)] Cow<'n, str>);

/// The text of a string or a number. `1755902` and `"1755902"` are the same identifier.
fn comparable(json: &str) -> Option<String> {
    let text = match json.as_bytes().first()? {
        b'"' => serde_json::from_str(json).ok()?,
        b'-' | b'0'..=b'9' => json.to_owned(),
        _ => return None,
    };
    Some(text).filter(|text: &String| !text.is_empty())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(request: &str, response: &str) -> Result<(), Mismatch> {
        Subject::of(request, None, true).check(response)
    }

    #[test]
    fn names_in_request_and_response_are_compared() {
        let topup = r#"{"cardId":"1755902","orderNo":"T-1","amount":"25.00"}"#;
        let other = |name: &str| Err(Mismatch::Other(name.into()));
        for (response, expected) in [
            (r#"{"orderNo":"T-1","status":"2"}"#, Ok(())),
            (r#"{"orderNo":"T-1","cardId":1755902}"#, Ok(())),
            (r#"{"\u006frderNo":"T\u002d1"}"#, Ok(())),
            (r#"{"orderNo":"T-2","status":"2"}"#, other("orderNo")),
            (r#"{"orderNo":"T-1","cardId":"7"}"#, other("cardId")),
            // Of two, both count.
            (r#"{"orderNo":"T-1","orderNo":"T-2"}"#, other("orderNo")),
            (r#"{"x":1}"#, Err(Mismatch::Unnamed("orderNo".into()))),
            (r#"{"orderNo":""}"#, Err(Mismatch::Unnamed("orderNo".into()))),
            (r#"{"orderNo":null}"#, Err(Mismatch::Unnamed("orderNo".into()))),
            (r#"{"nested":{"orderNo":"T-1"}}"#, Err(Mismatch::Unnamed("orderNo".into()))),
            (r#"{"cardId":"1755902","balance":"25.00"}"#, Err(Mismatch::Unnamed("orderNo".into()))),
            // Reported as what it is elsewhere.
            ("", Ok(())),
            ("{", Ok(())),
        ] {
            assert_eq!(check(topup, response), expected, "{response}");
        }
    }

    /// That a response names a card is inferred: one that does not is not refused.
    #[test]
    fn a_response_without_a_card_is_taken_and_one_with_another_card_is_not() {
        let balance = r#"{"cardId":"1755902"}"#;
        assert_eq!(check(balance, r#"{"balance":"1.00"}"#), Ok(()));
        assert_eq!(check(balance, r#"{"cardId":"1755902","balance":"1.00"}"#), Ok(()));
        assert_eq!(check(balance, r#"{"cardId":"7"}"#), Err(Mismatch::Other("cardId".into())));
        // Nothing was asked for by name.
        assert_eq!(check(r#"{"idNo":"1"}"#, r#"{"holderId":"7"}"#), Ok(()));
    }

    #[test]
    fn configured_names_replace_the_others() {
        let topup = r#"{"cardId":"1755902","orderNo":"T-1"}"#;
        let subject = |names: &[&str]| {
            let names: Vec<String> = names.iter().map(|name| (*name).to_owned()).collect();
            Subject::of(topup, Some(&names), true)
        };
        assert_eq!(subject(&[]).check(r#"{"orderNo":"T-2"}"#), Ok(()));
        assert_eq!(subject(&["cardId"]).check(r#"{"orderNo":"T-2","cardId":"1755902"}"#), Ok(()));
        assert_eq!(subject(&["cardId"]).check(r#"{"cardId":"7"}"#), Err(Mismatch::Other("cardId".into())));
        // What is configured is required.
        let unnamed = Err(Mismatch::Unnamed("cardId".into()));
        assert_eq!(subject(&["cardId"]).check(r#"{"orderNo":"T-1"}"#), unnamed);
        // An operation without response data need not name the order; another order is another order all the same.
        assert_eq!(Subject::of(topup, None, false).check(r#"{"x":1}"#), Ok(()));
        let other = Subject::of(topup, None, false).check(r#"{"orderNo":"T-2"}"#);
        assert_eq!(other, Err(Mismatch::Other("orderNo".into())));
    }

    #[test]
    fn values_are_not_shown() {
        let subject = Subject::of(r#"{"orderNo":"CANARY"}"#, None, true);
        let shown = format!("{subject:?} {}", subject.check(r#"{"orderNo":"CANARY2"}"#).unwrap_err());
        assert!(!shown.contains("CANARY") && shown.contains("orderNo"), "{shown}");
    }
}
