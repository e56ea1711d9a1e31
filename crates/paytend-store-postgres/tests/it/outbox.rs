//! Runs the outbox conformance suite, and compares the store with the in-memory store.

use std::sync::Arc;
use std::time::{Duration, SystemTime};

use paytend_inbox::StoreKeys;
use paytend_outbox::testing::{EffectEnd, Harness, TestOrder, conformance, random_history};
use paytend_outbox::{Audit, ClaimOrders, NewOrder, OutboxAdmin as _, OutboxStore as _, SubmitError, Submitted};
use paytend_store_postgres::{PostgresEffect, PostgresStore};
use paytend_vectors::Seeded;

use crate::server::Server;
use crate::support::{PostgresHarness, open};

/// Selects the locks that transactions are waiting for.
const WAITS: &str = "SELECT 1 FROM pg_locks WHERE NOT granted";

impl Harness for PostgresHarness<'_> {
    type Store = PostgresStore;

    async fn create(&self) -> PostgresStore {
        paytend_inbox::testing::Harness::create(self).await
    }

    async fn advance(&self, store: &PostgresStore, time: Duration) {
        paytend_inbox::testing::Harness::advance(self, store, time).await;
    }

    async fn now(&self, store: &PostgresStore) -> SystemTime {
        let client = store.pool().get().await.unwrap();
        client.query_one("SELECT paytend_now()", &[]).await.unwrap().get(0)
    }

    fn effect(&self, line: &str, end: EffectEnd) -> PostgresEffect {
        paytend_inbox::testing::Harness::effect(self, line, end)
    }

    async fn submit_with_line(
        &self,
        store: &PostgresStore,
        order: NewOrder,
        line: &str,
        end: EffectEnd,
    ) -> Option<Submitted> {
        let mut client = store.pool().get().await.unwrap();
        let transaction = client.transaction().await.unwrap();
        transaction.execute("INSERT INTO effect VALUES ($1)", &[&line]).await.unwrap();
        let submitted = match store.submit_in(&transaction, &order).await {
            Ok(submitted) => submitted,
            Err(SubmitError::Conflict { .. }) => return None,
            Err(error) => panic!("{error}"),
        };
        end.apply().ok()?;
        transaction.commit().await.unwrap();
        Some(submitted)
    }

    async fn recorded(&self, store: &PostgresStore) -> Vec<String> {
        paytend_inbox::testing::Harness::recorded(self, store).await
    }

    const ZERO_BYTE: Option<&'static str> = Some(r"'\x00'");

    async fn execute(&self, store: &PostgresStore, sql: String) {
        store.pool().get().await.unwrap().batch_execute(&sql).await.unwrap();
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn postgres_outbox_conforms() {
    let Some(server) = Server::start(&[]).await else { return };
    conformance(&PostgresHarness(&server)).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn random_outbox_histories_give_the_same_results_as_in_the_memory_store() {
    let Some(server) = Server::start(&[]).await else { return };
    let random = Seeded::new();
    for _ in 0..3 {
        random_history(&PostgresHarness(&server), 400, &mut |bound| random.below(bound)).await;
    }
}

/// If a crash could undo the count of a send, the order could be sent twice.
#[tokio::test(flavor = "multi_thread")]
async fn sends_and_submissions_are_refused_on_a_connection_without_durable_commits() {
    let Some(server) = Server::start(&[]).await else { return };
    let store = open(server.database().await, 1).await;
    let keys = Arc::new(StoreKeys::generate().unwrap());
    let weaken = async || {
        store.pool().get().await.unwrap().batch_execute("SET synchronous_commit = off").await.unwrap();
    };
    let order = TestOrder::new("T-1");
    weaken().await;
    assert!(store.submit_order(order.prepare(&keys)).await.is_err());
    // The unsafe connection was closed. The next connection has the server's settings.
    assert_eq!(store.submit_order(order.prepare(&keys)).await.unwrap(), Submitted::New);
    let operations = vec![(order.operation.clone(), 1)];
    let request = ClaimOrders { limit: 1, lease: Duration::from_secs(60), holder: 1, operations };
    let claimed = store.claim_orders(request).await.unwrap().pop().unwrap();
    weaken().await;
    assert!(store.begin_send(claimed.lease).await.is_err());
    assert_eq!(store.begin_send(claimed.lease).await.unwrap().sends, 1);
}

/// A change locks its row first and writes it later. The recovery must wait for the change without a deadlock.
#[tokio::test(flavor = "multi_thread")]
async fn recovery_waits_for_a_change_in_progress() {
    let Some(server) = Server::start(&[]).await else { return };
    let store = open(server.database().await, 4).await;
    let keys = Arc::new(StoreKeys::generate().unwrap());
    store.submit_order(TestOrder::new("T-1").prepare(&keys)).await.unwrap();
    let mut client = store.pool().get().await.unwrap();
    let transaction = client.transaction().await.unwrap();
    transaction.execute("SELECT 1 FROM paytend_order FOR NO KEY UPDATE", &[]).await.unwrap();
    let recovering = tokio::spawn({
        let store = store.clone();
        async move { store.recover_orders(Audit { who: "a test".into(), why: "as requested".into() }).await }
    });
    let observer = store.pool().get().await.unwrap();
    let deadline = std::time::Instant::now() + Duration::from_secs(20);
    while observer.query(WAITS, &[]).await.unwrap().is_empty() {
        assert!(std::time::Instant::now() < deadline, "the recovery did not wait");
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
    transaction.execute("UPDATE paytend_order SET tries = tries + 1", &[]).await.unwrap();
    transaction.commit().await.unwrap();
    assert_eq!(recovering.await.unwrap().unwrap().count, 1);
}

/// Operators who remove content at the same time find the same orders. None of them may stop before all content is
/// removed, and each order's removal is recorded once.
#[tokio::test(flavor = "multi_thread")]
async fn content_is_removed_by_several_operators_at_the_same_time() {
    const ORDERS: usize = 6_000;
    let Some(server) = Server::start(&[]).await else { return };
    let store = open(server.database().await, 6).await;
    let client = store.pool().get().await.unwrap();
    let inserted = format!(
        "INSERT INTO paytend_order
             (number, request_id, operation, content_tag, submitted_at, state, is_open, head)
         SELECT 'T-' || n, 'R-' || n, '/test/pay', '\\x00', n, 'decided', false, true
         FROM generate_series(1, {ORDERS}) n;
         INSERT INTO paytend_order_part (id, part, key_id, nonce, sealed)
         SELECT id, part, 1, '\\x00', '\\x00' FROM paytend_order, unnest(ARRAY['request', 'result']) part"
    );
    client.batch_execute(&inserted).await.unwrap();
    // While the rows are locked, all operators find the same orders and wait.
    client.batch_execute("BEGIN; SELECT 1 FROM paytend_order_part FOR UPDATE").await.unwrap();
    let operators = (0..4).map(|operator| {
        let (store, audit) = (store.clone(), Audit { who: format!("operator {operator}"), why: "a test".into() });
        tokio::spawn(async move {
            let dropped = store.drop_order_content(SystemTime::now(), audit).await.unwrap();
            let left = "SELECT count(*) FROM paytend_order_part";
            let left: i64 = store.pool().get().await.unwrap().query_one(left, &[]).await.unwrap().get(0);
            assert_eq!(left, 0, "an operator has stopped before all content was removed");
            dropped
        })
    });
    let operators: Vec<_> = operators.collect();
    let observer = store.pool().get().await.unwrap();
    let deadline = std::time::Instant::now() + Duration::from_secs(60);
    while observer.query(WAITS, &[]).await.unwrap().len() < operators.len() {
        assert!(std::time::Instant::now() < deadline, "the operators do not wait");
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
    client.batch_execute("COMMIT").await.unwrap();
    let dropped = futures_util::future::try_join_all(operators).await.unwrap();
    assert_eq!(dropped.iter().sum::<u64>(), ORDERS as u64, "{dropped:?}");
    let recorded = "SELECT count(id), count(DISTINCT id) FROM paytend_order_audit";
    let recorded = client.query_one(recorded, &[]).await.unwrap();
    assert_eq!((recorded.get::<_, i64>(0), recorded.get::<_, i64>(1)), (ORDERS as i64, ORDERS as i64));
}
