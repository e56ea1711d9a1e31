//! The signed text: `name=value` of all non-empty fields, sorted, joined with `&`.
//!
//! The text is not an encoding: values may hold `&` and `=`, so one signed text could be cut into several messages. The rules
//! here leave a single reading, for the sender and for the receiver alike:
//!
//! - a name is `[A-Za-z][A-Za-z0-9_]*`;
//! - no value but the payload and `respMsg` holds `&`, `=`, white space or a control character;
//! - no field has the name of another kind's payload;
//! - the payload is one complete JSON object, which no other cut of the text can be (checked once it is authentic, see
//!   below);
//! - `respMsg` does not end in what reads as a field that could stand between it and the next one.
//!
//! # Where the payload starts and ends
//!
//! The payload may hold any `&` and `=`, so the text could be cut behind a shorter payload or behind a longer one that
//! swallows fields.
//!
//! - It starts at one place. All fields before it have plain values, and no plain field has the name of a payload. So
//!   the first piece between two `&` that begins with the payload's name and `=` is the payload's.
//! - It ends at one place. Where it starts, the signed text goes on with an object and the fields behind it, and
//!   [`paytend_json::object_end`] finds the end in **that text**, not in the piece that a document presents as its
//!   payload: the end is a function of the signed text. A payload of any other length is refused
//!   ([`Template::payload_end`]).
//! - A strict JSON object ends there, too. The scanner takes all of strict JSON, reads from left to right and stops at
//!   the first bracket that closes the object; a field behind it starts with `&`, which ends the white space. So
//!   sealing, which is strict, and opening, which takes strings that are not, agree on every message that can be
//!   sealed.
//!
//! An unsigned payload is not part of the text, and not authentic. Only strict JSON is taken there.

use paytend_json::Flaw;
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

/// The signed text without the session key and the payload, and where they go. The plain fields are read from it, too.
pub(crate) struct Template {
    text: String,
    /// Where each plain field's name starts, its value starts, and its value ends.
    fields: Vec<[usize; 3]>,
    key_at: Option<usize>,
    payload_at: Option<usize>,
}

/// What the text is made of, besides the plain fields.
#[derive(Clone, Copy)]
pub(crate) struct Holes {
    /// The payload is there and takes part.
    pub(crate) payload: bool,
    /// `randomKey` is there.
    pub(crate) key: bool,
}

#[derive(Clone, Copy)]
enum Hole {
    Key,
    Payload,
}

impl Template {
    /// `fields` are sorted and checked.
    pub(crate) fn new(kind: Kind, fields: &[(&str, &str)], holes: Holes) -> Self {
        let length: usize = fields.iter().map(|(name, value)| name.len() + value.len() + 2).sum();
        let mut template = Self {
            text: String::with_capacity(length + 24),
            fields: Vec::with_capacity(fields.len()),
            key_at: None,
            payload_at: None,
        };
        let mut waiting = [(kind.payload_field(), Hole::Payload, holes.payload), ("randomKey", Hole::Key, holes.key)];
        waiting.sort_unstable_by_key(|(name, ..)| *name);
        let mut waiting = waiting.into_iter().filter(|(.., there)| *there).peekable();
        for (name, value) in fields {
            while let Some((hole_name, hole, _)) = waiting.next_if(|(hole_name, ..)| hole_name < name) {
                template.leave(hole_name, hole);
            }
            let name_at = template.begin(name);
            let value_at = template.text.len();
            template.text.push_str(value);
            template.fields.push([name_at, value_at, template.text.len()]);
        }
        for (hole_name, hole, _) in waiting {
            template.leave(hole_name, hole);
        }
        template
    }

    /// Starts a field: `&` if it is not the first, its name, `=`. Gives where the name starts.
    fn begin(&mut self, name: &str) -> usize {
        if !self.text.is_empty() {
            self.text.push('&');
        }
        let at = self.text.len();
        self.text.push_str(name);
        self.text.push('=');
        at
    }

    /// Starts a field whose value comes later, and notes its place.
    fn leave(&mut self, name: &str, hole: Hole) {
        self.begin(name);
        let at = Some(self.text.len());
        match hole {
            Hole::Key => self.key_at = at,
            Hole::Payload => self.payload_at = at,
        }
    }

    /// The plain fields, sorted by name.
    pub(crate) fn fields(&self) -> impl Iterator<Item = (&str, &str)> {
        self.fields.iter().map(|[name, value, end]| (&self.text[*name..value - 1], &self.text[*value..*end]))
    }

    /// The whole text. Holds the session key and the payload.
    pub(crate) fn fill(&self, key: &[u8], payload: &[u8]) -> Zeroizing<Vec<u8>> {
        let [(first_at, first), (second_at, second)] = self.fillings(key, payload);
        let text = self.text.as_bytes();
        // Sized once: growing would leave copies of the session key behind.
        let mut out = Zeroizing::new(Vec::with_capacity(text.len() + first.len() + second.len()));
        for part in [&text[..first_at], first, &text[first_at..second_at], second, &text[second_at..]] {
            out.extend_from_slice(part);
        }
        out
    }

    /// Returns where the object that starts at the payload's place in the signed text ends, counted from there; `None`
    /// if the payload is not signed.
    pub(crate) fn payload_end(&self, key: &[u8], payload: &[u8]) -> Option<Result<usize, Flaw>> {
        let payload_at = self.payload_at?;
        let key_len = self.key_at.filter(|key_at| *key_at < payload_at).map_or(0, |_| key.len());
        Some(paytend_json::object_end(&self.fill(key, payload)[payload_at + key_len..]))
    }

    /// What goes where, in order; nothing at the end for a hole that is not there.
    fn fillings<T: Default>(&self, key: T, payload: T) -> [(usize, T); 2] {
        let place = |at: Option<usize>, content| at.map_or_else(|| (self.text.len(), T::default()), |at| (at, content));
        let (key, payload) = (place(self.key_at, key), place(self.payload_at, payload));
        if key.0 < payload.0 { [key, payload] } else { [payload, key] }
    }

    /// SHA-256 of the text whose payload is the first `payload_len` bytes of `padded`.
    ///
    /// The number of compressions does not depend on `payload_len`, which depends on a padding that an attacker must not
    /// learn about: what the text takes less than the longest one, a second hash takes.
    pub(crate) fn digest(&self, key: &[u8], padded: &[u8], payload_len: usize) -> [u8; 32] {
        let [(first_at, first), (second_at, second)] = self.fillings(key, &padded[..payload_len]);
        let text = self.text.as_bytes();
        let mut hash = Sha256::new();
        for part in [&text[..first_at], first, &text[first_at..second_at], second, &text[second_at..]] {
            hash.update(part);
        }
        let len = text.len() + first.len() + second.len();
        let compressions = |len: usize| (len + 9).div_ceil(64);
        let spare = compressions(len + padded.len() - payload_len) - compressions(len);
        let mut evener = Sha256::new();
        evener.update(&[0u8; 64][..64 * spare.min(1)]);
        std::hint::black_box(&evener);
        hash.finalize().into()
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

    #[test]
    fn holes_stand_where_their_names_sort() {
        let fields = [("aa", "1"), ("partnerId", "2"), ("respCode", "3"), ("zz", "4")];
        for (kind, holes, expected) in [
            (Kind::Request, (true, true), "aa=1&bizData=P&partnerId=2&randomKey=K&respCode=3&zz=4"),
            (Kind::Response, (true, true), "aa=1&partnerId=2&randomKey=K&respCode=3&respData=P&zz=4"),
            (Kind::Notification, (true, false), "aa=1&content=P&partnerId=2&respCode=3&zz=4"),
            (Kind::Response, (false, true), "aa=1&partnerId=2&randomKey=K&respCode=3&zz=4"),
            (Kind::Response, (false, false), "aa=1&partnerId=2&respCode=3&zz=4"),
        ] {
            let template = Template::new(kind, &fields, Holes { payload: holes.0, key: holes.1 });
            assert_eq!(*template.fill(b"K", b"P"), expected.as_bytes());
            assert!(template.fields().eq(fields), "{expected}");
            assert_eq!(template.digest(b"K", b"PADDING", 1), <[u8; 32]>::from(Sha256::digest(expected)));
        }
        // Holes before all fields, and after.
        let template = Template::new(Kind::Response, &[("randomKex", "1")], Holes { payload: true, key: true });
        assert_eq!(*template.fill(b"K", b"P"), *b"randomKex=1&randomKey=K&respData=P");
        let template = Template::new(Kind::Request, &[("zz", "1")], Holes { payload: true, key: true });
        assert_eq!(*template.fill(b"K", b"P"), *b"bizData=P&randomKey=K&zz=1");
    }
}
