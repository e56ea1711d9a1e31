//! Opens the file. Sets and verifies every setting that durability depends on.

use std::time::Duration;

use paytend_inbox::{StoreError, StoreErrorKind};
use rusqlite::{Connection, OpenFlags};

use crate::error::store_error;
use crate::options::{SqliteOptions, Synchronous};

/// The minimum SQLite version. Earlier versions have a bug in WAL mode that can lose data when the log is reset.
const MIN_VERSION: (i32, &str) = (3_051_003, "3.51.3");

/// The writer's page cache, in KiB.
///
/// In files below 1 GiB, a larger cache makes transactions slower: if a transaction has rearranged the pages of an
/// index, SQLite searches the whole cache at the commit. The operating system usually caches the pages that are not in
/// this cache.
const CACHE_KIB: usize = 8 << 10;

/// How long a connection waits for another process's lock.
pub(crate) const BUSY_TIMEOUT: Duration = Duration::from_secs(5);

/// Opens the writer's connection.
pub(crate) fn open_writer(options: &SqliteOptions) -> Result<Connection, StoreError> {
    check_version(rusqlite::version_number())?;
    if options.path.as_os_str().is_empty() || options.path.as_os_str() == ":memory:" {
        return Err(StoreError::new(StoreErrorKind::Configuration, "the store must be a file: specify its path"));
    }
    let mut flags = OpenFlags::SQLITE_OPEN_READ_WRITE | OpenFlags::SQLITE_OPEN_NO_MUTEX;
    if options.create {
        flags |= OpenFlags::SQLITE_OPEN_CREATE;
        create_private(options)?;
    }
    let connection = connect(options, flags)?;
    set(&connection, "journal_mode", "wal", "wal")?;
    sync(&connection, options)?;
    let cache = format!("-{CACHE_KIB}");
    set(&connection, "cache_size", &cache, &cache)?;
    // Automatic checkpoints are disabled, because the writer runs the checkpoints.
    set(&connection, "wal_autocheckpoint", "0", "0")?;
    set(&connection, "foreign_keys", "1", "1")?;
    // Erased values must not remain in the file's free space.
    set(&connection, "secure_delete", "1", "1")?;
    Ok(connection)
}

/// Opens a connection for reading.
pub(crate) fn open_reader(options: &SqliteOptions) -> Result<Connection, StoreError> {
    let connection = connect(options, OpenFlags::SQLITE_OPEN_READ_WRITE | OpenFlags::SQLITE_OPEN_NO_MUTEX)?;
    // A reader needs the same sync settings as the writer, because the connection that is closed last copies and
    // deletes the write-ahead log.
    sync(&connection, options)?;
    set(&connection, "query_only", "1", "1")?;
    Ok(connection)
}

/// Sets how commits and checkpoints of a connection are synced.
fn sync(connection: &Connection, options: &SqliteOptions) -> Result<(), StoreError> {
    let synchronous = match options.synchronous {
        Synchronous::Full => "2",
        Synchronous::Off => "0",
    };
    set(connection, "synchronous", synchronous, synchronous)?;
    if cfg!(target_os = "macos") {
        set(connection, "fullfsync", "1", "1")?;
        set(connection, "checkpoint_fullfsync", "1", "1")?;
    }
    Ok(())
}

/// Returns the settings on which durability depends.
pub(crate) fn settings(connection: &Connection) -> Result<Vec<(&'static str, String)>, rusqlite::Error> {
    let mut settings = vec![("engine", format!("SQLite {}", rusqlite::version()))];
    for name in ["journal_mode", "synchronous"] {
        settings.push((name, read(connection, name)?));
    }
    Ok(settings)
}

fn check_version(number: i32) -> Result<(), StoreError> {
    if number >= MIN_VERSION.0 {
        return Ok(());
    }
    Err(StoreError::new(
        StoreErrorKind::Configuration,
        format!("SQLite {} can lose data; use {} or newer", rusqlite::version(), MIN_VERSION.1),
    ))
}

/// Creates the file, accessible only to its owner, because it contains business IDs. SQLite creates its other files
/// with the same permissions. The permissions of an existing file are neither checked nor changed.
pub(crate) fn create_private(options: &SqliteOptions) -> Result<(), StoreError> {
    let mut file = std::fs::OpenOptions::new();
    file.write(true).create_new(true);
    #[cfg(unix)]
    std::os::unix::fs::OpenOptionsExt::mode(&mut file, 0o600);
    match file.open(&options.path) {
        Err(error) if error.kind() != std::io::ErrorKind::AlreadyExists => Err(StoreError::new(
            StoreErrorKind::Configuration,
            format!("cannot create {}: {error}", options.path.display()),
        )),
        _ => Ok(()),
    }
}

fn connect(options: &SqliteOptions, flags: OpenFlags) -> Result<Connection, StoreError> {
    let open = || {
        let connection = Connection::open_with_flags(&options.path, flags)?;
        connection.busy_timeout(BUSY_TIMEOUT)?;
        connection.set_prepared_statement_cache_capacity(64);
        Ok(connection)
    };
    open().map_err(|error| store_error(&format!("open {}", options.path.display()), error))
}

/// Changes a setting and checks the new value.
fn set(connection: &Connection, name: &str, value: &str, expected: &str) -> Result<(), StoreError> {
    let made = || {
        // `pragma_update` accepts settings that return a row, and settings that do not.
        connection.pragma_update(None, name, value)?;
        read(connection, name)
    };
    let actual = made().map_err(|error| store_error(&format!("set {name}"), error))?;
    if actual == expected {
        return Ok(());
    }
    Err(StoreError::new(
        StoreErrorKind::Configuration,
        format!("SQLite does not accept the setting {name} = {value}: the file system may not support it"),
    ))
}

fn read(connection: &Connection, name: &str) -> Result<String, rusqlite::Error> {
    connection.pragma_query_value(None, name, |row| {
        Ok(match row.get_ref(0)? {
            rusqlite::types::ValueRef::Integer(number) => number.to_string(),
            rusqlite::types::ValueRef::Text(text) => String::from_utf8_lossy(text).into_owned(),
            _ => String::new(),
        })
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The connection that is closed last copies the log to the file, and this can be a reader.
    #[test]
    fn readers_sync_like_the_writer() {
        let directory = tempfile::tempdir().unwrap();
        for (name, options) in
            [("a.db", SqliteOptions::new("")), ("b.db", SqliteOptions::new("").danger_without_sync())]
        {
            let options = SqliteOptions { path: directory.path().join(name), ..options };
            let (writer, reader) = (open_writer(&options).unwrap(), open_reader(&options).unwrap());
            for setting in ["synchronous", "fullfsync", "checkpoint_fullfsync"] {
                assert_eq!(read(&reader, setting).unwrap(), read(&writer, setting).unwrap(), "{setting}");
            }
        }
    }

    #[test]
    fn versions_with_known_data_loss_are_refused() {
        assert!(check_version(3_051_002).is_err());
        assert!(check_version(3_051_003).is_ok());
        assert!(check_version(rusqlite::version_number()).is_ok());
    }
}
