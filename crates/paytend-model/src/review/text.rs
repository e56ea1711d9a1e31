//! Descriptions of input that is not a JSON object.

use base64::Engine as _;
use base64::alphabet::{Alphabet, STANDARD, URL_SAFE};
use base64::engine::{DecodePaddingMode, GeneralPurpose, GeneralPurposeConfig};
use paytend_json::Flaw;
use serde_json::{Value, from_str};

use super::slip::Slip;

/// Reads a JSON object.
///
/// # Errors
/// Returns a description of the input if it is not an object. The description contains byte offsets, but no part of the
/// input.
pub(super) fn object(text: &str) -> Result<Value, String> {
    let found = match from_str::<Value>(text) {
        Ok(value @ Value::Object(_)) => return Ok(value),
        Ok(Value::String(inside)) if matches!(from_str(&inside), Ok(Value::Object(_))) => {
            "a JSON string that contains a JSON object; it was serialized twice".into()
        }
        Ok(other) => super::shape(Some(&other)),
        Err(error) => {
            let bare = text.trim();
            match bare.as_bytes().first() {
                None if text.is_empty() => "empty input".into(),
                None => "whitespace only".into(),
                _ if text.bytes().take(2).any(|byte| byte == 0) => "UTF-16".into(),
                _ if bare.starts_with("[object ") => {
                    "the text that JavaScript prints for an object; use JSON.stringify".into()
                }
                Some(b'{') => broken("an object", text, error.is_eof()),
                Some(b'[') => broken("a list", text, error.is_eof()),
                Some(_) => other(bare),
            }
        }
    };
    Err(format!("expected a JSON object; found {found}"))
}

/// Describes input that starts with neither a brace nor a bracket.
fn other(text: &str) -> String {
    let starts = |start: &str| text.get(..start.len()).is_some_and(|first| first.eq_ignore_ascii_case(start));
    if let Some(rest) = text.strip_prefix('\u{feff}') {
        let found =
            if from_str::<Value>(rest).is_ok_and(|value| value.is_object()) { "the object" } else { "other text" };
        return format!("a byte order mark before {found}");
    }
    let fixed = if starts("<!doctype html") || starts("<html") {
        "HTML"
    } else if starts("<") {
        "XML"
    } else if starts("b'") || starts("b\"") {
        "a Python bytes literal; pass the bytes themselves"
    } else if starts("'") {
        "text in single quotes"
    } else if starts("%7b") {
        "URL-encoded text"
    } else if is_form(text) {
        "form-encoded text"
    } else if text.len() > 3 && text.bytes().all(|byte| byte.is_ascii_hexdigit()) {
        "hexadecimal digits"
    } else if let Some(decoded) = base64(text) {
        if decoded.trim_ascii_start().starts_with(b"{") { "a JSON object in base64; decode it first" } else { "base64" }
    } else {
        return match text.chars().count() {
            1 => "plain text of 1 character".into(),
            count => format!("plain text of {count} characters"),
        };
    };
    fixed.into()
}

/// Returns whether the input starts with `name=value`.
fn is_form(text: &str) -> bool {
    let is_name = |byte: u8| byte.is_ascii_alphanumeric() || b"%_-.[]+".contains(&byte);
    // In base64, only other equals signs can follow an equals sign, so the input is not base64 if any other byte
    // follows.
    text.split_once('=').is_some_and(|(name, value)| {
        !name.is_empty() && name.bytes().all(is_name) && value.bytes().any(|byte| byte != b'=')
    })
}

/// Decodes base64 of at least 16 characters in the standard or the URL-safe alphabet, with or without padding.
fn base64(text: &str) -> Option<Vec<u8>> {
    let lenient = GeneralPurposeConfig::new()
        .with_decode_padding_mode(DecodePaddingMode::Indifferent)
        .with_decode_allow_trailing_bits(true);
    let plain: String = text.split_ascii_whitespace().collect();
    // Base64 can contain line breaks, but input with spaces is treated as plain text.
    if plain.len() < 16 || text.contains(' ') {
        return None;
    }
    let decode = |alphabet: &Alphabet| GeneralPurpose::new(alphabet, lenient).decode(&plain).ok();
    decode(&STANDARD).or_else(|| decode(&URL_SAFE))
}

/// Describes an object or a list that is not valid JSON.
fn broken(what: &str, text: &str, truncated: bool) -> String {
    let grammar = match paytend_json::members(text.as_bytes()) {
        Err(Flaw::Syntax { at }) => Some(at),
        _ => None,
    };
    // A mistake after the first syntax error is not reported, because it cannot have caused this error.
    if let Some(slip) = Slip::first(text).filter(|slip| grammar.is_none_or(|at| slip.at <= at)) {
        return format!("{what} {slip}");
    }
    match (grammar, paytend_json::object_end(text.as_bytes())) {
        _ if truncated => format!("{what} that is cut off at byte {}", text.len()),
        (Some(at), Ok(end)) if at >= end => format!("{what} with more text after its end at byte {at}"),
        (Some(at), _) => format!("{what} with a syntax error at byte {at}"),
        // The syntax is valid, so a number must be out of range.
        (None, Ok(_)) => format!("{what} with a number that is out of range"),
        (None, Err(_)) => format!("{what} with a syntax error"),
    }
}
