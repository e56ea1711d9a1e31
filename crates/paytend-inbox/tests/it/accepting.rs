//! Tests that accept notifications, directly and with the handler for the `paytend-webhook` adapters.

use std::time::{Duration, SystemTime};

use axum::body::Body;
use http::{HeaderMap, Request, StatusCode};
use paytend_inbox::{
    Accepted, ClaimRequest, Claimed, FinishError, Inbox, Kind, Lease, Mac, NewNotification, NotificationType as _,
    Release, Route, State, Store, StoreAdmin as _, StoreError, StoreKeys, types,
};
use paytend_model::Product;
use paytend_webhook::server::Endpoint;
use paytend_webhook::{Provider, Receiver as _};
use tower_service::Service as _;

use crate::support::{deposit, entries, inbox, notification, receiver, sender};

#[tokio::test]
async fn facts_are_stored_even_for_unknown_and_unreadable_content() {
    let inbox = inbox().await;
    let content = r#"{"transactionId":"T1","orderNo":"F1","amount":25.00,"currency":"EUR","tradeStatus":"2"}"#;
    for (verified, kind, business_id) in [
        (notification("2", content), types::FundDeposit::KIND, Some("T1")),
        (notification("77", r#"{"orderNo":"F1"}"#), Kind::UNKNOWN, None),
        (notification("2", r#"{"nothing":"known"}"#), Kind::UNKNOWN, None),
    ] {
        let notify_type = verified.opened().unwrap().field("notifyType").unwrap().to_owned();
        let id = inbox.accept(&verified).await.unwrap().id();
        let entry = inbox.store().show(id, None).await.unwrap().unwrap();
        assert_eq!((entry.facts.route, &entry.facts.kind), (Route::PaytendBaas, &kind));
        assert_eq!(entry.facts.notify_type, notify_type);
        assert_eq!(entry.facts.business_id.as_deref(), business_id);
        assert_eq!(entry.facts.verified_by, verified.verified_by().to_string());
        assert_eq!(entry.state, State::Ready);
        let content = inbox.open_payload(id, &entry.facts, &entry.payload.unwrap()).unwrap().unwrap();
        assert_eq!(content, verified.content());
    }
}

#[tokio::test]
async fn unknown_notifications_are_stored_with_their_route() {
    let inbox = inbox().await;
    let request = sender().raw("99", "{}").unwrap();
    for (product, route) in [(Product::Baas, Route::PaytendBaas), (Product::Issuing, Route::PaytendIssuing)] {
        let verified = receiver(product).receive(&HeaderMap::new(), request.body(), SystemTime::now()).unwrap();
        let id = inbox.accept(&verified).await.unwrap().id();
        assert_eq!(inbox.store().show(id, None).await.unwrap().unwrap().facts.route, route);
    }
}

#[tokio::test]
async fn deliveries_with_equal_content_are_duplicates() {
    let inbox = inbox().await;
    let first = inbox.accept(&deposit("F1")).await.unwrap();
    let Accepted::New(id) = first else { panic!("{first:?}") };
    for sighting in 1..=2 {
        assert_eq!(inbox.accept(&deposit("F1")).await.unwrap(), Accepted::Duplicate { id, sighting });
    }
    assert!(matches!(inbox.accept(&deposit("F2")).await.unwrap(), Accepted::New(_)));
}

#[tokio::test]
async fn stored_dedup_key_differs_between_deployments() {
    let (one, two) = (inbox().await, inbox().await);
    let verified = deposit("F1");
    one.accept(&verified).await.unwrap();
    two.accept(&verified).await.unwrap();
    let [one, two] = [entries(&one).await.remove(0), entries(&two).await.remove(0)];
    assert_ne!(one.facts.dedup, two.facts.dedup);
    assert_ne!(one.facts.content_tag, two.facts.content_tag);
    assert_ne!(one.facts.dedup.as_bytes(), verified.dedup_key().as_bytes());
}

#[tokio::test]
async fn traceparent_is_stored_unless_it_is_invalid() {
    let inbox = inbox().await;
    let traceparent = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01";
    inbox.accept_traced(&deposit("F1"), Some(traceparent.into())).await.unwrap();
    inbox.accept_traced(&deposit("F2"), Some("x".repeat(200))).await.unwrap();
    let stored: Vec<_> = entries(&inbox).await.into_iter().map(|entry| entry.facts.traceparent).collect();
    assert_eq!(stored, [Some(traceparent.into()), None]);
}

#[tokio::test]
async fn axum_route_stores_and_acknowledges_notifications() {
    let inbox = inbox().await;
    let mut app = axum::Router::new()
        .route("/baas", paytend_webhook::axum::route(Endpoint::new(receiver(Product::Baas)), inbox.handler()));
    for _ in 0..2 {
        let request = sender().raw("2", r#"{"orderNo":"F1"}"#).unwrap();
        let (mut parts, body) = request.into_parts();
        parts.uri = "/baas".parse().unwrap();
        let response = app.call(Request::from_parts(parts, Body::from(body))).await.unwrap();
        assert_eq!(response.status(), StatusCode::OK);
    }
    let entries = entries(&inbox).await;
    assert_eq!((entries.len(), entries[0].sightings), (1, 1));
}

/// A store whose writes either fail or never complete.
#[derive(Clone)]
enum BrokenStore {
    Hangs,
    Fails,
}

impl Store for BrokenStore {
    type Effect = ();

    async fn bind_keys(&self, _: Mac) -> Result<(), StoreError> {
        Ok(())
    }

    async fn accept(&self, _: NewNotification) -> Result<Accepted, StoreError> {
        match self {
            Self::Hangs => std::future::pending().await,
            Self::Fails => Err(StoreError::unavailable("the disk is full")),
        }
    }

    async fn claim(&self, _: ClaimRequest) -> Result<Vec<Claimed>, StoreError> {
        Ok(Vec::new())
    }

    async fn extend(&self, _: Lease, _: Duration) -> Result<(), FinishError> {
        Err(FinishError::LeaseLost)
    }

    async fn complete(&self, _: Lease, _: Option<()>) -> Result<(), FinishError> {
        Err(FinishError::LeaseLost)
    }

    async fn release(&self, _: Lease, _: Release) -> Result<(), FinishError> {
        Err(FinishError::LeaseLost)
    }

    async fn changed(&self) {
        std::future::pending::<()>().await;
    }
}

#[tokio::test(start_paused = true)]
async fn notification_that_is_not_stored_is_not_acknowledged() {
    for store in [BrokenStore::Hangs, BrokenStore::Fails] {
        let inbox = Inbox::open(store, StoreKeys::generate().unwrap()).await.unwrap();
        let started = tokio::time::Instant::now();
        let verified = deposit("F1");
        let reply = inbox.handler()(verified).await;
        assert_eq!(Provider::Paytend.respond(reply).to_http().status(), StatusCode::SERVICE_UNAVAILABLE);
        assert!(started.elapsed() <= Duration::from_secs(6));
    }
}

#[tokio::test]
async fn different_deduplication_key_is_refused_for_an_existing_store() {
    let store = inbox().await.store().clone();
    let error = Inbox::open(store, StoreKeys::generate().unwrap()).await.unwrap_err();
    assert_eq!(error.to_string(), "the store was created with a different key file");
}
