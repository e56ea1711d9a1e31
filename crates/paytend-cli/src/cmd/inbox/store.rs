//! Which store a command uses.

use std::path::{Path, PathBuf};

use clap::Args;
use paytend_inbox::{StoreError, StoreErrorKind, StoreKeys};
use paytend_store_sqlite::{SqliteOptions, SqliteStore};

use crate::exit::{Category, Failure};

/// The environment variable with the store, which may contain a password.
const VARIABLE: &str = "PAYTEND_STORE";

/// The option that selects the store.
#[derive(Args)]
pub(crate) struct StoreArgs {
    /// The store: sqlite:FILE. If this option is not given, the environment variable PAYTEND_STORE is used
    #[arg(long, value_name = "STORE")]
    store: Option<String>,
}

/// A store as named by the user.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct StoreName {
    pub(crate) file: PathBuf,
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
            None => Err(Failure::usage(format!("no store: give --store sqlite:FILE, or set {VARIABLE}"))),
        }
    }

    /// Opens the existing store for a command that manages it.
    pub(crate) fn open(&self) -> Result<SqliteStore, Failure> {
        let name = self.name(None)?;
        Ok(SqliteOptions::new(name.file).must_exist().open()?)
    }
}

impl StoreName {
    /// Returns the key file: the given one, or the one beside the store.
    pub(crate) fn key_file(&self, given: Option<&Path>) -> PathBuf {
        given.map_or_else(
            || {
                let mut path = self.file.clone().into_os_string();
                path.push(".key");
                path.into()
            },
            Path::to_owned,
        )
    }

    /// Reads the keys. They are generated if neither the key file nor the store exists.
    pub(crate) fn keys(&self, given: Option<&Path>) -> Result<StoreKeys, Failure> {
        let path = self.key_file(given);
        if path.exists() || !self.file.exists() {
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

impl std::fmt::Display for StoreName {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "sqlite:{}", self.file.display())
    }
}

fn parse(store: &str) -> Result<StoreName, Failure> {
    match store.split_once(':') {
        Some(("sqlite", file)) if !file.is_empty() => Ok(StoreName { file: file.into() }),
        Some(("postgres" | "postgresql" | "nats", _)) => {
            Err(Failure::new(Category::Configuration, "this version has no PostgreSQL or NATS store: use sqlite:FILE"))
        }
        _ => Err(Failure::usage("invalid store; an example is sqlite:inbox.db")),
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
        assert_eq!(named("sqlite:C:/x@y:z.db").unwrap().file, PathBuf::from("C:/x@y:z.db"));
        for store in ["sqlite:", "a.db", "", "mysql:x"] {
            assert!(named(store).unwrap_err().starts_with("invalid store"), "{store}");
        }
        for store in [
            "postgres://user:secret@host/db",
            "postgres://host/db?sslmode=require&password=secret",
            "nats://a:secret@b",
        ] {
            let message = named(store).unwrap_err();
            assert!(message.contains("must not contain a password") && !message.contains("secret"), "{message}");
        }
        assert!(named("postgres://user@host/db").unwrap_err().contains("this version has no PostgreSQL"));
    }
}
