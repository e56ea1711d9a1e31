//! Runs the conformance suite, and compares the store with the in-memory store.

use paytend_inbox::testing::{conformance, random_history, state_machine};
use paytend_vectors::Seeded;

use crate::support::SqliteHarness;

#[tokio::test(flavor = "multi_thread")]
async fn sqlite_store_conforms() {
    conformance(&SqliteHarness::new()).await;
}

#[tokio::test]
async fn random_histories_give_the_same_results_as_in_the_memory_store() {
    let random = Seeded::new();
    for _ in 0..4 {
        random_history(&SqliteHarness::new(), 400, &mut |bound| random.below(bound)).await;
    }
}

#[test]
fn sqlite_store_behaves_like_the_model() {
    let (random, runtime) = (Seeded::new(), tokio::runtime::Runtime::new().unwrap());
    state_machine(&SqliteHarness::new(), &runtime, 12, &mut |bound| random.below(bound));
}
