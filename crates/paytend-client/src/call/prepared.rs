//! Sealed and signed requests that have not been sent.

use std::fmt;
use std::marker::PhantomData;

use bytes::Bytes;
use http::HeaderValue;
use paytend_crypto::{Fields, Keyring, Outgoing, RequestId, Sealed};
use paytend_model::{Operation, OperationInfo, PayloadRule};
use zeroize::Zeroizing;

use crate::call::shared::Options;
use crate::call_target::CallTarget;
use crate::error::Error;

/// A sealed and signed request that has not been sent.
///
/// [`to_bytes`](Self::to_bytes) returns the request as bytes to be stored. Another process can restore the request from
/// these bytes and send it, or query its order. See [`Client::resume`](crate::Client::resume).
pub struct PreparedRequest<O> {
    pub(crate) request_id: RequestId,
    pub(crate) document: Bytes,
    /// The sealed message; `None` if the request was restored from bytes.
    pub(super) sealed: Option<Sealed>,
    pub(super) payload: String,
    /// The additional envelope fields, which are also sent in the query for the order.
    pub(crate) extra: Vec<(String, String)>,
    pub(crate) trace_parent: Option<HeaderValue>,
    pub(super) operation: PhantomData<fn() -> O>,
}

impl<O: Operation> PreparedRequest<O> {
    pub(crate) fn new(request_id: RequestId, sealed: Sealed, payload: String, options: &Options) -> Self {
        Self {
            request_id,
            document: sealed.document().to_owned().into(),
            sealed: Some(sealed),
            payload,
            extra: options.extra.clone(),
            trace_parent: options.trace_parent.clone(),
            operation: PhantomData,
        }
    }

    /// Returns the `requestId`.
    pub fn request_id(&self) -> &RequestId {
        &self.request_id
    }

    /// Returns the JSON document to send.
    pub fn document(&self) -> &str {
        // The document is valid UTF-8: it was either sealed from a string or validated when it was restored.
        std::str::from_utf8(&self.document).unwrap_or_default()
    }

    /// Returns the payload as plaintext. It contains the business data of the request; do not log it.
    pub fn payload(&self) -> &str {
        &self.payload
    }

    /// Returns the signed canonical string. It is secret, because it contains the session key and the business data.
    ///
    /// Returns `None` if the request was restored with [`from_bytes`](Self::from_bytes), because the session key is not
    /// stored.
    pub fn canonical(&self) -> Option<Zeroizing<String>> {
        self.sealed.as_ref().map(|sealed| sealed.canonical(&self.payload))
    }

    /// Returns the operation's name, path and other properties.
    pub fn operation(&self) -> OperationInfo {
        O::INFO
    }
}

impl<O: Operation> fmt::Debug for PreparedRequest<O> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("PreparedRequest")
            .field("operation", &O::INFO.name)
            .field("request_id", &self.request_id)
            .finish_non_exhaustive()
    }
}

/// The keys and fields for sealing a request one or more times.
#[derive(Debug)]
pub(crate) struct Sealer<'s> {
    pub(crate) keyring: &'s Keyring,
    pub(crate) partner_id: &'s str,
    pub(crate) rule: PayloadRule,
    pub(crate) extra: &'s [(String, String)],
}

impl Sealer<'_> {
    pub(crate) fn seal(&self, request_id: &RequestId, payload: &str) -> Result<Sealed, Error> {
        let mut fields = Fields::request(self.partner_id, request_id);
        for (name, value) in self.extra {
            fields = fields.with(name, value);
        }
        let mut outgoing = Outgoing::new(&fields).payload(payload);
        if self.rule == PayloadRule::Unsigned {
            outgoing = outgoing.unsigned_payload();
        }
        self.keyring.seal(&outgoing).map_err(Error::request)
    }

    pub(crate) fn document(&self, request_id: &RequestId, payload: &str) -> Result<Bytes, Error> {
        Ok(self.seal(request_id, payload)?.into_document().into())
    }
}

pub(crate) fn new_request_id() -> Result<RequestId, Error> {
    RequestId::generate().map_err(Error::request)
}

/// Returns a payload as JSON, or an empty string if the operation has no payload and its `extra` is empty.
pub(crate) fn payload_text(target: &CallTarget, payload: &(impl serde::Serialize + ?Sized)) -> Result<String, Error> {
    let mut text = Vec::new();
    if target.takes_file {
        // A file's JSON is large, so the buffer is allocated with the exact size and never grows.
        let mut length = Length(0);
        serde_json::to_writer(&mut length, payload).map_err(Error::request)?;
        text.reserve_exact(length.0);
    }
    serde_json::to_writer(&mut text, payload).map_err(Error::request)?;
    if target.payload == PayloadRule::None && text == b"{}" {
        return Ok(String::new());
    }
    String::from_utf8(text).map_err(Error::request)
}

/// A writer that counts bytes and discards them.
struct Length(usize);

impl std::io::Write for Length {
    fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
        self.0 += bytes.len();
        Ok(bytes.len())
    }

    fn flush(&mut self) -> std::io::Result<()> {
        Ok(())
    }
}
