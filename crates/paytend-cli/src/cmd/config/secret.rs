//! `paytend config secret`: copies a private key to the operating system's keyring, or removes it.

use std::path::{Path, PathBuf};

use clap::Args as ClapArgs;
use paytend_crypto::{OsRandom, PrivateKey, RandomSource as _};
use toml_edit::Item;

use super::selected;
use crate::exit::{Category, Failure};
use crate::global::JsonArgs;
use crate::inputs::Inputs;
use crate::keyfiles::{SecretArgs, key_failure};
use crate::keyring::{KeyStore, SystemKeyring};
use crate::output;
use crate::profiles::{ProfilesFile, names, profile_mut};

/// The setting that contains the name of the keyring entry.
pub(super) const SETTING: &str = "private_key_keyring";

#[derive(ClapArgs)]
pub(crate) struct Args {
    /// The file with your private key; `-` for standard input. The file is not changed
    #[arg(required_unless_present = "remove")]
    file: Option<PathBuf>,
    /// Remove the profile's private key from the keyring
    #[arg(long, conflicts_with_all = ["file", "passphrase_file", "danger_any_permissions"])]
    remove: bool,
    /// The name of the profile. The default is the profile that other commands use
    #[arg(long, value_name = "NAME")]
    profile: Option<String>,
    #[command(flatten)]
    secrets: SecretArgs,
    #[command(flatten)]
    json: JsonArgs,
}

pub(super) fn run(args: &Args, file: &ProfilesFile) -> Result<(), Failure> {
    let profile = selected(file, args.profile.as_deref())?;
    match &args.file {
        Some(path) => store(&args.key(path)?, file, &profile, &SystemKeyring)?,
        None => remove(file, &profile, &SystemKeyring)?,
    }
    match args.json.json {
        true => output::json(&serde_json::json!({ "profile": profile, "setting": SETTING, "file": file.path })),
        false => Ok(()),
    }
}

impl Args {
    fn key(&self, path: &Path) -> Result<PrivateKey, Failure> {
        let mut inputs = Inputs::default();
        inputs.reserve(Some(path), "FILE")?;
        self.secrets.reserve(&mut inputs)?;
        let loaded = self.secrets.private(path, "FILE", &mut inputs)?;
        let failed = |error| key_failure(&path.display().to_string(), &error);
        PrivateKey::read(&loaded.bytes, None).map(|(key, _)| key).map_err(failed)
    }
}

/// Writes the private key to a new keyring entry, and then writes the name of the entry to the profile. An existing
/// entry is never replaced, because it may contain the only copy of a key.
fn store(key: &PrivateKey, file: &ProfilesFile, profile: &str, keyring: &impl KeyStore) -> Result<(), Failure> {
    let entry = new_entry(profile)?;
    // A keyring stores text, so keys in all formats are converted to PEM.
    let pem = key.to_pkcs8_pem()?;
    let mut written = false;
    let changed = file.change(
        |document| {
            let settings = profile_mut(document, profile)?;
            if let Some(previous) = settings.get(SETTING).and_then(Item::as_str)
                && keyring.contains(previous)?
            {
                return Err(Failure::usage(format!(
                    "the profile `{profile}` already has a private key in the keyring, in the entry `{previous}`: \
                     remove it with `paytend config secret --remove --profile {profile}` first"
                )));
            }
            for replaced in ["private_key", "private_key_file", "private_key_passphrase_file"] {
                settings.remove(replaced);
            }
            settings.insert(SETTING, entry.as_str().into());
            Ok(())
        },
        |_, ()| {
            if keyring.contains(&entry)? {
                let message = format!("the keyring already has the entry `{entry}`; run the command again");
                return Err(Failure::new(Category::Unexpected, message));
            }
            written = true;
            keyring.write(&entry, &pem)
        },
    );
    if let Err(failure) = changed {
        // The profile was not changed, so no profile names the new entry.
        let left = written && keyring.remove(&entry).is_err();
        let hint = format!("the keyring may contain the unused entry `{entry}`");
        return Err(if left { failure.with_hint(&hint) } else { failure });
    }
    output::note(format!(
        "the private key for the profile `{profile}` is now in the keyring, in the entry `{entry}`; keep a copy in a \
         safe place"
    ));
    Ok(())
}

/// Removes the setting from the profile, and the entry that it names from the keyring. If this fails, the profile is
/// not changed, so the command can be repeated.
fn remove(file: &ProfilesFile, profile: &str, keyring: &impl KeyStore) -> Result<(), Failure> {
    let message = file.change(
        |document| {
            let entry = profile_mut(document, profile)?.remove(SETTING);
            let unset = || Failure::usage(format!("the profile `{profile}` has no private key in the keyring"));
            let entry = entry.as_ref().and_then(Item::as_str).ok_or_else(unset)?.to_owned();
            let setting = |name: &String| document["profiles"][name.as_str()].get(SETTING);
            let uses = |name: &String| setting(name).and_then(Item::as_str) == Some(entry.as_str());
            let user = names(document).into_iter().find(uses);
            Ok((entry, user))
        },
        |_, (entry, user)| {
            if let Some(user) = user {
                return Ok(format!("the keyring keeps the entry `{entry}`, because the profile `{user}` uses it"));
            }
            Ok(match keyring.remove(&entry)? {
                true => format!("the private key for the profile `{profile}` has been removed from the keyring"),
                false => {
                    format!("the keyring has no entry `{entry}`; the profile `{profile}` does not name it anymore")
                }
            })
        },
    )?;
    output::note(message);
    Ok(())
}

/// Returns the name of a new entry: the name of the profile and a random number. The number is needed because several
/// profile files can contain a profile with the same name.
fn new_entry(profile: &str) -> Result<String, Failure> {
    let mut random = [0; 8];
    OsRandom.fill(&mut random)?;
    Ok(format!("{profile}-{:016x}", u64::from_be_bytes(random)))
}

#[cfg(test)]
mod tests {
    use std::cell::RefCell;
    use std::collections::BTreeMap;

    use super::*;

    /// A keyring in memory. If it is `locked`, writing and removing fail. `before_write` is called before an entry is
    /// written.
    #[derive(Default)]
    struct MockKeyring<'a> {
        entries: RefCell<BTreeMap<String, String>>,
        locked: bool,
        before_write: Option<&'a dyn Fn()>,
    }

    impl MockKeyring<'_> {
        fn with(entries: &[(&str, &str)]) -> Self {
            let entries = entries.iter().map(|(name, key)| ((*name).to_owned(), (*key).to_owned()));
            Self { entries: RefCell::new(entries.collect()), ..Self::default() }
        }

        fn names(&self) -> Vec<String> {
            self.entries.borrow().keys().cloned().collect()
        }

        fn check(&self) -> Result<(), Failure> {
            if self.locked { Err(Failure::new(Category::Configuration, "locked")) } else { Ok(()) }
        }
    }

    impl KeyStore for MockKeyring<'_> {
        fn contains(&self, entry: &str) -> Result<bool, Failure> {
            Ok(self.entries.borrow().contains_key(entry))
        }

        fn write(&self, entry: &str, secret: &str) -> Result<(), Failure> {
            if let Some(before) = self.before_write {
                before();
            }
            self.check()?;
            self.entries.borrow_mut().insert(entry.to_owned(), secret.to_owned());
            Ok(())
        }

        fn remove(&self, entry: &str) -> Result<bool, Failure> {
            self.check()?;
            Ok(self.entries.borrow_mut().remove(entry).is_some())
        }
    }

    fn profiles(folder: &Path, name: &str, text: &str) -> ProfilesFile {
        let path = folder.join(name);
        std::fs::write(&path, text).unwrap();
        ProfilesFile { path }
    }

    fn entry(file: &ProfilesFile, profile: &str) -> Option<String> {
        let document = file.read().unwrap();
        document["profiles"][profile].get(SETTING).and_then(Item::as_str).map(str::to_owned)
    }

    fn key(name: &str) -> PrivateKey {
        let pem = &paytend_vectors::keys()[name].private_pkcs8_pem;
        PrivateKey::read(pem.as_bytes(), None).unwrap().0
    }

    fn text(file: &ProfilesFile) -> String {
        std::fs::read_to_string(&file.path).unwrap()
    }

    const PROFILE: &str = "[profiles.default]\nprivate_key_file = \"own.pem\"\n";

    #[test]
    fn keys_of_profiles_with_the_same_name_are_separate() {
        let folder = tempfile::tempdir().unwrap();
        let [one, two] = ["one.toml", "two.toml"].map(|name| profiles(folder.path(), name, PROFILE));
        let keyring = MockKeyring::with(&[("default", "another key")]);
        store(&key("partner"), &one, "default", &keyring).unwrap();
        store(&key("paytend"), &two, "default", &keyring).unwrap();
        let stored = |file| {
            let pem = keyring.entries.borrow()[&entry(file, "default").unwrap()].clone();
            PrivateKey::read(pem.as_bytes(), None).unwrap().0.public_key().fingerprint()
        };
        assert_eq!(stored(&one), key("partner").public_key().fingerprint());
        assert_eq!(stored(&two), key("paytend").public_key().fingerprint());
        assert_eq!(keyring.entries.borrow()["default"], "another key");
        assert!(!text(&one).contains("private_key_file"), "{}", text(&one));
    }

    #[test]
    fn key_in_the_keyring_is_not_replaced() {
        let folder = tempfile::tempdir().unwrap();
        let file = profiles(folder.path(), "one.toml", "[profiles.one]\nprivate_key_keyring = \"shared\"\n");
        let keyring = MockKeyring::with(&[("shared", "the only copy")]);
        let refused = store(&key("partner"), &file, "one", &keyring).unwrap_err();
        assert!(refused.message().contains("`shared`: remove it with"), "{}", refused.message());
        assert_eq!((keyring.names(), entry(&file, "one").as_deref()), (vec!["shared".to_owned()], Some("shared")));
        assert_eq!(keyring.entries.borrow()["shared"], "the only copy");
        // The setting now names an entry that does not exist, so it is replaced.
        keyring.entries.borrow_mut().clear();
        store(&key("partner"), &file, "one", &keyring).unwrap();
        assert_eq!(Some(keyring.names()), entry(&file, "one").map(|entry| vec![entry]));
    }

    #[test]
    fn entry_in_the_setting_is_removed() {
        let folder = tempfile::tempdir().unwrap();
        let two =
            "[profiles.one]\nprivate_key_keyring = \"shared\"\n[profiles.two]\nprivate_key_keyring = \"shared\"\n";
        let file = profiles(folder.path(), "one.toml", two);
        let keyring = MockKeyring::with(&[("shared", "a"), ("one", "b"), ("two", "c")]);
        // The entry is kept, because the profile `two` uses it too.
        remove(&file, "one", &keyring).unwrap();
        assert_eq!((keyring.names().len(), entry(&file, "one")), (3, None));
        remove(&file, "two", &keyring).unwrap();
        assert_eq!((keyring.names(), entry(&file, "two")), (vec!["one".to_owned(), "two".to_owned()], None));
        let unset = remove(&file, "one", &keyring).unwrap_err();
        assert!(unset.message().contains("no private key in the keyring"), "{}", unset.message());
        assert_eq!(keyring.names().len(), 2);
    }

    #[test]
    fn failures_of_the_keyring_change_no_profile() {
        let folder = tempfile::tempdir().unwrap();
        let keyring = MockKeyring { locked: true, ..MockKeyring::with(&[("shared", "a")]) };
        let file = profiles(folder.path(), "one.toml", PROFILE);
        assert_eq!(store(&key("partner"), &file, "default", &keyring).unwrap_err().category(), Category::Configuration);
        assert_eq!(text(&file), PROFILE);
        let named = "[profiles.default]\nprivate_key_keyring = \"shared\"\n";
        let file = profiles(folder.path(), "two.toml", named);
        assert!(remove(&file, "default", &keyring).is_err());
        assert_eq!((text(&file).as_str(), keyring.names()), (named, vec!["shared".to_owned()]));
    }

    #[test]
    fn entry_is_removed_if_the_profile_cannot_be_written() {
        let folder = tempfile::tempdir().unwrap();
        let file = profiles(folder.path(), "one.toml", PROFILE);
        // Replaces the profile file with a directory that is not empty, so that writing the profile fails.
        let broken = || {
            std::fs::remove_file(&file.path).unwrap();
            std::fs::create_dir_all(file.path.join("child")).unwrap();
        };
        let keyring = MockKeyring { before_write: Some(&broken), ..MockKeyring::default() };
        assert!(store(&key("partner"), &file, "default", &keyring).unwrap_err().message().contains("cannot write"));
        assert!(keyring.names().is_empty(), "{:?}", keyring.names());
    }
}
