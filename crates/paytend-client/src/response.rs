//! Responses: the raw bytes, and the verified data.

use std::any::TypeId;
use std::fmt;
use std::time::{Duration, SystemTime};

use http::{HeaderMap, header};
use paytend_crypto::{Expected, Keyring, Opened, RequestId};
use paytend_model::NoData;
use serde::de::DeserializeOwned;
use serde_json::from_str;

use crate::error::{Error, ErrorKind};
use crate::foreign::Foreign;
use crate::subject::Subject;

/// A response as received. Nothing in it is verified.
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

    /// Returns the bytes of the body.
    pub fn body(&self) -> &[u8] {
        &self.body
    }

    /// Returns the headers.
    pub fn headers(&self) -> &HeaderMap {
        &self.headers
    }

    /// Returns the delay that `Retry-After` requests, in seconds or until a date by the system's clock.
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

/// An authentic, successful response.
#[derive(Debug)]
pub struct Response<T> {
    data: T,
    opened: Opened,
    request_id: RequestId,
}

impl<T> Response<T> {
    pub(crate) fn new(data: T, opened: Opened, request_id: RequestId) -> Self {
        Self { data, opened, request_id }
    }

    /// Returns the `requestId` of the request.
    pub fn request_id(&self) -> &RequestId {
        &self.request_id
    }

    /// Returns the business data.
    pub fn data(&self) -> &T {
        &self.data
    }

    /// Returns the business data by value.
    pub fn into_data(self) -> T {
        self.data
    }

    /// Returns the opened message: the signed fields, the payload text, and the keys that were used.
    pub fn opened(&self) -> &Opened {
        &self.opened
    }
}

/// Opens a response, and accepts only an authentic success that matches the request.
///
/// The HTTP status is ignored: a signed response is authentic with any status, and an unsigned response never is.
pub(crate) fn open(keyring: &Keyring, raw: &RawResponse, max_bytes: usize, subject: &Subject) -> Result<Opened, Error> {
    let with_response = |error: Error| error.with_response(raw.status, raw.retry_after(), &raw.body);
    let opened = keyring.open(&raw.body, &Expected::response().with_max_bytes(max_bytes)).map_err(|error| {
        with_response(match error {
            paytend_crypto::Error::UnsignedFailure(failure) => Error::unsigned(&failure),
            paytend_crypto::Error::Payload(problem) => Error::new(ErrorKind::Data).caused_by(problem),
            other => {
                let error = Error::new(ErrorKind::InvalidResponse);
                let error = if other == paytend_crypto::Error::NotAuthentic { error.misplaced() } else { error };
                match Foreign::of(raw) {
                    Some(foreign) => error.caused_by(foreign),
                    None => error.caused_by(other),
                }
            }
        })
    })?;
    if let Err(mismatch) = subject.check(opened.payload_bytes()) {
        return Err(with_response(Error::new(ErrorKind::Mismatch).caused_by(mismatch)).with_opened(opened));
    }
    match opened.field("respCode").unwrap_or_default() {
        "00" => Ok(opened),
        code => Err(with_response(Error::rejected(code, opened.field("respMsg").unwrap_or_default()))),
    }
}

/// Reads the data of a success.
pub(crate) fn data<T: DeserializeOwned + 'static>(opened: &Opened) -> Result<T, Error> {
    // Only an operation without response data may succeed without data. The signed text of such a response is always
    // the same, so a response to another request could be replayed here.
    let without_data = TypeId::of::<T>() == TypeId::of::<NoData>();
    match opened.payload_text() {
        Some("") if without_data => from_str("{}").map_err(|e| Error::new(ErrorKind::Data).caused_by(e)),
        // This error contains a position, never a value.
        _ => opened.payload().map_err(|e| Error::new(ErrorKind::Data).caused_by(e)),
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
