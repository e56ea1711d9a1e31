//! Tests for the messages that `Keyring::open` accepts and refuses.

use std::sync::Arc;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use paytend_crypto::{
    Error, Expected, FieldProblem, Fields, JsonProblem, Keyring, Kind, Malformed, Outgoing, PayloadProblem,
    SessionKeyLength, danger_peek, detached, hazmat,
};
use paytend_vectors::Seeded;
use serde_json::{Value, json};

use crate::support::{PARTNER_ID, expected, key, keyring, notification};

pub(crate) fn edit(document: &str, change: impl FnOnce(&mut serde_json::Map<String, Value>)) -> String {
    let mut value: Value = serde_json::from_str(document).unwrap();
    change(value.as_object_mut().unwrap());
    value.to_string()
}

#[test]
fn document_size_and_field_count_are_limited() {
    let receiver = keyring("partner", "paytend");
    let document = notification(&keyring("paytend", "partner"), &json!({ "a": "x".repeat(60_000) }).to_string());
    assert_eq!(
        receiver.open(document.as_bytes(), &expected()).unwrap_err(),
        Error::Malformed(Malformed::TooLarge { bytes: document.len(), limit: 65_536 })
    );
    assert!(receiver.open(document.as_bytes(), &expected().with_max_bytes(document.len())).is_ok());
    assert!(receiver.open(document.as_bytes(), &expected().with_max_bytes(document.len() - 1)).is_err());
    let fields: String = (0..70).map(|n| format!(r#""f{n}":"x","#)).collect();
    let many = notification(&keyring("paytend", "partner"), "{}").replacen('{', &format!("{{{fields}"), 1);
    assert!(matches!(
        receiver.open(many.as_bytes(), &expected()).unwrap_err(),
        Error::Malformed(Malformed::Json { problem: JsonProblem::TooComplex, .. })
    ));
}

#[test]
fn number_or_boolean_in_an_unknown_field_is_returned_as_signed() {
    let (sender, receiver) = (keyring("paytend", "partner"), keyring("partner", "paytend"));
    let fields = Fields::notification(PARTNER_ID, "2").with("attempt", "3").with("live", "true").with("rate", "1.50");
    let document = sender.seal(&Outgoing::new(&fields).payload("{}")).unwrap().into_document();
    let as_literals = document.replace(r#""3""#, "3").replace(r#""true""#, "true").replace(r#""1.50""#, "1.50");
    assert_ne!(document, as_literals);
    let opened = receiver.open(as_literals.as_bytes(), &expected()).unwrap();
    assert_eq!(
        (opened.field("attempt"), opened.field("live"), opened.field("rate")),
        (Some("3"), Some("true"), Some("1.50"))
    );
    let nested = edit(&document, |d| drop(d.insert("attempt".into(), json!({ "n": 3 }))));
    assert_eq!(
        receiver.open(nested.as_bytes(), &expected()).unwrap_err(),
        Error::Malformed(Malformed::Field(FieldProblem::Nested))
    );
}

#[test]
fn unsigned_encrypt_flag_is_ignored() {
    let document = notification(&keyring("paytend", "partner"), "{}");
    for flag in [json!("1"), json!(1), json!({"a": [1]}), json!(null)] {
        let flagged = edit(&document, |d| drop(d.insert("encryptFlag".into(), flag)));
        let opened = keyring("partner", "paytend").open(flagged.as_bytes(), &expected()).unwrap();
        assert_eq!(opened.field("encryptFlag"), None);
    }
}

#[test]
fn unsigned_error_response_is_reported_as_unsigned_failure() {
    let receiver = keyring("partner", "paytend");
    let open = |document: &str| receiver.open(document.as_bytes(), &Expected::response()).unwrap_err();
    for document in [
        r#"{"respCode":"9001","respMsg":"bizData must be a string","signType":"RSA"}"#,
        r#"{"respCode":"9001","respMsg":"bizData must be a string"}"#,
        r#"{"respCode":9001,"respMsg":"bizData must be a string","respData":null,"signature":"","randomKey":null}"#,
    ] {
        let Error::UnsignedFailure(failure) = open(document) else { panic!("{document}: {:?}", open(document)) };
        assert_eq!((failure.resp_code(), failure.resp_msg()), ("9001", "bizData must be a string"));
    }
    for document in [
        r#"{"respCode":"00","respMsg":"success","signType":"RSA"}"#,
        r#"{"respCode":"9001","signType":"RSA","signature":"AAAA"}"#,
        r#"{"respCode":"9001","signType":"RSA","respData":"AAAA"}"#,
        r#"{"respCode":"9001","signType":"RSA","randomKey":"AAAA"}"#,
    ] {
        assert_eq!(open(document), Error::NotAuthentic, "{document}");
    }
    assert!(matches!(open(r#"{"respMsg":"x"}"#), Error::Malformed(_)));
    // Only responses may be unsigned.
    let notification =
        r#"{"partnerId":"888666000100260","notifyType":"2","signType":"RSA","version":"2.0","respCode":"9001"}"#;
    assert_eq!(receiver.open(notification.as_bytes(), &expected()).unwrap_err(), Error::NotAuthentic);
}

#[test]
fn response_without_key_or_payload_is_verified() {
    // Sealing always adds a randomKey, so this test builds the documented response without a randomKey.
    let text = "respCode=1001&respMsg=card not found&signType=RSA";
    let signature = detached::sign(&*key("paytend").private, text.as_bytes()).unwrap();
    let document = json!({"respCode": "1001", "respMsg": "card not found", "signType": "RSA", "signature": signature});
    let receiver = keyring("partner", "paytend");
    let opened = receiver.open(document.to_string().as_bytes(), &Expected::response()).unwrap();
    assert_eq!(
        (opened.field("respCode"), opened.payload_text(), opened.decrypted_by()),
        (Some("1001"), Some(""), None)
    );
    assert_eq!(*opened.canonical(), *text.as_bytes());
    assert_eq!(opened.payload::<Value>().unwrap_err(), Error::Payload(PayloadProblem::Absent));
    let changed = edit(&document.to_string(), |d| drop(d.insert("respCode".into(), "00".into())));
    assert_eq!(receiver.open(changed.as_bytes(), &Expected::response()).unwrap_err(), Error::NotAuthentic);
}

/// The documentation requires a `randomKey` only in a request with `bizData`. A notification always has a `randomKey`
/// and a payload.
#[test]
fn request_without_key_or_payload_is_verified_but_notification_is_refused() {
    let id = "a".repeat(32);
    let text = format!("partnerId={PARTNER_ID}&requestId={id}&signType=RSA&version=2.0");
    let sign = |text: &str| detached::sign(&*key("partner").private, text.as_bytes()).unwrap();
    let mut document = json!({"requestId": id, "partnerId": PARTNER_ID, "signType": "RSA", "version": "2.0"});
    document["signature"] = sign(&text).into();
    let receiver = keyring("paytend", "partner");
    let opened = receiver.open(document.to_string().as_bytes(), &Expected::request(PARTNER_ID)).unwrap();
    assert_eq!((opened.payload_text(), opened.decrypted_by()), (Some(""), None));
    // The request is refused if a payload (without a session key) or an additional field is inserted.
    for (name, value) in [("bizData", "QUJDREVGR0hJSktMTU5PUA=="), ("note", "x")] {
        let changed = edit(&document.to_string(), |d| drop(d.insert(name.into(), value.into())));
        let refused = receiver.open(changed.as_bytes(), &Expected::request(PARTNER_ID));
        assert_eq!(refused.unwrap_err(), Error::NotAuthentic, "{name}");
    }
    let text = format!("notifyType=2&partnerId={PARTNER_ID}&signType=RSA&version=2.0");
    let document = json!({
        "notifyType": "2", "partnerId": PARTNER_ID, "signType": "RSA", "version": "2.0", "signature": sign(&text),
    });
    let refused = receiver.open(document.to_string().as_bytes(), &Expected::notification(PARTNER_ID));
    assert_eq!(refused.unwrap_err(), Error::NotAuthentic);
}

#[test]
fn notification_cannot_be_replayed_as_a_response() {
    let content = r#"{"orderNo":"F1","reference":"&respCode=00&respMsg=hi","z":"a b"}"#;
    let text = format!(
        "content={content}&notifyType=2&partnerId={PARTNER_ID}&randomKey=gNx86vc1yttHs8ZWOf7+5g==\
         &signType=RSA&version=2.0"
    );
    let cut = text.find("&respCode").unwrap();
    let rest = text[cut..].strip_prefix("&respCode=00&respMsg=").unwrap();
    let message = rest.split("&signType").next().unwrap();
    let document = json!({
        "content": text[..cut].strip_prefix("content=").unwrap(), "respCode": "00", "respMsg": message,
        "signType": "RSA", "version": "2.0",
        "signature": detached::sign(&*key("paytend").private, text.as_bytes()).unwrap(),
    });

    let result = keyring("partner", "paytend").open(document.to_string().as_bytes(), &Expected::response());
    assert_eq!(result.unwrap_err(), Error::Malformed(Malformed::Field(FieldProblem::OtherKind)));
}

/// A response without data can contain an encrypted empty payload, which is not included in the signature.
#[test]
fn encrypted_empty_payload_counts_as_no_payload() {
    let random = Seeded::new();
    use aes::cipher::{BlockCipherEncrypt, KeyInit};
    let session_key = "gNx86vc1yttHs8ZWOf7+5g==";
    let mut block = [16u8; 16];
    let cipher = aes::Aes192::new_from_slice(session_key.as_bytes()).unwrap();
    cipher.encrypt_block((&mut block).into());
    for (text, right) in [
        (format!("randomKey={session_key}&respCode=1007&signType=RSA"), true),
        (format!("randomKey={session_key}&respCode=1007&respData=&signType=RSA"), false),
    ] {
        let random_key = hazmat::encrypt_blocks(&*key("partner").public, session_key.as_bytes(), &random).unwrap();
        let document = json!({
            "respCode": "1007", "signType": "RSA", "respData": STANDARD.encode(block),
            "randomKey": STANDARD.encode(random_key),
            "signature": detached::sign(&*key("paytend").private, text.as_bytes()).unwrap(),
        });
        match keyring("partner", "paytend").open(document.to_string().as_bytes(), &Expected::response()) {
            Ok(opened) => {
                assert_eq!((right, opened.payload_bytes(), &**opened.canonical()), (true, &[][..], text.as_bytes()));
            }
            Err(error) => assert_eq!((right, error), (false, Error::NotAuthentic)),
        }
    }
}

#[test]
fn notification_without_a_session_key_is_refused() {
    let text = format!("notifyType=2&partnerId={PARTNER_ID}&signType=RSA&version=2.0");
    let document = json!({
        "notifyType": "2", "partnerId": PARTNER_ID, "signType": "RSA", "version": "2.0",
        "signature": detached::sign(&*key("paytend").private, text.as_bytes()).unwrap(),
    });
    let result = keyring("partner", "paytend").open(document.to_string().as_bytes(), &expected());
    assert_eq!(result.unwrap_err(), Error::NotAuthentic);
}

#[test]
fn keys_can_be_rotated_on_both_sides() {
    let ring = |own: &[&str], peer: &[&str]| {
        let mut builder = Keyring::builder();
        for name in own {
            builder = builder.own_key(Arc::clone(&key(name).private));
        }
        for name in peer {
            builder = builder.peer_key(Arc::clone(&key(name).public));
        }
        builder.build().unwrap()
    };
    let both = ring(&["partner", "partner_2048", "stranger"], &["payby", "paytend", "paytend_2048"]);
    for own in ["partner", "partner_2048", "stranger"] {
        for peer in ["paytend", "paytend_2048", "payby"] {
            let document = notification(&ring(&[peer], &[own]), r#"{"a":1}"#);
            let opened = both.open(document.as_bytes(), &expected()).unwrap();
            assert_eq!(opened.verified_by(), key(peer).material.public_key().fingerprint());
            assert_eq!(opened.decrypted_by(), Some(key(own).material.public_key().fingerprint()));
        }
    }
    // Messages that use a retired key of either side are refused.
    let after = ring(&["stranger"], &["payby"]);
    assert!(after.open(notification(&ring(&["payby"], &["stranger"]), "{}").as_bytes(), &expected()).is_ok());
    for (own, peer) in [("partner", "payby"), ("stranger", "paytend")] {
        let document = notification(&ring(&[peer], &[own]), "{}");
        assert_eq!(after.open(document.as_bytes(), &expected()).unwrap_err(), Error::NotAuthentic);
    }
    assert_eq!(both.decryption_keys().count(), 3);
    assert_eq!(both.verification_keys().next(), Some(key("payby").material.public_key().fingerprint()));
}

#[test]
fn session_key_of_unexpected_length_is_refused() {
    let ring = |own: &str, peer: &str, length| {
        Keyring::builder()
            .own_key(Arc::clone(&key(own).private))
            .peer_key(Arc::clone(&key(peer).public))
            .session_key_length(length)
            .build()
            .unwrap()
    };
    let lengths = [SessionKeyLength::Chars16, SessionKeyLength::Chars24, SessionKeyLength::Chars32];
    for sent in lengths {
        let document = notification(&ring("paytend", "partner", sent), r#"{"a":1}"#);
        for expected_length in lengths {
            let result = ring("partner", "paytend", expected_length).open(document.as_bytes(), &expected());
            if sent == expected_length {
                assert_eq!(result.unwrap().session_key().len(), sent.chars());
            } else {
                assert_eq!(result.unwrap_err(), Error::NotAuthentic);
            }
        }
    }
}

#[test]
fn danger_peek_reads_a_field_of_an_unverified_document() {
    let document = br#"{"partnerId":"888666000100260","signType":1}"#;
    assert_eq!(danger_peek(document, Kind::Request, "partnerId").unwrap().as_deref(), Some(PARTNER_ID));
    assert_eq!(danger_peek(document, Kind::Request, "signType").unwrap(), None);
    assert!(danger_peek(b"[]", Kind::Request, "partnerId").is_err());
}
