//! The providers, and what each is answered.

use std::fmt;

use bytes::Bytes;
use http::{HeaderValue, Response, StatusCode, header};

/// Seconds after which a notification may be tried again.
const RETRY_AFTER: HeaderValue = HeaderValue::from_static("60");

/// Whose notifications they are.
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
    /// The notification was taken, now or before: send it once the notification is durable, and never earlier. HTTP 200 with the documented
    /// body. A duplicate is answered alike, or it would come again.
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

    /// The notification could not be taken now: 503 with `Retry-After`. PayBy tries again by its schedule (documented); when the others do is not
    /// documented.
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

    /// The one answer to whatever is not authentic. What to answer then is not documented by any provider: any status but 200 is a failure.
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

    /// The response to what a handler made of a notification.
    pub fn answer(self, reply: Reply) -> Response<Bytes> {
        match reply {
            Reply::Accepted | Reply::Duplicate => self.accept(),
            Reply::TryAgainLater => self.try_again_later(),
        }
    }
}

/// What a handler made of a notification.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Reply {
    /// It is durable.
    Accepted,
    /// Its dedup key was durable before, and its [`Sighting`](crate::Sighting) is now. The provider gets the same
    /// response as for [`Accepted`](Self::Accepted), or it would send it again.
    ///
    /// A known key may be news all the same: see [`Verified::dedup_key`](crate::Verified::dedup_key).
    Duplicate,
    /// It could not be stored now.
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

/// A [`Reply`] to a provider: what a framework's handler gives back. Made by [`Verified::answer`](crate::Verified::answer).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Answer {
    provider: Provider,
    reply: Reply,
}

impl Answer {
    /// A reply to this provider.
    pub fn new(provider: Provider, reply: Reply) -> Self {
        Self { provider, reply }
    }

    /// The response to send.
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
