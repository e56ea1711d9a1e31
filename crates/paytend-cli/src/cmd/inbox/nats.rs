//! Settings of a NATS store in addition to its URL.

use std::fs::File;
use std::path::{Path, PathBuf};

use paytend_crypto::keys::{FilePermissions, require_owner_only};
use paytend_store_nats::NatsOptions;
use serde::Deserialize;

use crate::cmd::inbox::config::{Span, read_store};
use crate::exit::{Category, Failure};

/// The environment variable that contains the URL for the system account, which may contain a password.
const SYSTEM_URL: &str = "PAYTEND_NATS_SYSTEM_URL";

/// The credentials for NATS servers. Settings that the configuration file does not contain are read from environment
/// variables.
#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub(crate) struct NatsSettings {
    /// The credentials file of the account that holds the store.
    credentials_file: Option<PathBuf>,
    /// A file with the URL for the system account.
    system_url_file: Option<PathBuf>,
    /// The credentials file of the system account.
    system_credentials_file: Option<PathBuf>,
    /// The name of the store, if the account contains several stores.
    name: Option<String>,
    /// The time for which processed notifications are remembered. A duplicate that arrives later is processed again.
    pub(crate) forget_after: Option<Span>,
}

impl NatsSettings {
    /// Returns the paths of all files, so that relative paths can be resolved.
    pub(crate) fn files(&mut self) -> impl Iterator<Item = &mut PathBuf> {
        [&mut self.credentials_file, &mut self.system_url_file, &mut self.system_credentials_file].into_iter().flatten()
    }

    /// Returns the settings of a store with this URL.
    pub(crate) fn options(&self, url: &str, permissions: FilePermissions) -> Result<NatsOptions, Failure> {
        let mut options = NatsOptions::from_url(url)?;
        if let Some(name) = self.name.clone().or_else(|| variable("PAYTEND_NATS_NAME")) {
            options = options.name(&name)?;
        }
        if let Some(file) = file(self.credentials_file.as_ref(), "PAYTEND_NATS_CREDENTIALS_FILE", permissions)? {
            options = options.credentials_file(file);
        }
        let url_file = self.system_url_file.as_deref().map(|file| read_store(file, permissions)).transpose()?;
        if let Some(url) = url_file.or_else(|| variable(SYSTEM_URL)) {
            options = options.system_url(&url)?;
        }
        let system = self.system_credentials_file.as_ref();
        if let Some(file) = file(system, "PAYTEND_NATS_SYSTEM_CREDENTIALS_FILE", permissions)? {
            options = options.system_credentials_file(file);
        }
        Ok(options)
    }
}

fn variable(name: &str) -> Option<String> {
    std::env::var(name).ok().filter(|value| !value.is_empty())
}

/// Returns the path of a credentials file, from the configuration or the environment variable. Only its owner may have
/// access.
fn file(configured: Option<&PathBuf>, name: &str, permissions: FilePermissions) -> Result<Option<PathBuf>, Failure> {
    let Some(path) = configured.cloned().or_else(|| variable(name).map(PathBuf::from)) else { return Ok(None) };
    if permissions == FilePermissions::OwnerOnly {
        require_owner_only(&path, &open(&path)?)?;
    }
    Ok(Some(path))
}

fn open(path: &Path) -> Result<File, Failure> {
    File::open(path)
        .map_err(|error| Failure::new(Category::Configuration, format!("cannot read {}: {error}", path.display())))
}
