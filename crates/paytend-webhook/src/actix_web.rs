//! [`actix-web`](https://docs.rs/actix-web): a resource for a handler, or an extractor.

use std::pin::Pin;

use ::actix_web::body::BoxBody;
use ::actix_web::dev::Payload;
use ::actix_web::http::StatusCode;
use ::actix_web::{Error, FromRequest, HttpRequest, HttpResponse, Resource, Responder, ResponseError, error, web};
use bytes::Bytes;
use http::{HeaderMap, HeaderName, HeaderValue, Method, Response};

use crate::provider::{Answer, Reply};
use crate::receiver::{Receiver, Rejection};
use crate::server::Endpoint;
use crate::verified::Verified;

/// A resource that gives notifications to a function, and answers with what it replies.
///
/// ```
/// use paytend_webhook::server::Endpoint;
/// use paytend_webhook::{PayByReceiver, Reply};
///
/// # fn example(receiver: PayByReceiver) {
/// let resource = paytend_webhook::actix_web::resource("/payby", Endpoint::new(receiver), async |verified| {
///     // Store it, then:
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
    // The gate refuses other methods.
    web::resource(path).app_data(endpoint).to(move |Notified::<R>(verified)| {
        let (provider, reply) = (verified.provider(), handler(verified));
        async move { Answer::new(provider, reply.await) }
    })
}

/// An extractor: a notification of the [`Endpoint`] that is the application's data, as it is or in a [`web::Data`].
///
/// ```
/// use paytend_webhook::actix_web::Notified;
/// use paytend_webhook::server::Endpoint;
/// use paytend_webhook::{Answer, PaytendReceiver, Reply};
///
/// async fn take(Notified(verified): Notified<PaytendReceiver>) -> Answer {
///     // Store it, then:
///     verified.answer(Reply::Accepted)
/// }
/// # fn example(endpoint: Endpoint<PaytendReceiver>) {
/// let app = actix_web::App::new().app_data(endpoint).route("/paytend/baas", actix_web::web::to(take));
/// # let _ = app;
/// # }
/// ```
#[derive(Debug)]
pub struct Notified<R: Receiver>(pub Verified<R::Notification>);

impl<R: Receiver> FromRequest for Notified<R> {
    type Error = Error;
    type Future = Pin<Box<dyn Future<Output = Result<Self, Error>>>>;

    fn from_request(request: &HttpRequest, payload: &mut Payload) -> Self::Future {
        let direct = request.app_data::<Endpoint<R>>();
        let endpoint =
            direct.or_else(|| request.app_data::<web::Data<Endpoint<R>>>().map(|data| data.get_ref())).cloned();
        let (request, payload) = (request.clone(), payload.take());
        Box::pin(async move {
            let endpoint = endpoint.ok_or_else(|| {
                error::ErrorInternalServerError("no Endpoint of this receiver is among the application's data")
            })?;
            let method = Method::from_bytes(request.method().as_str().as_bytes()).unwrap_or_default();
            let peer = request.peer_addr().map(|address| address.ip());
            Ok(Self(endpoint.receive(&method, &headers(&request), peer, payload).await?))
        })
    }
}

/// The headers in the current types of `http`; actix-web has those of its version before. Both hold the same characters.
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
        converted(self.response())
    }
}

impl Responder for Answer {
    type Body = BoxBody;

    fn respond_to(self, _: &HttpRequest) -> HttpResponse {
        converted(self.response())
    }
}
