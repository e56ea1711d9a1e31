//! The transport error.

use std::fmt;

use super::body::WithdrawnError;
use super::connect::ConnectFailure;

/// The kind of failure that ended an exchange.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum TransportErrorKind {
    /// No connection could be made.
    Connect(ConnectFailure),
    /// The exchange timed out.
    Timeout,
    /// The connection broke before the exchange was complete.
    Broken,
    /// The response is larger than [`HttpRequest::max_response_bytes`](crate::HttpRequest::max_response_bytes).
    TooLarge,
    /// The HTTP request could not be created.
    Request,
}

/// The reason why an exchange failed. `Display` shows no URL.
#[derive(Debug)]
pub struct TransportError {
    pub(crate) kind: TransportErrorKind,
    pub(crate) timed_out: bool,
    pub(crate) status: Option<u16>,
    pub(crate) source: Option<Box<dyn std::error::Error + Send + Sync>>,
}

impl TransportError {
    /// Creates an error of this kind.
    pub fn new(kind: TransportErrorKind) -> Self {
        Self { kind, timed_out: kind == TransportErrorKind::Timeout, status: None, source: None }
    }

    /// Marks the error as a timeout in addition to its kind, for example if a connection was not made in time.
    #[must_use]
    pub fn timed_out(self) -> Self {
        Self { timed_out: true, ..self }
    }

    /// Returns the kind of failure.
    pub fn kind(&self) -> TransportErrorKind {
        self.kind
    }

    /// Returns the HTTP status, if it arrived before the failure.
    pub fn status(&self) -> Option<u16> {
        self.status
    }

    /// Sets the cause. Its message may be shown, so it must not contain a URL, a body or a key.
    #[must_use]
    pub fn caused_by(self, source: impl Into<Box<dyn std::error::Error + Send + Sync>>) -> Self {
        Self { source: Some(source.into()), ..self }
    }

    /// Sets the HTTP status that arrived before the failure.
    #[must_use]
    pub fn with_status(self, status: u16) -> Self {
        Self { status: Some(status), ..self }
    }
}

impl fmt::Display for TransportError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self.kind {
            TransportErrorKind::Connect(failure) => return write!(f, "cannot connect ({failure})"),
            TransportErrorKind::Timeout => "timed out",
            TransportErrorKind::Broken => "the connection broke",
            TransportErrorKind::TooLarge => "the response is too large",
            TransportErrorKind::Request => "cannot create the HTTP request",
        })
    }
}

impl From<WithdrawnError> for TransportError {
    fn from(withdrawn: WithdrawnError) -> Self {
        Self::new(TransportErrorKind::Timeout).caused_by(withdrawn)
    }
}

impl std::error::Error for TransportError {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        self.source.as_deref().map(|source| source as _)
    }
}
