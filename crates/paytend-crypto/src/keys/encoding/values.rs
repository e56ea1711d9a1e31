//! Finds values in a document that may be keys: JSON members, YAML entries and variables in an environment file.

/// A value that may be a base64 key, and its name.
pub(super) struct Value<'t> {
    pub(super) name: Option<String>,
    pub(super) text: &'t [u8],
}

/// The minimum length of a base64 key.
const SHORTEST: usize = 64;
/// The maximum length of a name.
const LONGEST_NAME: usize = 64;
/// The maximum number of bytes to read when searching for the ends of values. The limit keeps the search fast in a
/// hostile document.
const SEARCHED: usize = 4 << 20;

/// Returns all values that consist of base64 characters and are long enough to be a key.
pub(super) fn find(text: &[u8]) -> Vec<Value<'_>> {
    let mut values = Vec::new();
    let mut at = 0;
    let mut left = SEARCHED;
    while let Some(found) = memchr::memchr2(b':', b'=', &text[at..]) {
        let (before, after) = (&text[..at + found], &text[at + found + 1..]);
        at += found + 1;
        if is_in_comment(before) {
            continue;
        }
        let Some(name) = last_name(before) else { continue };
        let (start, length) = value(after);
        let Some(rest) = left.checked_sub(start + length) else { break };
        left = rest;
        let value = after[start..start + length].trim_ascii();
        if value.len() >= SHORTEST && is_encoded(value) && super::armour::blocks(value).is_empty() {
            values.push(Value { name: shown(name), text: value });
            at += start + length;
        }
    }
    values
}

/// Returns whether `text` contains base64 or hexadecimal digits that start like a key, outside the values that [`find`]
/// returns.
pub(super) fn has_other_keys(text: &[u8]) -> bool {
    let values = find(text);
    let start = text.as_ptr() as usize;
    let inside = |at: usize| {
        values.iter().any(|value| {
            let from = value.text.as_ptr() as usize - start;
            (from..from + value.text.len()).contains(&at)
        })
    };
    let is_digit = |byte: &u8| byte.is_ascii_alphanumeric() || b"+/=-_:".contains(byte);
    // The beginnings of DER and PEM, in base64 and in hexadecimal. Public keys of 1024 bits begin with `MIG`.
    let marks: [&[u8]; 7] = [b"MIG", b"MII", b"LS0tLS1CRUdJTi", b"3081", b"3082", b"30:81:", b"30:82:"];
    let mut at = 0;
    while at < text.len() {
        let length = text[at..].iter().take_while(|byte| is_digit(byte)).count();
        let run = &text[at..at + length];
        // A name and `=` can precede the key, and the key can be damaged after its beginning.
        let begins = |mark: &[u8]| memchr::memmem::find_iter(run, mark).any(|from| length - from >= 20);
        if marks.into_iter().any(begins) && !inside(at + length - 1) && !is_in_comment(&text[..at]) {
            return true;
        }
        at += length.max(1);
    }
    false
}

/// Returns whether the last line of `text` is a comment.
fn is_in_comment(text: &[u8]) -> bool {
    let line = memchr::memrchr(b'\n', text).map_or(text, |end| &text[end + 1..]).trim_ascii_start();
    line.starts_with(b"#") || line.starts_with(b";") || line.starts_with(b"//")
}

/// Returns whether all characters are base64, with padding only at the end.
fn is_encoded(value: &[u8]) -> bool {
    let digits = trimmed_end(value, b"=");
    value.iter().all(is_base64) && !digits.contains(&b'=')
}

fn is_base64(byte: &u8) -> bool {
    byte.is_ascii_alphanumeric() || b"+/=-_ \n".contains(byte)
}

/// Returns the offset and the length of the first value in `text`.
fn value(text: &[u8]) -> (usize, usize) {
    let start = text.iter().take_while(|byte| **byte == b' ').count();
    let rest = &text[start..];
    if let [quote @ (b'"' | b'\'' | b'`'), quoted @ ..] = rest {
        return (start + 1, memchr::memchr(*quote, quoted).unwrap_or(0));
    }
    let line = rest.iter().take_while(|byte| !b"\n,;&#}".contains(byte)).count();
    // In YAML, a block value begins on the line after the name.
    if !matches!(rest[..line].trim_ascii(), b"" | b"|" | b">" | b"|-" | b">-" | b"|+" | b">+") {
        return (start, line);
    }
    let start = start + line;
    let block = text[start..].split_inclusive(|byte| *byte == b'\n').enumerate();
    let inside = |(at, line): &(usize, &[u8])| *at == 0 || line.first() == Some(&b' ') && line.iter().all(is_base64);
    (start, block.take_while(inside).map(|(_, line)| line.len()).sum())
}

/// Returns the name at the end of `text`. The name can be in quotes.
fn last_name(text: &[u8]) -> Option<&[u8]> {
    let text = trimmed_end(text, b" \"'`");
    let length = text.iter().rev().take(LONGEST_NAME + 1).take_while(|byte| is_name(byte)).count();
    let (before, name) = text.split_at(text.len() - length);
    let standalone = before.last().is_none_or(|byte| b" \n\"'`{,[;&?".contains(byte));
    let letters = name.first().is_some_and(|byte| byte.is_ascii_alphabetic() || b"_.".contains(byte));
    (standalone && letters && length <= LONGEST_NAME).then_some(name)
}

/// Returns a name for an error message, or `None` if the name could be the end of a base64 key.
fn shown(name: &[u8]) -> Option<String> {
    let mixed = [u8::is_ascii_uppercase, u8::is_ascii_lowercase, u8::is_ascii_digit];
    let key = mixed.iter().all(|kind| name.iter().any(kind));
    (!key).then(|| name.iter().map(|byte| char::from(*byte)).collect())
}

fn is_name(byte: &u8) -> bool {
    byte.is_ascii_alphanumeric() || b"_.-".contains(byte)
}

/// Returns the name of the value that follows `text`, such as `KEY` after `KEY="`.
pub(super) fn name_before_value(text: &[u8]) -> Option<String> {
    let whole = text;
    let text = trimmed_end(text, b" \n\"'`");
    let removed = &whole[text.len()..];
    // A line that ends with `=` can be the end of a base64 key.
    if text.ends_with(b"=") && removed.contains(&b'\n') && !removed.iter().any(|byte| b"\"'`".contains(byte)) {
        return None;
    }
    let text = text.strip_suffix(b"-").filter(|text| text.ends_with(b"|") || text.ends_with(b">")).unwrap_or(text);
    let text = text.strip_suffix(b"|").or(text.strip_suffix(b">")).unwrap_or(text).trim_ascii_end();
    let before = text.strip_suffix(b":").or(text.strip_suffix(b"="))?;
    last_name(before).and_then(shown)
}

fn trimmed_end<'t>(text: &'t [u8], ends: &[u8]) -> &'t [u8] {
    let length = text.iter().rposition(|byte| !ends.contains(byte)).map_or(0, |last| last + 1);
    &text[..length]
}
