//! The next steps whose text depends on where the settings are: in a profile, in a key directory or in environment
//! variables.

use std::path::Path;

use super::report::argument;
use crate::cmd::config::fields::VARIABLES;
use crate::connection::{PARTNER_ID, PARTNER_PRIVATE, PAYTEND_PUBLIC};
use crate::settings::{Origin, Settings};

/// Returns a command or an instruction that changes a setting in the place that it is read from. `value` is the new
/// value or a placeholder such as `FILE`.
pub(super) fn set(settings: &Settings, name: &str, value: &str) -> String {
    if let Some(replaced_by) = settings.variable(name) {
        return format!("correct {replaced_by}");
    }
    match &settings.origin {
        Origin::Profile(profile) => format!("paytend config set {name} {value}{}", of_profile(profile)),
        Origin::DirectoryProfile { file, .. } => format!("set {name} in {}", argument(file)),
        Origin::Directory(directory) => {
            let file = match name {
                "private_key_file" => PARTNER_PRIVATE,
                "public_key_file" => PAYTEND_PUBLIC,
                "partner_id" => PARTNER_ID,
                "base_url" => return "pass --base-url URL".to_owned(),
                _ => return format!("create a profile with `paytend config init`, and set {name}"),
            };
            format!("replace {}", argument(&directory.join(file)))
        }
        Origin::Variables => match VARIABLES.iter().find(|(setting, _)| *setting == name) {
            Some((_, variable)) => format!("set {variable}"),
            None => format!("create a profile with `paytend config init`, and set {name}"),
        },
    }
}

/// Returns a command or an instruction that shows the settings.
pub(super) fn show(settings: &Settings) -> String {
    match &settings.origin {
        Origin::Profile(profile) => format!("paytend config show {}", argument(Path::new(profile))),
        Origin::DirectoryProfile { file, .. } => format!("read the settings in {}", argument(file)),
        Origin::Directory(directory) => format!("check the files in {}, and --base-url", argument(directory)),
        Origin::Variables => "check the environment variables whose names begin with PAYTEND_".to_owned(),
    }
}

/// Returns a command or an instruction that sets the private key.
pub(super) fn secret(settings: &Settings) -> String {
    match &settings.origin {
        Origin::Profile(profile) => format!("paytend config secret FILE{}", of_profile(profile)),
        _ => set(settings, "private_key_file", "FILE"),
    }
}

/// Returns the option that selects the same settings in another command, such as ` --profile live`, with a space before
/// it.
pub(super) fn option(settings: &Settings) -> String {
    match &settings.origin {
        Origin::Profile(profile) => of_profile(profile),
        Origin::DirectoryProfile { directory, .. } | Origin::Directory(directory) => {
            format!(" --keys {}", argument(directory))
        }
        Origin::Variables => String::new(),
    }
}

fn of_profile(profile: &str) -> String {
    format!(" --profile {}", argument(Path::new(profile)))
}
