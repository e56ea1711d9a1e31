//! Encodings of characters in log lines.

/// Returns whether a text contains the beginning of an object, or an encoded form of it.
pub(super) fn has_brace(text: &[u8]) -> bool {
    let marks = [&b"{"[..], b"%7b", b"%7B", b"&#123;", b"7b22", b"7B22"];
    marks.iter().any(|mark| text.windows(mark.len()).any(|window| window == *mark))
}

/// Replaces escapes such as `\x22`, which nginx writes to its logs. Returns `None` if the line contains no `\x22`.
pub(super) fn without_hex_escapes(line: &[u8]) -> Option<Vec<u8>> {
    if !line.windows(4).any(|window| window == br"\x22") {
        return None;
    }
    let (mut out, mut rest) = (Vec::with_capacity(line.len()), line);
    while let Some((first, after)) = rest.split_first() {
        let digits = rest.strip_prefix(br"\x").and_then(|hex| hex.get(..2));
        let byte =
            digits.and_then(|hex| std::str::from_utf8(hex).ok()).and_then(|hex| u8::from_str_radix(hex, 16).ok());
        match byte {
            Some(byte) => {
                out.push(byte);
                rest = rest.get(4..).unwrap_or_default();
            }
            None => {
                out.push(*first);
                rest = after;
            }
        }
    }
    Some(out)
}
