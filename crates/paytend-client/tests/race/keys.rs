//! Keys without real cryptography, so that a call takes microseconds.

use std::sync::Arc;

use paytend_crypto::rsa::{RsaPrivate, RsaPublic};
use paytend_crypto::{BackendError, Keyring, PublicKey};

struct NoSecurity(PublicKey);

pub(crate) fn keyring() -> Keyring {
    let public = &paytend_vectors::keys()["partner"].public;
    let key = Arc::new(NoSecurity(PublicKey::from_bytes(public).unwrap()));
    Keyring::builder().own_key(Arc::clone(&key)).peer_key(key).build().unwrap()
}

impl RsaPrivate for NoSecurity {
    fn public_key(&self) -> &PublicKey {
        &self.0
    }

    fn sign_sha256(&self, _: &[u8; 32]) -> Result<Vec<u8>, BackendError> {
        Ok(vec![0; self.0.size()])
    }

    fn decrypt_raw(&self, ciphertext: &[u8], out: &mut [u8]) -> Result<(), BackendError> {
        out.copy_from_slice(ciphertext);
        Ok(())
    }
}

impl RsaPublic for NoSecurity {
    fn public_key(&self) -> &PublicKey {
        &self.0
    }

    fn verify_sha256(&self, _: &[u8; 32], _: &[u8]) -> bool {
        true
    }

    fn encrypt_raw(&self, block: &[u8]) -> Result<Vec<u8>, BackendError> {
        Ok(block.to_vec())
    }
}
