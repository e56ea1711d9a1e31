//! Settings from environment variables: a whole configuration, or overrides for a profile.

use std::fmt;
use std::path::{Path, PathBuf};

use paytend_crypto::Passphrase;
use zeroize::Zeroizing;

use super::{ClientBuilder, Error, Origin, Profile, folder, wrong};

impl ClientBuilder {
    /// Creates a builder from a profile in a TOML file. If an environment variable is set for a field, it replaces the
    /// field. See [`from_file`](Self::from_file) for the file, and [`from_env`](Self::from_env) for the variables.
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
        let (profile, origin) = Profile::with_variables(path.as_ref(), profile, &environment())?;
        profile.builder(folder(path.as_ref()), &origin)
    }

    /// Creates a builder as [`from_file_and_env`](Self::from_file_and_env) does, and reads the private key from a
    /// keyring if the profile contains the name of its entry in `private_key_keyring`.
    ///
    /// `read` returns the private key in an entry, in any format that `private_key` accepts. It is called only if no
    /// environment variable replaces the key.
    ///
    /// # Errors
    /// Returns the same errors as `from_file_and_env`. Returns an error of kind
    /// [`Configuration`](crate::ErrorKind::Configuration) if `read` returns an error, or if the profile contains a
    /// second private key.
    pub fn from_file_with_keyring<E: fmt::Display>(
        path: impl AsRef<Path>,
        profile: &str,
        read: impl FnOnce(&str) -> Result<Zeroizing<String>, E>,
    ) -> Result<Self, Error> {
        let (mut profile, origin) = Profile::with_variables(path.as_ref(), profile, &environment())?;
        profile.read_keyring(&origin, read)?;
        profile.builder(folder(path.as_ref()), &origin)
    }
}

impl Profile {
    /// Reads a profile from a file, with overrides from variables.
    fn with_variables<F: Fn(&str) -> Option<String>>(
        path: &Path,
        name: &str,
        variables: &Variables<F>,
    ) -> Result<(Self, Origin), Error> {
        let mut profile = Self::read(path, name)?;
        let changed = variables.change(&mut profile)?;
        if changed.contains(&"private_key") {
            profile.private_key_keyring = None;
        }
        Ok((profile, Origin::Profile { name: name.to_owned(), changed }))
    }
}

/// Returns the environment variables.
pub(super) fn environment() -> Variables<impl Fn(&str) -> Option<String>> {
    Variables(|name: &str| std::env::var_os(name).map(|value| value.to_string_lossy().into_owned()))
}

/// A function that returns the value of an environment variable. An empty variable counts as not set.
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
        let path = folder.join("paytend.toml");
        let read = Profile::with_variables(&path, "one", &variables);
        read.and_then(|(profile, origin)| profile.builder(folder, &origin)).map_err(|error| error.to_string())
    }

    #[test]
    fn private_key_is_read_from_the_keyring_unless_a_variable_replaces_it() {
        let folder = tempfile::tempdir().unwrap();
        let keys = paytend_vectors::keys();
        let profile = |more: &str| {
            let text = format!(
                "[profiles.one]\nbase_url = \"https://one.example\"\npartner_id = \"888666000100260\"\n\
                 private_key_keyring = \"entry\"\npublic_key = \"{}\"\n{more}",
                keys["paytend"].public
            );
            std::fs::write(folder.path().join("paytend.toml"), text).unwrap();
        };
        let with = |variables: &[(&str, &str)], read: &dyn Fn(&str) -> Result<Zeroizing<String>, String>| {
            let variables: BTreeMap<_, _> = variables.iter().copied().collect();
            let variables = Variables(|name: &str| variables.get(name).map(|value| (*value).to_owned()));
            let path = folder.path().join("paytend.toml");
            let (mut profile, origin) = Profile::with_variables(&path, "one", &variables).unwrap();
            profile.read_keyring(&origin, read).and_then(|()| profile.builder(folder.path(), &origin)?.build())
        };
        profile("");
        let private = Zeroizing::new(keys["partner"].private.clone());
        assert!(with(&[], &|entry| if entry == "entry" { Ok(private.clone()) } else { Err("other".into()) }).is_ok());
        let locked = with(&[], &|_| Err("the keyring is locked".to_owned())).unwrap_err().to_string();
        assert!(locked.contains("private_key_keyring: the keyring is locked"), "{locked}");
        let wrong = with(&[], &|_| Ok(Zeroizing::new("CANARY".to_owned()))).unwrap_err().to_string();
        assert!(wrong.contains("private_key") && !wrong.contains("CANARY"), "{wrong}");
        let replaced = [("PAYTEND_PRIVATE_KEY", private.as_str())];
        assert!(with(&replaced, &|_| Err("not called".to_owned())).is_ok());
        // Constructors that cannot read a keyring refuse this field, unless an environment variable replaces it.
        let refused = read(folder.path(), &[]).unwrap_err();
        assert!(refused.contains("private_key_keyring: this program does not read a keyring"), "{refused}");
        assert!(read(folder.path(), &replaced).is_ok());
        profile("private_key_file = \"own.pem\"\n");
        let both = with(&[], &|_| Ok(private.clone())).unwrap_err().to_string();
        assert!(both.contains("set only one of them"), "{both}");
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
            // If the variable is not set, the key file in the profile is used.
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
