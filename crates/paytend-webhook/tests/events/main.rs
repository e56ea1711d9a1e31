//! Tests for the `tracing` events. They need a separate binary, because the subscriber must be installed first.

// Tests may panic, so they use `unwrap` and `expect`.
#![allow(clippy::unwrap_used, clippy::expect_used)]

use std::cell::RefCell;
use std::convert::Infallible;
use std::io::Write;
use std::sync::Once;

use bytes::Bytes;
use futures_core::Stream;
use http::{HeaderMap, HeaderValue, Method, Request};
use http_body_util::Full;
use paytend_crypto::{Keyring, PrivateKey, rustcrypto};
use paytend_model::Product;
use paytend_vectors::PARTNER_ID;
use paytend_webhook::server::Endpoint;
use paytend_webhook::service::Notifications;
use paytend_webhook::testing::PaytendSender;
use paytend_webhook::{PayByReceiver, PaytendReceiver, Receiver, Reply, RequestFilter, Sources, Verified};
use tower_service::Service;
use tracing::Instrument;

thread_local! {
    static TEXT: RefCell<Vec<u8>> = const { RefCell::new(Vec::new()) };
}

/// The events logged on this thread, as text. Each test runs on its own thread, together with all its tasks.
struct Log;

impl Log {
    fn new() -> Self {
        static SUBSCRIBED: Once = Once::new();
        SUBSCRIBED.call_once(|| {
            tracing_subscriber::fmt().with_ansi(false).with_writer(|| Writer).init();
        });
        TEXT.take();
        Self
    }

    /// Returns the events since the last call.
    fn take(&self) -> String {
        String::from_utf8(TEXT.take()).unwrap()
    }
}

struct Writer;

impl Write for Writer {
    fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
        TEXT.with_borrow_mut(|text| text.write(bytes))
    }

    fn flush(&mut self) -> std::io::Result<()> {
        Ok(())
    }
}

fn private(name: &str) -> PrivateKey {
    PrivateKey::from_bytes(&paytend_vectors::keys()[name].private).unwrap()
}

fn paytend() -> Endpoint<PaytendReceiver> {
    let keyring = Keyring::from_keys(&private("partner"), private("paytend").public_key()).unwrap();
    Endpoint::new(PaytendReceiver::new(Product::Baas, PARTNER_ID, keyring))
}

fn payby() -> Endpoint<PayByReceiver> {
    Endpoint::new(PayByReceiver::new([rustcrypto::public(private("payby").public_key()).unwrap()]).unwrap())
}

fn sealed(content: &str) -> Bytes {
    let sender = PaytendSender::new(PARTNER_ID, &private("paytend"), private("partner").public_key()).unwrap();
    sender.raw("2", content).unwrap().into_body()
}

fn stream(body: impl Into<Bytes>) -> impl Stream<Item = Result<Bytes, Infallible>> {
    futures_util::stream::iter([Ok(body.into())])
}

async fn receive(
    endpoint: &Endpoint<PaytendReceiver>,
    content: &str,
) -> Verified<<PaytendReceiver as Receiver>::Notification> {
    endpoint.receive(&Method::POST, &HeaderMap::new(), None, stream(sealed(content))).await.unwrap()
}

#[tokio::test]
async fn rejections_are_logged_with_the_received_values() {
    let log = Log::new();
    let peer = Some("203.0.113.7".parse().unwrap());
    let gzip = HeaderMap::from_iter([("content-encoding".parse().unwrap(), HeaderValue::from_static("gzip"))]);
    let html = HeaderMap::from_iter([("content-type".parse().unwrap(), HeaderValue::from_static("text/html"))]);
    let (none, listed) = (HeaderMap::new(), RequestFilter::new().sources(Sources::new().only_listed()));
    for (filter, method, headers, body, expected) in [
        (RequestFilter::new(), Method::POST, &gzip, "", r#"the Content-Encoding is "gzip""#),
        (RequestFilter::new().require_json(), Method::POST, &html, "", r#"the Content-Type is "text/html""#),
        (RequestFilter::new(), Method::GET, &none, "", r#"the method is "GET""#),
        (listed, Method::POST, &none, "", "the source address 203.0.113.7 is not on the list"),
        (RequestFilter::new(), Method::POST, &none, "CANARY", "no signature in the sign header"),
    ] {
        let endpoint = payby().filter(filter);
        let refused = endpoint.receive(&method, headers, peer, stream(body)).await.map(drop).unwrap_err();
        let events = log.take();
        assert!(events.contains("WARN") && events.contains(expected), "{events}");
        assert!(events.contains("provider=PayBy") && events.contains("address=203.0.113.7"), "{events}");
        assert!(!events.contains("CANARY") && refused.to_string().contains(expected), "{events} {refused}");
    }
}

#[tokio::test]
async fn handler_panic_is_logged_without_its_message() {
    let log = Log::new();
    let endpoint = paytend();
    let content = r#"{"orderNo":"CANARY"}"#;
    let verified = receive(&endpoint, content).await;
    let key = verified.dedup_key().to_string();
    let response =
        endpoint.handle(verified, async |verified| panic!("CANARY {:?}", verified.into_notification())).await;
    assert_eq!(response.to_http().status(), 503);
    let events = log.take();
    assert!(events.contains("ERROR") && events.contains("the handler panicked"), "{events}");
    assert!(events.contains("provider=Paytend") && events.contains(&format!("dedup_key={key}")), "{events}");
    assert!(!events.contains("CANARY"), "{events}");

    let response = endpoint.handle(receive(&endpoint, content).await, async |_| Reply::Accepted).await;
    assert_eq!(response.to_http().status(), 200);
    assert_eq!(log.take(), "", "no events");
}

/// A handler that is dropped at runtime shutdown is reported, and the notification is not acknowledged.
#[test]
fn unfinished_handlers_are_logged_at_runtime_shutdown() {
    let log = Log::new();
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    let endpoint = paytend();
    runtime.block_on(async {
        let verified = receive(&endpoint, "{}").await;
        let (begun, begins) = tokio::sync::oneshot::channel();
        let handling = endpoint.handle(verified, async move |_| {
            begun.send(()).unwrap();
            std::future::pending().await
        });
        tokio::select! {
            _ = handling => panic!("the handler never ends"),
            begun = begins => begun.unwrap(),
        }
    });
    assert_eq!((endpoint.running_handlers(), log.take().as_str()), (1, ""));
    drop(runtime);
    assert!(log.take().contains("the runtime was shut down before the handler ended"));
    assert_eq!(endpoint.running_handlers(), 0);
}

#[tokio::test]
async fn handler_runs_in_the_span_of_its_request() {
    let log = Log::new();
    let endpoint = paytend();
    let request = async {
        let verified = receive(&endpoint, "{}").await;
        let handled = endpoint.handle(verified, async |_| {
            tracing::info!("handling");
            Reply::Accepted
        });
        handled.await
    };
    request.instrument(tracing::info_span!("request", number = 7)).await;
    let events = log.take();
    assert!(events.contains("request{number=7}") && events.contains("handling"), "{events}");
}

#[tokio::test]
async fn handler_error_is_logged_without_its_message() {
    #[derive(Clone)]
    struct Fails;
    impl<N> Service<Verified<N>> for Fails {
        type Response = Reply;
        type Error = &'static str;
        type Future = std::future::Ready<Result<Reply, &'static str>>;
        fn poll_ready(&mut self, _: &mut std::task::Context<'_>) -> std::task::Poll<Result<(), &'static str>> {
            std::task::Poll::Ready(Ok(()))
        }
        fn call(&mut self, _: Verified<N>) -> Self::Future {
            std::future::ready(Err("CANARY"))
        }
    }
    let log = Log::new();
    let request = Request::post("/").body(Full::new(sealed("{}"))).unwrap();
    assert_eq!(Notifications::new(paytend(), Fails).call(request).await.unwrap_err(), "CANARY");
    let events = log.take();
    assert!(events.contains("ERROR") && events.contains("the handler returned an error"), "{events}");
    assert!(!events.contains("CANARY"), "{events}");
}
