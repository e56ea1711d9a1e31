//! Keys that come and go: when each is valid, and how often it was of use.
//!
//! A provider that rotates its key tells the new one beforehand. Both are configured until no message is by the old one any more, which the
//! counters show; then the old one goes. No message is refused on the way.

use std::collections::BTreeSet;
use std::fmt;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, SystemTime};

use paytend_crypto::rsa::{RsaPrivate, RsaPublic};
use paytend_crypto::{Fingerprint, Keyring, PublicKey};

use crate::config_error::ConfigError;

/// A key, and from when until when it is used. Without either it is used always.
///
/// ```
/// # use std::time::{Duration, SystemTime};
/// # use paytend_crypto::{OsRandom, rustcrypto};
/// # use paytend_webhook::{Dated, PayByReceiver};
/// # let [old, new] = [(); 2].map(|()| rustcrypto::generate(1024, &OsRandom).unwrap());
/// # let [old, new] = [old, new].map(|key| rustcrypto::public(key.public_key()).unwrap());
/// let december = SystemTime::UNIX_EPOCH + Duration::from_secs(1_796_083_200);
/// let week = Duration::from_secs(7 * 24 * 3600);
/// let receiver =
///     PayByReceiver::new([Dated::from(old).retire_at(december + week), Dated::from(new).not_before(december)])?;
/// # let _ = receiver;
/// # Ok::<(), paytend_webhook::ConfigError>(())
/// ```
pub struct Dated<K: ?Sized> {
    pub(crate) key: Arc<K>,
    not_before: Option<SystemTime>,
    retire_at: Option<SystemTime>,
}

impl<K: ?Sized> From<Arc<K>> for Dated<K> {
    fn from(key: Arc<K>) -> Self {
        Self { key, not_before: None, retire_at: None }
    }
}

impl<K: ?Sized> Dated<K> {
    /// The first moment at which it is used.
    #[must_use]
    pub fn not_before(mut self, time: SystemTime) -> Self {
        self.not_before = Some(time);
        self
    }

    /// The first moment at which it is no longer used.
    #[must_use]
    pub fn retire_at(mut self, time: SystemTime) -> Self {
        self.retire_at = Some(time);
        self
    }

    /// Whether it is used at a moment; `None` is before all moments.
    pub(crate) fn covers(&self, at: Option<SystemTime>) -> bool {
        let begun = self.not_before.is_none_or(|from| at.is_some_and(|at| at >= from));
        let over = self.retire_at.is_some_and(|until| at.is_some_and(|at| at >= until));
        begun && !over
    }

    pub(crate) fn bounds(&self) -> impl Iterator<Item = SystemTime> {
        self.not_before.into_iter().chain(self.retire_at)
    }
}

impl<K: ?Sized> Clone for Dated<K> {
    fn clone(&self) -> Self {
        Self { key: Arc::clone(&self.key), not_before: self.not_before, retire_at: self.retire_at }
    }
}

impl<K: ?Sized + HasPublicKey> Dated<K> {
    pub(crate) fn fingerprint(&self) -> Fingerprint {
        self.key.half().fingerprint()
    }
}

impl<K: ?Sized + HasPublicKey> fmt::Debug for Dated<K> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Dated")
            .field("key", &self.fingerprint())
            .field("not_before", &self.not_before)
            .field("retire_at", &self.retire_at)
            .finish()
    }
}

/// Both kinds of key have a public half.
pub trait HasPublicKey {
    #[doc(hidden)]
    fn half(&self) -> &PublicKey;
}

impl HasPublicKey for dyn RsaPublic {
    fn half(&self) -> &PublicKey {
        self.public_key()
    }
}

impl HasPublicKey for dyn RsaPrivate {
    fn half(&self) -> &PublicKey {
        self.public_key()
    }
}

/// The keys given, each with a time in which it is used.
pub(crate) fn checked<K, I>(keys: I) -> Result<Vec<Dated<K>>, ConfigError>
where
    K: ?Sized + HasPublicKey,
    I: IntoIterator<Item: Into<Dated<K>>>,
{
    let keys: Vec<Dated<K>> = keys.into_iter().map(Into::into).collect();
    if keys.is_empty() {
        return Err(ConfigError::NoKey);
    }
    match keys.iter().find(|key| key.retire_at.is_some_and(|until| key.not_before.is_some_and(|from| from >= until))) {
        Some(never) => Err(ConfigError::NeverUsed(never.fingerprint())),
        None => Ok(keys),
    }
}

/// What is used when: between two moments at which a key comes or goes, always the same.
pub(crate) struct Timeline<T> {
    /// From when each is used, in order; the first from the beginning.
    spans: Arc<[(Option<SystemTime>, Option<T>)]>,
}

impl<T> Timeline<T> {
    pub(crate) fn constant(used: T) -> Self {
        Self { spans: [(None, Some(used))].into() }
    }

    /// `make` is asked for each span of time, by its beginning.
    pub(crate) fn new(
        bounds: impl Iterator<Item = SystemTime>,
        make: impl Fn(Option<SystemTime>) -> Result<Option<T>, ConfigError>,
    ) -> Result<Self, ConfigError> {
        let bounds: BTreeSet<_> = bounds.collect();
        let spans = std::iter::once(None).chain(bounds.into_iter().map(Some));
        let made = spans.map(|from| Ok((from, make(from)?)));
        Ok(Self { spans: made.collect::<Result<Vec<_>, ConfigError>>()?.into() })
    }

    /// What is used then, if there are keys.
    pub(crate) fn at(&self, now: SystemTime) -> Option<&T> {
        let begun = self.spans.partition_point(|(from, _)| from.is_none_or(|from| from <= now));
        self.spans.get(begun.checked_sub(1)?)?.1.as_ref()
    }
}

impl<T> Clone for Timeline<T> {
    fn clone(&self) -> Self {
        Self { spans: Arc::clone(&self.spans) }
    }
}

/// The keys that are used then.
pub(crate) fn used<K: ?Sized>(keys: &[Dated<K>], at: Option<SystemTime>) -> Vec<Arc<K>> {
    keys.iter().filter(|key| key.covers(at)).map(|key| Arc::clone(&key.key)).collect()
}

/// What a key is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum KeyRole {
    /// The provider's: it verifies.
    Verifies,
    /// Ours: it decrypts.
    Decrypts,
}

/// How often a key was of use, since its receiver was made. A receiver's clones count together.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct KeyUse {
    /// The key.
    pub key: Fingerprint,
    /// What it is for.
    pub role: KeyRole,
    /// How many authentic messages it was the key of.
    pub count: u64,
    /// When the last of them came, to the second.
    pub last: Option<SystemTime>,
}

/// Counts what each key was of use for.
#[derive(Clone)]
pub(crate) struct Uses(Arc<[Counter]>);

struct Counter {
    key: Fingerprint,
    role: KeyRole,
    count: AtomicU64,
    /// Seconds since 1970.
    last: AtomicU64,
}

impl Uses {
    pub(crate) fn new(keys: impl IntoIterator<Item = (Fingerprint, KeyRole)>) -> Self {
        let mut counters: Vec<Counter> = Vec::new();
        for (key, role) in keys {
            if !counters.iter().any(|known| (known.key, known.role) == (key, role)) {
                counters.push(Counter { key, role, count: AtomicU64::new(0), last: AtomicU64::new(0) });
            }
        }
        Self(counters.into())
    }

    pub(crate) fn of_keyring(keyring: &Keyring) -> Self {
        let verifying = keyring.verification_keys().map(|key| (key, KeyRole::Verifies));
        Self::new(verifying.chain(keyring.decryption_keys().map(|key| (key, KeyRole::Decrypts))))
    }

    pub(crate) fn count(&self, key: Fingerprint, role: KeyRole, now: SystemTime) {
        if let Some(counter) = self.0.iter().find(|counter| (counter.key, counter.role) == (key, role)) {
            counter.count.fetch_add(1, Ordering::Relaxed);
            let seconds = now.duration_since(SystemTime::UNIX_EPOCH).unwrap_or_default().as_secs();
            counter.last.fetch_max(seconds, Ordering::Relaxed);
        }
    }

    pub(crate) fn list(&self) -> Vec<KeyUse> {
        let read = |counter: &Counter| {
            let count = counter.count.load(Ordering::Relaxed);
            let last = SystemTime::UNIX_EPOCH.checked_add(Duration::from_secs(counter.last.load(Ordering::Relaxed)));
            KeyUse { key: counter.key, role: counter.role, count, last: last.filter(|_| count > 0) }
        };
        self.0.iter().map(read).collect()
    }
}
