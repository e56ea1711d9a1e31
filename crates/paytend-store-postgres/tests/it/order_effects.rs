//! Tests of order effects that end their transaction, never end, or change their session.

use std::future::pending;
use std::sync::Arc;
use std::time::{Duration, Instant};

use paytend_inbox::{FinishError, HandlerError, Lease, StoreKeys};
use paytend_outbox::testing::TestOrder;
use paytend_outbox::{ClaimOrders, Ended, OutboxAdmin as _, OutboxStore as _, State};
use paytend_store_postgres::tokio_postgres::Config;
use paytend_store_postgres::{PostgresEffect, PostgresOptions, PostgresStore};

use crate::server::{Server, execute, number};
use crate::support::{EFFECTS, effect, running};

const LEASE: Duration = Duration::from_secs(600);
const SOON: Duration = Duration::from_secs(20);
const LIMIT: Duration = Duration::from_millis(300);

async fn create(server: &Server) -> (Config, PostgresStore) {
    let config = server.database().await;
    execute(&config, EFFECTS).await;
    let options = PostgresOptions::new(config.clone()).max_connections(1).effect_timeout(LIMIT);
    (config, options.open().await.unwrap())
}

/// Submits an order, claims it, begins its send, and stores its response.
async fn sent(store: &PostgresStore, order: TestOrder) -> Lease {
    let keys = Arc::new(StoreKeys::generate().unwrap());
    store.submit_order(order.prepare(&keys)).await.unwrap();
    let operations = vec![(order.operation.clone(), 1)];
    let request = ClaimOrders { limit: 1, lease: LEASE, holder: 1, operations };
    let lease = store.claim_orders(request).await.unwrap().pop().unwrap().lease;
    store.begin_send(lease).await.unwrap();
    let response = keys.seal_bound(&[b"result"], b"the response").unwrap();
    store.record_outcome(lease, Ended::Responded, response).await.unwrap();
    lease
}

async fn complete(store: &PostgresStore, lease: Lease, effect: PostgresEffect) -> Result<(), FinishError> {
    store.complete_order(lease, Ended::Responded, Some(effect)).await
}

/// Returns whether an order whose response is stored has been completed.
async fn is_completed(store: &PostgresStore, number: &str) -> bool {
    let progress = store.show_order(number.to_owned(), None).await.unwrap().unwrap().progress;
    assert_eq!(progress.state, State::Responded);
    !progress.is_open
}

#[tokio::test(flavor = "multi_thread")]
async fn failing_order_effects_are_rolled_back() {
    let Some(server) = Server::start(&[]).await else { return };
    let (config, store) = create(&server).await;
    execute(&config, "CREATE TABLE booking (line text UNIQUE DEFERRABLE INITIALLY DEFERRED)").await;
    let lease = sent(&store, TestOrder::new("A")).await;
    let ignoring = || {
        effect(|transaction| {
            Box::pin(async move {
                let _ = transaction.batch_execute("SELECT 1 / 0").await;
                Ok(())
            })
        })
    };
    let unlimited = "SET statement_timeout = 0; SET idle_in_transaction_session_timeout = 0; SELECT pg_sleep(600)";
    let bad: [(&str, PostgresEffect); 8] = [
        ("22012", running("SELECT 1 / 0")),
        ("ended the transaction", running("ROLLBACK")),
        ("ended the transaction", running("ROLLBACK; SET search_path = pg_catalog; BEGIN")),
        ("ignored an error", ignoring()),
        ("time limit", effect(|_| Box::pin(pending()))),
        ("time limit", running("SELECT pg_sleep(600)")),
        ("time limit", running(unlimited)),
        ("23505", running("INSERT INTO booking VALUES ('x'), ('x')")),
    ];
    for (expected, effect) in bad {
        let started = Instant::now();
        match complete(&store, lease, effect).await {
            Err(FinishError::Effect(error)) => assert!(error.cause().contains(expected), "{}", error.cause()),
            other => panic!("{expected}: {other:?}"),
        }
        assert!(started.elapsed() < SOON);
        assert!(!is_completed(&store, "A").await, "{expected}");
        assert_eq!(number(&config, "SELECT count(*)::int FROM effect").await, 0, "{expected}");
    }
    complete(&store, lease, running("")).await.unwrap();
    assert!(is_completed(&store, "A").await);
}

/// The statements that complete an order run after the effect in the same session, so the effect's settings must be
/// reset.
#[tokio::test(flavor = "multi_thread")]
async fn settings_of_an_order_effect_are_reset_after_it() {
    let Some(server) = Server::start(&[]).await else { return };
    let (config, store) = create(&server).await;
    execute(&config, "CREATE ROLE other; GRANT INSERT ON effect TO other").await;
    let changes = [
        "SET search_path = pg_catalog",
        "SET ROLE other",
        "SET SESSION AUTHORIZATION other",
        "SET synchronous_commit = off",
        "SET LOCAL synchronous_commit = off",
        "SET default_transaction_read_only = on",
        "SELECT pg_advisory_lock(7)",
    ];
    for (index, change) in changes.into_iter().enumerate() {
        let order = TestOrder::new(index.to_string());
        let lease = sent(&store, TestOrder { order_by: Some("key".into()), ..order }).await;
        complete(&store, lease, running(change)).await.unwrap();
        let client = store.pool().get().await.unwrap();
        let settings = "SELECT current_setting('search_path') || current_setting('synchronous_commit') || current_user \
             || (SELECT count(*) FROM pg_locks WHERE locktype = 'advisory')";
        let row = client.query_one(settings, &[]).await.unwrap();
        assert_eq!(row.get::<_, &str>(0), "\"$user\", publiconpostgres0", "{change}");
        drop(client);
        assert!(is_completed(&store, &index.to_string()).await, "{change}");
    }
    // The changes to the session are also reset if the effect fails.
    let lease = sent(&store, TestOrder::new("failing")).await;
    complete(&store, lease, running("SELECT pg_advisory_lock(8); SELECT 1 / 0")).await.unwrap_err();
    let client = store.pool().get().await.unwrap();
    let row = client.query_one("SELECT count(*) FROM pg_locks WHERE locktype = 'advisory'", &[]).await.unwrap();
    assert_eq!(row.get::<_, i64>(0), 0);
}
