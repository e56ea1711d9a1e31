//! Creates backups while the store is in use.

use std::fs::File;
use std::path::{Path, PathBuf};

use paytend_inbox::{StoreError, StoreErrorKind};
use rusqlite::Connection;
use rusqlite::backup::{Backup, StepResult};

use crate::error::store_error;
use crate::options::SqliteOptions;
use crate::store::SqliteStore;

impl SqliteStore {
    /// Copies the store to a new file while the store is in use. The copy is a consistent snapshot. When this method
    /// returns `Ok`, the copy is complete and synced to disk. The key file is not copied.
    ///
    /// # Errors
    /// Returns [`StoreError`] if the file exists or cannot be written.
    pub async fn backup(&self, target: impl AsRef<Path>) -> Result<(), StoreError> {
        let (options, target) = (self.shared.options.clone(), target.as_ref().to_owned());
        let copying = tokio::task::spawn_blocking(move || copy(&options, &target));
        copying.await.unwrap_or_else(|_| Err(StoreError::unavailable("the backup did not complete")))
    }
}

fn copy(options: &SqliteOptions, target: &Path) -> Result<(), StoreError> {
    let shown = target.display();
    let failed = |error: std::io::Error| {
        StoreError::new(StoreErrorKind::Configuration, format!("cannot write {shown}: {error}"))
    };
    if target.try_exists().map_err(failed)? {
        return Err(StoreError::new(
            StoreErrorKind::Configuration,
            format!("{shown} already exists; choose a different file"),
        ));
    }
    // The copy is written to a temporary file, and gets its final name when it is complete.
    let partial = create_partial(target).map_err(failed)?;
    let result = copy_pages(options, &partial).and_then(|()| {
        File::open(&partial).and_then(|file| file.sync_all()).map_err(failed)?;
        // The link cannot be created if another process has already created the target.
        std::fs::hard_link(&partial, target).map_err(failed)?;
        let parent = target.parent().filter(|parent| !parent.as_os_str().is_empty()).unwrap_or(Path::new("."));
        if cfg!(unix) { File::open(parent).and_then(|directory| directory.sync_all()).map_err(failed) } else { Ok(()) }
    });
    let _ = std::fs::remove_file(&partial);
    result
}

/// Creates a temporary file next to the target, accessible only to its owner. After a crash, this file can remain on
/// the disk.
fn create_partial(target: &Path) -> std::io::Result<PathBuf> {
    let mut options = std::fs::OpenOptions::new();
    options.write(true).create_new(true);
    #[cfg(unix)]
    std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
    let mut number = 0;
    loop {
        let mut partial = target.as_os_str().to_owned();
        partial.push(format!(".{}-{number}.partial", std::process::id()));
        match options.open(&partial) {
            Err(error) if error.kind() == std::io::ErrorKind::AlreadyExists => number += 1,
            Err(error) => return Err(error),
            Ok(_) => return Ok(partial.into()),
        }
    }
}

fn copy_pages(options: &SqliteOptions, target: &Path) -> Result<(), StoreError> {
    let failed = |error| store_error("write the backup", error);
    let source = crate::engine::open_reader(options)?;
    let mut destination = Connection::open(target).map_err(failed)?;
    // The copy needs no journal, because an incomplete copy is discarded. A journal that an earlier copy left behind
    // must not be applied to the new copy.
    destination.pragma_update(None, "journal_mode", "off").map_err(failed)?;
    // All pages are copied in one step. With several steps, the copy would start again each time a notification is
    // stored.
    let backup = Backup::new(&source, &mut destination).map_err(failed)?;
    match backup.step(-1).map_err(failed)? {
        StepResult::Done => Ok(()),
        _ => Err(StoreError::unavailable("cannot write the backup: the file is locked by another process")),
    }
}
