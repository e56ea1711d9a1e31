//! Detects processes with different clocks.
//!
//! Each process reads the system clock when it opens the store. If the system clock is changed between two openings,
//! one process can consider a lease of the other process expired too early, and could send the same order. Therefore,
//! claims record their time, and a process stops claiming orders when it detects a different clock. A new process
//! cannot compare its clock with existing leases, so it does not take over leases until the length of a lease has
//! passed since its first claim. From that claim on, a process with a different clock claims no orders.

use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use paytend_inbox::{StoreError, StoreErrorKind};
use rusqlite::{OptionalExtension as _, Transaction, params};

use crate::error::OpError;

/// The name under which the time of the latest claim is stored.
const NAME: &str = "outbox clock";

/// The maximum accepted difference between two clocks, in milliseconds. A third of the lease is accepted if it is
/// shorter, because a send ends after at most two thirds of the lease.
const MAX_TOLERANCE: i64 = 5_000;

/// The recorded times that this process has written or read.
#[derive(Clone, Copy, Debug, Default)]
struct Seen {
    /// The time that this process recorded last.
    recorded: Option<i64>,
    /// The time of this process's first claim.
    first_claim: Option<i64>,
    /// A recorded time that is ahead of this process's clock, and the time at which this process first read it.
    ahead: Option<(i64, i64)>,
    /// Whether a different clock was detected. The clocks can later seem to agree, because recorded times do not
    /// advance by themselves.
    has_differed: bool,
}

/// Compares this process's clock with the clocks of other processes.
#[derive(Debug, Default)]
pub(crate) struct Clocks {
    seen: Mutex<Seen>,
}

/// The result of comparing the clocks, if orders can be claimed.
#[derive(Clone, Copy, Debug)]
pub(super) struct Permit {
    /// Whether orders whose lease has expired can be claimed.
    pub(super) takes_over: bool,
    /// The time to record.
    time: i64,
    is_first: bool,
}

impl Clocks {
    /// Compares the clocks before a claim.
    pub(super) fn check(&self, transaction: &Transaction<'_>, now: i64, lease: Duration) -> Result<Permit, OpError> {
        let latest = transaction
            .prepare_cached("SELECT value FROM paytend_meta WHERE name = ?1")?
            .query_row([NAME], |row| row.get(0))
            .optional()?
            .map(i64::from_be_bytes);
        let lease = i64::try_from(lease.as_millis()).unwrap_or(i64::MAX);
        let tolerance = MAX_TOLERANCE.min(lease / 3);
        let mut seen = self.seen.lock().unwrap_or_else(PoisonError::into_inner);
        let is_ahead = latest.is_some_and(|latest| latest > now.saturating_add(tolerance));
        if !is_ahead {
            seen.ahead = None;
        }
        if let Some(recorded) = seen.recorded {
            let is_behind = latest.is_none_or(|latest| latest < recorded.saturating_sub(tolerance));
            seen.has_differed |= is_ahead || is_behind;
            if seen.has_differed {
                return Err(differs("restart this process, so that it reads the system clock again"));
            }
        } else if let Some(latest) = latest.filter(|_| is_ahead) {
            let since = seen.ahead.filter(|(time, _)| *time == latest).map_or(now, |(_, since)| since);
            seen.ahead = Some((latest, since));
            // The system clock was probably set back before this process started. This process waits until the recorded
            // time has not changed for the length of a lease. No other process then uses the later clock, because its
            // claims would change the recorded time.
            if now.saturating_sub(since) < lease {
                return Err(differs("restart all processes; this process claims no orders for the length of a lease"));
            }
        }
        Ok(Permit {
            takes_over: seen.first_claim.is_some_and(|first| now.saturating_sub(first) >= lease),
            time: latest.filter(|_| !is_ahead).map_or(now, |latest| latest.max(now)),
            is_first: seen.recorded.is_none(),
        })
    }

    /// Records the time of a claim if it has claimed orders or is the first claim of this process. Returns the recorded
    /// time.
    pub(super) fn record(
        transaction: &Transaction<'_>,
        permit: Permit,
        is_empty: bool,
    ) -> Result<Option<i64>, rusqlite::Error> {
        if is_empty && !permit.is_first {
            return Ok(None);
        }
        transaction
            .prepare_cached("INSERT OR REPLACE INTO paytend_meta (name, value) VALUES (?1, ?2)")?
            .execute(params![NAME, permit.time.to_be_bytes().as_slice()])?;
        Ok(Some(permit.time))
    }

    /// Remembers the time that a claim recorded, after the claim was committed.
    pub(super) fn committed(&self, recorded: Option<i64>) {
        let mut seen = self.seen.lock().unwrap_or_else(PoisonError::into_inner);
        seen.recorded = recorded.max(seen.recorded);
        seen.first_claim = seen.first_claim.or(recorded);
    }
}

fn differs(advice: &str) -> OpError {
    let message = format!("the clocks of two processes that use this store differ: {advice}");
    StoreError::new(StoreErrorKind::Configuration, message).into()
}
