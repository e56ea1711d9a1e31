//! `key-forms/`: one key in the forms in which people hold it, and what is named instead of read.

use serde::Deserialize;

use crate::{folder, read};

/// A file of `key-forms/`, and what reading it as either half of a key must give.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct KeyFormCase {
    /// The file's name.
    pub file: String,
    /// What is in it.
    pub what: String,
    /// The passphrase to read it with.
    pub passphrase: Option<String>,
    /// The result for a private key.
    pub private: KeyFormResult,
    /// The result for a public key.
    pub public: KeyFormResult,
}

/// What reading a file must give.
#[derive(Clone, Debug, Deserialize)]
#[serde(untagged, deny_unknown_fields)]
pub enum KeyFormResult {
    /// The key, in this form.
    Read {
        /// `pkcs1-private`, `pkcs1-public`, `pkcs8`, `spki` or `certificate`.
        structure: String,
        /// `der`, `base64`, or `pem` and the label.
        armour: String,
        /// The wrappings, outermost first.
        wrappings: Vec<String>,
        /// Whether it is encrypted.
        #[serde(default)]
        encrypted: bool,
    },
    /// An error with these texts in its message.
    Named {
        /// Parts of the message.
        says: Vec<String>,
    },
}

impl KeyFormCase {
    /// The file's bytes.
    pub fn data(&self) -> Vec<u8> {
        std::fs::read(folder().join("key-forms").join(&self.file)).unwrap_or_else(|e| panic!("{}: {e}", self.file))
    }
}

/// The fingerprint of the key that all files hold that can be read, and the cases: `key-forms/cases.json`.
pub fn key_forms() -> (String, Vec<KeyFormCase>) {
    #[derive(Deserialize)]
    #[serde(deny_unknown_fields)]
    struct Cases {
        #[serde(rename = "note")]
        _note: String,
        fingerprint: String,
        cases: Vec<KeyFormCase>,
    }
    let Cases { fingerprint, cases, .. } = read("key-forms/cases.json");
    (fingerprint, cases)
}
