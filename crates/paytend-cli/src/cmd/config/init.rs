//! `paytend config init`: creates a profile.

use std::path::{Path, PathBuf};

use clap::Args as ClapArgs;
use paytend_client::ClientBuilder;
use toml_edit::{DocumentMut, Item, Table};

use super::fields;
use crate::connection::{PARTNER_PRIVATE, PAYTEND_PUBLIC, SANDBOX_PROFILE, SANDBOX_PROFILES};
use crate::exit::{Category, Failure};
use crate::global::JsonArgs;
use crate::output;
use crate::profiles::{ProfilesFile, profile_mut};
use crate::prompt;
use crate::settings::absolute;

#[derive(ClapArgs)]
pub(crate) struct Args {
    /// The name of the profile
    #[arg(default_value = "default")]
    name: String,
    /// Take the settings from a local sandbox's key directory
    #[arg(long, value_name = "DIR")]
    #[arg(conflicts_with_all = ["base_url", "partner_id", "private_key_file", "public_key_file", "passphrase_file"])]
    from_sandbox: Option<PathBuf>,
    /// The base URL of the API, or `sandbox` for the provider's sandbox
    #[arg(long, value_name = "URL")]
    base_url: Option<String>,
    /// The partner ID
    #[arg(long, value_name = "ID")]
    partner_id: Option<String>,
    /// File with your private key
    #[arg(long, value_name = "FILE")]
    private_key_file: Option<PathBuf>,
    /// File with Paytend's public key
    #[arg(long, value_name = "FILE")]
    public_key_file: Option<PathBuf>,
    /// File with the passphrase of an encrypted private key
    #[arg(long, value_name = "FILE")]
    passphrase_file: Option<PathBuf>,
    /// Replace an existing profile
    #[arg(long)]
    replace: bool,
    #[command(flatten)]
    json: JsonArgs,
}

pub(super) fn run(args: &Args, file: &ProfilesFile) -> Result<(), Failure> {
    let table = match &args.from_sandbox {
        Some(directory) => of_sandbox(directory)?,
        None => asked(args)?,
    };
    let exists = || {
        Failure::usage(format!("the profile `{}` already exists: pass --replace, or choose another name", args.name))
    };
    let entry = file.change(
        |document| {
            if crate::profiles::names(document).contains(&args.name) && !args.replace {
                return Err(exists());
            }
            let profile = profile_mut(document, &args.name)?;
            let entry = super::keyring_entry(profile);
            profile.clear();
            for (name, item) in table {
                profile.insert(&name, item);
            }
            Ok(entry)
        },
        // The keys are read here, so that an invalid key is reported now and not when the first call is made.
        |draft, entry| {
            ClientBuilder::from_file(draft, &args.name).and_then(ClientBuilder::build)?;
            Ok(entry)
        },
    )?;
    super::note_unused(entry.as_deref());
    if args.json.json {
        return output::json(&serde_json::json!({ "profile": args.name, "file": file.path }));
    }
    output::note(format!("profile `{}` was written to {}", args.name, file.path.display()));
    Ok(())
}

/// Returns the settings from the options. On a terminal, asks for missing settings.
fn asked(args: &Args) -> Result<Table, Failure> {
    let given = |path: &Option<PathBuf>| path.as_ref().map(|path| path.to_string_lossy().into_owned());
    let (own, paytend) = (given(&args.private_key_file), given(&args.public_key_file));
    let mut values = [
        ("--base-url", "Base URL, or `sandbox` for the provider's sandbox", args.base_url.clone(), Some("sandbox")),
        ("--partner-id", "Partner ID", args.partner_id.clone(), None),
        ("--private-key-file", "File with your private key", own, Some(PARTNER_PRIVATE)),
        ("--public-key-file", "File with Paytend's public key", paytend, Some(PAYTEND_PUBLIC)),
    ];
    let missing: Vec<&str> =
        values.iter().filter(|(.., value, _)| value.is_none()).map(|(option, ..)| *option).collect();
    if !missing.is_empty() && !prompt::is_interactive() {
        return Err(Failure::usage(format!("missing settings: pass {}, or --from-sandbox DIR", missing.join(", "))));
    }
    for (_, question, value, default) in &mut values {
        if value.is_none() {
            *value = Some(prompt::ask(question, *default)?);
        }
    }
    let [url, id, own, paytend] = values.map(|(.., value, _)| value.unwrap_or_default());
    let mut table = Table::new();
    let name = if url == "sandbox" { "environment" } else { "base_url" };
    let mut settings = vec![(name, url), ("partner_id", id)];
    settings.extend([("private_key_file", own), ("public_key_file", paytend)]);
    settings.extend(given(&args.passphrase_file).map(|path| ("private_key_passphrase_file", path)));
    for (name, text) in settings {
        if let Some(value) = fields::value(name, &text)? {
            table.insert(name, value);
        }
    }
    Ok(table)
}

/// Returns the settings in the `paytend.toml` of a sandbox's key directory, with absolute paths.
fn of_sandbox(directory: &Path) -> Result<Table, Failure> {
    let path = directory.join(SANDBOX_PROFILES);
    let unusable = |what: &dyn std::fmt::Display| {
        let hint = "pass the --keys directory of a sandbox that has been started before";
        Failure::new(Category::Configuration, format!("cannot read {}: {what}; {hint}", path.display()))
    };
    let text = std::fs::read_to_string(&path).map_err(|error| unusable(&error))?;
    let document: DocumentMut = text.parse().map_err(|_| unusable(&"not valid TOML"))?;
    let profile = document.get("profiles").and_then(|profiles| profiles.get(SANDBOX_PROFILE));
    let mut table = profile.and_then(Item::as_table).cloned().ok_or_else(|| unusable(&"no profile `sandbox`"))?;
    for (name, item) in table.iter_mut() {
        if let Some(file) = item.as_str().filter(|_| name.ends_with("_file")) {
            *item = absolute(&directory.join(file)).into();
        }
    }
    // Receivers of the sandbox's PayBy and PayerMax notifications, such as `paytend listen`, need these settings.
    for (setting, file) in
        [("payby_public_key_file", "payby-public.b64"), ("payermax_public_key_file", "payermax-public.b64")]
    {
        let path = directory.join(file);
        if path.exists() {
            table.insert(setting, absolute(&path).into());
        }
    }
    table.decor_mut().clear();
    Ok(table)
}
