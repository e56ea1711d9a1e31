//! The providers and their responses.

use std::fmt;

use bytes::Bytes;
use http::{HeaderValue, Response, StatusCode, header};

/// The value of the `Retry-After` header, in seconds.
const RETRY_AFTER: HeaderValue = HeaderValue::from_static("60");

/// A provider that sends notifications.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Provider {
    /// Paytend: BaaS Core, Funding, Payout and Issuing Cards.
    Paytend,
    /// PayBy: transfer to bank.
    PayBy,
    /// PayerMax: balance change.
    PayerMax,
}

impl Provider {
    /// Returns the acknowledgement: HTTP 200 with the documented body.
    fn accept(self) -> Response<Bytes> {
        json(
            StatusCode::OK,
            match self {
                Self::Paytend => r#"{"msg":"success","status":"00"}"#,
                Self::PayBy => paytend_model::payby::ACKNOWLEDGEMENT,
                Self::PayerMax => paytend_model::payermax::ACKNOWLEDGEMENT,
            },
        )
    }

    /// Returns the response that asks the provider to retry later: 503 with `Retry-After`. PayBy retries on its
    /// documented schedule. The other providers' schedules are not documented.
    pub(crate) fn try_again_later(self) -> Response<Bytes> {
        let mut response = json(
            StatusCode::SERVICE_UNAVAILABLE,
            match self {
                Self::Paytend => r#"{"msg":"try again later","status":"01"}"#,
                Self::PayBy => r#"{"response":"FAIL"}"#,
                Self::PayerMax => r#"{"msg":"try again later","code":"FAIL"}"#,
            },
        );
        response.headers_mut().insert(header::RETRY_AFTER, RETRY_AFTER);
        response
    }

    /// Returns the response to a request that is not authentic. No provider documents this case; every status other
    /// than 200 counts as a failure.
    pub(crate) fn refuse_with(self, status: StatusCode) -> Response<Bytes> {
        let mut response = json(
            status,
            match self {
                Self::Paytend => r#"{"msg":"refused","status":"01"}"#,
                Self::PayBy => r#"{"response":"REFUSED"}"#,
                Self::PayerMax => r#"{"msg":"refused","code":"FAIL"}"#,
            },
        );
        if status == StatusCode::METHOD_NOT_ALLOWED {
            response.headers_mut().insert(header::ALLOW, HeaderValue::from_static("POST"));
        }
        response
    }

    /// Returns the response to this provider for a reply.
    ///
    /// ```
    /// use paytend_webhook::{Provider, Reply};
    /// assert_eq!(Provider::PayBy.respond(Reply::Accepted).to_http().status(), 200);
    /// assert_eq!(Provider::PayBy.respond(Reply::TryAgainLater).to_http().status(), 503);
    /// ```
    pub fn respond(self, reply: Reply) -> ProviderResponse {
        ProviderResponse { provider: self, reply }
    }
}

/// The result that a handler returns for a notification.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Reply {
    /// The notification is stored durably. The provider receives its documented acknowledgement.
    Accepted,
    /// The dedup key was already stored, and the [`Sighting`](crate::Sighting) is stored now. The provider receives the
    /// same response as for [`Accepted`](Self::Accepted); otherwise it would send the notification again.
    ///
    /// A notification with a known key may still be an update: see [`Verified::dedup_key`](crate::Verified::dedup_key).
    Duplicate,
    /// The notification cannot be stored right now. The response asks the provider to retry.
    TryAgainLater,
    /// The request is rejected with HTTP 400. Use this in servers that reject a request before passing it to a
    /// receiver. Never use it for an authentic notification, because the notification would be lost.
    Refused,
}

impl fmt::Display for Provider {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(match self {
            Self::Paytend => "Paytend",
            Self::PayBy => "PayBy",
            Self::PayerMax => "PayerMax",
        })
    }
}

/// The response to a provider for a [`Reply`]. Handlers of all supported frameworks can return it.
///
/// [`Verified::respond`](crate::Verified::respond) and [`Provider::respond`] create it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct ProviderResponse {
    provider: Provider,
    reply: Reply,
}

impl ProviderResponse {
    /// Returns the HTTP response to send.
    pub fn to_http(self) -> Response<Bytes> {
        match self.reply {
            Reply::Accepted | Reply::Duplicate => self.provider.accept(),
            Reply::TryAgainLater => self.provider.try_again_later(),
            Reply::Refused => self.provider.refuse_with(StatusCode::BAD_REQUEST),
        }
    }
}

fn json(status: StatusCode, body: &'static str) -> Response<Bytes> {
    let mut response = Response::new(Bytes::from_static(body.as_bytes()));
    *response.status_mut() = status;
    response.headers_mut().insert(header::CONTENT_TYPE, HeaderValue::from_static("application/json"));
    response
}
