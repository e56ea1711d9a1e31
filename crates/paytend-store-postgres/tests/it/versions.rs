//! Tests with programs of different versions that use the same store.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use paytend_inbox::testing::TestNotification;
use paytend_inbox::{Store as _, StoreAdmin as _, StoreErrorKind, StoreKeys};
use paytend_store_postgres::PostgresOptions;

use crate::server::{Server, execute};
use crate::support::{EFFECTS, accept, claim, open, process};

/// Migrations of a newer version that are compatible with older programs. Each step changes one table.
const ADDS: [&str; 5] = [
    "ALTER TABLE paytend_notification ADD COLUMN note text",
    "ALTER TABLE paytend_work ADD COLUMN priority integer NOT NULL DEFAULT 0",
    "CREATE INDEX paytend_work_priority ON paytend_work (priority)",
    "CREATE TABLE paytend_more (id bigint)",
    "INSERT INTO paytend_migration (version, checksum, compatible_from) VALUES (1000, '\\x00', 1)",
];
/// A migration that is incompatible with older programs.
const BREAKS: &str = "BEGIN; ALTER TABLE paytend_work RENAME TO paytend_queue; \
     INSERT INTO paytend_migration (version, checksum, compatible_from) VALUES (1001, '\\x00', 1001); COMMIT";

#[tokio::test(flavor = "multi_thread")]
async fn older_program_works_only_after_compatible_upgrades() {
    let Some(server) = Server::start(&[]).await else { return };
    let config = server.database().await;
    execute(&config, EFFECTS).await;
    let keys = Arc::new(StoreKeys::generate().unwrap());
    let store = open(config.clone(), 4).await;
    let (accepted, stopped) = (Arc::new(AtomicUsize::new(0)), Arc::new(AtomicBool::new(false)));
    let receiving = tokio::spawn({
        let (store, keys, accepted, stopped) =
            (store.clone(), Arc::clone(&keys), Arc::clone(&accepted), Arc::clone(&stopped));
        async move {
            while !stopped.load(Ordering::SeqCst) {
                let name = format!("n{}", accepted.load(Ordering::SeqCst));
                assert!(accept(&store, &keys, &name).await.is_some());
                accepted.fetch_add(1, Ordering::SeqCst);
            }
        }
    });
    let working = tokio::spawn({
        let (store, stopped) = (store.clone(), Arc::clone(&stopped));
        async move {
            while !stopped.load(Ordering::SeqCst) {
                for claimed in claim(&store, 5, Duration::from_secs(60)).await {
                    assert!(process(&store, &claimed).await);
                }
            }
        }
    });
    let reaches = async |count: usize| {
        let deadline = Instant::now() + Duration::from_secs(60);
        while accepted.load(Ordering::SeqCst) < count {
            assert!(Instant::now() < deadline, "the older program did not accept a notification in time");
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
    };
    reaches(20).await;
    for sql in ADDS {
        execute(&config, sql).await;
    }
    reaches(accepted.load(Ordering::SeqCst) + 20).await;
    stopped.store(true, Ordering::SeqCst);
    receiving.await.unwrap();
    working.await.unwrap();
    open(config.clone(), 1).await;
    PostgresOptions::new(config.clone()).must_exist().open().await.unwrap();

    execute(&config, BREAKS).await;
    for options in [PostgresOptions::new(config.clone()), PostgresOptions::new(config.clone()).must_exist()] {
        let error = options.open().await.unwrap_err();
        assert_eq!(error.kind(), StoreErrorKind::Configuration);
        assert!(error.to_string().contains("needs schema version 1001"), "{error}");
    }
    let error = store.accept(TestNotification::new("late").prepare(&keys)).await.unwrap_err();
    assert_eq!(error.kind(), StoreErrorKind::Configuration);
    assert!(error.to_string().contains("the schema belongs to a different version"), "{error}");
}

#[tokio::test(flavor = "multi_thread")]
async fn programs_that_manage_a_store_do_not_create_or_upgrade_it() {
    let Some(server) = Server::start(&[]).await else { return };
    let config = server.database().await;
    let managing = || PostgresOptions::new(config.clone()).max_connections(1).must_exist().open();
    let tables = "DO $$ BEGIN ASSERT (SELECT count(*) FROM pg_class WHERE relname LIKE 'paytend%') = 0; END $$";
    let error = managing().await.unwrap_err();
    assert!(error.to_string().contains("contains no store"), "{error}");
    execute(&config, tables).await;
    let creating = open(config.clone(), 1).await;
    managing().await.unwrap().stats().await.unwrap();
    // A store without this program's last step has an older schema.
    execute(&config, "UPDATE paytend_migration SET version = 0 WHERE version = 1").await;
    let error = managing().await.unwrap_err();
    assert_eq!(error.kind(), StoreErrorKind::Configuration);
    assert!(error.to_string().contains("no schema version 1"), "{error}");
    execute(&config, "UPDATE paytend_migration SET version = 1, checksum = '\\x00' WHERE version = 0").await;
    let error = managing().await.unwrap_err();
    assert!(error.to_string().contains("differs from this program's"), "{error}");
    drop(creating);
}
