//! Detached signatures: the `sign` header of PayBy and PayerMax.
//!
//! The header is the base64 of a SHA256withRSA signature (PKCS#1 v1.5) over the raw bytes of the body. Verify the bytes
//! as received: a body that was parsed and re-serialized has different bytes.

use std::fmt;
use std::sync::Arc;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use sha2::{Digest, Sha256};

use crate::error::Error;
use crate::keys::error::KeyError;
use crate::keys::fingerprint::Fingerprint;
use crate::rsa::{RsaPrivate, RsaPublic};

/// Signs a body and returns the value of the `sign` header.
///
/// # Errors
/// Returns [`Error::Backend`] if the key's backend fails.
pub fn sign(key: &dyn RsaPrivate, body: &[u8]) -> Result<String, Error> {
    Ok(STANDARD.encode(key.sign_sha256(&Sha256::digest(body).into())?))
}

/// A verifier of `sign` headers, with one key, or with several keys during key rotation.
///
/// ```
/// # use paytend_crypto::{OsRandom, detached, rustcrypto};
/// # let key = rustcrypto::generate(1024, &OsRandom)?;
/// # let header = detached::sign(&*rustcrypto::private(&key)?, b"{}")?;
/// let verifier = detached::Verifier::new([rustcrypto::public(key.public_key())?])?;
/// assert_eq!(verifier.verify(b"{}", &header)?, key.public_key().fingerprint());
/// assert!(verifier.verify(b"{} ", &header).is_err());
/// # Ok::<(), paytend_crypto::Error>(())
/// ```
#[derive(Clone)]
pub struct Verifier {
    keys: Vec<Arc<dyn RsaPublic>>,
}

impl Verifier {
    /// Creates a verifier that accepts a signature made by any of `keys`.
    ///
    /// # Errors
    /// Returns [`KeyError::Absent`] if `keys` is empty.
    pub fn new(keys: impl IntoIterator<Item = Arc<dyn RsaPublic>>) -> Result<Self, Error> {
        let keys: Vec<_> = keys.into_iter().collect();
        if keys.is_empty() {
            return Err(KeyError::Absent("verify").into());
        }
        Ok(Self { keys })
    }

    /// Verifies the value of the received header for the received bytes of the body. Returns the fingerprint of the key
    /// that made the signature.
    ///
    /// # Errors
    /// Returns [`Error::NotAuthentic`] if the header or the signature is invalid, regardless of the cause.
    pub fn verify(&self, body: &[u8], sign: &str) -> Result<Fingerprint, Error> {
        let signature = STANDARD.decode(sign.trim_ascii()).map_err(|_| Error::NotAuthentic)?;
        let digest = Sha256::digest(body).into();
        self.keys
            .iter()
            .find(|key| key.public_key().admits(&signature) && key.verify_sha256(&digest, &signature))
            .map(|key| key.public_key().fingerprint())
            .ok_or(Error::NotAuthentic)
    }
}

impl fmt::Debug for Verifier {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_list().entries(self.keys.iter().map(|key| key.public_key().fingerprint())).finish()
    }
}
