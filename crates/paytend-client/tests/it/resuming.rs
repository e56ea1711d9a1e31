//! Tests for stored requests, and for orders that are continued after a restart.

use std::convert::Infallible;
use std::sync::{Arc, Mutex};
use std::time::{Duration, SystemTime};

use paytend_client::{
    Client, Environment, ErrorKind, History, NextStep, Outcome, PreparedRequest, Resolution, Resolved, RestoreError,
    Resumed, RetryPolicy, SendResult, TransportErrorKind,
};
use paytend_model::issuing::{ApplyCard, Topup};

use crate::scripted::{Scripted, Step};
use crate::server::partner;

const FOUND: Step = Step::Success(r#"{"orderNo":"T-1","status":"2"}"#);
const UNKNOWN: Step = Step::Failure("X1");
const LOST: Step = Step::Lost(TransportErrorKind::Broken);

fn order() -> Topup {
    Topup::builder().card_id("7").order_no("T-1").amount("1.00".parse().unwrap()).currency("EUR").build()
}

fn client(transport: &Arc<Scripted>) -> Client {
    let policy = RetryPolicy::never().base(Duration::ZERO);
    let resolution = Resolution::new().unknown_order_codes(["X1"]);
    transport.builder().0.retry(policy).resolution(resolution).build().unwrap()
}

/// The history of an order whose process ended during a send.
fn sent_once() -> History {
    let mut history = History::new();
    history.begin_send(SystemTime::now());
    history
}

/// Resumes the order from its stored form. Returns the result, and the histories that were passed to `before_send`.
async fn resume(client: &Client, stored: &[u8], history: History) -> (Resumed<Topup>, Vec<History>) {
    let before = Mutex::new(Vec::new());
    let prepared = PreparedRequest::from_bytes(stored).unwrap();
    let record = |history| {
        before.lock().unwrap().push(history);
        std::future::ready(Ok::<_, Infallible>(()))
    };
    let resumed = client.resume(&prepared, history, record).await;
    (resumed, before.into_inner().unwrap())
}

#[tokio::test]
async fn stored_request_is_restored_with_the_same_bytes() {
    let client = Scripted::new([]).client();
    let trace = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01";
    let prepared =
        client.request(&order()).field("subAccount", "7").field("note", "ü").trace_parent(trace).prepare().unwrap();
    let bytes = prepared.to_bytes();
    let restored = PreparedRequest::<Topup>::from_bytes(&bytes).unwrap();
    assert_eq!((restored.document(), restored.request_id()), (prepared.document(), prepared.request_id()));
    assert_eq!(restored.payload(), prepared.payload());
    assert_eq!(restored.to_bytes(), bytes);
    assert!(restored.canonical().is_none() && prepared.canonical().is_some());
    assert!(!format!("{restored:?}").contains("1.00"));
    assert_eq!(PreparedRequest::<ApplyCard>::from_bytes(&bytes).unwrap_err(), RestoreError::OtherOperation);
}

#[tokio::test]
async fn altered_and_foreign_bytes_are_refused() {
    let prepared = Scripted::new([]).client().prepare(&order()).unwrap();
    let bytes = prepared.to_bytes();
    let restore = |bytes: &[u8]| PreparedRequest::<Topup>::from_bytes(bytes).map(drop).unwrap_err();
    for index in 0..bytes.len() {
        let mut altered = bytes.to_vec();
        altered[index] ^= 1;
        let expected = match index {
            0..4 => RestoreError::NotARequest,
            4 => RestoreError::Version(0),
            _ => RestoreError::Damaged,
        };
        assert_eq!(restore(&altered), expected, "byte {index}");
        let expected = if index < 4 { RestoreError::NotARequest } else { RestoreError::Damaged };
        assert_eq!(restore(&bytes[..index]), expected, "{index} bytes");
    }
    assert_eq!(restore(&[&bytes[..], b"x"].concat()), RestoreError::Damaged);
    assert!(restore(b"PTRQ\x02").to_string().contains("version 2"));
}

#[tokio::test]
async fn resumed_order_is_queried_and_then_sent_with_the_same_bytes() {
    let transport = Scripted::new([UNKNOWN, UNKNOWN, UNKNOWN, UNKNOWN, FOUND]);
    let client = client(&transport);
    let prepared = client.request(&order()).field("subAccount", "7").prepare().unwrap();
    let (resumed, before) = resume(&client, &prepared.to_bytes(), sent_once()).await;
    assert!(matches!(resumed.result, Ok(Resolved::Responded { .. })), "{:?}", resumed.result);
    let seen = transport.seen();
    let paths: Vec<&str> = seen.iter().map(|request| request.url.rsplit('/').next().unwrap()).collect();
    assert_eq!(paths, ["getTopupResult", "getTopupResult", "getTopupResult", "getTopupResult", "topup"]);
    assert_eq!(seen[4].document, prepared.document());
    // Each query contains the order's additional fields, and is sent on a new connection.
    assert!(seen.iter().all(|request| request.opened.field("subAccount") == Some("7")));
    assert!(seen[..4].iter().all(|request| request.fresh_connection));
    assert_eq!(before.iter().map(|history| history.sends).collect::<Vec<_>>(), [2]);
    assert_eq!(resumed.history.sends, 2);
}

#[tokio::test]
async fn resumed_order_that_exists_is_not_sent() {
    let transport = Scripted::new([UNKNOWN, Step::Raw(503, vec![], &[]), FOUND]);
    let client = client(&transport);
    let bytes = client.prepare(&order()).unwrap().to_bytes();
    let (resumed, before) = resume(&client, &bytes, sent_once()).await;
    assert!(matches!(resumed.result, Ok(Resolved::Found { .. })), "{:?}", resumed.result);
    assert!(before.is_empty() && transport.seen().iter().all(|request| request.url.ends_with("getTopupResult")));
}

#[tokio::test]
async fn order_is_not_sent_if_its_history_cannot_be_stored() {
    for (history, steps, outcome) in [(History::new(), 0, Outcome::NotSent), (sent_once(), 4, Outcome::Unknown)] {
        let transport = Scripted::new((0..steps).map(|_| UNKNOWN));
        let client = client(&transport);
        let prepared = client.prepare(&order()).unwrap();
        let failing = |_| std::future::ready(Err("the disk is full"));
        let resumed = client.resume(&prepared, history, failing).await;
        assert_eq!(resumed.result.unwrap_err().outcome(), outcome);
        assert_eq!(resumed.history.sends, history.sends);
        assert_eq!(transport.seen().len(), steps);
    }
}

#[tokio::test]
async fn lost_order_is_sent_at_most_the_configured_number_of_times() {
    let unknown = || (0..4).map(|_| UNKNOWN);
    let transport = Scripted::new([LOST].into_iter().chain(unknown()).chain([LOST]).chain(unknown()));
    let client = client(&transport);
    let bytes = client.prepare(&order()).unwrap().to_bytes();
    let (resumed, before) = resume(&client, &bytes, History::new()).await;
    let error = resumed.result.unwrap_err();
    assert_eq!((error.kind(), error.outcome()), (ErrorKind::Transport, Outcome::Unknown));
    assert_eq!(before.len(), 2);
    assert_eq!(client.resolution().next_step(&resumed.history), NextStep::Unresolved);
    // A later call neither queries nor sends. The transport has no steps left, so any request would fail the test.
    let (again, before) = resume(&client, &bytes, resumed.history).await;
    assert_eq!((again.result.unwrap_err().outcome(), before.len()), (Outcome::Unknown, 0));
}

#[tokio::test]
async fn rejection_received_before_a_restart_is_final_after_it_is_confirmed() {
    let mut history = sent_once();
    history.last_send = SendResult::Rejected;
    let transport = Scripted::new((0..4).map(|_| UNKNOWN));
    let client = client(&transport);
    let bytes = client.prepare(&order()).unwrap().to_bytes();
    let (resumed, _) = resume(&client, &bytes, history).await;
    let error = resumed.result.unwrap_err();
    assert_eq!((error.kind(), error.outcome()), (ErrorKind::Rejected, Outcome::Rejected));
    assert!(error.to_string().starts_with("topup: rejected by Paytend"), "{error}");
}

#[tokio::test]
async fn unsigned_and_unconfigured_codes_are_not_confirmations() {
    let unsigned = br#"{"respCode":"X1","respMsg":"no such order"}"#.to_vec();
    for step in [Step::Raw(200, unsigned, &[]), Step::Failure("X2")] {
        let transport = Scripted::new([UNKNOWN, UNKNOWN, UNKNOWN, step]);
        let client = client(&transport);
        let bytes = client.prepare(&order()).unwrap().to_bytes();
        let (resumed, before) = resume(&client, &bytes, sent_once()).await;
        assert_eq!((resumed.result.unwrap_err().outcome(), before.len()), (Outcome::Unknown, 0));
        assert_eq!((resumed.history.confirmations, resumed.history.queries), (0, 4));
    }
}

/// An order with the same number and a different card is a different order.
#[tokio::test]
async fn order_is_queried_again_if_the_query_returned_a_different_card() {
    let transport = Scripted::new([Step::Success(r#"{"orderNo":"T-1","cardId":"8","status":"2"}"#), FOUND]);
    let client = client(&transport);
    let bytes = client.prepare(&order()).unwrap().to_bytes();
    let (resumed, _) = resume(&client, &bytes, sent_once()).await;
    assert!(matches!(resumed.result, Ok(Resolved::Found { .. })), "{:?}", resumed.result);
    assert_eq!(transport.seen().len(), 2);
}

#[tokio::test]
async fn request_for_a_different_partner_is_neither_sent_nor_queried() {
    let transport = Scripted::new([]);
    let bytes = client(&transport).prepare(&order()).unwrap().to_bytes();
    let other = Client::builder(Environment::BaseUrl("https://api.example.com".into()), "111", partner())
        .transport(Arc::clone(&transport) as Arc<dyn paytend_client::Transport>)
        .build()
        .unwrap();
    for history in [History::new(), sent_once()] {
        let (resumed, _) = resume(&other, &bytes, history).await;
        assert!(resumed.result.unwrap_err().to_string().contains("different partner ID"));
    }
    assert!(transport.seen().is_empty());
}
