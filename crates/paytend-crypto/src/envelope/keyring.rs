//! The keys that sign, decrypt, verify and encrypt.

use std::fmt;
use std::sync::Arc;

use sha2::{Digest, Sha256};
use zeroize::Zeroizing;

use crate::error::Error;
use crate::keys::error::KeyError;
use crate::keys::fingerprint::Fingerprint;
#[cfg(feature = "rustcrypto")]
use crate::keys::{private::PrivateKey, public::PublicKey};
use crate::primitives::aes::SessionKeyLength;
use crate::random::{OsRandom, RandomSource};
use crate::rsa::{RsaPrivate, RsaPublic};
#[cfg(feature = "rustcrypto")]
use crate::rustcrypto;

/// The keys that one side (a partner or Paytend) needs to exchange messages with the other.
///
/// Any number of keys may decrypt and verify at the same time, so keys can be rotated without rejecting messages.
/// Exactly one key signs and one encrypts. Cloning is cheap.
///
/// ```
/// # use paytend_crypto::{Keyring, OsRandom, rustcrypto};
/// # let (own, paytend) = (rustcrypto::generate(1024, &OsRandom)?, rustcrypto::generate(1024, &OsRandom)?);
/// let keyring = Keyring::from_keys(&own, paytend.public_key())?;
/// # Ok::<(), paytend_crypto::Error>(())
/// ```
#[derive(Clone)]
pub struct Keyring {
    pub(crate) inner: Arc<Inner>,
}

pub(crate) struct Inner {
    pub(crate) signing: Option<Arc<dyn RsaPrivate>>,
    pub(crate) encryption: Option<Arc<dyn RsaPublic>>,
    pub(crate) decryption: Vec<DecryptionKey>,
    pub(crate) verification: Vec<Arc<dyn RsaPublic>>,
    pub(crate) session_key_length: SessionKeyLength,
    pub(crate) random: Arc<dyn RandomSource>,
}

/// A decryption key, with the secret from which substitutes for undecryptable session keys are derived.
pub(crate) struct DecryptionKey {
    pub(crate) key: Arc<dyn RsaPrivate>,
    pub(crate) rejection_secret: Zeroizing<[u8; 32]>,
}

impl DecryptionKey {
    /// Derives the secret: the hash of a signature over a fixed label. The signature and the label are never sent or
    /// shown. Every backend, including an HSM, derives the same secret. No one without the private key can compute it.
    fn new(key: Arc<dyn RsaPrivate>) -> Result<Self, Error> {
        let label = Sha256::digest(b"paytend-crypto/1 secret for substitute session keys");
        let signature = Zeroizing::new(key.sign_sha256(&label.into())?);
        Ok(Self { rejection_secret: Zeroizing::new(Sha256::digest(&*signature).into()), key })
    }
}

impl Keyring {
    /// Creates a builder without keys.
    pub fn builder() -> KeyringBuilder {
        KeyringBuilder::default()
    }

    /// Creates a keyring on the default backend, in which `own` signs and decrypts, and `peer` verifies and encrypts.
    ///
    /// # Errors
    /// Returns [`KeyError::Invalid`] if the numbers in a key are inconsistent.
    #[cfg(feature = "rustcrypto")]
    pub fn from_keys(own: &PrivateKey, peer: &PublicKey) -> Result<Self, Error> {
        Self::builder().own_key(rustcrypto::private(own)?).peer_key(rustcrypto::public(peer)?).build()
    }

    /// Returns whether the keyring has the keys to seal messages.
    pub fn can_seal(&self) -> bool {
        self.inner.signing.is_some() && self.inner.encryption.is_some()
    }

    /// Returns whether the keyring has the keys to open messages.
    pub fn can_open(&self) -> bool {
        !self.inner.decryption.is_empty() && !self.inner.verification.is_empty()
    }

    /// Returns the fingerprints of the decryption keys, in the order in which they are tried.
    pub fn decryption_keys(&self) -> impl Iterator<Item = Fingerprint> + '_ {
        self.inner.decryption.iter().map(|k| k.key.public_key().fingerprint())
    }

    /// Returns the fingerprints of the verification keys, in the order in which they are tried.
    pub fn verification_keys(&self) -> impl Iterator<Item = Fingerprint> + '_ {
        self.inner.verification.iter().map(|k| k.public_key().fingerprint())
    }
}

impl fmt::Debug for Keyring {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Keyring")
            .field("signing", &self.inner.signing.as_ref().map(|k| k.public_key().fingerprint()))
            .field("encryption", &self.inner.encryption.as_ref().map(|k| k.public_key().fingerprint()))
            .field("decryption", &self.decryption_keys().collect::<Vec<_>>())
            .field("verification", &self.verification_keys().collect::<Vec<_>>())
            .field("session_key_length", &self.inner.session_key_length)
            .finish()
    }
}

/// A builder for a [`Keyring`]. All errors are reported by [`build`](Self::build).
#[must_use]
#[derive(Default)]
pub struct KeyringBuilder {
    signing: Option<Arc<dyn RsaPrivate>>,
    encryption: Option<Arc<dyn RsaPublic>>,
    decryption: Vec<Arc<dyn RsaPrivate>>,
    verification: Vec<Arc<dyn RsaPublic>>,
    session_key_length: SessionKeyLength,
    random: Option<Arc<dyn RandomSource>>,
}

impl KeyringBuilder {
    /// Sets the local key, for both signing and decrypting.
    pub fn own_key(self, key: Arc<dyn RsaPrivate>) -> Self {
        self.signing_key(Arc::clone(&key)).decryption_key(key)
    }

    /// Sets the other side's key, for both verifying and encrypting.
    pub fn peer_key(self, key: Arc<dyn RsaPublic>) -> Self {
        self.encryption_key(Arc::clone(&key)).verification_key(key)
    }

    /// Sets the key that signs sent messages, replacing an earlier one.
    pub fn signing_key(mut self, key: Arc<dyn RsaPrivate>) -> Self {
        self.signing = Some(key);
        self
    }

    /// Sets the key that encrypts sent messages, replacing an earlier one.
    pub fn encryption_key(mut self, key: Arc<dyn RsaPublic>) -> Self {
        self.encryption = Some(key);
        self
    }

    /// Adds a key that decrypts received messages.
    pub fn decryption_key(mut self, key: Arc<dyn RsaPrivate>) -> Self {
        self.decryption.push(key);
        self
    }

    /// Adds a key that verifies received messages.
    pub fn verification_key(mut self, key: Arc<dyn RsaPublic>) -> Self {
        self.verification.push(key);
        self
    }

    /// Sets the number of characters in a session key, for sent and received messages (default 24, as used by Paytend).
    pub fn session_key_length(mut self, length: SessionKeyLength) -> Self {
        self.session_key_length = length;
        self
    }

    /// Sets the random source for session keys and padding (default [`OsRandom`]). Intended for tests.
    pub fn random_source(mut self, random: Arc<dyn RandomSource>) -> Self {
        self.random = Some(random);
        self
    }

    /// Builds the keyring. A keyring that is used only for sealing, or only for opening, does not need the other keys.
    ///
    /// # Errors
    /// - Returns [`KeyError::Absent`] if the keys are not sufficient for sealing or for opening.
    /// - Returns [`Error::Backend`] if a key's backend fails.
    pub fn build(self) -> Result<Keyring, Error> {
        let seals = self.signing.is_some() && self.encryption.is_some();
        let opens = !self.decryption.is_empty() && !self.verification.is_empty();
        if !seals && !opens {
            return Err(KeyError::Absent(
                "seal (signing and encryption key) or to open (decryption and verification key)",
            )
            .into());
        }
        let decryption = self.decryption.into_iter().map(DecryptionKey::new).collect::<Result<_, _>>()?;
        Ok(Keyring {
            inner: Arc::new(Inner {
                signing: self.signing,
                encryption: self.encryption,
                decryption,
                verification: self.verification,
                session_key_length: self.session_key_length,
                random: self.random.unwrap_or_else(|| Arc::new(OsRandom)),
            }),
        })
    }
}

impl fmt::Debug for KeyringBuilder {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("KeyringBuilder").finish_non_exhaustive()
    }
}
