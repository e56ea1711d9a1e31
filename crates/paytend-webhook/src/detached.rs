//! Receivers for PayBy and PayerMax notifications, whose signature over the raw body is in a header.

use std::fmt;
use std::sync::Arc;
use std::time::{Duration, SystemTime};

use http::HeaderMap;
use paytend_crypto::detached::Verifier;
use paytend_crypto::rsa::RsaPublic;
use paytend_crypto::{Error, Fingerprint, KeyError};
use paytend_model::{Content, Payload};

use crate::dedup_key::DedupKey;
use crate::error::{ConfigError, Reason};
use crate::headers::signatures;
use crate::keys::{KeyRole, KeyUsage, ScheduledKey, Timeline, UsageCounters, used};
use crate::provider::Provider;
use crate::receiver::{Receiver, Rejection, check_body};
use crate::verified::{BusinessKey, Signed, Verified};

/// The default size limit for bodies, in bytes.
pub(crate) const MAX_BYTES: usize = 64 << 10;

/// The provider-specific part of a [`DetachedReceiver`]. This trait is sealed.
pub trait Scheme: Clone + Send + Sync + 'static {
    /// The typed form of the documented body.
    type Body: Payload + Send + 'static;
    #[doc(hidden)]
    const PROVIDER: Provider;
    #[doc(hidden)]
    fn read(body: &[u8]) -> Content<Self::Body>;
    #[doc(hidden)]
    fn facts(&self, authentic: &Authentic<'_>) -> Result<Facts, Reason>;
}

/// A body with a verified signature.
#[derive(Debug)]
pub struct Authentic<'a> {
    pub(crate) key: Fingerprint,
    pub(crate) body: &'a [u8],
    pub(crate) now: SystemTime,
}

/// The send time, the dedup key and the business key of an authentic body.
#[derive(Debug)]
pub struct Facts {
    pub(crate) sent_at: Option<SystemTime>,
    pub(crate) dedup_key: DedupKey,
    pub(crate) business_key: Option<BusinessKey>,
}

/// A receiver for notifications whose signature is in a header. See [`PayByReceiver`](crate::PayByReceiver) and
/// [`PayerMaxReceiver`](crate::PayerMaxReceiver). Cloning is cheap.
#[derive(Clone)]
pub struct DetachedReceiver<S> {
    pub(crate) scheme: S,
    verifiers: Timeline<Verifier>,
    uses: UsageCounters,
    max_age: Duration,
    max_ahead: Duration,
    require_timestamp: bool,
    max_bytes: usize,
}

impl<S: Scheme> DetachedReceiver<S> {
    pub(crate) fn with(
        scheme: S,
        keys: &[ScheduledKey<dyn RsaPublic>],
        max_age: Duration,
    ) -> Result<Self, ConfigError> {
        let verifiers = Timeline::new(keys.iter().flat_map(ScheduledKey::bounds), |from| {
            // Several merchants can have the same key. Such a key is added only once.
            let mut distinct: Vec<Arc<dyn RsaPublic>> = Vec::new();
            for key in used(keys, from) {
                if distinct.iter().all(|known| known.public_key() != key.public_key()) {
                    distinct.push(key);
                }
            }
            if distinct.is_empty() { Ok(None) } else { Ok(Some(Verifier::new(distinct)?)) }
        })?;
        let uses = UsageCounters::new(keys.iter().map(|key| (key.fingerprint(), KeyRole::Verifies)));
        let max_ahead = Duration::from_secs(300);
        Ok(Self { scheme, verifiers, uses, max_age, max_ahead, require_timestamp: false, max_bytes: MAX_BYTES })
    }

    /// Sets the maximum age of a notification. See the receiver type for the default.
    #[must_use]
    pub fn with_max_age(mut self, age: Duration) -> Self {
        self.max_age = age;
        self
    }

    /// Sets how far in the future a notification's timestamp can be (default 5 minutes).
    #[must_use]
    pub fn with_max_ahead(mut self, time: Duration) -> Self {
        self.max_ahead = time;
        self
    }

    /// Rejects notifications without a timestamp in the documented format.
    ///
    /// By default, such notifications are delivered, because they are authentic and report a payment. The signature
    /// covers the whole body, so only the provider can have omitted the timestamp.
    #[must_use]
    pub fn require_timestamp(mut self) -> Self {
        self.require_timestamp = true;
        self
    }

    /// Sets the size limit for bodies, in bytes (default 64 KiB).
    #[must_use]
    pub fn with_max_bytes(mut self, bytes: usize) -> Self {
        self.max_bytes = bytes;
        self
    }

    /// Verifies the signature before any part of the body is parsed.
    fn verify(&self, headers: &HeaderMap, body: &[u8], now: SystemTime) -> Result<Fingerprint, Rejection> {
        let reject = |reason| Rejection::new(S::PROVIDER, reason);
        check_body(headers, body, self.max_bytes).map_err(reject)?;
        let signs = signatures(headers).map_err(reject)?;
        let verifier = self.verifiers.at(now).ok_or(Error::Key(KeyError::Absent("verify a notification at this time")));
        let verified = verifier
            .and_then(|keys| signs.iter().find_map(|sign| keys.verify(body, sign).ok()).ok_or(Error::NotAuthentic));
        verified.map_err(|error| Rejection::of(S::PROVIDER, error))
    }

    fn check_time(&self, facts: &Facts, now: SystemTime) -> Result<(), Reason> {
        let Some(sent_at) = facts.sent_at else {
            return if self.require_timestamp { Err(Reason::Undated) } else { Ok(()) };
        };
        match now.duration_since(sent_at) {
            Ok(age) if age > self.max_age => Err(Reason::TooOld { age, limit: self.max_age }),
            Err(ahead) if ahead.duration() > self.max_ahead => {
                Err(Reason::Ahead { by: ahead.duration(), limit: self.max_ahead })
            }
            _ => Ok(()),
        }
    }
}

impl<S> fmt::Debug for DetachedReceiver<S> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("DetachedReceiver")
            .field("keys", &self.uses.list())
            .field("max_age", &self.max_age)
            .field("max_ahead", &self.max_ahead)
            .finish_non_exhaustive()
    }
}

impl<S: Scheme> Receiver for DetachedReceiver<S> {
    type Notification = Content<S::Body>;

    fn provider(&self) -> Provider {
        S::PROVIDER
    }

    fn max_bytes(&self) -> usize {
        self.max_bytes
    }

    /// Always returns `false`, because verification uses only public keys and takes less than 0.1 ms.
    fn uses_private_key(&self) -> bool {
        false
    }

    fn key_usage(&self) -> Vec<KeyUsage> {
        self.uses.list()
    }

    fn receive(
        &self,
        headers: &HeaderMap,
        body: &[u8],
        now: SystemTime,
    ) -> Result<Verified<Self::Notification>, Rejection> {
        let verified_by = self.verify(headers, body, now)?;
        let facts = self
            .scheme
            .facts(&Authentic { key: verified_by, body, now })
            .and_then(|facts| self.check_time(&facts, now).map(|()| facts))
            .map_err(|reason| Rejection::new(S::PROVIDER, reason))?;
        // Count the use of the key only after all checks. Otherwise a replayed old message would make an old key appear
        // to be in use.
        self.uses.count(verified_by, KeyRole::Verifies, now);
        Ok(Verified {
            provider: S::PROVIDER,
            product: None,
            notification: S::read(body),
            signed: Signed::Body(body.to_owned()),
            verified_by,
            received_at: now,
            sent_at: facts.sent_at,
            dedup_key: facts.dedup_key,
            business_key: facts.business_key,
            _slot: None,
        })
    }
}
