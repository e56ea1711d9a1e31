//! Reads each notification in a store once, including notifications that arrive later.

use std::collections::BTreeMap;
use std::time::Duration;

use paytend_inbox::{Entry, Id, Query, StoreAdmin, StoreError};
use tokio::time::Instant;

use crate::cmd::inbox::any_store::AnyStore;
use crate::exit::Failure;

/// The maximum number of notifications read from the store at once.
const PAGE: usize = 1_000;
/// The maximum number of notifications read at once when checking whether missing IDs have appeared.
const MISSING_PAGE: usize = 100;
/// The maximum number of missing IDs to remember. The largest IDs are kept.
const MAX_MISSING: i64 = 1_000;
/// How long the store is queried for a missing ID. After this time, the ID is not expected to appear anymore.
const MISSING_TIME: Duration = Duration::from_secs(600);
/// The interval at which the store is queried for missing IDs.
const MISSING_INTERVAL: Duration = Duration::from_secs(1);

/// The ID of the last notification that was read, and the smaller IDs that were missing in the store.
///
/// PostgreSQL assigns an ID when a notification is inserted, but the notification becomes visible only when its
/// transaction commits. A smaller ID can therefore appear after a larger ID. Missing IDs are queried again for ten
/// minutes. Most of them belong to transactions that were rolled back.
pub(super) struct Follower {
    last: i64,
    can_miss: bool,
    missing: BTreeMap<i64, Instant>,
    looked: Instant,
}

impl Follower {
    pub(super) fn new(store: &AnyStore) -> Self {
        Self {
            last: 0,
            can_miss: matches!(store, AnyStore::Postgres(_)),
            missing: BTreeMap::new(),
            looked: Instant::now(),
        }
    }

    /// Skips the notifications that are already in the store. A notification that becomes visible later is not skipped,
    /// even if its ID is smaller, provided that its ID is among the last thousand.
    pub(super) async fn skip(&mut self, store: &impl StoreAdmin) -> Result<(), Failure> {
        self.read(store, |_| Ok(())).await?;
        self.missing = self.missing.split_off(&self.last.saturating_sub(MAX_MISSING));
        Ok(())
    }

    /// Calls `pass` with each notification that has not been passed to it yet.
    pub(super) async fn read(
        &mut self,
        store: &impl StoreAdmin,
        mut pass: impl FnMut(&Entry) -> Result<(), Failure>,
    ) -> Result<(), Failure> {
        for entry in self.late(store).await? {
            pass(&entry)?;
        }
        loop {
            let entries = page(store, self.last, PAGE).await?;
            for entry in &entries {
                self.advance(entry.id.get(), Instant::now());
                pass(entry)?;
            }
            if entries.len() < PAGE {
                return Ok(());
            }
        }
    }

    /// Sets the last ID, and remembers the IDs between the previous one and this one as missing.
    fn advance(&mut self, id: i64, now: Instant) {
        if self.can_miss {
            let first = self.last.saturating_add(1).max(id.saturating_sub(MAX_MISSING));
            self.missing.extend((first..id).map(|id| (id, now)));
            while i64::try_from(self.missing.len()).is_ok_and(|count| count > MAX_MISSING) {
                self.missing.pop_first();
            }
        }
        self.last = self.last.max(id);
    }

    /// Returns the notifications that have become visible since their IDs were remembered as missing.
    async fn late(&mut self, store: &impl StoreAdmin) -> Result<Vec<Entry>, StoreError> {
        let now = Instant::now();
        if now.duration_since(self.looked) < MISSING_INTERVAL {
            return Ok(Vec::new());
        }
        self.looked = now;
        self.missing.retain(|_, since| now.duration_since(*since) < MISSING_TIME);
        let (mut found, mut from) = (Vec::new(), i64::MIN);
        while let Some(id) = self.missing.range(from..).next().map(|(id, _)| *id) {
            let entries = page(store, id.saturating_sub(1), MISSING_PAGE).await?;
            let Some(last) = entries.last().map(|entry| entry.id.get()) else { break };
            from = last.saturating_add(1);
            found.extend(entries.into_iter().filter(|entry| self.missing.remove(&entry.id.get()).is_some()));
        }
        Ok(found)
    }
}

async fn page(store: &impl StoreAdmin, after: i64, limit: usize) -> Result<Vec<Entry>, StoreError> {
    store.list(Query { limit, after: Some(Id::new(after)), ..Query::default() }).await
}
