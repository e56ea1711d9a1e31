//! Paytend's envelope, read as leniently as can be.

use std::fmt;

use ::base64::Engine as _;
use ::base64::engine::general_purpose::STANDARD;
use paytend_crypto::hazmat::{decrypt_blocks, decrypt_payload};
use paytend_crypto::{Error, Expected, Kind};
use percent_encoding::{NON_ALPHANUMERIC, percent_decode, percent_encode};
use serde::de::{Deserializer, MapAccess, Visitor};
use serde_json::Value;
use zeroize::Zeroizing;

use super::change::Candidates;
use super::{Explanation, Finding, Here, KeyShelf, Text, TextChange, Wrapping, base64, explain_signature, list};

pub(super) fn explain(kind: Kind, payload_signed: bool, body: &[u8], keys: &KeyShelf, explanation: &mut Explanation) {
    let mut expected = match &keys.partner_id {
        Some(id) if kind == Kind::Notification => Expected::notification(id),
        Some(id) if kind == Kind::Request => Expected::request(id),
        _ => Expected::danger_any_partner(kind),
    }
    .max_bytes(keys.max_bytes.unwrap_or(kind.default_max_bytes()));
    if !payload_signed {
        expected = expected.unsigned_payload();
    }
    match keys.keyring().map(|keyring| keyring.open(body, &expected)) {
        Some(Ok(opened)) => {
            explanation.authentic = true;
            if let Some(problem) = opened.payload_problem() {
                explanation.find(Finding::PayloadJson(problem.to_string()));
            }
            let text = opened.canonical();
            (explanation.here, explanation.signed) = (Some(text.clone()), Some(text));
            return;
        }
        Some(Err(Error::Malformed(flaw))) => explanation.find(Finding::Malformed(flaw)),
        Some(Err(Error::Payload(problem))) => explanation.find(Finding::PayloadJson(problem.to_string())),
        Some(Err(Error::UnsignedFailure(_))) => {
            explanation.find(Finding::UnsignedFailure);
            return;
        }
        _ => {}
    }
    let Some(document) = Document::unwrapped(body, explanation) else { return };
    let document = &document;
    for (name, expected) in
        [("signType", Some("RSA")), ("version", Some("2.0")), ("partnerId", keys.partner_id.as_deref())]
    {
        let found = document.get(name);
        if let (Some(found), Some(expected)) = (found, expected)
            && !(name == "version" && kind == Kind::Response)
            && found != expected
        {
            explanation.find(Finding::OtherValue(name));
        }
    }

    let session_key = document.get("randomKey").and_then(|wire| {
        let encrypted = base64::decode("randomKey", wire, explanation)?;
        decrypt_key(&encrypted, keys, explanation)
    });
    let payload = match document.get(kind.payload_field()) {
        None => Some(Zeroizing::new(Vec::new())),
        Some(wire) => {
            let encrypted = base64::decode(kind.payload_field(), wire, explanation);
            encrypted.zip(session_key.as_ref()).and_then(|(encrypted, key)| decrypt_data(&encrypted, key, explanation))
        }
    };
    let Some(wire) = document.get("signature") else {
        explanation.find(Finding::Absent("signature"));
        return;
    };
    let Some(signature) = base64::decode("signature", wire, explanation) else { return };
    // A response may come without data, and then without a key.
    let key_at_hand = session_key.is_some() || document.get("randomKey").is_none();
    let key = session_key.as_deref().map(Vec::as_slice).unwrap_or_default();
    let payload = payload.as_deref().filter(|_| key_at_hand);
    let canonical = payload.map(|payload| Canonical::new(kind, payload_signed, document, key, payload));
    let here = canonical.as_ref().map(Canonical::here);
    let others =
        || |try_one: &mut dyn FnMut(Text) -> bool| canonical.as_ref().is_some_and(|it| it.others(key, try_one));
    explain_signature(&signature, here, others, keys, explanation);
}

/// A document's top-level fields, in their order, as text.
struct Document(Vec<(String, String)>);

impl Document {
    /// Reads a document, if need be out of what is around it.
    fn unwrapped(body: &[u8], explanation: &mut Explanation) -> Option<Self> {
        // One is taken when a message is opened.
        let mut body = body.strip_prefix(b"\xEF\xBB\xBF").unwrap_or(body).to_vec();
        for _ in 0..3 {
            if let Some(document) = Self::read(&body) {
                return Some(document);
            }
            let (wrapping, inner) = unwrap(&body)?;
            explanation.find(Finding::Wrapped(wrapping));
            body = inner;
        }
        None
    }

    fn read(body: &[u8]) -> Option<Self> {
        struct Fields;
        impl<'de> Visitor<'de> for Fields {
            type Value = Vec<(String, String)>;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("an object")
            }

            fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Self::Value, A::Error> {
                let mut fields = Vec::new();
                while let Some((name, value)) = map.next_entry::<String, Value>()? {
                    let text = match value {
                        Value::String(text) => text,
                        Value::Null => String::new(),
                        other => other.to_string(),
                    };
                    fields.push((name, text));
                }
                Ok(fields)
            }
        }
        let text = std::str::from_utf8(body).ok()?;
        serde_json::Deserializer::from_str(text.trim_ascii()).deserialize_map(Fields).ok().map(Self)
    }

    /// A field that is not empty.
    fn get(&self, name: &str) -> Option<&str> {
        self.0.iter().find(|(known, value)| known == name && !value.is_empty()).map(|(_, value)| value.as_str())
    }
}

fn unwrap(body: &[u8]) -> Option<(Wrapping, Vec<u8>)> {
    if let Some(bare) = body.strip_prefix(b"\xEF\xBB\xBF") {
        return Some((Wrapping::ByteOrderMark, bare.to_vec()));
    }
    if let Ok(inner) = serde_json::from_slice::<String>(body) {
        return Some((Wrapping::JsonString, inner.into_bytes()));
    }
    let start = body.iter().position(|byte| *byte == b'%' || *byte == b'{')?;
    let decoded: Vec<u8> = percent_decode(&body[start..]).collect();
    if body[start] == b'%' && decoded.starts_with(b"{") {
        return Some((Wrapping::PercentEncoding, decoded));
    }
    if std::str::from_utf8(body).is_err() {
        let (text, _) = encoding_rs::WINDOWS_1252.decode_without_bom_handling(body);
        return Some((Wrapping::Charset, text.into_owned().into_bytes()));
    }
    None
}

fn decrypt_key(encrypted: &[u8], keys: &KeyShelf, explanation: &mut Explanation) -> Option<Zeroizing<Vec<u8>>> {
    let order = keys.private.iter().filter(|own| own.expected).chain(keys.private.iter().filter(|own| !own.expected));
    let found = order.filter_map(|own| decrypt_blocks(&*own.key, encrypted).ok().map(|key| (own, key))).next();
    let Some((own, key)) = found else {
        let sizes: Vec<usize> =
            keys.private.iter().filter(|own| own.expected).map(|own| own.key.public_key().size()).collect();
        explanation.find(Finding::EncryptedForUnknown { bytes: encrypted.len(), expected: list(&sizes) });
        return None;
    };
    if !own.expected {
        explanation.find(Finding::EncryptedForOther(own.name.clone()));
    }
    if key.len() != 24 || STANDARD.decode(&*key).is_err() {
        explanation.find(Finding::SessionKey(key.len()));
    }
    Some(key)
}

fn decrypt_data(encrypted: &[u8], key: &[u8], explanation: &mut Explanation) -> Option<Zeroizing<Vec<u8>>> {
    let is_json = |plain: &Zeroizing<Vec<u8>>| serde_json::from_slice::<serde::de::IgnoredAny>(plain).is_ok();
    let direct = decrypt_payload(key, encrypted);
    if let Some(plain) = direct.as_ref().filter(|plain| is_json(plain)) {
        return Some(plain.clone());
    }
    let decoded = STANDARD.decode(key).ok().map(Zeroizing::new).and_then(|key| decrypt_payload(&key, encrypted));
    if let Some(plain) = decoded.filter(is_json) {
        explanation.find(Finding::Aes128);
        return Some(plain);
    }
    // A padding that is right by chance, or a payload in another charset: the signature will tell.
    if direct.is_none() {
        explanation.find(Finding::Payload);
    }
    direct
}

/// The canonical string of a message, and its parts.
struct Canonical<'a> {
    document: &'a Document,
    kind: Kind,
    payload_signed: bool,
    /// All fields that could take part, with their plain values; empty ones left out.
    fields: Fields,
    payload: &'a [u8],
}

type Fields = Vec<(String, Zeroizing<Vec<u8>>)>;

/// Beyond so many fields, one by one is not tried.
const MANY: usize = 32;

impl<'a> Canonical<'a> {
    fn new(kind: Kind, payload_signed: bool, document: &'a Document, key: &[u8], payload: &'a [u8]) -> Self {
        let mut this = Self { document, kind, payload_signed, fields: Vec::new(), payload };
        this.fields = this.all(key).into_iter().filter(|(_, value)| !value.is_empty()).collect();
        this
    }

    /// The fields that may take part, empty ones too.
    fn all(&self, key: &[u8]) -> Fields {
        let taking_part = self.document.0.iter().filter(|(name, _)| name != "signature" && name != "encryptFlag");
        taking_part
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

    /// Those that should take part.
    fn regular(&self) -> Fields {
        if self.payload_signed { self.fields.clone() } else { self.without(self.kind.payload_field()) }
    }

    fn without(&self, name: &str) -> Fields {
        self.fields.iter().filter(|(known, _)| known != name).cloned().collect()
    }

    /// With the values of these fields as they are on the wire.
    fn on_the_wire(&self, names: &[&str]) -> Fields {
        let value = |name: &String, plain: &Zeroizing<Vec<u8>>| match self.document.get(name) {
            Some(wire) if names.contains(&name.as_str()) => Zeroizing::new(wire.as_bytes().to_vec()),
            _ => plain.clone(),
        };
        self.fields.iter().map(|(name, plain)| (name.clone(), value(name, plain))).collect()
    }

    fn here(&self) -> Here {
        let fields = sorted(self.regular());
        let mut end = 0;
        let ends = fields.iter().map(|(name, value)| {
            end += name.len() + value.len() + 2;
            // A value that is longer or shorter differs at the `&` behind it.
            (end, name.clone())
        });
        Here { fields: ends.collect(), bytes: joined(&fields, b"") }
    }

    /// Hands out the texts that a sender may have signed instead, until one is taken.
    fn others(&self, key: &[u8], try_one: &mut dyn FnMut(Text) -> bool) -> bool {
        let payload = self.kind.payload_field();
        let mut attempt = |fields: &Fields, end: &[u8], change: TextChange| {
            let bytes = joined(fields, end);
            try_one(Text { cost: bytes.len(), bytes: Some(bytes), changes: vec![change] })
        };
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
        let mut backwards = sorted(regular.clone());
        backwards.reverse();
        let found = attempt(&sorted(other), b"", change)
            || attempt(&sorted(self.on_the_wire(&[payload])), b"", TextChange::PayloadEncrypted)
            || attempt(&sorted(self.on_the_wire(&["randomKey"])), b"", TextChange::KeyEncrypted)
            || attempt(&sorted(self.on_the_wire(&[payload, "randomKey"])), b"", TextChange::BothEncrypted)
            || attempt(&sorted(self.without("randomKey")), b"", TextChange::KeyLeftOut)
            || attempt(&sorted(self.all(key)), b"", TextChange::EmptyFields)
            || attempt(&sorted(regular.iter().cloned().chain(flag).collect()), b"", TextChange::EncryptFlag)
            || attempt(&regular, b"", TextChange::FieldOrder)
            || attempt(&by_case, b"", TextChange::FieldOrder)
            || attempt(&backwards, b"", TextChange::FieldOrder)
            || attempt(&sorted(regular.clone()), b"&", TextChange::LastAmpersand)
            || attempt(&sorted(regular.clone()), b"\n", TextChange::LastNewline)
            || attempt(&sorted(encoded.collect()), b"", TextChange::PercentEncoded);
        let renamed = |other: &Kind| {
            let name = |name: &String| if name == payload { other.payload_field().to_owned() } else { name.clone() };
            regular.iter().map(|(known, value)| (name(known), value.clone())).collect::<Fields>()
        };
        let mut other_kinds = Kind::ALL.iter().filter(|other| **other != self.kind);
        found
            || other_kinds
                .any(|other| attempt(&sorted(renamed(other)), b"", TextChange::PayloadName(other.payload_field())))
            || (regular.len() <= MANY && self.one_by_one(&regular, &mut attempt))
            || self.written_again(&regular, try_one)
    }

    /// A field that was not signed; two fields that were exchanged.
    fn one_by_one(&self, regular: &Fields, attempt: &mut dyn FnMut(&Fields, &[u8], TextChange) -> bool) -> bool {
        let small = |name: &str| name != self.kind.payload_field() && name != "randomKey";
        (0..regular.len()).any(|one| {
            let name = &regular[one].0;
            let rest: Fields = regular.iter().filter(|(known, _)| known != name).cloned().collect();
            (small(name) && attempt(&sorted(rest), b"", TextChange::NotSigned(name.clone())))
                || (one + 1..regular.len()).any(|other| {
                    let mut swapped = regular.clone();
                    (swapped[one].1, swapped[other].1) = (regular[other].1.clone(), regular[one].1.clone());
                    let change = TextChange::Swapped(name.clone(), regular[other].0.clone());
                    attempt(&sorted(swapped), b"", change)
                })
        })
    }

    /// The payload, written in other ways.
    fn written_again(&self, regular: &Fields, try_one: &mut dyn FnMut(Text) -> bool) -> bool {
        if !self.payload_signed || self.payload.is_empty() {
            return false;
        }
        let candidates = Candidates::of(self.payload);
        candidates.attempts().any(|attempt| {
            let bytes = attempt.text.map(|payload| {
                let mut fields = regular.clone();
                for (_, value) in fields.iter_mut().filter(|(name, _)| name == self.kind.payload_field()) {
                    value.clone_from(&payload);
                }
                joined(&sorted(fields), b"")
            });
            let changes = attempt.changes.into_iter().map(TextChange::Bytes).collect();
            try_one(Text { bytes, changes, cost: attempt.cost })
        })
    }
}

fn sorted(mut fields: Fields) -> Fields {
    fields.sort_by(|a, b| a.0.cmp(&b.0));
    fields
}

fn joined(fields: &Fields, end: &[u8]) -> Zeroizing<Vec<u8>> {
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
