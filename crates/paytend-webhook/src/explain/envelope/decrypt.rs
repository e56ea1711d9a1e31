//! Decryption of the session key and the payload with every known key.

use ::base64::Engine as _;
use ::base64::engine::general_purpose::STANDARD;
use paytend_crypto::hazmat::{decrypt_blocks, decrypt_payload};
use zeroize::Zeroizing;

use crate::explain::finding::Finding;
use crate::explain::known_keys::KnownKeys;
use crate::explain::list;
use crate::explain::result::Explanation;

/// Decrypts the session key with each private key, the expected keys first.
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
        explanation.find(Finding::SessionKey(key.len()));
    }
    Some(key)
}

/// Decrypts the payload in the standard way, and in the ways that undo common sender errors.
pub(super) fn decrypt_data(encrypted: &[u8], key: &[u8], explanation: &mut Explanation) -> Option<Zeroizing<Vec<u8>>> {
    let is_json = |plain: &Zeroizing<Vec<u8>>| serde_json::from_slice::<serde::de::IgnoredAny>(plain).is_ok();
    let direct = decrypt_payload(key, encrypted);
    if let Some(plain) = direct.as_ref().filter(|plain| is_json(plain)) {
        return Some(plain.clone());
    }
    let decoded = STANDARD.decode(key).ok().map(Zeroizing::new);
    let first = key.get(..16).filter(|_| key.len() > 16).map(|first| Zeroizing::new(first.to_vec()));
    let padded = (key.len() == 24).then(|| Zeroizing::new([key, &[0; 8]].concat()));
    for (other, finding) in
        [(decoded, Finding::Aes128), (first, Finding::Aes128Truncated), (padded, Finding::Aes256Padded)]
    {
        if let Some(plain) = other.and_then(|other| decrypt_payload(&other, encrypted)).filter(is_json) {
            explanation.find(finding);
            return Some(plain);
        }
    }
    // The padding may be valid by chance, or the payload may be in another charset. The signature check decides.
    if direct.is_none() {
        explanation.find(Finding::Payload);
    }
    direct
}
