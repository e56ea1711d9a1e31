//! RSA keys as data: reading, writing and fingerprints. All arithmetic is done by a backend ([`crate::rsa`]).

pub(crate) mod encoding;
pub(crate) mod error;
pub(crate) mod file;
pub(crate) mod fingerprint;
pub(crate) mod foreign;
pub(crate) mod form;
pub(crate) mod passphrase;
pub(crate) mod private;
pub(crate) mod public;

use zeroize::Zeroizing;

pub use error::{ArmourProblem, EncryptedFormat, Encryption};
pub use file::{DANGER_ANY_PERMISSIONS, FilePermissions, read_secret_file, require_owner_only};
pub use foreign::{ForeignKey, KeyAlgorithm};
pub use form::{Armour, KeyForm, KeyStructure, Wrapping};
pub use private::PrivateKey;
pub use public::{MAX_BITS, MIN_BITS, PublicKey, Strength};

use encoding::pem;
use error::KeyError;
use passphrase::Passphrase;

/// Returns the format of a key: its structure, armour and wrappings. If `data` contains several keys, returns the
/// format of the private key.
///
/// # Errors
/// Returns the same errors as [`read`].
pub fn form(data: &[u8]) -> Result<KeyForm, KeyError> {
    read(data, None).map(|(_, form)| form)
}

/// Returns the PEM blocks in `data` as well-formed PEM, for a library that requires it. The blocks can have any label
/// and content, such as a certificate and an EC key; only their base64 is checked. Like [`PrivateKey::from_bytes`],
/// removes escapes, quotes and encodings such as escaped newlines and UTF-16.
///
/// # Errors
/// - Returns [`KeyError::Empty`] or [`KeyError::Encoding`] if `data` contains no PEM.
/// - Returns [`KeyError::Armour`], [`KeyError::Base64`] or [`KeyError::Truncated`] if a block is damaged.
/// - Returns [`KeyError::Encrypted`] if a block is encrypted with `Proc-Type` and `DEK-Info` headers.
pub fn clean_pem(data: &[u8]) -> Result<Zeroizing<String>, KeyError> {
    pem::clean_pem(data)
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
/// Returns a [`KeyError`] if the data is not a readable RSA key. The error identifies the unsupported format or the
/// problem.
pub fn read(data: &[u8], passphrase: Option<&Passphrase>) -> Result<(AnyKey, KeyForm), KeyError> {
    match PrivateKey::read(data, passphrase) {
        Ok((key, form)) => Ok((AnyKey::Private(key), form)),
        // The public key is read even if the private key is invalid.
        Err(error) => match PublicKey::read(data) {
            Ok((key, form)) => Ok((AnyKey::Public(key), form)),
            Err(of_public) if matches!(error, KeyError::PublicGiven(_)) => Err(of_public),
            Err(_) => Err(error),
        },
    }
}
