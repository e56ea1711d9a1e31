//! Tests with rows that contain invalid values.

use std::time::Duration;

use paytend_inbox::testing::TestNotification;
use paytend_inbox::{ClaimRequest, Kind, State, Store as _, StoreAdmin as _};
use paytend_outbox::testing::TestOrder;
use paytend_outbox::{ClaimOrders, OrderQuery, OutboxAdmin as _, OutboxStore as _};
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
     DELETE FROM paytend_notification WHERE id = 1";

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
    }
}

/// An order that a newer program has written is never sent, and does not stop the other orders.
#[tokio::test]
async fn order_that_cannot_be_read_does_not_hold_up_others() {
    for damage in [
        "UPDATE paytend_order SET state = 'newer' WHERE number = 'B'",
        "UPDATE paytend_order SET decision = 'newer' WHERE number = 'B'",
        "UPDATE paytend_order SET content_tag = x'00' WHERE number = 'B'",
        "UPDATE paytend_order SET sends = -1 WHERE number = 'B'",
        "UPDATE paytend_order_part SET nonce = x'00' WHERE id = (SELECT id FROM paytend_order WHERE number = 'B')",
    ] {
        let harness = SqliteHarness::new();
        let (keys, store) = (keys(), harness.options("orders.db").open().unwrap());
        for number in ["B", "A", "C"] {
            store.submit_order(TestOrder::new(number).prepare(&keys)).await.unwrap();
        }
        assert_eq!(store.check_orders().await.unwrap(), Vec::<String>::new());
        Connection::open(harness.path("orders.db")).unwrap().execute_batch(damage).unwrap();
        let claim = async |limit: usize| {
            let operations = vec![("/test/pay".to_owned(), limit)];
            let request = ClaimOrders { limit, lease: Duration::from_secs(60), holder: 1, operations };
            let claimed = store.claim_orders(request).await.unwrap();
            claimed.into_iter().map(|claimed| claimed.facts.number).collect::<Vec<_>>()
        };
        assert_eq!(claim(1).await, ["A"], "{damage}");
        assert_eq!(claim(9).await, ["C"], "{damage}");
        assert_eq!(claim(9).await, Vec::<String>::new(), "{damage}");
        let listed = store.list_orders(OrderQuery { limit: 2, ..OrderQuery::default() }).await.unwrap();
        let listed: Vec<&str> = listed.iter().map(|entry| entry.facts.number.as_str()).collect();
        // A list does not read the encrypted parts, so it contains orders with a damaged part.
        assert_eq!(listed, if damage.contains("_part") { ["B", "A"] } else { ["A", "C"] }, "{damage}");
        let problems = store.check_orders().await.unwrap();
        assert!(problems.iter().any(|problem| problem.contains("1 orders cannot be read, such as B")), "{problems:?}");
        store.order_stats().await.unwrap();
    }
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
