//! `paytend config secret`: moves a private key to the operating system's keyring.

use std::path::{Path, PathBuf};

use clap::Args as ClapArgs;
use paytend_crypto::keys::FilePermissions;
use paytend_crypto::{KeyError, PrivateKey};

use super::selected;
use crate::exit::Failure;
use crate::global::JsonArgs;
use crate::inputs::Inputs;
use crate::keyfiles::key_failure;
use crate::profiles::{ProfilesFile, profile_mut};
use crate::{keyring, output};

/// The setting that contains the name of the keyring entry.
const SETTING: &str = "private_key_keyring";

#[derive(ClapArgs)]
pub(crate) struct Args {
    /// The file with your private key; `-` for standard input. The file is not changed
    #[arg(required_unless_present = "remove")]
    file: Option<PathBuf>,
    /// Remove the profile's private key from the keyring
    #[arg(long, conflicts_with = "file")]
    remove: bool,
    /// The name of the profile. The default is the profile that other commands use
    #[arg(long, value_name = "NAME")]
    profile: Option<String>,
    #[command(flatten)]
    json: JsonArgs,
}

pub(super) fn run(args: &Args, file: &ProfilesFile) -> Result<(), Failure> {
    let profile = selected(file, args.profile.as_deref())?;
    match &args.file {
        Some(path) => store(path, file, &profile)?,
        None => remove(file, &profile)?,
    }
    match args.json.json {
        true => output::json(&serde_json::json!({ "profile": profile, "setting": SETTING, "file": file.path })),
        false => Ok(()),
    }
}

/// Writes the private key to the keyring, and then writes the setting with the name of the entry.
fn store(path: &Path, file: &ProfilesFile, profile: &str) -> Result<(), Failure> {
    let input = Inputs::default().key(path, "FILE", FilePermissions::OwnerOnly)?;
    let failed = |error: KeyError| key_failure(&input.name, &error);
    let (key, _) = PrivateKey::read(&input.bytes, None).map_err(failed)?;
    // A keyring stores text, so keys in all formats are converted to PEM.
    keyring::write(profile, &key.to_pkcs8_pem()?)?;
    file.change(
        |document| {
            let settings = profile_mut(document, profile)?;
            for replaced in ["private_key", "private_key_file", "private_key_passphrase_file"] {
                settings.remove(replaced);
            }
            settings.insert(SETTING, profile.into());
            Ok(())
        },
        |_| Ok(()),
    )?;
    output::note(format!(
        "the private key for the profile `{profile}` is now in the keyring; keep a copy in a safe place"
    ));
    Ok(())
}

/// Removes the keyring entry, and then the setting with the name of the entry.
fn remove(file: &ProfilesFile, profile: &str) -> Result<(), Failure> {
    let existed = keyring::remove(profile)?;
    file.change(
        |document| {
            profile_mut(document, profile)?.remove(SETTING);
            Ok(())
        },
        |_| Ok(()),
    )?;
    output::note(match existed {
        true => format!("the private key for the profile `{profile}` has been removed from the keyring"),
        false => format!("the keyring has no private key for the profile `{profile}`"),
    });
    Ok(())
}
