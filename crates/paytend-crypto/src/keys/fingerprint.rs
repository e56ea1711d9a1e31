//! Fingerprints of public keys.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Deserializer, Serialize, Serializer};

/// The prefix before the hexadecimal digits.
const PREFIX: &str = "SHA256:";

/// The SHA-256 hash of a key's SubjectPublicKeyInfo. Identifies a key without revealing it. Both halves of a key pair
/// have the same fingerprint.
///
/// Displayed as `SHA256:` followed by 64 lower-case hexadecimal digits. `FromStr` and serde read the same format, and
/// also accept upper-case digits.
///
/// ```
/// use paytend_crypto::Fingerprint;
/// let fingerprint = Fingerprint::from([0xab; 32]);
/// assert_eq!(fingerprint.to_string().parse(), Ok(fingerprint));
/// let error = "SHA256:ab".parse::<Fingerprint>().unwrap_err();
/// assert_eq!(error.to_string(), "invalid fingerprint: expected `SHA256:` followed by 64 hexadecimal digits");
/// ```
#[derive(Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Fingerprint([u8; 32]);

impl Fingerprint {
    /// Returns the 32 bytes of the hash.
    pub fn as_bytes(&self) -> &[u8; 32] {
        &self.0
    }
}

impl From<[u8; 32]> for Fingerprint {
    fn from(bytes: [u8; 32]) -> Self {
        Self(bytes)
    }
}

impl fmt::Display for Fingerprint {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{PREFIX}{:x}", base16ct::HexDisplay(&self.0))
    }
}

impl fmt::Debug for Fingerprint {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

/// The error returned when parsing an invalid [`Fingerprint`].
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("invalid fingerprint: expected `SHA256:` followed by 64 hexadecimal digits")]
#[non_exhaustive]
pub struct ParseFingerprintError;

impl FromStr for Fingerprint {
    type Err = ParseFingerprintError;

    fn from_str(text: &str) -> Result<Self, ParseFingerprintError> {
        let digits = text.strip_prefix(PREFIX).filter(|digits| digits.len() == 64).ok_or(ParseFingerprintError)?;
        let mut bytes = [0; 32];
        base16ct::mixed::decode(digits, &mut bytes).map_err(|_| ParseFingerprintError)?;
        Ok(Self(bytes))
    }
}

impl Serialize for Fingerprint {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for Fingerprint {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        std::borrow::Cow::<'_, str>::deserialize(deserializer)?.parse().map_err(serde::de::Error::custom)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn fingerprint_round_trips_through_text_and_json() {
        let fingerprint = Fingerprint(std::array::from_fn(|at| u8::try_from(at * 8 + 7).unwrap_or_default()));
        let text = fingerprint.to_string();
        assert_eq!((&text[..7], text.len()), ("SHA256:", 71));
        assert_eq!(text.parse(), Ok(fingerprint));
        assert_eq!(format!("SHA256:{}", text[7..].to_uppercase()).parse(), Ok(fingerprint));
        let json = serde_json::to_string(&fingerprint).unwrap();
        assert_eq!(serde_json::from_str::<Fingerprint>(&json).unwrap(), fingerprint);
        for wrong in ["", "SHA256:", &text[7..], &text[..70], &format!("{text}0"), &text.replace('7', "g")] {
            assert_eq!(wrong.parse::<Fingerprint>(), Err(ParseFingerprintError), "{wrong}");
        }
    }
}
