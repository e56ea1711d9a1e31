//! A single request with custom options.

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use http::HeaderValue;
use paytend_crypto::RequestId;
use paytend_model::{Operation, ValidationError};

use crate::call::Call;
use crate::call::prepared::{PreparedRequest, new_request_id, payload_text};
use crate::call::response::{self, Response};
use crate::call::shared::{Options, Shared};
use crate::call_target::CallTarget;
use crate::error::Error;

/// A request that has not been sent.
///
/// [`Client::request`](crate::Client::request) creates a request, the methods below set its options, and
/// [`send`](Self::send) sends the request.
///
/// ```no_run
/// # use std::time::Duration;
/// # use paytend_client::{Client, Error};
/// # async fn example(client: &Client, topup: &paytend_model::issuing::Topup) -> Result<(), Error> {
/// let response = client.request(topup).deadline(Duration::from_secs(5)).send().await?;
/// println!("{:?}, verified by {}", response.data(), response.opened().verified_by());
/// # Ok(())
/// # }
/// ```
#[must_use]
pub struct Request<'r, O> {
    pub(crate) shared: &'r Shared,
    pub(crate) operation: &'r O,
    pub(crate) options: Options,
    invalid: Option<&'static str>,
    validation: Validation,
}

/// The validation rules that reject a request before it is sent.
#[derive(Clone, Copy)]
enum Validation {
    Off,
    /// The documented and observed rules. Violations of inferred rules are logged as warnings.
    Errors,
    Strict,
}

impl Validation {
    fn check<O: Operation>(self, operation: &O) -> Result<(), ValidationError> {
        match self {
            Self::Off => Ok(()),
            Self::Errors => {
                for warning in operation.validate()? {
                    tracing::warn!(operation = O::INFO.name, %warning, "the request may be invalid");
                }
                Ok(())
            }
            Self::Strict => operation.validate_strict(),
        }
    }
}

impl<'r, O: Operation> Request<'r, O> {
    pub(crate) fn new(shared: &'r Shared, operation: &'r O) -> Self {
        Self { shared, operation, options: Options::default(), invalid: None, validation: Validation::Errors }
    }

    /// Sets the `requestId` of every attempt. By default, the client generates a new `requestId`.
    pub fn request_id(mut self, id: RequestId) -> Self {
        self.options.request_id = Some(id);
        self
    }

    /// Sets the deadline for the whole call: its attempts, the waits between them, and the time spent waiting for the
    /// concurrency and rate limits.
    pub fn deadline(mut self, deadline: Duration) -> Self {
        self.options.deadline = Some(deadline);
        self
    }

    /// Declares that executing the operation twice is harmless, so that it is retried like a query.
    ///
    /// All attempts have the same `requestId`.
    pub fn idempotent(mut self) -> Self {
        self.options.idempotent = true;
        self
    }

    /// Adds a field to the envelope. It is signed like the other fields.
    ///
    /// To add a field to the payload, use the operation's `extra`.
    pub fn field(mut self, name: impl Into<String>, value: impl Into<String>) -> Self {
        let name = name.into();
        let reserved = ["requestId", "partnerId", "signType", "version", "bizData", "randomKey", "signature"];
        if reserved.contains(&name.as_str()) {
            self.invalid
                .get_or_insert("invalid field: the client sets this envelope field itself; choose another name");
        }
        self.options.extra.push((name, value.into()));
        self
    }

    /// Sets the W3C trace context, which is sent as the `traceparent` header.
    pub fn trace_parent(mut self, value: &str) -> Self {
        match HeaderValue::from_str(value).ok().filter(|_| is_trace_parent(value)) {
            Some(header) => self.options.trace_parent = Some(header),
            None => {
                self.invalid.get_or_insert(
                    "invalid traceparent; example: 00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01",
                );
            }
        }
        self
    }

    /// Sets a callback for upload progress.
    ///
    /// The callback is called with the number of bytes handed to the connection, and the total number of bytes. The
    /// count starts at zero for each attempt. The callback must return quickly.
    pub fn progress(mut self, progress: impl Fn(usize, usize) + Send + Sync + 'static) -> Self {
        self.options.progress = Some(Arc::new(progress));
        self
    }

    /// Sends the request even if it violates rules of [`Validate`](paytend_model::Validate), for example because the
    /// provider has changed its rules.
    pub fn danger_skip_validation(mut self) -> Self {
        self.validation = Validation::Off;
        self
    }

    /// Rejects the request before it is sent if it violates any rule of [`Validate`](paytend_model::Validate),
    /// including inferred rules.
    pub fn strict_validation(mut self) -> Self {
        self.validation = Validation::Strict;
        self
    }

    /// Sends the request on a new connection, so that a late response to another request cannot be mistaken for
    /// its response.
    ///
    /// Use this for custom order queries, because the response code for "no such order" does not identify an order.
    /// Each of these requests opens a new connection.
    pub fn fresh_connection(mut self) -> Self {
        self.options.fresh_connection = true;
        self
    }

    /// Seals and signs the request without sending it.
    ///
    /// # Errors
    /// Returns an error of kind [`ErrorKind::Request`](crate::ErrorKind::Request) if the request is invalid or cannot
    /// be sealed.
    pub fn prepare(self) -> Result<PreparedRequest<O>, Error> {
        let target = CallTarget::from(&O::INFO);
        let (request_id, payload) = self.payload(&target)?;
        let sealed = self
            .shared
            .sealer(&target, &self.options.extra)
            .seal(&request_id, &payload)
            .map_err(|error| error.during(&target, &request_id))?;
        Ok(PreparedRequest::new(request_id, sealed, payload, &self.options))
    }

    /// Creates a request for another operation, with the same additional fields, trace context and validation.
    pub(crate) fn sibling<'s, Q: Operation>(&'s self, operation: &'s Q) -> Request<'s, Q> {
        let mut request = Request::new(self.shared, operation);
        request.options.extra.clone_from(&self.options.extra);
        request.options.trace_parent.clone_from(&self.options.trace_parent);
        request.validation = self.validation;
        request
    }

    /// Sends the request, with retries, and returns the response.
    ///
    /// # Errors
    /// Returns an [`Error`] for every failure. [`Error::outcome`] reports what happened to the request.
    pub async fn send(self) -> Result<Response<O::Response>, Error> {
        let target = CallTarget::from(&O::INFO);
        let deadline = self.shared.start_deadline(&self.options);
        let (request_id, payload) = self.payload(&target)?;
        let call = call(self.shared, &target, &self.options, request_id, payload)?;
        call.run(deadline, response::data).await
    }

    /// Validates the request, and returns its `requestId` and its payload as JSON.
    pub(crate) fn payload(&self, target: &CallTarget) -> Result<(RequestId, String), Error> {
        let request_id = match &self.options.request_id {
            Some(id) => id.clone(),
            None => new_request_id()?,
        };
        let during = |error: Error| error.during(target, &request_id);
        if let Some(reason) = self.invalid {
            return Err(during(Error::request(reason)));
        }
        self.validation.check(self.operation).map_err(|invalid| during(Error::request(invalid)))?;
        let payload = payload_text(target, self.operation).map_err(during)?;
        Ok((request_id, payload))
    }
}

/// Seals a payload. Keeps a query's payload, because a retry may have to seal it again.
pub(crate) fn call<'j>(
    shared: &'j Shared,
    target: &'j CallTarget,
    options: &'j Options,
    request_id: RequestId,
    payload: String,
) -> Result<Call<'j>, Error> {
    let document = shared
        .sealer(target, &options.extra)
        .document(&request_id, &payload)
        .map_err(|error| error.during(target, &request_id))?;
    let subject = shared.subject(target, &payload);
    let payload = (target.kind == paytend_model::OperationKind::Query).then_some(payload);
    Ok(Call { shared, target, options, request_id, document, payload, subject, doubtful: false })
}

/// Returns whether a value has the form `00-<32 hex>-<16 hex>-<2 hex>`, in lower case.
fn is_trace_parent(text: &str) -> bool {
    let hex = |byte: u8| byte.is_ascii_digit() || (b'a'..=b'f').contains(&byte);
    text.len() == 55
        && text.bytes().enumerate().all(|(at, byte)| if [2, 35, 52].contains(&at) { byte == b'-' } else { hex(byte) })
}

impl<O: Operation> fmt::Debug for Request<'_, O> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Request")
            .field("operation", &O::INFO.name)
            .field("options", &self.options)
            .finish_non_exhaustive()
    }
}
