//! Parsing of a pasted `sign` header.

use ::base64::Engine as _;
use ::base64::engine::general_purpose::STANDARD;
use http::HeaderValue;

/// The error returned when pasted input contains no signature.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum PastedSignError {
    /// The pasted input is empty.
    #[error("the pasted sign header is empty: paste its base64 value")]
    Empty,
    /// The input contains characters that are not allowed in a header.
    #[error("the pasted sign header has characters that are not base64: paste the header's value")]
    NotBase64,
}

/// Parses a pasted `sign` header. The value may be quoted, split over several lines, escaped as in JSON or HTML, or
/// include the header's name or a line break. It may also be part of a curl command, a list of headers, or a JSON
/// object.
///
/// The base64 is not normalized, because a deviation from the standard form may be the reason for a rejection.
/// [`explain`](super::explain) accepts every variant and reports the deviation.
///
/// ```
/// use paytend_webhook::explain::pasted_sign;
///
/// assert_eq!(pasted_sign("Sign: \"QUJD\nREVG\"\r\n")?, "QUJDREVG");
/// assert_eq!(pasted_sign("curl -H 'sign: QUJDREVG' https://example.com")?, "QUJDREVG");
/// # Ok::<(), paytend_webhook::explain::PastedSignError>(())
/// ```
///
/// # Errors
/// Returns [`PastedSignError`] if no value remains, or if the value is not valid in a header.
pub fn pasted_sign(pasted: &str) -> Result<HeaderValue, PastedSignError> {
    let invisible =
        |c: char| matches!(c, '\u{feff}' | '\u{200b}'..='\u{200f}' | '\u{202a}'..='\u{202e}' | '\u{2060}' | '\u{ad}');
    let text: String = pasted.chars().filter(|c| !invisible(*c)).map(to_ascii).collect();
    let text = without_escapes(without_entities(text));
    let value = unwrapped(without_label(trimmed(value_of(&text))));
    if value.is_empty() {
        return Err(PastedSignError::Empty);
    }
    HeaderValue::from_str(&value).map_err(|_| PastedSignError::NotBase64)
}

/// Replaces HTML entities, including entities that were escaped twice.
fn without_entities(mut text: String) -> String {
    for (entity, plain) in [("&plus;", "+"), ("&equals;", "="), ("&NewLine;", "\n"), ("&ZeroWidthSpace;", "")] {
        text = text.replace(entity, plain);
    }
    for _ in 0..2 {
        text = super::wrapping::unescape_html(&text).unwrap_or(text);
    }
    text
}

/// Replaces escape sequences from JSON strings and shells.
fn without_escapes(mut text: String) -> String {
    for (digits, plain) in
        [("002b", "+"), ("002B", "+"), ("002f", "/"), ("002F", "/"), ("003d", "="), ("003D", "="), ("0022", "\"")]
    {
        text = text.replace(&format!("\\u{digits}"), plain);
    }
    for (escape, plain) in
        [("\\r", ""), ("\\n", "\n"), ("\\\r\n", "\n"), ("\\\n", "\n"), ("\\/", "/"), ("\\\"", "\""), ("\\=", "=")]
    {
        text = text.replace(escape, plain);
    }
    text
}

/// The names that tools use for the header, in lower case.
const NAMES: [&str; 3] = ["http_sign", "sign", "signature"];

/// Returns the value after the header's name, or all of `text` if it does not contain the name.
fn value_of(text: &str) -> &str {
    // Conversion to ASCII lower case preserves all byte offsets.
    let lower = text.to_ascii_lowercase();
    for name in NAMES {
        for (at, _) in lower.match_indices(name) {
            let before = text[..at].chars().next_back();
            let option = text[..at].ends_with("--") || lower[..at].ends_with("x-") && !lower[..at - 2].ends_with('-');
            let is_start = option || before.is_none_or(|c| !c.is_alphanumeric() && !"/+_=-".contains(c));
            let after = &text[at + name.len()..];
            let quote = after.chars().next().filter(|c| is_quote(*c));
            let after = after.trim_start_matches(is_quote).trim_start();
            let Some(value) = after.strip_prefix([':', '=']).filter(|_| is_start) else { continue };
            let value = value.trim_start_matches('>').trim_start_matches([' ', '\t', '\r', '\n']);
            // The name and the value are quoted separately (`"sign": "…"`) or together (`'sign: …'`).
            let outer = before.filter(|c| is_quote(*c) && quote.is_none());
            let inner = value.chars().next().filter(|c| is_quote(*c));
            let value = match (outer, inner) {
                (Some(end), _) => value.split(end).next().unwrap_or_default(),
                (None, Some(end)) => value[1..].split(end).next().unwrap_or_default(),
                (None, None) => value,
            };
            let value = up_to_next(value);
            if !trimmed(value).is_empty() || quote.is_some() || outer.is_some() || text[..at].trim().is_empty() {
                return value;
            }
        }
    }
    text
}

fn is_quote(c: char) -> bool {
    matches!(c, '"' | '\'' | '`')
}

/// Returns the lines up to the next header.
fn up_to_next(text: &str) -> &str {
    let mut end = 0;
    for line in text.split_inclusive('\n') {
        let name = line.trim_start_matches(['>', '<', '|', ' ', '\t']).split(':').next().unwrap_or_default();
        let is_name = |c: char| c.is_ascii_alphanumeric() || c == '-' || c == '_';
        if end > 0 && (line.trim().is_empty() || (line.contains(':') && !name.is_empty() && name.chars().all(is_name)))
        {
            break;
        }
        end += line.len();
    }
    &text[..end]
}

/// Replaces typographic quotes and spaces with their ASCII equivalents.
fn to_ascii(c: char) -> char {
    match c {
        '\u{201c}' | '\u{201d}' | '\u{201e}' | '\u{ab}' | '\u{bb}' => '"',
        '\u{2018}' | '\u{2019}' => '\'',
        '\u{a0}' | '\u{202f}' | '\u{3000}' => ' ',
        '\u{ff1a}' => ':',
        other => other,
    }
}

/// Removes whitespace, quotes and other punctuation around the value.
fn trimmed(text: &str) -> &str {
    text.trim_matches(|c: char| {
        c.is_whitespace() || matches!(c, '"' | '\'' | '`' | ',' | ';' | '{' | '}' | '<' | '>' | '\\')
    })
}

/// Removes a command-line option before the value.
fn without_label(text: &str) -> &str {
    for option in ["--header", "--sign", "-H"] {
        if let Some(rest) = text.strip_prefix(option).filter(|rest| rest.starts_with([' ', '=', '\'', '"'])) {
            return trimmed(rest.trim_start_matches([' ', '=']));
        }
    }
    text
}

/// Joins the lines. A space within a line stands for either a line break or a `+`. The length of the decoded signature
/// shows which is correct.
fn unwrapped(text: &str) -> String {
    let lines: Vec<&str> =
        text.lines().map(|line| trimmed(line.trim_start_matches(['>', '|', ' ', '\t']).trim())).collect();
    let joined = if lines.len() > 1 { lines.concat() } else { text.trim().to_owned() };
    if !joined.contains([' ', '\t']) {
        return joined;
    }
    let without: String = joined.chars().filter(|c| !c.is_whitespace()).collect();
    let is_signature = |text: &str| STANDARD.decode(text).is_ok_and(|bytes| bytes.len() % 64 == 0);
    if !is_signature(&without) && is_signature(&joined.replace(' ', "+")) { joined } else { without }
}
