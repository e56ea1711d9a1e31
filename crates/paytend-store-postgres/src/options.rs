//! Settings of a store.

use std::net::IpAddr;
use std::time::Duration;

use deadpool_postgres::{Manager, ManagerConfig, Pool, RecyclingMethod, Runtime};
use paytend_inbox::{StoreError, StoreErrorKind};
use rustls::ClientConfig;
use rustls_platform_verifier::BuilderVerifierExt as _;
use tokio_postgres::config::{Host, SslMode};
use tokio_postgres::{Config, NoTls};
use tokio_postgres_rustls::MakeRustlsConnect;

use crate::store::PostgresStore;

/// How long a server may be silent before its connection is checked, and how long it may take to confirm what was sent.
const SILENCE: Duration = Duration::from_secs(30);

/// Settings of a [`PostgresStore`].
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
    config: Config,
    max_connections: usize,
    connection_timeout: Duration,
    pub(crate) effect_timeout: Duration,
    pub(crate) danger_any_settings: bool,
}

impl PostgresOptions {
    /// Reads a URL such as `postgres://user@host/database?sslmode=require`.
    ///
    /// # Errors
    /// Returns [`StoreError`] if the URL is invalid. The error does not contain the URL.
    pub fn from_url(url: &str) -> Result<Self, StoreError> {
        // The cause can contain parts of the URL, so it is left out.
        let invalid = |_: tokio_postgres::Error| {
            StoreError::new(
                StoreErrorKind::Configuration,
                "invalid PostgreSQL URL; an example is postgres://user@host/db",
            )
        };
        Ok(Self::new(url.parse().map_err(invalid)?))
    }

    /// Creates settings with the connection settings of `tokio-postgres`.
    pub fn new(config: Config) -> Self {
        Self {
            config,
            max_connections: 10,
            connection_timeout: Duration::from_secs(4),
            effect_timeout: Duration::from_secs(5),
            danger_any_settings: false,
        }
    }

    /// Sets the maximum number of connections (default 10, at least 1).
    pub fn max_connections(mut self, count: usize) -> Self {
        self.max_connections = count.max(1);
        self
    }

    /// Sets how long an operation may wait for a free connection, and how long connecting may take (default 4 s).
    pub fn connection_timeout(mut self, time: Duration) -> Self {
        self.connection_timeout = time;
        self
    }

    /// Sets the time after which an effect has failed (default 5 s). The rollback waits for the statement in progress,
    /// because no `statement_timeout` is set. The connection and its locks are in use until then.
    pub fn effect_timeout(mut self, time: Duration) -> Self {
        self.effect_timeout = time;
        self
    }

    /// Accepts servers whose settings **let acknowledged notifications be lost**, such as `fsync = off`. For tests.
    pub fn danger_any_settings(mut self) -> Self {
        self.danger_any_settings = true;
        self
    }

    /// Connects, checks the server's settings, and creates or upgrades the schema.
    ///
    /// A host that is not on this machine is reached only with TLS: `sslmode=prefer`, which is the default of the URL,
    /// is raised to `require`. The certificate is verified with the operating system's roots. Every `hostaddr` must be
    /// a loopback address too, or TLS is required.
    ///
    /// If `synchronous_standby_names` is set, `synchronous_commit` must be `on` or `remote_apply`.
    ///
    /// # Errors
    /// - Returns [`StoreError`] if the server cannot be reached or refuses the login.
    /// - Returns [`StoreError`] if the server's settings let acknowledged notifications be lost.
    /// - Returns [`StoreError`] if the schema has an incompatible version.
    pub async fn open(self) -> Result<PostgresStore, StoreError> {
        let pool = self.pool()?;
        PostgresStore::with(pool, &self).await
    }

    fn pool(&self) -> Result<Pool, StoreError> {
        let mut config = self.config.clone();
        if config.get_connect_timeout().is_none() {
            config.connect_timeout(self.connection_timeout);
        }
        // A server that disappears without closing its connections is noticed within this time, not after hours.
        config.keepalives_idle(SILENCE).keepalives_interval(SILENCE / 3).keepalives_retries(3);
        if config.get_tcp_user_timeout().is_none() {
            config.tcp_user_timeout(SILENCE);
        }
        let manager_config = ManagerConfig { recycling_method: RecyclingMethod::Fast };
        let manager = if self.is_local() {
            Manager::from_config(config, NoTls, manager_config)
        } else {
            config.ssl_mode(SslMode::Require);
            Manager::from_config(config, tls()?, manager_config)
        };
        Pool::builder(manager)
            .max_size(self.max_connections)
            .runtime(Runtime::Tokio1)
            .wait_timeout(Some(self.connection_timeout))
            .create_timeout(Some(self.connection_timeout))
            .build()
            .map_err(|error| StoreError::unavailable("cannot create the connection pool").with_source(error))
    }

    /// Returns whether every host is on this machine. The addresses of `hostaddr` are used instead of the names.
    fn is_local(&self) -> bool {
        let hosts = self.config.get_hosts().iter().all(|host| match host {
            Host::Tcp(name) => name == "localhost" || name.parse::<IpAddr>().is_ok_and(|address| address.is_loopback()),
            #[cfg(unix)]
            Host::Unix(_) => true,
        });
        hosts && self.config.get_hostaddrs().iter().all(IpAddr::is_loopback)
    }
}

fn tls() -> Result<MakeRustlsConnect, StoreError> {
    let provider = std::sync::Arc::new(rustls::crypto::aws_lc_rs::default_provider());
    let config = ClientConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .and_then(|builder| builder.with_platform_verifier())
        .map_err(|error| {
            StoreError::new(StoreErrorKind::Configuration, "cannot load the trusted certificates").with_source(error)
        })?;
    Ok(MakeRustlsConnect::new(config.with_no_client_auth()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_loopback_addresses_are_reached_without_tls() {
        for (url, local) in [
            ("postgres://localhost/db", true),
            ("postgres://127.0.0.1,[::1]/db", true),
            ("postgres://localhost/db?hostaddr=127.0.0.1", true),
            ("postgres:///db?hostaddr=127.0.0.1", true),
            ("postgres://db.example.com/db", false),
            ("postgres://localhost,db.example.com/db", false),
            ("postgres://localhost/db?hostaddr=203.0.113.5", false),
            ("postgres://localhost,localhost/db?hostaddr=127.0.0.1,203.0.113.5", false),
            ("postgres:///db?hostaddr=203.0.113.5", false),
            ("postgres://db.example.com/db?hostaddr=127.0.0.1", false),
        ] {
            assert_eq!(PostgresOptions::from_url(url).unwrap().is_local(), local, "{url}");
        }
        #[cfg(unix)]
        for (url, local) in [
            ("postgres:///db?host=/run/postgresql", true),
            ("postgres:///db?host=/run/postgresql&hostaddr=203.0.113.5", false),
        ] {
            assert_eq!(PostgresOptions::from_url(url).unwrap().is_local(), local, "{url}");
        }
    }
}
