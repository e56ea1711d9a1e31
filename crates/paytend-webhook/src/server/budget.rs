//! Limits on the notifications in progress.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use tokio::sync::{OwnedSemaphorePermit, Semaphore, oneshot};

use crate::error::Reason;

/// The limits on notifications in progress for a class of sources. A request beyond a limit gets a 503 response, and
/// the provider retries it. Both the number of waiting requests and each request's waiting time are limited.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Budget {
    operations: usize,
    waiting: usize,
    bytes: usize,
    queue_timeout: Duration,
}

impl Default for Budget {
    fn default() -> Self {
        Self { operations: 1, waiting: 256, bytes: 16 << 20, queue_timeout: Duration::from_secs(10) }
    }
}

impl Budget {
    /// Creates a budget with 1 concurrent key operation, 256 waiting notifications, a waiting time of 10 s, and 16 MiB
    /// for bodies.
    pub fn new() -> Self {
        Self::default()
    }

    /// Sets the maximum number of concurrent key operations. With 0, no notification is accepted.
    #[must_use]
    pub fn max_concurrent(mut self, count: usize) -> Self {
        self.operations = count;
        self
    }

    /// Sets how many notifications with complete bodies may wait for a key operation or be in a handler. Notifications
    /// in a key operation do not count. A handler counts until it has returned and dropped its
    /// [`Verified`](crate::Verified).
    #[must_use]
    pub fn max_waiting(mut self, count: usize) -> Self {
        self.waiting = count;
        self
    }

    /// Sets the maximum total size, in bytes, of all bodies in progress, whether partial or complete. A value below the
    /// receiver's size limit is raised to that limit, so that a body of that size fits. When the budget is used up, the
    /// partial body that started first is discarded. A client with many open connections therefore cannot lock out
    /// others.
    #[must_use]
    pub fn max_bytes(mut self, count: usize) -> Self {
        self.bytes = count;
        self
    }

    /// Sets the time limit for a complete body's key operation, including the wait for it.
    #[must_use]
    pub fn queue_timeout(mut self, time: Duration) -> Self {
        self.queue_timeout = time;
        self
    }
}

/// A budget and its current usage.
#[derive(Clone)]
pub(super) struct Limits {
    operations: Arc<Semaphore>,
    /// One permit for each notification in progress: in a key operation, waiting, or with a handler.
    slots: Arc<Semaphore>,
    memory: Arc<Memory>,
    pub(super) queue_timeout: Duration,
}

impl Limits {
    /// Creates limits with room for a body of at least `largest` bytes.
    pub(super) fn new(budget: Budget, largest: usize) -> Self {
        // Tokio caps the number of permits. No server gets near that cap, so clamping a larger value to it is harmless.
        let semaphore = |count: usize| Arc::new(Semaphore::new(count.min(Semaphore::MAX_PERMITS)));
        let slots = if budget.operations == 0 { 0 } else { budget.operations.saturating_add(budget.waiting) };
        Self {
            operations: semaphore(budget.operations),
            slots: semaphore(slots),
            memory: Arc::new(Memory { limit: budget.bytes.max(largest), state: Mutex::default() }),
            queue_timeout: budget.queue_timeout,
        }
    }

    /// Returns a slot for a complete body, if there is a free slot.
    pub(super) fn slot(&self) -> Result<OwnedSemaphorePermit, Reason> {
        Arc::clone(&self.slots).try_acquire_owned().map_err(|_| Reason::Overloaded)
    }

    /// Waits until a key operation may start.
    pub(super) async fn operation(&self) -> Result<OwnedSemaphorePermit, Reason> {
        Arc::clone(&self.operations).acquire_owned().await.map_err(|_| Reason::Overloaded)
    }

    /// Registers an empty body. The returned channel fires when the body must be discarded.
    pub(super) fn reserve(&self) -> (Reservation, oneshot::Receiver<()>) {
        let (evict, evicted) = oneshot::channel();
        let mut state = self.memory.state();
        let id = state.next;
        state.next += 1;
        state.bodies.insert(id, Body { bytes: 0, evict: Some(evict) });
        (Reservation { memory: Arc::clone(&self.memory), id }, evicted)
    }
}

struct Memory {
    limit: usize,
    state: Mutex<State>,
}

#[derive(Default)]
struct State {
    used: usize,
    next: u64,
    /// The bodies by sequence number. The oldest body has the smallest number.
    bodies: BTreeMap<u64, Body>,
}

struct Body {
    bytes: usize,
    /// Signals that the body must be discarded; `None` when the body is complete.
    evict: Option<oneshot::Sender<()>>,
}

impl Memory {
    fn state(&self) -> MutexGuard<'_, State> {
        // No code panics while it holds this lock, so the state is consistent even if the lock is poisoned.
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Bytes reserved for a body; released on drop.
pub(super) struct Reservation {
    memory: Arc<Memory>,
    id: u64,
}

impl Reservation {
    /// Reserves more bytes, discarding older bodies if necessary.
    pub(super) fn grow(&mut self, by: usize) -> Result<(), Reason> {
        let mut guard = self.memory.state();
        let state = &mut *guard;
        while state.used.checked_add(by).is_none_or(|used| used > self.memory.limit) {
            let oldest =
                state.bodies.iter().find(|(_, body)| body.evict.is_some() && body.bytes > 0).map(|(id, _)| *id);
            match oldest {
                Some(oldest) if oldest < self.id => {
                    if let Some(body) = state.bodies.remove(&oldest) {
                        state.used -= body.bytes;
                        // Ignore errors: sending fails only if the body's task has already ended.
                        let _ = body.evict.map(|evict| evict.send(()));
                    }
                }
                _ => return Err(Reason::Overloaded),
            }
        }
        // If this body has been discarded, it no longer has an entry.
        let body = state.bodies.get_mut(&self.id).ok_or(Reason::Overloaded)?;
        body.bytes += by;
        state.used += by;
        Ok(())
    }

    /// Marks the body as complete, so that it is no longer discarded.
    pub(super) fn complete(&mut self) -> Result<(), Reason> {
        let mut state = self.memory.state();
        state.bodies.get_mut(&self.id).ok_or(Reason::Overloaded)?.evict = None;
        Ok(())
    }
}

impl Drop for Reservation {
    fn drop(&mut self) {
        let mut state = self.memory.state();
        if let Some(body) = state.bodies.remove(&self.id) {
            state.used -= body.bytes;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn limits(bytes: usize) -> Limits {
        Limits::new(Budget::new().max_bytes(bytes), 0)
    }

    #[test]
    fn bytes_are_released_on_drop() {
        let limits = limits(10);
        let (mut first, _first) = limits.reserve();
        first.grow(6).unwrap();
        first.complete().unwrap();
        let (mut second, _second) = limits.reserve();
        assert_eq!(second.grow(5), Err(Reason::Overloaded));
        assert_eq!(second.grow(4), Ok(()));
        assert_eq!(second.grow(1), Err(Reason::Overloaded));
        drop(first);
        assert_eq!(second.grow(6), Ok(()));
        assert_eq!(second.grow(usize::MAX), Err(Reason::Overloaded));
        drop(second);
        let (mut third, _third) = limits.reserve();
        assert_eq!(third.grow(10), Ok(()));
    }

    #[test]
    fn oldest_partial_body_is_discarded() {
        let limits = limits(10);
        let (mut done, _done) = limits.reserve();
        done.grow(2).unwrap();
        done.complete().unwrap();
        let (mut oldest, mut oldest_evicted) = limits.reserve();
        let (mut older, mut older_evicted) = limits.reserve();
        let (mut newest, _newest) = limits.reserve();
        oldest.grow(4).unwrap();
        older.grow(4).unwrap();
        newest.grow(3).unwrap();
        assert!(oldest_evicted.try_recv().is_ok());
        assert!(older_evicted.try_recv().is_err());
        assert_eq!(oldest.grow(1), Err(Reason::Overloaded));
        assert_eq!(oldest.complete(), Err(Reason::Overloaded));
        // `older` cannot grow. Only bodies older than `older` could be discarded for it, and the only such body is
        // complete.
        assert_eq!(older.grow(2), Err(Reason::Overloaded));
        newest.grow(5).unwrap();
        assert!(older_evicted.try_recv().is_ok());
        assert_eq!(newest.grow(1), Err(Reason::Overloaded));
        drop((oldest, older, newest, done));
        assert_eq!(limits.memory.state().used, 0);
        assert!(limits.memory.state().bodies.is_empty());
    }

    #[test]
    fn body_at_the_receivers_size_limit_fits() {
        let limits = Limits::new(Budget::new().max_bytes(1), 100);
        let (mut reservation, _evicted) = limits.reserve();
        assert_eq!(reservation.grow(100), Ok(()));
    }

    #[test]
    fn budget_without_operations_has_no_slots() {
        assert_eq!(Limits::new(Budget::new().max_concurrent(0), 0).slot().unwrap_err(), Reason::Overloaded);
    }
}
