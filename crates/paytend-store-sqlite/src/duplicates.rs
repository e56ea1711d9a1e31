//! Handles duplicates that cannot report a change. A separate thread counts and acknowledges these duplicates without
//! writing to the file. The writer writes the counts with its next commit.

use std::sync::Arc;
use std::sync::mpsc::{Receiver, RecvTimeoutError, SyncSender, TrySendError, sync_channel};
use std::time::{Duration, Instant};

use paytend_inbox::{Accepted, FinishError, Id, NewNotification, SightingPolicy, StoreError};
use rusqlite::{Connection, OptionalExtension as _, Transaction, params};
use tokio::sync::oneshot;

use crate::clock::Clock;
use crate::counts::Counts;
use crate::rows;

/// How long a count waits for the writer's next commit. Afterwards, the lookup thread requests a commit.
const WRITE_AFTER: Duration = Duration::from_secs(1);

/// The maximum number of lookups that share a read transaction.
const MAX_LOOKUPS: usize = 64;

/// A notification that may be a duplicate, and the channel to its caller.
pub(crate) struct Lookup {
    pub(crate) notification: NewNotification,
    pub(crate) caller: oneshot::Sender<Result<Accepted, FinishError>>,
}

/// The lookup thread's interface to the writer, which stores all other notifications and writes the counts.
pub(crate) trait Forward: Send + 'static {
    /// Passes a notification to the writer.
    fn store(&self, lookup: Lookup);
    /// Requests a commit from the writer.
    fn commit(&self);
}

/// Returns whether every duplicate of this notification must be stored as a row before it is acknowledged.
pub(crate) fn is_always_recorded(new: &NewNotification) -> bool {
    new.requeue_sighting || new.sightings != SightingPolicy::PossibleChanges || new.facts.business_id.is_none()
}

/// Writes the counts in the writer's transaction. Call [`Counts::finished`] when the transaction has ended.
pub(crate) fn write(counts: &Counts, transaction: &Transaction<'_>) -> rusqlite::Result<()> {
    for (id, count) in counts.take() {
        transaction
            .prepare_cached(
                "INSERT INTO paytend_sighting (id, number, seen_at, sent_at, same_content) \
                 SELECT ?1, coalesce((SELECT max(number) FROM paytend_sighting WHERE id = ?1), 0) + ?2, ?3, ?4, 1 \
                 FROM paytend_notification WHERE id = ?1",
            )?
            .execute(params![id, count.in_batch, count.seen_at, count.sent_at])?;
    }
    Ok(())
}

/// The lookup thread, which finds the duplicates that it can count.
pub(crate) struct Lookups<F> {
    connection: Connection,
    requests: Receiver<Lookup>,
    counts: Arc<Counts>,
    clock: Clock,
    forward: F,
}

impl<F: Forward> Lookups<F> {
    /// Starts the lookup thread. The thread ends when the returned sender is dropped.
    pub(crate) fn start(
        connection: Connection,
        max_waiting: usize,
        counts: Arc<Counts>,
        clock: Clock,
        forward: F,
    ) -> Result<SyncSender<Lookup>, StoreError> {
        let (sender, requests) = sync_channel(max_waiting);
        let lookups = Self { connection, requests, counts, clock, forward };
        let started = std::thread::Builder::new().name("paytend-lookup".into()).spawn(move || lookups.run());
        started.map_err(|error| StoreError::unavailable(format!("cannot start the lookup thread: {error}")))?;
        Ok(sender)
    }

    fn run(self) {
        let mut write_at: Option<Instant> = None;
        loop {
            let next = match write_at {
                Some(at) => self.requests.recv_timeout(at.saturating_duration_since(Instant::now())),
                None => self.requests.recv().map_err(|_| RecvTimeoutError::Disconnected),
            };
            match next {
                Ok(first) => self.answer(first),
                Err(RecvTimeoutError::Timeout) => {}
                Err(RecvTimeoutError::Disconnected) => break,
            }
            // No commit is requested if the writer has already written the counts with other operations, as in most
            // cases.
            write_at = if self.counts.is_empty() { None } else { write_at.or(Some(Instant::now() + WRITE_AFTER)) };
            if write_at.is_some_and(|at| at <= Instant::now()) {
                self.forward.commit();
                write_at = Some(Instant::now() + WRITE_AFTER);
            }
        }
        if !self.counts.is_empty() {
            self.forward.commit();
        }
    }

    /// Answers a lookup and all lookups that are waiting.
    fn answer(&self, first: Lookup) {
        let mut lookups = vec![first];
        lookups.extend(self.requests.try_iter().take(MAX_LOOKUPS - 1));
        if self.counts.are_suspended() {
            return lookups.into_iter().for_each(|lookup| self.forward.store(lookup));
        }
        let known = match self.find_all(&lookups) {
            Ok(known) => known,
            Err(error) => {
                tracing::warn!(%error, "cannot look up notifications");
                Vec::new()
            }
        };
        let known = known.into_iter().chain(std::iter::repeat(None));
        for (lookup, known) in lookups.into_iter().zip(known) {
            match known.map(|id| self.count(id, &lookup.notification)) {
                // Sending fails if the caller has stopped waiting. This error is ignored.
                Some(Ok(Some(accepted))) => drop(lookup.caller.send(Ok(accepted))),
                Some(Ok(None)) | None => self.forward.store(lookup),
                Some(Err(error)) => {
                    tracing::warn!(%error, "cannot count a duplicate");
                    self.forward.store(lookup);
                }
            }
        }
    }

    /// Returns the ID of each duplicate that reports no change. The lookups share a read transaction, so that the file
    /// is locked only once. The transaction begins after all of these notifications have arrived, so it shows
    /// everything that was acknowledged before.
    fn find_all(&self, lookups: &[Lookup]) -> rusqlite::Result<Vec<Option<i64>>> {
        let _transaction = if lookups.len() > 1 { Some(self.connection.unchecked_transaction()?) } else { None };
        lookups.iter().map(|lookup| self.find(&lookup.notification)).collect()
    }

    /// Counts a duplicate. The stored number of sightings is read here, and not in the transaction of the lookups,
    /// because the writer may have written an earlier count since then.
    fn count(&self, id: i64, new: &NewNotification) -> rusqlite::Result<Option<Accepted>> {
        let seen = (self.clock.now(), new.facts.sent_at);
        let sighting = self.counts.add(id, seen, || rows::sightings(&self.connection, id))?;
        Ok(sighting.map(|sighting| Accepted::Duplicate { id: Id::new(id), sighting }))
    }

    /// Returns the ID of a duplicate that reports no change. All data that this connection reads is on disk, because
    /// SQLite syncs a commit before it makes the transaction visible to readers.
    fn find(&self, new: &NewNotification) -> rusqlite::Result<Option<i64>> {
        let known: Option<(i64, [u8; 32], bool)> = self
            .connection
            .prepare_cached(
                "SELECT n.id, n.content_tag, n.business_id IS NOT ?2 \
                 OR EXISTS (SELECT 1 FROM paytend_sighting s WHERE s.id = n.id AND s.same_content = 0) \
                 OR EXISTS (SELECT 1 FROM paytend_notification other \
                 WHERE other.business_id = ?2 AND other.id <> n.id AND other.route = n.route \
                 AND other.business_kind IS ?3 AND (other.id > n.id \
                 OR EXISTS (SELECT 1 FROM paytend_sighting s WHERE s.id = other.id))) \
                 FROM paytend_notification n WHERE n.dedup = ?1",
            )?
            .query_row(params![new.facts.dedup.as_bytes(), new.facts.business_id, new.facts.business_kind], |row| {
                Ok((row.get(0)?, row.get(1)?, row.get(2)?))
            })
            .optional()?;
        Ok(match known {
            Some((id, tag, false)) if tag == *new.facts.content_tag.as_bytes() => Some(id),
            _ => None,
        })
    }
}

/// Passes a lookup to the lookup thread. Returns the lookup if the queue is full.
pub(crate) fn send(lookups: &SyncSender<Lookup>, lookup: Lookup) -> Option<Lookup> {
    match lookups.try_send(lookup) {
        Ok(()) => None,
        Err(TrySendError::Full(lookup) | TrySendError::Disconnected(lookup)) => Some(lookup),
    }
}
