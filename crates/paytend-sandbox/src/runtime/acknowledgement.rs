//! Checks whether a receiver's response acknowledges a notification, and if not, returns the reason.

use std::error::Error as _;
use std::io::ErrorKind;

use serde_json::Value;

use crate::world::outbox::Source;

/// The response body that acknowledges a notification. The status must also be 200.
pub(crate) enum Acknowledgement {
    /// A JSON object that has a member with this name and string value.
    Member(&'static str, &'static str),
    /// A JSON object with this member, or the value alone as plain text.
    MemberOrText(&'static str, &'static str),
}

impl Acknowledgement {
    /// Returns the acknowledgement that the provider documents. With `plain`, PayBy also accepts the bare word
    /// `SUCCESS`, as in its sample code.
    pub(crate) fn of(source: &Source, plain: bool) -> Self {
        match source {
            Source::Paytend { .. } => Self::Member("status", "00"),
            Source::PayBy if plain => Self::MemberOrText("response", "SUCCESS"),
            Source::PayBy => Self::Member("response", "SUCCESS"),
            Source::PayerMax => Self::Member("code", "SUCCESS"),
        }
    }

    /// Returns why a response is not an acknowledgement, or `None` if it is an acknowledgement. The reason describes
    /// the body without quoting it.
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
                Some(Value::String(_)) => format!("an object with a different `{name}`"),
                Some(_) => format!("an object whose `{name}` is not a string"),
                None => format!("an object without `{name}`"),
            },
            Ok(_) => "JSON that is not an object".to_owned(),
            Err(_) if body.is_empty() => "an empty body".to_owned(),
            Err(_) if body.trim_start().starts_with('<') => "an HTML or XML page".to_owned(),
            Err(_) if body.trim() == *text => format!("the bare word {text}"),
            Err(_) => format!("{} characters that are not JSON", body.chars().count()),
        };
        Some(format!("{expected}; found {found}"))
    }
}

/// Describes why a receiver sent no response.
pub(crate) fn unreachable(error: &reqwest::Error) -> String {
    if error.is_timeout() {
        return "no response within 10 s".into();
    }
    let mut causes = Vec::new();
    let (mut refused, mut reset) = (false, false);
    let mut cause = error.source();
    while let Some(inner) = cause {
        let kind = inner.downcast_ref::<std::io::Error>().map(std::io::Error::kind);
        refused |= kind == Some(ErrorKind::ConnectionRefused);
        reset |= kind == Some(ErrorKind::ConnectionReset);
        causes.push(inner.to_string());
        cause = inner.source();
    }
    let last = causes.last().map_or("", String::as_str);
    if let Some(problem) = CERTIFICATES.iter().find(|(word, _)| last.contains(word)).map(|(_, problem)| problem) {
        return format!("TLS: {problem}; if the receiver is yours, allow its host with --self-signed HOST");
    }
    if reset {
        return "the connection was reset".into();
    }
    if refused {
        "connection refused: no program is listening at this address".into()
    } else if causes.iter().any(|cause| cause.contains("dns error")) {
        "cannot resolve the host name: check its spelling and this machine's DNS settings".into()
    } else if last.contains("invalid peer certificate") || last.contains("certificate") {
        format!("TLS: {last}; if you trust the receiver, allow its host with --self-signed HOST")
    } else if causes.iter().any(|cause| cause.contains("received corrupt message")) {
        "TLS: the receiver does not use TLS; if it serves plain HTTP, use an http:// URL".into()
    } else {
        format!("cannot reach the receiver: {}", if last.is_empty() { "unknown cause" } else { last })
    }
}

/// Fragments of the TLS library's error messages, and their meanings.
const CERTIFICATES: [(&str, &str); 6] = [
    ("CaUsedAsEndEntity", "the certificate is self-signed"),
    ("UnknownIssuer", "the certificate is self-signed, or its issuer is not trusted"),
    ("not valid for name", "the certificate is for a different host name"),
    ("Expired", "the certificate has expired"),
    ("expired", "the certificate has expired"),
    ("NotValidYet", "the certificate is not valid yet"),
];

/// Returns a callback URL for display, without credentials or query values.
pub(crate) fn shown_url(url: &str) -> String {
    let (address, query) = url.split_once('?').map_or((url, ""), |(address, _)| (address, "?…"));
    let Some((scheme, rest)) = address.split_once("://") else { return address.to_owned() };
    let (authority, path) = rest.split_at(rest.find('/').unwrap_or(rest.len()));
    let host = authority.rsplit_once('@').map_or(authority, |(_, host)| host);
    format!("{scheme}://{host}{path}{query}")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reason_states_the_expected_and_the_received_body() {
        let paytend = Source::Paytend { product: "baas".into(), notify_type: "2".into() };
        let expected = r#"expected a JSON object with "status":"00"; found "#;
        for (body, found) in [
            ("", "an empty body"),
            ("ok", "2 characters that are not JSON"),
            (" <html>", "an HTML or XML page"),
            ("[]", "JSON that is not an object"),
            ("{}", "an object without `status`"),
            (r#"{"status":0}"#, "an object whose `status` is not a string"),
            (r#"{"status":"secret"}"#, "an object with a different `status`"),
        ] {
            let refusal = Acknowledgement::of(&paytend, false).refuses(200, body);
            assert_eq!(refusal, Some(format!("{expected}{found}")), "{body}");
        }
        let rule = Acknowledgement::of(&paytend, false);
        assert_eq!(rule.refuses(200, r#"{"msg":"success","status":"00"}"#), None);
        assert_eq!(rule.refuses(500, r#"{"status":"00"}"#), Some("the status is 500; expected 200".into()));
    }

    #[test]
    fn bare_success_acknowledges_payby_only_if_enabled() {
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

    #[test]
    fn displayed_callback_url_has_no_credentials() {
        for (url, shown) in [
            ("http://127.0.0.1:9000/hook", "http://127.0.0.1:9000/hook"),
            ("https://user:secret@example.test/a/b?token=secret&x=1", "https://example.test/a/b?…"),
            ("https://example.test?token=secret", "https://example.test?…"),
            ("https://a:b@c@example.test", "https://example.test"),
        ] {
            assert_eq!(shown_url(url), shown);
        }
    }
}
