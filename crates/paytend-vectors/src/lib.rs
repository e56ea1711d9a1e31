//! The known answers of `vectors/`, as data, and randomness that can be had again. For tests: a file that cannot be
//! read is a panic.
//!
//! It knows no cryptography, so that every crate, and every binding, can be held against it.

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

/// The partner that the messages of the vectors are to or from.
pub const PARTNER_ID: &str = "888666000100260";

/// A key pair in every encoding. Test keys: use them for nothing else.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct KeyCase {
    /// Length of the modulus.
    pub bits: usize,
    /// Base64 of PKCS#8 DER.
    pub private: String,
    /// PKCS#1 PEM.
    pub private_pkcs1_pem: String,
    /// PKCS#8 PEM.
    pub private_pkcs8_pem: String,
    /// Base64 of SubjectPublicKeyInfo DER.
    pub public: String,
    /// PKCS#1 PEM.
    pub public_pkcs1_pem: String,
}

/// A message that opens to exactly `payload`.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct EnvelopeCase {
    /// What it shows.
    pub name: String,
    /// `bizData`, `respData` or `content`.
    pub payload_field: String,
    /// Whether the payload takes part in the signature.
    pub sign_payload: bool,
    /// Name of the key that signed.
    pub sender: String,
    /// Name of the key that decrypts.
    pub receiver: String,
    /// The session key's characters.
    pub random_key: String,
    /// The payload's text.
    pub payload: String,
    /// The signed text.
    pub canonical: String,
    /// Base64.
    pub signature: String,
    /// The encrypted payload, base64; empty if there is none.
    pub payload_wire: String,
    /// The document.
    pub wire: String,
    /// A remark.
    #[serde(default)]
    pub note: String,
}

/// An authentic message whose payload may not be strict JSON.
#[derive(Clone, Debug)]
pub struct AuthenticCase {
    /// What it shows.
    pub name: String,
    /// `bizData`, `respData` or `content`.
    pub payload_field: String,
    /// The document.
    pub document: Vec<u8>,
    /// The payload's bytes.
    pub payload: Vec<u8>,
    /// Why the payload is not strict JSON: `json` or `utf8`; `None` if it is.
    pub problem: Option<String>,
}

/// A message to refuse.
#[derive(Clone, Debug)]
pub struct RefuseCase {
    /// What is wrong with it: a group, a slash, and the flaw.
    pub name: String,
    /// `bizData`, `respData` or `content`.
    pub payload_field: String,
    /// The document.
    pub document: Vec<u8>,
}

/// A body with its `sign` header.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct DetachedCase {
    /// What it shows.
    pub name: String,
    /// Name of the key that should have signed.
    pub key: String,
    /// The body's bytes, base64.
    pub body_base64: String,
    /// Whether the signature is valid.
    pub valid: bool,
    /// The header.
    pub sign: String,
    /// A remark.
    #[serde(default)]
    pub note: String,
}

impl DetachedCase {
    /// The body's bytes.
    pub fn body(&self) -> Vec<u8> {
        STANDARD.decode(&self.body_base64).unwrap()
    }
}

/// RSA blocks that decrypt to `plain`.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct BlocksCase {
    /// What it shows.
    pub name: String,
    /// Name of the key.
    pub key: String,
    /// The plain text.
    pub plain: String,
    /// The ciphertext, base64.
    pub wire: String,
}

/// A sample message of a provider's document.
#[derive(Clone, Debug)]
pub struct Sample {
    /// The document: `baas`, `funding`, `issuing`, `payby` or `payermax`.
    pub document: String,
    /// What it shows.
    pub name: String,
    /// The type of `paytend-model` that it is of, such as `payby::TransferToBankNotification`.
    pub type_name: String,
    /// The field that holds a payload, and that payload's type.
    pub payload: Option<(String, String)>,
    /// The message, as it stands in the file.
    pub json: String,
}

/// The samples of the providers' documents: `samples/*.json`.
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
    for file in std::fs::read_dir(folder().join("samples")).expect("the folder of the samples") {
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

/// `vectors/` of the repository.
pub fn folder() -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../../vectors")
}

/// The names of all vector files.
pub fn files() -> Vec<String> {
    let mut names: Vec<_> = std::fs::read_dir(folder())
        .expect("the folder of the vectors")
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

/// `keys.json`.
pub fn keys() -> BTreeMap<String, KeyCase> {
    let all: BTreeMap<String, Value> = read("keys.json");
    all.into_iter()
        .filter(|(name, _)| name != "note")
        .map(|(name, key)| (name, serde_json::from_value(key).unwrap()))
        .collect()
}

/// `envelope.json`.
pub fn envelope() -> Vec<EnvelopeCase> {
    read("envelope.json")
}

/// `authentic.json`.
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

/// `detached.json`.
pub fn detached() -> Vec<DetachedCase> {
    read("detached.json")
}

/// `rsa_blocks.json`.
pub fn rsa_blocks() -> Vec<BlocksCase> {
    read("rsa_blocks.json")
}

/// `refuse.json`, with the documents that are too large for a file.
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
    let made = |name: &str| match name {
        "randomKey/a million blocks" => {
            let mut document: Value = serde_json::from_str(intact.as_deref().unwrap()).unwrap();
            document["randomKey"] = STANDARD.encode(vec![0u8; 128_000_000]).into();
            document.to_string().into_bytes()
        }
        "json/deep nesting" => vec![b'['; 100_000],
        other => panic!("refuse.json: no document for {other}"),
    };
    cases
        .iter()
        .map(|case| RefuseCase {
            name: case.name.clone(),
            payload_field: case.kind.clone(),
            document: match (&case.wire, &case.wire_base64) {
                (Some(wire), _) => wire.clone().into_bytes(),
                (None, Some(base64)) => STANDARD.decode(base64).unwrap(),
                (None, None) => made(&case.name),
            },
        })
        .collect()
}
