//! Tests of content partitions and retention.

use std::sync::Arc;
use std::time::{Duration, Instant, SystemTime};

use paytend_inbox::{Id, Release, State, Store as _, StoreAdmin as _, StoreKeys, StoredPayload};
use paytend_store_postgres::PostgresOptions;
use paytend_store_postgres::tokio_postgres::Config;

use crate::server::{Server, execute};
use crate::support::{EFFECTS, accept, claim, open, process, set_clock};

/// 2030-01-01T00:00:00Z.
const MIDNIGHT: Duration = Duration::from_secs(1_893_456_000);
const HOUR: Duration = Duration::from_secs(3600);
const DAY: Duration = Duration::from_secs(24 * 3600);

async fn partitions(config: &Config) -> Vec<String> {
    let store = PostgresOptions::new(config.clone()).max_connections(1).must_exist().open().await.unwrap();
    let client = store.pool().get().await.unwrap();
    let sql = "SELECT relname::text FROM pg_class WHERE relname LIKE 'paytend_payload_2030____' AND relkind = 'r' \
         ORDER BY 1";
    client.query(sql, &[]).await.unwrap().iter().map(|row| row.get(0)).collect()
}

fn at(time: Duration) -> SystemTime {
    SystemTime::UNIX_EPOCH + time
}

#[tokio::test(flavor = "multi_thread")]
async fn whole_days_are_dropped_and_unprocessed_content_is_kept() {
    let Some(server) = Server::start(&[]).await else { return };
    let config = server.database().await;
    execute(&config, EFFECTS).await;
    open(config.clone(), 1).await;
    set_clock(&config, MIDNIGHT + 12 * HOUR).await;
    let opening = (0..6).map(|_| open(config.clone(), 1));
    futures_util::future::join_all(opening).await;
    let store = open(config.clone(), 2).await;
    let day = |day: &str| format!("paytend_payload_203001{day}");
    assert_eq!(partitions(&config).await, [day("01"), day("02"), day("03"), day("04")]);

    let keys = Arc::new(StoreKeys::generate().unwrap());
    for name in ["a", "b", "c", "dead", "late"] {
        accept(&store, &keys, name).await.unwrap();
    }
    let mut dead = None;
    for claimed in claim(&store, 4, HOUR).await {
        if claimed.facts.business_id.as_deref() == Some("dead") {
            dead = Some(claimed.lease.id);
            let cause = "poison".to_owned();
            store.release(claimed.lease, Release::DeadLetter { cause }).await.unwrap();
        } else {
            assert!(process(&store, &claimed).await);
        }
    }
    let dead: Id = dead.unwrap();
    set_clock(&config, MIDNIGHT + DAY + HOUR).await;
    accept(&store, &keys, "next day").await.unwrap();
    for claimed in claim(&store, 5, HOUR).await {
        if claimed.facts.business_id.as_deref() == Some("next day") {
            assert!(process(&store, &claimed).await);
        } else {
            store.release(claimed.lease, Release::GiveBack).await.unwrap();
        }
    }
    // A day far in the future has no partition. When a notification of that day is stored, partitions for the following
    // days are added.
    set_clock(&config, MIDNIGHT + 30 * DAY).await;
    accept(&store, &keys, "jump").await.unwrap();
    let deadline = Instant::now() + Duration::from_secs(30);
    while !partitions(&config).await.contains(&"paytend_payload_20300201".to_owned()) {
        assert!(Instant::now() < deadline, "no partitions were added in time");
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    // The day of the first notifications has not ended at this time.
    assert_eq!(store.drop_payloads(at(MIDNIGHT + 20 * HOUR)).await.unwrap(), 0);
    assert_eq!(store.drop_payloads(at(MIDNIGHT + DAY)).await.unwrap(), 3);
    assert_eq!(store.drop_payloads(at(MIDNIGHT + DAY)).await.unwrap(), 0);
    assert!(!partitions(&config).await.contains(&day("01")));
    assert_eq!(store.drop_payloads(at(MIDNIGHT + 2 * DAY)).await.unwrap(), 1);
    // The notifications are claimed with their content, although the partition was dropped.
    store.redrive(Some(vec![dead])).await.unwrap();
    let claimed = claim(&store, 9, HOUR).await;
    let mut names: Vec<_> = claimed.iter().map(|claimed| claimed.facts.business_id.as_deref().unwrap()).collect();
    names.sort_unstable();
    assert_eq!(names, ["dead", "jump", "late"]);
    for claimed in &claimed {
        assert!(matches!(claimed.payload, StoredPayload::Sealed(_)), "{claimed:?}");
        assert!(process(&store, claimed).await);
    }
    // Content in the default partition is deleted row by row.
    assert_eq!(store.drop_payloads(at(MIDNIGHT + 29 * DAY)).await.unwrap(), 2);
    assert_eq!(store.drop_payloads(at(MIDNIGHT + 31 * DAY)).await.unwrap(), 1);
    let entry = store.show(dead, None).await.unwrap().unwrap();
    assert_eq!((entry.state, entry.payload), (State::Done, Some(StoredPayload::Dropped)));
    assert_eq!(store.check().await.unwrap(), Vec::<String>::new());
}

#[tokio::test(flavor = "multi_thread")]
async fn notifications_on_new_days_are_accepted_without_the_right_to_create_tables() {
    let Some(server) = Server::start(&[]).await else { return };
    let config = server.database().await;
    open(config.clone(), 1).await;
    execute(&config, "CREATE ROLE receiver LOGIN; REVOKE CREATE ON SCHEMA public FROM PUBLIC").await;
    execute(&config, "GRANT SELECT, INSERT, UPDATE, DELETE ON ALL TABLES IN SCHEMA public TO receiver").await;
    set_clock(&config, MIDNIGHT).await;
    let mut limited = config.clone();
    limited.user("receiver");
    let store = PostgresOptions::new(limited).must_exist().open().await.unwrap();
    let keys = Arc::new(StoreKeys::generate().unwrap());
    for day in 0..3 {
        set_clock(&config, MIDNIGHT + day * DAY).await;
        accept(&store, &keys, &day.to_string()).await.unwrap();
    }
    let claimed = claim(&store, 5, HOUR).await;
    assert_eq!(claimed.len(), 3);
    assert!(claimed.iter().all(|claimed| matches!(claimed.payload, StoredPayload::Sealed(_))));
    assert_eq!(partitions(&config).await, Vec::<String>::new());
}
