//! [`axum`](https://docs.rs/axum): a route for a handler, or an extractor.
//!
//! Serve with `into_make_service_with_connect_info::<SocketAddr>()` if the gate has sources: otherwise every source is unknown.

use ::axum::extract::{FromRef, FromRequest, Request};
use ::axum::response::{IntoResponse, Response};
use ::axum::routing::{MethodRouter, any_service};
use http_body_util::Full;

use crate::provider::Answer;
use crate::receiver::{Receiver, Rejection};
use crate::server::Endpoint;
use crate::service::{HandlerFn, Notifications, peer_of, pieces};
use crate::verified::Verified;
use crate::{Reply, service};

/// A route that gives notifications to a function, and answers with what it replies.
///
/// ```
/// use paytend_webhook::server::Endpoint;
/// use paytend_webhook::{PayByReceiver, Reply};
///
/// # fn example(receiver: PayByReceiver) -> axum::Router {
/// axum::Router::new().route(
///     "/payby",
///     paytend_webhook::axum::route(Endpoint::new(receiver), async |verified| {
///         // Store it, then:
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
    // The gate refuses other methods.
    any_service(Notifications::<R, HandlerFn<F>>::new(endpoint, service::handler(handler)))
}

/// An extractor: a notification of the [`Endpoint`] that is the router's state, or part of it.
///
/// ```
/// use axum::extract::FromRef;
/// use paytend_webhook::axum::Notified;
/// use paytend_webhook::server::Endpoint;
/// use paytend_webhook::{Answer, PaytendReceiver, Reply};
///
/// #[derive(Clone, FromRef)]
/// struct Shared {
///     paytend: Endpoint<PaytendReceiver>,
///     // …
/// }
///
/// async fn take(Notified(verified): Notified<PaytendReceiver>) -> Answer {
///     // Store it, then:
///     verified.answer(Reply::Accepted)
/// }
/// # fn example(shared: Shared) -> axum::Router {
/// axum::Router::new().route("/paytend/baas", axum::routing::any(take)).with_state(shared)
/// # }
/// ```
#[derive(Debug)]
pub struct Notified<R: Receiver>(pub Verified<R::Notification>);

impl<R, S> FromRequest<S> for Notified<R>
where
    R: Receiver,
    Endpoint<R>: FromRef<S>,
    S: Send + Sync,
{
    type Rejection = Rejection;

    async fn from_request(request: Request, state: &S) -> Result<Self, Rejection> {
        let (parts, body) = request.into_parts();
        let peer = peer_of(&parts.extensions);
        Endpoint::from_ref(state).receive(&parts.method, &parts.headers, peer, pieces(body)).await.map(Self)
    }
}

impl IntoResponse for Rejection {
    fn into_response(self) -> Response {
        self.response().map(Full::new).into_response()
    }
}

impl IntoResponse for Answer {
    fn into_response(self) -> Response {
        self.response().map(Full::new).into_response()
    }
}
