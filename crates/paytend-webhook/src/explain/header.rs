//! Explanations for messages whose signature is in a header.

use http::{HeaderMap, HeaderValue};
use zeroize::Zeroizing;

use super::base64;
use super::body_kind::BodyKind;
use super::finding::{Finding, TextChange};
use super::fixes::Subject;
use super::known_keys::KnownKeys;
use super::result::Explanation;
use super::search::{Search, Target};
use super::signature::{ExpectedText, Searched, explain_signature};

pub(super) fn explain(headers: &HeaderMap, body: &[u8], keys: &KnownKeys, explanation: &mut Explanation) {
    let mut signs = headers.get_all("sign").iter();
    let Some(sign) = signs.next() else {
        explanation.find(Finding::NoSign);
        not_json(body, explanation);
        explanation.here = Some(Zeroizing::new(body.to_vec()));
        return;
    };
    if signs.any(|other| other != sign) {
        explanation.find(Finding::SeveralSigns);
    }
    let limit = keys.max_bytes.unwrap_or(crate::detached::MAX_BYTES);
    if body.len() > limit {
        explanation.find(Finding::TooLarge { bytes: body.len(), limit });
    }
    // Like a receiver, try every `sign` header.
    let valid = headers.get_all("sign").iter().find(|sign| is_valid(sign, body, keys));
    let sign = String::from_utf8_lossy(valid.unwrap_or(sign).as_bytes());
    let Some(signature) = base64::decode("sign", sign.trim_ascii(), explanation) else { return };
    let search = |digest| {
        let mut search = Search::new(Target::new(b"", b"", digest));
        match search.run(body) {
            Some(found) => Searched::Found(found.text, found.changes.into_iter().map(TextChange::Bytes).collect()),
            None if search.was_cut() => Searched::Spent(Zeroizing::new(body.to_vec())),
            None => Searched::NotFound(Zeroizing::new(body.to_vec())),
        }
    };
    let here = ExpectedText { bytes: Zeroizing::new(body.to_vec()), fields: Vec::new() };
    explanation.authentic = explain_signature(&signature, Some(here), search, keys, explanation);
    if explanation.authentic {
        remark(body, explanation);
    } else if explanation.signed.is_none() {
        not_json(body, explanation);
    }
}

fn is_valid(sign: &HeaderValue, body: &[u8], keys: &KnownKeys) -> bool {
    let mut discarded = Explanation::start(Subject::Body, &KnownKeys::new());
    let sign = String::from_utf8_lossy(sign.as_bytes());
    let no_search = |_| Searched::NotFound(Zeroizing::new(Vec::new()));
    base64::decode("sign", sign.trim_ascii(), &mut discarded).is_some_and(|signature| {
        let here = ExpectedText { bytes: Zeroizing::new(body.to_vec()), fields: Vec::new() };
        explain_signature(&signature, Some(here), no_search, keys, &mut discarded)
    })
}

/// Reports the kind of a body that is not a JSON object.
fn not_json(body: &[u8], explanation: &mut Explanation) {
    let kind = BodyKind::of(body);
    if kind != BodyKind::JsonObject {
        explanation.find(Finding::NotJson(kind));
    }
    // The body can also be a JSON document or a form that contains a placeholder such as `[object Object]`.
    let is_placeholder = |text: &[u8]| text != body && text.starts_with(b"[object ");
    if let Some(layer) = super::wrapping::carried(body, is_placeholder) {
        explanation.find(Finding::NotJson(BodyKind::of(&layer.bytes)));
    }
}

/// Reports properties of an authentic body that a parser may reject.
fn remark(body: &[u8], explanation: &mut Explanation) {
    match std::str::from_utf8(body) {
        Err(error) => explanation.find(Finding::NotUtf8 { at: error.valid_up_to() }),
        Ok(text) if text.starts_with('\u{feff}') => explanation.find(Finding::ByteOrderMark),
        Ok(_) => {
            not_json(body, explanation);
            let strict = serde_json::from_slice::<serde_json::Value>(body);
            if strict.is_err() && BodyKind::of(body) == BodyKind::JsonObject {
                explanation.find(Finding::LoneSurrogate);
            }
        }
    }
}
