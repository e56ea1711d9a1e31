//! Receivers with the keys from the test vectors, and a receiver that blocks until it is released.

use std::sync::{Arc, Condvar, Mutex};
use std::time::{Duration, SystemTime};

use http::HeaderMap;
use paytend_crypto::{Keyring, PrivateKey, rustcrypto};
use paytend_model::{Content, Notification, Product};
use paytend_vectors::PARTNER_ID;
use paytend_webhook::server::Endpoint;
use paytend_webhook::testing::PaytendSender;
use paytend_webhook::{
    KeyUsage, PayByReceiver, PayerMaxReceiver, PaytendReceiver, Provider, Receiver, Rejection, Verified,
};
use tokio::sync::mpsc;

pub(crate) fn private(name: &str) -> PrivateKey {
    PrivateKey::from_bytes(&paytend_vectors::keys()[name].private).unwrap()
}

pub(crate) fn paytend() -> Endpoint<PaytendReceiver> {
    let keyring = Keyring::from_keys(&private("partner"), private("paytend").public_key()).unwrap();
    Endpoint::new(PaytendReceiver::new(Product::Baas, PARTNER_ID, keyring))
}

pub(crate) fn payby() -> Endpoint<PayByReceiver> {
    let key = rustcrypto::public(private("payby").public_key()).unwrap();
    Endpoint::new(PayByReceiver::new([key]).unwrap()).clock(|| at(1_586_849_300_000))
}

pub(crate) fn payermax() -> Endpoint<PayerMaxReceiver> {
    let key = rustcrypto::public(private("payermax").public_key()).unwrap();
    let receiver = PayerMaxReceiver::new([("P01010113842047", key)]).unwrap();
    Endpoint::new(receiver).clock(|| at(1_670_837_217_628))
}

fn at(millis: u64) -> SystemTime {
    SystemTime::UNIX_EPOCH + Duration::from_millis(millis)
}

/// Returns a sealed notification as Paytend would send it.
pub(crate) fn sealed(content: &str) -> Vec<u8> {
    let sender = PaytendSender::new(PARTNER_ID, &private("paytend"), private("partner").public_key()).unwrap();
    sender.raw("2", content).unwrap().into_body().into()
}

/// A receiver that reports when it has started, and blocks until it is released.
#[derive(Clone)]
pub(crate) struct BlockingReceiver {
    inner: PaytendReceiver,
    started: mpsc::UnboundedSender<()>,
    may_continue: Arc<(Mutex<bool>, Condvar)>,
}

impl BlockingReceiver {
    pub(crate) fn new() -> (Self, mpsc::UnboundedReceiver<()>) {
        let (started, receiver) = mpsc::unbounded_channel();
        (Self { inner: paytend().receiver().clone(), started, may_continue: Arc::default() }, receiver)
    }

    pub(crate) fn with_max_bytes(mut self, bytes: usize) -> Self {
        self.inner = self.inner.with_max_bytes(bytes);
        self
    }

    pub(crate) fn release(&self) {
        *self.may_continue.0.lock().unwrap() = true;
        self.may_continue.1.notify_all();
    }
}

impl Receiver for BlockingReceiver {
    type Notification = Content<Notification>;

    fn provider(&self) -> Provider {
        self.inner.provider()
    }

    fn max_bytes(&self) -> usize {
        self.inner.max_bytes()
    }

    fn key_usage(&self) -> Vec<KeyUsage> {
        self.inner.key_usage()
    }

    fn receive(
        &self,
        headers: &HeaderMap,
        body: &[u8],
        now: SystemTime,
    ) -> Result<Verified<Self::Notification>, Rejection> {
        self.started.send(()).unwrap();
        // A failing test must not wait for this thread forever.
        let timeout = Duration::from_secs(30);
        let waiting = self.may_continue.0.lock().unwrap();
        drop(self.may_continue.1.wait_timeout_while(waiting, timeout, |may| !*may).unwrap());
        self.inner.receive(headers, body, now)
    }
}
