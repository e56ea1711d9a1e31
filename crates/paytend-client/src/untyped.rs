//! Requests for operations that are selected by name or path, with custom business data.

use std::fmt;
use std::time::Duration;

use bytes::Bytes;
use paytend_crypto::{Opened, RequestId};
use paytend_model::{Json, OperationKind};
use serde::Serialize;

use crate::call::Call;
use crate::call::prepared::{new_request_id, payload_text};
use crate::call::response::Response;
use crate::call::shared::Options;
use crate::call_target::CallTarget;
use crate::client::Client;
use crate::error::Error;
use crate::error::kind::ErrorKind;
use crate::transport::response::RawResponse;

/// A sealed and signed request for an operation that is selected by name or path.
///
/// [`Client::untyped`] creates the request. [`send`](Self::send) sends the request with retries.
/// [`transmit`](Self::transmit) sends the request once, and [`open`](Self::open) verifies the response.
#[must_use]
pub struct UntypedRequest<'c> {
    client: &'c Client,
    target: CallTarget,
    request_id: RequestId,
    payload: String,
    document: Bytes,
    options: Options,
}

impl Client {
    /// Seals a request for an operation that is selected by name (`topup`, `issuing.getCities`) or by path, as in
    /// [`call`](Self::call), without sending it.
    ///
    /// ```no_run
    /// # use std::time::Duration;
    /// # async fn example(client: &paytend_client::Client) -> Result<(), paytend_client::Error> {
    /// let query = serde_json::json!({"cardId": "1755902"});
    /// let request = client.untyped("getCardBalance", &query)?.deadline(Duration::from_secs(5));
    /// println!("{} to {}", request.request_id(), request.url());
    /// let response = request.send().await?;
    /// # Ok(())
    /// # }
    /// ```
    ///
    /// # Errors
    /// Returns an error of kind [`ErrorKind::Request`] if the operation is unknown, or if the data cannot be sealed.
    pub fn untyped(&self, name_or_path: &str, data: &(impl Serialize + ?Sized)) -> Result<UntypedRequest<'_>, Error> {
        let target = match paytend_model::operation(name_or_path) {
            Ok(entry) => CallTarget::from(entry.info),
            Err(_) if name_or_path.starts_with('/') => CallTarget::unknown(name_or_path),
            Err(error) => return Err(Error::request(error)),
        };
        let request_id = new_request_id()?;
        let during = |error: Error| error.during(&target, &request_id);
        let payload = payload_text(&target, data).map_err(during)?;
        let document = self.shared.sealer(&target, &[]).document(&request_id, &payload).map_err(during)?;
        Ok(UntypedRequest { client: self, target, request_id, payload, document, options: Options::default() })
    }
}

impl UntypedRequest<'_> {
    /// Sets the deadline for the whole call. See [`ClientBuilder::deadline`](crate::ClientBuilder::deadline).
    pub fn deadline(mut self, deadline: Duration) -> Self {
        self.options.deadline = Some(deadline);
        self
    }

    /// Returns the `requestId`. A retry of a query has a new `requestId`.
    pub fn request_id(&self) -> &RequestId {
        &self.request_id
    }

    /// Returns the URL that the document is posted to.
    pub fn url(&self) -> String {
        self.client.shared.url(&self.target)
    }

    /// Returns the payload as plaintext. It is empty if the operation has no payload.
    pub fn payload(&self) -> &str {
        &self.payload
    }

    /// Returns the JSON document to send.
    pub fn document(&self) -> &[u8] {
        &self.document
    }

    /// Sends the request, with retries, and returns the response.
    ///
    /// # Errors
    /// Returns the same errors as [`Client::send`].
    pub async fn send(self) -> Result<Response<Option<Json>>, Error> {
        let Self { client, target, request_id, payload, document, options } = self;
        let shared = &*client.shared;
        let deadline = shared.start_deadline(&options);
        let call = Call {
            shared,
            target: &target,
            options: &options,
            request_id,
            document,
            subject: shared.subject(&target, &payload),
            payload: (target.kind == OperationKind::Query).then_some(payload),
            doubtful: false,
        };
        call.run(deadline, |opened| data(&target, opened)).await
    }

    /// Sends the request once, within the client's limits and the deadline, and returns the unverified response.
    ///
    /// # Errors
    /// Returns the same errors as [`Client::transmit`].
    pub async fn transmit(&self) -> Result<RawResponse, Error> {
        self.client.transmit_once(&self.target, &self.options, &self.request_id, self.document.clone()).await
    }

    /// Verifies and decrypts the response to this request.
    ///
    /// # Errors
    /// Returns the same errors as [`Client::open`].
    pub fn open(&self, raw: &RawResponse) -> Result<Response<Option<Json>>, Error> {
        let read = |opened: &Opened| data(&self.target, opened);
        let (data, opened) = self.client.open_raw(&self.target, &self.request_id, &self.payload, raw, read)?;
        Ok(Response::new(data, opened, self.request_id.clone()))
    }
}

impl fmt::Debug for UntypedRequest<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("UntypedRequest")
            .field("operation", &self.target.name)
            .field("request_id", &self.request_id)
            .finish_non_exhaustive()
    }
}

/// Returns the data in a successful response. It is absent only if the operation has no response data.
fn data(target: &CallTarget, opened: &Opened) -> Result<Option<Json>, Error> {
    match opened.payload_text() {
        Some("") if target.has_response => {
            Err(Error::new(ErrorKind::Data).caused_by("the response has no data, but this operation requires data"))
        }
        Some("") => Ok(None),
        _ => opened.payload().map(Some).map_err(|error| Error::new(ErrorKind::Data).caused_by(error)),
    }
}
