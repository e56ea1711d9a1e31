//! Connections to PostgreSQL servers.

use std::net::IpAddr;
use std::sync::Arc;
use std::time::Duration;

use deadpool_postgres::{Manager, ManagerConfig, Object, Pool, RecyclingMethod, Runtime};
use paytend_inbox::{StoreError, StoreErrorKind};
use rustls::ClientConfig;
use rustls_platform_verifier::BuilderVerifierExt as _;
use tokio_postgres::config::{Host, SslMode, TargetSessionAttrs};
use tokio_postgres::{Client, Config, Error, NoTls};
use tokio_postgres_rustls::MakeRustlsConnect;

use crate::listen::listen_on;
use crate::options::PostgresOptions;

/// The idle time after which TCP keepalives begin, and the time limit for the TCP acknowledgement of sent data.
const SILENCE: Duration = Duration::from_secs(30);
/// The time limit for a request to cancel a statement.
const CANCEL_TIMEOUT: Duration = Duration::from_secs(5);

/// The connection settings of a server.
#[derive(Clone)]
pub(crate) struct Server {
    config: Config,
    tls: Option<MakeRustlsConnect>,
}

impl Server {
    pub(crate) fn new(options: &PostgresOptions) -> Result<Self, StoreError> {
        let mut config = options.config.clone();
        if config.get_connect_timeout().is_none() {
            config.connect_timeout(options.connection_timeout);
        }
        // Keepalives detect a server that disappears without closing its connections. With the operating system's
        // default, this would take hours.
        config.keepalives_idle(SILENCE).keepalives_interval(SILENCE / 3).keepalives_retries(3);
        if config.get_tcp_user_timeout().is_none() {
            config.tcp_user_timeout(SILENCE);
        }
        if config.get_target_session_attrs() == TargetSessionAttrs::ReadOnly {
            return Err(refused(
                "the store needs a server that accepts writes: remove target_session_attrs=read-only from the URL",
            ));
        }
        config.target_session_attrs(TargetSessionAttrs::ReadWrite);
        if options.danger_any_settings {
            let given = config.get_options().unwrap_or_default();
            let all = format!("{given} -c paytend.danger_any_settings=on");
            config.options(all);
        }
        let tls = match (is_local(&config), config.get_ssl_mode()) {
            (true, SslMode::Disable | SslMode::Prefer) => None,
            (false, SslMode::Disable) => {
                return Err(refused("sslmode=disable is accepted only for hosts on this machine: use sslmode=require"));
            }
            _ => {
                config.ssl_mode(SslMode::Require);
                Some(tls()?)
            }
        };
        Ok(Self { config, tls })
    }

    pub(crate) fn pool(&self, options: &PostgresOptions) -> Result<Pool, StoreError> {
        let manager_config = ManagerConfig { recycling_method: RecyclingMethod::Fast };
        let manager = match &self.tls {
            None => Manager::from_config(self.config.clone(), NoTls, manager_config),
            Some(tls) => Manager::from_config(self.config.clone(), tls.clone(), manager_config),
        };
        Pool::builder(manager)
            .max_size(options.max_connections)
            .runtime(Runtime::Tokio1)
            .wait_timeout(Some(options.connection_timeout))
            .create_timeout(Some(options.connection_timeout))
            .build()
            .map_err(|error| StoreError::unavailable("cannot create the connection pool").with_source(error))
    }

    /// Opens a separate connection, which is closed when the client is dropped.
    pub(crate) async fn connect(&self) -> Result<Client, Error> {
        match &self.tls {
            None => {
                let (client, connection) = self.config.connect(NoTls).await?;
                tokio::spawn(connection);
                Ok(client)
            }
            Some(tls) => {
                let (client, connection) = self.config.connect(tls.clone()).await?;
                tokio::spawn(connection);
                Ok(client)
            }
        }
    }

    /// Listens on a separate connection until the connection ends.
    pub(crate) async fn listen(&self, hint: impl FnMut(Option<&str>)) -> Result<(), Error> {
        match &self.tls {
            None => listen_on(&self.config, NoTls, hint).await,
            Some(tls) => listen_on(&self.config, tls.clone(), hint).await,
        }
    }

    /// Cancels the statement of a connection, and closes the connection. The pool replaces the connection immediately.
    pub(crate) fn abandon(&self, client: Object) {
        let (client, tls) = (Object::take(client), self.tls.clone());
        tokio::spawn(async move {
            let token = client.cancel_token();
            let cancelled = async {
                match tls {
                    None => token.cancel_query(NoTls).await,
                    Some(tls) => token.cancel_query(tls).await,
                }
            };
            let ended = async {
                cancelled.await?;
                // The connection is kept open until the server responds, because a pooler ignores a cancellation whose
                // connection is closed.
                client.batch_execute("").await
            };
            if !matches!(tokio::time::timeout(CANCEL_TIMEOUT, ended).await, Ok(Ok(()))) {
                tracing::warn!("failed to cancel a statement; the server will end it when its time limit expires");
            }
        });
    }
}

fn refused(message: &str) -> StoreError {
    StoreError::new(StoreErrorKind::Configuration, message)
}

/// Returns whether every host is on this machine. If `hostaddr` is set, the driver connects to its addresses instead of
/// the hosts, so both must be local.
fn is_local(config: &Config) -> bool {
    let hosts = config.get_hosts().iter().all(|host| match host {
        Host::Tcp(name) => name == "localhost" || name.parse::<IpAddr>().is_ok_and(|address| address.is_loopback()),
        #[cfg(unix)]
        Host::Unix(_) => true,
    });
    hosts && config.get_hostaddrs().iter().all(IpAddr::is_loopback)
}

fn tls() -> Result<MakeRustlsConnect, StoreError> {
    let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
    let config = ClientConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .and_then(|builder| builder.with_platform_verifier())
        .map_err(|error| refused("cannot load the trusted certificates").with_source(error))?;
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
            assert_eq!(is_local(&PostgresOptions::from_url(url).unwrap().config), local, "{url}");
        }
        #[cfg(unix)]
        for (url, local) in [
            ("postgres:///db?host=/run/postgresql", true),
            ("postgres:///db?host=/run/postgresql&hostaddr=203.0.113.5", false),
        ] {
            assert_eq!(is_local(&PostgresOptions::from_url(url).unwrap().config), local, "{url}");
        }
    }
}
