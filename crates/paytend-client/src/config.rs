//! How a client is made. Every mistake is reported by [`Builder::build`].

use std::fmt;
use std::time::Duration;

use paytend_crypto::Keyring;
use reqwest::Url;

use crate::{Client, Error};

/// The sandbox's base URL. Source: the provider's published sandbox demo.
const SANDBOX: &str = "https://sandbox-api.paytend.com";

/// Which Paytend to talk to.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Environment {
    /// The provider's sandbox, `https://sandbox-api.paytend.com`.
    Sandbox,
    /// Another base URL: production's comes with the contract; a sandbox of your own says its own.
    BaseUrl(String),
}

/// Builds a [`Client`].
#[must_use]
pub struct Builder {
    environment: Environment,
    partner_id: String,
    keyring: Keyring,
    connect_timeout: Duration,
    timeout: Duration,
    user_agent: String,
    max_response_bytes: Option<usize>,
}

impl Builder {
    pub(crate) fn new(environment: Environment, partner_id: String, keyring: Keyring) -> Self {
        Self {
            environment,
            partner_id,
            keyring,
            connect_timeout: Duration::from_secs(10),
            timeout: Duration::from_secs(30),
            user_agent: concat!("paytend-client/", env!("CARGO_PKG_VERSION")).to_owned(),
            max_response_bytes: None,
        }
    }

    /// How long making a connection may take (default 10 s).
    pub fn connect_timeout(mut self, timeout: Duration) -> Self {
        self.connect_timeout = timeout;
        self
    }

    /// How long a call may take in all (default 30 s).
    pub fn timeout(mut self, timeout: Duration) -> Self {
        self.timeout = timeout;
        self
    }

    /// The `User-Agent` header.
    pub fn user_agent(mut self, text: impl Into<String>) -> Self {
        self.user_agent = text.into();
        self
    }

    /// The largest answer that is read, in bytes (default 4 MiB).
    pub fn max_response_bytes(mut self, bytes: usize) -> Self {
        self.max_response_bytes = Some(bytes);
        self
    }

    /// Makes the client.
    ///
    /// # Errors
    /// Of kind [`Configuration`](crate::ErrorKind::Configuration), with the mistake as its source: a base URL that is no URL, or
    /// is plain HTTP to another machine; a keyring that cannot seal or cannot open; a partner identifier that is empty or could not be sealed; a user agent that is no
    /// header.
    pub fn build(self) -> Result<Client, Error> {
        let base = match &self.environment {
            Environment::Sandbox => SANDBOX,
            Environment::BaseUrl(url) => url,
        };
        let base_url = parse_base_url(base).map_err(Error::configuration)?;
        let plain = |c: char| c.is_ascii_alphanumeric() || c == '-' || c == '_';
        if self.partner_id.is_empty() || !self.partner_id.chars().all(plain) {
            return Err(Error::configuration(
                "the partner identifier is empty or has characters other than letters and digits",
            ));
        }
        if !self.keyring.can_seal() || !self.keyring.can_open() {
            return Err(Error::configuration(
                "the keyring lacks keys: a client signs and encrypts, decrypts and verifies",
            ));
        }
        let mut http = reqwest::Client::builder()
            .connect_timeout(self.connect_timeout)
            .timeout(self.timeout)
            .user_agent(self.user_agent)
            .redirect(reqwest::redirect::Policy::none())
            // A request that moves money is sent once. Whether to send it again is not for a library to decide.
            .retry(reqwest::retry::never());
        if base_url.starts_with("http:") {
            // The machine itself, which a proxy cannot reach, and would read in the clear.
            http = http.no_proxy();
        }
        let http = http.build().map_err(|e| Error::configuration(e.without_url()))?;
        let max_response_bytes = self.max_response_bytes.unwrap_or(paytend_crypto::Kind::Response.default_max_bytes());
        Ok(Client::from_parts(http, base_url, self.partner_id, self.keyring, max_response_bytes))
    }
}

impl fmt::Debug for Builder {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Builder").field("environment", &self.environment).finish_non_exhaustive()
    }
}

/// The base URL without a trailing slash, so that a path can be appended.
fn parse_base_url(text: &str) -> Result<String, &'static str> {
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
