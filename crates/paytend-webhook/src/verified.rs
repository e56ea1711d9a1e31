//! Verified notifications and their dedup keys.

use std::any::Any;
use std::borrow::Cow;
use std::fmt;
use std::sync::Arc;
use std::time::SystemTime;

use paytend_crypto::{Fingerprint, Opened};
use paytend_model::Product;

use crate::dedup_key::DedupKey;
use crate::provider::{Provider, ProviderResponse, Reply};

/// An authentic notification. Only a [`Receiver`](crate::Receiver) creates one.
pub struct Verified<N> {
    pub(crate) provider: Provider,
    pub(crate) product: Option<Product>,
    pub(crate) notification: N,
    pub(crate) signed: Signed,
    pub(crate) verified_by: Fingerprint,
    pub(crate) received_at: SystemTime,
    pub(crate) sent_at: Option<SystemTime>,
    pub(crate) dedup_key: DedupKey,
    pub(crate) business_key: Option<BusinessKey>,
    /// The slot and memory held in the endpoint's budget; released on drop.
    pub(crate) _slot: Option<Arc<dyn Any + Send + Sync>>,
}

/// The signed content.
pub(crate) enum Signed {
    Envelope(Box<Opened>),
    Body(Vec<u8>),
}

impl<N> Verified<N> {
    /// Returns the provider.
    pub fn provider(&self) -> Provider {
        self.provider
    }

    /// Returns the product of a Paytend notification, as configured in the receiver. The content's `notifyType` is
    /// ambiguous without it.
    pub fn product(&self) -> Option<Product> {
        self.product
    }

    /// Returns the notification.
    pub fn notification(&self) -> &N {
        &self.notification
    }

    /// Returns the notification by value.
    pub fn into_notification(self) -> N {
        self.notification
    }

    /// Returns the content exactly as it was signed. For Paytend, this is the envelope's content, or empty if there is
    /// none. For PayBy and PayerMax, this is the body.
    pub fn content(&self) -> &[u8] {
        match &self.signed {
            Signed::Envelope(opened) => opened.payload_bytes(),
            Signed::Body(body) => body,
        }
    }

    /// Returns the content as text, with `�` for invalid UTF-8. Use it for logs and display; [`content`](Self::content)
    /// returns the signed bytes.
    pub fn content_text_lossy(&self) -> Cow<'_, str> {
        String::from_utf8_lossy(self.content())
    }

    /// Returns the fingerprint of the key that verified the signature.
    pub fn verified_by(&self) -> Fingerprint {
        self.verified_by
    }

    /// Returns the time of receipt: the `now` passed to [`Receiver::receive`](crate::Receiver::receive).
    pub fn received_at(&self) -> SystemTime {
        self.received_at
    }

    /// Returns the send time reported by the provider, if any. Paytend's notifications have no timestamp.
    pub fn sent_at(&self) -> Option<SystemTime> {
        self.sent_at
    }

    /// Returns a key that is the same for all deliveries of a notification, even if each delivery is sealed
    /// differently. Store it in the same transaction as the notification's effect, under a unique constraint, so that
    /// the effect happens once.
    ///
    /// | provider | derived from |
    /// |---|---|
    /// | Paytend | product, partner, `notifyType`, and the content's bytes; the envelope differs each time |
    /// | PayBy | `notify_id`, and the order's number and status if there is an order |
    /// | PayerMax | `code`, `appId`, merchant, `relatedTradeNo`, `notifyType`, direction, amount and currency |
    ///
    /// PayBy's and PayerMax's members are each read from the raw body. Errors elsewhere in the body and the send time
    /// do not change the key. If the identifying members are absent, the key is derived from the whole body.
    ///
    /// **A notification with a known key may still be an update.** Paytend's notifications have no ID or timestamp. A
    /// notification that reports a state for the second time can be identical to an earlier one. Examples are a card
    /// application that is approved again, and a card that is active, lost and active again.
    ///
    /// If the key is already known, store a [`sighting`](Self::sighting), which records the repeated arrival, and query
    /// the current state of the object that [`business_key`](Self::business_key) identifies. If you ignore the arrival,
    /// you may lose an update. The same applies to PayerMax: two changes of equal amount and direction with the same
    /// `relatedTradeNo` have the same key. They differ in [`sent_at`](Self::sent_at).
    pub fn dedup_key(&self) -> DedupKey {
        self.dedup_key
    }

    /// Returns a record of this arrival, to be stored if the [`dedup_key`](Self::dedup_key) is already known.
    pub fn sighting(&self) -> Sighting {
        Sighting {
            provider: self.provider,
            dedup_key: self.dedup_key,
            business_key: self.business_key.clone(),
            received_at: self.received_at,
            sent_at: self.sent_at,
            verified_by: self.verified_by,
        }
    }

    /// Returns the object that the notification is about and the state it reports, if present. Each member is read
    /// separately, independently of errors in the other members.
    pub fn business_key(&self) -> Option<&BusinessKey> {
        self.business_key.as_ref()
    }

    /// Attaches a value that is dropped with the notification.
    #[cfg(feature = "server")]
    pub(crate) fn with_slot(mut self, slot: impl Any + Send + Sync) -> Self {
        self._slot = Some(Arc::new(slot));
        self
    }

    /// Returns the value attached by [`with_slot`](Self::with_slot).
    #[cfg(feature = "server")]
    pub(crate) fn slot(&self) -> Option<Arc<dyn Any + Send + Sync>> {
        self._slot.clone()
    }

    /// Returns the response to the provider for a reply.
    pub fn respond(&self, reply: Reply) -> ProviderResponse {
        self.provider.respond(reply)
    }

    /// Returns the opened envelope of a Paytend notification.
    pub fn opened(&self) -> Option<&Opened> {
        match &self.signed {
            Signed::Envelope(opened) => Some(opened),
            Signed::Body(_) => None,
        }
    }
}

impl<N: fmt::Debug> fmt::Debug for Verified<N> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Verified")
            .field("provider", &self.provider)
            .field("notification", &self.notification)
            .field("dedup_key", &self.dedup_key)
            .field("business_key", &self.business_key)
            .finish_non_exhaustive()
    }
}

/// A record of a notification's arrival, for a [`DedupKey`] that may already be known. Store it so that an operator or
/// a background job can query the object's state. It contains order numbers or user IDs, and no other content.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Sighting {
    /// The provider that sent the notification.
    pub provider: Provider,
    /// The dedup key, which equals the earlier arrival's key.
    pub dedup_key: DedupKey,
    /// The object whose current state should be queried.
    pub business_key: Option<BusinessKey>,
    /// The time of receipt.
    pub received_at: SystemTime,
    /// The send time reported by the provider. For PayBy and PayerMax, it distinguishes a retry from a new
    /// notification.
    pub sent_at: Option<SystemTime>,
    /// The fingerprint of the key that verified the signature.
    pub verified_by: Fingerprint,
}

/// The object that a notification is about and the state it reports. Handlers can store and compare this key.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub struct BusinessKey {
    /// The kind of object: `deposit`, `cardholder`, `transfer-to-bank`.
    pub kind: &'static str,
    /// The provider's or the partner's identifier for the object.
    pub id: String,
    /// The object's state, as written in the notification.
    pub state: Option<String>,
}

impl BusinessKey {
    pub(crate) fn new(kind: &'static str, id: Option<&str>, state: Option<&str>) -> Option<Self> {
        Some(Self { kind, id: id?.to_owned(), state: state.map(str::to_owned) })
    }
}
