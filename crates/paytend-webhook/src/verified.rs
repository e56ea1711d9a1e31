//! A notification that is authentic.

use std::any::Any;
use std::borrow::Cow;
use std::fmt;
use std::time::SystemTime;

use paytend_crypto::{Fingerprint, Opened};
use sha2::{Digest, Sha256};

use crate::provider::{Answer, Provider, Reply};

/// A notification that is authentic. Only a [`Receiver`](crate::Receiver) makes one.
pub struct Verified<N> {
    pub(crate) provider: Provider,
    pub(crate) notification: N,
    pub(crate) signed: Signed,
    pub(crate) verified_by: Fingerprint,
    pub(crate) received_at: SystemTime,
    pub(crate) sent_at: Option<SystemTime>,
    pub(crate) dedup_key: DedupKey,
    pub(crate) business_key: Option<BusinessKey>,
    /// What it uses of a server's budget, until it is dropped.
    pub(crate) _in_hand: Option<Box<dyn Any + Send + Sync>>,
}

/// What was signed.
pub(crate) enum Signed {
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
        match &self.signed {
            Signed::Envelope(opened) => opened.payload_bytes(),
            Signed::Body(body) => body,
        }
    }

    /// The content as text, with `�` for what is not UTF-8. For logs and people: [`content`](Self::content) has the
    /// signed bytes.
    pub fn content_text_lossy(&self) -> Cow<'_, str> {
        String::from_utf8_lossy(self.content())
    }

    /// The key that the signature is by.
    pub fn verified_by(&self) -> Fingerprint {
        self.verified_by
    }

    /// When it was received: the `now` of [`Receiver::receive`](crate::Receiver::receive).
    pub fn received_at(&self) -> SystemTime {
        self.received_at
    }

    /// When the provider says that it was sent. Paytend does not say.
    pub fn sent_at(&self) -> Option<SystemTime> {
        self.sent_at
    }

    /// A key that is equal for the same notification, however often and however sealed it is sent. Store it in the same
    /// transaction as the notification's effect, under a unique constraint: then the effect happens once.
    ///
    /// | provider | what it is made of |
    /// |---|---|
    /// | Paytend | product, partner, `notifyType`, and the content's bytes; the envelope differs each time |
    /// | PayBy | `notify_id`, and the order's number and status if there is an order |
    /// | PayerMax | `code`, `appId`, merchant, `relatedTradeNo`, `notifyType`, direction, amount and currency |
    ///
    /// PayBy's and PayerMax's members are read one by one from the raw body: what is wrong elsewhere in the body, and
    /// when it was sent, changes nothing. The key is made of the whole body if the members that identify it are absent.
    ///
    /// **A known key does not mean that nothing has happened.** Paytend's notifications have no number and no time of
    /// their own. One that reports a state for the second time (a card application that is approved again, a card that
    /// is active, lost and active again) can be equal to the one of weeks ago. So store each arrival under a known key
    /// as a [`sighting`](Self::sighting), and query the state of what the [`business_key`](Self::business_key) names.
    /// Dropping it may lose an update.
    pub fn dedup_key(&self) -> DedupKey {
        self.dedup_key
    }

    /// Returns the record of this arrival, to be stored if the [`dedup_key`](Self::dedup_key) is known.
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

    /// What it is about, and the state that it reports, if it says so. Each member is read by itself, whatever is wrong
    /// with the others.
    pub fn business_key(&self) -> Option<&BusinessKey> {
        self.business_key.as_ref()
    }

    /// Keeps something until it is dropped.
    #[cfg(feature = "server")]
    pub(crate) fn in_hand(mut self, in_hand: impl Any + Send + Sync) -> Self {
        self._in_hand = Some(Box::new(in_hand));
        self
    }

    /// What to answer its sender.
    pub fn answer(&self, reply: Reply) -> Answer {
        Answer::new(self.provider, reply)
    }

    /// The opened envelope of a notification of Paytend's.
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

/// The arrival of a notification whose [`DedupKey`] may be known: what to store of it, so that a person or a job can
/// query the state. Holds numbers of orders or users, and nothing else of the content.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Sighting {
    /// Whose notification it is.
    pub provider: Provider,
    /// The key that the earlier arrival has, too.
    pub dedup_key: DedupKey,
    /// What the notification is about: whose state to query.
    pub business_key: Option<BusinessKey>,
    /// When it arrived.
    pub received_at: SystemTime,
    /// When the provider says that it was sent. PayBy's and PayerMax's tell a retry from a new notification by it.
    pub sent_at: Option<SystemTime>,
    /// The key that the signature is by.
    pub verified_by: Fingerprint,
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
