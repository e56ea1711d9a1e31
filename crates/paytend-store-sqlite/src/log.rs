//! Copies the write-ahead log to the file.

use std::time::{Duration, Instant};

use paytend_inbox::StoreError;
use rusqlite::Connection;

use crate::engine::BUSY_TIMEOUT;
use crate::error::store_error;

/// The pause before the log is copied again, while a different connection copies it.
const PAUSE: Duration = Duration::from_millis(20);

/// How much of the write-ahead log was copied.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Copied {
    All,
    /// Everything up to the state that the oldest active reader sees.
    UpToReader,
    /// A different connection copies the log, or a reader prevents emptying it.
    Busy,
}

/// Copies the write-ahead log to the file.
pub(crate) fn copy_log(connection: &Connection, mode: &str) -> Result<Copied, rusqlite::Error> {
    let (busy, pages, copied): (i64, i64, i64) =
        connection.query_row(&format!("PRAGMA wal_checkpoint({mode})"), [], |row| {
            Ok((row.get(0)?, row.get(1)?, row.get(2)?))
        })?;
    Ok(match busy {
        0 if pages == copied => Copied::All,
        0 => Copied::UpToReader,
        _ => Copied::Busy,
    })
}

/// Copies the write-ahead log to the file and empties the log. Waits for readers for at most `wait`.
pub(crate) fn truncate_log(connection: &Connection, wait: Duration) -> Result<Copied, rusqlite::Error> {
    connection.busy_timeout(wait)?;
    let result = copy_log(connection, "TRUNCATE");
    connection.busy_timeout(BUSY_TIMEOUT)?;
    result
}

/// Copies the write-ahead log to the file, so that later commits do not depend on unsynced parts of the log.
///
/// If a sync fails and all processes then end, the log can contain transactions that are not on disk. The next process
/// that opens the file makes these transactions visible. Readers that start afterwards see them, so they do not prevent
/// copying them. A reader only prevents copying transactions that were committed after the reader started. Those are
/// already on disk, because a commit becomes visible only after its sync.
pub(crate) fn settle_log(connection: &Connection) -> Result<(), StoreError> {
    let deadline = Instant::now() + BUSY_TIMEOUT;
    loop {
        let copied = copy_log(connection, "PASSIVE")
            .map_err(|error| store_error("copy the write-ahead log into the file", error))?;
        match copied {
            Copied::All => return Ok(()),
            Copied::UpToReader => {
                tracing::info!("an active reader, such as a backup, delays copying the write-ahead log");
                return Ok(());
            }
            Copied::Busy if Instant::now() >= deadline => {
                return Err(StoreError::unavailable(
                    "cannot copy the write-ahead log: a different process is copying it; try again later",
                ));
            }
            Copied::Busy => std::thread::sleep(PAUSE),
        }
    }
}
