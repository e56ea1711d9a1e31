//! `/healthz`, `/readyz` and `/metrics`.

use std::sync::Arc;
use std::time::{Duration, Instant};

use axum::Router;
use axum::extract::State;
use axum::response::{IntoResponse, Response};
use axum::routing::get;
use http::{StatusCode, header};
use metrics_exporter_prometheus::{BuildError, Matcher, PrometheusBuilder, PrometheusHandle};
use paytend_inbox::{StoreAdmin, WorkerHealth};
use serde_json::{Map, Value, json};
use tokio::sync::Mutex;

use crate::exit::{Category, Failure};

/// A worker that has not claimed for this long is not ready.
const WORKER_LIMIT: Duration = Duration::from_secs(60);
/// How long the result of a durable write is used again: anyone who reaches the port can ask.
const PROBE_INTERVAL: Duration = Duration::from_secs(1);
/// How long a durable write may take.
const PROBE_TIMEOUT: Duration = Duration::from_secs(5);

/// How long the counts of notifications are used again: counting reads whole tables, and anyone who reaches the port
/// can ask.
const COUNT_INTERVAL: Duration = Duration::from_secs(10);
/// How long counting may take.
const COUNT_TIMEOUT: Duration = Duration::from_secs(5);

/// What the routes need.
struct Health<S> {
    store: S,
    worker: Option<WorkerHealth>,
    metrics: PrometheusHandle,
    last: Mutex<Option<(Instant, StatusCode, Value)>>,
    /// When the notifications were last counted.
    counted: Mutex<Option<Instant>>,
}

/// Upper bounds of the buckets for times, in seconds.
const SECONDS: [f64; 12] = [0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0];
/// Upper bounds of the buckets for the sizes of batches.
const BATCHES: [f64; 9] = [1.0, 2.0, 4.0, 8.0, 16.0, 32.0, 64.0, 128.0, 256.0];
/// How often recorded values are added to the buckets.
const UPKEEP_INTERVAL: Duration = Duration::from_secs(5);

/// Installs the recorder of the process's metrics.
pub(crate) fn install_metrics() -> Result<PrometheusHandle, Failure> {
    let failed = |error: BuildError| Failure::new(Category::Unexpected, error);
    let handle = PrometheusBuilder::new()
        .set_buckets_for_metric(Matcher::Suffix("_seconds".into()), &SECONDS)
        .and_then(|builder| builder.set_buckets_for_metric(Matcher::Suffix("_operations".into()), &BATCHES))
        .map_err(failed)?
        .install_recorder()
        .map_err(failed)?;
    let upkeep = handle.clone();
    // Without it, the recorded values would use memory until someone reads the metrics.
    tokio::spawn(async move {
        loop {
            tokio::time::sleep(UPKEEP_INTERVAL).await;
            upkeep.run_upkeep();
        }
    });
    Ok(handle)
}

pub(crate) fn router<S: StoreAdmin>(store: S, worker: Option<WorkerHealth>, metrics: PrometheusHandle) -> Router {
    Router::new()
        .route("/healthz", get(async || "ok\n"))
        .route("/readyz", get(readyz::<S>))
        .route("/metrics", get(render::<S>))
        .with_state(Arc::new(Health { store, worker, metrics, last: Mutex::default(), counted: Mutex::default() }))
}

async fn readyz<S: StoreAdmin>(State(health): State<Arc<Health<S>>>) -> Response {
    // Requests that arrive together wait for one write.
    let mut last = health.last.lock().await;
    if let Some((at, status, body)) = &*last
        && at.elapsed() < PROBE_INTERVAL
    {
        return json_response(*status, body);
    }
    let (status, body) = probe(&health).await;
    *last = Some((Instant::now(), status, body.clone()));
    json_response(status, &body)
}

async fn probe<S: StoreAdmin>(health: &Health<S>) -> (StatusCode, Value) {
    let settings = match tokio::time::timeout(PROBE_TIMEOUT, health.store.probe()).await {
        Ok(Ok(settings)) => settings,
        Ok(Err(error)) => {
            return (StatusCode::SERVICE_UNAVAILABLE, json!({ "ready": false, "reason": error.to_string() }));
        }
        Err(_) => {
            let reason = "the store did not answer in time";
            return (StatusCode::SERVICE_UNAVAILABLE, json!({ "ready": false, "reason": reason }));
        }
    };
    if health.worker.as_ref().is_some_and(|worker| worker.since_last_poll() > WORKER_LIMIT) {
        return (StatusCode::SERVICE_UNAVAILABLE, json!({ "ready": false, "reason": "the worker has stopped" }));
    }
    let settings: Map<String, Value> =
        settings.into_iter().map(|(name, value)| (name.to_owned(), Value::from(value))).collect();
    (StatusCode::OK, json!({ "ready": true, "store": settings }))
}

async fn render<S: StoreAdmin>(State(health): State<Arc<Health<S>>>) -> Response {
    // Requests that arrive together wait for one count.
    let mut counted = health.counted.lock().await;
    if counted.is_none_or(|at| at.elapsed() >= COUNT_INTERVAL) {
        // Set first: a sender that disconnects meanwhile ends this function, but not the query.
        *counted = Some(Instant::now());
        count(&health.store).await;
    }
    drop(counted);
    let content_type = [(header::CONTENT_TYPE, "text/plain; version=0.0.4")];
    (content_type, health.metrics.render()).into_response()
}

/// Sets the gauges to the counts of the store. They keep their values if the store fails.
async fn count<S: StoreAdmin>(store: &S) {
    let stats = match tokio::time::timeout(COUNT_TIMEOUT, store.stats()).await {
        Ok(Ok(stats)) => stats,
        Ok(Err(error)) => return tracing::error!(%error, "cannot count notifications"),
        Err(_) => return tracing::error!("cannot count notifications in time"),
    };
    let states = [
        ("ready", stats.ready),
        ("leased", stats.leased),
        ("backoff", stats.backoff),
        ("done", stats.done),
        ("dead", stats.dead),
    ];
    for (state, count) in states {
        metrics::gauge!("paytend_inbox_notifications", "state" => state).set(gauge(count));
    }
    metrics::gauge!("paytend_inbox_sightings").set(gauge(stats.sightings));
    metrics::gauge!("paytend_inbox_oldest_ready_seconds").set(stats.oldest_ready.unwrap_or_default());
}

/// Returns a count as a gauge's value. Counts up to 2⁵³ are exact.
fn gauge(count: u64) -> f64 {
    #[expect(clippy::cast_precision_loss, reason = "counts are far below 2⁵³")]
    let value = count as f64;
    value
}

fn json_response(status: StatusCode, body: &Value) -> Response {
    (status, [(header::CONTENT_TYPE, "application/json")], format!("{body}\n")).into_response()
}
