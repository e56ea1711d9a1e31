//! What a command reads: files, each opened once, and standard input for one of them.

use std::fs::File;
use std::io::Read;
use std::path::Path;

use paytend_crypto::keys::{FilePermissions, require_owner_only};
use paytend_crypto::{KeyError, Passphrase};
use zeroize::Zeroizing;

use crate::exit::{Category, Failure};

/// No file of a key or passphrase is longer than this, in bytes.
const MAX_KEY: usize = 64 << 10;

/// Hands out standard input to one reader alone.
#[derive(Default)]
pub(crate) struct Inputs {
    /// What standard input is for.
    standard: Option<&'static str>,
    /// Whether it was read.
    taken: bool,
    /// The passphrase, once it was read.
    passphrase: Option<Passphrase>,
}

/// The content of a file or of standard input.
pub(crate) struct Input {
    pub(crate) bytes: Zeroizing<Vec<u8>>,
    /// The name for messages.
    pub(crate) name: String,
    /// Whether others than the owner have access to it. Standard input has no owner unless it is a file.
    pub(crate) open_to_others: Option<bool>,
}

impl Inputs {
    /// Creates the inputs of a command that reads a message from standard input.
    pub(crate) fn with_message() -> Self {
        Self { standard: Some("the message"), taken: true, passphrase: None }
    }

    /// Sets aside standard input for the option whose path is `-`, before anything is read.
    ///
    /// # Errors
    /// Returns a wrong usage if standard input would be read for two things.
    pub(crate) fn claim(&mut self, path: Option<&Path>, option: &'static str) -> Result<(), Failure> {
        if path != Some(Path::new("-")) {
            return Ok(());
        }
        match self.standard.replace(option) {
            None => Ok(()),
            Some(first) if first == option => Err(Failure::usage(format!(
                "standard input cannot be read twice for {option}: give a file for one of them"
            ))),
            Some(first) => Err(Failure::usage(format!(
                "standard input cannot be both {first} and {option}: give a file for {option}"
            ))),
        }
    }

    /// Reads a file, or standard input for `-`, up to a limit in bytes. `option` names what the content is for.
    pub(crate) fn read(
        &mut self,
        path: &Path,
        option: &'static str,
        limit: usize,
    ) -> Result<Zeroizing<Vec<u8>>, Failure> {
        if self.takes(path, option)? {
            return stdin(limit);
        }
        let name = path.display().to_string();
        let file =
            File::open(path).map_err(|e| Failure::new(Category::Configuration, format!("cannot read {name}: {e}")))?;
        read_all(file, limit, &name)
    }

    /// Reads the file of a key or passphrase, or standard input for `-`. The permissions of the open file are checked.
    pub(crate) fn key(
        &mut self,
        path: &Path,
        option: &'static str,
        permissions: FilePermissions,
    ) -> Result<Input, Failure> {
        let standard = self.takes(path, option)?;
        let name = if standard { format!("standard input ({option})") } else { path.display().to_string() };
        let file = if standard {
            standard_file()?
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

    /// Reads the passphrase of private keys from a file, or from the environment. The file is read once for all keys.
    pub(crate) fn passphrase(
        &mut self,
        file: Option<&Path>,
        permissions: FilePermissions,
    ) -> Result<Option<Passphrase>, Failure> {
        const VARIABLE: &str = "PAYTEND_PASSPHRASE";
        if self.passphrase.is_none() {
            self.passphrase = match file {
                Some(path) => {
                    let content = self.key(path, "--passphrase-file", permissions)?;
                    Some(Passphrase::from_content(&content.bytes))
                }
                None => std::env::var_os(VARIABLE)
                    .filter(|text| !text.is_empty())
                    .map(|text| Passphrase::new(text.into_encoded_bytes())),
            };
        }
        Ok(self.passphrase.clone())
    }

    /// Returns whether a path is that of standard input, which is read by this option alone.
    fn takes(&mut self, path: &Path, option: &'static str) -> Result<bool, Failure> {
        if path != Path::new("-") {
            return Ok(false);
        }
        if self.taken || self.standard != Some(option) {
            self.claim(Some(path), option)?;
        }
        self.taken = true;
        Ok(true)
    }
}

/// Standard input, if it is a file. A pipe or a terminal has no permissions that matter.
#[cfg(unix)]
fn standard_file() -> Result<Option<File>, Failure> {
    use std::os::fd::AsFd as _;
    let file = File::from(std::io::stdin().as_fd().try_clone_to_owned()?);
    Ok(if file.metadata()?.is_file() { Some(file) } else { None })
}

#[cfg(not(unix))]
fn standard_file() -> Result<Option<File>, Failure> {
    Ok(None)
}

/// Reads standard input, up to a limit in bytes.
pub(crate) fn stdin(limit: usize) -> Result<Zeroizing<Vec<u8>>, Failure> {
    read_all(std::io::stdin().lock(), limit, "standard input")
}

/// Reads so many bytes of standard input at most, and leaves the rest.
pub(crate) fn start_of_stdin(most: usize) -> Result<Zeroizing<Vec<u8>>, Failure> {
    read_up_to(std::io::stdin().lock(), most, "standard input")
}

fn read_all(from: impl Read, limit: usize, name: &str) -> Result<Zeroizing<Vec<u8>>, Failure> {
    let bytes = read_up_to(from, limit + 1, name)?;
    if bytes.len() > limit { Err(Failure::usage(format!("{name} is longer than {limit} bytes"))) } else { Ok(bytes) }
}

fn read_up_to(from: impl Read, most: usize, name: &str) -> Result<Zeroizing<Vec<u8>>, Failure> {
    // Sized once for a key: growing would leave copies of it behind.
    let mut bytes = Zeroizing::new(Vec::with_capacity(most.min(MAX_KEY + 1)));
    from.take(most as u64)
        .read_to_end(&mut bytes)
        .map_err(|e| Failure::new(Category::Configuration, format!("cannot read {name}: {e}")))?;
    Ok(bytes)
}
