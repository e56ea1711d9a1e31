//! The execution of one call: its attempts and the waits between them, under one deadline.

use std::time::Duration;

use bytes::Bytes;
use http::{HeaderMap, HeaderValue, header};
use paytend_crypto::Opened;
use paytend_model::OperationKind;
use tracing::Instrument as _;

use crate::answer::{self, Answer, RawAnswer};
use crate::engine::{Core, Options, Span};
use crate::error::{Error, ErrorKind, Outcome};
use crate::guard::Guard;
use crate::prepared::new_request_id;
use crate::retry::{Decision, Situation};
use crate::subject::Subject;
use crate::target::Target;
use crate::time_limit::TimeLimit;
use crate::transport::{Handover, HttpRequest, OutgoingBody};

/// A document to send, with the data that is needed to send it or to seal it again.
pub(crate) struct Job<'j> {
    pub(crate) core: &'j Core,
    pub(crate) target: &'j Target,
    pub(crate) options: &'j Options,
    pub(crate) request_id: String,
    pub(crate) document: Bytes,
    /// The payload, if the request may be sealed again.
    pub(crate) payload: Option<String>,
    /// The identifiers that the response must match.
    pub(crate) subject: Subject,
    /// Whether an earlier call of the same request may have been carried out.
    pub(crate) doubtful: bool,
}

impl Job<'_> {
    /// Executes the call. `read` extracts the data from a successful response.
    pub(crate) async fn run<T>(
        self,
        span: Span,
        read: impl Fn(&Opened) -> Result<T, Error>,
    ) -> Result<Answer<T>, Error> {
        let guard = Guard::new(self.core, self.target, &self.request_id, span, self.doubtful);
        let traced = guard.traced();
        self.attempts(guard, read).instrument(traced).await
    }

    async fn attempts<T>(
        mut self,
        mut guard: Guard<'_>,
        read: impl Fn(&Opened) -> Result<T, Error>,
    ) -> Result<Answer<T>, Error> {
        let span = guard.span;
        let mut last: Option<Error> = None;
        loop {
            let began = self.core.clock.now();
            let turn = match self.core.turn(span).await {
                Ok(turn) => turn,
                // Out of time: the previous attempt's error is more specific.
                Err(late) => {
                    let error = last.unwrap_or_else(|| self.named(late, &guard));
                    guard.finish(Err(&error));
                    return Err(error);
                }
            };
            guard.attempt += 1;
            let result = self.attempt(&guard, &read).await;
            drop(turn);
            let error = match result {
                Ok((status, data, opened)) => {
                    guard.attempted(Ok(status), self.since(began));
                    guard.finish(Ok(status));
                    return Ok(Answer::new(data, opened, self.request_id));
                }
                Err(error) => self.named(error, &guard),
            };
            guard.attempted(Err(&error), self.since(began));
            let decision = self.core.retry.decide(&Situation {
                operation: if self.options.idempotent { OperationKind::Query } else { self.target.kind },
                error: error.kind(),
                outcome: error.outcome(),
                connect: error.connect_failure(),
                status: error.http_status(),
                retry_after: error.retry_after(),
                attempt: guard.attempt,
                elapsed: self.core.elapsed(span),
                deadline: span.deadline,
                random: self.core.random(),
            });
            let Decision::Wait(wait) = decision else {
                guard.finish(Err(&error));
                return Err(error);
            };
            tracing::debug!(attempt = guard.attempt, kind = ?error.kind(), ?wait, "retrying");
            guard.again(error.outcome());
            self.core.clock.sleep(wait).await;
            if error.outcome() == Outcome::Unknown
                && let Err(error) = self.seal_again(&mut guard)
            {
                guard.finish(Err(&error));
                return Err(error);
            }
            last = Some(error);
        }
    }

    fn since(&self, began: Duration) -> Duration {
        self.core.clock.now().saturating_sub(began)
    }

    /// Adds the operation, the `requestId` and the number of attempts to an error.
    fn named(&self, error: Error, guard: &Guard<'_>) -> Error {
        let error = error.during(self.target, &self.request_id).after(guard.attempt);
        // The rejection of a later request does not apply to an earlier one, whose outcome remains unknown.
        if guard.doubtful { error.with_outcome(Outcome::Unknown) } else { error }
    }

    /// Seals a query with a new `requestId` if the previous attempt may have arrived, because each `requestId` is
    /// accepted only once. A mutation keeps its `requestId` and its document.
    fn seal_again(&mut self, guard: &mut Guard<'_>) -> Result<(), Error> {
        let (Some(payload), None) = (&self.payload, &self.options.request_id) else { return Ok(()) };
        self.request_id = new_request_id()?;
        self.document = self.core.sealer(self.target, &self.options.extra).document(&self.request_id, payload)?;
        guard.request_id.clone_from(&self.request_id);
        Ok(())
    }

    /// Makes one attempt. Returns the HTTP status, the data and the opened response.
    async fn attempt<T>(
        &self,
        guard: &Guard<'_>,
        read: &impl Fn(&Opened) -> Result<T, Error>,
    ) -> Result<(u16, T, Opened), Error> {
        let raw = self.exchange(guard).await?;
        let opened = answer::open(&self.core.keyring, &raw, self.core.max_response_bytes, &self.subject);
        let opened = opened.and_then(|opened| match guard.handover.withdraw() {
            false => Ok(opened),
            // A server that has not read the whole request cannot have executed it: the response belongs to another
            // request.
            true => Err(Error::new(ErrorKind::Mismatch)
                .caused_by("the response arrived before the request was sent")
                .answered(raw.status(), None, raw.body())
                .with_opened(opened)),
        });
        let opened = opened.map_err(|error| {
            // A rejection that arrives before the request is complete is reported, but its connection is not used
            // again.
            let early = guard.handover.withdraw();
            // Further responses on this connection may be shifted as well.
            if early || error.is_of_another_request() {
                self.core.transport.discard_connections();
            }
            settled(error, &guard.handover)
        })?;
        match read(&opened) {
            Ok(data) => Ok((raw.status(), data, opened)),
            Err(error) => Err(error.answered(raw.status(), None, raw.body()).with_opened(opened)),
        }
    }

    /// Sends the document once, under the limits, and returns the unverified response.
    pub(crate) async fn once(self, span: Span) -> Result<RawAnswer, Error> {
        let mut guard = Guard::new(self.core, self.target, &self.request_id, span, self.doubtful);
        let traced = guard.traced();
        let result = match self.core.turn(span).instrument(traced.clone()).await {
            Ok(_turn) => {
                guard.attempt = 1;
                self.exchange(&guard).instrument(traced).await
            }
            Err(late) => Err(late),
        };
        let result = result.map_err(|error| self.named(error, &guard));
        guard.finish(result.as_ref().map(RawAnswer::status));
        result
    }

    async fn exchange(&self, guard: &Guard<'_>) -> Result<RawAnswer, Error> {
        let (attempt, deadline) = (self.core.attempt_timeout, TimeLimit::Deadline(guard.span.deadline));
        let late = || Error::late(deadline).with_outcome(Outcome::NotSent);
        let left = self.core.left(guard.span).ok_or_else(late)?;
        let (limit, ends) = if attempt <= left { (attempt, TimeLimit::Attempt(attempt)) } else { (left, deadline) };
        let exchange = self.core.transport.exchange(self.http_request(&guard.handover));
        let answer = match self.core.within(limit, exchange).await {
            Some(answer) => answer.map_err(Error::transport),
            None => Err(Error::late(ends)),
        };
        answer.map_err(|error| settled(error, &guard.handover))
    }

    fn http_request(&self, handover: &Handover) -> HttpRequest {
        let mut headers = HeaderMap::with_capacity(4);
        headers.insert(header::CONTENT_TYPE, HeaderValue::from_static("application/json; charset=UTF-8"));
        headers.insert(header::ACCEPT, HeaderValue::from_static("application/json"));
        headers.insert(header::USER_AGENT, self.core.user_agent.clone());
        if let Some(parent) = &self.options.trace_parent {
            headers.insert("traceparent", parent.clone());
        }
        let body = OutgoingBody::watched(self.document.clone(), handover.clone(), self.options.progress.clone());
        let mut request = HttpRequest::new(self.core.url(self.target), headers, body, self.core.max_response_bytes);
        request.fresh_connection = self.options.fresh_connection;
        request
    }
}

/// Sets the outcome of a failed attempt.
///
/// If the last piece of the request was not handed over, the request is withdrawn for good: a server that never
/// receives the whole document cannot execute it. If the last piece was handed over, the request may be executed even
/// if the connection failed. A signed rejection remains a rejection, but the rest of its request is withdrawn too.
fn settled(error: Error, handover: &Handover) -> Error {
    let withdrawn = handover.withdraw();
    match error.outcome() {
        Outcome::Rejected => error,
        _ if withdrawn => error.with_outcome(Outcome::NotSent),
        _ => error.with_outcome(Outcome::Unknown),
    }
}
