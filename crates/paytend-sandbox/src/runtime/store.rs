//! The data file. Each event is written before it is applied. After a crash, each event has therefore been applied
//! either in full or not at all.

use std::path::Path;

use rusqlite::{Connection, OptionalExtension as _, params};

use crate::world::{Event, World};

/// The version of the file format. Files with a different version are refused.
const FORM: i64 = 1;
/// The number of events after which a snapshot of the state is written. A snapshot limits how many events must be
/// applied at the next start.
const SNAPSHOT_EVERY: usize = 2000;

/// The error returned if a data file cannot be used.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum StoreError {
    /// SQLite returned an error.
    #[error("cannot use the data file")]
    Sqlite(#[from] rusqlite::Error),
    /// The file's content cannot be parsed.
    #[error("the data file is damaged or was written by a different version; use a new file")]
    Form(#[from] serde_json::Error),
    /// The stored state is inconsistent and could cause an endless loop or a counter overflow.
    #[error("the data file contains an invalid state: {0}; use a new file and import a valid export")]
    Flaw(&'static str),
    /// The file is in use by another sandbox.
    #[error("the data file is in use by another sandbox; stop that sandbox or use a different file")]
    InUse,
    /// The file cannot be created.
    #[error("cannot create the data file")]
    Make(#[source] std::io::Error),
    /// The file has a different format version.
    #[error("the data file has format version {found}; this sandbox reads only version {FORM}; use a new file")]
    Version {
        /// The file's version.
        found: i64,
    },
}

fn in_use(error: rusqlite::Error) -> StoreError {
    match error {
        rusqlite::Error::SqliteFailure(failure, _) if failure.code == rusqlite::ErrorCode::DatabaseBusy => {
            StoreError::InUse
        }
        error => StoreError::Sqlite(error),
    }
}

/// Creates the file if it does not exist, accessible only to the current user. SQLite creates its other files with the
/// same permissions.
fn private(path: &Path) -> Result<(), StoreError> {
    let mut options = std::fs::OpenOptions::new();
    options.append(true).create(true);
    #[cfg(unix)]
    std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
    options.open(path).map(drop).map_err(StoreError::Make)
}

/// Reads a state and checks it before any event is applied.
fn sound(text: &str) -> Result<World, StoreError> {
    let world: World = serde_json::from_str(text)?;
    world.flaw().map_or(Ok(world), |flaw| Err(StoreError::Flaw(flaw)))
}

/// An open data file with the stored events.
#[derive(Debug)]
pub(crate) struct Store {
    connection: Connection,
    since_snapshot: usize,
}

impl Store {
    /// Opens or creates a file, and returns the state that the file contains, if any.
    pub(crate) fn open(path: &Path) -> Result<(Self, Option<World>), StoreError> {
        private(path)?;
        let connection = Connection::open(path)?;
        // Wait for the lock, because a process that was just killed may still hold it for a moment.
        connection.busy_timeout(std::time::Duration::from_secs(2))?;
        // Lock the file, because two sandboxes that write to it would each keep a different state.
        connection.pragma_update(None, "locking_mode", "EXCLUSIVE")?;
        // With these settings, a commit passes the data to the operating system, so the data survives a crash of this
        // process.
        connection.pragma_update(None, "journal_mode", "WAL").map_err(in_use)?;
        connection.pragma_update(None, "synchronous", "NORMAL")?;
        connection.execute_batch("BEGIN EXCLUSIVE; COMMIT;").map_err(in_use)?;
        connection.execute_batch(
            "CREATE TABLE IF NOT EXISTS snapshot
                 (id INTEGER PRIMARY KEY CHECK (id = 1), last INTEGER NOT NULL, world TEXT NOT NULL);
             CREATE TABLE IF NOT EXISTS event (id INTEGER PRIMARY KEY, event TEXT NOT NULL);",
        )?;
        let found: i64 = connection.pragma_query_value(None, "user_version", |row| row.get(0))?;
        match found {
            0 => connection.pragma_update(None, "user_version", FORM)?,
            FORM => {}
            found => return Err(StoreError::Version { found }),
        }
        let mut world = None;
        let mut last = 0i64;
        let read = |row: &rusqlite::Row<'_>| Ok((row.get::<_, i64>(0)?, row.get::<_, String>(1)?));
        let snapshot = connection.query_row("SELECT last, world FROM snapshot", [], read).optional()?;
        if let Some((at, text)) = snapshot {
            (world, last) = (Some(sound(&text)?), at);
        }
        let mut since_snapshot = 0;
        {
            let mut events = connection.prepare("SELECT id, event FROM event WHERE id > ?1 ORDER BY id")?;
            for row in events.query_map(params![last], read)? {
                let event: Event = serde_json::from_str(&row?.1)?;
                since_snapshot += 1;
                match (&mut world, event) {
                    (None, Event::Begin { at, partners, settings }) => {
                        world = Some(World::new(at, &partners, settings));
                    }
                    (Some(world), Event::Imported { at, world: text }) => {
                        sound(&text)?;
                        let _ = world.apply(Event::Imported { at, world: text });
                    }
                    (Some(world), event) => {
                        // Refusals are ignored, because the file also contains events that were refused when they were
                        // written.
                        let _ = world.apply(event);
                    }
                    (None, _) => {}
                }
            }
        }
        Ok((Self { connection, since_snapshot }, world))
    }

    /// Writes an event.
    pub(crate) fn append(&mut self, event: &Event) -> Result<(), StoreError> {
        let text = serde_json::to_string(event)?;
        self.connection.prepare_cached("INSERT INTO event (event) VALUES (?1)")?.execute(params![text])?;
        self.since_snapshot += 1;
        Ok(())
    }

    /// Replaces the stored events with a snapshot of the state if there are many events.
    pub(crate) fn tidy(&mut self, world: &World) -> Result<(), StoreError> {
        if self.since_snapshot < SNAPSHOT_EVERY {
            return Ok(());
        }
        let text = serde_json::to_string(world)?;
        let transaction = self.connection.transaction()?;
        transaction.execute(
            "INSERT OR REPLACE INTO snapshot (id, last, world)
             VALUES (1, (SELECT coalesce(max(id), 0) FROM event), ?1)",
            params![text],
        )?;
        transaction.execute("DELETE FROM event WHERE id < (SELECT last FROM snapshot)", [])?;
        transaction.commit()?;
        self.since_snapshot = 0;
        Ok(())
    }
}
