//! A notification that is authentic.

use std::any::Any;
use std::borrow::Cow;
use std::fmt;
use std::sync::Arc;
use std::time::SystemTime;

use paytend_crypto::{Fingerprint, Opened};
use sha2::{Digest, Sha256};

use crate::provider::{Answer, Provider, Reply};

/// A notification that is authentic. Only a [`Receiver`](crate::Receiver) makes one.
pub struct Verified<N> {
    pub(crate) provider: Provider,
    pub(crate) notification: N,
    pub(crate) content: Content,
    pub(crate) verified_by: Fingerprint,
    pub(crate) sent_at: Option<SystemTime>,
    pub(crate) dedup_key: DedupKey,
    pub(crate) business_key: Option<BusinessKey>,
    /// What it uses of a server's budget, until it is dropped.
    pub(crate) _in_hand: Option<Arc<dyn Any + Send + Sync>>,
}

/// What was signed.
pub(crate) enum Content {
    Envelope(Box<Opened>),
    Body(Vec<u8>),
}

impl<N> Verified<N> {
    /// Whose it is.
    pub fn provider(&self) -> Provider {
        self.provider
    }

    /// The notification.
    pub fn notification(&self) -> &N {
        &self.notification
    }

    /// The notification, owned.
    pub fn into_notification(self) -> N {
        self.notification
    }

    /// The content exactly as it was signed: Paytend's is that of the envelope, empty if there was none; PayBy's and PayerMax's is the body.
    pub fn content(&self) -> &[u8] {
        match &self.content {
            Content::Envelope(opened) => opened.payload_text().as_bytes(),
            Content::Body(body) => body,
        }
    }

    /// The content as text. Paytend's always is text; what is not is shown as `�`.
    pub fn content_text(&self) -> Cow<'_, str> {
        String::from_utf8_lossy(self.content())
    }

    /// The key that the signature is by.
    pub fn verified_by(&self) -> Fingerprint {
        self.verified_by
    }

    /// When the provider says that it was sent. Paytend does not say.
    pub fn sent_at(&self) -> Option<SystemTime> {
        self.sent_at
    }

    /// What is equal for the same notification, however often and however sealed it is sent: to be kept, and looked for, before a
    /// notification is handled.
    ///
    /// | provider | what it is made of |
    /// |---|---|
    /// | Paytend | product, partner, `notifyType`, and the content's text; the envelope differs each time |
    /// | PayBy | `notify_id`, and the order's number and status if there is an order |
    /// | PayerMax | `code`, `appId`, merchant, `relatedTradeNo`, `notifyType`, direction, amount and currency |
    ///
    /// Of a content that could not be read as its type, the content itself.
    ///
    /// **Paytend's notifications have no number of their own.** One that reports a state which a thing has had before (active, lost, active
    /// again) may be equal to the earlier one, and so may two with empty contents: where that matters, let a duplicate be a reason to query the
    /// state, not to drop the news.
    pub fn dedup_key(&self) -> DedupKey {
        self.dedup_key
    }

    /// What it is about, and the state that it reports, if it says so.
    pub fn business_key(&self) -> Option<&BusinessKey> {
        self.business_key.as_ref()
    }

    /// Keeps something until it is dropped.
    #[cfg(feature = "server")]
    pub(crate) fn in_hand(mut self, in_hand: impl Any + Send + Sync) -> Self {
        self._in_hand = Some(Arc::new(in_hand));
        self
    }

    /// Returns what [`in_hand`](Self::in_hand) keeps.
    #[cfg(feature = "server")]
    pub(crate) fn slot(&self) -> Option<Arc<dyn Any + Send + Sync>> {
        self._in_hand.clone()
    }

    /// What to answer its sender.
    pub fn answer(&self, reply: Reply) -> Answer {
        Answer::new(self.provider, reply)
    }

    /// The opened envelope of a notification of Paytend's.
    pub fn opened(&self) -> Option<&Opened> {
        match &self.content {
            Content::Envelope(opened) => Some(opened),
            Content::Body(_) => None,
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

/// Tells notifications apart by what they mean: a SHA-256.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct DedupKey([u8; 32]);

impl DedupKey {
    /// Of these parts, in this order. Each goes in with its length, so that no two lists give one text.
    pub(crate) fn of(provider: Provider, parts: &[&[u8]]) -> Self {
        let mut hash = Sha256::new();
        for part in [provider.to_string().as_bytes()].iter().chain(parts) {
            hash.update((part.len() as u64).to_be_bytes());
            hash.update(part);
        }
        Self(hash.finalize().into())
    }

    /// The bytes.
    pub fn as_bytes(&self) -> &[u8; 32] {
        &self.0
    }
}

impl fmt::Display for DedupKey {
    /// Hexadecimal.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.iter().try_for_each(|byte| write!(f, "{byte:02x}"))
    }
}

impl fmt::Debug for DedupKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "DedupKey({self})")
    }
}

/// What a notification is about, and the state that it reports: what a handler stores and compares.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub struct BusinessKey {
    /// What kind of thing: `deposit`, `cardholder`, `transfer-to-bank`.
    pub kind: &'static str,
    /// The provider's or the partner's number of it.
    pub id: String,
    /// The state, as the provider writes it.
    pub state: Option<String>,
}

impl BusinessKey {
    pub(crate) fn new(kind: &'static str, id: Option<&str>, state: Option<&str>) -> Option<Self> {
        Some(Self { kind, id: id?.to_owned(), state: state.map(str::to_owned) })
    }
}
