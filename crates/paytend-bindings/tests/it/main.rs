//! The bindings' shared layer, from outside.

// A test that cannot go on should panic.
#![allow(clippy::unwrap_used, clippy::expect_used)]

mod messages;
mod seal;

use paytend_bindings::{Keyring, PrivateKey, keyring};

/// A key of the vectors.
fn private(name: &str) -> PrivateKey {
    PrivateKey::from_text(&paytend_vectors::keys()[name].private).unwrap()
}

/// A keyring of keys of the vectors.
fn ring(own: &str, peer: &str) -> Keyring {
    keyring(&[&private(own)], &[private(peer).public_key()]).unwrap()
}
