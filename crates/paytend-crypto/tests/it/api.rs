//! The interface's promises, one by one.

use std::collections::HashSet;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use paytend_crypto::rsa::RsaPrivate;
use paytend_crypto::{
    BackendError, Error, Expected, FieldProblem, Fields, JsonProblem, KeyError, Keyring, Kind, Malformed, OsRandom,
    Outgoing, PayloadProblem, PublicKey, RandomSource, RequestId, SessionKeyLength, danger_peek, detached, hazmat,
};
use serde_json::{Value, json};

use crate::support::{PARTNER_ID, key, keyring};

fn notification(sender: &Keyring, payload: &str) -> String {
    let fields = Fields::notification(PARTNER_ID, "2");
    sender.seal(&Outgoing::new(&fields).payload(payload)).unwrap().into_document()
}

fn expected() -> Expected {
    Expected::notification(PARTNER_ID)
}

fn edit(document: &str, change: impl FnOnce(&mut serde_json::Map<String, Value>)) -> String {
    let mut value: Value = serde_json::from_str(document).unwrap();
    change(value.as_object_mut().unwrap());
    value.to_string()
}

#[test]
fn public_types_are_send_and_sync() {
    fn check<T: Send + Sync + 'static>() {}
    check::<Keyring>();
    check::<paytend_crypto::Opened>();
    check::<paytend_crypto::Sealed>();
    check::<detached::Verifier>();
    check::<Error>();
}

#[test]
fn every_error_says_what_is_wrong_in_a_line() {
    let path = || "keys/private.pem".to_owned();
    let json = Malformed::Json { problem: JsonProblem::DuplicateName, line: 1, column: 9 };
    let errors: Vec<Error> = vec![
        Error::NotAuthentic,
        Malformed::TooLarge { bytes: 70_000, limit: 65_536 }.into(),
        Malformed::NotUtf8 { at: 3 }.into(),
        json.into(),
        Malformed::Field(FieldProblem::Missing("version")).into(),
        Malformed::Field(FieldProblem::NotAString("version")).into(),
        Malformed::Field(FieldProblem::Nested).into(),
        Malformed::Field(FieldProblem::Name).into(),
        Malformed::Field(FieldProblem::Character("notifyType".into())).into(),
        Malformed::Field(FieldProblem::SecondReading).into(),
        Error::Unsealable(FieldProblem::Fixed("version")),
        Error::Unsealable(FieldProblem::Reserved("signature")),
        Error::Unsealable(FieldProblem::Payload(PayloadProblem::NotUtf8)),
        PayloadProblem::Absent.into(),
        PayloadProblem::Shape { line: 1, column: 2 }.into(),
        PayloadProblem::Json { problem: JsonProblem::Truncated, line: 1, column: 2 }.into(),
        KeyError::Encoding.into(),
        KeyError::Encrypted.into(),
        KeyError::NotRsa.into(),
        KeyError::PublicGiven.into(),
        KeyError::PrivateGiven.into(),
        KeyError::Size(512).into(),
        KeyError::Invalid.into(),
        KeyError::File { path: path(), kind: std::io::ErrorKind::NotFound }.into(),
        KeyError::Permissions { path: path(), mode: 0o644 }.into(),
        KeyError::Absent("sign").into(),
        BackendError::new("the token was removed").into(),
        Error::Random,
    ];
    let mut texts = HashSet::new();
    for error in &errors {
        let text = error.to_string();
        assert!(text.len() > 10 && !text.contains('\n') && text.is_ascii() | text.contains("keys/"), "{text}");
        assert!(texts.insert(text), "each has its own text: {error:?}");
        assert_eq!(error, &error.clone());
    }
    assert!(Error::from(KeyError::Permissions { path: path(), mode: 0o644 }).to_string().contains("0600"));
}

#[test]
fn debug_shows_no_secret() {
    let sealed_by = keyring("paytend", "partner");
    let fields = Fields::notification(PARTNER_ID, "2").with("hint", "CANARY3");
    let outgoing = Outgoing::new(&fields).payload(r#"{"iban":"CANARY1","n":1}"#);
    let sealed = sealed_by.seal(&outgoing).unwrap();
    let opened = keyring("partner", "paytend").open(sealed.document().as_bytes(), &expected()).unwrap();
    let unsigned = br#"{"respCode":"CANARY4","respMsg":"CANARY5","signType":"RSA"}"#;
    let failure = keyring("partner", "paytend").open(unsigned, &Expected::response()).unwrap_err();
    let shape = opened.payload::<Vec<String>>().unwrap_err();
    let material = &key("partner").material;
    let shown = format!(
        "{fields:?} {outgoing:?} {sealed:?} {opened:?} {sealed_by:?} {material:?} {failure:?} {failure} {shape:?} {shape}"
    );
    assert!(!shown.contains("CANARY"), "{shown}");
    assert!(!shown.contains(opened.session_key()), "{shown}");
    // The private exponent would show as a list of numbers or in hex; both are long.
    assert!(shown.len() < 2500, "{shown}");
}

#[test]
fn a_sender_refuses_what_a_receiver_would() {
    let sender = keyring("paytend", "partner");
    let seal = |fields: &Fields, payload: &str| sender.seal(&Outgoing::new(fields).payload(payload)).map(|_| ());
    let good = Fields::notification(PARTNER_ID, "2");
    assert_eq!(seal(&good, "{}"), Ok(()));
    for (fields, problem) in [
        (good.clone().with("notifyType", ""), FieldProblem::Missing("notifyType")),
        (good.clone().with("version", "1.0"), FieldProblem::Fixed("version")),
        (good.clone().with("signType", "MD5"), FieldProblem::Fixed("signType")),
        (good.clone().with("notifyType", "2&a=b"), FieldProblem::Character("notifyType".into())),
        (good.clone().with("notifyType", "2 "), FieldProblem::Character("notifyType".into())),
        (good.clone().with("trace", "a\u{a0}b"), FieldProblem::Character("trace".into())),
        (good.clone().with("trace", "a\u{85}b"), FieldProblem::Character("trace".into())),
        (good.clone().with("1trace", "x"), FieldProblem::Name),
        (good.clone().with("tra-ce", "x"), FieldProblem::Name),
        (good.clone().with("", "x"), FieldProblem::Name),
        (good.clone().with("content", "x"), FieldProblem::Reserved("content")),
        (good.clone().with("randomKey", "x"), FieldProblem::Reserved("randomKey")),
        (good.clone().with("signature", "x"), FieldProblem::Reserved("signature")),
        (good.clone().with("encryptFlag", "1"), FieldProblem::Reserved("encryptFlag")),
        (Fields::response("00", "x&retry=1"), FieldProblem::SecondReading),
        (Fields::response("", "x"), FieldProblem::Missing("respCode")),
        (Fields::request("", "1"), FieldProblem::Missing("partnerId")),
    ] {
        assert_eq!(seal(&fields, "{}"), Err(Error::Unsealable(problem)), "{:?}", fields.iter().collect::<Vec<_>>());
    }
    for (payload, problem) in [
        ("[]", JsonProblem::NotAnObject),
        ("1", JsonProblem::NotAnObject),
        ("null", JsonProblem::NotAnObject),
        ("{} x", JsonProblem::Syntax),
        ("{}{}", JsonProblem::Syntax),
        (r#"{"a":1"#, JsonProblem::Truncated),
        (r#"{"a":1,"a":2}"#, JsonProblem::DuplicateName),
        (r#"{"b":{"a":1,"\u0061":2}}"#, JsonProblem::DuplicateName),
        (r#"{"a":NaN}"#, JsonProblem::Syntax),
    ] {
        match seal(&good, payload) {
            Err(Error::Unsealable(FieldProblem::Payload(PayloadProblem::Json { problem: found, .. }))) => {
                assert_eq!(found, problem, "{payload}");
            }
            other => panic!("{payload}: {other:?}"),
        }
    }
    let deep = format!("{}1{}", r#"{"a":"#.repeat(65), "}".repeat(65));
    assert!(matches!(
        seal(&good, &deep),
        Err(Error::Unsealable(FieldProblem::Payload(PayloadProblem::Json { problem: JsonProblem::TooComplex, .. })))
    ));
    let deep_enough = format!("{}1{}", r#"{"a":"#.repeat(60), "}".repeat(60));
    assert_eq!(seal(&good, &deep_enough), Ok(()));
}

#[test]
fn sizes_are_limited_before_anything_else() {
    let receiver = keyring("partner", "paytend");
    let document = notification(&keyring("paytend", "partner"), &json!({ "a": "x".repeat(60_000) }).to_string());
    assert_eq!(
        receiver.open(document.as_bytes(), &expected()).unwrap_err(),
        Error::Malformed(Malformed::TooLarge { bytes: document.len(), limit: 65_536 })
    );
    assert!(receiver.open(document.as_bytes(), &expected().max_bytes(document.len())).is_ok());
    assert!(receiver.open(document.as_bytes(), &expected().max_bytes(document.len() - 1)).is_err());
    let fields: String = (0..70).map(|n| format!(r#""f{n}":"x","#)).collect();
    let many = notification(&keyring("paytend", "partner"), "{}").replacen('{', &format!("{{{fields}"), 1);
    assert!(matches!(
        receiver.open(many.as_bytes(), &expected()).unwrap_err(),
        Error::Malformed(Malformed::Json { problem: JsonProblem::TooComplex, .. })
    ));
}

#[test]
fn unknown_fields_are_read_as_the_text_that_was_signed() {
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
fn fields_that_are_not_signed_are_not_read() {
    let document = notification(&keyring("paytend", "partner"), "{}");
    for flag in [json!("1"), json!(1), json!({"a": [1]}), json!(null)] {
        let flagged = edit(&document, |d| drop(d.insert("encryptFlag".into(), flag)));
        let opened = keyring("partner", "paytend").open(flagged.as_bytes(), &expected()).unwrap();
        assert_eq!(opened.field("encryptFlag"), None);
    }
}

#[test]
fn an_unsigned_failure_is_reported_as_such_and_never_as_a_success() {
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
fn a_signed_message_without_key_and_payload_is_verified() {
    // Ours always have a randomKey; what the documentation allows is made by hand.
    let text = "respCode=1001&respMsg=card not found&signType=RSA";
    let signature = detached::sign(&*key("paytend").private, text.as_bytes()).unwrap();
    let document = json!({"respCode": "1001", "respMsg": "card not found", "signType": "RSA", "signature": signature});
    let receiver = keyring("partner", "paytend");
    let opened = receiver.open(document.to_string().as_bytes(), &Expected::response()).unwrap();
    assert_eq!((opened.field("respCode"), opened.payload_text(), opened.decrypted_by()), (Some("1001"), "", None));
    assert_eq!(*opened.canonical(), text);
    assert_eq!(opened.payload::<Value>().unwrap_err(), Error::Payload(PayloadProblem::Absent));
    let changed = edit(&document.to_string(), |d| drop(d.insert("respCode".into(), "00".into())));
    assert_eq!(receiver.open(changed.as_bytes(), &Expected::response()).unwrap_err(), Error::NotAuthentic);
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
    // A retired key is refused, on either side.
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
fn a_keyring_needs_the_keys_for_what_it_does() {
    assert!(matches!(Keyring::builder().build().unwrap_err(), Error::Key(KeyError::Absent(_))));
    assert!(Keyring::builder().signing_key(Arc::clone(&key("partner").private)).build().is_err());
    let only_opens = Keyring::builder()
        .decryption_key(Arc::clone(&key("partner").private))
        .verification_key(Arc::clone(&key("paytend").public))
        .build()
        .unwrap();
    let fields = Fields::request(PARTNER_ID, "1");
    assert_eq!(only_opens.seal(&Outgoing::new(&fields)).unwrap_err(), Error::Key(KeyError::Absent("sign")));
    let only_seals = Keyring::builder()
        .signing_key(Arc::clone(&key("paytend").private))
        .encryption_key(Arc::clone(&key("partner").public))
        .build()
        .unwrap();
    let document = notification(&only_seals, "{}");
    assert_eq!(only_seals.open(document.as_bytes(), &expected()).unwrap_err(), Error::Key(KeyError::Absent("verify")));
    assert!(only_opens.open(document.as_bytes(), &expected()).is_ok());
}

#[test]
fn session_keys_have_the_configured_length_and_no_other() {
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
            let answer = ring("partner", "paytend", expected_length).open(document.as_bytes(), &expected());
            if sent == expected_length {
                assert_eq!(answer.unwrap().session_key().len(), sent.chars());
            } else {
                assert_eq!(answer.unwrap_err(), Error::NotAuthentic);
            }
        }
    }
}

/// A backend that counts its private operations, and can fail.
struct Counting {
    inner: Arc<dyn RsaPrivate>,
    decryptions: AtomicUsize,
    broken: bool,
}

impl RsaPrivate for Counting {
    fn public_key(&self) -> &PublicKey {
        self.inner.public_key()
    }

    fn sign_sha256(&self, digest: &[u8; 32]) -> Result<Vec<u8>, BackendError> {
        self.inner.sign_sha256(digest)
    }

    fn decrypt_raw(&self, ciphertext: &[u8], out: &mut [u8]) -> Result<(), BackendError> {
        self.decryptions.fetch_add(1, Ordering::SeqCst);
        if self.broken {
            Err(BackendError::new("the token was removed"))
        } else {
            self.inner.decrypt_raw(ciphertext, out)
        }
    }
}

fn counting(broken: bool) -> (Arc<Counting>, Keyring) {
    let backend = Arc::new(Counting { inner: Arc::clone(&key("partner").private), decryptions: 0.into(), broken });
    let own: Arc<dyn RsaPrivate> = backend.clone();
    let ring = Keyring::builder().own_key(own).peer_key(Arc::clone(&key("paytend").public)).build().unwrap();
    (backend, ring)
}

#[test]
fn what_is_publicly_wrong_costs_no_private_operation() {
    let (backend, ring) = counting(false);
    let good = notification(&keyring("paytend", "partner"), r#"{"a":1}"#);
    let modulus = STANDARD.encode(key("partner").material.public_key().modulus());
    let set = |name: &str, value: Value| edit(&good, |d| drop(d.insert(name.into(), value)));
    let mut spaced = key_text(&good);
    spaced.insert(4, '\n');
    for document in [
        "{}".to_owned(),
        good.replace("888666000100260", "888666000100261"),
        set("version", "1.0".into()),
        set("version", 2.0.into()),
        set("signature", "".into()),
        set("signature", STANDARD.encode([1; 127]).into()),
        set("signature", STANDARD.encode([1; 129]).into()),
        set("signature", STANDARD.encode([0xff; 128]).into()),
        set("randomKey", modulus.into()),
        set("randomKey", STANDARD.encode([1; 256]).into()),
        set("randomKey", STANDARD.encode([1; 127]).into()),
        set("randomKey", spaced.into()),
        set("randomKey", "%FF%FE".into()),
        set("content", "AAAA".into()),
        set("content", "not base64".into()),
        set("extra", "a&b=c".into()),
        format!("{good} ").replace("} ", "}}"),
    ] {
        assert!(ring.open(document.as_bytes(), &expected()).is_err(), "{document}");
        assert_eq!(backend.decryptions.load(Ordering::SeqCst), 0, "{document}");
    }
    assert!(ring.open(good.as_bytes(), &expected()).is_ok());
    assert_eq!(backend.decryptions.load(Ordering::SeqCst), 1);
    // From here on it is secret what is wrong: the operation is done, and so is the rest.
    for at in [0, 5, 127] {
        let mut random_key = STANDARD.decode(key_text(&good)).unwrap();
        random_key[at] ^= 1;
        let document = set("randomKey", STANDARD.encode(random_key).into());
        assert_eq!(ring.open(document.as_bytes(), &expected()).unwrap_err(), Error::NotAuthentic);
    }
}

fn key_text(document: &str) -> String {
    serde_json::from_str::<Value>(document).unwrap()["randomKey"].as_str().unwrap().to_owned()
}

#[test]
fn a_backend_that_fails_is_not_a_forger() {
    let (_, ring) = counting(true);
    let good = notification(&keyring("paytend", "partner"), "{}");
    let error = ring.open(good.as_bytes(), &expected()).unwrap_err();
    assert_eq!(error, Error::Backend(BackendError::new("the token was removed")));
}

/// Session keys that decrypt to something, but not to what they must be. All the rest of the message is right, with a valid
/// signature over the session key as a naive receiver would read it.
#[test]
fn a_session_key_of_another_form_is_refused() {
    let plain: [(&str, &[u8]); 6] = [
        ("too short", b"gNx86vc1yttHs8ZWOf7+5g="),
        ("too long", b"gNx86vc1yttHs8ZWOf7+5g==="),
        ("raw bytes", &[7; 24]),
        ("not base64", b"gNx86vc1yttHs8Z&Of7+5g=="),
        ("empty", b""),
        ("right", b"gNx86vc1yttHs8ZWOf7+5g=="),
    ];
    for (name, session_key) in plain {
        let random_key = if session_key.is_empty() {
            // encrypt_blocks makes no block of nothing; one block of a single byte is as wrong.
            hazmat::encrypt_blocks(&*key("partner").public, b"x", &OsRandom).unwrap()
        } else {
            hazmat::encrypt_blocks(&*key("partner").public, session_key, &OsRandom).unwrap()
        };
        let text =
            [b"notifyType=2&partnerId=888666000100260&randomKey=", session_key, b"&signType=RSA&version=2.0"].concat();
        let document = json!({
            "partnerId": PARTNER_ID, "notifyType": "2", "signType": "RSA", "version": "2.0",
            "randomKey": STANDARD.encode(random_key),
            "signature": detached::sign(&*key("paytend").private, &text).unwrap(),
        });
        let answer = keyring("partner", "paytend").open(document.to_string().as_bytes(), &expected());
        assert_eq!(answer.is_ok(), name == "right", "{name}");
        if let Err(error) = answer {
            assert_eq!(error, Error::NotAuthentic, "{name}");
        }
    }
}

#[test]
fn peeking_reads_a_field_of_an_unverified_document() {
    let document = br#"{"partnerId":"888666000100260","signType":1}"#;
    assert_eq!(danger_peek(document, Kind::Request, "partnerId").unwrap().as_deref(), Some(PARTNER_ID));
    assert_eq!(danger_peek(document, Kind::Request, "signType").unwrap(), None);
    assert!(danger_peek(b"[]", Kind::Request, "partnerId").is_err());
}

#[test]
fn a_broken_random_source_stops_sealing() {
    struct Broken;
    impl RandomSource for Broken {
        fn fill(&self, _: &mut [u8]) -> Result<(), Error> {
            Err(Error::Random)
        }
    }
    struct Zeros;
    impl RandomSource for Zeros {
        fn fill(&self, bytes: &mut [u8]) -> Result<(), Error> {
            bytes.fill(0);
            Ok(())
        }
    }
    let sources: [Arc<dyn RandomSource>; 2] = [Arc::new(Broken), Arc::new(Zeros)];
    for source in sources {
        let ring = Keyring::builder()
            .own_key(Arc::clone(&key("partner").private))
            .peer_key(Arc::clone(&key("paytend").public))
            .random_source(source)
            .build()
            .unwrap();
        assert_eq!(ring.seal(&Outgoing::new(&Fields::request(PARTNER_ID, "1"))).unwrap_err(), Error::Random);
    }
}

#[test]
fn request_ids_are_unique_across_threads_and_sort_by_time() {
    const PER_THREAD: usize = 20_000;
    let ids: Vec<RequestId> = std::thread::scope(|scope| {
        let threads: Vec<_> = (0..8)
            .map(|_| scope.spawn(|| (0..PER_THREAD).map(|_| RequestId::generate().unwrap()).collect::<Vec<_>>()))
            .collect();
        threads.into_iter().flat_map(|thread| thread.join().unwrap()).collect()
    });
    assert_eq!(ids.iter().collect::<HashSet<_>>().len(), 8 * PER_THREAD);
    for id in &ids {
        assert!(
            id.as_str().len() == 32 && id.as_str().bytes().all(|b| b.is_ascii_digit() || (b'a'..=b'f').contains(&b))
        );
    }
    let at = |millis| RequestId::from_parts(millis, &OsRandom).unwrap();
    assert!(at(1_000) < at(1_001) && at(1_763_000_000_000) < at(1_763_000_000_001));
    // Within one millisecond only chance tells them apart: 74 bits of it, so two processes do not collide either.
    let same: HashSet<_> = (0..10_000).map(|_| at(1_763_000_000_000)).collect();
    assert_eq!(same.len(), 10_000);
}

#[test]
fn detached_signatures_verify_with_any_of_several_keys() {
    let body = br#"{"amount":0.020}"#;
    let verifier =
        detached::Verifier::new([Arc::clone(&key("payby").public), Arc::clone(&key("partner").public)]).unwrap();
    for signer in ["payby", "partner"] {
        let sign = detached::sign(&*key(signer).private, body).unwrap();
        assert_eq!(verifier.verify(body, &sign), Ok(key(signer).material.public_key().fingerprint()));
        assert_eq!(verifier.verify(body, &format!(" {sign}\t")), Ok(key(signer).material.public_key().fingerprint()));
        assert_eq!(verifier.verify(br#"{"amount":0.02}"#, &sign), Err(Error::NotAuthentic));
    }
    let stranger = detached::sign(&*key("payermax").private, body).unwrap();
    for sign in [stranger.as_str(), "", "AAAA", "@", "é"] {
        assert_eq!(verifier.verify(body, sign), Err(Error::NotAuthentic), "{sign}");
    }
    assert!(matches!(detached::Verifier::new([]).unwrap_err(), Error::Key(KeyError::Absent("verify"))));
}
