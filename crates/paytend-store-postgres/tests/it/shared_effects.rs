//! Tests of completions that share a transaction, with effects that change their session or fail often.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex};

use futures_util::future::join_all;
use paytend_inbox::{FinishError, HandlerError, Id, Release, Store as _, StoreAdmin as _};
use paytend_store_postgres::tokio_postgres::types::Type;
use paytend_store_postgres::{PostgresEffect, PostgresOptions};

use crate::server::{Server, execute, number};
use crate::support::{EFFECTS, effect};
use crate::together::{COUNT, claimed, commits, complete_all, create, lines, recording, warm_up};

#[tokio::test(flavor = "multi_thread")]
async fn temporary_objects_of_an_effect_are_dropped_before_the_next_effect() {
    let Some(server) = Server::start(&[]).await else { return };
    for end in ["", "ON COMMIT DROP", "ON COMMIT DELETE ROWS", "ON COMMIT PRESERVE ROWS"] {
        let (config, store) = create(&server).await;
        execute(&config, "CREATE TABLE booking (line text)").await;
        warm_up(&store).await;
        let before = commits(&config).await;
        let claimed = claimed(&store, "temporary", COUNT).await;
        let causes = complete_all(&store, claimed, |id| {
            let sql = format!(
                "CREATE TEMP TABLE IF NOT EXISTS seen (line text) {end}; INSERT INTO seen VALUES ('{id}'); \
                 INSERT INTO public.booking SELECT line FROM seen; DECLARE lines CURSOR FOR SELECT line FROM seen"
            );
            recording(id, sql)
        });
        assert_eq!(causes.await, BTreeMap::new(), "{end}");
        assert_eq!(number(&config, "SELECT count(*)::int FROM booking").await, 40, "{end}: an effect booked twice");
        let commits = commits(&config).await - before;
        assert!(commits < 20, "{end}: {commits} transactions");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn settings_of_the_last_effect_are_reset_before_the_completion() {
    let Some(server) = Server::start(&[]).await else { return };
    for change in ["SET LOCAL search_path = elsewhere", "SET LOCAL ROLE other", "SET SESSION AUTHORIZATION other"] {
        let (config, store) = create(&server).await;
        execute(&config, "CREATE SCHEMA elsewhere; DROP ROLE IF EXISTS other; CREATE ROLE other").await;
        warm_up(&store).await;
        let before = commits(&config).await;
        let claimed = claimed(&store, "settings", COUNT).await;
        assert_eq!(complete_all(&store, claimed, |id| recording(id, change)).await, BTreeMap::new());
        let commits = commits(&config).await - before;
        assert!(commits < 20, "{change}: {commits} transactions");
    }
}

/// If the first effect in a transaction fails, no other effect is the cause, so the failure counts. If many effects
/// fail, the following effects have separate transactions, so their failures count, too.
#[tokio::test(flavor = "multi_thread")]
async fn failures_of_many_effects_are_counted() {
    let Some(server) = Server::start(&[]).await else { return };
    let (_, store) = create(&server).await;
    warm_up(&store).await;
    let begun: Arc<Mutex<BTreeMap<String, Vec<Id>>>> = Arc::default();
    let failing = |id: Id| -> PostgresEffect {
        let begun = Arc::clone(&begun);
        effect(move |transaction| {
            Box::pin(async move {
                let sql = "SELECT pg_current_xact_id()::text WHERE $1 <> ''";
                let number = transaction.query_typed(sql, &[(&"x", Type::TEXT)]).await?[0].get(0);
                begun.lock().unwrap().entry(number).or_default().push(id);
                Err(HandlerError::retry("as requested"))
            })
        })
    };
    let (mut counted, mut uncounted) = (Vec::new(), Vec::new());
    for round in 0..20 {
        let claimed = claimed(&store, &format!("round {round}"), 20).await;
        let completing = claimed.iter().map(|one| store.complete(one.lease, Some(failing(one.lease.id))));
        for (one, completed) in claimed.iter().zip(join_all(completing).await) {
            match completed {
                Err(FinishError::Effect(_)) => counted.push(one.lease.id),
                Err(FinishError::NotApplied) => uncounted.push(one.lease.id),
                other => panic!("{other:?}"),
            }
            store.release(one.lease, Release::DeadLetter { cause: String::new() }).await.unwrap();
        }
    }
    assert_eq!(store.check().await.unwrap(), Vec::<String>::new());
    let begun = begun.lock().unwrap();
    assert!(begun.values().any(|ids| ids.len() > 1), "no effects have shared a transaction");
    for ids in begun.values() {
        assert!(counted.contains(&ids[0]), "a first failure was not counted: {ids:?}");
        assert!(ids[1..].iter().all(|id| uncounted.contains(id)), "a later failure was counted: {ids:?}");
    }
    assert!(uncounted.len() < 150, "{} failures were not counted", uncounted.len());
}

/// The query for constraints fails, because another table has the name of a PostgreSQL catalogue table.
#[tokio::test(flavor = "multi_thread")]
async fn completions_succeed_if_the_constraints_cannot_be_listed() {
    let Some(server) = Server::start(&[]).await else { return };
    let config = server.database().await;
    execute(&config, EFFECTS).await;
    let mut first = config.clone();
    first.options("-c search_path=public,pg_catalog");
    let store = PostgresOptions::new(first).max_connections(4).open().await.unwrap();
    execute(&config, "CREATE TABLE public.pg_trigger (other int)").await;
    warm_up(&store).await;
    let claimed = claimed(&store, "constraints", COUNT).await;
    let completing = claimed.iter().map(|one| store.complete(one.lease, Some(recording(one.lease.id, ""))));
    join_all(completing).await.into_iter().for_each(|completed| assert!(completed.is_ok(), "{completed:?}"));
    assert_eq!(lines(&store).await.len(), COUNT);
}
