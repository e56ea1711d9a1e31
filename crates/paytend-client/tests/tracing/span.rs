//! A test for the tracing span of a call. This test needs a separate binary, because the subscriber is global to the
//! process.

// Tests may panic. Some functions of the modules from `tests/it` are not used here.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::cast_possible_truncation, dead_code)]

#[path = "../it/scripted.rs"]
mod scripted;
#[path = "../it/server.rs"]
mod server;
#[path = "../it/traces.rs"]
mod traces;
mod written;

use paytend_client::{ConnectFailure, TransportErrorKind};
use paytend_model::issuing::QueryCardBalance;

use scripted::{Scripted, Step};

#[tokio::test]
async fn span_of_a_call_contains_request_id_attempts_and_outcome() {
    let written = written::record_traces();
    let transport =
        Scripted::new([Step::Unsent(TransportErrorKind::Connect(ConnectFailure::Tcp)), Step::Failure("1007")]);
    let error = transport.client().send(&QueryCardBalance::new("1")).await.unwrap_err();
    let text = written.take();
    let closed = text.lines().rfind(|line| line.contains("close")).unwrap();
    let id = format!("request_id=\"{}\"", error.request_id().unwrap());
    assert!(
        text.lines()
            .any(|line| line.contains("attempt finished") && line.contains(error.request_id().unwrap().as_str())),
        "{text}"
    );
    for part in
        ["operation=\"getCardBalance\"", &id, "attempts=2", "http_status=200", "outcome=Rejected", "latency_ms="]
    {
        assert!(closed.contains(part), "{part} in {closed}");
    }
    assert!(text.contains("retrying"), "{text}");
}
