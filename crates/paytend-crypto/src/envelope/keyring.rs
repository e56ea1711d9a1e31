//! The keys that sign, decrypt, verify and encrypt.

use std::fmt;
use std::sync::Arc;

use sha2::{Digest, Sha256};
use zeroize::Zeroizing;

use crate::error::{BackendError, Error};
use crate::keys::error::KeyError;
use crate::keys::fingerprint::Fingerprint;
#[cfg(feature = "rustcrypto")]
use crate::keys::private::PrivateKey;
use crate::keys::public::PublicKey;
use crate::primitives::aes::SessionKeyLength;
use crate::random::{OsRandom, RandomSource};
use crate::rsa::{Backend, PrivateKeySource, PublicKeySource, RsaPrivate, RsaPublic, Source};

/// The keys that one side (a partner or Paytend) needs to exchange messages with the other side.
///
/// Any number of keys can decrypt and verify at the same time, so keys can be rotated without rejecting messages.
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

/// A decryption key, and a secret. If a session key cannot be decrypted, a substitute is derived from this secret.
pub(crate) struct DecryptionKey {
    pub(crate) key: Arc<dyn RsaPrivate>,
    pub(crate) rejection_secret: Zeroizing<[u8; 32]>,
}

impl DecryptionKey {
    /// Derives the secret, which is the hash of a signature over a fixed label. The signature and the label are never
    /// sent or shown. Every backend, including an HSM, derives the same secret. No one without the private key can
    /// compute it.
    fn new(key: Arc<dyn RsaPrivate>) -> Result<Self, Error> {
        let label = Sha256::digest(b"paytend-crypto/1 secret for substitute session keys");
        let signature = Zeroizing::new(key.sign_sha256(&label.into())?);
        Ok(Self { rejection_secret: Zeroizing::new(Sha256::digest(&*signature).into()), key })
    }
}

impl Keyring {
    /// Creates a builder that contains no keys.
    pub fn builder<'b>() -> KeyringBuilder<'b> {
        KeyringBuilder::default()
    }

    /// Creates a keyring with the default backend. `own` signs and decrypts, and `peer` verifies and encrypts.
    ///
    /// # Errors
    /// Returns [`KeyError::Invalid`] if the components of a key are inconsistent.
    #[cfg(feature = "rustcrypto")]
    pub fn from_keys(own: &PrivateKey, peer: &PublicKey) -> Result<Self, Error> {
        Self::builder().own_key(own).peer_key(peer).build()
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
///
/// Each method takes either key material ([`PrivateKey`](crate::PrivateKey) or [`PublicKey`](crate::PublicKey)) or a
/// key that a backend has already loaded, such as a key in an HSM. The selected [`backend`](Self::backend) loads the
/// key material.
///
/// ```
/// # use paytend_crypto::{Keyring, OsRandom, rustcrypto};
/// # let (own, paytend) = (rustcrypto::generate(1024, &OsRandom)?, rustcrypto::generate(1024, &OsRandom)?);
/// use paytend_crypto::rustcrypto::RustCrypto;
///
/// let keyring = Keyring::builder().backend(&RustCrypto).own_key(&own).peer_key(paytend.public_key()).build()?;
/// # Ok::<(), paytend_crypto::Error>(())
/// ```
#[must_use]
#[derive(Default)]
pub struct KeyringBuilder<'b> {
    backend: Option<&'b dyn Backend>,
    /// All private keys. A key passed to `own_key` is loaded only once, although it both signs and decrypts.
    private: Vec<PrivateKeySource>,
    public: Vec<PublicKeySource>,
    /// The signing key's index in `private`. `encryption`, `decryption` and `verification` also contain indexes.
    signing: Option<usize>,
    encryption: Option<usize>,
    decryption: Vec<usize>,
    verification: Vec<usize>,
    session_key_length: SessionKeyLength,
    random: Option<Arc<dyn RandomSource>>,
}

impl<'b> KeyringBuilder<'b> {
    /// Sets the backend that loads the key material of all keys, whether added before or after this call. The default
    /// is [`RustCrypto`](crate::rustcrypto::RustCrypto), if the `rustcrypto` feature is enabled.
    pub fn backend(mut self, backend: &'b dyn Backend) -> Self {
        self.backend = Some(backend);
        self
    }

    /// Adds a local key that decrypts received messages, and sets it as the key that signs sent messages.
    pub fn own_key(mut self, key: impl Into<PrivateKeySource>) -> Self {
        let at = self.add_private(key.into());
        self.signing = Some(at);
        self.decryption.push(at);
        self
    }

    /// Adds a key of the other side that verifies received messages, and sets it as the key that encrypts sent
    /// messages.
    pub fn peer_key(mut self, key: impl Into<PublicKeySource>) -> Self {
        let at = self.add_public(key.into());
        self.encryption = Some(at);
        self.verification.push(at);
        self
    }

    /// Sets the key that signs sent messages, replacing any earlier signing key.
    pub fn signing_key(mut self, key: impl Into<PrivateKeySource>) -> Self {
        self.signing = Some(self.add_private(key.into()));
        self
    }

    /// Sets the key that encrypts sent messages, replacing any earlier encryption key.
    pub fn encryption_key(mut self, key: impl Into<PublicKeySource>) -> Self {
        self.encryption = Some(self.add_public(key.into()));
        self
    }

    /// Adds a key that decrypts received messages.
    pub fn decryption_key(mut self, key: impl Into<PrivateKeySource>) -> Self {
        let at = self.add_private(key.into());
        self.decryption.push(at);
        self
    }

    /// Adds a key that verifies received messages.
    pub fn verification_key(mut self, key: impl Into<PublicKeySource>) -> Self {
        let at = self.add_public(key.into());
        self.verification.push(at);
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

    /// Builds the keyring. A keyring that only seals messages needs a signing key and an encryption key. A keyring that
    /// only opens messages needs a decryption key and a verification key.
    ///
    /// # Errors
    /// - Returns [`KeyError::Absent`] if the keyring could neither seal nor open messages.
    /// - Returns [`KeyError::Invalid`] if the components of a key are inconsistent.
    /// - Returns [`Error::Backend`] if the backend fails, or if key material was added but there is no backend to load
    ///   it.
    pub fn build(self) -> Result<Keyring, Error> {
        let seals = self.signing.is_some() && self.encryption.is_some();
        let opens = !self.decryption.is_empty() && !self.verification.is_empty();
        if !seals && !opens {
            return Err(KeyError::Absent(
                "seal messages (signing and encryption key) or open messages (decryption and verification key)",
            )
            .into());
        }
        let backend = || match self.backend {
            Some(backend) => Ok(backend),
            None => default_backend().ok_or(BackendError::new(
                "no backend for the keys: call KeyringBuilder::backend, or enable the `rustcrypto` feature",
            )),
        };
        let load_private = |key: &PrivateKeySource| match &key.0 {
            Source::Material(key) => backend()?.private(key),
            Source::Loaded(key) => Ok(Arc::clone(key)),
        };
        let load_public = |key: &PublicKeySource| match &key.0 {
            Source::Material(key) => backend()?.public(key),
            Source::Loaded(key) => Ok(Arc::clone(key)),
        };
        let private = load_used(&self.private, self.signing, &self.decryption, load_private)?;
        let public = load_used(&self.public, self.encryption, &self.verification, load_public)?;
        let decryption = distinct(self.decryption.iter().filter_map(|at| private[*at].clone()), |key| key.public_key());
        let verification =
            distinct(self.verification.iter().filter_map(|at| public[*at].clone()), |key| key.public_key());
        Ok(Keyring {
            inner: Arc::new(Inner {
                signing: self.signing.and_then(|at| private[at].clone()),
                encryption: self.encryption.and_then(|at| public[at].clone()),
                decryption: decryption.into_iter().map(DecryptionKey::new).collect::<Result<_, _>>()?,
                verification,
                session_key_length: self.session_key_length,
                random: self.random.unwrap_or_else(|| Arc::new(OsRandom)),
            }),
        })
    }

    fn add_private(&mut self, key: PrivateKeySource) -> usize {
        self.private.push(key);
        self.private.len() - 1
    }

    fn add_public(&mut self, key: PublicKeySource) -> usize {
        self.public.push(key);
        self.public.len() - 1
    }
}

/// Loads the keys at the positions in `sending` and `receiving`. A key that was replaced is not loaded.
fn load_used<Key, Loaded: ?Sized>(
    keys: &[Key],
    sending: Option<usize>,
    receiving: &[usize],
    load: impl Fn(&Key) -> Result<Arc<Loaded>, Error>,
) -> Result<Vec<Option<Arc<Loaded>>>, Error> {
    let used = |at: usize| sending == Some(at) || receiving.contains(&at);
    keys.iter().enumerate().map(|(at, key)| used(at).then(|| load(key)).transpose()).collect()
}

/// Removes repeated keys, so that each key is tried once.
fn distinct<Key>(keys: impl Iterator<Item = Key>, public: impl Fn(&Key) -> &PublicKey) -> Vec<Key> {
    let mut distinct: Vec<Key> = Vec::new();
    for key in keys {
        if !distinct.iter().any(|known| public(known) == public(&key)) {
            distinct.push(key);
        }
    }
    distinct
}

/// Returns the default backend, which is used if the caller selects no backend.
fn default_backend() -> Option<&'static dyn Backend> {
    #[cfg(feature = "rustcrypto")]
    return Some(&crate::rustcrypto::RustCrypto);
    #[cfg(not(feature = "rustcrypto"))]
    None
}

impl fmt::Debug for KeyringBuilder<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("KeyringBuilder").finish_non_exhaustive()
    }
}
