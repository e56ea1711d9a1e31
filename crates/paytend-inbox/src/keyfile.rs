//! The file that contains a store's keys.

use std::fs::{File, OpenOptions};
use std::io::{ErrorKind, Write as _};
use std::path::Path;

use paytend_crypto::keys::{FilePermissions, read_secret_file};

use crate::error::{StoreError, StoreErrorKind};
use crate::keys::StoreKeys;

impl StoreKeys {
    /// Reads a key file. The file must be accessible only to its owner.
    ///
    /// # Errors
    /// Returns [`StoreError`] if the file cannot be read, if other users have access to it, or if it is invalid.
    pub fn load(path: impl AsRef<Path>) -> Result<Self, StoreError> {
        let bytes = read_secret_file(path.as_ref(), FilePermissions::OwnerOnly)
            .map_err(|error| StoreError::new(StoreErrorKind::Keys, error.to_string()))?;
        let text = std::str::from_utf8(&bytes)
            .map_err(|_| StoreError::new(StoreErrorKind::Keys, "invalid store key file: not UTF-8 text"))?;
        Self::parse(text)
    }

    /// Reads a key file. If the file does not exist, generates keys and creates the file, accessible only to its owner.
    /// The name of the file, and the content of a new file, are synced to disk before this method returns, so a power
    /// cut cannot remove the keys.
    ///
    /// # Errors
    /// Returns [`StoreError`] in the same cases as [`load`](Self::load), or if the file cannot be created.
    pub fn load_or_create(path: impl AsRef<Path>) -> Result<Self, StoreError> {
        let path = path.as_ref();
        let failed = |error: std::io::Error| {
            StoreError::new(StoreErrorKind::Keys, format!("cannot create {}: {error}", path.display()))
        };
        if path.try_exists().map_err(failed)? {
            let keys = Self::load(path)?;
            // The process that created the file may have ended before it synced the directory, so it is synced here.
            return match sync_directory(path) {
                Err(error) if !is_read_only(&error) => Err(failed(error)),
                _ => Ok(keys),
            };
        }
        let keys = Self::generate()?;
        // The keys are first written to a file with a different name, so that a crash does not leave an incomplete key
        // file.
        let mut partial = path.as_os_str().to_owned();
        partial.push(format!(".{:016x}.partial", getrandom::u64().unwrap_or_default()));
        let mut options = OpenOptions::new();
        options.write(true).create_new(true);
        #[cfg(unix)]
        std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
        let mut file = options.open(&partial).map_err(failed)?;
        let written = file.write_all(keys.to_text().as_bytes()).and_then(|()| file.sync_all());
        // The link cannot be created if another process has already created the file. Both processes then use the keys
        // in that file.
        let linked = written.and_then(|()| std::fs::hard_link(&partial, path));
        let _ = std::fs::remove_file(&partial);
        match linked {
            Err(error) if error.kind() != ErrorKind::AlreadyExists => Err(failed(error)),
            linked => {
                sync_directory(path).map_err(failed)?;
                if linked.is_ok() { Ok(keys) } else { Self::load(path) }
            }
        }
    }
}

/// Returns whether a directory cannot be synced because it is read-only for this process. A different user or program
/// then created the key file, and is responsible for syncing it.
fn is_read_only(error: &std::io::Error) -> bool {
    use ErrorKind::{InvalidInput, PermissionDenied, ReadOnlyFilesystem, Unsupported};
    matches!(error.kind(), InvalidInput | PermissionDenied | ReadOnlyFilesystem | Unsupported)
}

/// Syncs the directory that contains a file, so that a new file name survives a power cut.
fn sync_directory(path: &Path) -> std::io::Result<()> {
    let parent = path.parent().filter(|parent| !parent.as_os_str().is_empty()).unwrap_or(Path::new("."));
    if cfg!(unix) { File::open(parent)?.sync_all() } else { Ok(()) }
}
