//! One call with options of its own.

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use http::HeaderValue;
use paytend_model::{Invalid, Operation};

use crate::answer::{self, Answer};
use crate::engine::{Core, Options};
use crate::error::Error;
use crate::job::Job;
use crate::prepared::{Prepared, new_request_id, payload_text};
use crate::target::Target;

/// A call that has not been made: [`Client::request`](crate::Client::request) makes one, its methods set what is special about it, and
/// [`send`](Self::send) carries it out.
///
/// ```no_run
/// # use std::time::Duration;
/// # async fn example(client: &paytend_client::Client, topup: &paytend_model::issuing::Topup) -> Result<(), paytend_client::Error> {
/// let answer = client.request(topup).deadline(Duration::from_secs(5)).send().await?;
/// println!("{:?}, verified by {}", answer.data(), answer.opened().verified_by());
/// # Ok(())
/// # }
/// ```
#[must_use]
pub struct Request<'r, O> {
    pub(crate) core: &'r Core,
    pub(crate) operation: &'r O,
    pub(crate) options: Options,
    wrong: Option<&'static str>,
    validation: Validation,
}

/// Which broken rules refuse a request before it is sent.
#[derive(Clone, Copy)]
enum Validation {
    Off,
    /// Those that are documented or observed. The others are told to `tracing`.
    Errors,
    Strict,
}

impl Validation {
    fn check<O: Operation>(self, operation: &O) -> Result<(), Invalid> {
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
    pub(crate) fn new(core: &'r Core, operation: &'r O) -> Self {
        Self { core, operation, options: Options::default(), wrong: None, validation: Validation::Errors }
    }

    /// Uses this `requestId` for every attempt. By default each request gets a new one. The documentation asks for 32
    /// characters; its own example has 17, so 1 to 32 are accepted.
    pub fn request_id(mut self, id: impl Into<String>) -> Self {
        let id = id.into();
        if !(1..=32).contains(&id.chars().count()) {
            self.wrong = Some("a requestId has 1 to 32 characters");
        }
        self.options.request_id = Some(id);
        self
    }

    /// How long the call may take in all: attempts, waits between them, and waiting for its turn.
    pub fn deadline(mut self, deadline: Duration) -> Self {
        self.options.deadline = Some(deadline);
        self
    }

    /// Says that carrying the operation out twice is no harm, so that it is tried again like a query. Its `requestId` stays the same.
    pub fn idempotent(mut self) -> Self {
        self.options.idempotent = true;
        self
    }

    /// A further field of the envelope, which is signed like the others. Further fields of the payload go into the operation's `extra`.
    pub fn field(mut self, name: impl Into<String>, value: impl Into<String>) -> Self {
        let name = name.into();
        let own = ["requestId", "partnerId", "signType", "version", "bizData", "randomKey", "signature"];
        if own.contains(&name.as_str()) {
            self.wrong = Some("a field that the envelope sets itself cannot be a further one");
        }
        self.options.extra.push((name, value.into()));
        self
    }

    /// The W3C trace context to send along, as its `traceparent` header.
    pub fn trace_parent(mut self, value: &str) -> Self {
        match HeaderValue::from_str(value).ok().filter(|_| is_trace_parent(value)) {
            Some(header) => self.options.trace_parent = Some(header),
            None => {
                self.wrong = Some("a traceparent looks like 00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01");
            }
        }
        self
    }

    /// Called with how many bytes of how many have been handed to the connection: of each attempt, from the beginning. It must not take
    /// long.
    pub fn progress(mut self, told: impl Fn(usize, usize) + Send + Sync + 'static) -> Self {
        self.options.progress = Some(Arc::new(told));
        self
    }

    /// Sends the request even if it breaks rules of [`Validate`](paytend_model::Validate): the provider may have changed them.
    pub fn without_validation(mut self) -> Self {
        self.validation = Validation::Off;
        self
    }

    /// Refuses the request if it breaks any rule of [`Validate`](paytend_model::Validate), also one that is inferred.
    pub fn strict_validation(mut self) -> Self {
        self.validation = Validation::Strict;
        self
    }

    /// Sends the request on a connection that carries no other request, so that no late response to another one can be taken for
    /// its response. For queries of an order that are made by hand: the code for "no such order" names no order. Costs a
    /// connection.
    pub fn fresh_connection(mut self) -> Self {
        self.options.fresh_connection = true;
        self
    }

    /// Seals and signs it without sending it.
    ///
    /// # Errors
    /// Of kind [`ErrorKind::Request`](crate::ErrorKind::Request), with what is wrong.
    pub fn prepare(self) -> Result<Prepared<O>, Error> {
        let target = Target::from(&O::INFO);
        let (request_id, payload) = self.payload(&target)?;
        let sealed = self
            .core
            .sealer(&target, &self.options.extra)
            .seal(&request_id, &payload)
            .map_err(|error| error.during(&target, &request_id))?;
        Ok(Prepared::new(request_id, sealed, payload))
    }

    /// A request for another operation, with the same further fields and trace.
    pub(crate) fn sibling<'s, Q: Operation>(&'s self, operation: &'s Q) -> Request<'s, Q> {
        let mut request = Request::new(self.core, operation);
        request.options.extra.clone_from(&self.options.extra);
        request.options.trace_parent.clone_from(&self.options.trace_parent);
        request.validation = self.validation;
        request
    }

    /// Carries it out.
    ///
    /// # Errors
    /// Whatever the failure, [`Error::outcome`] says what became of the request.
    pub async fn send(self) -> Result<Answer<O::Response>, Error> {
        let target = Target::from(&O::INFO);
        let span = self.core.span(&self.options);
        let (request_id, payload) = self.payload(&target)?;
        let job = job(self.core, &target, &self.options, request_id, payload)?;
        job.run(span, answer::data).await
    }

    /// Checks the request and writes its payload.
    pub(crate) fn payload(&self, target: &Target) -> Result<(String, String), Error> {
        let request_id = match &self.options.request_id {
            Some(id) => id.clone(),
            None => new_request_id()?,
        };
        let during = |error: Error| error.during(target, &request_id);
        if let Some(wrong) = self.wrong {
            return Err(during(Error::request(wrong)));
        }
        self.validation.check(self.operation).map_err(|invalid| during(Error::request(invalid)))?;
        let payload = payload_text(target, self.operation).map_err(during)?;
        Ok((request_id, payload))
    }
}

/// Seals a payload, and keeps it if it may have to be sealed again.
pub(crate) fn job<'j>(
    core: &'j Core,
    target: &'j Target,
    options: &'j Options,
    request_id: String,
    payload: String,
) -> Result<Job<'j>, Error> {
    let document = core
        .sealer(target, &options.extra)
        .document(&request_id, &payload)
        .map_err(|error| error.during(target, &request_id))?;
    let subject = core.subject(target, &payload);
    let payload = (target.kind == paytend_model::OperationKind::Query).then_some(payload);
    Ok(Job { core, target, options, request_id, document, payload, subject, doubtful: false })
}

/// `00-<32 hex>-<16 hex>-<2 hex>`, in lower case.
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
