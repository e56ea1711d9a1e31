//! Generates all documents that have the same signed text. An attacker who has one signed message can send any of these
//! documents with its signature.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use paytend_crypto::Kind;
use serde_json::{Map, Value};

/// The maximum number of `&` characters for which a signed text is split in every possible way.
pub(crate) const MAX_CUTS: usize = 12;

/// Returns every document whose signed text is `canonical`.
///
/// The text is split at every subset of its `&` characters. Each piece is split at its first `=`. In some of the
/// documents, a single piece is split at its second or third `=` instead. `document` is the original document, from
/// which the session key and the signature are copied.
pub(crate) fn readings(canonical: &[u8], document: &str, session_key: &str, kind: Kind) -> Vec<String> {
    let signed: Value = serde_json::from_str(document).unwrap();
    let ampersands: Vec<usize> = places(canonical, b'&');
    let mut documents = Vec::new();
    for choice in 0u32..1 << ampersands.len() {
        let mut pieces = Vec::new();
        let mut start = 0;
        for (bit, at) in ampersands.iter().enumerate() {
            if choice >> bit & 1 == 1 {
                pieces.push(&canonical[start..*at]);
                start = at + 1;
            }
        }
        pieces.push(&canonical[start..]);
        // The name in a piece can end at any `=`. To limit the number of documents, at most one piece is split at a
        // later `=` than its first.
        let cuts: Vec<Vec<usize>> =
            pieces.iter().map(|piece| places(piece, b'=').into_iter().take(3).collect()).collect();
        if cuts.iter().any(Vec::is_empty) {
            continue;
        }
        let mut variants = vec![vec![0; pieces.len()]];
        for (at, cut) in cuts.iter().enumerate() {
            for other in 1..cut.len() {
                let mut variant = vec![0; pieces.len()];
                variant[at] = other;
                variants.push(variant);
            }
        }
        for variant in variants {
            let members = pieces.iter().zip(&cuts).zip(variant);
            let members = members.map(|((piece, cut), at)| (&piece[..cut[at]], &piece[cut[at] + 1..])).collect();
            documents.extend(presented(members, &signed, session_key, kind));
        }
    }
    documents
}

fn places(text: &[u8], byte: u8) -> Vec<usize> {
    text.iter().enumerate().filter(|(_, found)| **found == byte).map(|(at, _)| at).collect()
}

/// Returns a document with these plain members. Returns `None` if a member other than the payload is not UTF-8, or if
/// `members` contain a different session key. The payload is encrypted again with the session key.
fn presented(members: Vec<(&[u8], &[u8])>, signed: &Value, session_key: &str, kind: Kind) -> Option<String> {
    let mut document = Map::new();
    for (name, value) in members {
        let name = std::str::from_utf8(name).ok()?;
        let value = if name == kind.payload_field() {
            encrypt(session_key, value)
        } else {
            std::str::from_utf8(value).ok()?.to_owned()
        };
        document.insert(name.to_owned(), value.into());
    }
    if document.remove("randomKey").as_ref().and_then(Value::as_str) != Some(session_key) {
        return None;
    }
    for kept in ["randomKey", "signature"] {
        document.insert(kept.into(), signed[kept].clone());
    }
    Some(Value::Object(document).to_string())
}

/// Encrypts a payload with AES-192-ECB and PKCS#7 padding, and returns it as base64. The characters of `session_key`
/// are the AES key. This implementation is independent of the crate's implementation.
pub(crate) fn encrypt(session_key: &str, plain: &[u8]) -> String {
    use aes::cipher::{BlockCipherEncrypt, KeyInit};
    let cipher = aes::Aes192::new_from_slice(session_key.as_bytes()).unwrap();
    let padding = 16 - plain.len() % 16;
    let mut data = plain.to_vec();
    data.resize(plain.len() + padding, padding as u8);
    for block in data.chunks_mut(16) {
        cipher.encrypt_block(block.try_into().unwrap());
    }
    STANDARD.encode(data)
}
