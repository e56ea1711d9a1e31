//! The concurrency limit and the rate limit.

use std::collections::VecDeque;
use std::fmt;
use std::pin::pin;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use futures_util::future::{Either, select};
use tokio::sync::Semaphore;

use crate::clock::Clock;

/// The limits shared by a client and its clones.
pub(crate) struct Limits {
    pub(crate) at_once: Option<Semaphore>,
    pub(crate) rate: Option<Rate>,
}

impl fmt::Debug for Limits {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Limits").field("rate", &self.rate).finish_non_exhaustive()
    }
}

/// A limit on the number of requests that begin in any time window of a given length.
///
/// Callers queue in order. Only the first caller in the queue waits on the clock; the others wait for their turn. A
/// caller that is dropped leaves the queue, and the callers behind it move up.
#[derive(Debug)]
pub(crate) struct Rate {
    count: usize,
    per: Duration,
    /// A semaphore with a single permit, which the first caller in the queue holds. The semaphore is fair, so callers
    /// keep their order.
    first: Semaphore,
    state: Mutex<State>,
}

#[derive(Debug, Default)]
struct State {
    /// The number of callers in the queue.
    queued: usize,
    /// The start times of the most recent requests, in order.
    begun: VecDeque<Duration>,
}

/// A place in the queue, released on drop.
struct Queued<'r>(Option<&'r Rate>);

impl Drop for Queued<'_> {
    fn drop(&mut self) {
        if let Some(rate) = self.0 {
            rate.state().queued -= 1;
        }
    }
}

impl Rate {
    pub(crate) fn new(count: u32, per: Duration) -> Self {
        Self {
            count: usize::try_from(count).unwrap_or(usize::MAX),
            per,
            first: Semaphore::new(1),
            state: Mutex::default(),
        }
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Waits until a request may begin. Returns `false` if the wait would take `limit` or longer.
    ///
    /// Returns `false` immediately if the callers already in the queue make the wait that long.
    pub(crate) async fn acquire(&self, clock: &dyn Clock, limit: Duration) -> bool {
        let start = clock.now();
        let (queued, estimate) = {
            let mut state = self.state();
            let estimate = self.wait_behind(&state, state.queued, start);
            state.queued += 1;
            (Queued(Some(self)), estimate)
        };
        if estimate >= limit {
            return false;
        }
        let _first = match self.first.try_acquire() {
            Ok(first) => first,
            Err(_) => match select(pin!(self.first.acquire()), clock.sleep(limit)).await {
                Either::Left((Ok(first), _)) => first,
                Either::Left((Err(_), _)) | Either::Right(_) => return false,
            },
        };
        loop {
            let now = clock.now();
            let wait = {
                let mut state = self.state();
                let wait = self.wait_behind(&state, 0, now);
                if wait.is_zero() {
                    self.begin(&mut state, queued, now);
                    return true;
                }
                wait
            };
            if now.saturating_sub(start).saturating_add(wait) >= limit {
                return false;
            }
            clock.sleep(wait).await;
        }
    }

    /// Returns how long a caller must wait from `now`, with `ahead` callers in front of it.
    fn wait_behind(&self, state: &State, ahead: usize, now: Duration) -> Duration {
        // At most `count` requests begin per period, so a request can begin one period after the request that is
        // `count` places ahead of it. The callers ahead are assumed to begin as early as the limit allows.
        let (rounds, place) = (ahead / self.count, ahead % self.count);
        let before = (state.begun.len() + place).checked_sub(self.count).and_then(|at| state.begun.get(at));
        let periods = u32::try_from(rounds).unwrap_or(u32::MAX);
        let free = before.map_or(now, |before| before.saturating_add(self.per)).max(now);
        free.saturating_add(self.per.saturating_mul(periods)).saturating_sub(now)
    }

    /// Removes a caller from the queue and records the start of its request. Both happen under one lock, so the caller
    /// is never counted twice.
    fn begin(&self, state: &mut State, mut queued: Queued<'_>, now: Duration) {
        queued.0 = None;
        state.queued -= 1;
        let begun = &mut state.begun;
        begun.push_back(now);
        // Only the last `count` requests matter, and only if they began less than one period ago.
        while begun.len() > self.count || begun.front().is_some_and(|first| first.saturating_add(self.per) <= now) {
            begun.pop_front();
        }
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use futures_util::future::join_all;

    use super::*;
    use crate::clock::Sleep;

    const FOREVER: Duration = Duration::MAX;

    /// A clock that does not really wait: polling a wait moves the time forward and ends the wait.
    #[derive(Debug, Default)]
    struct InstantClock(Arc<Mutex<Duration>>);

    impl InstantClock {
        fn at(millis: u64) -> Self {
            let clock = Self::default();
            clock.set(millis);
            clock
        }

        fn set(&self, millis: u64) {
            *self.0.lock().unwrap() = Duration::from_millis(millis);
        }

        fn millis(&self) -> u64 {
            u64::try_from(self.now().as_millis()).unwrap()
        }
    }

    impl Clock for InstantClock {
        fn now(&self) -> Duration {
            *self.0.lock().unwrap()
        }

        fn sleep(&self, duration: Duration) -> Sleep {
            let now = Arc::clone(&self.0);
            Box::pin(async move {
                let mut now = now.lock().unwrap();
                *now = now.saturating_add(duration);
            })
        }
    }

    async fn start_times(rate: &Rate, clock: &InstantClock, calls: usize) -> Vec<u64> {
        let mut begins = Vec::new();
        for _ in 0..calls {
            assert!(rate.acquire(clock, FOREVER).await);
            begins.push(clock.millis());
        }
        begins
    }

    #[tokio::test]
    async fn burst_starts_immediately_and_later_requests_wait() {
        let rate = Rate::new(3, Duration::from_secs(1));
        let clock = InstantClock::at(100_000);
        let expected = [100_000, 100_000, 100_000, 101_000, 101_000, 101_000, 102_000, 102_000];
        assert_eq!(start_times(&rate, &clock, 8).await, expected);
        clock.set(102_500);
        assert_eq!(start_times(&rate, &clock, 2).await, [102_500, 103_000]);
        // After a long idle time, a single burst of `count` requests starts immediately.
        clock.set(900_000);
        assert_eq!(start_times(&rate, &clock, 4).await, [900_000, 900_000, 900_000, 901_000]);
    }

    #[tokio::test]
    async fn no_window_contains_more_requests_than_the_limit() {
        for (count, step) in [(1, 70), (2, 300), (5, 70), (5, 900), (3, 1)] {
            let rate = Rate::new(count, Duration::from_millis(1000));
            let clock = InstantClock::at(5000);
            let mut begins = Vec::new();
            for turn in 0..400_u64 {
                clock.set(clock.millis() + turn % 7 * step);
                let limit = if turn % 3 == 0 { Duration::from_millis(300) } else { FOREVER };
                if rate.acquire(&clock, limit).await {
                    begins.push(clock.millis());
                }
            }
            assert!(begins.is_sorted() && begins.len() > 100);
            for window in begins.windows(usize::try_from(count).unwrap() + 1) {
                assert!(window.last().unwrap() - window[0] >= 1000, "{count} {step} {window:?}");
            }
        }
    }

    #[tokio::test]
    async fn rejected_callers_do_not_stay_in_the_queue() {
        let rate = Rate::new(1, Duration::from_secs(1));
        let clock = InstantClock::at(5000);
        assert!(rate.acquire(&clock, FOREVER).await);
        for _ in 0..100 {
            assert!(!rate.acquire(&clock, Duration::from_millis(1000)).await);
        }
        assert_eq!(start_times(&rate, &clock, 1).await, [6000]);
        let longest = Rate::new(1, Duration::MAX);
        assert!(longest.acquire(&clock, FOREVER).await);
        assert!(!longest.acquire(&clock, Duration::from_secs(60)).await);
    }

    /// The estimated wait of the last caller in the queue equals its actual wait, for every queue length and for every
    /// number of earlier requests.
    #[tokio::test]
    async fn estimated_wait_is_exact() {
        for count in 1..5_u32 {
            for history in 0..7_usize {
                for ahead in 0..9 {
                    let rate = Rate::new(count, Duration::from_secs(1));
                    let clock = InstantClock::at(5000);
                    for _ in 0..history {
                        assert!(rate.acquire(&clock, FOREVER).await);
                        clock.set(clock.millis() + 100);
                    }
                    let start = clock.millis();
                    let estimate = rate.wait_behind(&rate.state(), ahead, clock.now()).as_millis();
                    let last = *start_times(&rate, &clock, ahead + 1).await.last().unwrap();
                    assert_eq!(estimate, u128::from(last - start), "{count} {history} {ahead}");
                }
            }
        }
    }

    /// Tokio's paused clock. Several callers can wait on it concurrently.
    #[derive(Debug)]
    struct Paused(tokio::time::Instant);

    impl Clock for Paused {
        fn now(&self) -> Duration {
            self.0.elapsed()
        }

        fn sleep(&self, duration: Duration) -> Sleep {
            Box::pin(tokio::time::sleep(duration))
        }
    }

    #[tokio::test(start_paused = true)]
    async fn dropped_callers_release_their_places() {
        let clock = Paused(tokio::time::Instant::now());
        let rate = Rate::new(1, Duration::from_millis(500));
        assert!(rate.acquire(&clock, FOREVER).await);
        let given_up =
            join_all((0..100).map(|_| tokio::time::timeout(Duration::from_millis(50), rate.acquire(&clock, FOREVER))));
        assert!(given_up.await.iter().all(Result::is_err));
        assert_eq!(rate.state().queued, 0);
        let start = tokio::time::Instant::now();
        assert!(rate.acquire(&clock, FOREVER).await);
        assert!(start.elapsed() <= Duration::from_millis(501), "{:?}", start.elapsed());
        // The remaining callers keep their order, and none begins too early.
        let start = tokio::time::Instant::now();
        let waits = (0..4).map(|_| async {
            assert!(rate.acquire(&clock, FOREVER).await);
            start.elapsed().as_millis() / 500
        });
        assert_eq!(join_all(waits).await, [1, 2, 3, 4]);
    }
}
