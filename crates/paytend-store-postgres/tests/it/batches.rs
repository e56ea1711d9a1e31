//! Tests of notifications that are stored in the same transaction.

use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::{Duration, Instant};

use futures_util::future::join_all;
use paytend_inbox::testing::TestNotification;
use paytend_inbox::{Accepted, Query, Store as _, StoreAdmin as _, StoreKeys};
use paytend_store_postgres::PostgresStore;
use paytend_vectors::Seeded;

use crate::server::{Server, execute};
use crate::support::{claim, open};

/// The number of rounds. It is large enough to detect deadlocks between batches that lock rows in different orders.
const ROUNDS: usize = 40;

async fn commits(store: &PostgresStore) -> i64 {
    let client = store.pool().get().await.unwrap();
    let sql = "SELECT count(DISTINCT xmin::text) FROM paytend_notification";
    client.query_one(sql, &[]).await.unwrap().get(0)
}

#[tokio::test(flavor = "multi_thread")]
async fn waiting_notifications_share_commits_and_only_refused_notifications_fail() {
    let Some(server) = Server::start(&[]).await else { return };
    let config = server.database().await;
    let store = open(config.clone(), 4).await;
    execute(&config, "ALTER TABLE paytend_notification ADD CHECK (business_id <> 'refused')").await;
    let keys = Arc::new(StoreKeys::generate().unwrap());
    let random = Seeded::new();
    let refused = 10 * random.below(30);
    let notifications: Vec<_> = (0..300)
        .map(|number| TestNotification {
            business_id: Some(if number == refused {
                "refused".into()
            } else {
                format!("a\0{}", "x".repeat(number * 40))
            }),
            order: number.is_multiple_of(3).then(|| format!("order {}", number % 7)),
            // Every tenth notification is a duplicate of an earlier notification.
            ..TestNotification::new(if number % 10 == 9 { format!("{}", number - 5) } else { format!("{number}") })
        })
        .collect();
    let accepted = join_all(notifications.iter().map(|new| store.accept(new.prepare(&keys)))).await;
    for (number, accepted) in accepted.iter().enumerate() {
        assert_eq!(accepted.is_err(), number == refused, "{number}: {accepted:?}");
    }
    let new = accepted.iter().flatten().filter(|accepted| matches!(accepted, Accepted::New(_))).count();
    let ids: BTreeSet<_> = accepted.iter().flatten().map(|accepted| accepted.id()).collect();
    assert_eq!(new, ids.len());
    let entries = store.list(Query { limit: 1000, ..Query::default() }).await.unwrap();
    assert_eq!(entries.iter().map(|entry| entry.id).collect::<BTreeSet<_>>(), ids);
    assert!(
        entries.iter().all(|entry| entry.facts.business_id.as_deref().is_some_and(|id| id.starts_with("a\u{fffd}")))
    );
    let stats = store.stats().await.unwrap();
    assert_eq!(stats.sightings, (accepted.iter().flatten().count() - new) as u64);
    assert_eq!(store.check().await.unwrap(), Vec::<String>::new());
    // Only the batch with the refused notification was stored one by one, so there are fewer commits than
    // notifications.
    assert!(commits(&store).await < 200, "{} commits", commits(&store).await);
    // Each order key has exactly one claimable notification.
    let keys: Vec<_> = claim(&store, 1000, Duration::from_secs(60)).await;
    let ordered: Vec<_> = keys.iter().filter_map(|claimed| claimed.facts.order_key).collect();
    assert_eq!(ordered.iter().collect::<BTreeSet<_>>().len(), ordered.len());
}

#[tokio::test(flavor = "multi_thread")]
async fn concurrent_batches_with_the_same_notifications_store_each_one_once() {
    let Some(server) = Server::start(&[]).await else { return };
    let config = server.database().await;
    let keys = Arc::new(StoreKeys::generate().unwrap());
    let random = Seeded::new();
    let stores = [open(config.clone(), 4).await, open(config.clone(), 4).await, open(config, 4).await];
    for round in 0..ROUNDS {
        let mut all = Vec::new();
        for store in &stores {
            let mut numbers: Vec<usize> = (0..80).collect();
            for index in (1..numbers.len()).rev() {
                numbers.swap(index, random.below(index + 1));
            }
            for number in numbers {
                let requeue_sighting = number % 2 == 0;
                let order = (number % 4 == 0).then(|| format!("order {}", number % 12));
                let new =
                    TestNotification { requeue_sighting, order, ..TestNotification::new(format!("{round}-{number}")) };
                let (store, new) = (store.clone(), new.prepare(&keys));
                all.push(tokio::spawn(async move { store.accept(new).await.unwrap() }));
            }
        }
        let accepted = join_all(all).await;
        let new = accepted.iter().filter(|accepted| matches!(accepted, Ok(Accepted::New(_)))).count();
        assert_eq!(new, 80);
    }
    assert_eq!(stores[0].stats().await.unwrap().sightings, (ROUNDS * 160) as u64);
    assert_eq!(stores[0].check().await.unwrap(), Vec::<String>::new());
}

/// Measures how many notifications per second are stored for 64 senders.
#[tokio::test(flavor = "multi_thread")]
#[ignore = "a measurement: cargo test --release -p paytend-store-postgres --test it -- --ignored --nocapture rate_"]
async fn rate_of_storing() {
    let Some(server) = Server::start(&[]).await else { return };
    let config = server.database().await;
    let keys = Arc::new(StoreKeys::generate().unwrap());
    let store = open(config, 10).await;
    let (started, each) = (Instant::now(), 60);
    let senders = (0..64).map(|sender| {
        let (store, keys) = (store.clone(), Arc::clone(&keys));
        tokio::spawn(async move {
            for number in 0..each {
                let new = TestNotification::new(format!("{sender}-{number}")).prepare(&keys);
                store.accept(new).await.unwrap();
            }
        })
    });
    join_all(senders).await.into_iter().for_each(Result::unwrap);
    let seconds = started.elapsed().as_secs_f64();
    eprintln!("{:.0} a second in {} commits", 64.0 * f64::from(each) / seconds, commits(&store).await);
}
