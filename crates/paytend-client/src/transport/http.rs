//! The transport by default: reqwest, with rustls.

use super::{Exchange, HttpRequest, Transport, TransportError, TransportErrorKind};
use crate::RawAnswer;

/// Posts through a reqwest client: what a client does by itself, for transports that wrap it.
#[derive(Clone, Debug)]
pub struct HttpTransport(reqwest::Client);

impl HttpTransport {
    /// Posts through this client. Its redirects and retries are to be switched off.
    pub fn new(client: reqwest::Client) -> Self {
        Self(client)
    }
}

impl Transport for HttpTransport {
    fn exchange(&self, request: HttpRequest) -> Exchange<'_> {
        Box::pin(async move {
            let HttpRequest { url, headers, body, max_response_bytes } = request;
            let sending = self.0.post(url).headers(headers).body(reqwest::Body::wrap(body)).send();
            let mut response = sending.await.map_err(failed)?;
            let status = response.status().as_u16();
            let mut answer = Vec::new();
            while let Some(piece) = response.chunk().await.map_err(|e| failed(e).with_status(status))? {
                if answer.len() + piece.len() > max_response_bytes {
                    return Err(TransportError::new(TransportErrorKind::TooLarge).with_status(status));
                }
                answer.extend_from_slice(&piece);
            }
            let headers = std::mem::take(response.headers_mut());
            Ok(RawAnswer::new(status, answer).with_headers(headers))
        })
    }
}

/// The library's texts hold the URL, so the URL is taken out.
fn failed(error: reqwest::Error) -> TransportError {
    let kind = if error.is_connect() {
        TransportErrorKind::Connect
    } else if error.is_timeout() {
        TransportErrorKind::Timeout
    } else if error.is_builder() {
        TransportErrorKind::Request
    } else {
        TransportErrorKind::Broken
    };
    let failure = TransportError::new(kind);
    let failure = if error.is_timeout() { failure.timed_out() } else { failure };
    failure.caused_by(error.without_url())
}
