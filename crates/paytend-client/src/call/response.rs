//! Verified responses.

use std::any::TypeId;

use paytend_crypto::{Expected, Keyring, Opened, RequestId};
use paytend_model::NoData;
use serde::de::DeserializeOwned;
use serde_json::from_str;

use crate::call::subject::Subject;
use crate::error::Error;
use crate::error::foreign::Foreign;
use crate::error::kind::ErrorKind;
use crate::transport::response::RawResponse;

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

    /// Returns the business data of the response.
    pub fn data(&self) -> &T {
        &self.data
    }

    /// Returns the business data of the response by value.
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
/// The HTTP status is ignored, because a signed response is authentic whatever its status, and an unsigned response is
/// never authentic.
pub(crate) fn open(keyring: &Keyring, raw: &RawResponse, max_bytes: usize, subject: &Subject) -> Result<Opened, Error> {
    let with_response = |error: Error| error.with_response(raw.status(), raw.retry_after(), raw.body());
    let opened = keyring.open(raw.body(), &Expected::response().with_max_bytes(max_bytes)).map_err(|error| {
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

/// Parses the data in a successful response.
pub(crate) fn data<T: DeserializeOwned + 'static>(opened: &Opened) -> Result<T, Error> {
    // All successes without data have the same signed text, so such a response could be a replay of the response to any
    // other request. It is accepted only for an operation that never returns data.
    let without_data = TypeId::of::<T>() == TypeId::of::<NoData>();
    match opened.payload_text() {
        Some("") if without_data => from_str("{}").map_err(|e| Error::new(ErrorKind::Data).caused_by(e)),
        // This error's message contains the position of the problem, never a value.
        _ => opened.payload().map_err(|e| Error::new(ErrorKind::Data).caused_by(e)),
    }
}
