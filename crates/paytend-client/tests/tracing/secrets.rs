//! Checks that traces contain no secrets or personal data. This test needs a separate binary, because the subscriber is
//! global to the process.

// Tests may panic. Some functions of the modules from `tests/it` are not used here.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::cast_possible_truncation, dead_code)]

#[path = "../it/proxy.rs"]
mod proxy;
#[path = "../it/scripted.rs"]
mod scripted;
#[path = "../it/server.rs"]
mod server;
#[path = "../it/traces.rs"]
mod traces;
mod written;

use paytend_client::{Client, Environment, RetryPolicy};
use paytend_model::issuing::{Address, CreateCardholder, QueryTopupResult, ReplaceCard, Topup};
use paytend_sandbox::Sandbox;

use proxy::{Fault, Proxy};
use scripted::{Scripted, Step};

/// Makes successful and failing calls of every kind over real connections.
#[tokio::test]
async fn traces_contain_no_secrets_or_personal_data() {
    let written = written::record_traces();
    let sandbox = Sandbox::start().await.unwrap();
    let proxy = Proxy::before(&sandbox.url()).await;
    let keyring = sandbox.partner_keyring().unwrap();
    let client = Client::builder(Environment::BaseUrl(proxy.url.clone()), sandbox.partner_id(), keyring)
        .retry(RetryPolicy::never())
        .build()
        .unwrap();

    let c = || "CANARY-personal".to_owned();
    let address = Address::builder().address_line(c()).city_code(c()).postcode(c()).country_code(c()).build();
    let holder = CreateCardholder::builder()
        .mobile(c())
        .first_name(c())
        .last_name(c())
        .id_no(c())
        .id_type("2")
        .email(c())
        .birthday("1990-02-28")
        .gender("1")
        .nationality_code("LT")
        .eea_address(address)
        .build();
    client.send(&holder).await.unwrap();
    let mut secrets = Vec::new();
    let topup = Topup::builder()
        .card_id("CANARY-card")
        .order_no("T-1")
        .amount("25.00".parse().unwrap())
        .currency("EUR")
        .build();
    let prepared = client.prepare(&topup).unwrap();
    // The session key and the signed canonical string must not appear.
    let canonical = prepared.canonical().unwrap();
    let session_key = canonical.split("&randomKey=").nth(1).unwrap().split('&').next().unwrap();
    assert_eq!(session_key.len(), 24);
    secrets.push(session_key.to_owned());
    client.transmit(&prepared).await.unwrap();
    client.send(&topup).await.unwrap_err();
    client.send(&ReplaceCard::builder().card_id("1").cvv("CANARY-cvv").old_card_id("2").build()).await.unwrap_err();
    client.send(&QueryTopupResult::new("CANARY-order")).await.unwrap_err();
    client.call("topup", &serde_json::json!({"note": "CANARY-untyped"})).await.unwrap_err();
    proxy.fail("/issuing/card/topup", &[Fault::LoseResponse]);
    client.send(&topup).await.unwrap_err();
    // Test an error page and an unsigned error response that repeat the request's content.
    for body in [&b"<html>CANARY-page</html>"[..], br#"{"respCode":"9001","respMsg":"CANARY-message"}"#] {
        let scripted = Scripted::new([Step::Raw(500, body.to_vec(), &[("x-debug", "CANARY-header")])]);
        let (builder, _) = scripted.builder();
        builder.retry(RetryPolicy::never()).build().unwrap().send(&topup).await.unwrap_err();
    }
    // The private key must not appear.
    let key = sandbox.partner_key().unwrap();
    let pem = key.to_pkcs8_pem().unwrap();
    secrets.extend(pem.lines().filter(|line| !line.starts_with('-')).map(str::to_owned));
    secrets.push("CANARY".into());

    let text = written.take();
    assert!(text.lines().count() > 50, "the dependencies' traces are missing:\n{text}");
    assert!(text.contains("hyper") || text.contains("reqwest"), "{text}");
    for secret in &secrets {
        for form in [secret.clone(), base64(secret)] {
            assert!(!text.contains(&form), "{form} in {}", text.lines().find(|line| line.contains(&form)).unwrap());
        }
    }
}

/// Encodes whole groups of three bytes in Base64, because the encoding of the remaining bytes depends on the bytes that
/// follow.
fn base64(text: &str) -> String {
    use ::base64::Engine as _;
    let whole = text.len() / 3 * 3;
    ::base64::engine::general_purpose::STANDARD.encode(&text[..whole])
}
