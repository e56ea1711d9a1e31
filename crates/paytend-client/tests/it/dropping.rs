//! A call that is dropped says what became of it, and leaves nothing behind.

use std::sync::{Arc, Mutex};

use paytend_client::{ConnectFailure, ErrorKind, Event, Outcome, Phase, TransportErrorKind};
use paytend_model::issuing::{QueryCardBalance, Topup};

use crate::scripted::{Scripted, Step};

type Told = Arc<Mutex<Vec<Event>>>;

fn telling() -> (Told, impl Fn(&Event)) {
    let told = Told::default();
    let ours = Arc::clone(&told);
    (told, move |event: &Event| ours.lock().unwrap().push(event.clone()))
}

fn topup() -> Topup {
    Topup::new("1755902".into(), "CANARY".into(), "25.00".parse().unwrap(), "EUR".into())
}

/// Polls a call so many times, then drops it.
async fn dropped(steps: Vec<Step>) -> Event {
    let (told, events) = telling();
    let transport = Scripted::new(steps);
    let (builder, _) = transport.builder();
    // On the system's clock an attempt's limit does not end at once.
    let client = builder.clock(Arc::new(paytend_client::SystemClock::default())).events(events).build().unwrap();
    let topup = topup();
    {
        let mut call = Box::pin(client.send(&topup));
        let first =
            futures_util::future::poll_fn(|context| std::task::Poll::Ready(call.as_mut().poll(context).is_ready()));
        assert!(!first.await);
    }
    let told = told.lock().unwrap();
    let last = told.last().unwrap().clone();
    assert!(!format!("{told:?}").contains("CANARY"));
    last
}

#[tokio::test]
async fn before_it_was_sent_and_after() {
    let event = dropped(vec![Step::Hang(false)]).await;
    assert_eq!((event.phase, event.outcome, event.error), (Phase::Dropped, Some(Outcome::NotSent), None));
    let event = dropped(vec![Step::Hang(true)]).await;
    assert_eq!((event.phase, event.outcome, event.attempt), (Phase::Dropped, Some(Outcome::Unknown), 1));
    assert_eq!((event.operation.as_str(), event.request_id.len()), ("topup", 32));
    // Between two attempts.
    let event = dropped(vec![Step::Unsent(TransportErrorKind::Connect(ConnectFailure::Tcp))]).await;
    assert_eq!((event.phase, event.outcome, event.attempt), (Phase::Dropped, Some(Outcome::NotSent), 1));
}

#[tokio::test]
async fn a_call_that_ends_is_told_attempt_by_attempt() {
    let (told, events) = telling();
    let transport = Scripted::new([Step::Lost(TransportErrorKind::Broken), Step::Success("{}"), Step::Failure("1007")]);
    let (builder, _) = transport.builder();
    let client = builder.events(events).build().unwrap();
    client.send(&QueryCardBalance::new("1".into())).await.unwrap();
    client.send(&topup()).await.unwrap_err();
    let told: Vec<_> =
        told.lock().unwrap().iter().map(|e| (e.phase, e.attempt, e.error, e.outcome, e.status)).collect();
    assert_eq!(
        told,
        [
            (Phase::Attempt, 1, Some(ErrorKind::Transport), Some(Outcome::Unknown), None),
            (Phase::Attempt, 2, None, None, Some(200)),
            (Phase::Finished, 2, None, None, Some(200)),
            (Phase::Attempt, 1, Some(ErrorKind::Rejected), Some(Outcome::Rejected), Some(200)),
            (Phase::Finished, 1, Some(ErrorKind::Rejected), Some(Outcome::Rejected), Some(200)),
        ]
    );
}

/// A hook that panics ends the call, and nothing else.
#[tokio::test]
async fn a_hook_that_panics_is_not_called_again() {
    let transport = Scripted::new([Step::Success("{}")]);
    let (builder, _) = transport.builder();
    let client = builder.events(|_: &Event| panic!("a hook")).build().unwrap();
    let call = tokio::spawn(async move { client.send(&topup()).await.is_ok() });
    assert!(call.await.unwrap_err().is_panic());
}

/// The data of a success is part of the call: what is told is what the caller gets.
#[tokio::test]
async fn a_success_that_cannot_be_read_is_told_as_the_failure_it_is() {
    let (told, events) = telling();
    let transport = Scripted::new([Step::Success("")]);
    let (builder, _) = transport.builder();
    let client = builder.events(events).build().unwrap();
    let error = client.send(&topup()).await.unwrap_err();
    let last = told.lock().unwrap().last().unwrap().clone();
    assert_eq!((last.phase, last.error, last.outcome), (Phase::Finished, Some(error.kind()), Some(error.outcome())));
    assert_eq!((error.kind(), error.outcome(), error.http_status()), (ErrorKind::Data, Outcome::Unknown, Some(200)));
}

/// The connection of a dropped call is closed: nobody waits for its answer.
#[tokio::test]
async fn no_task_is_left_behind() {
    use tokio::io::AsyncReadExt;
    let (arrived, here) = tokio::sync::oneshot::channel();
    let (url, hung_up) = crate::server::once(|_, mut stream| async move {
        arrived.send(()).unwrap();
        stream.read(&mut [0; 1]).await.unwrap()
    })
    .await;
    let client = crate::server::client(&url);
    let call = tokio::spawn(async move { client.send(&topup()).await });
    here.await.unwrap();
    call.abort();
    assert_eq!(hung_up.await.unwrap(), 0);
}
