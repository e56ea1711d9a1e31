//! Interleaved measurement: in each round every contestant runs one batch, in random order, and the processor time of the
//! thread is taken. The machine's drift meets all of them alike, so their ratios hold where their times do not.

use std::time::Duration;

use paytend_crypto::{OsRandom, RandomSource};
use rustix::time::{ClockId, clock_gettime};

/// Rounds that count; one before them warms up.
const ROUNDS: usize = 9;

/// One contestant's work, done so many times.
pub(crate) type Work<'w> = Box<dyn FnMut(usize) + 'w>;

/// Whose time counts.
#[derive(Clone, Copy)]
pub(crate) enum Clock {
    /// The thread that works.
    Thread,
    /// All threads, for work that is done on several.
    Process,
}

/// Medians of the time of one piece of work, in nanoseconds of the thread, in the contestants' order.
pub(crate) fn medians(contestants: &mut [Work<'_>], batch: Duration) -> Vec<u128> {
    medians_by(Clock::Thread, contestants, batch)
}

/// The same by either clock.
pub(crate) fn medians_by(clock: Clock, contestants: &mut [Work<'_>], batch: Duration) -> Vec<u128> {
    let time = |work: &mut Work<'_>, repetitions: usize| {
        let start = clock.now();
        work(repetitions);
        clock.now() - start
    };
    // As many repetitions as the first contestant needs to fill a batch.
    let once = time(&mut contestants[0], 3) / 3;
    let repetitions = usize::try_from(batch.as_nanos() / once.max(1)).unwrap_or(1).max(1);
    let mut times = vec![Vec::new(); contestants.len()];
    let mut order: Vec<usize> = (0..contestants.len()).collect();
    for round in 0..=ROUNDS {
        shuffle(&mut order);
        for &contestant in &order {
            let taken = time(&mut contestants[contestant], repetitions);
            if round > 0 {
                times[contestant].push(taken / repetitions as u128);
            }
        }
    }
    times
        .into_iter()
        .map(|mut times| {
            times.sort_unstable();
            times[times.len() / 2]
        })
        .collect()
}

impl Clock {
    /// Nanoseconds that have been worked.
    fn now(self) -> u128 {
        let now = clock_gettime(match self {
            Self::Thread => ClockId::ThreadCPUTime,
            Self::Process => ClockId::ProcessCPUTime,
        });
        u128::try_from(now.tv_sec).unwrap_or(0) * 1_000_000_000 + u128::try_from(now.tv_nsec).unwrap_or(0)
    }
}

fn shuffle(order: &mut [usize]) {
    for at in (1..order.len()).rev() {
        let mut byte = [0];
        if OsRandom.fill(&mut byte).is_ok() {
            order.swap(at, usize::from(byte[0]) % (at + 1));
        }
    }
}
