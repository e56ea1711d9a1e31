//! The receiver trait and its rejections.

use std::time::SystemTime;

use bytes::Bytes;
use http::{HeaderMap, Response, StatusCode};
use paytend_crypto::Error;

use crate::error::Reason;
use crate::headers::coding;
use crate::keys::KeyUsage;
use crate::provider::Provider;
use crate::verified::Verified;

/// A receiver for the notifications of one route. The receiver's configuration fixes the provider, the product, the
/// keys, and the partner or the merchants. A message for a different partner or merchant, or with a different signing
/// key, is rejected.
pub trait Receiver: Clone + Send + Sync + 'static {
    /// The type of a verified notification.
    type Notification: Send + 'static;

    /// Returns the provider that sends the notifications.
    fn provider(&self) -> Provider;

    /// Returns the size limit for bodies, in bytes. A server can stop reading at this limit.
    fn max_bytes(&self) -> usize;

    /// Returns whether receiving includes private-key operations (default: true). These take 0.1 ms or more, so a
    /// server should run them on a separate thread.
    fn uses_private_key(&self) -> bool {
        true
    }

    /// Returns how often each key has been used. A key can be retired when its count stops increasing.
    fn key_usage(&self) -> Vec<KeyUsage>;

    /// Verifies and parses a notification. `body` is the raw body as received; `now` is the current time, or a fixed
    /// time in tests.
    ///
    /// # Errors
    /// Returns a [`Rejection`] if the notification is invalid or cannot be verified. Send the response that
    /// [`to_http`](Rejection::to_http) returns.
    fn receive(
        &self,
        headers: &HeaderMap,
        body: &[u8],
        now: SystemTime,
    ) -> Result<Verified<Self::Notification>, Rejection>;
}

/// The rejection of a notification. `Display` shows the reason to the operator. The sender gets the response that
/// [`to_http`](Self::to_http) returns, which is the same for every failure that involves keys.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{provider}: {reason}")]
pub struct Rejection {
    provider: Provider,
    reason: Reason,
}

impl Rejection {
    pub(crate) fn new(provider: Provider, reason: Reason) -> Self {
        Self { provider, reason }
    }

    pub(crate) fn of(provider: Provider, error: Error) -> Self {
        Self::new(
            provider,
            match error {
                Error::Backend(_) | Error::Key(_) => Reason::Unavailable(error),
                error => Reason::Refused(error),
            },
        )
    }

    /// Returns the route's provider.
    pub fn provider(&self) -> Provider {
        self.provider
    }

    /// Returns the reason.
    pub fn reason(&self) -> &Reason {
        &self.reason
    }

    /// Returns the response to send.
    pub fn to_http(&self) -> Response<Bytes> {
        match self.reason.status() {
            StatusCode::SERVICE_UNAVAILABLE => self.provider.try_again_later(),
            status => self.provider.refuse_with(status),
        }
    }
}

/// Checks the content encoding and the length, which do not depend on any key.
pub(crate) fn check_body(headers: &HeaderMap, body: &[u8], limit: usize) -> Result<(), Reason> {
    // The signature covers the plain body, so a compressed body would fail verification. A receiver does not decompress
    // untrusted bytes.
    if let Some(coding) = coding(headers) {
        return Err(Reason::Encoded(coding));
    }
    check_length(body.len() as u64, limit)
}

pub(crate) fn check_length(length: u64, limit: usize) -> Result<(), Reason> {
    if usize::try_from(length).is_ok_and(|length| length <= limit) {
        Ok(())
    } else {
        Err(Reason::TooLarge { length, limit })
    }
}
