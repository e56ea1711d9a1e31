//! Test cases with orders that the store cannot read.

#![allow(clippy::expect_used, clippy::unwrap_used, clippy::panic, reason = "failed checks must panic")]

use std::time::Duration;

use crate::record::{ClaimedOrder, OrderPage, OrderQuery, REQUEST};
use crate::store::OutboxAdmin as _;
use crate::terms::State;
use crate::testing::case::{Case, PAY, audit};
use crate::testing::{Harness, TestOrder};

/// A change to the stored data of an order.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Damage {
    /// Sets the state. The order cannot be read if the state does not exist.
    State(&'static str),
    /// Sets the decision. The order cannot be read if the decision does not exist.
    Decision(&'static str),
    /// Shortens the content tag to one byte.
    ContentTag,
    /// Sets the number of sends to -1.
    Sends,
    /// Shortens the nonce of the request to one byte.
    Nonce,
}

async fn damage<H: Harness>(case: &Case<'_, H>, number: &str, damage: Damage) {
    let byte = H::ZERO_BYTE.unwrap();
    let change = match damage {
        Damage::State(state) => format!("state = '{state}'"),
        Damage::Decision(decision) => format!("decision = '{decision}'"),
        Damage::ContentTag => format!("content_tag = {byte}"),
        Damage::Sends => "sends = -1".to_owned(),
        Damage::Nonce => {
            let id = format!("SELECT id FROM paytend_order WHERE number = '{number}'");
            let sql = format!("UPDATE paytend_order_part SET nonce = {byte} WHERE part = '{REQUEST}' AND id = ({id})");
            return case.harness.execute(&case.store, sql).await;
        }
    };
    let sql = format!("UPDATE paytend_order SET {change} WHERE number = '{number}'");
    case.harness.execute(&case.store, sql).await;
}

const DAMAGES: [Damage; 5] =
    [Damage::State("newer"), Damage::Decision("newer"), Damage::ContentTag, Damage::Sends, Damage::Nonce];

/// The time after which every claim reads an unreadable order again.
const PAUSE: Duration = Duration::from_secs(61);

pub(super) async fn run<H: Harness>(harness: &H) {
    if H::ZERO_BYTE.is_none() {
        return;
    }
    unreadable_orders_are_reported_and_not_claimed(harness).await;
    unreadable_orders_are_read_again_after_a_pause(harness).await;
    unreadable_order_does_not_prevent_a_recovery(harness).await;
    many_unreadable_orders_do_not_hold_up_others(harness).await;
}

/// Returns the numbers of a page's orders, and of those that cannot be read.
fn numbers(page: &OrderPage) -> (Vec<&str>, Vec<&str>) {
    let readable = page.entries.iter().map(|entry| entry.facts.number.as_str()).collect();
    (readable, page.unreadable.iter().map(|order| order.number.as_deref().unwrap()).collect())
}

async fn unreadable_orders_are_reported_and_not_claimed<H: Harness>(harness: &H) {
    for kind in DAMAGES {
        let case = Case::new(harness).await;
        for number in ["B1", "A", "B2", "C"] {
            case.submit_new(number).await;
        }
        case.is_consistent().await;
        assert_eq!(case.store.order_stats().await.unwrap().unreadable, 0);
        for number in ["B1", "B2"] {
            damage(&case, number, kind).await;
        }
        assert_eq!(case.claimed_numbers(1).await, ["A"], "{kind:?}");
        assert_eq!(case.claimed_numbers(9).await, ["C"], "{kind:?}");
        assert!(case.claim(9).await.is_empty(), "{kind:?}");
        let mut query = OrderQuery { limit: 9, ..OrderQuery::default() };
        let page = case.store.list_orders(query.clone()).await.unwrap();
        // A list does not contain the encrypted parts.
        let expected = match kind {
            Damage::Nonce => (vec!["B1", "A", "B2", "C"], vec![]),
            _ => (vec!["A", "C"], vec!["B1", "B2"]),
        };
        assert_eq!((numbers(&page), page.next), (expected, None), "{kind:?}");
        // Unreadable orders count towards the limit of a page.
        query.limit = 1;
        let mut listed = 0;
        loop {
            let page = case.store.list_orders(query.clone()).await.unwrap();
            listed += page.entries.len() + page.unreadable.len();
            query.after = page.next;
            if query.after.is_none() {
                break;
            }
        }
        assert_eq!(listed, 4, "{kind:?}");
        let problems = case.store.check_orders().await.unwrap();
        assert!(problems.iter().any(|problem| problem.contains("2 orders cannot be read, such as B1")), "{problems:?}");
        assert_eq!(case.store.order_stats().await.unwrap().unreadable, 2, "{kind:?}");
    }
}

async fn unreadable_orders_are_read_again_after_a_pause<H: Harness>(harness: &H) {
    let case = Case::new(harness).await;
    for number in ["B", "next"] {
        case.submit_ordered(number, "key").await;
    }
    case.submit_new("A").await;
    damage(&case, "B", Damage::State("newer")).await;
    let claimed = case.claim_one().await;
    assert_eq!(claimed.facts.number, "A");
    case.finish(&claimed).await;
    assert!(case.claim(9).await.is_empty(), "a later order did not wait for the unreadable order with its key");
    case.advance(PAUSE).await;
    assert!(case.claim(9).await.is_empty());
    // The order has been fixed, or the program has been upgraded.
    damage(&case, "B", Damage::State("recorded")).await;
    assert!(case.claim(9).await.is_empty(), "the order was read again before its pause had passed");
    case.advance(PAUSE).await;
    for number in ["B", "next"] {
        let claimed = case.claim_one().await;
        assert_eq!(claimed.facts.number, number);
        case.finish(&claimed).await;
    }
    assert_eq!(case.store.order_stats().await.unwrap().unreadable, 0);
    case.is_consistent().await;
}

async fn unreadable_order_does_not_prevent_a_recovery<H: Harness>(harness: &H) {
    let case = Case::new(harness).await;
    for number in ["B", "A", "nonce"] {
        case.submit_new(number).await;
    }
    damage(&case, "B", Damage::State("newer")).await;
    damage(&case, "nonce", Damage::Nonce).await;
    for _ in 0..2 {
        let recovered = case.store.recover_orders(audit()).await.unwrap();
        let left: Vec<Option<&str>> = recovered.unreadable.iter().map(|order| order.number.as_deref()).collect();
        // Only the request of the other order cannot be read, so its progress was recovered.
        assert_eq!((recovered.count, left), (2, vec![Some("B")]));
    }
    let page = case.store.list_orders(OrderQuery { limit: 9, ..OrderQuery::default() }).await.unwrap();
    assert_eq!(page.entries.iter().map(|entry| entry.progress.state).collect::<Vec<_>>(), [State::Unknown; 2]);
    // The order can be read now. It may have been sent after the backup.
    damage(&case, "B", Damage::State("recorded")).await;
    let is_queried = |claimed: &ClaimedOrder| (claimed.progress.state, claimed.progress.history.sends);
    let claimed = case.claim(9).await;
    assert_eq!(claimed.iter().map(is_queried).collect::<Vec<_>>(), [(State::Unknown, 1); 2]);
    assert_eq!(case.state("B").await, State::Unknown, "the claim was not stored");
    assert_eq!(case.store.recover_orders(audit()).await.unwrap().unreadable, []);
}

/// A newer program has written many orders, which come before the orders that this program can read.
async fn many_unreadable_orders_do_not_hold_up_others<H: Harness>(harness: &H) {
    const UNREADABLE: u64 = 2_500;
    let case = Case::new(harness).await;
    case.submit_new("first").await;
    let columns = "operation, content_tag, submitted_at, is_open, head, sends, last_send, confirmations, settled_ms, \
         queries, failed_queries, fence, tries, is_leased, due_at, is_notified, is_due_again";
    let insert = format!(
        "WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < {UNREADABLE}) \
         INSERT INTO paytend_order (number, request_id, state, {columns}) \
         SELECT 'N' || i, 'R' || i, 'newer', {columns} FROM n, paytend_order"
    );
    let sql = format!("{insert}; DELETE FROM paytend_order_part; DELETE FROM paytend_order WHERE number = 'first'");
    harness.execute(&case.store, sql).await;
    case.advance(Duration::from_secs(1)).await;
    case.submit_new("A").await;
    let other = TestOrder { operation: "/test/other".into(), ..TestOrder::new("other") };
    case.submit(&other).await.unwrap();
    assert_eq!(case.claimed_numbers(1).await, ["A"]);
    assert!(case.claim(9).await.is_empty());
    assert_eq!(case.claim_of(1, &[(PAY, 1), ("/test/other", 1)]).await.len(), 1);
    assert_eq!(case.store.order_stats().await.unwrap().unreadable, UNREADABLE);
}
