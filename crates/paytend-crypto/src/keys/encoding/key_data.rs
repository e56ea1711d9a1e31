//! The content of a key without its encoding.

use zeroize::Zeroizing;

/// The content of a key, independent of the encoding.
#[derive(PartialEq, Eq)]
pub(crate) enum KeyData {
    /// A private key, as PKCS#1 DER.
    Private(Zeroizing<Vec<u8>>),
    /// The modulus and exponent of a public key, big-endian.
    Public { modulus: Vec<u8>, exponent: Vec<u8> },
}

/// A half of a key pair.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Half {
    Private,
    Public,
}
