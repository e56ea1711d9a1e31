//! Runs an order's handler when the order's outcome is known.

use std::panic::AssertUnwindSafe;
use std::time::Duration;

use futures_util::FutureExt as _;
use paytend_client::PreparedRequest;
use paytend_inbox::{FailureAction, FinishError, HandlerError};
use paytend_model::Operation;
use tracing::Instrument as _;

use crate::dispatcher::ended::{EndedOrder, Ending};
use crate::dispatcher::exchange::Lookup;
use crate::dispatcher::job::{Attempt, Handled, Job, Runner, random};
use crate::record::{Ended, OrderRelease};
use crate::store::OutboxStore;
use crate::stored_result::StoredResult;
use crate::terms::Decision;

/// The result of calling the handler.
enum Returned<E> {
    Handled(Handled<E>),
    LeaseLost,
    Stopped,
}

impl<S: OutboxStore, O: Operation, L: Lookup<O>> Runner<S, O, L> {
    /// Runs the handler with an operator's decision, and then completes the order.
    pub(super) async fn handle_decision(
        &self,
        job: &Job<'_, S>,
        prepared: &PreparedRequest<O>,
        decision: Decision,
    ) -> Attempt {
        self.run(job, prepared, Ended::Decided, Ending::Decided(decision)).await
    }

    /// Stores a result unless it is already stored, runs the handler with the result, and completes the order.
    pub(super) async fn handle(
        &self,
        job: &Job<'_, S>,
        prepared: &PreparedRequest<O>,
        stored: StoredResult,
    ) -> Attempt {
        // The result is stored before the handler runs. After a crash, the handler then runs with the stored result,
        // and nothing is sent or queried again.
        if job.ended().is_none()
            && let Err(attempt) = job.record(&stored).await
        {
            return attempt;
        }
        let (client, ended) = (job.shared.outbox.client(), stored.ended());
        // The parser's message is not used, because it can contain values from the response.
        let unreadable = |error: serde_json::Error| format!("cannot read the data: error in column {}", error.column());
        let ending = match stored {
            StoredResult::Responded { data } => {
                serde_json::from_str::<O::Response>(&data).map_err(unreadable).map(|response| {
                    let state = L::response_state(client, &response);
                    Ending::Responded { response, state }
                })
            }
            StoredResult::Found { data } => serde_json::from_str::<L::Found>(&data).map_err(unreadable).map(|order| {
                let state = L::found_state(client, &order);
                Ending::Found { order, state }
            }),
            StoredResult::Notified => Ok(Ending::Notified),
            StoredResult::Rejected { code, message } => Ok(Ending::Rejected { code, message }),
        };
        match ending {
            Ok(ending) => self.run(job, prepared, ended, ending).await,
            Err(cause) => {
                let release = OrderRelease::Unhandled { ended, after: None, cause };
                job.release(release, None, Attempt::Unhandled).await
            }
        }
    }

    async fn run(
        &self,
        job: &Job<'_, S>,
        prepared: &PreparedRequest<O>,
        ended: Ended,
        ending: Ending<O::Response, L::Found>,
    ) -> Attempt {
        let (store, lease) = (job.shared.outbox.store(), job.claimed.lease);
        let returned = match self.ended_order(job, prepared, ending) {
            Ok(order) => tokio::select! {
                biased;
                handled = self.run_handler(job, order) => Returned::Handled(handled),
                () = heartbeats(job) => Returned::LeaseLost,
                () = job.stop.cancelled() => Returned::Stopped,
            },
            Err(error) => Returned::Handled(Err(error)),
        };
        match returned {
            Returned::Handled(Ok(completion)) => {
                fail::fail_point!("outbox-before-complete");
                let completed = store.complete_order(lease, ended, completion.into_effect()).await;
                fail::fail_point!("outbox-after-complete");
                match completed {
                    Ok(()) => Attempt::Done,
                    Err(FinishError::Effect(error)) => self.failed(job, ended, &error).await,
                    // Another effect in the same transaction failed, so this effect was rolled back, too. The handler
                    // runs again.
                    Err(FinishError::NotApplied) => job.give_back(Duration::ZERO, None).await,
                    Err(error) => job.not_finished(&error),
                }
            }
            Returned::Handled(Err(error)) => self.failed(job, ended, &error).await,
            Returned::LeaseLost => job.lost(),
            Returned::Stopped => {
                let (after, cause) = (Some(Duration::ZERO), "the dispatcher was stopped".to_owned());
                job.release(OrderRelease::Unhandled { ended, after, cause }, None, Attempt::Unhandled).await
            }
        }
    }

    fn ended_order(
        &self,
        job: &Job<'_, S>,
        prepared: &PreparedRequest<O>,
        ending: Ending<O::Response, L::Found>,
    ) -> Result<EndedOrder<O, L::Found>, HandlerError> {
        let payload = if prepared.payload().is_empty() { "{}" } else { prepared.payload() };
        let progress = &job.claimed.progress;
        // The progress was read when the order was claimed, so it does not include this attempt's send.
        let is_sent_now = !progress.state.is_final()
            && match ending {
                Ending::Responded { .. } => true,
                Ending::Rejected { .. } => progress.history.sends == 0,
                Ending::Found { .. } | Ending::Notified | Ending::Decided(_) => false,
            };
        Ok(EndedOrder {
            number: job.claimed.facts.number.clone(),
            order: serde_json::from_str(payload)
                .map_err(|_| HandlerError::dead_letter("the stored order cannot be read"))?,
            sends: progress.history.sends + u32::from(is_sent_now),
            ending,
            attempt: progress.tries,
        })
    }

    /// Runs the handler with its time limit. A panic becomes an error without the panic's message, which may contain
    /// personal data.
    async fn run_handler(&self, job: &Job<'_, S>, order: EndedOrder<O, L::Found>) -> Handled<S::Effect> {
        let id = job.claimed.lease.id.get();
        let span = tracing::info_span!("order", id, operation = O::INFO.name, attempt = order.attempt());
        // The handler is called inside the future, so that a panic in this call is also caught.
        let running = AssertUnwindSafe(async { (self.handler)(order).await }).catch_unwind().instrument(span);
        match tokio::time::timeout(job.shared.settings.handler_timeout, running).await {
            Ok(Ok(handled)) => handled,
            Ok(Err(_)) => Err(HandlerError::retry("the handler panicked")),
            Err(_) => Err(HandlerError::retry("the handler timed out")),
        }
    }

    async fn failed(&self, job: &Job<'_, S>, ended: Ended, error: &HandlerError) -> Attempt {
        let policy = job.shared.settings.retry;
        // The outcome was not known before this attempt, so the handler ran for the first time. `tries` also counts the
        // earlier attempts, which did not run it.
        let is_first = !job.claimed.progress.state.is_final();
        let tries = if is_first { 1 } else { job.claimed.progress.tries };
        let after = match error.action() {
            FailureAction::DeadLetter => None,
            _ if tries >= policy.tries() => None,
            FailureAction::RetryAfter(time) => Some(time.max(policy.delay(tries, random()))),
            _ => Some(policy.delay(tries, random())),
        };
        let release = OrderRelease::Unhandled { ended, after, cause: error.cause().to_owned() };
        job.release(release, None, Attempt::Unhandled).await
    }
}

/// Extends the lease until it is lost. If the store is unreachable, the attempt continues, because the completion
/// checks the fence.
async fn heartbeats<S: OutboxStore>(job: &Job<'_, S>) {
    let time = job.shared.settings.lease;
    loop {
        match job.shared.outbox.store().extend_order(job.claimed.lease, time).await {
            Ok(()) => {}
            Err(FinishError::LeaseLost) => return,
            Err(error) => tracing::warn!(id = job.claimed.lease.id.get(), %error, "cannot extend a lease"),
        }
        tokio::time::sleep(time / 3).await;
    }
}
