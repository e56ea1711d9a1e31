//! A store's keys for recognizing duplicates and encrypting payloads.

use std::fmt;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use chacha20poly1305::aead::{Aead as _, Payload};
use chacha20poly1305::{KeyInit as _, XChaCha20Poly1305, XNonce};
use hmac::{Hmac, Mac as _};
use paytend_webhook::DedupKey;
use sha2::Sha256;
use zeroize::Zeroizing;

use crate::error::{StoreError, StoreErrorKind};
use crate::kind::Kind;
use crate::route::Route;
use crate::terms::{Id, Mac};

const HEADER: &str = "paytend-inbox-keys 1";
/// The comment line that follows the header of a key file.
const COMMENT: &str = "# The keys of a notification store. Keep a copy: without this file, payloads cannot be read and \
                       duplicates are not recognized.";

type SecretKey = Zeroizing<[u8; 32]>;

/// The keys of a deployment: a deduplication key, which must not change, and payload keys, which can be rotated.
///
/// The text form has one key per line. [`generate`](Self::generate) creates new keys, and
/// [`load_or_create`](Self::load_or_create) stores them in a file.
///
/// ```
/// use paytend_inbox::StoreKeys;
/// let mut keys = StoreKeys::generate()?;
/// keys.rotate()?;
/// let again = StoreKeys::parse(&keys.to_text())?;
/// assert_eq!(again.payload_key_ids().collect::<Vec<_>>(), [1, 2]);
/// # Ok::<(), paytend_inbox::StoreError>(())
/// ```
#[derive(Clone)]
pub struct StoreKeys {
    dedup: SecretKey,
    /// The payload keys and their IDs, in ascending order of the IDs. New payloads are encrypted with the last key.
    payload: Vec<(u32, SecretKey)>,
}

/// An encrypted payload.
#[derive(Clone, PartialEq, Eq)]
pub struct SealedPayload {
    /// The ID of the payload key that encrypted the payload.
    pub key_id: u32,
    /// The XChaCha20-Poly1305 nonce.
    pub nonce: [u8; 24],
    /// The ciphertext, followed by the authentication tag of 16 bytes.
    pub ciphertext: Vec<u8>,
}

impl fmt::Debug for SealedPayload {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("SealedPayload")
            .field("key_id", &self.key_id)
            .field("bytes", &self.ciphertext.len())
            .finish_non_exhaustive()
    }
}

/// The values that an encrypted payload is bound to. They are authenticated together with the payload, so a payload
/// that was moved to a different notification cannot be decrypted.
#[derive(Clone, Debug)]
pub(crate) struct Binding {
    pub(crate) dedup: Mac,
    pub(crate) route: Route,
    pub(crate) kind: Kind,
    pub(crate) notify_type: String,
}

impl Binding {
    /// Calls `use_parts` with the values that the payload of this notification is bound to. Without an ID, the dedup
    /// key alone identifies the notification.
    fn with_parts<T>(&self, id: Option<Id>, use_parts: impl FnOnce(&[&[u8]]) -> T) -> T {
        let number = id.map(|id| id.get().to_be_bytes());
        use_parts(&[
            if id.is_some() { b"paytend-inbox payload 1" } else { b"paytend-inbox payload without id 1" },
            number.as_ref().map_or(&[], |number| number),
            self.dedup.as_bytes(),
            self.route.as_str().as_bytes(),
            self.kind.as_str().as_bytes(),
            self.notify_type.as_bytes(),
        ])
    }
}

/// Joins parts so that different lists of parts never result in the same bytes.
fn joined(parts: &[&[u8]]) -> Vec<u8> {
    parts.iter().flat_map(|part| (part.len() as u64).to_be_bytes().into_iter().chain(part.iter().copied())).collect()
}

impl StoreKeys {
    /// Generates a deduplication key and a first payload key.
    ///
    /// # Errors
    /// Returns [`StoreError`] if the operating system cannot generate random numbers.
    pub fn generate() -> Result<Self, StoreError> {
        Ok(Self { dedup: random()?, payload: vec![(1, random()?)] })
    }

    /// Adds a payload key. New payloads are encrypted with this key. Existing payloads are still decrypted with the
    /// earlier keys.
    ///
    /// # Errors
    /// Returns [`StoreError`] if the operating system cannot generate random numbers.
    pub fn rotate(&mut self) -> Result<(), StoreError> {
        let next = self.payload.last().map_or(1, |(id, _)| id.saturating_add(1));
        self.payload.push((next, random()?));
        Ok(())
    }

    /// Removes a payload key. Payloads that were encrypted with this key can no longer be read, including the payloads
    /// of pending notifications and dead letters. The newest key cannot be removed. Returns whether the key was
    /// removed.
    pub fn remove(&mut self, key_id: u32) -> bool {
        let newest = self.payload.last().map(|(id, _)| *id);
        let before = self.payload.len();
        self.payload.retain(|(id, _)| *id != key_id || Some(*id) == newest);
        self.payload.len() < before
    }

    /// Returns the IDs of the payload keys in ascending order. New payloads are encrypted with the last key.
    pub fn payload_key_ids(&self) -> impl Iterator<Item = u32> + '_ {
        self.payload.iter().map(|(id, _)| *id)
    }

    /// Parses the text form: a header, a `dedup KEY` line, and one or more `payload NUMBER KEY` lines. Each key is 32
    /// bytes as base64.
    ///
    /// # Errors
    /// Returns [`StoreError`] if a line is missing or invalid. If a line is invalid, the message contains its line
    /// number.
    pub fn parse(text: &str) -> Result<Self, StoreError> {
        let invalid = |line: usize, what: &str| {
            StoreError::new(StoreErrorKind::Keys, format!("invalid store key file: line {}: {what}", line + 1))
        };
        let mut dedup = None;
        let mut payload: Vec<(u32, SecretKey)> = Vec::new();
        for (number, line) in text.lines().enumerate() {
            let mut words = line.split_whitespace();
            match (words.next(), words.next(), words.next(), words.next()) {
                (None, ..) => {}
                (Some(word), ..) if word.starts_with('#') => {}
                (Some("paytend-inbox-keys"), Some("1"), None, _) => {}
                (Some("dedup"), Some(key), None, _) if dedup.is_none() => {
                    dedup = Some(decode(key).ok_or_else(|| invalid(number, "expected 32 bytes as base64"))?);
                }
                (Some("payload"), Some(id), Some(key), None) => {
                    let id = id.parse().map_err(|_| invalid(number, "expected a key number"))?;
                    if payload.iter().any(|(known, _)| *known == id) {
                        return Err(invalid(number, "the key number is used twice"));
                    }
                    payload.push((id, decode(key).ok_or_else(|| invalid(number, "expected 32 bytes as base64"))?));
                }
                _ => return Err(invalid(number, "expected `dedup KEY` (once) or `payload NUMBER KEY`")),
            }
        }
        payload.sort_by_key(|(id, _)| *id);
        match (dedup, payload.is_empty()) {
            (Some(dedup), false) => Ok(Self { dedup, payload }),
            (None, _) => Err(StoreError::new(StoreErrorKind::Keys, "invalid store key file: no `dedup` line")),
            (_, true) => Err(StoreError::new(StoreErrorKind::Keys, "invalid store key file: no `payload` line")),
        }
    }

    /// Returns the text form, which contains the secret keys.
    pub fn to_text(&self) -> Zeroizing<String> {
        // The full capacity is reserved first. Otherwise, the string would be reallocated as it grows, and would leave
        // copies of the keys in freed memory.
        let mut text = Zeroizing::new(String::with_capacity(256 + 64 * self.payload.len()));
        let encoded = |key: &SecretKey| Zeroizing::new(STANDARD.encode(key.as_slice()));
        text.push_str(&format!("{HEADER}\n{COMMENT}\n"));
        for part in ["dedup ", &encoded(&self.dedup), "\n"] {
            text.push_str(part);
        }
        for (id, key) in &self.payload {
            for part in [&format!("payload {id} "), encoded(key).as_str(), "\n"] {
                text.push_str(part);
            }
        }
        text
    }

    /// Returns the HMAC of a notification's dedup key. The store contains only this HMAC, never the key itself.
    pub fn dedup(&self, key: &DedupKey) -> Mac {
        self.mac("dedup", &[key.as_bytes()])
    }

    /// Returns an HMAC of the content, which is equal for deliveries with equal content.
    pub(crate) fn content_tag(&self, content: &[u8]) -> Mac {
        self.mac("content", &[content])
    }

    /// Returns the order key for an order name on a route.
    pub(crate) fn order_key(&self, route: Route, name: &str) -> Mac {
        self.mac("order", &[route.as_str().as_bytes(), name.as_bytes()])
    }

    /// Returns a value that identifies the deduplication key. A store saves this value, and cannot be opened with a
    /// different key.
    pub fn check_value(&self) -> Mac {
        self.mac("check", &[])
    }

    fn mac(&self, purpose: &str, parts: &[&[u8]]) -> Mac {
        // HMAC accepts keys of any length, so this does not fail.
        let Ok(mut mac) = Hmac::<Sha256>::new_from_slice(self.dedup.as_slice()) else {
            return Mac::from_bytes([0; 32]);
        };
        for part in [b"paytend-inbox 1".as_slice(), purpose.as_bytes()].iter().chain(parts) {
            mac.update(&(part.len() as u64).to_be_bytes());
            mac.update(part);
        }
        Mac::from_bytes(mac.finalize().into_bytes().into())
    }

    pub(crate) fn seal(&self, id: Option<Id>, binding: &Binding, content: &[u8]) -> Result<SealedPayload, StoreError> {
        binding.with_parts(id, |parts| self.seal_bound(parts, content))
    }

    /// Decrypts a payload. `bound_to` is the ID that the payload is bound to, if any.
    pub(crate) fn open(
        &self,
        id: Id,
        bound_to: Option<Id>,
        binding: &Binding,
        sealed: &SealedPayload,
    ) -> Result<Vec<u8>, StoreError> {
        binding.with_parts(bound_to, |parts| self.open_bound(&format!("notification {id}"), parts, sealed))
    }

    /// Returns an HMAC of these parts, for a queue that shares the keys. HMACs that are computed for different
    /// purposes never match.
    pub fn tag(&self, purpose: &str, parts: &[&[u8]]) -> Mac {
        self.mac(purpose, parts)
    }

    /// Encrypts content for a queue that shares the keys. The content can be decrypted only with the same `binding`.
    /// The first part of `binding` should be the name of the queue.
    ///
    /// # Errors
    /// Returns [`StoreError`] if the operating system cannot generate random numbers.
    pub fn seal_bound(&self, binding: &[&[u8]], content: &[u8]) -> Result<SealedPayload, StoreError> {
        let failed = || StoreError::new(StoreErrorKind::Keys, "cannot encrypt the payload");
        let (key_id, key) = self.payload.last().ok_or_else(failed)?;
        let mut nonce = [0; 24];
        getrandom::fill(&mut nonce).map_err(|_| no_randomness())?;
        let aad = joined(binding);
        let ciphertext = XChaCha20Poly1305::new((&**key).into())
            .encrypt(&XNonce::from(nonce), Payload { msg: content, aad: &aad })
            .map_err(|_| failed())?;
        Ok(SealedPayload { key_id: *key_id, nonce, ciphertext })
    }

    /// Decrypts content that [`seal_bound`](Self::seal_bound) encrypted. `owner` describes the row in error messages.
    ///
    /// # Errors
    /// Returns [`StoreError`] if the key is missing, or if the content or its binding was altered.
    pub fn open_bound(&self, owner: &str, binding: &[&[u8]], sealed: &SealedPayload) -> Result<Vec<u8>, StoreError> {
        let number = sealed.key_id;
        let (_, key) = self.payload.iter().find(|(known, _)| *known == number).ok_or_else(|| {
            StoreError::new(
                StoreErrorKind::Keys,
                format!("the payload of {owner} is encrypted with payload key {number}, which is missing"),
            )
        })?;
        let aad = joined(binding);
        XChaCha20Poly1305::new((&**key).into())
            .decrypt(&XNonce::from(sealed.nonce), Payload { msg: &sealed.ciphertext, aad: &aad })
            .map_err(|_| {
                StoreError::new(
                    StoreErrorKind::Keys,
                    format!("the payload of {owner} cannot be decrypted: it was altered or moved"),
                )
            })
    }
}

impl fmt::Debug for StoreKeys {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("StoreKeys")
            .field("payload_key_ids", &self.payload_key_ids().collect::<Vec<_>>())
            .finish_non_exhaustive()
    }
}

fn random() -> Result<SecretKey, StoreError> {
    let mut key = Zeroizing::new([0; 32]);
    getrandom::fill(key.as_mut_slice()).map_err(|_| no_randomness())?;
    Ok(key)
}

fn no_randomness() -> StoreError {
    StoreError::unavailable("the operating system cannot generate random numbers")
}

fn decode(text: &str) -> Option<SecretKey> {
    let bytes = Zeroizing::new(STANDARD.decode(text).ok()?);
    let mut key = Zeroizing::new([0; 32]);
    if bytes.len() != key.len() {
        return None;
    }
    key.copy_from_slice(&bytes);
    Some(key)
}
