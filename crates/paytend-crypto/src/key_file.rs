//! Files that hold keys, and who has access to them.

use std::fs::File;
use std::io::Read as _;
use std::path::Path;

use zeroize::Zeroizing;

use crate::KeyError;

/// The environment variable that, set to `1` or `true`, makes every file of a secret be accepted whoever has access to
/// it: `PAYTEND_DANGER_ANY_PERMISSIONS`. For secrets that a container platform mounts with a mode such as 0440 or 0444.
pub const DANGER_ANY_PERMISSIONS: &str = "PAYTEND_DANGER_ANY_PERMISSIONS";

/// No key file is longer than this, in bytes.
const MAX_FILE: u64 = 64 * 1024;

/// Which permissions a file of a secret may have. They are checked on Unix alone.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum FilePermissions {
    /// Access for the file's owner alone, unless [`DANGER_ANY_PERMISSIONS`] is set.
    #[default]
    OwnerOnly,
    /// Access for anyone.
    DangerAny,
}

/// Reads a file that holds a private key, of 64 KiB at most. The bytes are wiped on drop.
///
/// The file is opened and read once, so a pipe will do as well: `/dev/stdin`, a shell's `<(…)`, or a FIFO. A FIFO is
/// refused like a file if others have access to it, because they could read the key from it in the place of this
/// process.
///
/// # Errors
/// - [`KeyError::Permissions`] if others than the owner have access to the file, and `permissions` asks for the owner
///   alone.
/// - [`KeyError::File`] if the file cannot be read.
/// - [`KeyError::TooLong`] if the file is longer.
pub fn read_secret_file(path: impl AsRef<Path>, permissions: FilePermissions) -> Result<Zeroizing<Vec<u8>>, KeyError> {
    let path = path.as_ref();
    read(path, |file| match permissions {
        FilePermissions::OwnerOnly => require_owner_only(path, file),
        FilePermissions::DangerAny => Ok(()),
    })
}

/// Checks that only its owner has access to an open file, or that [`DANGER_ANY_PERMISSIONS`] is set. `path` is for the
/// error.
///
/// # Errors
/// - [`KeyError::Permissions`] if others have access.
/// - [`KeyError::File`] if the permissions cannot be read.
pub fn require_owner_only(path: &Path, file: &File) -> Result<(), KeyError> {
    // The open file is asked, not the path, so that it cannot be swapped in between.
    let mode = mode(file).map_err(|error| file_error(path, &error))?;
    if mode & 0o077 == 0 || accepts_any(std::env::var_os(DANGER_ANY_PERMISSIONS).as_deref()) {
        return Ok(());
    }
    Err(KeyError::Permissions { path: path.display().to_string(), mode })
}

/// Returns whether the variable's value accepts any permissions.
fn accepts_any(value: Option<&std::ffi::OsStr>) -> bool {
    value.is_some_and(|value| value == "1" || value == "true")
}

/// Reads a file after a check.
pub(crate) fn read(
    path: &Path,
    check: impl FnOnce(&File) -> Result<(), KeyError>,
) -> Result<Zeroizing<Vec<u8>>, KeyError> {
    let failed = |error: std::io::Error| file_error(path, &error);
    let file = File::open(path).map_err(failed)?;
    check(&file)?;
    // Sized once: growing would leave copies of the key in freed memory.
    let mut data = Zeroizing::new(Vec::with_capacity(usize::try_from(MAX_FILE).unwrap_or(0) + 1));
    file.take(MAX_FILE + 1).read_to_end(&mut data).map_err(failed)?;
    if data.len() as u64 > MAX_FILE {
        return Err(KeyError::TooLong { limit: MAX_FILE }.in_file(path));
    }
    Ok(data)
}

#[cfg(unix)]
fn mode(file: &File) -> std::io::Result<u32> {
    use std::os::unix::fs::PermissionsExt as _;
    let metadata = file.metadata()?;
    // A folder has permissions as well, and no key.
    if metadata.is_dir() {
        return Err(std::io::ErrorKind::IsADirectory.into());
    }
    Ok(metadata.permissions().mode() & 0o777)
}

/// Where there are no such permissions, the owner alone has access.
#[cfg(not(unix))]
fn mode(_: &File) -> std::io::Result<u32> {
    Ok(0o600)
}

fn file_error(path: &Path, error: &std::io::Error) -> KeyError {
    KeyError::File { path: path.display().to_string(), kind: error.kind() }
}

#[cfg(test)]
mod tests {
    use super::accepts_any;

    #[test]
    fn only_1_and_true_accept_any_permissions() {
        for (value, accepted) in
            [("1", true), ("true", true), ("", false), ("0", false), ("false", false), ("no", false), ("TRUE ", false)]
        {
            assert_eq!(accepts_any(Some(value.as_ref())), accepted, "{value:?}");
        }
        assert!(!accepts_any(None));
    }
}
