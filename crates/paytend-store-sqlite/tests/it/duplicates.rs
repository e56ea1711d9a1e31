//! Tests of duplicates that are counted in memory, and of duplicates that are written immediately.

use std::future::Future;
use std::time::Duration;

use paytend_inbox::testing::TestNotification;
use paytend_inbox::{Accepted, NewNotification, SightingPolicy, Store as _, StoreAdmin as _};
use paytend_store_sqlite::rusqlite::Connection;

use crate::support::{SqliteHarness, keys};

fn about(name: &str, object: &str) -> TestNotification {
    TestNotification { business_id: Some(object.into()), ..TestNotification::new(name) }
}

/// Returns the result of a future that must complete while the writer waits for a lock.
async fn must_complete<T>(future: impl Future<Output = T>) -> T {
    tokio::time::timeout(Duration::from_secs(60), future).await.expect("a duplicate waits for the writer")
}

/// Checks that futures do not complete. A slow machine can hide a wrong completion, but cannot cause a failure.
async fn must_wait<T: std::fmt::Debug>(futures: &mut [impl Future<Output = T> + Unpin]) {
    let first = tokio::time::timeout(Duration::from_millis(300), futures_util::future::select_all(futures)).await;
    assert!(first.is_err(), "acknowledged without a write: {:?}", first.map(|(value, index, _)| (value, index)));
}

#[tokio::test(flavor = "multi_thread")]
async fn duplicate_without_a_change_needs_no_write() {
    let harness = SqliteHarness::new();
    let keys = keys();
    let store = harness.options("a.db").open().unwrap();
    let accept = async |new: NewNotification| store.accept(new).await.unwrap();
    let [active, other] = [about("active", "card"), about("other", "other card")];
    let id = accept(active.prepare(&keys)).await.id();
    accept(other.prepare(&keys)).await;
    let locked = Connection::open(harness.path("a.db")).unwrap();
    locked.execute_batch("BEGIN IMMEDIATE").unwrap();
    for sighting in 1..=3 {
        let again = must_complete(accept(active.prepare(&keys))).await;
        assert_eq!(again, Accepted::Duplicate { id, sighting });
    }
    // These duplicates must be on disk before they are acknowledged.
    let requeued = || TestNotification { requeue_sighting: true, ..active.clone() }.prepare(&keys);
    let always = || NewNotification { sightings: SightingPolicy::All, ..active.prepare(&keys) };
    let different = || {
        let mut different = active.prepare(&keys);
        different.facts.content_tag = other.prepare(&keys).facts.content_tag;
        different
    };
    let unknown = || {
        let mut unknown = active.prepare(&keys);
        unknown.facts.business_id = None;
        unknown
    };
    let written = || [requeued(), always(), different(), unknown(), about("new", "card").prepare(&keys)];
    let mut waiting = written().map(|new| Box::pin(store.accept(new)));
    must_wait(&mut waiting).await;
    drop(locked);
    for (waiting, again) in waiting.into_iter().zip(written()) {
        // On a slow machine, the writer can stop waiting for the lock before the lock is released.
        if waiting.await.is_err() {
            accept(again).await;
        }
    }
    // The counts are written with the next commit, and no waiting write is lost.
    accept(about("later", "third card").prepare(&keys)).await;
    let entry = store.show(id, None).await.unwrap().unwrap();
    assert_eq!(entry.sightings, 7);
    drop(store);
    let store = harness.options("a.db").open().unwrap();
    assert_eq!(store.show(id, None).await.unwrap().unwrap().sightings, 7);
    assert_eq!(store.stats().await.unwrap().sightings, 7);
}

#[tokio::test(flavor = "multi_thread")]
async fn repeated_state_is_written_if_the_state_changed_in_between() {
    let harness = SqliteHarness::new();
    let keys = keys();
    let store = harness.options("a.db").open().unwrap();
    let [active, lost] = [about("active", "card"), about("lost", "card")];
    let id = store.accept(active.prepare(&keys)).await.unwrap().id();
    store.accept(lost.prepare(&keys)).await.unwrap();
    let locked = Connection::open(harness.path("a.db")).unwrap();
    locked.execute_batch("BEGIN IMMEDIATE").unwrap();
    let mut waiting = [Box::pin(store.accept(active.prepare(&keys)))];
    must_wait(&mut waiting).await;
    let again = must_complete(store.accept(lost.prepare(&keys))).await.unwrap();
    assert!(matches!(again, Accepted::Duplicate { sighting: 1, .. }), "{again:?}");
    drop(locked);
    let [waiting] = waiting;
    // On a slow machine, the writer can stop waiting for the lock before the lock is released.
    let again = match waiting.await {
        Ok(again) => again,
        Err(_) => store.accept(active.prepare(&keys)).await.unwrap(),
    };
    assert_eq!(again, Accepted::Duplicate { id, sighting: 1 });
}

#[tokio::test(flavor = "multi_thread")]
async fn counts_are_written_even_if_no_other_operation_is_waiting() {
    let harness = SqliteHarness::new();
    let keys = keys();
    let store = harness.options("a.db").open().unwrap();
    let notification = about("a", "card");
    store.accept(notification.prepare(&keys)).await.unwrap();
    for _ in 0..5 {
        store.accept(notification.prepare(&keys)).await.unwrap();
    }
    let other = Connection::open(harness.path("a.db")).unwrap();
    let deadline = std::time::Instant::now() + Duration::from_secs(60);
    let written =
        || other.query_row("SELECT max(number) FROM paytend_sighting", [], |row| row.get::<_, Option<i64>>(0));
    while written().unwrap() != Some(5) {
        assert!(std::time::Instant::now() < deadline, "the counts were not written");
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn concurrent_duplicates_are_all_counted() {
    let harness = SqliteHarness::new();
    let keys = keys();
    let store = harness.options("a.db").open().unwrap();
    let notifications = (0..2_000).map(|i| about(&format!("{}", i % 50), &format!("card {}", i % 25)).prepare(&keys));
    let accepted = futures_util::future::join_all(notifications.map(|n| store.accept(n))).await;
    let new = accepted.iter().filter(|accepted| matches!(accepted, Ok(Accepted::New(_)))).count();
    assert_eq!((new, accepted.iter().filter(|accepted| accepted.is_ok()).count()), (50, 2_000));
    assert_eq!(store.stats().await.unwrap().sightings, 1_950);
}
