//! A `sign` header as people paste it.

use ::base64::Engine as _;
use ::base64::engine::general_purpose::STANDARD;
use http::HeaderValue;

/// A pasted text that holds no signature.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum PastedSignError {
    /// There is nothing.
    #[error("the pasted sign header is empty: paste its base64")]
    Empty,
    /// There are characters that a header cannot have.
    #[error("the pasted sign header has characters that are not base64: paste the header's value")]
    NotBase64,
}

/// Reads the value of a `sign` header as it is pasted: in quotes, with its name, over several lines, with a line's end.
///
/// How the base64 itself is spelled is left as it is: it may be what makes a receiver refuse the message.
///
/// ```
/// use paytend_webhook::explain::pasted_sign;
///
/// assert_eq!(pasted_sign("Sign: \"QUJD\nREVG\"\r\n")?, "QUJDREVG");
/// # Ok::<(), paytend_webhook::explain::PastedSignError>(())
/// ```
///
/// # Errors
/// Returns [`PastedSignError`] if nothing remains, or if what remains cannot be a header's value.
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

/// Typographic quotes and spaces as ASCII has them.
fn plain(c: char) -> char {
    match c {
        '\u{201c}' | '\u{201d}' | '\u{201e}' | '\u{ab}' | '\u{bb}' => '"',
        '\u{2018}' | '\u{2019}' => '\'',
        '\u{a0}' | '\u{202f}' | '\u{3000}' => ' ',
        '\u{ff1a}' => ':',
        other => other,
    }
}

/// Takes away what stands around a value.
fn edges(text: &str) -> &str {
    text.trim_matches(|c: char| {
        c.is_whitespace() || matches!(c, '"' | '\'' | '`' | ',' | ';' | '{' | '}' | '<' | '>' | '\\')
    })
}

/// Takes away the header's name, an option of curl, or a label.
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

/// Joins the lines. A space within a line is either a line's end too, or was a `+`: the length tells.
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
