//! Tests for handlers on every adapter, when the sender disconnects and when the handler panics.

use std::collections::HashSet;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use paytend_webhook::server::{Budget, Endpoint};
use paytend_webhook::{DedupKey, PaytendReceiver, Receiver, Reply};
use tokio::sync::{mpsc, watch};

use crate::client::{ACCEPTED, Client, LATER};
use crate::endpoint::pieces;
use crate::raw::{Connection, head};
use crate::servers::{Handler, Server};
use crate::support::{paytend, sealed};

type Notification = <PaytendReceiver as Receiver>::Notification;

const TIMEOUT: Duration = Duration::from_secs(20);

/// A handler that stores the dedup key, waits for permission, and then applies the effect. A handler that is dropped
/// between these two steps loses the notification.
struct Ledger {
    keys: Mutex<HashSet<DedupKey>>,
    effects: Mutex<HashSet<DedupKey>>,
    begun: mpsc::UnboundedSender<()>,
    ended: mpsc::UnboundedSender<&'static str>,
    may_continue: watch::Receiver<bool>,
}

/// A guard that records how a handler ended.
struct Ending(Arc<Ledger>, &'static str);

impl Drop for Ending {
    fn drop(&mut self) {
        let _ = self.0.ended.send(self.1);
    }
}

impl Ledger {
    fn handler(self: &Arc<Self>) -> Handler<Notification> {
        let ledger = Arc::clone(self);
        Arc::new(move |verified| {
            let ledger = Arc::clone(&ledger);
            Box::pin(async move {
                let key = verified.dedup_key();
                if !ledger.keys.lock().unwrap().insert(key) {
                    return Reply::Duplicate;
                }
                let mut ending = Ending(Arc::clone(&ledger), "dropped");
                ledger.begun.send(()).unwrap();
                ledger.may_continue.clone().wait_for(|may| *may).await.unwrap();
                ledger.effects.lock().unwrap().insert(key);
                ending.1 = "returned";
                Reply::Accepted
            })
        })
    }
}

async fn next<T>(receiver: &mut mpsc::UnboundedReceiver<T>) -> T {
    tokio::time::timeout(TIMEOUT, receiver.recv()).await.expect("in time").unwrap()
}

pub(crate) async fn handler_runs_to_completion_when_the_sender_disconnects(server: Server) {
    let (release, may_continue) = watch::channel(false);
    let ((begun, mut begins), (ended, mut ends)) = (mpsc::unbounded_channel(), mpsc::unbounded_channel());
    let ledger = Arc::new(Ledger { keys: Mutex::default(), effects: Mutex::default(), begun, ended, may_continue });
    let endpoint = paytend();
    let address = server.serve(endpoint.clone(), ledger.handler()).await;
    let content = |order: usize| format!(r#"{{"orderNo":"F{order}"}}"#);

    // The first connection is closed, the second is reset, and the third cancels its HTTP/2 stream.
    for order in 0..2 {
        let body = sealed(&content(order));
        let mut connection = Connection::to(address).await;
        connection.send(head("POST", &format!("Content-Length: {}\r\n", body.len()))).await;
        connection.send(&body).await;
        next(&mut begins).await;
        if order == 0 { drop(connection) } else { connection.reset() }
    }
    let http2 = Client::with(address, reqwest::Client::builder().http2_prior_knowledge());
    let sending = tokio::spawn(http2.post().body(sealed(&content(2))).send());
    next(&mut begins).await;
    sending.abort();
    assert!(sending.await.unwrap_err().is_cancelled());

    // Deliver each notification again several times, so that the server has time to notice the closed connections.
    let client = Client::new(address);
    for order in (0..3).cycle().take(30) {
        client.send(sealed(&content(order))).await.expect(200, ACCEPTED, "delivered again");
        http2.send(sealed(&content(order))).await.expect(200, ACCEPTED, "delivered again");
    }
    assert_eq!(ends.try_recv().ok(), None, "a handler ended too early");
    assert_eq!(endpoint.running_handlers(), 3);
    assert!(tokio::time::timeout(Duration::ZERO, endpoint.idle()).await.is_err(), "handlers are running");

    release.send(true).unwrap();
    tokio::time::timeout(TIMEOUT, endpoint.idle()).await.expect("handlers end");
    for _ in 0..3 {
        assert_eq!(next(&mut ends).await, "returned");
    }
    assert_eq!(*ledger.effects.lock().unwrap(), *ledger.keys.lock().unwrap());
    assert_eq!((ledger.effects.lock().unwrap().len(), endpoint.running_handlers()), (3, 0));
}

pub(crate) async fn handler_that_panics_is_not_acknowledged(server: Server) {
    // The budget has a single slot, which must be released after each panic.
    let endpoint = paytend().listed_budget(Budget::new().max_concurrent(1).max_waiting(0));
    let calls = Arc::new(AtomicUsize::new(0));
    let handler: Handler<Notification> = Arc::new({
        let calls = Arc::clone(&calls);
        move |verified| match calls.fetch_add(1, Ordering::SeqCst) {
            0 => panic!("intended by the test, before the future exists"),
            1 => Box::pin(async move {
                tokio::task::yield_now().await;
                panic!("intended by the test, with {}", verified.dedup_key())
            }),
            _ => Box::pin(std::future::ready(Reply::Accepted)),
        }
    });
    let client = Client::new(server.serve(endpoint.clone(), handler).await);
    for _ in 0..2 {
        let response = client.send(sealed("{}")).await;
        response.expect(503, LATER, "the handler panicked");
        assert_eq!(response.headers["retry-after"], "60");
        assert_eq!(endpoint.running_handlers(), 0);
    }
    client.send(sealed("{}")).await.expect(200, ACCEPTED, "the handler did not panic");
    assert_eq!(calls.load(Ordering::SeqCst), 3);
}

/// The slot in the budget is held until the handler has ended, even if no caller waits for it and the notification was
/// dropped long before that.
#[tokio::test]
async fn handler_holds_its_slot_until_it_ends() {
    let endpoint = paytend().listed_budget(Budget::new().max_concurrent(1).max_waiting(0));
    let receive = async |endpoint: &Endpoint<_>| {
        let (method, headers) = (http::Method::POST, http::HeaderMap::new());
        endpoint.receive(&method, &headers, None, pieces(vec![sealed("{}")])).await
    };
    let (release, may_continue) = watch::channel(false);
    let (begun, mut begins) = mpsc::unbounded_channel();
    let verified = receive(&endpoint).await.unwrap();
    let waiting = tokio::spawn({
        let endpoint = endpoint.clone();
        async move {
            let handling = endpoint.handle(verified, async move |verified| {
                drop(verified.into_notification());
                begun.send(()).unwrap();
                may_continue.clone().wait_for(|may| *may).await.unwrap();
                Reply::Accepted
            });
            handling.await
        }
    });
    next(&mut begins).await;
    waiting.abort();
    assert!(waiting.await.unwrap_err().is_cancelled());
    assert_eq!(receive(&endpoint).await.unwrap_err().reason(), &paytend_webhook::Reason::Overloaded);
    assert_eq!(endpoint.running_handlers(), 1);
    release.send(true).unwrap();
    tokio::time::timeout(TIMEOUT, endpoint.idle()).await.unwrap();
    assert!(receive(&endpoint).await.is_ok());
}

#[tokio::test]
async fn handler_dropped_before_its_first_poll_does_not_start() {
    let endpoint = paytend();
    let (method, headers) = (http::Method::POST, http::HeaderMap::new());
    let verified = endpoint.receive(&method, &headers, None, pieces(vec![sealed("{}")])).await.unwrap();
    drop(endpoint.handle(verified, async |_| panic!("the handler started")));
    assert_eq!(endpoint.running_handlers(), 0);
    endpoint.idle().await;
}
