//! The padding schemes of PKCS#1 v1.5 (RFC 8017 §7.2 and §9.2), without the RSA arithmetic.

use subtle::{Choice, ConstantTimeEq};
use zeroize::Zeroizing;

use crate::error::Error;
use crate::random::RandomSource;

/// The size of a block without its content: header, at least eight bytes of padding, separator.
pub(crate) const OVERHEAD: usize = 11;

/// The DER encoding of the DigestInfo for SHA-256, without the digest.
pub(crate) const SHA256_PREFIX: [u8; 19] =
    [0x30, 0x31, 0x30, 0x0d, 0x06, 0x09, 0x60, 0x86, 0x48, 0x01, 0x65, 0x03, 0x04, 0x02, 0x01, 0x05, 0x00, 0x04, 0x20];

/// Returns the block `00 01 FF … FF 00 DigestInfo`, which is as long as the modulus. Returns `None` if the modulus
/// is too short (below 496 bits).
pub(crate) fn signature_block(digest: &[u8; 32], size: usize) -> Option<Vec<u8>> {
    let content = SHA256_PREFIX.len() + digest.len();
    if size < content + OVERHEAD {
        return None;
    }
    let mut block = vec![0xff; size];
    block[0] = 0;
    block[1] = 1;
    block[size - content - 1] = 0;
    block[size - content..size - digest.len()].copy_from_slice(&SHA256_PREFIX);
    block[size - digest.len()..].copy_from_slice(digest);
    Some(block)
}

/// Returns the block `00 02 random-non-zero 00 content`, which is as long as the modulus. The content has at most
/// `size - OVERHEAD` bytes.
pub(crate) fn encryption_block(
    content: &[u8],
    size: usize,
    random: &dyn RandomSource,
) -> Result<Zeroizing<Vec<u8>>, Error> {
    debug_assert!(content.len() + OVERHEAD <= size);
    let mut block = Zeroizing::new(vec![0u8; size]);
    let separator = size - content.len() - 1;
    block[1] = 2;
    random.fill(&mut block[2..separator])?;
    for byte in &mut block[2..separator] {
        // Fails if the random source is broken and returns only zeros, instead of looping forever.
        let mut attempts = 0;
        while *byte == 0 {
            attempts += 1;
            if attempts > 64 {
                return Err(Error::Random);
            }
            random.fill(std::slice::from_mut(byte))?;
        }
    }
    block[separator + 1..].copy_from_slice(content);
    Ok(block)
}

/// Returns whether a decrypted block is correctly padded for content of exactly `content_len` bytes. Runs in constant
/// time, because all positions follow from the two lengths, which are public.
pub(crate) fn is_encryption_block(block: &[u8], content_len: usize) -> Choice {
    let separator = block.len() - content_len - 1;
    let mut good = block[0].ct_eq(&0) & block[1].ct_eq(&2) & block[separator].ct_eq(&0);
    for byte in &block[2..separator] {
        good &= !byte.ct_eq(&0);
    }
    good
}
