//! The two traits that an RSA backend implements.
//!
//! A backend only does the arithmetic. Padding, hashing and every decision about a message stay in this crate, so that
//! all backends accept and refuse the same messages. To use an HSM or a KMS, implement [`RsaPrivate`] for it.

use crate::error::BackendError;
use crate::keys::public::PublicKey;

/// Operations with a private key. Object-safe; a keyring holds it as `Arc<dyn RsaPrivate>`.
///
/// # Requirements
/// - The time of both operations must not depend on the key or on the result: use blinding, or hardware that guarantees
///   this.
/// - [`decrypt_raw`](Self::decrypt_raw) must not inspect the result: it must not check the padding or reject a value.
/// - Return an error only if the operation was not performed. The error must not depend on the decrypted value.
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

    /// Performs the raw private operation: writes `ciphertext` to the power `d` modulo `n`, big-endian, to `out`.
    ///
    /// Both slices are exactly as long as the modulus, and `ciphertext` is smaller than the modulus. The caller
    /// checks this.
    ///
    /// # Errors
    /// Returns an error if the backend cannot perform the operation.
    fn decrypt_raw(&self, ciphertext: &[u8], out: &mut [u8]) -> Result<(), BackendError>;
}

/// Operations with a public key. Object-safe; a keyring holds it as `Arc<dyn RsaPublic>`.
pub trait RsaPublic: Send + Sync {
    /// Returns the key.
    fn public_key(&self) -> &PublicKey;

    /// Returns whether `signature` is the RSASSA-PKCS1-v1_5 signature with SHA-256 of `digest` under this key. A
    /// signature that is not as long as the modulus is invalid.
    fn verify_sha256(&self, digest: &[u8; 32], signature: &[u8]) -> bool;

    /// Performs the raw public operation: returns `block` to the power `e` modulo `n`, as long as the modulus.
    ///
    /// `block` is as long as the modulus and smaller than the modulus, because this crate has padded it.
    ///
    /// # Errors
    /// Returns an error if the backend cannot perform the operation.
    fn encrypt_raw(&self, block: &[u8]) -> Result<Vec<u8>, BackendError>;
}
