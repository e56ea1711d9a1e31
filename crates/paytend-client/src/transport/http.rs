//! The default transport, based on reqwest and rustls.

use std::fmt;
use std::sync::{Arc, Mutex, PoisonError};

use super::connect::ConnectFailure;
use super::error::{TransportError, TransportErrorKind};
use super::exchange::{Exchange, HttpRequest, Transport};
use crate::transport::response::RawResponse;

/// A function that creates a reqwest client with a new connection pool.
type Maker = dyn Fn() -> Result<reqwest::Client, reqwest::Error> + Send + Sync;

/// A transport that sends requests with a reqwest client. This is the default transport; a custom transport can wrap
/// it.
#[derive(Clone)]
pub struct HttpTransport {
    make: Arc<Maker>,
    /// The current client; `None` from the time its connections are discarded until the next request.
    client: Arc<Mutex<Option<reqwest::Client>>>,
}

impl HttpTransport {
    /// Creates a transport that sends requests with the clients that `make` returns.
    ///
    /// `make` is called once by this function. It is called again for every request that requires a new connection, and
    /// whenever the current client's connections must not be reused. reqwest cannot close a single connection.
    ///
    /// The clients must not follow redirects and must not retry.
    ///
    /// # Errors
    /// Returns the error from `make` if it fails.
    pub fn new(
        make: impl Fn() -> Result<reqwest::Client, reqwest::Error> + Send + Sync + 'static,
    ) -> Result<Self, reqwest::Error> {
        let client = make()?;
        Ok(Self { make: Arc::new(make), client: Arc::new(Mutex::new(Some(client))) })
    }

    fn client(&self) -> Result<reqwest::Client, TransportError> {
        let mut current = self.client.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(client) = &*current {
            return Ok(client.clone());
        }
        let client = (self.make)().map_err(failed)?;
        *current = Some(client.clone());
        Ok(client)
    }
}

impl Transport for HttpTransport {
    fn exchange(&self, request: HttpRequest) -> Exchange<'_> {
        Box::pin(async move {
            let HttpRequest { url, headers, body, max_response_bytes, fresh_connection } = request;
            let client = if fresh_connection { (self.make)().map_err(failed)? } else { self.client()? };
            let sending = client.post(url).headers(headers).body(reqwest::Body::wrap(body)).send();
            let mut response = sending.await.map_err(failed)?;
            let status = response.status().as_u16();
            let mut content = Vec::new();
            while let Some(piece) = response.chunk().await.map_err(|e| failed(e).with_status(status))? {
                if content.len() + piece.len() > max_response_bytes {
                    return Err(TransportError::new(TransportErrorKind::TooLarge).with_status(status));
                }
                content.extend_from_slice(&piece);
            }
            let headers = std::mem::take(response.headers_mut());
            Ok(RawResponse::new(status, content).with_headers(headers))
        })
    }

    fn discard_connections(&self) {
        *self.client.lock().unwrap_or_else(PoisonError::into_inner) = None;
    }
}

impl fmt::Debug for HttpTransport {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("HttpTransport").finish_non_exhaustive()
    }
}

/// Classifies a reqwest error and strips the URL from its message.
fn failed(error: reqwest::Error) -> TransportError {
    let connect = ConnectFailure::of(&error);
    let kind = if error.is_builder() {
        TransportErrorKind::Request
    } else if error.is_connect() {
        let otherwise = if error.is_timeout() { ConnectFailure::Timeout } else { ConnectFailure::Tcp };
        TransportErrorKind::Connect(connect.unwrap_or(otherwise))
    } else if let Some(refused @ ConnectFailure::TlsRefused) = connect {
        // With TLS 1.3, a server rejects a client certificate after the handshake, when the request may already have
        // been sent.
        TransportErrorKind::Connect(refused)
    } else if error.is_timeout() {
        TransportErrorKind::Timeout
    } else {
        TransportErrorKind::Broken
    };
    let failure = TransportError::new(kind);
    let failure = if error.is_timeout() { failure.timed_out() } else { failure };
    failure.caused_by(error.without_url())
}
