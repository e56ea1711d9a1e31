//! The options for the connection: HTTP, the proxy, TLS and the connection pool.

use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use paytend_crypto::keys::FilePermissions;
use zeroize::Zeroizing;

use super::{ClientBuilder, TransportChoice};
use crate::config::checks::parse_base_url;
use crate::config::http;
use crate::error::Error;
use crate::transport::exchange::Transport;

impl ClientBuilder {
    /// Sets the `User-Agent` header (default: `paytend-client/` and the crate's version).
    pub fn user_agent(mut self, text: impl Into<String>) -> Self {
        self.user_agent = text.into();
        self
    }

    /// Sets the size limit of a response, in bytes (default 4 MiB).
    pub fn max_response_bytes(mut self, bytes: usize) -> Self {
        self.max_response_bytes = bytes;
        self
    }

    /// Sets the proxy: `http://`, `https://`, `socks4://`, `socks5://` or `socks5h://`, with optional credentials.
    ///
    /// By default, the proxy is taken from the first of these environment variables that is set: `HTTPS_PROXY`,
    /// `https_proxy`, `ALL_PROXY`, `all_proxy`. It is not used for the hosts in `NO_PROXY`. An invalid proxy URL in one
    /// of these variables is an error.
    ///
    /// A plain-HTTP base URL, which is always on the local machine, is accessed without a proxy.
    pub fn proxy(mut self, url: impl Into<String>) -> Self {
        self.http.proxy = http::ProxyChoice::Given(url.into());
        self
    }

    /// Disables the proxy, even if an environment variable sets one.
    pub fn no_proxy(mut self) -> Self {
        self.http.proxy = http::ProxyChoice::None;
        self
    }

    /// Adds trusted root certificates in PEM format.
    pub fn root_certificates(mut self, pem: impl Into<Vec<u8>>) -> Self {
        self.http.roots.push(pem.into());
        self
    }

    /// Sets the client certificate for servers that request one (mTLS), and its private key. `pem` contains
    /// both in PEM format. As in key files, escaped newlines, quotes and UTF-16 are accepted.
    pub fn client_certificate(mut self, pem: impl Into<Vec<u8>>) -> Self {
        self.http.identity = Some(http::IdentitySource::Pem(Zeroizing::new(pem.into())));
        self
    }

    /// Sets the file that contains the client certificate and its private key. [`build`](Self::build) reads the file.
    ///
    /// On Unix, the file is refused if its group or others have access to it, unless
    /// [`danger_any_permissions`](Self::danger_any_permissions) allows it.
    pub fn client_certificate_file(mut self, path: impl Into<PathBuf>) -> Self {
        self.http.identity = Some(http::IdentitySource::File(path.into()));
        self
    }

    /// Sets whether a private key file is accepted if users other than its owner have access to it (default: no).
    ///
    /// Use this for secrets that a container platform mounts with a mode such as 0440 or 0444. Setting the
    /// `PAYTEND_DANGER_ANY_PERMISSIONS` environment variable to `1` allows this for the whole program.
    pub fn danger_any_permissions(mut self, accepted: bool) -> Self {
        self.http.permissions = if accepted { FilePermissions::DangerAny } else { FilePermissions::OwnerOnly };
        self
    }

    /// Sets how long an idle connection is kept for reuse (default 90 s).
    pub fn pool_idle_timeout(mut self, timeout: Duration) -> Self {
        self.http.pool_idle_timeout = Some(timeout);
        self
    }

    /// Sets the maximum number of idle connections (default: no limit).
    pub fn pool_max_idle(mut self, connections: usize) -> Self {
        self.http.pool_max_idle = Some(connections);
        self
    }

    /// Sets a function that creates the reqwest client, for options that this builder does not have.
    ///
    /// [`build`](Self::build) calls the function once. It is called again for each request that requires a new
    /// connection, and after a response that did not belong to its request. In both cases, existing connections must
    /// not be reused. The function must build a new client each time, because clones of a client share their
    /// connections.
    ///
    /// The function must disable redirects, retries and proxies itself. It cannot be combined with this builder's
    /// options for TLS, the connection pool or the proxy.
    pub fn http_client(
        mut self,
        make: impl Fn() -> Result<reqwest::Client, reqwest::Error> + Send + Sync + 'static,
    ) -> Self {
        self.transport = TransportChoice::Given(Box::new(make));
        self
    }

    /// Sets a custom transport for requests.
    pub fn transport(mut self, transport: Arc<dyn Transport>) -> Self {
        self.transport = TransportChoice::Other(transport);
        self
    }

    /// Returns a builder for an HTTP client with this builder's proxy, certificates and timeouts.
    ///
    /// Use it for other requests to the same server, such as a connectivity check. The client does not follow
    /// redirects.
    ///
    /// # Errors
    /// Returns an error of kind [`Configuration`](crate::ErrorKind::Configuration) if
    /// - the base URL, the proxy or a certificate is invalid;
    /// - [`http_client`](Self::http_client) or [`transport`](Self::transport) is set.
    pub fn http_client_builder(self) -> Result<reqwest::ClientBuilder, Error> {
        let base_url = parse_base_url(self.environment.url()).map_err(Error::configuration)?;
        match self.transport {
            TransportChoice::Own => Ok(self.http.builders(&base_url)?()),
            TransportChoice::Given(_) | TransportChoice::Other(_) => {
                Err(Error::configuration("the HTTP client is custom; create another client without this builder"))
            }
        }
    }
}
