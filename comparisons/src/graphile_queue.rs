//! Processes the jobs with `graphile_worker`.

use std::time::{Duration, Instant};

use graphile_worker::{IntoTaskHandlerResult, LocalQueueConfig, TaskHandler, WorkerContext, WorkerOptions};
use serde::{Deserialize, Serialize};
use sqlx::PgPool;

use crate::server::{Server, execute};
use crate::{HANDLERS, JOBS, effect};

#[derive(Debug, Clone)]
struct Pool(PgPool);

#[derive(Deserialize, Serialize)]
struct Job {
    line: String,
}

impl TaskHandler for Job {
    const IDENTIFIER: &'static str = "effect";

    async fn run(self, context: WorkerContext) -> impl IntoTaskHandlerResult {
        let Pool(pool) = context.get_ext::<Pool>().ok_or("no pool")?;
        sqlx::query(effect::INSERT).bind(self.line).execute(pool).await.map(drop).map_err(|error| error.to_string())
    }
}

/// Processes the jobs with a local queue in the worker. Without a local queue, the worker fetches only one job per
/// poll.
pub(crate) async fn rate(server: &Server) -> u128 {
    let config = server.database().await;
    execute(&config, effect::TABLE).await;
    let pool = effect::pool(&config).await;
    let options = WorkerOptions::default()
        .pg_pool(pool.clone())
        .concurrency(HANDLERS)
        .poll_interval(Duration::from_millis(100))
        .listen_os_shutdown_signals(false)
        .add_extension(Pool(pool.clone()))
        .local_queue(LocalQueueConfig::default())
        .define_job::<Job>();
    let worker = options.init().await.unwrap();
    let jobs = "SELECT graphile_worker.add_job('effect', json_build_object('line', lpad(n::text, 1000, '0'))) \
                FROM generate_series(1, $1::int) n";
    sqlx::query(jobs).bind(i32::try_from(JOBS).unwrap()).execute(&pool).await.unwrap();
    let started = Instant::now();
    let worker = std::sync::Arc::new(worker);
    let running = tokio::spawn({
        let worker = std::sync::Arc::clone(&worker);
        async move { worker.run().await }
    });
    let rate = effect::rate(&config, started, "SELECT NOT EXISTS (SELECT FROM graphile_worker.jobs)").await;
    worker.request_shutdown();
    running.await.unwrap().unwrap();
    pool.close().await;
    rate
}
