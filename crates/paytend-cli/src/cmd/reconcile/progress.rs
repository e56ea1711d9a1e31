//! Shows the progress of a fetch on a terminal.

use std::sync::atomic::{AtomicUsize, Ordering};

/// The numbers of fetched lists and rows.
pub(super) struct Progress {
    lists: crate::progress::Progress,
    rows: AtomicUsize,
}

/// The number of rows between two updates of the progress line.
const STEP: usize = 250;

impl Progress {
    /// Creates the progress display for a fetch with this number of lists.
    pub(super) fn new(lists: usize) -> Self {
        Self { lists: crate::progress::Progress::lists(lists), rows: AtomicUsize::new(0) }
    }

    /// Increases the number of lists to fetch. Balances and topup results count as lists.
    pub(super) fn add_lists(&self, count: usize) {
        self.lists.add_steps(count);
    }

    /// Records that a row was fetched.
    pub(super) fn row(&self) {
        let rows = self.rows.fetch_add(1, Ordering::Relaxed) + 1;
        if rows.is_multiple_of(STEP) {
            self.lists.set_rows(rows);
        }
    }

    /// Records that a list, balance or topup result was fetched, or that the provider refused the query.
    pub(super) fn done(&self) {
        self.lists.step();
        self.lists.set_rows(self.rows.load(Ordering::Relaxed));
    }
}
