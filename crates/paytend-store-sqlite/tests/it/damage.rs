//! Tests with rows that contain invalid values.

use std::time::Duration;

use paytend_inbox::testing::TestNotification;
use paytend_inbox::{ClaimRequest, Kind, Release, State, Store as _, StoreAdmin as _};
use paytend_store_sqlite::SqliteStore;
use paytend_store_sqlite::rusqlite::Connection;

use crate::support::{SqliteHarness, claim, keys};

fn ordered(name: &str, order: &str) -> TestNotification {
    TestNotification { order: Some(order.into()), ..TestNotification::new(name) }
}

/// Claims notifications and completes them.
async fn process(store: &SqliteStore, kind_limits: &[(Kind, usize)]) -> Vec<i64> {
    let mut done = Vec::new();
    // A claim finds only the first notification with an order key, so several claims are necessary.
    for _ in 0..4 {
        let kind_limits = kind_limits.to_vec();
        let request = ClaimRequest { limit: 9, lease: Duration::from_secs(60), holder: 1, kind_limits };
        for claimed in store.claim(request).await.unwrap() {
            store.complete(claimed.lease, None).await.unwrap();
            done.push(claimed.lease.id.get());
        }
    }
    done.sort_unstable();
    done
}

const BOTH: &str = "UPDATE paytend_notification SET order_key = x'00' WHERE id = 1; \
     UPDATE paytend_work SET order_key = x'00' WHERE id = 1";
const WORK: &str = "UPDATE paytend_work SET order_key = x'00' WHERE id = 1";
const NOTIFICATION: &str = "UPDATE paytend_notification SET order_key = x'00' WHERE id = 1";
const KIND: &str = "UPDATE paytend_work SET kind = CAST(x'ff41' AS TEXT) WHERE id = 1";
const DEAD_TOO: &str = "UPDATE paytend_notification SET route = 'other' WHERE id = 1; \
     INSERT INTO paytend_dead VALUES (1, 0, 0, 0, 0, NULL)";
const ABSENT: &str = "PRAGMA foreign_keys = 0; DELETE FROM paytend_payload WHERE id = 1; \
     DELETE FROM paytend_outcome WHERE id = 1; DELETE FROM paytend_notification WHERE id = 1";

/// A row that a different program has damaged must not stop all workers.
#[tokio::test]
async fn damaged_notification_does_not_hold_up_others() {
    const DAMAGED: &str = "1 notifications have columns that cannot be read";
    const DIFFERS: &str = "1 pending entries differ from their notifications";
    const TWICE: &str = "1 notifications are both pending and dead";
    let damages = [
        (BOTH, false, Some(DAMAGED)),
        (WORK, true, Some(DIFFERS)),
        (NOTIFICATION, false, Some(DAMAGED)),
        (KIND, true, Some(DIFFERS)),
        (DEAD_TOO, false, Some(TWICE)),
        (ABSENT, false, None),
    ];
    let limits = [Vec::new(), vec![(Kind::named("other"), 1)]];
    for ((damage, is_processed, problem), limits) in
        damages.into_iter().flat_map(|d| limits.iter().map(move |l| (d, l)))
    {
        let harness = SqliteHarness::new();
        let (keys, store) = (keys(), harness.options("a.db").open().unwrap());
        for notification in [ordered("damaged", "first"), ordered("b", "second"), TestNotification::new("c")] {
            store.accept(notification.prepare(&keys)).await.unwrap();
        }
        let next = store.accept(ordered("next", "first").prepare(&keys)).await.unwrap().id();
        Connection::open(harness.path("a.db")).unwrap().execute_batch(damage).unwrap();
        let problems = store.check().await.unwrap();
        assert!(problem.is_none_or(|problem| problems.iter().any(|found| found == problem)), "{damage}: {problems:?}");
        let done = process(&store, limits).await;
        // If the key in the pending row is damaged, the next notification with the original key waits for a
        // notification that no longer has this key.
        let is_separate = [BOTH, WORK].contains(&damage);
        let mut expected = vec![2, 3];
        expected.extend(is_processed.then_some(1));
        expected.extend((!is_separate).then_some(next.get()));
        expected.sort_unstable();
        assert_eq!(done, expected, "{damage}");
        if !is_processed && damage != ABSENT {
            assert_eq!(store.stats().await.unwrap().dead, 1, "{damage}");
        }
        assert_eq!(claim(&store, 9).await.len(), 0, "{damage}");
        // Notifications that arrive later are not held up either, and are processed one after the other.
        let order = if is_separate { "third" } else { "first" };
        let mut later = Vec::new();
        for name in ["later", "last"] {
            later.push(store.accept(ordered(name, order).prepare(&keys)).await.unwrap().id());
        }
        for id in later {
            let claimed = claim(&store, 9).await;
            assert_eq!(claimed.iter().map(|claimed| claimed.lease.id).collect::<Vec<_>>(), [id], "{damage}");
            store.complete(claimed[0].lease, None).await.unwrap();
        }
        let stats = store.stats().await.unwrap();
        // The next notification of a damaged key waits for an entry that now has another key; `check` reports this.
        assert_eq!((stats.ready, stats.leased, stats.backoff), (u64::from(is_separate), 0, 0), "{damage}");
        if damage == ABSENT {
            assert_eq!(store.check().await.unwrap(), ["1 pending entries have no notification"]);
        }
    }
}

/// The notification of a lease or a retry was deleted, or of the only entry with its order key.
#[tokio::test]
async fn absent_notification_holds_up_its_order_key_until_its_entry_is_due() {
    for step in ["pending", "leased", "backoff"] {
        let harness = SqliteHarness::new();
        let (keys, store) = (keys(), harness.options("a.db").open().unwrap());
        store.accept(ordered("absent", "first").prepare(&keys)).await.unwrap();
        if step != "pending" {
            let claimed = claim(&store, 1).await.remove(0);
            if step == "backoff" {
                let retry = Release::Retry { after: Duration::from_secs(50), cause: "a test".into() };
                store.release(claimed.lease, retry).await.unwrap();
            }
        }
        Connection::open(harness.path("a.db")).unwrap().execute_batch(ABSENT).unwrap();
        let next = store.accept(ordered("next", "first").prepare(&keys)).await.unwrap().id();
        let second = store.accept(ordered("second", "first").prepare(&keys)).await.unwrap().id();
        harness.advance_by(Duration::from_secs(61));
        assert_eq!(claim(&store, 9).await.len(), 0, "{step}");
        for id in [next, second] {
            let claimed = claim(&store, 9).await;
            assert_eq!(claimed.iter().map(|claimed| claimed.lease.id).collect::<Vec<_>>(), [id], "{step}");
            store.complete(claimed[0].lease, None).await.unwrap();
        }
        assert_eq!(store.check().await.unwrap(), ["1 pending entries have no notification"], "{step}");
    }
}

/// An operator restores a deleted row.
#[tokio::test]
async fn restored_notification_can_be_buried_and_redriven() {
    let harness = SqliteHarness::new();
    let (keys, store) = (keys(), harness.options("a.db").open().unwrap());
    let id = store.accept(ordered("a", "first").prepare(&keys)).await.unwrap().id();
    let database = Connection::open(harness.path("a.db")).unwrap();
    database
        .execute_batch(
            "PRAGMA foreign_keys = 0; CREATE TABLE kept AS SELECT * FROM paytend_notification; \
             DELETE FROM paytend_notification",
        )
        .unwrap();
    assert_eq!(claim(&store, 9).await.len(), 0);
    let next = store.accept(ordered("b", "first").prepare(&keys)).await.unwrap().id();
    database.execute_batch("INSERT INTO paytend_notification SELECT * FROM kept").unwrap();
    assert!(store.check().await.unwrap().contains(&"1 notifications cannot be claimed".to_owned()));
    assert!(store.bury(id, "restored".into()).await.unwrap());
    assert_eq!(store.redrive(Some(vec![id])).await.unwrap(), 1);
    for id in [next, id] {
        let claimed = claim(&store, 9).await;
        assert_eq!(claimed.iter().map(|claimed| claimed.lease.id).collect::<Vec<_>>(), [id]);
        store.complete(claimed[0].lease, None).await.unwrap();
    }
    assert_eq!(store.check().await.unwrap(), Vec::<String>::new());
}

#[tokio::test]
async fn notification_with_a_damaged_order_key_can_be_buried() {
    let harness = SqliteHarness::new();
    let (keys, store) = (keys(), harness.options("a.db").open().unwrap());
    let id = store.accept(ordered("damaged", "first").prepare(&keys)).await.unwrap().id();
    Connection::open(harness.path("a.db")).unwrap().execute_batch(WORK).unwrap();
    assert!(store.bury(id, "by hand".into()).await.unwrap());
    assert_eq!(store.show(id, None).await.unwrap().unwrap().state, State::Dead);
}
