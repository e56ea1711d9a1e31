//! Test cases for submitting, claiming, sending and completing orders.

#![allow(clippy::expect_used, clippy::unwrap_used, clippy::panic, reason = "failed checks must panic")]

use std::time::Duration;

use futures_util::future::join_all;
use paytend_inbox::{FinishError, StoreErrorKind, StoreKeys};

use crate::error::{BeginSendError, SubmitError};
use crate::record::{Ended, OrderRelease, REQUEST, Submitted, open};
use crate::store::{OutboxAdmin as _, OutboxStore as _};
use crate::terms::State;
use crate::testing::case::{Case, LEASE, PAY, assert_lost};
use crate::testing::{EffectEnd, Harness, TestOrder};
use crate::upload::StoredUpload;

pub(super) async fn run<H: Harness>(harness: &H) {
    same_order_is_stored_once(harness).await;
    concurrent_submissions_store_one_order(harness).await;
    unsent_upload_follows_its_file(harness).await;
    order_is_stored_with_the_transaction_of_its_caller(harness).await;
    claims_respect_limits_operations_and_schedules(harness).await;
    claimed_order_is_not_claimed_before_its_lease_ends(harness).await;
    concurrent_claims_do_not_overlap(harness).await;
    stale_fence_changes_nothing(harness).await;
    send_is_counted_before_it_begins(harness).await;
    effect_and_completion_are_one_transaction(harness).await;
    recorded_outcome_survives_a_crash(harness).await;
    outcome_survives_a_failed_handler(harness).await;
    orders_of_a_key_are_claimed_one_after_the_other(harness).await;
    store_refuses_a_different_key(harness).await;
}

async fn same_order_is_stored_once<H: Harness>(harness: &H) {
    let case = Case::new(harness).await;
    case.submit_new("A").await;
    let known = case.submit(&TestOrder::new("A")).await.unwrap();
    assert_eq!(known, Submitted::Known { state: State::Recorded });
    let other = TestOrder { content: r#"{"amount":"SECRET","card":"7","note":1}"#.into(), ..TestOrder::new("A") };
    let error = case.submit(&other).await.unwrap_err();
    let SubmitError::Conflict { fields } = &error else { panic!("{error:?}") };
    assert_eq!(*fields, ["`amount`", "`note`"]);
    assert!(!format!("{error} {error:?}").contains("SECRET"));
    let other = TestOrder { operation: "/test/other".into(), ..TestOrder::new("A") };
    let error = case.submit(&other).await.unwrap_err();
    assert!(matches!(&error, SubmitError::Conflict { fields } if *fields == ["operation"]), "{error:?}");
    let claimed = case.claim_one().await;
    case.finish(&claimed).await;
    assert_eq!(case.submit(&TestOrder::new("A")).await.unwrap(), Submitted::Known { state: State::Responded });
    assert!(case.claim(9).await.is_empty());
    case.is_consistent().await;
}

async fn concurrent_submissions_store_one_order<H: Harness>(harness: &H) {
    let case = Case::new(harness).await;
    for round in 0..10 {
        let order = TestOrder { order_by: Some("key".into()), ..TestOrder::new(format!("{round}")) };
        let submitted = join_all((0..8).map(|_| case.submit(&order))).await;
        let new = submitted.iter().filter(|result| matches!(result, Ok(Submitted::New))).count();
        let known = submitted.iter().filter(|result| matches!(result, Ok(Submitted::Known { .. }))).count();
        assert_eq!((new, known), (1, 7), "{submitted:?}");
    }
    case.is_consistent().await;
}

async fn unsent_upload_follows_its_file<H: Harness>(harness: &H) {
    let case = Case::new(harness).await;
    let order = |path: &str| TestOrder { file: Some(path.into()), ..TestOrder::new("A") };
    let path = async || {
        let entry = case.entry("A").await;
        let bytes = open(&case.keys, &entry.facts, REQUEST, entry.request.as_ref().unwrap()).unwrap();
        StoredUpload::from_bytes(&bytes).unwrap().unwrap().path().to_owned()
    };
    case.submit(&order("/old")).await.unwrap();
    case.submit(&order("/new")).await.unwrap();
    assert_eq!(path().await, "/new");
    // The content is the same, so the order's file remains stored by reference.
    case.submit(&TestOrder::new("A")).await.unwrap();
    assert_eq!(path().await, "/new");
    let claimed = case.claim_one().await;
    case.store.begin_send(claimed.lease).await.unwrap();
    case.submit(&order("/later")).await.unwrap();
    assert_eq!(path().await, "/new", "the request of a sent order was replaced");
    case.is_consistent().await;
}

async fn order_is_stored_with_the_transaction_of_its_caller<H: Harness>(harness: &H) {
    let case = Case::new(harness).await;
    let prepare = |number: &str| TestOrder::new(number).prepare(&case.keys);
    for end in [EffectEnd::Error, EffectEnd::Ok] {
        let submitted = harness.submit_with_line(&case.store, prepare("A"), "booked A", end).await;
        assert_eq!(submitted, (end == EffectEnd::Ok).then_some(Submitted::New));
    }
    assert_eq!(case.recorded().await, ["booked A"]);
    // A conflict rolls the transaction back.
    let other = TestOrder { content: r#"{"amount":"2.00","card":"7"}"#.into(), ..TestOrder::new("A") };
    let refused = harness.submit_with_line(&case.store, other.prepare(&case.keys), "booked B", EffectEnd::Ok).await;
    assert_eq!((refused, case.recorded().await), (None, vec!["booked A".to_owned()]));
    assert_eq!(case.claimed_numbers(9).await, ["A"]);
    case.is_consistent().await;
}

async fn claims_respect_limits_operations_and_schedules<H: Harness>(harness: &H) {
    let case = Case::new(harness).await;
    let now = harness.now(&case.store).await;
    for number in ["1", "2", "3"] {
        case.submit_new(number).await;
        case.advance(Duration::from_secs(1)).await;
    }
    let other = TestOrder { operation: "/test/other".into(), ..TestOrder::new("other") };
    case.submit(&other).await.unwrap();
    let later = TestOrder { not_before: Some(now + Duration::from_secs(3600)), ..TestOrder::new("later") };
    case.submit(&later).await.unwrap();
    // An order that is scheduled for a time in the past is not claimed before earlier orders.
    let past = TestOrder { not_before: Some(now - Duration::from_secs(3600)), ..TestOrder::new("past") };
    case.submit(&past).await.unwrap();
    assert!(
        case.claim_of(9, &[]).await.is_empty(),
        "the claim returned an order of an operation that was not requested"
    );
    assert!(case.claim_of(9, &[(PAY, 0)]).await.is_empty());
    assert_eq!(case.claimed_numbers(2).await, ["1", "2"]);
    let both = case.claim_of(9, &[(PAY, 1), ("/test/other", 5), ("/test/absent", 5)]).await;
    let numbers: Vec<&str> = both.iter().map(|claimed| claimed.facts.number.as_str()).collect();
    assert_eq!(numbers, ["3", "other"]);
    assert_eq!(case.claimed_numbers(9).await, ["past"]);
    case.advance(Duration::from_secs(3590)).await;
    assert_eq!(case.claimed_numbers(1).await, ["1"], "the lease has expired, and the scheduled order is not due");
    case.advance(Duration::from_secs(10)).await;
    assert!(case.claimed_numbers(9).await.contains(&"later".to_owned()));
    case.is_consistent().await;
}

async fn claimed_order_is_not_claimed_before_its_lease_ends<H: Harness>(harness: &H) {
    let case = Case::new(harness).await;
    case.submit_new("A").await;
    let first = case.claim_one().await;
    assert_eq!((first.progress.tries, first.progress.state), (1, State::Recorded));
    let content = case.keys.open_bound("A", &[b"wrong"], first.request.as_ref().unwrap());
    assert!(content.is_err(), "the request is not bound to its order");
    case.advance(LEASE - Duration::from_secs(1)).await;
    assert!(case.claim(9).await.is_empty());
    case.store.extend_order(first.lease, LEASE).await.unwrap();
    case.advance(Duration::from_secs(2)).await;
    assert!(case.claim(9).await.is_empty());
    case.advance(LEASE).await;
    let second = case.claim_one().await;
    assert!(second.lease.fence > first.lease.fence);
    assert_eq!((second.lease.id, second.progress.tries), (first.lease.id, 2));
    case.is_consistent().await;
}

async fn concurrent_claims_do_not_overlap<H: Harness>(harness: &H) {
    let case = Case::new(harness).await;
    for number in 0..40 {
        case.submit_new(&number.to_string()).await;
    }
    let claimed = join_all((0..8).map(|_| case.claimed_numbers(10))).await;
    let mut numbers: Vec<String> = claimed.into_iter().flatten().collect();
    let count = numbers.len();
    numbers.sort();
    numbers.dedup();
    assert_eq!(numbers.len(), count, "an order was claimed twice");
}

async fn stale_fence_changes_nothing<H: Harness>(harness: &H) {
    let case = Case::new(harness).await;
    case.submit_new("A").await;
    let stale = case.claim_one().await;
    case.advance(LEASE).await;
    let current = case.claim_one().await;
    assert_lost(case.store.extend_order(stale.lease, LEASE).await);
    assert!(matches!(case.store.begin_send(stale.lease).await, Err(BeginSendError::LeaseLost)));
    assert_lost(case.complete(stale.lease, "stale", EffectEnd::Ok).await);
    let release = OrderRelease::GiveBack { after: Duration::ZERO, cause: None };
    assert_lost(case.store.release_order(stale.lease, release.clone(), None).await);
    assert_eq!((case.recorded().await.len(), case.entry("A").await.progress.history.sends), (0, 0));
    case.finish(&current).await;
    // A completed order no longer has a lease.
    assert!(matches!(case.store.begin_send(current.lease).await, Err(BeginSendError::LeaseLost)));
    assert_lost(case.complete(current.lease, "again", EffectEnd::Ok).await);
    assert_lost(case.store.release_order(current.lease, release, None).await);
    assert_eq!(case.recorded().await, ["A"]);
    case.is_consistent().await;
}

async fn send_is_counted_before_it_begins<H: Harness>(harness: &H) {
    let case = Case::new(harness).await;
    case.submit_new("A").await;
    let claimed = case.claim_one().await;
    let history = case.store.begin_send(claimed.lease).await.unwrap();
    assert_eq!((history.sends, history.last_sent), (1, Some(harness.now(&case.store).await)));
    let entry = case.entry("A").await;
    assert_eq!((entry.progress.state, entry.progress.history), (State::Sending, history));
    let again = case.store.begin_send(claimed.lease).await;
    assert!(matches!(again, Err(BeginSendError::Illegal(_))), "a send began twice: {again:?}");
    // From here on, the test acts as if the process had ended during the send.
    case.advance(LEASE).await;
    let next = case.claim_one().await;
    assert_eq!((next.progress.state, next.progress.history), (State::Unknown, history));
    let mut history = history;
    history.confirmations = 2;
    history.last_confirmed = Some(harness.now(&case.store).await);
    history.settled = Duration::from_millis(3334);
    history.queries = 5;
    let release = OrderRelease::Unknown { history, after: Duration::from_secs(4), cause: Some("no order".into()) };
    case.store.release_order(next.lease, release, None).await.unwrap();
    case.advance(Duration::from_secs(3)).await;
    assert!(case.claim(1).await.is_empty());
    case.advance(Duration::from_secs(1)).await;
    let next = case.claim_one().await;
    assert_eq!(next.progress.history, history, "the history was not stored in full");
    assert_eq!(next.progress.cause.as_deref(), Some("no order"));
    // Nothing was sent, so the state of the order becomes `recorded` again.
    let history = case.store.begin_send(next.lease).await.unwrap();
    assert_eq!(history.sends, 2);
    case.is_consistent().await;
}

async fn effect_and_completion_are_one_transaction<H: Harness>(harness: &H) {
    let case = Case::new(harness).await;
    case.submit_new("A").await;
    let claimed = case.claim_one().await;
    case.store.begin_send(claimed.lease).await.unwrap();
    for end in [EffectEnd::Error, EffectEnd::Panic] {
        let failed = case.complete(claimed.lease, "failed", end).await;
        assert!(matches!(failed, Err(FinishError::Effect(_))), "{failed:?}");
        let entry = case.entry("A").await;
        assert_eq!((entry.progress.state, entry.progress.is_open), (State::Responded, true));
    }
    case.complete(claimed.lease, "done", EffectEnd::Ok).await.unwrap();
    let entry = case.entry("A").await;
    assert_eq!((entry.progress.state, entry.progress.is_open), (State::Responded, false));
    assert!(entry.result.is_some());
    assert_eq!(case.recorded().await, ["done"]);
    case.is_consistent().await;
}

async fn recorded_outcome_survives_a_crash<H: Harness>(harness: &H) {
    let case = Case::new(harness).await;
    case.submit_new("A").await;
    let claimed = case.claim_one().await;
    assert!(case.record(claimed.lease).await.is_err(), "an outcome was recorded for an order that was not sent");
    let history = case.store.begin_send(claimed.lease).await.unwrap();
    let effect = harness.effect("unrecorded", EffectEnd::Ok);
    let completed = case.store.complete_order(claimed.lease, Ended::Responded, Some(effect)).await;
    assert!(completed.is_err(), "an order was completed before its outcome was stored");
    for _ in 0..2 {
        case.record(claimed.lease).await.unwrap();
    }
    let other = case.store.record_outcome(claimed.lease, Ended::Rejected, case.sealed("{}")).await;
    assert!(other.is_err(), "a recorded outcome was changed");
    // From here on, the test acts as if the process had ended.
    case.advance(LEASE).await;
    let next = case.claim_one().await;
    assert_lost(case.record(claimed.lease).await);
    assert_eq!((next.progress.state, next.progress.history), (State::Responded, history));
    assert_eq!(next.progress.tries, 2);
    let opened = case.keys.open_bound("A", &[b"result"], next.result.as_ref().unwrap()).unwrap();
    assert_eq!(opened, b"the response");
    let refused = case.store.begin_send(next.lease).await;
    assert!(
        matches!(refused, Err(BeginSendError::Illegal(_))),
        "the order was sent after its response arrived: {refused:?}"
    );
    case.complete(next.lease, "done", EffectEnd::Ok).await.unwrap();
    assert_eq!(case.recorded().await, ["done"]);
    case.is_consistent().await;
}

async fn outcome_survives_a_failed_handler<H: Harness>(harness: &H) {
    let case = Case::new(harness).await;
    case.submit_new("A").await;
    let claimed = case.claim_one().await;
    case.store.begin_send(claimed.lease).await.unwrap();
    let ended = Ended::Responded;
    let unhandled = |after| OrderRelease::Unhandled { ended, after, cause: "later".into() };
    case.record(claimed.lease).await.unwrap();
    case.store.release_order(claimed.lease, unhandled(Some(Duration::from_secs(5))), None).await.unwrap();
    assert!(case.claim(1).await.is_empty());
    case.advance(Duration::from_secs(5)).await;
    let next = case.claim_one().await;
    assert_eq!(next.progress.state, State::Responded);
    let opened = case.keys.open_bound("A", &[b"result"], next.result.as_ref().unwrap()).unwrap();
    assert_eq!(opened, b"the response");
    assert!(
        matches!(case.store.begin_send(next.lease).await, Err(BeginSendError::Illegal(_))),
        "the order was sent after its response arrived"
    );
    case.store.release_order(next.lease, unhandled(None), None).await.unwrap();
    case.advance(LEASE * 99).await;
    assert!(case.claim(1).await.is_empty());
    assert_eq!(case.store.order_stats().await.unwrap().unhandled, 1);
    assert!(case.entry("A").await.result.is_some());
    case.is_consistent().await;
}

async fn orders_of_a_key_are_claimed_one_after_the_other<H: Harness>(harness: &H) {
    let case = Case::new(harness).await;
    for number in ["1", "2", "3"] {
        case.submit_ordered(number, "card").await;
    }
    case.submit_ordered("9", "other card").await;
    let claimed = case.claim(9).await;
    let numbers: Vec<&str> = claimed.iter().map(|claimed| claimed.facts.number.as_str()).collect();
    assert_eq!(numbers, ["1", "9"]);
    case.finish(&claimed[0]).await;
    let second = case.claim_one().await;
    assert_eq!(second.facts.number, "2");
    // A stuck order holds up the later orders.
    case.store.begin_send(second.lease).await.unwrap();
    case.stuck(&second).await;
    assert!(case.claim(9).await.is_empty());
    let action = crate::record::Action::Decide(crate::terms::Decision::NotExecuted);
    case.store.act_on_order("2".into(), action, super::case::audit()).await.unwrap().unwrap();
    let second = case.claim_one().await;
    case.store.complete_order(second.lease, Ended::Decided, None).await.unwrap();
    assert_eq!(case.claimed_numbers(9).await, ["3"]);
    case.submit_ordered("4", "card").await;
    assert!(case.claim(9).await.is_empty());
    case.is_consistent().await;
}

async fn store_refuses_a_different_key<H: Harness>(harness: &H) {
    let case = Case::new(harness).await;
    case.store.bind_outbox_keys(case.keys.check_value()).await.unwrap();
    let other = StoreKeys::generate().unwrap().check_value();
    let error = case.store.bind_outbox_keys(other).await.unwrap_err();
    assert_eq!(error.kind(), StoreErrorKind::Keys);
}
