//! Queues whose items are processed by a few tasks, which are called lanes.
//!
//! A lane is started when an item is waiting, and ends when the queue is empty. If a lane's Tokio runtime is shut
//! down, the callers that are still waiting start another lane, because they may belong to other runtimes.

use std::collections::VecDeque;
use std::future::Future;
use std::pin::pin;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use tokio::sync::{Notify, oneshot};

/// A queue and the state of its lanes.
pub(crate) struct Lanes<T> {
    state: Mutex<State<T>>,
    /// Signals that a lane has ended before the queue was empty.
    interrupted: Arc<Notify>,
}

struct State<T> {
    waiting: VecDeque<T>,
    running: usize,
}

impl<T> Lanes<T> {
    /// Creates a queue. Two queues share `interrupted` if an item can move from one queue to the other while its caller
    /// waits.
    pub(crate) fn new(interrupted: Arc<Notify>) -> Arc<Self> {
        let state = Mutex::new(State { waiting: VecDeque::new(), running: 0 });
        Arc::new(Self { state, interrupted })
    }

    fn state(&self) -> MutexGuard<'_, State<T>> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Adds an item. Returns the item if `max_waiting` items are already waiting.
    pub(crate) fn push(&self, item: T, max_waiting: usize) -> Result<(), T> {
        let mut state = self.state();
        if state.waiting.len() >= max_waiting {
            return Err(item);
        }
        state.waiting.push_back(item);
        Ok(())
    }

    /// Puts items that were taken earlier back at the front of the queue.
    pub(crate) fn put_back(&self, items: impl DoubleEndedIterator<Item = T>) {
        let mut state = self.state();
        items.rev().for_each(|item| state.waiting.push_front(item));
    }

    /// Returns a new lane if an item is waiting and fewer than `max` lanes are running. The caller must run the lane.
    pub(crate) fn start(self: &Arc<Self>, max: usize) -> Option<Lane<T>> {
        let mut state = self.state();
        if state.waiting.is_empty() || state.running >= max {
            return None;
        }
        state.running += 1;
        Some(Lane { lanes: Arc::clone(self), is_running: true })
    }
}

/// A lane, which processes the items of a queue until the queue is empty.
pub(crate) struct Lane<T> {
    lanes: Arc<Lanes<T>>,
    is_running: bool,
}

impl<T> Lane<T> {
    /// Calls a function that takes items from the queue. The function must take an item if an item is waiting. If it
    /// takes none, the lane ends.
    pub(crate) fn take(&mut self, take: impl FnOnce(&mut VecDeque<T>) -> Vec<T>) -> Option<Vec<T>> {
        let mut state = self.lanes.state();
        let taken = take(&mut state.waiting);
        if taken.is_empty() {
            state.running -= 1;
            self.is_running = false;
            return None;
        }
        Some(taken)
    }
}

impl<T> Drop for Lane<T> {
    fn drop(&mut self) {
        if self.is_running {
            self.lanes.state().running -= 1;
            self.lanes.interrupted.notify_waiters();
        }
    }
}

/// Waits for the reply to an item. `start` is called to start lanes if items are waiting and too few lanes are
/// running. Returns `None` if the lane that has taken the item was interrupted.
pub(crate) async fn reply<R>(interrupted: &Notify, reply: oneshot::Receiver<R>, start: impl Fn()) -> Option<R> {
    let mut reply = pin!(reply);
    loop {
        let mut ended = pin!(interrupted.notified());
        // An interruption after this call is not missed, even if it happens before `ended` is awaited.
        ended.as_mut().enable();
        start();
        if let Some(replied) = either(reply.as_mut(), ended).await {
            return replied.ok();
        }
    }
}

/// Returns the output of the first future, or `None` if the second future completes first.
async fn either<A: Future + Unpin>(first: A, second: impl Future<Output = ()>) -> Option<A::Output> {
    tokio::select! {
        biased;
        output = first => Some(output),
        () = second => None,
    }
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::{AtomicUsize, Ordering};

    use super::*;

    #[test]
    fn lane_whose_runtime_ended_is_replaced_by_a_waiting_caller() {
        let interrupted = Arc::new(Notify::new());
        let lanes: Arc<Lanes<oneshot::Sender<u8>>> = Lanes::new(Arc::clone(&interrupted));
        let dying = tokio::runtime::Runtime::new().unwrap();
        let (first, lost) = oneshot::channel();
        assert!(lanes.push(first, 10).is_ok());
        let mut lane = lanes.start(1).unwrap();
        let (taken, is_taken) = std::sync::mpsc::channel();
        dying.spawn(async move {
            let items = lane.take(|waiting| waiting.drain(..).collect());
            taken.send(()).unwrap();
            std::future::pending::<()>().await;
            drop((items, lane));
        });
        is_taken.recv().unwrap();
        let living = tokio::runtime::Builder::new_current_thread().build().unwrap();
        let (second, receiver) = oneshot::channel();
        assert!(lanes.push(second, 10).is_ok());
        let started = AtomicUsize::new(0);
        living.block_on(async {
            let start = || {
                if let Some(mut lane) = lanes.start(1) {
                    started.fetch_add(1, Ordering::SeqCst);
                    tokio::spawn(async move {
                        while let Some(items) = lane.take(|waiting| waiting.drain(..).collect()) {
                            items.into_iter().for_each(|caller| caller.send(7).unwrap());
                        }
                    });
                }
            };
            let mut waiting = pin!(reply(&interrupted, receiver, start));
            assert!(futures_util::poll!(waiting.as_mut()).is_pending());
            assert_eq!(started.load(Ordering::SeqCst), 0, "the first lane is still running");
            dying.shutdown_background();
            assert_eq!(waiting.await, Some(7));
            assert_eq!(reply(&interrupted, lost, start).await, None);
        });
    }
}
