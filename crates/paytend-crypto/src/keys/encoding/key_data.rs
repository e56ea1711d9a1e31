//! The components of a key, after all encodings have been removed.

use zeroize::Zeroizing;

/// The components of a key, after all encodings have been removed.
#[derive(PartialEq, Eq)]
pub(crate) enum KeyData {
    /// A private key, as PKCS#1 DER.
    Private(Zeroizing<Vec<u8>>),
    /// The modulus and exponent of a public key, big-endian.
    Public { modulus: Vec<u8>, exponent: Vec<u8> },
}

/// One half of a key pair.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Half {
    Private,
    Public,
}
