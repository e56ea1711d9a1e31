//! Tests with rows that contain invalid values.

use std::sync::Arc;
use std::time::Duration;

use paytend_inbox::testing::TestNotification;
use paytend_inbox::{ClaimRequest, Kind, Query, State, Store as _, StoreAdmin as _, StoreKeys};
use paytend_outbox::testing::TestOrder;
use paytend_outbox::{ClaimOrders, OrderQuery, OutboxAdmin as _, OutboxStore as _};

use crate::server::{Server, execute};
use crate::support::{EFFECTS, accept, open, process};

const DAMAGES: [&str; 9] = [
    "UPDATE paytend_notification SET dedup = substr(dedup, 1, 5) WHERE id = $",
    "UPDATE paytend_notification SET content_tag = '' WHERE id = $",
    "UPDATE paytend_notification SET route = 'elsewhere' WHERE id = $",
    "UPDATE paytend_notification SET order_key = '\\x0102' WHERE id = $",
    "UPDATE paytend_notification SET received_at = 'infinity' WHERE id = $",
    "UPDATE paytend_payload SET key_id = -1 WHERE id = $",
    "UPDATE paytend_payload SET nonce = '\\x00' WHERE id = $",
    "UPDATE paytend_work SET tries = 2147483647 WHERE id = $",
    "UPDATE paytend_work SET tries = -7 WHERE id = $",
];

#[tokio::test(flavor = "multi_thread")]
async fn unreadable_rows_become_dead_letters_and_other_rows_are_claimed() {
    let Some(server) = Server::start(&[]).await else { return };
    let config = server.database().await;
    execute(&config, EFFECTS).await;
    let store = open(config.clone(), 2).await;
    let keys = Arc::new(StoreKeys::generate().unwrap());
    for kind_limits in [Vec::new(), vec![(Kind::named("fund-deposit"), 50)]] {
        for (index, damage) in DAMAGES.iter().enumerate() {
            let names =
                [format!("before-{index}-{}", kind_limits.len()), format!("after-{index}-{}", kind_limits.len())];
            let good = accept(&store, &keys, &names[0]).await.unwrap();
            let ordered =
                TestNotification { order: Some("order".into()), ..TestNotification::new(format!("bad {}", names[0])) };
            let bad = store.accept(ordered.prepare(&keys)).await.unwrap().id();
            let next = TestNotification { business_id: Some("next".into()), ..ordered };
            let next = TestNotification { name: format!("next {}", names[0]), ..next };
            let next = store.accept(next.prepare(&keys)).await.unwrap().id();
            let later = accept(&store, &keys, &names[1]).await.unwrap();
            execute(&config, &damage.replace('$', &bad.to_string())).await;
            let mut claimed = Vec::new();
            // The second claim finds the next notification of the order key.
            for _ in 0..2 {
                let request = ClaimRequest {
                    limit: 50,
                    lease: Duration::from_secs(600),
                    holder: 1,
                    kind_limits: kind_limits.clone(),
                };
                for one in store.claim(request).await.unwrap() {
                    claimed.push(one.lease.id);
                    // This row can be read, but has a very large attempt count. A worker turns such a notification into
                    // a dead letter.
                    if one.lease.id == bad {
                        assert!(damage.contains("2147483647") && one.tries > 1_000_000_000, "{damage}");
                        let cause = "no attempt ended normally".to_owned();
                        store.release(one.lease, paytend_inbox::Release::DeadLetter { cause }).await.unwrap();
                    } else if one.facts.business_id.is_some() {
                        assert!(process(&store, &one).await);
                    } else {
                        store.complete(one.lease, None).await.unwrap();
                    }
                }
            }
            for id in [good, later, next] {
                assert!(claimed.contains(&id), "{damage}");
            }
            let client = store.pool().get().await.unwrap();
            let row = client.query_one("SELECT cause FROM paytend_dead WHERE id = $1", &[&bad.get()]).await.unwrap();
            let cause: String = row.get(0);
            assert!(cause.contains("unreadable") || cause.contains("no attempt"), "{cause}");
        }
    }
    // Lists contain the readable notifications, and `check` reports the unreadable rows.
    let readable = store.list(Query { limit: 1000, ..Query::default() }).await.unwrap();
    assert!(readable.iter().filter(|entry| entry.state == State::Done).count() >= 6 * DAMAGES.len());
    let pages = store.list(Query { limit: 1, ..Query::default() }).await.unwrap();
    assert_eq!(pages.len(), 1);
    let problems = store.check().await.unwrap();
    assert!(problems.iter().any(|problem| problem.contains("unreadable")), "{problems:?}");
}

/// An order that a newer program has written is never sent, and does not stop the other orders.
#[tokio::test(flavor = "multi_thread")]
async fn order_that_cannot_be_read_does_not_hold_up_others() {
    let Some(server) = Server::start(&[]).await else { return };
    for damage in [
        "UPDATE paytend_order SET state = 'newer' WHERE number IN ('B1', 'B2')",
        "UPDATE paytend_order SET decision = 'newer' WHERE number IN ('B1', 'B2')",
        "UPDATE paytend_order SET content_tag = '\\x00' WHERE number IN ('B1', 'B2')",
        "UPDATE paytend_order SET sends = -1 WHERE number IN ('B1', 'B2')",
        "UPDATE paytend_order_part SET nonce = '\\x00' \
         WHERE id IN (SELECT id FROM paytend_order WHERE number IN ('B1', 'B2'))",
    ] {
        let config = server.database().await;
        let (store, keys) = (open(config.clone(), 2).await, Arc::new(StoreKeys::generate().unwrap()));
        for number in ["B1", "B2", "A", "C"] {
            store.submit_order(TestOrder::new(number).prepare(&keys)).await.unwrap();
        }
        assert_eq!(store.check_orders().await.unwrap(), Vec::<String>::new());
        execute(&config, damage).await;
        let claim = async |limit: usize| {
            let operations = vec![("/test/pay".to_owned(), limit)];
            let request = ClaimOrders { limit, lease: Duration::from_secs(600), holder: 1, operations };
            let claimed = store.claim_orders(request).await.unwrap();
            claimed.into_iter().map(|claimed| claimed.facts.number).collect::<Vec<_>>()
        };
        assert_eq!(claim(1).await, ["A"], "{damage}");
        assert_eq!(claim(9).await, ["C"], "{damage}");
        assert_eq!(claim(9).await, Vec::<String>::new(), "{damage}");
        let listed = store.list_orders(OrderQuery { limit: 2, ..OrderQuery::default() }).await.unwrap();
        let listed: Vec<&str> = listed.iter().map(|entry| entry.facts.number.as_str()).collect();
        // A list does not read the encrypted parts, so it contains orders with a damaged part.
        assert_eq!(listed, if damage.contains("_part") { ["B1", "B2"] } else { ["A", "C"] }, "{damage}");
        let problems = store.check_orders().await.unwrap();
        assert!(problems.iter().any(|problem| problem.contains("2 orders cannot be read, such as B1")), "{problems:?}");
        store.order_stats().await.unwrap();
    }
}
