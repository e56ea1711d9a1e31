//! The partner's side of the callback URL: an HTTP server that hands on what is verified.

use axum::body::{Body, Bytes};
use axum::extract::{DefaultBodyLimit, State};
use axum::{Router, routing};
use http::{HeaderMap, Response};
use paytend_webhook::{Receiver, Verified, acknowledge, try_again_later};
use tokio::net::TcpListener;
use tokio::sync::mpsc;

use crate::exit::{Category, Failure};

/// What the receiver has taken.
pub(crate) struct Inbox {
    /// The callback URL.
    pub(crate) url: String,
    /// Verified notifications, in the order in which they came.
    pub(crate) notifications: mpsc::Receiver<Verified>,
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
pub(crate) async fn start(receiver: Receiver) -> Result<Inbox, Failure> {
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
    State((receiver, sender)): State<(Receiver, mpsc::Sender<Verified>)>,
    headers: HeaderMap,
    body: Bytes,
) -> Response<Body> {
    let response = match receiver.receive(&headers, &body) {
        // Acknowledged once it is handed on, and not before.
        Ok(verified) => match sender.send(verified).await {
            Ok(()) => acknowledge(),
            Err(_) => try_again_later(),
        },
        Err(rejection) => rejection.response(),
    };
    response.map(Body::from)
}
