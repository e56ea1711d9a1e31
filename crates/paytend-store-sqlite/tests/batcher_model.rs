//! A model of the writer's queue for the `shuttle` crate, which tests many thread interleavings. Callers queue
//! operations. The writer commits each batch together with the waiting counts, wakes workers, and sends the replies.
//! The test uses the real `counts` module, together with models of the writer and the file.

// The lints are disabled, because tests panic on unexpected results, and because the model uses only a part of
// `counts.rs`.
#![allow(clippy::unwrap_used, clippy::expect_used, dead_code)]

/// The `shuttle` versions of the synchronization primitives that `counts.rs` uses.
mod sync {
    pub(crate) use std::sync::PoisonError;

    pub(crate) use shuttle::sync::atomic::{AtomicBool, Ordering};
    pub(crate) use shuttle::sync::{Mutex, MutexGuard};
}

#[path = "../src/counts.rs"]
mod counts;

use std::collections::{BTreeMap, BTreeSet};
use std::convert::Infallible;

use counts::Counts;
use shuttle::rand::Rng as _;
use shuttle::sync::mpsc::{Sender, channel};
use shuttle::sync::{Arc, Condvar, Mutex};
use shuttle::thread;

/// A bug in the writer that the model must detect.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Mistake {
    EarlyReply,
    EarlyWake,
    ForgottenCounts,
    EarlyRemoval,
}

/// The ID of the notification that arrives many times. It is stored before the test begins.
const KNOWN: i64 = 0;
const SENDERS: i64 = 2;
const DUPLICATES: u64 = 3;

/// The data on disk.
#[derive(Default)]
struct File {
    rows: BTreeSet<i64>,
    sightings: BTreeMap<i64, u64>,
}

struct Operation {
    id: i64,
    caller: Sender<bool>,
}

#[derive(Default)]
struct Queue {
    operations: Vec<Operation>,
    closed: bool,
}

#[derive(Default)]
struct Store {
    queue: Mutex<Queue>,
    queued: Condvar,
    file: Mutex<File>,
    counts: Counts,
    /// The number of wake-ups so far.
    changes: Mutex<u64>,
    changed: Condvar,
}

impl Store {
    fn accept(&self, id: i64) -> bool {
        let (caller, reply) = channel();
        self.queue.lock().unwrap().operations.push(Operation { id, caller });
        self.queued.notify_one();
        reply.recv().unwrap()
    }

    /// Counts a duplicate of the stored notification. Returns the number of duplicates so far.
    fn duplicate(&self) -> u64 {
        let stored = || Ok::<_, Infallible>(self.file.lock().unwrap().sightings.get(&KNOWN).copied().unwrap_or(0));
        self.counts.add(KNOWN, (0, None), stored).unwrap().unwrap()
    }

    fn wake(&self) {
        *self.changes.lock().unwrap() += 1;
        self.changed.notify_all();
    }

    /// Takes the queued operations, or returns `None` when the store is closed.
    fn next_batch(&self) -> Option<Vec<Operation>> {
        let mut queue = self.queue.lock().unwrap();
        while queue.operations.is_empty() && !queue.closed {
            queue = self.queued.wait(queue).unwrap();
        }
        let batch = std::mem::take(&mut queue.operations);
        if batch.is_empty() { None } else { Some(batch) }
    }

    fn write(&self, mistake: Option<Mistake>) {
        while let Some(batch) = self.next_batch() {
            let counts = self.counts.take();
            let committed = shuttle::rand::thread_rng().gen_bool(0.7);
            if mistake == Some(Mistake::EarlyReply) {
                reply(&batch, committed);
            }
            if mistake == Some(Mistake::EarlyWake) {
                self.wake();
            }
            if mistake == Some(Mistake::EarlyRemoval) {
                self.counts.finished(committed);
            }
            if committed {
                let mut file = self.file.lock().unwrap();
                file.rows.extend(batch.iter().map(|operation| operation.id));
                for (id, count) in counts {
                    *file.sightings.entry(id).or_default() += count.in_batch;
                }
            }
            match mistake {
                Some(Mistake::EarlyRemoval) => {}
                Some(Mistake::ForgottenCounts) => self.counts.finished(true),
                _ => self.counts.finished(committed),
            }
            if mistake != Some(Mistake::EarlyWake) {
                self.wake();
            }
            if mistake != Some(Mistake::EarlyReply) {
                reply(&batch, committed);
            }
        }
    }

    /// Claims until all notifications from the senders have been claimed. Unlike a real worker, it does not poll.
    fn work(&self) {
        let mut claimed = BTreeSet::new();
        loop {
            // The counter is read before the claim, so that a change after the claim is not missed.
            let before = *self.changes.lock().unwrap();
            claimed.extend(self.file.lock().unwrap().rows.iter().copied());
            if claimed.len() == usize::try_from(SENDERS).unwrap() {
                return;
            }
            let mut changes = self.changes.lock().unwrap();
            while *changes == before {
                changes = self.changed.wait(changes).unwrap();
            }
        }
    }
}

fn reply(batch: &[Operation], committed: bool) {
    for operation in batch {
        operation.caller.send(committed).unwrap();
    }
}

fn model(mistake: Option<Mistake>) {
    let store = Arc::new(Store::default());
    let run = |work: fn(&Store, Option<Mistake>, i64), number: i64| {
        let store = Arc::clone(&store);
        thread::spawn(move || work(&store, mistake, number))
    };
    let writer = run(|store, mistake, _| store.write(mistake), 0);
    let worker = run(|store, _, _| store.work(), 0);
    let mut others = vec![run(
        |store, _, _| {
            let numbers: Vec<u64> = (0..DUPLICATES).map(|_| store.duplicate()).collect();
            assert_eq!(numbers, (1..=DUPLICATES).collect::<Vec<_>>(), "each sighting is counted once");
        },
        0,
    )];
    others.extend((1..=SENDERS).map(|id| {
        run(
            |store, _, id| {
                // The provider sends the notification again until it is acknowledged.
                while !store.accept(id) {}
                assert!(
                    store.file.lock().unwrap().rows.contains(&id),
                    "a notification was acknowledged before its commit"
                );
            },
            id,
        )
    }));
    for other in others {
        other.join().unwrap();
    }
    worker.join().unwrap();
    // The lookup thread requests a last commit for the remaining counts.
    while !store.counts.is_empty() {
        store.accept(1);
    }
    store.queue.lock().unwrap().closed = true;
    store.queued.notify_one();
    writer.join().unwrap();
    assert_eq!(
        store.file.lock().unwrap().sightings.get(&KNOWN),
        Some(&DUPLICATES),
        "sighting counts were lost or repeated"
    );
}

#[test]
fn every_interleaving_replies_after_the_commit_and_loses_nothing() {
    shuttle::check_random(|| model(None), 2_000);
    shuttle::check_pct(|| model(None), 2_000, 3);
}

#[test]
fn model_detects_every_bug_in_the_writer() {
    for mistake in [Mistake::EarlyReply, Mistake::EarlyWake, Mistake::ForgottenCounts, Mistake::EarlyRemoval] {
        let found = std::panic::catch_unwind(|| shuttle::check_random(move || model(Some(mistake)), 20_000));
        assert!(found.is_err(), "{mistake:?} was not detected");
    }
}
