//! `paytend config list` and `paytend config show`: show the profiles and their settings.

use serde::Serialize;
use serde_json::{Map, Value};
use toml_edit::{Item, TableLike};

use super::fields::{VARIABLES, shown};
use crate::exit::Failure;
use crate::output::{self, Style};
use crate::profiles::{ProfilesFile, names, variable};

#[derive(Serialize)]
struct Listed<'a> {
    name: &'a str,
    selected: bool,
    url: String,
    partner_id: String,
}

pub(super) fn list(file: &ProfilesFile, json: bool) -> Result<(), Failure> {
    let document = file.read()?;
    let selected = file.selected(None, &document).ok().flatten();
    let names = names(&document);
    let profiles = names.iter().map(|name| {
        let text = |setting: &str| text(document["profiles"][name.as_str()].get(setting));
        let url = text("base_url").or_else(|| text("environment")).map(|url| shown("base_url", &url));
        Listed {
            name,
            selected: selected.as_ref() == Some(name),
            url: url.unwrap_or_default(),
            partner_id: text("partner_id").unwrap_or_default(),
        }
    });
    let profiles: Vec<Listed<'_>> = profiles.collect();
    if json {
        return output::json(&serde_json::json!({ "file": file.path, "profiles": profiles }));
    }
    if profiles.is_empty() {
        output::note("there are no profiles; `paytend config init` creates one");
    }
    let style = Style::stdout();
    for profile in profiles {
        let line = format!("{:<16} {:<40} {}", profile.name, profile.url, profile.partner_id);
        let mark = if profile.selected { "*" } else { " " };
        let line = format!("{mark} {}", line.trim_end());
        output::line(&if profile.selected { style.bold(&line) } else { line })?;
    }
    Ok(())
}

#[derive(Serialize)]
struct Shown {
    profile: String,
    settings: Map<String, Value>,
    /// The environment variables that override settings.
    variables: Vec<&'static str>,
}

pub(super) fn show(file: &ProfilesFile, given: Option<&str>, json: bool) -> Result<(), Failure> {
    let document = file.read()?;
    let profile = file.selected(given, &document)?;
    let profile = profile.ok_or_else(|| Failure::usage("no profile is selected: pass the name of a profile"))?;
    let set = VARIABLES.iter().filter(|(_, name)| variable(name).is_some());
    let variables: Vec<(&str, &str)> = set.copied().collect();
    let empty = toml_edit::Table::new();
    let settings: &dyn TableLike = document["profiles"][profile.as_str()].as_table_like().unwrap_or(&empty);
    if json {
        let settings = settings.iter().map(|(name, item)| (name.to_owned(), value(name, item))).collect();
        let variables = variables.iter().map(|(_, name)| *name).collect();
        return output::json(&Shown { profile, settings, variables });
    }
    output::line(&Style::stdout().bold(&profile))?;
    for (name, item) in settings.iter() {
        let value = text(Some(item)).unwrap_or_else(|| item.to_string());
        output::line(&format!("  {name:<28} {}", shown(name, value.trim())))?;
    }
    for (setting, name) in variables {
        output::line(&format!("  {setting:<28} overridden by {name}"))?;
    }
    Ok(())
}

/// Returns the text of a TOML string.
fn text(item: Option<&Item>) -> Option<String> {
    item.and_then(Item::as_str).map(str::to_owned)
}

/// Returns a setting as JSON, without secrets.
fn value(name: &str, item: &Item) -> Value {
    fn plain(value: &toml_edit::Value) -> Value {
        match value {
            toml_edit::Value::String(text) => text.value().as_str().into(),
            toml_edit::Value::Integer(number) => (*number.value()).into(),
            toml_edit::Value::Boolean(value) => (*value.value()).into(),
            toml_edit::Value::Array(items) => items.iter().map(plain).collect(),
            toml_edit::Value::InlineTable(table) => {
                Value::Object(table.iter().map(|(name, value)| (name.to_owned(), plain(value))).collect())
            }
            other => other.to_string().trim().into(),
        }
    }
    match item {
        Item::Value(toml_edit::Value::String(text)) => shown(name, text.value()).into(),
        Item::Value(value) => plain(value),
        Item::Table(table) => {
            Value::Object(table.iter().map(|(name, item)| (name.to_owned(), self::value(name, item))).collect())
        }
        other => other.to_string().into(),
    }
}
