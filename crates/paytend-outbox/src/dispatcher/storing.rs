//! Stores the results of attempts.

use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use paytend_client::History;
use paytend_inbox::{FinishError, StoreErrorKind};
use tokio::time::Instant;

use crate::dispatcher::job::{Attempt, Job, random};
use crate::record::{Ended, OrderRelease};
use crate::store::OutboxStore;
use crate::stored_result::StoredResult;
use crate::terms::State;

/// How long the dispatcher keeps trying to store a result.
const STORE_TIME: Duration = Duration::from_secs(15 * 60);

/// Counts a result that was not stored before its lease expired, until this value is dropped. While such results exist,
/// the dispatcher claims no orders. Otherwise, it could claim the order while another attempt is still trying to store
/// the result.
struct Unstored<'c>(&'c AtomicUsize);

impl<'c> Unstored<'c> {
    fn new(count: &'c AtomicUsize) -> Self {
        count.fetch_add(1, Ordering::SeqCst);
        Self(count)
    }
}

impl Drop for Unstored<'_> {
    fn drop(&mut self) {
        self.0.fetch_sub(1, Ordering::SeqCst);
    }
}

impl<S: OutboxStore> Job<'_, S> {
    /// Repeats a change while the store is unavailable, because only this process knows the result of the attempt. Even
    /// if the lease expires, the change succeeds unless the order has been claimed again.
    async fn persist<T>(&self, change: impl Fn() -> T) -> Result<(), FinishError>
    where
        T: Future<Output = Result<(), FinishError>>,
    {
        let began = Instant::now();
        let mut pause = Duration::from_millis(50);
        let mut unstored = None;
        loop {
            match change().await {
                Err(FinishError::Store(error))
                    if matches!(error.kind(), StoreErrorKind::Unavailable | StoreErrorKind::Configuration)
                        && began.elapsed() + pause < STORE_TIME =>
                {
                    tracing::warn!(id = self.claimed.lease.id.get(), %error, "failed to store a result; will retry");
                }
                stored => return stored,
            }
            if self.began.elapsed() + pause * 2 >= self.shared.settings.lease {
                unstored.get_or_insert_with(|| Unstored::new(&self.shared.unstored));
            }
            tokio::time::sleep(pause).await;
            pause = (pause * 2).min(Duration::from_secs(1));
        }
    }

    /// Stores a result before its handler runs.
    pub(super) async fn record(&self, stored: &StoredResult) -> Result<(), Attempt> {
        let sealed = self.shared.outbox.seal_result(&self.claimed.facts, stored);
        let sealed = sealed.map_err(|error| self.failed_store(&error))?;
        let store = self.shared.outbox.store();
        let recorded = self.persist(|| async {
            fail::fail_point!("outbox-before-record");
            let recorded = store.record_outcome(self.claimed.lease, stored.ended(), sealed.clone()).await;
            fail::fail_point!("outbox-after-record");
            recorded
        });
        recorded.await.map_err(|error| self.not_finished(&error))
    }

    /// Ends the attempt, and stores the result, if any.
    pub(super) async fn release(
        &self,
        release: OrderRelease,
        result: Option<&StoredResult>,
        attempt: Attempt,
    ) -> Attempt {
        let id = self.claimed.lease.id.get();
        if let OrderRelease::Stuck { cause, .. } | OrderRelease::Unhandled { after: None, cause, .. } = &release {
            tracing::error!(id, %cause, "an order waits for an operator");
        }
        let sealed = match result.map(|result| self.shared.outbox.seal_result(&self.claimed.facts, result)) {
            Some(Err(error)) => return self.failed_store(&error),
            sealed => sealed.and_then(Result::ok),
        };
        let store = self.shared.outbox.store();
        let released = self.persist(|| async {
            fail::fail_point!("outbox-before-release");
            store.release_order(self.claimed.lease, release.clone(), sealed.clone()).await
        });
        match released.await {
            Ok(()) => attempt,
            Err(error) => self.not_finished(&error),
        }
    }

    /// Ends an attempt that did nothing.
    pub(super) async fn give_back(&self, after: Duration, cause: Option<String>) -> Attempt {
        self.release(OrderRelease::GiveBack { after, cause }, None, Attempt::GivenBack).await
    }

    /// Ends an attempt that sent nothing. After the last retry, the order waits for an operator.
    pub(super) async fn not_sent(&self, history: History, cause: String) -> Attempt {
        let (retry, tries) = (self.shared.settings.retry, self.claimed.progress.tries);
        if tries >= retry.tries() {
            return self.stuck(history, cause).await;
        }
        let after = retry.delay(tries, random());
        self.release(OrderRelease::NotSent { history, after, cause }, None, Attempt::NotSent).await
    }

    pub(super) async fn stuck(&self, history: History, cause: String) -> Attempt {
        self.release(OrderRelease::Stuck { history, cause }, None, Attempt::Stuck).await
    }

    /// Ends the attempt. The order then waits for an operator.
    pub(super) async fn give_up(&self, cause: String) -> Attempt {
        let decided = self.claimed.progress.decision.map(|_| Ended::Decided);
        match self.ended().or(decided) {
            Some(ended) => {
                let release = OrderRelease::Unhandled { ended, after: None, cause };
                self.release(release, None, Attempt::Unhandled).await
            }
            None => self.stuck(self.claimed.progress.history, cause).await,
        }
    }

    /// Returns how the outcome became known, or `None` if the order is not final.
    pub(super) fn ended(&self) -> Option<Ended> {
        match self.claimed.progress.state {
            State::Responded => Some(Ended::Responded),
            State::Found => Some(Ended::Found),
            State::Rejected => Some(Ended::Rejected),
            State::Decided => Some(Ended::Decided),
            State::Recorded | State::Sending | State::Unknown | State::Stuck => None,
        }
    }

    pub(super) fn not_finished(&self, error: &FinishError) -> Attempt {
        match error {
            FinishError::LeaseLost => self.lost(),
            error => self.failed_store(error),
        }
    }

    pub(super) fn lost(&self) -> Attempt {
        let id = self.claimed.lease.id.get();
        tracing::warn!(
            id,
            "the lease was lost: the order was claimed again, closed or recovered, or a notification revoked the lease"
        );
        Attempt::LeaseLost
    }

    pub(super) fn failed_store(&self, error: &dyn std::error::Error) -> Attempt {
        let id = self.claimed.lease.id.get();
        tracing::error!(id, %error, "failed to store a result; the order will be claimed again when its lease expires");
        Attempt::StoreFailed
    }
}
