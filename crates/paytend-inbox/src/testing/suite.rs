//! The cases of the conformance suite.

#![allow(clippy::expect_used, clippy::unwrap_used, clippy::panic, reason = "a failed check panics")]

use std::collections::BTreeSet;
use std::time::Duration;

use crate::audit::{AuditEntry, AuditEvent, AuditQuery};
use crate::error::FinishError;
use crate::keys::StoreKeys;
use crate::kind::Kind;
use paytend_webhook::Provider;

use crate::record::{Accepted, Claimed, Erasure, Query, Release, StoredPayload};
use crate::route::Route;
use crate::store::{Store, StoreAdmin};
use crate::terms::{Id, Lease, State};
use crate::testing::case::{Case, LEASE, assert_lost};
use crate::testing::{EffectEnd, Harness, TestNotification};

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
    listing(harness).await;
    erasure(harness).await;
    audit(harness).await;
    keys(harness).await;
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
    assert_eq!((claimed.is_sighting, claimed.sightings), (false, 1), "the sighting arrived before the first attempt");
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

async fn listing<H: Harness>(harness: &H) {
    let case = &Case::new(harness).await;
    let ids = [case.accept_new("a").await, case.accept_new("b").await, case.accept_new("c").await];
    let claimed = case.claim_one().await;
    case.store.complete(claimed.lease, None).await.unwrap();
    let query = |query: Query| async move { case.store.list(Query { limit: 10, ..query }).await.unwrap() };
    let listed = |entries: Vec<crate::record::Entry>| entries.iter().map(|entry| entry.id).collect::<Vec<_>>();
    assert_eq!(listed(query(Query::default()).await), ids);
    assert_eq!(listed(query(Query { state: Some(State::Done), ..Query::default() }).await), ids[..1]);
    assert_eq!(listed(query(Query { state: Some(State::Ready), ..Query::default() }).await), ids[1..]);
    assert_eq!(listed(query(Query { after: Some(ids[1]), ..Query::default() }).await), ids[2..]);
    assert_eq!(listed(query(Query { kind: Some(Kind::named("other")), ..Query::default() }).await), []);
    assert_eq!(case.store.list(Query { limit: 2, ..Query::default() }).await.unwrap().len(), 2);
    assert!(case.store.show(Id::new(i64::MAX), None).await.unwrap().is_none());
    let stats = case.store.stats().await.unwrap();
    assert_eq!((stats.ready, stats.leased, stats.backoff, stats.done, stats.dead), (2, 0, 0, 1, 0));
    case.advance(Duration::from_secs(5)).await;
    let oldest = case.store.stats().await.unwrap().oldest_ready.expect("two notifications are due");
    assert!(oldest >= Duration::from_secs(5) && oldest < Duration::from_secs(65), "{oldest:?}");
    let facts = case.store.show(ids[0], Some("a test".into())).await.unwrap().unwrap().facts;
    assert_eq!(facts, TestNotification::new("a").prepare(&case.keys).facts, "facts are stored unchanged");
    assert!(!case.store.probe().await.unwrap().is_empty());
}

async fn erasure<H: Harness>(harness: &H) {
    let case = Case::new(harness).await;
    let about = |name: &str, id: &str| TestNotification {
        business_id: Some(id.into()),
        order: Some("order".into()),
        ..TestNotification::new(name)
    };
    let [done, pending, other] = [about("a", "subject"), about("b", "subject"), about("c", "other")];
    let [done_id, pending_id] = [case.accept(&done).await.id(), case.accept(&pending).await.id()];
    let other_id = case.accept(&other).await.id();
    let claimed = case.claim_one().await;
    case.store.complete(claimed.lease, None).await.unwrap();
    // The same business ID of a different provider or kind belongs to a different object.
    let others = [
        Erasure::new("subject").provider(Provider::PayBy),
        Erasure::new("subject").route(Route::PaytendIssuing),
        Erasure::new("subject").kind(Kind::named("other")),
        Erasure::new("other subject"),
    ];
    for erasure in others {
        assert_eq!(case.store.erase(erasure).await.unwrap(), 0);
    }
    let erasure = Erasure::new("subject").provider(Provider::Paytend).kind(done.kind.clone());
    assert_eq!(case.store.erase(erasure).await.unwrap(), 2);
    assert_eq!(case.store.erase("subject".into()).await.unwrap(), 0);
    for (id, state) in [(done_id, State::Done), (pending_id, State::Dead)] {
        let entry = case.store.show(id, None).await.unwrap().unwrap();
        assert_eq!((entry.state, entry.payload), (state, Some(StoredPayload::Dropped)));
        assert_eq!((entry.facts.business_id, entry.facts.business_state), (None, None));
    }
    assert_eq!(
        case.accept(&done).await,
        Accepted::Duplicate { id: done_id, sighting: 1 },
        "erased rows are still recognized"
    );
    let claimed = case.claim_one().await;
    assert_eq!(claimed.lease.id, other_id, "an erased notification does not hold up its order key");
    assert!(claimed.payload.has_content());
    // The retention applies only to processed notifications.
    case.store.complete(claimed.lease, None).await.unwrap();
    case.accept_new("d").await;
    case.advance(Duration::from_secs(3600)).await;
    let entry = case.store.show(other_id, None).await.unwrap().unwrap();
    assert_eq!(case.store.drop_payloads(entry.received_at).await.unwrap(), 0);
    let later = entry.received_at + Duration::from_secs(1800);
    assert_eq!(case.store.drop_payloads(later).await.unwrap(), 1);
    let entry = case.store.show(other_id, None).await.unwrap().unwrap();
    assert_eq!(entry.payload, Some(StoredPayload::Dropped));
    assert!(case.claim_one().await.payload.has_content());
    case.is_consistent().await;
}

async fn audit<H: Harness>(harness: &H) {
    let case = Case::new(harness).await;
    let id = case.accept_new("a").await;
    case.store.show(id, None).await.unwrap();
    case.store.show(id, Some("alice".into())).await.unwrap();
    case.advance(Duration::from_secs(60)).await;
    let erase = AuditEvent::new(AuditEvent::ERASE, "bob").detail(Some("provider payby".into()));
    case.store.record(erase.clone()).await.unwrap();
    let all = case.store.audit(AuditQuery { limit: 10, ..AuditQuery::default() }).await.unwrap();
    let reveal = AuditEvent::new(AuditEvent::REVEAL, "alice").id(Some(id));
    assert_eq!(all.iter().map(|entry| &entry.event).collect::<Vec<_>>(), [&erase, &reveal]);
    let query = |query: AuditQuery| case.store.audit(query);
    let only = |events: Vec<AuditEntry>| events.into_iter().map(|entry| entry.event).collect::<Vec<_>>();
    let first = query(AuditQuery { limit: 1, ..AuditQuery::default() }).await.unwrap();
    assert_eq!(first, all[..1]);
    let before = Some(all[0].number);
    assert_eq!(
        only(query(AuditQuery { before, limit: 5, ..AuditQuery::default() }).await.unwrap()),
        std::slice::from_ref(&reveal)
    );
    let since = Some(all[0].at - Duration::from_secs(1));
    assert_eq!(only(query(AuditQuery { since, limit: 5, ..AuditQuery::default() }).await.unwrap()), [erase]);
    let id = Some(id);
    assert_eq!(only(query(AuditQuery { id, limit: 5, ..AuditQuery::default() }).await.unwrap()), [reveal]);
}

async fn keys<H: Harness>(harness: &H) {
    let case = Case::new(harness).await;
    let other = StoreKeys::generate().unwrap();
    assert!(case.store.bind_keys(other.check_value()).await.is_err(), "a different key file is refused");
    case.store.bind_keys(case.keys.check_value()).await.unwrap();
    case.accept_new("secret").await;
    let claimed = case.claim_one().await;
    let id = claimed.lease.id;
    let (sealed, bound_to) = match &claimed.payload {
        StoredPayload::Sealed(sealed) => (sealed, Some(id)),
        StoredPayload::SealedWithoutId(sealed) => (sealed, None),
        StoredPayload::Dropped => panic!("the content is stored"),
    };
    let opened = case.keys.open(id, bound_to, &claimed.facts.binding(), sealed).unwrap();
    assert_eq!(opened, b"secret");
}
