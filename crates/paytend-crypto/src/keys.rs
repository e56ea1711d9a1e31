//! RSA keys as data: reading, writing and fingerprints. All arithmetic is done by a backend ([`crate::rsa`]).

use std::fmt;
use std::path::Path;
use std::str::FromStr;
use std::sync::Arc;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use sha2::{Digest, Sha256};
use zeroize::Zeroizing;

use crate::encoding::{self, Decoded, Half};
use crate::fingerprint::Fingerprint;
use crate::key_file;
use crate::{KeyError, Passphrase};

pub use crate::encoding::{Armour, ForeignKey, KeyAlgorithm, KeyForm, KeyStructure, Wrapping};
pub use crate::key_error::{ArmourProblem, EncryptedFormat, Encryption};
pub use crate::key_file::{DANGER_ANY_PERMISSIONS, FilePermissions, read_secret_file, require_owner_only};

/// The smallest accepted modulus, in bits. Paytend's keys have this size today.
pub const MIN_BITS: usize = 1024;
/// The largest accepted modulus, in bits.
pub const MAX_BITS: usize = 8192;

/// Returns the format of a key: its structure, armour and wrappings. If the text contains several keys, this is the
/// private key's format.
///
/// # Errors
/// Returns the errors of [`read`].
pub fn form(data: &[u8]) -> Result<KeyForm, KeyError> {
    read(data, None).map(|(_, form)| form)
}

/// Returns the PEM blocks of a text as well-formed PEM, for a library that reads only that. The blocks may have any
/// label and content, such as a certificate and an EC key; only their base64 is checked. Undoes the transformations
/// that [`PrivateKey::from_bytes`] accepts, for example escaped line ends, quotes and UTF-16.
///
/// # Errors
/// - Returns [`KeyError::Empty`] or [`KeyError::Encoding`] if the text contains no PEM.
/// - Returns [`KeyError::Armour`], [`KeyError::Base64`] or [`KeyError::Truncated`] if a block is damaged.
/// - Returns [`KeyError::Encrypted`] if a block is encrypted with `Proc-Type` and `DEK-Info` headers.
pub fn clean_pem(data: &[u8]) -> Result<Zeroizing<String>, KeyError> {
    encoding::clean_pem(data)
}

/// A private or public key.
#[derive(Clone, Debug)]
pub enum AnyKey {
    /// A private key.
    Private(PrivateKey),
    /// A public key.
    Public(PublicKey),
}

/// Reads a private or public key and determines its format. Returns the private key if the data contains both.
///
/// # Errors
/// Returns a [`KeyError`] that names the unsupported format or the problem if the data is not a readable RSA key.
pub fn read(data: &[u8], passphrase: Option<&Passphrase>) -> Result<(AnyKey, KeyForm), KeyError> {
    match PrivateKey::read(data, passphrase) {
        Ok((key, form)) => Ok((AnyKey::Private(key), form)),
        // An error in a private key does not prevent the public key from being read.
        Err(error) => match PublicKey::read(data) {
            Ok((key, form)) => Ok((AnyKey::Public(key), form)),
            Err(of_public) if matches!(error, KeyError::PublicGiven(_)) => Err(of_public),
            Err(_) => Err(error),
        },
    }
}

/// A private RSA key, as data.
///
/// The type is not `Serialize`. Its `Debug` output shows only the fingerprint, and its memory is wiped on drop.
#[derive(Clone)]
pub struct PrivateKey {
    pkcs1_der: Arc<Zeroizing<Vec<u8>>>,
    public: PublicKey,
}

impl PrivateKey {
    /// Reads a key: DER, PEM or base64 of DER, as PKCS#1 or PKCS#8. The form is detected from the data.
    ///
    /// A text may have the transformations that are common in environment variables and files: escaped line ends,
    /// quotes, a second layer of base64, UTF-16, invisible characters, indentation, or other text around the key.
    ///
    /// ```
    /// # use paytend_crypto::{OsRandom, PrivateKey, rustcrypto};
    /// let key = rustcrypto::generate(1024, &OsRandom)?;
    /// let pem = key.to_pkcs8_pem()?;
    /// assert_eq!(PrivateKey::from_bytes(&*pem)?.public_key(), key.public_key());
    /// assert_eq!(pem.parse::<PrivateKey>()?.public_key(), key.public_key());
    /// # Ok::<(), paytend_crypto::Error>(())
    /// ```
    ///
    /// # Errors
    /// Returns a [`KeyError`] that names the unsupported form or the problem if the data is not a readable private key.
    pub fn from_bytes(data: impl AsRef<[u8]>) -> Result<Self, KeyError> {
        Self::read(data.as_ref(), None).map(|(key, _)| key)
    }

    /// Reads a key in any supported encoding, including PKCS#8 encrypted with the passphrase. Also returns the key's
    /// format. Ignores a passphrase that is not needed.
    ///
    /// Encrypted keys need the feature `encrypted-keys`. Supported are PBES2 with PBKDF2 or scrypt, and AES or 3DES.
    ///
    /// # Errors
    /// - Returns [`KeyError::Encrypted`] if the key is encrypted and there is no passphrase, or its scheme is not
    ///   supported.
    /// - Returns [`KeyError::Passphrase`] if the passphrase does not decrypt the key.
    /// - Returns [`KeyError::Ambiguous`] if there are several different private keys.
    /// - Returns the errors of [`from_bytes`](Self::from_bytes) if the data is not a private key.
    pub fn read(data: &[u8], passphrase: Option<&Passphrase>) -> Result<(Self, KeyForm), KeyError> {
        match encoding::read(data, Half::Private, passphrase)? {
            (form, Decoded::Public { .. }) => Err(KeyError::PublicGiven(form.structure)),
            (form, Decoded::Private(pkcs1_der)) => {
                let (modulus, exponent) = encoding::public_half(&pkcs1_der)?;
                let public = PublicKey::from_numbers(modulus, exponent)?;
                Ok((Self { public, pkcs1_der: Arc::new(pkcs1_der) }, form))
            }
        }
    }

    /// Reads a private key from a file, in any supported encoding. On Unix, refuses a file that its group or others can
    /// read, write or execute, unless the environment variable
    /// [`PAYTEND_DANGER_ANY_PERMISSIONS`](DANGER_ANY_PERMISSIONS) is `1`.
    ///
    /// # Errors
    /// - Returns [`KeyError::Permissions`] if users other than the owner have access to the file.
    /// - Returns [`KeyError::File`] if the file cannot be read.
    /// - Returns [`KeyError::InFile`], with the errors of [`from_bytes`](Self::from_bytes), if the content is not a
    ///   private key.
    pub fn from_file(path: impl AsRef<Path>) -> Result<Self, KeyError> {
        Self::read_file(path, FilePermissions::OwnerOnly, None)
    }

    /// Reads a private key from a file, in any supported encoding, without checking the file's permissions. For
    /// secrets that a container platform mounts with a mode such as 0440 or 0444.
    ///
    /// # Errors
    /// - Returns [`KeyError::File`] if the file cannot be read.
    /// - Returns [`KeyError::InFile`], with the errors of [`from_bytes`](Self::from_bytes), if the content is not a
    ///   private key.
    pub fn danger_from_file_with_any_permissions(path: impl AsRef<Path>) -> Result<Self, KeyError> {
        Self::read_file(path, FilePermissions::DangerAny, None)
    }

    /// Reads a private key from a file, in any supported encoding, which may be encrypted with the passphrase. Opens
    /// and reads the file once; see [`read_secret_file`].
    ///
    /// # Errors
    /// - Returns [`KeyError::Permissions`] if other users have access to the file and `permissions` does not allow it.
    /// - Returns [`KeyError::File`] if the file cannot be read.
    /// - Returns [`KeyError::InFile`], with the errors of [`read`](Self::read), if the content is not a private key.
    pub fn read_file(
        path: impl AsRef<Path>,
        permissions: FilePermissions,
        passphrase: Option<&Passphrase>,
    ) -> Result<Self, KeyError> {
        let path = path.as_ref();
        let data = read_secret_file(path, permissions)?;
        Self::read(&data, passphrase).map(|(key, _)| key).map_err(|error| error.in_file(path))
    }

    /// Returns the public half of the key.
    pub fn public_key(&self) -> &PublicKey {
        &self.public
    }

    /// Returns the key as PKCS#1 DER, for a backend to load. Secret.
    pub fn pkcs1_der(&self) -> &[u8] {
        &self.pkcs1_der
    }

    /// Returns the key as PKCS#8 PEM. Secret; wiped on drop.
    ///
    /// # Errors
    /// Returns [`KeyError::Invalid`] if the key cannot be encoded.
    pub fn to_pkcs8_pem(&self) -> Result<Zeroizing<String>, KeyError> {
        Ok(encoding::armour("PRIVATE KEY", &encoding::pkcs8_der(&self.pkcs1_der)?))
    }
}

impl fmt::Debug for PrivateKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("PrivateKey").field("public", &self.public).finish_non_exhaustive()
    }
}

/// A public RSA key, as data.
#[derive(Clone, PartialEq, Eq)]
pub struct PublicKey {
    modulus: Arc<[u8]>,
    exponent: Arc<[u8]>,
    spki_der: Arc<[u8]>,
    fingerprint: Fingerprint,
}

impl PublicKey {
    /// Reads a key: DER, PEM or base64 of DER, as SubjectPublicKeyInfo, PKCS#1 or an X.509 certificate. The form is
    /// detected from the data. A text may have the same transformations as in [`PrivateKey::from_bytes`].
    ///
    /// From a certificate, only the key is read. Neither its issuer nor its validity period is checked. From a chain of
    /// certificates, the key of the certificate that issued none of the others is read.
    ///
    /// # Errors
    /// Returns a [`KeyError`] that names the unsupported form or the problem if the text is not a readable public key.
    pub fn from_bytes(data: impl AsRef<[u8]>) -> Result<Self, KeyError> {
        Self::read(data.as_ref()).map(|(key, _)| key)
    }

    /// Reads a key in any supported encoding. Also returns the key's format.
    ///
    /// # Errors
    /// - Returns [`KeyError::Ambiguous`] if there are several different public keys.
    /// - Returns the errors of [`from_bytes`](Self::from_bytes) if the data is not a public key.
    pub fn read(data: &[u8]) -> Result<(Self, KeyForm), KeyError> {
        match encoding::read(data, Half::Public, None)? {
            (form, Decoded::Private(_)) => Err(KeyError::PrivateGiven(form.structure)),
            (form, Decoded::Public { modulus, exponent }) => Ok((Self::from_numbers(modulus, exponent)?, form)),
        }
    }

    /// Reads a public key from a file, in any supported encoding. Opens and reads the file once.
    ///
    /// # Errors
    /// - Returns [`KeyError::File`] if the file cannot be read.
    /// - Returns [`KeyError::InFile`], with the errors of [`read`](Self::read), if the content is not a public key.
    pub fn from_file(path: impl AsRef<Path>) -> Result<Self, KeyError> {
        let path = path.as_ref();
        let data = key_file::read(path, |_| Ok(()))?;
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
        let spki_der = encoding::spki_der(&modulus, &exponent)?;
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

    /// Returns the modulus length in bytes. Every signature and every ciphertext block has the same length.
    pub fn size(&self) -> usize {
        self.modulus.len()
    }

    /// Returns the length of the modulus in bits.
    pub fn bits(&self) -> usize {
        bit_length(&self.modulus)
    }

    /// Returns the strength of the key, by its length.
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
        encoding::armour("PUBLIC KEY", &self.spki_der).to_string()
    }

    /// Returns the SubjectPublicKeyInfo as base64 of DER, in one line. Paytend and PayerMax exchange keys in this
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

/// The strength of a key, by its length.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
#[non_exhaustive]
pub enum Strength {
    /// Below 2048 bits. Breakable by a well-funded attacker; accepted because the provider's keys have 1024 bits.
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

impl FromStr for PrivateKey {
    type Err = KeyError;

    /// Reads a key as [`from_bytes`](Self::from_bytes) does.
    fn from_str(text: &str) -> Result<Self, KeyError> {
        Self::from_bytes(text)
    }
}

impl FromStr for PublicKey {
    type Err = KeyError;

    /// Reads a key as [`from_bytes`](Self::from_bytes) does.
    fn from_str(text: &str) -> Result<Self, KeyError> {
        Self::from_bytes(text)
    }
}
