//! Tests for explanations of invalid PayBy and PayerMax signatures.

use paytend_webhook::explain::{Certainty, Trace};

use super::*;

#[test]
fn changes_to_a_signed_body_are_reported() {
    let compact = r#"{"b":"é/1","a":1250.50}"#;
    for (signed_body, received, expected) in [
        (format!("{compact}\n"), compact.to_owned(), vec![Change::NewlineLost]),
        (format!("{compact}\r\n"), compact.to_owned(), vec![Change::NewlineLost]),
        (compact.to_owned(), format!("{compact}\n"), vec![Change::WhiteSpaceAdded]),
        ("{\r\n}".to_owned(), "{\n}".to_owned(), vec![Change::LineEnds]),
        (format!("\u{feff}{compact}"), compact.to_owned(), vec![Change::ByteOrderMark]),
        (r#"{"b": "é/1", "a": 1250.50}"#.to_owned(), compact.to_owned(), vec![Change::WhiteSpace]),
        (compact.to_owned(), r#"{ "b" : "é/1" , "a":1250.50 }"#.to_owned(), vec![Change::WhiteSpace]),
        (r#"{"a":1250.50,"b":"é/1"}"#.to_owned(), compact.to_owned(), vec![Change::Order]),
        (compact.to_owned(), r#"{"b":"\u00e9\/1","a":1250.50}"#.to_owned(), vec![Change::Escapes]),
        (compact.to_owned(), r#"{"b":"é/1","a":1250.5}"#.to_owned(), vec![Change::Numbers]),
        (
            "{\n  \"b\": \"é/1\",\n  \"a\": 1250.50\n}\n".to_owned(),
            r#"{"b":"é/1","a":1250.5}"#.to_owned(),
            vec![Change::WhiteSpace, Change::Numbers, Change::NewlineLost],
        ),
        ("a b".to_owned(), "a+b".to_owned(), vec![Change::PlusAndSpace]),
        (compact.to_owned(), compact.replace('"', "%22"), vec![Change::Wrapped(Wrapping::PercentEncoding)]),
    ] {
        let headers = signed("payby", signed_body.as_bytes());
        let explanation = explain(Provider::PayBy, &headers, received.as_bytes(), &detached_keys());
        let [Finding::Text { changes, at, .. }] = explanation.findings() else { panic!("{received}: {explanation}") };
        assert_eq!(*changes, expected.into_iter().map(TextChange::Bytes).collect::<Vec<_>>(), "{received}");
        let differs = received.bytes().zip(signed_body.bytes()).take_while(|(a, b)| a == b).count();
        assert_eq!((*at, explanation.signed_text().unwrap()), (differs, signed_body.as_bytes()));
    }
    let latin1 = [b"{\"b\":\"".as_slice(), &[0xe9], b"\"}"].concat();
    let explanation = explain(Provider::PayBy, &signed("payby", &latin1), "{\"b\":\"é\"}".as_bytes(), &detached_keys());
    assert!(explanation.to_string().contains("windows-1252"), "{explanation}");
}

#[test]
fn sign_header_from_another_sender_is_reported() {
    let body = b"{}";
    assert!(explain(Provider::PayBy, &signed("payby", body), body, &detached_keys()).authentic());
    let explained = |headers: &HeaderMap, body: &[u8]| explain(Provider::PayBy, headers, body, &detached_keys());
    assert_found(&explained(&signed("payermax", body), body), &[Finding::SignedByOther("PayerMax".into())]);
    let too_short = Finding::SignatureLength { bytes: 128, expected: "256".into() };
    assert_found(&explained(&signed("stranger", body), body), &[too_short, Finding::SignedByUnknown]);
    assert_found(&explained(&HeaderMap::new(), body), &[Finding::NoSign]);
    let mut twice = signed("payby", body);
    twice.append("sign", twice["sign"].clone());
    assert_eq!(explained(&twice, body).verdict(), Verdict::Authentic);
    twice.append("sign", HeaderValue::from_static("AAAA"));
    assert_eq!(explained(&twice, body).verdict(), Verdict::AuthenticBut(&[Finding::SeveralSigns]));
    let mut zipped = signed("payby", body);
    zipped.insert("content-encoding", HeaderValue::from_static("gzip"));
    assert_eq!(explained(&zipped, body).verdict(), Verdict::AuthenticBut(&[Finding::Compressed]));
    let explanation = explained(&signed("payby", b"nonsense"), b"{}");
    assert_found(&explanation, &[Finding::TextUnknown, Finding::Trace(Trace::MembersLost)]);
    assert_eq!(explanation.findings()[1].certainty(), Certainty::Possible);
    for case in paytend_vectors::detached() {
        let keys = KnownKeys::new().sender("it", paytend_vectors::keys()[&case.key].public.as_bytes()).unwrap();
        let headers = HeaderMap::from_iter([("sign".parse().unwrap(), HeaderValue::from_str(&case.sign).unwrap())]);
        let explanation = explain(Provider::PayBy, &headers, &case.body(), &keys);
        assert_eq!(explanation.authentic(), case.valid, "{}: {explanation}", case.name);
        assert_eq!(explanation.findings().is_empty(), case.valid, "{}", case.name);
    }
}
