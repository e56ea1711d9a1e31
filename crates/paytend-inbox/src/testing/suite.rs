//! The cases of the conformance suite.

#![allow(clippy::expect_used, clippy::unwrap_used, clippy::panic, reason = "failed checks must panic")]

use std::collections::BTreeSet;
use std::time::Duration;

use crate::error::FinishError;
use crate::kind::Kind;
use crate::record::{Accepted, Claimed, Release};
use crate::store::{Store as _, StoreAdmin as _};
use crate::terms::{Id, Lease, State};
use crate::testing::case::{Case, LEASE, assert_lost};
use crate::testing::{EffectEnd, Harness, TestNotification, operators};

/// Runs every case against new stores.
///
/// # Panics
/// Panics if the store breaks the contract.
pub async fn conformance<H: Harness>(harness: &H) {
    deduplication(harness).await;
    concurrent_duplicates(harness).await;
    leases_and_fences(harness).await;
    holders(harness).await;
    effects(harness).await;
    backoff_and_dead_letters(harness).await;
    giving_back(harness).await;
    order(harness).await;
    redriven_order(harness).await;
    kind_limits(harness).await;
    sightings(harness).await;
    sightings_after_an_attempt(harness).await;
    concurrent_claims(harness).await;
    operators::run(harness).await;
}

async fn deduplication<H: Harness>(harness: &H) {
    let case = Case::new(harness).await;
    let first = case.accept_new("a").await;
    assert!(case.accept_new("b").await > first);
    for sighting in 1..=3 {
        let again = case.accept(&TestNotification::new("a")).await;
        assert_eq!(again, Accepted::Duplicate { id: first, sighting });
    }
    let stats = case.store.stats().await.unwrap();
    assert_eq!((stats.ready, stats.sightings), (2, 3));
    assert_eq!(case.claim(10).await.len(), 2);
    case.is_consistent().await;
}

async fn concurrent_duplicates<H: Harness>(harness: &H) {
    let case = Case::new(harness).await;
    let notifications: Vec<_> = (0..40).map(|i| TestNotification::new(format!("n{}", i % 8))).collect();
    let accepted = futures_util::future::join_all(notifications.iter().map(|n| case.accept(n))).await;
    let new = accepted.iter().filter(|accepted| matches!(accepted, Accepted::New(_))).count();
    let ids: BTreeSet<Id> = accepted.iter().map(|accepted| accepted.id()).collect();
    assert_eq!((new, ids.len()), (8, 8), "each notification is reported as new once");
    assert_eq!(case.store.stats().await.unwrap().sightings, 32);
}

async fn leases_and_fences<H: Harness>(harness: &H) {
    let case = Case::new(harness).await;
    let id = case.accept_new("a").await;
    let first = case.claim_one().await;
    assert_eq!((first.lease.id, first.tries), (id, 1));
    assert_eq!(case.claim(10).await.len(), 0, "a leased notification is not claimed");
    case.advance(LEASE / 2).await;
    case.store.extend(first.lease, LEASE).await.unwrap();
    case.advance(LEASE / 2 + Duration::from_secs(1)).await;
    assert_eq!(case.claim(10).await.len(), 0, "an extended lease has not expired");
    case.advance(LEASE).await;
    let second = case.claim_one().await;
    assert_eq!((second.lease.id, second.tries), (id, 2));
    assert!(second.lease.fence > first.lease.fence, "each claim has a larger fence");
    // The first holder continues after its lease has expired. It must not be able to change anything.
    assert_lost(case.store.extend(first.lease, LEASE).await);
    assert_lost(case.complete(first.lease, "stale", EffectEnd::Ok).await);
    let retry = Release::Retry { after: Duration::ZERO, cause: String::new() };
    for release in [Release::GiveBack, Release::DeadLetter { cause: String::new() }, retry] {
        assert_lost(case.store.release(first.lease, release).await);
    }
    assert_eq!(case.state(id).await, State::Leased);
    case.complete(second.lease, "done", EffectEnd::Ok).await.unwrap();
    assert_lost(case.complete(second.lease, "again", EffectEnd::Ok).await);
    assert_lost(case.store.extend(second.lease, LEASE).await);
    case.has_recorded(&["done"]).await;
    assert_eq!(case.state(id).await, State::Done);
    case.advance(LEASE * 10).await;
    assert_eq!(case.claim(10).await.len(), 0, "a completed notification is not claimed");
}

/// Checks that a different holder with the same fence is refused. After a restore, an old worker can hold a lease whose
/// fence the store assigns a second time.
async fn holders<H: Harness>(harness: &H) {
    let case = Case::new(harness).await;
    let id = case.accept_new("a").await;
    let current = case.claim_one().await.lease;
    let earlier = Lease { holder: current.holder + 1, ..current };
    assert_lost(case.store.extend(earlier, LEASE).await);
    assert_lost(case.complete(earlier, "stale", EffectEnd::Ok).await);
    for release in [Release::GiveBack, Release::DeadLetter { cause: String::new() }] {
        assert_lost(case.store.release(earlier, release).await);
    }
    assert_eq!(case.state(id).await, State::Leased);
    case.store.extend(current, LEASE).await.unwrap();
    case.complete(current, "a", EffectEnd::Ok).await.unwrap();
    case.has_recorded(&["a"]).await;
}

async fn effects<H: Harness>(harness: &H) {
    if !H::HAS_EFFECTS {
        return;
    }
    let case = Case::new(harness).await;
    let id = case.accept_new("a").await;
    let claimed = case.claim_one().await;
    for end in [EffectEnd::Error, EffectEnd::Panic] {
        let failed = case.complete(claimed.lease, "rolled back", end).await;
        assert!(matches!(failed, Err(FinishError::Effect(_))), "{failed:?}");
        assert_eq!(case.recorded().await, Vec::<String>::new(), "a failed effect is rolled back");
        assert_eq!(case.state(id).await, State::Leased);
    }
    case.complete(claimed.lease, "a", EffectEnd::Ok).await.unwrap();
    assert_eq!(case.recorded().await, ["a"]);
    // An expired lease is valid until the notification is claimed again, and its effect is committed once.
    case.accept_new("b").await;
    let late = case.claim_one().await;
    case.advance(LEASE * 2).await;
    case.complete(late.lease, "b", EffectEnd::Ok).await.unwrap();
    assert_eq!(case.claim(10).await.len(), 0);
    assert_eq!(case.recorded().await, ["a", "b"]);
}

async fn backoff_and_dead_letters<H: Harness>(harness: &H) {
    let case = Case::new(harness).await;
    let id = case.accept_new("a").await;
    let claimed = case.claim_one().await;
    let retry = |after| Release::Retry { after, cause: "try later".into() };
    case.store.release(claimed.lease, retry(Duration::from_secs(30))).await.unwrap();
    assert_eq!(case.state(id).await, State::Backoff);
    assert_lost(case.complete(claimed.lease, "released", EffectEnd::Ok).await);
    assert_eq!(case.claim(1).await.len(), 0);
    case.advance(Duration::from_secs(31)).await;
    let claimed = case.claim_one().await;
    assert_eq!(claimed.tries, 2);
    case.dead_letter(claimed.lease).await;
    let entry = case.store.show(id, None).await.unwrap().unwrap();
    assert_eq!((entry.state, entry.cause.as_deref()), (State::Dead, Some("poison")));
    case.advance(LEASE * 100).await;
    assert_eq!(case.claim(10).await.len(), 0, "a dead letter is not claimed");
    assert_eq!(case.store.redrive(Some(vec![Id::new(i64::MAX)])).await.unwrap(), 0);
    assert_eq!(case.store.redrive(Some(vec![id])).await.unwrap(), 1);
    assert_eq!(case.store.redrive(None).await.unwrap(), 0);
    let redriven = case.claim_one().await;
    assert_eq!(redriven.tries, 1, "a redriven notification can use all its attempts again");
    assert!(redriven.lease.fence > claimed.lease.fence, "a fence is never reused");
    assert!(case.store.bury(id, "buried by an operator".into()).await.unwrap());
    assert!(!case.store.bury(id, "twice".into()).await.unwrap());
    assert_lost(case.complete(redriven.lease, "buried", EffectEnd::Ok).await);
    case.has_recorded(&[]).await;
    case.is_consistent().await;
}

async fn giving_back<H: Harness>(harness: &H) {
    let case = Case::new(harness).await;
    case.accept_new("a").await;
    let mut fence = 0;
    for _ in 0..3 {
        let claimed = case.claim_one().await;
        assert_eq!(claimed.tries, 1, "an attempt that was given back does not count");
        assert!(claimed.lease.fence > fence, "giving back an attempt does not decrease the fence");
        fence = claimed.lease.fence;
        case.store.release(claimed.lease, Release::GiveBack).await.unwrap();
        assert_lost(case.complete(claimed.lease, "given back", EffectEnd::Ok).await);
        assert_lost(case.store.extend(claimed.lease, LEASE).await);
        assert_lost(case.store.release(claimed.lease, Release::GiveBack).await);
    }
    case.has_recorded(&[]).await;
}

async fn order<H: Harness>(harness: &H) {
    let case = Case::new(harness).await;
    let [a1, b1, a2] = [
        case.accept_ordered("a1", "a").await,
        case.accept_ordered("b1", "b").await,
        case.accept_ordered("a2", "a").await,
    ];
    let a3 = case.accept_ordered("a3", "a").await;
    let first = case.claim(10).await;
    assert_eq!(first.iter().map(|claimed| claimed.lease.id).collect::<Vec<_>>(), [a1, b1]);
    assert_eq!(case.claim(10).await.len(), 0);
    case.store.complete(first[1].lease, None).await.unwrap();
    // A failed first notification holds up the later notifications of its order key.
    let retry = Release::Retry { after: Duration::from_secs(60), cause: String::new() };
    case.store.release(first[0].lease, retry).await.unwrap();
    assert_eq!(case.claim(10).await.len(), 0);
    case.advance(Duration::from_secs(60)).await;
    let again = case.claim_one().await;
    assert_eq!(again.lease.id, a1);
    case.complete(again.lease, "a1", EffectEnd::Ok).await.unwrap();
    let second = case.claim_one().await;
    assert_eq!(second.lease.id, a2);
    // A dead letter does not hold up later notifications.
    case.dead_letter(second.lease).await;
    assert_eq!(case.claimed_ids(10).await, [a3]);
    case.is_consistent().await;
}

async fn redriven_order<H: Harness>(harness: &H) {
    let case = Case::new(harness).await;
    let [first, second] = [case.accept_ordered("1", "a").await, case.accept_ordered("2", "a").await];
    let third = case.accept_ordered("3", "a").await;
    let claimed = case.claim_one().await;
    case.dead_letter(claimed.lease).await;
    let claimed = case.claim_one().await;
    assert_eq!(claimed.lease.id, second);
    // The redriven notification has a smaller ID, but the current notification with the same order key is being
    // processed.
    case.store.redrive(Some(vec![first])).await.unwrap();
    assert_eq!(case.claim(10).await.len(), 0, "only one notification with an order key is processed at a time");
    // Burying a waiting notification does not make another notification claimable.
    assert!(case.store.bury(third, "buried by an operator".into()).await.unwrap());
    assert_eq!(case.claim(10).await.len(), 0, "only one notification with an order key is processed at a time");
    case.store.complete(claimed.lease, None).await.unwrap();
    assert_eq!(case.claimed_ids(10).await, [first]);
    case.store.redrive(None).await.unwrap();
    assert_eq!(case.claim(10).await.len(), 0);
    case.is_consistent().await;
}

async fn kind_limits<H: Harness>(harness: &H) {
    let case = Case::new(harness).await;
    let (slow, quick) = (Kind::named("slow"), Kind::named("quick"));
    for i in 0..20 {
        let kind = if i < 10 { slow.clone() } else { quick.clone() };
        case.accept(&TestNotification { kind, ..TestNotification::new(format!("{i}")) }).await;
    }
    let count = |claimed: &[Claimed], kind: &Kind| claimed.iter().filter(|c| c.facts.kind == *kind).count();
    let claimed = case.claim_limited(6, vec![(slow.clone(), 2)]).await;
    assert_eq!((count(&claimed, &slow), count(&claimed, &quick)), (2, 4));
    let claimed = case.claim_limited(3, vec![(slow.clone(), 0)]).await;
    assert_eq!((count(&claimed, &slow), count(&claimed, &quick)), (0, 3));
    let claimed = case.claim_limited(20, vec![(slow.clone(), 20), (quick.clone(), 0)]).await;
    assert_eq!((count(&claimed, &slow), count(&claimed, &quick)), (8, 0));
    assert_eq!(case.claim_limited(0, Vec::new()).await.len(), 0);
    assert_eq!(case.claim(20).await.len(), 3);
}

async fn sightings<H: Harness>(harness: &H) {
    let case = Case::new(harness).await;
    let notification = TestNotification { requeue_sighting: true, ..TestNotification::new("a") };
    let id = case.accept(&notification).await.id();
    case.accept(&notification).await;
    let claimed = case.claim_one().await;
    assert_eq!(
        (claimed.is_sighting, claimed.sightings),
        (false, 1),
        "a sighting before the first attempt causes no separate run"
    );
    case.store.complete(claimed.lease, None).await.unwrap();
    assert_eq!(case.claim(1).await.len(), 0);
    // A duplicate arrives after the completion.
    case.accept(&notification).await;
    case.accept(&notification).await;
    let again = case.claim_one().await;
    assert_eq!((again.lease.id, again.is_sighting, again.tries), (id, true, 1));
    assert!(again.lease.fence > claimed.lease.fence, "a fence is never reused");
    // A duplicate arrives during the attempt.
    case.accept(&notification).await;
    assert_eq!(case.claim(1).await.len(), 0);
    case.complete(again.lease, "second", EffectEnd::Ok).await.unwrap();
    let third = case.claim_one().await;
    assert!(third.is_sighting);
    case.complete(third.lease, "third", EffectEnd::Ok).await.unwrap();
    assert_eq!(case.claim(1).await.len(), 0);
    case.has_recorded(&["second", "third"]).await;
    // Without `requeue_sighting`, a duplicate is only recorded.
    case.accept(&TestNotification { requeue_sighting: false, ..notification }).await;
    assert_eq!(case.claim(1).await.len(), 0);
    case.is_consistent().await;
}

async fn sightings_after_an_attempt<H: Harness>(harness: &H) {
    let case = Case::new(harness).await;
    let notification = TestNotification { requeue_sighting: true, ..TestNotification::new("a") };
    case.accept(&notification).await;
    let first = case.claim_one().await;
    let retry = Release::Retry { after: Duration::ZERO, cause: String::new() };
    case.store.release(first.lease, retry.clone()).await.unwrap();
    // The retry is not a sighting, because it must keep the idempotency key of the first attempt.
    case.accept(&notification).await;
    let second = case.claim_one().await;
    assert_eq!((second.is_sighting, second.completed_runs), (false, 0));
    case.store.release(second.lease, Release::GiveBack).await.unwrap();
    let third = case.claim_one().await;
    assert_eq!((third.is_sighting, third.completed_runs), (false, 0));
    case.store.complete(third.lease, None).await.unwrap();
    for tries in 1..=2 {
        let sighting = case.claim_one().await;
        assert_eq!((sighting.is_sighting, sighting.completed_runs, sighting.tries), (true, 1, tries));
        if tries == 2 {
            case.store.complete(sighting.lease, None).await.unwrap();
        } else {
            case.store.release(sighting.lease, retry.clone()).await.unwrap();
        }
    }
    assert_eq!(case.claim(1).await.len(), 0, "a sighting before the first attempt of a run does not cause another run");
    case.accept(&notification).await;
    let last = case.claim_one().await;
    assert_eq!((last.is_sighting, last.completed_runs), (true, 2));
    case.is_consistent().await;
}

async fn concurrent_claims<H: Harness>(harness: &H) {
    let case = Case::new(harness).await;
    for i in 0..30 {
        case.accept_new(&i.to_string()).await;
    }
    let claims = futures_util::future::join_all((0..10).map(|_| case.claim(5))).await;
    let mut ids: Vec<Id> = claims.iter().flatten().map(|claimed| claimed.lease.id).collect();
    ids.extend(case.claimed_ids(30).await);
    ids.sort_unstable();
    let count = ids.len();
    ids.dedup();
    assert_eq!((count, ids.len()), (30, 30), "each notification is claimed once");
}
