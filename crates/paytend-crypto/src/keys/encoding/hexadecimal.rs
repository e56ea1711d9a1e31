//! Decodes keys written as hexadecimal digits, and recognizes dumps of binary files.

use zeroize::Zeroizing;

use crate::keys::foreign::ForeignKey;

/// Decodes a key that is written as hexadecimal digits, such as `0x3082…`, `30:82:…` or `30-82-…`.
pub(super) fn decode(text: &[u8]) -> Option<Zeroizing<Vec<u8>>> {
    const SHORTEST: usize = 32;
    let mut out = Zeroizing::new(Vec::with_capacity(text.len() / 2));
    let mut high = None;
    let mut rest = text;
    while let Some((first, after)) = rest.split_first() {
        rest = after;
        let digit = match (first, after) {
            (b' ' | b'\t' | b'\n' | b':' | b',' | b'-', _) => continue,
            (b'0', [b'x' | b'X', after @ ..]) => {
                rest = after;
                continue;
            }
            (byte, _) => u8::try_from(char::from(*byte).to_digit(16)?).ok()?,
        };
        match high.take() {
            None => high = Some(digit),
            Some(high) => out.push(high << 4 | digit),
        }
    }
    let key = matches!(out.as_slice(), [0x30, 0x80..=0x84, ..]) || out.starts_with(b"-----BEGIN ");
    (key && out.len() >= SHORTEST).then_some(out)
}

/// Recognizes the output of `xxd`, `hexdump` and `od` by its first line.
pub(super) fn dump(text: &[u8]) -> Option<ForeignKey> {
    let line = text.split(|byte| *byte == b'\n').next()?;
    let mut words = line.split(|byte| *byte == b' ').filter(|word| !word.is_empty());
    let offset = words.next()?;
    let digits = offset.strip_suffix(b":").unwrap_or(offset);
    let groups: Vec<&[u8]> = words.take(4).collect();
    let hexadecimal = |size: usize| {
        groups.len() == 4 && groups.iter().all(|group| group.len() == size && group.iter().all(u8::is_ascii_hexdigit))
    };
    if !(6..=16).contains(&digits.len()) || digits.iter().any(|digit| *digit != b'0') {
        return None;
    }
    match offset.ends_with(b":") {
        true if [2, 4, 8].into_iter().any(hexadecimal) => Some(ForeignKey::XxdDump),
        false if hexadecimal(2) => Some(ForeignKey::ByteDump),
        false if hexadecimal(4) => Some(ForeignKey::WordDump),
        _ => None,
    }
}
