//! Settings of a store.

use std::path::{Path, PathBuf};
use std::time::{Duration, SystemTime};

use crate::clock::Clock;

/// Settings of a [`SqliteStore`](crate::SqliteStore).
///
/// ```
/// # let directory = tempfile::tempdir()?;
/// # let path = directory.path().join("inbox.db");
/// use std::time::Duration;
/// use paytend_store_sqlite::SqliteOptions;
/// let store = SqliteOptions::new(path).effect_timeout(Duration::from_secs(2)).open()?;
/// # drop(store);
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Clone, Debug)]
#[must_use]
pub struct SqliteOptions {
    pub(crate) path: PathBuf,
    pub(crate) clock: Clock,
    pub(crate) effect_timeout: Duration,
    pub(crate) max_waiting: usize,
    pub(crate) synchronous: Synchronous,
    pub(crate) create: bool,
}

/// The value of SQLite's `synchronous` setting.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Synchronous {
    Full,
    Off,
}

impl SqliteOptions {
    /// Creates the default settings for the store in this file.
    pub fn new(path: impl AsRef<Path>) -> Self {
        Self {
            path: path.as_ref().to_owned(),
            clock: Clock::system(),
            effect_timeout: Duration::from_secs(5),
            max_waiting: 4096,
            synchronous: Synchronous::Full,
            create: true,
        }
    }

    /// Sets the time limit for an effect's SQL statements in total (default 5 s). Other writes wait during this time.
    /// The limit does not interrupt code that runs no SQL.
    pub fn effect_timeout(mut self, time: Duration) -> Self {
        self.effect_timeout = time;
        self
    }

    /// Sets the maximum number of operations that wait for the writer (default 4096, at least 1). When it is reached,
    /// additional notifications are refused, and their senders are asked to retry.
    pub fn max_waiting(mut self, count: usize) -> Self {
        self.max_waiting = count.max(1);
        self
    }

    /// Prevents [`open`](Self::open) from creating the file, and from creating or upgrading its schema. Use this option
    /// in programs that read or manage a store.
    pub fn must_exist(mut self) -> Self {
        self.create = false;
        self
    }

    /// Sets the clock. This option is intended for tests. The default clock reads the system clock when the store is
    /// opened, and then uses the monotonic clock.
    pub fn clock(mut self, clock: impl Fn() -> SystemTime + Send + Sync + 'static) -> Self {
        self.clock = Clock::custom(clock);
        self
    }

    /// Acknowledges notifications **before they are on disk**, so a power cut can lose acknowledged notifications. This
    /// option is intended for tests.
    pub fn danger_without_sync(mut self) -> Self {
        self.synchronous = Synchronous::Off;
        self
    }
}
