//! A conformance suite for RSA backends. Run it on your implementation of [`Backend`](crate::rsa::Backend) or
//! [`RsaPrivate`](crate::rsa::RsaPrivate).
//!
//! [`check_pair`] works with a key that never leaves its hardware. [`check_backend`] also loads the keys of the
//! project's test vectors and runs all vectors. Both compare the results with the default backend and report the
//! first difference.
//!
//! ```
//! use paytend_crypto::rustcrypto::RustCrypto;
//! use paytend_crypto::testing;
//!
//! let checks = testing::check_backend(&RustCrypto)?;
//! assert!(checks > 1000);
//! # Ok::<(), testing::ConformanceError>(())
//! ```

mod pair;
mod vectors;

use std::fmt;

pub use pair::check_pair;
pub use vectors::check_backend;

/// The first check that a backend fails.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ConformanceError(String);

impl fmt::Display for ConformanceError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "the backend fails the conformance suite: {}", self.0)
    }
}

impl std::error::Error for ConformanceError {}

/// Counts the checks, and returns an error at the first failure.
#[derive(Default)]
struct Checks {
    done: usize,
}

impl Checks {
    fn that(&mut self, holds: bool, what: impl FnOnce() -> String) -> Result<(), ConformanceError> {
        self.done += 1;
        if holds { Ok(()) } else { Err(ConformanceError(what())) }
    }

    /// Returns the value of a step that must not fail. If the step failed, returns an error that starts with `what`.
    fn get<T, E: fmt::Display>(&mut self, result: Result<T, E>, what: &str) -> Result<T, ConformanceError> {
        self.done += 1;
        result.map_err(|error| ConformanceError(format!("{what}: {error}")))
    }
}
