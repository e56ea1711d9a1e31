//! Tests of the worker with a store that delays completions.

use std::future::{pending, ready};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, SystemTime};

use paytend_inbox::{
    Accepted, AnyNotification, ClaimRequest, Claimed, Completion, Delivery, FinishError, Inbox, Lease, Mac,
    MemoryEffect, MemoryStore, NewNotification, Release, RetryPolicy, Store, StoreAdmin as _, StoreError, StoreKeys,
    Worker,
};

use crate::support::{Log, deposit, until};

/// A store that waits for `before` before it applies a completion, and for `after` before it reports the result.
#[derive(Clone)]
struct SlowStore {
    store: MemoryStore,
    before: Duration,
    after: Duration,
    /// The numbers of completions and of releases that this store still refuses with [`FinishError::NotApplied`].
    rolled_back: [Arc<AtomicUsize>; 2],
}

impl SlowStore {
    fn new(store: MemoryStore, before: Duration, after: Duration) -> Self {
        Self { store, before, after, rolled_back: Default::default() }
    }
}

fn is_rolled_back(count: &AtomicUsize) -> bool {
    count.fetch_update(Ordering::SeqCst, Ordering::SeqCst, |count| count.checked_sub(1)).is_ok()
}

impl Store for SlowStore {
    type Effect = MemoryEffect;

    async fn bind_keys(&self, check: Mac) -> Result<(), StoreError> {
        self.store.bind_keys(check).await
    }

    async fn accept(&self, notification: NewNotification) -> Result<Accepted, StoreError> {
        self.store.accept(notification).await
    }

    async fn claim(&self, request: ClaimRequest) -> Result<Vec<Claimed>, StoreError> {
        self.store.claim(request).await
    }

    async fn extend(&self, lease: Lease, time: Duration) -> Result<(), FinishError> {
        self.store.extend(lease, time).await
    }

    async fn complete(&self, lease: Lease, effect: Option<MemoryEffect>) -> Result<(), FinishError> {
        if is_rolled_back(&self.rolled_back[0]) {
            return Err(FinishError::NotApplied);
        }
        tokio::time::sleep(self.before).await;
        let completed = self.store.complete(lease, effect).await;
        tokio::time::sleep(self.after).await;
        completed
    }

    async fn release(&self, lease: Lease, release: Release) -> Result<(), FinishError> {
        if is_rolled_back(&self.rolled_back[1]) {
            return Err(FinishError::NotApplied);
        }
        self.store.release(lease, release).await
    }

    async fn changed(&self) {
        self.store.changed().await;
    }
}

#[tokio::test(start_paused = true)]
async fn lease_is_extended_while_the_completion_waits() {
    let (long, short) = (Duration::from_secs(500), Duration::ZERO);
    for (before, after) in [(long, short), (short, long)] {
        let (start, epoch) = (tokio::time::Instant::now(), SystemTime::now());
        let memory = MemoryStore::with_clock(move || epoch + start.elapsed());
        let store = SlowStore::new(memory.clone(), before, after);
        let inbox = Inbox::open(store, StoreKeys::generate().unwrap()).await.unwrap();
        let runs = Log::default();
        let tasks: Vec<_> = (0..2)
            .map(|_| {
                let log = runs.clone();
                let worker = Worker::builder(inbox.clone(), move |_: Delivery<AnyNotification>| {
                    log.add("run");
                    ready(Ok(Completion::without_effect()))
                });
                tokio::spawn(worker.lease(Duration::from_secs(10)).build().run(pending()))
            })
            .collect();
        inbox.accept(&deposit("F1")).await.unwrap();
        until(|| async { (memory.stats().await.unwrap().done == 1).then_some(()) }).await;
        tokio::time::sleep(long).await;
        assert_eq!(runs.len(), 1, "the handler ran once");
        tasks.iter().for_each(tokio::task::JoinHandle::abort);
    }
}

/// If a completion is rolled back because the effect of another notification failed, the attempt does not count.
/// Otherwise, a notification could become a dead letter although its handler succeeded.
#[tokio::test(start_paused = true)]
async fn rolled_back_completions_do_not_count_as_attempts() {
    let (start, epoch) = (tokio::time::Instant::now(), SystemTime::now());
    let memory = MemoryStore::with_clock(move || epoch + start.elapsed());
    let store = SlowStore::new(memory.clone(), Duration::ZERO, Duration::ZERO);
    store.rolled_back[0].store(3, Ordering::SeqCst);
    store.rolled_back[1].store(5, Ordering::SeqCst);
    let rolled_back = store.rolled_back.clone();
    let inbox = Inbox::open(store, StoreKeys::generate().unwrap()).await.unwrap();
    let runs = Log::default();
    let log = runs.clone();
    let worker = Worker::builder(inbox.clone(), move |_: Delivery<AnyNotification>| {
        log.add("run");
        ready(Ok(Completion::without_effect()))
    });
    let worker = tokio::spawn(worker.retry(RetryPolicy::new().max_tries(1)).build().run(pending()));
    inbox.accept(&deposit("F1")).await.unwrap();
    let stats = until(|| async {
        let stats = memory.stats().await.unwrap();
        (stats.ready + stats.leased == 0).then_some(stats)
    });
    let stats = stats.await;
    assert_eq!((stats.done, stats.dead), (1, 0));
    assert_eq!((runs.len(), rolled_back.map(|left| left.load(Ordering::SeqCst))), (4, [0, 0]));
    worker.abort();
}
