//! What has happened, on disk: each event before it has an effect, so a crash leaves it done or not done, and never half.

use std::path::Path;

use rusqlite::{Connection, OptionalExtension as _, params};

use crate::world::{Event, World};

/// The form of what is stored; another one is refused.
const FORM: i64 = 1;
/// After so many events the world is written once, so that starting stays short.
const SNAPSHOT_EVERY: usize = 2000;

/// Why a file cannot be used.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum StoreError {
    /// SQLite's complaint.
    #[error("the data file cannot be used")]
    Sqlite(#[from] rusqlite::Error),
    /// Something in it is not of this version's form.
    #[error("the data file is of another version, or damaged")]
    Form(#[from] serde_json::Error),
    /// The world in it would never come to rest, or cannot be counted on.
    #[error(
        "the data file holds a world that cannot be run: {0}; start with another file, and import a sound export into it"
    )]
    Flaw(&'static str),
    /// Another sandbox has it.
    #[error("the data file is in use by another sandbox")]
    InUse,
    /// It cannot be made.
    #[error("the data file cannot be made")]
    Make(#[source] std::io::Error),
    /// It is of another version.
    #[error("the data file is of form {found}, and this version reads {FORM}")]
    Version {
        /// What the file says.
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

/// What is new is for this user's eyes alone; what SQLite puts beside it takes that over.
fn private(path: &Path) -> Result<(), StoreError> {
    let mut options = std::fs::OpenOptions::new();
    options.append(true).create(true);
    #[cfg(unix)]
    std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
    options.open(path).map(drop).map_err(StoreError::Make)
}

/// Reads a world, before anything happens in it.
fn sound(text: &str) -> Result<World, StoreError> {
    let world: World = serde_json::from_str(text)?;
    world.flaw().map_or(Ok(world), |flaw| Err(StoreError::Flaw(flaw)))
}

/// A file of events.
#[derive(Debug)]
pub(crate) struct Store {
    connection: Connection,
    since_snapshot: usize,
}

impl Store {
    /// Opens a file, or makes it; the world as it was, if it was.
    pub(crate) fn open(path: &Path) -> Result<(Self, Option<World>), StoreError> {
        private(path)?;
        let connection = Connection::open(path)?;
        // A process that has just been killed may still hold it for a moment.
        connection.busy_timeout(std::time::Duration::from_secs(2))?;
        // Two that write would each believe in a world of its own.
        connection.pragma_update(None, "locking_mode", "EXCLUSIVE")?;
        // What is committed is with the system when the answer goes out: it outlives this process, however that ends.
        connection.pragma_update(None, "journal_mode", "WAL").map_err(in_use)?;
        connection.pragma_update(None, "synchronous", "NORMAL")?;
        connection.execute_batch("BEGIN EXCLUSIVE; COMMIT;").map_err(in_use)?;
        connection.execute_batch(
            "CREATE TABLE IF NOT EXISTS snapshot (id INTEGER PRIMARY KEY CHECK (id = 1), last INTEGER NOT NULL, world TEXT NOT NULL);
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
                        // It was refused before as it is now.
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

    /// Writes the whole world instead of the events that made it, if these are many.
    pub(crate) fn tidy(&mut self, world: &World) -> Result<(), StoreError> {
        if self.since_snapshot < SNAPSHOT_EVERY {
            return Ok(());
        }
        let text = serde_json::to_string(world)?;
        let transaction = self.connection.transaction()?;
        transaction.execute(
            "INSERT OR REPLACE INTO snapshot (id, last, world) VALUES (1, (SELECT coalesce(max(id), 0) FROM event), ?1)",
            params![text],
        )?;
        transaction.execute("DELETE FROM event WHERE id < (SELECT last FROM snapshot)", [])?;
        transaction.commit()?;
        self.since_snapshot = 0;
        Ok(())
    }
}
