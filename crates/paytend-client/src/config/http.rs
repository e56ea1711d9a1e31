//! The HTTP client that is made if none is given.

use std::path::PathBuf;
use std::time::Duration;

use paytend_crypto::keys::{FilePermissions, read_secret_file};
use reqwest::{Certificate, Identity, NoProxy, Proxy, Url};
use zeroize::Zeroizing;

use crate::Error;

/// Options of TLS, pool and proxy.
#[derive(Default, PartialEq)]
pub(super) struct Options {
    pub(super) connect_timeout: Option<Duration>,
    pub(super) proxy: ProxyChoice,
    pub(super) roots: Vec<Vec<u8>>,
    pub(super) identity: Option<IdentitySource>,
    /// Which permissions the file of an identity may have.
    pub(super) permissions: FilePermissions,
    pub(super) pool_idle_timeout: Option<Duration>,
    pub(super) pool_max_idle: Option<usize>,
}

/// Where the certificate and the private key of the client come from.
#[derive(PartialEq)]
pub(super) enum IdentitySource {
    Pem(Zeroizing<Vec<u8>>),
    File(PathBuf),
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

/// The variables that name proxies, the first that is set counting. They are read here, and not by reqwest, which passes over one that it
/// cannot read, and goes without.
const VARIABLES: [&str; 4] = ["HTTPS_PROXY", "https_proxy", "ALL_PROXY", "all_proxy"];

impl Options {
    pub(super) fn is_default(&self) -> bool {
        *self == Self::default()
    }

    /// Returns what makes the client, again and again: each has a connection pool of its own.
    pub(super) fn maker(
        self,
        base_url: &str,
    ) -> Result<impl Fn() -> Result<reqwest::Client, reqwest::Error> + Send + Sync + 'static, Error> {
        let local = base_url.starts_with("http:");
        let proxy = match &self.proxy {
            // The machine itself, which a proxy cannot reach, and would read in the clear.
            ProxyChoice::Environment if local => None,
            ProxyChoice::Environment => of_environment(|name| std::env::var_os(name))?,
            ProxyChoice::None => None,
            ProxyChoice::Given(_) if local => {
                return Err(Error::configuration("a proxy cannot reach a base URL on the machine itself"));
            }
            ProxyChoice::Given(url) => Some(proxy(url)?),
        };
        let mut certificates = Vec::new();
        for pem in &self.roots {
            let roots = Certificate::from_pem_bundle(pem)
                .ok()
                .filter(|roots| !roots.is_empty())
                .ok_or_else(|| Error::configuration("a root certificate is not PEM"))?;
            certificates.extend(roots);
        }
        let pem = match &self.identity {
            None => None,
            Some(IdentitySource::Pem(pem)) => Some(pem.clone()),
            Some(IdentitySource::File(path)) => {
                let read = read_secret_file(path, self.permissions);
                Some(read.map_err(|error| Error::configuration(format!("client_certificate_file: {error}")))?)
            }
        };
        let identity = match pem {
            Some(pem) => Some(Identity::from_pem(&pem).map_err(|_| {
                Error::configuration("the client certificate is not PEM of a certificate and its private key")
            })?),
            None => None,
        };
        Ok(move || {
            let mut client = reqwest::Client::builder()
                .connect_timeout(self.connect_timeout.unwrap_or(Duration::from_secs(10)))
                // A signed request goes to the host it was made for.
                .redirect(reqwest::redirect::Policy::none())
                // Whether to send again is decided where it is known what may be sent twice.
                .retry(reqwest::retry::never())
                // Nothing but what was chosen here.
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
                // Longer than a day is for ever, and an instant cannot be as far away as a Duration may say.
                client = client.pool_idle_timeout(timeout.min(Duration::from_secs(86_400)));
            }
            if let Some(connections) = self.pool_max_idle {
                client = client.pool_max_idle_per_host(connections);
            }
            client.build()
        })
    }
}

/// A proxy that can be one. Its URL may hold credentials, and is in no error.
fn proxy(text: &str) -> Result<Proxy, Error> {
    let wrong = || {
        Error::configuration(
            "the proxy is not a URL like http://proxy.example:3128 or socks5://proxy.example:1080, in plain letters",
        )
    };
    let url = Url::parse(text).map_err(|_| wrong())?;
    let known = ["http", "https", "socks4", "socks4a", "socks5", "socks5h"].contains(&url.scheme());
    // What the two parsers do not both read, reqwest would go without.
    let uri: http::Uri = url.as_str().parse().map_err(|_| wrong())?;
    let plain =
        |host: &str| !host.is_empty() && host.bytes().all(|b| b.is_ascii_alphanumeric() || b"-._:[]".contains(&b));
    if !known || !uri.host().is_some_and(plain) || url.host_str() != uri.host() {
        return Err(wrong());
    }
    Proxy::all(url).map_err(|_| wrong())
}

/// The proxy that the environment names, if it names one.
fn of_environment(variable: impl Fn(&str) -> Option<std::ffi::OsString>) -> Result<Option<Proxy>, Error> {
    for name in VARIABLES {
        let Some(value) = variable(name) else { continue };
        let value = value.to_string_lossy();
        let value = value.trim();
        if value.is_empty() {
            continue;
        }
        // Without a scheme it is taken to be http.
        let url = if value.contains("://") { value.to_owned() } else { format!("http://{value}") };
        let proxy = proxy(&url).map_err(|_| {
            Error::configuration(format!(
                "the environment variable {name} is not a proxy's URL; set it right, or call no_proxy()"
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
    fn a_wrong_proxy_is_an_error_that_does_not_show_it() {
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
    fn a_wrong_proxy_in_the_environment_is_not_passed_over() {
        // What is there: a proxy, none, or an error.
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
    fn one_that_is_no_text_is_wrong_too() {
        use std::os::unix::ffi::OsStringExt;
        let value = std::ffi::OsString::from_vec(b"http://proxy\xff.example".to_vec());
        assert!(of_environment(|_| Some(value.clone())).is_err());
    }
}
