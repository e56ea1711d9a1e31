//! Integration tests for the shared layer of the bindings.

// Tests may panic.
#![allow(clippy::unwrap_used, clippy::expect_used)]

mod messages;
mod seal;

use paytend_bindings::{Keyring, PrivateKey, keyring};

/// Returns a private key from the test vectors.
fn private(name: &str) -> PrivateKey {
    PrivateKey::from_bytes(&paytend_vectors::keys()[name].private).unwrap()
}

/// Returns a keyring with keys from the test vectors.
fn ring(own: &str, peer: &str) -> Keyring {
    keyring(&[&private(own)], &[private(peer).public_key()]).unwrap()
}
