//! The cases in `key-forms/`: one key in many file formats, and files that must be refused with a specific message.

use serde::Deserialize;

use crate::{folder, read};

/// A file in `key-forms/`, and the expected results of reading it as a private and as a public key.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct KeyFormCase {
    /// The file's name.
    pub file: String,
    /// A description of the content.
    pub what: String,
    /// The passphrase for reading the file, if it is encrypted.
    pub passphrase: Option<String>,
    /// The expected result of reading the file as a private key.
    pub private: KeyFormResult,
    /// The expected result of reading the file as a public key.
    pub public: KeyFormResult,
}

/// The expected result of reading a file.
#[derive(Clone, Debug, Deserialize)]
#[serde(untagged, deny_unknown_fields)]
pub enum KeyFormResult {
    /// The file is read successfully.
    Read {
        /// The DER structure: `pkcs1-private`, `pkcs1-public`, `pkcs8`, `spki` or `certificate`.
        structure: String,
        /// The encoding of the DER: `der`, `base64`, or `pem` and the label.
        armour: String,
        /// The encodings, escapes and quotes around the key, outermost first.
        wrappings: Vec<String>,
        /// Whether the key is encrypted.
        #[serde(default)]
        encrypted: bool,
    },
    /// The file is refused with an error message that contains the strings in `says`.
    Named {
        /// The strings that the message contains.
        says: Vec<String>,
    },
}

impl KeyFormCase {
    /// Returns the file's content.
    pub fn data(&self) -> Vec<u8> {
        std::fs::read(folder().join("key-forms").join(&self.file)).unwrap_or_else(|e| panic!("{}: {e}", self.file))
    }
}

/// Returns the fingerprint of the key, which is the same in all readable files, and the cases in
/// `key-forms/cases.json`.
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
