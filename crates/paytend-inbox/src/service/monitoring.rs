//! `/healthz`, `/readyz` and `/metrics`.

use std::fmt;
use std::sync::Arc;
use std::time::{Duration, SystemTime};

use axum::Router;
use axum::extract::State;
use axum::http::{StatusCode, header};
use axum::response::{IntoResponse as _, Response};
use axum::routing::get;
use serde_json::{Map, Value, json};

use crate::error::StoreError;
use crate::service::audit::{self, FormatTime};
use crate::service::single::Single;
use crate::store::StoreAdmin;
use crate::worker::WorkerHealth;

/// How long the result of a durable write is reused. This limits the number of writes that requests can cause.
const PROBE_INTERVAL: Duration = Duration::from_secs(1);
/// The time limit for a durable write.
const PROBE_TIMEOUT: Duration = Duration::from_secs(5);
/// How long notification counts are reused. Counting reads whole tables, so it is not repeated for each request.
const COUNT_INTERVAL: Duration = Duration::from_secs(10);
/// The time limit for counting.
const COUNT_TIMEOUT: Duration = Duration::from_secs(5);

type Render = dyn Fn() -> String + Send + Sync;

/// The routes for monitoring.
///
/// | route | response |
/// |---|---|
/// | `/healthz` | 200 while the process runs |
/// | `/readyz` | 200 if the service can store and process notifications; 503 otherwise, with the reason |
/// | `/metrics` | the metrics, if [`metrics`](Self::metrics) is set |
/// | `/audit` | operator actions, if [`audit_page`](Self::audit_page) is set |
///
/// `/readyz` writes durably, checks the engine's settings, and checks that the worker makes progress.
///
/// Concurrent requests share one write and one count. If a client disconnects early, the write or count continues.
#[must_use]
pub struct Monitoring<S> {
    store: S,
    worker: Option<WorkerHealth>,
    worker_limit: Duration,
    render: Option<Box<Render>>,
    audit: Option<Arc<FormatTime>>,
}

/// The state that the monitoring routes share.
struct Shared<S> {
    settings: Monitoring<S>,
    probe: Single<Result<Vec<(&'static str, String)>, StoreError>>,
    count: Single<()>,
}

impl<S: StoreAdmin> Monitoring<S> {
    /// Creates the routes for a store.
    pub fn new(store: S) -> Self {
        Self { store, worker: None, worker_limit: Duration::from_secs(60), render: None, audit: None }
    }

    /// Sets the worker that `/readyz` checks for progress.
    pub fn worker(mut self, health: WorkerHealth) -> Self {
        self.worker = Some(health);
        self
    }

    /// Sets how long the worker can make no progress before `/readyz` reports it as not ready (default 60 s). This must
    /// be longer than a handler usually takes.
    pub fn worker_limit(mut self, time: Duration) -> Self {
        self.worker_limit = time;
        self
    }

    /// Sets the function that renders the metrics for Prometheus, such as `PrometheusHandle::render` of
    /// `metrics-exporter-prometheus`. The store's gauges are updated before each call.
    pub fn metrics(mut self, render: impl Fn() -> String + Send + Sync + 'static) -> Self {
        self.render = Some(Box::new(render));
        self
    }

    /// Adds the `/audit` page, which lists operator actions. `format_time` formats the times on the page.
    ///
    /// The page contains the names of operators. Serve it only on a loopback address and without a proxy. Requests
    /// whose `Host` does not name the loopback interface are refused.
    pub fn audit_page(mut self, format_time: impl Fn(SystemTime) -> String + Send + Sync + 'static) -> Self {
        self.audit = Some(Arc::new(format_time));
        self
    }

    /// Returns the routes.
    pub fn router(self) -> Router {
        let mut router = Router::new().route("/healthz", get(async || "ok\n")).route("/readyz", get(readyz::<S>));
        if self.render.is_some() {
            router = router.route("/metrics", get(render::<S>));
        }
        let audit = self.audit.clone().map(|format_time| audit::router(self.store.clone(), format_time));
        let router = router.with_state(Arc::new(Shared {
            settings: self,
            probe: Single::new(PROBE_INTERVAL, PROBE_TIMEOUT),
            count: Single::new(COUNT_INTERVAL, COUNT_TIMEOUT),
        }));
        router.merge(audit.unwrap_or_default())
    }
}

impl<S> fmt::Debug for Monitoring<S> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Monitoring").field("worker", &self.worker).finish_non_exhaustive()
    }
}

async fn readyz<S: StoreAdmin>(State(shared): State<Arc<Shared<S>>>) -> Response {
    let settings = &shared.settings;
    let probe = || {
        let store = settings.store.clone();
        async move { store.probe().await }
    };
    let found = match shared.probe.get(probe).await {
        Some(Ok(found)) => found,
        Some(Err(error)) => return not_ready(&error.to_string()),
        None => return not_ready("the store did not respond in time"),
    };
    let stuck = settings.worker.as_ref().is_some_and(|worker| worker.since_last_progress() > settings.worker_limit);
    if stuck {
        return not_ready("the worker makes no progress: it has stopped, or all its handlers are stuck");
    }
    let found: Map<String, Value> =
        found.into_iter().map(|(name, value)| (name.to_owned(), Value::from(value))).collect();
    json_response(StatusCode::OK, &json!({ "ready": true, "store": found }))
}

fn not_ready(reason: &str) -> Response {
    json_response(StatusCode::SERVICE_UNAVAILABLE, &json!({ "ready": false, "reason": reason }))
}

async fn render<S: StoreAdmin>(State(shared): State<Arc<Shared<S>>>) -> Response {
    let count = || count(shared.settings.store.clone());
    if shared.count.get(count).await.is_none() {
        tracing::error!("cannot count notifications in time");
    }
    let content_type = [(header::CONTENT_TYPE, "text/plain; version=0.0.4")];
    let rendered = shared.settings.render.as_ref().map(|render| render()).unwrap_or_default();
    (content_type, rendered).into_response()
}

/// Sets the gauges to the store's counts. If the store fails, the gauges keep their values.
async fn count<S: StoreAdmin>(store: S) {
    let stats = match store.stats().await {
        Ok(stats) => stats,
        Err(error) => return tracing::error!(%error, "cannot count notifications"),
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

/// Converts a count to the value of a gauge. Counts up to 2⁵³ are exact.
fn gauge(count: u64) -> f64 {
    #[expect(clippy::cast_precision_loss, reason = "counts are far below 2⁵³")]
    let value = count as f64;
    value
}

fn json_response(status: StatusCode, body: &Value) -> Response {
    (status, [(header::CONTENT_TYPE, "application/json")], format!("{body}\n")).into_response()
}
