//! An HTTP service around an inbox, for [`axum`](https://docs.rs/axum): routes that store notifications, and routes for
//! monitoring. `paytend inbox serve` uses the same routes.
//!
//! ```
//! use axum::Router;
//! use paytend_inbox::service::{Monitoring, route};
//! use paytend_inbox::{Inbox, MemoryStore};
//! use paytend_webhook::PaytendReceiver;
//! use paytend_webhook::server::Endpoint;
//!
//! # async fn example(receiver: PaytendReceiver, inbox: Inbox<MemoryStore>) -> Result<(), std::io::Error> {
//! let endpoint = Endpoint::new(receiver);
//! let app = Router::new()
//!     .route("/paytend/baas", route(endpoint.clone(), &inbox))
//!     .merge(Monitoring::new(inbox.store().clone()).router());
//! let listener = tokio::net::TcpListener::bind("127.0.0.1:8080").await?;
//! let stop = std::future::pending(); // in production, a signal
//! axum::serve(listener, app).with_graceful_shutdown(stop).await?;
//! endpoint.idle().await; // handlers whose senders have disconnected
//! # Ok(())
//! # }
//! ```

mod audit;
mod monitoring;
mod single;

use axum::extract::{FromRequest as _, Request};
use axum::response::{IntoResponse as _, Response};
use axum::routing::{MethodRouter, any};
use paytend_webhook::Receiver;
use paytend_webhook::axum::NotificationRequest;
use paytend_webhook::server::Endpoint;

use crate::inbox::{Inbox, Storable};
use crate::store::Store;

pub use monitoring::Monitoring;

/// Creates a route that stores each notification and then acknowledges it, like [`Inbox::handler`]. The route also
/// stores the request's `traceparent` header. The tracing span in which the notification is processed refers to this
/// trace.
pub fn route<S, R, T>(endpoint: Endpoint<R>, inbox: &Inbox<S>) -> MethodRouter<T>
where
    S: Store,
    R: Receiver<Notification: Storable>,
    T: Clone + Send + Sync + 'static,
{
    let inbox = inbox.clone();
    // The endpoint itself rejects methods other than `POST`.
    any(move |request: Request| receive(endpoint.clone(), inbox.clone(), request))
}

async fn receive<S, R>(endpoint: Endpoint<R>, inbox: Inbox<S>, request: Request) -> Response
where
    S: Store,
    R: Receiver<Notification: Storable>,
{
    let traceparent = request.headers().get("traceparent").and_then(|value| Some(value.to_str().ok()?.to_owned()));
    match NotificationRequest::<R>::from_request(request, &endpoint).await {
        Ok(received) => {
            let handled = received.handle(async move |verified| inbox.reply(verified, traceparent).await);
            handled.await.into_response()
        }
        Err(rejection) => rejection.into_response(),
    }
}
