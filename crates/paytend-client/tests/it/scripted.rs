//! A scripted transport, and test clocks without real waits.

use std::collections::VecDeque;
use std::future::pending;
use std::pin::Pin;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::task::{Context, Poll};
use std::time::Duration;

use paytend_client::{
    Client, ClientBuilder, Clock, Environment, Exchange, HttpRequest, RawResponse, Sleep, Transport, TransportError,
    TransportErrorKind,
};
use paytend_crypto::{Expected, Opened};
use paytend_vectors::PARTNER_ID;

use crate::server::{partner, paytend, response};

/// The transport's reaction to a request.
pub(crate) enum Step {
    /// Sends a signed success with this data.
    Success(&'static str),
    /// Sends a signed rejection with this code.
    Failure(&'static str),
    /// Sends a response with this status, body and headers.
    Raw(u16, Vec<u8>, &'static [(&'static str, &'static str)]),
    /// Fails before it takes the body.
    Unsent(TransportErrorKind),
    /// Fails after it has taken the body.
    Lost(TransportErrorKind),
    /// Never responds. If `true`, takes the request body first.
    Hang(bool),
}

#[derive(Default)]
pub(crate) struct Scripted {
    steps: Mutex<VecDeque<Step>>,
    seen: Mutex<Vec<Request>>,
    discarded: AtomicUsize,
}

/// Tokio's clock. In a test that starts with a paused clock, time advances only while all tasks are idle, so system
/// load does not affect the test.
#[derive(Debug)]
pub(crate) struct TokioClock(tokio::time::Instant);

impl TokioClock {
    pub(crate) fn new() -> Self {
        Self(tokio::time::Instant::now())
    }
}

impl Clock for TokioClock {
    fn now(&self) -> Duration {
        self.0.elapsed()
    }

    fn sleep(&self, duration: Duration) -> Sleep {
        Box::pin(tokio::time::sleep(duration))
    }
}

/// A received request, decrypted and verified.
pub(crate) struct Request {
    pub(crate) url: String,
    pub(crate) headers: http::HeaderMap,
    pub(crate) opened: Opened,
    pub(crate) document: String,
    pub(crate) fresh_connection: bool,
}

impl Request {
    pub(crate) fn id(&self) -> &str {
        self.opened.field("requestId").unwrap()
    }
}

impl Scripted {
    pub(crate) fn new(steps: impl IntoIterator<Item = Step>) -> Arc<Self> {
        Arc::new(Self {
            steps: Mutex::new(steps.into_iter().collect()),
            seen: Mutex::default(),
            discarded: AtomicUsize::new(0),
        })
    }

    pub(crate) fn seen(&self) -> Vec<Request> {
        std::mem::take(&mut *self.seen.lock().unwrap())
    }

    /// Returns how many times the connections were discarded.
    pub(crate) fn discarded(&self) -> usize {
        self.discarded.load(Ordering::SeqCst)
    }

    /// Creates a client with this transport and a new test clock.
    pub(crate) fn client(self: &Arc<Self>) -> Client {
        self.builder().0.build().unwrap()
    }

    pub(crate) fn builder(self: &Arc<Self>) -> (ClientBuilder, Arc<TestClock>) {
        let clock = Arc::new(TestClock::default());
        let builder = Client::builder(Environment::BaseUrl("https://api.example.com".into()), PARTNER_ID, partner())
            .transport(Arc::clone(self) as Arc<dyn Transport>)
            .clock(Arc::clone(&clock) as Arc<dyn Clock>);
        (builder, clock)
    }
}

impl std::fmt::Debug for Scripted {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Scripted")
    }
}

impl Transport for Scripted {
    fn discard_connections(&self) {
        self.discarded.fetch_add(1, Ordering::SeqCst);
    }

    fn exchange(&self, request: HttpRequest) -> Exchange<'_> {
        Box::pin(async move {
            let step = self.steps.lock().unwrap().pop_front().expect("no step is left for this request");
            if let Step::Unsent(kind) = step {
                return Err(TransportError::new(kind));
            }
            if let Step::Hang(false) = step {
                match pending::<std::convert::Infallible>().await {}
            }
            let HttpRequest { url, headers, body, fresh_connection, .. } = request;
            let body = body.into_bytes()?;
            let document = String::from_utf8(body.to_vec()).unwrap();
            let opened = paytend().open(&body, &Expected::request(PARTNER_ID)).unwrap();
            self.seen.lock().unwrap().push(Request { url, headers, opened, document, fresh_connection });
            let sealed = |code, data| RawResponse::new(200, response(&paytend(), code, "message", data).into_bytes());
            match step {
                Step::Success(data) => Ok(sealed("00", data)),
                Step::Failure(code) => Ok(sealed(code, "")),
                Step::Raw(status, body, headers) => {
                    let headers = headers.iter().map(|(name, value)| (name.parse().unwrap(), value.parse().unwrap()));
                    Ok(RawResponse::new(status, body).with_headers(headers.collect()))
                }
                Step::Lost(kind) => Err(TransportError::new(kind)),
                Step::Unsent(_) | Step::Hang(_) => pending().await,
            }
        })
    }
}

/// A clock whose waits end immediately. Each wait advances the clock by its duration.
#[derive(Debug, Default)]
pub(crate) struct TestClock {
    state: Arc<Mutex<(Duration, Vec<Duration>)>>,
}

impl TestClock {
    /// Returns the waits so far, in milliseconds.
    pub(crate) fn waits(&self) -> Vec<u128> {
        self.state.lock().unwrap().1.iter().map(Duration::as_millis).collect()
    }
}

impl Clock for TestClock {
    fn now(&self) -> Duration {
        self.state.lock().unwrap().0
    }

    fn sleep(&self, duration: Duration) -> Sleep {
        struct Wait(Duration, Arc<Mutex<(Duration, Vec<Duration>)>>);

        impl Future for Wait {
            type Output = ();

            /// Advances the clock only when the sleep is polled. If an operation finishes before its timeout, the
            /// timeout is never polled, so the clock does not advance.
            fn poll(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<()> {
                let mut state = self.1.lock().unwrap();
                state.0 += self.0;
                state.1.push(self.0);
                Poll::Ready(())
            }
        }

        Box::pin(Wait(duration, Arc::clone(&self.state)))
    }
}

/// A clock that ends short waits immediately. Long waits are time limits and take real time.
#[derive(Debug, Default)]
pub(crate) struct ImpatientClock(paytend_client::SystemClock);

impl Clock for ImpatientClock {
    fn now(&self) -> Duration {
        self.0.now()
    }

    fn sleep(&self, duration: Duration) -> Sleep {
        if duration < Duration::from_secs(2) { Box::pin(tokio::task::yield_now()) } else { self.0.sleep(duration) }
    }
}

/// A random source that produces the longest jitter.
#[derive(Debug)]
pub(crate) struct Longest;

impl paytend_crypto::RandomSource for Longest {
    fn fill(&self, bytes: &mut [u8]) -> Result<(), paytend_crypto::Error> {
        bytes.fill(0xff);
        Ok(())
    }
}
