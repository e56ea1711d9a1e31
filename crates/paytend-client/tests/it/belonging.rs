//! Tests with authentic responses that belong to another request.

use std::sync::{Arc, Mutex};
use std::time::Duration;

use paytend_client::{
    Client, Environment, ErrorKind, Exchange, HttpRequest, Outcome, RawResponse, Resolution, Resolved, RetryPolicy,
    Transport,
};
use paytend_crypto::Expected;
use paytend_model::issuing::{QueryCardBalance, QueryCardholder, QueryTopupResult, Topup, UpdateCardholder};
use paytend_vectors::PARTNER_ID;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};

use crate::scripted::{Scripted, Step};
use crate::server::{partner, paytend, read_request_or_end, response};

const ANOTHER_ORDER: &str = r#"{"orderNo":"T-2","status":"2"}"#;
const NO_ORDER: &str = r#"{"x":1}"#;
/// A response that contains the card of the topup, but no order number.
const BALANCE: &str = r#"{"cardId":"1755902","balance":"25.00","currency":"EUR"}"#;
const ANOTHER_CARD: &str = r#"{"orderNo":"T-1","cardId":"7","status":"2"}"#;

fn topup(order: &str) -> Topup {
    Topup::builder().card_id("1755902").order_no(order).amount("25.00".parse().unwrap()).currency("EUR").build()
}

#[tokio::test]
async fn response_for_another_order_is_a_mismatch_with_unknown_outcome() {
    for data in [ANOTHER_ORDER, NO_ORDER, BALANCE, ANOTHER_CARD] {
        let transport = Scripted::new([Step::Success(data)]);
        let error = transport.client().send(&topup("T-1")).await.unwrap_err();
        assert_eq!(
            (error.kind(), error.outcome(), error.attempts()),
            (ErrorKind::Mismatch, Outcome::Unknown, 1),
            "{data}"
        );
        assert!(!error.is_retryable() && !error.is_authenticated(), "{data}");
        assert_eq!(transport.discarded(), 1, "the connection was not discarded");
        let shown = format!("{error} {error:?}");
        assert!(shown.contains("belongs to another request") && !shown.contains("T-2"), "{shown}");
    }
    // A rejection with a different order number is a mismatch as well.
    let rejection = response(&paytend(), "1009", "no", ANOTHER_ORDER).into_bytes();
    let transport = Scripted::new([Step::Raw(200, rejection, &[])]);
    let error = transport.client().send(&topup("T-1")).await.unwrap_err();
    assert_eq!((error.kind(), error.outcome()), (ErrorKind::Mismatch, Outcome::Unknown));
}

#[tokio::test]
async fn order_is_queried_after_a_mismatched_response() {
    for data in [ANOTHER_ORDER, NO_ORDER, BALANCE, ANOTHER_CARD] {
        let found = Step::Success(r#"{"orderNo":"T-1","status":"2"}"#);
        let transport = Scripted::new([Step::Success(data), found]);
        let resolved = transport.client().resolve(&topup("T-1")).await.unwrap();
        assert!(matches!(resolved, Resolved::Found { .. }), "{data}");
        // The response to the query may also belong to another request. The query is retried, and the outcome stays
        // unknown.
        let mut steps = vec![Step::Success(data)];
        steps.extend((0..99).map(|_| Step::Success(data)));
        let transport = Scripted::new(steps);
        let (builder, clock) = transport.builder();
        let client = builder.deadline(Duration::from_secs(60)).build().unwrap();
        let error = client.resolve(&topup("T-1")).await.unwrap_err();
        assert_eq!((error.kind(), error.outcome()), (ErrorKind::Mismatch, Outcome::Unknown), "{data}");
        assert!(data == ANOTHER_CARD || clock.waits().len() > 2, "{data}");
        let sent = transport.seen().iter().filter(|request| request.url.ends_with("/topup")).count();
        assert_eq!(sent, 1, "{data}");
    }
}

#[tokio::test]
async fn query_is_retried_after_a_mismatched_response() {
    let transport = Scripted::new([Step::Success(r#"{"cardId":"7","balance":"9.00"}"#), Step::Success(BALANCE)]);
    let balance = transport.client().send(&QueryCardBalance::new("1755902")).await.unwrap();
    assert_eq!(balance.balance.unwrap().to_string(), "25.00");
    assert_eq!(transport.discarded(), 1);
    let transport = Scripted::new((0..4).map(|_| Step::Success(ANOTHER_ORDER)));
    let error = transport.client().send(&QueryTopupResult::new("T-1")).await.unwrap_err();
    assert_eq!((error.kind(), error.attempts()), (ErrorKind::Mismatch, 4));
    // Cardholder identifiers are compared too, in queries and in mutations.
    let mut holder = QueryCardholder::new();
    holder.holder_id = Some("101982".into());
    let transport = Scripted::new((0..4).map(|_| Step::Success(r#"{"holderId":"7"}"#)));
    assert_eq!(transport.client().send(&holder).await.unwrap_err().kind(), ErrorKind::Mismatch);
    let address = paytend_model::issuing::Address::builder()
        .address_line("a")
        .city_code("c")
        .postcode("p")
        .country_code("LT")
        .build();
    let update = UpdateCardholder::builder()
        .holder_id("101982")
        .birthday("1990-01-01")
        .gender("1")
        .nationality_code("LT")
        .eea_address(address)
        .build();
    let transport = Scripted::new([Step::Success(r#"{"holderId":"7"}"#)]);
    let error = transport.client().send(&update).await.unwrap_err();
    assert_eq!((error.kind(), error.outcome()), (ErrorKind::Mismatch, Outcome::Unknown));
}

/// The identifiers in responses are inferred, so they can be configured according to the partner's documents.
#[tokio::test]
async fn response_names_are_configurable() {
    let transport = Scripted::new([Step::Success(NO_ORDER), Step::Success(ANOTHER_ORDER), Step::Success(NO_ORDER)]);
    let (builder, _) = transport.builder();
    let client = builder.response_names("topup", [] as [&str; 0]).response_names("/x/y", ["ref"]).build().unwrap();
    client.send(&topup("T-1")).await.unwrap();
    client.send(&topup("T-1")).await.unwrap();
    // The configured names also apply to a path without an operation type.
    let error = client.call("/x/y", &serde_json::json!({"ref": "1"})).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Mismatch);
    assert!(error.to_string().contains("response_names"), "{error}");
    for (operation, part) in [("toppup", "response names of `toppup`"), ("topup", "set twice")] {
        let (builder, _) = transport.builder();
        let wrong = builder.response_names("topup", ["a"]).response_names(operation, ["a"]).build().unwrap_err();
        assert!(wrong.to_string().contains(part), "{wrong}");
    }
}

/// By default, each of an order's identifiers is compared with the query's response if the response contains it. If
/// `response_names` is set for the query, the fields set there are compared instead.
#[tokio::test]
async fn response_names_set_for_a_topup_do_not_apply_to_its_query() {
    let lost = || Step::Lost(paytend_client::TransportErrorKind::Broken);
    let transport = Scripted::new([lost(), Step::Success(ANOTHER_ORDER), Step::Success(r#"{"orderNo":"T-1"}"#)]);
    let client = transport.builder().0.response_names("topup", ["orderNo", "cardId"]).build().unwrap();
    assert!(matches!(client.resolve(&topup("T-1")).await.unwrap(), Resolved::Found { .. }));
    let transport = Scripted::new([lost(), Step::Success(ANOTHER_CARD)]);
    let client = transport.builder().0.response_names("getTopupResult", ["orderNo"]).build().unwrap();
    assert!(matches!(client.resolve(&topup("T-1")).await.unwrap(), Resolved::Found { .. }));
}

/// A transport that responds before it takes the body. It simulates a late response on a reused connection.
#[derive(Debug)]
struct Early(std::sync::atomic::AtomicUsize, &'static str);

impl Transport for Early {
    fn exchange(&self, _: HttpRequest) -> Exchange<'_> {
        let document = response(&paytend(), self.1, "m", r#"{"orderNo":"T-1","status":"2"}"#);
        Box::pin(async move { Ok(RawResponse::new(200, document.into_bytes())) })
    }

    fn discard_connections(&self) {
        self.0.fetch_add(1, std::sync::atomic::Ordering::SeqCst);
    }
}

#[tokio::test]
async fn response_that_arrives_before_the_request_was_sent_is_a_mismatch() {
    let (scripted, transport) = (Scripted::new([]), Arc::new(Early(0.into(), "00")));
    let builder = scripted.builder().0.transport(Arc::clone(&transport) as _).retry(RetryPolicy::never());
    let error = builder.build().unwrap().send(&topup("T-1")).await.unwrap_err();
    assert_eq!((error.kind(), error.outcome()), (ErrorKind::Mismatch, Outcome::NotSent));
    assert!(error.opened().is_some());
    assert_eq!(transport.0.load(std::sync::atomic::Ordering::SeqCst), 1);
    // A rejection that arrives early might belong to this request, so it is reported, but its connection is not used
    // again.
    let transport = Arc::new(Early(0.into(), "1009"));
    let builder = scripted.builder().0.transport(Arc::clone(&transport) as _).retry(RetryPolicy::never());
    let error = builder.build().unwrap().send(&topup("T-1")).await.unwrap_err();
    assert_eq!((error.kind(), error.outcome()), (ErrorKind::Rejected, Outcome::Rejected));
    assert_eq!(transport.0.load(std::sync::atomic::Ordering::SeqCst), 1);
}

/// A mismatch in [`Client::open`] also discards the connections.
#[tokio::test]
async fn mismatched_response_to_a_prepared_request_is_an_error() {
    let transport = Scripted::new([Step::Success(ANOTHER_ORDER)]);
    let client = transport.client();
    let prepared = client.prepare(&topup("T-1")).unwrap();
    let raw = client.transmit(&prepared).await.unwrap();
    assert_eq!(client.open(&prepared, &raw).unwrap_err().kind(), ErrorKind::Mismatch);
    assert_eq!(transport.discarded(), 1);
}

fn client(url: &str) -> Client {
    Client::builder(Environment::BaseUrl(url.into()), PARTNER_ID, partner())
        .retry(RetryPolicy::default().base(Duration::from_millis(5)))
        .attempt_timeout(Duration::from_secs(10))
        .resolution(Resolution::new().unknown_order_codes(["S102"]).settle_time(Duration::from_millis(600)))
        .build()
        .unwrap()
}

fn http(document: &str) -> Vec<u8> {
    format!("HTTP/1.1 200 OK\r\nContent-Length: {}\r\n\r\n{document}", document.len()).into_bytes()
}

/// Returns the last segment of the path and the order number of the next request, or `None` at the end of the
/// connection.
async fn next(stream: &mut TcpStream) -> Option<(String, String)> {
    let request = read_request_or_end(stream).await?;
    let opened = paytend().open(&request.body, &Expected::request(PARTNER_ID)).unwrap();
    let payload: serde_json::Value = serde_json::from_slice(opened.payload_bytes()).unwrap();
    let path = request.head.split(' ').nth(1).unwrap().rsplit('/').next().unwrap().to_owned();
    Some((path, payload["orderNo"].as_str().unwrap_or_default().to_owned()))
}

/// Starts a server that calls `serve` with each connection and its number.
async fn serve_each<F>(serve: impl Fn(usize, TcpStream) -> F + Send + 'static) -> String
where
    F: Future<Output = ()> + Send + 'static,
{
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("http://{}", listener.local_addr().unwrap());
    tokio::spawn(async move {
        for number in 0.. {
            let (stream, _) = listener.accept().await.unwrap();
            tokio::spawn(serve(number, stream));
        }
    });
    url
}

/// The first connection sends its first response twice, so that all later responses on it belong to the previous order.
#[tokio::test]
async fn connection_that_receives_a_duplicate_response_is_discarded() {
    let used = Arc::new(Mutex::new(Vec::new()));
    let ours = Arc::clone(&used);
    let url = serve_each(move |number, mut stream| {
        let used = Arc::clone(&ours);
        async move {
            let mut last = None;
            while let Some((path, order)) = next(&mut stream).await {
                used.lock().unwrap().push((number, path, order.clone()));
                let document = response(&paytend(), "00", "ok", &format!(r#"{{"orderNo":"{order}","status":"2"}}"#));
                let late = last.replace(document.clone());
                stream.write_all(&http(&if number == 0 { late.unwrap_or(document) } else { document })).await.unwrap();
            }
        }
    })
    .await;
    let client = client(&url);
    assert!(matches!(client.resolve(&topup("T-1")).await.unwrap(), Resolved::Responded { .. }));
    // The response to T-1 arrives again. The client does not accept it for T-2, and queries T-2 on a different
    // connection.
    let Resolved::Found { order, .. } = client.resolve(&topup("T-2")).await.unwrap() else { panic!() };
    assert_eq!(order.order_no.as_deref(), Some("T-2"));
    let Resolved::Responded { response, .. } = client.resolve(&topup("T-3")).await.unwrap() else { panic!() };
    assert_eq!(response.order_no.as_deref(), Some("T-3"));
    let used = used.lock().unwrap();
    let first: Vec<&str> =
        used.iter().filter(|(number, ..)| *number == 0).map(|(_, _, order)| order.as_str()).collect();
    assert_eq!(first, ["T-1", "T-2"], "the connection was not used for exactly two orders: {used:?}");
}

/// If bytes arrive while no response is expected, the connection is not reused.
#[tokio::test]
async fn connection_with_unexpected_bytes_is_not_reused() {
    let url = serve_each(move |_, mut stream| async move {
        while let Some((_, order)) = next(&mut stream).await {
            let document = response(&paytend(), "00", "ok", &format!(r#"{{"orderNo":"{order}","status":"2"}}"#));
            stream.write_all(&[http(&document), http(&document)].concat()).await.unwrap();
            // Wait until the client closes the connection.
            let mut rest = Vec::new();
            let _ = stream.read_to_end(&mut rest).await;
            assert!(rest.is_empty(), "a request was sent on a connection that should have been closed");
        }
    })
    .await;
    let client = client(&url);
    for order in ["T-1", "T-2", "T-3"] {
        let Resolved::Responded { response, .. } = client.resolve(&topup(order)).await.unwrap() else {
            panic!("{order}")
        };
        assert_eq!(response.order_no.as_deref(), Some(order));
    }
}

/// A late copy of T-1's rejection arrives on T-2's connection, and T-2 is executed a little later.
#[tokio::test]
async fn late_copy_of_a_rejection_does_not_reject_the_next_order() {
    let executed = Arc::new(Mutex::new(Vec::<String>::new()));
    let (ours, queried) = (Arc::clone(&executed), Arc::new(Mutex::new(0)));
    let url = serve_each(move |_, mut stream| {
        let (executed, queried) = (Arc::clone(&ours), Arc::clone(&queried));
        async move {
            let mut stale: Option<Vec<u8>> = None;
            while let Some((path, order)) = next(&mut stream).await {
                if path == "topup" {
                    let rejection = stale.clone().unwrap_or_else(|| http(&response(&paytend(), "S104", "no", "")));
                    if stale.replace(rejection.clone()).is_some() {
                        *queried.lock().unwrap() = 0;
                    }
                    stream.write_all(&rejection).await.unwrap();
                    continue;
                }
                // T-2 is executed only after it has been queried twice.
                let count = {
                    let mut queried = queried.lock().unwrap();
                    *queried += 1;
                    *queried
                };
                if order == "T-2" && count == 3 {
                    executed.lock().unwrap().push(order.clone());
                }
                let known = executed.lock().unwrap().contains(&order);
                let document = match known {
                    true => response(&paytend(), "00", "ok", &format!(r#"{{"orderNo":"{order}","status":"2"}}"#)),
                    false => response(&paytend(), "S102", "no such order", ""),
                };
                stream.write_all(&http(&document)).await.unwrap();
            }
        }
    })
    .await;
    let client = client(&url);
    let rejected = client.resolve(&topup("T-1")).await.unwrap_err();
    assert_eq!((rejected.kind(), rejected.outcome()), (ErrorKind::Rejected, Outcome::Rejected));
    let Resolved::Found { order, .. } = client.resolve(&topup("T-2")).await.unwrap() else { panic!() };
    assert_eq!(order.order_no.as_deref(), Some("T-2"));
    assert_eq!(*executed.lock().unwrap(), ["T-2"]);
}
