//! Parsing of a pasted `sign` header.

use ::base64::Engine as _;
use ::base64::engine::general_purpose::STANDARD;
use http::HeaderValue;

/// The error for a pasted text that contains no signature.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum PastedSignError {
    /// The text is empty.
    #[error("the pasted sign header is empty: paste its base64")]
    Empty,
    /// The text contains characters that a header cannot contain.
    #[error("the pasted sign header has characters that are not base64: paste the header's value")]
    NotBase64,
}

/// Parses a pasted `sign` header. The value may be quoted, split over several lines, or have a name or a line break.
///
/// The spelling of the base64 is kept, because it may be the reason for a rejection.
///
/// ```
/// use paytend_webhook::explain::pasted_sign;
///
/// assert_eq!(pasted_sign("Sign: \"QUJD\nREVG\"\r\n")?, "QUJDREVG");
/// # Ok::<(), paytend_webhook::explain::PastedSignError>(())
/// ```
///
/// # Errors
/// Returns [`PastedSignError`] if no value remains, or if the value is not valid in a header.
pub fn pasted_sign(pasted: &str) -> Result<HeaderValue, PastedSignError> {
    let invisible = |c: char| matches!(c, '\u{feff}' | '\u{200b}'..='\u{200d}' | '\u{2060}');
    let text: String = pasted.chars().filter(|c| !invisible(*c)).map(plain).collect();
    let text = text.replace("\\r", "").replace("\\n", "\n").replace("\\\n", "\n").replace("\\/", "/");
    let mut rest = text.as_str();
    loop {
        let shorter = without_name(edges(rest));
        if shorter == rest {
            break;
        }
        rest = shorter;
    }
    let value = unwrapped(rest);
    if value.is_empty() {
        return Err(PastedSignError::Empty);
    }
    HeaderValue::from_str(&value).map_err(|_| PastedSignError::NotBase64)
}

/// Replaces typographic quotes and spaces with their ASCII equivalents.
fn plain(c: char) -> char {
    match c {
        '\u{201c}' | '\u{201d}' | '\u{201e}' | '\u{ab}' | '\u{bb}' => '"',
        '\u{2018}' | '\u{2019}' => '\'',
        '\u{a0}' | '\u{202f}' | '\u{3000}' => ' ',
        '\u{ff1a}' => ':',
        other => other,
    }
}

/// Removes characters around the value.
fn edges(text: &str) -> &str {
    text.trim_matches(|c: char| {
        c.is_whitespace() || matches!(c, '"' | '\'' | '`' | ',' | ';' | '{' | '}' | '<' | '>' | '\\')
    })
}

/// Removes the header's name, a curl option, or a label.
fn without_name(text: &str) -> &str {
    for option in ["--header", "--sign", "-H"] {
        if let Some(rest) = text.strip_prefix(option).filter(|rest| rest.starts_with([' ', '=', '\'', '"'])) {
            return rest.trim_start_matches([' ', '=']);
        }
    }
    let Some((name, value)) = text.split_once([':', '=']) else { return text };
    let name = name.trim_matches(|c: char| c.is_whitespace() || matches!(c, '"' | '\'' | '-'));
    let known = ["sign", "signature", "http_sign", "x-sign", "header sign", "sign header"];
    if known.iter().any(|known| name.eq_ignore_ascii_case(known)) { value.trim_start_matches(['>', ' ']) } else { text }
}

/// Joins the lines. A space within a line is either a line break or was a `+`; the resulting length decides.
fn unwrapped(text: &str) -> String {
    let lines: Vec<&str> =
        text.lines().map(|line| edges(line.trim_start_matches(['>', '|', ' ', '\t']).trim())).collect();
    let joined = if lines.len() > 1 { lines.concat() } else { text.trim().to_owned() };
    if !joined.contains([' ', '\t']) {
        return joined;
    }
    let without: String = joined.chars().filter(|c| !c.is_whitespace()).collect();
    let is_signature = |text: &str| STANDARD.decode(text).is_ok_and(|bytes| bytes.len() % 64 == 0);
    if !is_signature(&without) && is_signature(&joined.replace(' ', "+")) { joined } else { without }
}
