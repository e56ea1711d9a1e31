//! Escaped text: JSON strings, HTML entities, percent-encoding.

use percent_encoding::{NON_ALPHANUMERIC, percent_decode, percent_encode};

use super::undone::Undone;
use crate::explain::change::Change;
use crate::explain::change::Wrapping;

fn push(out: &mut Vec<Undone>, bytes: Vec<u8>, wrapping: Wrapping) {
    out.push(Undone { bytes, change: Change::Wrapped(wrapping) });
}

pub(super) fn json_string(body: &[u8], out: &mut Vec<Undone>) {
    if let Ok(inner) = serde_json::from_slice::<String>(body) {
        push(out, inner.into_bytes(), Wrapping::JsonString);
    }
}

/// Unescapes `{\"a\":1}`, without surrounding quotes.
pub(super) fn backslashes(body: &[u8], out: &mut Vec<Undone>) {
    let text = body.trim_ascii();
    if !text.windows(2).any(|pair| pair == b"\\\"") || text.starts_with(b"\"") {
        return;
    }
    if let Ok(inner) = serde_json::from_slice::<String>(&[b"\"", text, b"\""].concat()) {
        push(out, inner.into_bytes(), Wrapping::Backslashes);
    }
    // Some programs escape only the quotes, not the existing backslashes.
    if let Ok(text) = std::str::from_utf8(text) {
        push(out, text.replace("\\\"", "\"").into_bytes(), Wrapping::Backslashes);
    }
}

/// Removes the quotes from `'{"a":1}'`, `"{"a":1}"`, and the CSV form `"{""a"":1}"`.
pub(super) fn quotes(body: &[u8], out: &mut Vec<Undone>) {
    let text = body.trim_ascii();
    for quote in [b"'", b"\"", b"`"] {
        let Some(inner) = text.strip_prefix(quote).and_then(|rest| rest.strip_suffix(quote)) else { continue };
        // JSON strings are handled by `json_string`, because they can contain escapes.
        if serde_json::from_slice::<String>(text).is_ok() {
            continue;
        }
        push(out, inner.to_vec(), Wrapping::Quotes);
        if let Ok(text) = std::str::from_utf8(inner)
            && text.contains("\"\"")
        {
            push(out, text.replace("\"\"", "\"").into_bytes(), Wrapping::Quotes);
        }
    }
}

pub(super) fn html(body: &[u8], out: &mut Vec<Undone>) {
    if let Ok(text) = std::str::from_utf8(body)
        && let Some(unescaped) = unescape_html(text)
    {
        push(out, unescaped.into_bytes(), Wrapping::HtmlEntities);
    }
}

/// Decodes the HTML entities that escaping functions write. Returns `None` if the text contains none.
pub(in crate::explain) fn unescape_html(text: &str) -> Option<String> {
    const NAMED: [(&str, &str); 7] =
        [("quot", "\""), ("amp", "&"), ("lt", "<"), ("gt", ">"), ("apos", "'"), ("nbsp", "\u{a0}"), ("sol", "/")];
    let (mut rest, mut changed) = (text, false);
    let mut unescaped = String::with_capacity(text.len());
    while let Some(at) = rest.find('&') {
        unescaped.push_str(&rest[..at]);
        rest = &rest[at..];
        let name = rest[1..].split(';').next().filter(|name| name.len() <= 8 && name.len() + 2 <= rest.len());
        let number = |name: &str| {
            let digits = name.strip_prefix('#')?;
            let code = match digits.strip_prefix(['x', 'X']) {
                Some(hex) => u32::from_str_radix(hex, 16).ok()?,
                None => digits.parse().ok()?,
            };
            char::from_u32(code).map(String::from)
        };
        let named = |name: &str| NAMED.iter().find(|(known, _)| *known == name).map(|(_, text)| (*text).to_owned());
        match name.and_then(|name| Some((name, named(name).or_else(|| number(name))?))) {
            Some((name, text)) => {
                unescaped.push_str(&text);
                rest = &rest[name.len() + 2..];
                changed = true;
            }
            None => {
                unescaped.push('&');
                rest = &rest[1..];
            }
        }
    }
    unescaped.push_str(rest);
    changed.then_some(unescaped)
}

pub(super) fn quoted_printable(body: &[u8], out: &mut Vec<Undone>) {
    if !body.contains(&b'=') {
        return;
    }
    let digit =
        |byte: Option<&u8>| byte.and_then(|byte| (*byte as char).to_digit(16)).and_then(|d| u8::try_from(d).ok());
    let (mut bytes, mut at) = (Vec::new(), 0);
    while let Some(byte) = body.get(at) {
        let rest = &body[at + 1..];
        if *byte != b'=' {
            bytes.push(*byte);
            at += 1;
        } else if let Some(end) = [&b"\r\n"[..], b"\n"].into_iter().find(|end| rest.starts_with(end)) {
            at += 1 + end.len();
        } else if let (Some(high), Some(low)) = (digit(rest.first()), digit(rest.get(1))) {
            bytes.push(high * 16 + low);
            at += 3;
        } else {
            return;
        }
    }
    push(out, bytes, Wrapping::QuotedPrintable);
}

/// Decodes percent-encoding, with and without `+` as a space.
pub(super) fn percent(body: &[u8], out: &mut Vec<Undone>) {
    for bytes in decoded(body) {
        push(out, bytes, Wrapping::PercentEncoding);
    }
}

/// Returns the possible decodings of percent-encoded text: `+` is a space in forms, and a plus sign elsewhere.
pub(super) fn decoded(body: &[u8]) -> Vec<Vec<u8>> {
    if !body.contains(&b'%') {
        return Vec::new();
    }
    let spaced: Vec<u8> = body.iter().map(|byte| if *byte == b'+' { b' ' } else { *byte }).collect();
    let mut readings: Vec<Vec<u8>> = vec![percent_decode(&spaced).collect(), percent_decode(body).collect()];
    readings.dedup();
    readings.retain(|reading| reading != body);
    readings
}

/// Percent-encodes text that was encoded when it was signed, but decoded before it arrived.
pub(super) fn percent_lost(body: &[u8], out: &mut Vec<Undone>) {
    let encoded = percent_encode(body, NON_ALPHANUMERIC).to_string();
    // Forms and JavaScript's encodeURIComponent leave some characters unencoded.
    let mut form = encoded.clone();
    for (code, plain) in [("%2D", "-"), ("%2E", "."), ("%5F", "_"), ("%2A", "*")] {
        form = form.replace(code, plain);
    }
    let mut component = form.clone();
    for (code, plain) in [("%21", "!"), ("%7E", "~"), ("%27", "'"), ("%28", "("), ("%29", ")")] {
        component = component.replace(code, plain);
    }
    for text in [form.replace("%20", "+"), form, component, encoded] {
        out.push(Undone { bytes: text.into_bytes(), change: Change::PercentEncoding });
    }
}
