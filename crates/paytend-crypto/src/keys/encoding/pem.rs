//! Decodes the bodies of PEM blocks, and rewrites escaped, quoted or re-encoded PEM as well-formed PEM.

use zeroize::Zeroizing;

use super::armour::{self, Block};
use super::base64_text::{self, DEEPEST, Decoded};
use super::{der, encrypted, lines, text, write};
use crate::keys::error::{ArmourProblem, KeyError};

/// Decodes a PEM block's body. The end of the body can be missing.
pub(super) fn decode(block: &Block<'_>) -> Result<Decoded, KeyError> {
    if let Some((line, problem)) = block.broken
        && problem != ArmourProblem::EndMissing
    {
        return Err(KeyError::Armour { line, problem });
    }
    let unmarked = lines::unmarked(block.prefix(), block.body)?;
    let body = unmarked.as_ref().map_or(block.body, |body| body);
    if let Some(encryption) = encrypted::traditional(body) {
        return Err(KeyError::Encrypted(encryption));
    }
    let (headers, body) = without_headers(body);
    let first_line = block.body_line + headers;
    let decoded = base64_text::decode(body, first_line);
    let repaired = lines::repaired(body, first_line, &decoded)?;
    let decoded = repaired.map_or(decoded, Ok).map_err(|line| KeyError::Base64 { line })?;
    if decoded.bytes.is_empty() && block.broken.is_none() {
        return Err(KeyError::Empty);
    }
    Ok(decoded)
}

/// Checks that a decoded PEM block has valid BEGIN and END lines and no excess character. Truncated DER is accepted
/// here, because the caller reports it.
pub(super) fn check_end(block: &Block<'_>, decoded: &Decoded) -> Result<(), KeyError> {
    match block.broken {
        _ if der::is_cut(&decoded.bytes) => Ok(()),
        Some((line, problem)) => Err(KeyError::Armour { line, problem }),
        None if decoded.left_over => {
            let body = block.body.trim_ascii_end();
            Err(KeyError::Base64 { line: text::line_of(body, body.len()) + block.body_line - 1 })
        }
        None => Ok(()),
    }
}

/// Returns the number of header lines in a PEM body, and the text after them (RFC 1421, 4.4).
fn without_headers(body: &[u8]) -> (usize, &[u8]) {
    let mut rest = body;
    let mut lines = 0;
    while let Some(end) = rest.iter().position(|byte| *byte == b'\n') {
        let line = rest[..end].trim_ascii();
        // The first line is the rest of the BEGIN line, which is usually empty.
        if !(line.contains(&b':') || lines == 0 && line.is_empty()) {
            break;
        }
        lines += 1;
        rest = &rest[end + 1..];
    }
    (lines, rest)
}

/// Removes the escapes, quotes and encodings around the PEM blocks in `data`, and returns the blocks as well-formed
/// PEM, regardless of their content.
pub(crate) fn clean_pem(data: &[u8]) -> Result<Zeroizing<String>, KeyError> {
    clean_nested(data, 0)
}

fn clean_nested(data: &[u8], depth: usize) -> Result<Zeroizing<String>, KeyError> {
    let cleaned = text::clean(data);
    let unescaped = text::unescape(&cleaned.bytes);
    let text = unescaped.as_ref().unwrap_or(&cleaned.bytes);
    let blocks = armour::blocks(text);
    if blocks.is_empty() {
        let inner = base64_text::decode(text::surrounded(text), 1).map_err(|_| KeyError::Encoding)?;
        return match depth {
            0 if inner.bytes.is_empty() => Err(KeyError::Empty),
            DEEPEST => Err(KeyError::Encoding),
            _ => clean_nested(&inner.bytes, depth + 1),
        };
    }
    // The buffer is allocated once, because growing it would leave copies of a key in memory.
    let mut out = Zeroizing::new(String::with_capacity(2 * text.len() + 256));
    for block in &blocks {
        let decoded = decode(block)?;
        check_end(block, &decoded)?;
        if let Some(announced) = der::announced(&decoded.bytes).filter(|announced| *announced > decoded.bytes.len()) {
            return Err(KeyError::Truncated { announced, present: decoded.bytes.len() });
        }
        let label: String = block.label.iter().map(|byte| char::from(*byte)).collect();
        out.push_str(&write::armour(&label, &decoded.bytes));
    }
    Ok(out)
}
