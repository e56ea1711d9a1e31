//! Whether a receiver acknowledged a notification, and why not.

use std::error::Error as _;
use std::io::ErrorKind;

use serde_json::Value;

use crate::world::Source;

/// What acknowledges a notification, besides the status 200.
pub(crate) enum Acknowledgement {
    /// A member of a JSON object with this text.
    Member(&'static str, &'static str),
    /// The same, or the text alone.
    MemberOrText(&'static str, &'static str),
}

impl Acknowledgement {
    /// Returns the documented rule of a sender. `plain` accepts the bare word that PayBy's own sample answers.
    pub(crate) fn of(source: &Source, plain: bool) -> Self {
        match source {
            Source::Paytend { .. } => Self::Member("status", "00"),
            Source::PayBy if plain => Self::MemberOrText("response", "SUCCESS"),
            Source::PayBy => Self::Member("response", "SUCCESS"),
            Source::PayerMax => Self::Member("code", "SUCCESS"),
        }
    }

    /// Returns why a response is not the acknowledgement, or `None` if it is. Repeats nothing of the body but its shape.
    pub(crate) fn refuses(&self, status: u16, body: &str) -> Option<String> {
        if status != 200 {
            return Some(format!("the status is {status}; expected 200"));
        }
        let (Self::Member(name, text) | Self::MemberOrText(name, text)) = self;
        if matches!(self, Self::MemberOrText(..)) && body.trim() == *text {
            return None;
        }
        let expected = format!("expected a JSON object with \"{name}\":\"{text}\"");
        let found = match serde_json::from_str::<Value>(body) {
            Ok(Value::Object(members)) => match members.get(*name) {
                Some(Value::String(found)) if found == text => return None,
                Some(Value::String(_)) => format!("an object with another `{name}`"),
                Some(_) => format!("an object whose `{name}` is not a string"),
                None => format!("an object without `{name}`"),
            },
            Ok(_) => "JSON that is not an object".to_owned(),
            Err(_) if body.is_empty() => "an empty body".to_owned(),
            Err(_) if body.trim_start().starts_with('<') => "a page of HTML or XML".to_owned(),
            Err(_) if body.trim() == *text => format!("the bare word {text}"),
            Err(_) => format!("a text of {} characters that is not JSON", body.chars().count()),
        };
        Some(format!("{expected}; found {found}"))
    }
}

/// Describes why a receiver could not be asked.
pub(crate) fn unreachable(error: &reqwest::Error) -> String {
    if error.is_timeout() {
        return "no response within 10 s".into();
    }
    let mut causes = Vec::new();
    let mut refused = false;
    let mut cause = error.source();
    while let Some(inner) = cause {
        refused |= inner.downcast_ref::<std::io::Error>().is_some_and(|io| io.kind() == ErrorKind::ConnectionRefused);
        causes.push(inner.to_string());
        cause = inner.source();
    }
    let last = causes.last().map_or("", String::as_str);
    if refused {
        "connection refused: no program listens at this address".into()
    } else if causes.iter().any(|cause| cause.contains("dns error")) {
        format!("the host name cannot be resolved: {last}")
    } else if last.contains("invalid peer certificate") || last.contains("certificate") {
        format!("TLS: {last}; if the receiver is yours, allow its host with --self-signed HOST")
    } else if causes.iter().any(|cause| cause.contains("received corrupt message")) {
        "TLS: the receiver does not speak TLS; is its URL http://?".into()
    } else {
        format!("cannot be reached: {}", if last.is_empty() { "unknown cause" } else { last })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn refusal_says_what_was_expected_and_what_was_found() {
        let paytend = Source::Paytend { product: "baas".into(), notify_type: "2".into() };
        let expected = r#"expected a JSON object with "status":"00"; found "#;
        for (body, found) in [
            ("", "an empty body"),
            ("ok", "a text of 2 characters that is not JSON"),
            (" <html>", "a page of HTML or XML"),
            ("[]", "JSON that is not an object"),
            ("{}", "an object without `status`"),
            (r#"{"status":0}"#, "an object whose `status` is not a string"),
            (r#"{"status":"secret"}"#, "an object with another `status`"),
        ] {
            let refusal = Acknowledgement::of(&paytend, false).refuses(200, body);
            assert_eq!(refusal, Some(format!("{expected}{found}")), "{body}");
        }
        let rule = Acknowledgement::of(&paytend, false);
        assert_eq!(rule.refuses(200, r#"{"msg":"success","status":"00"}"#), None);
        assert_eq!(rule.refuses(500, r#"{"status":"00"}"#), Some("the status is 500; expected 200".into()));
    }

    #[test]
    fn bare_word_of_payby_s_sample_is_an_option() {
        for (plain, body, acknowledges) in [
            (true, "SUCCESS", true),
            (true, "SUCCESS\n", true),
            (true, r#"{"response":"SUCCESS"}"#, true),
            (true, "success", false),
            (false, "SUCCESS", false),
            (false, r#"{"response":"SUCCESS"}"#, true),
        ] {
            let refusal = Acknowledgement::of(&Source::PayBy, plain).refuses(200, body);
            assert_eq!(refusal.is_none(), acknowledges, "{plain} {body}: {refusal:?}");
        }
        let refusal = Acknowledgement::of(&Source::PayBy, false).refuses(200, "SUCCESS");
        assert!(refusal.unwrap().ends_with("found the bare word SUCCESS"));
        assert!(Acknowledgement::of(&Source::PayerMax, true).refuses(200, "SUCCESS").is_some());
    }
}
