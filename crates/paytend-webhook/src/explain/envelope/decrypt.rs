//! Tries to decrypt the session key and the payload with every known key.

use ::base64::Engine as _;
use ::base64::engine::general_purpose::STANDARD;
use paytend_crypto::hazmat::{decrypt_blocks, decrypt_payload};
use zeroize::Zeroizing;

use crate::explain::finding::{Finding, list};
use crate::explain::known_keys::KnownKeys;
use crate::explain::result::Explanation;

/// Tries to decrypt the session key with each private key, starting with the keys that should decrypt it.
pub(super) fn decrypt_key(
    encrypted: &[u8],
    keys: &KnownKeys,
    explanation: &mut Explanation,
) -> Option<Zeroizing<Vec<u8>>> {
    let order = keys.private.iter().filter(|own| own.expected).chain(keys.private.iter().filter(|own| !own.expected));
    let found = order.filter_map(|own| decrypt_blocks(&*own.key, encrypted).ok().map(|key| (own, key))).next();
    let Some((own, key)) = found else {
        let sizes: Vec<usize> =
            keys.private.iter().filter(|own| own.expected).map(|own| own.key.public_key().size()).collect();
        explanation.find(Finding::EncryptedForUnknown { bytes: encrypted.len(), expected: list(&sizes) });
        return None;
    };
    if !own.expected {
        explanation.find(Finding::EncryptedForOther(own.name.clone()));
    }
    if key.len() != 24 || STANDARD.decode(&*key).is_err() {
        explanation.find(
            form(&key)
                .map_or(Finding::SessionKey(key.len()), |form| Finding::SessionKeyText { chars: key.len(), form }),
        );
    }
    Some(key)
}

/// Decrypts the payload with the session key. If the result is not JSON, tries the AES keys that senders derive from
/// the session key by mistake.
pub(super) fn decrypt_data(encrypted: &[u8], key: &[u8], explanation: &mut Explanation) -> Option<Zeroizing<Vec<u8>>> {
    let is_json = |plain: &Zeroizing<Vec<u8>>| serde_json::from_slice::<serde::de::IgnoredAny>(plain).is_ok();
    let direct = decrypt_payload(key, encrypted);
    if let Some(plain) = direct.as_ref().filter(|plain| is_json(plain)) {
        return Some(plain.clone());
    }
    let first = key.get(..16).filter(|_| key.len() > 16).map(|first| Zeroizing::new(first.to_vec()));
    let padded = (key.len() == 24).then(|| Zeroizing::new([key, &[0; 8]].concat()));
    let decoded = [unhex(key), STANDARD.decode(key).ok()].map(|decoded| decoded.map(Zeroizing::new));
    let of_decoded = |key: &Option<Zeroizing<Vec<u8>>>| match key.as_ref().map_or(0, |key| key.len()) {
        16 => Finding::Aes128,
        other => Finding::DecodedKey(other),
    };
    let decoded = decoded.map(|key| (of_decoded(&key), key));
    let others = decoded.into_iter().chain([(Finding::Aes128Truncated, first), (Finding::Aes256Padded, padded)]);
    for (finding, other) in others {
        if let Some(plain) = other.and_then(|other| decrypt_payload(&other, encrypted)).filter(is_json) {
            explanation.find(finding);
            return Some(plain);
        }
    }
    // `direct` is returned even if it is not JSON, because it may be correct but in a different charset. If its padding
    // is valid only by chance, the signature check fails.
    if direct.is_none() {
        explanation.find(Finding::Payload);
    }
    direct
}

/// Returns the text encoding of a session key, if it is recognized.
fn form(key: &[u8]) -> Option<&'static str> {
    match key {
        key if unhex(key).is_some_and(|bytes| bytes.len() >= 8) => Some("hexadecimal"),
        key if key.len() > 8 && STANDARD.decode(key).is_ok() => Some("base64"),
        _ => None,
    }
}

fn unhex(text: &[u8]) -> Option<Vec<u8>> {
    let digit = |byte: u8| char::from(byte).to_digit(16).and_then(|digit| u8::try_from(digit).ok());
    let pair = |pair: &[u8]| Some(digit(pair[0])? << 4 | digit(pair[1])?);
    let whole = text.len().is_multiple_of(2);
    text.chunks_exact(2).map(pair).collect::<Option<_>>().filter(|_| whole)
}
