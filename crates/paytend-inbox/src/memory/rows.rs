//! The rows of a [`MemoryStore`](super::MemoryStore), and the changes to them.

mod admin;

use std::collections::{BTreeMap, HashMap};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::time::{Duration, SystemTime};

use crate::audit::AuditEvent;
use crate::error::{FinishError, HandlerError, StoreError};
use crate::memory::{MemoryEffect, MemoryLimits, MemoryTransaction};
use crate::record::{Accepted, ClaimRequest, Claimed, Entry, Facts, NewNotification, Release, StoredPayload};
use crate::retry::MAX_DELAY;
use crate::terms::{Id, Lease, Mac, State};

#[derive(Default)]
pub(super) struct Rows {
    pub(super) bound: Option<Mac>,
    pub(super) recorded: Vec<String>,
    pub(super) limits: Option<MemoryLimits>,
    rows: BTreeMap<i64, Row>,
    last_id: i64,
    by_dedup: HashMap<Mac, i64>,
    /// The recorded operator actions and their times, in milliseconds since the Unix epoch.
    events: Vec<(i64, AuditEvent)>,
}

struct Row {
    facts: Facts,
    payload: StoredPayload,
    received_at: i64,
    sightings: u64,
    fence: i64,
    holder: u64,
    tries: u32,
    is_sighting: bool,
    completed_runs: u64,
    /// Whether an attempt of the current run has begun.
    attempted: bool,
    cause: Option<String>,
    stage: Stage,
}

enum Stage {
    Pending(Work),
    Done,
    Dead,
}

struct Work {
    /// Whether this is the first pending notification of its order key.
    head: bool,
    state: State,
    due_at: i64,
    /// Whether a sighting arrived after the first attempt of the run had begun.
    again: bool,
}

impl Row {
    fn state(&self) -> State {
        match &self.stage {
            Stage::Pending(work) => work.state,
            Stage::Done => State::Done,
            Stage::Dead => State::Dead,
        }
    }

    fn pending(&self) -> Option<&Work> {
        match &self.stage {
            Stage::Pending(work) => Some(work),
            Stage::Done | Stage::Dead => None,
        }
    }

    fn entry(&self, id: i64, payload: Option<StoredPayload>) -> Entry {
        Entry {
            id: Id::new(id),
            facts: self.facts.clone(),
            state: self.state(),
            tries: self.tries,
            sightings: self.sightings,
            received_at: at(self.received_at),
            cause: self.cause.clone(),
            payload,
        }
    }
}

fn at(millis: i64) -> SystemTime {
    SystemTime::UNIX_EPOCH + Duration::from_millis(u64::try_from(millis).unwrap_or_default())
}

fn after(now: i64, time: Duration) -> i64 {
    now.saturating_add(i64::try_from(time.as_millis()).unwrap_or(i64::MAX))
}

impl Rows {
    pub(super) fn accept(&mut self, now: i64, new: NewNotification) -> Result<Accepted, StoreError> {
        if let Some(&id) = self.by_dedup.get(&new.facts.dedup) {
            return Ok(self.sight(now, id, new.requeue_sighting));
        }
        let id = self.last_id + 1;
        let payload = StoredPayload::Sealed(new.payload.seal(Id::new(id))?);
        if let Some(limits) = &self.limits {
            limits.check(self.rows.values().map(|row| &row.payload), &payload)?;
        }
        self.last_id = id;
        self.by_dedup.insert(new.facts.dedup, id);
        let row = Row {
            facts: new.facts,
            payload,
            received_at: now,
            sightings: 0,
            fence: 0,
            holder: 0,
            tries: 0,
            is_sighting: false,
            completed_runs: 0,
            attempted: false,
            cause: None,
            stage: Stage::Done,
        };
        self.rows.insert(id, row);
        self.enqueue(now, id);
        Ok(Accepted::New(Id::new(id)))
    }

    fn sight(&mut self, now: i64, id: i64, requeue: bool) -> Accepted {
        let mut enqueue = false;
        let mut sighting = 0;
        if let Some(row) = self.rows.get_mut(&id) {
            row.sightings += 1;
            sighting = row.sightings;
            match &mut row.stage {
                _ if !requeue => {}
                // A run that has not begun also covers this sighting, so no separate run is necessary.
                Stage::Pending(work) => work.again |= row.attempted,
                Stage::Done => {
                    (row.is_sighting, enqueue) = (true, true);
                }
                Stage::Dead => {}
            }
        }
        if enqueue {
            self.enqueue(now, id);
        }
        Accepted::Duplicate { id: Id::new(id), sighting }
    }

    /// Queues a notification after the pending notifications with the same order key.
    fn enqueue(&mut self, now: i64, id: i64) {
        let key = self.rows.get(&id).and_then(|row| row.facts.order_key);
        let head = key.is_none_or(|key| !self.rows.values().any(|row| is_pending(row, key)));
        if let Some(row) = self.rows.get_mut(&id) {
            row.tries = 0;
            row.stage = Stage::Pending(Work { head, state: State::Ready, due_at: now, again: false });
        }
    }

    /// Makes the next notification with the same order key claimable once the first one has been processed or has
    /// become a dead letter.
    fn promote(&mut self, key: Option<Mac>) {
        let Some(key) = key else { return };
        if self.rows.values().any(|row| is_pending(row, key) && row.pending().is_some_and(|work| work.head)) {
            return;
        }
        let mut pending = self.rows.values_mut().filter(|row| is_pending(row, key));
        if let Some(Row { stage: Stage::Pending(work), .. }) = pending.next() {
            work.head = true;
        }
    }

    pub(super) fn claim(&mut self, now: i64, request: &ClaimRequest) -> Vec<Claimed> {
        let mut due: Vec<(i64, i64)> = self
            .rows
            .iter()
            .filter_map(|(id, row)| {
                let work = row.pending()?;
                (work.head && work.due_at <= now).then_some((work.due_at, *id))
            })
            .collect();
        due.sort_unstable();
        let mut room: HashMap<&str, usize> =
            request.kind_limits.iter().map(|(kind, limit)| (kind.as_str(), *limit)).collect();
        let mut claimed = Vec::new();
        for (_, id) in due {
            if claimed.len() == request.limit {
                break;
            }
            let Some(row) = self.rows.get_mut(&id) else { continue };
            match room.get_mut(row.facts.kind.as_str()) {
                Some(0) => continue,
                Some(room) => *room -= 1,
                None => {}
            }
            let Stage::Pending(work) = &mut row.stage else { continue };
            (work.state, work.due_at, row.attempted) = (State::Leased, after(now, request.lease), true);
            (row.fence, row.holder) = (row.fence + 1, request.holder);
            row.tries += 1;
            claimed.push(Claimed {
                lease: Lease { id: Id::new(id), fence: row.fence, holder: row.holder },
                tries: row.tries,
                is_sighting: row.is_sighting,
                completed_runs: row.completed_runs,
                sightings: row.sightings,
                received_at: at(row.received_at),
                facts: row.facts.clone(),
                payload: row.payload.clone(),
            });
        }
        claimed
    }

    fn leased(&mut self, lease: Lease) -> Result<(&mut Row, Option<Mac>), FinishError> {
        let row = self.rows.get_mut(&lease.id.get()).ok_or(FinishError::LeaseLost)?;
        if (row.fence, row.holder) != (lease.fence, lease.holder) || row.state() != State::Leased {
            return Err(FinishError::LeaseLost);
        }
        let key = row.facts.order_key;
        Ok((row, key))
    }

    pub(super) fn extend(&mut self, now: i64, lease: Lease, time: Duration) -> Result<(), FinishError> {
        if let (Row { stage: Stage::Pending(work), .. }, _) = self.leased(lease)? {
            work.due_at = after(now, time);
        }
        Ok(())
    }

    pub(super) fn complete(&mut self, now: i64, lease: Lease, effect: Option<MemoryEffect>) -> Result<(), FinishError> {
        let drops_content = self.limits.is_some();
        self.leased(lease)?;
        let mut transaction = MemoryTransaction::default();
        if let Some(effect) = effect {
            let applied = catch_unwind(AssertUnwindSafe(|| effect(&mut transaction)));
            applied.unwrap_or_else(|_| Err(HandlerError::retry("the effect panicked"))).map_err(FinishError::Effect)?;
        }
        self.recorded.append(&mut transaction.recorded);
        let (row, key) = self.leased(lease)?;
        (row.completed_runs, row.attempted) = (row.completed_runs + 1, false);
        if let Stage::Pending(work) = &mut row.stage
            && work.again
        {
            (row.is_sighting, row.tries) = (true, 0);
            (work.state, work.due_at, work.again) = (State::Ready, now, false);
            return Ok(());
        }
        row.stage = Stage::Done;
        if drops_content {
            row.payload = StoredPayload::Dropped;
        }
        self.promote(key);
        self.forget_oldest();
        Ok(())
    }

    /// Removes the oldest processed notifications that exceed the limit.
    fn forget_oldest(&mut self) {
        let Some(limits) = self.limits else { return };
        let done = self.rows.iter().filter(|(_, row)| matches!(row.stage, Stage::Done)).map(|(id, _)| *id);
        let done: Vec<i64> = done.collect();
        let excess = done.len().saturating_sub(limits.processed);
        for id in done.into_iter().take(excess) {
            if let Some(row) = self.rows.remove(&id) {
                self.by_dedup.remove(&row.facts.dedup);
            }
        }
    }

    pub(super) fn release(&mut self, now: i64, lease: Lease, release: Release) -> Result<(), FinishError> {
        let (row, key) = self.leased(lease)?;
        let Stage::Pending(work) = &mut row.stage else { return Err(FinishError::LeaseLost) };
        match release {
            Release::Retry { after: delay, cause } => {
                (work.state, work.due_at) = (State::Backoff, after(now, delay.min(MAX_DELAY)));
                row.cause = Some(cause);
            }
            Release::GiveBack => {
                (work.state, work.due_at) = (State::Ready, now);
                row.tries = row.tries.saturating_sub(1);
            }
            Release::DeadLetter { cause } => {
                row.cause = Some(cause);
                row.stage = Stage::Dead;
                self.promote(key);
            }
        }
        Ok(())
    }
}

fn is_pending(row: &Row, key: Mac) -> bool {
    row.facts.order_key == Some(key) && row.pending().is_some()
}
