//! Diagnosis of messages that fail verification. Use it in a command-line tool that has the keys, never in a server.
//!
//! A server returns the same response for every message that is not authentic, and does not determine the cause. This
//! module tries the common causes. A PKCS#1 v1.5 signature reveals the digest of the signed text to anyone with the
//! public key. The module therefore searches for the signed text: a candidate with the same digest must be the text
//! that was signed.
//!
//! Two kinds of changes are undone, up to two in sequence. The first kind is a wrapping: the text arrived as base64, a
//! form or a JSON string, compressed, or in a different charset. The second kind is re-serialized JSON, with different
//! whitespace, member order, escapes, numbers or null members. The search ends after 192 MiB of text have been hashed,
//! which takes about a second in a release build. Changes that cannot be undone are reported as possibilities if the
//! text shows signs of them: see [`Trace`] and [`Finding::certainty`].
//!
//! The age, merchant and source of a notification are not checked. A message that is authentic here may still be
//! rejected for one of these reasons.
//!
//! **Never show the result to a sender.** That would create a padding oracle.
//!
//! ```
//! # use paytend_crypto::{OsRandom, rustcrypto};
//! # use paytend_webhook::testing::DetachedSender;
//! use paytend_webhook::Provider;
//! use paytend_webhook::explain::{KnownKeys, Verdict, explain};
//!
//! # let payby = rustcrypto::generate(1024, &OsRandom).unwrap();
//! # let sent = DetachedSender::new(&payby)?.raw("{\"a\":1}\n")?;
//! # let (headers, key) = (sent.headers().clone(), payby.public_key().to_spki_pem());
//! let keys = KnownKeys::new().sender("PayBy production", key.as_bytes())?;
//! // A framework has removed the trailing line break that was signed.
//! let explanation = explain(Provider::PayBy, &headers, br#"{"a":1}"#, &keys);
//! assert!(!explanation.authentic());
//! assert!(explanation.to_string().contains("a line break after the last character is missing"));
//! assert!(matches!(explanation.verdict(), Verdict::NotAuthentic(_)));
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```

mod base64;
mod body_kind;
mod change;
mod envelope;
mod finding;
mod fixes;
mod header;
mod known_keys;
mod pasted;
mod raw_members;
mod result;
mod rewrite;
mod search;
mod signature;
mod trace;
mod wrapping;

use http::HeaderMap;
use paytend_crypto::Kind;
use zeroize::Zeroizing;

pub use body_kind::BodyKind;
pub use change::{Change, Wrapping};
pub use finding::{Base64Flaw, Certainty, Finding, TextChange};
pub use known_keys::KnownKeys;
pub use pasted::{PastedSignError, pasted_sign};
pub use result::{Explanation, Verdict};
pub use trace::Trace;

use crate::provider::Provider;
use fixes::Subject;

/// Explains whether a notification is authentic, and if not, why.
pub fn explain(provider: Provider, headers: &HeaderMap, body: &[u8], keys: &KnownKeys) -> Explanation {
    let subject = if provider == Provider::Paytend { Subject::Received } else { Subject::Body };
    let mut explanation = Explanation::start(subject, keys);
    if crate::receiver::check_body(headers, &[], 0).is_err() {
        explanation.find(Finding::Compressed);
    }
    match provider {
        Provider::Paytend => envelope::explain(Kind::Notification, true, body, keys, &mut explanation),
        Provider::PayBy | Provider::PayerMax => header::explain(headers, body, keys, &mut explanation),
    }
    explanation
}

/// Strips layers of encoding, such as base64, compression or a JSON string, until `fits` accepts the bytes. Strips at
/// most three layers. Returns the bytes and the layers removed, outermost first, or `None` if `fits` accepts no result.
///
/// ```
/// use paytend_webhook::explain::{Wrapping, unwrapped};
///
/// let is_object = |bytes: &[u8]| bytes.starts_with(b"{");
/// let (bytes, wrappings) = unwrapped(b"eyJhIjoxfQ==", is_object).unwrap();
/// assert_eq!((bytes.as_slice(), wrappings), (&b"{\"a\":1}"[..], vec![Wrapping::Base64]));
/// ```
pub fn unwrapped(wrapped: &[u8], fits: impl Fn(&[u8]) -> bool) -> Option<(Zeroizing<Vec<u8>>, Vec<Wrapping>)> {
    let layer = wrapping::carried(wrapped, fits)?;
    let wrappings = layer.changes.iter().filter_map(|change| match change {
        Change::Wrapped(wrapping) => Some(*wrapping),
        _ => None,
    });
    Some((layer.bytes, wrappings.collect()))
}

/// Explains a message in Paytend's envelope: a notification, a response, or, on Paytend's side, a request. Set
/// `payload_signed` if the sender must sign the payload.
pub fn explain_envelope(kind: Kind, payload_signed: bool, body: &[u8], keys: &KnownKeys) -> Explanation {
    let mut explanation = Explanation::start(Subject::of(kind), keys);
    envelope::explain(kind, payload_signed, body, keys, &mut explanation);
    explanation
}
