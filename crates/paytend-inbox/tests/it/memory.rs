//! Runs the conformance suite on the in-memory store.

use paytend_inbox::testing::{MemoryHarness, conformance, random_history, state_machine};
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
