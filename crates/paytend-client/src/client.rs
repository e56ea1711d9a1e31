//! The asynchronous client.

use std::fmt;
use std::future::Future;
use std::sync::Arc;

use paytend_crypto::{Keyring, Opened};
use paytend_model::{Json, Operation};
use serde::Serialize;

use crate::answer::{self, Answer, RawAnswer};
use crate::config::{Builder, Environment};
use crate::engine::{Core, Options};
use crate::error::{Error, ErrorKind};
use crate::job::Job;
use crate::prepared::{Prepared, new_request_id, payload_text};
use crate::request::{Request, job};
use crate::subject::Subject;
use crate::target::Target;

/// A client for one partner. Cloning is cheap; clones share their connections and limits.
#[derive(Clone)]
pub struct Client {
    pub(crate) core: Arc<Core>,
}

impl Client {
    /// Returns a builder for a client of this partner.
    ///
    /// `keyring` holds the partner's private key and Paytend's public key.
    pub fn builder(environment: Environment, partner_id: impl Into<String>, keyring: Keyring) -> Builder {
        Builder::new(environment, partner_id.into(), keyring)
    }

    /// Creates a client for another partner. It shares the connections, limits and configuration of this client.
    ///
    /// # Errors
    /// Returns an error of kind [`Configuration`](ErrorKind::Configuration) if the partner ID or the keyring is
    /// invalid.
    pub fn for_partner(&self, partner_id: impl Into<String>, keyring: Keyring) -> Result<Self, Error> {
        let partner_id = partner_id.into();
        crate::config::check_partner(&partner_id, &keyring)?;
        Ok(Self { core: Arc::new(Core { partner_id, keyring, ..Core::clone(&self.core) }) })
    }

    /// Executes an operation: validates, seals and sends the request, and returns the data of an authentic success.
    ///
    /// # Errors
    /// Returns an [`Error`] for every failure. [`Error::outcome`] reports whether the request may have been carried
    /// out.
    pub async fn send<O: Operation>(&self, operation: &O) -> Result<O::Response, Error> {
        self.request(operation).send().await.map(Answer::into_data)
    }

    /// Creates a request whose options differ from the client's configuration.
    pub fn request<'r, O: Operation>(&'r self, operation: &'r O) -> Request<'r, O> {
        Request::new(&self.core, operation)
    }

    /// Executes an operation by name (`topup`, `issuing.getCities`) or by path, with custom business data.
    ///
    /// Use this method for operations that the partner's documents describe and `paytend-model` does not contain yet.
    /// The data is not validated, except that it must be an object.
    ///
    /// The operation at an unknown path is treated as a mutation with a signed payload.
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
    /// # Errors
    /// Returns the errors of [`send`](Self::send).
    pub async fn call(&self, name_or_path: &str, data: &impl Serialize) -> Result<Answer<Option<Json>>, Error> {
        let target = match paytend_model::operation(name_or_path) {
            Ok(entry) => Target::from(entry.info),
            Err(_) if name_or_path.starts_with('/') => Target::unknown(name_or_path),
            Err(error) => return Err(Error::request(error)),
        };
        let request_id = new_request_id()?;
        let during = |error: Error| error.during(&target, &request_id);
        let payload = payload_text(&target, data).map_err(during)?;
        let options = Options::default();
        let span = self.core.span(&options);
        let has_response = target.has_response;
        let read = |opened: &Opened| match opened.payload_text() {
            Some("") if has_response => {
                Err(Error::new(ErrorKind::Data).caused_by("the response has no data, but this operation requires data"))
            }
            Some("") => Ok(None),
            _ => opened.payload().map(Some).map_err(|e| Error::new(ErrorKind::Data).caused_by(e)),
        };
        job(&self.core, &target, &options, request_id, payload)?.run(span, read).await
    }

    /// Seals and signs an operation without sending it.
    ///
    /// # Errors
    /// Returns an error of kind [`ErrorKind::Request`] if the request is invalid or cannot be sealed.
    pub fn prepare<O: Operation>(&self, operation: &O) -> Result<Prepared<O>, Error> {
        self.request(operation).prepare()
    }

    /// Sends a prepared request once, under the client's limits and deadline, and returns the unverified response.
    ///
    /// # Errors
    /// Returns an error of kind
    /// - [`ErrorKind::Connect`] if no connection can be made;
    /// - [`ErrorKind::Timeout`] if no response arrives in time;
    /// - [`ErrorKind::Transport`] if the connection breaks;
    /// - [`ErrorKind::Answer`] if the response is too large.
    pub async fn transmit<O: Operation>(&self, prepared: &Prepared<O>) -> Result<RawAnswer, Error> {
        let target = Target::from(&O::INFO);
        let options = Options::default();
        let job = Job {
            core: &self.core,
            target: &target,
            options: &options,
            request_id: prepared.request_id.clone(),
            document: prepared.document().to_owned().into(),
            payload: None,
            subject: Subject::default(),
            doubtful: false,
        };
        job.once(self.core.span(&options)).await
    }

    /// Verifies and decrypts the response to a prepared request.
    ///
    /// # Errors
    /// Returns an error of kind
    /// - [`ErrorKind::Rejected`] if Paytend rejected the request;
    /// - [`ErrorKind::UnsignedFailure`] if the response is an error without a signature;
    /// - [`ErrorKind::Answer`] if the response is not authentic;
    /// - [`ErrorKind::Mismatch`] if the response belongs to another request;
    /// - [`ErrorKind::Data`] if the data does not have the expected structure.
    pub fn open<O: Operation>(&self, prepared: &Prepared<O>, raw: &RawAnswer) -> Result<Answer<O::Response>, Error> {
        let target = Target::from(&O::INFO);
        let during = |error: Error| error.during(&target, prepared.request_id()).after(1);
        let subject = self.core.subject(&target, prepared.payload());
        let opened =
            answer::open(&self.core.keyring, raw, self.core.max_response_bytes, &subject).map_err(|error| {
                if error.is_of_another_request() {
                    self.core.transport.discard_connections();
                }
                during(error)
            })?;
        match answer::data(&opened) {
            Ok(data) => Ok(Answer::new(data, opened, prepared.request_id.clone())),
            Err(error) => Err(during(error.answered(raw.status(), None, raw.body())).with_opened(opened)),
        }
    }
}

/// An extension trait for sending an operation with method syntax: `topup.send(&client)`.
pub trait OperationExt: Operation {
    /// Sends this operation with [`Client::send`].
    fn send<'o>(&'o self, client: &'o Client) -> impl Future<Output = Result<Self::Response, Error>> + Send + 'o;
}

impl<O: Operation> OperationExt for O {
    fn send<'o>(&'o self, client: &'o Client) -> impl Future<Output = Result<Self::Response, Error>> + Send + 'o {
        client.send(self)
    }
}

impl fmt::Debug for Client {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Client")
            .field("base_url", &self.core.base_url)
            .field("partner_id", &self.core.partner_id)
            .field("keyring", &self.core.keyring)
            .finish_non_exhaustive()
    }
}

const _: fn() = || {
    fn shared<T: Send + Sync + Clone + 'static>() {}
    shared::<Client>();
};
