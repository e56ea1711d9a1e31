//! Where random bytes come from, so that tests can say which.

use crate::Error;

/// A source of cryptographically secure random bytes.
///
/// [`OsRandom`] (feature `os-random`) is the one to use; another is for tests, or for a hardware generator.
pub trait RandomSource: Send + Sync {
    /// Fills `bytes` entirely, or fails with [`Error::Random`].
    fn fill(&self, bytes: &mut [u8]) -> Result<(), Error>;
}

/// The operating system's generator.
///
/// Without the feature `os-random`, on systems that have none, it has no bytes to give: sealing then fails with [`Error::Random`] unless the
/// keyring was given another source. Opening and verifying need none.
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
