//! Finds values in a document that may be keys: members in JSON, entries in YAML, variables in an environment file.

/// A value that may be a key in base64, and its name.
pub(super) struct Value<'t> {
    pub(super) name: Option<String>,
    pub(super) text: &'t [u8],
}

/// The minimum length of a key in base64.
const SHORTEST: usize = 64;
/// The maximum length of a name.
const LONGEST_NAME: usize = 64;

/// Returns all values that consist of base64 characters and are as long as a key.
pub(super) fn find(text: &[u8]) -> Vec<Value<'_>> {
    let mut values = Vec::new();
    let mut at = 0;
    while let Some(found) = memchr::memchr2(b':', b'=', &text[at..]) {
        let (before, after) = (&text[..at + found], &text[at + found + 1..]);
        at += found + 1;
        let Some(name) = last_name(before) else { continue };
        let (start, length) = value(after);
        let value = after[start..start + length].trim_ascii();
        if value.len() >= SHORTEST && value.iter().all(is_base64) && super::armour::blocks(value).is_empty() {
            values.push(Value { name: shown(name), text: value });
            at += start + length;
        }
    }
    values
}

fn is_base64(byte: &u8) -> bool {
    byte.is_ascii_alphanumeric() || b"+/=-_ \n".contains(byte)
}

/// Returns the start and the length of the value at the start of `text`.
fn value(text: &[u8]) -> (usize, usize) {
    let start = text.iter().take_while(|byte| **byte == b' ').count();
    let rest = &text[start..];
    if let [quote @ (b'"' | b'\'' | b'`'), quoted @ ..] = rest {
        return (start + 1, memchr::memchr(*quote, quoted).unwrap_or(0));
    }
    let line = rest.iter().take_while(|byte| !b"\n,;&#}".contains(byte)).count();
    // A block in YAML begins in the line below the name.
    if !matches!(rest[..line].trim_ascii(), b"" | b"|" | b">" | b"|-" | b">-" | b"|+" | b">+") {
        return (start, line);
    }
    let start = start + line;
    let block = text[start..].split_inclusive(|byte| *byte == b'\n').enumerate();
    let inside = |(at, line): &(usize, &[u8])| *at == 0 || line.first() == Some(&b' ') && line.iter().all(is_base64);
    (start, block.take_while(inside).map(|(_, line)| line.len()).sum())
}

/// Returns the name at the end of `text`. The name may be in quotes.
fn last_name(text: &[u8]) -> Option<&[u8]> {
    let text = trimmed_end(text, b" \"'`");
    let length = text.iter().rev().take(LONGEST_NAME + 1).take_while(|byte| is_name(byte)).count();
    let (before, name) = text.split_at(text.len() - length);
    let standalone = before.last().is_none_or(|byte| b" \n\"'`{,[;&?".contains(byte));
    let letters = name.first().is_some_and(|byte| byte.is_ascii_alphabetic() || b"_.".contains(byte));
    (standalone && letters && length <= LONGEST_NAME).then_some(name)
}

/// Returns a name for an error message, unless it could be the end of a key in base64.
fn shown(name: &[u8]) -> Option<String> {
    let mixed = [u8::is_ascii_uppercase, u8::is_ascii_lowercase, u8::is_ascii_digit];
    let key = !name.contains(&b'_') && mixed.iter().all(|kind| name.iter().any(kind));
    (!key).then(|| name.iter().map(|byte| char::from(*byte)).collect())
}

fn is_name(byte: &u8) -> bool {
    byte.is_ascii_alphanumeric() || b"_.-".contains(byte)
}

/// Returns the name of the value that follows `text`, such as `KEY` after `KEY="`.
pub(super) fn name_before_value(text: &[u8]) -> Option<String> {
    let text = trimmed_end(text, b" \n\"'`");
    let text = text.strip_suffix(b"-").filter(|text| text.ends_with(b"|") || text.ends_with(b">")).unwrap_or(text);
    let text = text.strip_suffix(b"|").or(text.strip_suffix(b">")).unwrap_or(text).trim_ascii_end();
    let before = text.strip_suffix(b":").or(text.strip_suffix(b"="))?;
    last_name(before).and_then(shown)
}

fn trimmed_end<'t>(text: &'t [u8], ends: &[u8]) -> &'t [u8] {
    let length = text.iter().rposition(|byte| !ends.contains(byte)).map_or(0, |last| last + 1);
    &text[..length]
}
