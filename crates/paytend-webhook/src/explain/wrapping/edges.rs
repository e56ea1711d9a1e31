//! Changes at the start and the end of the text.

use super::undone::Undone;
use crate::explain::change::Change;
use crate::explain::change::Wrapping;

const MARK: &[u8] = b"\xEF\xBB\xBF";

/// Restores a lost line break at the end.
pub(super) fn newline(body: &[u8], out: &mut Vec<Undone>) {
    for end in ["\n", "\r\n"] {
        out.push(Undone { bytes: [body, end.as_bytes()].concat(), change: Change::NewlineLost });
    }
}

/// Removes whitespace that was added at the start or the end.
pub(super) fn trimmed(body: &[u8], out: &mut Vec<Undone>) {
    let one_less = body.strip_suffix(b"\r\n").or_else(|| body.strip_suffix(b"\n"));
    for bytes in one_less.into_iter().chain([body.trim_ascii()]).filter(|bytes| bytes.len() < body.len()) {
        out.push(Undone { bytes: bytes.to_vec(), change: Change::WhiteSpaceAdded });
    }
}

pub(super) fn byte_order_mark_lost(body: &[u8], out: &mut Vec<Undone>) {
    if !body.starts_with(MARK) {
        out.push(Undone { bytes: [MARK, body].concat(), change: Change::ByteOrderMark });
    }
}

pub(super) fn byte_order_mark(body: &[u8], out: &mut Vec<Undone>) {
    let mut bare = body;
    while let Some(rest) = bare.strip_prefix(MARK) {
        bare = rest;
    }
    if bare.len() < body.len() {
        out.push(Undone { bytes: bare.to_vec(), change: Change::Wrapped(Wrapping::ByteOrderMark) });
    }
}

pub(super) fn nul(body: &[u8], out: &mut Vec<Undone>) {
    if let Some(one_less) = body.strip_suffix(&[0]) {
        out.push(Undone { bytes: one_less.to_vec(), change: Change::Wrapped(Wrapping::Nul) });
    }
    let end = body.iter().rposition(|byte| *byte != 0).map_or(0, |at| at + 1);
    let start = body.iter().position(|byte| *byte != 0).unwrap_or(end);
    // Do not remove the outer NUL bytes if there are inner NUL bytes too, because the text may be UTF-16, in which
    // ASCII characters contain NUL bytes.
    let inner = &body[start..end.max(start)];
    if inner.len() < body.len() && !inner.contains(&0) {
        out.push(Undone { bytes: inner.to_vec(), change: Change::Wrapped(Wrapping::Nul) });
    }
}

/// Converts LF to CR LF, or CR LF to LF.
pub(super) fn line_ends(body: &[u8], out: &mut Vec<Undone>) {
    let Ok(text) = std::str::from_utf8(body) else { return };
    if !text.contains(['\n', '\r']) {
        return;
    }
    let unix = text.replace("\r\n", "\n");
    for changed in [unix.replace('\r', "\n"), unix.replace('\n', "\r\n"), unix] {
        if changed != text {
            out.push(Undone { bytes: changed.into_bytes(), change: Change::LineEnds });
        }
    }
}

/// Restores the opening bracket of a JSON text, or the closing brackets at its end, if they were lost.
pub(super) fn closing(body: &[u8], out: &mut Vec<Undone>) {
    let mut open = Vec::new();
    let (mut in_string, mut escaped) = (false, false);
    for byte in body {
        match byte {
            _ if escaped => escaped = false,
            b'\\' if in_string => escaped = true,
            b'"' => in_string = !in_string,
            b'{' if !in_string => open.push(b'}'),
            b'[' if !in_string => open.push(b']'),
            b'}' | b']' if !in_string => _ = open.pop(),
            _ => {}
        }
    }
    if body.starts_with(b"\"") && body.ends_with(b"}") {
        out.push(Undone { bytes: [b"{", body].concat(), change: Change::EndLost });
    }
    if open.is_empty() || open.len() > 64 || !body.starts_with(b"{") {
        return;
    }
    let mut bytes = body.to_vec();
    bytes.extend(in_string.then_some(b'"'));
    bytes.extend(open.iter().rev());
    out.push(Undone { bytes, change: Change::EndLost });
}
