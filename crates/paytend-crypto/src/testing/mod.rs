//! A conformance suite for RSA backends. Run it on your implementation of [`RsaPrivate`] and [`RsaPublic`].
//!
//! [`check_pair`] works with a key that never leaves its hardware. [`check_backend`] also loads the keys of the
//! project's test vectors and runs all vectors. Both compare the results with the default backend and report the
//! first difference.
//!
//! ```
//! use paytend_crypto::{rustcrypto, testing};
//!
//! let loader = testing::Loader {
//!     private: &|key| rustcrypto::private(key).map_err(|e| e.to_string()),
//!     public: &|key| rustcrypto::public(key).map_err(|e| e.to_string()),
//! };
//! let checks = testing::check_backend(&loader)?;
//! assert!(checks > 1000);
//! # Ok::<(), testing::ConformanceError>(())
//! ```

mod pair;
mod vectors;

use std::fmt;
use std::sync::Arc;

use crate::keys::private::PrivateKey;
use crate::keys::public::PublicKey;
use crate::rsa::{RsaPrivate, RsaPublic};

pub use pair::check_pair;
pub use vectors::check_backend;

/// A function that loads a key, or returns why it cannot.
pub type Load<'a, Key, Loaded> = &'a dyn Fn(&Key) -> Result<Arc<Loaded>, String>;

/// The functions with which a backend loads keys.
#[derive(Clone, Copy)]
pub struct Loader<'a> {
    /// Loads a private key.
    pub private: Load<'a, PrivateKey, dyn RsaPrivate>,
    /// Loads a public key.
    pub public: Load<'a, PublicKey, dyn RsaPublic>,
}

impl fmt::Debug for Loader<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Loader").finish_non_exhaustive()
    }
}

/// The error for a backend that does not conform. Contains the first check that failed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ConformanceError(String);

impl fmt::Display for ConformanceError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "the backend does not conform: {}", self.0)
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

    /// Unwraps the result of a step that must not fail.
    fn get<T, E: fmt::Display>(&mut self, result: Result<T, E>, what: &str) -> Result<T, ConformanceError> {
        self.done += 1;
        result.map_err(|error| ConformanceError(format!("{what}: {error}")))
    }
}
