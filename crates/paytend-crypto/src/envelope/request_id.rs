//! The `requestId` of a request.

use crate::error::Error;
use crate::random::RandomSource;
use std::fmt;
use std::str::FromStr;

/// A `requestId`. It has 1 to 32 characters and must be unique.
///
/// A [generated](Self::generate) identifier has 32 lower-case hexadecimal characters. It is a version 7 UUID without
/// hyphens, which is unique across threads, processes and machines. It contains 48 bits of time and 74 random bits.
/// Paytend documents only the length of 32 characters; the UUID format is this crate's choice.
///
/// ```
/// # #[cfg(feature = "os-random")] {
/// let id = paytend_crypto::RequestId::generate()?;
/// assert_eq!(id.as_str().len(), 32);
/// # }
/// // An existing identifier. The documentation specifies 32 characters, but its example has 17.
/// let id: paytend_crypto::RequestId = "88866600010026020".parse()?;
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct RequestId(String);

impl RequestId {
    /// Generates an identifier from the system clock and the system's random number generator.
    ///
    /// # Errors
    /// Returns [`Error::Random`] if the operating system provides no random bytes.
    // Not available on systems without a clock, because reading the time panics there.
    #[cfg(all(feature = "os-random", not(all(target_family = "wasm", target_os = "unknown"))))]
    pub fn generate() -> Result<Self, Error> {
        use std::time::{SystemTime, UNIX_EPOCH};

        use crate::random::OsRandom;

        let since_epoch = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
        Self::from_parts(u64::try_from(since_epoch.as_millis()).unwrap_or(u64::MAX), &OsRandom)
    }

    /// Creates an identifier from a time in milliseconds since the Unix epoch and a random source.
    ///
    /// # Errors
    /// Returns [`Error::Random`] if the source fails.
    pub fn from_parts(unix_millis: u64, random: &dyn RandomSource) -> Result<Self, Error> {
        let mut bytes = [0u8; 10];
        random.fill(&mut bytes)?;
        let id = uuid::Builder::from_unix_timestamp_millis(unix_millis, &bytes).into_uuid();
        Ok(Self(id.simple().to_string()))
    }

    /// Returns the identifier as a string.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

/// The error returned when parsing an invalid [`RequestId`].
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("invalid requestId: it must have 1 to 32 characters")]
#[non_exhaustive]
pub struct ParseRequestIdError;

impl FromStr for RequestId {
    type Err = ParseRequestIdError;

    fn from_str(text: &str) -> Result<Self, ParseRequestIdError> {
        if (1..=32).contains(&text.chars().count()) { Ok(Self(text.to_owned())) } else { Err(ParseRequestIdError) }
    }
}

impl fmt::Display for RequestId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl fmt::Debug for RequestId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "RequestId({})", self.0)
    }
}

impl AsRef<str> for RequestId {
    fn as_ref(&self) -> &str {
        &self.0
    }
}

impl From<RequestId> for String {
    fn from(id: RequestId) -> Self {
        id.0
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn identifier_has_1_to_32_characters() {
        for accepted in ["1", &"ü".repeat(32)] {
            assert_eq!(accepted.parse::<RequestId>().unwrap().as_str(), accepted);
        }
        for refused in ["", &"0".repeat(33)] {
            assert_eq!(refused.parse::<RequestId>(), Err(ParseRequestIdError), "{refused}");
        }
    }
}
