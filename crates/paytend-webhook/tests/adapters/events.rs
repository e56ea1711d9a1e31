//! What an operator reads in the log.

use std::io::Write;
use std::sync::{Arc, Mutex};

use http::{HeaderMap, HeaderValue, Method};
use paytend_webhook::{Gate, Reply, Sources};
use tracing::Instrument;

use crate::endpoint::pieces;
use crate::support::{payby, paytend, sealed};

/// All events of this thread, as text, until it is dropped.
struct Log(Arc<Mutex<Vec<u8>>>, #[allow(dead_code)] tracing::subscriber::DefaultGuard);

impl Log {
    fn new() -> Self {
        let text = Arc::new(Mutex::new(Vec::new()));
        let writer = Writer(Arc::clone(&text));
        let subscriber = tracing_subscriber::fmt().with_ansi(false).with_writer(move || writer.clone()).finish();
        Self(text, tracing::subscriber::set_default(subscriber))
    }

    /// The events since the last call.
    fn take(&self) -> String {
        String::from_utf8(std::mem::take(&mut *self.0.lock().unwrap())).unwrap()
    }
}

#[derive(Clone)]
struct Writer(Arc<Mutex<Vec<u8>>>);

impl Write for Writer {
    fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
        self.0.lock().unwrap().write(bytes)
    }

    fn flush(&mut self) -> std::io::Result<()> {
        Ok(())
    }
}

#[tokio::test]
async fn rejections_are_warned_of_with_what_was_received() {
    let log = Log::new();
    let peer = Some("203.0.113.7".parse().unwrap());
    let gzip = HeaderMap::from_iter([("content-encoding".parse().unwrap(), HeaderValue::from_static("gzip"))]);
    let html = HeaderMap::from_iter([("content-type".parse().unwrap(), HeaderValue::from_static("text/html"))]);
    let (none, listed) = (HeaderMap::new(), Gate::new().sources(Sources::new().only_listed()));
    for (gate, method, headers, body, expected) in [
        (Gate::new(), Method::POST, &gzip, "", r#"the Content-Encoding is "gzip""#),
        (Gate::new().require_json(), Method::POST, &html, "", r#"the Content-Type is "text/html""#),
        (Gate::new(), Method::GET, &none, "", r#"the method is "GET""#),
        (listed, Method::POST, &none, "", "the source address 203.0.113.7 is not on the list"),
        (Gate::new(), Method::POST, &none, "CANARY", "there is no signature in a sign header"),
    ] {
        let endpoint = payby().gate(gate);
        let body = pieces(vec![body.as_bytes().to_vec()]);
        let refused = endpoint.receive(&method, headers, peer, body).await.map(drop).unwrap_err();
        let events = log.take();
        assert!(events.contains("WARN") && events.contains(expected), "{events}");
        assert!(events.contains("provider=PayBy") && events.contains("address=203.0.113.7"), "{events}");
        assert!(!events.contains("CANARY") && refused.to_string().contains(expected), "{events} {refused}");
    }
}

#[tokio::test]
async fn panic_of_a_handler_is_reported_without_its_text() {
    let log = Log::new();
    let endpoint = paytend();
    let receive = async || {
        let body = pieces(vec![sealed(r#"{"orderNo":"CANARY"}"#)]);
        endpoint.receive(&Method::POST, &HeaderMap::new(), None, body).await.unwrap()
    };
    let verified = receive().await;
    let key = verified.dedup_key().to_string();
    let answer = endpoint.handle(verified, async |verified| panic!("CANARY {}", verified.content_text())).await;
    assert_eq!(answer.response().status(), 503);
    let events = log.take();
    assert!(events.contains("ERROR") && events.contains("the handler panicked"), "{events}");
    assert!(events.contains("provider=Paytend") && events.contains(&format!("dedup_key={key}")), "{events}");
    assert!(!events.contains("CANARY"), "{events}");

    let answer = endpoint.handle(receive().await, async |_| Reply::Accepted).await;
    assert_eq!(answer.response().status(), 200);
    assert_eq!(log.take(), "", "nothing to report");
}

/// A handler that the runtime's end drops is reported, and not acknowledged.
#[test]
fn shutdown_of_the_runtime_reports_unfinished_handlers() {
    let log = Log::new();
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    let endpoint = paytend();
    runtime.block_on(async {
        let body = pieces(vec![sealed("{}")]);
        let verified = endpoint.receive(&Method::POST, &HeaderMap::new(), None, body).await.unwrap();
        let (begun, begins) = tokio::sync::oneshot::channel();
        let handling = endpoint.handle(verified, async move |_| {
            begun.send(()).unwrap();
            std::future::pending().await
        });
        tokio::select! {
            _ = handling => panic!("it never ends"),
            begun = begins => begun.unwrap(),
        }
    });
    assert_eq!((endpoint.running_handlers(), log.take().as_str()), (1, ""));
    drop(runtime);
    assert!(log.take().contains("the runtime was shut down before the handler ended"));
    assert_eq!(endpoint.running_handlers(), 0);
}

#[tokio::test]
async fn handler_is_in_the_span_of_its_request() {
    let log = Log::new();
    let endpoint = paytend();
    let request = async {
        let body = pieces(vec![sealed("{}")]);
        let verified = endpoint.receive(&Method::POST, &HeaderMap::new(), None, body).await.unwrap();
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
