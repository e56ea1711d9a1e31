//! Shows the progress of a fetch on a terminal.

use std::io::{IsTerminal as _, Write as _};
use std::sync::Mutex;

/// Counts the fetched lists and rows, and shows the counts if standard error is a terminal.
pub(super) struct Progress {
    is_shown: bool,
    counts: Mutex<Counts>,
}

#[derive(Default)]
struct Counts {
    units: usize,
    done: usize,
    rows: usize,
}

/// The number of rows between two updates of the line.
const STEP: usize = 250;

impl Progress {
    /// Creates the progress display for a fetch with this number of lists.
    pub(super) fn new(units: usize) -> Self {
        let counts = Mutex::new(Counts { units, ..Counts::default() });
        Self { is_shown: std::io::stderr().is_terminal(), counts }
    }

    /// Adds lists to the number of lists to fetch.
    pub(super) fn add_units(&self, units: usize) {
        self.change(|counts| {
            counts.units += units;
            true
        });
    }

    /// Counts a row.
    pub(super) fn row(&self) {
        self.change(|counts| {
            counts.rows += 1;
            counts.rows.is_multiple_of(STEP)
        });
    }

    /// Counts a complete list.
    pub(super) fn done(&self) {
        self.change(|counts| {
            counts.done += 1;
            true
        });
    }

    fn change(&self, change: impl FnOnce(&mut Counts) -> bool) {
        let mut counts = self.counts.lock().unwrap_or_else(std::sync::PoisonError::into_inner);
        if change(&mut counts) && self.is_shown {
            let Counts { units, done, rows } = *counts;
            let _ = write!(std::io::stderr(), "\r\u{1b}[Kfetched {done} of {units} lists, {rows} rows");
        }
    }
}

impl Drop for Progress {
    /// Removes the progress line.
    fn drop(&mut self) {
        if self.is_shown {
            let _ = write!(std::io::stderr(), "\r\u{1b}[K");
        }
    }
}
