//! Genuine responses that belong to another request.

use std::sync::{Arc, Mutex};
use std::time::Duration;

use paytend_client::{
    Client, Environment, ErrorKind, Exchange, HttpRequest, Outcome, RawAnswer, Resolution, Resolved, RetryPolicy,
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
/// The card is the same.
const BALANCE: &str = r#"{"cardId":"1755902","balance":"25.00","currency":"EUR"}"#;
const ANOTHER_CARD: &str = r#"{"orderNo":"T-1","cardId":"7","status":"2"}"#;

fn topup(order: &str) -> Topup {
    Topup::new("1755902".into(), order.into(), "25.00".parse().unwrap(), "EUR".into())
}

#[tokio::test]
async fn a_response_about_another_order_is_an_unknown_outcome() {
    for data in [ANOTHER_ORDER, NO_ORDER, BALANCE, ANOTHER_CARD] {
        let transport = Scripted::new([Step::Success(data)]);
        let error = transport.client().send(&topup("T-1")).await.unwrap_err();
        assert_eq!(
            (error.kind(), error.outcome(), error.attempts()),
            (ErrorKind::Mismatch, Outcome::Unknown, 1),
            "{data}"
        );
        assert!(!error.is_retryable() && !error.is_authenticated(), "{data}");
        assert_eq!(transport.discarded(), 1, "its connection is not used again");
        let shown = format!("{error} {error:?}");
        assert!(shown.contains("belongs to another request") && !shown.contains("T-2"), "{shown}");
    }
    // A refusal that names another order is not this order's, either.
    let refusal = response(&paytend(), "1009", "no", ANOTHER_ORDER).into_bytes();
    let transport = Scripted::new([Step::Raw(200, refusal, &[])]);
    let error = transport.client().send(&topup("T-1")).await.unwrap_err();
    assert_eq!((error.kind(), error.outcome()), (ErrorKind::Mismatch, Outcome::Unknown));
}

#[tokio::test]
async fn an_order_whose_response_is_about_another_one_is_looked_up() {
    for data in [ANOTHER_ORDER, NO_ORDER, BALANCE, ANOTHER_CARD] {
        let found = Step::Success(r#"{"orderNo":"T-1","status":"2"}"#);
        let transport = Scripted::new([Step::Success(data), found]);
        let resolved = transport.client().resolve(&topup("T-1")).await.unwrap();
        assert!(matches!(resolved, Resolved::Found { .. }), "{data}");
        // The query's own response may belong to another one, too. It is asked again, and proves nothing.
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
async fn a_query_whose_response_is_about_something_else_is_asked_again() {
    let transport = Scripted::new([Step::Success(r#"{"cardId":"7","balance":"9.00"}"#), Step::Success(BALANCE)]);
    let balance = transport.client().send(&QueryCardBalance::new("1755902".into())).await.unwrap();
    assert_eq!(balance.balance.unwrap().to_string(), "25.00");
    assert_eq!(transport.discarded(), 1);
    let transport = Scripted::new((0..4).map(|_| Step::Success(ANOTHER_ORDER)));
    let error = transport.client().send(&QueryTopupResult::new("T-1".into())).await.unwrap_err();
    assert_eq!((error.kind(), error.attempts()), (ErrorKind::Mismatch, 4));
    // Holders too, in queries and in mutations.
    let mut holder = QueryCardholder::new();
    holder.holder_id = Some("101982".into());
    let transport = Scripted::new((0..4).map(|_| Step::Success(r#"{"holderId":"7"}"#)));
    assert_eq!(transport.client().send(&holder).await.unwrap_err().kind(), ErrorKind::Mismatch);
    let address = paytend_model::issuing::Address::new("a".into(), "c".into(), "p".into(), "LT".into());
    let update = UpdateCardholder::new("101982".into(), "1990-01-01".into(), "1".into(), "LT".into(), address);
    let transport = Scripted::new([Step::Success(r#"{"holderId":"7"}"#)]);
    let error = transport.client().send(&update).await.unwrap_err();
    assert_eq!((error.kind(), error.outcome()), (ErrorKind::Mismatch, Outcome::Unknown));
}

/// That responses name these things is inferred: what the partner's documents say is set on the client.
#[tokio::test]
async fn names_are_configurable() {
    let transport = Scripted::new([Step::Success(NO_ORDER), Step::Success(ANOTHER_ORDER), Step::Success(NO_ORDER)]);
    let (builder, _) = transport.builder();
    let client = builder.response_names("topup", [] as [&str; 0]).response_names("/x/y", ["ref"]).build().unwrap();
    client.send(&topup("T-1")).await.unwrap();
    client.send(&topup("T-1")).await.unwrap();
    // A path that no type describes has the names that are configured.
    let error = client.call("/x/y", &serde_json::json!({"ref": "1"})).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Mismatch);
    assert!(error.to_string().contains("response_names"), "{error}");
    for (operation, part) in [("toppup", "response names of `toppup`"), ("topup", "set twice")] {
        let (builder, _) = transport.builder();
        let wrong = builder.response_names("topup", ["a"]).response_names(operation, ["a"]).build().unwrap_err();
        assert!(wrong.to_string().contains(part), "{wrong}");
    }
}

/// The names of an order are compared in the query's response where it has them; what is set for the query is all that counts.
#[tokio::test]
async fn names_set_for_an_order_are_not_required_of_its_query() {
    let lost = || Step::Lost(paytend_client::TransportErrorKind::Broken);
    let transport = Scripted::new([lost(), Step::Success(ANOTHER_ORDER), Step::Success(r#"{"orderNo":"T-1"}"#)]);
    let client = transport.builder().0.response_names("topup", ["orderNo", "cardId"]).build().unwrap();
    assert!(matches!(client.resolve(&topup("T-1")).await.unwrap(), Resolved::Found { .. }));
    let transport = Scripted::new([lost(), Step::Success(ANOTHER_CARD)]);
    let client = transport.builder().0.response_names("getTopupResult", ["orderNo"]).build().unwrap();
    assert!(matches!(client.resolve(&topup("T-1")).await.unwrap(), Resolved::Found { .. }));
}

/// Returns a success before it has taken the body, as a late response on a used connection does.
#[derive(Debug)]
struct Early(std::sync::atomic::AtomicUsize, &'static str);

impl Transport for Early {
    fn exchange(&self, _: HttpRequest) -> Exchange<'_> {
        let document = response(&paytend(), self.1, "m", r#"{"orderNo":"T-1","status":"2"}"#);
        Box::pin(async move { Ok(RawAnswer::new(200, document.into_bytes())) })
    }

    fn discard_connections(&self) {
        self.0.fetch_add(1, std::sync::atomic::Ordering::SeqCst);
    }
}

#[tokio::test]
async fn a_response_that_arrives_before_the_request_was_sent_is_another_s() {
    let (scripted, transport) = (Scripted::new([]), Arc::new(Early(0.into(), "00")));
    let builder = scripted.builder().0.transport(Arc::clone(&transport) as _).retry(RetryPolicy::never());
    let error = builder.build().unwrap().send(&topup("T-1")).await.unwrap_err();
    assert_eq!((error.kind(), error.outcome()), (ErrorKind::Mismatch, Outcome::NotSent));
    assert!(error.opened().is_some());
    assert_eq!(transport.0.load(std::sync::atomic::Ordering::SeqCst), 1);
    // A refusal may be meant for this request, but its connection is not used again.
    let transport = Arc::new(Early(0.into(), "1009"));
    let builder = scripted.builder().0.transport(Arc::clone(&transport) as _).retry(RetryPolicy::never());
    let error = builder.build().unwrap().send(&topup("T-1")).await.unwrap_err();
    assert_eq!((error.kind(), error.outcome()), (ErrorKind::Rejected, Outcome::Rejected));
    assert_eq!(transport.0.load(std::sync::atomic::Ordering::SeqCst), 1);
}

/// What is sent and opened by hand is compared too, and its connection given up.
#[tokio::test]
async fn a_response_that_is_opened_by_hand_is_compared_too() {
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
        .resolution(Resolution::new().unknown_order_codes(["S102"]).settle(Duration::from_millis(600)))
        .build()
        .unwrap()
}

fn http(document: &str) -> Vec<u8> {
    format!("HTTP/1.1 200 OK\r\nContent-Length: {}\r\n\r\n{document}", document.len()).into_bytes()
}

/// The order number of the next request, and its path; `None` at the connection's end.
async fn next(stream: &mut TcpStream) -> Option<(String, String)> {
    let seen = read_request_or_end(stream).await?;
    let opened = paytend().open(&seen.body, &Expected::request(PARTNER_ID)).unwrap();
    let payload: serde_json::Value = serde_json::from_slice(opened.payload_bytes()).unwrap();
    let path = seen.head.split(' ').nth(1).unwrap().rsplit('/').next().unwrap().to_owned();
    Some((path, payload["orderNo"].as_str().unwrap_or_default().to_owned()))
}

/// Serves each connection with `serve`, which is told how many there were before.
async fn each<F>(serve: impl Fn(usize, TcpStream) -> F + Send + 'static) -> String
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

/// The first connection answers everything one response late: the first response is sent twice. So each response is genuine, and
/// about the order before.
#[tokio::test]
async fn a_connection_whose_responses_are_shifted_is_given_up() {
    let used = Arc::new(Mutex::new(Vec::new()));
    let ours = Arc::clone(&used);
    let url = each(move |number, mut stream| {
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
    assert!(matches!(client.resolve(&topup("T-1")).await.unwrap(), Resolved::Answered { .. }));
    // T-1's response once more: not taken as T-2's, and the query is asked on another connection.
    let Resolved::Found { order, .. } = client.resolve(&topup("T-2")).await.unwrap() else { panic!() };
    assert_eq!(order.order_no.as_deref(), Some("T-2"));
    let Resolved::Answered { response, .. } = client.resolve(&topup("T-3")).await.unwrap() else { panic!() };
    assert_eq!(response.order_no.as_deref(), Some("T-3"));
    let used = used.lock().unwrap();
    let first: Vec<&str> =
        used.iter().filter(|(number, ..)| *number == 0).map(|(_, _, order)| order.as_str()).collect();
    assert_eq!(first, ["T-1", "T-2"], "nothing is sent on the shifted connection any more: {used:?}");
}

/// Bytes that come while no response is awaited: the connection is not used again, so they are nobody's response.
#[tokio::test]
async fn a_connection_with_bytes_that_no_request_asked_for_is_given_up() {
    let url = each(move |_, mut stream| async move {
        while let Some((_, order)) = next(&mut stream).await {
            let document = response(&paytend(), "00", "ok", &format!(r#"{{"orderNo":"{order}","status":"2"}}"#));
            // Twice, at once.
            stream.write_all(&[http(&document), http(&document)].concat()).await.unwrap();
            // Until the client closes it.
            let mut rest = Vec::new();
            let _ = stream.read_to_end(&mut rest).await;
            assert!(rest.is_empty(), "a request on a connection that is out of step");
        }
    })
    .await;
    let client = client(&url);
    for order in ["T-1", "T-2", "T-3"] {
        let Resolved::Answered { response, .. } = client.resolve(&topup(order)).await.unwrap() else {
            panic!("{order}")
        };
        assert_eq!(response.order_no.as_deref(), Some(order));
    }
}

/// A late copy of T-1's refusal comes on the connection that T-2 is sent on; T-2 is booked a little later.
#[tokio::test]
async fn a_late_copy_of_a_refusal_does_not_make_the_next_order_rejected() {
    let booked = Arc::new(Mutex::new(Vec::<String>::new()));
    let (ours, queried) = (Arc::clone(&booked), Arc::new(Mutex::new(0)));
    let url = each(move |_, mut stream| {
        let (booked, queried) = (Arc::clone(&ours), Arc::clone(&queried));
        async move {
            let mut stale: Option<Vec<u8>> = None;
            while let Some((path, order)) = next(&mut stream).await {
                if path == "topup" {
                    let refusal = stale.clone().unwrap_or_else(|| http(&response(&paytend(), "S104", "no", "")));
                    if stale.replace(refusal.clone()).is_some() {
                        *queried.lock().unwrap() = 0;
                    }
                    stream.write_all(&refusal).await.unwrap();
                    continue;
                }
                // It is booked after the query has been asked twice.
                let count = {
                    let mut queried = queried.lock().unwrap();
                    *queried += 1;
                    *queried
                };
                if order == "T-2" && count == 3 {
                    booked.lock().unwrap().push(order.clone());
                }
                let known = booked.lock().unwrap().contains(&order);
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
    let refused = client.resolve(&topup("T-1")).await.unwrap_err();
    assert_eq!((refused.kind(), refused.outcome()), (ErrorKind::Rejected, Outcome::Rejected));
    let Resolved::Found { order, .. } = client.resolve(&topup("T-2")).await.unwrap() else { panic!() };
    assert_eq!(order.order_no.as_deref(), Some("T-2"));
    assert_eq!(*booked.lock().unwrap(), ["T-2"]);
}
