//! Settings from environment variables: a whole configuration, or overrides for a profile.

use std::path::{Path, PathBuf};

use paytend_crypto::Passphrase;
use zeroize::Zeroizing;

use super::{ClientBuilder, Error, Origin, Profile, folder, wrong};

impl ClientBuilder {
    /// Creates a builder from a profile in a TOML file, and replaces each field for which an environment variable is
    /// set. See [`from_file`](Self::from_file) for the file, and [`from_env`](Self::from_env) for the variables.
    ///
    /// File paths in variables are relative to the current directory.
    ///
    /// ```no_run
    /// # fn example() -> Result<(), paytend_client::Error> {
    /// // PAYTEND_DEADLINE_SECONDS=5 changes only the deadline.
    /// let client = paytend_client::ClientBuilder::from_file_and_env("paytend.toml", "sandbox")?.build()?;
    /// # Ok(())
    /// # }
    /// ```
    ///
    /// # Errors
    /// Returns the same errors as `from_file` and `from_env`.
    pub fn from_file_and_env(path: impl AsRef<Path>, profile: &str) -> Result<Self, Error> {
        Profile::with_variables(path.as_ref(), profile, &environment())
    }
}

impl Profile {
    /// Creates the builder from a profile in a file, with overrides from variables.
    fn with_variables<F: Fn(&str) -> Option<String>>(
        path: &Path,
        name: &str,
        variables: &Variables<F>,
    ) -> Result<ClientBuilder, Error> {
        let mut profile = Self::read(path, name)?;
        let changed = variables.change(&mut profile)?;
        profile.builder(folder(path), &Origin::Profile { name: name.to_owned(), changed })
    }
}

/// Returns the environment variables.
pub(super) fn environment() -> Variables<impl Fn(&str) -> Option<String>> {
    Variables(|name: &str| std::env::var_os(name).map(|value| value.to_string_lossy().into_owned()))
}

/// A function that returns the value of a variable. An empty variable counts as not set.
pub(super) struct Variables<F>(pub(super) F);

impl<F: Fn(&str) -> Option<String>> Variables<F> {
    fn get(&self, name: &str) -> Option<String> {
        (self.0)(&format!("PAYTEND_{name}")).filter(|value| !value.is_empty())
    }

    /// Returns the path in a variable. It is relative to the current directory, not to a profile's file.
    fn path(&self, name: &str) -> Option<PathBuf> {
        self.get(name).map(|path| std::path::absolute(&path).unwrap_or_else(|_| path.into()))
    }

    /// Returns the settings from the variables alone.
    pub(super) fn builder(&self) -> Result<ClientBuilder, Error> {
        let mut profile = Profile::default();
        self.change(&mut profile)?;
        profile.builder(Path::new(""), &Origin::Variables)
    }

    /// Replaces each profile setting for which a variable is set, and returns the names of the replaced settings.
    pub(super) fn change(&self, profile: &mut Profile) -> Result<Vec<&'static str>, Error> {
        let mut changed = Vec::new();
        let mut pair = |first: &'static str, second: &'static str, given: bool| {
            if given {
                changed.extend([first, second]);
            }
            given
        };
        let (environment, base_url) = (self.get("ENVIRONMENT"), self.get("BASE_URL"));
        if pair("environment", "base_url", environment.is_some() || base_url.is_some()) {
            (profile.environment, profile.base_url) = (environment, base_url);
        }
        let (key, file) = (self.get("PRIVATE_KEY").map(Zeroizing::new), self.path("PRIVATE_KEY_FILE"));
        if pair("private_key", "private_key_file", key.is_some() || file.is_some()) {
            (profile.private_key, profile.private_key_file) = (key, file);
        }
        let (key, file) = (self.get("PUBLIC_KEY"), self.path("PUBLIC_KEY_FILE"));
        if pair("public_key", "public_key_file", key.is_some() || file.is_some()) {
            (profile.public_key, profile.public_key_file) = (key, file);
        }
        let passphrase = self.get("PASSPHRASE").map(|text| Passphrase::new(text.into_bytes()));
        let file = self.path("PASSPHRASE_FILE");
        if pair("passphrase", "private_key_passphrase_file", passphrase.is_some() || file.is_some()) {
            (profile.passphrase, profile.private_key_passphrase_file) = (passphrase, file);
        }
        if let Some(id) = self.get("PARTNER_ID") {
            profile.partner_id = Some(id);
            changed.push("partner_id");
        }
        if let Some(file) = self.path("CLIENT_CERTIFICATE_FILE") {
            profile.client_certificate_file = Some(file);
            changed.push("client_certificate_file");
        }
        if let Some(url) = self.get("PROXY") {
            profile.proxy = Some(url);
            changed.push("proxy");
        }
        if let Some(text) = self.get("DEADLINE_SECONDS") {
            let seconds = text.parse().map_err(|_| wrong("PAYTEND_DEADLINE_SECONDS", "not a number of seconds"))?;
            profile.deadline_seconds = Some(seconds);
            changed.push("deadline_seconds");
        }
        Ok(changed)
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use super::*;
    use crate::Environment;

    /// Reads a profile with the given variables, and returns the builder or the error message.
    fn read(folder: &Path, variables: &[(&str, &str)]) -> Result<ClientBuilder, String> {
        let variables: BTreeMap<_, _> = variables.iter().copied().collect();
        let variables = Variables(|name: &str| variables.get(name).map(|value| (*value).to_owned()));
        Profile::with_variables(&folder.join("paytend.toml"), "one", &variables).map_err(|error| error.to_string())
    }

    #[test]
    fn variables_change_a_profile_and_errors_name_them() {
        let folder = tempfile::tempdir().unwrap();
        let keys = paytend_vectors::keys();
        let text = format!(
            "[profiles.one]\nbase_url = \"https://one.example\"\npartner_id = \"888666000100260\"\n\
             private_key_file = \"absent.pem\"\npublic_key = \"{}\"\n",
            keys["paytend"].public
        );
        std::fs::write(folder.path().join("paytend.toml"), text).unwrap();
        let private = ("PAYTEND_PRIVATE_KEY", keys["partner"].private.as_str());
        let url = |variables: &[(&str, &str)]| format!("{:?}", read(folder.path(), variables).unwrap());
        assert!(url(&[private]).contains("https://one.example"));
        assert!(url(&[private, ("PAYTEND_BASE_URL", "https://two.example")]).contains("https://two.example"));
        let sandbox = url(&[private, ("PAYTEND_ENVIRONMENT", "sandbox")]);
        assert!(sandbox.contains(&format!("{:?}", Environment::Sandbox)), "{sandbox}");
        for (variables, part) in [
            // Without the variable, the profile's file is used.
            (vec![], "profile \"one\": private_key_file: "),
            (vec![("PAYTEND_PRIVATE_KEY", "CANARY")], "profile \"one\": PAYTEND_PRIVATE_KEY: "),
            (vec![("PAYTEND_PRIVATE_KEY_FILE", "/no/such/file")], "profile \"one\": PAYTEND_PRIVATE_KEY_FILE: "),
            (vec![private, ("PAYTEND_PUBLIC_KEY", "CANARY")], "profile \"one\": PAYTEND_PUBLIC_KEY: "),
            (vec![private, ("PAYTEND_DEADLINE_SECONDS", "soon")], "PAYTEND_DEADLINE_SECONDS: not a number"),
            (
                vec![private, ("PAYTEND_ENVIRONMENT", "sandbox"), ("PAYTEND_BASE_URL", "https://two.example")],
                "profile \"one\": PAYTEND_ENVIRONMENT and PAYTEND_BASE_URL: set one",
            ),
        ] {
            let error = read(folder.path(), &variables).err().unwrap_or_default();
            assert!(error.contains(part) && !error.contains("CANARY"), "{variables:?}: {error}");
        }
    }

    #[test]
    fn paths_in_variables_are_relative_to_the_current_directory() {
        let absolute = Variables(|_: &str| Some("own.pem".to_owned())).path("PRIVATE_KEY_FILE").unwrap();
        assert_eq!(absolute, std::env::current_dir().unwrap().join("own.pem"));
    }
}
