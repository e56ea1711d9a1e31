//! Low-level functions that skip the checks needed to open messages safely.
//!
//! Intended for authors of backends and for tools. An application that decrypts messages with these functions can be
//! used as a padding oracle; use [`Keyring::open`](crate::Keyring::open) instead.

use zeroize::Zeroizing;

use crate::error::Error;
use crate::primitives::aes::{self, BLOCK, SessionKeyLength};
use crate::primitives::pkcs1v15;
use crate::random::RandomSource;
use crate::rsa::{RsaPrivate, RsaPublic};

/// Returns the padded block that RSASSA-PKCS1-v1_5 with SHA-256 raises to the private exponent. The block is as long as
/// the modulus: `size` bytes. Returns `None` if `size` is too small.
pub fn signature_block(digest: &[u8; 32], size: usize) -> Option<Vec<u8>> {
    pkcs1v15::signature_block(digest, size)
}

/// Encrypts data of any length with RSA PKCS#1 v1.5. The data is split into pieces that are 11 bytes shorter than the
/// modulus. Each piece is encrypted to one ciphertext block.
///
/// # Errors
/// - Returns [`Error::Random`] if the random source fails.
/// - Returns [`Error::Backend`] if the key's backend fails.
pub fn encrypt_blocks(key: &dyn RsaPublic, plain: &[u8], random: &dyn RandomSource) -> Result<Vec<u8>, Error> {
    let size = key.public_key().size();
    let mut out = Vec::with_capacity(plain.len().div_ceil(size - pkcs1v15::OVERHEAD) * size);
    for piece in plain.chunks(size - pkcs1v15::OVERHEAD) {
        out.extend(key.encrypt_raw(&pkcs1v15::encryption_block(piece, size, random)?)?);
    }
    Ok(out)
}

/// Decrypts the result of [`encrypt_blocks`].
///
/// **Whether and where decryption fails reveals information about the private key.** Never show the outcome to the
/// sender of the ciphertext.
///
/// # Errors
/// - Returns [`Error::NotAuthentic`] if the ciphertext is invalid, regardless of the cause.
/// - Returns [`Error::Backend`] if the key's backend fails.
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

/// The hash function identified in a PKCS#1 v1.5 signature.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum DigestAlgorithm {
    /// MD5, 16 bytes.
    Md5,
    /// SHA-1, 20 bytes.
    Sha1,
    /// SHA-256, 32 bytes. Used by all three providers.
    Sha256,
    /// SHA-384, 48 bytes.
    Sha384,
    /// SHA-512, 64 bytes.
    Sha512,
}

impl DigestAlgorithm {
    /// All hash functions, with their DigestInfo prefix.
    const ALL: [(Self, &[u8]); 5] = [
        (Self::Md5, b"\x30\x20\x30\x0c\x06\x08\x2a\x86\x48\x86\xf7\x0d\x02\x05\x05\x00\x04\x10"),
        (Self::Sha1, b"\x30\x21\x30\x09\x06\x05\x2b\x0e\x03\x02\x1a\x05\x00\x04\x14"),
        (Self::Sha256, &pkcs1v15::SHA256_PREFIX),
        (Self::Sha384, b"\x30\x41\x30\x0d\x06\x09\x60\x86\x48\x01\x65\x03\x04\x02\x02\x05\x00\x04\x30"),
        (Self::Sha512, b"\x30\x51\x30\x0d\x06\x09\x60\x86\x48\x01\x65\x03\x04\x02\x03\x05\x00\x04\x40"),
    ];
}

/// Recovers the digest from a signature that was made with this key's private half. A tool can compare it with the
/// digests of candidate messages.
///
/// **This function verifies nothing** and is lenient about the padding length.
pub fn signed_digest(key: &dyn RsaPublic, signature: &[u8]) -> Option<(DigestAlgorithm, Vec<u8>)> {
    if !key.public_key().admits(signature) {
        return None;
    }
    let block = key.encrypt_raw(signature).ok()?;
    let content = block.strip_prefix(&[0, 1])?;
    let separator = content.iter().position(|byte| *byte != 0xff)?;
    let info = content[separator..].strip_prefix(&[0])?;
    DigestAlgorithm::ALL.iter().find_map(|(algorithm, prefix)| {
        let digest = info.strip_prefix(*prefix)?;
        // The last byte of the DigestInfo prefix is the length of the digest.
        (prefix.last().copied().map(usize::from) == Some(digest.len())).then(|| (*algorithm, digest.to_vec()))
    })
}

/// Decrypts a payload with AES-ECB and PKCS#7 padding. The bytes of `key` are used unchanged; the key length selects
/// AES-128, AES-192 or AES-256.
///
/// Returns `None` if the key has a different length, the last block is incomplete or the padding is invalid. **Never
/// reveal to an attacker that the result was `None`.**
pub fn decrypt_payload(key: &[u8], data: &[u8]) -> Option<Zeroizing<Vec<u8>>> {
    let lengths = [SessionKeyLength::Chars16, SessionKeyLength::Chars24, SessionKeyLength::Chars32];
    let length = lengths.into_iter().find(|length| length.chars() == key.len())?;
    if data.is_empty() || !data.len().is_multiple_of(BLOCK) {
        return None;
    }
    let mut plain = Zeroizing::new(data.to_vec());
    aes::decrypt_in_place(key, length, &mut plain);
    let (good, padding) = aes::padding(&plain);
    if !bool::from(good) {
        return None;
    }
    plain.truncate(data.len() - padding);
    Some(plain)
}

#[cfg(all(test, feature = "rustcrypto"))]
mod tests {
    use super::*;
    use crate::random::OsRandom;
    use crate::rustcrypto;

    #[test]
    fn signed_digest_is_found_only_with_the_right_key() {
        let [one, other] = [(); 2].map(|()| rustcrypto::generate(1024, &OsRandom).unwrap());
        let private = rustcrypto::private(&one).unwrap();
        let [one, other] = [one, other].map(|key| rustcrypto::public(key.public_key()).unwrap());
        let signature = private.sign_sha256(&[7; 32]).unwrap();
        assert_eq!(signed_digest(&*one, &signature), Some((DigestAlgorithm::Sha256, vec![7; 32])));
        assert_eq!(signed_digest(&*other, &signature), None);
        assert_eq!(signed_digest(&*one, &signature[1..]), None);
        // Tests all hash functions, because a faulty sender might sign with the wrong one.
        for (algorithm, prefix) in DigestAlgorithm::ALL {
            let digest = vec![9; usize::from(prefix[prefix.len() - 1])];
            let mut block = vec![0xff; 128];
            block[..2].copy_from_slice(&[0, 1]);
            let info = [&[0], prefix, &digest].concat();
            block[128 - info.len()..].copy_from_slice(&info);
            let mut signature = vec![0; 128];
            private.decrypt_raw(&block, &mut signature).unwrap();
            assert_eq!(signed_digest(&*one, &signature), Some((algorithm, digest)));
        }
    }

    #[test]
    fn payload_is_decrypted_with_keys_of_all_lengths() {
        for length in [SessionKeyLength::Chars16, SessionKeyLength::Chars24, SessionKeyLength::Chars32] {
            let key = aes::generate(length, &OsRandom).unwrap();
            let mut wire = String::new();
            aes::encrypt_into(key.as_bytes(), length, b"{\"a\":1}", &mut wire);
            let data = crate::primitives::base64::decode(&wire).unwrap();
            assert_eq!(decrypt_payload(key.as_bytes(), &data).unwrap().as_slice(), b"{\"a\":1}");
            assert!(decrypt_payload(&key.as_bytes()[1..], &data).is_none());
            assert!(decrypt_payload(key.as_bytes(), &data[1..]).is_none());
        }
    }
}
