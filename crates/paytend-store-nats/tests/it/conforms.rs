//! Runs the conformance suite, and compares the store with the in-memory store.

use paytend_inbox::testing::{conformance, random_history, state_machine};
use paytend_vectors::Seeded;

use crate::cluster::Cluster;
use crate::support::NatsHarness;

#[tokio::test(flavor = "multi_thread")]
async fn nats_store_conforms() {
    let Some(cluster) = Cluster::shared().await else { return };
    conformance(&NatsHarness::new(&cluster)).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn random_histories_give_the_same_results_as_in_the_memory_store() {
    let Some(cluster) = Cluster::shared().await else { return };
    let random = Seeded::new();
    for _ in 0..2 {
        random_history(&NatsHarness::new(&cluster), 300, &mut |bound| random.below(bound)).await;
    }
}

#[test]
fn nats_store_behaves_like_the_model() {
    let (random, runtime) = (Seeded::new(), tokio::runtime::Runtime::new().unwrap());
    let Some(cluster) = runtime.block_on(Cluster::shared()) else { return };
    state_machine(&NatsHarness::new(&cluster), &runtime, 2, &mut |bound| random.below(bound));
}
