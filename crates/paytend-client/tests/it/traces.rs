//! A global subscriber that writes traces as text.
//!
//! A per-thread subscriber does not work, because `tracing` caches for all threads which call sites are enabled. A test
//! on another thread could therefore disable them.

use std::sync::Arc;

use tracing_subscriber::fmt::MakeWriter;
use tracing_subscriber::fmt::format::FmtSpan;

/// The environment variable with the path of the trace file. All tests in a binary write to this file.
pub(crate) const TRACE_TO: &str = "PAYTEND_TEST_TRACE_TO";

/// Starts writing traces to a file, if [`TRACE_TO`] is set.
pub(crate) fn write_traces() {
    let Some(path) = std::env::var_os(TRACE_TO) else { return };
    trace_to(Arc::new(std::fs::File::create(path).unwrap()));
}

/// Starts writing all traces to `writer`, including traces of dependencies that use `log`.
pub(crate) fn trace_to(writer: impl for<'w> MakeWriter<'w> + Send + Sync + 'static) {
    let _ = tracing_log::LogTracer::init();
    let subscriber = tracing_subscriber::fmt()
        .with_max_level(tracing::Level::TRACE)
        .with_span_events(FmtSpan::FULL)
        .with_ansi(false)
        .with_writer(writer);
    tracing::subscriber::set_global_default(subscriber.finish()).unwrap();
}
