//! Tests of batches, savepoints and effects.

use std::time::{Duration, Instant};

use paytend_inbox::testing::{EffectEnd, Harness as _, TestNotification};
use paytend_inbox::{FinishError, HandlerError, Store as _, StoreAdmin as _};
use paytend_store_sqlite::SqliteEffect;

use crate::support::{EFFECTS, SqliteHarness, accept, claim, keys, recorded};

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

/// An effect that ends the transaction fails the whole batch. No operation of the batch is acknowledged.
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
