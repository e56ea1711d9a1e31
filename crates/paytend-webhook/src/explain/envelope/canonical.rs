//! The canonical string that an envelope's sender must sign, and other strings that the sender may have signed instead.

use paytend_crypto::Kind;
use percent_encoding::{NON_ALPHANUMERIC, percent_encode};
use sha2::{Digest as _, Sha256};
use zeroize::Zeroizing;

use super::document::Document;
use super::fields::{Field, Fields, TryFields, sorted};
use super::values;
use crate::explain::finding::TextChange;
use crate::explain::search::{Search, Target};
use crate::explain::signature::{ExpectedText, Searched};

/// The canonical string of a message, and its parts.
pub(super) struct Canonical<'a> {
    document: &'a Document,
    kind: Kind,
    payload_signed: bool,
    /// All fields that could be signed, with their plaintext values. Empty fields are left out.
    fields: Fields,
    payload: &'a [u8],
    partner_id: Option<&'a str>,
}

/// A function that tests a string that the sender may have signed. The second argument lists the string's differences
/// from the canonical string. The function returns whether the search is finished.
type TryOne<'a> = &'a mut dyn FnMut(Zeroizing<Vec<u8>>, Vec<TextChange>) -> bool;

/// Maximum number of bytes hashed while the fields are varied. After that, the search varies the payload's
/// serialization.
const MAX_HASHED: usize = 32 << 20;

/// The search varies individual fields only in messages with at most this many fields.
const MAX_FIELDS: usize = 32;

impl<'a> Canonical<'a> {
    pub(super) fn new(kind: Kind, payload_signed: bool, document: &'a Document, key: &[u8], payload: &'a [u8]) -> Self {
        let mut this = Self { document, kind, payload_signed, fields: Vec::new(), payload, partner_id: None };
        this.fields = this.all(key).into_iter().filter(|(_, value)| !value.is_empty()).collect();
        this
    }

    /// Sets the partner ID that the message should contain.
    pub(super) fn partner_id(mut self, id: Option<&'a str>) -> Self {
        self.partner_id = id;
        self
    }

    /// Returns the fields that may be signed, including empty fields.
    fn all(&self, key: &[u8]) -> Fields {
        let signed = self.document.0.iter().filter(|(name, _)| name != "signature" && name != "encryptFlag");
        signed
            .map(|(name, value)| {
                let plain = match name.as_str() {
                    "randomKey" => key,
                    name if name == self.kind.payload_field() => self.payload,
                    _ => value.as_bytes(),
                };
                (name.clone(), Zeroizing::new(plain.to_vec()))
            })
            .collect()
    }

    /// Returns the fields that should be signed.
    fn regular(&self) -> Fields {
        if self.payload_signed { self.fields.clone() } else { self.without(self.kind.payload_field()) }
    }

    fn without(&self, name: &str) -> Fields {
        self.fields.iter().filter(|(known, _)| known != name).cloned().collect()
    }

    /// Returns the fields that may be signed. The fields in `names` keep their encrypted values from the document.
    fn on_the_wire(&self, names: &[&str]) -> Fields {
        let value = |name: &String, plain: &Zeroizing<Vec<u8>>| match self.document.get(name) {
            Some(wire) if names.contains(&name.as_str()) => Zeroizing::new(wire.as_bytes().to_vec()),
            _ => plain.clone(),
        };
        self.fields.iter().map(|(name, plain)| (name.clone(), value(name, plain))).collect()
    }

    pub(super) fn here(&self) -> ExpectedText {
        let fields = sorted(self.regular());
        let mut end = 0;
        let ends = fields.iter().map(|(name, value)| {
            end += name.len() + value.len() + 2;
            // If the signed value is longer or shorter, the texts may first differ at the `&` after the value. The `&`
            // therefore counts as part of the field.
            (end, name.clone())
        });
        ExpectedText { fields: ends.collect(), bytes: joined(&fields, b"") }
    }

    /// Searches for the text that the sender signed. This text may have different fields, or a different serialization
    /// of the payload.
    pub(super) fn search(&self, key: &[u8], digest: [u8; 32]) -> Searched {
        let (mut found, mut left) = (None, MAX_HASHED);
        self.others(key, &mut |bytes, changes| {
            left = left.saturating_sub(bytes.len());
            if Sha256::digest(&*bytes)[..] == digest {
                found = Some((bytes, changes));
            }
            found.is_some() || left == 0
        });
        if let Some((bytes, changes)) = found {
            return Searched::Found(bytes, changes);
        }
        self.search_payload(digest)
    }

    /// Searches for the serialization of the payload that the sender signed.
    fn search_payload(&self, digest: [u8; 32]) -> Searched {
        let here = Zeroizing::new(self.payload.to_vec());
        let fields = sorted(self.regular());
        let payload = self.kind.payload_field();
        let Some(at) = fields.iter().position(|(name, _)| name == payload).filter(|_| !here.is_empty()) else {
            return Searched::NotFound(here);
        };
        let mut before = joined(&fields[..at], b"");
        if at > 0 {
            before.push(b'&');
        }
        before.extend_from_slice(payload.as_bytes());
        before.push(b'=');
        let mut after = Zeroizing::new(Vec::new());
        if at + 1 < fields.len() {
            after.push(b'&');
            after.extend_from_slice(&joined(&fields[at + 1..], b""));
        }
        let mut search = Search::new(Target::new(&before, &after, digest));
        match search.run(self.payload) {
            Some(found) => {
                let text = Zeroizing::new([&before[..], &found.text, &after].concat());
                Searched::Found(text, found.changes.into_iter().map(TextChange::Bytes).collect())
            }
            None if search.was_cut() => Searched::Spent(here),
            None => Searched::NotFound(here),
        }
    }

    /// Calls `try_one` with each of the other strings that the sender may have signed, until `try_one` returns `true`.
    /// Returns whether it did.
    fn others(&self, key: &[u8], try_one: TryOne<'_>) -> bool {
        let payload = self.kind.payload_field();
        let mut attempt = |fields: &[Field], end: &[u8], changes| try_one(joined(fields, end), changes);
        let (other, change) = if self.payload_signed {
            (self.without(payload), TextChange::PayloadLeftOut)
        } else {
            (self.fields.clone(), TextChange::PayloadSigned)
        };
        let regular = self.regular();
        let flag = self.document.0.iter().filter(|(name, _)| name == "encryptFlag");
        let flag = flag.map(|(name, value)| (name.clone(), Zeroizing::new(value.clone().into_bytes())));
        let encoded = regular.iter().map(|(name, value)| {
            (name.clone(), Zeroizing::new(percent_encode(value, NON_ALPHANUMERIC).to_string().into_bytes()))
        });
        let mut by_case = regular.clone();
        by_case.sort_by_key(|(name, _)| name.to_lowercase());
        let mut reversed = sorted(regular.clone());
        reversed.reverse();
        let found = attempt(&sorted(other), b"", vec![change])
            || attempt(&sorted(self.on_the_wire(&[payload])), b"", vec![TextChange::PayloadEncrypted])
            || attempt(&sorted(self.on_the_wire(&["randomKey"])), b"", vec![TextChange::KeyEncrypted])
            || attempt(&sorted(self.on_the_wire(&[payload, "randomKey"])), b"", vec![TextChange::BothEncrypted])
            || attempt(&sorted(self.without("randomKey")), b"", vec![TextChange::KeyLeftOut])
            || attempt(&sorted(self.all(key)), b"", vec![TextChange::EmptyFields])
            || attempt(&sorted(regular.iter().cloned().chain(flag).collect()), b"", vec![TextChange::EncryptFlag])
            || attempt(&regular, b"", vec![TextChange::FieldOrder])
            || attempt(&by_case, b"", vec![TextChange::FieldOrder])
            || attempt(&reversed, b"", vec![TextChange::FieldOrder])
            || attempt(&sorted(regular.clone()), b"&", vec![TextChange::LastAmpersand])
            || attempt(&sorted(regular.clone()), b"\n", vec![TextChange::LastNewline])
            || attempt(&sorted(encoded.collect()), b"", vec![TextChange::PercentEncoded]);
        let renamed = |other: &Kind| {
            let name = |name: &String| if name == payload { other.payload_field().to_owned() } else { name.clone() };
            regular.iter().map(|(known, value)| (name(known), value.clone())).collect::<Fields>()
        };
        let mut other_kinds = Kind::ALL.iter().filter(|other| **other != self.kind);
        found
            || other_kinds.any(|other| {
                attempt(&sorted(renamed(other)), b"", vec![TextChange::PayloadName(other.payload_field())])
            })
            || (regular.len() <= MAX_FIELDS
                && (self.one_by_one(&regular, &mut attempt)
                    || values::others(self.kind, &regular, self.partner_id, &mut attempt)))
    }

    /// Tries leaving out each field and swapping the values of each pair of fields.
    fn one_by_one(&self, regular: &Fields, attempt: TryFields<'_>) -> bool {
        let small = |name: &str| name != self.kind.payload_field() && name != "randomKey";
        (0..regular.len()).any(|one| {
            let name = &regular[one].0;
            let rest: Fields = regular.iter().filter(|(known, _)| known != name).cloned().collect();
            (small(name) && attempt(&sorted(rest), b"", vec![TextChange::NotSigned(name.clone())]))
                || (one + 1..regular.len()).any(|other| {
                    let mut swapped = regular.clone();
                    (swapped[one].1, swapped[other].1) = (regular[other].1.clone(), regular[one].1.clone());
                    let change = TextChange::Swapped(name.clone(), regular[other].0.clone());
                    attempt(&sorted(swapped), b"", vec![change])
                })
        })
    }
}

fn joined(fields: &[Field], end: &[u8]) -> Zeroizing<Vec<u8>> {
    let length: usize = fields.iter().map(|(name, value)| name.len() + value.len() + 2).sum();
    let mut out = Zeroizing::new(Vec::with_capacity(length + end.len()));
    for (at, (name, value)) in fields.iter().enumerate() {
        if at > 0 {
            out.push(b'&');
        }
        out.extend_from_slice(name.as_bytes());
        out.push(b'=');
        out.extend_from_slice(value);
    }
    out.extend_from_slice(end);
    out
}
