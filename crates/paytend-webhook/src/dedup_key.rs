//! The key that identifies a notification, for deduplication.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Deserializer, Serialize, Serializer};
use sha2::{Digest, Sha256};

use crate::provider::Provider;

/// A SHA-256 hash that identifies a notification across all its deliveries.
///
/// Store its bytes, or its string form of 64 lower-case hexadecimal digits. `FromStr` and serde read the string form.
///
/// ```
/// use paytend_webhook::DedupKey;
/// let key = DedupKey::from([0xab; 32]);
/// assert_eq!(key.to_string().parse(), Ok(key));
/// assert_eq!(DedupKey::from(*key.as_bytes()), key);
/// assert!("ab".parse::<DedupKey>().is_err());
/// ```
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct DedupKey([u8; 32]);

impl DedupKey {
    /// Hashes the parts in the given order. Each part is preceded by its length, so that different lists of parts have
    /// different hash inputs.
    pub(crate) fn of(provider: Provider, parts: &[&[u8]]) -> Self {
        let mut hash = Sha256::new();
        for part in [provider.to_string().as_bytes()].iter().chain(parts) {
            hash.update((part.len() as u64).to_be_bytes());
            hash.update(part);
        }
        Self(hash.finalize().into())
    }

    /// Returns the key's 32 bytes.
    pub fn as_bytes(&self) -> &[u8; 32] {
        &self.0
    }
}

impl From<[u8; 32]> for DedupKey {
    fn from(bytes: [u8; 32]) -> Self {
        Self(bytes)
    }
}

impl fmt::Display for DedupKey {
    /// Writes the key in hexadecimal.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:x}", base16ct::HexDisplay(&self.0))
    }
}

impl fmt::Debug for DedupKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "DedupKey({self})")
    }
}

/// The error returned when parsing an invalid [`DedupKey`].
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("invalid dedup key: it must have 64 hexadecimal digits")]
#[non_exhaustive]
pub struct ParseDedupKeyError;

impl FromStr for DedupKey {
    type Err = ParseDedupKeyError;

    fn from_str(text: &str) -> Result<Self, ParseDedupKeyError> {
        let mut bytes = [0; 32];
        match base16ct::mixed::decode(text, &mut bytes) {
            Ok(decoded) if decoded.len() == 32 => Ok(Self(bytes)),
            _ => Err(ParseDedupKeyError),
        }
    }
}

impl Serialize for DedupKey {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for DedupKey {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        std::borrow::Cow::<'_, str>::deserialize(deserializer)?.parse().map_err(serde::de::Error::custom)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn string_and_json_forms_round_trip() {
        let key = DedupKey::of(Provider::PayBy, &[b"a", b"b"]);
        let text = key.to_string();
        assert_eq!((text.len(), text.parse()), (64, Ok(key)));
        assert_eq!(text.to_uppercase().parse(), Ok(key));
        let json = serde_json::to_string(&key).unwrap();
        assert_eq!(json, format!("\"{text}\""));
        assert_eq!(serde_json::from_str::<DedupKey>(&json).unwrap(), key);
        for wrong in ["", "ab", &text[..62], &text[..63], &format!("{text}00"), "g".repeat(64).as_str()] {
            assert_eq!(wrong.parse::<DedupKey>(), Err(ParseDedupKeyError), "{wrong}");
        }
    }
}
