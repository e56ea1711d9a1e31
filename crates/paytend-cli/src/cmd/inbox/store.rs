//! Which store a command uses.

use std::path::{Path, PathBuf};

use clap::Args;
use paytend_inbox::{StoreError, StoreErrorKind, StoreKeys};
use paytend_store_postgres::PostgresOptions;
use paytend_store_sqlite::SqliteOptions;

use crate::cmd::inbox::any_store::AnyStore;
use crate::exit::{Category, Failure};

/// The environment variable with the store, which may contain a password.
const VARIABLE: &str = "PAYTEND_STORE";

/// The option that selects the store.
#[derive(Args)]
pub(crate) struct StoreArgs {
    /// The store: sqlite:FILE or a URL such as postgres://user@host/database. If this option is not given, the
    /// environment variable PAYTEND_STORE is used, which may contain a password
    #[arg(long, value_name = "STORE")]
    store: Option<String>,
}

/// A store as named by the user.
#[derive(Clone, PartialEq, Eq)]
pub(crate) enum StoreName {
    /// An SQLite file.
    Sqlite(PathBuf),
    /// The URL of a PostgreSQL database, which may contain a password.
    Postgres(String),
}

impl StoreArgs {
    /// Returns the store of the option, of the variable, or of the configuration file, in this order.
    pub(crate) fn name(&self, configured: Option<&str>) -> Result<StoreName, Failure> {
        if let Some(store) = &self.store {
            refuse_password(store)?;
            return parse(store);
        }
        let variable = std::env::var(VARIABLE).ok().filter(|store| !store.is_empty());
        match variable.as_deref().or(configured) {
            Some(store) => parse(store),
            None => Err(Failure::usage(format!(
                "no store: give --store sqlite:FILE or --store postgres://…, or set {VARIABLE}"
            ))),
        }
    }

    /// Opens the existing store for a command that manages it.
    pub(crate) async fn open(&self) -> Result<AnyStore, Failure> {
        match self.name(None)? {
            StoreName::Sqlite(file) => Ok(AnyStore::Sqlite(SqliteOptions::new(file).must_exist().open()?)),
            StoreName::Postgres(url) => {
                Ok(AnyStore::Postgres(PostgresOptions::from_url(&url)?.max_connections(2).open().await?))
            }
        }
    }
}

impl StoreName {
    /// Opens the store for the service, and creates it if it does not exist.
    pub(crate) async fn open(&self) -> Result<AnyStore, Failure> {
        match self {
            Self::Sqlite(file) => Ok(AnyStore::Sqlite(SqliteOptions::new(file).open()?)),
            Self::Postgres(url) => Ok(AnyStore::Postgres(PostgresOptions::from_url(url)?.open().await?)),
        }
    }

    /// Reads the keys from the given file, or from the file beside an SQLite store. They are generated if neither the
    /// file beside the store nor the store exists.
    pub(crate) fn keys(&self, given: Option<&Path>) -> Result<StoreKeys, Failure> {
        let file = match (self, given) {
            (Self::Sqlite(file), _) => file,
            (Self::Postgres(_), Some(given)) => return Ok(StoreKeys::load(given)?),
            (Self::Postgres(_), None) => {
                return Err(Failure::usage(
                    "no store key: give --store-key FILE; `paytend inbox generate-key FILE` creates one",
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
                "the key file {} of the existing store is missing: restore it, or name it with --store-key",
                path.display()
            ),
        ))
    }
}

/// Returns the key file beside an SQLite file.
fn beside(file: &Path) -> PathBuf {
    let mut path = file.as_os_str().to_owned();
    path.push(".key");
    path.into()
}

impl std::fmt::Display for StoreName {
    /// Writes the store without its user and password.
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Sqlite(file) => write!(f, "sqlite:{}", file.display()),
            Self::Postgres(url) => {
                let rest = url.split_once("://").map_or("", |(_, rest)| rest);
                let place = rest.split('?').next().unwrap_or_default();
                let place = place.rsplit_once('@').map_or(place, |(_, place)| place);
                write!(f, "postgres://{place}")
            }
        }
    }
}

fn parse(store: &str) -> Result<StoreName, Failure> {
    match store.split_once(':') {
        Some(("sqlite", file)) if !file.is_empty() => Ok(StoreName::Sqlite(file.into())),
        Some(("postgres" | "postgresql", rest)) if rest.starts_with("//") => Ok(StoreName::Postgres(store.to_owned())),
        Some(("nats", _)) => Err(Failure::new(
            Category::Configuration,
            "this version has no NATS store: use sqlite:FILE or postgres://user@host/database",
        )),
        _ => Err(Failure::usage("invalid store; examples: sqlite:inbox.db, postgres://user@host/database")),
    }
}

/// Refuses a URL with a password, because other users of the machine can read the arguments of its processes.
fn refuse_password(store: &str) -> Result<(), Failure> {
    let authority = store.split_once("://").map(|(_, rest)| rest.split(['/', '?']).next().unwrap_or_default());
    let user = authority.and_then(|authority| authority.rsplit_once('@')).map(|(user, _)| user);
    let in_query = store.split_once('?').is_some_and(|(_, query)| {
        query.split('&').any(|pair| pair.split('=').next().is_some_and(|name| name.eq_ignore_ascii_case("password")))
    });
    if in_query || user.is_some_and(|user| user.contains(':')) {
        return Err(Failure::usage(format!(
            "--store must not contain a password, because other users can read the arguments of a process: \
             set {VARIABLE}, use `store` or `store_file` in --config FILE, or the engine's own environment variables"
        )));
    }
    Ok(())
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
    fn stores_are_parsed_and_passwords_refused() {
        assert_eq!(named("sqlite:a/b.db").unwrap().to_string(), "sqlite:a/b.db");
        assert!(named("sqlite:C:/x@y:z.db").unwrap() == StoreName::Sqlite("C:/x@y:z.db".into()));
        for store in ["sqlite:", "a.db", "", "mysql:x", "postgres:x"] {
            assert!(named(store).err().unwrap().starts_with("invalid store"), "{store}");
        }
        for store in [
            "postgres://user:secret@host/db",
            "postgres://host/db?sslmode=require&password=secret",
            "nats://a:secret@b",
        ] {
            let message = named(store).err().unwrap();
            assert!(message.contains("must not contain a password") && !message.contains("secret"), "{message}");
        }
        assert!(named("nats://host").err().unwrap().contains("this version has no NATS"));
        assert_eq!(named("postgres://user@host:5/db?sslmode=require").unwrap().to_string(), "postgres://host:5/db");
        assert_eq!(parse("postgresql://a:s@b@host/db").unwrap().to_string(), "postgres://host/db");
    }
}
