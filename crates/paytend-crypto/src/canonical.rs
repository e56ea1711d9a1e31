//! The signed text: `name=value` of all non-empty fields, sorted, joined with `&`.
//!
//! The text is not an encoding: values may hold `&` and `=`, so one signed text could be cut into several messages. The rules
//! here leave a single reading, for the sender and for the receiver alike:
//!
//! - a name is `[A-Za-z][A-Za-z0-9_]*`;
//! - no value but the payload and `respMsg` holds `&`, `=`, white space or a control character;
//! - no field has the name of another kind's payload;
//! - the payload is one complete JSON object, which no other cut of the text can be (checked once it is authentic);
//! - `respMsg` does not end in what reads as a field that could stand between it and the next one.

use sha2::{Digest, Sha256};
use zeroize::Zeroizing;

use crate::error::FieldProblem;
use crate::message::Kind;

/// The one field of free text.
const FREE_TEXT: &str = "respMsg";

/// Refuses a name that could not be told from a value.
pub(crate) fn check_name(name: &str) -> Result<(), FieldProblem> {
    let mut bytes = name.bytes();
    let good = bytes.next().is_some_and(|first| first.is_ascii_alphabetic())
        && bytes.all(|byte| byte.is_ascii_alphanumeric() || byte == b'_');
    if good { Ok(()) } else { Err(FieldProblem::Name) }
}

/// Checks a message's plain fields (no payload, `randomKey` or `signature` among them; empty ones left out; names checked),
/// which must be sorted by name.
pub(crate) fn check_fields(kind: Kind, fields: &[(&str, &str)]) -> Result<(), FieldProblem> {
    debug_assert!(fields.is_sorted_by(|a, b| a.0 < b.0));
    let get = |name: &str| fields.iter().find(|(known, _)| *known == name).map(|(_, value)| *value);
    for name in kind.required_fields() {
        if get(name).is_none() {
            return Err(FieldProblem::Missing(name));
        }
    }
    for (name, fixed) in [("signType", "RSA"), ("version", "2.0")] {
        if kind.required_fields().contains(&name) && get(name) != Some(fixed) {
            return Err(FieldProblem::Fixed(name));
        }
    }
    for (at, (name, value)) in fields.iter().enumerate() {
        // A payload of another kind: one signed text must not be a notification here and a response there.
        if Kind::ALL.iter().any(|kind| kind.payload_field() == *name) {
            return Err(FieldProblem::OtherKind);
        }
        if kind == Kind::Response && *name == FREE_TEXT {
            if has_second_reading(value, fields.get(at + 1).map(|(next, _)| *next)) {
                return Err(FieldProblem::SecondReading);
            }
        } else if !is_plain(value) {
            return Err(FieldProblem::Character(name.chars().take(32).collect()));
        }
    }
    Ok(())
}

fn is_plain(value: &str) -> bool {
    !value.chars().any(|c| c == '&' || c == '=' || c.is_whitespace() || c.is_control())
}

/// Whether free text could be cut into a shorter text and further fields. Such fields would stand between `respMsg` and `next`
/// in the sort order, and the last of them would end where the text ends: so it is enough to look at what follows the last `&`.
fn has_second_reading(text: &str, next: Option<&str>) -> bool {
    let Some((_, last)) = text.rsplit_once('&') else { return false };
    let Some((name, value)) = last.split_once('=') else { return false };
    check_name(name).is_ok()
        && name > FREE_TEXT
        && next.is_none_or(|next| name < next)
        && !value.is_empty()
        && is_plain(value)
}

/// The signed text with holes where the session key and the payload go.
pub(crate) struct Template {
    pieces: Vec<Piece>,
}

enum Piece {
    Text(String),
    Key,
    Payload,
}

/// What the text is made of, besides the plain fields.
#[derive(Clone, Copy)]
pub(crate) struct Holes {
    /// The payload is there and takes part.
    pub(crate) payload: bool,
    /// `randomKey` is there.
    pub(crate) key: bool,
}

impl Template {
    /// `fields` are sorted and checked.
    pub(crate) fn new(kind: Kind, fields: &[(&str, &str)], holes: Holes) -> Self {
        let mut entries: Vec<(&str, Option<&str>, Piece)> =
            fields.iter().map(|(name, value)| (*name, Some(*value), Piece::Text(String::new()))).collect();
        if holes.payload {
            entries.push((kind.payload_field(), None, Piece::Payload));
        }
        if holes.key {
            entries.push(("randomKey", None, Piece::Key));
        }
        entries.sort_by_key(|(name, ..)| *name);

        let mut pieces = Vec::with_capacity(5);
        let mut text =
            String::with_capacity(fields.iter().map(|(name, value)| name.len() + value.len() + 2).sum::<usize>() + 24);
        for (at, (name, value, hole)) in entries.into_iter().enumerate() {
            if at > 0 {
                text.push('&');
            }
            text.push_str(name);
            text.push('=');
            match value {
                Some(value) => text.push_str(value),
                None => {
                    pieces.push(Piece::Text(std::mem::take(&mut text)));
                    pieces.push(hole);
                }
            }
        }
        pieces.push(Piece::Text(text));
        Self { pieces }
    }

    /// The whole text. Holds the session key and the payload.
    pub(crate) fn fill(&self, key: &str, payload: &str) -> Zeroizing<String> {
        let parts = || self.parts(key.as_bytes(), payload.as_bytes());
        let mut out = Zeroizing::new(String::with_capacity(parts().map(<[u8]>::len).sum()));
        for piece in &self.pieces {
            out.push_str(match piece {
                Piece::Text(text) => text,
                Piece::Key => key,
                Piece::Payload => payload,
            });
        }
        out
    }

    /// SHA-256 of the text whose payload is the first `payload_len` bytes of `padded`.
    ///
    /// The number of compressions does not depend on `payload_len`, which depends on a padding that an attacker must not
    /// learn about: what the text takes less than the longest one, a second hash takes.
    pub(crate) fn digest(&self, key: &[u8], padded: &[u8], payload_len: usize) -> [u8; 32] {
        let mut hash = Sha256::new();
        let mut len = 0;
        for part in self.parts(key, &padded[..payload_len]) {
            hash.update(part);
            len += part.len();
        }
        let compressions = |len: usize| (len + 9).div_ceil(64);
        let spare = compressions(len + padded.len() - payload_len) - compressions(len);
        let mut evener = Sha256::new();
        evener.update(&[0u8; 64][..64 * spare.min(1)]);
        std::hint::black_box(&evener);
        hash.finalize().into()
    }

    fn parts<'a>(&'a self, key: &'a [u8], payload: &'a [u8]) -> impl Iterator<Item = &'a [u8]> {
        self.pieces.iter().map(move |piece| match piece {
            Piece::Text(text) => text.as_bytes(),
            Piece::Key => key,
            Piece::Payload => payload,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn free_text_must_not_read_as_a_further_field() {
        for (text, next, expected) in [
            ("got a=b&c", Some("signType"), false),
            ("x&retry=1", Some("signType"), true),
            ("x&retry=", Some("signType"), false),
            ("x&retry=1=2", Some("signType"), false),
            ("x&retry=1 2", Some("signType"), false),
            ("x&attempts=1", Some("signType"), false),
            ("x&traceId=1", Some("signType"), false),
            ("x&retry=1&more", Some("signType"), false),
            ("x&respMsgX=1", Some("respMsgW"), false),
            ("x&respMsgV=1", Some("respMsgW"), true),
            ("retry=1", Some("signType"), false),
            ("&retry=1", Some("signType"), true),
        ] {
            assert_eq!(expected, has_second_reading(text, next), "{text} before {next:?}");
        }
    }
}
