//! Tests for errors that only senders of envelopes can make.

use paytend_webhook::explain::Trace;

use super::*;

/// Collects the signed-text changes reported by all findings.
fn changes(explanation: &Explanation) -> Vec<TextChange> {
    let texts = explanation.findings().iter().filter_map(|finding| match finding {
        Finding::Text { changes, .. } => Some(changes.clone()),
        _ => None,
    });
    texts.flatten().collect()
}

#[test]
fn session_key_in_the_wrong_format_is_reported() {
    let hex = "0123456789abcdef0123456789abcdef";
    let unhexed: Vec<u8> = [1, 0x23, 0x45, 0x67, 0x89, 0xab, 0xcd, 0xef].repeat(2);
    let base64 = STANDARD.encode([7; 24]);
    let text = |chars: usize, form: &'static str| Finding::SessionKeyText { chars, form };
    let regular = Sender::new().session_key;
    for (session_key, aes_key, expected) in [
        // The payload is encrypted with the session key's text, as an AES-256 key.
        (hex.as_bytes(), hex.as_bytes(), vec![text(32, "hexadecimal")]),
        (base64.as_bytes(), base64.as_bytes(), vec![text(32, "base64")]),
        (hex.to_uppercase().as_bytes(), hex.to_uppercase().as_bytes(), vec![text(32, "hexadecimal")]),
        // The payload is encrypted with the decoded session key.
        (hex.as_bytes(), &unhexed, vec![text(32, "hexadecimal"), Finding::Aes128]),
        (base64.as_bytes(), &[7; 24], vec![text(32, "base64"), Finding::DecodedKey(24)]),
        // The payload is encrypted with the first characters of the session key's text.
        (&regular, &regular[..16], vec![Finding::Aes128Truncated]),
        (hex.as_bytes(), &hex.as_bytes()[..16], vec![text(32, "hexadecimal"), Finding::Aes128Truncated]),
        (base64.as_bytes(), &base64.as_bytes()[..16], vec![text(32, "base64"), Finding::Aes128Truncated]),
        (&regular[..16], &regular[..16], vec![text(16, "base64")]),
        // The session key consists of bytes that are not text.
        (&[0x80; 24], &[0x80; 24], vec![Finding::SessionKey(24)]),
    ] {
        let sender = Sender { session_key: session_key.into(), aes_key: aes_key.into(), ..Sender::new() };
        let explanation = explain_document(&sender.send_valid());
        assert_found(&explanation, &expected);
        assert!(!explanation.to_string().contains(std::str::from_utf8(session_key).unwrap_or("secret")));
    }
}

#[test]
fn fields_with_changed_values_are_reported() {
    let sent = String::from_utf8(Sender::new().send_valid()).unwrap();
    let value = |name: &str| TextChange::OtherValue(name.to_owned());
    let missing = |name: &str| TextChange::Missing(name.to_owned());
    let explained = |document: &str| {
        let explanation = explain_document(document.as_bytes());
        assert!(!explanation.authentic());
        explanation
    };
    let partner = |document: &str| document.replace(PARTNER_ID, "888666000100999");
    let kind = |document: &str| document.replace(r#""notifyType":"2""#, r#""notifyType":"3""#);
    let removed = |name: &str, value: &str| sent.replace(&format!("\"{name}\":\"{value}\","), "");
    for (document, expected) in [
        (partner(&sent), vec![value("partnerId")]),
        (kind(&sent), vec![value("notifyType")]),
        (partner(&kind(&sent)), vec![value("partnerId"), value("notifyType")]),
        (sent.replace(r#""version":"2.0""#, r#""version":"3.0""#), vec![value("version")]),
        (sent.replace(r#""signType":"RSA""#, r#""signType":"MD5""#), vec![value("signType")]),
        (removed("partnerId", PARTNER_ID), vec![missing("partnerId")]),
        (removed("notifyType", "2"), vec![missing("notifyType")]),
        (sent.replace(r#""signType":"RSA""#, r#""signType":"""#), vec![missing("signType")]),
    ] {
        assert_ne!(document, sent);
        let explanation = explained(&document);
        assert_eq!(changes(&explanation), expected, "{explanation}");
        assert!(explanation.fixes().iter().any(|fix| fix.contains("each field")), "{explanation}");
    }
    // If a changed value cannot be guessed, the field names are listed as possibilities, without values.
    let explanation =
        explained(&kind(&sent).replace(r#""notifyType":"3""#, r#""notifyType":"CANARY""#).replace(PARTNER_ID, "1"));
    let unknown = explained(&sent.replace(r#""notifyType":"2""#, r#""notifyType":"2","traceId":"CANARY","other":"1""#));
    let fields = "notifyType, partnerId, signType, version";
    for (explanation, fields) in
        [(explanation, fields), (unknown, "notifyType, other, partnerId, signType, traceId, version")]
    {
        if !explanation.findings().iter().any(|finding| matches!(finding, Finding::Text { .. })) {
            assert!(
                explanation.findings().contains(&Finding::Trace(Trace::Fields(fields.to_owned()))),
                "{explanation}"
            );
        }
        assert!(!explanation.to_string().contains("CANARY"), "{explanation}");
    }
}

/// The explanation of a request is for its sender, so it contains only fixes that the sender can apply.
#[test]
fn fixes_for_a_request_are_for_its_sender() {
    let request = |content: &str, signed: &str, signing_key: &str| {
        let mut sender = Sender::new();
        sender.fields[0] = ("requestId", "R1".to_owned());
        sender.content = content.into();
        sender.signed_content = Some(signed.into());
        sender.signing_key = key(signing_key);
        let sent = String::from_utf8(sender.send(|fields, _, _| {
            let rename = |(name, value): (String, Vec<u8>)| (name.replace("content", "bizData"), value);
            let mut fields: NamedValues = fields.into_iter().map(rename).collect();
            fields.sort();
            join(fields)
        }));
        sent.unwrap().replace("\"content\"", "\"bizData\"")
    };
    let explained = |document: &str| explain_envelope(Kind::Request, true, document.as_bytes(), &known_keys());
    assert!(explained(&request("{}", "{}", "paytend")).authentic());
    let same = r#"{"orderNo":"F1"}"#;
    let unknown = known_keys();
    for (document, fix) in [
        (request(r#"{"a": 1}"#, r#"{"a":1}"#, "paytend"), "sign and encrypt exactly these bytes"),
        (request(r#"{"a":1}"#, r#"{"b":2,"c":[1]}"#, "paytend"), "sign and encrypt exactly these bytes"),
        (request(same, same, "stranger"), "sign with the private key"),
        (request(same, same, "paytend").replace("\"R1\"", "\"R2\""), "sign each field"),
        (format!("data={}", request(same, same, "paytend").replace('+', "%2B")), "send the JSON document itself"),
        (String::new(), "send the JSON document of the envelope"),
    ] {
        let explanation = explain_envelope(Kind::Request, true, document.as_bytes(), &unknown);
        let fixes = explanation.fixes().join("\n");
        assert!(fixes.contains(fix), "{explanation}");
        for word in ["express", "Express", "php", "the sender", "ours", "verify"] {
            assert!(!fixes.contains(word), "{word}: {explanation}");
        }
    }
    // For a notification with the same error, the fixes are for the receiver.
    let sender =
        Sender { signed_content: Some(br#"{"a":1}"#.to_vec()), content: br#"{"a": 1}"#.to_vec(), ..Sender::new() };
    let fixes = explain_document(&sender.send_valid()).fixes().join("\n");
    assert!(fixes.contains("inform the sender") && !fixes.contains("Express"), "{fixes}");
}
