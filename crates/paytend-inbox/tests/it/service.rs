//! Tests of the HTTP service.

use std::time::Duration;

use axum::Router;
use axum::body::{Body, to_bytes};
use http::{Request, StatusCode};
use paytend_inbox::service::{Monitoring, route};
use paytend_inbox::{AnyNotification, AuditEvent, Completion, Delivery, StoreAdmin as _, Worker};
use paytend_model::Product;
use paytend_webhook::server::Endpoint;
use tower_service::Service as _;

use crate::support::{entries, inbox, receiver, sender};

const TRACEPARENT: &str = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01";

async fn get(app: &mut Router, path: &str) -> (StatusCode, String) {
    get_from(app, path, "localhost:8080").await
}

async fn get_from(app: &mut Router, path: &str, host: &str) -> (StatusCode, String) {
    let request = Request::get(path).header("host", host).body(Body::empty()).unwrap();
    let response = app.call(request).await.unwrap();
    let status = response.status();
    let body = to_bytes(response.into_body(), 1 << 20).await.unwrap();
    (status, String::from_utf8(body.to_vec()).unwrap())
}

#[tokio::test]
async fn route_stores_the_request_trace_context() {
    let inbox = inbox().await;
    let mut app = Router::new().route("/baas", route(Endpoint::new(receiver(Product::Baas)), &inbox));
    for (order, traceparent) in [("F1", Some(TRACEPARENT)), ("F2", Some("garbage")), ("F3", None)] {
        let (mut parts, body) = sender().raw("2", &format!(r#"{{"orderNo":"{order}"}}"#)).unwrap().into_parts();
        parts.uri = "/baas".parse().unwrap();
        if let Some(traceparent) = traceparent {
            parts.headers.insert("traceparent", traceparent.parse().unwrap());
        }
        let response = app.call(Request::from_parts(parts, Body::from(body))).await.unwrap();
        assert_eq!(response.status(), StatusCode::OK);
    }
    let stored: Vec<_> = entries(&inbox).await.into_iter().map(|entry| entry.facts.traceparent).collect();
    assert_eq!(stored, [Some(TRACEPARENT.to_owned()), None, None]);
    let forged = Request::post("/baas").body(Body::from("{}")).unwrap();
    assert_eq!(app.call(forged).await.unwrap().status(), StatusCode::BAD_REQUEST);
}

#[tokio::test(start_paused = true)]
async fn readiness_requires_a_worker_that_makes_progress() {
    let inbox = inbox().await;
    let worker = Worker::builder(inbox.clone(), async |_: Delivery<AnyNotification>| Ok(Completion::without_effect()));
    let monitoring = Monitoring::new(inbox.store().clone()).worker(worker.build().health());
    let mut app = monitoring.metrics(|| "metric 1\n".to_owned()).router();
    assert_eq!(get(&mut app, "/healthz").await, (StatusCode::OK, "ok\n".to_owned()));
    let (status, body) = get(&mut app, "/readyz").await;
    assert_eq!((status, body.contains(r#""engine":"memory""#)), (StatusCode::OK, true), "{body}");
    assert_eq!(get(&mut app, "/metrics").await, (StatusCode::OK, "metric 1\n".to_owned()));
    // The worker was never started, so it makes no progress.
    tokio::time::sleep(Duration::from_secs(61)).await;
    let (status, body) = get(&mut app, "/readyz").await;
    assert_eq!(status, StatusCode::SERVICE_UNAVAILABLE);
    assert!(body.contains("the worker makes no progress"), "{body}");
    let mut app = Monitoring::new(inbox.store().clone()).router();
    assert_eq!(get(&mut app, "/metrics").await.0, StatusCode::NOT_FOUND);
}

#[tokio::test]
async fn audit_page_is_off_by_default_and_shown_only_on_the_loopback_interface() {
    let inbox = inbox().await;
    let mut app = Monitoring::new(inbox.store().clone()).router();
    assert_eq!(get(&mut app, "/audit").await.0, StatusCode::NOT_FOUND);
    let event = AuditEvent::new(AuditEvent::ERASE, "<script>alice").detail(Some("a & \"b\"".into()));
    inbox.store().record(event).await.unwrap();
    let mut app = Monitoring::new(inbox.store().clone()).audit_page(|_| "the time".into()).router();
    let (status, page) = get(&mut app, "/audit").await;
    assert_eq!(status, StatusCode::OK);
    let row = "<tr><td>1<td>the time<td>erase<td><td>&lt;script&gt;alice<td>a &amp; &quot;b&quot;";
    assert!(page.contains(row), "{page}");
    // A malicious web page can use a host name that resolves to the loopback interface.
    assert_eq!(get_from(&mut app, "/audit", "attacker.example:8080").await.0, StatusCode::FORBIDDEN);
}
