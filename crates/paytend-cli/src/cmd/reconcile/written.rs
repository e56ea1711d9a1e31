//! Writes the file that contains the report.

use std::fs::{File, OpenOptions};
use std::io::{self, BufWriter, Write as _};
use std::path::Path;

use tempfile::NamedTempFile;

/// Writes a file that only its owner can access. An existing file is replaced once the new file is complete, whatever
/// its permissions were. A device or a pipe is written to directly.
pub(super) fn replace_private(
    path: &Path,
    write: impl FnOnce(&mut BufWriter<&File>) -> io::Result<()>,
) -> io::Result<()> {
    let written = |file: &File| {
        let mut page = BufWriter::new(file);
        write(&mut page)?;
        page.flush()
    };
    // Resolves symbolic links, so that the file is replaced and not the link.
    let path = match path.canonicalize() {
        Ok(existing) if existing.metadata()?.is_file() => existing,
        Ok(other) => return written(&OpenOptions::new().write(true).open(other)?),
        Err(_) => path.to_owned(),
    };
    let folder = path.parent().filter(|folder| !folder.as_os_str().is_empty()).unwrap_or(Path::new("."));
    // `NamedTempFile` creates a file that only its owner can access.
    let draft = NamedTempFile::new_in(folder)?;
    written(draft.as_file())?;
    draft.persist(path).map(drop).map_err(|error| error.error)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn replace(path: &Path, text: &str) -> io::Result<()> {
        replace_private(path, |page| page.write_all(text.as_bytes()))
    }

    #[test]
    fn file_is_replaced_when_it_is_complete() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("report.html");
        for text in ["first", "second"] {
            replace(&path, text).unwrap();
            assert_eq!(std::fs::read_to_string(&path).unwrap(), text);
        }
        let failed = replace_private(&path, |page| {
            page.write_all(b"third")?;
            Err(io::Error::other("no"))
        });
        assert!(failed.is_err());
        assert_eq!(std::fs::read_to_string(&path).unwrap(), "second");
        assert_eq!(std::fs::read_dir(folder.path()).unwrap().count(), 1);
        assert!(replace(&folder.path().join("absent/report.html"), "x").is_err());
        assert!(replace(folder.path(), "x").is_err(), "a directory");
    }

    #[cfg(unix)]
    #[test]
    fn other_users_cannot_access_the_file_even_if_it_existed() {
        use std::os::unix::fs::{PermissionsExt as _, symlink};
        let folder = tempfile::tempdir().unwrap();
        let (path, link) = (folder.path().join("report.html"), folder.path().join("link.html"));
        std::fs::write(&path, "old").unwrap();
        std::fs::set_permissions(&path, std::fs::Permissions::from_mode(0o644)).unwrap();
        symlink(&path, &link).unwrap();
        replace(&link, "new").unwrap();
        assert_eq!(std::fs::read_to_string(&path).unwrap(), "new");
        assert_eq!(std::fs::metadata(&path).unwrap().permissions().mode() & 0o777, 0o600);
        assert!(std::fs::symlink_metadata(&link).unwrap().is_symlink());
        replace(Path::new("/dev/null"), "x").unwrap();
        assert!(Path::new("/dev/null").exists());
    }
}
