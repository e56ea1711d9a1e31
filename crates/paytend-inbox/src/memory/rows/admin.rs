//! What operators see and change in the rows.

use std::collections::HashMap;
use std::time::{Duration, SystemTime};

use super::{Row, Rows, Stage, at};
use crate::audit::{AuditEntry, AuditEvent, AuditQuery};
use crate::record::{Entry, Erasure, Query, Stats, StoredPayload};
use crate::terms::{Id, Mac, State};

impl Rows {
    pub(in crate::memory) fn list(&self, query: &Query) -> Vec<Entry> {
        let wanted = |row: &Row| {
            query.state.is_none_or(|state| row.state() == state)
                && query.kind.as_ref().is_none_or(|kind| row.facts.kind == *kind)
                && query.since.is_none_or(|since| at(row.received_at) >= since)
        };
        let from = query.after.map_or(i64::MIN, |id| id.get().saturating_add(1));
        let rows = self.rows.range(from..).filter(|(_, row)| wanted(row));
        rows.take(query.limit).map(|(id, row)| row.entry(*id, None)).collect()
    }

    pub(in crate::memory) fn show(&mut self, now: i64, id: Id, viewer: Option<String>) -> Option<Entry> {
        if let Some(viewer) = viewer {
            self.record(now, AuditEvent::new(AuditEvent::REVEAL, viewer).id(Some(id)));
        }
        let row = self.rows.get(&id.get())?;
        Some(row.entry(id.get(), Some(row.payload.clone())))
    }

    pub(in crate::memory) fn record(&mut self, now: i64, event: AuditEvent) {
        self.events.push((now, event));
    }

    pub(in crate::memory) fn audit(&self, query: &AuditQuery) -> Vec<AuditEntry> {
        let entry = |(index, (now, event)): (usize, &(i64, AuditEvent))| AuditEntry {
            number: i64::try_from(index + 1).unwrap_or(i64::MAX),
            at: at(*now),
            event: event.clone(),
        };
        let latest_first = self.events.iter().enumerate().rev().map(entry);
        latest_first
            .filter(|entry| query.before.is_none_or(|before| entry.number < before))
            .filter(|entry| query.since.is_none_or(|since| entry.at >= since))
            .filter(|entry| query.id.is_none_or(|id| entry.event.id == Some(id)))
            .take(query.limit)
            .collect()
    }

    pub(in crate::memory) fn redrive(&mut self, now: i64, ids: Option<&[Id]>) -> u64 {
        let dead = self.rows.iter().filter(|(_, row)| matches!(row.stage, Stage::Dead)).map(|(id, _)| *id);
        let chosen: Vec<i64> = dead.filter(|id| ids.is_none_or(|ids| ids.contains(&Id::new(*id)))).collect();
        for id in &chosen {
            self.enqueue(now, *id);
        }
        chosen.len() as u64
    }

    pub(in crate::memory) fn bury(&mut self, _: i64, id: Id, cause: String) -> bool {
        let Some(row) = self.rows.get_mut(&id.get()) else { return false };
        if row.pending().is_none() {
            return false;
        }
        (row.stage, row.cause) = (Stage::Dead, Some(cause));
        let key = row.facts.order_key;
        self.promote(key);
        true
    }

    pub(in crate::memory) fn stats(&self, now: i64) -> Stats {
        let count = |state| self.rows.values().filter(|row| row.state() == state).count() as u64;
        let due = self.rows.values().filter_map(Row::pending).filter(|work| work.head && work.due_at <= now);
        Stats {
            ready: count(State::Ready),
            leased: count(State::Leased),
            backoff: count(State::Backoff),
            done: count(State::Done),
            dead: count(State::Dead),
            sightings: self.rows.values().map(|row| row.sightings).sum(),
            oldest_ready: due
                .map(|work| Duration::from_millis(u64::try_from(now - work.due_at).unwrap_or_default()))
                .max(),
        }
    }

    pub(in crate::memory) fn check(&self) -> Vec<String> {
        let mut heads: HashMap<Mac, (usize, usize)> = HashMap::new();
        for row in self.rows.values() {
            if let (Some(key), Some(work)) = (row.facts.order_key, row.pending()) {
                let entry = heads.entry(key).or_default();
                entry.0 += usize::from(work.head);
                entry.1 += 1;
            }
        }
        let wrong = heads.values().filter(|(heads, _)| *heads != 1);
        wrong
            .map(|(heads, all)| format!("an order key with {all} notifications has {heads} claimable notifications"))
            .collect()
    }

    pub(in crate::memory) fn erase(&mut self, _: i64, erasure: &Erasure) -> u64 {
        let mut erased = 0;
        let mut keys = Vec::new();
        let selected = |row: &&mut Row| {
            row.facts.business_id.as_deref() == Some(erasure.business_id())
                && erasure.selects(row.facts.route, &row.facts.kind)
        };
        for row in self.rows.values_mut().filter(selected) {
            erased += 1;
            row.payload = StoredPayload::Dropped;
            (row.facts.business_id, row.facts.business_state) = (None, None);
            row.cause = None;
            if row.pending().is_some() {
                (row.stage, row.cause) = (Stage::Dead, Some("erased".into()));
                keys.push(row.facts.order_key);
            }
            row.facts.order_key = None;
        }
        for key in keys {
            self.promote(key);
        }
        erased
    }

    pub(in crate::memory) fn last_received(&self) -> Option<SystemTime> {
        self.rows.values().map(|row| row.received_at).max().map(at)
    }

    pub(in crate::memory) fn drop_payloads(&mut self, before: i64) -> u64 {
        let old = self.rows.values_mut().filter(|row| matches!(row.stage, Stage::Done) && row.received_at < before);
        let kept = old.filter(|row| row.payload != StoredPayload::Dropped);
        kept.map(|row| row.payload = StoredPayload::Dropped).count() as u64
    }
}
