//! Test cases for pauses, notices, operator actions, listings and restored backups.

#![allow(clippy::expect_used, clippy::unwrap_used, clippy::panic, reason = "failed checks must panic")]

use std::time::Duration;

use crate::error::{ActionError, BeginSendError};
use crate::notice::OrderNotice;
use crate::record::{Action, Ended, OrderQuery, OrderRelease, Pause};
use crate::store::{OutboxAdmin as _, OutboxStore as _};
use crate::terms::{Decision, State};
use crate::testing::case::{Case, LEASE, PAY, audit};
use crate::testing::{EffectEnd, Harness, TestOrder};

pub(super) async fn run<H: Harness>(harness: &H) {
    paused_operation_is_not_sent(harness).await;
    stuck_order_waits_for_a_person(harness).await;
    decisions_are_refused_where_they_would_be_wrong(harness).await;
    notice_moves_an_order_on(harness).await;
    notice_revokes_a_rejection_and_a_decision(harness).await;
    order_is_closed_without_its_handler(harness).await;
    restored_store_queries_before_it_sends(harness).await;
    orders_of_a_recovery_are_queried_before_they_are_sent(harness).await;
    listings_and_counts_are_complete(harness).await;
    content_of_completed_orders_is_removed_after_its_retention(harness).await;
}

async fn content_of_completed_orders_is_removed_after_its_retention<H: Harness>(harness: &H) {
    let case = Case::new(harness).await;
    for number in ["done", "open"] {
        case.submit_new(number).await;
    }
    let claimed = case.claim(2).await;
    case.finish(&claimed[0]).await;
    case.advance(Duration::from_secs(50)).await;
    case.submit_new("later").await;
    let later = case.claim_one().await;
    case.finish(&later).await;
    let before = harness.now(&case.store).await - Duration::from_secs(25);
    for expected in [1, 0] {
        assert_eq!(case.store.drop_order_content(before, audit()).await.unwrap(), expected);
    }
    for (number, kept) in [("done", false), ("open", true), ("later", true)] {
        assert_eq!(case.entry(number).await.request.is_some(), kept, "{number}");
    }
    assert!(case.entry("done").await.result.is_none());
    // The number cannot be used for another order.
    let known = case.submit(&TestOrder::new("done")).await.unwrap();
    assert_eq!(known, crate::record::Submitted::Known { state: State::Responded });
    let other = TestOrder { content: r#"{"amount":"2.00"}"#.into(), ..TestOrder::new("done") };
    assert!(matches!(case.submit(&other).await, Err(crate::SubmitError::Conflict { .. })));
    case.is_consistent().await;
}

async fn paused_operation_is_not_sent<H: Harness>(harness: &H) {
    let case = Case::new(harness).await;
    case.submit_new("claimed").await;
    case.submit_new("sent").await;
    let claimed = case.claim(2).await;
    case.store.begin_send(claimed[1].lease).await.unwrap();
    let history = case.entry("sent").await.progress.history;
    let release = OrderRelease::Unknown { history, after: Duration::ZERO, cause: None };
    case.store.release_order(claimed[1].lease, release, None).await.unwrap();
    case.submit_new("waiting").await;
    for operation in [PAY, Pause::ALL] {
        case.store.pause_sending(operation.into(), audit()).await.unwrap();
        case.store.pause_sending(operation.into(), audit()).await.unwrap();
        let paused = case.store.paused().await.unwrap();
        assert_eq!(paused.iter().map(|pause| pause.operation.as_str()).collect::<Vec<_>>(), [operation]);
        assert_eq!(paused[0].audit, audit());
        // The pause also prevents the send of an order that is already claimed.
        let refused = case.store.begin_send(claimed[0].lease).await;
        assert!(matches!(refused, Err(BeginSendError::Paused)), "{refused:?}");
        // Orders with an unknown outcome are still claimed for queries.
        let unknown = case.claim(9).await;
        let numbers: Vec<&str> = unknown.iter().map(|claimed| claimed.facts.number.as_str()).collect();
        assert_eq!(numbers, ["sent"]);
        let give_back = OrderRelease::GiveBack { after: Duration::ZERO, cause: None };
        case.store.release_order(unknown[0].lease, give_back, None).await.unwrap();
        assert!(case.store.resume_sending(operation.into(), audit()).await.unwrap());
        assert!(!case.store.resume_sending(operation.into(), audit()).await.unwrap());
    }
    case.store.begin_send(claimed[0].lease).await.unwrap();
    assert_eq!(case.claimed_numbers(9).await.len(), 2);
    // Pausing a different operation changes nothing.
    case.store.pause_sending("/test/other".into(), audit()).await.unwrap();
    case.submit_new("free").await;
    assert_eq!(case.claimed_numbers(9).await, ["free"]);
    case.is_consistent().await;
}

async fn stuck_order_waits_for_a_person<H: Harness>(harness: &H) {
    let case = Case::new(harness).await;
    for (number, is_sent) in [("unsent", false), ("sent", true), ("decided", true)] {
        case.submit_new(number).await;
        let mut claimed = case.claim_one().await;
        if is_sent {
            claimed.progress.history = case.store.begin_send(claimed.lease).await.unwrap();
        }
        case.stuck(&claimed).await;
        assert_eq!(case.entry(number).await.progress.cause.as_deref(), Some("no response"));
    }
    case.advance(LEASE * 9999).await;
    assert!(case.claim(9).await.is_empty());
    let act = |number: &str, action| case.store.act_on_order(number.into(), action, audit());
    let executed = act("unsent", Action::Decide(Decision::Executed)).await.unwrap();
    assert_eq!(executed, Err(ActionError::NotSent), "an order that was never sent was marked as executed");
    act("unsent", Action::Retry).await.unwrap().unwrap();
    act("sent", Action::Retry).await.unwrap().unwrap();
    act("decided", Action::Decide(Decision::Executed)).await.unwrap().unwrap();
    assert_eq!(case.state("unsent").await, State::Recorded);
    assert_eq!(case.state("sent").await, State::Unknown, "an order that may have been sent must be queried first");
    assert_eq!(act("sent", Action::Retry).await.unwrap(), Err(ActionError::NotStuck));
    assert_eq!(act("absent", Action::Retry).await.unwrap(), Err(ActionError::Absent));
    let again = act("decided", Action::Decide(Decision::NotExecuted)).await.unwrap();
    assert_eq!(again, Err(ActionError::Final), "a decision cannot be changed");
    let claimed = case.claim(9).await;
    let decided = claimed.iter().find(|claimed| claimed.facts.number == "decided").unwrap();
    assert_eq!(decided.progress.decision, Some(Decision::Executed));
    let refused = case.store.begin_send(decided.lease).await;
    assert!(matches!(refused, Err(BeginSendError::Illegal(_))), "a decided order was sent: {refused:?}");
    case.store.complete_order(decided.lease, Ended::Decided, None).await.unwrap();
    let entry = case.entry("decided").await;
    assert_eq!((entry.progress.state, entry.progress.is_open), (State::Decided, false));
    let actions: Vec<&str> = entry.audit.iter().map(|entry| entry.action.as_str()).collect();
    assert_eq!((actions, &entry.audit[0].audit), (vec!["decide executed"], &audit()));
    case.is_consistent().await;
}

async fn decisions_are_refused_where_they_would_be_wrong<H: Harness>(harness: &H) {
    let case = Case::new(harness).await;
    case.submit_new("A").await;
    let decide = |decision| case.store.act_on_order("A".into(), Action::Decide(decision), audit());
    assert_eq!(decide(Decision::Executed).await.unwrap(), Err(ActionError::NotSent));
    let claimed = case.claim_one().await;
    case.store.begin_send(claimed.lease).await.unwrap();
    assert_eq!(decide(Decision::NotExecuted).await.unwrap(), Err(ActionError::Sending));
    assert!(case.entry("A").await.audit.is_empty(), "a refused action was recorded in the audit log");
    case.complete(claimed.lease, "A", crate::testing::EffectEnd::Ok).await.unwrap();
    assert_eq!(decide(Decision::NotExecuted).await.unwrap(), Err(ActionError::Final));
    // An order that was not sent can be cancelled, even if it is claimed.
    case.submit_new("B").await;
    let claimed = case.claim_one().await;
    let cancel = Action::Decide(Decision::NotExecuted);
    case.store.act_on_order("B".into(), cancel, audit()).await.unwrap().unwrap();
    let refused = case.store.begin_send(claimed.lease).await;
    assert!(matches!(refused, Err(BeginSendError::Illegal(_))), "a cancelled order was sent: {refused:?}");
    case.is_consistent().await;
}

async fn notice_moves_an_order_on<H: Harness>(harness: &H) {
    let case = Case::new(harness).await;
    let notice = |number: &str| case.store.notice_order(OrderNotice::new(PAY, number));
    assert!(!notice("absent").await.unwrap());
    // A notice for a different operation changes nothing, even if the order number matches.
    case.submit_new("other").await;
    let other = OrderNotice::new("/test/other", "other");
    assert!(!case.store.notice_order(other).await.unwrap());
    let claimed = case.claim_one().await;
    assert_eq!((claimed.progress.state, claimed.progress.is_notified), (State::Recorded, false));
    case.finish(&claimed).await;
    // A stuck order is queried again.
    case.submit_new("stuck").await;
    let mut claimed = case.claim_one().await;
    claimed.progress.history = case.store.begin_send(claimed.lease).await.unwrap();
    case.stuck(&claimed).await;
    assert!(notice("stuck").await.unwrap());
    let claimed = case.claim_one().await;
    assert_eq!((claimed.progress.state, claimed.progress.is_notified), (State::Unknown, true));
    case.store.record_outcome(claimed.lease, Ended::Found, case.sealed("{}")).await.unwrap();
    case.store.complete_order(claimed.lease, Ended::Found, None).await.unwrap();
    assert!(!notice("stuck").await.unwrap(), "a second notification about a completed order changes nothing");
    // A notice that arrives during an attempt is not lost.
    case.submit_new("during").await;
    let mut claimed = case.claim_one().await;
    claimed.progress.history = case.store.begin_send(claimed.lease).await.unwrap();
    assert!(notice("during").await.unwrap());
    case.stuck(&claimed).await;
    let claimed = case.claim_one().await;
    assert_eq!(claimed.facts.number, "during");
    let history = claimed.progress.history;
    let release = OrderRelease::Unknown { history, after: Duration::from_secs(600), cause: None };
    case.store.release_order(claimed.lease, release, None).await.unwrap();
    assert!(case.claim(9).await.is_empty());
    notice("during").await.unwrap();
    assert_eq!(case.claimed_numbers(9).await, ["during"]);
    // A notification shows that the order was sent, although this store has no record of the send.
    case.submit_new("restored").await;
    assert!(notice("restored").await.unwrap());
    let claimed = case.claim_one().await;
    assert_eq!((claimed.progress.state, claimed.progress.history.sends), (State::Unknown, 1));
    case.is_consistent().await;
}

async fn notice_revokes_a_rejection_and_a_decision<H: Harness>(harness: &H) {
    let case = Case::new(harness).await;
    for ended in [Ended::Rejected, Ended::Decided] {
        let number = format!("{ended:?}");
        case.submit_new(&number).await;
        let mut claimed = case.claim_one().await;
        case.store.begin_send(claimed.lease).await.unwrap();
        if ended == Ended::Rejected {
            case.store.record_outcome(claimed.lease, ended, case.sealed("{}")).await.unwrap();
        } else {
            case.stuck(&claimed).await;
            let action = Action::Decide(Decision::NotExecuted);
            case.store.act_on_order(number.clone(), action, audit()).await.unwrap().unwrap();
            claimed = case.claim_one().await;
        }
        assert!(case.store.notice_order(OrderNotice::new(PAY, number.clone())).await.unwrap());
        let effect = harness.effect("revoked", EffectEnd::Ok);
        super::case::assert_lost(case.store.complete_order(claimed.lease, ended, Some(effect)).await);
        let claimed = case.claim_one().await;
        assert_eq!((claimed.progress.state, claimed.progress.decision), (State::Unknown, None), "{number}");
        case.store.record_outcome(claimed.lease, Ended::Found, case.sealed("{}")).await.unwrap();
        case.store.complete_order(claimed.lease, Ended::Found, None).await.unwrap();
    }
    assert!(case.recorded().await.is_empty());
    case.is_consistent().await;
}

async fn order_is_closed_without_its_handler<H: Harness>(harness: &H) {
    let case = Case::new(harness).await;
    for number in ["1", "2"] {
        case.submit_ordered(number, "card").await;
    }
    let act = |action| case.store.act_on_order("1".into(), action, audit());
    assert_eq!(act(Action::Close).await.unwrap(), Err(ActionError::Undecided));
    act(Action::Decide(Decision::NotExecuted)).await.unwrap().unwrap();
    act(Action::Close).await.unwrap().unwrap();
    assert_eq!(act(Action::Close).await.unwrap(), Err(ActionError::Completed));
    assert_eq!(case.claimed_numbers(9).await, ["2"], "the next order with the same order key is due");
    case.is_consistent().await;
}

async fn restored_store_queries_before_it_sends<H: Harness>(harness: &H) {
    let case = Case::new(harness).await;
    for number in ["done", "leased", "stuck", "recorded"] {
        case.submit_new(number).await;
    }
    let not_before = Some(harness.now(&case.store).await + LEASE);
    case.submit(&TestOrder { not_before, ..TestOrder::new("scheduled") }).await.unwrap();
    let claimed = case.claim(3).await;
    case.finish(&claimed[0]).await;
    case.stuck(&claimed[2]).await;
    for _ in 0..2 {
        assert_eq!(case.store.recover_orders(audit()).await.unwrap().count, 4);
    }
    // A dispatcher that is still running after the restore has lost its leases.
    let refused = case.store.begin_send(claimed[1].lease).await;
    assert!(matches!(refused, Err(BeginSendError::LeaseLost)), "{refused:?}");
    for claimed in case.claim(9).await {
        assert_eq!((claimed.progress.state, claimed.progress.history.sends), (State::Unknown, 1));
        assert_eq!(case.entry(&claimed.facts.number).await.audit[0].action, "recover");
    }
    assert_eq!(case.state("done").await, State::Responded);
    assert!(case.claim(9).await.is_empty(), "a scheduled order was claimed before its time");
    case.is_consistent().await;
}

async fn orders_of_a_recovery_are_queried_before_they_are_sent<H: Harness>(harness: &H) {
    let case = Case::new(harness).await;
    assert!(!case.store.end_recovery(audit()).await.unwrap());
    assert_eq!(case.store.order_stats().await.unwrap().recovering_since, None);
    assert_eq!(case.store.recover_orders(audit()).await.unwrap().count, 0);
    let since = Some(harness.now(&case.store).await);
    case.advance(Duration::from_secs(1)).await;
    assert_eq!(case.store.recover_orders(audit()).await.unwrap().count, 0);
    assert_eq!(case.store.order_stats().await.unwrap().recovering_since, since);
    case.submit_new("submitted").await;
    let effect =
        harness.submit_with_line(&case.store, TestOrder::new("effect").prepare(&case.keys), "x", EffectEnd::Ok);
    effect.await.unwrap();
    let later = Some(harness.now(&case.store).await + LEASE);
    let scheduled = TestOrder { not_before: later, ..TestOrder::new("scheduled") };
    case.submit(&scheduled).await.unwrap();
    // Submitting the same order again changes nothing.
    case.submit(&TestOrder::new("submitted")).await.unwrap();
    for claimed in case.claim(9).await {
        assert_ne!(claimed.facts.number, "scheduled");
        assert_eq!((claimed.progress.state, claimed.progress.history.sends), (State::Unknown, 1));
    }
    assert_eq!(case.state("scheduled").await, State::Unknown);
    // An order without a recorded send was not recovered, so the claim recovers it.
    case.submit_new("unsent").await;
    let claimed = case.claim_one().await;
    case.store.begin_send(claimed.lease).await.unwrap();
    let (history, cause) = (paytend_client::History::new(), "no connection".into());
    let release = OrderRelease::NotSent { history, after: Duration::ZERO, cause };
    case.store.release_order(claimed.lease, release, None).await.unwrap();
    assert_eq!(case.state("unsent").await, State::Recorded);
    let claimed = case.claim_one().await;
    assert_eq!((claimed.progress.state, claimed.progress.history.sends), (State::Unknown, 1));
    // If such an order has not been claimed when the recovery ends, it is recovered then.
    case.submit_new("paused").await;
    let claimed = case.claim_one().await;
    case.store.begin_send(claimed.lease).await.unwrap();
    let (history, cause) = (paytend_client::History::new(), "no connection".into());
    let release = OrderRelease::NotSent { history, after: Duration::ZERO, cause };
    case.store.release_order(claimed.lease, release, None).await.unwrap();
    assert_eq!(case.state("paused").await, State::Recorded);
    assert!(case.store.end_recovery(audit()).await.unwrap());
    let claimed = case.claim_one().await;
    assert_eq!((claimed.progress.state, claimed.progress.history.sends), (State::Unknown, 1));
    case.submit_new("after").await;
    assert_eq!(case.state("after").await, State::Recorded);
    case.is_consistent().await;
}

async fn listings_and_counts_are_complete<H: Harness>(harness: &H) {
    let case = Case::new(harness).await;
    let start = harness.now(&case.store).await;
    let unscheduled = TestOrder { order_by: Some("k".into()), ..TestOrder::new("0") };
    let order = TestOrder { not_before: Some(start + LEASE), ..unscheduled };
    case.submit(&order).await.unwrap();
    case.advance(Duration::from_secs(10)).await;
    for number in ["1", "2"] {
        case.submit_new(number).await;
    }
    let other = TestOrder { operation: "/test/other".into(), ..TestOrder::new("3") };
    case.submit(&other).await.unwrap();
    let claimed = case.claim_one().await;
    case.finish(&claimed).await;
    case.advance(Duration::from_secs(2)).await;
    let list = async |query: OrderQuery| -> Vec<String> {
        let page = case.store.list_orders(OrderQuery { limit: 9, ..query }).await.unwrap();
        assert!(page.unreadable.is_empty() && page.next.is_none());
        page.entries.into_iter().map(|entry| entry.facts.number).collect()
    };
    assert_eq!(list(OrderQuery::default()).await, ["0", "1", "2", "3"]);
    assert_eq!(list(OrderQuery { state: Some(State::Responded), ..OrderQuery::default() }).await, ["1"]);
    let since = Some(start + Duration::from_secs(5));
    assert_eq!(list(OrderQuery { since, ..OrderQuery::default() }).await, ["1", "2", "3"]);
    let operation = Some("/test/other".to_owned());
    assert_eq!(list(OrderQuery { operation, ..OrderQuery::default() }).await, ["3"]);
    let page = case.store.list_orders(OrderQuery { limit: 2, ..OrderQuery::default() }).await.unwrap();
    assert_eq!(page.next, Some(page.entries[1].id));
    assert_eq!(list(OrderQuery { after: page.next, ..OrderQuery::default() }).await, ["2", "3"]);
    let first = &page.entries[0];
    assert!(first.request.is_none() && first.facts.not_before == Some(start + LEASE));
    let shown = case.store.show_order("0".into(), Some("the suite".into())).await.unwrap().unwrap();
    assert!(shown.request.is_some() && shown.facts.order_key.is_some());
    assert_eq!(shown.submitted_at, start);
    assert!(case.store.show_order("absent".into(), None).await.unwrap().is_none());
    let stats = case.store.order_stats().await.unwrap();
    assert_eq!((stats.count(State::Recorded), stats.count(State::Responded), stats.unhandled), (3, 1, 0));
    assert_eq!(stats.oldest_due, Some(Duration::from_secs(2)));
    assert_eq!(stats.open_by_key.into_values().collect::<Vec<_>>(), [3]);
    // The result of an open order is encrypted with a different key.
    let claimed = case.claim_one().await;
    case.store.begin_send(claimed.lease).await.unwrap();
    case.record(claimed.lease).await.unwrap();
    let by_key = case.store.order_stats().await.unwrap().open_by_key;
    assert_eq!(by_key.into_values().collect::<Vec<_>>(), [3], "an order with a request and a result was counted twice");
    let mut rotated = paytend_inbox::StoreKeys::parse(&case.keys.to_text()).unwrap();
    rotated.rotate().unwrap();
    let result = rotated.seal_bound(&[b"result"], b"{}").unwrap();
    let key = result.key_id;
    case.store.record_outcome(claimed.lease, Ended::Responded, result).await.unwrap();
    let by_key = case.store.order_stats().await.unwrap().open_by_key;
    assert_eq!((by_key.len(), by_key.get(&key)), (2, Some(&1)), "an order was not counted for the key of its result");
    case.is_consistent().await;
}
