//! The transport of requests and responses: HTTP by default, or a custom implementation of [`Transport`].

mod body;
mod connect;
mod handover;
mod http;

/// The synchronization primitives of `handover.rs`. The model checker replaces them.
mod sync {
    pub(super) use std::sync::Arc;
    pub(super) use std::sync::atomic::{AtomicU8, Ordering};
}

pub(crate) use body::Progress;
pub use body::{OutgoingBody, WithdrawnError};
pub use connect::{CertificateProblem, ConnectFailure};
pub(crate) use handover::Handover;
pub use http::HttpTransport;

use std::fmt;
use std::future::Future;
use std::pin::Pin;

use crate::RawResponse;

/// The future returned by [`Transport::exchange`].
pub type Exchange<'t> = Pin<Box<dyn Future<Output = Result<RawResponse, TransportError>> + Send + 't>>;

/// A transport that sends one request and returns its response.
///
/// It must not retry and must not follow redirects, and it verifies only TLS. The client does everything else: if both
/// retried, the attempts would multiply.
///
/// Responses do not identify their request. A transport that reuses connections must therefore implement
/// [`HttpRequest::fresh_connection`] and [`discard_connections`](Self::discard_connections). It must take the body
/// before it returns a response: the client does not accept the response to a request that was not sent.
///
/// ```
/// use paytend_client::{Exchange, HttpRequest, RawResponse, Transport};
///
/// /// A transport that responds to every request with 503.
/// #[derive(Debug)]
/// struct Down;
///
/// impl Transport for Down {
///     fn exchange(&self, request: HttpRequest) -> Exchange<'_> {
///         Box::pin(async move {
///             let _bytes = request.body.into_bytes();
///             Ok(RawResponse::new(503, b"down".to_vec()))
///         })
///     }
/// }
/// ```
pub trait Transport: fmt::Debug + Send + Sync + 'static {
    /// Sends a POST request. Dropping the future cancels it.
    fn exchange(&self, request: HttpRequest) -> Exchange<'_>;

    /// Stops using the existing connections.
    ///
    /// It is called after a response did not belong to its request, because later responses on that connection may also
    /// belong to earlier requests. Exchanges in progress may finish on the old connections. The default implementation
    /// does nothing, for transports that do not reuse connections.
    fn discard_connections(&self) {}
}

/// A POST request to send.
#[non_exhaustive]
pub struct HttpRequest {
    /// The URL: the base URL and the path.
    pub url: String,
    /// The headers: `Content-Type`, `Accept`, `User-Agent`, and `traceparent` if it is set.
    pub headers: ::http::HeaderMap,
    /// The body. It records whether it was handed over completely, which decides between "not sent" and "unknown".
    pub body: OutgoingBody,
    /// The maximum number of bytes to read from the response.
    pub max_response_bytes: usize,
    /// Whether the request requires a connection that was not used for any other request.
    ///
    /// The client sets it for queries that decide whether an order is sent again. The code for "no such order" does not
    /// identify an order, so a late response to another query must not be mistaken for the response to this one.
    pub fresh_connection: bool,
}

impl HttpRequest {
    /// Creates a request, for tests of a transport. The client creates its requests itself.
    pub fn new(
        url: impl Into<String>,
        headers: ::http::HeaderMap,
        body: OutgoingBody,
        max_response_bytes: usize,
    ) -> Self {
        Self { url: url.into(), headers, body, max_response_bytes, fresh_connection: false }
    }
}

impl fmt::Debug for HttpRequest {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("HttpRequest").field("body", &self.body).finish_non_exhaustive()
    }
}

/// The kind of failure of an exchange.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum TransportErrorKind {
    /// No connection could be made.
    Connect(ConnectFailure),
    /// The exchange timed out.
    Timeout,
    /// The connection broke before the exchange was complete.
    Broken,
    /// The response is larger than [`HttpRequest::max_response_bytes`].
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

    /// Returns the HTTP status, if it had arrived before the failure.
    pub fn status(&self) -> Option<u16> {
        self.status
    }

    /// Sets the cause. Its text may be shown, so it must not contain a URL, a body or a key.
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
