//! A private RSA key.

use std::fmt;
use std::path::Path;
use std::str::FromStr;
use std::sync::Arc;

use zeroize::Zeroizing;

use crate::keys::encoding::key_data::{Half, KeyData};
use crate::keys::encoding::{self, write};
use crate::keys::error::KeyError;
use crate::keys::file::{FilePermissions, read_secret_file};
use crate::keys::form::KeyForm;
use crate::keys::passphrase::Passphrase;
use crate::keys::public::PublicKey;

/// A private RSA key, as data for a backend to load.
///
/// The type does not implement `Serialize`. Its `Debug` output shows only the fingerprint, and its memory is wiped on
/// drop.
#[derive(Clone)]
pub struct PrivateKey {
    pkcs1_der: Arc<Zeroizing<Vec<u8>>>,
    public: PublicKey,
}

impl PrivateKey {
    /// Reads a key: DER, PEM or base64 of DER, as PKCS#1 or PKCS#8. The format is detected from the data.
    ///
    /// The key can have escaped newlines, quotes, a second layer of base64, UTF-16, invisible characters, indentation,
    /// or other text around it. Environment variables and files often add these.
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
    /// Returns a [`KeyError`] if the data is not a readable private key. The error identifies the unsupported format or
    /// the problem.
    pub fn from_bytes(data: impl AsRef<[u8]>) -> Result<Self, KeyError> {
        Self::read(data.as_ref(), None).map(|(key, _)| key)
    }

    /// Reads a key in any supported encoding, including PKCS#8 encrypted with the passphrase. Also returns the key's
    /// format. Ignores a passphrase that is not needed.
    ///
    /// Encrypted keys require the `encrypted-keys` feature. The supported scheme is PBES2 with PBKDF2 or scrypt, and
    /// AES or 3DES.
    ///
    /// # Errors
    /// - Returns [`KeyError::Encrypted`] if the key is encrypted and no passphrase is passed, or if the encryption
    ///   scheme is not supported.
    /// - Returns [`KeyError::Passphrase`] if the passphrase is wrong.
    /// - Returns [`KeyError::Ambiguous`] if there are several different private keys.
    /// - Returns the same errors as [`from_bytes`](Self::from_bytes) if the data is not a private key.
    pub fn read(data: &[u8], passphrase: Option<&Passphrase>) -> Result<(Self, KeyForm), KeyError> {
        match encoding::read(data, Half::Private, passphrase)? {
            (form, KeyData::Public { .. }) => Err(KeyError::PublicGiven(form.structure)),
            (form, KeyData::Private(pkcs1_der)) => {
                let (modulus, exponent) = write::public_half(&pkcs1_der)?;
                let public = PublicKey::from_numbers(modulus, exponent)?;
                Ok((Self { public, pkcs1_der: Arc::new(pkcs1_der) }, form))
            }
        }
    }

    /// Reads a private key from a file, in any supported encoding. On Unix, refuses a file that its group or others can
    /// read, write or execute, unless the [`PAYTEND_DANGER_ANY_PERMISSIONS`](crate::keys::DANGER_ANY_PERMISSIONS)
    /// environment variable is `1`.
    ///
    /// # Errors
    /// - Returns [`KeyError::Permissions`] if users other than the owner have access to the file.
    /// - Returns [`KeyError::File`] if the file cannot be read.
    /// - Returns [`KeyError::InFile`] if the content is not a private key. The contained error is the one that
    ///   [`from_bytes`](Self::from_bytes) returns for the content.
    pub fn from_file(path: impl AsRef<Path>) -> Result<Self, KeyError> {
        Self::read_file(path, FilePermissions::OwnerOnly, None)
    }

    /// Reads a private key from a file, in any supported encoding, without checking the file's permissions. Intended
    /// for secrets that a container platform mounts with a mode such as 0440 or 0444.
    ///
    /// # Errors
    /// - Returns [`KeyError::File`] if the file cannot be read.
    /// - Returns [`KeyError::InFile`] if the content is not a private key. The contained error is the one that
    ///   [`from_bytes`](Self::from_bytes) returns for the content.
    pub fn danger_from_file_with_any_permissions(path: impl AsRef<Path>) -> Result<Self, KeyError> {
        Self::read_file(path, FilePermissions::DangerAny, None)
    }

    /// Reads a private key from a file, in any supported encoding, including PKCS#8 encrypted with the passphrase.
    /// Opens and reads the file once; see [`read_secret_file`].
    ///
    /// # Errors
    /// - Returns [`KeyError::Permissions`] if other users have access to the file and `permissions` does not allow it.
    /// - Returns [`KeyError::File`] if the file cannot be read.
    /// - Returns [`KeyError::InFile`] if the content is not a private key. The contained error is the one that
    ///   [`read`](Self::read) returns for the content.
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

    /// Returns the key as PKCS#1 DER, for a backend to load. The bytes are secret.
    pub fn pkcs1_der(&self) -> &[u8] {
        &self.pkcs1_der
    }

    /// Returns the key as PKCS#8 PEM. The text is secret, and its memory is wiped on drop.
    ///
    /// # Errors
    /// Returns [`KeyError::Invalid`] if the key cannot be encoded.
    pub fn to_pkcs8_pem(&self) -> Result<Zeroizing<String>, KeyError> {
        Ok(write::armour("PRIVATE KEY", &write::pkcs8_der(&self.pkcs1_der)?))
    }
}

impl fmt::Debug for PrivateKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("PrivateKey").field("public", &self.public).finish_non_exhaustive()
    }
}

impl FromStr for PrivateKey {
    type Err = KeyError;

    /// Reads a key in the same way as [`from_bytes`](Self::from_bytes).
    fn from_str(text: &str) -> Result<Self, KeyError> {
        Self::from_bytes(text)
    }
}
