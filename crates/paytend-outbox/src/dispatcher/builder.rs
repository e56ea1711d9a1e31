//! Dispatcher settings.

use std::collections::BTreeMap;
use std::fmt;
use std::future::Future;
use std::sync::atomic::AtomicUsize;
use std::sync::{Arc, Mutex};
use std::time::{Duration, SystemTime};

use paytend_client::Resolvable;
use paytend_inbox::{Completion, HandlerError, RetryPolicy};
use paytend_model::Operation;

use crate::dispatcher::ended::{EndedOrder, NotQueried};
use crate::dispatcher::exchange::{ByPerson, ByQuery};
use crate::dispatcher::job::{Process, Runner};
use crate::outbox::Outbox;
use crate::store::OutboxStore;

/// The maximum length of a lease.
const MAX_LEASE: Duration = Duration::from_secs(24 * 3600);

/// A dispatcher that sends the orders of an outbox. Create it with [`builder`](Self::builder), and start it with
/// [`run`](Self::run).
pub struct Dispatcher<S: OutboxStore> {
    pub(super) shared: Arc<Shared<S>>,
}

/// The state that all jobs of a dispatcher share.
pub(super) struct Shared<S: OutboxStore> {
    pub(super) outbox: Outbox<S>,
    pub(super) operations: BTreeMap<&'static str, OperationEntry<S>>,
    pub(super) settings: Settings,
    /// The number of results that are still not stored although their leases have expired.
    pub(super) unstored: AtomicUsize,
    /// The time of the first claim that claimed an order since the last error of the store, by the store's clock.
    pub(super) since: Mutex<Option<SystemTime>>,
}

pub(super) struct OperationEntry<S: OutboxStore> {
    pub(super) process: Arc<dyn Process<S>>,
    pub(super) max_concurrent: Option<usize>,
    pub(super) rate: Option<(usize, Duration)>,
}

pub(super) struct Settings {
    pub(super) lease: Duration,
    pub(super) send_timeout: Duration,
    pub(super) handler_timeout: Duration,
    pub(super) poll_interval: Duration,
    pub(super) stop_timeout: Duration,
    pub(super) max_concurrent: usize,
    pub(super) max_queries: u32,
    pub(super) retry: RetryPolicy,
}

impl<S: OutboxStore> Dispatcher<S> {
    /// Creates a builder. A dispatcher sends only orders of operations for which it has a handler.
    ///
    /// ```
    /// use paytend_client::OrderState;
    /// use paytend_inbox::{Completion, HandlerError};
    /// use paytend_model::issuing::Topup;
    /// use paytend_outbox::{Dispatcher, Ending, MemoryOutbox, Outbox};
    ///
    /// # async fn example(outbox: Outbox<MemoryOutbox>, stop: impl Future<Output = ()>) {
    /// let dispatcher = Dispatcher::builder(outbox)
    ///     .on::<Topup, _, _>(async |ended| {
    ///         match ended.ending() {
    ///             Ending::Responded { state, .. } | Ending::Found { state, .. } => {
    ///                 println!("{} exists: {state}", ended.number());
    ///             }
    ///             Ending::Rejected { code, .. } => println!("{} is rejected: {code:?}", ended.number()),
    ///             ending => println!("{}: {ending:?}", ended.number()),
    ///         }
    ///         Ok(Completion::without_effect())
    ///     })
    ///     .max_concurrent_of::<Topup>(4)
    ///     .build();
    /// dispatcher.run(stop).await;
    /// # }
    /// ```
    pub fn builder(outbox: Outbox<S>) -> DispatcherBuilder<S> {
        let settings = Settings {
            lease: Duration::from_secs(90),
            send_timeout: Duration::from_secs(60),
            handler_timeout: Duration::from_secs(600),
            poll_interval: Duration::from_secs(1),
            stop_timeout: Duration::from_secs(30),
            max_concurrent: 16,
            max_queries: 40,
            retry: RetryPolicy::new(),
        };
        DispatcherBuilder { outbox, operations: BTreeMap::new(), settings }
    }
}

impl<S: OutboxStore> fmt::Debug for Dispatcher<S> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let operations: Vec<_> = self.shared.operations.keys().collect();
        f.debug_struct("Dispatcher").field("operations", &operations).finish_non_exhaustive()
    }
}

/// Builds a [`Dispatcher`].
#[must_use]
pub struct DispatcherBuilder<S: OutboxStore> {
    outbox: Outbox<S>,
    operations: BTreeMap<&'static str, OperationEntry<S>>,
    settings: Settings,
}

impl<S: OutboxStore> DispatcherBuilder<S> {
    /// Sets the handler for an operation that has a query. The handler is called when the outcome of an order is known.
    pub fn on<O, F, T>(mut self, handler: F) -> Self
    where
        O: Resolvable,
        F: Fn(EndedOrder<O, <O::Query as Operation>::Response>) -> T + Send + Sync + 'static,
        T: Future<Output = Result<Completion<S::Effect>, HandlerError>> + Send + 'static,
    {
        self.insert::<O>(Arc::new(Runner::<S, O, ByQuery>::new(handler)));
        self
    }

    /// Sets the handler for an operation without a query. An order whose response is lost becomes stuck and is never
    /// sent again. It stays stuck until a notification reports it or an operator decides its outcome.
    pub fn on_without_query<O, F, T>(mut self, handler: F) -> Self
    where
        O: Operation,
        F: Fn(EndedOrder<O, NotQueried>) -> T + Send + Sync + 'static,
        T: Future<Output = Result<Completion<S::Effect>, HandlerError>> + Send + 'static,
    {
        self.insert::<O>(Arc::new(Runner::<S, O, ByPerson>::new(handler)));
        self
    }

    fn insert<O: Operation>(&mut self, process: Arc<dyn Process<S>>) {
        let entry = OperationEntry { process, max_concurrent: None, rate: None };
        self.operations.insert(O::INFO.path, entry);
    }

    /// Sets how many orders of an operation can be processed at the same time. Call this method after [`on`](Self::on).
    /// The limit applies to each dispatcher separately.
    pub fn max_concurrent_of<O: Operation>(mut self, count: usize) -> Self {
        if let Some(entry) = self.operations.get_mut(O::INFO.path) {
            entry.max_concurrent = Some(count.max(1));
        }
        self
    }

    /// Sets how many attempts (sends and queries) of an operation can begin in any time window of length `per`. Call
    /// this method after [`on`](Self::on). The limit applies to each dispatcher separately.
    pub fn rate_limit_of<O: Operation>(mut self, count: usize, per: Duration) -> Self {
        if let Some(entry) = self.operations.get_mut(O::INFO.path) {
            entry.rate = Some((count.max(1), per));
        }
        self
    }

    /// Sets the maximum number of orders that are processed at the same time (default 16, at least 1).
    pub fn max_concurrent(mut self, count: usize) -> Self {
        self.settings.max_concurrent = count.max(1);
        self
    }

    /// Sets the length of a lease (default 90 s, between 1 s and 24 h). After a crash, an order is claimed again when
    /// its lease has expired. A send or query is cancelled before the lease expires.
    pub fn lease(mut self, time: Duration) -> Self {
        self.settings.lease = time.clamp(Duration::from_secs(1), MAX_LEASE);
        self
    }

    /// Sets the time limit for one send or query (default 60 s, at most two thirds of the lease).
    pub fn send_timeout(mut self, time: Duration) -> Self {
        self.settings.send_timeout = time;
        self
    }

    /// Sets the time limit for a handler (default 10 minutes). The limit does not apply to effects, for which the store
    /// sets a time limit.
    pub fn handler_timeout(mut self, time: Duration) -> Self {
        self.settings.handler_timeout = time;
        self
    }

    /// Sets the average time between two polls of a store in which nothing is due (default 1 s).
    pub fn poll_interval(mut self, time: Duration) -> Self {
        self.settings.poll_interval = time;
        self
    }

    /// Sets how long handlers can keep running after the dispatcher is asked to stop (default 30 s). Afterwards, the
    /// handlers are cancelled. They run again later. Sends are not cancelled.
    pub fn stop_timeout(mut self, time: Duration) -> Self {
        self.settings.stop_timeout = time;
        self
    }

    /// Sets the number of consecutive failed queries after which an order is stuck (default 40, at least 1). With the
    /// default retry policy, 40 failing queries take about 15 hours on average.
    pub fn max_queries(mut self, count: u32) -> Self {
        self.settings.max_queries = count.max(1);
        self
    }

    /// Sets the retry policy for failed handlers, for failed queries, and for attempts in which nothing was sent.
    /// After the last attempt, the order is left to an operator.
    pub fn retry(mut self, policy: RetryPolicy) -> Self {
        self.settings.retry = policy;
        self
    }

    /// Builds the dispatcher.
    pub fn build(self) -> Dispatcher<S> {
        let Self { outbox, operations, mut settings } = self;
        settings.send_timeout = settings.send_timeout.min(settings.lease * 2 / 3);
        let (unstored, since) = (AtomicUsize::new(0), Mutex::default());
        Dispatcher { shared: Arc::new(Shared { outbox, operations, settings, unstored, since }) }
    }
}

impl<S: OutboxStore> fmt::Debug for DispatcherBuilder<S> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("DispatcherBuilder").field("lease", &self.settings.lease).finish_non_exhaustive()
    }
}
