//! Tests for request options, untyped calls and configured paths.

use paytend_client::{ErrorKind, Outcome};
use paytend_model::issuing::{QueryCardBalance, Topup};
use serde_json::json;

use crate::scripted::{Scripted, Step};

fn query() -> QueryCardBalance {
    QueryCardBalance::new("1755902")
}

#[tokio::test]
async fn request_id_and_custom_field_and_trace_parent_are_sent() {
    let transport = Scripted::new([Step::Success("{}")]);
    let client = transport.client();
    let parent = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01";
    let id = "0123456789abcdef0123456789ABCDEF";
    client
        .request(&query())
        .request_id(id.parse().unwrap())
        .field("channel", "web")
        .trace_parent(parent)
        .send()
        .await
        .unwrap();
    let seen = transport.seen();
    assert_eq!((seen[0].id(), seen[0].opened.field("channel")), (id, Some("web")));
    assert_eq!(seen[0].headers["traceparent"], parent);
    assert_eq!(seen[0].headers["content-type"], "application/json; charset=UTF-8");
    assert!(seen[0].headers["user-agent"].to_str().unwrap().starts_with("paytend-client/"));
    assert!(String::from_utf8_lossy(&seen[0].opened.canonical()).contains("&channel=web&"));
}

#[tokio::test]
async fn invalid_request_is_rejected_before_it_is_sent() {
    let transport = Scripted::new([]);
    let client = transport.client();
    let query = query();
    let requests = [
        client.request(&query).request_id("0123456789abcdef0123456789abcde&".parse().unwrap()),
        client.request(&query).trace_parent("00-xyz"),
        client.request(&query).trace_parent("00-0AF7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"),
        client.request(&query).field("bad name", "x"),
        client.request(&query).field("name", "a&b=c"),
        client.request(&query).field("content", "x"),
        client.request(&query).field("requestId", "0123456789abcdef0123456789ABCDEF"),
        client.request(&query).field("partnerId", "1"),
    ];
    for request in requests {
        let shown = format!("{request:?}");
        let error = request.send().await.expect_err(&shown);
        assert_eq!((error.kind(), error.outcome()), (ErrorKind::Request, Outcome::NotSent), "{error}");
        assert_eq!(error.attempts(), 0);
    }
    let topup = Topup::builder().card_id("CANARY").order_no("").amount("0".parse().unwrap()).currency("EUR").build();
    let error = client.send(&topup).await.unwrap_err();
    assert_eq!(
        error.to_string().split(" [").next().unwrap(),
        "topup: invalid request: `orderNo` must not be empty; nothing was sent"
    );
    assert_eq!(client.prepare(&topup).unwrap_err().kind(), ErrorKind::Request);
    let error = client.request(&topup).strict_validation().send().await.unwrap_err();
    assert_eq!(
        error.to_string().split(" [").next().unwrap(),
        "topup: invalid request: `orderNo` must not be empty; `amount` must be above zero; nothing was sent"
    );
}

#[tokio::test]
async fn first_invalid_option_is_reported() {
    let transport = Scripted::new([]);
    let client = transport.client();
    let query = query();
    let error = client.request(&query).field("partnerId", "1").trace_parent("x").send().await.unwrap_err();
    assert!(error.to_string().contains("invalid field"), "{error}");
    let error = client.request(&query).trace_parent("x").field("partnerId", "1").send().await.unwrap_err();
    assert!(error.to_string().contains("invalid traceparent"), "{error}");
}

#[tokio::test]
async fn danger_skip_validation_sends_an_invalid_request() {
    let transport = Scripted::new([Step::Success("{}")]);
    let topup = Topup::builder().card_id("1").order_no("").amount("0".parse().unwrap()).currency("EUR").build();
    transport.client().request(&topup).danger_skip_validation().send().await.unwrap();
    assert_eq!(
        transport.seen()[0].opened.payload_text(),
        Some(r#"{"cardId":"1","orderNo":"","amount":"0","currency":"EUR"}"#)
    );
}

#[tokio::test]
async fn operation_can_be_called_by_name_or_path_with_custom_data() {
    let transport = Scripted::new([
        Step::Success(r#"{"status":"2","deep":{"x":1.10}}"#),
        Step::Success(""),
        Step::Success(r#"{"city":[]}"#),
        Step::Success(""),
    ]);
    let client = transport.client();
    let response = client.call("topup", &json!({"cardId": "1", "more": [1, null]})).await.unwrap();
    assert_eq!(response.data().as_ref().unwrap().as_str(), r#"{"status":"2","deep":{"x":1.10}}"#);
    assert!(client.call("/issuing/card/limits", &json!({"cardId": "1"})).await.unwrap().into_data().is_none());
    client.call("baas.getCities", &json!({})).await.unwrap();
    // This operation returns data, so a response without data is an error.
    let error = client.call("getCardBalance", &json!({"cardId": "1"})).await.unwrap_err();
    assert_eq!((error.kind(), error.outcome()), (ErrorKind::Data, Outcome::Unknown));
    let seen = transport.seen();
    let urls: Vec<&str> = seen.iter().map(|s| s.url.trim_start_matches("https://api.example.com")).collect();
    assert_eq!(
        urls,
        ["/issuing/card/topup", "/issuing/card/limits", "/iban/user/getCities", "/issuing/card/getCardBalance"]
    );
    assert_eq!(seen[0].opened.payload_text(), Some(r#"{"cardId":"1","more":[1,null]}"#));
    for (name, reason) in [("getCities", "both products"), ("nothing", "no operation")] {
        let error = client.call(name, &json!({})).await.unwrap_err();
        assert!(error.kind() == ErrorKind::Request && error.to_string().contains(reason), "{error}");
    }
    let error = client.call("topup", &json!([1])).await.unwrap_err();
    assert_eq!((error.kind(), error.outcome()), (ErrorKind::Request, Outcome::NotSent));
}

/// An untyped request is sealed before it is sent, and `transmit` sends exactly the sealed document.
#[tokio::test]
async fn untyped_request_is_sealed_before_it_is_sent() {
    let transport = Scripted::new([Step::Success(r#"{"balance":1.10}"#), Step::Success("")]);
    let client = transport.client();
    let request = client.untyped("getCardBalance", &json!({"cardId": "1"})).unwrap();
    assert_eq!(request.url(), "https://api.example.com/issuing/card/getCardBalance");
    assert_eq!(request.payload(), r#"{"cardId":"1"}"#);
    assert!(transport.seen().is_empty() && !format!("{request:?}").contains("cardId"));
    let raw = request.transmit().await.unwrap();
    let response = request.open(&raw).unwrap();
    assert_eq!(response.data().as_ref().unwrap().as_str(), r#"{"balance":1.10}"#);
    assert_eq!(response.request_id(), request.request_id());
    let seen = transport.seen();
    let sent = seen[0].opened.field("requestId");
    assert_eq!((seen.len(), sent), (1, Some(request.request_id().as_str())));
    // A response without data is also an error for an untyped request.
    let error = request.open(&request.transmit().await.unwrap()).unwrap_err();
    assert_eq!((error.kind(), error.outcome()), (ErrorKind::Data, Outcome::Unknown));
    assert_eq!((client.base_url(), client.partner_id().len()), ("https://api.example.com", 15));
}

#[tokio::test]
async fn extra_fields_of_an_operation_without_data_are_sent() {
    let transport = Scripted::new([Step::Success("{}"), Step::Success("{}")]);
    let client = transport.client();
    let mut query = paytend_model::iban::QueryUpgradeFee::new();
    client.send(&query).await.unwrap();
    query.extra.set("userId", r#""U1""#).unwrap();
    client.send(&query).await.unwrap();
    let seen = transport.seen();
    assert_eq!([0, 1].map(|at: usize| seen[at].opened.payload_text()), [Some(""), Some(r#"{"userId":"U1"}"#)]);
}

#[tokio::test]
async fn configured_paths_are_used() {
    let transport = Scripted::new([Step::Success("{}"), Step::Success("{}"), Step::Success("{}")]);
    let (builder, _) = transport.builder();
    let client =
        builder.path("getCardBalance", "/v2/card/balance").path("baas.getCities", "/v2/cities").build().unwrap();
    client.send(&query()).await.unwrap();
    client.call("baas.getCities", &json!({})).await.unwrap();
    client.call("/issuing/card/getCardBalance", &json!({})).await.unwrap();
    let seen = transport.seen();
    let urls: Vec<&str> = seen.iter().map(|s| s.url.trim_start_matches("https://api.example.com")).collect();
    assert_eq!(urls, ["/v2/card/balance", "/v2/cities", "/v2/card/balance"]);
}

#[tokio::test]
async fn raw_body_is_available_but_not_in_display_or_debug_output() {
    let transport = Scripted::new([Step::Raw(502, b"<html>CANARY</html>".to_vec(), &[])]);
    let (builder, _) = transport.builder();
    let client = builder.retry(paytend_client::RetryPolicy::never()).build().unwrap();
    let error = client.send(&query()).await.unwrap_err();
    assert_eq!(error.raw_body(), Some(&b"<html>CANARY</html>"[..]));
    assert_eq!(error.http_status(), Some(502));
    assert!(error.is_retryable(), "the query's error is not retryable");
    let shown = format!("{error} {error:?} {error:#?}");
    assert!(!shown.contains("CANARY") && shown.contains("body_bytes: Some(19)"), "{shown}");
}
