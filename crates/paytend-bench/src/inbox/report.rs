//! The Markdown report on receiving notifications, and the limits that the results must meet.

use std::fmt::Write as _;
use std::time::Duration;

use super::growth::Point;
use super::rates::{CONNECTIONS, Rates};
use super::steady::Steady;
use crate::measure::decimal;

/// The minimum rate of new notifications relative to verification alone, in thousandths.
const STORED_FLOOR: u128 = 700;
/// The maximum 99th percentile of the acknowledgement time, at 500 notifications per second.
const LATENCY: Duration = Duration::from_millis(50);
/// The maximum memory growth in the second half of a constant load, in MiB.
const MEMORY: u64 = 16;
/// The maximum slowdown: the smallest store's speed divided by the largest store's speed, in thousandths.
const SLOWDOWN: u128 = 1_500;
/// The minimum cost of storing a new notification relative to the cost of recognizing a duplicate, in thousandths.
const DUPLICATES_FLOOR: u128 = 5_000;

#[derive(Default)]
pub(super) struct Report {
    pub(super) rates: Option<Rates>,
    pub(super) steady: Vec<Steady>,
    /// The measurements for each store, from the smallest to the largest size.
    pub(super) growth: Vec<(&'static str, Vec<Point>)>,
}

impl Rates {
    fn share(&self) -> u128 {
        self.new * 1000 / self.verified.max(1)
    }

    /// Returns how many nanoseconds a notification takes at the given rate, in addition to its verification.
    fn cost(&self, rate: u128) -> u128 {
        let nanoseconds = |rate: u128| 1_000_000_000 / rate.max(1);
        nanoseconds(rate).saturating_sub(nanoseconds(self.verified))
    }

    /// Returns the additional cost of a new notification divided by that of a duplicate, in thousandths.
    fn duplicates(&self) -> u128 {
        self.cost(self.new) * 1000 / self.cost(self.duplicates).max(1)
    }
}

impl Steady {
    fn holds(&self) -> bool {
        let is_moderate = self.rate <= 500;
        let [early, late] = self.memory;
        self.lost == 0
            && self.other == 0
            && (!is_moderate || (self.refused == 0 && self.times[1] < LATENCY && late <= early + MEMORY))
    }
}

/// Returns a store's speed at the first point divided by its speed at the last point, in thousandths.
fn slowdown(points: &[Point], speed: impl Fn(&Point) -> u128) -> u128 {
    match points {
        [first, .., last] => speed(first) * 1000 / speed(last).max(1),
        _ => 1000,
    }
}

impl Report {
    pub(super) fn holds(&self) -> bool {
        let within = |rates: &Rates| rates.share() >= STORED_FLOOR && rates.duplicates() >= DUPLICATES_FLOOR;
        self.rates.as_ref().is_none_or(within)
            && self.steady.iter().all(Steady::holds)
            && self.growth.iter().all(|(_, points)| {
                slowdown(points, |point| point.new) <= SLOWDOWN && slowdown(points, |point| point.completed) <= SLOWDOWN
            })
    }

    pub(super) fn markdown(&self) -> String {
        let mut out = String::new();
        if let Some(rates) = &self.rates {
            let share = |rate: u128| decimal(rate * 1000 / rates.verified.max(1));
            let _ = writeln!(
                out,
                "From the socket to the disk: SQLite, AWS-LC, 1024 bits, {CONNECTIONS} connections, senders on the\n\
                 same processors. Values are notifications per second.\n\n\
                 | work | rate | relative to the first line | floor |\n|---|---|---|---|\n\
                 | verify and acknowledge, without a store | {} | 1.000 | – |\n\
                 | verify, store and acknowledge | {} | {} | {} |\n\
                 | verify and acknowledge a duplicate | {} | {} | – |\n",
                rates.verified,
                rates.new,
                share(rates.new),
                decimal(STORED_FLOOR),
                rates.duplicates,
                share(rates.duplicates),
            );
            let _ = writeln!(
                out,
                "In addition to its verification, a new notification takes {} µs and a duplicate {} µs. A duplicate\n\
                 is {} times cheaper (floor {}).\n",
                decimal(rates.cost(rates.new)),
                decimal(rates.cost(rates.duplicates)),
                decimal(rates.duplicates()),
                decimal(DUPLICATES_FLOOR),
            );
        }
        if !self.steady.is_empty() {
            out.push_str(
                "A constant load of new notifications on SQLite. Times run from when a request was due until its\n\
                 acknowledgement. Memory includes the service and its senders. It is measured after half of the time,\n\
                 when the store's page cache is full, and at the end.\n\n\
                 | per second | seconds | acknowledged | asked to retry | lost | p50 | p99 | p99.9 | memory, MiB |\n\
                 |---|---|---|---|---|---|---|---|---|\n",
            );
        }
        for steady in &self.steady {
            let [p50, p99, p999] = steady.times.map(|time| format!("{} ms", decimal(time.as_micros())));
            let [early, late] = steady.memory;
            let Steady { rate, seconds, acknowledged, refused, lost, .. } = steady;
            let _ = writeln!(
                out,
                "| {rate} | {seconds} | {acknowledged} | {refused} | {lost} | {p50} | {p99} | {p999} | \
                 {early} → {late} |",
            );
        }
        if !self.growth.is_empty() {
            let _ = write!(
                out,
                "\nThe store alone, with 1 KB of content per notification and up to {CONNECTIONS} calls in progress.\n\
                 Values are notifications per second.\n\n\
                 | store | stored | new | duplicates | claimed and completed | bytes each |\n\
                 |---|---|---|---|---|---|\n",
            );
        }
        for (store, points) in &self.growth {
            for Point { size, new, duplicates, completed, bytes_each } in points {
                let _ = writeln!(out, "| {store} | {size} | {new} | {duplicates} | {completed} | {bytes_each} |");
            }
        }
        for (store, points) in &self.growth {
            let _ = write!(
                out,
                "\n{store}: at the largest size, accepting takes {} times as long as at the smallest, and completing\n\
                 takes {} times as long (at most {}).\n",
                decimal(slowdown(points, |point| point.new)),
                decimal(slowdown(points, |point| point.completed)),
                decimal(SLOWDOWN),
            );
        }
        out
    }
}
