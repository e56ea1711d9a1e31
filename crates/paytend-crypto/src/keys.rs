//! Key material: loading, writing, fingerprints. No arithmetic happens here; a backend ([`crate::rsa`]) does that.

use std::fmt::{self, Write as _};
use std::path::Path;
use std::sync::Arc;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use sha2::{Digest, Sha256};
use zeroize::Zeroizing;

use crate::encoding::{self, Decoded, Half};
use crate::key_file;
use crate::{KeyError, Passphrase};

pub use crate::encoding::{Armour, ForeignKey, KeyAlgorithm, KeyForm, KeyStructure, Wrapping};
pub use crate::key_error::{ArmourProblem, EncryptedFormat, Encryption};
pub use crate::key_file::{DANGER_ANY_PERMISSIONS, FilePermissions, read_secret_file, require_owner_only};

/// Smallest modulus that is accepted, in bits. Paytend's keys have this size today.
pub const MIN_BITS: usize = 1024;
/// Largest modulus that is accepted, in bits.
pub const MAX_BITS: usize = 8192;

/// Returns how a key is written. Of a text with a private key and others, this is the private key's form.
///
/// # Errors
/// Returns a [`KeyError`] if [`read`] does.
pub fn form(data: &[u8]) -> Result<KeyForm, KeyError> {
    read(data, None).map(|(_, form)| form)
}

/// A key of either half.
#[derive(Clone, Debug)]
pub enum AnyKey {
    /// A private key.
    Private(PrivateKey),
    /// A public key.
    Public(PublicKey),
}

/// Reads a key of either half, and how it is written: the private key if there is one.
///
/// # Errors
/// Returns a [`KeyError`] that says what the data is instead, or what is wrong with it.
pub fn read(data: &[u8], passphrase: Option<&Passphrase>) -> Result<(AnyKey, KeyForm), KeyError> {
    match PrivateKey::read(data, passphrase) {
        Ok((key, form)) => Ok((AnyKey::Private(key), form)),
        // What is wrong with a private key does not keep the public one from being read.
        Err(error) => match PublicKey::read(data) {
            Ok((key, form)) => Ok((AnyKey::Public(key), form)),
            Err(of_public) if matches!(error, KeyError::PublicGiven(_)) => Err(of_public),
            Err(_) => Err(error),
        },
    }
}

/// A private RSA key, as data. Not `Serialize`, not `Clone`d by accident into logs: its `Debug` shows the fingerprint alone,
/// and its memory is wiped when it is dropped.
#[derive(Clone)]
pub struct PrivateKey {
    pkcs1_der: Arc<Zeroizing<Vec<u8>>>,
    public: PublicKey,
}

impl PrivateKey {
    /// Reads PEM or base64 of DER, as PKCS#1 or PKCS#8.
    ///
    /// The text may be as it is found in environment variables and files: with escaped line ends, in quotes, in base64
    /// once more, in UTF-16, with invisible characters, indented, or with other text around it.
    ///
    /// # Errors
    /// Returns a [`KeyError`] that says what the text is instead, or what is wrong with it.
    pub fn from_text(text: &str) -> Result<Self, KeyError> {
        Self::from_bytes(text.as_bytes())
    }

    /// Reads DER, as PKCS#1 or PKCS#8.
    ///
    /// # Errors
    /// As [`from_text`](Self::from_text).
    pub fn from_der(der: &[u8]) -> Result<Self, KeyError> {
        Self::from_bytes(der)
    }

    /// Reads any of the encodings; which one it is shows in the data.
    ///
    /// # Errors
    /// As [`from_text`](Self::from_text).
    pub fn from_bytes(data: &[u8]) -> Result<Self, KeyError> {
        Self::read(data, None).map(|(key, _)| key)
    }

    /// Reads any of the encodings, and a PKCS#8 key that is encrypted with the passphrase. Returns how the key is
    /// written as well. A passphrase that is not needed is ignored.
    ///
    /// Encrypted keys need the feature `encrypted-keys`: PBES2 with PBKDF2 or scrypt, and AES or 3DES.
    ///
    /// # Errors
    /// - Returns [`KeyError::Encrypted`] if the key is encrypted and there is no passphrase, or its scheme is not read.
    /// - Returns [`KeyError::Passphrase`] if the passphrase does not decrypt the key.
    /// - Returns [`KeyError::Ambiguous`] if there are several different private keys.
    /// - Returns the errors of [`from_text`](Self::from_text) if the data is not a private key.
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

    /// Reads a file in any of the encodings. On Unix, refuses a file that its group or others can read, write or run,
    /// unless the environment variable [`PAYTEND_DANGER_ANY_PERMISSIONS`](DANGER_ANY_PERMISSIONS) is `1`.
    ///
    /// # Errors
    /// - [`KeyError::Permissions`] if others than the owner have access to the file.
    /// - [`KeyError::File`] if the file cannot be read.
    /// - [`KeyError::InFile`], with the errors of [`from_text`](Self::from_text), if the content is not a private key.
    pub fn from_file(path: impl AsRef<Path>) -> Result<Self, KeyError> {
        Self::read_file(path, FilePermissions::OwnerOnly, None)
    }

    /// Reads a file in any of the encodings, whoever has access to it. For secrets that a container platform mounts
    /// with a mode such as 0440 or 0444.
    ///
    /// # Errors
    /// - [`KeyError::File`] if the file cannot be read.
    /// - [`KeyError::InFile`], with the errors of [`from_text`](Self::from_text), if the content is not a private key.
    pub fn danger_from_file_with_any_permissions(path: impl AsRef<Path>) -> Result<Self, KeyError> {
        Self::read_file(path, FilePermissions::DangerAny, None)
    }

    /// Reads a file in any of the encodings, which may be encrypted with the passphrase. The file is opened and read
    /// once; see [`read_secret_file`].
    ///
    /// # Errors
    /// - Returns [`KeyError::Permissions`] if others have access to the file, and `permissions` does not accept it.
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

    /// The public half.
    pub fn public_key(&self) -> &PublicKey {
        &self.public
    }

    /// PKCS#1 DER, for a backend to load. Secret.
    pub fn pkcs1_der(&self) -> &[u8] {
        &self.pkcs1_der
    }

    /// PKCS#8 PEM. Secret; wiped when dropped.
    ///
    /// # Errors
    /// [`KeyError::Invalid`] when the key cannot be encoded.
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
    /// Reads PEM or base64 of DER, as SubjectPublicKeyInfo, PKCS#1 or an X.509 certificate. The text may be as it is
    /// found in environment variables and files; see [`PrivateKey::from_text`].
    ///
    /// The key of a certificate is taken, and nothing else of it is checked: not who issued it, nor how long it is
    /// valid. Of a chain of certificates this is the key of the one that issued none of the others.
    ///
    /// # Errors
    /// Returns a [`KeyError`] that says what the text is instead, or what is wrong with it.
    pub fn from_text(text: &str) -> Result<Self, KeyError> {
        Self::from_bytes(text.as_bytes())
    }

    /// Reads DER, as SubjectPublicKeyInfo, PKCS#1 or an X.509 certificate.
    ///
    /// # Errors
    /// As [`from_text`](Self::from_text).
    pub fn from_der(der: &[u8]) -> Result<Self, KeyError> {
        Self::from_bytes(der)
    }

    /// Reads any of the encodings; which one it is shows in the data.
    ///
    /// # Errors
    /// As [`from_text`](Self::from_text).
    pub fn from_bytes(data: &[u8]) -> Result<Self, KeyError> {
        Self::read(data).map(|(key, _)| key)
    }

    /// Reads any of the encodings, and returns how the key is written as well.
    ///
    /// # Errors
    /// - Returns [`KeyError::Ambiguous`] if there are several different public keys.
    /// - Returns the errors of [`from_text`](Self::from_text) if the data is not a public key.
    pub fn read(data: &[u8]) -> Result<(Self, KeyForm), KeyError> {
        match encoding::read(data, Half::Public, None)? {
            (form, Decoded::Private(_)) => Err(KeyError::PrivateGiven(form.structure)),
            (form, Decoded::Public { modulus, exponent }) => Ok((Self::from_numbers(modulus, exponent)?, form)),
        }
    }

    /// Reads a file in any of the encodings. The file is opened and read once.
    ///
    /// # Errors
    /// - Returns [`KeyError::File`] if the file cannot be read.
    /// - Returns [`KeyError::InFile`], with the errors of [`read`](Self::read), if the content is not a public key.
    pub fn from_file(path: impl AsRef<Path>) -> Result<Self, KeyError> {
        let path = path.as_ref();
        let data = key_file::read(path, |_| Ok(()))?;
        Self::from_bytes(&data).map_err(|error| error.in_file(path))
    }

    /// Makes a key of its numbers, big-endian. A modulus outside 1024 to 8192 bits, an even one, and an exponent that is even,
    /// 1, or above 2³³ − 1 are refused.
    ///
    /// # Errors
    /// [`KeyError::Size`] or [`KeyError::Invalid`].
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
        let fingerprint = Fingerprint(Sha256::digest(&spki_der).into());
        Ok(Self { modulus: modulus.into(), exponent: exponent.into(), spki_der: spki_der.into(), fingerprint })
    }

    /// The modulus, big-endian, without leading zeros.
    pub fn modulus(&self) -> &[u8] {
        &self.modulus
    }

    /// The public exponent, big-endian, without leading zeros.
    pub fn exponent(&self) -> &[u8] {
        &self.exponent
    }

    /// Length of the modulus in bytes: of every signature and every ciphertext block.
    pub fn size(&self) -> usize {
        self.modulus.len()
    }

    /// Length of the modulus in bits.
    pub fn bits(&self) -> usize {
        bit_length(&self.modulus)
    }

    /// What to think of that length.
    pub fn strength(&self) -> Strength {
        match self.bits() {
            ..2048 => Strength::Legacy,
            2048..3072 => Strength::Acceptable,
            _ => Strength::Strong,
        }
    }

    /// SHA-256 of the SubjectPublicKeyInfo.
    pub fn fingerprint(&self) -> Fingerprint {
        self.fingerprint
    }

    /// SubjectPublicKeyInfo DER.
    pub fn to_spki_der(&self) -> &[u8] {
        &self.spki_der
    }

    /// SubjectPublicKeyInfo PEM.
    pub fn to_spki_pem(&self) -> String {
        encoding::armour("PUBLIC KEY", &self.spki_der).to_string()
    }

    /// Base64 of the SubjectPublicKeyInfo DER, on one line: the form in which Paytend and PayerMax exchange keys.
    pub fn to_base64(&self) -> String {
        STANDARD.encode(&self.spki_der)
    }

    /// Whether a number is written in exactly [`size`](Self::size) bytes, big-endian, and is below the modulus.
    pub(crate) fn admits(&self, number: &[u8]) -> bool {
        number.len() == self.modulus.len() && number < &*self.modulus
    }
}

impl fmt::Debug for PublicKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("PublicKey").field("bits", &self.bits()).field("fingerprint", &self.fingerprint).finish()
    }
}

/// What to think of a key's length.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
#[non_exhaustive]
pub enum Strength {
    /// Below 2048 bits. Within reach of a well-funded attacker; used because the provider's keys are such.
    Legacy,
    /// 2048 to 3071 bits.
    Acceptable,
    /// 3072 bits and more.
    Strong,
}

/// SHA-256 of a key's SubjectPublicKeyInfo: names a key without showing it. The same for both halves of a pair.
#[derive(Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Fingerprint([u8; 32]);

impl Fingerprint {
    /// The 32 bytes.
    pub fn as_bytes(&self) -> &[u8; 32] {
        &self.0
    }
}

impl fmt::Display for Fingerprint {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("SHA256:")?;
        let digit = |half: u8| char::from(b"0123456789abcdef"[usize::from(half & 0xf)]);
        self.0.iter().try_for_each(|byte| f.write_char(digit(byte >> 4)).and_then(|()| f.write_char(digit(*byte))))
    }
}

impl fmt::Debug for Fingerprint {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

fn without_leading_zeros(mut number: Vec<u8>) -> Vec<u8> {
    let zeros = number.iter().take_while(|byte| **byte == 0).count();
    number.drain(..zeros);
    number
}

fn bit_length(number: &[u8]) -> usize {
    number.first().map_or(0, |first| number.len() * 8 - first.leading_zeros() as usize)
}
