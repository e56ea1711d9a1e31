//! Operator actions.

use std::time::SystemTime;

use async_nats::jetstream::message::PublishMessage;
use futures_util::{StreamExt as _, TryStreamExt as _};
use paytend_inbox::{
    AuditEntry, AuditEvent, AuditQuery, Entry, Erasure, Id, Mac, Query, State, Stats, StoreAdmin, StoreClock,
    StoreError, StoreErrorKind,
};

use crate::audit;
use crate::check;
use crate::claim::stored;
use crate::clock::{millis, system_time};
use crate::finish::{Current, Update, update};
use crate::format;
use crate::index::{Known, has_state};
use crate::record::Record;
use crate::remove;
use crate::store::{NatsStore, Shared};
use crate::streams::{Log, operation_number};

/// The maximum number of notifications that are read concurrently.
const CONCURRENT: usize = 32;
/// The number of notifications that are selected from the index at a time.
const PAGE: usize = 256;

impl StoreAdmin for NatsStore {
    async fn list(&self, query: Query) -> Result<Vec<Entry>, StoreError> {
        let shared = &*self.shared;
        let watched = shared.synchronized().await?;
        let mut after = query.after.map_or(i64::MIN, Id::get);
        let mut entries = Vec::new();
        while entries.len() < query.limit {
            let page = watched.index().select(after, PAGE, |known| has_state(known, query.state));
            let Some((last, _)) = page.last().copied() else { break };
            after = last;
            let read = page.into_iter().map(|(id, known)| read(shared, id, known));
            let read: Vec<_> = futures_util::stream::iter(read).buffered(CONCURRENT).try_collect().await?;
            let wanted = read.into_iter().flatten().filter(|entry| {
                query.state.is_none_or(|state| entry.state == state)
                    && query.kind.as_ref().is_none_or(|kind| entry.facts.kind == *kind)
                    && query.since.is_none_or(|since| entry.received_at >= since)
            });
            entries.extend(wanted.map(|entry| Entry { payload: None, ..entry }));
        }
        entries.truncate(query.limit);
        Ok(entries)
    }

    async fn show(&self, id: Id, viewer: Option<String>) -> Result<Option<Entry>, StoreError> {
        let shared = &*self.shared;
        if let Some(viewer) = viewer {
            self.record(AuditEvent::new(AuditEvent::REVEAL, viewer).id(Some(id))).await?;
        }
        let watched = shared.synchronized().await?;
        let Some(known) = watched.index().known(id.get()) else { return Ok(None) };
        read(shared, id.get(), known).await
    }

    async fn redrive(&self, ids: Option<Vec<Id>>) -> Result<u64, StoreError> {
        let watched = self.shared.synchronized().await?;
        let ids = match ids {
            Some(ids) => ids.into_iter().map(Id::get).collect(),
            None => {
                let dead = watched.index().select(i64::MIN, usize::MAX, |known| has_state(known, Some(State::Dead)));
                dead.into_iter().map(|(id, _)| id).collect::<Vec<_>>()
            }
        };
        let mut redriven = 0;
        for id in ids {
            let Some(known) = watched.index().known(id) else { continue };
            let operation = operation_number()?;
            let changed =
                change(&self.shared, id, known.dedup, |record, now| record.id == id && record.redrive(now, operation));
            redriven += u64::from(match changed.await? {
                Update::Written(_) => true,
                // If the response to the write was lost, the record may already contain this change.
                Update::Unchanged(record) => record.remembers(operation),
                Update::Gone => false,
            });
        }
        watched.notify();
        Ok(redriven)
    }

    async fn bury(&self, id: Id, cause: String) -> Result<bool, StoreError> {
        let watched = self.shared.synchronized().await?;
        let Some(known) = watched.index().known(id.get()) else { return Ok(false) };
        let buried = change(&self.shared, id.get(), known.dedup, |record, _| {
            let is_pending = record.id == id.get() && record.state.is_pending();
            if is_pending {
                record.bury(cause.clone());
            }
            is_pending
        });
        let buried = buried.await?.is_written();
        watched.notify();
        Ok(buried)
    }

    async fn stats(&self) -> Result<Stats, StoreError> {
        let watched = self.shared.synchronized().await?;
        Ok(watched.index().stats(self.shared.clock.now()))
    }

    async fn check(&self) -> Result<Vec<String>, StoreError> {
        let mut problems = check::integrity(&self.shared).await?;
        problems.extend(self.shared.settings().await?.problems);
        Ok(problems)
    }

    async fn erase(&self, erasure: Erasure) -> Result<u64, StoreError> {
        let erased = remove::erase(&self.shared, &erasure).await?;
        self.shared.watched().notify();
        Ok(erased)
    }

    async fn clock(&self) -> Result<StoreClock, StoreError> {
        let last_received = self.shared.synchronized().await?.index().last_received();
        Ok(StoreClock { now: system_time(self.shared.clock.now()), last_received: last_received.map(system_time) })
    }

    async fn drop_payloads(&self, before: SystemTime) -> Result<u64, StoreError> {
        remove::drop_payloads(&self.shared, millis(before)).await
    }

    async fn record(&self, event: AuditEvent) -> Result<(), StoreError> {
        audit::record(&self.shared, &event).await
    }

    async fn audit(&self, query: AuditQuery) -> Result<Vec<AuditEntry>, StoreError> {
        audit::list(&self.shared, &query).await
    }

    async fn probe(&self) -> Result<Vec<(&'static str, String)>, StoreError> {
        let streams = &self.shared.streams;
        let subject = streams.names.meta("probe");
        let last = streams.last(Log::Work, &subject).await?.map_or(0, |last| last.sequence);
        // A conflict is not an error here: another program has written the message at the same time, so writes succeed.
        streams.put(Log::Work, &subject, PublishMessage::build(), last).await?;
        format::check(streams).await?;
        let settings = self.shared.check_settings().await?;
        let sync_interval = match settings.syncs_always {
            Some(true) => "always",
            Some(false) => "not always",
            None => "not known",
        };
        Ok(vec![
            ("engine", "NATS JetStream".to_owned()),
            ("server_version", self.shared.server_version()),
            ("replicas", settings.replicas.to_string()),
            ("sync_interval", sync_interval.to_owned()),
        ])
    }
}

impl NatsStore {
    /// Returns the time by the store's clock, which also determines the times of receipt.
    pub fn now(&self) -> SystemTime {
        system_time(self.shared.clock.now())
    }

    /// Forgets processed notifications that were received before this time, and returns how many were forgotten. Their
    /// content is also removed. **A duplicate that arrives later is treated as a new notification and is processed
    /// again.**
    ///
    /// Calculate the time from [`now`](Self::now), because the clock of this machine can differ from the store's clock.
    ///
    /// This store needs a limited deduplication window, because the servers and the workers keep the dedup key of each
    /// notification in memory. Pending notifications and dead letters are kept. The registers of order keys without
    /// pending notifications are also removed, if they were written before this time.
    ///
    /// # Errors
    /// Returns [`StoreError`] if the servers do not respond. Some of the notifications may already have been forgotten.
    pub async fn forget(&self, before: SystemTime) -> Result<u64, StoreError> {
        remove::drop_payloads(&self.shared, millis(before)).await?;
        remove::forget(&self.shared, millis(before)).await
    }
}

/// Reads the current state of a notification.
async fn read(shared: &Shared, id: i64, known: Known) -> Result<Option<Entry>, StoreError> {
    match read_stored(shared, id, known.dedup).await {
        Err(error) if error.kind() == StoreErrorKind::Corrupt => {
            tracing::error!(id, "a notification cannot be read and is not listed; `check` reports its ID");
            Ok(None)
        }
        result => result,
    }
}

async fn read_stored(shared: &Shared, id: i64, dedup: Mac) -> Result<Option<Entry>, StoreError> {
    let Some(Current { record, .. }) = Current::read_known(shared, id, dedup).await? else { return Ok(None) };
    if record.id != id {
        return Ok(None);
    }
    let Some((facts, payload)) = stored(shared, dedup, &record).await? else { return Ok(None) };
    Ok(Some(Entry {
        id: Id::new(id),
        facts,
        state: record.state.get(),
        tries: record.tries,
        sightings: record.sightings,
        received_at: system_time(record.received_at),
        cause: record.cause,
        payload: Some(payload),
    }))
}

/// Changes a notification. The change is skipped if it does not apply to the notification's state.
pub(crate) async fn change(
    shared: &Shared,
    id: i64,
    dedup: Mac,
    apply: impl Fn(&mut Record, i64) -> bool,
) -> Result<Update, StoreError> {
    match Current::read_known(shared, id, dedup).await? {
        Some(current) => update(shared, dedup, current, apply).await,
        None => Ok(Update::Gone),
    }
}
