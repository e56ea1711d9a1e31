//! What a builder was given, checked: the partner, paths, names, states and the base URL.

use std::collections::HashMap;
use std::fmt;

use paytend_crypto::Keyring;
use reqwest::Url;

use crate::Error;
use crate::order::OrderStates;

/// Whether a partner can be spoken for.
pub(crate) fn check_partner(partner_id: &str, keyring: &Keyring) -> Result<(), Error> {
    let plain = |c: char| c.is_ascii_alphanumeric() || c == '-' || c == '_';
    if partner_id.is_empty() || !partner_id.chars().all(plain) {
        return Err(Error::configuration(
            "the partner identifier is empty or has characters other than letters and digits",
        ));
    }
    if !keyring.can_seal() || !keyring.can_open() {
        return Err(Error::configuration("the keyring lacks keys: a client signs and encrypts, decrypts and verifies"));
    }
    Ok(())
}

/// Configured paths, by the paths they take the place of.
pub(super) fn paths(given: Vec<(String, String)>) -> Result<HashMap<String, String>, Error> {
    let mut paths = HashMap::new();
    for (operation, path) in given {
        let named = |what: &dyn fmt::Display| Error::configuration(format!("path of `{operation}`: {what}"));
        let entry = paytend_model::operation(&operation).map_err(|error| named(&error))?;
        let plain = |byte: u8| byte.is_ascii_graphic() && !matches!(byte, b'?' | b'#' | b'\\');
        if !path.starts_with('/') || path.starts_with("//") || !path.bytes().all(plain) {
            return Err(named(&"it must begin with one slash and have no spaces, queries or fragments"));
        }
        if paths.insert(entry.info.path.to_owned(), path).is_some() {
            return Err(named(&"it is given twice"));
        }
    }
    Ok(paths)
}

/// Configured names, by the operations' default paths.
pub(super) fn response_names(given: Vec<(String, Vec<String>)>) -> Result<HashMap<String, Vec<String>>, Error> {
    by_path("response names", given)
}

/// Configured states, by the operations' default paths.
pub(super) fn order_states_by_path(given: Vec<(String, OrderStates)>) -> Result<HashMap<String, OrderStates>, Error> {
    let states = by_path("order states", given)?;
    states.into_iter().map(|(path, states)| Ok((path.clone(), checked_states(&path, states)?))).collect()
}

pub(super) fn checked_states(operation: &str, states: OrderStates) -> Result<OrderStates, Error> {
    match states.ambiguous() {
        Some(code) => {
            Err(Error::configuration(format!("order states of {operation}: the code `{code}` has two meanings")))
        }
        None => Ok(states),
    }
}

/// What is configured for operations, by their default paths. A path that no type describes stands for itself.
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

/// The base URL without a trailing slash, so that a path can be appended.
pub(super) fn parse_base_url(text: &str) -> Result<String, &'static str> {
    let url = Url::parse(text).map_err(|_| "the base URL is not a URL like https://api.example.com")?;
    let host = url.host_str().ok_or("the base URL has no host")?;
    let local = host == "localhost"
        || host.trim_matches(['[', ']']).parse::<std::net::IpAddr>().is_ok_and(|address| address.is_loopback());
    match url.scheme() {
        "https" => {}
        "http" if local => {}
        "http" => return Err("the base URL is plain HTTP to another machine; use https"),
        _ => return Err("the base URL is neither https nor http"),
    }
    if !url.username().is_empty() || url.password().is_some() {
        return Err("the base URL holds credentials; Paytend's APIs take none");
    }
    if url.query().is_some() || url.fragment().is_some() {
        return Err("the base URL has a query or a fragment");
    }
    Ok(url.as_str().trim_end_matches('/').to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn base_urls_are_checked() {
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
