//! Reads and writes RSA keys in all supported encodings. The encoding is detected from the data.
//!
//! Encodings are removed from the outermost to the innermost: `text` cleans the text, `armour` finds PEM in it,
//! `base64_text` decodes it, and `der` identifies the structure. `foreign` names unsupported formats, and `select`
//! picks the key to use.

mod armour;
mod base64_text;
mod der;
mod encrypted;
mod foreign;
mod form;
mod select;
mod text;
mod write;

use zeroize::Zeroizing;

pub use foreign::{ForeignKey, KeyAlgorithm};
pub use form::{Armour, KeyForm, KeyStructure, Wrapping};
pub(crate) use write::{armour, pkcs8_der, public_half, spki_der};

use crate::{KeyError, Passphrase};
use der::Structure;
use select::Item;

/// The data of a key, independent of its encoding.
#[derive(PartialEq, Eq)]
pub(crate) enum Decoded {
    /// A private key, as PKCS#1 DER.
    Private(Zeroizing<Vec<u8>>),
    /// The modulus and exponent of a public key, big-endian.
    Public { modulus: Vec<u8>, exponent: Vec<u8> },
}

/// The requested half of a key pair.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Half {
    Private,
    Public,
}

/// Reads the requested half of a key pair in any supported encoding.
pub(crate) fn read(data: &[u8], wanted: Half, passphrase: Option<&Passphrase>) -> Result<(KeyForm, Decoded), KeyError> {
    select::select(Reader { passphrase, wrappings: Vec::new() }.items(data)?, wanted)
}

/// The maximum number of nested base64 layers. Each layer is shorter than the layer around it.
const DEEPEST: usize = 5;

struct Reader<'a> {
    passphrase: Option<&'a Passphrase>,
    wrappings: Vec<Wrapping>,
}

impl Reader<'_> {
    /// Returns everything that the data contains.
    fn items(&mut self, data: &[u8]) -> Result<Vec<Item>, KeyError> {
        // DER may end with a byte that would be white space in a text.
        if der::looks_like(data) {
            return Ok(vec![self.structure(data, Armour::Der)]);
        }
        if let Some(foreign) = foreign::in_binary(data) {
            return Err(foreign.into());
        }
        let cleaned = text::clean(data);
        self.wrappings.extend(cleaned.wrappings);
        let raw = cleaned.bytes.trim_ascii();
        if raw.is_empty() {
            return Err(KeyError::Empty);
        }
        if armour::blocks(raw).is_empty()
            && let Some(foreign) = foreign::in_text(raw).or_else(|| foreign::in_text(text::surrounded(raw)))
        {
            return Err(foreign.into());
        }
        let unescaped = text::unescape(&cleaned.bytes);
        if unescaped.is_some() {
            self.wrappings.push(Wrapping::Escapes);
        }
        let text = unescaped.as_ref().unwrap_or(&cleaned.bytes);
        let blocks = armour::blocks(text);
        if blocks.is_empty() { self.bare(text) } else { Ok(self.blocks(&blocks)) }
    }

    /// Reads a text without PEM: base64 of DER, of PEM, or of another text.
    fn bare(&mut self, text: &[u8]) -> Result<Vec<Item>, KeyError> {
        let inner = text::surrounded(text);
        if inner.is_empty() {
            return Err(KeyError::Empty);
        }
        if inner.len() != text.trim_ascii().len() {
            self.wrappings.push(Wrapping::Quotes);
            // A quoted text may be in any recognised unsupported format.
            if let Some(foreign) = foreign::in_text(inner) {
                return Err(foreign.into());
            }
        }
        // Finds the position of the inner text in the outer text, for the line number.
        let before = text.len() - inner.len();
        let start = (0..=before).find(|at| text[*at..].starts_with(inner)).unwrap_or(0);
        let decoded = match base64_text::decode(inner, text::line_of(text, start)) {
            Ok(decoded) => decoded,
            // Only a text that begins like a key or PEM is reported as damaged base64.
            Err(line) if inner.len() >= 64 && (inner.starts_with(b"MI") || inner.starts_with(b"LS0t")) => {
                return Err(KeyError::Base64 { line });
            }
            Err(_) => return Err(KeyError::Encoding),
        };
        let bytes = &decoded.bytes;
        if der::looks_like(bytes) {
            self.wrappings.extend(decoded.wrappings);
            if decoded.left_over && !der::is_cut(bytes) {
                return Err(KeyError::Base64 { line: text::line_of(text, start + inner.len()) });
            }
            return Ok(vec![self.structure(bytes, Armour::Base64)]);
        }
        let depth = self.wrappings.iter().filter(|wrapping| **wrapping == Wrapping::Base64).count();
        let known = foreign::in_binary(bytes).is_some();
        if bytes.len() < 16 || depth >= DEEPEST || !(known || is_text(bytes)) {
            return Err(KeyError::Encoding);
        }
        self.wrappings.push(Wrapping::Base64);
        self.items(bytes)
    }

    fn blocks(&mut self, blocks: &[armour::Block<'_>]) -> Vec<Item> {
        blocks.iter().filter_map(|block| self.block(block)).collect()
    }

    /// Reads a PEM block. Returns nothing for blocks that accompany keys but contain none.
    fn block(&mut self, block: &armour::Block<'_>) -> Option<Item> {
        if block.label.ends_with(b"PARAMETERS") || block.label == b"X509 CRL" {
            return None;
        }
        let item = self.block_content(block);
        Some(item.unwrap_or_else(|error| Item::failed(error, block.label)))
    }

    fn block_content(&mut self, block: &armour::Block<'_>) -> Result<Item, KeyError> {
        use crate::key_error::ArmourProblem;
        if let Some(foreign) = foreign::by_label(block.label) {
            return Err(foreign.into());
        }
        let cut = match block.broken {
            Some((line, ArmourProblem::EndMissing)) => Some(line),
            Some((line, problem)) => return Err(KeyError::Armour { line, problem }),
            None => None,
        };
        if let Some(encryption) = encrypted::traditional(block.body) {
            return Err(KeyError::Encrypted(encryption));
        }
        let (headers, body) = without_headers(block.body);
        let decoded = base64_text::decode(body, block.body_line + headers).map_err(|line| KeyError::Base64 { line })?;
        let bytes = &decoded.bytes;
        if bytes.is_empty() && cut.is_none() {
            return Err(KeyError::Empty);
        }
        if let Some(foreign) = foreign::in_binary(bytes) {
            return Err(foreign.into());
        }
        if let Some(line) = cut.filter(|_| !der::is_cut(bytes)) {
            return Err(KeyError::Armour { line, problem: ArmourProblem::EndMissing });
        }
        if decoded.left_over && !der::is_cut(bytes) {
            let line = text::line_of(body.trim_ascii_end(), body.len()) + block.body_line + headers - 1;
            return Err(KeyError::Base64 { line });
        }
        // In OpenSSL's TRUSTED CERTIFICATE format, trust settings follow the certificate.
        let end = if block.label == b"TRUSTED CERTIFICATE" { der::announced(bytes) } else { None };
        let bytes = bytes.get(..end.unwrap_or(bytes.len())).unwrap_or(bytes);
        let own = self.wrappings.len();
        self.wrappings.extend(decoded.wrappings);
        let label: String = block.label.iter().map(|byte| char::from(*byte)).collect();
        let mut item = self.structure(bytes, Armour::Pem(label));
        self.wrappings.truncate(own);
        if matches!(item.outcome, Err(KeyError::Encoding)) {
            let known =
                [&b"PRIVATE KEY"[..], b"PUBLIC KEY", b"CERTIFICATE"].iter().any(|end| block.label.ends_with(end));
            if !known {
                item.outcome = Err(foreign::unknown_label(block.label).into());
            }
            item.place(block.label);
        }
        Ok(item)
    }

    /// Reads a DER structure.
    fn structure(&self, der: &[u8], armour: Armour) -> Item {
        let form = |structure, encrypted| KeyForm {
            structure,
            armour: armour.clone(),
            encrypted,
            wrappings: self.wrappings.clone(),
        };
        match der::read(der) {
            Ok(Structure::Key(structure, key)) => Item::key(form(structure, false), key),
            Ok(Structure::Certificate(key, names)) => Item {
                outcome: key.map(|key| (form(KeyStructure::Certificate, false), key)),
                half: Some(Half::Public),
                names: Some(names),
            },
            Ok(Structure::Encrypted(encryption)) => {
                let opened = match self.passphrase {
                    Some(passphrase) => encrypted::decrypt(der, &encryption, passphrase),
                    None => Err(KeyError::Encrypted(encryption)),
                };
                let read = opened.and_then(|plain| match der::read(&plain)? {
                    Structure::Key(structure, key) => Ok((form(structure, true), key)),
                    _ => Err(KeyError::Encoding),
                });
                Item { outcome: read, half: Some(Half::Private), names: None }
            }
            Err(error) => Item { outcome: Err(error), half: None, names: None },
        }
    }
}

/// Returns the number of header lines of a PEM body, and the text after them (RFC 1421, 4.4).
fn without_headers(body: &[u8]) -> (usize, &[u8]) {
    let mut rest = body;
    let mut lines = 0;
    while let Some(end) = rest.iter().position(|byte| *byte == b'\n') {
        let line = rest[..end].trim_ascii();
        // The first line is the rest of the BEGIN line.
        if !(line.contains(&b':') || lines == 0 && line.is_empty()) {
            break;
        }
        lines += 1;
        rest = &rest[end + 1..];
    }
    (lines, rest)
}

/// Returns whether the bytes may be text in any supported character encoding.
fn is_text(bytes: &[u8]) -> bool {
    let control = |byte: &u8| *byte < b'\t' || *byte == 0x7f;
    let wide = bytes.starts_with(&[0xff, 0xfe]) || bytes.starts_with(&[0xfe, 0xff]);
    let zeros = bytes.iter().rev().take_while(|byte| **byte == 0).count();
    let narrow = &bytes[..bytes.len() - zeros];
    wide || bytes.get(1) == Some(&0) || bytes.first() == Some(&0) || !narrow.iter().any(control)
}
