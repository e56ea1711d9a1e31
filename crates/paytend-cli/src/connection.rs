//! The options that select a connection to the API or its keys, shared by all commands that need them.

use std::path::{Path, PathBuf};
use std::time::Duration;

use clap::Args;
use paytend_client::{Client, ClientBuilder, Environment};
use paytend_crypto::keys::FilePermissions;
use paytend_crypto::{Keyring, PublicKey};

use crate::exit::{Category, Failure};
use crate::keyfiles::{key_failure, private_in_directory};
use crate::keyring;
use crate::profiles::{ProfilesFile, variable};
use crate::settings::Settings;

/// The names of the files in a key directory. `paytend sandbox --keys` creates such a directory.
pub(crate) const PARTNER_PRIVATE: &str = "partner-private.pem";
pub(crate) const PARTNER_ID: &str = "partner-id";
pub(crate) const PAYTEND_PUBLIC: &str = "paytend-public.b64";
pub(crate) const PAYBY_PUBLIC: &str = "payby-public.b64";
pub(crate) const PAYERMAX_PUBLIC: &str = "payermax-public.b64";
pub(crate) const SANDBOX_PROFILES: &str = "paytend.toml";
/// The name of the profile in `paytend.toml`.
pub(crate) const SANDBOX_PROFILE: &str = "sandbox";

/// The title in the OpenAPI description of the control interface.
const CONTROL_TITLE: &str = "Paytend sandbox: control interface";
const IDENTIFICATION_TIMEOUT: Duration = Duration::from_secs(5);
/// The maximum size of the OpenAPI description, in bytes.
const MAX_DESCRIPTION: usize = 4 << 20;

/// The options that select a connection to the API.
#[derive(Args, Clone, Debug)]
pub(crate) struct ConnectionArgs {
    #[command(flatten)]
    pub(crate) selection: SelectionArgs,
    /// The base URL of the API. It overrides the URL in the settings
    #[arg(long, value_name = "URL")]
    pub(crate) base_url: Option<String>,
}

/// The options that select keys and settings. Commands that do not call the API have only these options.
#[derive(Args, Clone, Debug)]
pub(crate) struct SelectionArgs {
    /// The profile to use; `paytend config list` lists the profiles [env: PAYTEND_PROFILE]
    #[arg(long, value_name = "NAME", conflicts_with = "keys")]
    profile: Option<String>,
    /// A directory with keys and settings, such as one created by `paytend sandbox --keys`, instead of a profile
    #[arg(long, value_name = "DIR")]
    pub(crate) keys: Option<PathBuf>,
}

/// The source of a connection's settings.
pub(crate) enum Origin {
    /// The user's profile with this name.
    Profile { name: String, file: ProfilesFile },
    /// The profile in the `paytend.toml` of a key directory.
    DirectoryProfile { directory: PathBuf, file: PathBuf },
    /// A key directory without a profile.
    Directory(PathBuf),
    /// Only environment variables.
    Variables,
}

impl ConnectionArgs {
    /// Returns whether an option selects the connection.
    pub(crate) fn is_given(&self) -> bool {
        self.selection.is_given() || self.base_url.is_some()
    }

    /// Returns a builder for the selected connection.
    pub(crate) fn builder(&self) -> Result<ClientBuilder, Failure> {
        self.selection.builder(self.base_url.as_deref())
    }

    /// Reads the settings of the selected connection.
    pub(crate) fn settings(&self) -> Result<Settings, Failure> {
        Settings::read(self.selection.origin()?, self.base_url.as_deref())
    }
}

impl SelectionArgs {
    /// Returns whether an option selects the keys.
    pub(crate) fn is_given(&self) -> bool {
        self.profile.is_some() || self.keys.is_some()
    }

    /// Reads the selected settings.
    pub(crate) fn settings(&self) -> Result<Settings, Failure> {
        Settings::read(self.origin()?, None)
    }

    /// Returns a builder for a connection with the selected keys. The settings come from the options, from a profile
    /// with overrides in environment variables, or only from environment variables.
    pub(crate) fn builder(&self, base_url: Option<&str>) -> Result<ClientBuilder, Failure> {
        let builder = match self.origin()? {
            Origin::Profile { name, file } => ClientBuilder::from_file_with_keyring(&file.path, &name, keyring::read)?,
            Origin::DirectoryProfile { file, .. } => ClientBuilder::from_file(file, SANDBOX_PROFILE)?,
            Origin::Directory(directory) => from_directory(&directory, base_url)?,
            Origin::Variables => ClientBuilder::from_env()?,
        };
        Ok(match base_url {
            Some(url) => builder.environment(Environment::BaseUrl(url.to_owned())),
            None => builder,
        })
    }

    /// Finds the source of the settings.
    fn origin(&self) -> Result<Origin, Failure> {
        if let Some(directory) = self.keys.clone() {
            let file = directory.join(SANDBOX_PROFILES);
            return Ok(match file.exists() {
                true => Origin::DirectoryProfile { directory, file },
                false => Origin::Directory(directory),
            });
        }
        let file = ProfilesFile::locate()?;
        match file.selected(self.profile.as_deref(), &file.read()?)? {
            Some(name) => Ok(Origin::Profile { name, file }),
            None if in_environment() => Ok(Origin::Variables),
            None => Err(Failure::new(
                Category::Configuration,
                "no connection is configured: pass --profile NAME or --keys DIR, or run `paytend config init`",
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

/// Returns a builder for the keys in a directory without a profile.
fn from_directory(directory: &Path, base_url: Option<&str>) -> Result<ClientBuilder, Failure> {
    let url = base_url.ok_or_else(|| {
        let profiles = directory.join(SANDBOX_PROFILES);
        Failure::usage(format!("no base URL: pass --base-url URL, because {} does not exist", profiles.display()))
    })?;
    let own = private_in_directory(&directory.join(PARTNER_PRIVATE), FilePermissions::OwnerOnly)?;
    let file = directory.join(PAYTEND_PUBLIC);
    let paytend = PublicKey::from_file(&file).map_err(|error| key_failure(&file.display().to_string(), &error))?;
    let id = partner_id(directory)?;
    let keyring = Keyring::from_keys(&own, &paytend)?;
    Ok(Client::builder(Environment::BaseUrl(url.to_owned()), id, keyring))
}

/// Reads the partner ID in a key directory.
pub(crate) fn partner_id(directory: &Path) -> Result<String, Failure> {
    let file = directory.join(PARTNER_ID);
    let id = std::fs::read_to_string(&file).map_err(|error| {
        let next = "pass a directory such as one created by `paytend sandbox --keys`";
        Failure::new(Category::Configuration, format!("cannot read {}: {error}; {next}", file.display()))
    })?;
    Ok(id.trim().to_owned())
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
