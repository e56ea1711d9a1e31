#![doc = include_str!("../README.md")]
//!
//! # Grammar
//!
//! The JSON grammar, with three differences:
//!
//! - A string is a quote, any bytes, and a quote. A backslash escapes the next byte, which can have any value.
//! - A literal is any run of letters, digits, `+`, `-`, `.` and `_`.
//! - One UTF-8 byte order mark is allowed before the object.
//!
//! Objects, arrays, colons, commas and whitespace follow JSON exactly. Names can repeat, and nesting depth is
//! unlimited.
//!
//! # Why the end is unique
//!
//! [`object_end`] receives an object that can be followed by any bytes. An attacker must not be able to present two
//! different prefixes of the same input as the object.
//!
//! 1. A scan reads the input from left to right, and its state depends only on the bytes that it has read. It stops at
//!    the bracket that closes the object, and skips the whitespace after this bracket. So each scan finds at most one
//!    end.
//! 2. The encoding is unknown, so there are two scans:
//!    - The single-byte scan reads every byte as one character. This suits UTF-8, where no byte of a multi-byte
//!      character equals a quote or a backslash.
//!    - The byte-pair scan reads a byte from 0x81 to 0xFE and a valid second byte as one character. This suits GBK,
//!      Big5 and Shift-JIS, where the second byte can be 0x5C, the backslash. A second byte is never 0x22, the quote.
//! 3. The choice between the two ends depends on the whole input, never on the prefix that is presented as the object.
//!    If everything before the end of the single-byte scan is UTF-8, that end is used. Otherwise, if both scans find
//!    the same end, or only one scan finds an end, that end is used. Two different ends result in [`Flaw::Ambiguous`].
//!
//! So the end depends only on the input. Strict JSON is UTF-8 and follows the grammar, so strict parsers find the same
//! end.

mod scan;

use scan::{Encoding, Scan};

/// The error for input that is not an object, or does not start with one. Contains no part of the input.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum Flaw {
    /// The input does not start with `{`.
    #[error("expected a JSON object")]
    NotAnObject,
    /// The input violates the grammar at the byte `at`, or other bytes follow the object.
    #[error("JSON syntax error at byte {at}")]
    Syntax {
        /// The offset of the first invalid byte.
        at: usize,
    },
    /// The input ends inside the object.
    #[error("unexpected end of JSON")]
    Truncated,
    /// The input is not UTF-8, and the end of the object or of a member depends on the encoding.
    #[error("the input is not UTF-8, and the end of the JSON object or of a member depends on the encoding")]
    Ambiguous,
}

/// A member of an object, as written in the input.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Member<'a> {
    /// The name, with its quotes and escapes.
    pub name: &'a [u8],
    /// The value: a string with its quotes, a literal, or an object or array from bracket to bracket.
    pub value: &'a [u8],
}

/// Returns the end of the object at the start of `text`: the offset after the object and any whitespace that follows
/// the object. Any other bytes can follow.
///
/// # Errors
/// Returns a [`Flaw`] if `text` does not start with an object, or if the end of the object depends on the encoding.
pub fn object_end(text: &[u8]) -> Result<usize, Flaw> {
    let single = Scan::new(text, Encoding::SingleBytes).run(|_| {});
    if let Ok(end) = single
        && std::str::from_utf8(&text[..end]).is_ok()
    {
        return single;
    }
    agreed(single, Scan::new(text, Encoding::BytePairs).run(|_| {}))
}

/// Returns the members of an object in order. `text` is the object, with optional whitespace around it.
///
/// # Errors
/// Returns a [`Flaw`] if `text` is not exactly one object, or if its members depend on the encoding.
pub fn members(text: &[u8]) -> Result<Vec<Member<'_>>, Flaw> {
    let scanned = |encoding| {
        let mut members = Vec::new();
        let end = Scan::new(text, encoding).run(|member| members.push(member))?;
        if end == text.len() { Ok(members) } else { Err(Flaw::Syntax { at: end }) }
    };
    let single = scanned(Encoding::SingleBytes);
    if single.is_ok() && std::str::from_utf8(text).is_ok() {
        return single;
    }
    agreed(single, scanned(Encoding::BytePairs))
}

/// Returns the common result of both scans, or the result of the only scan that succeeded.
fn agreed<T: PartialEq>(single: Result<T, Flaw>, pairs: Result<T, Flaw>) -> Result<T, Flaw> {
    match (single, pairs) {
        (Ok(single), Ok(pairs)) if single != pairs => Err(Flaw::Ambiguous),
        (Err(_), pairs @ Ok(_)) => pairs,
        (single, _) => single,
    }
}
