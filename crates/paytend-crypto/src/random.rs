//! Sources of random bytes: the operating system, or a custom source.

use crate::error::Error;

/// A source of cryptographically secure random bytes.
///
/// Use [`OsRandom`] (the `os-random` feature) unless you need a fixed source for tests or a hardware generator.
pub trait RandomSource: Send + Sync {
    /// Fills `bytes` completely.
    ///
    /// # Errors
    /// Returns [`Error::Random`] if the source fails.
    fn fill(&self, bytes: &mut [u8]) -> Result<(), Error>;
}

/// The operating system's random number generator.
///
/// Disable the `os-random` feature on systems without a random number generator. [`fill`](RandomSource::fill) then
/// fails, and sealing returns [`Error::Random`] unless the keyring has a different source. Opening and verifying need
/// no random bytes.
#[derive(Clone, Copy, Debug, Default)]
pub struct OsRandom;

impl RandomSource for OsRandom {
    fn fill(&self, bytes: &mut [u8]) -> Result<(), Error> {
        #[cfg(feature = "os-random")]
        return getrandom::fill(bytes).map_err(|_| Error::Random);
        #[cfg(not(feature = "os-random"))]
        if bytes.is_empty() { Ok(()) } else { Err(Error::Random) }
    }
}
