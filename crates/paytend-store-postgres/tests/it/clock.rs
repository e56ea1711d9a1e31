//! Tests with a server whose clock is set back.

use std::sync::Arc;
use std::time::{Duration, Instant};

use paytend_inbox::{Claimed, Release, Store as _, StoreAdmin as _, StoreKeys};
use paytend_store_postgres::PostgresStore;

use crate::server::Server;
use crate::support::{accept, claim, open, set_clock};

const NOW: Duration = Duration::from_secs(1_893_456_000);
const HOUR: Duration = Duration::from_secs(3600);
const DAY: Duration = Duration::from_secs(24 * 3600);
const LEASE: Duration = Duration::from_secs(60);

/// Claims repeatedly until `count` notifications have been claimed, because a claim skips rows that are briefly locked.
async fn claims(store: &PostgresStore, count: usize) -> Vec<Claimed> {
    let (mut claimed, deadline) = (Vec::new(), Instant::now() + Duration::from_secs(30));
    while claimed.len() < count {
        claimed.extend(claim(store, 5, LEASE).await);
        assert!(Instant::now() < deadline, "{} instead of {count} are claimed", claimed.len());
    }
    assert_eq!(claimed.len(), count);
    claimed
}

#[tokio::test(flavor = "multi_thread")]
async fn ready_notifications_are_claimed_after_the_clock_was_set_back() {
    let Some(server) = Server::start(&[]).await else { return };
    let config = server.database().await;
    let keys = Arc::new(StoreKeys::generate().unwrap());
    let store = open(config.clone(), 2).await;
    set_clock(&config, NOW).await;
    let ready = accept(&store, &keys, "ready").await.unwrap();
    set_clock(&config, NOW - HOUR).await;
    // The first empty claim repairs the times.
    let claimed = claims(&store, 1).await.pop().unwrap();
    assert_eq!(claimed.lease.id, ready);
    let retry = Release::Retry { after: LEASE, cause: "try later".into() };
    store.release(claimed.lease, retry).await.unwrap();
    let leased = accept(&store, &keys, "leased").await.unwrap();
    assert_eq!(claims(&store, 1).await[0].lease.id, leased);
    accept(&store, &keys, "third").await.unwrap();

    // If the clock is set back by less than a day, only retries and the expiry of leases are delayed.
    set_clock(&config, NOW - 3 * HOUR).await;
    let reopened = open(config.clone(), 1).await;
    claims(&reopened, 1).await;
    assert_eq!(claim(&reopened, 5, LEASE).await.len(), 0);
    set_clock(&config, NOW).await;
    // When the old times are reached, retries are due and leases have expired.
    claims(&reopened, 3).await;
    // If the clock is set back by more than a day, retries are due and leases expire.
    set_clock(&config, NOW - 2 * DAY).await;
    let reopened = open(config, 1).await;
    claims(&reopened, 3).await;
    assert_eq!(reopened.check().await.unwrap(), Vec::<String>::new());
}

/// The first notification of a day adds partitions for the next days. Here, each day is far away from the day before,
/// so its partition does not exist yet.
#[tokio::test(flavor = "multi_thread")]
async fn notifications_are_accepted_while_partitions_are_added() {
    let Some(server) = Server::start(&[]).await else { return };
    let config = server.database().await;
    let keys = Arc::new(StoreKeys::generate().unwrap());
    let store = open(config.clone(), 4).await;
    for day in 0..30 {
        set_clock(&config, NOW + day * 30 * DAY).await;
        for number in 0..6 {
            let name = format!("day {day}, {number}");
            assert!(accept(&store, &keys, &name).await.is_some(), "{name} was not accepted");
        }
    }
    assert_eq!(store.check().await.unwrap(), Vec::<String>::new());
}
