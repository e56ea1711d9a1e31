//! How much may be in hand at once.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use tokio::sync::{OwnedSemaphorePermit, Semaphore};

use crate::receiver::Reason;

/// How much may be in hand at once, for one class of sources. What is beyond it is answered with 503 and comes again; nothing waits without
/// bound.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Budget {
    operations: usize,
    waiting: usize,
    bytes: usize,
}

impl Default for Budget {
    fn default() -> Self {
        Self { operations: 1, waiting: 256, bytes: 16 << 20 }
    }
}

impl Budget {
    /// One operation at once, 256 that wait, 16 MiB of bodies.
    pub fn new() -> Self {
        Self::default()
    }

    /// Sets how many notifications may be under the keys at once.
    #[must_use]
    pub fn operations(mut self, count: usize) -> Self {
        self.operations = count;
        self
    }

    /// Sets how many may wait for that, with their bodies complete.
    #[must_use]
    pub fn waiting(mut self, count: usize) -> Self {
        self.waiting = count;
        self
    }

    /// Sets how many bytes of bodies may be in hand, being read, waiting or under the keys. A connection that sends nothing holds none.
    #[must_use]
    pub fn bytes(mut self, count: usize) -> Self {
        self.bytes = count;
        self
    }
}

/// A budget, and what is in use of it.
#[derive(Clone)]
pub(super) struct Limits {
    operations: Arc<Semaphore>,
    /// Those under the keys and those that wait.
    places: Arc<Semaphore>,
    bytes: Arc<Bytes>,
}

struct Bytes {
    limit: usize,
    used: AtomicUsize,
}

/// A place under the keys.
pub(super) struct Permit {
    _operation: OwnedSemaphorePermit,
    _place: OwnedSemaphorePermit,
}

impl Limits {
    pub(super) fn new(budget: Budget) -> Self {
        // More than tokio's semaphores can hold is without bound in effect.
        let semaphore = |count: usize| Arc::new(Semaphore::new(count.min(Semaphore::MAX_PERMITS)));
        Self {
            operations: semaphore(budget.operations),
            places: semaphore(budget.operations.saturating_add(budget.waiting)),
            bytes: Arc::new(Bytes { limit: budget.bytes, used: AtomicUsize::new(0) }),
        }
    }

    /// Waits for a place under the keys, if there is still room to wait.
    pub(super) async fn operation(&self) -> Result<Permit, Reason> {
        let place = Arc::clone(&self.places).try_acquire_owned().map_err(|_| Reason::Overloaded)?;
        let operation = Arc::clone(&self.operations).acquire_owned().await.map_err(|_| Reason::Overloaded)?;
        Ok(Permit { _operation: operation, _place: place })
    }

    /// Holds no bytes yet.
    pub(super) fn hold(&self) -> Held {
        Held { bytes: Arc::clone(&self.bytes), count: 0 }
    }
}

/// Bytes in hand, given back when it is dropped.
pub(super) struct Held {
    bytes: Arc<Bytes>,
    count: usize,
}

impl Held {
    pub(super) fn grow(&mut self, by: usize) -> Result<(), Reason> {
        let room = |used: usize| used.checked_add(by).filter(|used| *used <= self.bytes.limit);
        self.bytes.used.fetch_update(Ordering::Relaxed, Ordering::Relaxed, room).map_err(|_| Reason::Overloaded)?;
        self.count += by;
        Ok(())
    }
}

impl Drop for Held {
    fn drop(&mut self) {
        self.bytes.used.fetch_sub(self.count, Ordering::Relaxed);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bytes_are_given_back() {
        let limits = Limits::new(Budget::new().bytes(10));
        let (mut first, mut second) = (limits.hold(), limits.hold());
        assert_eq!(first.grow(6), Ok(()));
        assert_eq!(second.grow(5), Err(Reason::Overloaded));
        assert_eq!(second.grow(4), Ok(()));
        assert_eq!(first.grow(1), Err(Reason::Overloaded));
        drop(first);
        assert_eq!(second.grow(6), Ok(()));
        assert_eq!(second.grow(usize::MAX), Err(Reason::Overloaded));
        drop(second);
        assert_eq!(limits.hold().grow(10), Ok(()));
    }
}
