//! Reports call events, including the events for calls that are dropped before they end.

use std::time::Duration;

use paytend_crypto::RequestId;
use paytend_model::OperationKind;

use crate::call::events::{Event, Phase};
use crate::call::shared::{Deadline, Shared};
use crate::call_target::CallTarget;
use crate::error::Error;
use crate::error::kind::Outcome;
use crate::transport::handover::Handover;

/// A call in progress. If it is dropped before it is finished, it reports a [`Phase::Dropped`] event.
pub(crate) struct CallObserver<'g> {
    shared: &'g Shared,
    target: &'g CallTarget,
    pub(crate) deadline: Deadline,
    pub(crate) request_id: RequestId,
    /// The number of attempts so far.
    pub(crate) attempt: u32,
    /// Whether this attempt's document was handed to the connection or withdrawn.
    pub(crate) handover: Handover,
    /// Whether the same request may have been carried out in an earlier attempt or call.
    pub(crate) doubtful: bool,
    /// Whether an earlier attempt's document was handed to the connection.
    sent_before: bool,
    finished: bool,
    traced: tracing::Span,
}

impl<'g> CallObserver<'g> {
    pub(crate) fn new(
        shared: &'g Shared,
        target: &'g CallTarget,
        request_id: &RequestId,
        deadline: Deadline,
        doubtful: bool,
    ) -> Self {
        let traced = tracing::info_span!(
            "paytend",
            operation = target.name.as_ref(),
            request_id = request_id.as_str(),
            attempts = tracing::field::Empty,
            http_status = tracing::field::Empty,
            outcome = tracing::field::Empty,
            latency_ms = tracing::field::Empty,
        );
        Self {
            shared,
            target,
            deadline,
            request_id: request_id.clone(),
            attempt: 0,
            handover: Handover::default(),
            doubtful,
            sent_before: false,
            finished: false,
            traced,
        }
    }

    /// Returns the tracing span of the call.
    pub(crate) fn traced(&self) -> tracing::Span {
        self.traced.clone()
    }

    /// Reports the end of an attempt.
    pub(crate) fn attempted(&self, result: Result<u16, &Error>, latency: Duration) {
        tracing::debug!(
            parent: &self.traced,
            request_id = self.request_id.as_str(),
            attempt = self.attempt,
            http_status = result.map_or_else(Error::http_status, Some),
            kind = result.err().map(|error| tracing::field::debug(error.kind())),
            "attempt finished"
        );
        self.report(Phase::Attempt, result, latency);
    }

    /// Records the failed attempt's outcome, and prepares for the next attempt.
    pub(crate) fn again(&mut self, outcome: Outcome) {
        self.doubtful |= outcome == Outcome::Unknown && self.target.kind == OperationKind::Mutation;
        self.sent_before |= !self.handover.withdraw();
        self.handover = Handover::default();
    }

    /// Reports the end of the call.
    pub(crate) fn finish(&mut self, result: Result<u16, &Error>) {
        self.finished = true;
        let latency = self.shared.elapsed(self.deadline);
        self.record(latency, result.map_or_else(Error::http_status, Some), result.err().map(Error::outcome));
        match result {
            Ok(_) => tracing::debug!(parent: &self.traced, "call succeeded"),
            Err(error) => {
                tracing::debug!(parent: &self.traced, kind = ?error.kind(), outcome = ?error.outcome(), "call failed");
            }
        }
        self.report(Phase::Finished, result, latency);
    }

    fn record(&self, latency: Duration, status: Option<u16>, outcome: Option<Outcome>) {
        self.traced.record("attempts", self.attempt);
        self.traced.record("latency_ms", u64::try_from(latency.as_millis()).unwrap_or(u64::MAX));
        if let Some(status) = status {
            self.traced.record("http_status", status);
        }
        if let Some(outcome) = outcome {
            self.traced.record("outcome", tracing::field::debug(outcome));
        }
    }

    fn report(&self, phase: Phase, result: Result<u16, &Error>, latency: Duration) {
        let (status, error, outcome) = match result {
            Ok(status) => (Some(status), None, None),
            Err(error) => (error.http_status(), Some(error.kind()), Some(error.outcome())),
        };
        self.event(Event { phase, status, error, outcome, ..self.blank(latency) });
    }

    fn blank(&self, latency: Duration) -> Event {
        Event {
            phase: Phase::Dropped,
            operation: self.target.name.to_string(),
            request_id: self.request_id.clone(),
            attempt: self.attempt,
            status: None,
            error: None,
            outcome: None,
            latency,
        }
    }

    fn event(&self, event: Event) {
        if let Some(events) = &self.shared.events {
            events.on_event(&event);
        }
    }
}

impl Drop for CallObserver<'_> {
    fn drop(&mut self) {
        // If the event hook has panicked, do not call it again, because a second panic would abort the process.
        if self.finished || std::thread::panicking() {
            return;
        }
        // Withdraw the body before the event is reported, so that a connection that still holds the body cannot
        // complete the request.
        let withdrawn = self.handover.withdraw();
        let not_sent = withdrawn && !self.doubtful && !self.sent_before;
        let outcome = if not_sent { Outcome::NotSent } else { Outcome::Unknown };
        let latency = self.shared.elapsed(self.deadline);
        self.record(latency, None, Some(outcome));
        tracing::debug!(parent: &self.traced, ?outcome, "call dropped");
        self.event(Event { outcome: Some(outcome), ..self.blank(latency) });
    }
}
