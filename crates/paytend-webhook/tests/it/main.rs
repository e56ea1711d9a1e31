//! Integration tests for the public API.

// Tests may panic, so they use `unwrap` and `expect`.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::cast_possible_truncation)]

mod cheap;
mod detached;
#[cfg(feature = "explain")]
mod explain;
mod receive;
mod rotation;
mod unreadable;

use std::time::Duration;

use paytend_webhook::Reason;

const TOO_OLD: Reason = Reason::TooOld { age: Duration::ZERO, limit: Duration::ZERO };
const AHEAD: Reason = Reason::Ahead { by: Duration::ZERO, limit: Duration::ZERO };

/// Returns the reason with its durations set to zero, for comparison.
fn without_times(reason: &Reason) -> Reason {
    match reason {
        Reason::TooOld { .. } => TOO_OLD,
        Reason::Ahead { .. } => AHEAD,
        other => other.clone(),
    }
}
