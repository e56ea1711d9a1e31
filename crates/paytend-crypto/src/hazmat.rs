//! Building blocks without the checks that make a message safe.
//!
//! For authors of backends and for tools. An application that decrypts with these is a padding oracle: use
//! [`Keyring::open`](crate::Keyring::open).

use zeroize::Zeroizing;

use crate::rsa::{RsaPrivate, RsaPublic};
use crate::{Error, RandomSource, pkcs1v15};

/// The block that RSASSA-PKCS1-v1_5 with SHA-256 raises to the private exponent, as long as the modulus (`size` bytes). `None`
/// if a modulus of that size is too small for it.
pub fn signature_block(digest: &[u8; 32], size: usize) -> Option<Vec<u8>> {
    pkcs1v15::signature_block(digest, size)
}

/// RSA PKCS#1 v1.5 encryption of any length: cut into pieces of (modulus − 11) bytes, one block of ciphertext each, joined.
///
/// # Errors
/// [`Error::Random`] or [`Error::Backend`].
pub fn encrypt_blocks(key: &dyn RsaPublic, plain: &[u8], random: &dyn RandomSource) -> Result<Vec<u8>, Error> {
    let size = key.public_key().size();
    let mut out = Vec::with_capacity(plain.len().div_ceil(size - pkcs1v15::OVERHEAD) * size);
    for piece in plain.chunks(size - pkcs1v15::OVERHEAD) {
        out.extend(key.encrypt_raw(&pkcs1v15::encryption_block(piece, size, random)?)?);
    }
    Ok(out)
}

/// The inverse of [`encrypt_blocks`]. **Whether and where it fails tells an attacker about the private key**: never let the
/// outcome show to whoever sent the ciphertext.
///
/// # Errors
/// [`Error::NotAuthentic`] for whatever is wrong with the ciphertext, or [`Error::Backend`].
pub fn decrypt_blocks(key: &dyn RsaPrivate, ciphertext: &[u8]) -> Result<Zeroizing<Vec<u8>>, Error> {
    let size = key.public_key().size();
    let blocks = ciphertext.chunks_exact(size);
    if ciphertext.is_empty() || !blocks.remainder().is_empty() {
        return Err(Error::NotAuthentic);
    }
    let mut out = Zeroizing::new(Vec::with_capacity(ciphertext.len()));
    let mut block = Zeroizing::new(vec![0u8; size]);
    for ciphertext in blocks {
        if !key.public_key().admits(ciphertext) {
            return Err(Error::NotAuthentic);
        }
        key.decrypt_raw(ciphertext, &mut block)?;
        let separator = block.iter().skip(2).position(|byte| *byte == 0).map(|at| at + 2).ok_or(Error::NotAuthentic)?;
        let content = &block[separator + 1..];
        if content.len() + pkcs1v15::OVERHEAD > size
            || !bool::from(pkcs1v15::is_encryption_block(&block, content.len()))
        {
            return Err(Error::NotAuthentic);
        }
        out.extend_from_slice(content);
    }
    Ok(out)
}
