//! Tests with processes that are killed under load.

use paytend_vectors::Seeded;

use crate::parent::{Reported, Running, finish_and_check, losses, rounds};

#[tokio::test(flavor = "multi_thread")]
async fn killed_processes_lose_no_notification_and_repeat_no_effect() {
    let random = Seeded::new();
    let directory = tempfile::tempdir().unwrap();
    let mut reported = Reported::default();
    for round in 0..rounds(6) {
        let child = Running::start("load", directory.path(), round, &[]);
        let mut left = random.below(400);
        child.read_until(&mut reported, |line| {
            left = left.saturating_sub(usize::from(line.contains(' ')));
            left == 0
        });
        child.kill(&mut reported);
        // Every round continues with the store of the previous round, so a full check in every fifth round is enough.
        if round % 5 == 0 {
            losses(&crate::child::open(directory.path(), false).await, &reported).await.assert_none();
        }
    }
    assert!(reported.accepted.len() > 20, "{}", reported.accepted.len());
    finish_and_check(directory.path(), &reported).await;
}
