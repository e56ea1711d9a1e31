//! Tests for the public API. Refusals of invalid messages are tested in `opening.rs`.

use std::collections::HashSet;
use std::sync::Arc;

use paytend_crypto::keys::{ArmourProblem, ForeignKey, KeyStructure};
use paytend_crypto::{
    BackendError, Error, Expected, FieldProblem, Fields, JsonProblem, KeyError, Keyring, Malformed, Outgoing,
    PayloadProblem, RandomSource, RequestId, detached,
};
use paytend_vectors::Seeded;

use crate::support::{PARTNER_ID, expected, key, keyring, notification};

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
fn every_error_message_is_unique_and_on_one_line() {
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
        Malformed::Field(FieldProblem::OtherKind).into(),
        Error::Unsealable(FieldProblem::Fixed("version")),
        Error::Unsealable(FieldProblem::Reserved("signature")),
        Error::Unsealable(FieldProblem::Payload(PayloadProblem::NotUtf8)),
        PayloadProblem::Absent.into(),
        PayloadProblem::Shape { line: 1, column: 2 }.into(),
        PayloadProblem::Json { problem: JsonProblem::Truncated, line: 1, column: 2 }.into(),
        KeyError::Encoding.into(),
        KeyError::Empty.into(),
        KeyError::TooLong { limit: 65536 }.into(),
        KeyError::Passphrase.into(),
        KeyError::Foreign(ForeignKey::Pkcs12).into(),
        KeyError::PublicGiven(KeyStructure::Spki).into(),
        KeyError::PrivateGiven(KeyStructure::Pkcs8).into(),
        KeyError::Truncated { announced: 1190, present: 700 }.into(),
        KeyError::TrailingData { announced: 1190, extra: 4 }.into(),
        KeyError::Armour { line: 2, problem: ArmourProblem::Begin }.into(),
        KeyError::Armour { line: 2, problem: ArmourProblem::End }.into(),
        KeyError::Armour { line: 2, problem: ArmourProblem::EndLabel }.into(),
        KeyError::Armour { line: 2, problem: ArmourProblem::EndMissing }.into(),
        KeyError::Armour { line: 2, problem: ArmourProblem::BeginMissing }.into(),
        KeyError::Armour { line: 2, problem: ArmourProblem::NotBase64 }.into(),
        KeyError::Base64 { line: 7 }.into(),
        KeyError::PlusSigns { line: 7 }.into(),
        KeyError::HeadMissing.into(),
        KeyError::Ambiguous { count: 2, private: true, names: vec![], certificates: false }.into(),
        KeyError::Ambiguous { count: 2, private: false, names: vec![], certificates: true }.into(),
        KeyError::InFile { path: path(), problem: Box::new(KeyError::Empty) }.into(),
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
        assert!(texts.insert(text), "the error text is not unique: {error:?}");
        assert_eq!(error, &error.clone());
    }
    assert!(Error::from(KeyError::Permissions { path: path(), mode: 0o644 }).to_string().contains("chmod 600"));
}

#[test]
fn debug_output_shows_no_secret() {
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
        "{fields:?} {outgoing:?} {sealed:?} {opened:?} {sealed_by:?} {material:?} \
         {failure:?} {failure} {shape:?} {shape}"
    );
    assert!(!shown.contains("CANARY"), "{shown}");
    assert!(!shown.contains(opened.session_key()), "{shown}");
    // If the output contained the private exponent, as a list of numbers or in hexadecimal, it would be longer.
    assert!(shown.len() < 2500, "{shown}");
}

#[test]
fn seal_refuses_messages_that_open_would_refuse() {
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
        (Fields::request("", &"1".parse().unwrap()), FieldProblem::Missing("partnerId")),
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
fn keyring_without_the_required_keys_returns_an_error() {
    assert!(matches!(Keyring::builder().build().unwrap_err(), Error::Key(KeyError::Absent(_))));
    assert!(Keyring::builder().signing_key(Arc::clone(&key("partner").private)).build().is_err());
    let only_opens = Keyring::builder()
        .decryption_key(Arc::clone(&key("partner").private))
        .verification_key(Arc::clone(&key("paytend").public))
        .build()
        .unwrap();
    let fields = Fields::request(PARTNER_ID, &"1".parse().unwrap());
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
fn seal_fails_if_the_random_source_is_broken() {
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
        assert_eq!(
            ring.seal(&Outgoing::new(&Fields::request(PARTNER_ID, &"1".parse().unwrap()))).unwrap_err(),
            Error::Random
        );
    }
}

#[test]
fn request_ids_are_unique_across_threads_and_sort_by_time() {
    let random = Seeded::new();
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
    let at = |millis| RequestId::from_parts(millis, &random).unwrap();
    assert!(at(1_000) < at(1_001) && at(1_763_000_000_000) < at(1_763_000_000_001));
    // Identifiers created in the same millisecond differ only in their 74 random bits. These suffice even if several
    // processes create identifiers.
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

/// A message has at most 64 fields: the payload, the key, the signature, and 61 other fields.
#[test]
fn message_can_have_64_fields_but_not_65() {
    let sender = keyring("paytend", "partner");
    // A notification has four fields besides the payload, the key and the signature. Empty fields do not count.
    for (more, sealable) in [(57, true), (58, false)] {
        let fields = Fields::notification(PARTNER_ID, "2").with("empty", "");
        let fields = (0..more).fold(fields, |fields, at| fields.with(&format!("f{at}"), "x"));
        let sealed = sender.seal(&Outgoing::new(&fields).payload("{}"));
        match sealed {
            Ok(sealed) => {
                assert!(sealable);
                keyring("partner", "paytend").open(sealed.document().as_bytes(), &expected()).unwrap();
            }
            Err(error) => {
                assert!(!sealable, "{error}");
                assert_eq!(error, Error::Unsealable(FieldProblem::TooMany { count: 62, limit: 61 }));
            }
        }
    }
}
