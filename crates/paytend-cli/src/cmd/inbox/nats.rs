//! The settings of a NATS store, in addition to its URL.

use std::fs::File;
use std::path::{Path, PathBuf};

use paytend_crypto::keys::{FilePermissions, require_owner_only};
use paytend_store_nats::NatsOptions;
use serde::Deserialize;

use crate::cmd::inbox::config::{Span, read_store};
use crate::exit::{Category, Failure};

/// The environment variable that contains the URL for the system account. The URL can contain a password.
const SYSTEM_URL: &str = "PAYTEND_NATS_SYSTEM_URL";

/// The credentials for NATS servers. Settings that the configuration file does not contain are read from environment
/// variables.
#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub(crate) struct NatsSettings {
    /// The credentials file of the account that holds the store.
    credentials_file: Option<PathBuf>,
    /// A file that contains the URL for the system account.
    system_url_file: Option<PathBuf>,
    /// The credentials file of the system account.
    system_credentials_file: Option<PathBuf>,
    /// A PEM file with the certificate authorities to trust instead of the operating system's authorities.
    ca_file: Option<PathBuf>,
    /// A PEM file with this program's certificate chain, for servers that require a client certificate.
    certificate_file: Option<PathBuf>,
    /// A PEM file with the private key for the client certificate.
    key_file: Option<PathBuf>,
    /// The name of the store, if the account contains several stores.
    name: Option<String>,
    /// How long processed notifications are remembered. A duplicate that arrives later is processed again.
    pub(crate) forget_after: Option<Span>,
}

impl NatsSettings {
    /// Returns mutable references to all file paths, so that relative paths can be resolved.
    pub(crate) fn files(&mut self) -> impl Iterator<Item = &mut PathBuf> {
        let logins = [&mut self.credentials_file, &mut self.system_url_file, &mut self.system_credentials_file];
        let tls = [&mut self.ca_file, &mut self.certificate_file, &mut self.key_file];
        logins.into_iter().chain(tls).flatten()
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
        self.tls(options, permissions)
    }

    /// Sets the files for TLS: the certificate authorities, the client certificate and its private key.
    fn tls(&self, mut options: NatsOptions, permissions: FilePermissions) -> Result<NatsOptions, Failure> {
        let public = |configured: &Option<PathBuf>, name| configured.clone().or_else(|| variable(name).map(Into::into));
        if let Some(file) = public(&self.ca_file, "PAYTEND_NATS_CA_FILE") {
            options = options.ca_file(file);
        }
        let certificate = public(&self.certificate_file, "PAYTEND_NATS_CERTIFICATE_FILE");
        match (certificate, file(self.key_file.as_ref(), "PAYTEND_NATS_KEY_FILE", permissions)?) {
            (Some(certificate), Some(key)) => Ok(options.client_certificate(certificate, key)),
            (None, None) => Ok(options),
            _ => Err(Failure::new(
                Category::Configuration,
                "a client certificate for NATS needs both files: set `nats.certificate_file` and `nats.key_file`, or \
                 PAYTEND_NATS_CERTIFICATE_FILE and PAYTEND_NATS_KEY_FILE",
            )),
        }
    }
}

fn variable(name: &str) -> Option<String> {
    std::env::var(name).ok().filter(|value| !value.is_empty())
}

/// Returns the path of a file with a secret, from the configuration or the environment variable. The file must be
/// accessible only to its owner.
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn client_certificate_needs_its_key() {
        let options = |settings: NatsSettings| settings.options("tls://host", FilePermissions::OwnerOnly);
        let files = [(Some("cert.pem".into()), None), (None, Some("key.pem".into()))];
        for (certificate_file, key_file) in files {
            // The error is about the missing option, or about `key.pem`, which does not exist.
            let error = options(NatsSettings { certificate_file, key_file, ..NatsSettings::default() }).unwrap_err();
            let text = error.message();
            assert!(text.contains("needs both files") || text.starts_with("cannot read key.pem"), "{text}");
        }
        assert!(options(NatsSettings { ca_file: Some("ca.pem".into()), ..NatsSettings::default() }).is_ok());
    }
}
