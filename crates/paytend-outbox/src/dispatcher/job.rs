//! One attempt to process a claimed order. It makes at most one send or query, and then runs the handler if the outcome
//! is known.

use std::marker::PhantomData;
use std::sync::{Arc, PoisonError};
use std::time::{Duration, SystemTime};

use futures_util::future::BoxFuture;
use paytend_client::{Error, ErrorKind, History, NextStep, Outcome, PreparedRequest, SendResult};
use paytend_inbox::{Completion, HandlerError, StoreError, StoreErrorKind};
use paytend_model::Operation;
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;

use crate::dispatcher::builder::Shared;
use crate::dispatcher::confirmations::{Confirmations, Times};
use crate::dispatcher::ended::EndedOrder;
use crate::dispatcher::exchange::{Lookup, data_text};
use crate::error::BeginSendError;
use crate::obstacle;
use crate::progress::CONTRADICTION;
use crate::record::{ClaimedOrder, OrderRelease, REQUEST, RESULT, open};
use crate::store::OutboxStore;
use crate::stored_result::StoredResult;
use crate::terms::State;
use crate::upload::{FileProblem, StoredUpload};

/// The delay before an order is claimed again if its operation is paused.
const PAUSED: Duration = Duration::from_secs(5);
/// The delay before an order is claimed again if its payload key is missing.
const KEY_MISSING: Duration = Duration::from_secs(60);

/// The result of an attempt, as reported in metrics.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Attempt {
    Done,
    NotSent,
    Unknown,
    Stuck,
    Unhandled,
    GivenBack,
    LeaseLost,
    /// The store failed. The order is claimed again when its lease has expired, unless it was completed.
    StoreFailed,
}

impl Attempt {
    pub(super) fn as_str(self) -> &'static str {
        match self {
            Self::Done => "done",
            Self::NotSent => "not_sent",
            Self::Unknown => "unknown",
            Self::Stuck => "stuck",
            Self::Unhandled => "unhandled",
            Self::GivenBack => "given_back",
            Self::LeaseLost => "lease_lost",
            Self::StoreFailed => "store_failed",
        }
    }
}

/// A claimed order and the state of its attempt.
pub(super) struct Job<'j, S: OutboxStore> {
    pub(super) shared: &'j Shared<S>,
    pub(super) claimed: &'j ClaimedOrder,
    /// The time just before the claim. The lease begins later, so it is valid at least until this time plus its length.
    pub(super) began: Instant,
    /// The time of the dispatcher's first claim since the last error of the store, by the store's clock.
    pub(super) since: SystemTime,
    /// A token that is cancelled when the dispatcher's stop deadline has passed.
    pub(super) stop: &'j CancellationToken,
}

/// Processes the orders of one operation.
pub(super) trait Process<S: OutboxStore>: Send + Sync + 'static {
    fn process<'j>(&'j self, job: Job<'j, S>) -> BoxFuture<'j, Attempt>;
}

pub(super) type Handled<E> = Result<Completion<E>, HandlerError>;
type Handler<S, O, L> = Box<
    dyn Fn(EndedOrder<O, <L as Lookup<O>>::Found>) -> BoxFuture<'static, Handled<<S as OutboxStore>::Effect>>
        + Send
        + Sync,
>;

pub(super) struct Runner<S: OutboxStore, O: Operation, L: Lookup<O>> {
    pub(super) handler: Handler<S, O, L>,
    marker: PhantomData<fn() -> (O, L)>,
}

impl<S: OutboxStore, O: Operation, L: Lookup<O>> Runner<S, O, L> {
    pub(super) fn new<F, T>(handler: F) -> Self
    where
        F: Fn(EndedOrder<O, L::Found>) -> T + Send + Sync + 'static,
        T: Future<Output = Handled<S::Effect>> + Send + 'static,
    {
        Self { handler: Box::new(move |ended| Box::pin(handler(ended))), marker: PhantomData }
    }
}

impl<S: OutboxStore, O: Operation, L: Lookup<O>> Process<S> for Runner<S, O, L> {
    fn process<'j>(&'j self, job: Job<'j, S>) -> BoxFuture<'j, Attempt> {
        Box::pin(async move { self.attempt(&job).await })
    }
}

impl<S: OutboxStore, O: Operation, L: Lookup<O>> Runner<S, O, L> {
    async fn attempt(&self, job: &Job<'_, S>) -> Attempt {
        let progress = &job.claimed.progress;
        if let Some(key) = job.missing_key() {
            let cause = obstacle::missing_key(key, progress.cause.as_deref());
            tracing::error!(id = job.claimed.lease.id.get(), %cause, "an order waits");
            return job.give_back(KEY_MISSING, Some(cause)).await;
        }
        let crashed = progress.tries > job.shared.settings.retry.tries();
        let (prepared, upload) = match job.prepared::<O>() {
            Ok(prepared) => prepared,
            Err(error) if error.kind() == StoreErrorKind::Unavailable => return job.failed_store(&error),
            Err(error) => return job.give_up(error.to_string()).await,
        };
        if crashed {
            // The earlier attempts reported no result, so the process probably ended during each of them.
            return job
                .give_up("no attempt ended normally: processing this order may have crashed the process".into())
                .await;
        }
        // If the outcome became known during the attempt in which the operator decided, the state is final but not
        // `Decided`. The stored outcome is then used instead of the decision.
        match progress.decision {
            Some(decision) if progress.state == State::Decided || !progress.state.is_final() => {
                return self.handle_decision(job, &prepared, decision).await;
            }
            _ if !progress.state.is_final() => {}
            _ => {
                return match job.result() {
                    Ok(stored) => self.handle(job, &prepared, stored).await,
                    Err(error) => job.give_up(error.to_string()).await,
                };
            }
        }
        if !L::HAS_QUERY && progress.is_notified && progress.history.sends > 0 {
            return self.handle(job, &prepared, StoredResult::Notified).await;
        }
        let mut history = progress.history;
        match Confirmations::of(&history, &job.times()) {
            Confirmations::Current => {}
            Confirmations::Waited if L::HAS_QUERY => return self.query(job, &prepared, history).await,
            Confirmations::Waited | Confirmations::Outdated => history.discard_confirmations(),
        }
        match Self::next_step(job, &history) {
            NextStep::Send | NextStep::Rejected if history.sends > 0 && progress.is_notified => {
                job.stuck(history, CONTRADICTION.to_owned()).await
            }
            NextStep::Send => match upload {
                None => self.send(job, &prepared, &prepared).await,
                Some(upload) => match upload.with_file(job.shared.outbox.client(), job.limit()).await {
                    Ok(sealed) => self.send(job, &sealed, &prepared).await,
                    Err(FileProblem::Temporary(cause)) => job.not_sent(progress.history, cause).await,
                    Err(FileProblem::Changed(cause)) => job.stuck(progress.history, cause).await,
                },
            },
            NextStep::Query => self.query(job, &prepared, history).await,
            NextStep::Rejected => {
                let stored = job.result().unwrap_or(StoredResult::Rejected { code: None, message: None });
                self.handle(job, &prepared, stored).await
            }
            NextStep::Unresolved => {
                let cause = progress
                    .cause
                    .clone()
                    .unwrap_or_else(|| "neither a response nor a query shows the outcome".to_owned());
                job.stuck(progress.history, cause).await
            }
        }
    }

    fn next_step(job: &Job<'_, S>, history: &History) -> NextStep {
        match (L::HAS_QUERY, history.sends) {
            (true, _) => job.shared.outbox.client().resolution().next_step(history),
            (false, 0) => NextStep::Send,
            // Without a query, the order is never sent a second time.
            (false, _) => NextStep::Unresolved,
        }
    }

    /// Sends a request. `handled` is the request that the handler receives. If the request has a file, it may be
    /// missing in `handled`.
    async fn send(&self, job: &Job<'_, S>, prepared: &PreparedRequest<O>, handled: &PreparedRequest<O>) -> Attempt {
        fail::fail_point!("outbox-before-begin-send");
        let mut history = match job.shared.outbox.store().begin_send(job.claimed.lease).await {
            Ok(history) => history,
            Err(BeginSendError::LeaseLost) => return job.lost(),
            Err(BeginSendError::Store(error)) => {
                // The store may have counted the send before it failed, but the request was not sent.
                let cause = format!("the store failed before the send: {error}");
                return job.not_sent(job.claimed.progress.history, cause).await;
            }
            // Sending was paused, or an operator has decided the outcome.
            Err(BeginSendError::Paused | BeginSendError::Illegal(_)) => {
                return job.give_back(PAUSED, None).await;
            }
        };
        fail::fail_point!("outbox-before-send");
        let sent = job.shared.outbox.client().send_prepared(prepared, job.limit()).await;
        fail::fail_point!("outbox-after-send");
        let error = match sent {
            Ok(response) => {
                let data = data_text(response.opened().payload_text());
                return self.handle(job, handled, StoredResult::Responded { data }).await;
            }
            Err(error) => error,
        };
        history.send_failed(&error);
        let cause = error.to_string();
        if error.outcome() == Outcome::NotSent {
            return job.not_sent(history, cause).await;
        }
        let rejected = rejection(&error);
        if rejected.is_some() {
            // The rejection may belong to another request, and later responses on its connection may then be wrong,
            // too. The connections are discarded now, because a different process may run the query that detects this.
            job.shared.outbox.client().discard_connections();
        }
        match (L::HAS_QUERY, rejected) {
            (false, Some(rejected)) if history.sends == 1 => self.handle(job, handled, rejected).await,
            (false, _) => job.stuck(history, cause).await,
            (true, rejected) => {
                let release = OrderRelease::Unknown { history, after: Duration::ZERO, cause: Some(cause) };
                job.release(release, rejected.as_ref(), Attempt::Unknown).await
            }
        }
    }

    async fn query(&self, job: &Job<'_, S>, prepared: &PreparedRequest<O>, mut history: History) -> Attempt {
        let client = job.shared.outbox.client();
        let found = L::find(client, prepared, job.limit()).await;
        fail::fail_point!("outbox-after-query");
        let (after, cause) = match found {
            Ok(Some(data)) => {
                if history.last_send == SendResult::Rejected {
                    // The rejection belongs to another request, so later responses on this connection may also
                    // belong to different requests.
                    client.discard_connections();
                }
                return self.handle(job, prepared, StoredResult::Found { data }).await;
            }
            Ok(None) => {
                client.resolution().confirm(&mut history, job.now());
                let waits = Self::next_step(job, &history) == NextStep::Query;
                let after = if waits { client.resolution().query_pause() } else { Duration::ZERO };
                (after, job.claimed.progress.cause.clone())
            }
            Err(error) => {
                history.query_failed();
                if history.failed_queries >= job.shared.settings.max_queries {
                    return job.stuck(history, error.to_string()).await;
                }
                let backoff = job.shared.settings.retry.delay(history.failed_queries, random());
                (backoff.max(client.resolution().query_pause()), Some(error.to_string()))
            }
        };
        job.release(OrderRelease::Unknown { history, after, cause }, None, Attempt::Unknown).await
    }
}

/// Returns the stored form of a signed rejection.
fn rejection(error: &Error) -> Option<StoredResult> {
    (error.kind() == ErrorKind::Rejected).then(|| StoredResult::Rejected {
        code: error.api_code().map(str::to_owned),
        message: error.api_message().map(str::to_owned),
    })
}

impl<S: OutboxStore> Job<'_, S> {
    /// Decrypts and restores the request. If an upload's file is stored by reference, the request has no file.
    fn prepared<O: Operation>(&self) -> Result<(PreparedRequest<O>, Option<StoredUpload>), StoreError> {
        let corrupt = |what: String| StoreError::new(StoreErrorKind::Corrupt, what);
        let sealed = self.claimed.request.as_ref().ok_or_else(|| corrupt("the request was removed".to_owned()))?;
        let bytes = open(self.shared.outbox.keys(), &self.claimed.facts, REQUEST, sealed)?;
        match StoredUpload::from_bytes(&bytes).map_err(corrupt)? {
            Some(upload) => {
                let prepared = upload.without_file(self.shared.outbox.client()).map_err(corrupt)?;
                Ok((prepared, Some(upload)))
            }
            None => Ok((PreparedRequest::from_bytes(&bytes).map_err(|error| corrupt(error.to_string()))?, None)),
        }
    }

    fn result(&self) -> Result<StoredResult, StoreError> {
        let absent = || StoreError::new(StoreErrorKind::Corrupt, "the result of the order is not stored");
        let sealed = self.claimed.result.as_ref().ok_or_else(absent)?;
        StoredResult::from_bytes(&open(self.shared.outbox.keys(), &self.claimed.facts, RESULT, sealed)?)
    }

    /// Returns the time limit for a send or query. The limit is shorter than the remaining lease.
    fn limit(&self) -> Duration {
        let left = self.shared.settings.lease.saturating_sub(self.began.elapsed());
        self.shared.settings.send_timeout.min(left * 2 / 3)
    }

    /// Returns the time by the store's clock. It is computed from the claim time, so a change of the system clock
    /// during the attempt does not affect it.
    fn now(&self) -> SystemTime {
        self.claimed.now.checked_add(self.began.elapsed()).unwrap_or(self.claimed.now)
    }

    /// Returns the times that decide how this order's confirmations can be used.
    fn times(&self) -> Times {
        let rate = self.shared.operations.get(self.claimed.facts.operation.as_str()).and_then(|entry| entry.rate);
        Times {
            now: self.now(),
            since: self.since,
            query_pause: self.shared.outbox.client().resolution().query_pause(),
            rate_window: rate.map_or(Duration::ZERO, |(_, window)| window),
        }
    }

    /// Returns the ID of the payload key that the request or the result needs, if this key is missing.
    fn missing_key(&self) -> Option<u32> {
        let keys = self.shared.outbox.keys();
        let sealed = [&self.claimed.request, &self.claimed.result];
        let used = sealed.into_iter().flatten().map(|sealed| sealed.key_id);
        used.into_iter().find(|key| !keys.payload_key_ids().any(|known| known == *key))
    }
}

/// Returns a random number. If the operating system cannot generate random numbers, returns the middle of the range.
pub(super) fn random() -> u64 {
    getrandom::u64().unwrap_or(u64::MAX / 2)
}

/// Processes a claimed order.
pub(super) async fn process<S: OutboxStore>(
    shared: Arc<Shared<S>>,
    claimed: ClaimedOrder,
    began: Instant,
    stop: CancellationToken,
) -> Attempt {
    let Some(entry) = shared.operations.get(claimed.facts.operation.as_str()) else { return Attempt::GivenBack };
    let operation = claimed.facts.operation.clone();
    let since = *shared.since.lock().unwrap_or_else(PoisonError::into_inner).get_or_insert(claimed.now);
    let job = Job { shared: &shared, claimed: &claimed, began, since, stop: &stop };
    let attempt = entry.process.process(job).await;
    metrics::counter!("paytend_outbox_attempts_total", "operation" => operation, "result" => attempt.as_str())
        .increment(1);
    attempt
}
