//! Reads the notifications of a store, each once.

use std::collections::BTreeMap;
use std::time::Duration;

use paytend_inbox::{Entry, Id, Query, StoreAdmin, StoreError};
use tokio::time::Instant;

use crate::cmd::inbox::any_store::AnyStore;
use crate::exit::Failure;

/// The maximum number of notifications in one read of the store.
const PAGE: usize = 1_000;
/// The maximum number of notifications that one read of missing numbers returns.
const MISSING_PAGE: usize = 100;
/// The maximum number of missing numbers. The largest are kept.
const MAX_MISSING: i64 = 1_000;
/// How long a missing number is looked for.
const MISSING_TIME: Duration = Duration::from_secs(600);
/// The interval at which missing numbers are queried.
const MISSING_INTERVAL: Duration = Duration::from_secs(1);

/// The position in a store.
///
/// PostgreSQL assigns numbers when a notification is inserted, and a notification becomes visible when its transaction
/// commits. A smaller number can therefore appear after a larger one. The numbers that are missing are looked for again
/// for ten minutes. Most of them belong to transactions that were rolled back.
pub(super) struct Follower {
    last: i64,
    can_miss: bool,
    missing: BTreeMap<i64, Instant>,
    looked: Instant,
}

impl Follower {
    /// Starts before the first notification.
    pub(super) fn new(store: &AnyStore) -> Self {
        Self {
            last: 0,
            can_miss: matches!(store, AnyStore::Postgres(_)),
            missing: BTreeMap::new(),
            looked: Instant::now(),
        }
    }

    /// Moves behind the notifications that are in the store. Those that become visible later with a smaller number are
    /// still passed, if the number is one of the last thousand.
    pub(super) async fn skip(&mut self, store: &impl StoreAdmin) -> Result<(), Failure> {
        self.read(store, |_| Ok(())).await?;
        self.missing = self.missing.split_off(&self.last.saturating_sub(MAX_MISSING));
        Ok(())
    }

    /// Passes all notifications that were not passed before.
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

    /// Moves to a larger number, and notes the numbers in between.
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

    /// Returns the notifications with numbers that were missing.
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
