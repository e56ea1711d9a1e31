//! [`axum`](https://docs.rs/axum) adapter: a route that runs a handler, and an extractor.
//!
//! If the filter is configured with sources, serve the router with
//! `into_make_service_with_connect_info::<SocketAddr>()`. Otherwise the source of every request is unknown.

use ::axum::extract::{FromRef, FromRequest, Request};
use ::axum::response::{IntoResponse, Response};
use ::axum::routing::{MethodRouter, any_service};
use http_body_util::Full;

use crate::provider::ProviderResponse;
use crate::provider::Reply;
use crate::receiver::{Receiver, Rejection};
use crate::server::Endpoint;
use crate::service;
use crate::service::{HandlerFn, Notifications, peer_of, pieces};
use crate::verified::Verified;

/// Creates a route that passes each notification to a handler and sends the response for the handler's reply.
///
/// The handler [runs to completion](crate::server#handlers) in its own task, even if the sender disconnects. Store the
/// [dedup key](Verified::dedup_key) in the same transaction as the notification's effect.
///
/// ```
/// use paytend_webhook::server::Endpoint;
/// use paytend_webhook::{PayByReceiver, Reply};
///
/// # fn example(receiver: PayByReceiver) -> axum::Router {
/// axum::Router::new().route(
///     "/payby",
///     paytend_webhook::axum::route(Endpoint::new(receiver), async |verified| {
///         // In one transaction: store the dedup key and apply the notification's effect.
///         println!("{}", verified.dedup_key());
///         Reply::Accepted
///     }),
/// )
/// # }
/// ```
pub fn route<R, F, T, S>(endpoint: Endpoint<R>, handler: F) -> MethodRouter<S>
where
    R: Receiver,
    F: FnMut(Verified<R::Notification>) -> T + Clone + Send + Sync + 'static,
    T: Future<Output = Reply> + Send + 'static,
    S: Clone + Send + Sync + 'static,
{
    // The route accepts every method, because the filter rejects methods other than POST.
    any_service(Notifications::<R, HandlerFn<F>>::new(endpoint, service::handler(handler)))
}

/// Extractor for a notification, verified by the [`Endpoint`] that is the router's state or a part of that state.
///
/// **axum drops the route's future at its next await point when the sender disconnects.** Do the work in
/// [`handle`](Self::handle), which [runs to completion](crate::server#handlers).
///
/// ```
/// use axum::extract::FromRef;
/// use paytend_webhook::axum::NotificationRequest;
/// use paytend_webhook::server::Endpoint;
/// use paytend_webhook::{ProviderResponse, PaytendReceiver, Reply};
///
/// #[derive(Clone, FromRef)]
/// struct Shared {
///     paytend: Endpoint<PaytendReceiver>,
///     // …
/// }
///
/// async fn receive(request: NotificationRequest<PaytendReceiver>) -> ProviderResponse {
///     let handled = request.handle(async |verified| {
///         // In one transaction: store the dedup key and apply the notification's effect.
///         println!("{}", verified.dedup_key());
///         Reply::Accepted
///     });
///     handled.await
/// }
/// # fn example(shared: Shared) -> axum::Router {
/// axum::Router::new().route("/paytend/baas", axum::routing::any(receive)).with_state(shared)
/// # }
/// ```
#[derive(Debug)]
pub struct NotificationRequest<R: Receiver> {
    verified: Verified<R::Notification>,
    endpoint: Endpoint<R>,
}

impl<R: Receiver> NotificationRequest<R> {
    /// Runs a handler in its own task, as [`Endpoint::handle`] does.
    pub async fn handle<F, T>(self, handler: F) -> ProviderResponse
    where
        F: FnOnce(Verified<R::Notification>) -> T + Send + 'static,
        T: Future<Output = Reply> + Send + 'static,
    {
        self.endpoint.handle(self.verified, handler).await
    }

    /// Returns the notification. If the sender disconnects, the server drops the route's future, and the code in it
    /// stops midway. Use [`handle`](Self::handle) to avoid this.
    pub fn into_verified(self) -> Verified<R::Notification> {
        self.verified
    }
}

impl<R, S> FromRequest<S> for NotificationRequest<R>
where
    R: Receiver,
    Endpoint<R>: FromRef<S>,
    S: Send + Sync,
{
    type Rejection = Rejection;

    async fn from_request(request: Request, state: &S) -> Result<Self, Rejection> {
        let (parts, body) = request.into_parts();
        let peer = peer_of(&parts.extensions);
        let endpoint = Endpoint::from_ref(state);
        let verified = endpoint.receive(&parts.method, &parts.headers, peer, pieces(body)).await?;
        Ok(Self { verified, endpoint })
    }
}

impl IntoResponse for Rejection {
    fn into_response(self) -> Response {
        self.to_http().map(Full::new).into_response()
    }
}

impl IntoResponse for ProviderResponse {
    fn into_response(self) -> Response {
        self.to_http().map(Full::new).into_response()
    }
}
