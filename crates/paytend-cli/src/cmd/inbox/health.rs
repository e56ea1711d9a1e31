//! The metrics of the service.

use std::time::Duration;

use metrics_exporter_prometheus::{BuildError, Matcher, PrometheusBuilder, PrometheusHandle};

use crate::exit::{Category, Failure};

/// The upper bounds of the buckets for durations, in seconds.
const SECONDS: [f64; 12] = [0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0];
/// The upper bounds of the batch-size buckets.
const BATCHES: [f64; 9] = [1.0, 2.0, 4.0, 8.0, 16.0, 32.0, 64.0, 128.0, 256.0];
/// The interval at which the recorder moves recorded values to the buckets.
const UPKEEP_INTERVAL: Duration = Duration::from_secs(5);

/// Installs the metrics recorder for the whole process.
pub(crate) fn install_metrics() -> Result<PrometheusHandle, Failure> {
    let failed = |error: BuildError| Failure::new(Category::Unexpected, error);
    let handle = PrometheusBuilder::new()
        .set_buckets_for_metric(Matcher::Suffix("_seconds".into()), &SECONDS)
        .and_then(|builder| builder.set_buckets_for_metric(Matcher::Suffix("_operations".into()), &BATCHES))
        .and_then(|builder| builder.set_buckets_for_metric(Matcher::Suffix("_completions".into()), &BATCHES))
        .map_err(failed)?
        .install_recorder()
        .map_err(failed)?;
    let upkeep = handle.clone();
    // Without this task, recorded values would accumulate in memory until the metrics are read.
    tokio::spawn(async move {
        loop {
            tokio::time::sleep(UPKEEP_INTERVAL).await;
            upkeep.run_upkeep();
        }
    });
    Ok(handle)
}
