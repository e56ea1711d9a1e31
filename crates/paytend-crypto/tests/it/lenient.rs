//! Tests for authentic payloads that are not strict JSON: they are opened unchanged, and an attacker cannot move their
//! end.

use std::collections::BTreeMap;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use paytend_crypto::{
    Error, Expected, FieldProblem, Fields, JsonProblem, Kind, Outgoing, PayloadProblem, detached, hazmat,
};
use paytend_vectors::Seeded;
use proptest::prelude::*;
use proptest::test_runner::TestRunner;
use serde_json::{Map, Value};

use crate::cuts::{encrypt, readings};
use crate::support::{PARTNER_ID, expected, key, keyring};

const SESSION_KEY: &str = "gNx86vc1yttHs8ZWOf7+5g==";

/// Seals a message without validating its payload, as a provider might. Returns the signed bytes and the document.
fn sealed(kind: Kind, fields: &[(&str, &str)], payload: &[u8]) -> (Vec<u8>, String) {
    let mut parts: BTreeMap<&str, &[u8]> = fields.iter().map(|(name, value)| (*name, value.as_bytes())).collect();
    parts.insert(kind.payload_field(), payload);
    parts.insert("randomKey", SESSION_KEY.as_bytes());
    let mut text = Vec::new();
    for (name, value) in parts {
        text.extend([name.as_bytes(), b"=", value, b"&"].concat());
    }
    text.pop();
    let mut document: Map<String, Value> =
        fields.iter().map(|(name, value)| ((*name).to_owned(), (*value).into())).collect();
    let random_key = hazmat::encrypt_blocks(&*key("partner").public, SESSION_KEY.as_bytes(), &Seeded::with(1)).unwrap();
    document.insert("randomKey".into(), STANDARD.encode(random_key).into());
    document.insert("signature".into(), detached::sign(&*key("paytend").private, &text).unwrap().into());
    document.insert(kind.payload_field().into(), encrypt(SESSION_KEY, payload).into());
    (text, Value::Object(document).to_string())
}

const NOTIFICATION: [(&str, &str); 4] =
    [("notifyType", "2"), ("partnerId", PARTNER_ID), ("signType", "RSA"), ("version", "2.0")];

#[test]
fn payload_that_is_not_an_object_is_refused_with_a_reason() {
    for (payload, problem) in [
        (b"not json".as_slice(), JsonProblem::Syntax),
        (b"[{}]", JsonProblem::NotAnObject),
        (b"{\"a\":\"\x01", JsonProblem::Syntax),
        (b"{} x", JsonProblem::Syntax),
        (b"{}{}", JsonProblem::Syntax),
        (b"{\"a\":1", JsonProblem::Truncated),
    ] {
        let (_, document) = sealed(Kind::Notification, &NOTIFICATION, payload);
        let error = keyring("partner", "paytend").open(document.as_bytes(), &expected()).unwrap_err();
        let shown = String::from_utf8_lossy(payload);
        match error {
            Error::Payload(PayloadProblem::Json { problem: found, .. }) => assert_eq!(found, problem, "{shown}"),
            // Only payloads that start with a complete object result in this error.
            Error::Payload(PayloadProblem::End) => assert!(payload.starts_with(b"{}"), "{shown}"),
            other => panic!("{shown}: {other:?}"),
        }
    }
}

/// An attacker presents only the beginning of a payload that is strict JSON in UTF-8. A receiver that reads the payload
/// as byte pairs takes the backslash for the second half of a character, so the quote after the backslash would end the
/// string.
#[test]
fn payload_cannot_be_truncated_at_an_escaped_quote() {
    let fields = Fields::notification(PARTNER_ID, "2");
    let receiver = keyring("partner", "paytend");
    let payload = "{\"reference\":\"€\\\"}&d=x\"}";
    let document = keyring("paytend", "partner").seal(&Outgoing::new(&fields).payload(payload)).unwrap();
    let opened = receiver.open(document.document().as_bytes(), &expected()).unwrap();
    assert_eq!((opened.payload_text(), opened.payload_problem()), (Some(payload), None));

    // `d` is sorted directly after `content`, so the signed text is the same.
    let mut cut: Value = serde_json::from_str(document.document()).unwrap();
    let (shorter, _) = payload.split_at(payload.find("&d=").unwrap());
    cut["content"] = encrypt(opened.session_key(), shorter.as_bytes()).into();
    cut["d"] = "x\"}".into();
    let error = receiver.open(cut.to_string().as_bytes(), &expected()).unwrap_err();
    assert_eq!(error, Error::Payload(PayloadProblem::End));
}

#[test]
fn payload_whose_end_depends_on_its_encoding_is_refused() {
    // If the text is read as single bytes, the string continues to the quote in `d`.
    let payload = b"{\"a\":\"\x81\x5C\"}";
    let fields = [NOTIFICATION.as_slice(), &[("d", "\"}")]].concat();
    let (_, document) = sealed(Kind::Notification, &fields, payload);
    let receiver = keyring("partner", "paytend");
    let error = receiver.open(document.as_bytes(), &expected()).unwrap_err();
    assert_eq!(error, Error::Payload(PayloadProblem::End));
    // Without `d`, the end is unambiguous.
    let (_, document) = sealed(Kind::Notification, &NOTIFICATION, payload);
    assert_eq!(receiver.open(document.as_bytes(), &expected()).unwrap().payload_bytes(), payload);
}

#[test]
fn unsigned_payload_that_is_not_strict_json_is_refused() {
    let (_, document) = sealed(Kind::Notification, &NOTIFICATION, b"{\"a\":\"\\ud800\"}");
    let mut document: Value = serde_json::from_str(&document).unwrap();
    let text = format!("notifyType=2&partnerId={PARTNER_ID}&randomKey={SESSION_KEY}&signType=RSA&version=2.0");
    document["signature"] = detached::sign(&*key("paytend").private, text.as_bytes()).unwrap().into();
    let error = keyring("partner", "paytend").open(document.to_string().as_bytes(), &expected().unsigned_payload());
    assert!(matches!(error.unwrap_err(), Error::Payload(PayloadProblem::Json { .. })));
}

#[test]
fn response_with_invalid_utf8_is_opened_like_a_notification() {
    let fields = [("respCode", "00"), ("respMsg", "ok"), ("signType", "RSA")];
    let payload = b"{\"balance\":\"1.00\",\"name\":\"\xB1\xB1\"}";
    let (text, document) = sealed(Kind::Response, &fields, payload);
    let opened = keyring("partner", "paytend").open(document.as_bytes(), &Expected::response()).unwrap();
    assert_eq!((opened.payload_bytes(), opened.payload_text()), (payload.as_slice(), None));
    assert_eq!(opened.payload_problem(), Some(&PayloadProblem::NotUtf8));
    assert_eq!(*opened.canonical(), text);
    assert_eq!(opened.payload::<Value>().unwrap_err(), Error::Payload(PayloadProblem::NotUtf8));
}

#[test]
fn only_one_byte_order_mark_before_a_document_is_accepted() {
    let (_, document) = sealed(Kind::Notification, &NOTIFICATION, b"{}");
    let receiver = keyring("partner", "paytend");
    for (marks, right) in [(0, true), (1, true), (2, false)] {
        let document = [b"\xEF\xBB\xBF".repeat(marks), document.clone().into_bytes()].concat();
        assert_eq!(receiver.open(&document, &expected()).is_ok(), right, "{marks}");
        let peeked = paytend_crypto::danger_peek(&document, Kind::Notification, "partnerId");
        assert_eq!(peeked.ok().flatten().is_some(), right, "{marks}");
    }
}

#[test]
fn seal_refuses_payloads_that_are_not_strict_json() {
    let fields = Fields::notification(PARTNER_ID, "2");
    for payload in ["{\"a\":\"\\ud800\"}", "{\"a\":\"\n\"}", "{\"a\":1,\"a\":2}", "{\"a\":NaN}", "\u{feff}{}"] {
        let error = keyring("paytend", "partner").seal(&Outgoing::new(&fields).payload(payload)).unwrap_err();
        assert!(matches!(error, Error::Unsealable(FieldProblem::Payload(_))), "{payload}: {error:?}");
    }
}

/// Generates the content of a UTF-8 payload string, which includes places where an attacker might try to cut the string
/// off.
fn odd_text() -> impl Strategy<Value = Vec<u8>> {
    prop_oneof![
        2 => Just(b"\\ud83d".as_slice()),
        2 => Just(b"\\x41".as_slice()),
        2 => Just(b"\n\x00\x1f".as_slice()),
        // If the bytes are read as pairs, the backslash belongs to the character before it.
        4 => Just("€\\\"}&d=".as_bytes()),
        2 => Just("€\\\"".as_bytes()),
        2 => Just("é😀".as_bytes()),
        2 => Just(b"\\\"}&d=".as_slice()),
        2 => Just(b"}&d=1".as_slice()),
        1 => Just(b"&notifyType=2".as_slice()),
        1 => Just(b"\\\\".as_slice()),
    ]
    .prop_map(<[u8]>::to_vec)
}

/// Generates the content of a payload string in any encoding.
fn odd_bytes() -> impl Strategy<Value = Vec<u8>> {
    let byte = any::<u8>().prop_filter("a quote or a backslash", |byte| !matches!(byte, b'"' | b'\\'));
    prop_oneof![
        4 => odd_text(),
        3 => Just(b"\x81\x5C".to_vec()),
        1 => Just(b"\xB1\xB1".to_vec()),
        1 => Just(b"\xE2\x82".to_vec()),
        1 => byte.prop_map(|byte| vec![byte]),
    ]
}

fn odd_string() -> impl Strategy<Value = Vec<u8>> {
    let pieces = prop_oneof![prop::collection::vec(odd_text(), 0..5), prop::collection::vec(odd_bytes(), 0..5)];
    pieces.prop_map(|pieces| pieces.concat())
}

fn odd_payload() -> impl Strategy<Value = Vec<u8>> {
    prop::collection::vec(odd_string(), 1..4).prop_map(|strings| {
        let mut payload = b"{".to_vec();
        for (at, string) in strings.iter().enumerate() {
            let name: &[u8] = [b"\"a\":\"".as_slice(), b",\"b\":\"", b",\"c\":\""][at];
            payload.extend([name, string, b"\""].concat());
        }
        payload.push(b'}');
        payload
    })
}

/// If several documents with the same signed text are accepted, they have the same content. This holds for any strings
/// in the payload and in the fields after it.
#[test]
fn signed_text_with_lenient_payload_is_unambiguous() {
    let config = ProptestConfig { cases: 384, failure_persistence: None, ..ProptestConfig::default() };
    let behind = prop::option::of("[a-z0-9\"}{\\\\.:,]{1,6}");
    let mut runner = TestRunner::new(config);
    let taken = std::cell::Cell::new((0, 0));
    let result = runner.run(&(odd_payload(), behind, any::<bool>()), |(payload, behind, is_response)| {
        let kind = if is_response { Kind::Response } else { Kind::Notification };
        let mut fields =
            if is_response { vec![("respCode", "00"), ("signType", "RSA")] } else { NOTIFICATION.to_vec() };
        // This field is sorted directly after the payload.
        let name = if is_response { "respE" } else { "d" };
        fields.extend(behind.as_deref().map(|value| (name, value)));
        let (text, document) = sealed(kind, &fields, &payload);
        prop_assume!(text.iter().filter(|byte| **byte == b'&').count() <= 9);
        let expected = Expected::danger_any_partner(kind);
        let receiver = keyring("partner", "paytend");
        let mut readings_taken = std::collections::BTreeSet::new();
        for document in readings(&text, &document, SESSION_KEY, kind) {
            if let Ok(opened) = receiver.open(document.as_bytes(), &expected) {
                let fields: Vec<_> = opened.fields().map(|(n, v)| (n.to_owned(), v.to_owned())).collect();
                readings_taken.insert((fields, opened.payload_bytes().to_vec()));
            }
        }
        prop_assert!(readings_taken.len() <= 1, "{}", String::from_utf8_lossy(&text));
        let (all, opened) = taken.get();
        taken.set((all + 1, opened + readings_taken.len()));
        Ok(())
    });
    result.unwrap();
    let (all, opened) = taken.get();
    assert!(opened * 2 > all, "too few documents were opened: {opened} of {all}");
}
