//! Shows the progress of long operations if standard error is a terminal.

use std::time::Duration;

use indicatif::{ProgressBar, ProgressStyle};

/// A progress line that counts completed steps. The line is removed when the value is dropped.
pub(crate) struct Progress(ProgressBar);

impl Progress {
    /// Shows the progress of a known number of steps. `what` is a past participle that describes a completed step, such
    /// as `resent`.
    pub(crate) fn new(what: &str, steps: usize) -> Self {
        // A single step needs no progress line.
        if steps < 2 {
            return Self(ProgressBar::hidden());
        }
        let bar = ProgressBar::new(steps.try_into().unwrap_or(u64::MAX));
        Self::styled(bar, &format!("{what} {{pos}} of {{len}} {{wide_bar}} {{eta}}"))
    }

    /// Shows the progress of an unknown number of steps.
    pub(crate) fn counting(what: &str) -> Self {
        Self::styled(ProgressBar::no_length(), &format!("{{spinner}} {what} {{pos}}"))
    }

    /// Shows the progress of a fetch: the number of fetched lists, and the number of their rows.
    pub(crate) fn lists(lists: usize) -> Self {
        let bar = ProgressBar::new(lists.try_into().unwrap_or(u64::MAX)).with_message("0");
        Self::styled(bar, "{spinner} fetched {pos} of {len} lists, {msg} rows")
    }

    /// Shows that an operation is in progress, without a count of its steps.
    pub(crate) fn busy(what: &str) -> Self {
        Self::styled(ProgressBar::new_spinner(), &format!("{{spinner}} {what}"))
    }

    fn styled(bar: ProgressBar, template: &str) -> Self {
        if let Ok(style) = ProgressStyle::with_template(template) {
            bar.set_style(style);
        }
        bar.enable_steady_tick(Duration::from_millis(100));
        Self(bar)
    }

    /// Counts a step.
    pub(crate) fn step(&self) {
        self.0.inc(1);
    }

    /// Increases the total number of steps.
    pub(crate) fn add_steps(&self, count: usize) {
        self.0.inc_length(count.try_into().unwrap_or(u64::MAX));
    }

    /// Sets the number of rows of the fetched lists.
    pub(crate) fn set_rows(&self, rows: usize) {
        self.0.set_message(rows.to_string());
    }

    /// Hides the progress while output is written.
    pub(crate) fn around<T>(&self, write: impl FnOnce() -> T) -> T {
        self.0.suspend(write)
    }
}

impl Drop for Progress {
    fn drop(&mut self) {
        self.0.finish_and_clear();
    }
}
