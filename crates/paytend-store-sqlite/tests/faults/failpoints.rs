//! Tests with processes that are killed at named points in the code (failpoints).

use std::collections::BTreeSet;
use std::path::PathBuf;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use paytend_vectors::Seeded;

use crate::child::{Opened, accept, report};
use crate::parent::{Reported, Running, finish_and_check, rounds};

pub(crate) const POINT: &str = "PAYTEND_CHILD_POINT";
pub(crate) const PASSES: &str = "PAYTEND_CHILD_PASSES";

pub(crate) const POINTS: [&str; 8] = [
    "sqlite-before-begin",
    "sqlite-before-operation",
    "sqlite-after-operation",
    "sqlite-after-effect",
    "sqlite-before-commit",
    "sqlite-after-commit",
    "sqlite-before-checkpoint",
    "sqlite-after-checkpoint",
];

/// Kills this process when it has passed a failpoint the specified number of times.
pub(crate) fn configure() {
    let passes: usize = std::env::var(PASSES).unwrap().parse().unwrap();
    let passed = AtomicUsize::new(0);
    let kill = move || {
        if passed.fetch_add(1, Ordering::SeqCst) + 1 == passes {
            rustix::process::kill_process(rustix::process::getpid(), rustix::process::Signal::KILL).unwrap();
        }
    };
    fail::cfg_callback(std::env::var(POINT).unwrap(), kill).unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn no_notification_is_lost_by_processes_killed_at_each_point() {
    let random = Seeded::new();
    for (index, point) in POINTS.into_iter().enumerate() {
        let directory = tempfile::tempdir().unwrap();
        let mut reported = Reported::default();
        let checkpoint = point.contains("checkpoint");
        for round in 0..rounds(3) {
            // Checkpoints are rare, because the log is copied only after it has grown by several thousand pages.
            let passes = (if checkpoint { 1 } else { 1 + random.below(60) }).to_string();
            let environment = [(POINT, point), (PASSES, passes.as_str())];
            let child = Running::start("failpoint", directory.path(), index * 1000 + round, &environment);
            child.read_until(&mut reported, |_| false);
            child.kill(&mut reported);
        }
        finish_and_check(directory.path(), &reported).await;
    }
}

/// Processes are killed at every failpoint in the sources. A new failpoint must be added to one of the lists.
#[test]
fn every_failpoint_is_in_one_of_the_lists() {
    let mut found = BTreeSet::new();
    let mut directories = ["src", "../paytend-outbox/src"].map(|path| root().join(path)).to_vec();
    while let Some(directory) = directories.pop() {
        for entry in std::fs::read_dir(directory).unwrap() {
            let path = entry.unwrap().path();
            if path.is_dir() {
                directories.push(path);
                continue;
            }
            let source = std::fs::read_to_string(path).unwrap();
            found.extend(source.split("fail_point!(\"").skip(1).map(|rest| rest.split('"').next().unwrap().to_owned()));
        }
    }
    let listed: BTreeSet<String> = POINTS.into_iter().chain(crate::orders::POINTS).map(str::to_owned).collect();
    assert_eq!(found, listed);
}

fn root() -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR"))
}

/// Makes commits fail for some time. This function runs in a child process, because failpoints apply to a whole
/// process.
pub(crate) async fn fail_commits(opened: &Opened, round: &str) {
    let accepted = async |name: String| {
        let stored = accept(opened, &name).await;
        if stored {
            report(&format!("accepted {name}"));
        }
        stored
    };
    assert!(accepted(format!("{round}-before")).await);
    fail::cfg("sqlite-before-commit", "return").unwrap();
    for i in 0..5 {
        assert!(!accepted(format!("{round}-during-{i}")).await, "a failed commit was acknowledged");
    }
    fail::remove("sqlite-before-commit");
    let deadline = std::time::Instant::now() + Duration::from_secs(30);
    while !accepted(format!("{round}-after")).await {
        assert!(std::time::Instant::now() < deadline, "the store did not recover");
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    report("end");
    std::future::pending::<()>().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn failed_commit_is_not_acknowledged() {
    let directory = tempfile::tempdir().unwrap();
    let mut reported = Reported::default();
    let child = Running::start("failed commits", directory.path(), 0, &[]);
    let mut ended = false;
    child.read_until(&mut reported, |line| {
        ended |= line == "end";
        ended
    });
    child.kill(&mut reported);
    assert!(ended, "the child failed; its output is above");
    assert_eq!(reported.accepted.len(), 2);
    finish_and_check(directory.path(), &reported).await;
}
