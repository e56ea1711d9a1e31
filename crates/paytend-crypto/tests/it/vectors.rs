//! All of `vectors/`, every file and every case.

use std::sync::Arc;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use paytend_crypto::{
    Error, Expected, Fields, Keyring, Kind, OsRandom, Outgoing, PayloadProblem, PrivateKey, PublicKey, RandomSource,
    detached, hazmat,
};
use serde_json::Value;

use crate::support::{KEYS, PARTNER_ID, key, keyring, read_vectors, text, vectors_dir};

/// Each file with the function that takes all of it and says how many cases it ran.
const FILES: [(&str, fn(&Value) -> usize); 5] = [
    ("keys.json", keys),
    ("envelope.json", envelope),
    ("refuse.json", refuse),
    ("detached.json", detached_signatures),
    ("rsa_blocks.json", rsa_blocks),
];

#[test]
fn every_case_of_every_vector_file() {
    let mut on_disk: Vec<_> = std::fs::read_dir(vectors_dir())
        .unwrap()
        .map(|entry| entry.unwrap().file_name().into_string().unwrap())
        .filter(|name| name.ends_with(".json"))
        .collect();
    on_disk.sort();
    let mut known: Vec<_> = FILES.iter().map(|(name, _)| (*name).to_owned()).collect();
    known.sort();
    assert_eq!(on_disk, known, "every vector file has a runner, and every runner a file");

    for (name, run) in FILES {
        let data = read_vectors(name);
        let cases = match &data {
            Value::Array(cases) => cases.len(),
            Value::Object(keys) => keys.values().filter(|key| key.is_object()).count(),
            _ => panic!("{name} is neither list nor object"),
        };
        assert!(cases > 0, "{name} has cases");
        assert_eq!(run(&data), cases, "{name}: all cases are run");
    }
}

fn keys(_: &Value) -> usize {
    for (name, test_key) in KEYS.iter() {
        let data = &test_key.data;
        let bits = data["bits"].as_u64().unwrap() as usize;
        let der = STANDARD.decode(text(data, "private")).unwrap();
        let private = [
            PrivateKey::from_text(text(data, "private")).unwrap(),
            PrivateKey::from_der(&der).unwrap(),
            PrivateKey::from_text(text(data, "private_pkcs1_pem")).unwrap(),
            PrivateKey::from_text(text(data, "private_pkcs8_pem")).unwrap(),
        ];
        let spki = STANDARD.decode(text(data, "public")).unwrap();
        let public = [
            PublicKey::from_text(text(data, "public")).unwrap(),
            PublicKey::from_der(&spki).unwrap(),
            PublicKey::from_text(text(data, "public_pkcs1_pem")).unwrap(),
        ];
        for private in &private {
            assert_eq!(private.pkcs1_der(), test_key.material.pkcs1_der(), "{name}");
            assert_eq!(private.public_key(), &public[0], "{name}");
            assert_eq!(private.public_key().bits(), bits, "{name}");
            assert_eq!(*private.to_pkcs8_pem().unwrap(), text(data, "private_pkcs8_pem"), "{name}");
        }
        for public in &public {
            assert_eq!(public.to_spki_der(), spki, "{name}");
            assert_eq!(public.to_base64(), text(data, "public"), "{name}");
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

/// Gives the bytes of a wanted session key first, then the system's.
struct SessionKeyThenRandom(Vec<u8>, std::sync::atomic::AtomicBool);

impl RandomSource for SessionKeyThenRandom {
    fn fill(&self, bytes: &mut [u8]) -> Result<(), Error> {
        if self.1.swap(true, std::sync::atomic::Ordering::SeqCst) {
            return OsRandom.fill(bytes);
        }
        bytes.copy_from_slice(&self.0);
        Ok(())
    }
}

fn envelope(cases: &Value) -> usize {
    let mut ran = 0;
    for case in cases.as_array().unwrap() {
        let name = text(case, "name");
        let (sender, receiver) = (text(case, "sender"), text(case, "receiver"));
        let kind = kind(text(case, "payload_field"));
        let signed = case["sign_payload"].as_bool().unwrap();
        let payload = text(case, "payload");

        // Open the given document.
        let mut expected = expected(kind);
        if !signed {
            expected = expected.unsigned_payload();
        }
        let opened = keyring(receiver, sender)
            .open(text(case, "wire").as_bytes(), &expected)
            .unwrap_or_else(|e| panic!("{name}: {e}"));
        assert_eq!(opened.payload_text(), payload, "{name}");
        assert_eq!(*opened.canonical(), text(case, "canonical"), "{name}");
        assert_eq!(opened.session_key(), text(case, "random_key"), "{name}");
        assert_eq!(opened.verified_by(), key(sender).public.public_key().fingerprint(), "{name}");
        assert_eq!(opened.decrypted_by(), Some(key(receiver).public.public_key().fingerprint()), "{name}");

        // Seal the same content with the same session key.
        let session_key = STANDARD.decode(text(case, "random_key")).unwrap();
        let sealing = Keyring::builder()
            .own_key(Arc::clone(&key(sender).private))
            .peer_key(Arc::clone(&key(receiver).public))
            .random_source(Arc::new(SessionKeyThenRandom(session_key, false.into())))
            .build()
            .unwrap();
        let fields = opened.fields().fold(Fields::new(kind), |fields, (name, value)| fields.with(name, value));
        let mut outgoing = Outgoing::new(&fields).payload(payload);
        if !signed {
            outgoing = outgoing.unsigned_payload();
        }
        let sealed = sealing.seal(&outgoing).unwrap_or_else(|e| panic!("{name}: {e}"));
        assert_eq!(sealed.canonical(), text(case, "canonical"), "{name}");
        let document: Value = serde_json::from_str(sealed.document()).unwrap();
        assert_eq!(document["signature"], case["signature"], "{name}");
        assert_eq!(document[kind.payload_field()], case["payload_wire"], "{name}");
        // randomKey is encrypted with random padding: it is right if the receiver reads the session key from it.
        let again = keyring(receiver, sender).open(sealed.document().as_bytes(), &expected).unwrap();
        assert_eq!(again.session_key(), text(case, "random_key"), "{name}");
        ran += 1;
    }
    ran
}

fn refuse(cases: &Value) -> usize {
    let mut ran = 0;
    for case in cases.as_array().unwrap() {
        let name = text(case, "name");
        let kind = kind(text(case, "kind"));
        let document = match (&case["wire"], &case["wire_base64"]) {
            (Value::String(wire), _) => wire.clone().into_bytes(),
            (_, Value::String(base64)) => STANDARD.decode(base64).unwrap(),
            _ => made_here(name),
        };
        let error = keyring("partner", "paytend").open(&document, &expected(kind)).expect_err(name);
        match name {
            _ if name.starts_with("json/") || name == "randomKey/a million blocks" => {
                assert!(matches!(error, Error::Malformed(_)), "{name}: {error:?}");
            }
            // The rules that leave one reading are public, and so may be the answer.
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

/// The documents that are too large to be in a file.
fn made_here(name: &str) -> Vec<u8> {
    match name {
        "randomKey/a million blocks" => {
            let good: Value = read_vectors("refuse.json")
                .as_array()
                .and_then(|cases| cases.iter().find(|c| c["name"] == "signature/one bit"))
                .map(|case| serde_json::from_str(text(case, "wire")).unwrap())
                .unwrap();
            let mut document = good;
            document["randomKey"] = STANDARD.encode(vec![0u8; 128_000_000]).into();
            serde_json::to_vec(&document).unwrap()
        }
        "json/deep nesting" => vec![b'['; 100_000],
        other => panic!("no document for {other}"),
    }
}

fn detached_signatures(cases: &Value) -> usize {
    let mut ran = 0;
    for case in cases.as_array().unwrap() {
        let name = text(case, "name");
        let signer = key(text(case, "key"));
        let body = STANDARD.decode(text(case, "body_base64")).unwrap();
        let verifier = detached::Verifier::new([Arc::clone(&signer.public)]).unwrap();
        let answer = verifier.verify(&body, text(case, "sign"));
        if case["valid"].as_bool().unwrap() {
            assert_eq!(answer, Ok(signer.public.public_key().fingerprint()), "{name}");
            // The signature is deterministic, so ours is the same.
            assert_eq!(detached::sign(&*signer.private, &body).unwrap(), text(case, "sign"), "{name}");
        } else {
            assert_eq!(answer, Err(Error::NotAuthentic), "{name}");
        }
        ran += 1;
    }
    ran
}

fn rsa_blocks(cases: &Value) -> usize {
    let mut ran = 0;
    for case in cases.as_array().unwrap() {
        let name = text(case, "name");
        let test_key = key(text(case, "key"));
        let plain = text(case, "plain").as_bytes();
        let wire = STANDARD.decode(text(case, "wire")).unwrap();
        assert_eq!(*hazmat::decrypt_blocks(&*test_key.private, &wire).unwrap(), plain, "{name}");

        let ours = hazmat::encrypt_blocks(&*test_key.public, plain, &OsRandom).unwrap();
        assert_eq!(ours.len(), wire.len(), "{name}");
        assert_eq!(*hazmat::decrypt_blocks(&*test_key.private, &ours).unwrap(), plain, "{name}");
        ran += 1;
    }
    ran
}
