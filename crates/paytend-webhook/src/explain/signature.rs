//! The search for the signing key and the signed text.

use paytend_crypto::hazmat::{DigestAlgorithm, signed_digest};
use sha2::{Digest as _, Sha256};
use zeroize::Zeroizing;

use super::finding::{Finding, TextChange, list};
use super::known_keys::KnownKeys;
use super::result::Explanation;
use super::trace::Trace;

/// The text that should have been signed.
pub(super) struct ExpectedText {
    pub(super) bytes: Zeroizing<Vec<u8>>,
    /// The end position and name of each field, if the text has fields.
    pub(super) fields: Vec<(usize, String)>,
}

impl ExpectedText {
    fn field_at(&self, at: usize) -> Option<String> {
        let field = self.fields.iter().find(|(end, _)| at < *end).or(self.fields.last());
        field.map(|(_, name)| name.clone())
    }
}

/// Maximum number of field names in a [`Trace::Fields`].
const MAX_LISTED: usize = 12;

impl ExpectedText {
    /// Returns a trace with the names of the signed fields that are not encrypted. Any of these fields may have been
    /// changed.
    fn fields_trace(&self) -> Option<Trace> {
        let is_plain = |name: &&String| {
            *name != "randomKey" && !paytend_crypto::Kind::ALL.iter().any(|kind| kind.payload_field() == *name)
        };
        let names = self.fields.iter().map(|(_, name)| name).filter(is_plain).take(MAX_LISTED);
        let names: Vec<String> = names.map(|name| name.escape_debug().collect()).collect();
        (!names.is_empty()).then(|| Trace::Fields(names.join(", ")))
    }
}

/// The result of searching for the signed text.
pub(super) enum Searched {
    Found(Zeroizing<Vec<u8>>, Vec<TextChange>),
    /// None of the texts tried is the signed text. Contains the received payload or body, to be checked for signs of a
    /// change.
    NotFound(Zeroizing<Vec<u8>>),
    /// The budget was used up before all possible texts were tried. Contains the received payload or body.
    Spent(Zeroizing<Vec<u8>>),
}

/// Determines the signing key and the signed text. Returns whether the signature is valid. `search` looks for text
/// with a given digest. It is called only if a known key made the signature, so messages from unknown senders cause no
/// search.
pub(super) fn explain_signature(
    signature: &[u8],
    here: Option<ExpectedText>,
    search: impl FnOnce([u8; 32]) -> Searched,
    keys: &KnownKeys,
    explanation: &mut Explanation,
) -> bool {
    let expected: Vec<usize> =
        keys.public.iter().filter(|entry| entry.expected).map(|entry| entry.key.public_key().size()).collect();
    if !expected.is_empty() && !expected.contains(&signature.len()) {
        explanation.find(Finding::SignatureLength { bytes: signature.len(), expected: list(&expected) });
    }
    // Try the keys that should verify the signature first.
    let order = keys.public.iter().filter(|entry| entry.expected).chain(keys.public.iter().filter(|e| !e.expected));
    let found = order.filter_map(|entry| signed_digest(&*entry.key, signature).map(|signed| (entry, signed))).next();
    let Some((entry, (algorithm, digest))) = found else {
        explanation.find(Finding::SignedByUnknown);
        return false;
    };
    let expected = entry.expected
        || keys.public.iter().any(|other| other.expected && other.key.public_key() == entry.key.public_key());
    if !expected {
        explanation.find(Finding::SignedByOther(entry.name.clone()));
    }
    let digest: Option<[u8; 32]> = digest.try_into().ok().filter(|_| algorithm == DigestAlgorithm::Sha256);
    let Some(digest) = digest else {
        explanation.find(Finding::Digest(algorithm));
        return false;
    };
    let Some(here) = here else {
        if expected {
            explanation.find(Finding::TextNotAtHand);
        }
        return false;
    };
    if Sha256::digest(&*here.bytes)[..] == digest {
        explanation.signed = Some(here.bytes.clone());
        explanation.here = Some(here.bytes);
        return expected;
    }
    let traces = |text: &[u8], explanation: &mut Explanation| {
        let fields = here.fields_trace();
        Trace::of(text).into_iter().chain(fields).for_each(|trace| explanation.find(Finding::Trace(trace)));
    };
    match search(digest) {
        Searched::Found(bytes, changes) => {
            let at = here.bytes.iter().zip(bytes.iter()).take_while(|(a, b)| a == b).count();
            explanation.find(Finding::Text { changes, at, field: here.field_at(at) });
            explanation.signed = Some(bytes);
        }
        Searched::NotFound(text) => {
            explanation.find(Finding::TextUnknown);
            traces(&text, explanation);
        }
        Searched::Spent(text) => {
            explanation.find(Finding::TextTooLarge);
            traces(&text, explanation);
        }
    }
    explanation.here = Some(here.bytes);
    false
}
