//! Helpers that create notifications, and an inbox whose clock can be paused.

use std::future::Future;
use std::sync::{Arc, Mutex};
use std::time::{Duration, SystemTime};

use http::HeaderMap;
use paytend_crypto::{Keyring, PrivateKey};
use paytend_inbox::{Entry, Inbox, MemoryStore, Query, State, Store as _, StoreAdmin as _, StoreKeys};
use paytend_model::{Content, Notification, Product};
use paytend_vectors::PARTNER_ID;
use paytend_webhook::testing::PaytendSender;
use paytend_webhook::{PaytendReceiver, Receiver as _, Verified};

pub(crate) type Paytend = Verified<Content<Notification>>;

fn private(name: &str) -> PrivateKey {
    PrivateKey::from_bytes(&paytend_vectors::keys()[name].private).unwrap()
}

pub(crate) fn sender() -> PaytendSender {
    PaytendSender::new(PARTNER_ID, &private("paytend"), private("partner").public_key()).unwrap()
}

pub(crate) fn receiver(product: Product) -> PaytendReceiver {
    let keyring = Keyring::from_keys(&private("partner"), private("paytend").public_key()).unwrap();
    PaytendReceiver::new(product, PARTNER_ID, keyring)
}

/// Returns a verified BaaS Core notification.
pub(crate) fn notification(notify_type: &str, content: &str) -> Paytend {
    let request = sender().raw(notify_type, content).unwrap();
    receiver(Product::Baas).receive(&HeaderMap::new(), request.body(), SystemTime::now()).unwrap()
}

/// Returns a deposit with this order number.
pub(crate) fn deposit(order_no: &str) -> Paytend {
    notification("2", &format!(r#"{{"orderNo":"{order_no}","amount":25.00,"currency":"EUR","tradeStatus":"2"}}"#))
}

/// Returns an inbox that uses the Tokio runtime's clock, which the tests pause.
pub(crate) async fn inbox() -> Inbox<MemoryStore> {
    let (start, epoch) = (tokio::time::Instant::now(), SystemTime::now());
    let store = MemoryStore::with_clock(move || epoch + start.elapsed());
    Inbox::open(store, StoreKeys::generate().unwrap()).await.unwrap()
}

pub(crate) async fn entries(inbox: &Inbox<MemoryStore>) -> Vec<Entry> {
    inbox.store().list(Query { limit: 1000, ..Query::default() }).await.unwrap()
}

/// Waits until the only notification in the store has this state, and returns it.
pub(crate) async fn until_state(inbox: &Inbox<MemoryStore>, state: State) -> Entry {
    until(|| async { entries(inbox).await.into_iter().find(|entry| entry.state == state) }).await
}

/// Polls until `poll` returns a value. With a paused clock, the pauses take no time.
pub(crate) async fn until<T, F: Future<Output = Option<T>>>(poll: impl Fn() -> F) -> T {
    let polling = async {
        loop {
            if let Some(value) = poll().await {
                return value;
            }
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    };
    tokio::time::timeout(Duration::from_secs(100 * 24 * 3600), polling).await.expect("the deadline has not passed")
}

/// A list to which handlers append entries.
#[derive(Clone, Default)]
pub(crate) struct Log(Arc<Mutex<Vec<String>>>);

impl Log {
    pub(crate) fn add(&self, line: impl Into<String>) {
        self.0.lock().unwrap().push(line.into());
    }

    pub(crate) fn lines(&self) -> Vec<String> {
        self.0.lock().unwrap().clone()
    }

    pub(crate) fn len(&self) -> usize {
        self.0.lock().unwrap().len()
    }
}

/// Claims notifications without releasing them, as if the process had died.
pub(crate) async fn claim_and_forget(inbox: &Inbox<MemoryStore>, lease: Duration) {
    let request = paytend_inbox::ClaimRequest { limit: 1, lease, holder: 9, kind_limits: Vec::new() };
    assert_eq!(inbox.store().claim(request).await.unwrap().len(), 1);
}
