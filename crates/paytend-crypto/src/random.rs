//! Where random bytes come from, so that tests can say which.

use crate::Error;

/// A source of cryptographically secure random bytes.
///
/// [`OsRandom`] is the one to use; another is for tests, or for a hardware generator.
pub trait RandomSource: Send + Sync {
    /// Fills `bytes` entirely, or fails with [`Error::Random`].
    fn fill(&self, bytes: &mut [u8]) -> Result<(), Error>;
}

/// The operating system's generator.
#[derive(Clone, Copy, Debug, Default)]
pub struct OsRandom;

impl RandomSource for OsRandom {
    fn fill(&self, bytes: &mut [u8]) -> Result<(), Error> {
        getrandom::fill(bytes).map_err(|_| Error::Random)
    }
}
