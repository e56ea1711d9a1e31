//! Reads the settings of a connection without creating a client. Commands such as `paytend doctor` can then check each
//! setting, whereas creating a client fails at the first problem.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use paytend_client::Environment;
use paytend_crypto::keys::FilePermissions;
use paytend_crypto::{KeyError, PrivateKey, PublicKey};
use toml_edit::{DocumentMut, Item};
use zeroize::Zeroizing;

use crate::cmd::config::fields::VARIABLES;
use crate::connection::{Origin, PARTNER_PRIVATE, PAYTEND_PUBLIC, SANDBOX_PROFILE, partner_id};
use crate::exit::{Category, Failure};
use crate::inputs::{Inputs, PASSPHRASE_VARIABLE};
use crate::keyfiles::{BACKEND, backend_failure, key_failure};
use crate::keyring;
use crate::profiles::{ProfilesFile, names, variable};

/// The setting with the file that contains the private key's passphrase.
const PASSPHRASE_FILE: &str = "private_key_passphrase_file";

/// Groups of alternative settings. At most one setting of each group can be set.
const ALTERNATIVES: &[&[&str]] = &[
    &["environment", "base_url"],
    &["private_key", "private_key_file", "private_key_keyring"],
    &["public_key", "public_key_file"],
];

/// The settings that name the key files for PayBy's and PayerMax's notifications.
pub(crate) const PAYBY_KEY: &str = "payby_public_key_file";
pub(crate) const PAYERMAX_KEY: &str = "payermax_public_key_file";

/// The settings of a connection.
pub(crate) struct Settings {
    /// The profile, the directory or the variables that contain the settings.
    pub(crate) source: String,
    pub(crate) origin: Origin,
    /// The settings that are replaced, each with the name of the environment variable or option that replaces it.
    replaced_by: Vec<(&'static str, &'static str)>,
    /// The file with the profiles, and whether it contains a private key.
    pub(crate) profiles: Option<(PathBuf, bool)>,
    pub(crate) danger_any_permissions: bool,
    values: BTreeMap<String, Zeroizing<String>>,
}

/// The place where a key is stored.
pub(crate) enum KeySource {
    File(PathBuf),
    /// An entry of the operating system's keyring.
    Keyring(String),
    /// The text of the key, and the name of the setting that contains the text.
    Text(&'static str, Zeroizing<String>),
}

impl Settings {
    /// Reads the settings from their source. Environment variables override the settings of a profile, and the option
    /// `--base-url` overrides every other URL.
    pub(crate) fn read(origin: Origin, base_url: Option<&str>) -> Result<Self, Failure> {
        let mut settings = match &origin {
            Origin::Profile { name, file } => {
                Self::of_profile(file, name, |document| file.unknown(name, &names(document)))?
            }
            Origin::DirectoryProfile { file, .. } => {
                let file = ProfilesFile { path: file.clone() };
                Self::of_profile(&file, SANDBOX_PROFILE, |_| no_sandbox_profile(&file.path))?
            }
            Origin::Directory(directory) => Self::of_directory(directory)?,
            Origin::Variables => Self::empty("environment variables".to_owned()),
        };
        if matches!(origin, Origin::Profile { .. } | Origin::Variables) {
            settings.change_by_environment();
        }
        settings.origin = origin;
        if let Some(url) = base_url {
            settings.values.remove("environment");
            settings.set("base_url", url.to_owned());
            settings.replaced_by.insert(0, ("base_url", "--base-url"));
        }
        Ok(settings)
    }

    fn of_directory(directory: &Path) -> Result<Self, Failure> {
        let mut settings = Self::empty(format!("directory {}", directory.display()));
        settings.set("private_key_file", absolute(&directory.join(PARTNER_PRIVATE)));
        settings.set("public_key_file", absolute(&directory.join(PAYTEND_PUBLIC)));
        settings.set("partner_id", partner_id(directory)?);
        Ok(settings)
    }

    /// Reads a profile. `unknown` returns the failure if the file does not contain it.
    fn of_profile(
        file: &ProfilesFile,
        profile: &str,
        unknown: impl FnOnce(&DocumentMut) -> Failure,
    ) -> Result<Self, Failure> {
        let document = file.read()?;
        let table = document.get("profiles").and_then(|profiles| profiles.get(profile)).and_then(Item::as_table_like);
        let table = table.ok_or_else(|| unknown(&document))?;
        let mut settings = Self::empty(format!("profile `{profile}` in {}", file.path.display()));
        let folder = file.path.parent().unwrap_or(Path::new(""));
        for (name, item) in table.iter() {
            if let Some(text) = item.as_str() {
                let is_path = name.ends_with("_file");
                settings.set(name, if is_path { absolute(&folder.join(text)) } else { text.to_owned() });
            }
            if name == "danger_any_permissions" {
                settings.danger_any_permissions = item.as_bool() == Some(true);
            }
        }
        settings.profiles = Some((file.path.clone(), settings.values.contains_key("private_key")));
        Ok(settings)
    }

    fn empty(source: String) -> Self {
        Self {
            source,
            origin: Origin::Variables,
            replaced_by: Vec::new(),
            profiles: None,
            danger_any_permissions: false,
            values: BTreeMap::new(),
        }
    }

    /// Overrides each setting whose environment variable is set.
    fn change_by_environment(&mut self) {
        let given = VARIABLES.iter().filter_map(|(name, from)| Some((*name, *from, variable(from)?)));
        let given: Vec<_> = given.collect();
        // There is no setting for the passphrase itself. If the environment contains a passphrase, it replaces the
        // setting that names the passphrase file.
        if variable(PASSPHRASE_VARIABLE).is_some() {
            self.values.remove(PASSPHRASE_FILE);
            self.replaced_by.push((PASSPHRASE_FILE, PASSPHRASE_VARIABLE));
        }
        for (name, ..) in &given {
            alternatives(name).for_each(|name| drop(self.values.remove(name)));
        }
        for (name, from, text) in given {
            self.set(name, if name.ends_with("_file") { absolute(Path::new(&text)) } else { text });
            self.replaced_by.push((name, from));
        }
        if !self.replaced_by.is_empty() && self.profiles.is_some() {
            let names: Vec<&str> = self.replaced_by.iter().map(|(_, from)| *from).collect();
            self.source = format!("{}, changed by {}", self.source, names.join(", "));
        }
    }

    /// Returns the name of the environment variable or option that replaces a setting or one of its alternatives.
    pub(crate) fn variable(&self, name: &str) -> Option<&'static str> {
        let replaces = |set: &&(&str, &str)| set.0 == name || alternatives(name).any(|other| other == set.0);
        self.replaced_by.iter().find(replaces).map(|(_, from)| *from)
    }

    fn set(&mut self, name: &str, text: String) {
        self.values.insert(name.to_owned(), Zeroizing::new(text));
    }

    pub(crate) fn get(&self, name: &str) -> Option<&str> {
        self.values.get(name).map(|text| text.as_str())
    }

    pub(crate) fn file(&self, name: &str) -> Option<PathBuf> {
        self.get(name).map(PathBuf::from)
    }

    /// Returns the base URL, if one is set.
    pub(crate) fn base_url(&self) -> Option<String> {
        match self.get("environment") {
            Some("sandbox") => Some(Environment::Sandbox.url().to_owned()),
            _ => self.get("base_url").map(str::to_owned),
        }
    }

    /// Returns the place where the private key is stored, or `None` if none is set.
    pub(crate) fn private_key(&self) -> Option<KeySource> {
        let entry = self.get("private_key_keyring").map(|entry| KeySource::Keyring(entry.to_owned()));
        self.key("private_key_file", "private_key").or(entry)
    }

    /// Returns the place where Paytend's public key is stored, or `None` if none is set.
    pub(crate) fn public_key(&self) -> Option<KeySource> {
        self.key("public_key_file", "public_key")
    }

    /// Returns the permissions that a file with a secret may have.
    pub(crate) fn permissions(&self) -> FilePermissions {
        if self.danger_any_permissions { FilePermissions::DangerAny } else { FilePermissions::OwnerOnly }
    }

    /// Reads the private key. Also returns the name of its file or setting.
    pub(crate) fn read_private_key(&self, permissions: FilePermissions) -> Result<(String, PrivateKey), Failure> {
        let source = self.private_key().ok_or_else(|| self.unset("private_key_file"))?;
        let (name, bytes) = source.read(permissions)?;
        let key = match PrivateKey::read(&bytes, None) {
            Err(KeyError::Encrypted(_)) => {
                let file = self.file(PASSPHRASE_FILE);
                let passphrase = Inputs::default().passphrase(file.as_deref(), permissions)?;
                PrivateKey::read(&bytes, passphrase.as_ref())
            }
            read => read,
        };
        let (key, _) = key.map_err(|error| key_failure(&name, &error))?;
        // The backend refuses a key whose numbers do not match each other.
        BACKEND.private(&key).map_err(|error| backend_failure(&name, error))?;
        Ok((name, key))
    }

    /// Reads Paytend's public key. Also returns the name of its file or setting.
    pub(crate) fn read_public_key(&self) -> Result<(String, PublicKey), Failure> {
        let source = self.public_key().ok_or_else(|| self.unset("public_key_file"))?;
        let (name, bytes) = source.read(FilePermissions::DangerAny)?;
        let key = PublicKey::from_bytes(&bytes).map_err(|error| key_failure(&name, &error))?;
        BACKEND.public(&key).map_err(|error| backend_failure(&name, error))?;
        Ok((name, key))
    }

    /// Creates the failure for a key that is not set. The setting is the one with the key's file.
    fn unset(&self, setting: &str) -> Failure {
        let what = setting.trim_end_matches("_file").replace('_', " ");
        let variable = VARIABLES.iter().find(|(name, _)| *name == setting).map(|(_, variable)| variable);
        let next = match (&self.origin, variable) {
            (Origin::Variables, Some(variable)) => format!("set {variable}"),
            _ => format!("set {setting} in the profile"),
        };
        Failure::new(Category::Configuration, format!("the {what} is not set: {next}"))
    }

    fn key(&self, file: &str, text: &'static str) -> Option<KeySource> {
        let inline = self.values.get(text).map(|key| KeySource::Text(text, key.clone()));
        self.file(file).map(KeySource::File).or(inline)
    }
}

impl KeySource {
    /// Reads the text of a key. Also returns the name of its file or setting.
    fn read(&self, permissions: FilePermissions) -> Result<(String, Zeroizing<Vec<u8>>), Failure> {
        match self {
            Self::File(path) => {
                let input = Inputs::default().key(path, "file", permissions)?;
                Ok((input.name, input.bytes))
            }
            Self::Keyring(entry) => {
                let key = keyring::read(entry)?;
                Ok((format!("keyring entry `{entry}`"), key.as_bytes().to_vec().into()))
            }
            Self::Text(name, text) => Ok(((*name).to_owned(), text.as_bytes().to_vec().into())),
        }
    }
}

/// Creates the failure for a key directory whose `paytend.toml` does not contain the sandbox's profile.
fn no_sandbox_profile(file: &Path) -> Failure {
    let message = format!(
        "no profile `{SANDBOX_PROFILE}` in {}: pass the --keys directory that `paytend sandbox` wrote",
        file.display()
    );
    Failure::new(Category::Configuration, message)
}

/// Returns the group of alternative settings that contains this setting, including the setting itself.
fn alternatives(name: &str) -> impl Iterator<Item = &'static str> {
    let sets = ALTERNATIVES.iter().filter(move |names| names.contains(&name));
    sets.flat_map(|names| names.iter().copied())
}

/// Returns a path that does not depend on the current directory.
pub(crate) fn absolute(path: &Path) -> String {
    std::path::absolute(path).unwrap_or_else(|_| path.to_owned()).to_string_lossy().into_owned()
}
