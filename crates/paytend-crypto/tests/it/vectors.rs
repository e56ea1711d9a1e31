//! Runs every case of every file in `vectors/`.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use paytend_crypto::{
    Error, Expected, Fields, Keyring, Kind, Outgoing, PayloadProblem, PrivateKey, PublicKey, RandomSource, detached,
    hazmat,
};
use paytend_vectors::Seeded;
use serde_json::Value;

use crate::support::{KEYS, PARTNER_ID, key, keyring};

/// A vector file's name, and the function that runs its cases and returns their number.
type Runner = (&'static str, fn() -> usize);

const FILES: [Runner; 6] = [
    ("authentic.json", authentic),
    ("detached.json", detached_signatures),
    ("envelope.json", envelope),
    ("keys.json", keys),
    ("refuse.json", refuse),
    ("rsa_blocks.json", rsa_blocks),
];

#[test]
fn every_vector_case_has_the_expected_result() {
    let known: Vec<_> = FILES.iter().map(|(name, _)| (*name).to_owned()).collect();
    assert_eq!(paytend_vectors::files(), known, "the vector files and the runners differ");
    for (name, run) in FILES {
        // The cases in the file are counted separately, to detect cases that were not run.
        let text = std::fs::read_to_string(paytend_vectors::folder().join(name)).unwrap();
        let cases = match serde_json::from_str(&text).unwrap() {
            Value::Array(cases) => cases.len(),
            Value::Object(keys) => keys.values().filter(|key| key.is_object()).count(),
            _ => panic!("{name} is neither an array nor an object"),
        };
        assert!(cases > 0, "{name} has no cases");
        assert_eq!(run(), cases, "{name}: not all cases were run");
    }
}

fn keys() -> usize {
    for (name, test_key) in KEYS.iter() {
        let data = &test_key.data;
        let der = STANDARD.decode(&data.private).unwrap();
        let private = [
            PrivateKey::from_bytes(&data.private).unwrap(),
            PrivateKey::from_bytes(&der).unwrap(),
            PrivateKey::from_bytes(&data.private_pkcs1_pem).unwrap(),
            PrivateKey::from_bytes(&data.private_pkcs8_pem).unwrap(),
        ];
        let spki = STANDARD.decode(&data.public).unwrap();
        let public = [
            PublicKey::from_bytes(&data.public).unwrap(),
            PublicKey::from_bytes(&spki).unwrap(),
            PublicKey::from_bytes(&data.public_pkcs1_pem).unwrap(),
        ];
        for private in &private {
            assert_eq!(private.pkcs1_der(), test_key.material.pkcs1_der(), "{name}");
            assert_eq!(private.public_key(), &public[0], "{name}");
            assert_eq!(private.public_key().bits(), data.bits, "{name}");
            assert_eq!(*private.to_pkcs8_pem().unwrap(), data.private_pkcs8_pem, "{name}");
        }
        for public in &public {
            assert_eq!(public.spki_der(), spki, "{name}");
            assert_eq!(public.to_base64(), data.public, "{name}");
        }
    }
    KEYS.len()
}

fn kind(payload_field: &str) -> Kind {
    match payload_field {
        "bizData" => Kind::Request,
        "respData" => Kind::Response,
        "content" => Kind::Notification,
        other => panic!("no kind has the payload field {other}"),
    }
}

fn expected(kind: Kind) -> Expected {
    match kind {
        Kind::Request => Expected::request(PARTNER_ID),
        Kind::Response => Expected::response(),
        Kind::Notification => Expected::notification(PARTNER_ID),
    }
}

/// A random source that first returns the bytes of a given session key, and then bytes generated from a fixed seed.
struct SessionKeyThenRandom(Vec<u8>, AtomicBool, Seeded);

impl RandomSource for SessionKeyThenRandom {
    fn fill(&self, bytes: &mut [u8]) -> Result<(), Error> {
        if self.1.swap(true, Ordering::SeqCst) {
            self.2.fill(bytes);
            return Ok(());
        }
        bytes.copy_from_slice(&self.0);
        Ok(())
    }
}

fn envelope() -> usize {
    let mut ran = 0;
    for case in paytend_vectors::envelope() {
        let name = case.name.as_str();
        let (sender, receiver) = (case.sender.as_str(), case.receiver.as_str());
        let kind = kind(&case.payload_field);
        let signed = case.sign_payload;
        let payload = case.payload.as_str();

        // Opens the given document.
        let mut expected = expected(kind);
        if !signed {
            expected = expected.unsigned_payload();
        }
        let opened =
            keyring(receiver, sender).open(case.wire.as_bytes(), &expected).unwrap_or_else(|e| panic!("{name}: {e}"));
        assert_eq!(opened.payload_text(), Some(payload), "{name}");
        assert_eq!(*opened.canonical(), *case.canonical.as_bytes(), "{name}");
        assert_eq!(opened.session_key(), case.random_key.as_str(), "{name}");
        assert_eq!(opened.verified_by(), key(sender).public.public_key().fingerprint(), "{name}");
        assert_eq!(opened.decrypted_by(), Some(key(receiver).public.public_key().fingerprint()), "{name}");

        // Seals the same content with the same session key.
        let session_key = STANDARD.decode(case.random_key.as_str()).unwrap();
        let sealing = Keyring::builder()
            .own_key(Arc::clone(&key(sender).private))
            .peer_key(Arc::clone(&key(receiver).public))
            .random_source(Arc::new(SessionKeyThenRandom(session_key, false.into(), Seeded::with(1))))
            .build()
            .unwrap();
        let fields = opened.fields().fold(Fields::new(kind), |fields, (name, value)| fields.with(name, value));
        let mut outgoing = Outgoing::new(&fields).payload(payload);
        if !signed {
            outgoing = outgoing.unsigned_payload();
        }
        let sealed = sealing.seal(&outgoing).unwrap_or_else(|e| panic!("{name}: {e}"));
        assert_eq!(*sealed.canonical(payload), case.canonical.as_str(), "{name}");
        let document: Value = serde_json::from_str(sealed.document()).unwrap();
        assert_eq!(document["signature"], case.signature, "{name}");
        assert_eq!(document[kind.payload_field()], case.payload_wire, "{name}");
        // randomKey is encrypted with random padding. It is correct if the receiver decrypts the session key.
        let again = keyring(receiver, sender).open(sealed.document().as_bytes(), &expected).unwrap();
        assert_eq!(again.session_key(), case.random_key.as_str(), "{name}");
        ran += 1;
    }
    ran
}

fn authentic() -> usize {
    let mut ran = 0;
    for case in paytend_vectors::authentic() {
        let name = case.name.as_str();
        let opened =
            keyring("partner", "paytend").open(&case.document, &expected(kind(&case.payload_field))).expect(name);
        assert_eq!(opened.payload_bytes(), case.payload, "{name}");
        assert_eq!(opened.payload_text(), std::str::from_utf8(&case.payload).ok(), "{name}");
        let problem = opened.payload_problem().map(|problem| match problem {
            PayloadProblem::Json { .. } => "json",
            PayloadProblem::NotUtf8 => "utf8",
            other => panic!("{name}: {other}"),
        });
        assert_eq!(problem, case.problem.as_deref(), "{name}");
        let read = opened.payload::<serde::de::IgnoredAny>();
        assert_eq!(read.err(), opened.payload_problem().cloned().map(Error::Payload), "{name}");
        ran += 1;
    }
    ran
}

fn refuse() -> usize {
    let mut ran = 0;
    for case in paytend_vectors::refuse() {
        let name = case.name.as_str();
        let kind = kind(&case.payload_field);
        let error = keyring("partner", "paytend").open(&case.document, &expected(kind)).expect_err(name);
        match name {
            _ if name.starts_with("json/") || name == "randomKey/a million blocks" => {
                assert!(matches!(error, Error::Malformed(_)), "{name}: {error:?}");
            }
            // The rules against ambiguous messages are public, so the error is allowed to state which rule was broken.
            _ if name.starts_with("canonical/") => assert!(matches!(error, Error::Malformed(_)), "{name}: {error:?}"),
            "payload/signed but not JSON" => {
                assert!(matches!(error, Error::Payload(PayloadProblem::Json { .. })), "{name}: {error:?}");
            }
            _ => assert_eq!(error, Error::NotAuthentic, "{name}"),
        }
        ran += 1;
    }
    ran
}

fn detached_signatures() -> usize {
    let mut ran = 0;
    for case in paytend_vectors::detached() {
        let name = case.name.as_str();
        let signer = key(case.key.as_str());
        let body = case.body();
        let verifier = detached::Verifier::new([Arc::clone(&signer.public)]).unwrap();
        let result = verifier.verify(&body, case.sign.as_str());
        if case.valid {
            assert_eq!(result, Ok(signer.public.public_key().fingerprint()), "{name}");
            // Signatures are deterministic, so this crate must create the signature in the file.
            assert_eq!(detached::sign(&*signer.private, &body).unwrap(), case.sign.as_str(), "{name}");
        } else {
            assert_eq!(result, Err(Error::NotAuthentic), "{name}");
        }
        ran += 1;
    }
    ran
}

fn rsa_blocks() -> usize {
    let random = Seeded::new();
    let mut ran = 0;
    for case in paytend_vectors::rsa_blocks() {
        let name = case.name.as_str();
        let test_key = key(case.key.as_str());
        let plain = case.plain.as_bytes();
        let wire = STANDARD.decode(case.wire.as_str()).unwrap();
        assert_eq!(*hazmat::decrypt_blocks(&*test_key.private, &wire).unwrap(), plain, "{name}");

        let ours = hazmat::encrypt_blocks(&*test_key.public, plain, &random).unwrap();
        assert_eq!(ours.len(), wire.len(), "{name}");
        assert_eq!(*hazmat::decrypt_blocks(&*test_key.private, &ours).unwrap(), plain, "{name}");
        ran += 1;
    }
    ran
}
