//! Runs the project's test vectors on a backend.

use std::collections::BTreeMap;
use std::sync::Arc;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use pkcs1::RsaPrivateKeyRef;
use pkcs1::der::{Decode as _, Encode as _};
use serde::Deserialize;
use zeroize::Zeroizing;

use super::{Checks, ConformanceError, check_pair};
use crate::envelope::keyring::Keyring;
use crate::envelope::message::{Expected, Kind};
use crate::error::Error;
use crate::keys::private::PrivateKey;
use crate::keys::public::{MAX_BITS, MIN_BITS, PublicKey};
use crate::rsa::{Backend, RsaPrivate, RsaPublic};
use crate::{detached, hazmat, rustcrypto};

const KEYS: &str = include_str!("../../vectors/keys.json");
const ENVELOPE: &str = include_str!("../../vectors/envelope.json");
const REFUSE: &str = include_str!("../../vectors/refuse.json");
const DETACHED: &str = include_str!("../../vectors/detached.json");
const BLOCKS: &str = include_str!("../../vectors/rsa_blocks.json");

const PARTNER_ID: &str = "888666000100260";

/// A test case from any of the vector files. Fields that a file does not have are empty.
#[derive(Deserialize, Default)]
#[serde(default)]
struct Case {
    name: String,
    kind: String,
    payload_field: String,
    sign_payload: bool,
    sender: String,
    receiver: String,
    payload: String,
    canonical: String,
    wire: Option<String>,
    key: String,
    body_base64: String,
    valid: bool,
    sign: String,
    plain: String,
}

struct Pair {
    private: Arc<dyn RsaPrivate>,
    public: Arc<dyn RsaPublic>,
}

type Pairs = BTreeMap<String, Pair>;

/// Checks a backend and returns the number of checks. Runs [`check_pair`] for every key in the test vectors, compares
/// signatures with the default backend's, and runs all vectors. Also checks that private keys with inconsistent
/// components are refused, and that generated keys have the requested size. A backend may refuse to generate keys.
///
/// # Errors
/// Returns the first check that fails.
pub fn check_backend(backend: &dyn Backend) -> Result<usize, ConformanceError> {
    let mut checks = Checks::default();
    checks.that(!backend.name().is_empty(), || "the backend has no name".into())?;
    let pairs = load(&mut checks, backend)?;
    generated(&mut checks, backend)?;
    for pair in pairs.values() {
        checks.done += check_pair(&pair.private, &pair.public)?;
    }
    envelope(&mut checks, &pairs)?;
    refuse(&mut checks, &pairs)?;
    signatures(&mut checks, &pairs)?;
    blocks(&mut checks, &pairs)?;
    Ok(checks.done)
}

fn read<T: for<'de> Deserialize<'de>>(checks: &mut Checks, text: &str) -> Result<T, ConformanceError> {
    checks.get(serde_json::from_str(text), "cannot read the test vectors")
}

fn load(checks: &mut Checks, backend: &dyn Backend) -> Result<Pairs, ConformanceError> {
    #[derive(Deserialize)]
    #[serde(untagged)]
    enum Entry {
        Key { private: String, public: String },
        Note(String),
    }
    let mut pairs = Pairs::new();
    let mut small: Vec<PrivateKey> = Vec::new();
    for (name, entry) in read::<BTreeMap<String, Entry>>(checks, KEYS)? {
        let (private, public) = match entry {
            Entry::Key { private, public } => (private, public),
            Entry::Note(text) => {
                checks.that(!text.is_empty(), || "keys.json contains an empty note".into())?;
                continue;
            }
        };
        let material = checks.get(PrivateKey::from_bytes(&private), &name)?;
        let public = checks.get(PublicKey::from_bytes(&public), &name)?;
        let pair = Pair {
            private: checks.get(backend.private(&material), &name)?,
            public: checks.get(backend.public(&public), &name)?,
        };
        // Signatures are deterministic, so both backends produce the same signature.
        let reference = checks.get(rustcrypto::private(&material), &name)?;
        let ours = checks.get(pair.private.sign_sha256(&[7; 32]), &name)?;
        let theirs = checks.get(reference.sign_sha256(&[7; 32]), &name)?;
        checks.that(ours == theirs, || format!("{name}: the signature differs from the default backend's"))?;
        pairs.insert(name, pair);
        if material.public_key().bits() == 1024 {
            small.push(material);
        }
    }
    checks.that(small.len() >= 2, || "the test vectors contain fewer than two 1024-bit keys".into())?;
    inconsistent(checks, backend, [small[0].pkcs1_der(), small[1].pkcs1_der()])?;
    Ok(pairs)
}

/// Checks that a private key with the modulus or the private exponent of a different key is refused.
fn inconsistent(checks: &mut Checks, backend: &dyn Backend, der: [&[u8]; 2]) -> Result<(), ConformanceError> {
    let [one, other] = der.map(RsaPrivateKeyRef::from_der);
    let one = checks.get(one, "cannot parse a key from the test vectors")?;
    let other = checks.get(other, "cannot parse a key from the test vectors")?;
    let exponent = RsaPrivateKeyRef { private_exponent: other.private_exponent, ..one.clone() };
    let modulus = RsaPrivateKeyRef { modulus: other.modulus, ..one.clone() };
    for (name, numbers) in [("private exponent", exponent), ("modulus", modulus)] {
        let written = checks.get(numbers.to_der().map(Zeroizing::new), "cannot write a key")?;
        // If the key reader refuses the key, there is nothing for the backend to check.
        if let Ok(key) = PrivateKey::from_bytes(&*written) {
            checks.that(backend.private(&key).is_err(), || {
                format!("the backend loads a key that has the {name} of a different key")
            })?;
        }
    }
    Ok(())
}

/// Checks that generated keys have the requested size and work, and that invalid sizes are refused.
fn generated(checks: &mut Checks, backend: &dyn Backend) -> Result<(), ConformanceError> {
    for bits in [1024, 2048] {
        let key = match backend.generate(bits) {
            Ok(key) => key,
            Err(Error::Backend(_)) => continue,
            Err(error) => return Err(ConformanceError(format!("cannot generate a key of {bits} bits: {error}"))),
        };
        let public = key.public_key();
        checks
            .that(public.bits() == bits, || format!("a generated key has {} bits instead of {bits}", public.bits()))?;
        checks.that(*public.exponent() == [1, 0, 1], || "a generated key's exponent is not 65537".into())?;
        let private = checks.get(backend.private(&key), "cannot load a generated key")?;
        let public = checks.get(backend.public(public), "cannot load a generated public key")?;
        checks.done += check_pair(&private, &public)?;
    }
    for bits in [0, 512, MIN_BITS - 1, MAX_BITS + 1] {
        checks.that(backend.generate(bits).is_err(), || {
            format!("the backend generates a key of {bits} bits, which is not a supported size")
        })?;
    }
    Ok(())
}

fn ring(checks: &mut Checks, pairs: &Pairs, own: &str, peer: &str) -> Result<Keyring, ConformanceError> {
    let own = checks.get(pairs.get(own).ok_or("keys.json has no such key"), own)?;
    let peer = checks.get(pairs.get(peer).ok_or("keys.json has no such key"), peer)?;
    let built = Keyring::builder().own_key(Arc::clone(&own.private)).peer_key(Arc::clone(&peer.public)).build();
    checks.get(built, "cannot build a keyring")
}

fn expected(payload_field: &str) -> Expected {
    match payload_field {
        "bizData" => Expected::request(PARTNER_ID),
        "content" => Expected::notification(PARTNER_ID),
        _ => Expected::response(),
    }
}

fn envelope(checks: &mut Checks, pairs: &Pairs) -> Result<(), ConformanceError> {
    for case in read::<Vec<Case>>(checks, ENVELOPE)? {
        let mut expected = expected(&case.payload_field);
        if !case.sign_payload {
            expected = expected.unsigned_payload();
        }
        let ring = ring(checks, pairs, &case.receiver, &case.sender)?;
        let opened = checks.get(ring.open(case.wire.unwrap_or_default().as_bytes(), &expected), &case.name)?;
        checks.that(opened.payload_bytes() == case.payload.as_bytes(), || {
            format!("{}: the payload differs", case.name)
        })?;
        checks.that(*opened.canonical() == case.canonical.as_bytes(), || {
            format!("{}: the signed text differs", case.name)
        })?;
    }
    Ok(())
}

fn refuse(checks: &mut Checks, pairs: &Pairs) -> Result<(), ConformanceError> {
    let ring = ring(checks, pairs, "partner", "paytend")?;
    for case in read::<Vec<Case>>(checks, REFUSE)? {
        // Skips cases without a document, because they do not use the backend.
        let Some(wire) = case.wire else { continue };
        let expected = if case.kind == Kind::Response.payload_field() {
            Expected::response()
        } else {
            Expected::notification(PARTNER_ID)
        };
        let result = ring.open(wire.as_bytes(), &expected).map(drop);
        let refused = matches!(result, Err(Error::NotAuthentic | Error::Malformed(_) | Error::Payload(_)));
        checks.that(refused, || format!("{}: {result:?}", case.name))?;
    }
    Ok(())
}

fn signatures(checks: &mut Checks, pairs: &Pairs) -> Result<(), ConformanceError> {
    for case in read::<Vec<Case>>(checks, DETACHED)? {
        let pair = checks.get(pairs.get(&case.key).ok_or("keys.json has no such key"), &case.key)?;
        let body = checks.get(STANDARD.decode(&case.body_base64), &case.name)?;
        let verifier = checks.get(detached::Verifier::new([Arc::clone(&pair.public)]), &case.name)?;
        let valid = verifier.verify(&body, &case.sign).is_ok();
        checks.that(valid == case.valid, || format!("{}: valid is {valid}", case.name))?;
        if valid {
            let made = checks.get(detached::sign(&*pair.private, &body), &case.name)?;
            checks.that(made == case.sign, || format!("{}: the signature differs", case.name))?;
        }
    }
    Ok(())
}

fn blocks(checks: &mut Checks, pairs: &Pairs) -> Result<(), ConformanceError> {
    for case in read::<Vec<Case>>(checks, BLOCKS)? {
        let pair = checks.get(pairs.get(&case.key).ok_or("keys.json has no such key"), &case.key)?;
        let wire = checks.get(STANDARD.decode(case.wire.unwrap_or_default()), &case.name)?;
        let plain = checks.get(hazmat::decrypt_blocks(&*pair.private, &wire), &case.name)?;
        checks.that(*plain == case.plain.as_bytes(), || format!("{}: the plaintext differs", case.name))?;
    }
    Ok(())
}
