//! The providers and their responses.

use std::fmt;

use bytes::Bytes;
use http::{HeaderValue, Response, StatusCode, header};

/// Seconds in the `Retry-After` header.
const RETRY_AFTER: HeaderValue = HeaderValue::from_static("60");

/// The provider of a notification.
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
    /// Returns the acknowledgement: HTTP 200 with the documented body. Send it only after the notification is stored
    /// durably. A duplicate gets the same response, or the provider would retry it.
    pub fn accept(self) -> Response<Bytes> {
        json(
            StatusCode::OK,
            match self {
                Self::Paytend => r#"{"msg":"success","status":"00"}"#,
                Self::PayBy => paytend_model::payby::ACKNOWLEDGEMENT,
                Self::PayerMax => paytend_model::payermax::ACKNOWLEDGEMENT,
            },
        )
    }

    /// Returns the response that asks for a later retry: 503 with `Retry-After`. PayBy retries on its schedule
    /// (documented). The other providers' schedules are not documented.
    pub fn try_again_later(self) -> Response<Bytes> {
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

    /// Returns the response to anything that is not authentic. No provider documents this case; every status other than
    /// 200 is a failure.
    pub fn refuse(self) -> Response<Bytes> {
        self.refuse_with(StatusCode::BAD_REQUEST)
    }

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

    /// Returns the response for a handler's reply.
    pub fn answer(self, reply: Reply) -> Response<Bytes> {
        match reply {
            Reply::Accepted | Reply::Duplicate => self.accept(),
            Reply::TryAgainLater => self.try_again_later(),
        }
    }
}

/// The result of handling a notification.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Reply {
    /// The notification is stored durably.
    Accepted,
    /// The dedup key was already stored, and the [`Sighting`](crate::Sighting) is stored now. The provider gets the
    /// same response as for [`Accepted`](Self::Accepted), or it would send the notification again.
    ///
    /// A notification with a known key may still be an update: see [`Verified::dedup_key`](crate::Verified::dedup_key).
    Duplicate,
    /// The notification could not be stored now.
    TryAgainLater,
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

/// A [`Reply`] for a provider, for use as a framework handler's return value. Created by
/// [`Verified::answer`](crate::Verified::answer).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Answer {
    provider: Provider,
    reply: Reply,
}

impl Answer {
    /// Creates an answer with a reply to this provider.
    pub fn new(provider: Provider, reply: Reply) -> Self {
        Self { provider, reply }
    }

    /// Returns the response to send.
    pub fn response(self) -> Response<Bytes> {
        self.provider.answer(self.reply)
    }
}

fn json(status: StatusCode, body: &'static str) -> Response<Bytes> {
    let mut response = Response::new(Bytes::from_static(body.as_bytes()));
    *response.status_mut() = status;
    response.headers_mut().insert(header::CONTENT_TYPE, HeaderValue::from_static("application/json"));
    response
}
