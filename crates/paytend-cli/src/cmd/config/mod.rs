//! `paytend config`: manages the profiles with connection settings.

mod fields;
mod init;
mod show;

use clap::{Args, Subcommand};
use paytend_client::ClientBuilder;

use crate::exit::Failure;
use crate::global::JsonArgs;
use crate::output;
use crate::profiles::{ProfilesFile, names, profile_mut};

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
    /// Print the path of the file with the profiles
    Path(JsonArgs),
}

#[derive(Args)]
pub(crate) struct ShowArgs {
    /// The profile. The default is the profile that other commands use
    profile: Option<String>,
    #[command(flatten)]
    json: JsonArgs,
}

#[derive(Args)]
pub(crate) struct SetArgs {
    /// The name of the setting, such as deadline_seconds
    #[arg(value_parser = crate::suggest::Suggested::new(fields::NAMES.iter().copied()))]
    setting: String,
    /// The new value; an empty value removes the setting
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
        Command::Path(JsonArgs { json: true }) => output::json(&serde_json::json!({ "file": file.path })),
        Command::Path(_) => Ok(output::line(&file.path.display().to_string())?),
    }
}

fn set(args: &SetArgs, file: &ProfilesFile) -> Result<(), Failure> {
    let document = file.read()?;
    let selected = file.selected(args.profile.as_deref(), &document)?;
    let profile = selected.ok_or_else(|| match names(&document).is_empty() {
        true => Failure::usage("there are no profiles: create one with `paytend config init`"),
        false => Failure::usage(format!(
            "no profile is selected: give --profile NAME, one of {}",
            names(&document).join(", ")
        )),
    })?;
    let value = fields::value(&args.setting, &args.value)?;
    let mut incomplete = None;
    file.change(
        |document| {
            let settings = profile_mut(document, &profile)?;
            match value {
                Some(value) => drop(settings.insert(&args.setting, value)),
                None => drop(settings.remove(&args.setting)),
            }
            // `base_url` and `environment` replace each other.
            match args.setting.as_str() {
                "base_url" => drop(settings.remove("environment")),
                "environment" => drop(settings.remove("base_url")),
                _ => {}
            }
            Ok(())
        },
        |draft| {
            incomplete = ClientBuilder::from_file(draft, &profile).and_then(ClientBuilder::build).err();
            Ok(())
        },
    )?;
    if let Some(error) = incomplete {
        output::warn(format!("the setting is stored, but the profile is not usable yet: {error}"));
    }
    match args.json.json {
        true => output::json(&serde_json::json!({ "profile": profile, "setting": args.setting, "file": file.path })),
        false => Ok(()),
    }
}
