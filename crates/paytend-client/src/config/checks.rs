//! Checks of the builder's values: partner ID, paths, response names, order states and base URL.

use std::collections::HashMap;
use std::fmt;

use paytend_crypto::Keyring;
use reqwest::Url;

use crate::error::Error;
use crate::policy::order_states::OrderStates;

/// Checks that the partner ID is valid and that the keyring is complete.
pub(crate) fn check_partner(partner_id: &str, keyring: &Keyring) -> Result<(), Error> {
    let plain = |c: char| c.is_ascii_alphanumeric() || c == '-' || c == '_';
    if partner_id.is_empty() || !partner_id.chars().all(plain) {
        return Err(Error::configuration(
            "the partner ID is empty or contains characters other than letters, digits, hyphens and underscores",
        ));
    }
    if !keyring.can_seal() || !keyring.can_open() {
        return Err(Error::configuration(
            "the keyring is incomplete; a client needs keys to sign, encrypt, decrypt and verify",
        ));
    }
    Ok(())
}

/// Returns the configured paths, keyed by the default paths that they replace.
pub(super) fn paths(given: Vec<(String, String)>) -> Result<HashMap<String, String>, Error> {
    let mut paths = HashMap::new();
    for (operation, path) in given {
        let named = |what: &dyn fmt::Display| Error::configuration(format!("path of `{operation}`: {what}"));
        let entry = paytend_model::operation(&operation).map_err(|error| named(&error))?;
        let plain = |byte: u8| byte.is_ascii_graphic() && !matches!(byte, b'?' | b'#' | b'\\');
        if !path.starts_with('/') || path.starts_with("//") || !path.bytes().all(plain) {
            return Err(named(&"must begin with one slash and contain no spaces, query or fragment"));
        }
        if paths.insert(entry.info.path.to_owned(), path).is_some() {
            return Err(named(&"set twice"));
        }
    }
    Ok(paths)
}

/// Returns the configured response names, keyed by the operations' default paths.
pub(super) fn response_names(given: Vec<(String, Vec<String>)>) -> Result<HashMap<String, Vec<String>>, Error> {
    by_path("response names", given)
}

/// Returns the configured order states, keyed by the operations' default paths.
pub(super) fn order_states_by_path(given: Vec<(String, OrderStates)>) -> Result<HashMap<String, OrderStates>, Error> {
    let states = by_path("order states", given)?;
    states.into_iter().map(|(path, states)| Ok((path.clone(), checked_states(&path, states)?))).collect()
}

pub(super) fn checked_states(operation: &str, states: OrderStates) -> Result<OrderStates, Error> {
    match states.ambiguous() {
        Some(code) => Err(Error::configuration(format!(
            "order states of {operation}: the code `{code}` has two meanings; assign it to one state"
        ))),
        None => Ok(states),
    }
}

/// Returns the values configured for operations, keyed by default path. An operation that was specified with an unknown
/// path keeps this path as its key.
fn by_path<T>(what: &str, given: Vec<(String, T)>) -> Result<HashMap<String, T>, Error> {
    let mut found = HashMap::new();
    for (operation, value) in given {
        let wrong = |why: &dyn fmt::Display| Error::configuration(format!("{what} of `{operation}`: {why}"));
        let path = match paytend_model::operation(&operation) {
            Ok(entry) => entry.info.path.to_owned(),
            Err(_) if operation.starts_with('/') => operation.clone(),
            Err(error) => return Err(wrong(&error)),
        };
        if found.insert(path, value).is_some() {
            return Err(wrong(&"set twice"));
        }
    }
    Ok(found)
}

/// Checks a base URL and returns it without a trailing slash, so that a path can be appended.
pub(super) fn parse_base_url(text: &str) -> Result<String, &'static str> {
    let url = Url::parse(text).map_err(|_| "the base URL is not a valid URL; example: https://api.example.com")?;
    let host = url.host_str().ok_or("the base URL has no host; example: https://api.example.com")?;
    let local = host == "localhost"
        || host.trim_matches(['[', ']']).parse::<std::net::IpAddr>().is_ok_and(|address| address.is_loopback());
    match url.scheme() {
        "https" => {}
        "http" if local => {}
        "http" => return Err("the base URL uses plain HTTP to another machine; use https"),
        _ => return Err("the base URL must begin with https://"),
    }
    if !url.username().is_empty() || url.password().is_some() {
        return Err("the base URL contains credentials; remove them, because Paytend's APIs do not use any");
    }
    if url.query().is_some() || url.fragment().is_some() {
        return Err("the base URL has a query or a fragment; remove it");
    }
    Ok(url.as_str().trim_end_matches('/').to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn invalid_base_urls_are_refused() {
        for (url, expected) in [
            ("https://api.example.com", Some("https://api.example.com")),
            ("https://api.example.com/v2/", Some("https://api.example.com/v2")),
            ("http://127.0.0.1:8080/", Some("http://127.0.0.1:8080")),
            ("http://[::1]:8080", Some("http://[::1]:8080")),
            ("http://localhost:1", Some("http://localhost:1")),
            ("http://api.example.com", None),
            ("http://127.0.0.1.example.com", None),
            ("ftp://api.example.com", None),
            ("api.example.com", None),
            ("https://user:secret@api.example.com", None),
            ("https://api.example.com/?key=1", None),
            ("", None),
        ] {
            assert_eq!(parse_base_url(url).ok().as_deref(), expected, "{url}");
        }
    }
}
