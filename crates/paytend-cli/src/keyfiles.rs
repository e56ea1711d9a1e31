//! The options that name keys and sides, shared by the commands that need them.

use std::io::Read;
use std::path::{Path, PathBuf};

use clap::{Args, ValueEnum};
use paytend_crypto::keys::{FilePermissions, read_secret_file};
use paytend_crypto::{Keyring, Kind, PrivateKey, PublicKey};
use zeroize::Zeroizing;

use crate::exit::{Category, Failure};

/// Holds a private key's text, for machines that keep secrets in the environment.
const PRIVATE_KEY_VARIABLE: &str = "PAYTEND_PRIVATE_KEY";

#[derive(Args)]
pub(crate) struct KeyArgs {
    /// Our private key: PEM, DER or base64; nobody else may be able to read the file. Without it, the key's text is taken from
    /// the environment variable PAYTEND_PRIVATE_KEY
    #[arg(long, value_name = "FILE")]
    private_key: Option<PathBuf>,
    /// The other side's public key: PEM, DER or base64
    #[arg(long, value_name = "FILE")]
    public_key: PathBuf,
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
    pub(crate) fn keyring(&self) -> Result<Keyring, Failure> {
        let own = self.private()?;
        let peer = public(&self.public_key)?;
        Ok(Keyring::from_keys(&own, &peer)?)
    }

    fn private(&self) -> Result<PrivateKey, Failure> {
        let Some(path) = &self.private_key else {
            let text = private_from_environment().ok_or_else(|| {
                Failure::usage(format!(
                    "no private key: give --private-key FILE, or its text in {PRIVATE_KEY_VARIABLE}"
                ))
            })?;
            return PrivateKey::from_text(&text)
                .map_err(|e| Failure::new(Category::Configuration, format!("{PRIVATE_KEY_VARIABLE}: {e}")));
        };
        let loaded = read_secret_file(path, self.permissions.accepted()).and_then(|data| PrivateKey::from_bytes(&data));
        loaded.map_err(|e| Failure::new(Category::Configuration, named(path, &e)))
    }
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

/// Loads a public key's file.
pub(crate) fn public(path: &Path) -> Result<PublicKey, Failure> {
    PublicKey::from_file(path).map_err(|e| Failure::new(Category::Configuration, named(path, &e)))
}

/// The text of a private key that is in the environment.
pub(crate) fn private_from_environment() -> Option<Zeroizing<String>> {
    std::env::var(PRIVATE_KEY_VARIABLE).ok().map(Zeroizing::new)
}

/// The bytes of a private key's file, whose permissions are checked as when it is used.
pub(crate) fn private_bytes(path: &Path, permissions: &PermissionArgs) -> Result<Zeroizing<Vec<u8>>, Failure> {
    let failed = |error| Failure::new(Category::Configuration, named(path, &error));
    let bytes = read_secret_file(path, permissions.accepted()).map_err(failed)?;
    PrivateKey::from_bytes(&bytes).map_err(failed)?;
    Ok(bytes)
}

/// The bytes of a public key's file.
pub(crate) fn public_bytes(path: &Path) -> Result<Zeroizing<Vec<u8>>, Failure> {
    public(path)?;
    file_or_stdin(path, 64 << 10)
}

/// An error with the file's name before it, unless it holds the name already.
fn named(path: &Path, error: &paytend_crypto::KeyError) -> String {
    use paytend_crypto::KeyError;
    match error {
        KeyError::File { .. } | KeyError::Permissions { .. } => error.to_string(),
        _ => format!("{}: {error}", path.display()),
    }
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

/// Reads standard input, up to a limit in bytes.
pub(crate) fn stdin(limit: usize) -> Result<Zeroizing<Vec<u8>>, Failure> {
    read_all(std::io::stdin().lock(), limit, "standard input")
}

/// Reads so many bytes of standard input at most, and leaves the rest.
pub(crate) fn start_of_stdin(most: usize) -> Result<Zeroizing<Vec<u8>>, Failure> {
    read_up_to(std::io::stdin().lock(), most, "standard input")
}

/// Reads a file, or standard input for `-`, up to a limit in bytes.
pub(crate) fn file_or_stdin(path: &Path, limit: usize) -> Result<Zeroizing<Vec<u8>>, Failure> {
    if path == Path::new("-") {
        return stdin(limit);
    }
    let name = path.display().to_string();
    let file = std::fs::File::open(path)
        .map_err(|e| Failure::new(Category::Configuration, format!("cannot read {name}: {e}")))?;
    read_all(file, limit, &name)
}

fn read_all(from: impl Read, limit: usize, name: &str) -> Result<Zeroizing<Vec<u8>>, Failure> {
    let bytes = read_up_to(from, limit + 1, name)?;
    if bytes.len() > limit { Err(Failure::usage(format!("{name} is longer than {limit} bytes"))) } else { Ok(bytes) }
}

fn read_up_to(from: impl Read, most: usize, name: &str) -> Result<Zeroizing<Vec<u8>>, Failure> {
    let mut bytes = Zeroizing::new(Vec::new());
    from.take(most as u64)
        .read_to_end(&mut bytes)
        .map_err(|e| Failure::new(Category::Configuration, format!("cannot read {name}: {e}")))?;
    Ok(bytes)
}
