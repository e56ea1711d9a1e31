//! The AES layer: AES-ECB with PKCS#7 padding, whose key is the *text* of the session key.
//!
//! The sender generates 16 random bytes and encodes them as base64. **The 24 characters themselves are the key**, so
//! the cipher is AES-192. Decoding them and using AES-128 is a common mistake. Source: the provider's published
//! sandbox demo.

use aes::cipher::array::Array;
use aes::cipher::consts::U16;
use aes::cipher::{BlockModeDecrypt, BlockModeEncrypt, Key, KeyInit};
use subtle::{Choice, ConditionallySelectable, ConstantTimeEq, ConstantTimeGreater, ConstantTimeLess};
use zeroize::{Zeroize, Zeroizing};

use crate::error::Error;
use crate::primitives::base64;
use crate::random::RandomSource;

/// The length of an AES block, in bytes.
pub(crate) const BLOCK: usize = 16;

/// The number of characters in a session key, which determines the AES variant. The receiver's configuration sets this
/// number. It is never taken from the message.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub enum SessionKeyLength {
    /// 16 characters, AES-128. Not observed; supported in case a provider uses keys of this length.
    Chars16,
    /// 24 characters, AES-192. Used by Paytend.
    #[default]
    Chars24,
    /// 32 characters, AES-256: the base64 of 24 random bytes. Not observed.
    Chars32,
}

impl SessionKeyLength {
    /// Returns the number of characters in the session key.
    pub const fn chars(self) -> usize {
        match self {
            Self::Chars16 => 16,
            Self::Chars24 => 24,
            Self::Chars32 => 32,
        }
    }

    /// Returns the number of random bytes whose base64 has this many characters.
    const fn random_bytes(self) -> usize {
        match self {
            Self::Chars16 => 12,
            Self::Chars24 => 16,
            Self::Chars32 => 24,
        }
    }
}

/// Generates a session key as base64 text.
pub(crate) fn generate(length: SessionKeyLength, random: &dyn RandomSource) -> Result<Zeroizing<String>, Error> {
    let mut bytes = Zeroizing::new([0u8; 24]);
    let bytes = &mut bytes[..length.random_bytes()];
    random.fill(bytes)?;
    Ok(Zeroizing::new(base64::encode(bytes)))
}

/// Returns whether `key` is base64 text, with `=` only in its last two characters. Runs in constant time.
pub(crate) fn is_key_text(key: &[u8]) -> Choice {
    let within = |byte: u8, low: u8, high: u8| !byte.ct_lt(&low) & !byte.ct_gt(&high);
    let mut good = Choice::from(1);
    let mut padding = Choice::from(0);
    for (at, byte) in key.iter().enumerate() {
        let alphabet = within(*byte, b'A', b'Z')
            | within(*byte, b'a', b'z')
            | within(*byte, b'0', b'9')
            | byte.ct_eq(&b'+')
            | byte.ct_eq(&b'/');
        let may_pad = Choice::from(u8::from(at + 2 >= key.len()));
        let pads = byte.ct_eq(&b'=') & may_pad;
        // Once padding has started, only padding may follow.
        good &= (alphabet & !padding) | pads;
        padding |= pads;
    }
    good
}

/// Pads and encrypts `plain`, and appends the result to `out` as base64. Works in pieces, so that a large payload needs
/// no second buffer. `key` must have one of the lengths of [`SessionKeyLength`].
pub(crate) fn encrypt_into(key: &[u8], length: SessionKeyLength, plain: &[u8], out: &mut String) {
    match length {
        SessionKeyLength::Chars16 => encrypt_pieces(with_key::<ecb::Encryptor<aes::Aes128>>(key), plain, out),
        SessionKeyLength::Chars24 => encrypt_pieces(with_key::<ecb::Encryptor<aes::Aes192>>(key), plain, out),
        SessionKeyLength::Chars32 => encrypt_pieces(with_key::<ecb::Encryptor<aes::Aes256>>(key), plain, out),
    }
}

/// The size of a piece in bytes. It is a multiple of the AES block size and of the base64 group size, so that encoded
/// pieces can be concatenated.
const PIECE: usize = 48 * 256;

fn encrypt_pieces(mut cipher: impl BlockModeEncrypt<BlockSize = U16>, plain: &[u8], out: &mut String) {
    let mut piece = Vec::with_capacity(PIECE.min(plain.len()) + BLOCK);
    let mut rest = plain;
    loop {
        let (taken, left) = rest.split_at(rest.len().min(PIECE));
        piece.clear();
        piece.extend_from_slice(taken);
        let last = taken.len() < PIECE;
        if last {
            let padding = BLOCK - taken.len() % BLOCK;
            // The padding is 1 to 16 bytes long.
            piece.resize(taken.len() + padding, u8::try_from(padding).unwrap_or(0));
        }
        cipher.encrypt_blocks(Array::<u8, U16>::slice_as_chunks_mut(&mut piece).0);
        base64::encode_into(&piece, out);
        if last {
            return;
        }
        rest = left;
    }
}

/// Decrypts whole blocks in place. Does not check the result.
pub(crate) fn decrypt_in_place(key: &[u8], length: SessionKeyLength, data: &mut [u8]) {
    let (blocks, _) = Array::<u8, U16>::slice_as_chunks_mut(data);
    match length {
        SessionKeyLength::Chars16 => with_key::<ecb::Decryptor<aes::Aes128>>(key).decrypt_blocks(blocks),
        SessionKeyLength::Chars24 => with_key::<ecb::Decryptor<aes::Aes192>>(key).decrypt_blocks(blocks),
        SessionKeyLength::Chars32 => with_key::<ecb::Decryptor<aes::Aes256>>(key).decrypt_blocks(blocks),
    }
}

/// Creates a cipher. Callers must pass a `key` of the right length; any other key is truncated or zero-filled.
fn with_key<C: KeyInit>(key: &[u8]) -> C {
    let mut array = Key::<C>::default();
    debug_assert_eq!(key.len(), array.len());
    for (to, from) in array.iter_mut().zip(key) {
        *to = *from;
    }
    let cipher = C::new(&array);
    array.as_mut_slice().zeroize();
    cipher
}

/// Returns whether the padding is valid, and its length in bytes (0 if it is invalid). Runs in constant time. `data`
/// must contain at least one block.
pub(crate) fn padding(data: &[u8]) -> (Choice, usize) {
    let last = data[data.len() - 1];
    let mut good = !last.ct_eq(&0) & !last.ct_gt(&16);
    for (distance, byte) in (1u8..=16).zip(data.iter().rev()) {
        // Bytes before the padding can have any value. Every byte of the padding must be equal to `last`.
        good &= distance.ct_gt(&last) | byte.ct_eq(&last);
    }
    (good, usize::from(u8::conditional_select(&0, &last, good)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_valid_padding_is_accepted() {
        for len in 1..=16u8 {
            let mut data = vec![0xaa; 32];
            let from = 32 - usize::from(len);
            data[from..].fill(len);
            assert_eq!((true, usize::from(len)), {
                let (c, n) = padding(&data);
                (c.into(), n)
            });
            if len > 1 {
                data[from] ^= 0x40;
                assert_eq!(
                    (false, 0),
                    {
                        let (c, n) = padding(&data);
                        (c.into(), n)
                    },
                    "{len}"
                );
            }
        }
        for last in (17..=255u8).chain([0]) {
            assert!(!bool::from(padding(&[last; 16]).0), "{last}");
        }
    }

    #[test]
    fn session_key_is_base64_with_padding_only_at_the_end() {
        let good = |text: &str| bool::from(is_key_text(text.as_bytes()));
        for text in ["gNx86vc1yttHs8ZWOf7+5g==", "gNx86vc1yttHs8ZWOf7/5gA=", "AZaz09+/AZaz09+/AZaz09+/"] {
            assert!(good(text), "{text}");
        }
        for text in [
            "gNx86vc1yttHs8ZWOf7+5=g=",
            "=Nx86vc1yttHs8ZWOf7+5g==",
            "gNx86vc1yttHs8ZWOf7+5g=A",
            "gNx86vc1yttHs8ZW&f7+5g==",
            "gNx86vc1yttHs8ZWOf7 5g==",
            "gNx86vc1yttHs8ZWOf7+5===",
            "gNx86vc1yttHs8ZWOf7+\u{e9}g==",
        ] {
            assert!(!good(text), "{text}");
        }
        // Tests every byte value at a position where padding is not allowed.
        for byte in 0..=255u8 {
            let expected = byte.is_ascii_alphanumeric() || byte == b'+' || byte == b'/';
            assert_eq!(expected, bool::from(is_key_text(&[byte, b'A', b'A', b'A'])), "{byte}");
        }
    }
}
