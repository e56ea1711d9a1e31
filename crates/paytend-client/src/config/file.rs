//! Client configuration from environment variables, and from files with profiles.

#[cfg(test)]
mod tests;
mod variables;

use std::collections::BTreeMap;
use std::fmt;
use std::io::Read as _;
use std::path::{Path, PathBuf};
use std::time::Duration;

use paytend_crypto::keys::{FilePermissions, require_owner_only};
use paytend_crypto::rsa::Backend;
use paytend_crypto::rustcrypto::RustCrypto;
use paytend_crypto::{Passphrase, PrivateKey, PublicKey};
use serde::Deserialize;
use serde::de::IgnoredAny;
use zeroize::Zeroizing;

use self::variables::environment;
use super::builder::ClientBuilder;
use super::environment::Environment;
use super::keys::{KeyEntries, KeyMaterial, Origin, PASSPHRASE};
use crate::client::Client;
use crate::error::Error;
use crate::policy::order_states::OrderStates;
use crate::policy::resolution::Resolution;

/// The profile field that names a keyring entry.
const KEYRING: &str = "private_key_keyring";

/// The settings from a profile or from the environment variables.
#[derive(Default, Deserialize)]
#[serde(deny_unknown_fields)]
struct Profile {
    environment: Option<String>,
    base_url: Option<String>,
    partner_id: Option<String>,
    private_key_file: Option<PathBuf>,
    #[serde(default, deserialize_with = "secret")]
    private_key: Option<Zeroizing<String>>,
    private_key_keyring: Option<String>,
    private_key_passphrase_file: Option<PathBuf>,
    /// The private key's passphrase from the environment. It cannot be set in a file.
    #[serde(skip)]
    passphrase: Option<Passphrase>,
    public_key_file: Option<PathBuf>,
    public_key: Option<String>,
    proxy: Option<String>,
    root_certificates_file: Option<PathBuf>,
    client_certificate_file: Option<PathBuf>,
    #[serde(default)]
    danger_any_permissions: bool,
    connect_timeout_seconds: Option<u32>,
    attempt_timeout_seconds: Option<u32>,
    deadline_seconds: Option<u32>,
    max_in_flight: Option<usize>,
    user_agent: Option<String>,
    #[serde(default)]
    unknown_order_codes: Vec<String>,
    #[serde(default)]
    order_states: States,
    #[serde(default)]
    response_names: BTreeMap<String, Vec<String>>,
    #[serde(default)]
    paths: BTreeMap<String, String>,
    /// Settings for receivers, which a client ignores.
    #[serde(default, rename = "payby_public_key_file")]
    _payby_public_key_file: IgnoredAny,
    #[serde(default, rename = "payermax_public_key_file")]
    _payermax_public_key_file: IgnoredAny,
}

/// The status codes of processing, succeeded and failed orders.
#[derive(Default, Deserialize)]
#[serde(default, deny_unknown_fields)]
struct States {
    processing: Vec<String>,
    succeeded: Vec<String>,
    failed: Vec<String>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct File {
    profiles: BTreeMap<String, Profile>,
}

impl ClientBuilder {
    /// Creates a builder from environment variables:
    ///
    /// | variable | value |
    /// |---|---|
    /// | `PAYTEND_ENVIRONMENT` or `PAYTEND_BASE_URL` | `sandbox`, or a base URL |
    /// | `PAYTEND_PARTNER_ID` | the partner ID, 15 characters |
    /// | `PAYTEND_PRIVATE_KEY` or `PAYTEND_PRIVATE_KEY_FILE` | the partner's private key, or the path of its file |
    /// | `PAYTEND_PASSPHRASE` or `PAYTEND_PASSPHRASE_FILE` | optional: the key's passphrase, or the path of its file |
    /// | `PAYTEND_PUBLIC_KEY` or `PAYTEND_PUBLIC_KEY_FILE` | Paytend's public key, or the path of its file |
    /// | `PAYTEND_CLIENT_CERTIFICATE_FILE` | optional: the path of a certificate and its private key, for mTLS |
    /// | `PAYTEND_PROXY` | optional: the proxy's URL |
    /// | `PAYTEND_DEADLINE_SECONDS` | optional: the deadline of a call, in seconds |
    /// | `PAYTEND_DANGER_ANY_PERMISSIONS` | optional: `1` accepts private key files with any permissions |
    ///
    /// All other options can be set on the builder. To use a faster RSA implementation, call
    /// [`backend`](Self::backend).
    ///
    /// # Errors
    /// Returns an error of kind [`Configuration`](crate::ErrorKind::Configuration) that names the invalid variable.
    pub fn from_env() -> Result<Self, Error> {
        environment().builder()
    }

    /// Creates a builder from a profile in a TOML file:
    ///
    /// ```toml
    /// [profiles.sandbox]
    /// environment = "sandbox"                # or base_url = "https://…"
    /// partner_id = "888666000100260"
    /// private_key_file = "partner-private.pem" # relative to this file; or private_key = "MIIC…"; or
    ///                                        # private_key_keyring = "…", see from_file_with_keyring
    /// public_key_file = "paytend-public.b64" # or public_key = "MIGf…"
    /// private_key_passphrase_file = "phrase" # for an encrypted private key; or PAYTEND_PASSPHRASE in the environment
    /// deadline_seconds = 60                  # this and all following fields are optional
    /// attempt_timeout_seconds = 30
    /// connect_timeout_seconds = 10
    /// max_in_flight = 32
    /// proxy = "http://proxy.example:3128"
    /// root_certificates_file = "roots.pem"
    /// client_certificate_file = "client.pem" # certificate and private key, for mTLS
    /// danger_any_permissions = false         # true accepts mounted secrets of mode 0440 or 0444
    /// user_agent = "example/1.0"
    /// unknown_order_codes = ["1044"]         # see Resolution
    /// order_states = { processing = ["1"], succeeded = ["2"], failed = ["3"] }
    /// response_names = { topup = ["orderNo"] }
    /// paths = { "baas.getUser" = "/iban/account/queryUser" }
    /// payby_public_key_file = "payby-public.b64" # for receivers such as `paytend listen`; not used by a client
    /// payermax_public_key_file = "payermax-public.b64"
    /// ```
    ///
    /// The local sandbox writes a file in this format: `paytend sandbox --keys keys` creates `keys/paytend.toml`.
    ///
    /// On Unix, a file that contains a private key is refused if its group or others have access to it. This applies
    /// to the files of the signing key, its passphrase and the client certificate. It also applies to the TOML file
    /// if any profile has a `private_key`.
    ///
    /// Keys are read in all formats that [`PrivateKey::from_bytes`](paytend_crypto::PrivateKey::from_bytes) and
    /// [`PublicKey::from_bytes`](paytend_crypto::PublicKey::from_bytes) support. Each file is opened only once, so it
    /// can be a FIFO.
    ///
    /// # Errors
    /// Returns an error of kind [`Configuration`](crate::ErrorKind::Configuration) that names the line or the field.
    pub fn from_file(path: impl AsRef<Path>, profile: &str) -> Result<Self, Error> {
        let path = path.as_ref();
        let mut settings = Profile::read(path, profile)?;
        settings.passphrase = passphrase(std::env::var_os(PASSPHRASE));
        settings.builder(folder(path), &Origin::profile(profile))
    }

    /// Returns the partner's private key and Paytend's public key, as read by [`from_env`](Self::from_env) or
    /// [`from_file`](Self::from_file). Use them to create a notification receiver with the same keys. Returns `None` if
    /// the builder has a keyring instead.
    pub fn keys(&self) -> Option<(&PrivateKey, &PublicKey)> {
        self.read_keys().map(KeyMaterial::keys)
    }

    /// Sets the backend for the keys read by [`from_env`](Self::from_env) or [`from_file`](Self::from_file). The
    /// default is the pure-Rust backend.
    ///
    /// ```no_run
    /// # fn example() -> Result<(), paytend_client::Error> {
    /// use paytend_client::ClientBuilder;
    /// use paytend_crypto_aws_lc::AwsLc;
    ///
    /// let client = ClientBuilder::from_env()?.backend(&AwsLc).build()?;
    /// # Ok(())
    /// # }
    /// ```
    ///
    /// [`build`](Self::build) returns an error if the backend cannot load the keys, or if this method is called after
    /// [`keyring`](Self::keyring). The keys of a keyring already have a backend; see
    /// [`KeyringBuilder::backend`](paytend_crypto::KeyringBuilder::backend). A later call to `keyring` replaces both
    /// the keys and their backend.
    pub fn backend(self, backend: &dyn Backend) -> Self {
        let keyring = match self.read_keys() {
            Some(keys) => keys.keyring(backend),
            None => Err(wrong("backend", "the keys of a keyring already have a backend; use KeyringBuilder::backend")),
        };
        self.with_keyring(keyring)
    }
}

fn passphrase(text: Option<std::ffi::OsString>) -> Option<Passphrase> {
    text.filter(|text| !text.is_empty()).map(|text| Passphrase::new(text.into_encoded_bytes()))
}

/// Returns the folder that a profile's file paths are relative to.
fn folder(path: &Path) -> &Path {
    path.parent().unwrap_or(Path::new(""))
}

impl Profile {
    /// Reads a profile from a file.
    fn read(path: &Path, profile: &str) -> Result<Self, Error> {
        let (opened, text) = read_text(path)
            .map_err(|error| wrong(&format!("cannot read the configuration file {}", path.display()), error.kind()))?;
        let file: File = toml::from_str(&text).map_err(|error| {
            let before = error.span().and_then(|span| text.get(..span.start)).unwrap_or_default();
            wrong(
                &format!("{}, line {}", path.display(), before.matches('\n').count() + 1),
                without_value(error.message()),
            )
        })?;
        // A user who can read the file can read the private keys of all profiles. The permissions are therefore checked
        // unless every profile that contains a private key accepts any permissions.
        let guarded =
            file.profiles.values().any(|profile| profile.private_key.is_some() && !profile.danger_any_permissions);
        let names = file.profiles.keys().cloned().collect::<Vec<_>>().join(", ");
        let Some(profile) = { file.profiles }.remove(profile) else {
            return Err(wrong(&format!("profile `{profile}`"), format_args!("not found; available profiles: {names}")));
        };
        if guarded {
            require_owner_only(path, &opened).map_err(|error| wrong("private_key", error))?;
        }
        Ok(profile)
    }

    /// Reads the private key from the keyring, if the profile names an entry and no variable replaces it.
    fn read_keyring<E: fmt::Display>(
        &mut self,
        origin: &Origin,
        read: impl FnOnce(&str) -> Result<Zeroizing<String>, E>,
    ) -> Result<(), Error> {
        let Some(entry) = self.private_key_keyring.take().filter(|_| !origin.has_changed("private_key")) else {
            return Ok(());
        };
        if self.private_key.is_some() || self.private_key_file.is_some() {
            return Err(origin.wrong(&["private_key", "private_key_file", KEYRING], "set only one of them"));
        }
        self.private_key = Some(read(&entry).map_err(|error| origin.wrong(&[KEYRING], error))?);
        Ok(())
    }

    /// Creates the builder. File paths are relative to `folder`.
    fn builder(self, folder: &Path, origin: &Origin) -> Result<ClientBuilder, Error> {
        let environment = match (self.environment.as_deref(), self.base_url) {
            (None, Some(url)) => Environment::BaseUrl(url),
            (Some("sandbox"), None) => Environment::Sandbox,
            (Some(_), None) => {
                return Err(origin.wrong(&["environment"], "only `sandbox` has a known URL; set the base URL instead"));
            }
            (Some(_), Some(_)) => return Err(origin.wrong(&["environment", "base_url"], "set one of them, not both")),
            (None, None) => return Err(origin.wrong(&["environment", "base_url"], "set one of them; neither is set")),
        };
        let permissions =
            if self.danger_any_permissions { FilePermissions::DangerAny } else { FilePermissions::OwnerOnly };
        if self.private_key_keyring.is_some() {
            return Err(origin.wrong(&[KEYRING], "this program does not read a keyring; use private_key_file"));
        }
        let keys = KeyEntries {
            private_key: self.private_key,
            private_key_file: self.private_key_file,
            passphrase_file: self.private_key_passphrase_file,
            passphrase: self.passphrase,
            public_key: self.public_key,
            public_key_file: self.public_key_file,
        };
        let keys = keys.read(folder, permissions, origin)?;
        let keyring = keys.keyring(&RustCrypto)?;
        let partner_id = self.partner_id.ok_or_else(|| origin.wrong(&["partner_id"], "not set"))?;
        let mut builder = Client::builder(environment, partner_id, keyring).key_material(keys);
        if !self.unknown_order_codes.is_empty() {
            builder = builder.resolution(Resolution::new().unknown_order_codes(self.unknown_order_codes));
        }
        builder = builder.danger_any_permissions(self.danger_any_permissions);
        let States { processing, succeeded, failed } = self.order_states;
        builder = builder.order_states(OrderStates::new().processing(processing).succeeded(succeeded).failed(failed));
        for (operation, names) in self.response_names {
            builder = builder.response_names(operation, names);
        }
        for (operation, path) in self.paths {
            builder = builder.path(operation, path);
        }
        let seconds = |count: u32| Duration::from_secs(count.into());
        let read =
            |field: &str, path: PathBuf| std::fs::read(folder.join(path)).map_err(|e| origin.wrong(&[field], e.kind()));
        if let Some(url) = self.proxy {
            builder = builder.proxy(url);
        }
        if let Some(path) = self.root_certificates_file {
            builder = builder.root_certificates(read("root_certificates_file", path)?);
        }
        if let Some(path) = self.client_certificate_file {
            builder = builder.client_certificate_file(folder.join(path));
        }
        if let Some(count) = self.connect_timeout_seconds {
            builder = builder.connect_timeout(seconds(count));
        }
        if let Some(count) = self.attempt_timeout_seconds {
            builder = builder.attempt_timeout(seconds(count));
        }
        if let Some(count) = self.deadline_seconds {
            builder = builder.deadline(seconds(count));
        }
        if let Some(most) = self.max_in_flight {
            builder = builder.max_in_flight(most);
        }
        if let Some(text) = self.user_agent {
            builder = builder.user_agent(text);
        }
        Ok(builder)
    }
}

/// Deserializes a string that is wiped on drop.
fn secret<'de, D: serde::Deserializer<'de>>(from: D) -> Result<Option<Zeroizing<String>>, D::Error> {
    String::deserialize(from).map(|text| Some(Zeroizing::new(text)))
}

/// Opens and reads a file. Returns the open file and its content, which may contain a private key.
fn read_text(path: &Path) -> std::io::Result<(std::fs::File, Zeroizing<String>)> {
    let mut file = std::fs::File::open(path)?;
    let mut text = Zeroizing::new(String::new());
    file.read_to_string(&mut text)?;
    Ok((file, text))
}

/// Removes the value from a TOML error message, because a value of the wrong type may be a misplaced key.
fn without_value(message: &str) -> String {
    match message.rsplit_once(", expected ") {
        Some((what, expected)) if what.starts_with("invalid ") => format!("invalid value, expected {expected}"),
        _ if message.starts_with("invalid ") => "invalid value".to_owned(),
        _ => message.to_owned(),
    }
}

fn wrong(what: &str, why: impl fmt::Display) -> Error {
    Error::configuration(format!("{what}: {why}"))
}
