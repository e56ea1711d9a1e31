//! Other encodings of the same characters: charsets, Unicode normalization, `+` for a space.

use encoding_rs::Encoding;
use unicode_normalization::UnicodeNormalization;

use super::undone::Undone;
use crate::explain::change::Change;
use crate::explain::change::Wrapping;

/// A charset other than UTF-8.
#[derive(Clone, Copy)]
pub(in crate::explain) enum Charset {
    /// Strict ISO 8859-1, with control characters from U+0080. Browsers decode it as windows-1252.
    Latin1,
    Other(&'static Encoding),
}

pub(in crate::explain) const CHARSETS: [Charset; 8] = [
    Charset::Other(encoding_rs::WINDOWS_1252),
    Charset::Latin1,
    Charset::Other(encoding_rs::WINDOWS_1257),
    Charset::Other(encoding_rs::GBK),
    Charset::Other(encoding_rs::GB18030),
    Charset::Other(encoding_rs::WINDOWS_1250),
    Charset::Other(encoding_rs::BIG5),
    Charset::Other(encoding_rs::MACINTOSH),
];

impl Charset {
    pub(in crate::explain) fn name(self) -> &'static str {
        match self {
            Self::Latin1 => "ISO-8859-1",
            Self::Other(encoding) => encoding.name(),
        }
    }

    /// Encodes text in the charset. Returns `None` if the charset lacks one of its characters.
    pub(in crate::explain) fn encode(self, text: &str) -> Option<Vec<u8>> {
        match self {
            Self::Latin1 => text.chars().map(|c| u8::try_from(u32::from(c)).ok()).collect(),
            // windows-1252 leaves five bytes undefined; decoders map them to control characters.
            Self::Other(encoding) if encoding == encoding_rs::WINDOWS_1252 => {
                let encode = |c: char| match u32::from(c) {
                    0x81 | 0x8d | 0x8f | 0x90 | 0x9d => u8::try_from(u32::from(c)).ok(),
                    _ => {
                        let mut utf8 = [0; 4];
                        let (bytes, _, lossy) = encoding.encode(c.encode_utf8(&mut utf8));
                        bytes.first().copied().filter(|_| !lossy)
                    }
                };
                text.chars().map(encode).collect()
            }
            Self::Other(encoding) => {
                let (bytes, _, lossy) = encoding.encode(text);
                (!lossy).then(|| bytes.into_owned())
            }
        }
    }

    fn decode(self, bytes: &[u8]) -> Option<String> {
        match self {
            Self::Latin1 => Some(bytes.iter().map(|byte| char::from(*byte)).collect()),
            Self::Other(encoding) => {
                let (text, lossy) = encoding.decode_without_bom_handling(bytes);
                (!lossy).then(|| text.into_owned())
            }
        }
    }

    /// Restores UTF-8 that was decoded in this charset. Returns `None` if the text was not decoded that way.
    pub(in crate::explain) fn reread(self, text: &str) -> Option<String> {
        if text.is_ascii() {
            return None;
        }
        self.encode(text).and_then(|bytes| String::from_utf8(bytes).ok()).filter(|reread| reread != text)
    }
}

pub(super) fn charset(body: &[u8], out: &mut Vec<Undone>) {
    let text = std::str::from_utf8(body);
    if body.is_ascii() {
        return;
    }
    for charset in CHARSETS {
        if let Ok(text) = text
            && let Some(bytes) = charset.encode(text).filter(|bytes| bytes != body)
        {
            let misread = std::str::from_utf8(&bytes).is_ok();
            let change = if misread { Change::Misread(charset.name()) } else { Change::Charset(charset.name()) };
            out.push(Undone { bytes, change });
        }
    }
    for charset in CHARSETS {
        let Some(decoded) = charset.decode(body).filter(|decoded| decoded.as_bytes() != body) else { continue };
        let change =
            if text.is_ok() { Change::MisreadBySender(charset.name()) } else { Change::Wrapped(Wrapping::Charset) };
        out.push(Undone { bytes: decoded.into_bytes(), change });
    }
}

pub(super) fn normal_form(body: &[u8], out: &mut Vec<Undone>) {
    let Ok(text) = std::str::from_utf8(body) else { return };
    for (form, name) in normal_forms(text) {
        out.push(Undone { bytes: form.into_bytes(), change: Change::NormalForm(name) });
    }
}

/// Returns the Unicode normalization forms of the text that differ from it.
pub(in crate::explain) fn normal_forms(text: &str) -> Vec<(String, &'static str)> {
    if text.is_ascii() {
        return Vec::new();
    }
    let mut forms: Vec<(String, &'static str)> = vec![(text.nfc().collect(), "NFC"), (text.nfd().collect(), "NFD")];
    forms.retain(|(form, _)| form != text);
    forms
}

pub(super) fn plus_and_space(body: &[u8], out: &mut Vec<Undone>) {
    let exchanged =
        |from: u8, to: u8| -> Vec<u8> { body.iter().map(|byte| if *byte == from { to } else { *byte }).collect() };
    for (from, to) in [(b' ', b'+'), (b'+', b' ')] {
        if body.contains(&from) {
            out.push(Undone { bytes: exchanged(from, to), change: Change::PlusAndSpace });
        }
    }
}
