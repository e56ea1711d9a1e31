//! The options that select a connection to the API, shared by all commands that call it.

use std::path::{Path, PathBuf};
use std::time::Duration;

use clap::Args;
use paytend_client::{Client, ClientBuilder, Environment};
use paytend_crypto::keys::FilePermissions;
use paytend_crypto::{KeyError, Keyring, Passphrase, PrivateKey, PublicKey};

use crate::exit::{Category, Failure};
use crate::keyfiles::key_failure;
use crate::keyring;
use crate::profiles::{ProfilesFile, variable};

/// The names of the files in a key directory. `paytend sandbox --keys` creates such a directory.
pub(crate) const PARTNER_PRIVATE: &str = "partner-private.pem";
pub(crate) const PARTNER_ID: &str = "partner-id";
pub(crate) const PAYTEND_PUBLIC: &str = "paytend-public.b64";
pub(crate) const SANDBOX_PROFILES: &str = "paytend.toml";
/// The name of the profile in `paytend.toml`.
pub(crate) const SANDBOX_PROFILE: &str = "sandbox";

/// The title in the OpenAPI description of the control interface.
const CONTROL_TITLE: &str = "Paytend sandbox: control interface";
const IDENTIFICATION_TIMEOUT: Duration = Duration::from_secs(5);
/// The maximum size of the OpenAPI description, in bytes.
const MAX_DESCRIPTION: usize = 4 << 20;

#[derive(Args, Clone, Debug)]
pub(crate) struct ConnectionArgs {
    /// The profile to use; `paytend config list` lists the profiles [env: PAYTEND_PROFILE]
    #[arg(long, value_name = "NAME", conflicts_with = "keys")]
    pub(crate) profile: Option<String>,
    /// A directory with keys and settings, such as one created by `paytend sandbox --keys`, instead of a profile
    #[arg(long, value_name = "DIR")]
    pub(crate) keys: Option<PathBuf>,
    /// The base URL of the API. It overrides the URL in the settings
    #[arg(long, value_name = "URL")]
    pub(crate) base_url: Option<String>,
}

impl ConnectionArgs {
    /// Returns whether an option selects the connection.
    pub(crate) fn is_given(&self) -> bool {
        self.profile.is_some() || self.keys.is_some() || self.base_url.is_some()
    }

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
            Some(name) => Ok(ClientBuilder::from_file_with_keyring(&file.path, &name, keyring::read)?),
            None if in_environment() => Ok(ClientBuilder::from_env()?),
            None => Err(Failure::new(
                Category::Configuration,
                "no connection is configured: pass --profile NAME or --keys DIR, or run `paytend config init`",
            )),
        }
    }
}

/// Returns whether environment variables configure a connection.
pub(crate) fn in_environment() -> bool {
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
        Failure::usage(format!("no base URL: pass --base-url URL, because {} does not exist", profiles.display()))
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

/// Returns whether a client is connected to the provider's sandbox, or to a sandbox on this machine.
///
/// A loopback address alone proves nothing, because it can be the end of a tunnel to production. A sandbox on this
/// machine is therefore recognized by the OpenAPI description of its control interface, which needs no token.
pub(crate) async fn is_sandbox(client: &Client) -> bool {
    let url = client.base_url();
    if url == Environment::Sandbox.url() {
        return true;
    }
    let host = url::Url::parse(url).ok().and_then(|url| url.host_str().map(str::to_owned)).unwrap_or_default();
    let address = host.trim_matches(['[', ']']).parse::<std::net::IpAddr>();
    if host != "localhost" && !address.is_ok_and(|address| address.is_loopback()) {
        return false;
    }
    let builder = reqwest::Client::builder().no_proxy().redirect(reqwest::redirect::Policy::none());
    let Ok(http) = builder.timeout(IDENTIFICATION_TIMEOUT).build() else { return false };
    let Ok(mut response) = http.get(format!("{url}/_sandbox/openapi.json")).send().await else { return false };
    let mut text = Vec::new();
    while let Ok(Some(piece)) = response.chunk().await {
        text.extend_from_slice(&piece);
        if text.len() > MAX_DESCRIPTION {
            return false;
        }
    }
    let description: serde_json::Value = serde_json::from_slice(&text).unwrap_or_default();
    response.status().is_success() && description["info"]["title"] == CONTROL_TITLE
}
