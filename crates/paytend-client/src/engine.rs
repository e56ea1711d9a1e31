//! One call from beginning to end: attempts, waits, limits, one deadline over all of it, and what is told on the way.

use std::fmt;
use std::future::Future;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use futures_util::future::{Either, select};
use http::{HeaderMap, HeaderValue, header};
use paytend_crypto::{Keyring, Opened, RandomSource};
use paytend_model::OperationKind;
use tracing::Instrument as _;

use crate::answer::{self, RawAnswer};
use crate::clock::Clock;
use crate::error::{Error, ErrorKind, Outcome};
use crate::events::{Event, Events, Phase};
use crate::limits::Limits;
use crate::prepared::{Sealer, new_request_id};
use crate::resolution::Resolution;
use crate::retry::{Decision, RetryPolicy, Situation};
use crate::target::Target;
use crate::transport::{HttpRequest, OutgoingBody, Progress, Sent, Transport};

/// What the clones of a client share.
#[derive(Clone)]
pub(crate) struct Core {
    pub(crate) base_url: String,
    pub(crate) partner_id: String,
    pub(crate) keyring: Keyring,
    pub(crate) paths: Arc<std::collections::HashMap<String, String>>,
    pub(crate) user_agent: HeaderValue,
    pub(crate) max_response_bytes: usize,
    pub(crate) attempt_timeout: Duration,
    pub(crate) deadline: Duration,
    pub(crate) retry: RetryPolicy,
    pub(crate) resolution: Resolution,
    pub(crate) limits: Arc<Limits>,
    pub(crate) transport: Arc<dyn Transport>,
    pub(crate) clock: Arc<dyn Clock>,
    pub(crate) random: Arc<dyn RandomSource>,
    pub(crate) events: Option<Arc<dyn Events>>,
}

impl fmt::Debug for Core {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Core")
            .field("partner_id", &self.partner_id)
            .field("keyring", &self.keyring)
            .finish_non_exhaustive()
    }
}

/// What a caller asks of one call beyond the client's configuration.
#[derive(Clone, Default)]
pub(crate) struct Options {
    pub(crate) request_id: Option<String>,
    pub(crate) deadline: Option<Duration>,
    pub(crate) idempotent: bool,
    pub(crate) extra: Vec<(String, String)>,
    pub(crate) trace_parent: Option<HeaderValue>,
    pub(crate) progress: Option<Progress>,
}

impl fmt::Debug for Options {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Options").field("request_id", &self.request_id).finish_non_exhaustive()
    }
}

/// A document to send, and how to seal another one of the same content.
pub(crate) struct Job<'j> {
    pub(crate) core: &'j Core,
    pub(crate) target: &'j Target,
    pub(crate) options: &'j Options,
    pub(crate) request_id: String,
    pub(crate) document: Bytes,
    /// The payload, of what may be sealed again.
    pub(crate) payload: Option<String>,
}

/// An authentic success, with what tells of it.
#[derive(Debug)]
pub(crate) struct Success {
    pub(crate) opened: Opened,
    pub(crate) request_id: String,
    pub(crate) attempts: u32,
}

/// When a call began, and when it must end. Shared by all that a caller takes for one call.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Span {
    pub(crate) start: Duration,
    pub(crate) deadline: Duration,
}

impl Core {
    pub(crate) fn span(&self, options: &Options) -> Span {
        Span { start: self.clock.now(), deadline: options.deadline.unwrap_or(self.deadline) }
    }

    pub(crate) fn elapsed(&self, span: Span) -> Duration {
        self.clock.now().saturating_sub(span.start)
    }

    pub(crate) fn random(&self) -> u64 {
        let mut bytes = [0; 8];
        // Without randomness the wait is zero, and the call goes on.
        let _ = self.random.fill(&mut bytes);
        u64::from_le_bytes(bytes)
    }

    /// Waits for something, but not beyond a time.
    async fn within<T>(&self, limit: Duration, what: impl Future<Output = T>) -> Option<T> {
        match select(std::pin::pin!(what), self.clock.sleep(limit)).await {
            Either::Left((value, _)) => Some(value),
            Either::Right(_) => None,
        }
    }

    pub(crate) fn sealer<'s>(&'s self, target: &Target, extra: &'s [(String, String)]) -> Sealer<'s> {
        Sealer { keyring: &self.keyring, partner_id: &self.partner_id, rule: target.payload, extra }
    }

    fn url(&self, target: &Target) -> String {
        let path = self.paths.get(target.path.as_ref()).map_or(target.path.as_ref(), String::as_str);
        format!("{}{path}", self.base_url)
    }
}

impl Job<'_> {
    /// Carries it out.
    pub(crate) async fn run(self, span: Span) -> Result<Success, Error> {
        let traced = tracing::info_span!(
            "paytend",
            operation = self.target.name.as_ref(),
            request_id = self.request_id.as_str(),
            attempts = tracing::field::Empty,
            http_status = tracing::field::Empty,
            outcome = tracing::field::Empty,
            latency_ms = tracing::field::Empty,
        );
        self.attempts(span).instrument(traced).await
    }

    async fn attempts(mut self, span: Span) -> Result<Success, Error> {
        let mut guard = Guard::new(self.core, self.target, self.request_id.clone(), span);
        loop {
            guard.attempt += 1;
            let began = self.core.clock.now();
            let mut result = self.attempt(&mut guard, span).await;
            if let Err(error) = result {
                let mut error = error.during(self.target, &self.request_id).after(guard.attempt);
                // A refusal of the second is no word on the first.
                if guard.doubtful {
                    error = error.with_outcome(Outcome::Unknown);
                }
                result = Err(error);
            }
            guard.tell(Phase::Attempt, result.as_ref().err(), self.core.clock.now().saturating_sub(began));
            let error = match result {
                Ok(opened) => {
                    guard.finish(None);
                    return Ok(Success { opened, request_id: self.request_id, attempts: guard.attempt });
                }
                Err(error) => error,
            };
            let decision = self.core.retry.decide(&Situation {
                operation: if self.options.idempotent { OperationKind::Query } else { self.target.kind },
                error: error.kind(),
                outcome: error.outcome(),
                status: error.http_status(),
                retry_after: error.retry_after(),
                attempt: guard.attempt,
                elapsed: self.core.elapsed(span),
                deadline: span.deadline,
                random: self.core.random(),
            });
            let Decision::Wait(wait) = (if guard.over { Decision::Stop } else { decision }) else {
                guard.finish(Some(&error));
                return Err(error);
            };
            tracing::debug!(attempt = guard.attempt, kind = ?error.kind(), ?wait, "trying again");
            guard.doubtful |= error.outcome() == Outcome::Unknown && self.target.kind == OperationKind::Mutation;
            guard.sent = Sent::default();
            self.core.clock.sleep(wait).await;
            if error.outcome() == Outcome::Unknown
                && let Err(error) = self.seal_again(&mut guard)
            {
                guard.finish(Some(&error));
                return Err(error);
            }
        }
    }

    /// A query that may have arrived is sent as another request, for a `requestId` counts once. A mutation never is.
    fn seal_again(&mut self, guard: &mut Guard<'_>) -> Result<(), Error> {
        let (Some(payload), None) = (&self.payload, &self.options.request_id) else { return Ok(()) };
        self.request_id = new_request_id()?;
        self.document = self.core.sealer(self.target, &self.options.extra).document(&self.request_id, payload)?;
        guard.request_id.clone_from(&self.request_id);
        Ok(())
    }

    /// One attempt, in its turn.
    async fn attempt(&self, guard: &mut Guard<'_>, span: Span) -> Result<Opened, Error> {
        let over = &mut guard.over;
        let mut late = || {
            *over = true;
            Error::new(ErrorKind::Timeout).with_outcome(Outcome::NotSent)
        };
        let left = |core: &Core| span.deadline.checked_sub(core.elapsed(span)).filter(|left| !left.is_zero());
        if let Some(rate) = &self.core.limits.rate {
            let wait = rate.take(self.core.clock.now());
            if wait >= left(self.core).ok_or_else(&mut late)? {
                return Err(late().caused_by("the rate limit leaves no time for it"));
            }
            if !wait.is_zero() {
                self.core.clock.sleep(wait).await;
            }
        }
        let _turn = match &self.core.limits.at_once {
            None => None,
            Some(turns) => {
                let left = left(self.core).ok_or_else(&mut late)?;
                let waited = self.core.within(left, turns.acquire()).await;
                Some(waited.ok_or_else(|| late().caused_by("other calls took all the time"))?)
            }
        };
        let limit = self.core.attempt_timeout.min(left(self.core).ok_or_else(&mut late)?);
        let sent = guard.sent.clone();
        let raw = self.exchange(&sent, limit).await;
        let opened = raw.and_then(|raw| answer::open(&self.core.keyring, &raw, self.core.max_response_bytes));
        opened.map_err(|error| doubt_no_more(error, &sent))
    }

    /// Sends the document once, in one attempt's time.
    pub(crate) async fn once(&self) -> Result<RawAnswer, Error> {
        let sent = Sent::default();
        self.exchange(&sent, self.core.attempt_timeout).await.map_err(|error| doubt_no_more(error, &sent))
    }

    async fn exchange(&self, sent: &Sent, limit: Duration) -> Result<RawAnswer, Error> {
        match self.core.within(limit, self.core.transport.exchange(self.http_request(sent))).await {
            Some(answer) => answer.map_err(Error::transport),
            None => Err(Error::new(ErrorKind::Timeout)),
        }
    }

    fn http_request(&self, sent: &Sent) -> HttpRequest {
        let mut headers = HeaderMap::with_capacity(4);
        headers.insert(header::CONTENT_TYPE, HeaderValue::from_static("application/json; charset=UTF-8"));
        headers.insert(header::ACCEPT, HeaderValue::from_static("application/json"));
        headers.insert(header::USER_AGENT, self.core.user_agent.clone());
        if let Some(parent) = &self.options.trace_parent {
            headers.insert("traceparent", parent.clone());
        }
        HttpRequest {
            url: self.core.url(self.target),
            headers,
            body: OutgoingBody::new(self.document.clone(), sent.clone(), self.options.progress.clone()),
            max_response_bytes: self.core.max_response_bytes,
        }
    }
}

/// Whoever has not the whole document cannot have carried it out.
fn doubt_no_more(error: Error, sent: &Sent) -> Error {
    match error.outcome() {
        Outcome::Unknown if !sent.all() => error.with_outcome(Outcome::NotSent),
        _ => error,
    }
}

/// Tells what happens, also when the call is dropped in the middle.
struct Guard<'g> {
    core: &'g Core,
    target: &'g Target,
    request_id: String,
    span: Span,
    attempt: u32,
    sent: Sent,
    /// An earlier attempt may have been carried out.
    doubtful: bool,
    finished: bool,
    /// There is no time for another attempt.
    over: bool,
}

impl<'g> Guard<'g> {
    fn new(core: &'g Core, target: &'g Target, request_id: String, span: Span) -> Self {
        Self {
            core,
            target,
            request_id,
            span,
            attempt: 0,
            sent: Sent::default(),
            doubtful: false,
            finished: false,
            over: false,
        }
    }

    fn tell(&self, phase: Phase, error: Option<&Error>, latency: Duration) {
        let Some(events) = &self.core.events else { return };
        events.on(&Event {
            phase,
            operation: self.target.name.to_string(),
            request_id: self.request_id.clone(),
            attempt: self.attempt,
            status: error.and_then(Error::http_status),
            error: error.map(Error::kind),
            outcome: match (phase, error) {
                (Phase::Dropped, _) if self.doubtful || self.sent.all() => Some(Outcome::Unknown),
                (Phase::Dropped, _) => Some(Outcome::NotSent),
                (_, error) => error.map(Error::outcome),
            },
            latency,
        });
    }

    fn finish(&mut self, error: Option<&Error>) {
        self.finished = true;
        let latency = self.core.elapsed(self.span);
        let span = tracing::Span::current();
        span.record("attempts", self.attempt);
        span.record("latency_ms", u64::try_from(latency.as_millis()).unwrap_or(u64::MAX));
        if let Some(error) = error {
            span.record("outcome", tracing::field::debug(error.outcome()));
            error.http_status().inspect(|status| {
                span.record("http_status", *status);
            });
            tracing::debug!(kind = ?error.kind(), outcome = ?error.outcome(), "failed");
        } else {
            tracing::debug!("succeeded");
        }
        self.tell(Phase::Finished, error, latency);
    }
}

impl Drop for Guard<'_> {
    fn drop(&mut self) {
        if !self.finished {
            self.tell(Phase::Dropped, None, self.core.elapsed(self.span));
        }
    }
}
