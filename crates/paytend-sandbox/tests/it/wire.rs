//! Tests for the sandbox with the client and the receiver over real HTTP.

use bytes::Bytes;
use paytend_client::{Client, Environment, ErrorKind, Outcome};
use paytend_crypto::{Error, Expected, Fields, Keyring, Outgoing, PrivateKey, RequestId, rustcrypto};
use paytend_model::funding::SetCallbackUrl;
use paytend_model::iban::VerifyMobileNumber;
use paytend_model::issuing::{QueryCardBalance, QueryPartnerBalance, QueryTopupResult, Topup};
use paytend_model::{BaasNotification, Content, Notification, Product};
use paytend_sandbox::{DeliverError, Deposit, Failure, Sandbox, Settings};
use paytend_vectors::Seeded;
use paytend_webhook::{PaytendReceiver, Provider, Receiver};
use serde_json::Value;

fn client(sandbox: &Sandbox) -> Client {
    Client::builder(Environment::BaseUrl(sandbox.url()), sandbox.partner_id(), sandbox.partner_keyring().unwrap())
        .build()
        .unwrap()
}

fn topup(order_no: &str, amount: &str) -> Topup {
    Topup::builder().card_id("1755902").order_no(order_no).amount(amount.parse().unwrap()).currency("EUR").build()
}

#[tokio::test]
async fn repeated_topup_moves_money_once() {
    let sandbox = Sandbox::start().await.unwrap();
    let client = client(&sandbox);
    client.send(&topup("T-1", "25.00")).await.unwrap();
    let again = client.send(&topup("T-1", "25.00")).await.unwrap_err();
    assert_eq!((again.outcome(), again.api_code()), (Outcome::Rejected, Some(Failure::DuplicateOrder.code())));
    let result = client.send(&QueryTopupResult::new("T-1")).await.unwrap();
    assert_eq!(result.amount.unwrap().to_string(), "25.00");
    let card = client.send(&QueryCardBalance::new(sandbox.card_id())).await.unwrap();
    assert_eq!(card.balance.unwrap().to_string(), "25.00");
    let partner = client.send(&QueryPartnerBalance::new()).await.unwrap().balance.unwrap();
    assert_eq!(partner[0].available.to_string(), "9975.00");
}

#[tokio::test]
async fn concurrent_topups_with_the_same_order_number_move_money_once() {
    let sandbox = Sandbox::start().await.unwrap();
    let client = client(&sandbox);
    let calls: Vec<_> = (0..50)
        .map(|n| {
            let client = client.clone();
            // There are five calls for each of ten order numbers. Exactly one of the five calls moves money.
            tokio::spawn(async move { client.send(&topup(&format!("T-{}", n % 10), "1.00")).await.is_ok() })
        })
        .collect();
    let mut taken = 0;
    for call in calls {
        taken += usize::from(call.await.unwrap());
    }
    assert_eq!(taken, 10);
    let card = client.send(&QueryCardBalance::new("1755902")).await.unwrap();
    assert_eq!(card.balance.unwrap().to_string(), "10.00");
}

#[tokio::test]
async fn deposit_is_posted_to_the_callback_url() {
    let sandbox = Sandbox::start().await.unwrap();
    let deposit = Deposit::new("1250.07".parse().unwrap(), "EUR").reference("INV=42&x");
    assert!(matches!(sandbox.deposit(&deposit).await.unwrap_err(), DeliverError::NoCallbackUrl));

    let receiver = PaytendReceiver::new(Product::Baas, sandbox.partner_id(), sandbox.partner_keyring().unwrap());
    let (sender, mut received) = tokio::sync::mpsc::unbounded_channel();
    let app = axum::Router::new().fallback(move |headers: http::HeaderMap, body: Bytes| async move {
        match receiver.receive(&headers, &body, std::time::SystemTime::now()) {
            Ok(verified) => {
                sender.send(verified.into_notification()).unwrap();
                Provider::Paytend.respond(paytend_webhook::Reply::Accepted).to_http().map(axum::body::Body::from)
            }
            Err(rejection) => rejection.to_http().map(axum::body::Body::from),
        }
    });
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("http://{}/hooks", listener.local_addr().unwrap());
    tokio::spawn(async move { axum::serve(listener, app).await });

    client(&sandbox).send(&SetCallbackUrl::builder().type_("2").url(url).build()).await.unwrap();
    let delivery = sandbox.deposit(&deposit).await.unwrap();
    assert!(delivery.is_acknowledged(), "{delivery:?}");
    let Some(Content::Typed(Notification::Baas(BaasNotification::FundDeposit(transaction)))) = received.recv().await
    else {
        panic!()
    };
    assert_eq!(transaction.amount.unwrap().to_string(), "1250.07");
    assert_eq!(transaction.reference, Some("INV=42&x".into()));
    // The next deposit is a separate transaction.
    sandbox.deposit(&deposit).await.unwrap();
    let Some(Content::Typed(Notification::Baas(BaasNotification::FundDeposit(next)))) = received.recv().await else {
        panic!()
    };
    assert_ne!(next.transaction_id, transaction.transaction_id);
}

#[tokio::test]
async fn only_the_documented_response_acknowledges_a_notification() {
    let sandbox = Sandbox::start().await.unwrap();
    for (status, body, expected) in [
        (200, r#"{"msg":"ok","status":"00"}"#, true),
        (200, r#"{"msg":"no","status":"01"}"#, false),
        (200, "ok", false),
        (503, r#"{"msg":"ok","status":"00"}"#, false),
    ] {
        let answer = (http::StatusCode::from_u16(status).unwrap(), body);
        let app = axum::Router::new().fallback(move || async move { answer });
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url = format!("http://{}", listener.local_addr().unwrap());
        tokio::spawn(async move { axum::serve(listener, app).await });
        client(&sandbox).send(&SetCallbackUrl::builder().type_("2").url(url).build()).await.unwrap();
        let delivery = sandbox.deposit(&Deposit::new("1".parse().unwrap(), "EUR")).await.unwrap();
        assert_eq!((delivery.is_acknowledged(), delivery.status()), (expected, Some(status)), "{body}");
    }
}

#[tokio::test]
async fn request_with_unknown_key_or_partner_gets_an_unsigned_failure() {
    let random = Seeded::new();
    let sandbox = Sandbox::start().await.unwrap();
    let stranger = rustcrypto::generate(1024, &random).unwrap();
    let keyring = Keyring::from_keys(&stranger, &sandbox.public_key()).unwrap();
    let forged =
        Client::builder(Environment::BaseUrl(sandbox.url()), sandbox.partner_id(), keyring.clone()).build().unwrap();
    let error = forged.send(&topup("T-1", "1")).await.unwrap_err();
    assert_eq!((error.kind(), error.api_code()), (ErrorKind::UnsignedFailure, Some(Failure::NotAuthentic.code())));
    let nobody = Client::builder(Environment::BaseUrl(sandbox.url()), "888666000100999", keyring).build().unwrap();
    let error = nobody.send(&topup("T-1", "1")).await.unwrap_err();
    assert_eq!((error.kind(), error.api_code()), (ErrorKind::UnsignedFailure, Some(Failure::UnknownPartner.code())));
}

#[tokio::test]
async fn responses_follow_the_documented_wire_format() {
    let sandbox = Sandbox::start().await.unwrap();
    let http = reqwest::Client::builder().no_proxy().build().unwrap();
    let partner = sandbox.partner_keyring().unwrap();
    let request = |payload: &str| {
        let fields = Fields::request(sandbox.partner_id(), &RequestId::generate().unwrap());
        partner.seal(&Outgoing::new(&fields).payload(payload)).unwrap().into_document()
    };
    let post = |path: &'static str, body: String| {
        let posted = http.post(format!("{}{path}", sandbox.url())).body(body).send();
        async move { posted.await.unwrap().text().await.unwrap() }
    };
    let code = |answer: &str| serde_json::from_str::<Value>(answer).unwrap()["respCode"].as_str().unwrap().to_owned();

    // Requests without a Content-Type header are accepted. The test sends one without data, one with an empty object,
    // and one with a pretty-printed document.
    let pretty = serde_json::to_string_pretty(&serde_json::from_str::<Value>(&request("{}")).unwrap()).unwrap();
    for body in [request(""), request("{}"), pretty] {
        let answer = post("/issuing/partner/getPartnerBalance", body.clone()).await;
        let opened = partner.open(answer.as_bytes(), &Expected::response()).unwrap();
        assert_eq!(opened.field("respCode"), Some("00"));
        let payload = opened.payload_text().unwrap();
        assert!(payload.contains("10000.00"), "{payload}");
        // The same document has the same requestId, so sending it again is refused.
        let answer = post("/issuing/partner/getPartnerBalance", body).await;
        let opened = partner.open(answer.as_bytes(), &Expected::response()).unwrap();
        assert_eq!(opened.field("respCode"), Some(Failure::DuplicateRequest.code()));
    }
    // An unknown path causes a signed failure, and a field of the wrong type causes an unsigned failure.
    let answer = post("/issuing/none", request("")).await;
    let opened = partner.open(answer.as_bytes(), &Expected::response()).unwrap();
    assert_eq!(opened.field("respCode"), Some(Failure::UnknownPath.code()));
    let answer = post("/issuing/card/topup", request("{}").replace(r#""2.0""#, "2.0")).await;
    assert_eq!(code(&answer), Failure::Malformed.code());
    assert!(matches!(partner.open(answer.as_bytes(), &Expected::response()), Err(Error::UnsignedFailure(_))));
    assert_eq!(code(&post("/issuing/card/topup", "[]".into()).await), Failure::Malformed.code());
    // Only POST is accepted.
    let got = http.get(sandbox.url()).send().await.unwrap();
    assert_eq!(got.status().as_u16(), 405);
}

/// The `encryptFlag` field is reserved and unsigned, and clients ignore it.
#[tokio::test]
async fn responses_have_encrypt_flag_if_enabled() {
    let mut settings = Settings::default();
    settings.encrypt_flag = true;
    let sandbox = Sandbox::builder().settings(settings).shared_key().start().await.unwrap();
    assert_eq!(sandbox.partner_key().unwrap().public_key().fingerprint(), sandbox.public_key().fingerprint());
    client(&sandbox).send(&QueryPartnerBalance::new()).await.unwrap();
    let partner = sandbox.partner_keyring().unwrap();
    let fields = Fields::request(sandbox.partner_id(), &RequestId::generate().unwrap());
    let document = partner.seal(&Outgoing::new(&fields)).unwrap().into_document();
    let http = reqwest::Client::builder().no_proxy().build().unwrap();
    let url = format!("{}/issuing/partner/getPartnerBalance", sandbox.url());
    let answer = http.post(url).body(document).send().await.unwrap().text().await.unwrap();
    assert_eq!(serde_json::from_str::<Value>(&answer).unwrap()["encryptFlag"], "1");
    assert_eq!(partner.open(answer.as_bytes(), &Expected::response()).unwrap().field("respCode"), Some("00"));
}

#[tokio::test]
async fn configured_keys_are_used_and_dropping_the_sandbox_stops_the_server() {
    let random = Seeded::new();
    let paytend = rustcrypto::generate(2048, &random).unwrap();
    let own = rustcrypto::generate(2048, &random).unwrap();
    let sandbox = Sandbox::builder()
        .key(paytend.clone())
        .partner("888666000100777", own.public_key().clone())
        .start()
        .await
        .unwrap();
    assert_eq!((sandbox.partner_id(), sandbox.partner_key().is_none()), ("888666000100777", true));
    let keyring = Keyring::from_keys(&own, paytend.public_key()).unwrap();
    let client = Client::builder(Environment::BaseUrl(sandbox.url()), "888666000100777", keyring).build().unwrap();
    let verify = VerifyMobileNumber::builder().mobile("8613261402222").type_("1").build();
    client.send(&verify).await.unwrap();
    let url = sandbox.url();
    drop((client, sandbox));
    // The listener closes soon after the drop; until then connections may still be accepted.
    let http = reqwest::Client::builder().no_proxy().build().unwrap();
    let closed = async {
        while http.get(&url).send().await.is_ok() {
            tokio::task::yield_now().await;
        }
    };
    tokio::time::timeout(std::time::Duration::from_secs(10), closed).await.expect("the server stops");
}

#[tokio::test]
async fn all_request_vectors_have_their_expected_outcome() {
    let keys = paytend_vectors::keys();
    let key = |name: &str| PrivateKey::from_bytes(&keys[name].private).unwrap();
    let http = reqwest::Client::builder().no_proxy().build().unwrap();
    let mut read = 0;
    for case in paytend_vectors::envelope().into_iter().filter(|case| case.payload_field == "bizData") {
        let (own, paytend) = (key(&case.sender), key(&case.receiver));
        // Each case needs a new sandbox, because the vectors share a requestId.
        let sandbox = Sandbox::builder()
            .key(paytend.clone())
            .partner(paytend_vectors::PARTNER_ID, own.public_key().clone())
            .start()
            .await
            .unwrap();
        let url = format!("{}/issuing/card/getCardBalance", sandbox.url());
        let answer = http.post(url).body(case.wire).send().await.unwrap().bytes().await.unwrap();
        let opened = Keyring::from_keys(&own, paytend.public_key()).unwrap().open(&answer, &Expected::response());
        if case.sign_payload {
            // A signed response means that the request was authentic, even if it was refused.
            assert!(opened.is_ok(), "{}", case.name);
        } else {
            // The operation at this path includes its payload in the signature.
            assert!(matches!(opened, Err(Error::UnsignedFailure(_))), "{}", case.name);
        }
        read += 1;
    }
    assert_eq!(read, 8);
}
