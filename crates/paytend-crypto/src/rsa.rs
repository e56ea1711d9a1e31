//! The two traits that an RSA backend implements.
//!
//! A backend does the arithmetic and nothing else: padding, hashing and every decision about a message stay in this crate,
//! so that all backends accept and refuse the same messages. An HSM or a KMS is an implementation of [`RsaPrivate`] by its
//! user.

use crate::BackendError;
use crate::keys::PublicKey;

/// Operations with a private key. Object-safe; a keyring holds it as `Arc<dyn RsaPrivate>`.
///
/// # What an implementation owes
/// - The time of both operations must not depend on the key or on the result: blinding, or hardware that promises as much.
/// - [`decrypt_raw`](Self::decrypt_raw) must not look at the result: no padding check, no rejection of its own.
/// - An error means that the operation was not performed. It must not depend on the decrypted value.
pub trait RsaPrivate: Send + Sync {
    /// The public half.
    fn public_key(&self) -> &PublicKey;

    /// RSASSA-PKCS1-v1_5 with SHA-256 over an existing digest; as many bytes as the modulus has. Must be deterministic.
    ///
    /// Hardware that only offers the raw operation can build its input with
    /// [`hazmat::signature_block`](crate::hazmat::signature_block).
    ///
    /// # Errors
    /// When the backend cannot perform the operation.
    fn sign_sha256(&self, digest: &[u8; 32]) -> Result<Vec<u8>, BackendError>;

    /// The raw private operation: `ciphertext` to the power `d` modulo `n`, big-endian, into `out`.
    ///
    /// Both slices are exactly as long as the modulus, and `ciphertext` is smaller than it: the caller has checked.
    ///
    /// # Errors
    /// When the backend cannot perform the operation.
    fn decrypt_raw(&self, ciphertext: &[u8], out: &mut [u8]) -> Result<(), BackendError>;
}

/// Operations with a public key. Object-safe; a keyring holds it as `Arc<dyn RsaPublic>`.
pub trait RsaPublic: Send + Sync {
    /// The key.
    fn public_key(&self) -> &PublicKey;

    /// Whether `signature` is the RSASSA-PKCS1-v1_5 signature with SHA-256 of `digest` under this key. A signature of
    /// another length than the modulus is simply not valid.
    fn verify_sha256(&self, digest: &[u8; 32], signature: &[u8]) -> bool;

    /// The raw public operation: `block` to the power `e` modulo `n`, as long as the modulus.
    ///
    /// `block` is as long as the modulus and smaller than it: this crate has padded it.
    ///
    /// # Errors
    /// When the backend cannot perform the operation.
    fn encrypt_raw(&self, block: &[u8]) -> Result<Vec<u8>, BackendError>;
}
