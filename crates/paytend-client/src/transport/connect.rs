//! Why there was no connection: by the causes that reqwest, hyper and rustls leave in an error's chain.

use std::error::Error as StdError;
use std::fmt;
use std::io;

use rustls::{AlertDescription, CertificateError, Error as TlsError};

/// Which part of making a connection failed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum ConnectFailure {
    /// The host name does not exist.
    UnknownHost,
    /// The host name could not be looked up.
    Dns,
    /// No TCP connection: refused, reset or unreachable.
    Tcp,
    /// The TLS handshake broke off.
    Tls,
    /// The server's certificate was not accepted.
    Certificate(CertificateProblem),
    /// The server refused the TLS handshake, for example for lack of a client certificate that it trusts.
    TlsRefused,
    /// The proxy cannot be reached, or did not open the tunnel.
    Proxy,
    /// The proxy wants credentials, or other ones.
    ProxyAuthentication,
    /// The connection was not made within the connect timeout.
    Timeout,
}

/// What is wrong with a server's certificate.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum CertificateProblem {
    /// It has expired, or this machine's clock is ahead.
    Expired,
    /// It is not valid yet, or this machine's clock is behind.
    NotYetValid,
    /// It is for another host name.
    HostName,
    /// No trusted root certificate stands behind it.
    UnknownIssuer,
    /// It is revoked.
    Revoked,
    /// Anything else: it cannot be read, its signature or its purpose is wrong.
    Other,
}

impl ConnectFailure {
    /// Returns whether the same connection may succeed a moment later. Certificates, host names that do not exist and proxy
    /// credentials stay wrong until someone changes them.
    pub fn is_transient(self) -> bool {
        match self {
            Self::Dns | Self::Tcp | Self::Tls | Self::Proxy | Self::Timeout => true,
            Self::UnknownHost | Self::Certificate(_) | Self::TlsRefused | Self::ProxyAuthentication => false,
        }
    }

    /// Finds the failure in an error's chain; `None` if nothing in it is about making a connection.
    pub(super) fn of(error: &(dyn StdError + 'static)) -> Option<Self> {
        let mut found = None;
        visit(error, &mut |cause| {
            let Some(failure) = Self::of_one(cause) else { return };
            // The most specific one counts: a proxy's failure holds the TCP one that is behind it.
            if found.is_none_or(|known: Self| failure.rank() > known.rank()) {
                found = Some(failure);
            }
        });
        found
    }

    fn of_one(cause: &(dyn StdError + 'static)) -> Option<Self> {
        if let Some(error) = cause.downcast_ref::<TlsError>() {
            return Some(Self::of_tls(error));
        }
        if let Some(error) = cause.downcast_ref::<io::Error>() {
            return match error.kind() {
                // tokio-rustls' word for a connection that ends during the handshake.
                io::ErrorKind::UnexpectedEof if error.to_string() == "tls handshake eof" => Some(Self::Tls),
                io::ErrorKind::ConnectionRefused
                | io::ErrorKind::HostUnreachable
                | io::ErrorKind::NetworkUnreachable
                | io::ErrorKind::AddrNotAvailable => Some(Self::Tcp),
                _ if is_unknown_host(&error.to_string()) => Some(Self::UnknownHost),
                _ => None,
            };
        }
        // These types are private to hyper-util; their texts are pinned by tests.
        let text = cause.to_string();
        if text.contains("proxy authorization required") || is_socks_authentication(&text) {
            Some(Self::ProxyAuthentication)
        } else if text.starts_with("tunnel error") || text.starts_with("SOCKS error") {
            Some(Self::Proxy)
        } else if text == "dns error" {
            Some(Self::Dns)
        } else if text.starts_with("tcp ") {
            Some(Self::Tcp)
        } else {
            None
        }
    }

    fn of_tls(error: &TlsError) -> Self {
        match error {
            TlsError::InvalidCertificate(problem) => Self::Certificate(CertificateProblem::of(problem)),
            TlsError::NoCertificatesPresented => Self::Certificate(CertificateProblem::Other),
            TlsError::AlertReceived(alert) if is_refusal(*alert) => Self::TlsRefused,
            TlsError::PeerIncompatible(_) => Self::TlsRefused,
            _ => Self::Tls,
        }
    }

    fn rank(self) -> u8 {
        match self {
            Self::Timeout => 0,
            Self::Tcp => 1,
            Self::Tls => 2,
            Self::Dns => 3,
            Self::UnknownHost => 4,
            Self::TlsRefused | Self::Certificate(_) => 5,
            Self::Proxy => 6,
            Self::ProxyAuthentication => 7,
        }
    }
}

impl CertificateProblem {
    fn of(problem: &CertificateError) -> Self {
        match problem {
            CertificateError::Expired | CertificateError::ExpiredContext { .. } => Self::Expired,
            CertificateError::NotValidYet | CertificateError::NotValidYetContext { .. } => Self::NotYetValid,
            CertificateError::NotValidForName | CertificateError::NotValidForNameContext { .. } => Self::HostName,
            CertificateError::UnknownIssuer => Self::UnknownIssuer,
            CertificateError::Revoked => Self::Revoked,
            _ => Self::Other,
        }
    }
}

/// Whether the other side says that it will not talk to us, rather than that something went wrong.
fn is_refusal(alert: AlertDescription) -> bool {
    matches!(
        alert,
        AlertDescription::HandshakeFailure
            | AlertDescription::NoCertificate
            | AlertDescription::BadCertificate
            | AlertDescription::UnsupportedCertificate
            | AlertDescription::CertificateRevoked
            | AlertDescription::CertificateExpired
            | AlertDescription::CertificateUnknown
            | AlertDescription::UnknownCA
            | AlertDescription::AccessDenied
            | AlertDescription::ProtocolVersion
            | AlertDescription::InsufficientSecurity
            | AlertDescription::UnrecognisedName
            | AlertDescription::CertificateRequired
    )
}

/// The answers of the system's resolver that are final: glibc's, musl's, macOS's and Windows'.
fn is_unknown_host(text: &str) -> bool {
    ["Name or service not known", "Name does not resolve", "nodename nor servname", "No such host is known"]
        .iter()
        .any(|known| text.contains(known))
}

fn is_socks_authentication(text: &str) -> bool {
    text.starts_with("SOCKS error") && text.to_ascii_lowercase().contains("auth")
}

/// Calls `look` with an error and all its causes. An [`io::Error`] that wraps another error does not name it as its source.
fn visit(error: &(dyn StdError + 'static), look: &mut dyn FnMut(&(dyn StdError + 'static))) {
    let mut next = Some(error);
    while let Some(error) = next {
        look(error);
        next = match error.downcast_ref::<io::Error>().and_then(io::Error::get_ref) {
            Some(inner) => Some(inner),
            None => error.source(),
        };
    }
}

impl fmt::Display for ConnectFailure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::UnknownHost => f.write_str("DNS: no such host"),
            Self::Dns => f.write_str("DNS: the lookup failed"),
            Self::Tcp => f.write_str("TCP: refused or unreachable"),
            Self::Tls => f.write_str("TLS: the handshake failed"),
            Self::Certificate(problem) => write!(f, "TLS: the server's certificate {problem}"),
            Self::TlsRefused => f.write_str("TLS: refused by the server; does it require a client certificate?"),
            Self::Proxy => f.write_str("proxy: unreachable, or it did not open a tunnel"),
            Self::ProxyAuthentication => f.write_str("proxy: authentication required; check its user and password"),
            Self::Timeout => f.write_str("not established within the connect timeout"),
        }
    }
}

impl fmt::Display for CertificateProblem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Expired => "has expired (or this machine's clock is ahead)",
            Self::NotYetValid => "is not valid yet (or this machine's clock is behind)",
            Self::HostName => "is for another host name",
            Self::UnknownIssuer => "is from an issuer that is not trusted",
            Self::Revoked => "is revoked",
            Self::Other => "is invalid",
        })
    }
}
