//! The reasons why no connection was made, derived from the error chains of reqwest, hyper and rustls.

use std::error::Error as StdError;
use std::fmt;
use std::io;

use rustls::{AlertDescription, CertificateError, Error as TlsError};

/// The step at which connecting failed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum ConnectFailure {
    /// The host name does not exist.
    UnknownHost,
    /// The host name could not be looked up.
    Dns,
    /// The TCP connection was refused or reset, or the host is unreachable.
    Tcp,
    /// The TLS handshake failed or was interrupted.
    Tls,
    /// The server's certificate was not accepted.
    Certificate(CertificateProblem),
    /// The server refused the TLS handshake, for example because it requires a client certificate.
    TlsRefused,
    /// The proxy is unreachable or did not open the tunnel.
    Proxy,
    /// The proxy requires credentials, or rejected the configured credentials.
    ProxyAuthentication,
    /// The connection was not made within the connect timeout.
    Timeout,
}

/// The reason why a server's certificate was not accepted.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum CertificateProblem {
    /// The certificate has expired, or the local clock is ahead.
    Expired,
    /// The certificate is not valid yet, or the local clock is behind.
    NotYetValid,
    /// The certificate is for a different host name.
    HostName,
    /// The certificate was not issued by a trusted authority.
    UnknownIssuer,
    /// The certificate has been revoked.
    Revoked,
    /// Any other problem: the certificate cannot be parsed, or its signature or purpose is invalid.
    Other,
}

impl ConnectFailure {
    /// Returns whether a new attempt may succeed.
    ///
    /// Invalid certificates, unknown host names and wrong proxy credentials are permanent failures, which must be fixed
    /// first.
    pub fn is_transient(self) -> bool {
        match self {
            Self::Dns | Self::Tcp | Self::Tls | Self::Proxy | Self::Timeout => true,
            Self::UnknownHost | Self::Certificate(_) | Self::TlsRefused | Self::ProxyAuthentication => false,
        }
    }

    /// Returns the failure in an error chain of reqwest or hyper, or `None` if the chain contains no connect error.
    ///
    /// [`Error::connect_failure`](crate::Error::connect_failure) returns it for the client's own errors.
    pub fn of(error: &(dyn StdError + 'static)) -> Option<Self> {
        let mut found = None;
        visit(error, &mut |cause| {
            let Some(failure) = Self::of_one(cause) else { return };
            // The most specific failure is returned. For example, a proxy failure is preferred to the TCP failure that
            // caused it.
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
                // tokio-rustls reports a connection that ends during the handshake with this message.
                io::ErrorKind::UnexpectedEof if error.to_string() == "tls handshake eof" => Some(Self::Tls),
                io::ErrorKind::ConnectionRefused
                | io::ErrorKind::HostUnreachable
                | io::ErrorKind::NetworkUnreachable
                | io::ErrorKind::AddrNotAvailable => Some(Self::Tcp),
                _ if is_unknown_host(&error.to_string()) => Some(Self::UnknownHost),
                _ => None,
            };
        }
        // These error types are private to hyper-util. Tests check that their messages have not changed.
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

/// Returns whether a TLS alert means that the server refuses the connection, as opposed to a transient failure.
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

/// Returns whether a resolver error is permanent, based on the messages of glibc, musl, macOS and Windows.
fn is_unknown_host(text: &str) -> bool {
    ["Name or service not known", "Name does not resolve", "nodename nor servname", "No such host is known"]
        .iter()
        .any(|known| text.contains(known))
}

fn is_socks_authentication(text: &str) -> bool {
    text.starts_with("SOCKS error") && text.to_ascii_lowercase().contains("auth")
}

/// Calls `look` with an error and all its causes. An [`io::Error`] that wraps another error does not return that error
/// as its source.
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
            Self::TlsRefused => {
                f.write_str("TLS: refused by the server; check whether it requires a client certificate")
            }
            Self::Proxy => f.write_str("proxy: unreachable, or it did not open a tunnel; check the proxy address"),
            Self::ProxyAuthentication => {
                f.write_str("proxy: authentication required; check the user name and password")
            }
            Self::Timeout => f.write_str("the connect timeout expired"),
        }
    }
}

impl fmt::Display for CertificateProblem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Expired => "has expired, or the local clock is ahead",
            Self::NotYetValid => "is not valid yet, or the local clock is behind",
            Self::HostName => "is for a different host name",
            Self::UnknownIssuer => "was issued by an untrusted authority",
            Self::Revoked => "is revoked",
            Self::Other => "is invalid",
        })
    }
}
