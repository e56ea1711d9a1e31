//! The options that select a connection to the API, shared by all commands that call it.

use std::path::{Path, PathBuf};

use clap::Args;
use paytend_client::{Client, ClientBuilder, Environment};
use paytend_crypto::keys::FilePermissions;
use paytend_crypto::{KeyError, Keyring, Passphrase, PrivateKey, PublicKey};

use crate::exit::{Category, Failure};
use crate::keyfiles::key_failure;
use crate::profiles::{ProfilesFile, variable};

/// The names of the files in a key directory. `paytend sandbox --keys` creates such a directory.
pub(crate) const PARTNER_PRIVATE: &str = "partner-private.pem";
pub(crate) const PARTNER_ID: &str = "partner-id";
pub(crate) const PAYTEND_PUBLIC: &str = "paytend-public.b64";
pub(crate) const SANDBOX_PROFILES: &str = "paytend.toml";
/// The name of the profile in `paytend.toml`.
pub(crate) const SANDBOX_PROFILE: &str = "sandbox";

#[derive(Args, Clone, Debug)]
pub(crate) struct ConnectionArgs {
    /// The profile to use; `paytend config list` lists the profiles [env: PAYTEND_PROFILE]
    #[arg(long, value_name = "NAME", conflicts_with = "keys")]
    profile: Option<String>,
    /// A directory with keys and settings, such as a directory of `paytend sandbox --keys`, instead of a profile
    #[arg(long, value_name = "DIR")]
    keys: Option<PathBuf>,
    /// The base URL of the API. It overrides the URL in the settings
    #[arg(long, value_name = "URL")]
    base_url: Option<String>,
}

impl ConnectionArgs {
    /// Returns a builder for the selected connection. The settings come from the options, from a profile with overrides
    /// in environment variables, or only from environment variables.
    pub(crate) fn builder(&self) -> Result<ClientBuilder, Failure> {
        let builder = match &self.keys {
            Some(directory) => from_directory(directory, self.base_url.as_deref())?,
            None => self.profile_builder()?,
        };
        Ok(match &self.base_url {
            Some(url) => builder.environment(Environment::BaseUrl(url.clone())),
            None => builder,
        })
    }

    fn profile_builder(&self) -> Result<ClientBuilder, Failure> {
        let file = ProfilesFile::locate()?;
        match file.selected(self.profile.as_deref(), &file.read()?)? {
            Some(name) => Ok(ClientBuilder::from_file_and_env(&file.path, &name)?),
            None if in_environment() => Ok(ClientBuilder::from_env()?),
            None => Err(Failure::new(
                Category::Configuration,
                "no connection is configured: give --profile NAME or --keys DIR, or run `paytend config init`",
            )),
        }
    }
}

/// Returns whether environment variables configure a connection.
fn in_environment() -> bool {
    ["PRIVATE_KEY", "PRIVATE_KEY_FILE", "PARTNER_ID", "BASE_URL", "ENVIRONMENT"]
        .iter()
        .any(|name| variable(&format!("PAYTEND_{name}")).is_some())
}

/// Returns a builder for the keys in a directory. The other settings are in its `paytend.toml`, if there is one.
fn from_directory(directory: &Path, base_url: Option<&str>) -> Result<ClientBuilder, Failure> {
    let profiles = directory.join(SANDBOX_PROFILES);
    if profiles.exists() {
        return Ok(ClientBuilder::from_file(profiles, SANDBOX_PROFILE)?);
    }
    let url = base_url.ok_or_else(|| {
        Failure::usage(format!("no base URL: give --base-url URL, because {} does not exist", profiles.display()))
    })?;
    let own = private(&directory.join(PARTNER_PRIVATE))?;
    let file = directory.join(PAYTEND_PUBLIC);
    let paytend = PublicKey::from_file(&file).map_err(|error| key_failure(&file.display().to_string(), &error))?;
    let id = directory.join(PARTNER_ID);
    let id = std::fs::read_to_string(&id)
        .map_err(|error| Failure::new(Category::Configuration, format!("cannot read {}: {error}", id.display())))?;
    let keyring = Keyring::from_keys(&own, &paytend)?;
    Ok(Client::builder(Environment::BaseUrl(url.to_owned()), id.trim(), keyring))
}

/// Reads a private key file. The passphrase of an encrypted key is read from `PAYTEND_PASSPHRASE`.
fn private(path: &Path) -> Result<PrivateKey, Failure> {
    let passphrase = variable("PAYTEND_PASSPHRASE").map(|text| Passphrase::new(text.into_bytes()));
    let read = PrivateKey::read_file(path, FilePermissions::OwnerOnly, passphrase.as_ref());
    read.map_err(|error: KeyError| key_failure(&path.display().to_string(), &error))
}

/// Returns whether a client is connected to the provider's sandbox or to a sandbox on this machine.
pub(crate) fn is_sandbox(client: &Client) -> bool {
    let url = client.base_url();
    let host = url::Url::parse(url).ok().and_then(|url| url.host_str().map(str::to_owned)).unwrap_or_default();
    let address = host.trim_matches(['[', ']']).parse::<std::net::IpAddr>();
    url == Environment::Sandbox.url() || host == "localhost" || address.is_ok_and(|address| address.is_loopback())
}
