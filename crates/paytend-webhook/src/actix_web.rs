//! [`actix-web`](https://docs.rs/actix-web) adapter: a resource that runs a handler, and an extractor.
//!
//! # Shutdown
//! A handler runs on the worker thread that received the notification and is dropped when the worker stops. A stopping
//! worker waits for its connections, but not for handlers whose sender has disconnected. Wait for those handlers with
//! [`Endpoint::idle`] **before** the server stops.
//!
//! ```
//! # use paytend_webhook::{PayByReceiver, server::Endpoint};
//! # async fn example(endpoint: Endpoint<PayByReceiver>, server: actix_web::dev::ServerHandle) {
//! // For a server built with `disable_signals()`, when the program receives a termination signal:
//! server.pause().await;
//! endpoint.idle().await;
//! server.stop(true).await;
//! # }
//! ```

use std::pin::Pin;

use ::actix_web::body::BoxBody;
use ::actix_web::dev::Payload;
use ::actix_web::http::StatusCode;
use ::actix_web::{Error, FromRequest, HttpRequest, HttpResponse, Resource, Responder, ResponseError, error, web};
use bytes::Bytes;
use http::{HeaderMap, HeaderName, HeaderValue, Method, Response};

use crate::provider::{ProviderResponse, Reply};
use crate::receiver::{Receiver, Rejection};
use crate::server::Endpoint;
use crate::verified::Verified;

/// Creates a resource that passes each notification to a handler and sends the response for the handler's reply.
///
/// The handler [runs to completion](crate::server#handlers) in its own task on the worker thread, even if the sender
/// disconnects. The handler need not be `Send`. Store the [dedup key](Verified::dedup_key) in the same transaction as
/// the notification's effect.
///
/// ```
/// use paytend_webhook::server::Endpoint;
/// use paytend_webhook::{PayByReceiver, Reply};
///
/// # fn example(receiver: PayByReceiver) {
/// let resource = paytend_webhook::actix_web::resource("/payby", Endpoint::new(receiver), async |verified| {
///     // In one transaction: store the dedup key and apply the notification's effect.
///     println!("{}", verified.dedup_key());
///     Reply::Accepted
/// });
/// # let _ = actix_web::App::new().service(resource);
/// # }
/// ```
pub fn resource<R, F, T>(path: &str, endpoint: Endpoint<R>, handler: F) -> Resource
where
    R: Receiver,
    F: Fn(Verified<R::Notification>) -> T + Clone + 'static,
    T: Future<Output = Reply> + 'static,
{
    // The resource accepts every method, because the filter rejects methods other than POST.
    web::resource(path).app_data(endpoint).to(move |request: NotificationRequest<R>| request.handle(handler.clone()))
}

/// Extractor for a notification, verified by the [`Endpoint`] in the app data. The endpoint may be wrapped in
/// [`web::Data`].
///
/// **actix-web drops the route's future at its next await point when the connection breaks.** Do the work in
/// [`handle`](Self::handle), which [runs to completion](crate::server#handlers).
///
/// ```
/// use paytend_webhook::actix_web::NotificationRequest;
/// use paytend_webhook::server::Endpoint;
/// use paytend_webhook::{ProviderResponse, PaytendReceiver, Reply};
///
/// async fn receive(request: NotificationRequest<PaytendReceiver>) -> ProviderResponse {
///     let handled = request.handle(async |verified| {
///         // In one transaction: store the dedup key and apply the notification's effect.
///         println!("{}", verified.dedup_key());
///         Reply::Accepted
///     });
///     handled.await
/// }
/// # fn example(endpoint: Endpoint<PaytendReceiver>) {
/// let app = actix_web::App::new().app_data(endpoint).route("/paytend/baas", actix_web::web::to(receive));
/// # let _ = app;
/// # }
/// ```
#[derive(Debug)]
pub struct NotificationRequest<R: Receiver> {
    verified: Verified<R::Notification>,
    endpoint: Endpoint<R>,
}

impl<R: Receiver> NotificationRequest<R> {
    /// Runs a handler in its own task on this thread, as [`Endpoint::handle`] does. The handler need not be `Send`.
    ///
    /// # Panics
    /// Panics if called outside an Actix runtime.
    pub async fn handle<F, T>(self, handler: F) -> ProviderResponse
    where
        F: FnOnce(Verified<R::Notification>) -> T + 'static,
        T: Future<Output = Reply> + 'static,
    {
        self.endpoint.handle_here(self.verified, handler).await
    }

    /// Returns the notification. If the connection breaks, the server drops the route's future, and the code in it
    /// stops midway. Use [`handle`](Self::handle) to avoid this.
    pub fn into_verified(self) -> Verified<R::Notification> {
        self.verified
    }
}

impl<R: Receiver> FromRequest for NotificationRequest<R> {
    type Error = Error;
    type Future = Pin<Box<dyn Future<Output = Result<Self, Error>>>>;

    fn from_request(request: &HttpRequest, payload: &mut Payload) -> Self::Future {
        let direct = request.app_data::<Endpoint<R>>();
        let endpoint =
            direct.or_else(|| request.app_data::<web::Data<Endpoint<R>>>().map(|data| data.get_ref())).cloned();
        let (request, payload) = (request.clone(), payload.take());
        Box::pin(async move {
            let endpoint = endpoint.ok_or_else(|| {
                error::ErrorInternalServerError(
                    "no Endpoint for this receiver type in the app data; add it with App::app_data",
                )
            })?;
            let method = Method::from_bytes(request.method().as_str().as_bytes()).unwrap_or_default();
            let peer = request.peer_addr().map(|address| address.ip());
            let verified = endpoint.receive(&method, &headers(&request), peer, payload).await?;
            Ok(Self { verified, endpoint })
        })
    }
}

/// Converts the headers to `http` 1 types, because actix-web uses `http` 0.2. Both versions allow the same characters
/// in names and values.
fn headers(request: &HttpRequest) -> HeaderMap {
    let pair = |(name, value): (&::actix_web::http::header::HeaderName, &::actix_web::http::header::HeaderValue)| {
        let name = HeaderName::from_bytes(name.as_str().as_bytes()).ok()?;
        Some((name, HeaderValue::from_bytes(value.as_bytes()).ok()?))
    };
    let mut headers = HeaderMap::new();
    for (name, value) in request.headers().iter().filter_map(pair) {
        headers.append(name, value);
    }
    headers
}

fn converted(response: Response<Bytes>) -> HttpResponse {
    let status = StatusCode::from_u16(response.status().as_u16()).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
    let mut converted = HttpResponse::build(status);
    for (name, value) in response.headers() {
        converted.append_header((name.as_str(), value.as_bytes()));
    }
    converted.body(response.into_body())
}

impl ResponseError for Rejection {
    fn status_code(&self) -> StatusCode {
        self.error_response().status()
    }

    fn error_response(&self) -> HttpResponse {
        converted(self.to_http())
    }
}

impl Responder for ProviderResponse {
    type Body = BoxBody;

    fn respond_to(self, _: &HttpRequest) -> HttpResponse {
        converted(self.to_http())
    }
}
