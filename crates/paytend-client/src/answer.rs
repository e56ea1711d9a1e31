//! What comes back: first bytes, then, if they are authentic, data.

use std::any::TypeId;
use std::fmt;

use paytend_crypto::{Expected, Keyring, Opened};
use paytend_model::NoData;
use serde_json::from_str;

use crate::error::{Error, ErrorKind};

/// An answer as it arrived. Nothing in it is verified.
pub struct RawAnswer {
    pub(crate) status: u16,
    pub(crate) body: Vec<u8>,
}

impl RawAnswer {
    /// An answer that came by another way than [`Client::transmit`](crate::Client::transmit).
    pub fn new(status: u16, body: Vec<u8>) -> Self {
        Self { status, body }
    }

    /// The HTTP status.
    pub fn status(&self) -> u16 {
        self.status
    }

    /// The body's bytes.
    pub fn body(&self) -> &[u8] {
        &self.body
    }
}

impl fmt::Debug for RawAnswer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("RawAnswer").field("status", &self.status).field("bytes", &self.body.len()).finish()
    }
}

/// An authentic success.
#[derive(Debug)]
pub struct Answer<T> {
    data: T,
    opened: Opened,
}

impl<T> Answer<T> {
    /// The business data.
    pub fn data(&self) -> &T {
        &self.data
    }

    /// The business data, owned.
    pub fn into_data(self) -> T {
        self.data
    }

    /// The opened message: signed fields, payload text, which keys were used.
    pub fn opened(&self) -> &Opened {
        &self.opened
    }
}

/// Opens an answer. The HTTP status plays no part: a signed answer is Paytend's word whatever the status, and one that is not
/// signed is nobody's.
pub(crate) fn open_answer<T: serde::de::DeserializeOwned + 'static>(
    keyring: &Keyring,
    raw: &RawAnswer,
    max_bytes: usize,
) -> Result<Answer<T>, Error> {
    let opened = keyring.open(&raw.body, &Expected::response().max_bytes(max_bytes)).map_err(|error| match error {
        paytend_crypto::Error::UnsignedFailure(failure) => Error::unsigned(&failure),
        paytend_crypto::Error::Payload(problem) => Error::new(ErrorKind::Data).caused_by(problem),
        other => Error::new(ErrorKind::Answer).caused_by(other),
    })?;
    let code = opened.field("respCode").unwrap_or_default();
    if code != "00" {
        return Err(Error::rejected(code, opened.field("respMsg").unwrap_or_default()));
    }
    // Only an operation that has no data may succeed without: the signed text of such an answer is always the same, so one that
    // was signed for another request could be played here.
    let without_data = TypeId::of::<T>() == TypeId::of::<NoData>();
    let data = match opened.payload_text() {
        "" if without_data => from_str("{}").map_err(|e| Error::new(ErrorKind::Data).caused_by(e))?,
        // This error names a place, never a value.
        _ => opened.payload().map_err(|e| Error::new(ErrorKind::Data).caused_by(e))?,
    };
    Ok(Answer { data, opened })
}
