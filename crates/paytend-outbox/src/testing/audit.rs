//! Test cases for the audit log: every operator action is recorded, and nothing else is.

#![allow(clippy::expect_used, clippy::unwrap_used, clippy::panic, reason = "failed checks must panic")]

use std::time::{Duration, SystemTime};

use crate::audit_log::{OrderAuditQuery, RecordedAction};
use crate::record::{Action, Audit, AuditEntry};
use crate::store::{OutboxAdmin as _, OutboxStore as _};
use crate::terms::Decision;
use crate::testing::Harness;
use crate::testing::case::{Case, PAY, audit};

/// The methods of [`OutboxAdmin`](crate::OutboxAdmin) that are operator actions. Each of them is called by [`perform`]
/// and must be recorded.
const ACTIONS: [&str; 7] = [
    "show_order",
    "act_on_order",
    "pause_sending",
    "resume_sending",
    "recover_orders",
    "end_recovery",
    "drop_order_content",
];

/// The methods that show no content and change nothing.
#[cfg(test)]
const READERS: [&str; 5] = ["list_orders", "paused", "order_stats", "order_audit", "check_orders"];

/// The actions on orders, in the sequence in which [`perform`] applies them.
const ORDER_ACTIONS: [(&str, Action); 4] = [
    ("stuck", Action::Retry),
    ("stuck", Action::Decide(Decision::Executed)),
    ("stuck", Action::Close),
    ("open", Action::Decide(Decision::NotExecuted)),
];

pub(super) async fn run<H: Harness>(harness: &H) {
    every_action_is_recorded(harness).await;
    audit_log_is_filtered_and_paged(harness).await;
}

/// Creates a store with the orders `done`, `stuck` and `open`.
async fn prepared<H: Harness>(harness: &H) -> Case<'_, H> {
    let case = Case::new(harness).await;
    case.submit_new("done").await;
    let claimed = case.claim_one().await;
    case.finish(&claimed).await;
    case.submit_new("stuck").await;
    let mut claimed = case.claim_one().await;
    claimed.progress.history = case.store.begin_send(claimed.lease).await.unwrap();
    case.stuck(&claimed).await;
    case.submit_new("open").await;
    case.advance(Duration::from_secs(10)).await;
    case
}

/// Calls a method, and returns the expected records, latest first: the order and the action.
async fn perform<H: Harness>(case: &Case<'_, H>, method: &str, now: SystemTime) -> Vec<(Option<&'static str>, String)> {
    let store = &case.store;
    match method {
        "show_order" => {
            store.show_order("stuck".into(), Some(audit().who)).await.unwrap().unwrap();
            vec![(Some("stuck"), "show".into())]
        }
        "act_on_order" => {
            for (number, action) in ORDER_ACTIONS {
                store.act_on_order(number.into(), action, audit()).await.unwrap().unwrap();
            }
            ORDER_ACTIONS.iter().rev().map(|(number, action)| (Some(*number), action.as_str().into())).collect()
        }
        "pause_sending" => {
            store.pause_sending(PAY.into(), audit()).await.unwrap();
            vec![(None, format!("pause {PAY}"))]
        }
        "resume_sending" => {
            store.resume_sending(PAY.into(), audit()).await.unwrap();
            vec![(None, format!("resume {PAY}"))]
        }
        "recover_orders" => {
            assert_eq!(store.recover_orders(audit()).await.unwrap().count, 2);
            [None, Some("open"), Some("stuck")].map(|order| (order, "recover".into())).into()
        }
        "end_recovery" => {
            store.end_recovery(audit()).await.unwrap();
            vec![(None, "end recovery".into())]
        }
        "drop_order_content" => {
            let action = |count| (None, AuditEntry::dropped_content(now, now, count, audit()).action);
            for count in [1, 0] {
                assert_eq!(store.drop_order_content(now, audit()).await.unwrap(), count);
            }
            vec![action(0), action(1), (Some("done"), AuditEntry::DROP_CONTENT.into())]
        }
        other => panic!("no call of {other}"),
    }
}

async fn every_action_is_recorded<H: Harness>(harness: &H) {
    for method in ACTIONS {
        let case = prepared(harness).await;
        let now = harness.now(&case.store).await;
        let expected = perform(&case, method, now).await;
        let recorded = log(&case, OrderAuditQuery::default()).await;
        let actions: Vec<_> = recorded.iter().map(|one| (one.order.as_deref(), one.entry.action.clone())).collect();
        assert_eq!(actions, expected, "the audit log after {method}");
        for RecordedAction { entry, .. } in recorded {
            assert_eq!(entry.at, now, "{method}");
            // Showing content has no reason.
            let why = if method == "show_order" { String::new() } else { audit().why };
            assert_eq!(entry.audit, Audit { why, ..audit() }, "{method}");
        }
        case.is_consistent().await;
    }
}

/// Returns the recorded actions, latest first.
async fn log<H: Harness>(case: &Case<'_, H>, query: OrderAuditQuery) -> Vec<RecordedAction> {
    let limit = if query.limit == 0 { 99 } else { query.limit };
    let recorded = case.store.order_audit(OrderAuditQuery { limit, ..query }).await.unwrap();
    assert!(recorded.len() <= limit && recorded.is_sorted_by(|one, next| one.number > next.number));
    recorded
}

async fn audit_log_is_filtered_and_paged<H: Harness>(harness: &H) {
    let case = prepared(harness).await;
    // Refused actions and reads without a viewer are not recorded.
    let refused = case.store.act_on_order("open".into(), Action::Retry, audit()).await.unwrap();
    assert!(refused.is_err());
    assert!(case.store.act_on_order("absent".into(), Action::Retry, audit()).await.unwrap().is_err());
    assert!(case.store.show_order("absent".into(), Some("the suite".into())).await.unwrap().is_none());
    case.store.show_order("open".into(), None).await.unwrap();
    assert!(log(&case, OrderAuditQuery::default()).await.is_empty());
    case.store.pause_sending(PAY.into(), audit()).await.unwrap();
    case.store.act_on_order("stuck".into(), Action::Retry, audit()).await.unwrap().unwrap();
    case.advance(Duration::from_secs(10)).await;
    let since = Some(harness.now(&case.store).await);
    case.store.act_on_order("stuck".into(), Action::Decide(Decision::Executed), audit()).await.unwrap().unwrap();
    let actions = async |query: OrderAuditQuery| -> Vec<String> {
        log(&case, query).await.into_iter().map(|one| one.entry.action).collect()
    };
    let all = log(&case, OrderAuditQuery::default()).await;
    assert_eq!(all.len(), 3);
    let (latest, earlier) = ("decide executed", "retry");
    let of_order = OrderAuditQuery { order: Some("stuck".into()), ..OrderAuditQuery::default() };
    assert_eq!(actions(of_order.clone()).await, [latest, earlier]);
    assert_eq!(actions(OrderAuditQuery { since, ..of_order.clone() }).await, [latest]);
    assert_eq!(actions(OrderAuditQuery { limit: 1, ..OrderAuditQuery::default() }).await, [latest]);
    let page = OrderAuditQuery { before: Some(all[0].number), limit: 1, ..OrderAuditQuery::default() };
    assert_eq!(actions(page).await, [earlier]);
    let absent = OrderAuditQuery { order: Some("absent".into()), ..OrderAuditQuery::default() };
    assert!(actions(absent).await.is_empty());
    assert_eq!(case.entry("stuck").await.audit.len(), 2);
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;

    /// A new method must be recorded and added to `ACTIONS`, or be added to `READERS`.
    #[test]
    fn every_method_of_the_trait_is_in_one_of_the_lists() {
        let source = include_str!("../store.rs").split("pub trait OutboxAdmin").nth(1).unwrap();
        let methods = source.lines().filter_map(|line| line.trim().strip_prefix("fn ")?.split(['(', '<']).next());
        let listed: BTreeSet<&str> = ACTIONS.into_iter().chain(READERS).collect();
        assert_eq!(methods.collect::<BTreeSet<_>>(), listed);
    }

    /// The match fails to compile for a new action, which must then be added to `ORDER_ACTIONS`.
    #[test]
    fn every_action_on_an_order_is_listed() {
        let index = |action: Action| match action {
            Action::Decide(Decision::Executed) => 0,
            Action::Decide(Decision::NotExecuted) => 1,
            Action::Retry => 2,
            Action::Close => 3,
        };
        let listed: BTreeSet<i32> = ORDER_ACTIONS.iter().map(|(_, action)| index(*action)).collect();
        assert_eq!(listed.len(), 4);
    }
}
