//! Processes the jobs with `apalis` and `apalis-postgres`.

use std::time::Instant;

use apalis::prelude::*;
use apalis_postgres::{Config, PostgresStorage};
use sqlx::PgPool;

use crate::server::{Server, execute};
use crate::{HANDLERS, JOBS, effect};

async fn handle(line: String, pool: Data<PgPool>) -> Result<(), BoxDynError> {
    sqlx::query(effect::INSERT).bind(line).execute(&*pool).await?;
    Ok(())
}

/// Processes the jobs in batches, like apalis's fastest example. Unlike in the example, the worker locks the jobs, so
/// that several workers could run.
pub(crate) async fn rate(server: &Server) -> u128 {
    let config = server.database().await;
    execute(&config, effect::TABLE).await;
    let pool = effect::pool(&config).await;
    PostgresStorage::setup(&pool).await.unwrap();
    let mut backend =
        PostgresStorage::<String>::new(&pool).with_config(Config::default().queue("effect").batch_size(100));
    let jobs = (0..JOBS).map(|number| TaskBuilder::new(effect::content(number)).build());
    backend.push_all(&mut futures_util::stream::iter(jobs)).await.unwrap();
    let started = Instant::now();
    let worker = WorkerBuilder::new("effect").backend(backend).data(pool.clone()).concurrency(HANDLERS);
    let worker = worker.parallelize(tokio::spawn).build(handle);
    let running = tokio::spawn(worker.run());
    let is_done = "SELECT NOT EXISTS (SELECT FROM apalis.jobs WHERE status <> 'Done')";
    let rate = effect::rate(&config, started, is_done).await;
    running.abort();
    let _ = running.await;
    pool.close().await;
    rate
}
