//! A public RSA key, and the accepted key sizes.

use std::fmt;
use std::path::Path;
use std::str::FromStr;
use std::sync::Arc;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use sha2::{Digest, Sha256};

use crate::keys::encoding::key_data::{Half, KeyData};
use crate::keys::encoding::{self, write};
use crate::keys::error::KeyError;
use crate::keys::file;
use crate::keys::fingerprint::Fingerprint;
use crate::keys::form::KeyForm;

/// The smallest accepted modulus, in bits. Paytend's keys have this size today.
pub const MIN_BITS: usize = 1024;
/// The largest accepted modulus, in bits.
pub const MAX_BITS: usize = 8192;

/// A public RSA key, as data for a backend to load.
#[derive(Clone, PartialEq, Eq)]
pub struct PublicKey {
    modulus: Arc<[u8]>,
    exponent: Arc<[u8]>,
    spki_der: Arc<[u8]>,
    fingerprint: Fingerprint,
}

impl PublicKey {
    /// Reads a key: DER, PEM or base64 of DER, as SubjectPublicKeyInfo, PKCS#1 or an X.509 certificate. The format is
    /// detected from the data. The key can be escaped, quoted or re-encoded as in
    /// [`PrivateKey::from_bytes`](crate::PrivateKey::from_bytes).
    ///
    /// Only the key of a certificate is read; the issuer and the validity period are not checked. For a certificate
    /// chain, the key of the leaf certificate is read, that is, of the certificate that issued no other certificate.
    ///
    /// # Errors
    /// Returns a [`KeyError`] if the data is not a readable public key. The error identifies the unsupported format or
    /// the problem.
    pub fn from_bytes(data: impl AsRef<[u8]>) -> Result<Self, KeyError> {
        Self::read(data.as_ref()).map(|(key, _)| key)
    }

    /// Reads a key in any supported encoding. Also returns the key's format.
    ///
    /// # Errors
    /// - Returns [`KeyError::Ambiguous`] if there are several different public keys.
    /// - Returns the same errors as [`from_bytes`](Self::from_bytes) if the data is not a public key.
    pub fn read(data: &[u8]) -> Result<(Self, KeyForm), KeyError> {
        match encoding::read(data, Half::Public, None)? {
            (form, KeyData::Private(_)) => Err(KeyError::PrivateGiven(form.structure)),
            (form, KeyData::Public { modulus, exponent }) => Ok((Self::from_numbers(modulus, exponent)?, form)),
        }
    }

    /// Reads a public key from a file, in any supported encoding. Opens and reads the file once.
    ///
    /// # Errors
    /// - Returns [`KeyError::File`] if the file cannot be read.
    /// - Returns [`KeyError::InFile`] if the content is not a public key. The contained error is the one that
    ///   [`read`](Self::read) returns for the content.
    pub fn from_file(path: impl AsRef<Path>) -> Result<Self, KeyError> {
        let path = path.as_ref();
        let data = file::read(path, |_| Ok(()))?;
        Self::from_bytes(&data).map_err(|error| error.in_file(path))
    }

    /// Creates a key from its modulus and exponent, big-endian.
    ///
    /// # Errors
    /// - Returns [`KeyError::Size`] if the modulus does not have 1024 to 8192 bits.
    /// - Returns [`KeyError::Invalid`] if the modulus is even, or the exponent is even, 1 or above 2³³ − 1.
    pub fn from_numbers(modulus: impl Into<Vec<u8>>, exponent: impl Into<Vec<u8>>) -> Result<Self, KeyError> {
        let modulus = without_leading_zeros(modulus.into());
        let exponent = without_leading_zeros(exponent.into());
        let bits = bit_length(&modulus);
        if !(MIN_BITS..=MAX_BITS).contains(&bits) {
            return Err(KeyError::Size(bits));
        }
        let odd = |number: &[u8]| number.last().is_some_and(|byte| byte & 1 == 1);
        if !odd(&modulus) || !odd(&exponent) || !(2..=33).contains(&bit_length(&exponent)) {
            return Err(KeyError::Invalid);
        }
        let spki_der = write::spki_der(&modulus, &exponent)?;
        let fingerprint = Fingerprint::from(<[u8; 32]>::from(Sha256::digest(&spki_der)));
        Ok(Self { modulus: modulus.into(), exponent: exponent.into(), spki_der: spki_der.into(), fingerprint })
    }

    /// Returns the modulus, big-endian, without leading zeros.
    pub fn modulus(&self) -> &[u8] {
        &self.modulus
    }

    /// Returns the public exponent, big-endian, without leading zeros.
    pub fn exponent(&self) -> &[u8] {
        &self.exponent
    }

    /// Returns the modulus length in bytes. Every signature and every ciphertext block has this length.
    pub fn size(&self) -> usize {
        self.modulus.len()
    }

    /// Returns the modulus length in bits.
    pub fn bits(&self) -> usize {
        bit_length(&self.modulus)
    }

    /// Returns the key's strength, based on its length.
    pub fn strength(&self) -> Strength {
        match self.bits() {
            ..2048 => Strength::Legacy,
            2048..3072 => Strength::Acceptable,
            _ => Strength::Strong,
        }
    }

    /// Returns the SHA-256 fingerprint of the SubjectPublicKeyInfo.
    pub fn fingerprint(&self) -> Fingerprint {
        self.fingerprint
    }

    /// Returns the SubjectPublicKeyInfo as DER.
    pub fn spki_der(&self) -> &[u8] {
        &self.spki_der
    }

    /// Returns the SubjectPublicKeyInfo as PEM.
    pub fn to_spki_pem(&self) -> String {
        write::armour("PUBLIC KEY", &self.spki_der).to_string()
    }

    /// Returns the SubjectPublicKeyInfo as base64 of DER, on one line. Paytend and PayerMax exchange keys in this
    /// format.
    pub fn to_base64(&self) -> String {
        STANDARD.encode(&self.spki_der)
    }

    /// Returns whether a number has exactly [`size`](Self::size) bytes, big-endian, and is below the modulus.
    pub(crate) fn admits(&self, number: &[u8]) -> bool {
        number.len() == self.modulus.len() && number < &*self.modulus
    }
}

impl fmt::Debug for PublicKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("PublicKey").field("bits", &self.bits()).field("fingerprint", &self.fingerprint).finish()
    }
}

impl FromStr for PublicKey {
    type Err = KeyError;

    /// Reads a key in the same way as [`from_bytes`](Self::from_bytes).
    fn from_str(text: &str) -> Result<Self, KeyError> {
        Self::from_bytes(text)
    }
}

/// A key's strength, based on its length.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
#[non_exhaustive]
pub enum Strength {
    /// Below 2048 bits. Breakable by a well-funded attacker; accepted because the provider uses 1024-bit keys.
    Legacy,
    /// 2048 to 3071 bits.
    Acceptable,
    /// 3072 bits and more.
    Strong,
}

fn without_leading_zeros(mut number: Vec<u8>) -> Vec<u8> {
    let zeros = number.iter().take_while(|byte| **byte == 0).count();
    number.drain(..zeros);
    number
}

fn bit_length(number: &[u8]) -> usize {
    number.first().map_or(0, |first| number.len() * 8 - first.leading_zeros() as usize)
}
