//! [`poem`](https://docs.rs/poem) adapter: an endpoint that runs a handler, and an extractor.

use std::sync::Arc;

use ::poem::http::StatusCode;
use ::poem::web::RemoteAddr;
use ::poem::{Addr, Error, FromRequest, IntoResponse, Request, RequestBody, Response, Result};
use bytes::Bytes;

use crate::provider::{ProviderResponse, Reply};
use crate::receiver::{Receiver, Rejection};
use crate::server::Endpoint;
use crate::verified::Verified;

/// Creates an endpoint that passes each notification to a handler and sends the response for the handler's reply.
///
/// The handler [runs to completion](crate::server#handlers) in its own task, even if the sender disconnects. Store the
/// [dedup key](Verified::dedup_key) in the same transaction as the notification's effect.
///
/// ```
/// use paytend_webhook::server::Endpoint;
/// use paytend_webhook::{PayByReceiver, Reply};
///
/// # fn example(receiver: PayByReceiver) -> poem::Route {
/// poem::Route::new().at(
///     "/payby",
///     paytend_webhook::poem::endpoint(Endpoint::new(receiver), async |verified| {
///         // In one transaction: store the dedup key and apply the notification's effect.
///         println!("{}", verified.dedup_key());
///         Reply::Accepted
///     }),
/// )
/// # }
/// ```
pub fn endpoint<R, F, T>(endpoint: Endpoint<R>, handler: F) -> Notifications<R, F>
where
    R: Receiver,
    F: Fn(Verified<R::Notification>) -> T + Send + Sync + 'static,
    T: Future<Output = Reply> + Send + 'static,
{
    Notifications { endpoint, handler: Arc::new(handler) }
}

/// The endpoint that [`endpoint`] creates.
#[derive(Clone, Debug)]
pub struct Notifications<R, F> {
    endpoint: Endpoint<R>,
    handler: Arc<F>,
}

impl<R, F, T> ::poem::Endpoint for Notifications<R, F>
where
    R: Receiver,
    F: Fn(Verified<R::Notification>) -> T + Send + Sync + 'static,
    T: Future<Output = Reply> + Send + 'static,
{
    type Output = Response;

    async fn call(&self, request: Request) -> Result<Response> {
        let (request, mut body) = request.split();
        match receive(&self.endpoint, &request, &mut body).await? {
            Ok(verified) => {
                let handler = Arc::clone(&self.handler);
                Ok(self.endpoint.handle(verified, move |verified| handler(verified)).await.into_response())
            }
            Err(rejection) => Ok(rejection.into_response()),
        }
    }
}

/// Extractor for a notification, verified by the [`Endpoint`] in the request's data.
///
/// **poem drops the route's future at its next await point when the sender disconnects.** Do the work in
/// [`handle`](Self::handle), which [runs to completion](crate::server#handlers).
///
/// ```
/// use paytend_webhook::poem::NotificationRequest;
/// use paytend_webhook::server::Endpoint;
/// use paytend_webhook::{ProviderResponse, PaytendReceiver, Reply};
/// use poem::EndpointExt;
///
/// #[poem::handler]
/// async fn receive(request: NotificationRequest<PaytendReceiver>) -> ProviderResponse {
///     let handled = request.handle(async |verified| {
///         // In one transaction: store the dedup key and apply the notification's effect.
///         println!("{}", verified.dedup_key());
///         Reply::Accepted
///     });
///     handled.await
/// }
/// # fn example(endpoint: Endpoint<PaytendReceiver>) {
/// let app = poem::Route::new().at("/paytend/baas", receive).data(endpoint);
/// # let _ = app;
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

impl<'a, R: Receiver> FromRequest<'a> for NotificationRequest<R> {
    async fn from_request(request: &'a Request, body: &mut RequestBody) -> Result<Self> {
        let endpoint = request.data::<Endpoint<R>>().ok_or_else(|| {
            Error::from_string(
                "no Endpoint for this receiver type in the request data; add it with EndpointExt::data",
                StatusCode::INTERNAL_SERVER_ERROR,
            )
        })?;
        match receive(endpoint, request, body).await? {
            Ok(verified) => Ok(Self { verified, endpoint: endpoint.clone() }),
            Err(rejection) => Err(Error::from_response(rejection.into_response())),
        }
    }
}

async fn receive<R: Receiver>(
    endpoint: &Endpoint<R>,
    request: &Request,
    body: &mut RequestBody,
) -> Result<std::result::Result<Verified<R::Notification>, Rejection>> {
    let RemoteAddr(address) = request.remote_addr();
    let peer = match address {
        Addr::SocketAddr(address) => Some(address.ip()),
        _ => None,
    };
    let pieces = body.take()?.into_bytes_stream();
    Ok(endpoint.receive(request.method(), request.headers(), peer, pieces).await)
}

fn converted(response: http::Response<Bytes>) -> Response {
    let (parts, body) = response.into_parts();
    let mut converted = Response::builder().status(parts.status).body(body);
    *converted.headers_mut() = parts.headers;
    converted
}

impl IntoResponse for Rejection {
    fn into_response(self) -> Response {
        converted(self.to_http())
    }
}

impl IntoResponse for ProviderResponse {
    fn into_response(self) -> Response {
        converted(self.to_http())
    }
}
