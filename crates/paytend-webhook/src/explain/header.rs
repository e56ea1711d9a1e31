//! A signature in a header.

use http::HeaderMap;
use zeroize::Zeroizing;

use super::change::candidates;
use super::{Explanation, Finding, KeyShelf, Text, TextChange, base64, explain_signature};

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
    let sign = String::from_utf8_lossy(sign.as_bytes());
    let Some(signature) = base64::decode("sign", sign.trim_ascii(), explanation) else { return };
    let texts = candidates(body).into_iter().map(|candidate| Text {
        bytes: candidate.text,
        changes: candidate.changes.into_iter().map(TextChange::Bytes).collect(),
    });
    explain_signature(&signature, texts, keys, explanation);
    explanation.authentic =
        explanation.findings.len() == before && !explanation.findings.contains(&Finding::SeveralSigns);
}
