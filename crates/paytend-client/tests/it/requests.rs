//! Tests for the requests that the client sends.

use paytend_client::{Client, Environment, ErrorKind};
use paytend_crypto::{Expected, Keyring, rustcrypto};
use paytend_model::iban::VerifyMobileNumber;
use paytend_model::issuing::{QueryCardBalance, QueryPartnerBalance};
use paytend_vectors::{PARTNER_ID, Seeded};
use tokio::io::AsyncWriteExt;

use crate::server::{client, once, partner, paytend, response};

#[tokio::test]
async fn call_sends_one_post_and_returns_a_typed_response() {
    let data = r#"{"cardId":"1755902","balance":"25.00","currency":"EUR","new":[1]}"#;
    let (url, seen) = once(move |seen, mut stream| async move {
        let body = response(&paytend(), "00", "success", data);
        let response = format!("HTTP/1.1 200 OK\r\nContent-Length: {}\r\n\r\n{body}", body.len());
        stream.write_all(response.as_bytes()).await.unwrap();
        seen
    })
    .await;
    let balance = client(&url).send(&QueryCardBalance::new("1755902")).await.unwrap();
    assert_eq!(balance.balance.as_ref().map(ToString::to_string).as_deref(), Some("25.00"));
    assert_eq!(balance.extra.get("new"), Some("[1]"));

    let seen = seen.await.unwrap();
    assert!(seen.head.starts_with("POST /issuing/card/getCardBalance HTTP/1.1"), "{}", seen.head);
    assert!(seen.head.to_lowercase().contains("content-type: application/json"), "{}", seen.head);
    let opened = paytend().open(&seen.body, &Expected::request(PARTNER_ID)).unwrap();
    assert_eq!(opened.payload_text(), Some(r#"{"cardId":"1755902"}"#));
    assert_eq!(opened.field("requestId").map(str::len), Some(32));
}

#[tokio::test]
async fn prepared_requests_have_distinct_request_ids() {
    let client = client("http://127.0.0.1:9/base");
    let operation = VerifyMobileNumber::builder().mobile("8613261402222").type_("1").build();
    let [one, two] = [(); 2].map(|()| client.prepare(&operation).unwrap());
    assert_ne!(one.request_id(), two.request_id());
    assert_eq!(one.operation().name, "verifyMobileNumber");
    assert!(
        one.canonical()
            .unwrap()
            .starts_with(r#"bizData={"mobile":"8613261402222","type":"1"}&partnerId=888666000100260&randomKey="#)
    );
    let shown = format!("{one:?} {client:?}");
    assert!(!shown.contains("8613261402222"), "{shown}");

    // An operation without business data sends an empty `bizData`.
    let balance = client.prepare(&QueryPartnerBalance::new()).unwrap();
    assert!(balance.document().contains(r#""bizData":"""#), "{}", balance.document());
    assert!(!balance.canonical().unwrap().contains("bizData"));
}

#[test]
fn build_rejects_invalid_urls_partner_ids_and_keyrings() {
    let random = Seeded::new();
    let build = |url: &str, partner_id: &str| {
        Client::builder(Environment::BaseUrl(url.into()), partner_id, partner()).build().map(drop)
    };
    assert!(build("https://api.example.com", PARTNER_ID).is_ok());
    assert!(Client::builder(Environment::Sandbox, PARTNER_ID, partner()).build().is_ok());
    for (url, partner_id) in [
        ("http://api.example.com", PARTNER_ID),
        ("api.example.com", PARTNER_ID),
        ("https://api.example.com", ""),
        ("https://api.example.com", "888666&a=b"),
    ] {
        let error = build(url, partner_id).unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Configuration, "{url} {partner_id}");
        assert!(std::error::Error::source(&error).is_none(), "the source repeats the error's message");
    }
    let only_seals = Keyring::builder()
        .signing_key(rustcrypto::private(&rustcrypto::generate(1024, &random).unwrap()).unwrap())
        .encryption_key(rustcrypto::public(rustcrypto::generate(1024, &random).unwrap().public_key()).unwrap())
        .build()
        .unwrap();
    let incomplete = Client::builder(Environment::Sandbox, PARTNER_ID, only_seals).build();
    assert_eq!(incomplete.unwrap_err().kind(), ErrorKind::Configuration);
    let agent = Client::builder(Environment::Sandbox, PARTNER_ID, partner()).user_agent("a\nb").build();
    assert_eq!(agent.unwrap_err().kind(), ErrorKind::Configuration);
}

#[test]
fn client_is_send_sync_and_clone() {
    fn check<T: Send + Sync + Clone + 'static>() {}
    check::<Client>();
}
