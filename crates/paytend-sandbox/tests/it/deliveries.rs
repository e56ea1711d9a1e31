//! Tests for notifications from all three providers, and for retries.

use std::time::Duration;

use paytend_model::Product;
use paytend_model::funding::SetCallbackUrl;
use paytend_sandbox::{DeliverError, Fault, FaultKind, Pace, Sandbox};
use paytend_webhook::{PayByReceiver, PayerMaxReceiver, PaytendReceiver, Receiver as _};

use crate::client;
use crate::hook::{PAYBY, PAYERMAX, PAYTEND, hook};

/// 2026-11-21, 12:00 UTC.
const NOON: u64 = 1_795_262_400_000;

async fn frozen() -> Sandbox {
    Sandbox::builder().pace(Pace::Frozen).at(NOON).start().await.unwrap()
}

fn minutes(minutes: u64) -> Duration {
    Duration::from_secs(60 * minutes)
}

async fn set_url(sandbox: &Sandbox, url: &str) {
    client(sandbox).send(&SetCallbackUrl::builder().type_("1").url(url).build()).await.unwrap();
}

#[tokio::test]
async fn payby_notification_is_retried_on_the_documented_schedule() {
    let sandbox = frozen().await;
    let (url, came) = hook(&[(200, r#"{"response":"FAIL"}"#); 20], PAYBY).await;
    let first = sandbox.notify_payby(Some(&url), "").await.unwrap();
    assert_eq!((first.is_acknowledged(), first.attempts(), first.status()), (false, 1, Some(200)));
    // The documented waits are 2 min, 10 min, 10 min, 1 h, 2 h, 6 h and 15 h.
    sandbox.advance(minutes(30 * 60)).await;
    let delivery = sandbox.deliveries().pop().unwrap();
    let waits: Vec<u64> = delivery.times().map(|at| (at - NOON) / 60_000).collect();
    assert_eq!(waits, [0, 2, 12, 22, 82, 202, 562, 1462]);
    assert!(delivery.is_final() && !delivery.is_acknowledged());
    assert_eq!(came.lock().unwrap().len(), 8);
    // A receiver accepts every attempt as the same notification, with the same deduplication key.
    let key = paytend_crypto::rustcrypto::public(&sandbox.payby_key().unwrap()).unwrap();
    let receiver = PayByReceiver::new([key]).unwrap();
    let now = std::time::UNIX_EPOCH + Duration::from_millis(NOON + 3_600_000);
    let keys: Vec<_> = came
        .lock()
        .unwrap()
        .iter()
        .map(|(headers, body)| receiver.receive(headers, body, now).unwrap().dedup_key())
        .collect();
    assert!(keys.iter().all(|key| *key == keys[0]));
}

#[tokio::test]
async fn payermax_receiver_accepts_a_retried_notification() {
    let sandbox = frozen().await;
    let (url, came) = hook(&[(500, "later")], PAYERMAX).await;
    sandbox.notify_payermax(Some(&url), r#"{"notifyType":"WITHDRAW"}"#).await.unwrap();
    sandbox.advance(minutes(1)).await;
    let delivery = sandbox.deliveries().pop().unwrap();
    assert_eq!((delivery.is_acknowledged(), delivery.attempts()), (true, 2));
    let key = paytend_crypto::rustcrypto::public(&sandbox.payermax_key().unwrap()).unwrap();
    let receiver = PayerMaxReceiver::new([("P01010113842047".to_owned(), key)]).unwrap();
    let (headers, body) = came.lock().unwrap()[1].clone();
    let now = std::time::UNIX_EPOCH + Duration::from_millis(NOON + 60_000);
    let taken = receiver.receive(&headers, &body, now).unwrap();
    assert!(String::from_utf8_lossy(taken.content()).contains("WITHDRAW"));
}

#[tokio::test]
async fn paytend_receiver_accepts_all_nine_kinds_of_notification() {
    let sandbox = frozen().await;
    let (url, came) = hook(&[], PAYTEND).await;
    set_url(&sandbox, &url).await;
    assert!(matches!(sandbox.notify(Product::Issuing, "3", "{}").await, Err(DeliverError::NoCallbackUrl)));
    sandbox.issuing_callback(&url).unwrap();
    let keyring = sandbox.partner_keyring().unwrap();
    let money = r#"{"amount":"1.00","transactionType":"1"}"#;
    client(&sandbox)
        .send(
            &paytend_model::issuing::Topup::builder()
                .card_id(sandbox.card_id())
                .order_no("T-1")
                .amount("5".parse().unwrap())
                .currency("EUR")
                .build(),
        )
        .await
        .unwrap();
    let user = paytend_model::iban::CreateIndividual::new("37060000000");
    client(&sandbox).send(&user).await.unwrap();
    client(&sandbox).call("createCardholder", &crate::cardholder()).await.unwrap();
    // Posts the notification about the cardholder's audit now, so that it is not counted below.
    sandbox.advance(Duration::ZERO).await;
    let before = came.lock().unwrap().len();
    for (product, notify_type, content) in [
        (Product::Baas, "1", "{}"),
        (Product::Baas, "2", "{}"),
        (Product::Baas, "3", "{}"),
        (Product::Baas, "4", "{}"),
        (Product::Baas, "6", "{}"),
        (Product::Baas, "8", "{}"),
        (Product::Issuing, "1", money),
        (Product::Issuing, "2", "{}"),
        (Product::Issuing, "3", r#"{"orderNo":"A-1"}"#),
    ] {
        let delivery = sandbox.notify(product, notify_type, content).await.unwrap();
        assert!(delivery.is_acknowledged(), "{product} {notify_type}: {delivery:?}");
        let (headers, body) = came.lock().unwrap().last().cloned().unwrap();
        let receiver = PaytendReceiver::new(product, sandbox.partner_id(), keyring.clone());
        let taken = receiver.receive(&headers, &body, std::time::SystemTime::now()).unwrap();
        // The content can be parsed as its documented type.
        let typed = taken.notification().typed().unwrap_or_else(|| panic!("{product} {notify_type}: {taken:?}"));
        assert_eq!((typed.notify_type(), typed.problems()), (notify_type, &[][..]));
    }
    assert_eq!(came.lock().unwrap().len() - before, 9);
    // Content of an unknown kind is sent unchanged.
    let raw = sandbox.notify(Product::Baas, "99", r#"{"update":1.50}"#).await.unwrap();
    assert_eq!(raw.content(), r#"{"update":1.50}"#);
    assert!(matches!(sandbox.notify(Product::Baas, "2", "[]").await, Err(DeliverError::Refused { .. })));
}

#[tokio::test]
async fn first_attempts_keep_their_order_and_retries_do_not_delay_them() {
    let sandbox = frozen().await;
    let (url, came) = hook(&[(200, PAYTEND), (503, "no")], PAYTEND).await;
    set_url(&sandbox, &url).await;
    for n in 1..=3 {
        let content = format!(r#"{{"amount":{n},"reference":"R{n}"}}"#);
        sandbox.notify(Product::Baas, "2", &content).await.unwrap();
    }
    let order = || {
        let keyring = sandbox.partner_keyring().unwrap();
        let receiver = PaytendReceiver::new(paytend_model::Product::Baas, sandbox.partner_id(), keyring);
        let all: Vec<_> = came.lock().unwrap().clone();
        let amount = |headers: &http::HeaderMap, body: &[u8]| {
            let taken = receiver.receive(headers, body, std::time::SystemTime::now()).unwrap();
            serde_json::from_slice::<serde_json::Value>(taken.content()).unwrap()["amount"].as_u64().unwrap()
        };
        all.iter().map(|(headers, body)| amount(headers, body)).collect::<Vec<_>>()
    };
    assert_eq!(order(), [1, 2, 3]);
    sandbox.advance(Duration::from_secs(4)).await;
    assert_eq!(order(), [1, 2, 3]);
    sandbox.advance(Duration::from_secs(1)).await;
    assert_eq!(order(), [1, 2, 3, 2]);
    assert!(sandbox.deliveries().iter().all(|one| one.is_acknowledged()));
}

#[tokio::test]
async fn notifications_can_be_duplicated_delayed_and_reordered() {
    let sandbox = frozen().await;
    let (url, came) = hook(&[], PAYTEND).await;
    set_url(&sandbox, &url).await;
    sandbox.fault(Fault::on_notification(Product::Baas, "2", FaultKind::Duplicate).once()).unwrap();
    sandbox.notify(Product::Baas, "2", "{}").await.unwrap();
    assert_eq!(came.lock().unwrap().len(), 2);
    sandbox.fault(Fault::on_all_notifications(FaultKind::Late { millis: 60_000 }).once()).unwrap();
    let late = sandbox.notify(Product::Baas, "2", "{}").await.unwrap();
    assert_eq!((late.attempts(), late.is_final()), (0, false));
    sandbox.advance(Duration::from_secs(59)).await;
    assert_eq!(came.lock().unwrap().len(), 2);
    sandbox.advance(Duration::from_secs(1)).await;
    assert_eq!(came.lock().unwrap().len(), 3);
    // With an unlimited reorder fault, each notification is still posted.
    sandbox.fault(Fault::on_all_notifications(FaultKind::Reorder)).unwrap();
    sandbox.notify(Product::Baas, "2", r#"{"amount":1}"#).await.unwrap();
    sandbox.notify(Product::Baas, "2", r#"{"amount":2}"#).await.unwrap();
    sandbox.advance(minutes(60 * 24 * 30)).await;
    assert_eq!(came.lock().unwrap().len(), 5);
    let times: Vec<u64> = sandbox.deliveries()[2..].iter().flat_map(|one| one.times().collect::<Vec<_>>()).collect();
    assert!(times[0] >= times[1] || times[0] > NOON + 60_000, "{times:?}");
}

#[tokio::test]
async fn receiver_refuses_notifications_with_clock_skew_or_wrong_signature() {
    let sandbox = frozen().await;
    let (url, came) = hook(&[], PAYBY).await;
    let receiver = |sandbox: &Sandbox| {
        PayByReceiver::new([paytend_crypto::rustcrypto::public(&sandbox.payby_key().unwrap()).unwrap()]).unwrap()
    };
    let now = std::time::UNIX_EPOCH + Duration::from_millis(NOON);
    for (fault, taken) in [
        (None, true),
        (Some(FaultKind::ClockSkew { millis: -100 * 3_600_000 }), false),
        (Some(FaultKind::ClockSkew { millis: 3_600_000 }), false),
        (Some(FaultKind::WrongSignature), false),
    ] {
        if let Some(fault) = fault.clone() {
            sandbox.fault(Fault::on_payby(fault).once()).unwrap();
        }
        let amount = r#"{"amount":{"amount":1250.070,"currency":"AED"}}"#;
        sandbox.notify_payby(Some(&url), amount).await.unwrap();
        let (headers, body) = came.lock().unwrap().last().cloned().unwrap();
        assert_eq!(receiver(&sandbox).receive(&headers, &body, now).is_ok(), taken, "{fault:?}");
        // The amount's digits are kept exactly.
        assert!(String::from_utf8_lossy(&body).contains("1250.070"));
    }
}

/// A delivery that is overdue by several retry intervals is attempted only once.
#[tokio::test]
async fn overdue_delivery_gets_one_attempt() {
    let sandbox = Sandbox::builder().pace(Pace::Accelerated(40_000_000)).start().await.unwrap();
    let (url, came) = hook(&[(500, "no"); 3], PAYBY).await;
    sandbox.notify_payby(Some(&url), "").await.unwrap();
    let ended = async {
        while !sandbox.deliveries()[0].is_final() {
            tokio::task::yield_now().await;
        }
    };
    tokio::time::timeout(Duration::from_secs(10), ended)
        .await
        .expect("the delivery ends within ten seconds at this pace");
    let times: Vec<u64> = sandbox.deliveries()[0].times().collect();
    // Each wait starts when the previous attempt was made, not when it was due.
    for (pair, least) in times.windows(2).zip([2, 10, 10]) {
        assert!(pair[1] - pair[0] >= least * 60_000, "{times:?}");
    }
    assert_eq!(came.lock().unwrap().len(), times.len());
}

/// The result of a delivery that was in flight is not applied to the new state.
#[tokio::test]
async fn reset_waits_for_deliveries_in_flight() {
    let sandbox = Sandbox::start().await.unwrap();
    let (asked, mut was_asked) = tokio::sync::mpsc::channel::<()>(8);
    let answer = std::sync::Arc::new(tokio::sync::Notify::new());
    let wait = std::sync::Arc::clone(&answer);
    let app = axum::Router::new().fallback(move || {
        let (asked, wait) = (asked.clone(), std::sync::Arc::clone(&wait));
        async move {
            asked.send(()).await.unwrap();
            wait.notified().await;
            PAYTEND
        }
    });
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let slow = format!("http://{}/hook", listener.local_addr().unwrap());
    tokio::spawn(async move { axum::serve(listener, app).await });
    set_url(&sandbox, &slow).await;
    let http = reqwest::Client::builder().no_proxy().build().unwrap();
    let post = |path: &str, body: &'static str| {
        let sent = http.post(format!("{}{path}", sandbox.control_url())).body(body).send();
        tokio::spawn(async move { sent.await.unwrap().status().as_u16() })
    };
    let deposit = r#"{"product":"baas","notifyType":"2"}"#;
    let first = post("/trigger", deposit);
    was_asked.recv().await.unwrap();
    let reset = post("/reset", "{}");
    answer.notify_one();
    assert_eq!((first.await.unwrap(), reset.await.unwrap()), (200, 200));
    assert!(sandbox.deliveries().is_empty());
    let (url, came) = hook(&[], PAYTEND).await;
    set_url(&sandbox, &url).await;
    assert!(sandbox.notify(Product::Baas, "2", "{}").await.unwrap().is_acknowledged());
    assert_eq!(came.lock().unwrap().len(), 1);
}

/// Time is advanced completely even if the future returned by `advance` is dropped, and it never goes backwards.
#[tokio::test]
async fn advance_completes_after_its_future_is_dropped() {
    let sandbox = Sandbox::builder().pace(Pace::Accelerated(1000)).start().await.unwrap();
    let before = sandbox.now();
    let passing = sandbox.advance(Duration::from_secs(86_400));
    drop(tokio::time::timeout(Duration::ZERO, passing).await);
    let passed = async {
        while sandbox.now() - before < 86_400_000 {
            tokio::task::yield_now().await;
        }
    };
    tokio::time::timeout(Duration::from_secs(10), passed).await.unwrap();
    let mut last = sandbox.now();
    for _ in 0..20 {
        sandbox.advance(Duration::from_millis(1)).await;
        assert!(sandbox.now() >= last);
        last = sandbox.now();
    }
    // A longer duration is limited to ten years.
    sandbox.advance(Duration::MAX).await;
}

/// Starts a server that acknowledges and then writes spaces until the connection is closed. Returns its URL and the
/// number of bytes written.
async fn endless() -> (String, tokio::task::JoinHandle<usize>) {
    use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("http://{}/hook", listener.local_addr().unwrap());
    let task = tokio::spawn(async move {
        let (mut stream, _) = listener.accept().await.unwrap();
        let mut written = 0;
        let _ = stream.read(&mut [0; 16 << 10]).await.unwrap();
        let head = format!("HTTP/1.1 200 OK\r\nContent-Type: application/json\r\n\r\n{PAYTEND}");
        let mut piece = head.into_bytes();
        while stream.write_all(&piece).await.is_ok() {
            written += piece.len();
            piece = vec![b' '; 64 << 10];
        }
        written
    });
    (url, task)
}

#[tokio::test]
async fn callback_response_is_read_up_to_64_kib() {
    let sandbox = frozen().await;
    let (url, task) = endless().await;
    set_url(&sandbox, &url).await;
    let delivery = sandbox.notify(Product::Baas, "2", "{}").await.unwrap();
    assert_eq!((delivery.is_acknowledged(), delivery.status()), (false, Some(200)));
    // The limit allows for the socket buffers. Reading without a limit for ten seconds would transfer gigabytes.
    let written = task.await.unwrap();
    assert!(written < 32 << 20, "{written}");
}

/// Starts a TLS receiver with a self-signed certificate and returns its URL.
async fn self_signed() -> String {
    use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
    use tokio_rustls::rustls::{ServerConfig, pki_types::PrivateKeyDer};

    let certified = rcgen::generate_simple_self_signed(["localhost".to_owned()]).unwrap();
    let key = PrivateKeyDer::try_from(certified.signing_key.serialize_der()).unwrap();
    let config = ServerConfig::builder_with_provider(std::sync::Arc::new(
        tokio_rustls::rustls::crypto::aws_lc_rs::default_provider(),
    ))
    .with_safe_default_protocol_versions()
    .unwrap()
    .with_no_client_auth()
    .with_single_cert(vec![certified.cert.der().clone()], key)
    .unwrap();
    let acceptor = tokio_rustls::TlsAcceptor::from(std::sync::Arc::new(config));
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("https://localhost:{}/hook", listener.local_addr().unwrap().port());
    tokio::spawn(async move {
        while let Ok((stream, _)) = listener.accept().await {
            // If the sender refuses the certificate, it disconnects during the handshake, and the receiver waits for
            // the next connection.
            let Ok(mut stream) = acceptor.accept(stream).await else { continue };
            let mut request = Vec::new();
            while !request.ends_with(b"}") {
                let mut part = [0; 4096];
                let read = stream.read(&mut part).await.unwrap();
                request.extend_from_slice(&part[..read]);
            }
            let head = format!("HTTP/1.1 200 OK\r\nContent-Length: {}\r\nConnection: close\r\n\r\n", PAYBY.len());
            stream.write_all(format!("{head}{PAYBY}").as_bytes()).await.unwrap();
            stream.shutdown().await.unwrap();
        }
    });
    url
}

#[tokio::test]
async fn failed_delivery_reports_a_reason() {
    let sandbox = frozen().await;
    let free = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap().local_addr().unwrap();
    let (server_error, _) = hook(&[(500, PAYBY)], PAYBY).await;
    let (other_body, _) = hook(&[(200, "SUCCESS")], PAYBY).await;
    for (url, status, reason) in [
        (format!("http://{free}/"), 0, "connection refused: no program is listening at this address"),
        (self_signed().await, 0, "TLS: the certificate is self-signed"),
        // A host name label of more than 63 characters is refused before a DNS query is sent.
        (format!("http://{}.test/", "a".repeat(64)), 0, "cannot resolve the host name: "),
        (server_error, 500, "the status is 500; expected 200"),
        (other_body, 200, r#"expected a JSON object with "response":"SUCCESS"; found the bare word SUCCESS"#),
    ] {
        let delivery = sandbox.notify_payby(Some(&url), "").await.unwrap();
        assert_eq!((delivery.is_acknowledged(), delivery.status()), (false, (status > 0).then_some(status)));
        assert!(delivery.reason().unwrap().starts_with(reason), "{delivery:?}");
    }
}

#[tokio::test]
async fn self_signed_certificate_is_accepted_for_allowed_host() {
    let url = self_signed().await;
    for (allowed, acknowledged) in [(vec![], false), (vec!["example.test"], false), (vec!["LOCALHOST"], true)] {
        let mut settings = paytend_sandbox::Settings::default();
        settings.self_signed_hosts = allowed.into_iter().map(str::to_owned).collect();
        let sandbox = Sandbox::builder().settings(settings).start().await.unwrap();
        let delivery = sandbox.notify_payby(Some(&url), "").await.unwrap();
        assert_eq!(delivery.is_acknowledged(), acknowledged, "{delivery:?}");
    }
}

#[tokio::test]
async fn bare_success_acknowledges_payby_notification_only_if_enabled() {
    for plain in [false, true] {
        let mut settings = paytend_sandbox::Settings::default();
        settings.payby_plain_success = plain;
        let sandbox = Sandbox::builder().settings(settings).start().await.unwrap();
        let (url, _) = hook(&[(200, "SUCCESS")], PAYBY).await;
        assert_eq!(sandbox.notify_payby(Some(&url), "").await.unwrap().is_acknowledged(), plain);
    }
}
