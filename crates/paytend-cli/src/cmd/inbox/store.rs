//! Selects and opens the store for a command.

use std::path::{Path, PathBuf};

use clap::Args;
use paytend_crypto::keys::FilePermissions;
use paytend_inbox::{StoreError, StoreErrorKind, StoreKeys};
use paytend_store_nats::NatsOptions;
use paytend_store_postgres::PostgresOptions;
use paytend_store_postgres::tokio_postgres::Config as PostgresConfig;
use paytend_store_postgres::tokio_postgres::config::Host;
use paytend_store_sqlite::SqliteOptions;

use crate::cmd::inbox::any_store::AnyStore;
use crate::cmd::inbox::nats::NatsSettings;
use crate::exit::{Category, Failure};

/// The environment variable that contains the store's name or URL. Its value may contain a password.
const VARIABLE: &str = "PAYTEND_STORE";
/// The environment variable that contains PostgreSQL's password if the URL has none.
const PASSWORD_VARIABLE: &str = "PGPASSWORD";
/// PostgreSQL's default port, which is left out of the output.
const DEFAULT_PORT: u16 = 5432;

/// The option that selects the store.
#[derive(Args)]
pub(crate) struct StoreArgs {
    /// The store: sqlite:FILE, or a URL such as postgres://user@host/database or nats://host,host. The default is the
    /// value of the PAYTEND_STORE environment variable, which may contain a password
    #[arg(long, value_name = "STORE")]
    store: Option<String>,
}

/// A store, parsed from its name or URL.
#[derive(Clone, PartialEq, Eq)]
pub(crate) enum StoreName {
    /// An SQLite file.
    Sqlite(PathBuf),
    /// The connection settings of a PostgreSQL database, which may contain a password.
    Postgres(Box<PostgresConfig>),
    /// The URL of NATS servers, which may contain a password.
    Nats(NatsUrl),
}

/// The URL of NATS servers.
#[derive(Clone, PartialEq, Eq)]
pub(crate) struct NatsUrl {
    url: String,
    has_login: bool,
    hosts: Vec<String>,
}

impl StoreArgs {
    /// Returns whether the option or the variable names a store.
    pub(crate) fn is_given(&self) -> bool {
        self.store.is_some() || std::env::var(VARIABLE).is_ok_and(|store| !store.is_empty())
    }

    /// Returns the store that is named by the option, the environment variable or the configuration file, in this
    /// order.
    pub(crate) fn name(&self, configured: Option<&str>) -> Result<StoreName, Failure> {
        if let Some(store) = &self.store {
            let name = parse(store)?;
            if name.has_password() {
                return Err(Failure::usage(format!(
                    "--store must not contain a password, because other users can read the arguments of a process: \
                     set {VARIABLE}, use `store` or `store_file` in --config FILE, or set {PASSWORD_VARIABLE} for \
                     PostgreSQL or PAYTEND_NATS_CREDENTIALS_FILE for NATS"
                )));
            }
            return Ok(name);
        }
        let variable = std::env::var(VARIABLE).ok().filter(|store| !store.is_empty());
        match variable.as_deref().or(configured) {
            Some(store) => parse(store),
            None => Err(Failure::usage(format!(
                "no store: pass --store sqlite:FILE, --store postgres://… or --store nats://…, or set {VARIABLE}"
            ))),
        }
    }

    /// Returns the key file next to an SQLite store.
    pub(crate) fn key_file(&self) -> Option<PathBuf> {
        match self.name(None).ok()? {
            StoreName::Sqlite(file) => Some(beside(&file)),
            StoreName::Postgres(_) | StoreName::Nats(_) => None,
        }
    }

    /// Opens a store, which must exist, for a command that manages it.
    pub(crate) async fn open(&self) -> Result<AnyStore, Failure> {
        match self.name(None)? {
            StoreName::Sqlite(file) => open_sqlite(&file),
            StoreName::Postgres(config) => {
                open_postgres(PostgresOptions::new(with_password(*config)).max_connections(2).must_exist()).await
            }
            StoreName::Nats(nats) => {
                open_nats(NatsSettings::default().options(&nats.url, FilePermissions::OwnerOnly)?).await
            }
        }
    }
}

impl StoreName {
    /// Opens the store for the service, and creates it if it does not exist.
    pub(crate) async fn open(&self, nats: &NatsSettings, permissions: FilePermissions) -> Result<AnyStore, Failure> {
        match self {
            Self::Sqlite(file) => Ok(AnyStore::Sqlite(SqliteOptions::new(file).open()?)),
            Self::Postgres(config) => open_postgres(PostgresOptions::new(with_password((**config).clone()))).await,
            Self::Nats(NatsUrl { url, .. }) => open_nats(nats.options(url, permissions)?).await,
        }
    }

    /// Returns whether the store's URL contains a password.
    fn has_password(&self) -> bool {
        match self {
            Self::Sqlite(_) => false,
            Self::Postgres(config) => config.get_password().is_some(),
            Self::Nats(nats) => nats.has_login,
        }
    }

    /// Reads the keys from the given file, or from the file next to an SQLite store. Generates the keys if neither the
    /// key file nor the SQLite store exists.
    pub(crate) fn keys(&self, given: Option<&Path>) -> Result<StoreKeys, Failure> {
        let file = match (self, given) {
            (Self::Sqlite(file), _) => file,
            (Self::Postgres(_) | Self::Nats(_), Some(given)) => return Ok(StoreKeys::load(given)?),
            (Self::Postgres(_) | Self::Nats(_), None) => {
                return Err(Failure::usage(
                    "no store key: pass --store-key FILE; `paytend inbox generate-key FILE` creates one",
                ));
            }
        };
        let path = given.map_or_else(|| beside(file), Path::to_owned);
        if path.exists() || !file.exists() {
            return Ok(StoreKeys::load_or_create(path)?);
        }
        Err(Failure::new(
            Category::Configuration,
            format!(
                "the key file {} of the existing store is missing: restore the file, or pass its path with --store-key",
                path.display()
            ),
        ))
    }
}

/// Opens an SQLite store, which must exist.
pub(crate) fn open_sqlite(file: &Path) -> Result<AnyStore, Failure> {
    let opened = SqliteOptions::new(file).must_exist().open();
    opened.map(AnyStore::Sqlite).map_err(|error| match file.exists() {
        true => error.into(),
        false => Failure::from(error).with_hint(
            "check the path; `paytend inbox serve` and `paytend listen --inbox` create the file of an inbox",
        ),
    })
}

/// Adds the password from the environment, unless the URL has a password.
fn with_password(mut config: PostgresConfig) -> PostgresConfig {
    let variable = std::env::var_os(PASSWORD_VARIABLE).filter(|password| !password.is_empty());
    if let Some(password) = variable
        && config.get_password().is_none_or(<[u8]>::is_empty)
    {
        config.password(password.as_encoded_bytes());
    }
    config
}

async fn open_postgres(options: PostgresOptions) -> Result<AnyStore, Failure> {
    options.open().await.map(AnyStore::Postgres).map_err(unreachable)
}

async fn open_nats(options: NatsOptions) -> Result<AnyStore, Failure> {
    options.open().await.map(AnyStore::Nats).map_err(unreachable)
}

fn unreachable(error: StoreError) -> Failure {
    if error.kind() != StoreErrorKind::Unavailable {
        return error.into();
    }
    Failure::new(Category::Network, error).with_hint("start the server, or check the URL of the store")
}

/// Returns the path of the key file next to an SQLite file.
pub(crate) fn beside(file: &Path) -> PathBuf {
    let mut path = file.as_os_str().to_owned();
    path.push(".key");
    path.into()
}

impl std::fmt::Display for StoreName {
    /// Writes the store's name or URL without the user and the password.
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Sqlite(file) => write!(f, "sqlite:{}", file.display()),
            Self::Nats(nats) => write!(f, "nats://{}", nats.hosts.join(",")),
            Self::Postgres(config) => {
                f.write_str("postgres://")?;
                let mut separator = "";
                for (index, host) in tcp_hosts(config).into_iter().enumerate() {
                    let Some(host) = host else { continue };
                    let port = config.get_ports().get(index).or_else(|| config.get_ports().first());
                    write!(f, "{separator}{host}")?;
                    separator = ",";
                    if let Some(port) = port.filter(|port| **port != DEFAULT_PORT) {
                        write!(f, ":{port}")?;
                    }
                }
                config.get_dbname().map_or(Ok(()), |name| write!(f, "/{name}"))
            }
        }
    }
}

/// Returns the hosts as they are written in a URL: an IPv6 address is in brackets. The entry for a Unix socket is
/// `None`.
fn tcp_hosts(config: &PostgresConfig) -> Vec<Option<String>> {
    let name = |name: &str| if name.contains(':') { format!("[{name}]") } else { name.to_owned() };
    if config.get_hosts().is_empty() {
        return config.get_hostaddrs().iter().map(|address| Some(name(&address.to_string()))).collect();
    }
    let hosts = config.get_hosts().iter().map(|host| match host {
        Host::Tcp(host) => Some(name(host)),
        #[cfg(unix)]
        Host::Unix(_) => None,
    });
    hosts.collect()
}

fn parse(store: &str) -> Result<StoreName, Failure> {
    match store.split_once(':') {
        Some(("sqlite", file)) if !file.is_empty() => Ok(StoreName::Sqlite(file.into())),
        Some(("postgres" | "postgresql", rest)) if rest.starts_with("//") => parse_postgres(store),
        Some(("nats" | "tls", rest)) if rest.starts_with("//") => {
            let options = NatsOptions::from_url(store)?;
            let (has_login, hosts) = (options.has_login(), options.hosts());
            Ok(StoreName::Nats(NatsUrl { url: store.to_owned(), has_login, hosts }))
        }
        _ => {
            Err(Failure::usage("invalid store; examples: sqlite:inbox.db, postgres://user@host/database, nats://host"))
        }
    }
}

/// Parses the URL of a PostgreSQL database. The driver's error can contain parts of the URL, so it is left out.
fn parse_postgres(url: &str) -> Result<StoreName, Failure> {
    // The driver reads the user and the password up to the first `@`. With a second `@`, or with a `/` or `?` before
    // the first `@`, the driver would read a part of the password as a host or a path.
    let credentials = url.split_once("://").and_then(|(_, rest)| rest.split_once('@'));
    let ambiguous = credentials.is_some_and(|(credentials, rest)| {
        let user = credentials.split(':').next().unwrap_or_default();
        user.contains(['/', '?']) || rest.contains('@')
    });
    if ambiguous {
        return Err(Failure::new(
            Category::Configuration,
            "invalid PostgreSQL URL: write @ as %40, / as %2F and ? as %3F in users, passwords and values",
        ));
    }
    let config: PostgresConfig = url.parse().map_err(|_| {
        Failure::new(Category::Configuration, "invalid PostgreSQL URL; an example is postgres://user@host/database")
    })?;
    Ok(StoreName::Postgres(Box::new(config)))
}

/// Returns whether the name or URL of a store may contain a password. Returns true for an invalid URL.
pub(crate) fn may_contain_password(store: &str) -> bool {
    match parse(store) {
        Ok(name) => name.has_password(),
        Err(_) => store.contains("://"),
    }
}

impl From<StoreError> for Failure {
    fn from(error: StoreError) -> Self {
        let category = match error.kind() {
            StoreErrorKind::Configuration | StoreErrorKind::Keys => Category::Configuration,
            _ => Category::Unexpected,
        };
        Self::new(category, error)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn named(store: &str) -> Result<StoreName, String> {
        let args = StoreArgs { store: Some(store.to_owned()) };
        args.name(None).map_err(|failure| failure.message().to_owned())
    }

    #[test]
    fn store_names_are_parsed_and_passwords_are_refused() {
        assert_eq!(named("sqlite:a/b.db").unwrap().to_string(), "sqlite:a/b.db");
        assert!(named("sqlite:C:/x@y:z.db").unwrap() == StoreName::Sqlite("C:/x@y:z.db".into()));
        for store in ["sqlite:", "a.db", "", "mysql:x", "postgres:x"] {
            assert!(named(store).err().unwrap().starts_with("invalid store"), "{store}");
        }
        for store in [
            "postgres://user:secret@host/db",
            "postgres://user:pa/secret@host/db",
            "postgres://user:pa?secret@host/db",
            "postgres://user@host/db?pass%77ord=secret",
            "postgres://host/db?sslmode=require&password=secret",
        ] {
            let message = named(store).err().unwrap();
            assert!(message.contains("must not contain a password") && !message.contains("secret"), "{message}");
        }
        for store in [
            "postgres://user:pa@secret@host/db",
            "postgres://user:pa@x/secret@host/db",
            "postgres://host/db?password=x@secret",
            "postgres://user:secret@host:port/db",
            "postgres://host/db?PASSWORD=secret",
        ] {
            let message = named(store).err().unwrap();
            assert!(message.starts_with("invalid PostgreSQL URL") && !message.contains("secret"), "{message}");
        }
        for store in ["nats://a:secret@b", "tls://a:secret@b", "nats://secret@b", "tls://b,nats://a:secret@b"] {
            let message = named(store).err().unwrap();
            assert!(message.contains("must not contain a password") && !message.contains("secret"), "{message}");
        }
        for store in ["nats://a:secret@b:x", "tls://b/secret", "nats://"] {
            let message = named(store).err().unwrap();
            assert!(message.starts_with("invalid NATS URL") && !message.contains("secret"), "{message}");
        }
    }

    #[test]
    fn stores_are_shown_without_credentials() {
        for (store, shown) in [
            ("postgres://user@host:5/db?sslmode=require", "postgres://host:5/db"),
            ("nats://user:secret@host:5,[::1]", "nats://host:5,[::1]:4222"),
            ("tls://secret@host", "nats://host:4222"),
            ("postgres://user:pa?ss@host/db", "postgres://host/db"),
            ("postgres://user:pa/ss@host:5432/db", "postgres://host/db"),
            ("postgresql://a:s%40b@[::1]:6,host/db?password=secret", "postgres://[::1]:6,host/db"),
            ("postgres://host", "postgres://host"),
            ("postgres:///db?hostaddr=203.0.113.5&user=a", "postgres://203.0.113.5/db"),
            #[cfg(unix)]
            ("postgres://user:secret@/db?host=/run/postgresql", "postgres:///db"),
        ] {
            assert_eq!(parse(store).unwrap().to_string(), shown, "{store}");
        }
    }
}
