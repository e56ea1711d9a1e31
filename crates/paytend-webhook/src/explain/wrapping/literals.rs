//! Literals of programming languages, such as Python's `repr` of a string or of a parsed structure.

use std::fmt::Write as _;

use super::undone::Undone;
use crate::explain::change::Change;
use crate::explain::change::Wrapping;

/// Decodes `b'{"a":1}'` and `'{"a":1}'`, as Python prints bytes and strings.
pub(super) fn text_literal(body: &[u8], out: &mut Vec<Undone>) {
    let Ok(text) = std::str::from_utf8(body.trim_ascii()) else { return };
    let (is_bytes, rest) = match text.strip_prefix(['b', 'B']) {
        Some(rest) => (true, rest),
        None => (false, text.strip_prefix('u').unwrap_or(text)),
    };
    let Some(quote) = rest.chars().next().filter(|quote| matches!(quote, '\'' | '"')) else { return };
    let Some((inner, "")) = literal(rest, quote) else { return };
    let bytes = if is_bytes {
        inner.chars().map(|c| u8::try_from(u32::from(c)).ok()).collect::<Option<Vec<u8>>>()
    } else {
        Some(inner.into_bytes())
    };
    out.extend(bytes.map(|bytes| Undone { bytes, change: Change::Wrapped(Wrapping::TextLiteral) }));
}

/// Parses the quoted literal at the start of the text. Returns its value and the text after it.
fn literal(text: &str, quote: char) -> Option<(String, &str)> {
    let mut rest = text.strip_prefix(quote)?;
    let mut value = String::new();
    loop {
        let c = rest.chars().next()?;
        rest = &rest[c.len_utf8()..];
        if c == quote {
            return Some((value, rest));
        }
        if c != '\\' {
            value.push(c);
            continue;
        }
        let escaped = rest.chars().next()?;
        rest = &rest[escaped.len_utf8()..];
        match escaped {
            'n' => value.push('\n'),
            'r' => value.push('\r'),
            't' => value.push('\t'),
            'b' => value.push('\u{8}'),
            'f' => value.push('\u{c}'),
            '0' => value.push('\0'),
            'e' => value.push('\u{1b}'),
            'x' => value.push(char::from_u32(code(&mut rest, 2)?)?),
            'U' => value.push(char::from_u32(code(&mut rest, 8)?)?),
            'u' if rest.starts_with('{') => {
                let (hex, after) = rest[1..].split_once('}')?;
                value.push(char::from_u32(u32::from_str_radix(hex, 16).ok()?)?);
                rest = after;
            }
            'u' => {
                let high = code(&mut rest, 4)?;
                let unit = match char::from_u32(high) {
                    Some(c) => c,
                    None => {
                        rest = rest.strip_prefix("\\u")?;
                        let (hex, after) = rest.split_at_checked(4)?;
                        rest = after;
                        let units = [u16::try_from(high).ok()?, u16::from_str_radix(hex, 16).ok()?];
                        char::decode_utf16(units).next()?.ok()?
                    }
                };
                value.push(unit);
            }
            other => value.push(other),
        }
    }
}

/// Removes `digits` hexadecimal digits from the start and returns their numeric value.
fn code(rest: &mut &str, digits: usize) -> Option<u32> {
    let (hex, after) = rest.split_at_checked(digits)?;
    *rest = after;
    u32::from_str_radix(hex, 16).ok()
}

pub(super) fn structure_literal(body: &[u8], out: &mut Vec<Undone>) {
    let Ok(text) = std::str::from_utf8(body) else { return };
    if !text.trim_ascii_start().starts_with(['{', '[']) || serde_json::from_str::<serde::de::IgnoredAny>(text).is_ok() {
        return;
    }
    if let Some(json) = to_json(text.trim_ascii()) {
        out.push(Undone { bytes: json.into_bytes(), change: Change::Wrapped(Wrapping::StructureLiteral) });
    }
}

/// Converts a data structure printed by a program to JSON, and keeps its whitespace. Returns `None` if the result is
/// not JSON.
pub(in crate::explain) fn to_json(text: &str) -> Option<String> {
    let mut json = String::with_capacity(text.len());
    let mut rest = text;
    while let Some(c) = rest.chars().next() {
        match c {
            '\'' | '"' => {
                let (value, after) = literal(rest, c)?;
                json.push_str(&serde_json::to_string(&value).ok()?);
                rest = after;
            }
            '=' => {
                json.push(':');
                rest = rest.strip_prefix("=>").unwrap_or(&rest[1..]);
            }
            // A Ruby symbol.
            ':' if rest[1..].starts_with(|c: char| c.is_ascii_alphabetic()) && json.ends_with(['{', ' ', ',']) => {
                rest = &rest[1..];
            }
            'A'..='Z' | 'a'..='z' | '_' | '$' => {
                let end = rest.find(|c: char| !c.is_ascii_alphanumeric() && !matches!(c, '_' | '$'));
                let (word, after) = rest.split_at(end.unwrap_or(rest.len()));
                rest = after;
                match word {
                    "true" | "True" => json.push_str("true"),
                    "false" | "False" => json.push_str("false"),
                    "null" | "None" | "nil" | "undefined" => json.push_str("null"),
                    "Decimal" => {
                        let (number, after) = literal(rest.strip_prefix('(')?, '\'')?;
                        rest = after.strip_prefix(')')?;
                        json.push_str(&number);
                    }
                    name => _ = write!(json, "\"{name}\""),
                }
            }
            ',' if rest[1..].trim_ascii_start().starts_with(['}', ']']) => rest = &rest[1..],
            '0'..='9' | '-' => {
                let end = rest.find(|c: char| !c.is_ascii_alphanumeric() && !matches!(c, '+' | '-' | '.'));
                let (number, after) = rest.split_at(end.unwrap_or(rest.len()));
                json.push_str(number);
                rest = after;
            }
            other => {
                json.push(other);
                rest = &rest[other.len_utf8()..];
            }
        }
    }
    serde_json::from_str::<serde::de::IgnoredAny>(&json).is_ok().then_some(json)
}
