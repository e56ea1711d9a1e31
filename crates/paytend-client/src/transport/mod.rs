//! How bytes get to Paytend and back: over HTTP by default, by anything else that implements [`Transport`].

mod body;
mod connect;
mod handover;
mod http;

/// What `handover.rs` is made of. The model checker puts its own in this place.
mod sync {
    pub(super) use std::sync::Arc;
    pub(super) use std::sync::atomic::{AtomicU8, Ordering};
}

pub(crate) use body::Progress;
pub use body::{OutgoingBody, Withdrawn};
pub use connect::{CertificateProblem, ConnectFailure};
pub(crate) use handover::Handover;
pub use http::HttpTransport;

use std::fmt;
use std::future::Future;
use std::pin::Pin;

use crate::RawAnswer;

/// What a [`Transport`] gives.
pub type Exchange<'t> = Pin<Box<dyn Future<Output = Result<RawAnswer, TransportError>> + Send + 't>>;

/// Carries one request and brings its answer. It does not retry, does not follow redirects, and verifies nothing but TLS: all of that
/// is the client's, whose retries would multiply with others.
///
/// A transport that keeps connections must heed [`HttpRequest::fresh_connection`] and
/// [`discard_connections`](Self::discard_connections): responses name no request, and these two keep them apart. It must take
/// the body before it returns a response: one to a request that was not sent is not accepted.
///
/// ```
/// use paytend_client::{Exchange, HttpRequest, RawAnswer, Transport};
///
/// /// Answers every request with 503.
/// #[derive(Debug)]
/// struct Down;
///
/// impl Transport for Down {
///     fn exchange(&self, request: HttpRequest) -> Exchange<'_> {
///         Box::pin(async move {
///             let _bytes = request.body.into_bytes();
///             Ok(RawAnswer::new(503, b"down".to_vec()))
///         })
///     }
/// }
/// ```
pub trait Transport: fmt::Debug + Send + Sync + 'static {
    /// Posts a request. Dropping the future gives it up.
    fn exchange(&self, request: HttpRequest) -> Exchange<'_>;

    /// Stops using the connections that there are now: a response on one of them did not belong to its request, so everything
    /// else on it may be shifted as well. Exchanges in progress may end on them. Does nothing by default, for transports without
    /// connections that are kept.
    fn discard_connections(&self) {}
}

/// A POST to make.
#[non_exhaustive]
pub struct HttpRequest {
    /// Base URL and path.
    pub url: String,
    /// Headers: content type, what is accepted, the user agent, a trace context.
    pub headers: ::http::HeaderMap,
    /// The body. It knows how much of it has been handed over, which decides between "not sent" and "unknown".
    pub body: OutgoingBody,
    /// The most bytes of an answer that may be read.
    pub max_response_bytes: usize,
    /// Whether the request must have a connection that carried no other request. Set for queries that decide whether an order is
    /// sent again: the code for "no such order" names no order, so it must not be a late response to another query.
    pub fresh_connection: bool,
}

impl HttpRequest {
    /// A request. The client makes its own; others are for tests of a transport.
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

/// How an exchange failed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum TransportErrorKind {
    /// No connection.
    Connect(ConnectFailure),
    /// It took too long.
    Timeout,
    /// The connection broke.
    Broken,
    /// The answer is larger than [`HttpRequest::max_response_bytes`].
    TooLarge,
    /// The request could not be made.
    Request,
}

/// Why an exchange failed. `Display` shows no URL.
#[derive(Debug)]
pub struct TransportError {
    pub(crate) kind: TransportErrorKind,
    pub(crate) timed_out: bool,
    pub(crate) status: Option<u16>,
    pub(crate) source: Option<Box<dyn std::error::Error + Send + Sync>>,
}

impl TransportError {
    /// A failure of this kind.
    pub fn new(kind: TransportErrorKind) -> Self {
        Self { kind, timed_out: kind == TransportErrorKind::Timeout, status: None, source: None }
    }

    /// It took too long, whatever else it is: a connection that was not made in time.
    #[must_use]
    pub fn timed_out(self) -> Self {
        Self { timed_out: true, ..self }
    }

    /// The kind of failure.
    pub fn kind(&self) -> TransportErrorKind {
        self.kind
    }

    /// The HTTP status that had already arrived.
    pub fn status(&self) -> Option<u16> {
        self.status
    }

    /// Its cause. Its text is shown: no URL, body or key may be in it.
    #[must_use]
    pub fn caused_by(self, source: impl Into<Box<dyn std::error::Error + Send + Sync>>) -> Self {
        Self { source: Some(source.into()), ..self }
    }

    /// The HTTP status that had already arrived.
    #[must_use]
    pub fn with_status(self, status: u16) -> Self {
        Self { status: Some(status), ..self }
    }
}

impl fmt::Display for TransportError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self.kind {
            TransportErrorKind::Connect(failure) => return write!(f, "no connection ({failure})"),
            TransportErrorKind::Timeout => "it took too long",
            TransportErrorKind::Broken => "the connection broke",
            TransportErrorKind::TooLarge => "the answer is too large",
            TransportErrorKind::Request => "the request could not be made",
        })
    }
}

impl From<Withdrawn> for TransportError {
    fn from(withdrawn: Withdrawn) -> Self {
        Self::new(TransportErrorKind::Timeout).caused_by(withdrawn)
    }
}

impl std::error::Error for TransportError {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        self.source.as_deref().map(|source| source as _)
    }
}
