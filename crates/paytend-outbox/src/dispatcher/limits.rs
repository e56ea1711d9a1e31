//! Rate limits, which restrict how many attempts of an operation begin in a time window.

use std::collections::VecDeque;
use std::time::Duration;

use tokio::time::Instant;

/// A limit on the number of attempts that begin in any time window of a fixed length.
#[derive(Debug)]
pub(super) struct RateLimit {
    count: usize,
    per: Duration,
    begun: VecDeque<Instant>,
}

impl RateLimit {
    pub(super) fn new(count: usize, per: Duration) -> Self {
        Self { count: count.max(1), per, begun: VecDeque::new() }
    }

    /// Returns the number of attempts that are allowed to begin now.
    pub(super) fn room(&mut self, now: Instant) -> usize {
        while self.begun.front().is_some_and(|begun| now.duration_since(*begun) >= self.per) {
            self.begun.pop_front();
        }
        self.count.saturating_sub(self.begun.len())
    }

    /// Returns how long to wait before an attempt is allowed to begin, or `None` if it can begin now.
    pub(super) fn wait(&mut self, now: Instant) -> Option<Duration> {
        if self.room(now) > 0 {
            return None;
        }
        self.begun.front().map(|begun| self.per.saturating_sub(now.duration_since(*begun)))
    }

    /// Counts an attempt that begins now.
    pub(super) fn begin(&mut self, now: Instant) {
        self.begun.push_back(now);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test(start_paused = true)]
    async fn no_window_has_more_attempts_than_the_limit() {
        let second = Duration::from_secs(1);
        let mut limit = RateLimit::new(2, second);
        assert_eq!((limit.room(Instant::now()), limit.wait(Instant::now())), (2, None));
        limit.begin(Instant::now());
        tokio::time::advance(second / 2).await;
        limit.begin(Instant::now());
        assert_eq!((limit.room(Instant::now()), limit.wait(Instant::now())), (0, Some(second / 2)));
        tokio::time::advance(second / 2).await;
        assert_eq!((limit.room(Instant::now()), limit.wait(Instant::now())), (1, None));
        limit.begin(Instant::now());
        assert_eq!(limit.wait(Instant::now()), Some(second / 2));
        assert_eq!(RateLimit::new(0, second).room(Instant::now()), 1);
    }
}
