//! What every server does around a [`Receiver`]: the body in bounded time and memory, the keys in bounded numbers, off the threads that wait
//! for the network. The adapters are thin layers over [`Endpoint::receive`]; one for another framework is made in the same way.

mod budget;

use std::fmt;
use std::net::IpAddr;
use std::pin::{Pin, pin};
use std::sync::Arc;
use std::time::{Duration, SystemTime};

use bytes::Bytes;
use futures_core::Stream;
use http::{HeaderMap, Method};
use paytend_crypto::{BackendError, Error};

pub use budget::Budget;

use crate::gate::{Gate, Source};
use crate::receiver::{Reason, Receiver, Rejection};
use crate::verified::Verified;
use budget::{Held, Limits};

/// How long a body may take by default.
const BODY_TIMEOUT: Duration = Duration::from_secs(10);

/// A [`Receiver`] at a URL: with a [`Gate`], a time for the body, and [`Budget`]s. Cloning is cheap; the clones share the budgets.
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
}

type OnRejection = dyn Fn(&Rejection, Option<IpAddr>) + Send + Sync;

impl<R: Receiver> Endpoint<R> {
    /// An endpoint for everybody: 10 s for a body; for the sources on the gate's list (everybody, without one) a budget of as many operations
    /// at once as there are processors, for the others one of half as many.
    pub fn new(receiver: R) -> Self {
        let processors = std::thread::available_parallelism().map_or(1, usize::from);
        Self {
            gate: Arc::new(Gate::new()),
            body_timeout: BODY_TIMEOUT,
            listed: Limits::new(Budget::new().operations(processors)),
            others: Limits::new(Budget::new().operations(processors.div_ceil(2)).waiting(64).bytes(4 << 20)),
            on_this_thread: !receiver.is_slow(),
            clock: Arc::new(SystemTime::now),
            on_rejection: Arc::new(|_, _| {}),
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
        self.listed = Limits::new(budget);
        self
    }

    /// Sets the budget for all other sources.
    #[must_use]
    pub fn others(mut self, budget: Budget) -> Self {
        self.others = Limits::new(budget);
        self
    }

    /// Does the cryptography on the thread that calls, not on one of the runtime's blocking threads. That saves some 0.02 ms for each
    /// notification, and delays the other tasks of the thread by one operation: for keys in memory, never for those in a device or behind a
    /// network. A receiver that only verifies (PayBy, PayerMax) does so anyway.
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

    /// Is told of every notification that is not taken, with the other end of its connection: for a log, or counters.
    #[must_use]
    pub fn on_rejection(mut self, tell: impl Fn(&Rejection, Option<IpAddr>) + Send + Sync + 'static) -> Self {
        self.on_rejection = Arc::new(tell);
        self
    }

    /// The receiver.
    pub fn receiver(&self) -> &R {
        &self.receiver
    }

    /// Receives one request. `peer` is the other end of the connection, if it is known. Needs a Tokio runtime with its timer; its blocking
    /// threads do the cryptography, unless it is done [here](Self::on_this_thread).
    ///
    /// # Errors
    /// A [`Rejection`], whose response is to be sent.
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
            (self.on_rejection)(rejection, peer);
        }
        result
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
        let mut held = limits.hold();
        let body = tokio::time::timeout(self.body_timeout, collect(body, &mut held, limit))
            .await
            .map_err(|_| reject(Reason::TooSlow(self.body_timeout)))?
            .map_err(reject)?;

        let permit = limits.operation().await.map_err(reject)?;
        let now = (self.clock)();
        if self.on_this_thread {
            return self.receiver.receive(headers, &body, now);
        }
        let (receiver, headers) = (self.receiver.clone(), headers.clone());
        // The permit and the memory are given back when the work is done, even if nobody waits for it any more.
        let work = tokio::task::spawn_blocking(move || {
            let _held = (permit, held);
            receiver.receive(&headers, &body, now)
        });
        work.await
            .unwrap_or_else(|_| Err(reject(Reason::Unavailable(Error::Backend(BackendError::new("it panicked"))))))
    }
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

/// The whole body, if it keeps within the limit and the budget.
async fn collect<S, E>(body: S, held: &mut Held, limit: usize) -> Result<Vec<u8>, Reason>
where
    S: Stream<Item = Result<Bytes, E>>,
{
    let mut body = pin!(body);
    let mut collected = Vec::new();
    while let Some(piece) = next(body.as_mut()).await {
        let piece = piece.map_err(|_| Reason::Broken)?;
        if piece.len() > limit - collected.len() {
            return Err(Reason::TooLarge);
        }
        held.grow(piece.len())?;
        collected.extend_from_slice(&piece);
    }
    Ok(collected)
}

async fn next<S: Stream>(mut stream: Pin<&mut S>) -> Option<S::Item> {
    std::future::poll_fn(|context| stream.as_mut().poll_next(context)).await
}
