//! Runs handlers, each in a task of its own that the end of the connection does not cancel.

use std::any::Any;
use std::future::Future;
use std::panic::AssertUnwindSafe;
use std::sync::Arc;

use futures_util::FutureExt;
use tokio_util::task::TaskTracker;
use tracing::Instrument;

use crate::provider::Provider;
use crate::verified::{DedupKey, Verified};

/// The handlers of an endpoint that are running. Clones share them.
#[derive(Clone)]
pub(super) struct Handlers(TaskTracker);

impl Handlers {
    pub(super) fn new() -> Self {
        let tracker = TaskTracker::new();
        // Waiting for a tracker ends only if it is closed. A closed one still tracks new tasks.
        tracker.close();
        Self(tracker)
    }

    pub(super) fn count(&self) -> usize {
        self.0.len()
    }

    pub(super) async fn idle(&self) {
        self.0.wait().await;
    }

    /// Returns the whole work of a handler, to be spawned. It counts as running from now on, until it has ended or is
    /// dropped. Its output is `None` if the handler panicked.
    ///
    /// The slot of the notification is held until the handler has ended, also if it drops the notification earlier:
    /// handlers whose senders have disconnected are bounded by nothing else.
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
            // What is called to make the future is part of the handler too: it may panic as well.
            let handling = async move { handler(verified).await };
            let output = AssertUnwindSafe(handling).catch_unwind().await;
            progress.ended = true;
            if output.is_err() {
                progress.report("the handler panicked: the notification is not acknowledged");
            }
            output.ok()
        };
        self.0.track_future(work.in_current_span())
    }
}

/// A handler in progress.
struct Progress {
    provider: Provider,
    dedup_key: DedupKey,
    ended: bool,
    _slot: Option<Arc<dyn Any + Send + Sync>>,
}

impl Progress {
    /// Reports what happened to the handler. Neither the notification nor the text of a panic is included: both may
    /// hold personal data.
    fn report(&self, happened: &str) {
        tracing::error!(provider = %self.provider, dedup_key = %self.dedup_key, "{happened}");
    }
}

impl Drop for Progress {
    fn drop(&mut self) {
        if !self.ended {
            self.report("the runtime was shut down before the handler ended: the notification is not acknowledged");
        }
    }
}
