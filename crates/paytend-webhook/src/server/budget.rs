//! How much may be in hand at once.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use tokio::sync::{OwnedSemaphorePermit, Semaphore, oneshot};

use crate::receiver::Reason;

/// How much may be in hand at once, for one class of sources. What is beyond it is answered with 503 and comes again;
/// nothing waits without bound, in number or in time.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Budget {
    operations: usize,
    waiting: usize,
    bytes: usize,
    patience: Duration,
}

impl Default for Budget {
    fn default() -> Self {
        Self { operations: 1, waiting: 256, bytes: 16 << 20, patience: Duration::from_secs(10) }
    }
}

impl Budget {
    /// One operation at once, 256 that wait, for 10 s at most, and 16 MiB of bodies.
    pub fn new() -> Self {
        Self::default()
    }

    /// Sets how many notifications may be under the keys at once. With 0, none is taken.
    #[must_use]
    pub fn operations(mut self, count: usize) -> Self {
        self.operations = count;
        self
    }

    /// Sets how many more may be in progress with their bodies complete: waiting for the keys, or with a handler that
    /// has not ended or has not dropped its [`Verified`](crate::Verified).
    #[must_use]
    pub fn waiting(mut self, count: usize) -> Self {
        self.waiting = count;
        self
    }

    /// Sets how many bytes of bodies may be in hand, those being read and those complete. It is raised to the
    /// receiver's own limit, or no body of that size could ever be taken. When it is used up, the body that has been
    /// arriving for longest gives way: whoever holds many connections open cannot keep others out.
    #[must_use]
    pub fn bytes(mut self, count: usize) -> Self {
        self.bytes = count;
        self
    }

    /// Sets how long a complete body may wait for the keys, and the keys may take.
    #[must_use]
    pub fn patience(mut self, time: Duration) -> Self {
        self.patience = time;
        self
    }
}

/// A budget, and what is in use of it.
#[derive(Clone)]
pub(super) struct Limits {
    operations: Arc<Semaphore>,
    /// Those under the keys, those that wait, and those with a handler.
    places: Arc<Semaphore>,
    memory: Arc<Memory>,
    pub(super) patience: Duration,
}

impl Limits {
    /// With room for a body of `largest` bytes at least.
    pub(super) fn new(budget: Budget, largest: usize) -> Self {
        // More than tokio's semaphores can hold is without bound in effect.
        let semaphore = |count: usize| Arc::new(Semaphore::new(count.min(Semaphore::MAX_PERMITS)));
        let places = if budget.operations == 0 { 0 } else { budget.operations.saturating_add(budget.waiting) };
        Self {
            operations: semaphore(budget.operations),
            places: semaphore(places),
            memory: Arc::new(Memory { limit: budget.bytes.max(largest), state: Mutex::default() }),
            patience: budget.patience,
        }
    }

    /// A place for a complete body, if there is one.
    pub(super) fn place(&self) -> Result<OwnedSemaphorePermit, Reason> {
        Arc::clone(&self.places).try_acquire_owned().map_err(|_| Reason::Overloaded)
    }

    /// Waits for the keys.
    pub(super) async fn operation(&self) -> Result<OwnedSemaphorePermit, Reason> {
        Arc::clone(&self.operations).acquire_owned().await.map_err(|_| Reason::Overloaded)
    }

    /// A body that has no bytes yet, and what tells it to give way.
    pub(super) fn hold(&self) -> (Held, oneshot::Receiver<()>) {
        let (evict, evicted) = oneshot::channel();
        let mut state = self.memory.state();
        let id = state.next;
        state.next += 1;
        state.bodies.insert(id, Body { bytes: 0, evict: Some(evict) });
        (Held { memory: Arc::clone(&self.memory), id }, evicted)
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
    /// By age: the oldest has the smallest number.
    bodies: BTreeMap<u64, Body>,
}

struct Body {
    bytes: usize,
    /// There while it is being read.
    evict: Option<oneshot::Sender<()>>,
}

impl Memory {
    fn state(&self) -> MutexGuard<'_, State> {
        // Nothing in between can panic.
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Bytes in hand, given back when it is dropped.
pub(super) struct Held {
    memory: Arc<Memory>,
    id: u64,
}

impl Held {
    /// Takes room for more, from older bodies if need be.
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
                        // Its task may be gone already.
                        let _ = body.evict.map(|evict| evict.send(()));
                    }
                }
                _ => return Err(Reason::Overloaded),
            }
        }
        // One that was told to give way has no room any more.
        let body = state.bodies.get_mut(&self.id).ok_or(Reason::Overloaded)?;
        body.bytes += by;
        state.used += by;
        Ok(())
    }

    /// The body is complete: it need not give way any more.
    pub(super) fn complete(&mut self) -> Result<(), Reason> {
        let mut state = self.memory.state();
        state.bodies.get_mut(&self.id).ok_or(Reason::Overloaded)?.evict = None;
        Ok(())
    }
}

impl Drop for Held {
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
        Limits::new(Budget::new().bytes(bytes), 0)
    }

    #[test]
    fn bytes_are_given_back() {
        let limits = limits(10);
        let (mut first, _first) = limits.hold();
        first.grow(6).unwrap();
        first.complete().unwrap();
        let (mut second, _second) = limits.hold();
        assert_eq!(second.grow(5), Err(Reason::Overloaded));
        assert_eq!(second.grow(4), Ok(()));
        assert_eq!(second.grow(1), Err(Reason::Overloaded));
        drop(first);
        assert_eq!(second.grow(6), Ok(()));
        assert_eq!(second.grow(usize::MAX), Err(Reason::Overloaded));
        drop(second);
        let (mut third, _third) = limits.hold();
        assert_eq!(third.grow(10), Ok(()));
    }

    #[test]
    fn the_oldest_unfinished_body_gives_way() {
        let limits = limits(10);
        let (mut done, _done) = limits.hold();
        done.grow(2).unwrap();
        done.complete().unwrap();
        let (mut oldest, mut oldest_evicted) = limits.hold();
        let (mut older, mut older_evicted) = limits.hold();
        let (mut newest, _newest) = limits.hold();
        oldest.grow(4).unwrap();
        older.grow(4).unwrap();
        newest.grow(3).unwrap();
        assert!(oldest_evicted.try_recv().is_ok());
        assert!(older_evicted.try_recv().is_err());
        assert_eq!(oldest.grow(1), Err(Reason::Overloaded));
        assert_eq!(oldest.complete(), Err(Reason::Overloaded));
        // One that is complete stays, and nobody pushes out a newer one.
        assert_eq!(older.grow(2), Err(Reason::Overloaded));
        newest.grow(5).unwrap();
        assert!(older_evicted.try_recv().is_ok());
        assert_eq!(newest.grow(1), Err(Reason::Overloaded));
        drop((oldest, older, newest, done));
        assert_eq!(limits.memory.state().used, 0);
        assert!(limits.memory.state().bodies.is_empty());
    }

    #[test]
    fn a_body_of_the_receiver_s_limit_has_room() {
        let limits = Limits::new(Budget::new().bytes(1), 100);
        let (mut held, _evicted) = limits.hold();
        assert_eq!(held.grow(100), Ok(()));
    }

    #[test]
    fn no_operations_are_no_places() {
        assert_eq!(Limits::new(Budget::new().operations(0), 0).place().unwrap_err(), Reason::Overloaded);
    }
}
