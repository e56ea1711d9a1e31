//! Processes the jobs with the inbox's PostgreSQL store and a worker.

use std::sync::Arc;
use std::time::Instant;

use futures_util::StreamExt as _;
use paytend_inbox::testing::TestNotification;
use paytend_inbox::{AnyNotification, Completion, Delivery, HandlerError, Inbox, Store as _, StoreKeys, Worker};
use paytend_store_postgres::tokio_postgres::types::Type;
use paytend_store_postgres::{PostgresEffect, PostgresOptions, PostgresStore, in_transaction};

use crate::server::{Server, execute};
use crate::{CONNECTIONS, HANDLERS, JOBS, effect};

/// Blocks an order key: stores `count` copies of the only stored notification, and makes this notification due in 12
/// hours. The copies have the same order key, so they wait for it. One statement stores all copies, because storing
/// them individually would take minutes.
const BLOCK: &str = "INSERT INTO paytend_notification (dedup, content_tag, route, kind, notify_type, order_key, \
     verified_by) SELECT sha256(n::text::bytea), content_tag, route, kind, notify_type, order_key, verified_by \
     FROM paytend_notification, generate_series(1, {count}) n; \
     INSERT INTO paytend_work (id, kind, order_key, ready, state, fence, tries, due_at, is_sighting, again) \
     SELECT n.id, n.kind, n.order_key, false, 0, 0, 0, paytend_now(), false, false \
     FROM paytend_notification n \
     WHERE NOT EXISTS (SELECT FROM paytend_work w WHERE w.id = n.id); \
     UPDATE paytend_work SET state = 2, due_at = due_at + interval '12 hours' WHERE ready";

async fn handle(delivery: Delivery<AnyNotification>) -> Result<Completion<PostgresEffect>, HandlerError> {
    let line = delivery.facts().business_id.clone().unwrap_or_default();
    Ok(in_transaction(move |transaction| {
        Box::pin(async move {
            transaction.execute_typed(effect::INSERT, &[(&line, Type::TEXT)]).await?;
            Ok(())
        })
    }))
}

/// Processes the jobs while `blocked` other notifications wait for a notification that is not due.
pub(crate) async fn rate(server: &Server, blocked: usize) -> u128 {
    let config = server.database().await;
    let connections = usize::try_from(CONNECTIONS).unwrap();
    let store = PostgresOptions::new(config.clone()).max_connections(connections).open().await.unwrap();
    execute(&config, effect::TABLE).await;
    let directory = tempfile::tempdir().unwrap();
    let file = directory.path().join("keys");
    let keys = Arc::new(StoreKeys::load_or_create(&file).unwrap());
    let inbox = Inbox::open(store.clone(), StoreKeys::load_or_create(&file).unwrap()).await.unwrap();
    if blocked > 0 {
        accept(&store, &keys, 0..1, Some("account")).await;
        execute(&config, &BLOCK.replace("{count}", &(blocked - 1).to_string())).await;
        execute(&config, "VACUUM ANALYZE").await;
    }
    let last: i64 = {
        let client = store.pool().get().await.unwrap();
        client.query_one("SELECT coalesce(max(id), 0) FROM paytend_work", &[]).await.unwrap().get(0)
    };
    accept(&store, &keys, blocked..blocked + JOBS, None).await;
    let worker = Worker::builder(inbox, handle).max_concurrent(HANDLERS).build();
    let (stop, stopped) = tokio::sync::oneshot::channel::<()>();
    let started = Instant::now();
    let running = tokio::spawn(worker.run(async {
        let _ = stopped.await;
    }));
    // Counting all rows would take so long that it would distort the measurement.
    let is_done = format!("SELECT NOT EXISTS (SELECT FROM paytend_work WHERE id > {last})");
    let rate = effect::rate(&config, started, &is_done).await;
    drop(stop);
    running.await.unwrap();
    rate
}

async fn accept(store: &PostgresStore, keys: &Arc<StoreKeys>, numbers: std::ops::Range<usize>, order: Option<&str>) {
    let notification = |number| TestNotification {
        business_id: Some(effect::content(number)),
        order: order.map(str::to_owned),
        ..TestNotification::new(effect::content(number))
    };
    let accepted = futures_util::stream::iter(numbers)
        .map(|number| store.accept(notification(number).prepare(keys)))
        .buffer_unordered(64);
    accepted.for_each(|accepted| async move { assert!(accepted.is_ok()) }).await;
}
