//! The HTTP client that is made if none is given.

use std::time::Duration;

use reqwest::{Certificate, Identity, Proxy, Url};

use crate::Error;

/// Options of TLS, pool and proxy.
#[derive(Default, PartialEq)]
pub(super) struct Options {
    pub(super) connect_timeout: Option<Duration>,
    pub(super) proxy: ProxyChoice,
    pub(super) roots: Vec<Vec<u8>>,
    pub(super) identity: Option<Vec<u8>>,
    pub(super) pool_idle_timeout: Option<Duration>,
    pub(super) pool_max_idle: Option<usize>,
}

/// Which proxy to go through.
#[derive(Default, PartialEq)]
pub(super) enum ProxyChoice {
    /// That of the environment.
    #[default]
    Environment,
    None,
    Given(String),
}

/// The variables that name proxies. reqwest passes over a wrong one in silence, and goes without.
const VARIABLES: [&str; 4] = ["HTTPS_PROXY", "https_proxy", "ALL_PROXY", "all_proxy"];

impl Options {
    pub(super) fn is_default(&self) -> bool {
        *self == Self::default()
    }

    pub(super) fn client(self, base_url: &str) -> Result<reqwest::Client, Error> {
        let mut client = reqwest::Client::builder()
            .connect_timeout(self.connect_timeout.unwrap_or(Duration::from_secs(10)))
            // A signed request goes to the host it was made for.
            .redirect(reqwest::redirect::Policy::none())
            // Whether to send again is decided where it is known what may be sent twice.
            .retry(reqwest::retry::never());
        let local = base_url.starts_with("http:");
        match &self.proxy {
            // The machine itself, which a proxy cannot reach, and would read in the clear.
            ProxyChoice::Environment if local => client = client.no_proxy(),
            ProxyChoice::Environment => check_environment(|name| std::env::var(name).ok())?,
            ProxyChoice::None => client = client.no_proxy(),
            ProxyChoice::Given(_) if local => {
                return Err(Error::configuration("a proxy cannot reach a base URL on the machine itself"));
            }
            ProxyChoice::Given(url) => client = client.proxy(proxy(url)?),
        }
        for pem in &self.roots {
            let roots = Certificate::from_pem_bundle(pem)
                .ok()
                .filter(|roots| !roots.is_empty())
                .ok_or_else(|| Error::configuration("a root certificate is not PEM"))?;
            client = client.tls_certs_merge(roots);
        }
        if let Some(pem) = &self.identity {
            let identity = Identity::from_pem(pem).map_err(|_| {
                Error::configuration("the client certificate is not PEM of a certificate and its private key")
            })?;
            client = client.identity(identity);
        }
        if let Some(timeout) = self.pool_idle_timeout {
            client = client.pool_idle_timeout(timeout);
        }
        if let Some(connections) = self.pool_max_idle {
            client = client.pool_max_idle_per_host(connections);
        }
        client.build().map_err(|error| Error::configuration(error.without_url()))
    }
}

/// A proxy that can be one. Its URL may hold credentials, and is in no error.
fn proxy(url: &str) -> Result<Proxy, Error> {
    let wrong =
        || Error::configuration("the proxy is not a URL like http://proxy.example:3128 or socks5://proxy.example:1080");
    let parsed = Url::parse(url).map_err(|_| wrong())?;
    if !matches!(parsed.scheme(), "http" | "https" | "socks5" | "socks5h")
        || parsed.host_str().is_none_or(str::is_empty)
    {
        return Err(wrong());
    }
    Proxy::all(parsed).map_err(|_| wrong())
}

/// What the environment says must be a proxy, or nothing.
fn check_environment(variable: impl Fn(&str) -> Option<String>) -> Result<(), Error> {
    for name in VARIABLES {
        let Some(value) = variable(name).filter(|value| !value.trim().is_empty()) else { continue };
        // Without a scheme it is taken to be http.
        let url = if value.contains("://") { value } else { format!("http://{value}") };
        if proxy(&url).is_err() {
            return Err(Error::configuration(format!(
                "the environment variable {name} is not a proxy's URL, and would be passed over; set it right, or call no_proxy()"
            )));
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_wrong_proxy_is_an_error_that_does_not_show_it() {
        for good in
            ["http://proxy.example:3128", "https://u:p@proxy.example", "socks5://127.0.0.1:1080", "socks5h://p:1"]
        {
            assert!(proxy(good).is_ok(), "{good}");
        }
        for wrong in
            ["", "proxy.example:3128", "ftp://CANARY", "http://", "://", "socks4://CANARY", "http://CANARY:99999"]
        {
            let error = proxy(wrong).unwrap_err();
            let shown = format!("{error} {error:?}");
            assert!(shown.contains("the proxy is not a URL") && !shown.contains("CANARY"), "{shown}");
        }
    }

    #[test]
    fn a_wrong_proxy_in_the_environment_is_not_passed_over() {
        for (value, good) in [
            ("", true),
            ("http://proxy.example:3128", true),
            ("proxy.example:3128", true),
            ("http://CANARY proxy", false),
            ("CANARY://x", false),
            ("http://CANARY:99999", false),
        ] {
            let result = check_environment(|name| (name == "all_proxy").then(|| value.to_owned()));
            assert_eq!(result.is_ok(), good, "{value}");
            if let Err(error) = result {
                let shown = format!("{error} {error:?}");
                assert!(shown.contains("all_proxy") && !shown.contains("CANARY"), "{shown}");
            }
        }
    }
}
