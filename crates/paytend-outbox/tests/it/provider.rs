//! A simulated provider that executes every request that arrives, including duplicates, and an outbox that sends orders
//! to it.

use std::collections::{HashMap, VecDeque};
use std::future::pending;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, LazyLock, Mutex};
use std::time::{Duration, SystemTime};

use paytend_client::{
    Client, Clock, Environment, Exchange, HttpRequest, OrderStates, RawResponse, Resolution, RetryPolicy, Sleep,
    Transport, TransportError, TransportErrorKind,
};
use paytend_crypto::{Expected, Fields, Keyring, Outgoing, PrivateKey};
use paytend_inbox::{Completion, HandlerError, StoreKeys};
use paytend_model::issuing::{ReportLoss, Topup, UploadDocument};
use paytend_outbox::{
    Dispatcher, DispatcherBuilder, Ending, MemoryOutbox, MemoryOutboxEffect, OrderEntry, Outbox, OutboxAdmin as _,
    OutboxTransaction,
};
use paytend_vectors::PARTNER_ID;
use tokio::time::Instant;

static KEYS: LazyLock<[PrivateKey; 2]> = LazyLock::new(|| {
    let keys = paytend_vectors::keys();
    ["partner", "paytend"].map(|name| PrivateKey::from_bytes(&keys[name].private).unwrap())
});

fn paytend() -> Keyring {
    Keyring::from_keys(&KEYS[1], KEYS[0].public_key()).unwrap()
}

/// A value that must not appear in errors and debug output.
pub(crate) const SECRET: &str = "SECRET 4400123412341234";

/// A fault that the provider applies to a request.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Fault {
    None,
    /// The connection fails before the request is sent.
    Unsent,
    /// The request is lost before it is executed.
    LoseRequest,
    /// The request is executed, and the response is lost.
    LoseResponse,
    /// The request is executed, and no response is sent.
    Hang,
    /// The request is not executed, and the response is a signed rejection whose message contains [`SECRET`].
    Reject,
    /// The response is a signed success without data, and its message contains [`SECRET`]. A topup is executed.
    Unreadable,
    /// The request is executed, and the response is a rejection of another request.
    RejectionOfAnother,
    /// The request is not executed, and the response is a proxy's error page.
    Proxy,
    /// The response contains the code for an unknown order, without a signature. A topup is executed.
    UnsignedUnknown,
}

/// A received request.
#[derive(Clone, Debug)]
pub(crate) struct Received {
    pub(crate) path: String,
    pub(crate) order: String,
    pub(crate) document: String,
    pub(crate) payload: serde_json::Value,
    pub(crate) at: Instant,
}

#[derive(Debug, Default)]
struct State {
    faults: VecDeque<Fault>,
    received: Vec<Received>,
    executed: HashMap<String, usize>,
    in_flight: usize,
    most_in_flight: usize,
    discarded: usize,
}

type Choose = Box<dyn Fn() -> Fault + Send + Sync>;

/// The simulated provider.
#[derive(Default)]
pub(crate) struct Provider {
    state: Mutex<State>,
    /// Chooses a fault for each request when the list of faults is empty.
    choose: Mutex<Option<Choose>>,
    delay: Mutex<Duration>,
}

impl std::fmt::Debug for Provider {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Provider")
    }
}

impl Provider {
    pub(crate) fn faults(&self, faults: impl IntoIterator<Item = Fault>) {
        self.state.lock().unwrap().faults.extend(faults);
    }

    pub(crate) fn choose(&self, choose: Option<Choose>) {
        *self.choose.lock().unwrap() = choose;
    }

    /// Sets how long the provider takes to respond to each request.
    pub(crate) fn delay(&self, delay: Duration) {
        *self.delay.lock().unwrap() = delay;
    }

    pub(crate) fn received(&self) -> Vec<Received> {
        self.state.lock().unwrap().received.clone()
    }

    /// Returns the last path segment of each received request.
    pub(crate) fn paths(&self) -> Vec<String> {
        self.received().into_iter().map(|received| received.path).collect()
    }

    /// Returns the number of times an order was executed.
    pub(crate) fn executed(&self, order: &str) -> usize {
        self.state.lock().unwrap().executed.get(order).copied().unwrap_or_default()
    }

    pub(crate) fn most_in_flight(&self) -> usize {
        self.state.lock().unwrap().most_in_flight
    }

    /// Returns how many times the client has discarded its connections.
    pub(crate) fn discarded(&self) -> usize {
        self.state.lock().unwrap().discarded
    }

    fn receive(&self, url: &str, body: &[u8]) -> (String, String) {
        let opened = paytend().open(body, &Expected::request(PARTNER_ID)).unwrap();
        let payload: serde_json::Value = serde_json::from_str(opened.payload_text().unwrap()).unwrap();
        let names = ["orderNo", "cardId", "holderId"];
        let order = names.iter().find_map(|name| payload[name].as_str()).unwrap().to_owned();
        let path = url.rsplit('/').next().unwrap().to_owned();
        let document = String::from_utf8(body.to_vec()).unwrap();
        let received = Received { path: path.clone(), order: order.clone(), document, payload, at: Instant::now() };
        self.state.lock().unwrap().received.push(received);
        (path, order)
    }

    fn execute(&self, order: &str) {
        *self.state.lock().unwrap().executed.entry(order.to_owned()).or_default() += 1;
    }
}

fn signed(code: &str, data: &str) -> RawResponse {
    let fields = Fields::response(code, SECRET);
    RawResponse::new(200, paytend().seal(&Outgoing::new(&fields).payload(data)).unwrap().into_document().into_bytes())
}

/// Counts an exchange as in flight until the value is dropped.
struct InFlight<'p>(&'p Provider);

impl<'p> InFlight<'p> {
    fn new(provider: &'p Provider) -> Self {
        let mut state = provider.state.lock().unwrap();
        state.in_flight += 1;
        state.most_in_flight = state.most_in_flight.max(state.in_flight);
        Self(provider)
    }
}

impl Drop for InFlight<'_> {
    fn drop(&mut self) {
        self.0.state.lock().unwrap().in_flight -= 1;
    }
}

impl Transport for Provider {
    fn discard_connections(&self) {
        self.state.lock().unwrap().discarded += 1;
    }

    fn exchange(&self, request: HttpRequest) -> Exchange<'_> {
        Box::pin(async move {
            let _in_flight = InFlight::new(self);
            let listed = self.state.lock().unwrap().faults.pop_front();
            let chosen = || self.choose.lock().unwrap().as_ref().map_or(Fault::None, |choose| choose());
            let fault = listed.unwrap_or_else(chosen);
            let delay = *self.delay.lock().unwrap();
            tokio::time::sleep(delay / 2).await;
            if fault == Fault::Unsent {
                return Err(TransportError::new(TransportErrorKind::Broken));
            }
            let (url, body) = (request.url.clone(), request.body.into_bytes()?);
            let (path, order) = self.receive(&url, &body);
            let is_query = path == "getTopupResult";
            let executes = matches!(
                fault,
                Fault::None
                    | Fault::LoseResponse
                    | Fault::Hang
                    | Fault::RejectionOfAnother
                    | Fault::UnsignedUnknown
                    | Fault::Unreadable
            );
            if !is_query && executes {
                self.execute(&order);
            }
            tokio::time::sleep(delay / 2).await;
            match fault {
                Fault::LoseRequest | Fault::LoseResponse => Err(TransportError::new(TransportErrorKind::Broken)),
                Fault::Hang => pending().await,
                Fault::Reject | Fault::RejectionOfAnother => Ok(signed("1009", "")),
                Fault::Unreadable => Ok(signed("00", "")),
                Fault::Proxy => Ok(RawResponse::new(502, b"<html>".to_vec())),
                Fault::UnsignedUnknown => {
                    Ok(RawResponse::new(200, br#"{"respCode":"X1","respMsg":"no such order"}"#.to_vec()))
                }
                _ if is_query && self.executed(&order) == 0 => Ok(signed("X1", "")),
                _ if path == "lostCard" || path == "uploadDocument" => Ok(signed("00", "")),
                _ => Ok(signed("00", &format!(r#"{{"orderNo":"{order}","status":"2"}}"#))),
            }
        })
    }
}

/// A clock that follows Tokio's time, which the tests pause.
#[derive(Debug)]
struct TokioClock(Instant);

impl Clock for TokioClock {
    fn now(&self) -> Duration {
        self.0.elapsed()
    }

    fn sleep(&self, duration: Duration) -> Sleep {
        Box::pin(tokio::time::sleep(duration))
    }
}

/// An outbox that sends to the provider.
#[derive(Clone)]
pub(crate) struct World {
    pub(crate) provider: Arc<Provider>,
    pub(crate) outbox: Outbox<MemoryOutbox>,
    /// The number of seconds by which the store's clock is set back.
    pub(crate) set_back: Arc<AtomicU64>,
}

impl World {
    pub(crate) async fn new() -> Self {
        Self::with(Resolution::new().unknown_order_codes(["X1"])).await
    }

    pub(crate) async fn with(resolution: Resolution) -> Self {
        let provider = Arc::new(Provider::default());
        let keyring = Keyring::from_keys(&KEYS[0], KEYS[1].public_key()).unwrap();
        let client = Client::builder(Environment::BaseUrl("https://api.example.com".into()), PARTNER_ID, keyring)
            .transport(Arc::clone(&provider) as Arc<dyn Transport>)
            .clock(Arc::new(TokioClock(Instant::now())) as Arc<dyn Clock>)
            .resolution(resolution)
            .retry(RetryPolicy::never())
            .order_states(OrderStates::local_sandbox())
            .build()
            .unwrap();
        let start = Instant::now();
        let epoch = SystemTime::UNIX_EPOCH + Duration::from_secs(1_700_000_000);
        let set_back = Arc::new(AtomicU64::new(0));
        let seconds = Arc::clone(&set_back);
        let store = MemoryOutbox::with_clock(move || {
            epoch + start.elapsed() - Duration::from_secs(seconds.load(Ordering::SeqCst))
        });
        let outbox = Outbox::open(store, StoreKeys::generate().unwrap(), client).await.unwrap();
        Self { provider, outbox, set_back }
    }

    /// Creates a dispatcher whose handlers record the outcome of each order.
    pub(crate) fn dispatcher(&self) -> DispatcherBuilder<MemoryOutbox> {
        Dispatcher::builder(self.outbox.clone())
            .on::<Topup, _, _>(async |ended| record(ended.number(), ended.sends(), &shown(ended.ending())))
            .on_without_query::<ReportLoss, _, _>(async |ended| {
                record(ended.number(), ended.sends(), &shown(ended.ending()))
            })
            .on_without_query::<UploadDocument, _, _>(async |ended| {
                let line = format!("{} with {:?}", shown(ended.ending()), ended.order().file_content);
                record(ended.number(), ended.sends(), &line)
            })
    }

    pub(crate) fn start(&self, dispatcher: DispatcherBuilder<MemoryOutbox>) -> tokio::task::JoinHandle<()> {
        let dispatcher = dispatcher.build();
        tokio::spawn(async move {
            dispatcher.run(pending()).await;
        })
    }

    pub(crate) async fn entry(&self, number: &str) -> OrderEntry {
        self.outbox.store().show_order(number.into(), None).await.unwrap().unwrap()
    }

    pub(crate) async fn state(&self, number: &str) -> paytend_outbox::State {
        self.entry(number).await.progress.state
    }

    /// Waits until an order is completed or is waiting for an operator. Returns its progress.
    pub(crate) async fn settled(&self, number: &str) -> paytend_outbox::Progress {
        let deadline = Instant::now() + Duration::from_secs(5 * 24 * 3600);
        loop {
            let progress = self.entry(number).await.progress;
            if progress.due_at.is_none() {
                return progress;
            }
            assert!(Instant::now() < deadline, "the order was not completed in time: {progress:?}");
            tokio::time::sleep(Duration::from_millis(100)).await;
        }
    }

    pub(crate) fn recorded(&self) -> Vec<String> {
        self.outbox.store().recorded()
    }
}

pub(crate) fn shown<R, F>(ending: &Ending<R, F>) -> String {
    match ending {
        Ending::Responded { state, .. } => format!("responded {state}"),
        Ending::Found { state, .. } => format!("found {state}"),
        Ending::Rejected { code, .. } => format!("rejected {}", code.as_deref().unwrap_or("-")),
        Ending::Notified => "notified".into(),
        Ending::Decided(decision) => format!("decided {decision}"),
        _ => "unexpected".into(),
    }
}

/// Returns a completion whose effect records the outcome of an order.
pub(crate) fn record(number: &str, sends: u32, ending: &str) -> Result<Completion<MemoryOutboxEffect>, HandlerError> {
    let line = format!("{number}: {ending} after {sends}");
    let effect: MemoryOutboxEffect = Box::new(move |transaction: &mut OutboxTransaction| {
        transaction.record(line);
        Ok(())
    });
    Ok(Completion::with_effect(effect))
}

pub(crate) fn topup(number: &str) -> Topup {
    Topup::builder().card_id("7").order_no(number).amount("1.00".parse().unwrap()).currency("EUR").build()
}
