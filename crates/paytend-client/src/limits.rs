//! Limits on requests at once and on requests in a period.

use std::collections::VecDeque;
use std::fmt;
use std::pin::pin;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use futures_util::future::{Either, select};
use tokio::sync::Semaphore;

use crate::clock::Clock;

/// The limits of a client and its clones.
pub(crate) struct Limits {
    pub(crate) at_once: Option<Semaphore>,
    pub(crate) rate: Option<Rate>,
}

impl fmt::Debug for Limits {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Limits").field("rate", &self.rate).finish_non_exhaustive()
    }
}

/// At most so many requests in any such time.
///
/// Callers queue in order, and only the first of the queue waits for time to pass. A caller that goes away leaves the queue, and
/// those behind it move up.
#[derive(Debug)]
pub(crate) struct Rate {
    count: usize,
    per: Duration,
    /// Held by the first of the queue. Fair, and given up by a caller that is dropped.
    first: Semaphore,
    state: Mutex<State>,
}

#[derive(Debug, Default)]
struct State {
    /// How many callers are in the queue.
    queued: usize,
    /// When the last so many requests began, in order.
    begun: VecDeque<Duration>,
}

/// A place in the queue, given back when dropped.
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

    /// Waits until a request may begin. Returns whether it may; `false` if that takes `limit` or longer. A caller for whom the
    /// queue is too long is refused at once.
    pub(crate) async fn turn(&self, clock: &dyn Clock, limit: Duration) -> bool {
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

    /// How long a caller has to wait from `now` on, with so many others before it.
    fn wait_behind(&self, state: &State, ahead: usize, now: Duration) -> Duration {
        // The request that is `count` before this one must have begun a whole period ago. Those ahead begin when they can: a
        // whole period for each `count` of them.
        let (rounds, place) = (ahead / self.count, ahead % self.count);
        let before = (state.begun.len() + place).checked_sub(self.count).and_then(|at| state.begun.get(at));
        let periods = u32::try_from(rounds).unwrap_or(u32::MAX);
        let free = before.map_or(now, |before| before.saturating_add(self.per)).max(now);
        free.saturating_add(self.per.saturating_mul(periods)).saturating_sub(now)
    }

    /// Takes a caller from the queue into the requests that have begun: at once, so that nobody counts it twice.
    fn begin(&self, state: &mut State, mut queued: Queued<'_>, now: Duration) {
        queued.0 = None;
        state.queued -= 1;
        let begun = &mut state.begun;
        begun.push_back(now);
        // No more than so many matter, and none that is a whole period ago.
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

    /// A clock on which a wait is over as soon as it is polled.
    #[derive(Debug, Default)]
    struct Instantly(Arc<Mutex<Duration>>);

    impl Instantly {
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

    impl Clock for Instantly {
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

    async fn begins(rate: &Rate, clock: &Instantly, calls: usize) -> Vec<u64> {
        let mut begins = Vec::new();
        for _ in 0..calls {
            assert!(rate.turn(clock, FOREVER).await);
            begins.push(clock.millis());
        }
        begins
    }

    #[tokio::test]
    async fn a_burst_passes_and_the_rest_waits() {
        let rate = Rate::new(3, Duration::from_secs(1));
        let clock = Instantly::at(100_000);
        let expected = [100_000, 100_000, 100_000, 101_000, 101_000, 101_000, 102_000, 102_000];
        assert_eq!(begins(&rate, &clock, 8).await, expected);
        clock.set(102_500);
        assert_eq!(begins(&rate, &clock, 2).await, [102_500, 103_000]);
        // Idle time allows no more than one burst.
        clock.set(900_000);
        assert_eq!(begins(&rate, &clock, 4).await, [900_000, 900_000, 900_000, 901_000]);
    }

    #[tokio::test]
    async fn no_window_holds_more_than_the_limit() {
        for (count, step) in [(1, 70), (2, 300), (5, 70), (5, 900), (3, 1)] {
            let rate = Rate::new(count, Duration::from_millis(1000));
            let clock = Instantly::at(5000);
            let mut begins = Vec::new();
            for turn in 0..400_u64 {
                clock.set(clock.millis() + turn % 7 * step);
                let limit = if turn % 3 == 0 { Duration::from_millis(300) } else { FOREVER };
                if rate.turn(&clock, limit).await {
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
    async fn a_caller_that_is_refused_takes_no_place() {
        let rate = Rate::new(1, Duration::from_secs(1));
        let clock = Instantly::at(5000);
        assert!(rate.turn(&clock, FOREVER).await);
        for _ in 0..100 {
            assert!(!rate.turn(&clock, Duration::from_millis(1000)).await);
        }
        assert_eq!(begins(&rate, &clock, 1).await, [6000]);
        let longest = Rate::new(1, Duration::MAX);
        assert!(longest.turn(&clock, FOREVER).await);
        assert!(!longest.turn(&clock, Duration::from_secs(60)).await);
    }

    /// The estimate for the last of a queue is what the queue then takes, for every length of queue and history.
    #[tokio::test]
    async fn the_estimate_is_exact() {
        for count in 1..5_u32 {
            for history in 0..7_usize {
                for ahead in 0..9 {
                    let rate = Rate::new(count, Duration::from_secs(1));
                    let clock = Instantly::at(5000);
                    for _ in 0..history {
                        assert!(rate.turn(&clock, FOREVER).await);
                        clock.set(clock.millis() + 100);
                    }
                    let start = clock.millis();
                    let estimate = rate.wait_behind(&rate.state(), ahead, clock.now()).as_millis();
                    let last = *begins(&rate, &clock, ahead + 1).await.last().unwrap();
                    assert_eq!(estimate, u128::from(last - start), "{count} {history} {ahead}");
                }
            }
        }
    }

    /// Tokio's paused clock, on which several callers can wait at the same time.
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
    async fn callers_that_go_away_give_their_places_back() {
        let clock = Paused(tokio::time::Instant::now());
        let rate = Rate::new(1, Duration::from_millis(500));
        assert!(rate.turn(&clock, FOREVER).await);
        let given_up =
            join_all((0..100).map(|_| tokio::time::timeout(Duration::from_millis(50), rate.turn(&clock, FOREVER))));
        assert!(given_up.await.iter().all(Result::is_err));
        assert_eq!(rate.state().queued, 0);
        let start = tokio::time::Instant::now();
        assert!(rate.turn(&clock, FOREVER).await);
        assert!(start.elapsed() <= Duration::from_millis(501), "{:?}", start.elapsed());
        // Those that stay keep their order, and none begins too early.
        let start = tokio::time::Instant::now();
        let waits = (0..4).map(|_| async {
            assert!(rate.turn(&clock, FOREVER).await);
            start.elapsed().as_millis() / 500
        });
        assert_eq!(join_all(waits).await, [1, 2, 3, 4]);
    }
}
