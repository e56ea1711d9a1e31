//! Runs the conformance suite, compares the store with the in-memory store, and tests that unsafe servers are refused.

use std::time::{Duration, Instant};

use paytend_inbox::testing::{conformance, random_history, state_machine};
use paytend_inbox::{StoreAdmin as _, StoreErrorKind};
use paytend_store_postgres::PostgresOptions;
use paytend_vectors::Seeded;

use crate::server::{Server, execute};
use crate::support::PostgresHarness;

#[tokio::test(flavor = "multi_thread")]
async fn postgres_store_conforms() {
    let Some(server) = Server::start(&[]).await else { return };
    conformance(&PostgresHarness(&server)).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn random_histories_give_the_same_results_as_in_the_memory_store() {
    let Some(server) = Server::start(&[]).await else { return };
    let random = Seeded::new();
    for _ in 0..3 {
        random_history(&PostgresHarness(&server), 300, &mut |bound| random.below(bound)).await;
    }
}

#[test]
fn postgres_store_behaves_like_the_model() {
    let (random, runtime) = (Seeded::new(), tokio::runtime::Runtime::new().unwrap());
    let Some(server) = runtime.block_on(Server::start(&[])) else { return };
    state_machine(&PostgresHarness(&server), &runtime, 8, &mut |bound| random.below(bound));
}

#[tokio::test(flavor = "multi_thread")]
async fn servers_that_can_lose_acknowledged_notifications_are_refused() {
    for setting in ["fsync=off", "full_page_writes=off", "synchronous_commit=off"] {
        let Some(server) = Server::start(&[setting]).await else { return };
        let config = server.database().await;
        let error = PostgresOptions::new(config.clone()).open().await.unwrap_err();
        assert_eq!(error.kind(), StoreErrorKind::Configuration);
        let name = setting.split('=').next().unwrap();
        assert!(error.to_string().contains(name), "{error}");
        PostgresOptions::new(config).danger_any_settings().open().await.unwrap();
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn probe_fails_after_a_server_setting_becomes_unsafe() {
    let Some(server) = Server::start(&[]).await else { return };
    let config = server.database().await;
    let store = PostgresOptions::new(config.clone()).open().await.unwrap();
    let tolerant = PostgresOptions::new(config.clone()).danger_any_settings().open().await.unwrap();
    store.probe().await.unwrap();
    execute(&config, "ALTER SYSTEM SET fsync = off").await;
    execute(&config, "SELECT pg_reload_conf()").await;
    // The server's processes read the new settings some time after the reload.
    let deadline = Instant::now() + Duration::from_secs(30);
    let error = loop {
        match store.probe().await {
            Ok(_) => assert!(Instant::now() < deadline, "the probe did not fail"),
            Err(error) => break error,
        }
        tokio::time::sleep(Duration::from_millis(20)).await;
    };
    assert_eq!(error.kind(), StoreErrorKind::Configuration);
    assert!(error.to_string().contains("the setting fsync must be on"), "{error}");
    tolerant.probe().await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn programs_that_start_at_the_same_time_create_the_schema_once() {
    let Some(server) = Server::start(&[]).await else { return };
    let config = server.database().await;
    let opening = (0..8).map(|_| PostgresOptions::new(config.clone()).max_connections(1).open());
    let opened = futures_util::future::join_all(opening).await;
    assert!(opened.iter().all(Result::is_ok), "{opened:?}");
}

#[tokio::test]
async fn unreachable_and_invalid_servers_are_reported_without_the_url() {
    for url in ["postgres://user:secret@localhost:x/db", "nonsense=secret"] {
        let error = PostgresOptions::from_url(url).unwrap_err();
        assert!(!error.to_string().contains("secret") && std::error::Error::source(&error).is_none(), "{error}");
    }
    let directory = tempfile::tempdir().unwrap();
    let url = format!("host={} user=user password=secret", directory.path().display());
    let error = PostgresOptions::from_url(&url).unwrap().open().await.unwrap_err();
    assert_eq!(error.to_string(), "cannot connect: the connection failed: entity not found");
}
