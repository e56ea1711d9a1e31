//! One attempt to process a claimed notification.

use std::panic::AssertUnwindSafe;
use std::pin::pin;
use std::sync::Arc;
use std::time::Duration;

use futures_util::FutureExt;
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;

use crate::error::{FailureAction, FinishError, HandlerError};
use crate::kind::AnyNotification;
use crate::record::{Claimed, Release};
use crate::retry::random;
use crate::store::Store;
use crate::terms::Lease;
use crate::trace;
use crate::worker::builder::Shared;
use crate::worker::delivery::{Completion, Delivery};
use crate::worker::handlers::Handled;

/// The result of an attempt, as reported in metrics.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Attempt {
    Done,
    Retried,
    Dead,
    GivenBack,
    LeaseLost,
    /// The store failed. The notification will be claimed again when its lease has expired, unless it was completed.
    Unknown,
}

impl Attempt {
    fn as_str(self) -> &'static str {
        match self {
            Self::Done => "done",
            Self::Retried => "retried",
            Self::Dead => "dead",
            Self::GivenBack => "given_back",
            Self::LeaseLost => "lease_lost",
            Self::Unknown => "unknown",
        }
    }
}

/// The result of calling the handler.
enum Ended<E> {
    Returned(Handled<E>),
    LeaseLost,
    Stopped,
}

/// Processes a claimed notification. The `stop` token is cancelled when the worker's stop deadline has passed.
pub(super) async fn process<S: Store>(shared: Arc<Shared<S>>, claimed: Claimed, stop: CancellationToken) -> Attempt {
    let kind = claimed.facts.kind.clone();
    let attempt = attempt(&shared, Arc::new(claimed), stop).await;
    metrics::counter!("paytend_inbox_attempts_total", "kind" => kind.to_string(), "result" => attempt.as_str())
        .increment(1);
    attempt
}

async fn attempt<S: Store>(shared: &Shared<S>, claimed: Arc<Claimed>, stop: CancellationToken) -> Attempt {
    let (lease, tries) = (claimed.lease, claimed.tries);
    let policy = shared.settings.retry_policy(&claimed.facts.kind);
    if tries > policy.tries() {
        let cause = format!(
            "all attempts are used ({} of {}): the last one reported no result and may have crashed the process, or \
             the limit was lowered",
            tries - 1,
            policy.tries()
        );
        return dead(shared, lease, &cause).await;
    }
    let content = match shared.inbox.open_claimed(&claimed) {
        Ok(Some(content)) => content,
        Ok(None) if claimed.is_sighting && shared.handlers.has_sighting_handler() => Vec::new(),
        // Only the handler set with `on_sighting` can run without content. If there is no such handler, the sighting is
        // completed here, because the notification was processed before.
        Ok(None) if claimed.is_sighting => return complete(shared, &claimed, Completion::without_effect()).await,
        Ok(None) => return dead(shared, lease, "the content was erased or removed after its retention").await,
        Err(error) => return fail(shared, &claimed, HandlerError::retry(error)).await,
    };
    let notification = AnyNotification::read(claimed.facts.route, &claimed.facts.notify_type, &content);
    let delivery = Delivery::new(notification, content.into(), Arc::clone(&claimed));
    let ended = tokio::select! {
        biased;
        returned = run_handler(shared, delivery) => Ended::Returned(returned),
        () = heartbeats(shared, lease) => Ended::LeaseLost,
        () = stop.cancelled() => Ended::Stopped,
    };
    match ended {
        Ended::Returned(Ok(completion)) => complete(shared, &claimed, completion).await,
        Ended::Returned(Err(error)) => fail(shared, &claimed, error).await,
        Ended::LeaseLost => lost(lease, &FinishError::LeaseLost),
        Ended::Stopped => finish(shared, lease, Release::GiveBack, Attempt::GivenBack).await,
    }
}

/// Runs the handler with its time limit. A panic becomes an error without the panic's message, which may contain
/// personal data.
async fn run_handler<S: Store>(shared: &Shared<S>, delivery: Delivery<AnyNotification>) -> Handled<S::Effect> {
    let facts = delivery.facts();
    let trace = facts.traceparent.as_deref().and_then(trace::parse);
    let span = tracing::info_span!(
        "notification",
        id = delivery.id().get(),
        route = %facts.route,
        kind = %facts.kind,
        attempt = delivery.attempt(),
        traceparent = facts.traceparent.as_deref(),
        trace_id = trace.map(|trace| trace.trace_id),
        received_in_span_id = trace.map(|trace| trace.parent_id),
    );
    // The handler is called inside the future, so that a panic in this call is also caught.
    let handling = async { shared.handlers.run(delivery).await };
    let guarded = AssertUnwindSafe(tracing::Instrument::instrument(handling, span)).catch_unwind();
    match tokio::time::timeout(shared.settings.handler_timeout, guarded).await {
        Ok(Ok(handled)) => handled,
        Ok(Err(_)) => Err(HandlerError::retry("the handler panicked")),
        Err(_) => Err(HandlerError::retry("the handler timed out")),
    }
}

/// Extends the lease until it is lost. If the store is unreachable, the attempt continues. This is safe because the
/// completion checks the fence.
async fn heartbeats<S: Store>(shared: &Shared<S>, lease: Lease) {
    let time = shared.settings.lease;
    loop {
        tokio::time::sleep(time / 3).await;
        match shared.inbox.store().extend(lease, time).await {
            Ok(()) => {}
            Err(FinishError::LeaseLost) => return,
            Err(error) => tracing::warn!(id = lease.id.get(), %error, "cannot extend a lease"),
        }
    }
}

/// Completes the notification. Heartbeats continue, because the store can delay the completion to commit several
/// completions together. If the lease is lost, the completion fails with `LeaseLost`.
async fn complete<S: Store>(shared: &Shared<S>, claimed: &Claimed, completion: Completion<S::Effect>) -> Attempt {
    let mut completing = pin!(shared.inbox.store().complete(claimed.lease, completion.into_effect()));
    let completed = tokio::select! {
        biased;
        completed = completing.as_mut() => Some(completed),
        () = heartbeats(shared, claimed.lease) => None,
    };
    let completed = match completed {
        Some(completed) => completed,
        None => completing.await,
    };
    match completed {
        Ok(()) => Attempt::Done,
        Err(FinishError::Effect(error)) => fail(shared, claimed, error).await,
        Err(FinishError::NotApplied) => finish(shared, claimed.lease, Release::GiveBack, Attempt::GivenBack).await,
        Err(error) => lost(claimed.lease, &error),
    }
}

async fn fail<S: Store>(shared: &Shared<S>, claimed: &Claimed, error: HandlerError) -> Attempt {
    let policy = shared.settings.retry_policy(&claimed.facts.kind);
    let after = match error.action() {
        FailureAction::DeadLetter => return dead(shared, claimed.lease, error.cause()).await,
        _ if claimed.tries >= policy.tries() => return dead(shared, claimed.lease, error.cause()).await,
        // The delay is at least the backoff. Otherwise, a short `time` would use up all attempts within seconds.
        FailureAction::RetryAfter(time) => time.max(policy.delay(claimed.tries, random())),
        FailureAction::Retry => policy.delay(claimed.tries, random()),
    };
    let release = Release::Retry { after, cause: error.cause().to_owned() };
    finish(shared, claimed.lease, release, Attempt::Retried).await
}

async fn dead<S: Store>(shared: &Shared<S>, lease: Lease, cause: &str) -> Attempt {
    tracing::error!(id = lease.id.get(), "the notification became a dead letter; fix the cause and redrive it");
    finish(shared, lease, Release::DeadLetter { cause: cause.to_owned() }, Attempt::Dead).await
}

/// Ends an attempt. If the release was not applied, it is repeated. Otherwise, the store would count the attempt when
/// the lease has expired.
async fn finish<S: Store>(shared: &Shared<S>, lease: Lease, release: Release, attempt: Attempt) -> Attempt {
    let (began, mut pause) = (Instant::now(), Duration::from_millis(10));
    loop {
        match shared.inbox.store().release(lease, release.clone()).await {
            Ok(()) => return attempt,
            Err(FinishError::NotApplied) if began.elapsed() + pause < shared.settings.lease / 2 => {}
            Err(error) => return lost(lease, &error),
        }
        tokio::time::sleep(pause).await;
        pause = (pause * 2).min(Duration::from_secs(1));
    }
}

fn lost(lease: Lease, error: &FinishError) -> Attempt {
    let id = lease.id.get();
    if let FinishError::LeaseLost = error {
        tracing::warn!(id, "the lease was lost: the notification was claimed again or buried");
        return Attempt::LeaseLost;
    }
    tracing::error!(
        id,
        %error,
        "failed to store a result; the notification will be claimed again when its lease expires"
    );
    Attempt::Unknown
}
