//! `paytend config`: manages the profiles with connection settings.

pub(crate) mod fields;
mod init;
mod secret;
mod show;

use clap::{Args, Subcommand};
use paytend_client::ClientBuilder;
use toml_edit::{Item, TableLike};

use crate::exit::Failure;
use crate::global::JsonArgs;
use crate::profiles::{ProfilesFile, names, profile_mut};
use crate::{keyring, output};

#[derive(Subcommand)]
pub(crate) enum Command {
    /// Create a profile
    Init(init::Args),
    /// List the profiles
    List(JsonArgs),
    /// Show the settings of a profile, without secrets
    Show(ShowArgs),
    /// Change a setting of a profile
    Set(SetArgs),
    /// Store a profile's private key in the operating system's keyring
    Secret(secret::Args),
    /// Print the path of the profile file
    Path(JsonArgs),
}

#[derive(Args)]
pub(crate) struct ShowArgs {
    /// The name of the profile. The default is the profile that other commands use
    profile: Option<String>,
    #[command(flatten)]
    json: JsonArgs,
}

#[derive(Args)]
pub(crate) struct SetArgs {
    /// The name of the setting, such as deadline_seconds
    #[arg(value_parser = crate::suggest::Suggested::new(fields::NAMES.iter().copied()))]
    setting: String,
    /// The new value; an empty value removes the setting. The path of a file is stored as an absolute path
    value: String,
    /// The profile to change. The default is the profile that other commands use
    #[arg(long, value_name = "NAME")]
    profile: Option<String>,
    #[command(flatten)]
    json: JsonArgs,
}

pub(crate) fn run(command: Command) -> Result<(), Failure> {
    let file = ProfilesFile::locate()?;
    match command {
        Command::Init(args) => init::run(&args, &file),
        Command::List(args) => show::list(&file, args.json),
        Command::Show(args) => show::show(&file, args.profile.as_deref(), args.json.json),
        Command::Set(args) => set(&args, &file),
        Command::Secret(args) => secret::run(&args, &file),
        Command::Path(JsonArgs { json: true }) => output::json(&serde_json::json!({ "file": file.path })),
        Command::Path(_) => Ok(output::line(&file.path.display().to_string())?),
    }
}

/// Returns the name of the profile to change.
fn selected(file: &ProfilesFile, given: Option<&str>) -> Result<String, Failure> {
    let document = file.read()?;
    file.selected(given, &document)?.ok_or_else(|| match names(&document).is_empty() {
        true => Failure::usage("there are no profiles: create one with `paytend config init`"),
        false => Failure::usage(format!(
            "no profile is selected: pass --profile NAME, one of {}",
            names(&document).join(", ")
        )),
    })
}

/// Returns the name of the keyring entry that contains the profile's private key.
fn keyring_entry(settings: &dyn TableLike) -> Option<String> {
    settings.get(secret::SETTING).and_then(Item::as_str).map(str::to_owned)
}

/// Tells the user that a keyring entry is no longer used by the profile, but still exists.
fn note_unused(entry: Option<&str>) {
    if let Some(entry) = entry {
        output::note(format!(
            "the keyring still contains the entry `{entry}` of the service `paytend`; you can remove it with the \
             operating system's keyring program"
        ));
    }
}

fn set(args: &SetArgs, file: &ProfilesFile) -> Result<(), Failure> {
    let profile = selected(file, args.profile.as_deref())?;
    let value = fields::value(&args.setting, &args.value)?;
    let (incomplete, unused) = file.change(
        |document| {
            let settings = profile_mut(document, &profile)?;
            let before = keyring_entry(settings);
            match value {
                Some(value) => drop(settings.insert(&args.setting, value)),
                None => drop(settings.remove(&args.setting)),
            }
            // Only one of `base_url` and `environment` can be set, and the private key can be in only one place.
            // Setting one of two alternatives removes the other.
            match args.setting.as_str() {
                "private_key_file" => drop(settings.remove("private_key_keyring")),
                "private_key_keyring" => drop(settings.remove("private_key_file")),
                "base_url" => drop(settings.remove("environment")),
                "environment" => drop(settings.remove("base_url")),
                _ => {}
            }
            let after = keyring_entry(settings);
            Ok(before.filter(|entry| after.as_ref() != Some(entry)))
        },
        |draft, unused| {
            let read = ClientBuilder::from_file_with_keyring(draft, &profile, keyring::read);
            Ok((read.and_then(ClientBuilder::build).err(), unused))
        },
    )?;
    note_unused(unused.as_deref());
    if let Some(error) = incomplete {
        output::warn(format!("the setting is stored, but the profile is not usable yet: {error}"));
    }
    match args.json.json {
        true => output::json(&serde_json::json!({ "profile": profile, "setting": args.setting, "file": file.path })),
        false => Ok(()),
    }
}
