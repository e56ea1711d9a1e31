//! The client: prepare, transmit, open. `send` is the three in a row.

use std::fmt;
use std::marker::PhantomData;
use std::sync::Arc;

use paytend_crypto::{Fields, Keyring, Outgoing, RequestId, Sealed};
use paytend_model::{Operation, OperationInfo, PayloadRule};
use reqwest::header;
use zeroize::Zeroizing;

use crate::answer::{Answer, RawAnswer, open_answer};
use crate::config::{Builder, Environment};
use crate::error::{Error, ErrorKind};

/// A client of one partner. Cloning is cheap; clones share their connections.
#[derive(Clone)]
pub struct Client {
    http: reqwest::Client,
    config: Arc<Config>,
}

struct Config {
    base_url: String,
    partner_id: String,
    keyring: Keyring,
    max_response_bytes: usize,
}

/// A sealed and signed request that has not been sent.
pub struct Prepared<O> {
    request_id: RequestId,
    sealed: Sealed,
    payload: String,
    operation: PhantomData<fn() -> O>,
}

impl<O: Operation> Prepared<O> {
    /// Its `requestId`.
    pub fn request_id(&self) -> &str {
        self.request_id.as_str()
    }

    /// The document to post.
    pub fn document(&self) -> &str {
        self.sealed.document()
    }

    /// The text that was signed. Secret: it holds the session key and the business data.
    pub fn canonical(&self) -> Zeroizing<String> {
        self.sealed.canonical(&self.payload)
    }

    /// The operation.
    pub fn operation(&self) -> OperationInfo {
        O::INFO
    }
}

impl<O: Operation> fmt::Debug for Prepared<O> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Prepared")
            .field("operation", &O::INFO.name)
            .field("request_id", &self.request_id)
            .finish_non_exhaustive()
    }
}

impl Client {
    /// Starts a client of this partner, with its keys.
    pub fn builder(environment: Environment, partner_id: impl Into<String>, keyring: Keyring) -> Builder {
        Builder::new(environment, partner_id.into(), keyring)
    }

    pub(crate) fn from_parts(
        http: reqwest::Client,
        base_url: String,
        partner_id: String,
        keyring: Keyring,
        max_response_bytes: usize,
    ) -> Self {
        Self { http, config: Arc::new(Config { base_url, partner_id, keyring, max_response_bytes }) }
    }

    /// Carries out an operation: seals and sends it, and gives the data of an authentic success.
    ///
    /// # Errors
    /// Whatever the failure, [`Error::outcome`] says what became of the request.
    pub async fn send<O: Operation>(&self, operation: &O) -> Result<O::Response, Error> {
        let prepared = self.prepare(operation)?;
        let answer = self.transmit(&prepared).await.and_then(|raw| self.open(&prepared, &raw));
        match &answer {
            Ok(_) => tracing::debug!(operation = O::INFO.name, request_id = prepared.request_id(), "succeeded"),
            Err(error) => tracing::debug!(
                operation = O::INFO.name,
                request_id = prepared.request_id(),
                kind = ?error.kind(),
                outcome = ?error.outcome(),
                http_status = error.http_status(),
                "failed"
            ),
        }
        answer.map(Answer::into_data)
    }

    /// Seals and signs an operation without sending it.
    ///
    /// # Errors
    /// Of kind [`ErrorKind::Request`].
    pub fn prepare<O: Operation>(&self, operation: &O) -> Result<Prepared<O>, Error> {
        let request_id = RequestId::generate().map_err(|e| Error::new(ErrorKind::Request).caused_by(e))?;
        let failed = |e: Box<dyn std::error::Error + Send + Sync>| {
            Error::new(ErrorKind::Request).caused_by(e).during(&O::INFO, request_id.as_str())
        };
        let fields = Fields::request(&self.config.partner_id, request_id.as_str());
        let payload = match O::INFO.payload {
            PayloadRule::None => String::new(),
            _ => serde_json::to_string(operation).map_err(|e| failed(e.into()))?,
        };
        let mut outgoing = Outgoing::new(&fields).payload(&payload);
        if O::INFO.payload == PayloadRule::Unsigned {
            outgoing = outgoing.unsigned_payload();
        }
        let sealed = self.config.keyring.seal(&outgoing).map_err(|e| failed(e.into()))?;
        Ok(Prepared { request_id, sealed, payload, operation: PhantomData })
    }

    /// Sends a prepared request and reads the answer, whatever it is.
    ///
    /// # Errors
    /// Of kind [`ErrorKind::Connect`], [`ErrorKind::Timeout`], [`ErrorKind::Transport`], or [`ErrorKind::Answer`] for an answer
    /// that is too large.
    pub async fn transmit<O: Operation>(&self, prepared: &Prepared<O>) -> Result<RawAnswer, Error> {
        let during = |error: Error| error.during(&O::INFO, prepared.request_id());
        let mut response = self
            .http
            .post(format!("{}{}", self.config.base_url, O::INFO.path))
            .header(header::CONTENT_TYPE, "application/json; charset=UTF-8")
            .header(header::ACCEPT, "application/json")
            .body(prepared.document().to_owned())
            .send()
            .await
            .map_err(|e| during(Error::http(e)))?;
        let status = response.status().as_u16();
        let mut body = Vec::new();
        while let Some(piece) = response.chunk().await.map_err(|e| during(Error::http(e)).with_status(status))? {
            if body.len() + piece.len() > self.config.max_response_bytes {
                let error = Error::new(ErrorKind::Answer).caused_by("the answer is larger than the configured limit");
                return Err(during(error).with_status(status));
            }
            body.extend_from_slice(&piece);
        }
        Ok(RawAnswer { status, body })
    }

    /// Opens the answer to a prepared request.
    ///
    /// # Errors
    /// Of kind [`ErrorKind::Rejected`], [`ErrorKind::UnsignedFailure`], [`ErrorKind::Answer`] or [`ErrorKind::Data`].
    pub fn open<O: Operation>(&self, prepared: &Prepared<O>, raw: &RawAnswer) -> Result<Answer<O::Response>, Error> {
        open_answer(&self.config.keyring, raw, self.config.max_response_bytes)
            .map_err(|error| error.during(&O::INFO, prepared.request_id()).with_status(raw.status))
    }
}

impl fmt::Debug for Client {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Client")
            .field("base_url", &self.config.base_url)
            .field("partner_id", &self.config.partner_id)
            .field("keyring", &self.config.keyring)
            .finish_non_exhaustive()
    }
}
