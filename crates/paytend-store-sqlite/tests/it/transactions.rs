//! Tests of batches, savepoints and effects.

use std::time::{Duration, Instant};

use paytend_inbox::testing::{EffectEnd, Harness as _, TestNotification};
use paytend_inbox::{ClaimRequest, FinishError, HandlerError, Release, State, Store as _, StoreAdmin as _};
use paytend_store_sqlite::{SqliteEffect, SqliteStore};

use crate::support::{EFFECTS, SqliteHarness, accept, claim, in_one_batch, keys, recorded, stop_writer};

/// A query that takes SQLite several seconds, because it counts to a large number.
const SLOW_READ: &str = "WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 1000000000) \
     SELECT count(*) FROM n";

#[tokio::test]
async fn waiting_operations_are_committed_together() {
    let harness = SqliteHarness::new();
    let keys = keys();
    let store = harness.options("a.db").open().unwrap();
    let started = Instant::now();
    let notifications: Vec<_> = (0..2_000).map(|i| TestNotification::new(i.to_string()).prepare(&keys)).collect();
    let accepted = futures_util::future::join_all(notifications.into_iter().map(|n| store.accept(n))).await;
    assert!(accepted.iter().all(Result::is_ok));
    // A commit for each operation would take longer than this limit on a disk that syncs data.
    assert!(started.elapsed() < Duration::from_secs(20), "{:?}", started.elapsed());
    assert_eq!(store.stats().await.unwrap().ready, 2_000);
}

#[tokio::test]
async fn notifications_are_refused_immediately_if_the_queue_is_full() {
    let harness = SqliteHarness::new();
    let keys = keys();
    let store = harness.options("a.db").max_waiting(8).open().unwrap();
    let notifications: Vec<_> = (0..500).map(|i| TestNotification::new(i.to_string()).prepare(&keys)).collect();
    let accepted = futures_util::future::join_all(notifications.into_iter().map(|n| store.accept(n))).await;
    let stored = accepted.iter().filter(|accepted| accepted.is_ok()).count();
    let refused = accepted.iter().filter_map(|accepted| accepted.as_ref().err());
    assert!(refused.clone().count() > 0 && stored >= 8);
    assert!(refused.clone().all(|error| error.to_string() == "the store is overloaded"));
    assert_eq!(store.stats().await.unwrap().ready, stored as u64, "refused notifications are not stored");
}

#[tokio::test]
async fn failed_effect_does_not_affect_its_batch() {
    let harness = SqliteHarness::new();
    let keys = keys();
    let store = harness.create().await;
    for i in 0..9 {
        accept(&store, &keys, &i.to_string()).await;
    }
    let claimed = claim(&store, 9).await;
    let ends = [EffectEnd::Ok, EffectEnd::Error, EffectEnd::Panic];
    let completing = claimed
        .iter()
        .enumerate()
        .map(|(i, claimed)| store.complete(claimed.lease, Some(harness.effect(&i.to_string(), ends[i % 3]))));
    let results = futures_util::future::join_all(completing).await;
    for (i, result) in results.iter().enumerate() {
        match ends[i % 3] {
            EffectEnd::Ok => assert!(result.is_ok(), "{result:?}"),
            _ => assert!(matches!(result, Err(FinishError::Effect(_))), "{result:?}"),
        }
    }
    assert_eq!(recorded(&store).await, ["0", "3", "6"]);
    assert_eq!(store.stats().await.unwrap().done, 3);
}

fn sql_effect(sql: &'static str) -> SqliteEffect {
    Box::new(move |transaction| {
        transaction.execute_batch(sql)?;
        Ok(())
    })
}

/// An effect that ends the transaction causes its whole batch to fail. Other operations are acknowledged only if they
/// are stored.
#[tokio::test]
async fn effect_that_ends_the_transaction_fails() {
    let harness = SqliteHarness::new();
    let keys = keys();
    let store = harness.create().await;
    for (i, sql) in ["ROLLBACK", "COMMIT", "ROLLBACK; BEGIN", "COMMIT; BEGIN"].into_iter().enumerate() {
        accept(&store, &keys, &i.to_string()).await;
        let claimed = claim(&store, 1).await.remove(0);
        let notification = TestNotification::new(format!("in the batch of {sql}"));
        let (completed, accepted) = tokio::join!(
            store.complete(claimed.lease, Some(sql_effect(sql))),
            store.accept(notification.prepare(&keys)),
        );
        assert!(completed.is_err(), "{sql}");
        // The store works again, and the acknowledged notifications are stored.
        accept(&store, &keys, &format!("after {sql}")).await;
        if let Ok(accepted) = accepted {
            assert!(store.show(accepted.id(), None).await.unwrap().is_some(), "{sql}");
        }
        for pending in claim(&store, 10).await {
            store.complete(pending.lease, None).await.unwrap();
        }
    }
    assert_eq!(store.check().await.unwrap(), Vec::<String>::new());
}

#[tokio::test]
async fn slow_effects_are_interrupted() {
    let harness = SqliteHarness::new();
    let keys = keys();
    let store = harness.options("a.db").effect_timeout(Duration::from_millis(50)).open().unwrap();
    store.write(|transaction| transaction.execute_batch(EFFECTS)).await.unwrap();
    accept(&store, &keys, "a").await;
    let claimed = claim(&store, 1).await.remove(0);
    let started = Instant::now();
    let slow: SqliteEffect = Box::new(|transaction| {
        transaction.execute("INSERT INTO effect VALUES ('rolled back')", [])?;
        transaction.query_row(SLOW_READ, [], |_| Ok(()))?;
        Ok(())
    });
    let result = store.complete(claimed.lease, Some(slow)).await;
    let Err(FinishError::Effect(error)) = result else { panic!("{result:?}") };
    assert_eq!(error.cause(), "the effect exceeded its time limit");
    assert!(started.elapsed() < Duration::from_secs(5), "{:?}", started.elapsed());
    assert_eq!(recorded(&store).await, Vec::<String>::new());
    // The limit does not apply to later operations.
    store.complete(claimed.lease, Some(harness.effect("b", EffectEnd::Ok))).await.unwrap();
    assert_eq!(recorded(&store).await, ["b"]);
}

/// A timeout rolls back the whole transaction. If an effect ignores the error, the notification must not be completed,
/// and later writes of the effect must not be kept.
#[tokio::test]
async fn effect_that_ignores_its_timeout_fails() {
    let harness = SqliteHarness::new();
    let keys = keys();
    let store = harness.options("a.db").effect_timeout(Duration::from_millis(50)).open().unwrap();
    store.write(|transaction| transaction.execute_batch(EFFECTS)).await.unwrap();
    accept(&store, &keys, "a").await;
    let claimed = claim(&store, 1).await.remove(0);
    let careless: SqliteEffect = Box::new(|transaction| {
        transaction.execute("INSERT INTO effect VALUES ('before')", [])?;
        let _ = transaction.query_row(SLOW_READ, [], |_| Ok(()));
        let _ = transaction.execute("INSERT INTO effect VALUES ('after')", []);
        Ok(())
    });
    let result = store.complete(claimed.lease, Some(careless)).await;
    assert!(result.is_err(), "{result:?}");
    assert_eq!(recorded(&store).await, Vec::<String>::new());
    assert_eq!((store.stats().await.unwrap().done, store.stats().await.unwrap().leased), (0, 1));
    store.complete(claimed.lease, Some(harness.effect("b", EffectEnd::Ok))).await.unwrap();
    assert_eq!(recorded(&store).await, ["b"]);
}

/// `INSERT OR ROLLBACK` also ends the transaction.
#[tokio::test]
async fn effect_that_ignores_a_rollback_fails() {
    let harness = SqliteHarness::new();
    let keys = keys();
    let store = harness.create().await;
    store.write(|transaction| transaction.execute_batch("CREATE TABLE once (name TEXT UNIQUE)")).await.unwrap();
    accept(&store, &keys, "a").await;
    let claimed = claim(&store, 1).await.remove(0);
    let careless: SqliteEffect = Box::new(|transaction| {
        transaction.execute("INSERT INTO effect VALUES ('before')", [])?;
        transaction.execute("INSERT INTO once VALUES ('x')", [])?;
        let _ = transaction.execute("INSERT OR ROLLBACK INTO once VALUES ('x')", []);
        let _ = transaction.execute("INSERT INTO effect VALUES ('after')", []);
        Ok(())
    });
    let result = store.complete(claimed.lease, Some(careless)).await;
    assert!(result.is_err(), "{result:?}");
    assert_eq!(recorded(&store).await, Vec::<String>::new());
    assert_eq!(store.stats().await.unwrap().done, 0);
    assert_eq!(store.check().await.unwrap(), Vec::<String>::new());
}

/// A claim must not wake workers. Otherwise, an idle worker would claim without a pause.
#[tokio::test]
async fn only_operations_that_can_make_a_notification_ready_wake_workers() {
    let harness = SqliteHarness::new();
    let keys = keys();
    let store = harness.create().await;
    let mut changed = Box::pin(store.changed());
    assert!(futures_util::poll!(changed.as_mut()).is_pending());
    assert!(claim(&store, 1).await.is_empty());
    // The writer runs operations in order, so the first claim has ended when the second claim returns.
    assert!(claim(&store, 1).await.is_empty());
    assert!(futures_util::poll!(changed.as_mut()).is_pending());
    accept(&store, &keys, "a").await;
    accept(&store, &keys, "b").await;
    assert!(futures_util::poll!(changed.as_mut()).is_ready());
}

#[tokio::test]
async fn effect_is_not_run_for_a_lost_lease() {
    let harness = SqliteHarness::new();
    let store = harness.create().await;
    let id = accept(&store, &keys(), "a").await;
    let claimed = claim(&store, 1).await.remove(0);
    assert!(store.bury(id, "buried by an operator".into()).await.unwrap());
    let effect: SqliteEffect = Box::new(|_| Err(HandlerError::retry("the effect ran")));
    assert!(matches!(store.complete(claimed.lease, Some(effect)).await, Err(FinishError::LeaseLost)));
}

#[tokio::test]
async fn file_is_reopened_and_checked_after_a_disk_error_in_an_effect() {
    use paytend_store_sqlite::rusqlite::{Error, ffi};
    let harness = SqliteHarness::new();
    let keys = keys();
    let store = harness.create().await;
    let id = accept(&store, &keys, "a").await;
    let lease = claim(&store, 1).await.remove(0).lease;
    let failing = |code: i32| -> SqliteEffect {
        Box::new(move |transaction| {
            transaction.execute("INSERT INTO effect VALUES ('before the error')", [])?;
            Err(Error::SqliteFailure(ffi::Error::new(code), None))?;
            Ok(())
        })
    };
    let failed = store.complete(lease, Some(failing(ffi::SQLITE_IOERR_FSYNC))).await;
    assert!(matches!(failed, Err(FinishError::Store(_))), "{failed:?}");
    // The file was reopened and checked, and the notification is still leased.
    let failed = store.complete(lease, Some(failing(ffi::SQLITE_CONSTRAINT))).await;
    assert!(matches!(failed, Err(FinishError::Effect(_))), "{failed:?}");
    store.complete(lease, None).await.unwrap();
    assert_eq!(recorded(&store).await, Vec::<String>::new());
    assert_eq!(store.show(id, None).await.unwrap().unwrap().state, paytend_inbox::State::Done);
}

/// An effect whose statement writes and exceeds the time limit. SQLite then rolls back the whole transaction.
fn slow_write() -> SqliteEffect {
    sql_effect(
        "INSERT INTO effect WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 1000000000) \
         SELECT 'slow' FROM n WHERE i < 0",
    )
}

/// If an effect exceeds its time limit, its whole batch is rolled back. The attempts of the other notifications in the
/// batch must not count, because their effects did not fail.
#[tokio::test(flavor = "multi_thread")]
async fn timeout_of_an_effect_does_not_count_attempts_in_its_batch() {
    let harness = SqliteHarness::new();
    let keys = keys();
    let store = harness.options("a.db").effect_timeout(Duration::from_millis(50)).open().unwrap();
    store.write(|transaction| transaction.execute_batch(EFFECTS)).await.unwrap();
    for name in ["completed", "slow"] {
        accept(&store, &keys, name).await;
    }
    let leases: Vec<_> = claim(&store, 2).await.into_iter().map(|claimed| claimed.lease).collect();
    let end = |effect: SqliteEffect| store.complete(leases[0], Some(effect));
    let (completed, timed_out) =
        in_one_batch(&store, end(harness.effect("a", EffectEnd::Ok)), store.complete(leases[1], Some(slow_write())))
            .await;
    assert!(matches!(completed, Err(FinishError::NotApplied)), "{completed:?}");
    assert!(matches!(timed_out, Err(FinishError::Effect(_))), "{timed_out:?}");
    let retry = Release::Retry { after: Duration::ZERO, cause: String::new() };
    for release in [retry, Release::GiveBack] {
        let timed_out = store.complete(leases[1], Some(slow_write()));
        let (released, _) = in_one_batch(&store, store.release(leases[0], release), timed_out).await;
        assert!(matches!(released, Err(FinishError::NotApplied)), "{released:?}");
    }
    // The burial ends the lease, but is rolled back together with the completion. Therefore, the lease is not lost.
    let resume = stop_writer(&store).await;
    let mut bury = std::pin::pin!(store.bury(leases[0].id, "by hand".into()));
    let mut complete = std::pin::pin!(end(harness.effect("a", EffectEnd::Ok)));
    let mut timed_out = std::pin::pin!(store.complete(leases[1], Some(slow_write())));
    assert!(futures_util::poll!(bury.as_mut()).is_pending());
    assert!(futures_util::poll!(complete.as_mut()).is_pending());
    assert!(futures_util::poll!(timed_out.as_mut()).is_pending());
    drop(resume);
    let (buried, completed, _) = tokio::join!(bury, complete, timed_out);
    assert!(buried.is_err() && matches!(completed, Err(FinishError::NotApplied)), "{buried:?} {completed:?}");
    store.complete(leases[0], Some(harness.effect("a", EffectEnd::Ok))).await.unwrap();
    assert_eq!(recorded(&store).await, ["a"]);
}

/// If a worker stops waiting for its claim, no attempt must be counted.
#[tokio::test(flavor = "multi_thread")]
async fn claim_without_a_caller_claims_nothing() {
    let harness = SqliteHarness::new();
    let store = harness.create().await;
    let id = accept(&store, &keys(), "a").await;
    let resume = stop_writer(&store).await;
    let request = ClaimRequest { limit: 1, lease: Duration::from_secs(60), holder: 1, kind_limits: Vec::new() };
    {
        let mut abandoned = std::pin::pin!(store.claim(request));
        assert!(futures_util::poll!(abandoned.as_mut()).is_pending());
    }
    drop(resume);
    // The writer runs operations in order, so the abandoned claim has ended when this write returns.
    store.write(|_| Ok(())).await.unwrap();
    let entry = store.show(id, None).await.unwrap().unwrap();
    assert_eq!((entry.state, entry.tries), (State::Ready, 0));
}

mod disk_errors {
    use paytend_inbox::{StoreError, StoreErrorKind};
    use paytend_outbox::SubmitError;
    use paytend_store_sqlite::rusqlite::{Error, ffi};

    use super::*;

    fn disk_error() -> Error {
        Error::SqliteFailure(ffi::Error::new(ffi::SQLITE_IOERR_FSYNC), None)
    }

    fn submit_error() -> SubmitError {
        StoreError::unavailable("cannot submit an order").with_source(disk_error()).into()
    }

    /// Waits until the file was reopened and checked.
    async fn is_open_again(store: &SqliteStore) {
        let deadline = Instant::now() + Duration::from_secs(60);
        while store.write(|_| Ok(())).await.is_err() {
            assert!(Instant::now() < deadline, "the file is not opened again");
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    }

    /// This is the documented way to submit an order in an effect.
    #[tokio::test]
    async fn disk_error_in_a_submission_causes_the_file_to_be_reopened() {
        let harness = SqliteHarness::new();
        let store = harness.create().await;
        accept(&store, &keys(), "a").await;
        let lease = claim(&store, 1).await.remove(0).lease;
        let effect: SqliteEffect = Box::new(|_| Err(submit_error().into_handler_error()));
        let failed = store.complete(lease, Some(effect)).await;
        assert!(matches!(failed, Err(FinishError::Store(_))), "{failed:?}");
        store.complete(lease, None).await.unwrap();
    }

    /// After a disk error, the batch is not committed.
    #[tokio::test(flavor = "multi_thread")]
    async fn disk_error_in_a_transaction_causes_the_file_to_be_reopened() {
        type Boxed = Box<dyn std::error::Error + Send + Sync>;
        let harness = SqliteHarness::new();
        let keys = keys();
        let store = harness.create().await;
        let other = |name: &str| store.accept(TestNotification::new(name).prepare(&keys));
        let failing = store.transaction(|_| Err::<(), _>(submit_error()));
        let (accepted, failed) = in_one_batch(&store, other("submit"), failing).await;
        assert!(accepted.is_err() && matches!(failed, Err(SubmitError::Store(_))), "{accepted:?} {failed:?}");
        is_open_again(&store).await;
        let failing = store.transaction(|_| Err::<(), Boxed>(Box::new(submit_error())));
        let (accepted, failed) = in_one_batch(&store, other("boxed"), failing).await;
        assert!(accepted.is_err() && failed.is_err(), "{accepted:?} {failed:?}");
        is_open_again(&store).await;
        let failing = store.transaction(|_| Err::<(), _>(StoreError::unavailable("x").with_source(disk_error())));
        let (accepted, failed) = in_one_batch(&store, other("store"), failing).await;
        assert!(accepted.is_err() && failed.is_err(), "{accepted:?} {failed:?}");
        // Other errors affect only their own transaction.
        is_open_again(&store).await;
        let failing = store.transaction(|_| Err::<(), _>(StoreError::new(StoreErrorKind::Corrupt, "x")));
        let (accepted, failed) = in_one_batch(&store, other("no disk error"), failing).await;
        assert!(accepted.is_ok() && failed.is_err(), "{accepted:?} {failed:?}");
    }

    /// A volume that disappears leaves an empty directory. An empty store in it would refuse all operations, and would
    /// stay in use after the volume has returned.
    #[cfg(unix)]
    #[tokio::test]
    async fn file_that_disappears_is_not_created_again() {
        let harness = SqliteHarness::new();
        let keys = keys();
        let store = harness.create().await;
        let id = accept(&store, &keys, "a").await;
        let names = ["0.db", "0.db-wal", "0.db-shm"];
        let moved = harness.path("moved");
        std::fs::create_dir(&moved).unwrap();
        for name in names {
            std::fs::rename(harness.path(name), moved.join(name)).unwrap();
        }
        store.write(|_| Err::<(), _>(disk_error())).await.unwrap_err();
        let error = store.write(|_| Ok(())).await.unwrap_err();
        assert!(error.to_string().contains("cannot open"), "{error}");
        assert!(!harness.path("0.db").exists(), "an empty store was created");
        for name in names.iter().filter(|name| moved.join(name).exists()) {
            std::fs::rename(moved.join(name), harness.path(name)).unwrap();
        }
        is_open_again(&store).await;
        assert_eq!(store.show(id, None).await.unwrap().unwrap().state, State::Ready);
        accept(&store, &keys, "b").await;
    }
}
