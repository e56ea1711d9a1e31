//! The harness for the conformance suite.

use std::sync::Arc;
use std::time::Duration;

use futures_util::future::BoxFuture;
use paytend_inbox::testing::{EffectEnd, Harness, TestNotification};
use paytend_inbox::{ClaimRequest, Claimed, HandlerError, Id, Store as _, StoreKeys};
use paytend_store_postgres::tokio_postgres::{Config, Transaction};
use paytend_store_postgres::{PostgresEffect, PostgresOptions, PostgresStore};

use crate::server::{Server, execute};

pub(crate) const EFFECTS: &str = "CREATE TABLE effect (line text NOT NULL)";

/// Replaces the store's clock with a test clock.
const TEST_CLOCK: &str = "CREATE TABLE test_clock (at timestamptz NOT NULL); \
     INSERT INTO test_clock VALUES ('2026-01-01T00:00:00Z'); \
     CREATE OR REPLACE FUNCTION paytend_now() RETURNS timestamptz LANGUAGE sql VOLATILE AS 'SELECT at FROM test_clock'";

pub(crate) struct PostgresHarness<'a>(pub(crate) &'a Server);

impl Harness for PostgresHarness<'_> {
    type Store = PostgresStore;

    async fn create(&self) -> PostgresStore {
        let config = self.0.database().await;
        let store = open(config.clone(), 4).await;
        execute(&config, TEST_CLOCK).await;
        execute(&config, EFFECTS).await;
        store
    }

    async fn advance(&self, store: &PostgresStore, time: Duration) {
        let client = store.pool().get().await.unwrap();
        let millis = i64::try_from(time.as_millis()).unwrap();
        let sql = "UPDATE test_clock SET at = at + $1::bigint * interval '1 millisecond'";
        client.execute(sql, &[&millis]).await.unwrap();
    }

    fn effect(&self, line: &str, end: EffectEnd) -> PostgresEffect {
        let line = line.to_owned();
        Box::new(move |transaction| {
            Box::pin(async move {
                transaction.execute("INSERT INTO effect VALUES ($1)", &[&line]).await?;
                end.apply()
            })
        })
    }

    async fn recorded(&self, store: &PostgresStore) -> Vec<String> {
        let client = store.pool().get().await.unwrap();
        client.query("SELECT line FROM effect", &[]).await.unwrap().iter().map(|row| row.get(0)).collect()
    }
}

pub(crate) async fn open(config: Config, connections: usize) -> PostgresStore {
    PostgresOptions::new(config).max_connections(connections).open().await.unwrap()
}

pub(crate) async fn claim(store: &PostgresStore, limit: usize, lease: Duration) -> Vec<Claimed> {
    let request = ClaimRequest { limit, lease, holder: 1, kind_limits: Vec::new() };
    store.claim(request).await.unwrap_or_default()
}

/// Accepts a notification whose name is also its business ID. Returns its ID if it can be acknowledged.
pub(crate) async fn accept(store: &PostgresStore, keys: &Arc<StoreKeys>, name: &str) -> Option<Id> {
    let order = name.len().is_multiple_of(2).then(|| name[..name.len() - 1].to_owned());
    let notification = TestNotification { business_id: Some(name.to_owned()), order, ..TestNotification::new(name) };
    let accepted = store.accept(notification.prepare(keys)).await;
    accepted.inspect_err(|error| eprintln!("not accepted: {error:?}")).ok().map(|accepted| accepted.id())
}

/// Completes a notification with an effect that records the notification's name. Returns whether the notification was
/// completed.
pub(crate) async fn process(store: &PostgresStore, claimed: &Claimed) -> bool {
    let line = claimed.facts.business_id.clone().unwrap();
    let effect: PostgresEffect = Box::new(move |transaction| {
        Box::pin(async move {
            transaction.execute("INSERT INTO effect VALUES ($1)", &[&line]).await?;
            Ok(())
        })
    });
    store.complete(claimed.lease, Some(effect)).await.is_ok()
}

/// Sets the store's clock to a time since the Unix epoch.
pub(crate) async fn set_clock(config: &Config, time: Duration) {
    let seconds = time.as_secs();
    let sql = format!(
        "CREATE OR REPLACE FUNCTION paytend_now() RETURNS timestamptz LANGUAGE sql VOLATILE \
         AS 'SELECT to_timestamp({seconds})'"
    );
    execute(config, &sql).await;
}

pub(crate) fn effect<F>(effect: F) -> PostgresEffect
where
    F: for<'a> FnOnce(&'a Transaction<'a>) -> BoxFuture<'a, Result<(), HandlerError>> + Send + 'static,
{
    Box::new(effect)
}

/// Returns an effect that records a line and then runs SQL.
pub(crate) fn running(sql: &'static str) -> PostgresEffect {
    effect(move |transaction| {
        Box::pin(async move {
            transaction.batch_execute("INSERT INTO public.effect VALUES ('x')").await?;
            Ok(transaction.batch_execute(sql).await?)
        })
    })
}
