//! The inputs of a command: files, and standard input. Each file is opened once, and only one option can read standard
//! input.

use std::fs::File;
use std::io::Read;
use std::path::Path;

use paytend_crypto::keys::{FilePermissions, require_owner_only};
use paytend_crypto::{KeyError, Passphrase};
use zeroize::Zeroizing;

use crate::exit::{Category, Failure};

/// The maximum size of a key file or passphrase file, in bytes.
const MAX_KEY: usize = 64 << 10;
/// The environment variable that contains the passphrase of private keys.
pub(crate) const PASSPHRASE_VARIABLE: &str = "PAYTEND_PASSPHRASE";

/// The inputs of a command: files, and standard input for at most one option.
#[derive(Default)]
pub(crate) struct Inputs {
    /// The name of the option that standard input is reserved for, or "the message".
    reserved_for: Option<&'static str>,
    /// Whether standard input has been read.
    stdin_read: bool,
    /// The passphrase of the private keys, once it has been read.
    passphrase: Option<Passphrase>,
}

/// The content of a file or of standard input.
pub(crate) struct Input {
    pub(crate) bytes: Zeroizing<Vec<u8>>,
    /// The name used in error messages.
    pub(crate) name: String,
    /// Whether users other than the owner have access. `None` if the input is a pipe or a terminal on standard input.
    pub(crate) open_to_others: Option<bool>,
}

impl Inputs {
    /// Creates the inputs of a command that reads a message from standard input.
    pub(crate) fn with_message() -> Self {
        Self { reserved_for: Some("the message"), stdin_read: true, passphrase: None }
    }

    /// Reserves standard input for an option whose path is `-`, before anything is read.
    ///
    /// # Errors
    /// Returns a usage error if standard input is already reserved.
    pub(crate) fn reserve(&mut self, path: Option<&Path>, option: &'static str) -> Result<(), Failure> {
        if path != Some(Path::new("-")) {
            return Ok(());
        }
        match self.reserved_for.replace(option) {
            None => Ok(()),
            Some(first) if first == option => Err(Failure::usage(format!(
                "standard input can be used for {option} only once: pass a file to each additional {option}"
            ))),
            Some(first) => Err(Failure::usage(format!(
                "standard input cannot be used for both {first} and {option}: pass a file to {option}"
            ))),
        }
    }

    /// Reads a file, or standard input for `-`, up to a limit in bytes. `option` is the option whose value is the path.
    pub(crate) fn read(
        &mut self,
        path: &Path,
        option: &'static str,
        limit: usize,
    ) -> Result<Zeroizing<Vec<u8>>, Failure> {
        if self.use_stdin(path, option)? {
            return stdin(limit);
        }
        let name = path.display().to_string();
        let file =
            File::open(path).map_err(|e| Failure::new(Category::Configuration, format!("cannot read {name}: {e}")))?;
        read_all(file, limit, &name)
    }

    /// Reads a key file or passphrase file, or standard input for `-`. Checks the permissions of the opened file.
    pub(crate) fn key(
        &mut self,
        path: &Path,
        option: &'static str,
        permissions: FilePermissions,
    ) -> Result<Input, Failure> {
        let standard = self.use_stdin(path, option)?;
        let name = if standard { format!("standard input ({option})") } else { path.display().to_string() };
        let file = if standard {
            redirected_file()?
        } else {
            Some(File::open(path).map_err(|e| KeyError::File { path: name.clone(), kind: e.kind() })?)
        };
        let open_to_others = match file.as_ref().map(|file| require_owner_only(Path::new(&name), file)) {
            Some(Err(KeyError::Permissions { .. })) if permissions == FilePermissions::DangerAny => Some(true),
            Some(Err(error)) => return Err(error.into()),
            Some(Ok(())) => Some(false),
            None => None,
        };
        let bytes = match file {
            Some(file) if !standard => read_all(file, MAX_KEY, &name)?,
            _ => stdin(MAX_KEY)?,
        };
        Ok(Input { bytes, name, open_to_others })
    }

    /// Reads the passphrase of private keys from a file or from the environment. The file is read once for all keys.
    pub(crate) fn passphrase(
        &mut self,
        file: Option<&Path>,
        permissions: FilePermissions,
    ) -> Result<Option<Passphrase>, Failure> {
        if self.passphrase.is_none() {
            self.passphrase = match file {
                Some(path) => {
                    let content = self.key(path, "--passphrase-file", permissions)?;
                    Some(Passphrase::from_content(&content.bytes))
                }
                None => passphrase_from_environment(),
            };
        }
        Ok(self.passphrase.clone())
    }

    /// Returns whether a path is `-`, and marks standard input as read in this case.
    fn use_stdin(&mut self, path: &Path, option: &'static str) -> Result<bool, Failure> {
        if path != Path::new("-") {
            return Ok(false);
        }
        if self.stdin_read || self.reserved_for != Some(option) {
            self.reserve(Some(path), option)?;
        }
        self.stdin_read = true;
        Ok(true)
    }
}

/// Returns the passphrase in `PAYTEND_PASSPHRASE`, if the variable is set.
pub(crate) fn passphrase_from_environment() -> Option<Passphrase> {
    let text = std::env::var_os(PASSPHRASE_VARIABLE).filter(|text| !text.is_empty());
    text.map(|text| Passphrase::new(text.into_encoded_bytes()))
}

/// Returns standard input if it is redirected from a file. Returns `None` for a pipe or a terminal, whose permissions
/// do not need to be checked.
#[cfg(unix)]
fn redirected_file() -> Result<Option<File>, Failure> {
    use std::os::fd::AsFd as _;
    let file = File::from(std::io::stdin().as_fd().try_clone_to_owned()?);
    Ok(if file.metadata()?.is_file() { Some(file) } else { None })
}

#[cfg(not(unix))]
fn redirected_file() -> Result<Option<File>, Failure> {
    Ok(None)
}

/// Reads standard input, up to a limit in bytes.
pub(crate) fn stdin(limit: usize) -> Result<Zeroizing<Vec<u8>>, Failure> {
    read_all(std::io::stdin().lock(), limit, "standard input")
}

/// Reads at most `max` bytes of standard input and ignores the rest.
pub(crate) fn start_of_stdin(max: usize) -> Result<Zeroizing<Vec<u8>>, Failure> {
    read_up_to(std::io::stdin().lock(), max, "standard input")
}

fn read_all(from: impl Read, limit: usize, name: &str) -> Result<Zeroizing<Vec<u8>>, Failure> {
    let bytes = read_up_to(from, limit + 1, name)?;
    if bytes.len() > limit { Err(Failure::usage(format!("{name} is longer than {limit} bytes"))) } else { Ok(bytes) }
}

fn read_up_to(from: impl Read, max: usize, name: &str) -> Result<Zeroizing<Vec<u8>>, Failure> {
    // The buffer has its full size from the start, because a growing vector would leave copies of the key in freed
    // memory.
    let mut bytes = Zeroizing::new(Vec::with_capacity(max.min(MAX_KEY + 1)));
    from.take(max as u64)
        .read_to_end(&mut bytes)
        .map_err(|e| Failure::new(Category::Configuration, format!("cannot read {name}: {e}")))?;
    Ok(bytes)
}
