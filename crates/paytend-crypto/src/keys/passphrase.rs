//! The passphrase for an encrypted private key.

use std::fmt;
use std::path::Path;

use zeroize::Zeroizing;

use crate::keys::error::KeyError;
use crate::keys::file::{FilePermissions, read_secret_file};

/// The passphrase for an encrypted private key. Its memory is wiped on drop, and its `Debug` output does not show it.
///
/// ```
/// use paytend_crypto::{Passphrase, PrivateKey};
///
/// let passphrase = Passphrase::new("correct horse battery staple");
/// let read = PrivateKey::read(b"not a key", Some(&passphrase));
/// assert!(read.is_err());
/// ```
#[derive(Clone, PartialEq, Eq)]
pub struct Passphrase(Zeroizing<Vec<u8>>);

impl Passphrase {
    /// Creates a passphrase from its bytes. No bytes are removed, not even a trailing newline.
    pub fn new(passphrase: impl Into<Vec<u8>>) -> Self {
        Self(Zeroizing::new(passphrase.into()))
    }

    /// Reads a passphrase from a file, and removes one trailing newline. Like a private key file, the file must be
    /// accessible only to its owner.
    ///
    /// # Errors
    /// - Returns [`KeyError::Permissions`] if other users have access to the file and `permissions` does not allow it.
    /// - Returns [`KeyError::File`] if the file cannot be read.
    /// - Returns [`KeyError::TooLong`] if the file is longer than 64 KiB.
    pub fn from_file(path: impl AsRef<Path>, permissions: FilePermissions) -> Result<Self, KeyError> {
        Ok(Self::from_content(&read_secret_file(path, permissions)?))
    }

    /// Creates a passphrase from a file's content, and removes one trailing newline.
    pub fn from_content(content: &[u8]) -> Self {
        let line = content.strip_suffix(b"\n").unwrap_or(content);
        Self::new(line.strip_suffix(b"\r").unwrap_or(line))
    }

    #[cfg(feature = "encrypted-keys")]
    pub(crate) fn as_bytes(&self) -> &[u8] {
        &self.0
    }
}

impl fmt::Debug for Passphrase {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Passphrase").finish_non_exhaustive()
    }
}
