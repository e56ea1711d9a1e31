//! Runs the conformance suite on the in-memory store, and tests its limits.

use std::sync::Arc;
use std::time::Duration;

use paytend_inbox::testing::{MemoryHarness, TestNotification, conformance, random_history, state_machine};
use paytend_inbox::{
    Accepted, ClaimRequest, Id, MemoryLimits, MemoryStore, NewNotification, State, Store as _, StoreAdmin as _,
    StoreErrorKind, StoreKeys,
};
use paytend_vectors::Seeded;

#[tokio::test]
async fn memory_store_conforms() {
    conformance(&MemoryHarness::default()).await;
}

#[tokio::test]
async fn random_histories_keep_the_store_consistent() {
    let random = Seeded::new();
    for _ in 0..20 {
        random_history(&MemoryHarness::default(), 300, &mut |bound| random.below(bound)).await;
    }
}

#[test]
fn memory_store_behaves_like_the_model() {
    let (random, runtime) = (Seeded::new(), tokio::runtime::Runtime::new().unwrap());
    state_machine(&MemoryHarness::default(), &runtime, 300, &mut |bound| random.below(bound));
}

/// Returns a notification whose encrypted content has 116 bytes: 100 bytes of content and the tag.
fn notification(keys: &Arc<StoreKeys>, number: usize) -> NewNotification {
    TestNotification::new(format!("{number:0>100}")).prepare(keys)
}

/// Completes the notification that has waited longest.
async fn complete_next(store: &MemoryStore) -> Id {
    let request = ClaimRequest { limit: 1, lease: Duration::from_secs(60), holder: 1, kind_limits: Vec::new() };
    let claimed = store.claim(request).await.unwrap().remove(0);
    assert!(claimed.payload.has_content());
    store.complete(claimed.lease, None).await.unwrap();
    claimed.lease.id
}

#[tokio::test]
async fn full_memory_refuses_new_notifications_until_one_is_processed() {
    let keys = Arc::new(StoreKeys::generate().unwrap());
    for limits in [
        MemoryLimits { waiting: 3, waiting_bytes: usize::MAX, processed: 10 },
        MemoryLimits { waiting: usize::MAX, waiting_bytes: 3 * 116, processed: 10 },
    ] {
        let store = MemoryStore::new().with_limits(limits);
        for number in 0..3 {
            assert!(matches!(store.accept(notification(&keys, number)).await.unwrap(), Accepted::New(_)));
        }
        let refused = store.accept(notification(&keys, 3)).await.unwrap_err();
        assert_eq!(refused.kind(), StoreErrorKind::Unavailable);
        assert!(refused.to_string().contains("3 are waiting"), "{refused}");
        // A duplicate needs no room.
        assert!(matches!(store.accept(notification(&keys, 2)).await.unwrap(), Accepted::Duplicate { .. }));
        // A dead letter still needs room.
        assert!(store.bury(Id::new(3), "by hand".into()).await.unwrap());
        store.accept(notification(&keys, 3)).await.unwrap_err();
        complete_next(&store).await;
        let accepted = store.accept(notification(&keys, 3)).await.unwrap();
        assert_eq!(accepted, Accepted::New(Id::new(4)));
        store.accept(notification(&keys, 4)).await.unwrap_err();
    }
}

#[tokio::test]
async fn limited_memory_keeps_the_latest_processed_notifications_without_content() {
    let keys = Arc::new(StoreKeys::generate().unwrap());
    let store = MemoryStore::new().with_limits(MemoryLimits { waiting: 9, waiting_bytes: usize::MAX, processed: 2 });
    for (number, id) in (0..5).zip(1..) {
        store.accept(notification(&keys, number)).await.unwrap();
        assert_eq!(complete_next(&store).await, Id::new(id));
    }
    let stats = store.stats().await.unwrap();
    assert_eq!((stats.done, stats.ready), (2, 0));
    let kept = store.show(Id::new(5), None).await.unwrap().unwrap();
    assert!(kept.state == State::Done && !kept.payload.unwrap().has_content());
    assert!(matches!(store.accept(notification(&keys, 3)).await.unwrap(), Accepted::Duplicate { .. }));
    // A duplicate of a removed notification is new. No ID is used twice.
    assert_eq!(store.accept(notification(&keys, 0)).await.unwrap(), Accepted::New(Id::new(6)));
    let none = MemoryStore::new().with_limits(MemoryLimits { waiting: 1, waiting_bytes: usize::MAX, processed: 0 });
    for id in 1..4 {
        assert_eq!(none.accept(notification(&keys, 0)).await.unwrap(), Accepted::New(Id::new(id)));
        complete_next(&none).await;
    }
}
