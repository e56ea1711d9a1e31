//! Connections to the NATS servers.

use std::net::IpAddr;
use std::path::PathBuf;
use std::time::Duration;

use async_nats::{Client, ConnectErrorKind, ConnectOptions, ServerAddr};
use paytend_inbox::StoreError;
use percent_encoding::percent_decode_str;

use crate::error::configuration;
use crate::tls;

/// The servers of a cluster, and the credentials in their URLs.
#[derive(Clone)]
pub(crate) struct Servers {
    addresses: Vec<ServerAddr>,
    login: Option<Login>,
}

#[derive(Clone, PartialEq, Eq)]
enum Login {
    User(String, String),
    Token(String),
}

impl Servers {
    /// Parses comma-separated server URLs. The cause of an error is left out, because it can contain parts of the URL.
    pub(crate) fn parse(url: &str) -> Result<Self, StoreError> {
        let invalid = || configuration("invalid NATS URL; an example is tls://user:password@host:4222");
        let mut servers = Self { addresses: Vec::new(), login: None };
        for part in url.split(',') {
            let server: ServerAddr = part.trim().parse().map_err(|_| invalid())?;
            if !matches!(server.scheme(), "nats" | "tls") || server.host().is_empty() {
                return Err(invalid());
            }
            let mut url = server.into_inner();
            if !matches!(url.path(), "" | "/") || url.query().is_some() || url.fragment().is_some() {
                return Err(invalid());
            }
            let decode = |text: &str| percent_decode_str(text).decode_utf8().map(Into::into).map_err(|_| invalid());
            let login = match (url.username(), url.password()) {
                ("", None) => None,
                (token, None) => Some(Login::Token(decode(token)?)),
                (user, Some(password)) => Some(Login::User(decode(user)?, decode(password)?)),
            };
            if login.is_some() && servers.login.is_some() && servers.login != login {
                return Err(configuration("invalid NATS URL: all servers must have the same login"));
            }
            servers.login = servers.login.or(login);
            // The credentials are removed from the address, because the client does not use them there and could log
            // them.
            url.set_username("").and_then(|()| url.set_password(None)).map_err(|()| invalid())?;
            servers.addresses.push(ServerAddr::from_url(url).map_err(|_| invalid())?);
        }
        Ok(servers)
    }

    /// Returns whether TLS is required, because a server is not on this machine or a URL requires TLS.
    fn need_tls(&self) -> bool {
        self.addresses.iter().any(|server| {
            let host = server.host();
            let is_local = host == "localhost" || host.parse::<IpAddr>().is_ok_and(|address| address.is_loopback());
            server.tls_required() || !is_local
        })
    }

    /// Returns whether the URL contains a password or a token.
    pub(crate) fn has_login(&self) -> bool {
        self.login.is_some()
    }

    /// Returns the servers' hosts and ports, without credentials.
    pub(crate) fn hosts(&self) -> Vec<String> {
        let name = |host: &str| if host.contains(':') { format!("[{host}]") } else { host.to_owned() };
        self.addresses.iter().map(|server| format!("{}:{}", name(server.host()), server.port())).collect()
    }
}

/// The credentials for a connection, in addition to a login in the URL.
#[derive(Clone, Default)]
pub(crate) struct Access {
    pub(crate) credentials_file: Option<PathBuf>,
    /// The file with the trusted authorities, which replace the operating system's authorities.
    pub(crate) ca_file: Option<PathBuf>,
    /// The files of the client's certificate and its private key.
    pub(crate) identity: Option<(PathBuf, PathBuf)>,
}

impl Access {
    fn has_tls_files(&self) -> bool {
        self.ca_file.is_some() || self.identity.is_some()
    }
}

/// Connects to the servers. If the connection is lost, the client reconnects automatically.
pub(crate) async fn connect(servers: &Servers, access: &Access, timeout: Duration) -> Result<Client, StoreError> {
    let mut options = ConnectOptions::new()
        .name("paytend-inbox")
        .connection_timeout(timeout)
        .request_timeout(Some(timeout))
        .ping_interval(Duration::from_secs(5))
        .reconnect_delay_callback(|attempts| {
            Duration::from_millis(20 << u32::try_from(attempts.min(5)).unwrap_or_default())
        });
    if servers.need_tls() {
        options = options.require_tls(true).tls_client_config(tls::config(access)?);
    } else {
        // The trusted certificates are loaded even for a local server, because it may require TLS. If they cannot be
        // loaded, a server without TLS can still be used, so the error is ignored.
        if access.has_tls_files() {
            options = options.tls_client_config(tls::config(access)?);
        } else if let Ok(config) = tls::config(access) {
            options = options.tls_client_config(config);
        }
        // Addresses that servers announce are ignored, because the client would connect to them without TLS.
        options = options.ignore_discovered_servers();
    }
    options = match servers.login.clone() {
        Some(Login::User(user, password)) => options.user_and_password(user, password),
        Some(Login::Token(token)) => options.token(token),
        None => options,
    };
    if let Some(path) = &access.credentials_file {
        // The cause describes the problem, such as a missing file or an invalid seed, and contains no secret.
        let named = |error: std::io::Error| configuration(format!("cannot read {}: {error}", path.display()));
        options = options.credentials_file(path).await.map_err(named)?;
    }
    // The causes of connection errors can contain the URL, so only the cause of a TLS error is shown.
    options.connect(servers.addresses.as_slice()).await.map_err(|error| match error.kind() {
        ConnectErrorKind::Authentication | ConnectErrorKind::AuthorizationViolation => {
            configuration("cannot connect: the NATS server refused the login")
        }
        kind => match tls::failure(&error) {
            Some(cause) => configuration(format!("cannot connect to the NATS server with TLS: {cause}")),
            None if kind == ConnectErrorKind::Tls => {
                configuration("cannot connect: the TLS connection to the NATS server failed")
            }
            None => {
                StoreError::unavailable("cannot connect to the NATS server: check that it is running and reachable")
            }
        },
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_loopback_servers_are_reached_without_tls() {
        for (url, plain) in [
            ("nats://localhost:4222", true),
            ("tls://localhost:4222", false),
            ("nats://127.0.0.1,tls://127.0.0.1:4223", false),
            ("nats://user:secret@127.0.0.1,nats://[::1]:4223", true),
            ("nats.example.com", false),
            ("nats://localhost,nats://nats.example.com", false),
            ("nats://203.0.113.5", false),
            ("nats://127.0.0.1.example.com", false),
            ("nats://127.0.0.1@nats.example.com", false),
        ] {
            assert_eq!(!Servers::parse(url).unwrap().need_tls(), plain, "{url}");
        }
    }

    #[test]
    fn invalid_urls_are_refused_without_their_text() {
        for url in ["", "nats://", "http://a:secret@b", "ws://secret", "nats://a:secret@b:x", "nats://a/secret", "a,,b"]
        {
            let error = Servers::parse(url).err().unwrap();
            assert!(error.to_string().starts_with("invalid NATS URL"), "{url}: {error}");
            assert!(!format!("{error:?}").contains("secret") && std::error::Error::source(&error).is_none());
        }
    }

    #[test]
    fn login_is_taken_from_the_url() {
        let servers = Servers::parse("nats://us%40er:s%2Fcret@a,nats://b:5,tls://us%40er:s%2Fcret@[::1]").unwrap();
        assert!(servers.login == Some(Login::User("us@er".into(), "s/cret".into())));
        assert_eq!(servers.hosts(), ["a:4222", "b:5", "[::1]:4222"]);
        assert!(Servers::parse("nats://token@a").unwrap().login == Some(Login::Token("token".into())));
        assert!(!Servers::parse("nats://a,b").unwrap().has_login());
        assert!(Servers::parse("nats://a:b@c,nats://a:d@e").err().unwrap().to_string().contains("same login"));
    }
}
