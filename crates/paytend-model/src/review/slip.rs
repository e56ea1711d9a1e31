//! Typical mistakes in JSON that was not written by a JSON library.

use std::fmt;

use serde_json::from_str;
use serde_json::value::RawValue;

/// The maximum nesting depth that `serde_json` reads.
const MAX_DEPTH: usize = 127;

/// A mistake, with its offset in bytes.
#[derive(Clone, Copy)]
pub(super) struct Slip {
    pub(super) at: usize,
    mistake: Mistake,
}

#[derive(Clone, Copy)]
enum Mistake {
    TrailingComma,
    SingleQuotes,
    /// Single quotes in input that contains Python's `True`, `False` or `None`.
    PythonRepr,
    PythonLiteral,
    TypographicQuotes,
    EqualsSigns,
    UnquotedWord,
    Comment,
    Number,
    ControlCharacter,
    Escape,
    Surrogate,
    Depth,
}

impl fmt::Display for Slip {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (name, advice) = match self.mistake {
            Mistake::TrailingComma => ("with a trailing comma", ""),
            Mistake::SingleQuotes => ("with single quotes", "; JSON uses double quotes"),
            Mistake::PythonRepr => ("in Python's print format", "; use json.dumps"),
            Mistake::PythonLiteral => ("with a Python literal", "; JSON uses true, false and null"),
            Mistake::TypographicQuotes => ("with typographic quotes", "; JSON uses straight double quotes"),
            Mistake::EqualsSigns => ("with equals signs instead of colons", ""),
            Mistake::UnquotedWord => ("with an unquoted word", ""),
            Mistake::Comment => ("with a comment", ""),
            Mistake::Number => ("with an invalid number", ""),
            Mistake::ControlCharacter => ("with a control character in a string", "; use an escape sequence"),
            Mistake::Escape => ("with an invalid escape in a string", ""),
            Mistake::Surrogate => ("with half of a surrogate pair in a string", ""),
            Mistake::Depth => return write!(f, "that is nested more than {MAX_DEPTH} levels deep"),
        };
        write!(f, "{name} at byte {}{advice}", self.at)
    }
}

impl Slip {
    /// Finds the first mistake in input that starts like a JSON object or array. Truncated input is not reported as a
    /// mistake.
    pub(super) fn first(text: &str) -> Option<Self> {
        let bytes = text.as_bytes();
        let (mut at, mut depth) = (0, 0usize);
        while let Some(byte) = bytes.get(at) {
            let slip = |mistake| Some(Self { at, mistake });
            let end = token_end(bytes, at);
            match byte {
                b'"' => match string_end(bytes, at) {
                    Ok(Some(end)) => at = end,
                    Ok(None) => return None,
                    Err(slip) => return Some(slip),
                },
                b'{' | b'[' if depth == MAX_DEPTH => return slip(Mistake::Depth),
                b'{' | b'[' => (at, depth) = (at + 1, depth + 1),
                b'}' | b']' => (at, depth) = (at + 1, depth.saturating_sub(1)),
                b',' if matches!(next(bytes, at + 1), Some(b'}' | b']')) => return slip(Mistake::TrailingComma),
                b'\'' if has_python_literal(text) => return slip(Mistake::PythonRepr),
                b'\'' => return slip(Mistake::SingleQuotes),
                b'#' => return slip(Mistake::Comment),
                b'/' if matches!(bytes.get(at + 1), Some(b'/' | b'*')) => return slip(Mistake::Comment),
                b'=' => return slip(Mistake::EqualsSigns),
                _ if end > at => {
                    if end < bytes.len()
                        && let Some(mistake) = in_token(&text[at..end], next(bytes, end))
                    {
                        return slip(mistake);
                    }
                    at = end;
                }
                // The UTF-8 encoding of typographic quotes starts with the byte 0xE2.
                0xe2 if text[at..].starts_with(['\u{2018}', '\u{2019}', '\u{201c}', '\u{201d}', '\u{201e}']) => {
                    return slip(Mistake::TypographicQuotes);
                }
                _ => at += 1,
            }
        }
        None
    }
}

/// Returns the first byte at or after `at` that is not whitespace.
fn next(bytes: &[u8], at: usize) -> Option<u8> {
    bytes[at..].iter().copied().find(|byte| !byte.is_ascii_whitespace())
}

/// Returns the end of the number or word at an offset.
fn token_end(bytes: &[u8], at: usize) -> usize {
    let is_part = |byte: &u8| byte.is_ascii_alphanumeric() || b"_$+-.".contains(byte);
    at + bytes[at..].iter().take_while(|byte| is_part(byte)).count()
}

/// Returns the mistake in a number or word. `next` is the byte after the token.
fn in_token(token: &str, next: Option<u8>) -> Option<Mistake> {
    if from_str::<&RawValue>(token).is_ok() {
        return None;
    }
    Some(match token {
        _ if next == Some(b'=') => Mistake::EqualsSigns,
        "True" | "False" | "None" => Mistake::PythonLiteral,
        _ if token.starts_with(|c: char| c.is_ascii_digit() || "+-.".contains(c)) => Mistake::Number,
        _ => Mistake::UnquotedWord,
    })
}

fn has_python_literal(text: &str) -> bool {
    text.split(|c: char| !c.is_alphanumeric()).any(|word| matches!(word, "True" | "False" | "None"))
}

/// Returns the end of the string at an offset, or `None` if the string is cut off.
fn string_end(bytes: &[u8], start: usize) -> Result<Option<usize>, Slip> {
    let mut at = start + 1;
    loop {
        let slip = |mistake| Err(Slip { at, mistake });
        at += match bytes[at.min(bytes.len())..] {
            [] | [b'\\'] => return Ok(None),
            [b'"', ..] => return Ok(Some(at + 1)),
            [b'\\', b'"' | b'\\' | b'/' | b'b' | b'f' | b'n' | b'r' | b't', ..] => 2,
            [b'\\', b'u', ref rest @ ..] => match (unit(rest), rest.get(4..)) {
                (Some(0xd800..=0xdbff), Some([b'\\', b'u', low @ ..])) if low.len() < 4 => return Ok(None),
                (Some(0xd800..=0xdbff), Some([b'\\', b'u', low @ ..]))
                    if matches!(unit(low), Some(0xdc00..=0xdfff)) =>
                {
                    12
                }
                (Some(0xd800..=0xdbff), Some([] | [b'\\'])) => return Ok(None),
                (Some(0xd800..=0xdfff), _) => return slip(Mistake::Surrogate),
                (Some(_), _) => 6,
                (None, None) => return Ok(None),
                (None, Some(_)) => return slip(Mistake::Escape),
            },
            [b'\\', ..] => return slip(Mistake::Escape),
            [0..0x20, ..] => return slip(Mistake::ControlCharacter),
            _ => 1,
        };
    }
}

/// Parses four hexadecimal digits as a UTF-16 code unit.
fn unit(digits: &[u8]) -> Option<u16> {
    let digits = digits.get(..4).filter(|digits| digits.iter().all(u8::is_ascii_hexdigit))?;
    u16::from_str_radix(std::str::from_utf8(digits).ok()?, 16).ok()
}
