//! Options for keys and messages that several commands share.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use clap::{Args, ValueEnum};
use paytend_crypto::keys::FilePermissions;
use paytend_crypto::rsa::{Backend, RsaPrivate, RsaPublic};
use paytend_crypto::rustcrypto::RustCrypto;
use paytend_crypto::{Error, KeyError, Keyring, Kind, Passphrase, PrivateKey, PublicKey};
use zeroize::Zeroizing;

use crate::exit::{Category, Failure};
use crate::inputs::{Inputs, PASSPHRASE_VARIABLE, passphrase_from_environment};

/// The cryptographic backend of commands that handle one message and exit. AWS-LC is faster for each key operation, but
/// needs about 30 ms to collect entropy at startup.
pub(crate) const BACKEND: &dyn Backend = &RustCrypto;

/// The environment variable that can contain the private key.
const PRIVATE_KEY_VARIABLE: &str = "PAYTEND_PRIVATE_KEY";

#[derive(Args)]
pub(crate) struct KeyArgs {
    /// Your private key: PEM, DER or base64; `-` for standard input. Only the owner may have access to the file.
    /// Without this option, the key is read from the PAYTEND_PRIVATE_KEY environment variable
    #[arg(long, value_name = "FILE")]
    private_key: Option<PathBuf>,
    /// The other side's public key: PEM, DER, base64 or an X.509 certificate; `-` for standard input
    #[arg(long, value_name = "FILE")]
    public_key: PathBuf,
    #[command(flatten)]
    secrets: SecretArgs,
}

/// Options for private key files, shared by all commands that read a private key.
#[derive(Args)]
pub(crate) struct SecretArgs {
    /// File with the passphrase of an encrypted private key; `-` for standard input. A newline at the end of the file
    /// is ignored. The default is the value of the PAYTEND_PASSPHRASE environment variable
    #[arg(long, value_name = "FILE")]
    passphrase_file: Option<PathBuf>,
    #[command(flatten)]
    permissions: PermissionArgs,
}

/// The option that skips the permission check, shared by all commands that read a private key.
#[derive(Args)]
pub(crate) struct PermissionArgs {
    /// Accept private key files that other users can read, such as secrets mounted by a container platform. Setting the
    /// PAYTEND_DANGER_ANY_PERMISSIONS environment variable to 1 has the same effect
    #[arg(long)]
    danger_any_permissions: bool,
}

impl PermissionArgs {
    pub(crate) fn is_given(&self) -> bool {
        self.danger_any_permissions
    }

    pub(crate) fn file_permissions(&self) -> FilePermissions {
        if self.danger_any_permissions { FilePermissions::DangerAny } else { FilePermissions::OwnerOnly }
    }
}

impl KeyArgs {
    /// Reserves standard input if one of the files is `-`.
    pub(crate) fn reserve(&self, inputs: &mut Inputs) -> Result<(), Failure> {
        inputs.reserve(self.private_key.as_deref(), "--private-key")?;
        inputs.reserve(Some(&self.public_key), "--public-key")?;
        self.secrets.reserve(inputs)
    }

    /// Creates a keyring from the private key and the other side's public key.
    pub(crate) fn keyring(&self, inputs: &mut Inputs) -> Result<Keyring, Failure> {
        let own = self.secrets.own_key(self.private_key.as_deref(), inputs)?;
        let peer = public(&self.public_key, "--public-key", inputs)?;
        Ok(Keyring::builder().own_key(own).peer_key(peer).build()?)
    }
}

impl SecretArgs {
    /// Reserves standard input if the passphrase file is `-`.
    pub(crate) fn reserve(&self, inputs: &mut Inputs) -> Result<(), Failure> {
        inputs.reserve(self.passphrase_file.as_deref(), "--passphrase-file")
    }

    /// Reads the private key from a file, or from the environment if no file is specified.
    fn own_key(&self, file: Option<&Path>, inputs: &mut Inputs) -> Result<Arc<dyn RsaPrivate>, Failure> {
        let missing = || {
            Failure::usage(format!("no private key: pass --private-key FILE, or set {PRIVATE_KEY_VARIABLE} to the key"))
        };
        let loaded = match file {
            Some(path) => self.private(path, "--private-key", inputs)?,
            None => self.in_environment(inputs)?.ok_or_else(missing)?,
        };
        Ok(loaded.key)
    }

    /// Reads a private key file.
    pub(crate) fn private(&self, path: &Path, option: &'static str, inputs: &mut Inputs) -> Result<LoadedKey, Failure> {
        let input = inputs.key(path, option, self.permissions.file_permissions())?;
        self.load(input.bytes, &input.name, inputs)
    }

    /// Reads the private key from the environment, if the variable is set.
    pub(crate) fn in_environment(&self, inputs: &mut Inputs) -> Result<Option<LoadedKey>, Failure> {
        private_from_environment().map(|text| self.load(text, PRIVATE_KEY_VARIABLE, inputs)).transpose()
    }

    fn load(&self, bytes: Zeroizing<Vec<u8>>, name: &str, inputs: &mut Inputs) -> Result<LoadedKey, Failure> {
        let read = |passphrase: Option<&Passphrase>| PrivateKey::read(&bytes, passphrase);
        let (key, form) = match read(None) {
            // The passphrase is read only if the key is encrypted.
            Err(KeyError::Encrypted(_)) => read(self.passphrase(inputs)?.as_ref()),
            read => read,
        }
        .map_err(|error| key_failure(name, &error))?;
        // The backend refuses a key whose numbers do not match each other.
        let loaded = BACKEND.private(&key).map_err(|error| backend_failure(name, error))?;
        let bytes = if form.encrypted { Zeroizing::new(key.to_pkcs8_pem()?.as_bytes().to_vec()) } else { bytes };
        Ok(LoadedKey { key: loaded, bytes })
    }

    /// Reads the private key's passphrase if one is specified.
    pub(crate) fn passphrase(&self, inputs: &mut Inputs) -> Result<Option<Passphrase>, Failure> {
        inputs.passphrase(self.passphrase_file.as_deref(), self.permissions.file_permissions())
    }
}

/// A private key in the backend, and the decrypted bytes that it was loaded from.
pub(crate) struct LoadedKey {
    pub(crate) key: Arc<dyn RsaPrivate>,
    pub(crate) bytes: Zeroizing<Vec<u8>>,
}

/// Options that `seal` and `open` share.
#[derive(Args)]
pub(crate) struct MessageArgs {
    /// Your side. A partner seals requests and opens responses and notifications; Paytend seals responses and
    /// notifications and opens requests
    #[arg(long = "as", value_enum)]
    pub(crate) side: Side,
    /// The kind of message
    #[arg(long, value_enum)]
    pub(crate) kind: KindArg,
    #[command(flatten)]
    pub(crate) keys: KeyArgs,
    /// Exclude the payload from the signature, as on the upload endpoints of the IBAN product
    #[arg(long)]
    pub(crate) unsigned_payload: bool,
}

/// Reads a public key file.
pub(crate) fn public(path: &Path, option: &'static str, inputs: &mut Inputs) -> Result<Arc<dyn RsaPublic>, Failure> {
    let input = inputs.key(path, option, FilePermissions::DangerAny)?;
    let key = PublicKey::from_bytes(&input.bytes).map_err(|error| key_failure(&input.name, &error))?;
    BACKEND.public(&key).map_err(|error| backend_failure(&input.name, error))
}

/// Reads a public key file, checks that it contains a public key, and returns its bytes.
pub(crate) fn public_bytes(
    path: &Path,
    option: &'static str,
    inputs: &mut Inputs,
) -> Result<Zeroizing<Vec<u8>>, Failure> {
    let input = inputs.key(path, option, FilePermissions::DangerAny)?;
    PublicKey::from_bytes(&input.bytes).map_err(|error| key_failure(&input.name, &error))?;
    Ok(input.bytes)
}

/// Reads a private key file of a key directory. The passphrase of an encrypted key is read from `PAYTEND_PASSPHRASE`.
pub(crate) fn private_in_directory(path: &Path, permissions: FilePermissions) -> Result<PrivateKey, Failure> {
    let name = path.display().to_string();
    PrivateKey::read_file(path, permissions, passphrase_from_environment().as_ref()).map_err(|error| {
        match error.problem() {
            KeyError::Encrypted(encryption) if encryption.readable => {
                Failure::new(Category::Configuration, format!("{error}; set {PASSPHRASE_VARIABLE}"))
            }
            _ => key_failure(&name, &error),
        }
    })
}

/// Returns the private key in `PAYTEND_PRIVATE_KEY`, if the variable is set.
pub(crate) fn private_from_environment() -> Option<Zeroizing<Vec<u8>>> {
    std::env::var_os(PRIVATE_KEY_VARIABLE).map(|text| Zeroizing::new(text.into_encoded_bytes()))
}

/// Converts a key error to a failure, and adds the name of the file or variable unless the error already contains the
/// name.
pub(crate) fn key_failure(name: &str, error: &KeyError) -> Failure {
    let message = match error {
        KeyError::File { .. } | KeyError::Permissions { .. } | KeyError::InFile { .. } => error.to_string(),
        KeyError::Encrypted(encryption) if encryption.readable => {
            format!("{name}: {error}; pass --passphrase-file FILE, or set PAYTEND_PASSPHRASE")
        }
        _ => format!("{name}: {error}"),
    };
    Failure::new(Category::Configuration, message)
}

/// Creates a failure for a key that the backend cannot load.
pub(crate) fn backend_failure(name: &str, error: Error) -> Failure {
    match error {
        Error::Key(error) => key_failure(name, &error),
        error => error.into(),
    }
}

/// The side that a command acts as.
#[derive(Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum Side {
    /// The partner: sends requests, receives responses and notifications
    Partner,
    /// Paytend: receives requests, sends responses and notifications
    Paytend,
}

/// The kind of message.
#[derive(Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum KindArg {
    /// A request, with the payload in `bizData`
    Request,
    /// A response, with the payload in `respData`
    Response,
    /// A notification, with the payload in `content`
    Notification,
}

impl KindArg {
    pub(crate) fn kind(self) -> Kind {
        match self {
            Self::Request => Kind::Request,
            Self::Response => Kind::Response,
            Self::Notification => Kind::Notification,
        }
    }

    /// Returns the side that sends messages of this kind.
    pub(crate) fn sender(self) -> Side {
        if self == Self::Request { Side::Partner } else { Side::Paytend }
    }

    /// Returns the side that receives messages of this kind.
    pub(crate) fn receiver(self) -> Side {
        if self == Self::Request { Side::Paytend } else { Side::Partner }
    }
}
