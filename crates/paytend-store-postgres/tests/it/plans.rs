//! Tests of the plans for the store's statements, and of the settings with which effects are planned.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::{Duration, Instant};

use futures_util::future::join_all;
use paytend_inbox::testing::TestNotification;
use paytend_inbox::{Id, Store as _, StoreKeys};
use paytend_store_postgres::tokio_postgres::Config;
use paytend_store_postgres::{PostgresEffect, PostgresStore};

use crate::server::{Server, execute, number};
use crate::support::{claim, effect};
use crate::together::{LEASE, complete_all, create, recording, warm_up};

/// The number of rows that were read by scanning whole tables of the store, except its list of settings.
const SCANNED: &str = "SELECT coalesce(sum(seq_tup_read), 0)::int FROM pg_stat_user_tables \
     WHERE relname LIKE 'paytend\\_%' AND relname <> 'paytend_meta'";
const ROUNDS: usize = 12;
const ROUND: usize = 40;

/// Accepts, claims and completes notifications. Each notification arrives twice.
async fn process(store: &PostgresStore, keys: &Arc<StoreKeys>, round: usize) {
    let names: Vec<_> = (0..ROUND).map(|index| format!("{round}-{index}")).collect();
    let notification = |name: &String, round: usize| {
        let order = round.is_multiple_of(2).then(|| format!("key of {name}"));
        TestNotification { order, ..TestNotification::new(name) }.prepare(keys)
    };
    for _ in 0..2 {
        let accepted = join_all(names.iter().map(|name| store.accept(notification(name, round)))).await;
        assert!(accepted.iter().all(Result::is_ok), "{accepted:?}");
    }
    let claimed = claim(store, ROUND, LEASE).await;
    assert_eq!(claimed.len(), ROUND);
    let causes = complete_all(store, claimed, |id| recording(id, "")).await;
    assert_eq!(causes, BTreeMap::new());
}

/// Returns the number of scanned rows, after the server's processes have reported it. They report it when their
/// connections are closed.
async fn scanned(config: &Config, store: PostgresStore) -> i32 {
    store.pool().close();
    drop(store);
    let deadline = Instant::now() + Duration::from_secs(60);
    let others = "SELECT count(*)::int FROM pg_stat_activity \
         WHERE datname = current_database() AND pid <> pg_backend_pid() AND backend_type = 'client backend'";
    while number(config, others).await > 0 {
        assert!(Instant::now() < deadline, "the store's connections stay open");
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    number(config, SCANNED).await
}

#[tokio::test(flavor = "multi_thread")]
async fn tables_that_were_vacuumed_while_empty_are_not_scanned() {
    let Some(server) = Server::start(&["autovacuum=off"]).await else { return };
    let (config, store) = create(&server).await;
    execute(&config, "VACUUM (ANALYZE)").await;
    let keys = Arc::new(StoreKeys::generate().unwrap());
    for round in 0..ROUNDS {
        process(&store, &keys, round).await;
    }
    let scanned = scanned(&config, store).await;
    let stored = ROUNDS * ROUND;
    assert!(scanned < 400, "{scanned} rows were read by scanning whole tables with up to {stored} rows");
}

/// Returns an effect that records the setting with which its statements are planned, and then changes it.
fn planned(_: Id) -> PostgresEffect {
    effect(|transaction| {
        Box::pin(async move {
            let sql = "INSERT INTO effect VALUES (current_setting('enable_seqscan')); SET enable_seqscan = off";
            Ok(transaction.batch_execute(sql).await?)
        })
    })
}

#[tokio::test(flavor = "multi_thread")]
async fn effects_are_planned_as_the_server_is_configured() {
    let Some(server) = Server::start(&[]).await else { return };
    // A deferrable constraint prevents effects from sharing a transaction.
    for table in ["", "CREATE TABLE booking (line text UNIQUE DEFERRABLE)"] {
        let (config, store) = create(&server).await;
        execute(&config, table).await;
        warm_up(&store).await;
        let keys = Arc::new(StoreKeys::generate().unwrap());
        let new = (0..ROUND).map(|index| TestNotification::new(index.to_string()).prepare(&keys));
        assert!(join_all(new.map(|new| store.accept(new))).await.iter().all(Result::is_ok));
        let claimed = claim(&store, ROUND, LEASE).await;
        assert_eq!(complete_all(&store, claimed, planned).await, BTreeMap::new());
        let count = i32::try_from(ROUND).unwrap();
        assert_eq!(number(&config, "SELECT count(*)::int FROM effect").await, count, "{table}");
        assert_eq!(number(&config, "SELECT count(*)::int FROM effect WHERE line = 'on'").await, count, "{table}");
        for _ in 0..4 {
            let client = store.pool().get().await.unwrap();
            let setting = client.query_one("SELECT current_setting('enable_seqscan')", &[]).await.unwrap();
            assert_eq!(setting.get::<_, String>(0), "on", "the setting outlives its transaction");
        }
    }
}
