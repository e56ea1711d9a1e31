//! Cleans a key's text: character encodings, invisible characters, escapes and quotes. This module is independent
//! of key formats.
//!
//! All characters of a key are ASCII, so cleaned text consists of ASCII bytes. Invisible characters are removed. Any
//! other character is replaced by a character that is not valid in base64.

use zeroize::Zeroizing;

use crate::keys::form::Wrapping;

/// The replacement for a dash that a word processor inserted instead of a hyphen.
pub(super) const OTHER_DASH: u8 = b'~';
/// The replacement for a character that cannot be part of a key.
const OTHER: u8 = b'?';

/// ASCII text, with `\n` as its only line ending.
pub(super) struct Text {
    pub(super) bytes: Zeroizing<Vec<u8>>,
    pub(super) wrappings: Vec<Wrapping>,
}

/// Converts bytes in UTF-8, UTF-16, UTF-32 or an 8-bit encoding to ASCII.
pub(super) fn clean(data: &[u8]) -> Text {
    // Here and below, each buffer is allocated once, because growing it would leave copies of a key in memory. Each
    // character becomes at most one byte.
    let mut cleaner = Cleaner {
        bytes: Zeroizing::new(Vec::with_capacity(data.len())),
        after_return: false,
        invisible: false,
        mark: false,
    };
    let wide = wide(data);
    match wide {
        Some((2, big_endian)) => {
            let units = data.chunks_exact(2).map(|pair| {
                let unit = [pair[0], pair[1]];
                if big_endian { u16::from_be_bytes(unit) } else { u16::from_le_bytes(unit) }
            });
            char::decode_utf16(units).for_each(|c| cleaner.push(c.unwrap_or(char::REPLACEMENT_CHARACTER)));
        }
        Some((_, big_endian)) => {
            for four in data.chunks_exact(4) {
                let unit = [four[0], four[1], four[2], four[3]];
                let unit = if big_endian { u32::from_be_bytes(unit) } else { u32::from_le_bytes(unit) };
                cleaner.push(char::from_u32(unit).unwrap_or(char::REPLACEMENT_CHARACTER));
            }
        }
        None => {
            for chunk in data.utf8_chunks() {
                chunk.valid().chars().for_each(|c| cleaner.push(c));
                // The bytes of the no-break space and the dashes in 8-bit encodings.
                chunk.invalid().iter().for_each(|byte| {
                    cleaner.push(match byte {
                        0xa0 => '\u{a0}',
                        0x96 | 0x97 => '\u{2013}',
                        _ => char::REPLACEMENT_CHARACTER,
                    });
                });
            }
        }
    }
    let found = [
        (wide.is_some(), Wrapping::WideCharacters),
        (cleaner.mark, Wrapping::ByteOrderMark),
        (cleaner.invisible, Wrapping::InvisibleCharacters),
    ];
    let wrappings = found.into_iter().filter(|(found, _)| *found).map(|(_, wrapping)| wrapping).collect();
    Text { bytes: cleaner.bytes, wrappings }
}

/// Returns the character size in bytes and whether characters are big-endian, or `None` if the size is 1.
fn wide(data: &[u8]) -> Option<(usize, bool)> {
    match data {
        [0xff, 0xfe, 0, 0, ..] => return Some((4, false)),
        [0, 0, 0xfe, 0xff, ..] => return Some((4, true)),
        [0xff, 0xfe, ..] => return Some((2, false)),
        [0xfe, 0xff, ..] => return Some((2, true)),
        _ => {}
    }
    // Detects UTF-16 without a byte order mark, in which every second byte of ASCII text is zero. Up to half of the
    // characters may be invisible characters outside ASCII.
    let start = &data[..data.len().min(1024) & !1];
    let pairs = start.len() / 2;
    let zeros = |offset: usize| start.iter().skip(offset).step_by(2).filter(|byte| **byte == 0).count();
    match (zeros(0), zeros(1)) {
        _ if pairs < 4 => None,
        (0, odd) if odd * 2 >= pairs => Some((2, false)),
        (even, 0) if even * 2 >= pairs => Some((2, true)),
        _ => None,
    }
}

struct Cleaner {
    bytes: Zeroizing<Vec<u8>>,
    after_return: bool,
    invisible: bool,
    mark: bool,
}

impl Cleaner {
    fn push(&mut self, c: char) {
        let after_return = std::mem::replace(&mut self.after_return, c == '\r');
        let byte = match c {
            '\n' if after_return => return,
            '\n' | '\r' | '\u{85}' | '\u{2028}' | '\u{2029}' => b'\n',
            '\u{feff}' if self.bytes.is_empty() => {
                self.mark = true;
                return;
            }
            '\u{ad}'
            | '\u{34f}'
            | '\u{180e}'
            | '\u{200b}'..='\u{200f}'
            | '\u{202a}'..='\u{202e}'
            | '\u{2060}'..='\u{2069}'
            | '\u{feff}' => {
                self.invisible = true;
                return;
            }
            '\u{a0}' | '\u{1680}' | '\u{2000}'..='\u{200a}' | '\u{202f}' | '\u{205f}' | '\u{3000}' => {
                self.invisible = true;
                b' '
            }
            // Includes NUL, which ends C strings, and `\x1a`, which ends DOS files.
            '\0' | '\t' | '\x0b' | '\x0c' | '\x1a' => b' ',
            '\u{2010}'..='\u{2015}' | '\u{2212}' | '\u{fe58}' | '\u{fe63}' | '\u{ff0d}' => OTHER_DASH,
            '\u{ab}' | '\u{bb}' | '\u{201c}'..='\u{201f}' => b'"',
            '\u{2018}'..='\u{201b}' => b'\'',
            '~' => OTHER,
            ' '..='}' => u8::try_from(c).unwrap_or(OTHER),
            _ => OTHER,
        };
        self.bytes.push(byte);
    }
}

/// Resolves the escapes of shells, JSON and URLs, including nested escapes. Returns `None` if there are no escapes.
pub(super) fn unescape(text: &[u8]) -> Option<Zeroizing<Vec<u8>>> {
    /// The maximum number of nested escapes, for example JSON in JSON in a URL.
    const DEEPEST: usize = 4;
    let mut resolved = unescaped_once(text)?;
    for _ in 1..DEEPEST {
        match unescaped_once(&resolved) {
            Some(next) => resolved = next,
            None => break,
        }
    }
    Some(resolved)
}

/// Resolves one layer of escapes. Returns `None` if nothing changes.
fn unescaped_once(text: &[u8]) -> Option<Zeroizing<Vec<u8>>> {
    let hex = |digits: &[u8]| {
        let text = std::str::from_utf8(digits).ok().filter(|text| text.bytes().all(|b| b.is_ascii_hexdigit()))?;
        u8::from_str_radix(text, 16).ok().filter(u8::is_ascii)
    };
    let percent = |rest: &[u8]| rest.get(..2).and_then(hex);
    // In form encoding, `+` is a space and `%2B` is a plus sign.
    let form = contains(text, b"BEGIN+");
    let escaped = form
        || text.contains(&b'\\')
        || text.iter().enumerate().any(|(at, byte)| *byte == b'%' && percent(&text[at + 1..]).is_some());
    if !escaped {
        return None;
    }
    let mut out = Zeroizing::new(Vec::with_capacity(text.len()));
    let mut rest = text;
    while let Some((first, after)) = rest.split_first() {
        let slashes = rest.iter().take_while(|byte| **byte == b'\\').count();
        let (byte, used) = match (first, &rest[slashes.max(1).min(rest.len())..]) {
            (b'%', following) => percent(following).map_or((b'%', 1), |byte| (byte, 3)),
            (b'+', _) if form => (b' ', 1),
            (b'\\', [b'n' | b'\n', ..]) => (b'\n', slashes + 1),
            (b'\\', [b'r', ..]) => (b'\r', slashes + 1),
            (b'\\', [b't', ..]) => (b' ', slashes + 1),
            (b'\\', [plain @ (b'/' | b'"' | b'\''), ..]) => (*plain, slashes + 1),
            (b'\\', [b'u', b'0', b'0', following @ ..]) => {
                percent(following).map_or((b'\\', slashes), |byte| (byte, slashes + 5))
            }
            (b'\\', [b'x', following @ ..]) => percent(following).map_or((b'\\', slashes), |byte| (byte, slashes + 3)),
            (b'\\', _) => (b'\\', slashes),
            (plain, _) => (*plain, 1),
        };
        debug_assert!(used > 0 && used <= rest.len() && after.len() < rest.len());
        out.push(byte);
        rest = &rest[used..];
    }
    // Converts CR and CR LF to a single LF.
    for at in 0..out.len() {
        if out[at] == b'\r' {
            out[at] = if out.get(at + 1) == Some(&b'\n') { b' ' } else { b'\n' };
        }
    }
    (*out != text).then_some(out)
}

/// Removes whitespace, quotes, trailing punctuation, a `NAME=` prefix and a `data:` URL prefix around a value.
pub(super) fn surrounded(text: &[u8]) -> &[u8] {
    let mut inner = text.trim_ascii();
    loop {
        let before = inner.len();
        inner = trimmed(inner, b"\"'`", b"\"'`,;%");
        // Python prints byte strings as `b'…'`.
        if let [b'b', b'"' | b'\'', rest @ ..] = inner {
            inner = rest;
        }
        if let Some(value) = url_content(inner).or_else(|| assigned(inner)) {
            inner = value;
        }
        if inner.len() == before {
            return inner;
        }
    }
}

/// Returns the value in `NAME=value` or `name: value`. The value must be longer than any base64 padding, because
/// padding also starts with `=`.
fn assigned(text: &[u8]) -> Option<&[u8]> {
    const SHORTEST_VALUE: usize = 64;
    let text = text.strip_prefix(b"export ").unwrap_or(text);
    let name = text.iter().take_while(|byte| byte.is_ascii_alphanumeric() || b"_.- \"'".contains(byte)).count();
    let value = match text[name..].trim_ascii_start() {
        [b'=' | b':', value @ ..] => value.trim_ascii_start(),
        _ => return None,
    };
    let value = value.strip_prefix(b"|").or(value.strip_prefix(b">")).unwrap_or(value);
    // Two hexadecimal digits and a colon are the start of a hexadecimal key.
    let byte = name == 2 && text[..name].iter().all(u8::is_ascii_hexdigit);
    (!byte && (1..=64).contains(&name) && value.len() >= SHORTEST_VALUE).then_some(value)
}

/// Returns the base64 text in a `data:` URL (RFC 2397).
fn url_content(text: &[u8]) -> Option<&[u8]> {
    const MARK: &[u8] = b";base64,";
    text.get(..5).filter(|scheme| scheme.eq_ignore_ascii_case(b"data:"))?;
    memchr::memmem::find(text, MARK).map(|at| &text[at + MARK.len()..])
}

/// Removes quotes, comment characters and string concatenation operators from both ends of a line.
pub(super) fn line_content(line: &[u8]) -> &[u8] {
    let quoted = |byte: Option<&u8>| matches!(byte, Some(b'"' | b'\''));
    let mut inner = line.trim_ascii();
    if let [b'+', rest @ ..] = inner
        && quoted(rest.trim_ascii_start().first())
    {
        inner = rest;
    }
    if let [rest @ .., b'+'] = inner
        && quoted(rest.trim_ascii_end().last())
    {
        inner = rest;
    }
    trimmed(inner, b"\"'`>|#*,", b"\"'`,;\\")
}

fn trimmed<'t>(text: &'t [u8], starts: &[u8], ends: &[u8]) -> &'t [u8] {
    let mut inner = text;
    while let [first, rest @ ..] = inner
        && (first.is_ascii_whitespace() || starts.contains(first))
    {
        inner = rest;
    }
    while let [rest @ .., last] = inner
        && (last.is_ascii_whitespace() || ends.contains(last))
    {
        inner = rest;
    }
    inner
}

/// Returns the line number of the byte at offset `at`, starting at 1.
pub(super) fn line_of(text: &[u8], at: usize) -> usize {
    1 + text.iter().take(at).filter(|byte| **byte == b'\n').count()
}

pub(super) fn contains(text: &[u8], part: &[u8]) -> bool {
    memchr::memmem::find(text, part).is_some()
}
