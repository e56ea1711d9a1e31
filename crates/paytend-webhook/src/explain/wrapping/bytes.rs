//! Encodings of bytes: base64, hexadecimal digits, compression, UTF-16.

use ::base64::Engine as _;
use ::base64::engine::DecodePaddingMode;
use ::base64::engine::general_purpose::{GeneralPurpose, GeneralPurposeConfig};

use super::undone::{MAX_TEXT, Undone};
use crate::explain::change::Change;
use crate::explain::change::Wrapping;

fn push(out: &mut Vec<Undone>, bytes: Vec<u8>, wrapping: Wrapping) {
    if !bytes.is_empty() {
        out.push(Undone { bytes, change: Change::Wrapped(wrapping) });
    }
}

pub(super) fn base64(body: &[u8], out: &mut Vec<Undone>) {
    let Ok(text) = std::str::from_utf8(body) else { return };
    let text = text.trim_ascii().trim_matches('"');
    let text = match text.split_once(";base64,") {
        Some((head, data)) if head.starts_with("data:") => data,
        _ => text,
    };
    push(out, decode_base64(text).unwrap_or_default(), Wrapping::Base64);
}

/// Decodes base64 in either alphabet, with or without padding, with line breaks allowed.
pub(super) fn decode_base64(text: &str) -> Option<Vec<u8>> {
    let mut text = text.replace('-', "+").replace('_', "/").replace("\\/", "/");
    text.retain(|c| !c.is_ascii_whitespace());
    let config = GeneralPurposeConfig::new()
        .with_decode_padding_mode(DecodePaddingMode::Indifferent)
        .with_decode_allow_trailing_bits(true);
    if text.len() < 4 {
        return None;
    }
    GeneralPurpose::new(&::base64::alphabet::STANDARD, config).decode(text).ok()
}

pub(super) fn hex(body: &[u8], out: &mut Vec<Undone>) {
    let Ok(text) = std::str::from_utf8(body) else { return };
    let text = text.trim_ascii().trim_matches('"');
    let text = text.strip_prefix("<Buffer ").and_then(|rest| rest.strip_suffix('>')).unwrap_or(text);
    let text = text.strip_prefix("0x").or_else(|| text.strip_prefix("\\x")).unwrap_or(text);
    let digits: Vec<u8> = text.bytes().filter(|byte| !byte.is_ascii_whitespace() && *byte != b':').collect();
    if digits.len() < 4 || digits.len() % 2 == 1 {
        return;
    }
    let digit = |byte: u8| (byte as char).to_digit(16).and_then(|digit| u8::try_from(digit).ok());
    let decoded =
        digits.chunks(2).map(|pair| Some(digit(pair[0])? * 16 + digit(pair[1])?)).collect::<Option<Vec<u8>>>();
    push(out, decoded.unwrap_or_default(), Wrapping::Hex);
}

/// Decodes a list of byte values: `[123,34]`, `123,34`, `{"type":"Buffer","data":[123,34]}` or `{"0":123,"1":34}`.
pub(super) fn byte_list(body: &[u8], out: &mut Vec<Undone>) {
    let Ok(text) = std::str::from_utf8(body) else { return };
    let text = text.trim_ascii();
    let inner = match (text.find('['), text.find(']')) {
        (Some(start), Some(end)) if start < end && (start == 0 || text.starts_with("{\"type\":\"Buffer\"")) => {
            &text[start + 1..end]
        }
        _ => text.trim_matches(['{', '}']),
    };
    let number = |(at, item): (usize, &str)| {
        let item = item.trim_ascii();
        let item = match item.split_once(':') {
            Some((name, value)) if name.trim_ascii().trim_matches('"') == at.to_string() => value.trim_ascii(),
            Some(_) => return None,
            None => item,
        };
        // Java's bytes range from -128 to 127.
        item.parse::<u8>().ok().or_else(|| item.parse::<i8>().ok().map(i8::cast_unsigned))
    };
    let bytes = inner.split(',').enumerate().map(number).collect::<Option<Vec<u8>>>();
    push(out, bytes.filter(|bytes| bytes.len() > 1).unwrap_or_default(), Wrapping::ByteList);
}

pub(super) fn compressed(body: &[u8], out: &mut Vec<Undone>) {
    use miniz_oxide::inflate::{decompress_to_vec_with_limit, decompress_to_vec_zlib_with_limit};
    let inflate = |data: &[u8]| decompress_to_vec_with_limit(data, MAX_TEXT).unwrap_or_default();
    if let Some(data) = gzip_data(body) {
        push(out, inflate(data), Wrapping::Compressed("gzip"));
    } else if body.first().is_some_and(|byte| byte & 0x0f == 8) {
        push(out, decompress_to_vec_zlib_with_limit(body, MAX_TEXT).unwrap_or_default(), Wrapping::Compressed("zlib"));
    }
    if std::str::from_utf8(body).is_err() {
        push(out, inflate(body), Wrapping::Compressed("deflate"));
    }
}

/// Returns the data after the gzip header.
fn gzip_data(body: &[u8]) -> Option<&[u8]> {
    let rest = body.strip_prefix(b"\x1f\x8b\x08")?;
    let flags = *rest.first()?;
    let mut rest = rest.get(7..)?;
    if flags & 4 != 0 {
        let length = usize::from(*rest.first()?) + 256 * usize::from(*rest.get(1)?);
        rest = rest.get(2 + length..)?;
    }
    for flag in [8, 16] {
        if flags & flag != 0 {
            let end = rest.iter().position(|byte| *byte == 0)?;
            rest = &rest[end + 1..];
        }
    }
    if flags & 2 != 0 { rest.get(2..) } else { Some(rest) }
}

pub(super) fn chunked(body: &[u8], out: &mut Vec<Undone>) {
    let (mut rest, mut bytes) = (body, Vec::new());
    while let Some(end) = rest.iter().take(64).position(|byte| *byte == b'\n') {
        let line = String::from_utf8_lossy(&rest[..end]);
        let length = line.split(';').next().unwrap_or_default().trim_ascii();
        let Ok(length) = usize::from_str_radix(length, 16) else { return };
        if length == 0 {
            break;
        }
        rest = &rest[end + 1..];
        // Accept a truncated last chunk.
        let chunk = &rest[..length.min(rest.len())];
        bytes.extend_from_slice(chunk);
        rest = &rest[chunk.len()..];
        rest = rest.strip_prefix(b"\r\n").or_else(|| rest.strip_prefix(b"\n")).unwrap_or(rest);
    }
    push(out, bytes, Wrapping::Chunked);
}

pub(super) fn utf16(body: &[u8], out: &mut Vec<Undone>) {
    if !body.contains(&0) && !body.starts_with(b"\xFF\xFE") && !body.starts_with(b"\xFE\xFF") {
        return;
    }
    for (name, width, little) in
        [("UTF-32LE", 4, true), ("UTF-32BE", 4, false), ("UTF-16LE", 2, true), ("UTF-16BE", 2, false)]
    {
        if !body.len().is_multiple_of(width) {
            continue;
        }
        let unit = |bytes: &[u8]| {
            let fold = |all: u32, byte: &u8| all << 8 | u32::from(*byte);
            if little { bytes.iter().rev().fold(0, fold) } else { bytes.iter().fold(0, fold) }
        };
        let units = body.chunks(width).map(unit);
        let text: Option<String> = if width == 4 {
            units.map(char::from_u32).collect()
        } else {
            let units = units.map(|unit| u16::try_from(unit).unwrap_or_default());
            char::decode_utf16(units).collect::<Result<_, _>>().ok()
        };
        let Some(text) = text else { continue };
        if let Some(bare) = text.strip_prefix('\u{feff}') {
            push(out, bare.as_bytes().to_vec(), Wrapping::Unicode(name));
        }
        push(out, text.into_bytes(), Wrapping::Unicode(name));
    }
}
