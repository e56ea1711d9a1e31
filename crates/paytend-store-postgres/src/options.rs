//! Settings of a store.

use std::time::Duration;

use paytend_inbox::{StoreError, StoreErrorKind};
use tokio_postgres::Config;

/// Settings of a [`PostgresStore`](crate::PostgresStore).
///
/// ```no_run
/// use paytend_store_postgres::PostgresOptions;
///
/// # async fn example() -> Result<(), Box<dyn std::error::Error>> {
/// let url = std::env::var("DATABASE_URL")?;
/// let store = PostgresOptions::from_url(&url)?.max_connections(8).open().await?;
/// # Ok(())
/// # }
/// ```
#[derive(Clone, Debug)]
#[must_use]
pub struct PostgresOptions {
    pub(crate) config: Config,
    pub(crate) max_connections: usize,
    pub(crate) connection_timeout: Duration,
    pub(crate) effect_timeout: Duration,
    pub(crate) danger_any_settings: bool,
    pub(crate) create: bool,
    pub(crate) listen: bool,
}

impl PostgresOptions {
    /// Reads a URL such as `postgres://user@host/database?sslmode=require`.
    ///
    /// # Errors
    /// Returns [`StoreError`] if the URL is invalid. The error does not contain the URL.
    pub fn from_url(url: &str) -> Result<Self, StoreError> {
        // The cause is left out, because it can contain parts of the URL.
        let invalid = |_: tokio_postgres::Error| {
            StoreError::new(
                StoreErrorKind::Configuration,
                "invalid PostgreSQL URL; an example is postgres://user@host/db",
            )
        };
        Ok(Self::new(url.parse().map_err(invalid)?))
    }

    /// Creates settings from the connection settings of `tokio-postgres`.
    pub fn new(config: Config) -> Self {
        Self {
            config,
            max_connections: 10,
            connection_timeout: Duration::from_secs(4),
            effect_timeout: Duration::from_secs(5),
            danger_any_settings: false,
            create: true,
            listen: true,
        }
    }

    /// Sets the maximum number of connections (default 10, at least 1).
    pub fn max_connections(mut self, count: usize) -> Self {
        self.max_connections = count.max(1);
        self
    }

    /// Sets the time limit for waiting for a free connection, and for connecting to the server (default 4 s).
    pub fn connection_timeout(mut self, time: Duration) -> Self {
        self.connection_timeout = time;
        self
    }

    /// Sets the time limit for an effect (default 5 s). After this time, the statement is cancelled and the connection
    /// is closed, which releases its locks. If the cancellation does not reach the server, the server ends the
    /// statement and the session one second after the limit.
    pub fn effect_timeout(mut self, time: Duration) -> Self {
        self.effect_timeout = time;
        self
    }

    /// Disables the workers' `LISTEN` connection, so that workers only poll. By default, the connection is enabled. Use
    /// this option with poolers that do not support `LISTEN`.
    pub fn without_listener(mut self) -> Self {
        self.listen = false;
        self
    }

    /// Prevents [`open`](Self::open) from creating or upgrading the schema. Use this option in programs that read or
    /// manage a store.
    pub fn must_exist(mut self) -> Self {
        self.create = false;
        self
    }

    /// Accepts servers with settings that **can lose acknowledged notifications**, such as `fsync = off`. This option
    /// is intended for tests.
    pub fn danger_any_settings(mut self) -> Self {
        self.danger_any_settings = true;
        self
    }
}
