//! Why a message fails, for whoever holds the keys: a person at a command line, never a server.
//!
//! A server says one thing to whoever sends it a message that is not authentic, and knows no more itself. Here everything is tried that
//! usually goes wrong. A PKCS#1 v1.5 signature shows the digest of what was signed to whoever has the public key, so the text that was really
//! signed can be looked for.
//!
//! How old a notification is, for which merchant, and where it comes from is not looked at: a message that is authentic here may be refused for
//! that.
//!
//! **Never let a sender see the outcome**: it is the oracle that opening takes such care not to be.
//!
//! ```
//! # use paytend_crypto::{OsRandom, rustcrypto};
//! # use paytend_webhook::testing::DetachedSender;
//! use paytend_webhook::Provider;
//! use paytend_webhook::explain::{KeyShelf, explain};
//!
//! # let payby = rustcrypto::generate(1024, &OsRandom).unwrap();
//! # let sent = DetachedSender::new(&payby)?.raw("{\"a\":1}\n")?;
//! # let (headers, key) = (sent.headers().clone(), payby.public_key().to_spki_pem());
//! let keys = KeyShelf::new().sender("PayBy production", key.as_bytes())?;
//! // A framework has cut off the line's end that was signed.
//! let explanation = explain(Provider::PayBy, &headers, br#"{"a":1}"#, &keys);
//! assert!(!explanation.authentic());
//! assert!(explanation.to_string().contains("a line's end after the last character is missing"));
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```

mod base64;
mod change;
mod envelope;
mod finding;
mod header;
mod json;
mod shelf;

use std::fmt;

use http::HeaderMap;
use paytend_crypto::Kind;
use paytend_crypto::hazmat::{DigestAlgorithm, signed_digest};
use sha2::{Digest, Sha256};
use zeroize::Zeroizing;

pub use change::Change;
pub use finding::{Base64Flaw, Finding, TextChange, Wrapping};
pub use shelf::KeyShelf;

use crate::provider::Provider;

/// Explains a notification.
pub fn explain(provider: Provider, headers: &HeaderMap, body: &[u8], keys: &KeyShelf) -> Explanation {
    let mut explanation = Explanation::start(keys);
    let compressed = crate::receiver::check_body(headers, &[], 0).is_err();
    if compressed {
        explanation.find(Finding::Compressed);
    }
    match provider {
        Provider::Paytend => envelope::explain(Kind::Notification, true, body, keys, &mut explanation),
        Provider::PayBy | Provider::PayerMax => header::explain(headers, body, keys, &mut explanation),
    }
    explanation.authentic &= !compressed;
    explanation
}

/// Explains a message of Paytend's envelope: a notification, a response, or, on Paytend's side, a request. `payload_signed` is whether the
/// payload should take part in the signature.
pub fn explain_envelope(kind: Kind, payload_signed: bool, body: &[u8], keys: &KeyShelf) -> Explanation {
    let mut explanation = Explanation::start(keys);
    envelope::explain(kind, payload_signed, body, keys, &mut explanation);
    explanation
}

/// What was found out.
#[derive(Clone)]
pub struct Explanation {
    authentic: bool,
    findings: Vec<Finding>,
    here: Option<Zeroizing<Vec<u8>>>,
    signed: Option<Zeroizing<Vec<u8>>>,
}

impl Explanation {
    fn start(keys: &KeyShelf) -> Self {
        let findings = keys.notes.iter().cloned().chain(keys.same_pairs()).collect();
        Self { authentic: false, findings, here: None, signed: None }
    }

    fn find(&mut self, finding: Finding) {
        if !self.findings.contains(&finding) {
            self.findings.push(finding);
        }
    }

    /// Whether the message is authentic, and nothing is to be explained.
    pub fn authentic(&self) -> bool {
        self.authentic
    }

    /// What was found, in the order in which a receiver comes upon it.
    pub fn findings(&self) -> &[Finding] {
        &self.findings
    }

    /// The text that should have been signed, as far as it could be put together. Secret: it holds the session key and the payload.
    pub fn expected_text(&self) -> Option<&[u8]> {
        self.here.as_deref().map(Vec::as_slice)
    }

    /// The text that was really signed, if it was found. As secret.
    pub fn signed_text(&self) -> Option<&[u8]> {
        self.signed.as_deref().map(Vec::as_slice)
    }
}

impl fmt::Display for Explanation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(if self.authentic { "The message is authentic." } else { "The message is not authentic." })?;
        self.findings.iter().try_for_each(|finding| write!(f, "\n- {finding}"))
    }
}

impl fmt::Debug for Explanation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Explanation")
            .field("authentic", &self.authentic)
            .field("findings", &self.findings)
            .finish_non_exhaustive()
    }
}

/// A text that may have been signed instead.
struct Text {
    /// None if it could not be made.
    bytes: Option<Zeroizing<Vec<u8>>>,
    changes: Vec<TextChange>,
    /// The bytes that were written to make it.
    cost: usize,
}

/// The text that should have been signed.
struct Here {
    bytes: Zeroizing<Vec<u8>>,
    /// Where each of its fields ends, if it has fields.
    fields: Vec<(usize, String)>,
}

impl Here {
    fn field_at(&self, at: usize) -> Option<String> {
        let field = self.fields.iter().find(|(end, _)| at < *end).or(self.fields.last());
        field.map(|(_, name)| name.clone())
    }
}

/// The most bytes that are written in search of the text that was signed.
const MOST: usize = 32 << 20;

/// Finds out who signed, and what. `others` hands out the texts that may have been signed instead, until one is the right one; it is asked
/// only if a key at hand made the signature, so a stranger's message costs nothing.
fn explain_signature<O>(
    signature: &[u8],
    here: Option<Here>,
    others: impl FnOnce() -> O,
    keys: &KeyShelf,
    explanation: &mut Explanation,
) where
    O: FnOnce(&mut dyn FnMut(Text) -> bool) -> bool,
{
    let expected: Vec<usize> =
        keys.public.iter().filter(|entry| entry.expected).map(|entry| entry.key.public_key().size()).collect();
    if !expected.is_empty() && !expected.contains(&signature.len()) {
        explanation.find(Finding::SignatureLength { bytes: signature.len(), expected: list(&expected) });
    }
    // Those that should verify first.
    let order = keys.public.iter().filter(|entry| entry.expected).chain(keys.public.iter().filter(|e| !e.expected));
    let found = order.filter_map(|entry| signed_digest(&*entry.key, signature).map(|signed| (entry, signed))).next();
    let Some((entry, (algorithm, digest))) = found else {
        explanation.find(Finding::SignedByUnknown);
        return;
    };
    let expected = entry.expected
        || keys.public.iter().any(|other| other.expected && other.key.public_key() == entry.key.public_key());
    if !expected {
        explanation.find(Finding::SignedByOther(entry.name.clone()));
    }
    if algorithm != DigestAlgorithm::Sha256 {
        explanation.find(Finding::Digest(algorithm));
        return;
    }
    let Some(here) = here else {
        if expected {
            explanation.find(Finding::TextNotAtHand);
        }
        return;
    };
    let is_signed = |bytes: &[u8]| Sha256::digest(bytes)[..] == digest[..];
    if is_signed(&here.bytes) {
        explanation.signed = Some(here.bytes.clone());
        explanation.here = Some(here.bytes);
        return;
    }
    let (mut signed, mut left) = (None, MOST);
    others()(&mut |text: Text| {
        if let Some(bytes) = text.bytes.filter(|bytes| is_signed(bytes)) {
            signed = Some((bytes, text.changes));
            return true;
        }
        left = left.saturating_sub(text.cost);
        left == 0
    });
    match signed {
        Some((bytes, changes)) => {
            let at = here.bytes.iter().zip(bytes.iter()).take_while(|(a, b)| a == b).count();
            explanation.find(Finding::Text { changes, at, field: here.field_at(at) });
            explanation.signed = Some(bytes);
        }
        None if left == 0 => explanation.find(Finding::TextTooLarge),
        None => explanation.find(Finding::TextUnknown),
    }
    explanation.here = Some(here.bytes);
}

fn list(numbers: &[usize]) -> String {
    numbers.iter().map(ToString::to_string).collect::<Vec<_>>().join(", ")
}
