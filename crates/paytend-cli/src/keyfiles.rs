//! The options that name keys and sides, shared by the commands that need them.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use clap::{Args, ValueEnum};
use paytend_crypto::keys::FilePermissions;
use paytend_crypto::rsa::{RsaPrivate, RsaPublic};
use paytend_crypto::{KeyError, Keyring, Kind, Passphrase, PrivateKey, PublicKey, rustcrypto};
use zeroize::Zeroizing;

use crate::exit::{Category, Failure};
use crate::inputs::Inputs;

/// Holds a private key's text, for machines that keep secrets in the environment.
const PRIVATE_KEY_VARIABLE: &str = "PAYTEND_PRIVATE_KEY";

#[derive(Args)]
pub(crate) struct KeyArgs {
    /// Our private key: PEM, DER or base64; no one else may be able to read the file. `-` for standard input. Without
    /// it, the key's text is taken from the environment variable PAYTEND_PRIVATE_KEY
    #[arg(long, value_name = "FILE")]
    private_key: Option<PathBuf>,
    /// The other side's public key: PEM, DER, base64 or an X.509 certificate; `-` for standard input
    #[arg(long, value_name = "FILE")]
    public_key: PathBuf,
    #[command(flatten)]
    secrets: SecretArgs,
}

/// The options for the files of private keys, shared by all commands that read one.
#[derive(Args)]
pub(crate) struct SecretArgs {
    /// The passphrase of an encrypted private key, the whole file but for its last line end; `-` for standard input.
    /// Without it, the passphrase is taken from the environment variable PAYTEND_PASSPHRASE
    #[arg(long, value_name = "FILE")]
    passphrase_file: Option<PathBuf>,
    #[command(flatten)]
    permissions: PermissionArgs,
}

/// The option that accepts mounted secrets, shared by all commands that read a private key.
#[derive(Args)]
pub(crate) struct PermissionArgs {
    /// Accept files of private keys that others can read, such as secrets that a container platform mounts. The
    /// environment variable PAYTEND_DANGER_ANY_PERMISSIONS=1 does the same
    #[arg(long)]
    danger_any_permissions: bool,
}

impl PermissionArgs {
    pub(crate) fn accepted(&self) -> FilePermissions {
        if self.danger_any_permissions { FilePermissions::DangerAny } else { FilePermissions::OwnerOnly }
    }
}

impl KeyArgs {
    /// Sets aside standard input if one of the files is `-`.
    pub(crate) fn claim(&self, inputs: &mut Inputs) -> Result<(), Failure> {
        inputs.claim(self.private_key.as_deref(), "--private-key")?;
        inputs.claim(Some(&self.public_key), "--public-key")?;
        self.secrets.claim(inputs)
    }

    /// Reads both keys.
    pub(crate) fn keyring(&self, inputs: &mut Inputs) -> Result<Keyring, Failure> {
        let own = self.secrets.own(self.private_key.as_deref(), inputs)?;
        let peer = public(&self.public_key, "--public-key", inputs)?;
        Ok(Keyring::builder().own_key(own).peer_key(peer).build()?)
    }
}

impl SecretArgs {
    /// Sets aside standard input if the passphrase's file is `-`.
    pub(crate) fn claim(&self, inputs: &mut Inputs) -> Result<(), Failure> {
        inputs.claim(self.passphrase_file.as_deref(), "--passphrase-file")
    }

    /// Reads our private key from a file, or from the environment.
    fn own(&self, file: Option<&Path>, inputs: &mut Inputs) -> Result<Arc<dyn RsaPrivate>, Failure> {
        let missing = || {
            Failure::usage(format!("no private key: give --private-key FILE, or its text in {PRIVATE_KEY_VARIABLE}"))
        };
        let own = match file {
            Some(path) => self.private(path, "--private-key", inputs)?,
            None => self.in_environment(inputs)?.ok_or_else(missing)?,
        };
        Ok(own.own)
    }

    /// Reads a private key's file.
    pub(crate) fn private(&self, path: &Path, option: &'static str, inputs: &mut Inputs) -> Result<LoadedKey, Failure> {
        let input = inputs.key(path, option, self.permissions.accepted())?;
        self.loaded(input.bytes, &input.name, inputs)
    }

    /// Reads the private key that is in the environment, if there is one.
    pub(crate) fn in_environment(&self, inputs: &mut Inputs) -> Result<Option<LoadedKey>, Failure> {
        private_from_environment().map(|text| self.loaded(text, PRIVATE_KEY_VARIABLE, inputs)).transpose()
    }

    fn loaded(&self, bytes: Zeroizing<Vec<u8>>, name: &str, inputs: &mut Inputs) -> Result<LoadedKey, Failure> {
        let read = |passphrase: Option<&Passphrase>| PrivateKey::read(&bytes, passphrase);
        let (key, form) = match read(None) {
            // The passphrase is only read for a key that needs it.
            Err(KeyError::Encrypted(_)) => read(self.passphrase(inputs)?.as_ref()),
            read => read,
        }
        .map_err(|error| named(name, &error))?;
        // Only a backend can tell whether the numbers belong together.
        let own = rustcrypto::private(&key).map_err(|error| named(name, &error))?;
        let bytes = if form.encrypted { Zeroizing::new(key.to_pkcs8_pem()?.as_bytes().to_vec()) } else { bytes };
        Ok(LoadedKey { own, bytes })
    }

    /// Reads the passphrase of the private key, if one is given.
    pub(crate) fn passphrase(&self, inputs: &mut Inputs) -> Result<Option<Passphrase>, Failure> {
        inputs.passphrase(self.passphrase_file.as_deref(), self.permissions.accepted())
    }
}

/// A private key, and the bytes that it was read from, decrypted.
pub(crate) struct LoadedKey {
    pub(crate) own: Arc<dyn RsaPrivate>,
    pub(crate) bytes: Zeroizing<Vec<u8>>,
}

/// What both sealing and opening need to know.
#[derive(Args)]
pub(crate) struct MessageArgs {
    /// Who we are: a partner seals requests and opens the rest; Paytend seals responses and notifications and opens requests
    #[arg(long = "as", value_enum)]
    pub(crate) side: Side,
    /// The shape of the message
    #[arg(long, value_enum)]
    pub(crate) kind: KindArg,
    #[command(flatten)]
    pub(crate) keys: KeyArgs,
    /// The payload is not part of the signature, as in the upload endpoints of the IBAN product
    #[arg(long)]
    pub(crate) unsigned_payload: bool,
}

/// Reads a public key's file.
pub(crate) fn public(path: &Path, option: &'static str, inputs: &mut Inputs) -> Result<Arc<dyn RsaPublic>, Failure> {
    let input = inputs.key(path, option, FilePermissions::DangerAny)?;
    let loaded = PublicKey::from_bytes(&input.bytes).and_then(|key| rustcrypto::public(&key));
    loaded.map_err(|error| named(&input.name, &error))
}

/// The bytes of a public key's file.
pub(crate) fn public_bytes(
    path: &Path,
    option: &'static str,
    inputs: &mut Inputs,
) -> Result<Zeroizing<Vec<u8>>, Failure> {
    let input = inputs.key(path, option, FilePermissions::DangerAny)?;
    PublicKey::from_bytes(&input.bytes).map_err(|error| named(&input.name, &error))?;
    Ok(input.bytes)
}

/// The text of a private key that is in the environment.
pub(crate) fn private_from_environment() -> Option<Zeroizing<Vec<u8>>> {
    std::env::var_os(PRIVATE_KEY_VARIABLE).map(|text| Zeroizing::new(text.into_encoded_bytes()))
}

/// A key's failure with the name of its file or variable before it, unless it holds the name already.
pub(crate) fn named(name: &str, error: &KeyError) -> Failure {
    let message = match error {
        KeyError::File { .. } | KeyError::Permissions { .. } | KeyError::InFile { .. } => error.to_string(),
        KeyError::Encrypted(encryption) if encryption.readable => {
            format!("{name}: {error}; options: --passphrase-file FILE, or PAYTEND_PASSPHRASE in the environment")
        }
        _ => format!("{name}: {error}"),
    };
    Failure::new(Category::Configuration, message)
}

/// The two sides.
#[derive(Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum Side {
    /// The partner: sends requests, receives responses and notifications
    Partner,
    /// Paytend: receives requests, sends responses and notifications
    Paytend,
}

/// The three shapes of the envelope.
#[derive(Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum KindArg {
    /// bizData
    Request,
    /// respData
    Response,
    /// content
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

    /// The side that sends messages of this kind.
    pub(crate) fn sender(self) -> Side {
        if self == Self::Request { Side::Partner } else { Side::Paytend }
    }

    /// The side that receives messages of this kind.
    pub(crate) fn receiver(self) -> Side {
        if self == Self::Request { Side::Paytend } else { Side::Partner }
    }
}
