//! Sightings that are counted in memory and passed to the writer later. `tests/batcher_model.rs` tests this code with
//! many thread interleavings.

use std::collections::HashMap;

use crate::sync::{AtomicBool, Mutex, MutexGuard, Ordering, PoisonError};

/// The maximum number of notifications with an unwritten count. When it is reached, duplicates of other notifications
/// are written individually.
const MAX_COUNTS: usize = 10_000;

/// The sightings that are counted but not yet written.
#[derive(Default)]
pub(crate) struct Counts {
    entries: Mutex<HashMap<i64, Count>>,
    /// Whether counting is suspended because the file may be damaged. While it is suspended, duplicates are passed to
    /// the writer.
    suspended: AtomicBool,
}

/// The counted sightings of one notification.
#[derive(Clone, Copy)]
pub(crate) struct Count {
    /// The number of all sightings, including stored sightings.
    total: u64,
    /// The number of sightings that are not yet part of a batch.
    waiting: u64,
    /// The number of sightings in the writer's current batch.
    pub(crate) in_batch: u64,
    pub(crate) seen_at: i64,
    pub(crate) sent_at: Option<i64>,
}

impl Counts {
    fn entries(&self) -> MutexGuard<'_, HashMap<i64, Count>> {
        self.entries.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(crate) fn suspend(&self, suspended: bool) {
        self.suspended.store(suspended, Ordering::SeqCst);
    }

    pub(crate) fn are_suspended(&self) -> bool {
        self.suspended.load(Ordering::SeqCst)
    }

    /// Returns whether all counts are written.
    pub(crate) fn is_empty(&self) -> bool {
        self.entries().is_empty()
    }

    /// Counts a sighting. `stored` reads the number of stored sightings. Returns the number of the sighting, or `None`
    /// if the maximum number of unwritten counts is reached.
    pub(crate) fn add<E>(
        &self,
        id: i64,
        (seen_at, sent_at): (i64, Option<i64>),
        stored: impl FnOnce() -> Result<u64, E>,
    ) -> Result<Option<u64>, E> {
        let mut entries = self.entries();
        if !entries.contains_key(&id) {
            if entries.len() >= MAX_COUNTS {
                return Ok(None);
            }
            // An entry is removed only after its commit. Therefore, if there is no entry, the stored number is current.
            let total = stored()?;
            entries.insert(id, Count { total, waiting: 0, in_batch: 0, seen_at, sent_at });
        }
        Ok(entries.get_mut(&id).map(|count| {
            (count.total, count.waiting) = (count.total + 1, count.waiting + 1);
            (count.seen_at, count.sent_at) = (seen_at, sent_at);
            count.total
        }))
    }

    /// Returns the counts for the writer's batch. Call [`finished`](Self::finished) after the batch.
    pub(crate) fn take(&self) -> Vec<(i64, Count)> {
        let mut batch = Vec::new();
        for (id, count) in self.entries().iter_mut().filter(|(_, count)| count.waiting > 0) {
            (count.in_batch, count.waiting) = (count.waiting, 0);
            batch.push((*id, *count));
        }
        batch
    }

    /// Removes the counts of a committed batch. The next batch writes the counts of a failed batch again.
    pub(crate) fn finished(&self, committed: bool) {
        self.entries().retain(|_, count| {
            if !committed {
                count.waiting += count.in_batch;
            }
            count.in_batch = 0;
            count.waiting > 0
        });
    }
}
