//! What Paytend is answered.
//!
//! The acknowledgement is documented: HTTP 200 with `{"msg":"…","status":"00"}`; any other status means that the notification was
//! not taken. What `status` to give then is not documented; ours is "01". [inferred]

use bytes::Bytes;
use http::{HeaderValue, Response, StatusCode, header};

/// Seconds after which a notification may be tried again.
const RETRY_AFTER: HeaderValue = HeaderValue::from_static("60");

/// The notification was taken. Send it once the notification is durable, and never before.
pub fn acknowledge() -> Response<Bytes> {
    json(StatusCode::OK, r#"{"msg":"success","status":"00"}"#)
}

/// The notification could not be taken now: 503 with `Retry-After`.
pub fn try_again_later() -> Response<Bytes> {
    let mut response = json(StatusCode::SERVICE_UNAVAILABLE, r#"{"msg":"try again later","status":"01"}"#);
    response.headers_mut().insert(header::RETRY_AFTER, RETRY_AFTER);
    response
}

/// The one answer to whatever is not authentic.
pub(crate) fn refuse() -> Response<Bytes> {
    json(StatusCode::BAD_REQUEST, r#"{"msg":"refused","status":"01"}"#)
}

fn json(status: StatusCode, body: &'static str) -> Response<Bytes> {
    let mut response = Response::new(Bytes::from_static(body.as_bytes()));
    *response.status_mut() = status;
    response.headers_mut().insert(header::CONTENT_TYPE, HeaderValue::from_static("application/json"));
    response
}
