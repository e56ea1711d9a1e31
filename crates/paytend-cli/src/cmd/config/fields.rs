//! The settings of a profile: names, types and secrets.

use std::path::Path;

use toml_edit::{Item, Value};

use crate::exit::Failure;
use crate::settings::absolute;
use crate::suggest;

/// The names of the profile settings that `ClientBuilder::from_file` in the `paytend-client` crate reads.
pub(super) const NAMES: &[&str] = &[
    "environment",
    "base_url",
    "partner_id",
    "private_key_file",
    "private_key_keyring",
    "private_key_passphrase_file",
    "public_key_file",
    "public_key",
    "deadline_seconds",
    "attempt_timeout_seconds",
    "connect_timeout_seconds",
    "max_in_flight",
    "proxy",
    "root_certificates_file",
    "client_certificate_file",
    "danger_any_permissions",
    "user_agent",
    "unknown_order_codes",
    "order_states",
    "response_names",
    "paths",
    "payby_public_key_file",
    "payermax_public_key_file",
];

/// The environment variables that override a setting. See `ClientBuilder::from_file_and_env`.
pub(crate) const VARIABLES: &[(&str, &str)] = &[
    ("environment", "PAYTEND_ENVIRONMENT"),
    ("base_url", "PAYTEND_BASE_URL"),
    ("partner_id", "PAYTEND_PARTNER_ID"),
    ("private_key", "PAYTEND_PRIVATE_KEY"),
    ("private_key_file", "PAYTEND_PRIVATE_KEY_FILE"),
    ("private_key_passphrase_file", "PAYTEND_PASSPHRASE_FILE"),
    ("public_key", "PAYTEND_PUBLIC_KEY"),
    ("public_key_file", "PAYTEND_PUBLIC_KEY_FILE"),
    ("client_certificate_file", "PAYTEND_CLIENT_CERTIFICATE_FILE"),
    ("proxy", "PAYTEND_PROXY"),
    ("deadline_seconds", "PAYTEND_DEADLINE_SECONDS"),
];

/// Returns the TOML value of a setting, or `None` if the text is empty.
///
/// # Errors
/// Returns a usage error if the setting does not exist, if the value has the wrong type, or if the setting is a secret.
/// Secrets are refused because other users can read the arguments of a process.
pub(super) fn value(name: &str, text: &str) -> Result<Option<Item>, Failure> {
    if name == "private_key" {
        return Err(Failure::usage(
            "a private key is not accepted on the command line: write it to a file, and set private_key_file",
        ));
    }
    if !NAMES.contains(&name) {
        let hint = suggest::did_you_mean(name, NAMES.iter().copied());
        let hint = hint.unwrap_or_else(|| format!("the settings are {}", NAMES.join(", ")));
        return Err(Failure::usage(format!("there is no setting `{name}`: {hint}")));
    }
    if name == "proxy" && text.contains('@') {
        return Err(Failure::usage(
            "a proxy with a password is not accepted on the command line: set PAYTEND_PROXY, or edit the file",
        ));
    }
    if text.is_empty() {
        return Ok(None);
    }
    let expected = match name {
        "deadline_seconds" | "attempt_timeout_seconds" | "connect_timeout_seconds" | "max_in_flight" => {
            "a whole number, such as 30"
        }
        "danger_any_permissions" => "true or false",
        "unknown_order_codes" => "a list, such as [\"1044\"]",
        "order_states" => "a table, such as { processing = [\"1\"], succeeded = [\"2\"], failed = [\"3\"] }",
        "response_names" => "a table, such as { topup = [\"orderNo\"] }",
        "paths" => "a table, such as { \"baas.getUser\" = \"/iban/account/queryUser\" }",
        // Relative paths in arguments start at the current directory, but relative paths in a profile start at its
        // file. Absolute paths are therefore stored.
        _ if name.ends_with("_file") => return Ok(Some(absolute(Path::new(text)).into())),
        _ => return Ok(Some(text.into())),
    };
    let value = text.trim().parse::<Value>().ok().filter(|value| match name {
        "danger_any_permissions" => value.is_bool(),
        "unknown_order_codes" => value.is_array(),
        "order_states" | "response_names" | "paths" => value.is_inline_table(),
        _ => value.as_integer().is_some_and(|number| number > 0),
    });
    match value {
        Some(value) => Ok(Some(Item::Value(value))),
        None => Err(Failure::usage(format!("invalid value for `{name}`: expected {expected}"))),
    }
}

/// Returns the value of a setting, with secrets replaced by a placeholder.
pub(super) fn shown(name: &str, value: &str) -> String {
    if name == "private_key" {
        return "(hidden)".to_owned();
    }
    // Hides the user and the password in a URL such as `http://user:password@host`.
    match (value.rfind('@'), value.find("://")) {
        (Some(at), scheme) if matches!(name, "proxy" | "base_url") => {
            let start = scheme.map_or(0, |scheme| scheme + 3);
            format!("{}***{}", value.get(..start).unwrap_or_default(), value.get(at..).unwrap_or_default())
        }
        _ => value.to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn values_have_the_type_of_their_setting() {
        let text = |name: &str, text: &str| value(name, text).map(|value| value.map(|value| value.to_string()));
        assert_eq!(text("partner_id", "888666000100260").unwrap().as_deref(), Some("\"888666000100260\""));
        assert_eq!(text("deadline_seconds", "30").unwrap().as_deref(), Some("30"));
        assert_eq!(text("unknown_order_codes", "[\"1\"]").unwrap().as_deref(), Some("[\"1\"]"));
        assert_eq!(text("proxy", "").unwrap(), None);
        for (name, given, part) in [
            ("deadline_seconds", "soon", "whole number"),
            ("deadline_seconds", "0", "whole number"),
            ("danger_any_permissions", "yes", "true or false"),
            ("order_states", "[1]", "a table"),
            ("private_key", "CANARY", "private_key_file"),
            ("proxy", "http://user:CANARY@proxy", "PAYTEND_PROXY"),
            ("dedline_seconds", "1", "did you mean `deadline_seconds`?"),
        ] {
            let message = text(name, given).unwrap_err().message().to_owned();
            assert!(message.contains(part) && !message.contains("CANARY"), "{name}: {message}");
        }
    }

    #[test]
    fn secrets_are_not_shown() {
        assert_eq!(shown("private_key", "CANARY"), "(hidden)");
        assert_eq!(shown("proxy", "http://user:CAN@ARY@proxy:1"), "http://***@proxy:1");
        assert_eq!(shown("proxy", "CANARY@proxy"), "***@proxy");
        assert_eq!(shown("partner_id", "8@8"), "8@8");
    }
}
