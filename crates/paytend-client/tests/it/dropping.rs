//! Tests for events, and for calls that are dropped.

use std::sync::{Arc, Mutex};

use paytend_client::{ConnectFailure, ErrorKind, Event, Outcome, Phase, TransportErrorKind};
use paytend_model::issuing::{QueryCardBalance, Topup};

use crate::scripted::{Scripted, Step};

type Recorded = Arc<Mutex<Vec<Event>>>;

/// Returns an event list, and a hook that records events in the list.
fn recorder() -> (Recorded, impl Fn(&Event)) {
    let recorded = Recorded::default();
    let ours = Arc::clone(&recorded);
    (recorded, move |event: &Event| ours.lock().unwrap().push(event.clone()))
}

fn topup() -> Topup {
    Topup::builder().card_id("1755902").order_no("CANARY").amount("25.00".parse().unwrap()).currency("EUR").build()
}

/// Polls a call once, drops it, and returns its last event.
async fn dropped(steps: Vec<Step>) -> Event {
    let (recorded, events) = recorder();
    let transport = Scripted::new(steps);
    let (builder, _) = transport.builder();
    // The test clock would end the attempt timeout immediately, so this client uses the system clock.
    let client = builder.clock(Arc::new(paytend_client::SystemClock::default())).events(events).build().unwrap();
    let topup = topup();
    {
        let mut call = Box::pin(client.send(&topup));
        let first =
            futures_util::future::poll_fn(|context| std::task::Poll::Ready(call.as_mut().poll(context).is_ready()));
        assert!(!first.await);
    }
    let recorded = recorded.lock().unwrap();
    let last = recorded.last().unwrap().clone();
    assert!(!format!("{recorded:?}").contains("CANARY"));
    last
}

#[tokio::test]
async fn dropped_call_reports_whether_it_was_sent() {
    let event = dropped(vec![Step::Hang(false)]).await;
    assert_eq!((event.phase, event.outcome, event.error), (Phase::Dropped, Some(Outcome::NotSent), None));
    let event = dropped(vec![Step::Hang(true)]).await;
    assert_eq!((event.phase, event.outcome, event.attempt), (Phase::Dropped, Some(Outcome::Unknown), 1));
    assert_eq!((event.operation.as_str(), event.request_id.as_str().len()), ("topup", 32));
    // The call is dropped between two attempts.
    let event = dropped(vec![Step::Unsent(TransportErrorKind::Connect(ConnectFailure::Tcp))]).await;
    assert_eq!((event.phase, event.outcome, event.attempt), (Phase::Dropped, Some(Outcome::NotSent), 1));
}

#[tokio::test]
async fn every_attempt_and_the_end_of_a_call_are_reported() {
    let (recorded, events) = recorder();
    let transport = Scripted::new([Step::Lost(TransportErrorKind::Broken), Step::Success("{}"), Step::Failure("1007")]);
    let (builder, _) = transport.builder();
    let client = builder.events(events).build().unwrap();
    client.send(&QueryCardBalance::new("1")).await.unwrap();
    client.send(&topup()).await.unwrap_err();
    let recorded: Vec<_> =
        recorded.lock().unwrap().iter().map(|e| (e.phase, e.attempt, e.error, e.outcome, e.status)).collect();
    assert_eq!(
        recorded,
        [
            (Phase::Attempt, 1, Some(ErrorKind::Transport), Some(Outcome::Unknown), None),
            (Phase::Attempt, 2, None, None, Some(200)),
            (Phase::Finished, 2, None, None, Some(200)),
            (Phase::Attempt, 1, Some(ErrorKind::Rejected), Some(Outcome::Rejected), Some(200)),
            (Phase::Finished, 1, Some(ErrorKind::Rejected), Some(Outcome::Rejected), Some(200)),
        ]
    );
}

/// A panic in the hook ends the call, but does not abort the process.
#[tokio::test]
async fn hook_is_not_called_again_after_a_panic() {
    let transport = Scripted::new([Step::Success("{}")]);
    let (builder, _) = transport.builder();
    let client = builder.events(|_: &Event| panic!("panic in the hook")).build().unwrap();
    let call = tokio::spawn(async move { client.send(&topup()).await.is_ok() });
    assert!(call.await.unwrap_err().is_panic());
}

/// Parsing the data is part of the call, so the event has the same error as the result.
#[tokio::test]
async fn unparsable_success_response_is_reported_as_a_failure() {
    let (recorded, events) = recorder();
    let transport = Scripted::new([Step::Success("")]);
    let (builder, _) = transport.builder();
    let client = builder.events(events).build().unwrap();
    let error = client.send(&topup()).await.unwrap_err();
    let last = recorded.lock().unwrap().last().unwrap().clone();
    assert_eq!((last.phase, last.error, last.outcome), (Phase::Finished, Some(error.kind()), Some(error.outcome())));
    assert_eq!((error.kind(), error.outcome(), error.http_status()), (ErrorKind::Data, Outcome::Unknown, Some(200)));
}

#[tokio::test]
async fn dropped_call_closes_its_connection() {
    use tokio::io::AsyncReadExt;
    let (arrived, has_arrived) = tokio::sync::oneshot::channel();
    let (url, closed) = crate::server::once(|_, mut stream| async move {
        arrived.send(()).unwrap();
        stream.read(&mut [0; 1]).await.unwrap()
    })
    .await;
    let client = crate::server::client(&url);
    let call = tokio::spawn(async move { client.send(&topup()).await });
    has_arrived.await.unwrap();
    call.abort();
    assert_eq!(closed.await.unwrap(), 0);
}
