//! The connection to the provider.

use std::path::{Path, PathBuf};

use clap::Args;
use paytend_client::{Client, ClientBuilder, Environment};
use paytend_crypto::{Keyring, PrivateKey, PublicKey};
use paytend_crypto_aws_lc::AwsLc;

use crate::exit::{Category, Failure};
use crate::keyfiles::{PermissionArgs, key_failure};

/// The options that select the provider and the keys.
#[derive(Args)]
pub(crate) struct ConnectionArgs {
    /// The profile with the connection settings. Without this option and without --keys, the environment variables
    /// PAYTEND_BASE_URL, PAYTEND_PARTNER_ID, PAYTEND_PRIVATE_KEY_FILE and PAYTEND_PUBLIC_KEY_FILE are used
    #[arg(long, value_name = "NAME", conflicts_with_all = ["keys", "base_url"])]
    profile: Option<String>,
    /// The file with the profiles
    #[arg(long, value_name = "FILE", default_value = "paytend.toml")]
    profile_file: PathBuf,
    /// The directory with partner-private.pem, paytend-public.b64 and partner-id, as `paytend sandbox` writes it
    #[arg(long, value_name = "DIR", requires = "base_url")]
    keys: Option<PathBuf>,
    /// The base URL of the API
    #[arg(long, value_name = "URL", requires = "keys")]
    base_url: Option<String>,
    #[command(flatten)]
    permissions: PermissionArgs,
}

impl ConnectionArgs {
    /// Creates a client.
    pub(crate) fn client(&self) -> Result<Client, Failure> {
        Ok(self.builder()?.build()?)
    }

    fn builder(&self) -> Result<ClientBuilder, Failure> {
        match (&self.profile, &self.keys, &self.base_url) {
            (Some(profile), _, _) => {
                let builder = ClientBuilder::from_file(&self.profile_file, profile).map_err(|error| {
                    Failure::new(Category::Configuration, format!("{}: {error}", self.profile_file.display()))
                })?;
                Ok(builder.backend(&AwsLc))
            }
            (None, Some(keys), Some(url)) => self.key_directory(keys, url),
            _ => Ok(ClientBuilder::from_env()?.backend(&AwsLc)),
        }
    }

    fn key_directory(&self, directory: &Path, url: &str) -> Result<ClientBuilder, Failure> {
        let file = |name: &str| directory.join(name);
        let named = |path: &Path| path.display().to_string();
        let id = std::fs::read_to_string(file("partner-id")).map_err(|error| {
            Failure::new(Category::Configuration, format!("cannot read {}: {error}", named(&file("partner-id"))))
        })?;
        let private = file("partner-private.pem");
        let own = PrivateKey::read_file(&private, self.permissions.file_permissions(), None)
            .map_err(|error| key_failure(&named(&private), &error))?;
        let public = file("paytend-public.b64");
        let peer = PublicKey::from_file(&public).map_err(|error| key_failure(&named(&public), &error))?;
        let keyring = Keyring::builder().backend(&AwsLc).own_key(&own).peer_key(&peer).build()?;
        Ok(Client::builder(Environment::BaseUrl(url.to_owned()), id.trim(), keyring))
    }

    /// Returns what identifies the provider, so that a fetch from a different one is not continued.
    pub(crate) fn name(&self) -> String {
        match (&self.profile, &self.base_url) {
            (Some(profile), _) => format!("profile {profile} in {}", self.profile_file.display()),
            (None, Some(url)) => url.clone(),
            (None, None) => "environment".to_owned(),
        }
    }
}
