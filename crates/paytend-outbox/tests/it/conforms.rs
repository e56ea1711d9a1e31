//! Runs the conformance suite on the in-memory store.

use paytend_outbox::testing::{MemoryHarness, conformance, random_history};
use paytend_vectors::Seeded;

#[tokio::test]
async fn memory_store_conforms() {
    conformance(&MemoryHarness::default()).await;
}

#[tokio::test]
async fn random_histories_give_the_same_results_in_two_stores() {
    let random = Seeded::new();
    for _ in 0..4 {
        random_history(&MemoryHarness::default(), 500, &mut |bound| random.below(bound)).await;
    }
}
