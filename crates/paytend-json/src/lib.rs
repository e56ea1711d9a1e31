#![doc = include_str!("../README.md")]
//!
//! # Grammar
//!
//! JSON's grammar, with three differences:
//!
//! - A string is a quote, any bytes, and a quote. A backslash takes the next byte with it, whatever that byte is.
//! - A literal is any run of letters, digits, `+`, `-`, `.` and `_`.
//! - One UTF-8 byte order mark may stand before the object.
//!
//! Objects, arrays, colons, commas and white space are JSON's to the letter. Names may repeat, and there is no limit on
//! depth.
//!
//! # Why an object has one end
//!
//! [`object_end`] is given a text that starts with an object and goes on with anything. It must be impossible to
//! present two objects, one a prefix of the other, that both pass as the object of one text.
//!
//! 1. A scan reads bytes from left to right. What it does with a byte depends on the bytes before it
//!    alone. It stops at the first bracket that closes the first one, and takes the white space that follows. So it
//!    finds at most one end in a text.
//! 2. In UTF-8 no byte of a longer character equals a quote or a backslash. In GBK, Big5 and Shift-JIS the second byte
//!    of a character may be 0x5C, the backslash. So there are two scans: one takes every byte by itself, the other
//!    takes a byte from 0x81 to 0xFE together with the second byte of a character. No second byte is a quote (0x22).
//! 3. Which of the two ends counts is decided by the whole text, never by the piece that somebody presents as the
//!    object: the first scan's, if it finds one and all before it is UTF-8; else the end that both find, or that only
//!    one of them finds. Two different ends are [`Flaw::Ambiguous`].
//!
//! So the end is a function of the text. Strict JSON is UTF-8 and keeps the grammar, so for strict JSON it is the
//! strict parser's end.

mod scan;

use scan::{Encoding, Scan};

/// Why a text does not start with an object, or is not an object. Holds nothing of the text.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum Flaw {
    /// The text does not start with `{`.
    #[error("a JSON object was expected")]
    NotAnObject,
    /// The text breaks the grammar at a byte, or something follows the object.
    #[error("JSON syntax error at byte {at}")]
    Syntax {
        /// Offset of the byte.
        at: usize,
    },
    /// The text ends inside of the object.
    #[error("JSON ends too early")]
    Truncated,
    /// The text is not UTF-8, and it depends on its encoding where the object or one of its members ends.
    #[error("where the JSON object or a member ends depends on its encoding, which is not UTF-8")]
    Ambiguous,
}

/// A member of an object, as it stands in the text.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Member<'a> {
    /// The name, with its quotes and escapes.
    pub name: &'a [u8],
    /// The value: a string with its quotes, a literal, or an object or array from bracket to bracket.
    pub value: &'a [u8],
}

/// Returns where the object that starts `text` ends: the offset behind it and the white space that follows. Any bytes
/// may follow that.
///
/// # Errors
/// Returns a [`Flaw`] if there is no such object, or if its end depends on the encoding.
pub fn object_end(text: &[u8]) -> Result<usize, Flaw> {
    let single = Scan::new(text, Encoding::SingleBytes).run(|_| {});
    if let Ok(end) = single
        && std::str::from_utf8(&text[..end]).is_ok()
    {
        return single;
    }
    one_of(single, Scan::new(text, Encoding::BytePairs).run(|_| {}))
}

/// Returns the members of an object in order. `text` is the object, and white space around it.
///
/// # Errors
/// Returns a [`Flaw`] if the text is anything else, or if it depends on the encoding which members it has.
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
    one_of(single, scanned(Encoding::BytePairs))
}

/// What both scans found, or the only one that found something.
fn one_of<T: PartialEq>(single: Result<T, Flaw>, pairs: Result<T, Flaw>) -> Result<T, Flaw> {
    match (single, pairs) {
        (Ok(single), Ok(pairs)) if single != pairs => Err(Flaw::Ambiguous),
        (Err(_), pairs @ Ok(_)) => pairs,
        (single, _) => single,
    }
}
