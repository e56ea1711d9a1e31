//! Runs handlers in tasks that continue after the connection has closed.

use std::any::Any;
use std::future::Future;
use std::panic::AssertUnwindSafe;
use std::sync::Arc;

use futures_util::FutureExt;
use tokio_util::task::TaskTracker;
use tracing::Instrument;

use crate::dedup_key::DedupKey;
use crate::provider::Provider;
use crate::verified::Verified;

/// The running handlers of an endpoint. Clones track the same handlers.
#[derive(Clone)]
pub(super) struct Handlers(TaskTracker);

impl Handlers {
    pub(super) fn new() -> Self {
        let tracker = TaskTracker::new();
        // `TaskTracker::wait` returns only if the tracker is closed, so close it now. A closed tracker still tracks new
        // tasks.
        tracker.close();
        Self(tracker)
    }

    pub(super) fn count(&self) -> usize {
        self.0.len()
    }

    pub(super) async fn idle(&self) {
        self.0.wait().await;
    }

    /// Returns a future that runs a handler. The caller must spawn the future. The handler counts as running until the
    /// future has completed or is dropped. Its output is `None` if the handler panicked.
    ///
    /// The notification's slot is held until the handler has returned, even if the handler drops the notification
    /// earlier. This is the only limit on handlers whose senders have disconnected.
    pub(super) fn work<N, F, T>(
        &self,
        verified: Verified<N>,
        handler: F,
    ) -> impl Future<Output = Option<T::Output>> + use<N, F, T>
    where
        F: FnOnce(Verified<N>) -> T,
        T: Future,
    {
        let mut progress = Progress {
            provider: verified.provider(),
            dedup_key: verified.dedup_key(),
            ended: false,
            _slot: verified.slot(),
        };
        let work = async move {
            // The call `handler(verified)`, which creates the future, can panic too. It is therefore made inside the
            // task.
            let handling = async move { handler(verified).await };
            let output = AssertUnwindSafe(handling).catch_unwind().await;
            progress.ended = true;
            if output.is_err() {
                progress.report("the handler panicked, so the notification is not acknowledged");
            }
            output.ok()
        };
        self.0.track_future(work.in_current_span())
    }
}

/// A running handler.
struct Progress {
    provider: Provider,
    dedup_key: DedupKey,
    ended: bool,
    _slot: Option<Arc<dyn Any + Send + Sync>>,
}

impl Progress {
    /// Logs the handler's outcome. The log entry contains neither the notification nor the panic message, because both
    /// can contain personal data.
    fn report(&self, happened: &str) {
        tracing::error!(provider = %self.provider, dedup_key = %self.dedup_key, "{happened}");
    }
}

impl Drop for Progress {
    fn drop(&mut self) {
        if !self.ended {
            self.report("the runtime was shut down before the handler ended, so the notification is not acknowledged");
        }
    }
}
