//! The execution of one call: its attempts and the waits between them, under one deadline.

pub(crate) mod events;
pub(crate) mod limits;
pub(crate) mod observer;
pub(crate) mod prepared;
pub(crate) mod request;
pub(crate) mod response;
pub(crate) mod shared;
pub(crate) mod stored;
pub(crate) mod subject;

use std::time::Duration;

use bytes::Bytes;
use http::{HeaderMap, HeaderValue, header};
use paytend_crypto::{Opened, RequestId};
use paytend_model::OperationKind;
use tracing::Instrument as _;

use crate::call::observer::CallObserver;
use crate::call::prepared::new_request_id;
use crate::call::response::Response;
use crate::call::shared::{Deadline, Options, Shared};
use crate::call::subject::Subject;
use crate::call_target::CallTarget;
use crate::error::Error;
use crate::error::kind::{ErrorKind, Outcome};
use crate::error::time_limit::TimeLimit;
use crate::policy::retry::{Decision, FailedAttempt};
use crate::transport::body::OutgoingBody;
use crate::transport::exchange::HttpRequest;
use crate::transport::handover::Handover;
use crate::transport::response::RawResponse;

/// A document to send, and the data needed to send it or to seal it again.
pub(crate) struct Call<'c> {
    pub(crate) shared: &'c Shared,
    pub(crate) target: &'c CallTarget,
    pub(crate) options: &'c Options,
    pub(crate) request_id: RequestId,
    pub(crate) document: Bytes,
    /// The payload; `None` if the request cannot be sealed again.
    pub(crate) payload: Option<String>,
    /// The identifiers that the response must match.
    pub(crate) subject: Subject,
    /// Whether the same request may have been carried out in an earlier call.
    pub(crate) doubtful: bool,
}

impl Call<'_> {
    /// Executes the call. `read` extracts the data from a successful response.
    pub(crate) async fn run<T>(
        self,
        deadline: Deadline,
        read: impl Fn(&Opened) -> Result<T, Error>,
    ) -> Result<Response<T>, Error> {
        let mut observer = CallObserver::new(self.shared, self.target, &self.request_id, deadline, self.doubtful);
        let traced = observer.traced();
        let result = self.attempts(&mut observer, read).instrument(traced.clone()).await;
        traced.in_scope(|| observer.finish(result.as_ref().map(|(status, _)| *status)));
        result.map(|(_, response)| response)
    }

    /// Sends the request until an attempt succeeds or the retry policy stops. Returns the HTTP status and the response
    /// of the last attempt.
    async fn attempts<T>(
        mut self,
        observer: &mut CallObserver<'_>,
        read: impl Fn(&Opened) -> Result<T, Error>,
    ) -> Result<(u16, Response<T>), Error> {
        let deadline = observer.deadline;
        let mut last: Option<Error> = None;
        loop {
            let began = self.shared.clock.now();
            let permit = match self.shared.permit(deadline).await {
                Ok(permit) => permit,
                // No time is left. Return the previous attempt's error, which is more specific than the timeout.
                Err(late) => return Err(last.unwrap_or_else(|| self.with_context(late, observer))),
            };
            observer.attempt += 1;
            let result = self.attempt(observer, &read).await;
            drop(permit);
            let error = match result {
                Ok((status, data, opened)) => {
                    observer.attempted(Ok(status), self.since(began));
                    return Ok((status, Response::new(data, opened, self.request_id)));
                }
                Err(error) => self.with_context(error, observer),
            };
            observer.attempted(Err(&error), self.since(began));
            let decision = self.shared.retry.decide(&FailedAttempt {
                operation: if self.options.idempotent { OperationKind::Query } else { self.target.kind },
                error: error.kind(),
                outcome: error.outcome(),
                connect: error.connect_failure(),
                status: error.http_status(),
                retry_after: error.retry_after(),
                attempt: observer.attempt,
                elapsed: self.shared.elapsed(deadline),
                deadline: deadline.limit,
                random: self.shared.random(),
            });
            let Decision::Wait(wait) = decision else { return Err(error) };
            tracing::debug!(attempt = observer.attempt, kind = ?error.kind(), ?wait, "retrying");
            observer.again(error.outcome());
            self.shared.clock.sleep(wait).await;
            if error.outcome() == Outcome::Unknown {
                self.seal_again(observer)?;
            }
            last = Some(error);
        }
    }

    fn since(&self, began: Duration) -> Duration {
        self.shared.clock.now().saturating_sub(began)
    }

    /// Adds the operation, the `requestId` and the number of attempts to an error.
    fn with_context(&self, error: Error, observer: &CallObserver<'_>) -> Error {
        let error = error.during(self.target, &self.request_id).after(observer.attempt);
        // This attempt may have been rejected, but an earlier attempt may have been executed, so the outcome is
        // unknown.
        if observer.doubtful { error.with_outcome(Outcome::Unknown) } else { error }
    }

    /// Seals a query with a new `requestId` if the previous attempt may have arrived, because each `requestId` is
    /// accepted only once. A mutation keeps its `requestId` and its document.
    fn seal_again(&mut self, observer: &mut CallObserver<'_>) -> Result<(), Error> {
        let (Some(payload), None) = (&self.payload, &self.options.request_id) else { return Ok(()) };
        self.request_id = new_request_id()?;
        self.document = self.shared.sealer(self.target, &self.options.extra).document(&self.request_id, payload)?;
        observer.request_id.clone_from(&self.request_id);
        Ok(())
    }

    /// Makes one attempt. Returns the HTTP status, the data and the opened response.
    async fn attempt<T>(
        &self,
        observer: &CallObserver<'_>,
        read: &impl Fn(&Opened) -> Result<T, Error>,
    ) -> Result<(u16, T, Opened), Error> {
        let raw = self.exchange(observer).await?;
        let opened = response::open(&self.shared.keyring, &raw, self.shared.max_response_bytes, &self.subject);
        let opened = opened.and_then(|opened| match observer.handover.withdraw() {
            false => Ok(opened),
            // A server that has not read the whole request cannot have executed it, so the response belongs to another
            // request.
            true => Err(Error::new(ErrorKind::Mismatch)
                .caused_by("the response arrived before the request was sent")
                .with_response(raw.status(), None, raw.body())
                .with_opened(opened)),
        });
        let opened = opened.map_err(|error| {
            // A rejection can arrive before the request was fully sent. It is reported, but its connection is not used
            // again.
            let early = observer.handover.withdraw();
            // Later responses on this connection may also belong to earlier requests.
            if early || error.is_of_another_request() {
                self.shared.transport.discard_connections();
            }
            settled(error, &observer.handover)
        })?;
        match read(&opened) {
            Ok(data) => Ok((raw.status(), data, opened)),
            Err(error) => Err(error.with_response(raw.status(), None, raw.body()).with_opened(opened)),
        }
    }

    /// Sends the document once, within the limits, and returns the unverified response.
    pub(crate) async fn once(self, deadline: Deadline) -> Result<RawResponse, Error> {
        let mut observer = CallObserver::new(self.shared, self.target, &self.request_id, deadline, self.doubtful);
        let traced = observer.traced();
        let result = match self.shared.permit(deadline).instrument(traced.clone()).await {
            Ok(_permit) => {
                observer.attempt = 1;
                self.exchange(&observer).instrument(traced).await
            }
            Err(late) => Err(late),
        };
        let result = result.map_err(|error| self.with_context(error, &observer));
        observer.finish(result.as_ref().map(RawResponse::status));
        result
    }

    async fn exchange(&self, observer: &CallObserver<'_>) -> Result<RawResponse, Error> {
        let (attempt, deadline) = (self.shared.attempt_timeout, TimeLimit::Deadline(observer.deadline.limit));
        let late = || Error::late(deadline).with_outcome(Outcome::NotSent);
        let left = self.shared.left(observer.deadline).ok_or_else(late)?;
        let (limit, ends) = if attempt <= left { (attempt, TimeLimit::Attempt(attempt)) } else { (left, deadline) };
        let exchange = self.shared.transport.exchange(self.http_request(&observer.handover));
        let response = match self.shared.within(limit, exchange).await {
            Some(response) => response.map_err(Error::transport),
            None => Err(Error::late(ends)),
        };
        response.map_err(|error| settled(error, &observer.handover))
    }

    fn http_request(&self, handover: &Handover) -> HttpRequest {
        let mut headers = HeaderMap::with_capacity(4);
        headers.insert(header::CONTENT_TYPE, HeaderValue::from_static("application/json; charset=UTF-8"));
        headers.insert(header::ACCEPT, HeaderValue::from_static("application/json"));
        headers.insert(header::USER_AGENT, self.shared.user_agent.clone());
        if let Some(parent) = &self.options.trace_parent {
            headers.insert("traceparent", parent.clone());
        }
        let body = OutgoingBody::watched(self.document.clone(), handover.clone(), self.options.progress.clone());
        let mut request = HttpRequest::new(self.shared.url(self.target), headers, body, self.shared.max_response_bytes);
        request.fresh_connection = self.options.fresh_connection;
        request
    }
}

/// Sets the outcome of a failed attempt.
///
/// If the last piece of the request was not handed to the connection, the request is permanently withdrawn. A server
/// that never receives the whole document cannot execute it. If the last piece was handed over, the request may be
/// executed even if the connection failed. A signed rejection is still reported as a rejection, but the rest of its
/// request is withdrawn too.
fn settled(error: Error, handover: &Handover) -> Error {
    let withdrawn = handover.withdraw();
    match error.outcome() {
        Outcome::Rejected => error,
        _ if withdrawn => error.with_outcome(Outcome::NotSent),
        _ => error.with_outcome(Outcome::Unknown),
    }
}
