//! Reads the lengths and children of DER elements, and recognizes a key whose beginning is missing.

use pkcs1::der::asn1::AnyRef;
use pkcs1::der::{Decode as _, Reader as _, SliceReader, Tag, Tagged as _};

use super::text::contains;

/// Returns whether the data begins like a SEQUENCE in DER or BER rather than like text.
pub(super) fn looks_like(data: &[u8]) -> bool {
    match data {
        [0x30, 0x80..=0x84, ..] => true,
        // A SEQUENCE starts with the byte 0x30, which is also the character `0` in text. Short data is therefore
        // accepted only if its length and its first element are those of a key.
        [0x30, length, rest @ ..] => matches!(rest, [0x02 | 0x30, 0..=0x1f, ..]) && rest.len() >= usize::from(*length),
        _ => false,
    }
}

/// Returns the length that the header of the outermost structure declares, including the header itself.
pub(super) fn announced(data: &[u8]) -> Option<usize> {
    data.strip_prefix(&[0x30]).and_then(|_| element_length(data))
}

/// Returns the length that an element's header declares, including the header itself.
fn element_length(data: &[u8]) -> Option<usize> {
    let [_, first, rest @ ..] = data else { return None };
    let count = match first {
        0..=0x7f => return Some(2 + usize::from(*first)),
        0x81..=0x84 => usize::from(first - 0x80),
        _ => return None,
    };
    let length =
        rest.get(..count)?.iter().try_fold(0_usize, |sum, byte| Some(sum.checked_mul(256)? + usize::from(*byte)))?;
    length.checked_add(2 + count)
}

/// Returns whether the data is shorter than the declared length of the outermost structure.
pub(super) fn is_cut(data: &[u8]) -> bool {
    announced(data).is_some_and(|announced| announced > data.len())
}

/// Returns the elements of a SEQUENCE, or an empty vector for any other structure.
pub(super) fn children(any: AnyRef<'_>) -> Vec<AnyRef<'_>> {
    let mut elements = Vec::new();
    if any.tag() != Tag::Sequence {
        return elements;
    }
    let Ok(mut reader) = SliceReader::new(any.value()) else { return elements };
    while !reader.is_finished() {
        match AnyRef::decode(&mut reader) {
            Ok(element) => elements.push(element),
            Err(_) => return Vec::new(),
        }
    }
    elements
}

/// Returns whether the data could be the end of a key's DER: whether it contains the object identifier of RSA, or ends
/// with several long INTEGERs or with the usual public exponent.
pub(super) fn is_end(data: &[u8]) -> bool {
    const SHORTEST: usize = 64;
    /// The start of the object identifiers of PKCS#1: 1.2.840.113549.1.1.
    const PKCS1: &[u8] = &[0x2a, 0x86, 0x48, 0x86, 0xf7, 0x0d, 0x01, 0x01];
    const EXPONENT: &[u8] = &[0x02, 0x03, 0x01, 0x00, 0x01];
    /// The number of INTEGERs in a private key.
    const MOST: usize = 9;
    let integers = |start: usize| {
        let (mut rest, mut count) = (&data[start..], 0);
        while let [0x02, _, ..] = rest {
            let Some(length) = element_length(rest) else { return false };
            let Some(after) = rest.get(length..) else { return false };
            (rest, count) = (after, count + 1);
            if count > MOST {
                return false;
            }
        }
        rest.is_empty() && count >= 2 && data.len() - start >= SHORTEST
    };
    data.len() >= SHORTEST
        && (contains(data, PKCS1) || data.ends_with(EXPONENT) || memchr::memchr_iter(0x02, data).any(integers))
}
