//! The effect of every job, and a function that waits until the last job is done.

use std::time::{Duration, Instant};

use paytend_store_postgres::tokio_postgres::{Config, NoTls};
use sqlx::PgPool;
use sqlx::postgres::{PgConnectOptions, PgPoolOptions};

use crate::{CONNECTIONS, JOBS};

pub(crate) const TABLE: &str = "CREATE TABLE effect (line text NOT NULL)";
pub(crate) const INSERT: &str = "INSERT INTO effect VALUES ($1)";

/// Returns a job's content.
pub(crate) fn content(number: usize) -> String {
    format!("{number:0>1000}")
}

/// Creates the connection pool for the other job queues.
pub(crate) async fn pool(config: &Config) -> PgPool {
    let paytend_store_postgres::tokio_postgres::config::Host::Unix(directory) = &config.get_hosts()[0] else {
        panic!("the server does not listen on a Unix socket");
    };
    let options = PgConnectOptions::new_without_pgpass()
        .socket(directory)
        .username("postgres")
        .database(config.get_dbname().unwrap());
    PgPoolOptions::new().max_connections(CONNECTIONS).connect_with(options).await.unwrap()
}

/// Waits until the query `is_done` returns true, and returns the number of jobs completed per second since `started`.
pub(crate) async fn rate(config: &Config, started: Instant, is_done: &str) -> u128 {
    let (client, connection) = config.connect(NoTls).await.unwrap();
    let running = tokio::spawn(connection);
    let deadline = started + Duration::from_secs(300);
    while !client.query_one(is_done, &[]).await.unwrap().get::<_, bool>(0) {
        assert!(Instant::now() < deadline, "the jobs are not done after five minutes");
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
    let rate = JOBS as u128 * 1_000_000 / started.elapsed().as_micros();
    let effects: i64 = client.query_one("SELECT count(*) FROM effect", &[]).await.unwrap().get(0);
    assert_eq!(usize::try_from(effects).unwrap(), JOBS, "the number of effects differs from the number of jobs");
    drop(client);
    running.await.unwrap().unwrap();
    rate
}
