//! Lenient base64 decoding that reports deviations from the standard form.

use ::base64::Engine as _;
use ::base64::engine::DecodePaddingMode;
use ::base64::engine::general_purpose::{GeneralPurpose, GeneralPurposeConfig, STANDARD};
use percent_encoding::percent_decode_str;

use super::finding::{Base64Flaw, Finding};
use super::result::Explanation;

/// Decodes any variant of base64 and reports deviations from the standard form. Returns `None` if the text is not
/// base64.
pub(super) fn decode(field: &'static str, text: &str, explanation: &mut Explanation) -> Option<Vec<u8>> {
    if let Ok(bytes) = STANDARD.decode(text) {
        return Some(bytes);
    }
    let mut text = text.to_owned();
    let mut flaws = Vec::new();
    if text.contains('%')
        && let Ok(decoded) = percent_decode_str(&text).decode_utf8()
    {
        text = decoded.into_owned();
        flaws.extend((field != "randomKey").then_some(Base64Flaw::PercentEncoded));
    }
    if text.contains(['-', '_']) {
        text = text.replace('-', "+").replace('_', "/");
        flaws.push(Base64Flaw::UrlAlphabet);
    }
    let trimmed = text.trim_ascii();
    if trimmed.contains(' ') {
        text = trimmed.replace(' ', "+");
        flaws.push(Base64Flaw::Spaces);
    }
    if text.contains(|c: char| c.is_ascii_whitespace()) {
        text.retain(|c| !c.is_ascii_whitespace());
        flaws.push(Base64Flaw::Lines);
    }
    let lenient = GeneralPurposeConfig::new()
        .with_decode_padding_mode(DecodePaddingMode::Indifferent)
        .with_decode_allow_trailing_bits(true);
    if STANDARD.decode(&text).is_err() {
        flaws.push(Base64Flaw::Padding);
    }
    let decoded = GeneralPurpose::new(&::base64::alphabet::STANDARD, lenient).decode(&text).ok();
    match &decoded {
        Some(_) => flaws.into_iter().for_each(|flaw| explanation.find(Finding::Base64 { field, flaw })),
        None => explanation.find(Finding::NotBase64(field)),
    }
    decoded
}
