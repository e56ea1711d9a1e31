//! Tests of the removal of content: retention and erasure of many notifications.

use std::sync::Arc;
use std::time::Duration;

use paytend_inbox::testing::TestNotification;
use paytend_inbox::{Erasure, Kind, Query, State, Store as _, StoreAdmin as _, StoreKeys};
use paytend_outbox::{Audit, OrderAuditQuery, OutboxAdmin as _};
use paytend_store_sqlite::SqliteStore;
use paytend_store_sqlite::rusqlite::Connection;

use crate::support::{SqliteHarness, claim, keys};

/// More than twice the number of notifications that one write changes.
const MANY: usize = 2_100;

async fn accept_many(store: &SqliteStore, keys: &Arc<StoreKeys>, business_id: &str) {
    let notifications = (0..MANY).map(|index| {
        let name = format!("{business_id} {index}");
        TestNotification { business_id: Some(business_id.to_owned()), ..TestNotification::new(name) }.prepare(keys)
    });
    let accepted = futures_util::future::join_all(notifications.map(|new| store.accept(new))).await;
    assert!(accepted.iter().all(Result::is_ok));
}

#[tokio::test(flavor = "multi_thread")]
async fn content_of_many_notifications_is_removed() {
    let harness = SqliteHarness::new();
    let (keys, store) = (keys(), harness.options("a.db").open().unwrap());
    accept_many(&store, &keys, "old").await;
    let claimed = claim(&store, MANY - 2).await;
    // Of every hundred notifications, one becomes a dead letter, and one stays pending.
    let ending = claimed.iter().enumerate().map(async |(index, claimed)| match index % 100 {
        0 => assert!(store.bury(claimed.lease.id, "by hand".into()).await.unwrap()),
        1 => {}
        _ => store.complete(claimed.lease, None).await.unwrap(),
    });
    futures_util::future::join_all(ending).await;
    let done = store.stats().await.unwrap().done;
    harness.advance_by(Duration::from_secs(10));
    let before = store.clock().await.unwrap().now;
    harness.advance_by(Duration::from_secs(10));
    accept_many(&store, &keys, "new").await;
    assert_eq!(store.drop_payloads(before).await.unwrap(), done);
    assert_eq!(store.drop_payloads(before).await.unwrap(), 0);
    assert_eq!(store.stats().await.unwrap().done, done);
    let removed = store.write(|transaction| {
        let sql = "SELECT count(*) FROM paytend_payload p WHERE NOT EXISTS \
             (SELECT 1 FROM paytend_work WHERE id = p.id) AND NOT EXISTS (SELECT 1 FROM paytend_dead WHERE id = p.id)";
        let kept = transaction.query_row("SELECT count(*) FROM paytend_payload", [], |row| row.get::<_, u64>(0))?;
        Ok((kept, transaction.query_row(sql, [], |row| row.get::<_, u64>(0))?))
    });
    assert_eq!(removed.await.unwrap(), (2 * MANY as u64 - done, 0));
    assert_eq!(store.check().await.unwrap(), Vec::<String>::new());
}

#[tokio::test(flavor = "multi_thread")]
async fn many_notifications_are_erased() {
    let harness = SqliteHarness::new();
    let (keys, store) = (keys(), harness.options("a.db").open().unwrap());
    for business_id in ["SUBJECT", "other"] {
        accept_many(&store, &keys, business_id).await;
    }
    let erase = |erasure: Erasure| store.erase(erasure);
    assert_eq!(erase(Erasure::new("SUBJECT").kind(Kind::UNKNOWN)).await.unwrap(), 0);
    assert_eq!(erase("SUBJECT".into()).await.unwrap(), MANY as u64);
    assert_eq!(erase("SUBJECT".into()).await.unwrap(), 0);
    let dead = Query { state: Some(State::Dead), limit: 2 * MANY, ..Query::default() };
    assert_eq!(store.list(dead).await.unwrap().len(), MANY);
    assert_eq!(store.stats().await.unwrap().ready, MANY as u64);
}

#[tokio::test(flavor = "multi_thread")]
async fn content_of_many_orders_is_removed() {
    let harness = SqliteHarness::new();
    let (keys, store) = (keys(), harness.options("a.db").open().unwrap());
    let orders: Vec<_> =
        (0..MANY).map(|n| paytend_outbox::testing::TestOrder::new(format!("{n}")).prepare(&keys)).collect();
    let handle = store.clone();
    let submitted = store.write(move |transaction| {
        for order in &orders {
            assert!(handle.submit_in(transaction, order).is_ok());
        }
        // Every hundredth order is open.
        transaction
            .execute("UPDATE paytend_order SET is_open = 0, due_at = NULL, state = 'decided' WHERE id % 100 > 0", [])
    });
    let completed = submitted.await.unwrap() as u64;
    harness.advance_by(Duration::from_secs(10));
    let before = store.clock().await.unwrap().now;
    let audit = || Audit { who: "a test".into(), why: "as requested".into() };
    assert_eq!(store.drop_order_content(before, audit()).await.unwrap(), completed);
    assert_eq!(store.drop_order_content(before, audit()).await.unwrap(), 0);
    // Each transaction records its count.
    let recorded = store.order_audit(OrderAuditQuery { limit: usize::MAX, ..Default::default() }).await.unwrap();
    let counts = recorded.iter().filter(|one| one.order.is_none()).map(|one| {
        let (_, count) = one.entry.action.rsplit_once("orders: ").unwrap();
        count.parse::<u64>().unwrap()
    });
    let counts: Vec<u64> = counts.collect();
    assert!(counts.len() > 2 && counts[0] == 0, "{counts:?}");
    assert_eq!(counts.iter().sum::<u64>(), completed);
    assert_eq!(recorded.iter().filter(|one| one.order.is_some()).count() as u64, completed);
    assert_eq!(store.check_orders().await.unwrap(), Vec::<String>::new());
}

/// A reader keeps the write-ahead log from being emptied, so the log still contains what was erased. The next call
/// finds nothing to erase, and empties the log.
#[tokio::test]
async fn erasure_empties_the_log_that_an_earlier_erasure_could_not_empty() {
    let harness = SqliteHarness::new();
    let (keys, store) = (keys(), harness.options("a.db").open().unwrap());
    let notification = TestNotification { business_id: Some("SUBJECT".into()), ..TestNotification::new("a") };
    store.accept(notification.prepare(&keys)).await.unwrap();
    let log = || std::fs::read(harness.path("a.db-wal")).unwrap();
    let reader = Connection::open(harness.path("a.db")).unwrap();
    reader.execute_batch("BEGIN; SELECT count(*) FROM paytend_notification").unwrap();
    assert_eq!(store.erase("SUBJECT".into()).await.unwrap(), 1);
    assert!(log().windows(7).any(|window| window == b"SUBJECT"), "the reader did not keep the log");
    drop(reader);
    assert_eq!(store.erase("SUBJECT".into()).await.unwrap(), 0);
    assert_eq!(log().len(), 0, "the log is not empty");
}
