//! An operation that runs at most once at a time. Concurrent callers share its result.

use std::future::Future;
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use futures_util::FutureExt as _;
use futures_util::future::{BoxFuture, Shared};
use tokio::time::Instant;

/// A future that returns the operation's end time and result, or `None` if the operation panicked.
type SharedResult<T> = Shared<BoxFuture<'static, Option<(Instant, T)>>>;

/// The operation that is running, or the last operation that ran.
struct Running<T> {
    started: Instant,
    result: SharedResult<T>,
}

/// Runs an operation in a task, and shares its result. If a caller stops waiting, the operation continues. An operation
/// that exceeds the time limit is not started again before it has ended.
pub(super) struct Single<T> {
    running: Mutex<Option<Running<T>>>,
    /// How long a result is reused.
    keep: Duration,
    /// The time limit for an operation, measured from its start.
    limit: Duration,
}

impl<T: Clone + Send + Sync + 'static> Single<T> {
    pub(super) fn new(keep: Duration, limit: Duration) -> Self {
        Self { running: Mutex::new(None), keep, limit }
    }

    /// Returns the result of the running operation, of the last operation, or of a new operation. Returns `None` if the
    /// operation exceeds the limit or panics.
    pub(super) async fn get<F>(&self, start: impl Fn() -> F) -> Option<T>
    where
        F: Future<Output = T> + Send + 'static,
    {
        loop {
            let (began, started, result) = self.join_or_start(&start);
            match tokio::time::timeout_at(started + self.limit, result).await {
                Ok(Some((at, value))) if began || at.elapsed() < self.keep => return Some(value),
                // The result is too old to be reused. It is removed, so that the next iteration starts a new operation.
                Ok(Some(_)) => {
                    let mut running = self.running.lock().unwrap_or_else(PoisonError::into_inner);
                    running.take_if(|running| running.started == started);
                }
                Ok(None) | Err(_) => return None,
            }
        }
    }

    /// Joins the current operation or starts a new one. Returns whether a new operation was started, the start time of
    /// the operation, and its shared result.
    fn join_or_start<F>(&self, start: &impl Fn() -> F) -> (bool, Instant, SharedResult<T>)
    where
        F: Future<Output = T> + Send + 'static,
    {
        let mut running = self.running.lock().unwrap_or_else(PoisonError::into_inner);
        // If the last operation panicked, a new operation is started.
        if let Some(Running { started, result }) =
            running.as_ref().filter(|last| !matches!(last.result.peek(), Some(None)))
        {
            return (false, *started, result.clone());
        }
        let (started, operation) = (Instant::now(), start());
        let task = tokio::spawn(async move {
            let value = operation.await;
            (Instant::now(), value)
        });
        let result = task.map(Result::ok).boxed().shared();
        *running = Some(Running { started, result: result.clone() });
        (true, started, result)
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;
    use std::sync::atomic::{AtomicUsize, Ordering};

    use super::*;

    fn single() -> Single<usize> {
        Single::new(Duration::from_secs(1), Duration::from_secs(5))
    }

    #[tokio::test(start_paused = true)]
    async fn callers_that_stop_waiting_do_not_start_more_operations() {
        let (single, started) = (single(), Arc::new(AtomicUsize::new(0)));
        let operation = || {
            let number = started.fetch_add(1, Ordering::SeqCst);
            async move {
                tokio::time::sleep(Duration::from_secs(60)).await;
                number
            }
        };
        for _ in 0..50 {
            let left = tokio::time::timeout(Duration::from_millis(10), single.get(operation)).await;
            assert!(left.is_err());
        }
        assert_eq!(single.get(operation).await, None, "the time limit counts from the operation's start");
        assert_eq!(single.get(operation).await, None, "a stuck operation is not started again");
        assert_eq!(started.load(Ordering::SeqCst), 1);
        tokio::time::sleep(Duration::from_secs(60)).await;
        let (one, two) = tokio::join!(single.get(operation), single.get(operation));
        assert_eq!((one, two, started.load(Ordering::SeqCst)), (None, None, 2), "an outdated result is not reused");
    }

    #[tokio::test(start_paused = true)]
    async fn results_are_shared_and_reused_until_they_expire() {
        let (single, started) = (single(), Arc::new(AtomicUsize::new(0)));
        let operation = || {
            let number = started.fetch_add(1, Ordering::SeqCst);
            async move {
                assert_ne!(number, 1, "the second operation panics");
                number
            }
        };
        assert_eq!(tokio::join!(single.get(operation), single.get(operation)), (Some(0), Some(0)));
        assert_eq!(single.get(operation).await, Some(0));
        tokio::time::sleep(Duration::from_secs(2)).await;
        assert_eq!(single.get(operation).await, None, "an operation that panics has no result");
        assert_eq!(single.get(operation).await, Some(2));
    }
}
