//! The server-side processing around a [`Receiver`]. Bodies are read in bounded time and memory. Key operations run
//! outside the network threads, and the number of concurrent operations is limited. Handlers run in separate tasks. The
//! adapters are thin layers over [`Endpoint::receive`] and [`Endpoint::handle`]; an adapter for another framework can
//! be built in the same way.
//!
//! # Handlers
//! A sender disconnects after its timeout, and most servers then drop the request's future. A handler that is dropped
//! between two steps can lose a notification. If the steps are "store the dedup key" and "update the balance", the next
//! delivery is acknowledged as a duplicate, although the balance was never updated. Two rules prevent this:
//!
//! - **A handler runs to completion.** Every adapter runs the handler through [`Endpoint::handle`], in its own task.
//!   Neither a closed connection nor a timeout in the server's middleware cancels that task.
//! - **The handler stores the dedup key in the same transaction as the effect.** A crash, a kill signal or a runtime
//!   shutdown can still stop a handler at any point. The next delivery may also arrive while a handler is still
//!   running.
//!
//! | the handler | the sender receives |
//! |---|---|
//! | returns a [`Reply`] | the provider-specific response for the reply, if the sender is still connected |
//! | panics | 503, try again later; a `tracing` event at the `error` level contains the provider and the dedup key |
//! | is running when the sender disconnects | no response; the next response depends on what the handler has stored |
//! | is running when the runtime shuts down | no response; the handler is dropped, and a `tracing` event reports it |
//!
//! A handler has no time limit. Inside the handler, put a timeout on calls that can hang. The handler's task inherits
//! the `tracing` span of the request, but no task-local values. A handler holds its slot in the [`Budget`] until it has
//! returned and dropped the notification.
//!
//! # Shutdown
//! A server that shuts down gracefully waits for its connections, but not for handlers whose sender has disconnected.
//! Wait for those handlers with [`Endpoint::idle`], after the server and before the runtime stops:
//!
//! ```
//! # use std::time::Duration;
//! # use paytend_webhook::{PayByReceiver, server::Endpoint};
//! # async fn example(endpoint: Endpoint<PayByReceiver>, server: impl Future) {
//! server.await;
//! if tokio::time::timeout(Duration::from_secs(30), endpoint.idle()).await.is_err() {
//!     eprintln!("{} handlers are still running", endpoint.running_handlers());
//! }
//! # }
//! ```

mod budget;
mod handlers;

use std::fmt;
use std::future::{Future, poll_fn};
use std::net::IpAddr;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::pin::{Pin, pin};
use std::sync::Arc;
use std::task::Poll;
use std::time::{Duration, SystemTime};

use bytes::Bytes;
use futures_core::Stream;
use http::{HeaderMap, Method};
use paytend_crypto::{BackendError, Error};
use tokio::sync::oneshot;

pub use budget::Budget;

use crate::error::Reason;
use crate::provider::{ProviderResponse, Reply};
use crate::receiver::{Receiver, Rejection, check_length};
use crate::request_filter::RequestFilter;
use crate::sources::Source;
use crate::verified::Verified;
use budget::{Limits, Reservation};
use handlers::Handlers;

/// Default time limit for reading a request's body.
const BODY_TIMEOUT: Duration = Duration::from_secs(10);

/// A [`Receiver`] for a URL, with a [`RequestFilter`], a time limit for the body, and [`Budget`]s. Cloning is cheap;
/// the clones share the budgets.
///
/// ```
/// use std::time::Duration;
/// use paytend_webhook::server::{Budget, Endpoint};
/// use paytend_webhook::{RequestFilter, PayByReceiver, Sources};
///
/// # fn example(receiver: PayByReceiver) -> Result<(), paytend_webhook::ConfigError> {
/// let sources = Sources::new().allow(["203.0.113.0/24"])?.trusted_proxies(["10.0.0.0/8"])?;
/// let endpoint = Endpoint::new(receiver)
///     .filter(RequestFilter::new().sources(sources))
///     .body_timeout(Duration::from_secs(5))
///     .other_budget(Budget::new().max_concurrent(1).max_waiting(16));
/// # let _ = endpoint;
/// # Ok(())
/// # }
/// ```
#[derive(Clone)]
pub struct Endpoint<R> {
    receiver: R,
    filter: Arc<RequestFilter>,
    body_timeout: Duration,
    listed: Limits,
    others: Limits,
    run_inline: bool,
    clock: Arc<dyn Fn() -> SystemTime + Send + Sync>,
    on_rejection: Arc<OnRejection>,
    handlers: Handlers,
}

type OnRejection = dyn Fn(&Rejection, Option<IpAddr>) + Send + Sync;

impl<R: Receiver> Endpoint<R> {
    /// Creates an endpoint that accepts requests from any source address, with a body timeout of 10 s.
    ///
    /// If the filter has a list of [`Sources`](crate::Sources), all listed sources share a budget with as many
    /// concurrent key operations as there are CPU cores. All other sources share a separate budget with half as many.
    /// Without a list, all sources share the first budget.
    ///
    /// **Without a list, the provider shares its budget with every other sender.** Configure the provider's addresses
    /// and the proxies in front of this server in the filter's [`Sources`](crate::Sources). Only then is the provider's
    /// capacity protected from other senders.
    pub fn new(receiver: R) -> Self {
        let processors = std::thread::available_parallelism().map_or(1, usize::from);
        Self {
            filter: Arc::new(RequestFilter::new()),
            body_timeout: BODY_TIMEOUT,
            listed: Limits::new(Budget::new().max_concurrent(processors), receiver.max_bytes()),
            others: Limits::new(
                Budget::new().max_concurrent(processors.div_ceil(2)).max_waiting(64).max_bytes(4 << 20),
                receiver.max_bytes(),
            ),
            run_inline: !receiver.uses_private_key(),
            clock: Arc::new(SystemTime::now),
            on_rejection: Arc::new(|_, _| {}),
            handlers: Handlers::new(),
            receiver,
        }
    }

    /// Sets the checks that run before a body is read.
    #[must_use]
    pub fn filter(mut self, filter: RequestFilter) -> Self {
        self.filter = Arc::new(filter);
        self
    }

    /// Sets the time limit for the body, from the end of the headers to the end of the body.
    #[must_use]
    pub fn body_timeout(mut self, time: Duration) -> Self {
        self.body_timeout = time;
        self
    }

    /// Sets the budget for the sources on the filter's list, or for all sources if there is no list.
    #[must_use]
    pub fn listed_budget(mut self, budget: Budget) -> Self {
        self.listed = Limits::new(budget, self.receiver.max_bytes());
        self
    }

    /// Sets the budget for the sources that are not on the filter's list.
    #[must_use]
    pub fn other_budget(mut self, budget: Budget) -> Self {
        self.others = Limits::new(budget, self.receiver.max_bytes());
        self
    }

    /// Shares the budgets of another endpoint. Use this for several routes of one program, which share the CPU cores.
    #[must_use]
    pub fn share_budgets_with<Q>(mut self, other: &Endpoint<Q>) -> Self {
        (self.listed, self.others) = (other.listed.clone(), other.others.clone());
        self
    }

    /// Runs the cryptography on the calling thread instead of one of the runtime's blocking threads. This saves about
    /// 0.02 ms per notification, but delays the thread's other tasks by one key operation. Use it for keys in memory,
    /// never for keys that are stored in a hardware device or accessed over a network. A receiver that only verifies
    /// (PayBy, PayerMax) always runs on the calling thread.
    #[must_use]
    pub fn run_inline(mut self) -> Self {
        self.run_inline = true;
        self
    }

    /// Sets the clock, for tests.
    #[must_use]
    pub fn clock(mut self, clock: impl Fn() -> SystemTime + Send + Sync + 'static) -> Self {
        self.clock = Arc::new(clock);
        self
    }

    /// Sets a function that is called for every rejected notification, for counters or a custom log. Its second
    /// argument is the source address as determined by the filter. Each rejection is also reported as a `tracing` event
    /// at the `warn` level.
    #[must_use]
    pub fn on_rejection(mut self, callback: impl Fn(&Rejection, Option<IpAddr>) + Send + Sync + 'static) -> Self {
        self.on_rejection = Arc::new(callback);
        self
    }

    /// Returns the receiver.
    pub fn receiver(&self) -> &R {
        &self.receiver
    }

    /// Receives a request. `peer` is the peer address of the connection, if known. The notification holds its slot and
    /// its memory in the budget until it is dropped. The server must limit the header size and the number of
    /// connections.
    ///
    /// Requires a Tokio runtime with the timer enabled. The cryptography runs on the runtime's blocking threads, unless
    /// [`run_inline`](Self::run_inline) is set. Dropping the future is safe, because nothing has been handled or
    /// acknowledged yet. Pass the notification to [`handle`](Self::handle) next.
    ///
    /// # Errors
    /// Returns a [`Rejection`] if the request is rejected. Send its response. The rejection has already been reported
    /// as a `tracing` event at the `warn` level and to [`on_rejection`](Self::on_rejection).
    pub async fn receive<S, E>(
        &self,
        method: &Method,
        headers: &HeaderMap,
        peer: Option<IpAddr>,
        body: S,
    ) -> Result<Verified<R::Notification>, Rejection>
    where
        S: Stream<Item = Result<Bytes, E>>,
    {
        let result = self.receive_unreported(method, headers, peer, body).await;
        if let Err(rejection) = &result {
            let address = self.filter.address(peer, headers);
            let shown = address.map(tracing::field::display);
            tracing::warn!(provider = %rejection.provider(), address = shown, reason = %rejection.reason(), "rejected");
            (self.on_rejection)(rejection, address);
        }
        result
    }

    /// Runs a handler in its own task, which [runs to completion](self#handlers) even if the returned future is
    /// dropped. Returns the handler's reply, or [`Reply::TryAgainLater`] if the handler panics.
    ///
    /// ```
    /// # use paytend_webhook::{PayByReceiver, Receiver, Reply, Verified, server::Endpoint};
    /// # type Notification = <PayByReceiver as Receiver>::Notification;
    /// # type Response = http::Response<bytes::Bytes>;
    /// # async fn example(endpoint: Endpoint<PayByReceiver>, verified: Verified<Notification>) -> Response {
    /// let response = endpoint.handle(verified, async |verified| {
    ///     // In one transaction: store the dedup key and apply the notification's effect.
    ///     println!("{}", verified.dedup_key());
    ///     Reply::Accepted
    /// });
    /// response.await.to_http()
    /// # }
    /// ```
    ///
    /// # Panics
    /// Panics if called outside a Tokio runtime.
    pub async fn handle<F, T>(&self, verified: Verified<R::Notification>, handler: F) -> ProviderResponse
    where
        F: FnOnce(Verified<R::Notification>) -> T + Send + 'static,
        T: Future<Output = Reply> + Send + 'static,
    {
        let provider = verified.provider();
        provider.respond(self.run(verified, handler).await.unwrap_or(Reply::TryAgainLater))
    }

    /// Runs a handler as [`handle`](Self::handle) does. Returns `None` if the handler did not complete.
    pub(crate) async fn run<F, T>(&self, verified: Verified<R::Notification>, handler: F) -> Option<T::Output>
    where
        F: FnOnce(Verified<R::Notification>) -> T + Send + 'static,
        T: Future<Output: Send + 'static> + Send + 'static,
    {
        tokio::spawn(self.handlers.work(verified, handler)).await.ok().flatten()
    }

    /// Runs a handler as [`handle`](Self::handle) does, but on this thread; the handler need not be `Send`.
    #[cfg(feature = "actix-web")]
    pub(crate) async fn handle_here<F, T>(&self, verified: Verified<R::Notification>, handler: F) -> ProviderResponse
    where
        F: FnOnce(Verified<R::Notification>) -> T + 'static,
        T: Future<Output = Reply> + 'static,
    {
        let provider = verified.provider();
        let work = tokio::task::spawn_local(self.handlers.work(verified, handler));
        provider.respond(work.await.ok().flatten().unwrap_or(Reply::TryAgainLater))
    }

    /// Returns how many handlers are running for this endpoint and its clones.
    pub fn running_handlers(&self) -> usize {
        self.handlers.count()
    }

    /// Waits until no handler is running for this endpoint and its clones. See [Shutdown](self#shutdown). Endpoints
    /// that only [share budgets](Self::share_budgets_with) must be waited for separately. While the server still
    /// accepts requests, new handlers may start at any time.
    pub async fn idle(&self) {
        self.handlers.idle().await;
    }

    async fn receive_unreported<S, E>(
        &self,
        method: &Method,
        headers: &HeaderMap,
        peer: Option<IpAddr>,
        body: S,
    ) -> Result<Verified<R::Notification>, Rejection>
    where
        S: Stream<Item = Result<Bytes, E>>,
    {
        let reject = |reason| Rejection::new(self.receiver.provider(), reason);
        let limit = self.receiver.max_bytes();
        let limits = match self.filter.check(self.receiver.provider(), limit, method, headers, peer)? {
            Source::Listed => &self.listed,
            Source::Other => &self.others,
        };
        let (mut reservation, evicted) = limits.reserve();
        let body = tokio::time::timeout(self.body_timeout, collect(body, &mut reservation, evicted, limit))
            .await
            .map_err(|_| reject(Reason::TooSlow(self.body_timeout)))?
            .map_err(reject)?;
        let slot = limits.slot().map_err(reject)?;
        let work = async {
            let operation = limits.operation().await.map_err(reject)?;
            let (now, slot) = ((self.clock)(), (slot, reservation));
            if self.run_inline {
                let _operation = operation;
                let work = || self.receiver.receive(headers, &body, now);
                let done = catch_unwind(AssertUnwindSafe(work)).unwrap_or_else(|_| Err(reject(failed())));
                return done.map(|verified| verified.with_slot(slot));
            }
            let (receiver, headers) = (self.receiver.clone(), headers.clone());
            // The slot in the budget is released when the receiver has returned, even if the caller has stopped
            // waiting.
            let work = tokio::task::spawn_blocking(move || {
                let _operation = operation;
                receiver.receive(&headers, &body, now).map(|verified| verified.with_slot(slot))
            });
            work.await.unwrap_or_else(|_| Err(reject(failed())))
        };
        tokio::time::timeout(limits.queue_timeout, work).await.map_err(|_| reject(Reason::Overloaded))?
    }
}

fn failed() -> Reason {
    Reason::Unavailable(Error::Backend(BackendError::new("the task that receives the notification did not complete")))
}

impl<R: fmt::Debug> fmt::Debug for Endpoint<R> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Endpoint")
            .field("receiver", &self.receiver)
            .field("filter", &self.filter)
            .field("body_timeout", &self.body_timeout)
            .finish_non_exhaustive()
    }
}

/// Reads the whole body. Fails if the body exceeds the limit or the budget, or is discarded.
async fn collect<S, E>(
    body: S,
    reservation: &mut Reservation,
    mut evicted: oneshot::Receiver<()>,
    limit: usize,
) -> Result<Vec<u8>, Reason>
where
    S: Stream<Item = Result<Bytes, E>>,
{
    let mut body = pin!(body);
    let mut collected = Vec::new();
    loop {
        let next = poll_fn(|context| match Pin::new(&mut evicted).poll(context) {
            Poll::Ready(_) => Poll::Ready(Some(Err(Reason::Overloaded))),
            Poll::Pending => {
                body.as_mut().poll_next(context).map(|piece| piece.map(|piece| piece.map_err(|_| Reason::Broken)))
            }
        });
        let Some(piece) = next.await else { break };
        let piece = piece?;
        check_length(collected.len() as u64 + piece.len() as u64, limit)?;
        reservation.grow(piece.len())?;
        collected.extend_from_slice(&piece);
    }
    reservation.complete()?;
    Ok(collected)
}
