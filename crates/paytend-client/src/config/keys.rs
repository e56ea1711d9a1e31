//! The keys from a profile or from environment variables.

use std::fmt;
use std::path::{Path, PathBuf};

use paytend_crypto::keys::FilePermissions;
use paytend_crypto::rsa::Backend;
use paytend_crypto::{KeyError, Keyring, Passphrase, PrivateKey, PublicKey};
use zeroize::Zeroizing;

use crate::error::Error;

/// The environment variable that contains the private key's passphrase.
pub(super) const PASSPHRASE: &str = "PAYTEND_PASSPHRASE";

/// The origin of a configuration entry, for error messages.
#[derive(Clone)]
pub(super) enum Origin {
    /// Environment variables.
    Variables,
    /// A profile in a file.
    Profile {
        name: String,
        /// The fields overridden by environment variables.
        changed: Vec<&'static str>,
    },
}

impl Origin {
    /// Returns the origin of the entries in a profile without overrides.
    pub(super) fn profile(name: &str) -> Self {
        Self::Profile { name: name.to_owned(), changed: Vec::new() }
    }

    /// Returns whether an environment variable has replaced a field.
    pub(super) fn has_changed(&self, field: &str) -> bool {
        match self {
            Self::Variables => true,
            Self::Profile { changed, .. } => changed.contains(&field),
        }
    }

    /// Creates an error that names the entries, either as variables or as fields of the profile.
    pub(super) fn wrong(&self, fields: &[&str], why: impl fmt::Display) -> Error {
        let names: Vec<String> = fields
            .iter()
            .map(|field| match (self, *field) {
                (Self::Profile { changed, .. }, field) if !changed.contains(&field) => field.to_owned(),
                (_, "private_key_passphrase_file") => format!("{PASSPHRASE}_FILE"),
                (_, field) => format!("PAYTEND_{}", field.to_ascii_uppercase()),
            })
            .collect();
        let names = names.join(" and ");
        Error::configuration(match self {
            Self::Profile { name, .. } => format!("profile {name:?}: {names}: {why}"),
            Self::Variables => format!("{names}: {why}"),
        })
    }
}

/// The configuration entries for keys and key files.
pub(super) struct KeyEntries {
    pub(super) private_key: Option<Zeroizing<String>>,
    pub(super) private_key_file: Option<PathBuf>,
    pub(super) passphrase_file: Option<PathBuf>,
    pub(super) passphrase: Option<Passphrase>,
    pub(super) public_key: Option<String>,
    pub(super) public_key_file: Option<PathBuf>,
}

impl KeyEntries {
    /// Reads the keys. Paths are relative to `folder`, and each file is opened once.
    pub(super) fn read(
        self,
        folder: &Path,
        permissions: FilePermissions,
        origin: &Origin,
    ) -> Result<KeyMaterial, Error> {
        let passphrase = match &self.passphrase_file {
            Some(path) => Some(
                Passphrase::from_file(folder.join(path), permissions)
                    .map_err(|error| origin.wrong(&["private_key_passphrase_file"], error))?,
            ),
            None => self.passphrase,
        };
        let (own, own_entry) = match (self.private_key, self.private_key_file) {
            (Some(text), None) => {
                (PrivateKey::read(text.as_bytes(), passphrase.as_ref()).map(|(key, _)| key), "private_key")
            }
            (None, Some(path)) => {
                (PrivateKey::read_file(folder.join(path), permissions, passphrase.as_ref()), "private_key_file")
            }
            (Some(_), Some(_)) => {
                return Err(origin.wrong(&["private_key", "private_key_file"], "set one of them, not both"));
            }
            (None, None) => return Err(origin.wrong(&["private_key_file"], "not set")),
        };
        let own = own.map_err(|error| origin.wrong(&[own_entry], with_option(&error)))?;
        let (peer, peer_entry) = match (self.public_key, self.public_key_file) {
            (Some(text), None) => (PublicKey::from_bytes(&text), "public_key"),
            (None, Some(path)) => (PublicKey::from_file(folder.join(path)), "public_key_file"),
            (Some(_), Some(_)) => {
                return Err(origin.wrong(&["public_key", "public_key_file"], "set one of them, not both"));
            }
            (None, None) => return Err(origin.wrong(&["public_key_file"], "not set")),
        };
        let peer = peer.map_err(|error| origin.wrong(&[peer_entry], error))?;
        Ok(KeyMaterial { own, own_entry, peer, peer_entry, origin: origin.clone() })
    }
}

/// The keys read from a profile or from environment variables, before a backend has loaded them.
pub(super) struct KeyMaterial {
    own: PrivateKey,
    own_entry: &'static str,
    peer: PublicKey,
    peer_entry: &'static str,
    origin: Origin,
}

impl KeyMaterial {
    pub(super) fn keys(&self) -> (&PrivateKey, &PublicKey) {
        (&self.own, &self.peer)
    }

    /// Loads the keys with a backend. Only a backend can check whether the numbers in a key are consistent.
    pub(super) fn keyring(&self, backend: &dyn Backend) -> Result<Keyring, Error> {
        // If the error is not about the key, the backend is the cause. The message then names the backend instead of
        // the configuration entry.
        let wrong = |entry, error| match error {
            paytend_crypto::Error::Key(error) => self.origin.wrong(&[entry], error),
            error => Error::configuration(format!(
                "the backend {} cannot load the keys: {}",
                backend.name(),
                with_source(&error)
            )),
        };
        let own = backend.private(&self.own).map_err(|error| wrong(self.own_entry, error))?;
        let peer = backend.public(&self.peer).map_err(|error| wrong(self.peer_entry, error))?;
        let built = Keyring::builder().own_key(own).peer_key(peer).build();
        built.map_err(|error| Error::configuration(format!("cannot build a keyring from the keys: {error}")))
    }
}

/// Returns an error's message, followed by its source's message.
fn with_source(error: &dyn std::error::Error) -> String {
    error.source().map_or_else(|| error.to_string(), |source| format!("{error}: {source}"))
}

/// Returns a key error's message. If a passphrase is needed, the message names the settings for it.
fn with_option(error: &KeyError) -> String {
    match error.problem() {
        KeyError::Encrypted(encryption) if encryption.readable => {
            format!("{error}; set the passphrase in private_key_passphrase_file, {PASSPHRASE}_FILE or {PASSPHRASE}")
        }
        _ => error.to_string(),
    }
}
