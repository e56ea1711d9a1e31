//! Test cases for listings, erasure, the audit log and keys.

#![allow(clippy::expect_used, clippy::unwrap_used, clippy::panic, reason = "failed checks must panic")]

use std::time::Duration;

use paytend_webhook::Provider;

use crate::audit::{AuditEntry, AuditEvent, AuditQuery};
use crate::keys::StoreKeys;
use crate::kind::Kind;
use crate::record::{Accepted, Entry, Erasure, Query, StoredPayload};
use crate::route::Route;
use crate::store::{Store as _, StoreAdmin as _};
use crate::terms::{Id, State};
use crate::testing::case::Case;
use crate::testing::{Harness, TestNotification};

pub(super) async fn run<H: Harness>(harness: &H) {
    listing(harness).await;
    erasure(harness).await;
    audit(harness).await;
    keys(harness).await;
}

async fn listing<H: Harness>(harness: &H) {
    let case = &Case::new(harness).await;
    let ids = [case.accept_new("a").await, case.accept_new("b").await, case.accept_new("c").await];
    let claimed = case.claim_one().await;
    case.store.complete(claimed.lease, None).await.unwrap();
    let query = |query: Query| async move { case.store.list(Query { limit: 10, ..query }).await.unwrap() };
    let listed = |entries: Vec<Entry>| entries.iter().map(|entry| entry.id).collect::<Vec<_>>();
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
    // If the provider or the kind differs, the same business ID belongs to a different object.
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
    let clock = case.store.clock().await.unwrap();
    let age = clock.now.duration_since(clock.last_received.unwrap()).unwrap();
    assert!((3600..3700).contains(&age.as_secs()), "the last notification was received {age:?} ago");
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
