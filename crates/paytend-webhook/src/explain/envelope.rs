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

use super::change::candidates;
use super::{Explanation, Finding, KeyShelf, Text, TextChange, Wrapping, base64, explain_signature, list};

pub(super) fn explain(kind: Kind, payload_signed: bool, body: &[u8], keys: &KeyShelf, explanation: &mut Explanation) {
    let mut expected = match &keys.partner_id {
        Some(id) if kind == Kind::Notification => Expected::notification(id),
        Some(id) if kind == Kind::Request => Expected::request(id),
        _ => Expected::danger_any_partner(kind),
    }
    .max_bytes(Kind::Request.default_max_bytes());
    if !payload_signed {
        expected = expected.unsigned_payload();
    }
    match keys.keyring().map(|keyring| keyring.open(body, &expected)) {
        Some(Ok(opened)) => {
            explanation.authentic = true;
            let text = Zeroizing::new(opened.canonical().as_bytes().to_vec());
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
    let texts = texts(kind, payload_signed, document, session_key.as_deref(), payload.as_deref());
    explain_signature(&signature, texts, keys, explanation);
}

/// A document's top-level fields, in their order, as text.
struct Document(Vec<(String, String)>);

impl Document {
    /// Reads a document, if need be out of what is around it.
    fn unwrapped(body: &[u8], explanation: &mut Explanation) -> Option<Self> {
        let mut body = body.to_vec();
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

/// The canonical string, and the ones that a sender may have signed instead.
fn texts(
    kind: Kind,
    payload_signed: bool,
    document: &Document,
    key: Option<&Vec<u8>>,
    payload: Option<&Vec<u8>>,
) -> Vec<Text> {
    let payload_field = kind.payload_field();
    let plain = |name: &str, value: &str| -> Vec<u8> {
        match name {
            "randomKey" => key.map_or_else(|| value.as_bytes().to_vec(), |key| key.clone()),
            name if name == payload_field => payload.cloned().unwrap_or_else(|| value.as_bytes().to_vec()),
            _ => value.as_bytes().to_vec(),
        }
    };
    let taking_part = |name: &str| name != "signature" && name != "encryptFlag";
    let fields: Vec<(String, Vec<u8>)> = document
        .0
        .iter()
        .filter(|(name, value)| taking_part(name) && !value.is_empty())
        .map(|(name, value)| (name.clone(), plain(name, value)))
        .filter(|(_, value)| !value.is_empty())
        .collect();
    let without = |name: &str| fields.iter().filter(|(known, _)| known != name).cloned().collect::<Vec<_>>();
    let with_value = |names: &[&str]| {
        let wire = |name: &String| document.get(name).unwrap_or_default().as_bytes().to_vec();
        let value =
            |name: &String, plain: &Vec<u8>| if names.contains(&name.as_str()) { wire(name) } else { plain.clone() };
        fields.iter().map(|(name, plain)| (name.clone(), value(name, plain))).collect::<Vec<_>>()
    };
    let regular = if payload_signed { fields.clone() } else { without(payload_field) };

    let mut out = vec![Text { bytes: joined(&sorted(&regular)), changes: Vec::new() }];
    let mut add = |bytes: Zeroizing<Vec<u8>>, change: TextChange| out.push(Text { bytes, changes: vec![change] });
    let (other, change) = if payload_signed {
        (without(payload_field), TextChange::PayloadLeftOut)
    } else {
        (fields.clone(), TextChange::PayloadSigned)
    };
    add(joined(&sorted(&other)), change);
    add(joined(&sorted(&with_value(&[payload_field]))), TextChange::PayloadEncrypted);
    add(joined(&sorted(&with_value(&["randomKey"]))), TextChange::KeyEncrypted);
    add(joined(&sorted(&with_value(&[payload_field, "randomKey"]))), TextChange::BothEncrypted);
    add(joined(&sorted(&without("randomKey"))), TextChange::KeyLeftOut);
    let with_empty: Vec<_> = document
        .0
        .iter()
        .filter(|(name, _)| taking_part(name))
        .map(|(name, value)| (name.clone(), plain(name, value)))
        .collect();
    add(joined(&sorted(&with_empty)), TextChange::EmptyFields);
    let flag = document.0.iter().filter(|(name, _)| name == "encryptFlag");
    let with_flag: Vec<_> =
        regular.iter().cloned().chain(flag.map(|(name, value)| (name.clone(), value.clone().into_bytes()))).collect();
    add(joined(&sorted(&with_flag)), TextChange::EncryptFlag);
    add(joined(&regular), TextChange::FieldOrder);
    let mut by_case = regular.clone();
    by_case.sort_by_key(|(name, _)| name.to_lowercase());
    add(joined(&by_case), TextChange::FieldOrder);
    let mut backwards = sorted(&regular);
    backwards.reverse();
    add(joined(&backwards), TextChange::FieldOrder);
    add(ended(&sorted(&regular), b"&"), TextChange::LastAmpersand);
    add(ended(&sorted(&regular), b"\n"), TextChange::LastNewline);
    let encoded: Vec<_> = regular
        .iter()
        .map(|(name, value)| (name.clone(), percent_encode(value, NON_ALPHANUMERIC).to_string().into_bytes()))
        .collect();
    add(joined(&sorted(&encoded)), TextChange::PercentEncoded);
    for other in Kind::ALL.iter().filter(|other| **other != kind) {
        let renamed: Vec<_> = regular
            .iter()
            .map(|(name, value)| {
                (if name == payload_field { other.payload_field().to_owned() } else { name.clone() }, value.clone())
            })
            .collect();
        add(joined(&sorted(&renamed)), TextChange::PayloadName(other.payload_field()));
    }
    for one in 0..regular.len() {
        let name = &regular[one].0;
        if name != payload_field && name != "randomKey" {
            let rest: Vec<_> = regular.iter().filter(|(known, _)| known != name).cloned().collect();
            add(joined(&sorted(&rest)), TextChange::NotSigned(name.clone()));
        }
        for other in one + 1..regular.len() {
            let mut swapped = regular.clone();
            (swapped[one].1, swapped[other].1) = (regular[other].1.clone(), regular[one].1.clone());
            add(joined(&sorted(&swapped)), TextChange::Swapped(name.clone(), regular[other].0.clone()));
        }
    }
    if let Some(payload) = payload.filter(|payload| payload_signed && !payload.is_empty()) {
        for candidate in candidates(payload).into_iter().skip(1) {
            let mut changed = regular.clone();
            for (name, value) in &mut changed {
                if name == payload_field {
                    value.clone_from(&candidate.text);
                }
            }
            let changes = candidate.changes.into_iter().map(TextChange::Bytes).collect();
            out.push(Text { bytes: joined(&sorted(&changed)), changes });
        }
    }
    out
}

type Fields = Vec<(String, Vec<u8>)>;

fn sorted(fields: &Fields) -> Fields {
    let mut fields = fields.clone();
    fields.sort();
    fields
}

fn joined(fields: &Fields) -> Zeroizing<Vec<u8>> {
    ended(fields, b"")
}

fn ended(fields: &Fields, end: &[u8]) -> Zeroizing<Vec<u8>> {
    let mut out = Zeroizing::new(Vec::new());
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

/// The field of a canonical string in which a byte is.
pub(super) fn field_at(text: &[u8], at: usize) -> Option<String> {
    let names = [
        "bizData",
        "content",
        "notifyType",
        "partnerId",
        "randomKey",
        "requestId",
        "respCode",
        "respData",
        "respMsg",
        "signType",
        "version",
    ];
    let upto = &text[..at.min(text.len())];
    let starts = names.iter().filter_map(|name| {
        let start = format!("{name}=");
        let found = upto.windows(start.len()).rposition(|window| window == start.as_bytes())?;
        (found == 0 || upto[found - 1] == b'&').then_some((found, *name))
    });
    starts.max().map(|(_, name)| name.to_owned())
}
