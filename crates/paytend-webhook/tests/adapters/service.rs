//! Tests for the tower and hyper service, called directly, with handlers that are services.

use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::Duration;

use bytes::Bytes;
use http::Request;
use http_body_util::Full;
use paytend_webhook::service::Notifications;
use paytend_webhook::{PaytendReceiver, Receiver, Reply, Verified};
use tokio::sync::{mpsc, watch};
use tower_service::Service;

use crate::support::{paytend, sealed};

type Notification = <PaytendReceiver as Receiver>::Notification;

/// The behaviour of a handler's `poll_ready`.
#[derive(Clone)]
enum Ready {
    Waits(watch::Receiver<bool>, mpsc::UnboundedSender<()>),
    Fails,
    Panics,
}

#[derive(Clone)]
struct Handler(Ready, Arc<std::sync::Mutex<Option<tokio::task::JoinHandle<()>>>>);

impl Handler {
    fn new(ready: Ready) -> Self {
        Self(ready, Arc::default())
    }
}

impl Service<Verified<Notification>> for Handler {
    type Response = Reply;
    type Error = &'static str;
    type Future = std::future::Ready<Result<Reply, &'static str>>;

    fn poll_ready(&mut self, context: &mut Context<'_>) -> Poll<Result<(), &'static str>> {
        match &self.0 {
            Ready::Fails => Poll::Ready(Err("not ready")),
            Ready::Panics => panic!("intended by the test"),
            Ready::Waits(may_continue, begun) => {
                if *may_continue.borrow() {
                    return Poll::Ready(Ok(()));
                }
                // Spawn a task that wakes the current task when the test lets the handler continue.
                let (mut may_continue, waker) = (may_continue.clone(), context.waker().clone());
                *self.1.lock().unwrap() = Some(tokio::spawn(async move {
                    let _ = may_continue.wait_for(|may| *may).await;
                    waker.wake();
                }));
                let _ = begun.send(());
                Poll::Pending
            }
        }
    }

    fn call(&mut self, _: Verified<Notification>) -> Self::Future {
        std::future::ready(Ok(Reply::Accepted))
    }
}

fn request() -> Request<Full<Bytes>> {
    Request::post("/").body(Full::new(sealed("{}").into())).unwrap()
}

#[tokio::test]
async fn handler_error_is_returned_by_the_service() {
    let mut service = Notifications::new(paytend(), Handler::new(Ready::Fails));
    assert_eq!(service.call(request()).await.unwrap_err(), "not ready");
}

#[tokio::test]
async fn panic_in_poll_ready_returns_503() {
    let mut service = Notifications::new(paytend(), Handler::new(Ready::Panics));
    assert_eq!(service.call(request()).await.unwrap().status(), 503);
}

#[tokio::test]
async fn handler_runs_when_ready_even_if_the_sender_has_disconnected() {
    let (release, may_continue) = watch::channel(false);
    let (begun, mut begins) = mpsc::unbounded_channel();
    let endpoint = paytend();
    let mut service = Notifications::new(endpoint.clone(), Handler::new(Ready::Waits(may_continue, begun)));
    let sender = tokio::spawn(service.call(request()));
    begins.recv().await.unwrap();
    sender.abort();
    assert!(sender.await.unwrap_err().is_cancelled());
    assert_eq!(endpoint.running_handlers(), 1);
    release.send(true).unwrap();
    tokio::time::timeout(Duration::from_secs(20), endpoint.idle()).await.unwrap();
}
