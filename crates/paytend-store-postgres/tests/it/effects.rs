//! Tests of effects that disable durable commits, end the transaction, or never end.

use std::future::pending;
use std::time::{Duration, Instant};

use paytend_inbox::{
    AuditEvent, ClaimRequest, Claimed, Erasure, FinishError, HandlerError, Kind, Query, Release, Store as _,
    StoreAdmin as _, StoreErrorKind, StoreKeys,
};
use paytend_outbox::testing::TestOrder;
use paytend_store_postgres::deadpool_postgres;
use paytend_store_postgres::{PostgresOptions, PostgresStore};

use crate::server::{Server, execute};
use crate::support::{EFFECTS, accept, claim, effect, open, process, running};

const LEASE: Duration = Duration::from_secs(600);
/// A deadline that is much longer than the time limit for effects in these tests, and much shorter than the time that
/// the stuck statements would take.
const SOON: Duration = Duration::from_secs(20);

/// Accepts a notification and claims it. The notification is always new, because each call uses a different
/// deduplication key.
async fn claimed_one(store: &PostgresStore) -> Claimed {
    let keys = std::sync::Arc::new(StoreKeys::generate().unwrap());
    accept(store, &keys, "one").await.unwrap();
    claim(store, 1, LEASE).await.pop().unwrap()
}

fn cause(result: Result<(), FinishError>) -> String {
    match result {
        Err(FinishError::Effect(error)) => error.cause().to_owned(),
        other => panic!("the effect must fail: {other:?}"),
    }
}

async fn lines(store: &PostgresStore) -> i64 {
    let client = store.pool().get().await.unwrap();
    client.query_one("SELECT count(*) FROM effect", &[]).await.unwrap().get(0)
}

/// The deferred trigger of the completion refuses a commit that a crash could undo.
#[tokio::test(flavor = "multi_thread")]
async fn effect_cannot_disable_the_durable_commit() {
    let Some(server) = Server::start(&[]).await else { return };
    let config = server.database().await;
    execute(&config, EFFECTS).await;
    let store = open(config, 1).await;
    for sql in ["SET synchronous_commit = off", "SET LOCAL synchronous_commit = off"] {
        let claimed = claimed_one(&store).await;
        store.complete(claimed.lease, Some(running(sql))).await.unwrap();
        let client = store.pool().get().await.unwrap();
        let row = client.query_one("SELECT current_setting('synchronous_commit')", &[]).await.unwrap();
        assert_eq!(row.get::<_, &str>(0), "on", "{sql}");
    }
    assert_eq!(lines(&store).await, 2);
}

/// If a connection was opened with an unsafe setting, a reset of the session restores this unsafe setting.
#[tokio::test(flavor = "multi_thread")]
async fn completion_on_a_connection_without_durable_commits_is_rolled_back() {
    let Some(server) = Server::start(&[]).await else { return };
    let config = server.database().await;
    execute(&config, EFFECTS).await;
    let store = open(config.clone(), 1).await;
    let claimed = claimed_one(&store).await;
    execute(&config, "ALTER ROLE postgres SET synchronous_commit = off").await;
    drop(deadpool_postgres::Object::take(store.pool().get().await.unwrap()));
    let cause = cause(store.complete(claimed.lease, Some(running(""))).await);
    assert!(cause.contains("synchronous_commit"), "{cause}");
    assert_eq!(lines(&store).await, 0);
    execute(&config, "ALTER ROLE postgres RESET synchronous_commit").await;
    drop(deadpool_postgres::Object::take(store.pool().get().await.unwrap()));
    assert!(process(&store, &claimed).await);
}

/// The effect submits an order. The deferred trigger of the order's row is checked when the effect has ended, before
/// the notification is completed.
#[tokio::test(flavor = "multi_thread")]
async fn connection_without_durable_commits_is_closed_after_an_effect() {
    let Some(server) = Server::start(&[]).await else { return };
    let config = server.database().await;
    execute(&config, EFFECTS).await;
    let store = open(config.clone(), 1).await;
    let claimed = claimed_one(&store).await;
    execute(&config, "ALTER ROLE postgres SET synchronous_commit = off").await;
    drop(deadpool_postgres::Object::take(store.pool().get().await.unwrap()));
    drop(store.pool().get().await.unwrap());
    execute(&config, "ALTER ROLE postgres RESET synchronous_commit").await;
    let keys = std::sync::Arc::new(StoreKeys::generate().unwrap());
    let submitting = || {
        let (store, order) = (store.clone(), TestOrder::new("A").prepare(&keys));
        effect(move |transaction| {
            Box::pin(async move {
                store.submit_in(transaction, &order).await.map_err(|error| HandlerError::retry(error.to_string()))?;
                Ok(())
            })
        })
    };
    let cause = cause(store.complete(claimed.lease, Some(submitting())).await);
    assert!(cause.contains("synchronous_commit"), "{cause}");
    // The connection was closed. The next connection has the role's current setting, which is safe.
    store.complete(claimed.lease, Some(submitting())).await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn nothing_is_acknowledged_on_a_connection_without_durable_commits() {
    let Some(server) = Server::start(&[]).await else { return };
    let keys = std::sync::Arc::new(StoreKeys::generate().unwrap());
    let config = server.database().await;
    let store = open(config.clone(), 1).await;
    accept(&store, &keys, "known").await.unwrap();
    for name in ["new", "known"] {
        store.pool().get().await.unwrap().batch_execute("SET synchronous_commit = off").await.unwrap();
        assert_eq!(accept(&store, &keys, name).await, None, "{name}");
        // The store has closed the connection. The next connection has the server's setting.
        assert!(accept(&store, &keys, name).await.is_some(), "{name}");
    }
    // New connections have the role's unsafe setting. The store has checked the settings only when it was opened.
    execute(&config, "ALTER ROLE postgres SET synchronous_commit = off").await;
    let other = PostgresOptions::new(config.clone()).danger_any_settings().open().await.unwrap();
    assert!(accept(&other, &keys, "danger").await.is_some());
    drop(other);
    let client = store.pool().get().await.unwrap();
    client.batch_execute("SET synchronous_commit = off").await.unwrap();
    drop(client);
    for _ in 0..3 {
        assert_eq!(accept(&store, &keys, "lost").await, None);
    }
    execute(&config, "ALTER ROLE postgres RESET synchronous_commit").await;
    assert!(accept(&store, &keys, "lost").await.is_some());
}

#[tokio::test(flavor = "multi_thread")]
async fn settings_that_an_effect_changes_are_reset() {
    let Some(server) = Server::start(&[]).await else { return };
    let config = server.database().await;
    execute(&config, EFFECTS).await;
    let store = open(config, 1).await;
    let claimed = claimed_one(&store).await;
    let sql = "SET search_path = pg_catalog; SET statement_timeout = 1; SET search_path = public";
    store.complete(claimed.lease, Some(running(sql))).await.unwrap();
    let client = store.pool().get().await.unwrap();
    let row = client.query_one("SELECT current_setting('statement_timeout')", &[]).await.unwrap();
    assert_eq!(row.get::<_, &str>(0), "0");
}

#[tokio::test(flavor = "multi_thread")]
async fn effect_that_ends_the_transaction_or_ignores_an_error_fails() {
    let Some(server) = Server::start(&[]).await else { return };
    let config = server.database().await;
    execute(&config, EFFECTS).await;
    let store = open(config, 2).await;
    let claimed = claimed_one(&store).await;
    for sql in ["ROLLBACK", "ROLLBACK; BEGIN"] {
        let cause = cause(store.complete(claimed.lease, Some(running(sql))).await);
        assert!(cause.contains("ended the transaction"), "{cause}");
    }
    let ignoring = effect(|transaction| {
        Box::pin(async move {
            let _ = transaction.batch_execute("SELECT 1 / 0").await;
            Ok(())
        })
    });
    let cause = cause(store.complete(claimed.lease, Some(ignoring)).await);
    assert!(cause.contains("ignored"), "{cause}");
    assert_eq!(lines(&store).await, 0);
    assert!(process(&store, &claimed).await);
    assert_eq!(store.stats().await.unwrap().done, 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn stuck_effect_fails_in_time_and_releases_its_connection_and_locks() {
    let Some(server) = Server::start(&[]).await else { return };
    let config = server.database().await;
    execute(&config, EFFECTS).await;
    let limit = Duration::from_millis(200);
    let store = PostgresOptions::new(config).max_connections(1).effect_timeout(limit).open().await.unwrap();
    let mut claimed = claimed_one(&store).await;
    // The effects are a long statement, code that waits without a statement, and SQL that removes the session's time
    // limits.
    let waiting = effect(|transaction| {
        Box::pin(async move {
            transaction.batch_execute("INSERT INTO effect VALUES ('x')").await?;
            pending().await
        })
    });
    let unlimited = "SET statement_timeout = 0; SET idle_in_transaction_session_timeout = 0; SELECT pg_sleep(600)";
    for stuck in [running("SELECT pg_sleep(600)"), waiting, running(unlimited)] {
        let started = Instant::now();
        let cause = cause(store.complete(claimed.lease, Some(stuck)).await);
        assert!(cause.contains("time limit"), "{cause}");
        // The row must no longer be locked.
        let retry = Release::Retry { after: Duration::ZERO, cause: cause.clone() };
        store.release(claimed.lease, retry).await.unwrap();
        claimed = claim(&store, 1, LEASE).await.pop().unwrap();
        assert!(started.elapsed() < SOON, "{:?}", started.elapsed());
    }
    assert_eq!(lines(&store).await, 0);
    let deadline = Instant::now() + SOON;
    loop {
        let client = store.pool().get().await.unwrap();
        let sql = "SELECT count(*) FROM pg_stat_activity WHERE query LIKE '%pg_sleep(600)' AND state <> 'idle'";
        if client.query_one(sql, &[]).await.unwrap().get::<_, i64>(0) == 0 {
            break;
        }
        assert!(Instant::now() < deadline, "a stuck statement is still running");
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
}

/// PostgreSQL text values cannot contain U+0000, so the store replaces it.
#[tokio::test(flavor = "multi_thread")]
async fn texts_with_u_0000_are_stored_and_found() {
    let Some(server) = Server::start(&[]).await else { return };
    let config = server.database().await;
    let store = open(config, 1).await;
    let keys = std::sync::Arc::new(StoreKeys::generate().unwrap());
    let kind = Kind::named("a\0kind");
    let named = |name: &str| paytend_inbox::testing::TestNotification {
        business_id: Some("an\0object".into()),
        kind: kind.clone(),
        ..paytend_inbox::testing::TestNotification::new(name)
    };
    for name in ["one", "two"] {
        store.accept(named(name).prepare(&keys)).await.unwrap();
    }
    let claim = async |limit| {
        let kind_limits = vec![(kind.clone(), limit)];
        store.claim(ClaimRequest { limit: 10, lease: LEASE, holder: 1, kind_limits }).await.unwrap()
    };
    assert_eq!(claim(0).await.len(), 0);
    let claimed = claim(1).await.pop().unwrap();
    let cause = || "a\0cause".to_owned();
    store.release(claimed.lease, Release::Retry { after: Duration::ZERO, cause: cause() }).await.unwrap();
    let claimed = claim(2).await;
    assert_eq!(claimed.len(), 2);
    store.release(claimed[0].lease, Release::DeadLetter { cause: cause() }).await.unwrap();
    assert!(store.bury(claimed[1].lease.id, cause()).await.unwrap());
    let query = || Query { kind: Some(kind.clone()), limit: 10, ..Query::default() };
    let listed = store.list(query()).await.unwrap();
    assert!(listed.len() == 2 && listed.iter().all(|entry| entry.cause.as_deref() == Some("a\u{fffd}cause")));
    store.record(AuditEvent::new("look", "an\0operator").detail(Some(cause()))).await.unwrap();
    assert_eq!(store.erase(Erasure::new("an\0object")).await.unwrap(), 2);
}

#[tokio::test(flavor = "multi_thread")]
async fn errors_contain_the_servers_messages_without_values() {
    let Some(server) = Server::start(&[]).await else { return };
    let config = server.database().await;
    execute(&config, EFFECTS).await;
    execute(&config, "CREATE TABLE booking (amount numeric CONSTRAINT booking_amount UNIQUE)").await;
    let store = open(config.clone(), 1).await;
    let claimed = claimed_one(&store).await;
    for (sql, named, hidden) in [
        ("INSERT INTO booking VALUES (77123), (77123)", "23505: duplicate key value", "77123"),
        ("INSERT INTO booking VALUES ('secret')", "22P02", "secret"),
        ("INSERT INTO absent VALUES (1)", "42P01: relation \"absent\" does not exist", "INSERT"),
        ("SELECT 'a' 'secret'", "42601", "secret"),
        ("DO $$ BEGIN RAISE EXCEPTION 'secret'; END $$", "P0001", "secret"),
    ] {
        let cause = cause(store.complete(claimed.lease, Some(running(sql))).await);
        assert!(cause.contains(named) && !cause.contains(hidden), "{cause}");
    }
    // Store errors contain no values, and neither do the messages in their source chains.
    execute(&config, "ALTER TABLE paytend_notification ADD CONSTRAINT refused CHECK (route = '') NOT VALID").await;
    let keys = std::sync::Arc::new(StoreKeys::generate().unwrap());
    let secret = paytend_inbox::testing::TestNotification {
        business_id: Some("secret".into()),
        ..paytend_inbox::testing::TestNotification::new("two")
    };
    let error = store.accept(secret.prepare(&keys)).await.unwrap_err();
    let mut texts = format!("{error} {error:?}");
    let mut source = std::error::Error::source(&error);
    while let Some(error) = source {
        texts += &format!(" {error} {error:?}");
        source = error.source();
    }
    assert!(texts.contains("23514") && texts.contains("refused") && !texts.contains("secret"), "{texts}");
    execute(&config, "DROP TABLE paytend_work CASCADE").await;
    let error = store.stats().await.unwrap_err();
    assert_eq!(error.kind(), StoreErrorKind::Configuration);
    assert!(error.to_string().contains("schema"), "{error}");
}
