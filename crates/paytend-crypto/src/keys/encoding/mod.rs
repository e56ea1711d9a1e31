//! Reads and writes RSA keys in all supported encodings. The encoding is detected from the data.
//!
//! Encodings are removed from the outermost to the innermost: `text` cleans the text, `armour` finds PEM in it,
//! `values` finds keys in JSON, YAML and environment files, `lines` repairs lines, `base64_text` and `hexadecimal`
//! decode them. Then `structure` identifies the DER structure. `recognise` finds unsupported formats, `keys/foreign.rs`
//! describes them in error messages, and `select` picks the key to use.

mod armour;
mod base64_text;
mod der;
mod encrypted;
mod hexadecimal;
pub(super) mod key_data;
mod lines;
pub(super) mod pem;
mod recognise;
mod select;
mod structure;
mod text;
mod values;
pub(super) mod write;

use base64_text::DEEPEST;
use key_data::{Half, KeyData};
use select::Item;
use structure::Structure;

use crate::keys::error::KeyError;
use crate::keys::form::{Armour, KeyForm, KeyStructure, Wrapping};
use crate::keys::passphrase::Passphrase;

/// Reads the requested half of a key pair in any supported encoding.
pub(crate) fn read(data: &[u8], wanted: Half, passphrase: Option<&Passphrase>) -> Result<(KeyForm, KeyData), KeyError> {
    select::select(Reader { passphrase, wrappings: Vec::new(), inside_value: false }.items(data)?, wanted)
}

/// Returns whether the error means that a key is present but damaged.
fn is_damage(error: &KeyError) -> bool {
    matches!(
        error,
        KeyError::Base64 { .. }
            | KeyError::Armour { .. }
            | KeyError::Truncated { .. }
            | KeyError::TrailingData { .. }
            | KeyError::HeadMissing
            | KeyError::PlusSigns { .. }
    )
}

struct Reader<'a> {
    passphrase: Option<&'a Passphrase>,
    wrappings: Vec<Wrapping>,
    /// Whether the data is a value found in a document. If so, it is not searched for further values.
    inside_value: bool,
}

impl Reader<'_> {
    /// Returns all keys, certificates and unreadable blocks in the data.
    fn items(&mut self, data: &[u8]) -> Result<Vec<Item>, KeyError> {
        // DER is detected before whitespace is removed, because its last byte can equal a whitespace character.
        if der::looks_like(data) {
            return Ok(vec![self.structure(data, Armour::Der)]);
        }
        if let Some(foreign) = recognise::in_binary(data) {
            return Err(foreign.into());
        }
        if !is_text(data) && der::is_end(data) {
            return Err(KeyError::HeadMissing);
        }
        let cleaned = text::clean(data);
        self.wrappings.extend(cleaned.wrappings);
        let raw = cleaned.bytes.trim_ascii();
        if raw.is_empty() {
            return Err(KeyError::Empty);
        }
        // These formats are detected before PEM, because a hex dump or a SOPS file can contain parts of PEM.
        if let Some(foreign) = hexadecimal::dump(raw).or_else(|| recognise::sops(raw)) {
            return Err(foreign.into());
        }
        if armour::blocks(raw).is_empty()
            && let Some(foreign) = recognise::in_text(raw).or_else(|| recognise::in_text(text::surrounded(raw)))
        {
            // An environment file can contain an RSA key next to an unsupported key of another program. The RSA key is
            // then used.
            let values = self.values(raw);
            let is_read = values.iter().any(|item| item.outcome.is_ok());
            return if is_read { Ok(values) } else { Err(foreign.into()) };
        }
        let unescaped = text::unescape(&cleaned.bytes);
        if unescaped.is_some() {
            self.wrappings.push(Wrapping::Escapes);
        }
        let text = unescaped.as_ref().unwrap_or(&cleaned.bytes);
        let blocks = armour::blocks(text);
        if blocks.is_empty() {
            return self.bare_or_values(text);
        }
        let mut items = self.blocks(&blocks);
        items.extend(self.values(text));
        Ok(items)
    }

    /// Reads text that is not PEM itself: a single base64 value, or a document with base64 values.
    fn bare_or_values(&mut self, text: &[u8]) -> Result<Vec<Item>, KeyError> {
        let wrappings = self.wrappings.clone();
        let bare = self.bare(text);
        let damaged = |error: &KeyError| *error == KeyError::Encoding || is_damage(error);
        let readable = match &bare {
            Ok(items) => !items.iter().all(|item| item.outcome.as_ref().is_err_and(damaged)),
            Err(error) => !damaged(error),
        };
        if readable || self.inside_value {
            return bare;
        }
        self.wrappings = wrappings;
        let mut values = self.values(text);
        let named = matches!(bare, Err(KeyError::Encoding)) && !values.is_empty();
        if values.iter().any(|item| item.outcome.is_ok()) && values::has_other_keys(text) {
            // The text contains other keys that cannot be read. Choosing the readable key would be a guess.
            let count = values.len() + 1;
            for private in [true, false] {
                let error = KeyError::Ambiguous { count, private, names: Vec::new(), certificates: false };
                values.push(Item::damaged(error, if private { Half::Private } else { Half::Public }));
            }
        }
        if named || values.iter().any(|item| item.outcome.is_ok()) { Ok(values) } else { bare }
    }

    /// Reads the keys among the values of a document. Ignores values that are not keys. If a value is a damaged key, no
    /// other key is chosen instead.
    fn values(&self, text: &[u8]) -> Vec<Item> {
        if self.inside_value {
            return Vec::new();
        }
        let mut items = Vec::new();
        for value in values::find(text) {
            let mut wrappings = self.wrappings.clone();
            wrappings.push(Wrapping::Quotes);
            let found = Reader { passphrase: self.passphrase, wrappings, inside_value: true }.items(value.text);
            let found = match found {
                Ok(found) => found,
                Err(KeyError::Encoding) => continue,
                Err(error) => vec![Item::failed(error, b"")],
            };
            for item in found {
                match &item.outcome {
                    Err(error) if item.half.is_none() && is_damage(error) => {
                        items.extend([Half::Private, Half::Public].map(|half| Item::damaged(error.clone(), half)));
                    }
                    _ => items.push(Item { source: value.name.clone(), ..item }),
                }
            }
        }
        items
    }

    /// Reads text that is not PEM itself: base64 of DER, of PEM or of other text.
    fn bare(&mut self, text: &[u8]) -> Result<Vec<Item>, KeyError> {
        let inner = text::surrounded(text);
        if inner.is_empty() {
            return Err(KeyError::Empty);
        }
        if inner.len() != text.trim_ascii().len() {
            self.wrappings.push(Wrapping::Quotes);
            // The quoted content may be a key in an unsupported format.
            if let Some(foreign) = recognise::in_text(inner) {
                return Err(foreign.into());
            }
        }
        if let Some(bytes) = hexadecimal::decode(inner) {
            self.wrappings.push(Wrapping::Hexadecimal);
            return self.items(&bytes);
        }
        // Find where the inner text starts in the outer text, because errors state the line number in the outer text.
        let before = text.len() - inner.len();
        let start = (0..=before).find(|at| text[*at..].starts_with(inner)).unwrap_or(0);
        let first_line = text::line_of(text, start);
        let decoded = base64_text::decode(inner, first_line);
        let like_key = inner.len() >= 64 && (inner.starts_with(b"MI") || inner.starts_with(b"LS0t"));
        let repaired = if like_key { lines::repaired(inner, first_line, &decoded)? } else { None };
        let decoded = match repaired.map_or(decoded, Ok) {
            Ok(decoded) => decoded,
            // Only input that starts like a key or PEM is reported as damaged base64.
            Err(line) if like_key => return Err(KeyError::Base64 { line }),
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
        let known = recognise::in_binary(bytes).is_some();
        // If the beginning of the base64 is missing, the rest can start at any position within a group of four
        // characters.
        let cut = |from: usize| {
            let rest = inner.get(from..).and_then(|rest| base64_text::decode(rest, 1).ok());
            rest.is_some_and(|decoded| !is_text(&decoded.bytes) && der::is_end(&decoded.bytes))
        };
        if !known && !is_text(bytes) && (0..4).any(cut) {
            return Err(KeyError::HeadMissing);
        }
        if bytes.len() < 16 || depth >= DEEPEST || !(known || is_text(bytes)) {
            return Err(KeyError::Encoding);
        }
        self.wrappings.push(Wrapping::Base64);
        self.items(bytes)
    }

    /// Reads PEM blocks. Ignores blocks that contain no key, unless the input has no other blocks.
    fn blocks(&mut self, blocks: &[armour::Block<'_>]) -> Vec<Item> {
        let items: Vec<_> = blocks.iter().filter_map(|block| self.block(block)).collect();
        let companion = blocks.first().and_then(|block| recognise::companion(block.label));
        match companion {
            Some(companion) if items.is_empty() => vec![Item::failed(companion.into(), b"")],
            _ => items,
        }
    }

    /// Reads a PEM block. Returns `None` for a block that often occurs next to a key but contains no key itself.
    fn block(&mut self, block: &armour::Block<'_>) -> Option<Item> {
        if recognise::companion(block.label).is_some() {
            return None;
        }
        let item = self.block_content(block).unwrap_or_else(|error| Item::failed(error, block.label));
        Some(Item { source: values::name_before_value(block.before), ..item })
    }

    fn block_content(&mut self, block: &armour::Block<'_>) -> Result<Item, KeyError> {
        if let Some(foreign) = recognise::by_label(block.label) {
            return Err(foreign.into());
        }
        let decoded = pem::decode(block)?;
        let bytes = &decoded.bytes;
        if let Some(foreign) = recognise::in_binary(bytes) {
            return Err(foreign.into());
        }
        pem::check_end(block, &decoded)?;
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
                item.outcome = Err(recognise::unknown_label(block.label).into());
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
        match structure::read(der) {
            Ok(Structure::Key(structure, key)) => Item::key(form(structure, false), key),
            Ok(Structure::Certificate(key, names)) => Item {
                outcome: key.map(|key| (form(KeyStructure::Certificate, false), key)),
                half: Some(Half::Public),
                names: Some(names),
                source: None,
            },
            Ok(Structure::Encrypted(encryption)) => {
                let opened = match self.passphrase {
                    Some(passphrase) => encrypted::decrypt(der, &encryption, passphrase),
                    None => Err(KeyError::Encrypted(encryption)),
                };
                let read = opened.and_then(|plain| match structure::read(&plain)? {
                    Structure::Key(structure, key) => Ok((form(structure, true), key)),
                    _ => Err(KeyError::Encoding),
                });
                Item { outcome: read, half: Some(Half::Private), names: None, source: None }
            }
            Err(error) => Item { outcome: Err(error), half: None, names: None, source: None },
        }
    }
}

/// Returns whether the bytes may be text in any supported character encoding.
fn is_text(bytes: &[u8]) -> bool {
    let control = |byte: &u8| *byte < b'\t' || *byte == 0x7f;
    let wide = bytes.starts_with(&[0xff, 0xfe]) || bytes.starts_with(&[0xfe, 0xff]);
    let zeros = bytes.iter().rev().take_while(|byte| **byte == 0).count();
    let narrow = &bytes[..bytes.len() - zeros];
    wide || bytes.get(1) == Some(&0) || bytes.first() == Some(&0) || !narrow.iter().any(control)
}
