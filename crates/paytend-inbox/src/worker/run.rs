//! The loop that claims notifications.

use std::collections::HashMap;
use std::future::Future;
use std::pin::pin;
use std::sync::Arc;
use std::time::Duration;

use tokio::task::{Id as TaskId, JoinSet};
use tokio_util::sync::CancellationToken;

use crate::error::StoreError;
use crate::kind::Kind;
use crate::record::ClaimRequest;
use crate::retry::random;
use crate::store::Store;
use crate::worker::builder::{Settings, Worker};
use crate::worker::job::{Attempt, process};

/// The result of stopping a worker.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct Stopped {
    /// The number of notifications that were given back because their handlers were cancelled.
    pub given_back: usize,
    /// The number of notifications that were processed or failed after the worker was asked to stop.
    pub finished: usize,
}

/// How long a stopping worker waits for the store after the stop timeout.
const RELEASE_TIMEOUT: Duration = Duration::from_secs(10);

/// How long the worker waits for more attempts to end before it claims notifications.
const GATHER_TIME: Duration = Duration::from_millis(2);

/// The running attempts.
struct Jobs {
    tasks: JoinSet<Attempt>,
    kinds: HashMap<TaskId, Kind>,
}

impl Jobs {
    /// Waits until an attempt ends. If no attempt is running, the future never completes.
    async fn next(&mut self) -> Option<Attempt> {
        match self.tasks.join_next_with_id().await {
            Some(Ok((id, attempt))) => {
                self.kinds.remove(&id);
                Some(attempt)
            }
            Some(Err(error)) => {
                // A task fails only if the store's code panics.
                self.kinds.remove(&error.id());
                tracing::error!(
                    "an attempt ended without a result; the notification will be claimed again when its lease expires"
                );
                None
            }
            None => std::future::pending().await,
        }
    }

    /// Waits briefly until a quarter of the slots is free, so that a claim takes several notifications. Attempts often
    /// end together, because stores commit their completions together.
    async fn gather(&mut self, max_concurrent: usize) {
        let enough = max_concurrent - max_concurrent / 4;
        let gathering = async {
            while self.tasks.len() > enough {
                self.next().await;
            }
        };
        let _ = tokio::time::timeout(GATHER_TIME, gathering).await;
    }

    fn kind_limits(&self, settings: &Settings) -> Vec<(Kind, usize)> {
        let running = |kind: &Kind| self.kinds.values().filter(|running| *running == kind).count();
        let limits = settings.max_concurrent_of.iter();
        limits.map(|(kind, limit)| (kind.clone(), limit.saturating_sub(running(kind)))).collect()
    }
}

impl<S: Store> Worker<S> {
    /// Runs until `stop` completes. Afterwards, the worker claims no more notifications, and waits for the running
    /// handlers, at most for the stop timeout. Leases are extended until each handler has ended. Handlers that are
    /// still running after the stop timeout are cancelled, and their notifications are given back.
    ///
    /// A commit that is still running after the stop timeout is not cancelled. The worker waits for the commit during a
    /// grace period of 10 s, and then returns. The store can still complete the commit later. If it does not, the
    /// notification is claimed again when its lease has expired.
    ///
    /// If the store is unreachable, the worker retries until it is stopped. Dropping the returned future aborts the
    /// handlers. Their notifications are claimed again when their leases have expired.
    pub async fn run(self, stop: impl Future<Output = ()>) -> Stopped {
        let mut stop = pin!(stop);
        let cancel = CancellationToken::new();
        let mut jobs = Jobs { tasks: JoinSet::new(), kinds: HashMap::new() };
        loop {
            // The future is created before the claim, so that a change between the claim and the wait is not missed.
            let mut changed = pin!(self.shared.inbox.store().changed());
            let hint = futures_util::poll!(changed.as_mut()).is_ready();
            if futures_util::poll!(stop.as_mut()).is_ready() {
                break;
            }
            // `stop` does not cancel the claim, because claimed notifications must be processed or given back.
            let claimed = self.claim(&mut jobs, &cancel).await;
            let pause = match claimed {
                Claims::More => continue,
                Claims::Full => Duration::from_secs(10),
                Claims::Empty | Claims::Failed if hint => Duration::ZERO,
                Claims::Empty | Claims::Failed => jittered(self.shared.settings.poll_interval),
            };
            let may_change = !hint && claimed == Claims::Empty;
            tokio::select! {
                biased;
                () = &mut stop => break,
                _ = jobs.next() => self.shared.health.progressed(),
                () = &mut changed, if may_change => {}
                () = tokio::time::sleep(pause) => {}
            }
        }
        self.drain(jobs, cancel).await
    }

    async fn claim(&self, jobs: &mut Jobs, cancel: &CancellationToken) -> Claims {
        let settings = &self.shared.settings;
        if jobs.tasks.len() < settings.max_concurrent {
            jobs.gather(settings.max_concurrent).await;
        }
        let free = settings.max_concurrent.saturating_sub(jobs.tasks.len());
        if free == 0 {
            return Claims::Full;
        }
        let kind_limits = jobs.kind_limits(settings);
        let request = ClaimRequest { limit: free, lease: settings.lease, holder: random(), kind_limits };
        // If the claim exceeds the time limit, its notifications are claimed again when their leases expire.
        let claimed = tokio::time::timeout(settings.lease, self.shared.inbox.store().claim(request)).await;
        match claimed.unwrap_or_else(|_| Err(StoreError::unavailable("the store does not respond"))) {
            Ok(claimed) => {
                self.shared.health.progressed();
                let count = claimed.len();
                for notification in claimed {
                    let kind = notification.facts.kind.clone();
                    let job = process(Arc::clone(&self.shared), notification, cancel.clone());
                    jobs.kinds.insert(jobs.tasks.spawn(job).id(), kind);
                }
                if count == 0 { Claims::Empty } else { Claims::More }
            }
            Err(error) => {
                tracing::error!(%error, "cannot claim notifications");
                Claims::Failed
            }
        }
    }

    async fn drain(self, mut jobs: Jobs, cancel: CancellationToken) -> Stopped {
        let mut stopped = Stopped::default();
        let stop_timeout = self.shared.settings.stop_timeout;
        let mut deadline = pin!(tokio::time::sleep(stop_timeout));
        let mut end = pin!(tokio::time::sleep(stop_timeout.saturating_add(RELEASE_TIMEOUT)));
        while !jobs.tasks.is_empty() {
            tokio::select! {
                () = &mut end => {
                    // The store does not respond. Commits in progress can still complete. The leases of all other
                    // attempts expire.
                    let attempts = jobs.tasks.len();
                    tracing::error!(attempts, "the store does not respond; stopping before all results are stored");
                    jobs.tasks.abort_all();
                    break;
                }
                ended = jobs.next() => match ended {
                    Some(Attempt::GivenBack) => stopped.given_back += 1,
                    _ => stopped.finished += 1,
                },
                () = &mut deadline, if !cancel.is_cancelled() => cancel.cancel(),
            }
        }
        stopped
    }
}

/// The result of a claim.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Claims {
    /// Some notifications were claimed, so there may be more.
    More,
    /// Nothing was due.
    Empty,
    /// All slots are in use.
    Full,
    /// The store failed.
    Failed,
}

/// Returns a random duration between 0.5 and 1.5 times the interval.
fn jittered(interval: Duration) -> Duration {
    let micros = u64::try_from(interval.as_micros()).unwrap_or(u64::MAX / 2).max(1);
    Duration::from_micros(micros / 2 + random() % micros)
}
