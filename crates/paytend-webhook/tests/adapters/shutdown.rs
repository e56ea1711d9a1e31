//! Tests that the endpoint waits at shutdown for handlers whose sender has disconnected. The server does not wait for
//! them.

use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use paytend_webhook::Reply;
use tokio::sync::{mpsc, oneshot, watch};

use crate::raw::{Connection, head};
use crate::support::{paytend, sealed};

const TIMEOUT: Duration = Duration::from_secs(20);

/// A handler that waits for permission to continue, and records its state.
struct Slow {
    begun: mpsc::UnboundedSender<()>,
    may_continue: watch::Receiver<bool>,
    ended: AtomicBool,
}

impl Slow {
    async fn handle(&self) -> Reply {
        self.begun.send(()).unwrap();
        self.may_continue.clone().wait_for(|may| *may).await.unwrap();
        self.ended.store(true, Ordering::SeqCst);
        Reply::Accepted
    }
}

fn slow() -> (Arc<Slow>, mpsc::UnboundedReceiver<()>, watch::Sender<bool>) {
    let ((begun, begins), (release, may_continue)) = (mpsc::unbounded_channel(), watch::channel(false));
    (Arc::new(Slow { begun, may_continue, ended: AtomicBool::new(false) }), begins, release)
}

/// Sends a notification, and aborts the connection when the handler has started.
async fn send_and_abort(address: SocketAddr, begins: &mut mpsc::UnboundedReceiver<()>) {
    let body = sealed("{}");
    let mut connection = Connection::to(address).await;
    connection.send(head("POST", &format!("Content-Length: {}\r\n", body.len()))).await;
    connection.send(&body).await;
    tokio::time::timeout(TIMEOUT, begins.recv()).await.unwrap().unwrap();
    connection.reset();
}

#[tokio::test]
async fn endpoint_waits_for_handlers_after_axum_has_stopped() {
    let (slow, mut begins, release) = slow();
    let endpoint = paytend();
    let route = paytend_webhook::axum::route(endpoint.clone(), {
        let slow = Arc::clone(&slow);
        move |_| {
            let slow = Arc::clone(&slow);
            async move { slow.handle().await }
        }
    });
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    let (stop, stopped) = oneshot::channel::<()>();
    let server = ::axum::serve(listener, ::axum::Router::new().route("/", route));
    let server = server.with_graceful_shutdown(async move { stopped.await.unwrap() });
    let server = tokio::spawn(server.into_future());
    send_and_abort(address, &mut begins).await;
    stop.send(()).unwrap();
    tokio::time::timeout(TIMEOUT, server).await.unwrap().unwrap().unwrap();
    assert_eq!((endpoint.running_handlers(), slow.ended.load(Ordering::SeqCst)), (1, false));
    release.send(true).unwrap();
    tokio::time::timeout(TIMEOUT, endpoint.idle()).await.unwrap();
    assert!(slow.ended.load(Ordering::SeqCst));
}

/// With actix-web, `Endpoint::idle` is awaited before the server stops, because the handlers end with the workers.
#[tokio::test]
async fn endpoint_waits_for_handlers_before_actix_stops() {
    let (slow, mut begins, release) = slow();
    let endpoint = paytend();
    let (handled, served) = (Arc::clone(&slow), endpoint.clone());
    let server = ::actix_web::HttpServer::new(move || {
        let slow = Arc::clone(&handled);
        let resource = paytend_webhook::actix_web::resource("/", served.clone(), move |_| {
            let slow = Arc::clone(&slow);
            async move { slow.handle().await }
        });
        ::actix_web::App::new().service(resource)
    });
    let server = server.workers(1).disable_signals().bind(("127.0.0.1", 0)).unwrap();
    let address = server.addrs()[0];
    let server = server.run();
    let handle = server.handle();
    let server = tokio::spawn(server);
    send_and_abort(address, &mut begins).await;
    handle.pause().await;
    assert!(tokio::time::timeout(Duration::ZERO, endpoint.idle()).await.is_err());
    release.send(true).unwrap();
    tokio::time::timeout(TIMEOUT, endpoint.idle()).await.unwrap();
    tokio::time::timeout(TIMEOUT, handle.stop(true)).await.unwrap();
    tokio::time::timeout(TIMEOUT, server).await.unwrap().unwrap().unwrap();
    assert!(slow.ended.load(Ordering::SeqCst));
}
