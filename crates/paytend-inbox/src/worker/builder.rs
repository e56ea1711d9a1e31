//! Worker settings.

use std::collections::HashMap;
use std::fmt;
use std::future::Future;
use std::sync::Arc;
use std::time::Duration;

use crate::error::HandlerError;
use crate::inbox::Inbox;
use crate::kind::{AnyNotification, Kind, NotificationType};
use crate::record::Facts;
use crate::retry::{MAX_DELAY, RetryPolicy};
use crate::store::Store;
use crate::worker::delivery::Delivery;
use crate::worker::handlers::{Handled, Handlers};
use crate::worker::health::WorkerHealth;

/// A worker that processes the notifications of an inbox. Create it with [`builder`](Self::builder), and start it with
/// [`run`](Self::run).
pub struct Worker<S: Store> {
    pub(super) shared: Arc<Shared<S>>,
}

/// The state that the jobs of a worker share.
pub(super) struct Shared<S: Store> {
    pub(super) inbox: Inbox<S>,
    pub(super) handlers: Handlers<S::Effect>,
    pub(super) settings: Settings,
    pub(super) health: WorkerHealth,
}

pub(super) struct Settings {
    pub(super) lease: Duration,
    pub(super) handler_timeout: Duration,
    pub(super) poll_interval: Duration,
    pub(super) stop_timeout: Duration,
    pub(super) max_concurrent: usize,
    pub(super) max_concurrent_of: HashMap<Kind, usize>,
    pub(super) retry: RetryPolicy,
    pub(super) retry_of: HashMap<Kind, RetryPolicy>,
}

impl Settings {
    pub(super) fn retry_policy(&self, kind: &Kind) -> RetryPolicy {
        self.retry_of.get(kind).copied().unwrap_or(self.retry)
    }
}

impl<S: Store> Worker<S> {
    /// Creates a builder. The `otherwise` handler is called for every notification that has no other handler: for other
    /// types, for unknown types, and for unreadable content. If `otherwise` does not recognize a notification, it must
    /// return an error, so that the notification is kept for an operator.
    ///
    /// ```
    /// use paytend_inbox::{Completion, HandlerError, Inbox, MemoryStore, Worker, types};
    ///
    /// # async fn example(inbox: Inbox<MemoryStore>, stop: impl Future<Output = ()>) {
    /// let worker = Worker::builder(inbox, async |delivery| {
    ///     Err(HandlerError::dead_letter(format!("no handler for {}", delivery.facts().kind)))
    /// })
    /// .on::<types::FundDeposit, _, _>(async |delivery| {
    ///     println!("a deposit of {:?}", delivery.notification().amount);
    ///     Ok(Completion::without_effect())
    /// })
    /// .build();
    /// worker.run(stop).await;
    /// # }
    /// ```
    pub fn builder<F, T>(inbox: Inbox<S>, otherwise: F) -> WorkerBuilder<S>
    where
        F: Fn(Delivery<AnyNotification>) -> T + Send + Sync + 'static,
        T: Future<Output = Handled<S::Effect>> + Send + 'static,
    {
        let settings = Settings {
            lease: Duration::from_secs(60),
            handler_timeout: Duration::from_secs(600),
            poll_interval: Duration::from_secs(1),
            stop_timeout: Duration::from_secs(30),
            max_concurrent: 16,
            max_concurrent_of: HashMap::new(),
            retry: RetryPolicy::new(),
            retry_of: HashMap::new(),
        };
        WorkerBuilder { inbox, handlers: Handlers::new(otherwise), settings }
    }

    /// Returns a handle that reports when the worker last made progress.
    pub fn health(&self) -> WorkerHealth {
        self.shared.health.clone()
    }
}

impl<S: Store> fmt::Debug for Worker<S> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Worker").field("lease", &self.shared.settings.lease).finish_non_exhaustive()
    }
}

/// Builds a [`Worker`].
#[must_use]
pub struct WorkerBuilder<S: Store> {
    inbox: Inbox<S>,
    handlers: Handlers<S::Effect>,
    settings: Settings,
}

impl<S: Store> WorkerBuilder<S> {
    /// Sets the handler for a notification type, and replaces an earlier handler for the type. See
    /// [`types`](crate::types).
    pub fn on<N, F, T>(mut self, handler: F) -> Self
    where
        N: NotificationType,
        F: Fn(Delivery<N::Content>) -> T + Send + Sync + 'static,
        T: Future<Output = Handled<S::Effect>> + Send + 'static,
    {
        self.handlers.on::<N, F, T>(handler);
        self
    }

    /// Sets the handler for sightings, that is, for notifications that have arrived again. By default, a sighting is
    /// passed to the handler for its type. If its content is no longer stored, it is completed without calling a
    /// handler. See [`Inbox::requeue_sightings`] and [`Delivery::has_content`].
    pub fn on_sighting<F, T>(mut self, handler: F) -> Self
    where
        F: Fn(Delivery<AnyNotification>) -> T + Send + Sync + 'static,
        T: Future<Output = Handled<S::Effect>> + Send + 'static,
    {
        self.handlers.on_sighting(handler);
        self
    }

    /// Sets a function that runs before the handler of each attempt. If it fails, the handler does not run, and the
    /// attempt fails with the error. The handler's time limit applies to both together.
    ///
    /// For example, `Outbox::notices` from `paytend-outbox` returns a function that records notifications about orders.
    pub fn before_handlers<F, T>(mut self, function: F) -> Self
    where
        F: Fn(&Facts) -> T + Send + Sync + 'static,
        T: Future<Output = Result<(), HandlerError>> + Send + 'static,
    {
        self.handlers.before(function);
        self
    }

    /// Sets the length of a lease (default 60 s, between 1 s and 24 h). Heartbeats extend the lease while a handler
    /// runs. If a worker crashes, its notifications are claimed again when their leases have expired.
    pub fn lease(mut self, time: Duration) -> Self {
        self.settings.lease = time.clamp(Duration::from_secs(1), MAX_DELAY);
        self
    }

    /// Sets the time limit for a handler (default 10 minutes). The limit does not apply to effects, for which the store
    /// sets a time limit.
    pub fn handler_timeout(mut self, time: Duration) -> Self {
        self.settings.handler_timeout = time;
        self
    }

    /// Sets the average time between two polls of an empty store (default 1 s). Each pause is a random duration between
    /// 0.5 and 1.5 times this value, so that workers do not all poll at the same time.
    pub fn poll_interval(mut self, time: Duration) -> Self {
        self.settings.poll_interval = time;
        self
    }

    /// Sets how long handlers can keep running after the worker is asked to stop (default 30 s). Afterwards, the
    /// handlers are cancelled, and their notifications are given back. Commits in progress have an additional grace
    /// period; see [`Worker::run`].
    pub fn stop_timeout(mut self, time: Duration) -> Self {
        self.settings.stop_timeout = time;
        self
    }

    /// Sets the maximum number of handlers that run at the same time (default 16, at least 1).
    pub fn max_concurrent(mut self, count: usize) -> Self {
        self.settings.max_concurrent = count.max(1);
        self
    }

    /// Sets the maximum number of handlers that run at the same time for a kind. The limit is per worker.
    pub fn max_concurrent_of(mut self, kind: Kind, count: usize) -> Self {
        self.settings.max_concurrent_of.insert(kind, count);
        self
    }

    /// Sets the retry policy for all kinds without a separate policy.
    pub fn retry(mut self, policy: RetryPolicy) -> Self {
        self.settings.retry = policy;
        self
    }

    /// Sets a separate retry policy for a kind.
    pub fn retry_of(mut self, kind: Kind, policy: RetryPolicy) -> Self {
        self.settings.retry_of.insert(kind, policy);
        self
    }

    /// Builds the worker.
    pub fn build(self) -> Worker<S> {
        let Self { inbox, handlers, settings } = self;
        Worker { shared: Arc::new(Shared { inbox, handlers, settings, health: WorkerHealth::new() }) }
    }
}

impl<S: Store> fmt::Debug for WorkerBuilder<S> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("WorkerBuilder").field("lease", &self.settings.lease).finish_non_exhaustive()
    }
}
