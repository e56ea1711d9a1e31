//! Interleaved measurement: each round measures the CPU time of one batch per candidate, in random order.
//!
//! Changes in the machine's speed affect all candidates equally, so ratios are comparable even when times are not.

use std::time::Duration;

use paytend_crypto::{OsRandom, RandomSource};
use rustix::time::{ClockId, clock_gettime};

/// The number of measured rounds, which follow one warm-up round.
const ROUNDS: usize = 9;

/// One candidate's work, repeated the given number of times.
pub(crate) type Work<'w> = Box<dyn FnMut(usize) + 'w>;

/// The threads whose CPU time is counted.
#[derive(Clone, Copy)]
pub(crate) enum Clock {
    /// The calling thread.
    Thread,
    /// All threads of the process, for work that uses several threads.
    Process,
}

/// Returns the median time of one repetition for each candidate, in nanoseconds of the thread's CPU time.
pub(crate) fn medians(candidates: &mut [Work<'_>], batch: Duration) -> Vec<u128> {
    medians_by(Clock::Thread, candidates, batch)
}

/// Returns the same medians as [`medians`], measured with the given clock.
pub(crate) fn medians_by(clock: Clock, candidates: &mut [Work<'_>], batch: Duration) -> Vec<u128> {
    let time = |work: &mut Work<'_>, repetitions: usize| {
        let start = clock.now();
        work(repetitions);
        clock.now() - start
    };
    // The first candidate's speed determines how many repetitions fill a batch.
    let single = time(&mut candidates[0], 3) / 3;
    let repetitions = usize::try_from(batch.as_nanos() / single.max(1)).unwrap_or(1).max(1);
    let mut times = vec![Vec::new(); candidates.len()];
    let mut order: Vec<usize> = (0..candidates.len()).collect();
    for round in 0..=ROUNDS {
        shuffle(&mut order);
        for &candidate in &order {
            let elapsed = time(&mut candidates[candidate], repetitions);
            if round > 0 {
                times[candidate].push(elapsed / repetitions as u128);
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
    /// Returns the CPU time used so far, in nanoseconds.
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

/// Formats a ratio or a time, which is passed in thousandths.
pub(crate) fn decimal(thousandths: u128) -> String {
    format!("{}.{:03}", thousandths / 1000, thousandths % 1000)
}
