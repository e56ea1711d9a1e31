//! What every server does around a [`Receiver`]: the body in bounded time and memory, the keys in bounded numbers, off
//! the threads that wait for the network, and handlers in tasks of their own. The adapters are thin layers over
//! [`Endpoint::receive`] and [`Endpoint::handle`]; one for another framework is made in the same way.
//!
//! # Handlers
//! A sender disconnects when it has waited long enough, and most servers then drop what they were doing for it. A
//! handler that is dropped between two of its steps can lose a notification: with the steps "store the dedup key" and
//! "update the balance", the next delivery is acknowledged as a duplicate of one that never had its effect. Two rules
//! prevent that:
//!
//! - **A handler runs to its end.** Every adapter runs it by [`Endpoint::handle`], in a task of its own. Neither the
//!   end of the connection nor a timeout of the server's middleware cancels that task.
//! - **The dedup key is stored in the same transaction as the effect.** A crash, a kill or the shutdown of the runtime
//!   still ends a handler anywhere, and the next delivery may arrive while a handler is still running.
//!
//! | the handler | the sender gets |
//! |---|---|
//! | returns a [`Reply`] | the provider's response to it, if the sender is still connected |
//! | panics | 503, try again later; a `tracing` event at the level `error` names the provider and the dedup key |
//! | is running when the sender disconnects | nothing; what the handler stores answers the next delivery |
//! | is running when the runtime shuts down | nothing; the handler is dropped, and a `tracing` event reports it |
//!
//! A handler has no time limit. Set one inside it, around what can hang. Its task inherits the `tracing` span of the
//! request, and no task-local values. A handler holds its slot in the [`Budget`] until it has returned and dropped the
//! notification.
//!
//! # Shutdown
//! A server that shuts down gracefully waits for its connections, not for handlers whose sender has disconnected. Wait
//! for those with [`Endpoint::idle`] after the server has stopped, and before the runtime does:
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

use crate::gate::Gate;
use crate::provider::{Answer, Reply};
use crate::receiver::{Reason, Receiver, Rejection, check_length};
use crate::sources::Source;
use crate::verified::Verified;
use budget::{Held, Limits};
use handlers::Handlers;

/// How long a body may take by default.
const BODY_TIMEOUT: Duration = Duration::from_secs(10);

/// A [`Receiver`] at a URL: with a [`Gate`], a time for the body, and [`Budget`]s. Cloning is cheap; the clones share
/// the budgets.
///
/// ```
/// use std::time::Duration;
/// use paytend_webhook::server::{Budget, Endpoint};
/// use paytend_webhook::{Gate, PayByReceiver, Sources};
///
/// # fn example(receiver: PayByReceiver) -> Result<(), paytend_webhook::ConfigError> {
/// let endpoint = Endpoint::new(receiver)
///     .gate(Gate::new().sources(Sources::new().allow(["203.0.113.0/24"])?.behind(["10.0.0.0/8"])?))
///     .body_timeout(Duration::from_secs(5))
///     .others(Budget::new().operations(1).waiting(16));
/// # let _ = endpoint;
/// # Ok(())
/// # }
/// ```
#[derive(Clone)]
pub struct Endpoint<R> {
    receiver: R,
    gate: Arc<Gate>,
    body_timeout: Duration,
    listed: Limits,
    others: Limits,
    on_this_thread: bool,
    clock: Arc<dyn Fn() -> SystemTime + Send + Sync>,
    on_rejection: Arc<OnRejection>,
    handlers: Handlers,
}

type OnRejection = dyn Fn(&Rejection, Option<IpAddr>) + Send + Sync;

impl<R: Receiver> Endpoint<R> {
    /// An endpoint for everybody: 10 s for a body; for the sources on the gate's list (everybody, without one) a budget
    /// of as many operations at once as there are processors, for the others one of half as many.
    ///
    /// **Without a list the provider shares one budget with every stranger.** Name the provider's addresses, and the
    /// proxies that are before this server, in the gate's [`Sources`](crate::Sources): only then can nobody else keep
    /// the provider out.
    pub fn new(receiver: R) -> Self {
        let processors = std::thread::available_parallelism().map_or(1, usize::from);
        Self {
            gate: Arc::new(Gate::new()),
            body_timeout: BODY_TIMEOUT,
            listed: Limits::new(Budget::new().operations(processors), receiver.limit()),
            others: Limits::new(
                Budget::new().operations(processors.div_ceil(2)).waiting(64).bytes(4 << 20),
                receiver.limit(),
            ),
            on_this_thread: !receiver.is_slow(),
            clock: Arc::new(SystemTime::now),
            on_rejection: Arc::new(|_, _| {}),
            handlers: Handlers::new(),
            receiver,
        }
    }

    /// Sets what is looked at before a body is read.
    #[must_use]
    pub fn gate(mut self, gate: Gate) -> Self {
        self.gate = Arc::new(gate);
        self
    }

    /// Sets how long a body may take, from its headers to its end.
    #[must_use]
    pub fn body_timeout(mut self, time: Duration) -> Self {
        self.body_timeout = time;
        self
    }

    /// Sets the budget for the sources on the gate's list; without a list, for all.
    #[must_use]
    pub fn listed(mut self, budget: Budget) -> Self {
        self.listed = Limits::new(budget, self.receiver.limit());
        self
    }

    /// Sets the budget for all other sources.
    #[must_use]
    pub fn others(mut self, budget: Budget) -> Self {
        self.others = Limits::new(budget, self.receiver.limit());
        self
    }

    /// Shares the budgets of another endpoint: several routes of one program have the same processors.
    #[must_use]
    pub fn sharing<Q>(mut self, other: &Endpoint<Q>) -> Self {
        (self.listed, self.others) = (other.listed.clone(), other.others.clone());
        self
    }

    /// Does the cryptography on the thread that calls, not on one of the runtime's blocking threads. That saves some
    /// 0.02 ms for each notification, and delays the other tasks of the thread by one operation: for keys in memory,
    /// never for those in a device or behind a network. A receiver that only verifies (PayBy, PayerMax) does so anyway.
    #[must_use]
    pub fn on_this_thread(mut self) -> Self {
        self.on_this_thread = true;
        self
    }

    /// Sets where the time comes from. For tests.
    #[must_use]
    pub fn clock(mut self, clock: impl Fn() -> SystemTime + Send + Sync + 'static) -> Self {
        self.clock = Arc::new(clock);
        self
    }

    /// Sets a function that is called for every rejected notification, with the address that it comes from by the
    /// gate's rule: for counters, or a log of your own. A `tracing` event at the level `warn` reports each rejection in
    /// any case.
    #[must_use]
    pub fn on_rejection(mut self, tell: impl Fn(&Rejection, Option<IpAddr>) + Send + Sync + 'static) -> Self {
        self.on_rejection = Arc::new(tell);
        self
    }

    /// The receiver.
    pub fn receiver(&self) -> &R {
        &self.receiver
    }

    /// Receives one request. `peer` is the other end of the connection, if it is known. The notification holds its slot
    /// and its memory in the budget until it is dropped. The size of headers and the number of connections are the
    /// server's to bound.
    ///
    /// Needs a Tokio runtime with its timer; the cryptography is done on its blocking threads, unless it is done [on
    /// this thread](Self::on_this_thread). Dropping the future is safe: nothing was handled or acknowledged. Pass the
    /// notification to [`handle`](Self::handle) next.
    ///
    /// # Errors
    /// Returns a [`Rejection`], whose response is to be sent. It has been reported already, by a `tracing` event at the
    /// level `warn` and to [`on_rejection`](Self::on_rejection).
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
        let result = self.take(method, headers, peer, body).await;
        if let Err(rejection) = &result {
            let address = self.gate.address(peer, headers);
            let shown = address.map(tracing::field::display);
            tracing::warn!(provider = %rejection.provider(), address = shown, reason = %rejection.reason(), "rejected");
            (self.on_rejection)(rejection, address);
        }
        result
    }

    /// Runs a handler in a task of its own, which [runs to its end](self#handlers) even if the future that this returns
    /// is dropped. Returns what to answer: the handler's reply, or [`Reply::TryAgainLater`] if the handler panics.
    ///
    /// ```
    /// # use paytend_webhook::{PayByReceiver, Receiver, Reply, Verified, server::Endpoint};
    /// # type Notification = <PayByReceiver as Receiver>::Notification;
    /// # type Response = http::Response<bytes::Bytes>;
    /// # async fn example(endpoint: Endpoint<PayByReceiver>, verified: Verified<Notification>) -> Response {
    /// let answer = endpoint.handle(verified, async |verified| {
    ///     // In one transaction: store the dedup key, and update what the notification is about.
    ///     println!("{}", verified.dedup_key());
    ///     Reply::Accepted
    /// });
    /// answer.await.response()
    /// # }
    /// ```
    ///
    /// # Panics
    /// Panics outside of a Tokio runtime.
    pub async fn handle<F, T>(&self, verified: Verified<R::Notification>, handler: F) -> Answer
    where
        F: FnOnce(Verified<R::Notification>) -> T + Send + 'static,
        T: Future<Output = Reply> + Send + 'static,
    {
        let provider = verified.provider();
        Answer::new(provider, self.run(verified, handler).await.unwrap_or(Reply::TryAgainLater))
    }

    /// Runs a handler as [`handle`](Self::handle) does. Returns `None` if it did not come to its end.
    pub(crate) async fn run<F, T>(&self, verified: Verified<R::Notification>, handler: F) -> Option<T::Output>
    where
        F: FnOnce(Verified<R::Notification>) -> T + Send + 'static,
        T: Future<Output: Send + 'static> + Send + 'static,
    {
        tokio::spawn(self.handlers.work(verified, handler)).await.ok().flatten()
    }

    /// Runs a handler as [`handle`](Self::handle) does, on this thread: it need not be `Send`.
    #[cfg(feature = "actix-web")]
    pub(crate) async fn handle_here<F, T>(&self, verified: Verified<R::Notification>, handler: F) -> Answer
    where
        F: FnOnce(Verified<R::Notification>) -> T + 'static,
        T: Future<Output = Reply> + 'static,
    {
        let provider = verified.provider();
        let work = tokio::task::spawn_local(self.handlers.work(verified, handler));
        Answer::new(provider, work.await.ok().flatten().unwrap_or(Reply::TryAgainLater))
    }

    /// Returns how many handlers are running, of this endpoint and its clones.
    pub fn running_handlers(&self) -> usize {
        self.handlers.count()
    }

    /// Waits until no handler of this endpoint and its clones is running: see [Shutdown](self#shutdown). Endpoints that
    /// only [share budgets](Self::sharing) are waited for one by one. While the server is still accepting requests, new
    /// handlers may start at any time.
    pub async fn idle(&self) {
        self.handlers.idle().await;
    }

    async fn take<S, E>(
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
        let limit = self.receiver.limit();
        let limits = match self.gate.admit(self.receiver.provider(), limit, method, headers, peer)? {
            Source::Listed => &self.listed,
            Source::Other => &self.others,
        };
        let (mut held, evicted) = limits.hold();
        let body = tokio::time::timeout(self.body_timeout, collect(body, &mut held, evicted, limit))
            .await
            .map_err(|_| reject(Reason::TooSlow(self.body_timeout)))?
            .map_err(reject)?;
        let place = limits.place().map_err(reject)?;
        let work = async {
            let operation = limits.operation().await.map_err(reject)?;
            let (now, in_hand) = ((self.clock)(), (place, held));
            if self.on_this_thread {
                let _operation = operation;
                let work = || self.receiver.receive(headers, &body, now);
                let done = catch_unwind(AssertUnwindSafe(work)).unwrap_or_else(|_| Err(reject(failed())));
                return done.map(|verified| verified.in_hand(in_hand));
            }
            let (receiver, headers) = (self.receiver.clone(), headers.clone());
            // What is in use is given back when the work is done, even if nobody waits for it any more.
            let work = tokio::task::spawn_blocking(move || {
                let _operation = operation;
                receiver.receive(&headers, &body, now).map(|verified| verified.in_hand(in_hand))
            });
            work.await.unwrap_or_else(|_| Err(reject(failed())))
        };
        tokio::time::timeout(limits.patience, work).await.map_err(|_| reject(Reason::Overloaded))?
    }
}

fn failed() -> Reason {
    Reason::Unavailable(Error::Backend(BackendError::new("receiving did not come to an end")))
}

impl<R: fmt::Debug> fmt::Debug for Endpoint<R> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Endpoint")
            .field("receiver", &self.receiver)
            .field("gate", &self.gate)
            .field("body_timeout", &self.body_timeout)
            .finish_non_exhaustive()
    }
}

/// The whole body, if it keeps within the limit and the budget, and does not have to give way.
async fn collect<S, E>(
    body: S,
    held: &mut Held,
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
        held.grow(piece.len())?;
        collected.extend_from_slice(&piece);
    }
    held.complete()?;
    Ok(collected)
}
