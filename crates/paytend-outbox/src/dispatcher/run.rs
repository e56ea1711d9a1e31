//! The loop that claims orders.

use std::collections::{BTreeMap, HashMap};
use std::future::Future;
use std::pin::pin;
use std::sync::atomic::Ordering;
use std::sync::{Arc, PoisonError};
use std::time::Duration;

use paytend_inbox::StoreError;
use tokio::task::{Id as TaskId, JoinSet};
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;

use crate::dispatcher::builder::{Dispatcher, Shared};
use crate::dispatcher::job::{Attempt, process, random};
use crate::dispatcher::limits::RateLimit;
use crate::record::ClaimOrders;
use crate::store::OutboxStore;

/// The result of stopping a dispatcher.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct Stopped {
    /// The number of attempts that ended after the dispatcher was asked to stop.
    pub finished: usize,
    /// The number of attempts that were aborted because the store did not respond. Their orders are claimed again when
    /// their leases have expired.
    pub aborted: usize,
}

/// How long a stopping dispatcher waits for the store after its other time limits have passed.
const RELEASE_TIMEOUT: Duration = Duration::from_secs(10);

/// How long a claim waits for more attempts to end.
const GATHER_TIME: Duration = Duration::from_millis(2);

/// The running attempts.
struct Jobs {
    tasks: JoinSet<Attempt>,
    operations: HashMap<TaskId, String>,
    rates: BTreeMap<&'static str, RateLimit>,
}

impl Jobs {
    fn new<S: OutboxStore>(shared: &Shared<S>) -> Self {
        let rates = shared.operations.iter().filter_map(|(path, entry)| {
            let (count, per) = entry.rate?;
            Some((*path, RateLimit::new(count, per)))
        });
        Self { tasks: JoinSet::new(), operations: HashMap::new(), rates: rates.collect() }
    }

    /// Waits until an attempt ends. If no attempt is running, the future never completes.
    async fn next(&mut self) {
        match self.tasks.join_next_with_id().await {
            Some(Ok((id, _))) => drop(self.operations.remove(&id)),
            Some(Err(error)) => {
                // A task fails only if the store's code panics.
                self.operations.remove(&error.id());
                tracing::error!(
                    "an attempt ended without a result; the order will be claimed again when its lease expires"
                );
            }
            None => std::future::pending().await,
        }
    }

    /// Waits briefly until a quarter of the slots is free, so that a claim takes several orders. If each claim took
    /// only one order, most slots would stay empty, because a claim begins only when the previous claim has ended.
    async fn gather(&mut self, max_concurrent: usize) {
        let enough = max_concurrent - max_concurrent / 4;
        let gathering = async {
            while self.tasks.len() > enough {
                self.next().await;
            }
        };
        let _ = tokio::time::timeout(GATHER_TIME, gathering).await;
    }

    /// Returns the operations whose orders can be claimed now, each with the maximum number of orders.
    fn room<S: OutboxStore>(&mut self, shared: &Shared<S>, free: usize) -> Vec<(String, usize)> {
        let now = Instant::now();
        let mut room = Vec::new();
        for (path, entry) in &shared.operations {
            let running = self.operations.values().filter(|running| running.as_str() == *path).count();
            let concurrent = entry.max_concurrent.map_or(free, |limit| limit.saturating_sub(running));
            let rate = self.rates.get_mut(path).map_or(free, |rate| rate.room(now));
            match free.min(concurrent).min(rate) {
                0 => {}
                limit => room.push(((*path).to_owned(), limit)),
            }
        }
        room
    }

    /// Returns how long to wait until the rate limits allow another attempt, or `None` if they allow one now.
    fn rate_wait(&mut self) -> Option<Duration> {
        let now = Instant::now();
        self.rates.values_mut().filter_map(|rate| rate.wait(now)).min()
    }
}

impl<S: OutboxStore> Dispatcher<S> {
    /// Runs until `stop` completes. Afterwards, the dispatcher claims no more orders, and waits for the running
    /// attempts. A send or query ends within its time limit. A handler that exceeds the stop timeout is cancelled. The
    /// outcome of its order is stored, and the handler runs again later.
    ///
    /// While the store is unreachable, the dispatcher retries until it is stopped. Dropping the returned future aborts
    /// the attempts. Their orders are queried when their leases have expired.
    pub async fn run(self, stop: impl Future<Output = ()>) -> Stopped {
        let mut stop = pin!(stop);
        let cancel = CancellationToken::new();
        let mut jobs = Jobs::new(&self.shared);
        loop {
            // The future is created before the claim, so that a change between the claim and the wait is not missed.
            let mut changed = pin!(self.shared.outbox.store().orders_changed());
            let hint = futures_util::poll!(changed.as_mut()).is_ready();
            if futures_util::poll!(stop.as_mut()).is_ready() {
                break;
            }
            // `stop` does not cancel the claim, because claimed orders must be processed.
            let claimed = self.claim(&mut jobs, &cancel).await;
            let pause = match claimed {
                Claims::More => continue,
                Claims::Full => Duration::from_secs(10),
                Claims::Empty if hint => Duration::ZERO,
                Claims::Empty | Claims::Failed => jittered(self.shared.settings.poll_interval),
            };
            let pause = jobs.rate_wait().map_or(pause, |wait| wait.min(pause));
            let may_change = !hint && claimed == Claims::Empty;
            tokio::select! {
                biased;
                () = &mut stop => break,
                () = jobs.next() => {}
                () = &mut changed, if may_change => {}
                () = tokio::time::sleep(pause) => {}
            }
        }
        self.drain(jobs, cancel).await
    }

    async fn claim(&self, jobs: &mut Jobs, cancel: &CancellationToken) -> Claims {
        let settings = &self.shared.settings;
        if self.shared.unstored.load(Ordering::SeqCst) > 0 {
            return Claims::Failed;
        }
        if jobs.tasks.len() < settings.max_concurrent {
            jobs.gather(settings.max_concurrent).await;
        }
        let free = settings.max_concurrent.saturating_sub(jobs.tasks.len());
        let operations = jobs.room(&self.shared, free);
        if operations.is_empty() {
            return Claims::Full;
        }
        let request = ClaimOrders { limit: free, lease: settings.lease, holder: random(), operations };
        let began = Instant::now();
        // If the claim exceeds the time limit, its orders are claimed again when their leases expire.
        let claimed = tokio::time::timeout(settings.lease, self.shared.outbox.store().claim_orders(request)).await;
        match claimed.unwrap_or_else(|_| Err(StoreError::unavailable("the store does not respond"))) {
            Ok(claimed) => {
                let count = claimed.len();
                for order in claimed {
                    let operation = order.facts.operation.clone();
                    if let Some(rate) = jobs.rates.get_mut(operation.as_str()) {
                        rate.begin(Instant::now());
                    }
                    let job = process(Arc::clone(&self.shared), order, began, cancel.clone());
                    jobs.operations.insert(jobs.tasks.spawn(job).id(), operation);
                }
                if count == 0 { Claims::Empty } else { Claims::More }
            }
            Err(error) => {
                tracing::error!(%error, "cannot claim orders");
                // After a failover, the store may lack the latest sends.
                *self.shared.since.lock().unwrap_or_else(PoisonError::into_inner) = None;
                Claims::Failed
            }
        }
    }

    async fn drain(self, mut jobs: Jobs, cancel: CancellationToken) -> Stopped {
        let mut stopped = Stopped::default();
        let settings = &self.shared.settings;
        let mut deadline = pin!(tokio::time::sleep(settings.stop_timeout));
        let longest = settings.stop_timeout.max(settings.send_timeout).saturating_add(RELEASE_TIMEOUT);
        let mut end = pin!(tokio::time::sleep(longest));
        while !jobs.tasks.is_empty() {
            tokio::select! {
                () = &mut end => {
                    stopped.aborted = jobs.tasks.len();
                    tracing::error!(attempts = stopped.aborted, "stopping before all results are stored");
                    jobs.tasks.abort_all();
                    break;
                }
                () = jobs.next() => stopped.finished += 1,
                () = &mut deadline, if !cancel.is_cancelled() => cancel.cancel(),
            }
        }
        stopped
    }
}

/// The result of a claim.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Claims {
    /// Some orders were claimed, so there may be more.
    More,
    /// Nothing was due.
    Empty,
    /// All slots are in use.
    Full,
    /// The store failed, or has not stored a result yet.
    Failed,
}

/// Returns a random duration between 0.5 and 1.5 times the interval.
fn jittered(interval: Duration) -> Duration {
    let micros = u64::try_from(interval.as_micros()).unwrap_or(u64::MAX / 2).max(1);
    Duration::from_micros(micros / 2 + random() % micros)
}
