//! The HTTP server at the partner's callback URL. It verifies notifications and passes them to the demo.

use std::time::SystemTime;

use axum::body::{Body, Bytes};
use axum::extract::{DefaultBodyLimit, State};
use axum::{Router, routing};
use http::{HeaderMap, Response};
use paytend_model::{Content, Notification};
use paytend_webhook::{PaytendReceiver, Receiver, Reply, Verified};
use tokio::net::TcpListener;
use tokio::sync::mpsc;

use crate::exit::{Category, Failure};

/// The notifications that the server has received.
pub(crate) struct Inbox {
    /// The callback URL.
    pub(crate) url: String,
    /// The verified notifications in order of arrival.
    pub(crate) notifications: mpsc::Receiver<Verified<Content<Notification>>>,
}

impl Inbox {
    /// Posts a document to the callback URL and returns the HTTP status.
    pub(crate) async fn post(&self, document: String) -> Result<u16, Failure> {
        let unreachable = |e: reqwest::Error| Failure::new(Category::Network, e.without_url());
        let http = reqwest::Client::builder().no_proxy().build().map_err(unreachable)?;
        let response = http.post(&self.url).body(document).send().await.map_err(unreachable)?;
        Ok(response.status().as_u16())
    }
}

/// Starts the server on a free loopback port. The server stops when the process ends.
pub(crate) async fn start(receiver: PaytendReceiver) -> Result<Inbox, Failure> {
    let (sender, notifications) = mpsc::channel(16);
    let limit = receiver.max_bytes();
    let app = Router::new()
        .route("/paytend", routing::post(receive_notification))
        .layer(DefaultBodyLimit::max(limit))
        .with_state((receiver, sender));
    let unavailable = |e: std::io::Error| Failure::new(Category::Network, format!("cannot listen on 127.0.0.1: {e}"));
    let listener = TcpListener::bind("127.0.0.1:0").await.map_err(unavailable)?;
    let url = format!("http://{}/paytend", listener.local_addr().map_err(unavailable)?);
    tokio::spawn(async move { axum::serve(listener, app).await });
    Ok(Inbox { url, notifications })
}

async fn receive_notification(
    State((receiver, sender)): State<(PaytendReceiver, mpsc::Sender<Verified<Content<Notification>>>)>,
    headers: HeaderMap,
    body: Bytes,
) -> Response<Body> {
    let provider = receiver.provider();
    let response = match receiver.receive(&headers, &body, SystemTime::now()) {
        // Acknowledge only after the demo has received the notification.
        Ok(verified) => match sender.send(verified).await {
            Ok(()) => provider.respond(Reply::Accepted).to_http(),
            Err(_) => provider.respond(Reply::TryAgainLater).to_http(),
        },
        Err(rejection) => rejection.to_http(),
    };
    response.map(Body::from)
}
