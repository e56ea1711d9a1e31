//! The test vectors in `vectors/` as typed values, and a reproducible source of random numbers.
//!
//! This crate is only for tests, so it panics if a vector file cannot be read. It contains no cryptography, so every
//! crate and every binding can be tested against it.

#![allow(clippy::expect_used, clippy::unwrap_used)]

mod key_forms;
mod seeded;

use std::collections::BTreeMap;
use std::path::PathBuf;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde::Deserialize;
use serde::de::DeserializeOwned;
use serde_json::Value;

pub use key_forms::{KeyFormCase, KeyFormResult, key_forms};
pub use seeded::{SEED, Seeded};

/// The ID of the partner that sends or receives the messages in the vectors.
pub const PARTNER_ID: &str = "888666000100260";

/// A key pair in several encodings. For tests only.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct KeyCase {
    /// The modulus length, in bits.
    pub bits: usize,
    /// The private key: base64 of PKCS#8 DER.
    pub private: String,
    /// The private key: PKCS#1 PEM.
    pub private_pkcs1_pem: String,
    /// The private key: PKCS#8 PEM.
    pub private_pkcs8_pem: String,
    /// The public key: base64 of SubjectPublicKeyInfo DER.
    pub public: String,
    /// The public key: PKCS#1 PEM.
    pub public_pkcs1_pem: String,
}

/// A message that opens to exactly `payload`.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct EnvelopeCase {
    /// The name of the case.
    pub name: String,
    /// The name of the payload field: `bizData`, `respData` or `content`.
    pub payload_field: String,
    /// Whether the payload is included in the signature.
    pub sign_payload: bool,
    /// The name of the key that signed the message.
    pub sender: String,
    /// The name of the key that decrypts the message.
    pub receiver: String,
    /// The session key, as text.
    pub random_key: String,
    /// The payload text.
    pub payload: String,
    /// The signed text.
    pub canonical: String,
    /// The signature in base64.
    pub signature: String,
    /// The encrypted payload in base64, or an empty string if there is no payload.
    pub payload_wire: String,
    /// The wire document.
    pub wire: String,
    /// A note about the case.
    #[serde(default)]
    pub note: String,
}

/// An authentic message whose payload is not necessarily strict JSON.
#[derive(Clone, Debug)]
pub struct AuthenticCase {
    /// The name of the case.
    pub name: String,
    /// The name of the payload field: `bizData`, `respData` or `content`.
    pub payload_field: String,
    /// The wire document.
    pub document: Vec<u8>,
    /// The payload bytes.
    pub payload: Vec<u8>,
    /// The reason why the payload is not strict JSON (`json` or `utf8`), or `None` if it is strict JSON.
    pub problem: Option<String>,
}

/// A message that must be refused.
#[derive(Clone, Debug)]
pub struct RefuseCase {
    /// The name of the case: a group, a slash, and the defect.
    pub name: String,
    /// The name of the payload field: `bizData`, `respData` or `content`.
    pub payload_field: String,
    /// The wire document.
    pub document: Vec<u8>,
}

/// A body with its `sign` header.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct DetachedCase {
    /// The name of the case.
    pub name: String,
    /// The name of the key that must verify the signature.
    pub key: String,
    /// The body, as base64.
    pub body_base64: String,
    /// Whether the signature is valid.
    pub valid: bool,
    /// The value of the `sign` header.
    pub sign: String,
    /// A note about the case.
    #[serde(default)]
    pub note: String,
}

impl DetachedCase {
    /// Returns the body's bytes.
    pub fn body(&self) -> Vec<u8> {
        STANDARD.decode(&self.body_base64).unwrap()
    }
}

/// RSA ciphertext blocks that decrypt to `plain`.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct BlocksCase {
    /// The name of the case.
    pub name: String,
    /// The name of the key.
    pub key: String,
    /// The plaintext.
    pub plain: String,
    /// The ciphertext in base64.
    pub wire: String,
}

/// A sample message from a provider's document.
#[derive(Clone, Debug)]
pub struct Sample {
    /// The provider's document: `baas`, `funding`, `issuing`, `payby` or `payermax`.
    pub document: String,
    /// The name of the case.
    pub name: String,
    /// The message's type in `paytend-model`, such as `payby::TransferToBankNotification`.
    pub type_name: String,
    /// The field that contains a payload, and the payload's type.
    pub payload: Option<(String, String)>,
    /// The message, exactly as in the file.
    pub json: String,
}

/// Reads `samples/*.json`, the samples from the providers' documents.
pub fn samples() -> Vec<Sample> {
    #[derive(Deserialize)]
    #[serde(deny_unknown_fields)]
    struct Document {
        #[serde(rename = "source")]
        _source: String,
        samples: Vec<Entry>,
    }

    #[derive(Deserialize)]
    #[serde(deny_unknown_fields)]
    struct Entry {
        name: String,
        r#type: String,
        payload: Option<(String, String)>,
        sample: Box<serde_json::value::RawValue>,
    }

    let mut samples = Vec::new();
    for file in std::fs::read_dir(folder().join("samples")).expect("cannot read the samples directory") {
        let name = file.unwrap().file_name().into_string().unwrap();
        let document: Document = read(&format!("samples/{name}"));
        samples.extend(document.samples.into_iter().map(|entry| Sample {
            document: name.trim_end_matches(".json").to_owned(),
            name: entry.name,
            type_name: entry.r#type,
            payload: entry.payload,
            json: entry.sample.get().to_owned(),
        }));
    }
    samples.sort_by(|a, b| (&a.document, &a.name).cmp(&(&b.document, &b.name)));
    samples
}

/// Returns the path of the repository's `vectors/` directory.
pub fn folder() -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../../vectors")
}

/// Returns the names of all vector files.
pub fn files() -> Vec<String> {
    let mut names: Vec<_> = std::fs::read_dir(folder())
        .expect("cannot read the vectors directory")
        .map(|entry| entry.unwrap().file_name().into_string().unwrap())
        .filter(|name| name.ends_with(".json"))
        .collect();
    names.sort();
    names
}

fn read<T: DeserializeOwned>(file: &str) -> T {
    let text = std::fs::read_to_string(folder().join(file)).unwrap_or_else(|e| panic!("{file}: {e}"));
    serde_json::from_str(&text).unwrap_or_else(|e| panic!("{file}: {e}"))
}

/// Reads `keys.json`: the test keys by name.
pub fn keys() -> BTreeMap<String, KeyCase> {
    let all: BTreeMap<String, Value> = read("keys.json");
    all.into_iter()
        .filter(|(name, _)| name != "note")
        .map(|(name, key)| (name, serde_json::from_value(key).unwrap()))
        .collect()
}

/// Reads `envelope.json`.
pub fn envelope() -> Vec<EnvelopeCase> {
    read("envelope.json")
}

/// Reads `authentic.json`.
pub fn authentic() -> Vec<AuthenticCase> {
    #[derive(Deserialize)]
    #[serde(deny_unknown_fields)]
    struct Case {
        name: String,
        payload_field: String,
        payload_base64: String,
        problem: Option<String>,
        wire_base64: String,
        #[serde(default, rename = "note")]
        _note: String,
    }
    let decode = |text: &str| STANDARD.decode(text).unwrap();
    let cases: Vec<Case> = read("authentic.json");
    cases
        .into_iter()
        .map(|case| AuthenticCase {
            document: decode(&case.wire_base64),
            payload: decode(&case.payload_base64),
            name: case.name,
            payload_field: case.payload_field,
            problem: case.problem,
        })
        .collect()
}

/// Reads `detached.json`.
pub fn detached() -> Vec<DetachedCase> {
    read("detached.json")
}

/// Reads `rsa_blocks.json`.
pub fn rsa_blocks() -> Vec<BlocksCase> {
    read("rsa_blocks.json")
}

/// Reads `refuse.json` and generates the documents that are too large for a file.
pub fn refuse() -> Vec<RefuseCase> {
    #[derive(Deserialize)]
    #[serde(deny_unknown_fields)]
    struct Case {
        name: String,
        kind: String,
        wire: Option<String>,
        wire_base64: Option<String>,
        #[serde(default, rename = "wire_note")]
        _wire_note: String,
        #[serde(default, rename = "note")]
        _note: String,
    }
    let cases: Vec<Case> = read("refuse.json");
    let intact = cases.iter().find(|case| case.name == "signature/one bit").and_then(|case| case.wire.clone());
    let generated = |name: &str| match name {
        "randomKey/a million blocks" => {
            let mut document: Value = serde_json::from_str(intact.as_deref().unwrap()).unwrap();
            document["randomKey"] = STANDARD.encode(vec![0u8; 128_000_000]).into();
            document.to_string().into_bytes()
        }
        "json/deep nesting" => vec![b'['; 100_000],
        other => panic!("refuse.json: the case {other} has no document"),
    };
    cases
        .iter()
        .map(|case| RefuseCase {
            name: case.name.clone(),
            payload_field: case.kind.clone(),
            document: match (&case.wire, &case.wire_base64) {
                (Some(wire), _) => wire.clone().into_bytes(),
                (None, Some(base64)) => STANDARD.decode(base64).unwrap(),
                (None, None) => generated(&case.name),
            },
        })
        .collect()
}
