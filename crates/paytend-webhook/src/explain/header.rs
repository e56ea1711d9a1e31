//! A signature in a header.

use http::HeaderMap;
use zeroize::Zeroizing;

use super::change::Candidates;
use super::{Explanation, Finding, Here, KeyShelf, Text, TextChange, base64, explain_signature};

pub(super) fn explain(headers: &HeaderMap, body: &[u8], keys: &KeyShelf, explanation: &mut Explanation) {
    let mut signs = headers.get_all("sign").iter();
    let Some(sign) = signs.next() else {
        explanation.find(Finding::NoSign);
        explanation.here = Some(Zeroizing::new(body.to_vec()));
        return;
    };
    if signs.next().is_some() {
        explanation.find(Finding::SeveralSigns);
    }
    let before = explanation.findings.len();
    let limit = keys.max_bytes.unwrap_or(crate::detached::MAX_BYTES);
    if body.len() > limit {
        explanation.find(Finding::TooLarge { bytes: body.len(), limit });
    }
    let sign = String::from_utf8_lossy(sign.as_bytes());
    let Some(signature) = base64::decode("sign", sign.trim_ascii(), explanation) else { return };
    let candidates = || {
        let candidates = Candidates::of(body);
        // They borrow from each other, so they are handed out one by one.
        move |try_one: &mut dyn FnMut(Text) -> bool| {
            let mut attempts = candidates.attempts();
            attempts.any(|attempt| {
                let changes = attempt.changes.into_iter().map(TextChange::Bytes).collect();
                try_one(Text { bytes: attempt.text, changes, cost: attempt.cost })
            })
        }
    };
    let here = Here { bytes: Zeroizing::new(body.to_vec()), fields: Vec::new() };
    explain_signature(&signature, Some(here), candidates, keys, explanation);
    explanation.authentic =
        explanation.findings.len() == before && !explanation.findings.contains(&Finding::SeveralSigns);
}
