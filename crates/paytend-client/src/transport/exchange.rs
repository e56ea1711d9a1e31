//! The transport interface, and the request that a transport sends.

use std::fmt;
use std::future::Future;
use std::pin::Pin;

use http::HeaderMap;

use super::body::OutgoingBody;
use super::error::TransportError;
use super::response::RawResponse;

/// The future returned by [`Transport::exchange`].
pub type Exchange<'t> = Pin<Box<dyn Future<Output = Result<RawResponse, TransportError>> + Send + 't>>;

/// A transport that sends one request and returns its response.
///
/// A transport must not follow redirects, and it must not retry, because the client's retries would multiply. It
/// verifies only the server's TLS certificate; the client does everything else.
///
/// Responses do not identify their request. A transport that reuses connections must therefore implement
/// [`HttpRequest::fresh_connection`] and [`discard_connections`](Self::discard_connections). It must take the body
/// before it returns a response, because the client does not accept a response to a request that was not sent.
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
    /// The client calls this method after a response that does not belong to its request, because later responses on
    /// that connection may also belong to earlier requests. Exchanges in progress may finish on the old connections.
    /// The default implementation does nothing, for transports that do not reuse connections.
    fn discard_connections(&self) {}
}

/// A POST request to send.
#[non_exhaustive]
pub struct HttpRequest {
    /// The URL: the base URL and the path.
    pub url: String,
    /// The headers: `Content-Type`, `Accept`, `User-Agent`, and `traceparent` if it is set.
    pub headers: HeaderMap,
    /// The body. It records whether it was handed over in full, so that a failure can be reported as "not sent" or
    /// "unknown".
    pub body: OutgoingBody,
    /// The maximum number of bytes to read from the response.
    pub max_response_bytes: usize,
    /// Whether the request must be sent on a connection that has not been used before.
    ///
    /// The client sets this field for queries that decide whether an order is sent again. The code for "no such order"
    /// does not identify an order. A late response to another query must not be mistaken for the response to this
    /// query.
    pub fresh_connection: bool,
}

impl HttpRequest {
    /// Creates a request, for testing a transport. The client creates its requests itself.
    pub fn new(url: impl Into<String>, headers: HeaderMap, body: OutgoingBody, max_response_bytes: usize) -> Self {
        Self { url: url.into(), headers, body, max_response_bytes, fresh_connection: false }
    }
}

impl fmt::Debug for HttpRequest {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("HttpRequest").field("body", &self.body).finish_non_exhaustive()
    }
}
