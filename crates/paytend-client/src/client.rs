//! The client.

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

/// A client of one partner. Cloning is cheap; clones share their connections and limits.
#[derive(Clone)]
pub struct Client {
    pub(crate) core: Arc<Core>,
}

impl Client {
    /// Starts a client of this partner, with its keys.
    pub fn builder(environment: Environment, partner_id: impl Into<String>, keyring: Keyring) -> Builder {
        Builder::new(environment, partner_id.into(), keyring)
    }

    /// A client of another partner that shares this one's connections, limits and configuration.
    ///
    /// # Errors
    /// Of kind [`Configuration`](ErrorKind::Configuration), as from [`Builder::build`].
    pub fn for_partner(&self, partner_id: impl Into<String>, keyring: Keyring) -> Result<Self, Error> {
        let partner_id = partner_id.into();
        crate::config::check_partner(&partner_id, &keyring)?;
        Ok(Self { core: Arc::new(Core { partner_id, keyring, ..Core::clone(&self.core) }) })
    }

    /// Carries out an operation: checks, seals and sends it, and gives the data of an authentic success.
    ///
    /// # Errors
    /// Whatever the failure, [`Error::outcome`] says what became of the request.
    pub async fn send<O: Operation>(&self, operation: &O) -> Result<O::Response, Error> {
        self.request(operation).send().await.map(Answer::into_data)
    }

    /// A call with options of its own.
    pub fn request<'r, O: Operation>(&'r self, operation: &'r O) -> Request<'r, O> {
        Request::new(&self.core, operation)
    }

    /// Carries out an operation by its name (`topup`, `issuing.getCities`) or its path, with business data of the caller's own: for what
    /// the partner's documents describe and this workspace does not know yet. Nothing of it is checked but that it is an object.
    ///
    /// A path that is not one of this workspace's operations is called as a mutation with a signed payload.
    ///
    /// ```no_run
    /// # async fn example(client: &paytend_client::Client) -> Result<(), Box<dyn std::error::Error>> {
    /// let answer = client.call("topup", &serde_json::json!({"cardId": "1755902", "orderNo": "T-1", "amount": "25.00"})).await?;
    /// if let Some(data) = answer.data() {
    ///     println!("{}", data.as_str());
    /// }
    /// # Ok(())
    /// # }
    /// ```
    ///
    /// # Errors
    /// As [`send`](Self::send).
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
                Err(Error::new(ErrorKind::Data).caused_by("the answer has no data, and this operation has"))
            }
            Some("") => Ok(None),
            _ => opened.payload().map(Some).map_err(|e| Error::new(ErrorKind::Data).caused_by(e)),
        };
        job(&self.core, &target, &options, request_id, payload)?.run(span, read).await
    }

    /// Seals and signs an operation without sending it.
    ///
    /// # Errors
    /// Of kind [`ErrorKind::Request`].
    pub fn prepare<O: Operation>(&self, operation: &O) -> Result<Prepared<O>, Error> {
        self.request(operation).prepare()
    }

    /// Sends a prepared request once, in its turn and within the deadline, and gives whatever comes back.
    ///
    /// # Errors
    /// Of kind [`ErrorKind::Connect`], [`ErrorKind::Timeout`], [`ErrorKind::Transport`], or [`ErrorKind::Answer`] for an answer
    /// that is too large.
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

    /// Opens the answer to a prepared request.
    ///
    /// # Errors
    /// Of kind [`ErrorKind::Rejected`], [`ErrorKind::UnsignedFailure`], [`ErrorKind::Answer`], [`ErrorKind::Mismatch`] or
    /// [`ErrorKind::Data`].
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

/// Sends an operation from its own side: `topup.send(&client)`.
pub trait OperationExt: Operation {
    /// As [`Client::send`].
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
