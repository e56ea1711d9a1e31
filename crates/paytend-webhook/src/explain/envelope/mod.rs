//! Explanations for messages in Paytend's envelope. The envelope is parsed leniently.

mod canonical;
mod decrypt;
mod document;
mod fields;
mod values;

use paytend_crypto::{Error, Expected, Kind, PayloadProblem};
use zeroize::Zeroizing;

use super::base64;
use super::body_kind::BodyKind;
use super::change::Change;
use super::change::Wrapping;
use super::finding::Finding;
use super::known_keys::KnownKeys;
use super::result::Explanation;
use super::signature::{Searched, explain_signature};
use super::wrapping;
use canonical::Canonical;
use decrypt::{decrypt_data, decrypt_key};
use document::Document;

pub(super) fn explain(kind: Kind, payload_signed: bool, body: &[u8], keys: &KnownKeys, explanation: &mut Explanation) {
    match open(kind, payload_signed, body, keys, explanation) {
        Opening::Authentic => {
            explanation.authentic = true;
            return;
        }
        Opening::Unsigned => return,
        Opening::Refused => {}
    }
    let Some((document, inner)) = unwrapped(kind, body, explanation) else { return };
    if let Some(inner) = inner {
        // The wrapping has already been reported, so findings about errors caused by the wrapping are removed.
        explanation.findings.retain(|finding| !matches!(finding, Finding::Malformed(_)));
        if !matches!(open(kind, payload_signed, &inner, keys, explanation), Opening::Refused) {
            return;
        }
    }
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
    // A response without a payload has no session key, so its signature can be checked even if no session key was
    // found.
    let key_at_hand = session_key.is_some() || document.get("randomKey").is_none();
    let key = session_key.as_deref().map(Vec::as_slice).unwrap_or_default();
    let payload = payload.as_deref().filter(|_| key_at_hand);
    let partner_id = keys.partner_id.as_deref();
    let canonical =
        payload.map(|payload| Canonical::new(kind, payload_signed, document, key, payload).partner_id(partner_id));
    let here = canonical.as_ref().map(Canonical::here);
    let search = |digest| match &canonical {
        Some(canonical) => canonical.search(key, digest),
        None => Searched::NotFound(Zeroizing::new(Vec::new())),
    };
    explain_signature(&signature, here, search, keys, explanation);
}

/// The outcome of opening a message.
enum Opening {
    Authentic,
    /// An error response without a signature.
    Unsigned,
    Refused,
}

/// Opens a message as a receiver does, and reports the reasons for a rejection.
fn open(kind: Kind, payload_signed: bool, body: &[u8], keys: &KnownKeys, explanation: &mut Explanation) -> Opening {
    let mut expected = match &keys.partner_id {
        Some(id) if kind == Kind::Notification => Expected::notification(id),
        Some(id) if kind == Kind::Request => Expected::request(id),
        _ => Expected::danger_any_partner(kind),
    }
    .with_max_bytes(keys.max_bytes.unwrap_or(kind.default_max_bytes()));
    if !payload_signed {
        expected = expected.unsigned_payload();
    }
    match keys.keyring().map(|keyring| keyring.open(body, &expected)) {
        Some(Ok(opened)) => {
            if let Some(problem) = opened.payload_problem() {
                explanation.find(Finding::PayloadJson(problem.to_string()));
            }
            let text = opened.canonical();
            (explanation.here, explanation.signed) = (Some(text.clone()), Some(text));
            return Opening::Authentic;
        }
        Some(Err(Error::Malformed(flaw))) => explanation.find(Finding::Malformed(flaw)),
        // The signature is valid, but the payload is not an object, or its end cannot be determined.
        Some(Err(Error::Payload(problem))) => {
            explanation.find(Finding::PayloadJson(problem.to_string()));
            if problem != PayloadProblem::End {
                return Opening::Authentic;
            }
        }
        Some(Err(Error::UnsignedFailure(_))) => {
            explanation.find(Finding::UnsignedFailure);
            return Opening::Unsigned;
        }
        _ => {}
    }
    Opening::Refused
}

/// Parses a document, unwrapping it if necessary. Also returns the unwrapped text if the document was wrapped.
fn unwrapped(kind: Kind, body: &[u8], explanation: &mut Explanation) -> Option<(Document, Option<Zeroizing<Vec<u8>>>)> {
    // `Keyring::open` accepts a single byte order mark, so the mark is not reported.
    let body = body.strip_prefix(b"\xEF\xBB\xBF").unwrap_or(body);
    let names = ["signature", "randomKey", kind.payload_field()];
    let read =
        |text: &[u8]| Document::read(text).filter(|document| names.iter().any(|name| document.get(name).is_some()));
    let Some(layer) = wrapping::unwrap(body, |text| read(text).is_some()) else {
        let kind = BodyKind::of(body);
        if kind != BodyKind::JsonObject {
            explanation.findings.retain(|finding| !matches!(finding, Finding::Malformed(_)));
            explanation.find(Finding::NotJson(kind));
        }
        return Document::read(body).map(|document| (document, None));
    };
    let document = read(&layer.bytes)?;
    for change in &layer.changes {
        explanation.find(Finding::Wrapped(match change {
            Change::Wrapped(wrapping) => *wrapping,
            _ => Wrapping::Charset,
        }));
    }
    let inner = (!layer.changes.is_empty()).then_some(layer.bytes);
    Some((document, inner))
}
