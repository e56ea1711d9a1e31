//! Key rotation: validity periods and usage counters for keys.
//!
//! A provider that rotates its key announces the new key in advance. Configure both keys until the counters show that
//! the old key is no longer used, then remove the old key. No message is rejected during the rotation.

use std::collections::BTreeSet;
use std::fmt;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, SystemTime};

use paytend_crypto::rsa::{RsaPrivate, RsaPublic};
use paytend_crypto::{Fingerprint, Keyring, PublicKey};

use crate::error::ConfigError;

/// A key with an optional validity period. Without `not_before` and `retire_at` the key is always valid.
///
/// ```
/// # use std::time::{Duration, SystemTime};
/// # use paytend_crypto::{OsRandom, rustcrypto};
/// # use paytend_webhook::{ScheduledKey, PayByReceiver};
/// # let [old, new] = [(); 2].map(|()| rustcrypto::generate(1024, &OsRandom).unwrap());
/// # let [old, new] = [old, new].map(|key| rustcrypto::public(key.public_key()).unwrap());
/// let december = SystemTime::UNIX_EPOCH + Duration::from_secs(1_796_083_200);
/// let week = Duration::from_secs(7 * 24 * 3600);
/// let (old, new) = (ScheduledKey::from(old), ScheduledKey::from(new));
/// let receiver = PayByReceiver::new([old.retire_at(december + week), new.not_before(december)])?;
/// # let _ = receiver;
/// # Ok::<(), paytend_webhook::ConfigError>(())
/// ```
pub struct ScheduledKey<K: ?Sized> {
    pub(crate) key: Arc<K>,
    not_before: Option<SystemTime>,
    retire_at: Option<SystemTime>,
}

impl<K: ?Sized> From<Arc<K>> for ScheduledKey<K> {
    fn from(key: Arc<K>) -> Self {
        Self { key, not_before: None, retire_at: None }
    }
}

impl<K: ?Sized> ScheduledKey<K> {
    /// Sets the time from which the key is used.
    #[must_use]
    pub fn not_before(mut self, time: SystemTime) -> Self {
        self.not_before = Some(time);
        self
    }

    /// Sets the time from which the key is no longer used.
    #[must_use]
    pub fn retire_at(mut self, time: SystemTime) -> Self {
        self.retire_at = Some(time);
        self
    }

    /// Returns whether the key is valid at `at`. `None` means a time before all validity periods begin.
    pub(crate) fn covers(&self, at: Option<SystemTime>) -> bool {
        let begun = self.not_before.is_none_or(|from| at.is_some_and(|at| at >= from));
        let over = self.retire_at.is_some_and(|until| at.is_some_and(|at| at >= until));
        begun && !over
    }

    pub(crate) fn bounds(&self) -> impl Iterator<Item = SystemTime> {
        self.not_before.into_iter().chain(self.retire_at)
    }
}

impl<K: ?Sized> Clone for ScheduledKey<K> {
    fn clone(&self) -> Self {
        Self { key: Arc::clone(&self.key), not_before: self.not_before, retire_at: self.retire_at }
    }
}

impl<K: ?Sized + HasPublicKey> ScheduledKey<K> {
    pub(crate) fn fingerprint(&self) -> Fingerprint {
        self.key.half().fingerprint()
    }
}

impl<K: ?Sized + HasPublicKey> fmt::Debug for ScheduledKey<K> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ScheduledKey")
            .field("key", &self.fingerprint())
            .field("not_before", &self.not_before)
            .field("retire_at", &self.retire_at)
            .finish()
    }
}

/// A key with a public half: a private key or a public key. This trait is sealed.
pub trait HasPublicKey: sealed::Sealed {
    #[doc(hidden)]
    fn half(&self) -> &PublicKey;
}

mod sealed {
    use super::{RsaPrivate, RsaPublic};

    pub trait Sealed {}
    impl Sealed for dyn RsaPublic {}
    impl Sealed for dyn RsaPrivate {}
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

/// Collects the keys with their validity periods and checks each period.
pub(crate) fn checked<K, I>(keys: I) -> Result<Vec<ScheduledKey<K>>, ConfigError>
where
    K: ?Sized + HasPublicKey,
    I: IntoIterator<Item: Into<ScheduledKey<K>>>,
{
    let keys: Vec<ScheduledKey<K>> = keys.into_iter().map(Into::into).collect();
    if keys.is_empty() {
        return Err(ConfigError::NoKey);
    }
    match keys.iter().find(|key| key.retire_at.is_some_and(|until| key.not_before.is_some_and(|from| from >= until))) {
        Some(never) => Err(ConfigError::NeverUsed(never.fingerprint())),
        None => Ok(keys),
    }
}

/// Loads public keys into the default backend.
#[cfg(feature = "rustcrypto")]
pub(crate) fn public(
    keys: impl IntoIterator<Item: std::borrow::Borrow<PublicKey>>,
) -> Result<Vec<Arc<dyn RsaPublic>>, ConfigError> {
    use std::borrow::Borrow as _;
    let prepared = keys.into_iter().map(|key| paytend_crypto::rustcrypto::public(key.borrow()));
    prepared.collect::<Result<_, _>>().map_err(|error| ConfigError::Crypto(error.into()))
}

/// A value for each time span. A new span starts whenever a key becomes valid or is retired.
pub(crate) struct Timeline<T> {
    /// The start of each span with its value, in order. The start of the first span is `None`.
    spans: Arc<[(Option<SystemTime>, Option<T>)]>,
}

impl<T> Timeline<T> {
    pub(crate) fn constant(used: T) -> Self {
        Self { spans: [(None, Some(used))].into() }
    }

    /// Creates the timeline; `make` is called once for each span with the span's start.
    pub(crate) fn new(
        bounds: impl Iterator<Item = SystemTime>,
        make: impl Fn(Option<SystemTime>) -> Result<Option<T>, ConfigError>,
    ) -> Result<Self, ConfigError> {
        let bounds: BTreeSet<_> = bounds.collect();
        let spans = std::iter::once(None).chain(bounds.into_iter().map(Some));
        let made = spans.map(|from| Ok((from, make(from)?)));
        Ok(Self { spans: made.collect::<Result<Vec<_>, ConfigError>>()?.into() })
    }

    /// Returns the value for the time `now`, or `None` if no key is valid then.
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

/// Returns the keys that are valid at `at`.
pub(crate) fn used<K: ?Sized>(keys: &[ScheduledKey<K>], at: Option<SystemTime>) -> Vec<Arc<K>> {
    keys.iter().filter(|key| key.covers(at)).map(|key| Arc::clone(&key.key)).collect()
}

/// A key's purpose.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum KeyRole {
    /// The provider's key, which verifies signatures.
    Verifies,
    /// The partner's key, which decrypts session keys.
    Decrypts,
}

/// A key's usage count since its receiver was created. Clones of a receiver share the count.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct KeyUsage {
    /// The key.
    pub key: Fingerprint,
    /// Whether the key verifies or decrypts messages.
    pub role: KeyRole,
    /// The number of authentic messages that were verified or decrypted with the key.
    pub count: u64,
    /// The time at which the key was last used for such a message, rounded down to whole seconds.
    pub last: Option<SystemTime>,
}

/// Usage counters for all keys of a receiver.
#[derive(Clone)]
pub(crate) struct UsageCounters(Arc<[Counter]>);

struct Counter {
    key: Fingerprint,
    role: KeyRole,
    count: AtomicU64,
    /// The time of the last use, in seconds since the Unix epoch; 0 if the key has never been used.
    last: AtomicU64,
}

impl UsageCounters {
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

    pub(crate) fn list(&self) -> Vec<KeyUsage> {
        let read = |counter: &Counter| {
            let count = counter.count.load(Ordering::Relaxed);
            let last = SystemTime::UNIX_EPOCH.checked_add(Duration::from_secs(counter.last.load(Ordering::Relaxed)));
            KeyUsage { key: counter.key, role: counter.role, count, last: last.filter(|_| count > 0) }
        };
        self.0.iter().map(read).collect()
    }
}
