//! The default HTTP client, used if no custom client or transport is set.

use std::path::PathBuf;
use std::time::Duration;

use paytend_crypto::KeyError;
use paytend_crypto::keys::{FilePermissions, clean_pem, read_secret_file};
use reqwest::{Certificate, Identity, NoProxy, Proxy, Url};
use zeroize::Zeroizing;

use crate::error::Error;

/// Options for TLS, the connection pool and the proxy.
#[derive(Default, PartialEq)]
pub(super) struct Options {
    pub(super) connect_timeout: Option<Duration>,
    pub(super) proxy: ProxyChoice,
    pub(super) roots: Vec<Vec<u8>>,
    pub(super) identity: Option<IdentitySource>,
    /// The permissions allowed for the client certificate file.
    pub(super) permissions: FilePermissions,
    pub(super) pool_idle_timeout: Option<Duration>,
    pub(super) pool_max_idle: Option<usize>,
}

/// The source of the client certificate and its private key.
#[derive(PartialEq)]
pub(super) enum IdentitySource {
    Pem(Zeroizing<Vec<u8>>),
    File(PathBuf),
}

impl IdentitySource {
    /// Reads the certificate and the key. Escaped newlines, surrounding quotes and UTF-16 are accepted, as in key
    /// files.
    fn read(&self, permissions: FilePermissions) -> Result<Identity, Error> {
        const NOT_PEM: &str = "the client certificate must be PEM and contain both the certificate and its private key";
        let (data, option) = match self {
            Self::Pem(pem) => (pem.clone(), "client_certificate"),
            Self::File(path) => {
                let read = read_secret_file(path, permissions);
                let data = read.map_err(|error| Error::configuration(format!("client_certificate_file: {error}")))?;
                (data, "client_certificate_file")
            }
        };
        let pem = clean_pem(&data).map_err(|error| match error {
            // The message of this error is replaced, because it mentions RSA keys, and a certificate can use another
            // algorithm.
            KeyError::Encoding => Error::configuration(NOT_PEM),
            error => Error::configuration(format!("{option}: {error}")),
        })?;
        Identity::from_pem(pem.as_bytes()).map_err(|_| Error::configuration(NOT_PEM))
    }
}

/// The source of the proxy: the environment variables, the builder, or no proxy.
#[derive(Default, PartialEq)]
pub(super) enum ProxyChoice {
    /// The proxy from the environment variables.
    #[default]
    Environment,
    None,
    Given(String),
}

/// The environment variables for the proxy, in order of precedence. They are read here because reqwest ignores an
/// invalid proxy and connects directly.
const VARIABLES: [&str; 4] = ["HTTPS_PROXY", "https_proxy", "ALL_PROXY", "all_proxy"];

impl Options {
    pub(super) fn is_default(&self) -> bool {
        *self == Self::default()
    }

    /// Returns a function that creates clients, each with a separate connection pool.
    pub(super) fn maker(
        self,
        base_url: &str,
    ) -> Result<impl Fn() -> Result<reqwest::Client, reqwest::Error> + Send + Sync + 'static, Error> {
        let builder = self.builders(base_url)?;
        Ok(move || builder().build())
    }

    /// Returns a function that creates client builders.
    pub(super) fn builders(
        self,
        base_url: &str,
    ) -> Result<impl Fn() -> reqwest::ClientBuilder + Send + Sync + 'static, Error> {
        let local = base_url.starts_with("http:");
        let proxy = match &self.proxy {
            // No proxy is used for the local machine, because a remote proxy cannot reach it but would see the plain
            // HTTP request.
            ProxyChoice::Environment if local => None,
            ProxyChoice::Environment => of_environment(|name| std::env::var_os(name))?,
            ProxyChoice::None => None,
            ProxyChoice::Given(_) if local => {
                return Err(Error::configuration(
                    "a proxy cannot reach a base URL on the local machine; remove the proxy",
                ));
            }
            ProxyChoice::Given(url) => Some(proxy(url)?),
        };
        let mut certificates = Vec::new();
        for pem in &self.roots {
            let roots = Certificate::from_pem_bundle(pem).ok().filter(|roots| !roots.is_empty()).ok_or_else(|| {
                Error::configuration("a root certificate is not PEM; it must contain -----BEGIN CERTIFICATE-----")
            })?;
            certificates.extend(roots);
        }
        let identity = self.identity.as_ref().map(|source| source.read(self.permissions)).transpose()?;
        Ok(move || {
            let mut client = reqwest::Client::builder()
                .connect_timeout(self.connect_timeout.unwrap_or(Duration::from_secs(10)))
                // Redirects are disabled, because a signed request must be sent only to the intended host.
                .redirect(reqwest::redirect::Policy::none())
                // Retries are left to `RetryPolicy`, which knows which requests are safe to resend.
                .retry(reqwest::retry::never())
                // Disables the proxies from environment variables; the configured proxy is added below.
                .no_proxy();
            if let Some(proxy) = &proxy {
                client = client.proxy(proxy.clone());
            }
            if !certificates.is_empty() {
                client = client.tls_certs_merge(certificates.clone());
            }
            if let Some(identity) = &identity {
                client = client.identity(identity.clone());
            }
            if let Some(timeout) = self.pool_idle_timeout {
                // The timeout is capped at one day, because adding a very long Duration to an Instant overflows.
                client = client.pool_idle_timeout(timeout.min(Duration::from_secs(86_400)));
            }
            if let Some(connections) = self.pool_max_idle {
                client = client.pool_max_idle_per_host(connections);
            }
            client
        })
    }
}

/// Parses a proxy URL. The URL may contain credentials, so errors do not show it.
fn proxy(text: &str) -> Result<Proxy, Error> {
    let wrong = || {
        Error::configuration(
            "the proxy is not a URL with an ASCII host; examples: http://proxy.example:80, socks5://proxy.example:1080",
        )
    };
    let url = Url::parse(text).map_err(|_| wrong())?;
    let known = ["http", "https", "socks4", "socks4a", "socks5", "socks5h"].contains(&url.scheme());
    // reqwest silently ignores a proxy whose URL is parsed differently by `Url` and by `Uri`. Such a proxy is refused
    // here.
    let uri: http::Uri = url.as_str().parse().map_err(|_| wrong())?;
    let plain =
        |host: &str| !host.is_empty() && host.bytes().all(|b| b.is_ascii_alphanumeric() || b"-._:[]".contains(&b));
    if !known || !uri.host().is_some_and(plain) || url.host_str() != uri.host() {
        return Err(wrong());
    }
    Proxy::all(url).map_err(|_| wrong())
}

/// Returns the proxy set by the environment variables, if any.
fn of_environment(variable: impl Fn(&str) -> Option<std::ffi::OsString>) -> Result<Option<Proxy>, Error> {
    for name in VARIABLES {
        let Some(value) = variable(name) else { continue };
        let value = value.to_string_lossy();
        let value = value.trim();
        if value.is_empty() {
            continue;
        }
        // A proxy URL without a scheme denotes an HTTP proxy.
        let url = if value.contains("://") { value.to_owned() } else { format!("http://{value}") };
        let proxy = proxy(&url).map_err(|_| {
            Error::configuration(format!(
                "the {name} environment variable is not a valid proxy URL; correct it, or call no_proxy()"
            ))
        })?;
        return Ok(Some(proxy.no_proxy(NoProxy::from_env())));
    }
    Ok(None)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn invalid_proxy_is_an_error_that_does_not_show_the_url() {
        for good in [
            "http://proxy.example:3128",
            "https://u:p@proxy.example",
            "socks5://127.0.0.1:1080",
            "socks5h://p:1",
            "socks4://p:1",
            "http://[::1]:3128",
        ] {
            assert!(proxy(good).is_ok(), "{good}");
        }
        for wrong in [
            "",
            "proxy.example:3128",
            "ftp://CANARY",
            "http://",
            "://",
            "http://CANARY:99999",
            "socks5://прокси:9",
            "socks5h://127%2e0.0.1:9",
            "socks5://a~b`c:9",
            "http://CANARY proxy",
        ] {
            let error = proxy(wrong).unwrap_err();
            let shown = format!("{error} {error:?}");
            assert!(shown.contains("the proxy is not a URL") && !shown.contains("CANARY"), "{shown}");
        }
    }

    #[test]
    fn invalid_proxy_in_the_environment_is_an_error() {
        // Each case contains the variables and the expected result: whether a proxy is set, or which variable the error
        // names.
        for (variables, expected) in [
            (vec![("all_proxy", "")], Ok(false)),
            (vec![("all_proxy", "http://proxy.example:3128")], Ok(true)),
            (vec![("HTTPS_PROXY", " proxy.example:3128 ")], Ok(true)),
            (vec![("HTTPS_PROXY", ""), ("https_proxy", "proxy.example:3128")], Ok(true)),
            (vec![("https_proxy", "http://CANARY proxy")], Err("https_proxy")),
            (vec![("all_proxy", "CANARY://x")], Err("all_proxy")),
            (vec![("ALL_PROXY", "http:///CANARY:9")], Ok(true)),
            (vec![("ALL_PROXY", "http://CANARY:99999")], Err("ALL_PROXY")),
            (vec![], Ok(false)),
        ] {
            let found = of_environment(|name| variables.iter().find(|(n, _)| *n == name).map(|(_, v)| v.into()));
            match (found, expected) {
                (Ok(found), Ok(is_one)) => assert_eq!(found.is_some(), is_one, "{variables:?}"),
                (Err(error), Err(name)) => {
                    let shown = format!("{error} {error:?}");
                    assert!(shown.contains(name) && !shown.contains("CANARY"), "{shown}");
                }
                (found, _) => panic!("{variables:?}: {found:?}"),
            }
        }
    }

    #[cfg(unix)]
    #[test]
    fn proxy_variable_that_is_not_utf8_is_an_error() {
        use std::os::unix::ffi::OsStringExt;
        let value = std::ffi::OsString::from_vec(b"http://proxy\xff.example".to_vec());
        assert!(of_environment(|_| Some(value.clone())).is_err());
    }
}
