//! Documents that contain the signed text: forms, other JSON documents, multipart bodies, log lines.

use crate::explain::raw_members::RawMembers;
use percent_encoding::percent_decode;
use serde_json::value::RawValue;
use serde_json::{Map, Value};

use super::undone::Undone;
use super::{bytes, encodings};
use crate::explain::change::Change;
use crate::explain::change::Wrapping;

/// Maximum number of fields or members that are examined.
const MANY: usize = 64;

fn push(out: &mut Vec<Undone>, bytes: Vec<u8>, wrapping: Wrapping) {
    out.push(Undone { bytes, change: Change::Wrapped(wrapping) });
}

/// Decodes a form field's value.
fn plain(text: &[u8]) -> Vec<u8> {
    let spaced: Vec<u8> = text.iter().map(|byte| if *byte == b'+' { b' ' } else { *byte }).collect();
    percent_decode(&spaced).collect()
}

pub(super) fn form_field(body: &[u8], out: &mut Vec<Undone>) {
    let body = body.trim_ascii();
    let first = body.iter().position(|byte| matches!(byte, b'=' | b'{' | b'"'));
    if first.is_none_or(|at| body[at] != b'=') {
        return;
    }
    for pair in body.split(|byte| *byte == b'&').take(MANY) {
        let Some(at) = pair.iter().position(|byte| *byte == b'=') else { continue };
        let value = &pair[at + 1..];
        if value.is_empty() {
            continue;
        }
        push(out, plain(value), Wrapping::FormField);
        push(out, percent_decode(value).collect(), Wrapping::FormField);
    }
    // A value that was not encoded can contain `&` and `=`, so try all text after the first `=`.
    if let Some(at) = body.iter().position(|byte| *byte == b'=') {
        push(out, body[at + 1..].to_vec(), Wrapping::FormField);
    }
}

/// Recovers a JSON body that a form parser mistook for a field name. The input is the parser's result, re-serialized as
/// a form (`{…}=`) or as a JSON object (`{"{…}": ""}`).
pub(super) fn form_key(body: &[u8], out: &mut Vec<Undone>) {
    let text = body.trim_ascii();
    if let Some(key) = text.strip_suffix(b"=") {
        push(out, key.to_vec(), Wrapping::FormKey);
        push(out, plain(key), Wrapping::FormKey);
        out.extend(
            encodings::decoded(key)
                .into_iter()
                .map(|bytes| Undone { bytes, change: Change::Wrapped(Wrapping::FormKey) }),
        );
    }
    // A form parser splits the text at every `&` and `=`. When the form is written again, only the text between these
    // characters is percent-encoded.
    if text.contains(&b'%') && text.contains(&b'=') && text.starts_with(b"%7") {
        push(out, plain(text), Wrapping::FormKey);
    }
    let Ok(members) = serde_json::from_slice::<Map<String, Value>>(text) else { return };
    // If there is only a single name without a value, it can be any text. If there are several names, the first name
    // must start like a JSON document.
    let lone = members.len() == 1 && members.values().all(|value| value.is_null() || *value == "");
    if !lone && !members.keys().next().is_some_and(|name| name.starts_with(['{', '['])) || members.len() > MANY {
        return;
    }
    let pair = |(name, value): (&String, &Value)| match value {
        Value::String(value) if value.is_empty() => name.clone(),
        Value::String(value) => format!("{name}={value}"),
        Value::Array(values) => format!("{name}={}", values.first().and_then(Value::as_str).unwrap_or_default()),
        _ => name.clone(),
    };
    let joined = members.iter().map(pair).collect::<Vec<_>>().join("&");
    push(out, joined.trim_end_matches('=').as_bytes().to_vec(), Wrapping::FormKey);
    push(out, joined.into_bytes(), Wrapping::FormKey);
}

/// Finds the strings and objects in an outer JSON document.
pub(super) fn member(body: &[u8], out: &mut Vec<Undone>) {
    let Ok(text) = std::str::from_utf8(body) else { return };
    let Ok(outer) = serde_json::from_str::<&RawValue>(text) else { return };
    let (mut pending, mut left) = (vec![(outer.get(), 0)], MANY);
    while let Some((raw, depth)) = pending.pop() {
        if left == 0 {
            return;
        }
        left -= 1;
        if depth > 0 && raw.starts_with(['{', '[']) {
            push(out, raw.as_bytes().to_vec(), Wrapping::InnerObject);
        }
        if raw.starts_with('"') && raw.len() > 8 && depth > 0 {
            let Ok(string) = serde_json::from_str::<String>(raw) else { continue };
            if let Some(decoded) = bytes::decode_base64(&string).filter(|decoded| decoded.starts_with(b"{")) {
                push(out, decoded, Wrapping::Member);
            }
            push(out, string.into_bytes(), Wrapping::Member);
        }
        if depth < 3 {
            let members = serde_json::from_str::<RawMembers<'_>>(raw).map(RawMembers::into_values);
            let elements = || serde_json::from_str::<Vec<&RawValue>>(raw);
            let inner = members.or_else(|_| elements()).unwrap_or_default();
            pending.extend(inner.into_iter().take(MANY).map(|value| (value.get(), depth + 1)));
        }
    }
}

/// Removes text before or after the document: a log line, a callback name, HTTP headers, a multipart boundary.
pub(super) fn surrounded(body: &[u8], out: &mut Vec<Undone>) {
    let starts_http = [&b"POST "[..], b"PUT ", b"HTTP/"].into_iter().any(|start| body.starts_with(start));
    let wrapping = match body {
        _ if starts_http => Wrapping::HttpMessage,
        [b'-', b'-', ..] => Wrapping::Multipart,
        _ => Wrapping::Surrounded,
    };
    if wrapping != Wrapping::Surrounded {
        let end = |sep: &[u8]| body.windows(sep.len()).position(|window| window == sep).map(|at| at + sep.len());
        if let Some(start) = end(b"\r\n\r\n").or_else(|| end(b"\n\n")) {
            push(out, body[start..].to_vec(), wrapping);
        }
    }
    // Remove a label before the document, as in a log line.
    let label = body.iter().take(40).position(|byte| matches!(byte, b':' | b'>' | b'\n' | b' '));
    if let Some(at) = label.filter(|_| !body.starts_with(b"{")) {
        push(out, body[at + 1..].trim_ascii().to_vec(), wrapping);
    }
    for [open, close] in [[b'{', b'}'], [b'[', b']']] {
        let start = body.iter().position(|byte| *byte == open);
        let end = body.iter().rposition(|byte| *byte == close);
        if let (Some(start), Some(end)) = (start, end)
            && start < end
            && (start > 0 || end + 1 < body.len())
            && !body.trim_ascii().starts_with(b"{")
        {
            push(out, body[start..=end].to_vec(), wrapping);
        }
    }
    // Remove the text after a document.
    let mut documents = serde_json::Deserializer::from_slice(body).into_iter::<serde::de::IgnoredAny>();
    if body.trim_ascii_start().starts_with(b"{") && documents.next().is_some_and(|first| first.is_ok()) {
        let (first, rest) = body.split_at(documents.byte_offset());
        if !rest.trim_ascii().is_empty() {
            push(out, first.trim_ascii().to_vec(), wrapping);
        }
    }
}
