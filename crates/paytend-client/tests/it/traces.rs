//! Traces as text, of the whole program. A subscriber of one thread alone does not do: `tracing` remembers in one cache
//! for all threads which call sites are of interest, so another test that runs beside it can switch them off.

use std::sync::Arc;

use tracing_subscriber::fmt::MakeWriter;
use tracing_subscriber::fmt::format::FmtSpan;

/// The variable that names the file to which all tests of a program write what is traced.
pub(crate) const TRACE_TO: &str = "PAYTEND_TEST_TRACE_TO";

/// Begins to write traces to a file, if [`TRACE_TO`] names one.
pub(crate) fn write_traces() {
    let Some(path) = std::env::var_os(TRACE_TO) else { return };
    trace_to(Arc::new(std::fs::File::create(path).unwrap()));
}

/// Libraries that use `log` are listened to as well.
pub(crate) fn trace_to(writer: impl for<'w> MakeWriter<'w> + Send + Sync + 'static) {
    let _ = tracing_log::LogTracer::init();
    let subscriber = tracing_subscriber::fmt()
        .with_max_level(tracing::Level::TRACE)
        .with_span_events(FmtSpan::FULL)
        .with_ansi(false)
        .with_writer(writer);
    tracing::subscriber::set_global_default(subscriber.finish()).unwrap();
}
