//! The signed text: all non-empty fields as `name=value`, sorted by name and joined with `&`.
//!
//! Without further rules, this text would be ambiguous: values can contain `&` and `=`, so one signed text could be
//! split into fields in several ways. The rules here make it unambiguous, for the sender and for the receiver:
//!
//! - a name is `[A-Za-z][A-Za-z0-9_]*`;
//! - no value except the payload and `respMsg` contains `&`, `=`, whitespace or a control character;
//! - no field has the name that the payload has in another kind of message;
//! - the payload is one complete JSON object, whose end is determined by the text alone (checked after verification,
//!   see below);
//! - `respMsg` does not end in `&name=value` if that could be a separate field, sorted right after `respMsg`.
//!
//! # Where the payload starts and ends
//!
//! The payload can contain `&` and `=` anywhere. An attacker could therefore try to present a shorter payload, or a
//! longer payload that includes other fields.
//!
//! - The start is unambiguous. All fields before the payload have plain values, and no plain field has the name of a
//!   payload field. If the text is split at every `&`, the payload therefore starts at the first part that begins with
//!   the payload's name and `=`.
//! - The end is unambiguous. [`paytend_json::object_end`] finds the end of the object in the **signed text**, not in
//!   the payload field of a document, so the end depends only on the signed text. A payload of any other length is
//!   refused ([`Template::payload_end`]).
//! - For a strict JSON object, a strict parser finds the same end. The scanner accepts all strict JSON, reads from left
//!   to right and stops after the brace that closes the object and any whitespace that follows it. The next field
//!   starts with `&`, which is not whitespace. Sealing accepts only strict JSON, while opening also accepts lenient
//!   strings. Both find the same end in every message that can be sealed.
//!
//! An unsigned payload is not part of the signed text, so its authenticity is unknown. It must be strict JSON.

use paytend_json::Flaw;
use sha2::{Digest, Sha256};
use zeroize::Zeroizing;

use crate::envelope::json::MAX_FIELDS;
use crate::envelope::message::Kind;
use crate::error::FieldProblem;

/// The only field besides the payload that can contain free text.
const FREE_TEXT: &str = "respMsg";

/// Refuses a name that is not a letter followed by letters, digits or `_`. A name with other characters could be
/// mistaken for part of a value.
pub(crate) fn check_name(name: &str) -> Result<(), FieldProblem> {
    let mut bytes = name.bytes();
    let good = bytes.next().is_some_and(|first| first.is_ascii_alphabetic())
        && bytes.all(|byte| byte.is_ascii_alphanumeric() || byte == b'_');
    if good { Ok(()) } else { Err(FieldProblem::Name) }
}

/// Checks the plain fields of a message. They must be non-empty and sorted by name, and their names must already be
/// checked. The payload, `randomKey` and `signature` must not be included.
pub(crate) fn check_fields(kind: Kind, fields: &[(&str, &str)]) -> Result<(), FieldProblem> {
    debug_assert!(fields.is_sorted_by(|a, b| a.0 < b.0));
    let get = |name: &str| fields.iter().find(|(known, _)| *known == name).map(|(_, value)| *value);
    // The receiver's limit applies to all fields of the document, including the payload, `randomKey` and `signature`.
    if fields.len() > MAX_FIELDS - 3 {
        return Err(FieldProblem::TooMany { count: fields.len(), limit: MAX_FIELDS - 3 });
    }
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
        // Otherwise, the same signed text could be both a notification and a response.
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

/// Returns whether `text`, the value of `respMsg`, could be read as a shorter value followed by other fields, for
/// example `x&retry=1`. Such fields would be sorted between `respMsg` and the field `next`. The last of them would end
/// at the end of `text`, so only the part after the last `&` is checked.
fn has_second_reading(text: &str, next: Option<&str>) -> bool {
    let Some((_, last)) = text.rsplit_once('&') else { return false };
    let Some((name, value)) = last.split_once('=') else { return false };
    check_name(name).is_ok()
        && name > FREE_TEXT
        && next.is_none_or(|next| name < next)
        && !value.is_empty()
        && is_plain(value)
}

/// The signed text without the values of the session key and the payload, and the positions at which these values are
/// inserted. The values of the plain fields are read from this text too.
pub(crate) struct Template {
    text: String,
    /// For each plain field, the offsets of the start of its name, the start of its value and the end of its value.
    fields: Vec<[usize; 3]>,
    key_at: Option<usize>,
    payload_at: Option<usize>,
}

/// Which values a template has in addition to the plain fields.
#[derive(Clone, Copy)]
pub(crate) struct Insertions {
    /// Whether the signed text contains a payload.
    pub(crate) payload: bool,
    /// Whether the signed text contains a `randomKey`.
    pub(crate) key: bool,
}

#[derive(Clone, Copy)]
enum Insertion {
    Key,
    Payload,
}

impl Template {
    /// Creates a template. `fields` must be sorted by name and already checked.
    pub(crate) fn new(kind: Kind, fields: &[(&str, &str)], insertions: Insertions) -> Self {
        let length: usize = fields.iter().map(|(name, value)| name.len() + value.len() + 2).sum();
        let mut template = Self {
            text: String::with_capacity(length + 24),
            fields: Vec::with_capacity(fields.len()),
            key_at: None,
            payload_at: None,
        };
        let mut waiting = [
            (kind.payload_field(), Insertion::Payload, insertions.payload),
            ("randomKey", Insertion::Key, insertions.key),
        ];
        waiting.sort_unstable_by_key(|(name, ..)| *name);
        let mut waiting = waiting.into_iter().filter(|(.., there)| *there).peekable();
        for (name, value) in fields {
            while let Some((inserted, insertion, _)) = waiting.next_if(|(inserted, ..)| inserted < name) {
                template.begin_insertion(inserted, insertion);
            }
            let name_at = template.begin(name);
            let value_at = template.text.len();
            template.text.push_str(value);
            template.fields.push([name_at, value_at, template.text.len()]);
        }
        for (inserted, insertion, _) in waiting {
            template.begin_insertion(inserted, insertion);
        }
        template
    }

    /// Writes the start of a field: `&` (except before the first field), the name and `=`. Returns the offset of the
    /// name.
    fn begin(&mut self, name: &str) -> usize {
        if !self.text.is_empty() {
            self.text.push('&');
        }
        let at = self.text.len();
        self.text.push_str(name);
        self.text.push('=');
        at
    }

    /// Starts a field whose value is inserted later, and records the position of the value.
    fn begin_insertion(&mut self, name: &str, insertion: Insertion) {
        self.begin(name);
        let at = Some(self.text.len());
        match insertion {
            Insertion::Key => self.key_at = at,
            Insertion::Payload => self.payload_at = at,
        }
    }

    /// Returns the plain fields, sorted by name.
    pub(crate) fn fields(&self) -> impl Iterator<Item = (&str, &str)> {
        self.fields.iter().map(|[name, value, end]| (&self.text[*name..value - 1], &self.text[*value..*end]))
    }

    /// Returns the complete signed text, which contains the session key and the payload.
    pub(crate) fn fill(&self, key: &[u8], payload: &[u8]) -> Zeroizing<Vec<u8>> {
        let [(first_at, first), (second_at, second)] = self.insertions(key, payload);
        let text = self.text.as_bytes();
        // The buffer is allocated once, because growing it would leave copies of the session key in memory.
        let mut out = Zeroizing::new(Vec::with_capacity(text.len() + first.len() + second.len()));
        for part in [&text[..first_at], first, &text[first_at..second_at], second, &text[second_at..]] {
            out.extend_from_slice(part);
        }
        out
    }

    /// Returns the length of the object that starts at the payload's position in the signed text. Returns `None` if the
    /// payload is not signed.
    pub(crate) fn payload_end(&self, key: &[u8], payload: &[u8]) -> Option<Result<usize, Flaw>> {
        let payload_at = self.payload_at?;
        let key_len = self.key_at.filter(|key_at| *key_at < payload_at).map_or(0, |_| key.len());
        Some(paytend_json::object_end(&self.fill(key, payload)[payload_at + key_len..]))
    }

    /// Returns the positions and values to insert, in order. For a missing key or payload, returns an empty value at
    /// the end of the text.
    fn insertions<T: Default>(&self, key: T, payload: T) -> [(usize, T); 2] {
        let place = |at: Option<usize>, content| at.map_or_else(|| (self.text.len(), T::default()), |at| (at, content));
        let (key, payload) = (place(self.key_at, key), place(self.payload_at, payload));
        if key.0 < payload.0 { [key, payload] } else { [payload, key] }
    }

    /// Returns the SHA-256 of the text whose payload is the first `payload_len` bytes of `padded`.
    ///
    /// `payload_len` depends on the padding, which must stay secret. The function therefore always performs as many
    /// SHA-256 compressions as the longest possible text needs. If the text is shorter, a second hash performs the
    /// remaining compressions.
    pub(crate) fn digest(&self, key: &[u8], padded: &[u8], payload_len: usize) -> [u8; 32] {
        let [(first_at, first), (second_at, second)] = self.insertions(key, &padded[..payload_len]);
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
    fn free_text_that_could_be_read_as_a_field_is_detected() {
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
    fn payload_and_key_are_sorted_among_the_plain_fields() {
        let fields = [("aa", "1"), ("partnerId", "2"), ("respCode", "3"), ("zz", "4")];
        for (kind, (payload, key), expected) in [
            (Kind::Request, (true, true), "aa=1&bizData=P&partnerId=2&randomKey=K&respCode=3&zz=4"),
            (Kind::Response, (true, true), "aa=1&partnerId=2&randomKey=K&respCode=3&respData=P&zz=4"),
            (Kind::Notification, (true, false), "aa=1&content=P&partnerId=2&respCode=3&zz=4"),
            (Kind::Response, (false, true), "aa=1&partnerId=2&randomKey=K&respCode=3&zz=4"),
            (Kind::Response, (false, false), "aa=1&partnerId=2&respCode=3&zz=4"),
        ] {
            let template = Template::new(kind, &fields, Insertions { payload, key });
            assert_eq!(*template.fill(b"K", b"P"), expected.as_bytes());
            assert!(template.fields().eq(fields), "{expected}");
            assert_eq!(template.digest(b"K", b"PADDING", 1), <[u8; 32]>::from(Sha256::digest(expected)));
        }
        // The first text has its plain field before the key and the payload, and the second text has it after them.
        let template = Template::new(Kind::Response, &[("randomKex", "1")], Insertions { payload: true, key: true });
        assert_eq!(*template.fill(b"K", b"P"), *b"randomKex=1&randomKey=K&respData=P");
        let template = Template::new(Kind::Request, &[("zz", "1")], Insertions { payload: true, key: true });
        assert_eq!(*template.fill(b"K", b"P"), *b"bizData=P&randomKey=K&zz=1");
    }
}
