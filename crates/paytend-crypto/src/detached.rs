//! Detached signatures: the `sign` header of PayBy and PayerMax.
//!
//! The header is base64 of SHA256withRSA (PKCS#1 v1.5) over the raw bytes of the body. Verify the bytes as they arrived: a
//! body that was parsed and written again is another body.

use std::fmt;
use std::sync::Arc;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use sha2::{Digest, Sha256};

use crate::KeyError;
use crate::rsa::{RsaPrivate, RsaPublic};
use crate::{Error, Fingerprint};

/// Signs a body; gives the header's value.
///
/// # Errors
/// [`Error::Backend`] when the key's backend fails.
pub fn sign(key: &dyn RsaPrivate, body: &[u8]) -> Result<String, Error> {
    Ok(STANDARD.encode(key.sign_sha256(&Sha256::digest(body).into())?))
}

/// Verifies `sign` headers with one key, or several while keys are rotated.
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
    /// A verifier that accepts a signature by any of these keys.
    ///
    /// # Errors
    /// [`KeyError::Absent`] when there is none.
    pub fn new(keys: impl IntoIterator<Item = Arc<dyn RsaPublic>>) -> Result<Self, Error> {
        let keys: Vec<_> = keys.into_iter().collect();
        if keys.is_empty() {
            return Err(KeyError::Absent("verify").into());
        }
        Ok(Self { keys })
    }

    /// Verifies the header's value, as received, over the body's bytes, as received. Gives the key that it is by.
    ///
    /// # Errors
    /// [`Error::NotAuthentic`], whatever is wrong.
    pub fn verify(&self, body: &[u8], sign: &str) -> Result<Fingerprint, Error> {
        let signature = STANDARD.decode(sign.trim_ascii()).map_err(|_| Error::NotAuthentic)?;
        let digest = Sha256::digest(body).into();
        self.keys
            .iter()
            .find(|key| key.verify_sha256(&digest, &signature))
            .map(|key| key.public_key().fingerprint())
            .ok_or(Error::NotAuthentic)
    }
}

impl fmt::Debug for Verifier {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_list().entries(self.keys.iter().map(|key| key.public_key().fingerprint())).finish()
    }
}
