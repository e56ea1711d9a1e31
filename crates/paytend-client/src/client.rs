//! The asynchronous client.

use std::fmt;
use std::sync::Arc;

use bytes::Bytes;
use paytend_crypto::{Opened, RequestId};
use paytend_model::{Json, Operation};
use serde::Serialize;

use crate::call::Call;
use crate::call::prepared::PreparedRequest;
use crate::call::request::Request;
use crate::call::response::{self, Response};
use crate::call::shared::{Options, Shared};
use crate::call::subject::Subject;
use crate::call_target::CallTarget;
use crate::error::Error;
use crate::transport::response::RawResponse;

/// A client for one partner. Cloning is cheap; clones share their connections and limits.
#[derive(Clone)]
pub struct Client {
    pub(crate) shared: Arc<Shared>,
}

impl Client {
    /// Executes an operation: validates, seals and sends the request, and returns the data of an authentic success.
    ///
    /// # Errors
    /// Returns an [`Error`] for every failure. [`Error::outcome`] reports whether the request may have been carried
    /// out.
    pub async fn send<O: Operation>(&self, operation: &O) -> Result<O::Response, Error> {
        self.request(operation).send().await.map(Response::into_data)
    }

    /// Creates a request that can override the client's options for one call.
    pub fn request<'r, O: Operation>(&'r self, operation: &'r O) -> Request<'r, O> {
        Request::new(&self.shared, operation)
    }

    /// Executes an operation by name (`topup`, `issuing.getCities`) or by path, with custom business data.
    ///
    /// Use this method for operations that the partner's documents describe but `paytend-model` does not contain yet.
    /// The data is not validated, except that it must be an object.
    ///
    /// An unknown path is treated as a mutation with a signed payload.
    ///
    /// ```no_run
    /// # async fn example(client: &paytend_client::Client) -> Result<(), Box<dyn std::error::Error>> {
    /// let topup = serde_json::json!({"cardId": "1755902", "orderNo": "T-1", "amount": "25.00"});
    /// let response = client.call("topup", &topup).await?;
    /// if let Some(data) = response.data() {
    ///     println!("{}", data.as_str());
    /// }
    /// # Ok(())
    /// # }
    /// ```
    ///
    /// To set a deadline, or to see the document before it is sent, use [`untyped`](Self::untyped).
    ///
    /// # Errors
    /// Returns the same errors as [`send`](Self::send).
    pub async fn call(&self, name_or_path: &str, data: &impl Serialize) -> Result<Response<Option<Json>>, Error> {
        self.untyped(name_or_path, data)?.send().await
    }

    /// Returns the base URL, without a trailing slash.
    pub fn base_url(&self) -> &str {
        &self.shared.base_url
    }

    /// Returns the partner ID.
    pub fn partner_id(&self) -> &str {
        &self.shared.partner_id
    }

    /// Seals and signs an operation without sending it.
    ///
    /// # Errors
    /// Returns an error of kind [`ErrorKind::Request`](crate::ErrorKind::Request) if the request is invalid or cannot
    /// be sealed.
    pub fn prepare<O: Operation>(&self, operation: &O) -> Result<PreparedRequest<O>, Error> {
        self.request(operation).prepare()
    }

    /// Sends a prepared request once, within the client's limits and deadline, and returns the unverified response.
    ///
    /// # Errors
    /// Returns an error of kind
    /// - [`ErrorKind::Connect`](crate::ErrorKind::Connect) if no connection can be made;
    /// - [`ErrorKind::Timeout`](crate::ErrorKind::Timeout) if no response arrives in time;
    /// - [`ErrorKind::Transport`](crate::ErrorKind::Transport) if the connection breaks;
    /// - [`ErrorKind::InvalidResponse`](crate::ErrorKind::InvalidResponse) if the response is too large.
    pub async fn transmit<O: Operation>(&self, prepared: &PreparedRequest<O>) -> Result<RawResponse, Error> {
        let target = CallTarget::from(&O::INFO);
        let options = Options::default();
        self.transmit_once(&target, &options, &prepared.request_id, prepared.document.clone()).await
    }

    /// Sends a document once, and returns the unverified response.
    pub(crate) async fn transmit_once(
        &self,
        target: &CallTarget,
        options: &Options,
        request_id: &RequestId,
        document: Bytes,
    ) -> Result<RawResponse, Error> {
        let call = Call {
            shared: &self.shared,
            target,
            options,
            request_id: request_id.clone(),
            document,
            payload: None,
            subject: Subject::default(),
            doubtful: false,
        };
        call.once(self.shared.start_deadline(options)).await
    }

    /// Verifies and decrypts the response to a prepared request.
    ///
    /// # Errors
    /// Returns an error of kind
    /// - [`ErrorKind::Rejected`](crate::ErrorKind::Rejected) if Paytend rejected the request;
    /// - [`ErrorKind::UnsignedFailure`](crate::ErrorKind::UnsignedFailure) if the response is an error without a
    ///   signature;
    /// - [`ErrorKind::InvalidResponse`](crate::ErrorKind::InvalidResponse) if the response is not authentic;
    /// - [`ErrorKind::Mismatch`](crate::ErrorKind::Mismatch) if the response belongs to another request;
    /// - [`ErrorKind::Data`](crate::ErrorKind::Data) if the data does not have the expected structure.
    pub fn open<O: Operation>(
        &self,
        prepared: &PreparedRequest<O>,
        raw: &RawResponse,
    ) -> Result<Response<O::Response>, Error> {
        let target = CallTarget::from(&O::INFO);
        let (data, opened) = self.open_raw(&target, &prepared.request_id, prepared.payload(), raw, response::data)?;
        Ok(Response::new(data, opened, prepared.request_id.clone()))
    }

    /// Verifies the response to a request, and reads its data with `read`.
    pub(crate) fn open_raw<T>(
        &self,
        target: &CallTarget,
        request_id: &RequestId,
        payload: &str,
        raw: &RawResponse,
        read: impl FnOnce(&Opened) -> Result<T, Error>,
    ) -> Result<(T, Opened), Error> {
        let during = |error: Error| error.during(target, request_id).after(1);
        let subject = self.shared.subject(target, payload);
        let opened =
            response::open(&self.shared.keyring, raw, self.shared.max_response_bytes, &subject).map_err(|error| {
                if error.is_of_another_request() {
                    self.shared.transport.discard_connections();
                }
                during(error)
            })?;
        match read(&opened) {
            Ok(data) => Ok((data, opened)),
            Err(error) => Err(during(error.with_response(raw.status(), None, raw.body())).with_opened(opened)),
        }
    }
}

impl fmt::Debug for Client {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Client")
            .field("base_url", &self.shared.base_url)
            .field("partner_id", &self.shared.partner_id)
            .field("keyring", &self.shared.keyring)
            .finish_non_exhaustive()
    }
}

const _: fn() = || {
    fn shared<T: Send + Sync + Clone + 'static>() {}
    shared::<Client>();
};
