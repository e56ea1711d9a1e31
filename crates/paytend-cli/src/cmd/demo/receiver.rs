//! The partner's side of the callback URL: an HTTP server that hands on what is verified.

use std::time::SystemTime;

use axum::body::{Body, Bytes};
use axum::extract::{DefaultBodyLimit, State};
use axum::{Router, routing};
use http::{HeaderMap, Response};
use paytend_model::{Content, Notification};
use paytend_webhook::{PaytendReceiver, Receiver, Verified};
use tokio::net::TcpListener;
use tokio::sync::mpsc;

use crate::exit::{Category, Failure};

/// What the receiver has taken.
pub(crate) struct Inbox {
    /// The callback URL.
    pub(crate) url: String,
    /// Verified notifications, in the order in which they came.
    pub(crate) notifications: mpsc::Receiver<Verified<Content<Notification>>>,
}

impl Inbox {
    /// Posts a document to the callback URL, as a stranger would; gives the HTTP status.
    pub(crate) async fn post(&self, document: String) -> Result<u16, Failure> {
        let unreachable = |e: reqwest::Error| Failure::new(Category::Network, e.without_url());
        let http = reqwest::Client::builder().no_proxy().build().map_err(unreachable)?;
        let answer = http.post(&self.url).body(document).send().await.map_err(unreachable)?;
        Ok(answer.status().as_u16())
    }
}

/// Starts the server on a free port of the loopback; it stops with the program.
pub(crate) async fn start(receiver: PaytendReceiver) -> Result<Inbox, Failure> {
    let (sender, notifications) = mpsc::channel(16);
    let limit = receiver.limit();
    let app = Router::new()
        .route("/paytend", routing::post(take))
        .layer(DefaultBodyLimit::max(limit))
        .with_state((receiver, sender));
    let unavailable = |e: std::io::Error| Failure::new(Category::Network, format!("cannot listen on 127.0.0.1: {e}"));
    let listener = TcpListener::bind("127.0.0.1:0").await.map_err(unavailable)?;
    let url = format!("http://{}/paytend", listener.local_addr().map_err(unavailable)?);
    tokio::spawn(async move { axum::serve(listener, app).await });
    Ok(Inbox { url, notifications })
}

async fn take(
    State((receiver, sender)): State<(PaytendReceiver, mpsc::Sender<Verified<Content<Notification>>>)>,
    headers: HeaderMap,
    body: Bytes,
) -> Response<Body> {
    let provider = receiver.provider();
    let response = match receiver.receive(&headers, &body, SystemTime::now()) {
        // Acknowledged once it is handed on, and not before.
        Ok(verified) => match sender.send(verified).await {
            Ok(()) => provider.accept(),
            Err(_) => provider.try_again_later(),
        },
        Err(rejection) => rejection.response(),
    };
    response.map(Body::from)
}
