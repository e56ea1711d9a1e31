//! Tests for the findings on messages that fail in common ways.

mod bounds;
mod chains;
mod envelope;
mod making;
mod orders;
mod pairs;
mod signatures;
mod wrapped;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use http::{HeaderMap, HeaderValue};
use paytend_crypto::hazmat::DigestAlgorithm;
use paytend_crypto::{Kind, Malformed, rustcrypto};
use paytend_vectors::PARTNER_ID;
use paytend_webhook::Provider;
use paytend_webhook::explain::{
    Base64Flaw, BodyKind, Change, Explanation, Finding, KnownKeys, PastedSignError, TextChange, Verdict, Wrapping,
    explain, explain_envelope, pasted_sign,
};

use making::*;

#[test]
fn authentic_messages_have_no_findings() {
    let explanation = explain_document(&Sender::new().send_valid());
    assert!(explanation.authentic(), "{explanation}");
    assert_eq!(explanation.findings(), []);
    assert!(explanation.expected_text().unwrap().starts_with(b"content={\"orderNo\""));
    for case in paytend_vectors::envelope() {
        let kind = Kind::ALL.into_iter().find(|kind| kind.payload_field() == case.payload_field).unwrap();
        let keys = KnownKeys::new()
            .own("own", paytend_vectors::keys()[&case.receiver].private.as_bytes())
            .and_then(|keys| keys.sender("sender", paytend_vectors::keys()[&case.sender].public.as_bytes()))
            .unwrap();
        let explanation = explain_envelope(kind, case.sign_payload, case.wire.as_bytes(), &keys);
        assert!(explanation.authentic(), "{}: {explanation}", case.name);
        assert_eq!(explanation.signed_text().unwrap(), case.canonical.as_bytes(), "{}", case.name);
    }
}

/// Every case in `refuse.json` has a finding. A case with a valid signature over a payload that is not an object is
/// reported as authentic, with a finding.
#[test]
fn every_invalid_vector_has_a_finding() {
    for case in paytend_vectors::refuse() {
        let kind = Kind::ALL.into_iter().find(|kind| kind.payload_field() == case.payload_field).unwrap();
        if case.document.len() > 1 << 20 {
            continue;
        }
        let explanation = explain_envelope(kind, true, &case.document, &known_keys());
        let signed = case.name.starts_with("payload/signed");
        assert_eq!(explanation.authentic(), signed, "{}: {explanation}", case.name);
        assert!(!explanation.findings().is_empty(), "{}", case.name);
    }
}

#[test]
fn session_key_and_payload_errors_are_reported() {
    // The payload is encrypted with AES-128 under the decoded session key.
    let mut sender = Sender::new();
    sender.aes_key = vec![7; 16];
    assert_found(&explain_document(&sender.send_valid()), &[Finding::Aes128]);
    // The session key is sent as the decoded bytes instead of the base64 text.
    let mut sender = Sender::new();
    sender.session_key = vec![7; 16];
    sender.aes_key = vec![7; 16];
    assert_found(&explain_document(&sender.send_valid()), &[Finding::SessionKey(16)]);
    // The session key is encrypted for the sandbox's key.
    let mut sender = Sender::new();
    sender.recipient_key = key("partner_2048").public_key().clone();
    assert_found(&explain_document(&sender.send_valid()), &[Finding::EncryptedForOther("sandbox".into())]);
    let mut sender = Sender::new();
    sender.recipient_key = key("stranger").public_key().clone();
    let explanation = explain_document(&sender.send_valid());
    let unknown = Finding::EncryptedForUnknown { bytes: 128, expected: "128".into() };
    assert_found(&explanation, &[unknown, Finding::TextNotAtHand]);
    assert!(explanation.expected_text().is_none());
    // The payload is encrypted with a key other than the session key in the message.
    let mut sender = Sender::new();
    sender.aes_key = vec![9; 24];
    assert_found(&explain_document(&sender.send_valid()), &[Finding::Payload, Finding::TextNotAtHand]);
    // The payload is not a JSON object.
    let mut sender = Sender::new();
    sender.content = b"[1]".to_vec();
    assert!(matches!(explain_document(&sender.send_valid()).findings(), [Finding::PayloadJson(_)]));
}

#[test]
fn wrong_signing_key_is_reported() {
    let by = |name: &str| Sender { signing_key: key(name), ..Sender::new() }.send_valid();
    // The message is signed with another provider's key, the wrong side's key, or an unknown key.
    assert_found(
        &explain_document(&by("payby")),
        &[Finding::SignatureLength { bytes: 256, expected: "128".into() }, Finding::SignedByOther("PayBy".into())],
    );
    assert_found(&explain_document(&by("partner")), &[Finding::SignedByOther("own (its public half)".into())]);
    assert_found(&explain_document(&by("stranger")), &[Finding::SignedByUnknown]);
    // Another environment's key is reported by its name.
    let keys = known_keys().other_public("Paytend sandbox", key("stranger").public_key().spki_der()).unwrap();
    let explanation = explain(Provider::Paytend, &HeaderMap::new(), &by("stranger"), &keys);
    assert_found(&explanation, &[Finding::SignedByOther("Paytend sandbox".into())]);
    // The partner's public key is configured as Paytend's key by mistake.
    let mixed = KnownKeys::new()
        .own("own", paytend_vectors::keys()["partner"].private.as_bytes())
        .and_then(|keys| keys.sender("Paytend", paytend_vectors::keys()["partner"].public.as_bytes()))
        .unwrap();
    let explanation = explain(Provider::Paytend, &HeaderMap::new(), &by("paytend"), &mixed);
    assert_found(
        &explanation,
        &[Finding::SamePair { own: "own".into(), sender: "Paytend".into() }, Finding::SignedByUnknown],
    );
    assert!(explanation.to_string().contains("the wrong side's key"));
}

#[test]
fn hash_function_other_than_sha256_is_reported() {
    let mut document: serde_json::Value = serde_json::from_slice(&Sender::new().send_valid()).unwrap();
    // A PKCS#1 v1.5 signature with SHA-1, made with the raw RSA operation.
    let info = b"\x30\x21\x30\x09\x06\x05\x2b\x0e\x03\x02\x1a\x05\x00\x04\x14";
    let mut block = vec![0xff; 128];
    block[..2].copy_from_slice(&[0, 1]);
    block[128 - 36..].copy_from_slice(&[&[0][..], info, &[5; 20]].concat());
    let mut signature = vec![0; 128];
    rustcrypto::private(&key("paytend")).unwrap().decrypt_raw(&block, &mut signature).unwrap();
    document["signature"] = STANDARD.encode(signature).into();
    assert_found(&explain_document(document.to_string().as_bytes()), &[Finding::Digest(DigestAlgorithm::Sha1)]);
}

#[test]
fn differences_in_the_signed_text_are_reported() {
    let sender = Sender::new();
    let start = "content=".len() + sender.content.len();
    let replaced = |name: &'static str, with: &'static str| {
        move |mut fields: NamedValues, content: &str, key: &str| {
            let with = with.replace("CONTENT", content).replace("KEY", key);
            fields.iter_mut().filter(|(known, _)| known == name).for_each(|(_, value)| *value = with.clone().into());
            join(fields)
        }
    };
    let explained = |text: SignedText<'_>| explain_document(&sender.send(text));
    let without = |name: &'static str| {
        move |mut fields: NamedValues, _: &str, _: &str| {
            fields.retain(|(known, _)| known != name);
            join(fields)
        }
    };
    let key_at = start + "&notifyType=2&partnerId=888666000100260&randomKey=".len();

    assert_found(&explained(&without("content")), &[text(&[TextChange::PayloadLeftOut], 0, "content")]);
    assert_found(&explained(&replaced("randomKey", "KEY")), &[text(&[TextChange::KeyEncrypted], key_at, "randomKey")]);
    let explanation = explained(&replaced("content", "CONTENT"));
    let [Finding::Text { changes, .. }] = explanation.findings() else { panic!("{explanation}") };
    assert_eq!(changes[..], [TextChange::PayloadEncrypted]);
    let explanation = explained(&without("randomKey"));
    let [Finding::Text { changes, at, field }] = explanation.findings() else { panic!("{explanation}") };
    assert_eq!((&changes[..], *at), (&[TextChange::KeyLeftOut][..], key_at - "randomKey=".len()));
    assert_eq!(field.as_deref(), Some("randomKey"));
    // The values of notifyType and version are swapped.
    let swapped = explained(&|mut fields, _, _| {
        fields.iter_mut().for_each(|(name, value)| match name.as_str() {
            "notifyType" => *value = b"2.0".to_vec(),
            "version" => *value = b"2".to_vec(),
            _ => {}
        });
        join(fields)
    });
    let expected = [TextChange::Swapped("notifyType".into(), "version".into())];
    assert_found(&swapped, &[text(&expected, start + "&notifyType=2".len(), "notifyType")]);
    let encoded = explained(&|mut fields, _, _| {
        fields.iter_mut().for_each(|(_, value)| {
            *value = percent_encoding::percent_encode(value, percent_encoding::NON_ALPHANUMERIC).to_string().into();
        });
        join(fields)
    });
    assert!(
        matches!(encoded.findings(), [Finding::Text { changes, .. }] if changes[..] == [TextChange::PercentEncoded])
    );
    let reversed = explained(&|mut fields, _, _| {
        fields.reverse();
        join(fields)
    });
    assert!(matches!(reversed.findings(), [Finding::Text { changes, .. }] if changes[..] == [TextChange::FieldOrder]));
    for (end, change) in [("&", TextChange::LastAmpersand), ("\n", TextChange::LastNewline)] {
        let explanation = explained(&|fields, _, _| [join(fields), end.into()].concat());
        let at = explanation.expected_text().unwrap().len();
        assert_found(&explanation, &[text(&[change], at, "version")]);
        assert_eq!(explanation.signed_text().unwrap()[at..], *end.as_bytes());
    }
    // The signed text cannot be guessed.
    let explanation = explained(&|_, _, _| b"nonsense".to_vec());
    assert!(matches!(explanation.findings()[0], Finding::TextUnknown | Finding::TextTooLarge), "{explanation}");
    // A field was added after signing.
    let added = String::from_utf8(sender.send_valid()).unwrap().replacen('{', r#"{"traceId":"7","#, 1);
    let explanation = explain_document(added.as_bytes());
    assert!(matches!(explanation.findings(),
        [Finding::Text { changes, .. }] if changes[..] == [TextChange::NotSigned("traceId".into())]));
}

/// The sender signed its payload, and a program re-serialized the payload before encryption.
#[test]
fn re_serialized_payload_is_reported() {
    for (signed, expected) in [
        (r#"{"orderNo": "F1", "amount": 10.00, "name": "Žal & Söhne", "url": "a/b"}"#, vec![Change::WhiteSpace]),
        (r#"{"amount":10.00,"name":"Žal & Söhne","orderNo":"F1","url":"a/b"}"#, vec![Change::Order]),
        (r#"{"orderNo":"F1","amount":10.0,"name":"Žal & Söhne","url":"a/b"}"#, vec![Change::Numbers]),
        (r#"{"orderNo":"F1","amount":10.00,"name":"Žal & Söhne","url":"a\/b"}"#, vec![Change::Escapes]),
        (
            r#"{"orderNo":"F1","amount":10,"name":"\u017dal & S\u00f6hne","url":"a/b"}"#,
            vec![Change::Escapes, Change::Numbers],
        ),
    ] {
        let sender = Sender { signed_content: Some(signed.into()), ..Sender::new() };
        let explanation = explain_document(&sender.send_valid());
        let [Finding::Text { changes, field, .. }] = explanation.findings() else { panic!("{explanation}") };
        assert_eq!(*changes, expected.into_iter().map(TextChange::Bytes).collect::<Vec<_>>(), "{signed}");
        assert_eq!(field.as_deref(), Some("content"));
    }
    let sender = Sender {
        signed_content: Some(encoding_rs_gbk("{\"name\":\"中文\"}")),
        content: "{\"name\":\"中文\"}".into(),
        ..Sender::new()
    };
    let explanation = explain_document(&sender.send_valid());
    assert!(explanation.to_string().contains("a different charset (GBK)"), "{explanation}");
}

fn encoding_rs_gbk(text: &str) -> Vec<u8> {
    encoding_rs::GBK.encode(text).0.into_owned()
}

#[test]
fn document_and_base64_errors_are_reported() {
    let document = String::from_utf8(Sender::new().send_valid()).unwrap();
    let wrapped = |bytes: &[u8]| explain_document(bytes).findings().to_vec();
    for (bytes, wrapping) in [
        (format!("\u{feff}\u{feff}{document}"), Wrapping::ByteOrderMark),
        (serde_json::to_string(&document).unwrap(), Wrapping::JsonString),
        (
            format!("data={}", percent_encoding::utf8_percent_encode(&document, percent_encoding::NON_ALPHANUMERIC)),
            Wrapping::FormField,
        ),
    ] {
        let findings = wrapped(bytes.as_bytes());
        assert!(findings.contains(&Finding::Wrapped(wrapping)), "{findings:?}");
        assert_eq!(findings.len(), 1);
    }
    assert_eq!(wrapped(format!("\u{feff}{document}").as_bytes()), [], "a single byte order mark is accepted");
    let other = format!("\u{feff}{}", document.replace(PARTNER_ID, "888666000100999"));
    assert_eq!(wrapped(other.as_bytes())[0], Finding::OtherValue("partnerId"));
    // Test each deviation from standard base64 in the signature. The signature must contain a `+` for the test to be
    // meaningful.
    let parsed: serde_json::Value = serde_json::from_str(&document).unwrap();
    let with = |field: &str, change: &dyn Fn(&str) -> String| {
        let mut parsed = parsed.clone();
        parsed[field] = change(parsed[field].as_str().unwrap()).into();
        explain_document(parsed.to_string().as_bytes()).findings().to_vec()
    };
    let signature = parsed["signature"].as_str().unwrap();
    assert!(signature.contains(['+']) && signature.ends_with('='), "{signature}");
    let flaw = |flaw| Finding::Base64 { field: "signature", flaw };
    assert_eq!(with("signature", &|s| s.replace('+', "-").replace('/', "_")), [flaw(Base64Flaw::UrlAlphabet)]);
    assert_eq!(with("signature", &|s| s.replace('+', " ")), [flaw(Base64Flaw::Spaces)]);
    assert_eq!(with("signature", &|s| format!("{}\n{}", &s[..76], &s[76..])), [flaw(Base64Flaw::Lines)]);
    assert_eq!(with("signature", &|s| s.trim_end_matches('=').to_owned()), [flaw(Base64Flaw::Padding)]);
    let encode = |s: &str| percent_encoding::utf8_percent_encode(s, percent_encoding::NON_ALPHANUMERIC).to_string();
    assert_eq!(with("signature", &encode), [flaw(Base64Flaw::PercentEncoded)]);
    assert_eq!(with("signature", &|_| "!".into()), [Finding::NotBase64("signature")]);
    assert_eq!(with("signature", &|_| String::new()), [Finding::Absent("signature")]);
    // randomKey may be percent-encoded.
    assert_eq!(with("randomKey", &encode), []);
    let other = document.replace(PARTNER_ID, "888666000100999");
    assert!(wrapped(other.as_bytes()).contains(&Finding::OtherValue("partnerId")));
    assert_eq!(wrapped(b"<html>"), [Finding::NotJson(BodyKind::Html)]);
}

#[test]
fn mislabelled_keys_are_reported() {
    let keys = paytend_vectors::keys();
    let mislabelled = keys["paytend"].public_pkcs1_pem.replace("RSA PUBLIC KEY", "PUBLIC KEY");
    let keys = KnownKeys::new()
        .own("own", keys["partner"].private_pkcs1_pem.as_bytes())
        .and_then(|keys| keys.sender("Paytend", mislabelled.as_bytes()))
        .unwrap();
    let explanation = explain(Provider::Paytend, &HeaderMap::new(), &Sender::new().send_valid(), &keys);
    assert!(explanation.authentic());
    let shown = explanation.to_string();
    assert!(shown.contains(r#"the key "own" is PKCS#1"#) && shown.contains("convert it to PKCS#8"), "{shown}");
    assert!(shown.contains(r#"labelled "PUBLIC KEY" but contains PKCS#1"#), "{shown}");
    assert!(KnownKeys::new().own("own", b"no key").is_err());
}
