//! HTTP responses before verification.

use std::fmt;
use std::time::{Duration, SystemTime};

use http::{HeaderMap, header};

/// An HTTP response before verification. Its content may be forged.
pub struct RawResponse {
    status: u16,
    headers: HeaderMap,
    body: Vec<u8>,
}

impl RawResponse {
    /// Creates a response from an HTTP status and a body.
    pub fn new(status: u16, body: Vec<u8>) -> Self {
        Self { status, headers: HeaderMap::new(), body }
    }

    /// Sets the headers. The client reads `Retry-After`, and `Content-Encoding` for error messages.
    #[must_use]
    pub fn with_headers(self, headers: HeaderMap) -> Self {
        Self { headers, ..self }
    }

    /// Returns the HTTP status.
    pub fn status(&self) -> u16 {
        self.status
    }

    /// Returns the body.
    pub fn body(&self) -> &[u8] {
        &self.body
    }

    /// Returns the headers.
    pub fn headers(&self) -> &HeaderMap {
        &self.headers
    }

    /// Returns the delay that `Retry-After` requests. A date is converted to a delay with the system clock.
    pub fn retry_after(&self) -> Option<Duration> {
        let value = self.headers.get(header::RETRY_AFTER)?.to_str().ok()?.trim();
        if let Ok(seconds) = value.parse() {
            return Some(Duration::from_secs(seconds));
        }
        let date = httpdate::parse_http_date(value).ok()?;
        Some(date.duration_since(SystemTime::now()).unwrap_or_default())
    }
}

impl fmt::Debug for RawResponse {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("RawResponse")
            .field("status", &self.status)
            .field("bytes", &self.body.len())
            .finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn retry_after_is_parsed_as_seconds_or_date() {
        let retry_after = |value: &str| {
            let headers = HeaderMap::from_iter([(header::RETRY_AFTER, value.parse().unwrap())]);
            RawResponse::new(503, Vec::new()).with_headers(headers).retry_after()
        };
        assert_eq!(retry_after(" 7 "), Some(Duration::from_secs(7)));
        assert_eq!(retry_after("Fri, 06 Nov 2015 08:49:37 GMT"), Some(Duration::ZERO), "the date has passed");
        let hours = Duration::from_secs(100 * 3600);
        let date = httpdate::fmt_http_date(SystemTime::now() + hours);
        assert!(retry_after(&date).is_some_and(|wait| wait <= hours && wait > hours / 2), "{date}");
        for invalid in ["soon", "-1", "1.5", ""] {
            assert_eq!(retry_after(invalid), None, "{invalid}");
        }
    }
}
