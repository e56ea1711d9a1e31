//! Property tests for sealing and opening.

use std::collections::BTreeMap;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use paytend_crypto::{Error, Expected, Fields, Kind, Outgoing};
use proptest::prelude::*;
use serde_json::{Map, Value};

use crate::cuts::{MAX_CUTS, readings};
use crate::support::{PARTNER_ID, keyring, notification};

fn any_json() -> impl Strategy<Value = Value> {
    let leaf = prop_oneof![
        Just(Value::Null),
        any::<bool>().prop_map(Value::from),
        any::<i64>().prop_map(Value::from),
        "\\PC{0,20}".prop_map(Value::from),
        any::<String>().prop_map(Value::from),
        prop_oneof![Just("a=b&c=d"), Just("\"}&partnerId=1"), Just("\u{0}\u{1f}\u{7f}"), Just("😀žąß自")]
            .prop_map(Value::from),
    ];
    leaf.prop_recursive(4, 32, 6, |inner| {
        prop_oneof![
            prop::collection::vec(inner.clone(), 0..6).prop_map(Value::from),
            prop::collection::btree_map(any::<String>(), inner, 0..6)
                .prop_map(|members| Value::Object(members.into_iter().collect())),
        ]
    })
}

fn any_object() -> impl Strategy<Value = Map<String, Value>> {
    prop::collection::btree_map(any::<String>(), any_json(), 0..6).prop_map(|members| members.into_iter().collect())
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 128, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn sealed_message_opens_to_the_same_content(
        object in any_object(),
        extra in "[A-Za-z0-9.:/+-]{1,40}",
        big in any::<bool>(),
    ) {
        let text = Value::Object(object).to_string();
        let (partner, paytend) = if big { ("partner_2048", "paytend_2048") } else { ("partner", "paytend") };
        for (fields, sender, receiver, expected) in [
            (
                Fields::request(PARTNER_ID, &"0123456789abcdef0123456789abcdef".parse().unwrap()),
                partner,
                paytend,
                Expected::request(PARTNER_ID),
            ),
            (Fields::response("1007", "free text: a=b & c"), paytend, partner, Expected::response()),
            (Fields::notification(PARTNER_ID, "2"), paytend, partner, Expected::notification(PARTNER_ID)),
        ] {
            let fields = fields.with("traceId", &extra);
            let expected = expected.with_max_bytes(1 << 20);
            let sealed = keyring(sender, receiver).seal(&Outgoing::new(&fields).payload(&text)).unwrap();
            let opened = keyring(receiver, sender).open(sealed.document().as_bytes(), &expected).unwrap();
            prop_assert_eq!(opened.payload_text(), Some(&*text));
            let sent: BTreeMap<_, _> = fields.iter().collect();
            prop_assert_eq!(opened.fields().collect::<BTreeMap<_, _>>(), sent);

            // Repeats the test with a payload that is excluded from the signature.
            let outgoing = Outgoing::new(&fields).payload(&text).unsigned_payload();
            let sealed = keyring(sender, receiver).seal(&outgoing).unwrap();
            let unsigned = expected.clone().unsigned_payload();
            let opened = keyring(receiver, sender).open(sealed.document().as_bytes(), &unsigned).unwrap();
            prop_assert_eq!(opened.payload_text(), Some(&*text));
            let error = keyring(receiver, sender).open(sealed.document().as_bytes(), &expected).unwrap_err();
            prop_assert_eq!(error, Error::NotAuthentic);
        }
    }

    #[test]
    fn document_with_one_changed_byte_is_refused(at in any::<prop::sample::Index>(), with in any::<u8>(), how in 0..3) {
        let document = notification(&keyring("paytend", "partner"), r#"{"orderNo":"F1","amount":10.50}"#).into_bytes();
        let at = at.index(document.len());
        let mut changed = document.clone();
        match how {
            0 => changed[at] = with,
            1 => changed.insert(at, with),
            _ => { changed.remove(at); }
        }
        // A change that results in the same JSON value, such as whitespace between tokens, does not change the message.
        let meaning = |bytes: &[u8]| serde_json::from_slice::<Value>(bytes).ok();
        prop_assume!(meaning(&changed) != meaning(&document));
        prop_assert!(keyring("partner", "paytend").open(&changed, &Expected::notification(PARTNER_ID)).is_err());
    }

    #[test]
    fn document_with_a_changed_field_is_refused(field in 0..7usize, value in "[A-Za-z0-9+/=.]{0,180}") {
        let document = notification(&keyring("paytend", "partner"), r#"{"a":1}"#);
        let mut document: Value = serde_json::from_str(&document).unwrap();
        let name = ["partnerId", "notifyType", "signType", "version", "content", "randomKey", "signature"][field];
        prop_assume!(document[name] != value.as_str());
        document[name] = value.into();
        let expected = Expected::notification(PARTNER_ID);
        let result = keyring("partner", "paytend").open(document.to_string().as_bytes(), &expected);
        prop_assert!(result.is_err());
    }

    #[test]
    fn arbitrary_bytes_never_panic(bytes in prop::collection::vec(any::<u8>(), 0..2000)) {
        for kind in [Kind::Request, Kind::Response, Kind::Notification] {
            prop_assert!(keyring("partner", "paytend").open(&bytes, &Expected::danger_any_partner(kind)).is_err());
        }
        let _ = paytend_crypto::PrivateKey::from_bytes(&bytes);
        let _ = paytend_crypto::PublicKey::from_bytes(&bytes);
    }

    #[test]
    fn arbitrary_fields_never_panic(
        names in prop::collection::vec(
            prop_oneof![
                Just("signature".to_owned()),
                Just("randomKey".into()),
                Just("content".into()),
                Just("partnerId".into()),
                Just("notifyType".into()),
                Just("signType".into()),
                Just("version".into()),
                any::<String>(),
            ],
            0..9,
        ),
        random_key in prop::collection::vec(any::<u8>(), 128),
        content in prop::collection::vec(any::<u8>(), 0..64),
        value in any_json(),
    ) {
        let mut document = Map::new();
        for name in names {
            let value = match name.as_str() {
                "randomKey" | "signature" => STANDARD.encode(&random_key).into(),
                "content" => STANDARD.encode(&content).into(),
                "signType" => "RSA".into(),
                "version" => "2.0".into(),
                _ => value.clone(),
            };
            document.insert(name, value);
        }
        let document = Value::Object(document).to_string();
        let expected = Expected::danger_any_partner(Kind::Notification);
        prop_assert!(keyring("partner", "paytend").open(document.as_bytes(), &expected).is_err());
    }

    /// An attacker who has one signed document and knows its session key, for example because they are its receiver,
    /// can send any other document with the same signed text. Only the original must be accepted.
    #[test]
    fn signed_text_is_unambiguous(
        payload in prop_oneof![
            any_object().prop_map(|o| Value::Object(o).to_string()),
            Just(r#"{"a":"x&notifyType=2","b":"&respMsg=1&signType=RSA"}"#.to_owned()),
            Just(r#"{"a":"\"}&partnerId=888666000100260&randomKey=A","b":"{}&z={}"}"#.to_owned()),
            Just(r#"{"t":1,"reference":"&respCode=00&respMsg=hi","z":"a b"}"#.to_owned()),
            Just(String::new()),
        ],
        message in prop_oneof![
            Just("amount must be > 0 & <= 5000; got a=b&c".to_owned()),
            Just("x&retry=1".to_owned()),
            Just("x&signType=RSA".to_owned()),
            Just("x&respMsh=2&rz=1".to_owned()),
            "[a-z &=]{0,30}",
        ],
        extra in prop::collection::btree_map("[a-zA-Z][a-zA-Z0-9]{0,8}", "[A-Za-z0-9.]{1,8}", 0..3),
        is_response in any::<bool>(),
    ) {
        let kind = if is_response { Kind::Response } else { Kind::Notification };
        let mut fields =
            if is_response { Fields::response("00", &message) } else { Fields::notification(PARTNER_ID, "2") };
        for (name, value) in &extra {
            let known = [
                "randomKey",
                "signature",
                "encryptFlag",
                "content",
                "respData",
                "respCode",
                "respMsg",
                "signType",
                "version",
            ];
            if !known.contains(&name.as_str()) && fields.get(name).is_none() {
                fields = fields.with(name, value);
            }
        }
        let (paytend, partner) = (keyring("paytend", "partner"), keyring("partner", "paytend"));
        let Ok(sealed) = paytend.seal(&Outgoing::new(&fields).payload(&payload)) else {
            // Skips ambiguous messages, because `seal` refuses them. A separate test checks that it does.
            return Ok(());
        };
        let expected = Expected::danger_any_partner(kind).with_max_bytes(1 << 20);
        let original = partner.open(sealed.document().as_bytes(), &expected).unwrap();
        let reading = |opened: &paytend_crypto::Opened| {
            let fields: BTreeMap<_, _> = opened.fields().map(|(n, v)| (n.to_owned(), v.to_owned())).collect();
            (fields, opened.payload_bytes().to_vec())
        };
        prop_assume!(sealed.canonical(&payload).matches('&').count() <= MAX_CUTS);
        let mut accepted = 0;
        let canonical = sealed.canonical(&payload);
        for document in readings(canonical.as_bytes(), sealed.document(), original.session_key(), kind) {
            for other in Kind::ALL.into_iter().filter(|other| *other != kind) {
                let elsewhere = Expected::danger_any_partner(other).with_max_bytes(1 << 20);
                prop_assert!(partner.open(document.as_bytes(), &elsewhere).is_err(), "{}", document);
            }
            if let Ok(opened) = partner.open(document.as_bytes(), &expected) {
                prop_assert_eq!(reading(&opened), reading(&original), "{}", *sealed.canonical(&payload));
                accepted += 1;
            }
        }
        // The original must be among the documents; otherwise the test would be meaningless.
        prop_assert!(accepted >= 1, "{}", *sealed.canonical(&payload));
    }
}
