//! Reading key files, and checking their permissions.

use std::fs::File;
use std::io::Read as _;
use std::path::Path;

use zeroize::Zeroizing;

use crate::keys::error::KeyError;

/// The `PAYTEND_DANGER_ANY_PERMISSIONS` environment variable. If it is `1` or `true`, files with secrets are accepted
/// with any permissions. Intended for secrets that a container platform mounts with a mode such as 0440 or 0444.
pub const DANGER_ANY_PERMISSIONS: &str = "PAYTEND_DANGER_ANY_PERMISSIONS";

/// The maximum size of a key file, in bytes.
const MAX_FILE: u64 = 64 * 1024;

/// The permissions that a file with a secret may have. They are checked only on Unix.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum FilePermissions {
    /// Access only for the file's owner, unless [`DANGER_ANY_PERMISSIONS`] is set.
    #[default]
    OwnerOnly,
    /// Access for anyone.
    DangerAny,
}

/// Reads a file of at most 64 KiB that contains a private key. The bytes are wiped on drop.
///
/// The file is opened and read once, so `/dev/stdin`, a shell's `<(…)` and a FIFO can be used as well. Like a regular
/// file, a FIFO is refused if other users have access to it, because these users could read the key before this process
/// does.
///
/// # Errors
/// - Returns [`KeyError::Permissions`] if users other than the owner have access to the file and `permissions` is
///   [`FilePermissions::OwnerOnly`].
/// - Returns [`KeyError::File`] if the file cannot be read.
/// - Returns [`KeyError::TooLong`] if the file is longer than 64 KiB.
pub fn read_secret_file(path: impl AsRef<Path>, permissions: FilePermissions) -> Result<Zeroizing<Vec<u8>>, KeyError> {
    let path = path.as_ref();
    read(path, |file| match permissions {
        FilePermissions::OwnerOnly => require_owner_only(path, file),
        FilePermissions::DangerAny => Ok(()),
    })
}

/// Checks that only the owner has access to an open file, or that [`DANGER_ANY_PERMISSIONS`] is set. `path` is used
/// only in the error.
///
/// # Errors
/// - Returns [`KeyError::Permissions`] if other users have access.
/// - Returns [`KeyError::File`] if the permissions cannot be read.
pub fn require_owner_only(path: &Path, file: &File) -> Result<(), KeyError> {
    // Checks the open file instead of the path, so that the file cannot be replaced between the check and the read.
    let mode = mode(file).map_err(|error| file_error(path, &error))?;
    if mode & 0o077 == 0 || accepts_any(std::env::var_os(DANGER_ANY_PERMISSIONS).as_deref()) {
        return Ok(());
    }
    Err(KeyError::Permissions { path: path.display().to_string(), mode })
}

/// Returns whether the variable's value disables the permission check.
fn accepts_any(value: Option<&std::ffi::OsStr>) -> bool {
    value.is_some_and(|value| value == "1" || value == "true")
}

/// Reads a file if `check` accepts it.
pub(crate) fn read(
    path: &Path,
    check: impl FnOnce(&File) -> Result<(), KeyError>,
) -> Result<Zeroizing<Vec<u8>>, KeyError> {
    let failed = |error: std::io::Error| file_error(path, &error);
    let file = File::open(path).map_err(failed)?;
    check(&file)?;
    // The buffer is allocated once, because growing it would leave copies of the key in freed memory.
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
    // A directory also has permissions, but cannot be read as a key file.
    if metadata.is_dir() {
        return Err(std::io::ErrorKind::IsADirectory.into());
    }
    Ok(metadata.permissions().mode() & 0o777)
}

/// Always returns 0600: other platforms have no mode bits, so the permission check always passes.
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
    fn only_1_and_true_allow_any_permissions() {
        for (value, accepted) in
            [("1", true), ("true", true), ("", false), ("0", false), ("false", false), ("no", false), ("TRUE ", false)]
        {
            assert_eq!(accepts_any(Some(value.as_ref())), accepted, "{value:?}");
        }
        assert!(!accepts_any(None));
    }
}
