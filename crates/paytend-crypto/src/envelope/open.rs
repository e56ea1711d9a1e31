//! Opening messages: decryption and verification.
//!
//! A receiver must decrypt a message before it can verify it, so a careless receiver is a padding oracle for its own
//! private key. The steps below always run in the same order. The amount of work and the returned error do not depend
//! on secret data:
//!
//! 1. checks on public data only (`parse.rs`), and the selection of keys with a matching modulus length;
//! 2. the raw RSA operation, blinded by the backend;
//! 3. decoding of the session key at fixed positions in constant time; if it fails, a deterministic substitute is used;
//! 4. AES decryption, and the check of its padding in constant time;
//! 5. SHA-256 and the RSA verification with every key of matching length, even if an earlier step failed; 6. one flag
//!    and one error value for all failures; 7. if the message is authentic, the checks of the payload's end, UTF-8
//!    encoding, JSON syntax and types.

use std::fmt;
use std::sync::Arc;

use hmac::{Hmac, KeyInit, Mac};
use serde::de::DeserializeOwned;
use sha2::Sha256;
use subtle::{Choice, ConditionallySelectable, ConstantTimeEq};
use zeroize::Zeroizing;

use crate::envelope::canonical::Template;
use crate::envelope::json;
use crate::envelope::keyring::{DecryptionKey, Keyring};
use crate::envelope::message::{Expected, Kind};
use crate::envelope::parse::Incoming;
use crate::error::{Error, PayloadProblem};
use crate::keys::error::KeyError;
use crate::keys::fingerprint::Fingerprint;
use crate::primitives::aes::{self, SessionKeyLength};
use crate::primitives::pkcs1v15;
use crate::rsa::RsaPublic;

impl Keyring {
    /// Decrypts and verifies a message. Returns its content only if both succeed.
    ///
    /// # Errors
    /// - Returns [`Error::NotAuthentic`] if decryption or verification fails, regardless of the cause.
    /// - Returns [`Error::Malformed`] if the document breaks a rule that can be checked without a key.
    /// - Returns [`Error::Payload`] if the payload is authentic, but is not one object whose end in the signed text can
    ///   be determined. An object that is not strict JSON is accepted: its strings can contain lone surrogate escapes,
    ///   raw control characters or bytes that are not UTF-8, and its names can repeat. [`Opened::payload_problem`] then
    ///   returns the reason.
    /// - Returns [`Error::UnsignedFailure`] if the message is an unsigned error response.
    /// - Returns [`Error::Key`] if this keyring has no keys to open messages.
    /// - Returns [`Error::Backend`] if a key's backend fails.
    ///
    /// # Examples
    ///
    /// ```
    /// # use paytend_crypto::{Error, Expected, Fields, Keyring, Outgoing, OsRandom, rustcrypto};
    /// # let (own, other) = (rustcrypto::generate(1024, &OsRandom)?, rustcrypto::generate(1024, &OsRandom)?);
    /// # let paytend = Keyring::from_keys(&other, own.public_key())?;
    /// # let fields = Fields::notification("888666000100260", "2");
    /// # let body = paytend.seal(&Outgoing::new(&fields).payload(r#"{"orderNo":"F1"}"#))?.into_document();
    /// # let keyring = Keyring::from_keys(&own, other.public_key())?;
    /// let opened = keyring.open(body.as_bytes(), &Expected::notification("888666000100260"))?;
    /// assert_eq!(opened.field("notifyType"), Some("2"));
    /// assert_eq!(opened.payload_text(), Some(r#"{"orderNo":"F1"}"#));
    ///
    /// let other_partner = Expected::notification("888666000100999");
    /// assert_eq!(keyring.open(body.as_bytes(), &other_partner).unwrap_err(), Error::NotAuthentic);
    /// # Ok::<(), Error>(())
    /// ```
    pub fn open(&self, document: &[u8], expected: &Expected) -> Result<Opened, Error> {
        let keys = &*self.inner;
        if keys.verification.is_empty() {
            return Err(KeyError::Absent("verify").into());
        }
        let mut incoming = Incoming::read(document, expected)?;
        let mut encrypted = std::mem::take(&mut incoming.payload);
        let fits = |key: &&Arc<dyn RsaPublic>| key.public_key().admits(&incoming.signature);
        if !keys.verification.iter().any(|key| fits(&key)) {
            return Err(Error::NotAuthentic);
        }
        let verified_by = |digest: &[u8; 32]| {
            // Checks the signature against every key of matching length, even after a match.
            keys.verification.iter().filter(fits).fold(None, |found, key| {
                let valid = key.verify_sha256(digest, &incoming.signature);
                if valid { Some(key.public_key().fingerprint()) } else { found }
            })
        };

        let Some(random_key) = &incoming.random_key else {
            // A message without a session key has no payload, so there is nothing to decrypt.
            let verified_by = verified_by(&incoming.template.digest(&[], &[], 0)).ok_or(Error::NotAuthentic)?;
            return Ok(incoming.opened(Vec::new(), None, SessionKey::default(), verified_by, None));
        };
        if keys.decryption.is_empty() {
            return Err(KeyError::Absent("decrypt").into());
        }
        let mut fitting = keys.decryption.iter().filter(|key| key.key.public_key().admits(random_key)).peekable();
        while let Some(key) = fitting.next() {
            // The last key decrypts the payload in place; each key before it works on a copy.
            let payload = if fitting.peek().is_none() { std::mem::take(&mut encrypted) } else { encrypted.clone() };
            let attempt = decrypt(key, keys.session_key_length, random_key, payload)?;
            let verified_by = verified_by(&attempt.digest(&incoming, expected.payload_signed));
            let authentic = attempt.well_formed & Choice::from(u8::from(verified_by.is_some()));
            // This is the only branch that depends on whether the message is authentic.
            if let (true, Some(verified_by)) = (authentic.into(), verified_by) {
                let decrypted_by = key.key.public_key().fingerprint();
                let (payload, session_key) = attempt.into_parts();
                let problem = payload_problem(&incoming.template, &session_key, &payload)?;
                return Ok(incoming.opened(payload, problem, session_key, verified_by, Some(decrypted_by)));
            }
        }
        Err(Error::NotAuthentic)
    }
}

/// The result of decrypting a message with one key. Decryption always produces a result, even if it is meaningless.
struct Attempt {
    session_key: Zeroizing<[u8; 32]>,
    chars: usize,
    padded: Zeroizing<Vec<u8>>,
    payload_len: usize,
    /// Whether the session key and the payload's padding are valid. This value is secret until a signature has been
    /// verified.
    well_formed: Choice,
}

/// Decrypts the session key and the payload: steps 2 to 4 in the module documentation.
fn decrypt(
    key: &DecryptionKey,
    length: SessionKeyLength,
    random_key: &[u8],
    payload: Vec<u8>,
) -> Result<Attempt, Error> {
    let chars = length.chars();
    let mut block = Zeroizing::new(vec![0u8; random_key.len()]);
    key.key.decrypt_raw(random_key, &mut block)?;
    let text = &block[block.len() - chars..];
    let key_good = pkcs1v15::is_encryption_block(&block, chars) & aes::is_key_text(text);

    let substitute = substitute_key(&key.rejection_secret, random_key);
    let mut session_key = Zeroizing::new([0u8; 32]);
    for (at, byte) in session_key[..chars].iter_mut().enumerate() {
        *byte = u8::conditional_select(&substitute[at], &text[at], key_good);
    }

    let mut padded = Zeroizing::new(payload);
    let mut padding_good = Choice::from(1);
    let mut payload_len = 0;
    if !padded.is_empty() {
        aes::decrypt_in_place(&session_key[..chars], length, &mut padded);
        let (good, padding) = aes::padding(&padded);
        padding_good = good;
        payload_len = padded.len() - padding;
    }
    Ok(Attempt { session_key, chars, padded, payload_len, well_formed: key_good & padding_good })
}

/// Returns the substitute session key for a ciphertext. Only the owner of the private key can compute it. The same
/// ciphertext always has the same substitute, so an attacker who sends a ciphertext twice cannot detect the
/// substitution.
fn substitute_key(secret: &[u8; 32], ciphertext: &[u8]) -> Zeroizing<[u8; 32]> {
    // HMAC pads a short key with zeros to the hash's block size.
    let mut block = Zeroizing::new([0u8; 64]);
    block[..secret.len()].copy_from_slice(secret);
    let mut mac = <Hmac<Sha256> as KeyInit>::new((&*block).into());
    mac.update(ciphertext);
    Zeroizing::new(mac.finalize().into_bytes().into())
}

impl Attempt {
    /// Returns the digest of the signed text, for step 5 of opening. An empty payload is not included in the signature.
    /// Whether the payload is empty is secret, so the signed texts with and without the payload are both hashed if the
    /// payload may be empty.
    fn digest(&self, incoming: &Incoming, payload_signed: bool) -> [u8; 32] {
        let key = &self.session_key[..self.chars];
        let (padded, len): (&[u8], usize) = if payload_signed { (&self.padded, self.payload_len) } else { (&[], 0) };
        let mut digest = incoming.template.digest(key, padded, len);
        if let Some(bare) = &incoming.bare_template {
            let without = bare.digest(key, &[], 0);
            let empty = (len as u64).ct_eq(&0);
            for (byte, other) in digest.iter_mut().zip(&without) {
                byte.conditional_assign(other, empty);
            }
        }
        digest
    }

    /// Returns the payload and the session key of an authentic message.
    fn into_parts(mut self) -> (Vec<u8>, SessionKey) {
        let mut payload = std::mem::take(&mut *self.padded);
        payload.truncate(self.payload_len);
        (payload, SessionKey { bytes: self.session_key, chars: self.chars })
    }
}

/// Returns why an authentic payload is not strict JSON, or `None` if it is strict JSON. This is step 7 of opening.
///
/// # Errors
/// Returns the problem if the payload is not one object, or if it does not end where the object in the signed text
/// ends.
fn payload_problem(
    template: &Template,
    session_key: &SessionKey,
    payload: &[u8],
) -> Result<Option<PayloadProblem>, PayloadProblem> {
    if payload.is_empty() {
        return Ok(None);
    }
    let problem = match std::str::from_utf8(payload) {
        Ok(text) => match json::check_object(text) {
            // A strict JSON object always ends where the scanner finds its end in the signed text; see `canonical.rs`.
            Ok(()) => return Ok(None),
            Err(flaw) => PayloadProblem::from(flaw),
        },
        Err(_) => PayloadProblem::NotUtf8,
    };
    match template.payload_end(session_key.as_bytes(), payload) {
        Some(Ok(end)) if end == payload.len() => Ok(Some(problem)),
        Some(Ok(_) | Err(paytend_json::Flaw::Ambiguous)) => Err(PayloadProblem::End),
        // The payload is not an object, or is not signed.
        Some(Err(_)) | None => Err(problem),
    }
}

impl Incoming {
    fn opened(
        self,
        payload: Vec<u8>,
        payload_problem: Option<PayloadProblem>,
        session_key: SessionKey,
        verified_by: Fingerprint,
        decrypted_by: Option<Fingerprint>,
    ) -> Opened {
        // If the payload is empty, the sender signed the text without the payload.
        let template = self.bare_template.filter(|_| payload.is_empty()).unwrap_or(self.template);
        Opened { kind: self.kind, template, payload, payload_problem, session_key, verified_by, decrypted_by }
    }
}

/// A session key: its characters as bytes, and its length.
#[derive(Default)]
struct SessionKey {
    bytes: Zeroizing<[u8; 32]>,
    chars: usize,
}

impl SessionKey {
    fn as_bytes(&self) -> &[u8] {
        &self.bytes[..self.chars]
    }
}

/// A decrypted and verified message. Only [`Keyring::open`] creates it.
pub struct Opened {
    kind: Kind,
    template: Template,
    payload: Vec<u8>,
    payload_problem: Option<PayloadProblem>,
    session_key: SessionKey,
    verified_by: Fingerprint,
    decrypted_by: Option<Fingerprint>,
}

impl Opened {
    /// Returns the message kind.
    pub fn kind(&self) -> Kind {
        self.kind
    }

    /// Returns the value of a signed top-level field, or `None` if it is absent, `null` or empty.
    pub fn field(&self, name: &str) -> Option<&str> {
        self.fields().find(|(known, _)| *known == name).map(|(_, value)| value)
    }

    /// Returns the names and values of the signed top-level fields that are not empty, sorted by name. The payload,
    /// `randomKey` and `signature` are not included.
    pub fn fields(&self) -> impl Iterator<Item = (&str, &str)> {
        self.template.fields()
    }

    /// Returns the payload's bytes exactly as they were signed: one object, or empty if there is no payload.
    pub fn payload_bytes(&self) -> &[u8] {
        &self.payload
    }

    /// Returns the payload's text, which is empty if there is no payload. Returns `None` if the payload is not UTF-8.
    pub fn payload_text(&self) -> Option<&str> {
        std::str::from_utf8(&self.payload).ok()
    }

    /// Returns why the payload is not one strict JSON object with unique names, or `None` if it is one. The payload's
    /// bytes are authentic in either case.
    pub fn payload_problem(&self) -> Option<&PayloadProblem> {
        self.payload_problem.as_ref()
    }

    /// Deserializes the payload.
    ///
    /// # Errors
    /// Returns [`Error::Payload`] if there is no payload, if it has a [problem](Self::payload_problem), or if it does
    /// not match `T`. The error does not quote the payload.
    pub fn payload<T: DeserializeOwned>(&self) -> Result<T, Error> {
        if self.payload.is_empty() {
            return Err(PayloadProblem::Absent.into());
        }
        if let Some(problem) = &self.payload_problem {
            return Err(problem.clone().into());
        }
        serde_json::from_slice(&self.payload)
            .map_err(|e| PayloadProblem::Shape { line: e.line(), column: e.column() }.into())
    }

    /// Returns the signed bytes, which are UTF-8 if the payload is UTF-8. The bytes are secret, because they contain
    /// the session key and the payload.
    pub fn canonical(&self) -> Zeroizing<Vec<u8>> {
        self.template.fill(self.session_key.as_bytes(), &self.payload)
    }

    /// Returns the session key's characters, or an empty string if the message had no `randomKey`. The session key is
    /// secret.
    pub fn session_key(&self) -> &str {
        // `Keyring::open` has already checked that the key is base64, so this conversion never fails.
        std::str::from_utf8(self.session_key.as_bytes()).unwrap_or_default()
    }

    /// Returns the fingerprint of the key that verified the signature.
    pub fn verified_by(&self) -> Fingerprint {
        self.verified_by
    }

    /// Returns the fingerprint of the key that decrypted the session key, or `None` if the message had no session key.
    pub fn decrypted_by(&self) -> Option<Fingerprint> {
        self.decrypted_by
    }
}

impl fmt::Debug for Opened {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Opened")
            .field("kind", &self.kind)
            .field("payload_bytes", &self.payload.len())
            .field("verified_by", &self.verified_by)
            .finish_non_exhaustive()
    }
}

#[cfg(test)]
#[cfg(feature = "rustcrypto")]
mod tests {
    use super::*;
    use crate::random::OsRandom;
    use crate::rustcrypto;

    #[test]
    fn undecodable_session_key_has_a_deterministic_substitute() {
        let key = rustcrypto::generate(1024, &OsRandom).unwrap();
        let public = rustcrypto::public(key.public_key()).unwrap();
        let ring = Keyring::from_keys(&key, key.public_key()).unwrap();
        let text = b"gNx86vc1yttHs8ZWOf7+5g==";
        let attempt = |block_type: u8, ring: &Keyring| {
            let mut block = pkcs1v15::encryption_block(text, 128, &OsRandom).unwrap();
            block[1] = block_type;
            let ciphertext = public.encrypt_raw(&block).unwrap();
            let decrypted =
                || decrypt(&ring.inner.decryption[0], SessionKeyLength::Chars24, &ciphertext, vec![7; 32]).unwrap();
            let (one, two) = (decrypted(), decrypted());
            assert_eq!(one.session_key, two.session_key);
            (one.session_key, bool::from(one.well_formed))
        };
        let (good, _) = attempt(2, &ring);
        assert_eq!(&good[..24], text);
        let (substitute, well_formed) = attempt(1, &ring);
        assert!(!well_formed);
        assert_ne!(&substitute[..24], text);
        // Each ciphertext must have a different substitute.
        assert_ne!(attempt(1, &ring).0, substitute);
    }
}
