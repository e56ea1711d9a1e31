//! The rows of a [`MemoryOutbox`](super::MemoryOutbox).

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::time::Duration;

use paytend_client::History;
use paytend_inbox::{FinishError, Id, Lease, Mac, SealedPayload};

use crate::audit_log::{OrderAuditQuery, RecordedAction};
use crate::error::{ActionError, BeginSendError, SubmitError, illegal};
use crate::notice::OrderNotice;
use crate::progress::Progress;
use crate::record::{
    Action, Audit, AuditEntry, ClaimOrders, ClaimedOrder, Ended, NewOrder, OrderEntry, OrderFacts, OrderPage,
    OrderQuery, OrderRelease, OrderStats, Pause, Submitted,
};
use crate::terms::{State, millis, system_time};

#[derive(Clone, Default)]
pub(super) struct Rows {
    pub(super) bound: Option<Mac>,
    pub(super) recorded: Vec<String>,
    rows: BTreeMap<i64, Row>,
    by_number: HashMap<String, i64>,
    pauses: BTreeMap<String, Pause>,
    recovering_since: Option<i64>,
    /// The operator actions, each with the ID of its order, if it concerns a single order.
    audit: Vec<(Option<i64>, AuditEntry)>,
}

#[derive(Clone)]
pub(super) struct Row {
    facts: OrderFacts,
    request: Option<SealedPayload>,
    result: Option<SealedPayload>,
    submitted_at: i64,
    pub(super) progress: Progress,
}

impl Row {
    fn entry(&self, id: i64) -> OrderEntry {
        OrderEntry {
            id,
            facts: self.facts.clone(),
            progress: self.progress.clone(),
            submitted_at: system_time(self.submitted_at),
            request: None,
            result: None,
            audit: Vec::new(),
        }
    }
}

impl Rows {
    pub(super) fn submit(&mut self, now: i64, order: &NewOrder) -> Result<Submitted, SubmitError> {
        if let Some(row) = self.by_number.get(&order.facts.number).and_then(|id| self.rows.get_mut(id)) {
            order.check_same(&row.facts, row.request.as_ref())?;
            let moved = order.moved_file(&row.facts, &row.progress, row.request.as_ref())?;
            row.request = moved.or_else(|| row.request.take());
            return Ok(Submitted::Known { state: row.progress.state });
        }
        let id = self.rows.keys().next_back().map_or(1, |last| last + 1);
        self.by_number.insert(order.facts.number.clone(), id);
        let mut progress = Progress::new(now, order.facts.not_before.map(millis));
        if self.recovering_since.is_some() {
            progress.recover(now, order.facts.not_before.map(millis));
        }
        let row = Row {
            facts: order.facts.clone(),
            request: Some(order.request.clone()),
            result: None,
            submitted_at: now,
            progress,
        };
        self.rows.insert(id, row);
        Ok(Submitted::New)
    }

    fn is_paused(&self, operation: &str) -> bool {
        self.pauses.contains_key(operation) || self.pauses.contains_key(Pause::ALL)
    }

    /// Returns whether this is the first open order with its order key.
    fn is_first(&self, id: i64, row: &Row) -> bool {
        let Some(key) = row.facts.order_key else { return true };
        !self.rows.range(..id).any(|(_, other)| other.facts.order_key == Some(key) && other.progress.is_open)
    }

    pub(super) fn claim(&mut self, now: i64, request: &ClaimOrders) -> Vec<ClaimedOrder> {
        let is_claimable = |id: i64, row: &Row| {
            let paused = row.progress.is_unsent() && self.is_paused(&row.facts.operation);
            row.progress.is_due(now) && !paused && self.is_first(id, row)
        };
        let due = self.rows.iter().filter(|(id, row)| is_claimable(**id, row));
        let mut due: Vec<(Option<i64>, i64)> = due.map(|(id, row)| (row.progress.due_at, *id)).collect();
        due.sort_unstable();
        let mut room: HashMap<&str, usize> =
            request.operations.iter().map(|(operation, limit)| (operation.as_str(), *limit)).collect();
        let mut claimed = Vec::new();
        for (_, id) in due {
            if claimed.len() == request.limit {
                break;
            }
            let Some(row) = self.rows.get_mut(&id) else { continue };
            match room.get_mut(row.facts.operation.as_str()) {
                Some(0) | None => continue,
                Some(room) => *room -= 1,
            }
            if self.recovering_since.is_some() {
                row.progress.recover_unsent(now, row.facts.not_before.map(millis));
            }
            row.progress.claim(now, request.lease, request.holder);
            claimed.push(ClaimedOrder {
                lease: Lease { id: Id::new(id), fence: row.progress.fence, holder: request.holder },
                facts: row.facts.clone(),
                progress: row.progress.clone(),
                request: row.request.clone(),
                result: row.result.clone(),
                now: system_time(now),
            });
        }
        claimed
    }

    pub(super) fn held(&mut self, lease: Lease) -> Result<&mut Row, FinishError> {
        let row = self.rows.get_mut(&lease.id.get()).ok_or(FinishError::LeaseLost)?;
        if row.progress.is_held(lease) { Ok(row) } else { Err(FinishError::LeaseLost) }
    }

    pub(super) fn begin_send(&mut self, now: i64, lease: Lease) -> Result<History, BeginSendError> {
        let operation = self.held(lease).map_err(|_| BeginSendError::LeaseLost)?.facts.operation.clone();
        if self.is_paused(&operation) {
            return Err(BeginSendError::Paused);
        }
        let row = self.held(lease).map_err(|_| BeginSendError::LeaseLost)?;
        row.progress.begin_send(now, row.facts.not_before.map(millis))?;
        Ok(row.progress.history)
    }

    pub(super) fn record_outcome(
        &mut self,
        lease: Lease,
        ended: Ended,
        result: SealedPayload,
    ) -> Result<(), FinishError> {
        let row = self.held(lease)?;
        row.progress.record_outcome(ended).map_err(illegal)?;
        row.result = Some(result);
        Ok(())
    }

    pub(super) fn complete(&mut self, lease: Lease, ended: Ended) -> Result<(), FinishError> {
        Ok(self.held(lease)?.progress.complete(ended).map_err(illegal)?)
    }

    pub(super) fn release(
        &mut self,
        now: i64,
        lease: Lease,
        release: &OrderRelease,
        result: Option<SealedPayload>,
    ) -> Result<(), FinishError> {
        let row = self.held(lease)?;
        row.progress.release(now, release).map_err(illegal)?;
        row.result = result.or_else(|| row.result.take());
        Ok(())
    }

    pub(super) fn notice(&mut self, now: i64, notice: &OrderNotice) -> bool {
        let row = self.by_number.get(&notice.number).and_then(|id| self.rows.get_mut(id));
        row.filter(|row| row.facts.operation == notice.operation).is_some_and(|row| row.progress.notice(now))
    }

    pub(super) fn list(&self, query: &OrderQuery) -> OrderPage {
        let wanted = |row: &Row| {
            query.state.is_none_or(|state| row.progress.state == state)
                && query.operation.as_ref().is_none_or(|operation| row.facts.operation == *operation)
                && query.since.is_none_or(|since| system_time(row.submitted_at) >= since)
        };
        let from = query.after.map_or(i64::MIN, |id| id.saturating_add(1));
        let rows = self.rows.range(from..).filter(|(_, row)| wanted(row));
        let mut page = OrderPage::default();
        rows.take(query.limit).for_each(|(id, row)| page.push(Ok(row.entry(*id))));
        page.end(query.limit);
        page
    }

    /// Adds an operator action to the audit log.
    fn record(&mut self, now: i64, id: Option<i64>, action: impl Into<String>, audit: Audit) {
        self.audit.push((id, AuditEntry::new(system_time(now), action.into(), audit)));
    }

    pub(super) fn show(&mut self, now: i64, number: &str, viewer: Option<String>) -> Option<OrderEntry> {
        let id = *self.by_number.get(number)?;
        if let Some(who) = viewer {
            self.record(now, Some(id), "show", Audit { who, why: String::new() });
        }
        let row = self.rows.get(&id)?;
        let (request, result) = (row.request.clone(), row.result.clone());
        let audit = self.audit.iter().filter(|(of, _)| *of == Some(id)).map(|(_, entry)| entry.clone()).collect();
        Some(OrderEntry { request, result, audit, ..row.entry(id) })
    }

    pub(super) fn act(&mut self, now: i64, number: &str, action: Action, audit: Audit) -> Result<(), ActionError> {
        let id = *self.by_number.get(number).ok_or(ActionError::Absent)?;
        self.rows.get_mut(&id).ok_or(ActionError::Absent)?.progress.act(now, action)?;
        self.record(now, Some(id), action.as_str(), audit);
        Ok(())
    }

    pub(super) fn pause(&mut self, now: i64, operation: String, audit: Audit) {
        self.record(now, None, format!("pause {operation}"), audit.clone());
        let pause = Pause::new(operation.clone(), system_time(now), audit);
        self.pauses.entry(operation).or_insert(pause);
    }

    pub(super) fn resume(&mut self, now: i64, operation: &str, audit: Audit) -> bool {
        self.record(now, None, format!("resume {operation}"), audit);
        self.pauses.remove(operation).is_some()
    }

    pub(super) fn paused(&self) -> Vec<Pause> {
        self.pauses.values().cloned().collect()
    }

    pub(super) fn stats(&self, now: i64) -> OrderStats {
        let mut stats = OrderStats::default();
        for state in State::ALL {
            stats.set(state, self.rows.values().filter(|row| row.progress.state == state).count() as u64);
        }
        let unhandled = self.rows.values().filter(|row| row.progress.state.is_final() && row.progress.is_open);
        stats.unhandled = unhandled.count() as u64;
        let due = self.rows.iter().filter(|(id, row)| row.progress.is_due(now) && self.is_first(**id, row));
        let oldest = due.filter_map(|(_, row)| row.progress.due_at).min();
        stats.oldest_due = oldest.map(|due_at| Duration::from_millis(now.abs_diff(due_at)));
        for row in self.rows.values().filter(|row| row.progress.is_open) {
            let parts = [&row.request, &row.result].into_iter().flatten();
            for key in parts.map(|part| part.key_id).collect::<BTreeSet<_>>() {
                *stats.open_by_key.entry(key).or_default() += 1;
            }
        }
        stats.recovering_since = self.recovering_since.map(system_time);
        stats
    }

    pub(super) fn recover(&mut self, now: i64, audit: Audit) -> u64 {
        self.recovering_since.get_or_insert(now);
        let recover =
            |(id, row): (&i64, &mut Row)| row.progress.recover(now, row.facts.not_before.map(millis)).then_some(*id);
        let recovered: Vec<i64> = self.rows.iter_mut().filter_map(recover).collect();
        for id in &recovered {
            self.record(now, Some(*id), "recover", audit.clone());
        }
        self.record(now, None, "recover", audit);
        recovered.len() as u64
    }

    pub(super) fn end_recovery(&mut self, now: i64, audit: Audit) -> bool {
        if self.recovering_since.take().is_none() {
            self.record(now, None, "end recovery", audit);
            return false;
        }
        let recover = |(id, row): (&i64, &mut Row)| {
            let is_open = row.progress.is_open;
            (is_open && row.progress.recover_unsent(now, row.facts.not_before.map(millis))).then_some(*id)
        };
        let recovered: Vec<i64> = self.rows.iter_mut().filter_map(recover).collect();
        for id in recovered {
            self.record(now, Some(id), "recover", audit.clone());
        }
        self.record(now, None, "end recovery", audit);
        true
    }

    pub(super) fn drop_content(&mut self, now: i64, before: i64, audit: &Audit) -> u64 {
        let old = self.rows.iter_mut().filter(|(_, row)| !row.progress.is_open && row.submitted_at < before);
        let kept = old.filter(|(_, row)| row.request.is_some() || row.result.is_some());
        let dropped = kept.map(|(id, row)| {
            (row.request, row.result) = (None, None);
            *id
        });
        let dropped: Vec<i64> = dropped.collect();
        for id in &dropped {
            self.record(now, Some(*id), AuditEntry::DROP_CONTENT, audit.clone());
        }
        let count = dropped.len() as u64;
        let entry = AuditEntry::dropped_content(system_time(now), system_time(before), count, audit.clone());
        self.audit.push((None, entry));
        count
    }

    pub(super) fn audit(&self, query: &OrderAuditQuery) -> Vec<RecordedAction> {
        let number_of = |id: &i64| self.rows.get(id).map(|row| row.facts.number.clone());
        let action = |(index, (id, entry)): (usize, &(Option<i64>, AuditEntry))| {
            let number = i64::try_from(index + 1).unwrap_or(i64::MAX);
            RecordedAction::new(number, id.as_ref().and_then(number_of), entry.clone())
        };
        let latest_first = self.audit.iter().enumerate().rev().map(action);
        latest_first
            .filter(|action| query.before.is_none_or(|before| action.number < before))
            .filter(|action| query.since.is_none_or(|since| action.entry.at >= since))
            .filter(|action| query.order.is_none() || query.order == action.order)
            .take(query.limit)
            .collect()
    }
}
