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

/// Returns whether a future completes while the writer waits for a lock.
async fn completes<T>(future: impl Future<Output = T>) -> Option<T> {
    tokio::time::timeout(Duration::from_millis(300), future).await.ok()
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
        let again = completes(accept(active.prepare(&keys))).await;
        assert_eq!(again, Some(Accepted::Duplicate { id, sighting }), "a duplicate waits for the writer");
    }
    // These duplicates must be on disk before they are acknowledged.
    let requeued = TestNotification { requeue_sighting: true, ..active.clone() }.prepare(&keys);
    let always = NewNotification { sightings: SightingPolicy::All, ..active.prepare(&keys) };
    let mut different = active.prepare(&keys);
    different.facts.content_tag = other.prepare(&keys).facts.content_tag;
    let mut unknown = active.prepare(&keys);
    unknown.facts.business_id = None;
    for (written, why) in [(requeued, "requeued"), (always, "always"), (different, "different"), (unknown, "unknown")] {
        assert_eq!(completes(accept(written)).await, None, "acknowledged without a write: {why}");
    }
    assert_eq!(completes(accept(about("new", "card").prepare(&keys))).await, None);
    drop(locked);
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
async fn state_that_repeats_after_a_different_state_is_written() {
    let harness = SqliteHarness::new();
    let keys = keys();
    let store = harness.options("a.db").open().unwrap();
    let [active, lost] = [about("active", "card"), about("lost", "card")];
    let id = store.accept(active.prepare(&keys)).await.unwrap().id();
    store.accept(lost.prepare(&keys)).await.unwrap();
    let locked = Connection::open(harness.path("a.db")).unwrap();
    locked.execute_batch("BEGIN IMMEDIATE").unwrap();
    assert_eq!(completes(store.accept(active.prepare(&keys))).await.map(Result::unwrap), None);
    let again = completes(store.accept(lost.prepare(&keys))).await.map(Result::unwrap);
    assert!(matches!(again, Some(Accepted::Duplicate { sighting: 1, .. })), "{again:?}");
    drop(locked);
    let again = store.accept(active.prepare(&keys)).await.unwrap();
    assert_eq!(again, Accepted::Duplicate { id, sighting: 2 });
}

#[tokio::test(flavor = "multi_thread")]
async fn counts_are_written_without_other_operations() {
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
        assert!(std::time::Instant::now() < deadline, "the counts are not written");
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
