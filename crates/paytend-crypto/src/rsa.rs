//! The traits that an RSA backend implements, and the keys that a keyring accepts.
//!
//! A backend only performs the arithmetic. Padding, hashing and every decision about a message stay in this crate, so
//! that all backends accept and refuse the same messages. A backend for keys in memory implements [`Backend`]. For keys
//! that never leave an HSM or a KMS, implementing [`RsaPrivate`] is enough.

use std::fmt;
use std::sync::Arc;

use crate::error::{BackendError, Error};
use crate::keys::private::PrivateKey;
use crate::keys::public::PublicKey;

/// An implementation of RSA that loads keys. Object-safe; applications choose one with
/// [`KeyringBuilder::backend`](crate::KeyringBuilder::backend).
///
/// [`RustCrypto`](crate::rustcrypto::RustCrypto) is the default. The `paytend-crypto-aws-lc` and
/// `paytend-crypto-openssl` crates contain faster backends.
pub trait Backend: Send + Sync {
    /// Returns the backend's name, such as `rustcrypto`.
    fn name(&self) -> &str;

    /// Loads a private key.
    ///
    /// # Errors
    /// - Returns [`KeyError::Invalid`](crate::KeyError::Invalid) if the components of the key are inconsistent.
    /// - Returns [`Error::Backend`] if the backend cannot be used.
    fn private(&self, key: &PrivateKey) -> Result<Arc<dyn RsaPrivate>, Error>;

    /// Loads a public key.
    ///
    /// # Errors
    /// - Returns [`KeyError::Invalid`](crate::KeyError::Invalid) if the components do not form a valid RSA key.
    /// - Returns [`Error::Backend`] if the backend cannot be used.
    fn public(&self, key: &PublicKey) -> Result<Arc<dyn RsaPublic>, Error>;

    /// Generates a key pair with public exponent 65537 and a modulus of exactly `bits` bits. The default implementation
    /// returns an error, because some backends cannot export the keys that they generate.
    ///
    /// # Errors
    /// - Returns [`KeyError::Size`](crate::KeyError::Size) if `bits` is outside 1024 to 8192.
    /// - Returns [`Error::Backend`] if the backend does not generate keys, or does not support this key size.
    fn generate(&self, bits: usize) -> Result<PrivateKey, Error> {
        let _ = bits;
        Err(BackendError::new("the backend does not generate keys").into())
    }
}

/// Implements [`Backend`] for a pointer to a backend.
macro_rules! forwarding {
    ($($pointer:ty),*) => {$(
        impl<B: Backend + ?Sized> Backend for $pointer {
            fn name(&self) -> &str {
                (**self).name()
            }

            fn private(&self, key: &PrivateKey) -> Result<Arc<dyn RsaPrivate>, Error> {
                (**self).private(key)
            }

            fn public(&self, key: &PublicKey) -> Result<Arc<dyn RsaPublic>, Error> {
                (**self).public(key)
            }

            fn generate(&self, bits: usize) -> Result<PrivateKey, Error> {
                (**self).generate(bits)
            }
        }
    )*};
}

forwarding!(&B, Arc<B>);

/// Operations with a private key. Object-safe; a keyring holds it as `Arc<dyn RsaPrivate>`.
///
/// # Requirements
/// - The run time of both operations must not depend on the key or on the result. Use blinding, or hardware that
///   guarantees this.
/// - [`decrypt_raw`](Self::decrypt_raw) must not inspect the result. In particular, it must not check the padding or
///   reject a value.
/// - Return an error only if the operation itself fails. The error must not depend on the decrypted value.
pub trait RsaPrivate: Send + Sync {
    /// Returns the public half of the key.
    fn public_key(&self) -> &PublicKey;

    /// Signs a digest with RSASSA-PKCS1-v1_5 and SHA-256. The signature is as long as the modulus and deterministic.
    ///
    /// For hardware that offers only the raw operation, build its input with
    /// [`hazmat::signature_block`](crate::hazmat::signature_block).
    ///
    /// # Errors
    /// Returns an error if the backend cannot perform the operation.
    fn sign_sha256(&self, digest: &[u8; 32]) -> Result<Vec<u8>, BackendError>;

    /// Performs the raw private-key operation: raises `ciphertext` to the power `d` modulo `n` and writes the result to
    /// `out`, big-endian.
    ///
    /// Both slices are exactly as long as the modulus, and the number in `ciphertext` is smaller than the modulus. The
    /// caller checks this.
    ///
    /// # Errors
    /// Returns an error if the backend cannot perform the operation.
    fn decrypt_raw(&self, ciphertext: &[u8], out: &mut [u8]) -> Result<(), BackendError>;
}

/// Operations with a public key. Object-safe; a keyring holds it as `Arc<dyn RsaPublic>`.
pub trait RsaPublic: Send + Sync {
    /// Returns the key as data, for fingerprints and sizes.
    fn public_key(&self) -> &PublicKey;

    /// Returns whether `signature` is the RSASSA-PKCS1-v1_5 signature with SHA-256 of `digest` under this key. A
    /// signature that is not as long as the modulus, or not below it, is invalid.
    fn verify_sha256(&self, digest: &[u8; 32], signature: &[u8]) -> bool;

    /// Performs the raw public-key operation: raises `block` to the power `e` modulo `n`. The returned number is as
    /// long as the modulus.
    ///
    /// `block` is as long as the modulus, and its number is smaller than the modulus, because this crate has padded the
    /// block.
    ///
    /// # Errors
    /// Returns an error if the backend cannot perform the operation.
    fn encrypt_raw(&self, block: &[u8]) -> Result<Vec<u8>, BackendError>;
}

/// A private key for a keyring: either key material, which the keyring's [`Backend`] loads, or a loaded key.
#[derive(Clone)]
pub struct PrivateKeySource(pub(crate) Source<PrivateKey, dyn RsaPrivate>);

/// A public key for a keyring: either key material, which the keyring's [`Backend`] loads, or a loaded key.
#[derive(Clone)]
pub struct PublicKeySource(pub(crate) Source<PublicKey, dyn RsaPublic>);

pub(crate) enum Source<Key, Loaded: ?Sized> {
    Material(Key),
    Loaded(Arc<Loaded>),
}

impl<Key: Clone, Loaded: ?Sized> Clone for Source<Key, Loaded> {
    fn clone(&self) -> Self {
        match self {
            Self::Material(key) => Self::Material(key.clone()),
            Self::Loaded(key) => Self::Loaded(Arc::clone(key)),
        }
    }
}

impl From<&PrivateKey> for PrivateKeySource {
    fn from(key: &PrivateKey) -> Self {
        key.clone().into()
    }
}

impl From<PrivateKey> for PrivateKeySource {
    fn from(key: PrivateKey) -> Self {
        Self(Source::Material(key))
    }
}

impl From<Arc<dyn RsaPrivate>> for PrivateKeySource {
    fn from(key: Arc<dyn RsaPrivate>) -> Self {
        Self(Source::Loaded(key))
    }
}

impl<K: RsaPrivate + 'static> From<Arc<K>> for PrivateKeySource {
    fn from(key: Arc<K>) -> Self {
        Self(Source::Loaded(key))
    }
}

impl From<&PublicKey> for PublicKeySource {
    fn from(key: &PublicKey) -> Self {
        key.clone().into()
    }
}

impl From<PublicKey> for PublicKeySource {
    fn from(key: PublicKey) -> Self {
        Self(Source::Material(key))
    }
}

impl From<Arc<dyn RsaPublic>> for PublicKeySource {
    fn from(key: Arc<dyn RsaPublic>) -> Self {
        Self(Source::Loaded(key))
    }
}

impl<K: RsaPublic + 'static> From<Arc<K>> for PublicKeySource {
    fn from(key: Arc<K>) -> Self {
        Self(Source::Loaded(key))
    }
}

impl fmt::Debug for PrivateKeySource {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let public = match &self.0 {
            Source::Material(key) => key.public_key(),
            Source::Loaded(key) => key.public_key(),
        };
        f.debug_tuple("PrivateKeySource").field(&public.fingerprint()).finish()
    }
}

impl fmt::Debug for PublicKeySource {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let public = match &self.0 {
            Source::Material(key) => key,
            Source::Loaded(key) => key.public_key(),
        };
        f.debug_tuple("PublicKeySource").field(&public.fingerprint()).finish()
    }
}
