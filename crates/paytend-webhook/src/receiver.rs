//! From headers and bytes to a verified notification.

use std::fmt;

use bytes::Bytes;
use http::{HeaderMap, Response, header};
use paytend_crypto::{Error, Expected, Fingerprint, Keyring, Opened};
use paytend_model::{Notification, Product};

use crate::response::{refuse, try_again_later};

/// Receives the notifications of one route: of one product, for one partner. Cloning is cheap.
#[derive(Clone, Debug)]
pub struct Receiver {
    product: Product,
    expected: Expected,
    keyring: Keyring,
}

impl Receiver {
    /// A receiver for what `product` notifies `partner_id` of. Both belong to the route; a message that says otherwise is refused.
    pub fn new(product: Product, partner_id: impl Into<String>, keyring: Keyring) -> Self {
        Self { product, expected: Expected::notification(partner_id), keyring }
    }

    /// Sets the largest body that is looked at, in bytes (default 64 KiB).
    #[must_use]
    pub fn max_bytes(mut self, bytes: usize) -> Self {
        self.expected = self.expected.max_bytes(bytes);
        self
    }

    /// The largest body that is looked at, in bytes: a server need not read further.
    pub fn limit(&self) -> usize {
        self.expected.limit()
    }

    /// Verifies a notification and reads it. `body` is the raw body, as received.
    ///
    /// # Errors
    /// A [`Rejection`], with the response to send.
    pub fn receive(&self, headers: &HeaderMap, body: &[u8]) -> Result<Verified, Rejection> {
        // What is signed is the plain body: a compressed one cannot be it, and unpacking a stranger's bytes is not our work.
        let encoded = headers.get_all(header::CONTENT_ENCODING).iter().any(|value| value != "identity");
        if encoded {
            return Err(Rejection::Encoded);
        }
        let opened = self.keyring.open(body, &self.expected).map_err(|error| match error {
            Error::Backend(_) | Error::Key(_) => Rejection::Unavailable(error),
            error => Rejection::Refused(error),
        })?;
        let notify_type = opened.field("notifyType").unwrap_or_default();
        let notification = Notification::read(self.product, notify_type, opened.payload_text());
        Ok(Verified { notification, product: self.product, opened })
    }
}

/// A notification that is authentic. Only [`Receiver::receive`] makes one.
pub struct Verified {
    notification: Notification,
    product: Product,
    opened: Opened,
}

impl Verified {
    /// The notification.
    pub fn notification(&self) -> &Notification {
        &self.notification
    }

    /// The notification, owned.
    pub fn into_notification(self) -> Notification {
        self.notification
    }

    /// The product, as the receiver was told.
    pub fn product(&self) -> Product {
        self.product
    }

    /// The `notifyType`, as received.
    pub fn notify_type(&self) -> &str {
        self.opened.field("notifyType").unwrap_or_default()
    }

    /// The content's JSON text exactly as it was signed; empty if there was none.
    pub fn content_text(&self) -> &str {
        self.opened.payload_text()
    }

    /// The key that the signature is by.
    pub fn verified_by(&self) -> Fingerprint {
        self.opened.verified_by()
    }

    /// The opened message, with all signed fields.
    pub fn opened(&self) -> &Opened {
        &self.opened
    }
}

impl fmt::Debug for Verified {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Verified")
            .field("product", &self.product)
            .field("notify_type", &self.notify_type())
            .field("notification", &self.notification)
            .finish_non_exhaustive()
    }
}

/// Why a notification was not taken. For the operator; the sender is told by [`response`](Self::response), which is the same for
/// every refusal.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum Rejection {
    /// The body is compressed.
    #[error("the body has a Content-Encoding; notifications are plain JSON")]
    Encoded,
    /// The message is malformed or not authentic.
    #[error("refused: {0}")]
    Refused(#[source] Error),
    /// Our own keys cannot be used now. The message may be good.
    #[error("cannot verify now: {0}")]
    Unavailable(#[source] Error),
}

impl Rejection {
    /// The response to send.
    pub fn response(&self) -> Response<Bytes> {
        match self {
            Self::Encoded | Self::Refused(_) => refuse(),
            Self::Unavailable(_) => try_again_later(),
        }
    }
}
