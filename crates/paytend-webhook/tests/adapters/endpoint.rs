//! Tests for `Endpoint`, called directly without an adapter.

use std::convert::Infallible;
use std::sync::{Arc, Mutex};
use std::thread::ThreadId;
use std::time::{Duration, SystemTime};

use bytes::Bytes;
use futures_core::Stream;
use http::{HeaderMap, Method};
use paytend_webhook::server::{Budget, Endpoint};
use paytend_webhook::{KeyUsage, Provider, Reason, Receiver, Rejection, Verified};

use crate::support::{BlockingReceiver, paytend, sealed};

/// A body that arrives in the given pieces.
pub(crate) struct Pieces(std::vec::IntoIter<Vec<u8>>);

pub(crate) fn pieces(pieces: Vec<Vec<u8>>) -> Pieces {
    Pieces(pieces.into_iter())
}

impl Stream for Pieces {
    type Item = Result<Bytes, Infallible>;

    fn poll_next(
        mut self: std::pin::Pin<&mut Self>,
        _: &mut std::task::Context<'_>,
    ) -> std::task::Poll<Option<Self::Item>> {
        std::task::Poll::Ready(self.0.next().map(|piece| Ok(piece.into())))
    }
}

async fn post<R: Receiver>(endpoint: &Endpoint<R>, body: Vec<u8>) -> Result<(), Reason> {
    let result = endpoint.receive(&Method::POST, &HeaderMap::new(), None, pieces(vec![body])).await;
    result.map(|_| ()).map_err(|rejection| rejection.reason().clone())
}

/// A client that disconnects during the key operation keeps its slot until the operation has ended. Otherwise closing
/// connections would bypass the budget.
#[tokio::test]
async fn disconnected_client_keeps_its_slot() {
    let (receiver, mut started) = BlockingReceiver::new();
    let endpoint = Endpoint::new(receiver.clone()).listed_budget(Budget::new().max_concurrent(1).max_waiting(0));
    let disconnected = tokio::spawn({
        let endpoint = endpoint.clone();
        async move { post(&endpoint, sealed("{}")).await }
    });
    started.recv().await.unwrap();
    disconnected.abort();
    assert!(disconnected.await.unwrap_err().is_cancelled());
    assert_eq!(post(&endpoint, sealed("{}")).await, Err(Reason::Overloaded));
    receiver.release();
    // The slot is released when the work is done. No event reports this, so the test polls.
    let free = async {
        while post(&endpoint, sealed("{}")).await.is_err() {
            tokio::task::yield_now().await;
        }
    };
    tokio::time::timeout(Duration::from_secs(20), free).await.unwrap();
}

/// If a client disconnects during its key operation, the next key operation still waits until that operation has ended.
#[tokio::test]
async fn key_operation_of_a_disconnected_client_still_counts() {
    let (receiver, mut started) = BlockingReceiver::new();
    let budget = Budget::new().max_concurrent(1).max_waiting(5).queue_timeout(Duration::from_millis(100));
    let endpoint = Endpoint::new(receiver.clone()).listed_budget(budget);
    let disconnected = tokio::spawn({
        let endpoint = endpoint.clone();
        async move { post(&endpoint, sealed("{}")).await }
    });
    started.recv().await.unwrap();
    disconnected.abort();
    assert!(disconnected.await.unwrap_err().is_cancelled());
    assert_eq!(post(&endpoint, sealed("{}")).await, Err(Reason::Overloaded));
    assert!(started.try_recv().is_err(), "two key operations at the same time");
    receiver.release();
}

#[tokio::test]
async fn bodies_in_progress_stay_within_the_budget() {
    let body = sealed("{}");
    let (receiver, mut started) = BlockingReceiver::new();
    let budget = Budget::new().max_concurrent(1).max_bytes(2 * body.len() - 1);
    let endpoint = Endpoint::new(receiver.clone().with_max_bytes(body.len())).listed_budget(budget);
    let first = tokio::spawn({
        let (endpoint, body) = (endpoint.clone(), body.clone());
        async move { post(&endpoint, body).await }
    });
    started.recv().await.unwrap();
    // A slot is free, but the budget does not have enough bytes left.
    assert_eq!(post(&endpoint, body.clone()).await, Err(Reason::Overloaded));
    receiver.release();
    assert_eq!(first.await.unwrap(), Ok(()));
    assert_eq!(post(&endpoint, body).await, Ok(()));
}

/// A body that starts but never ends.
struct Stalling(Vec<Vec<u8>>);

impl Stream for Stalling {
    type Item = Result<Bytes, Infallible>;

    fn poll_next(
        mut self: std::pin::Pin<&mut Self>,
        _: &mut std::task::Context<'_>,
    ) -> std::task::Poll<Option<Self::Item>> {
        self.0.pop().map_or(std::task::Poll::Pending, |piece| std::task::Poll::Ready(Some(Ok(piece.into()))))
    }
}

/// Connections with partial bodies cannot block a notification, even if no sources are listed, because the oldest
/// partial bodies are discarded.
#[tokio::test]
async fn stalled_bodies_are_discarded() {
    let body = sealed("{}");
    let endpoint = Endpoint::new(paytend().receiver().clone().with_max_bytes(body.len()))
        .listed_budget(Budget::new().max_concurrent(1).max_bytes(4 * body.len()));
    let stalling: Vec<_> = (0..10)
        .map(|_| {
            let (endpoint, part) = (endpoint.clone(), body[1..].to_vec());
            tokio::spawn(async move {
                let (method, headers) = (Method::POST, HeaderMap::new());
                endpoint.receive(&method, &headers, None, Stalling(vec![part])).await.map(|_| ())
            })
        })
        .collect();
    // Every task has run, and most bodies have already been discarded.
    tokio::task::yield_now().await;
    for _ in 0..20 {
        assert_eq!(post(&endpoint, body.clone()).await, Ok(()));
    }
    let mut overloaded = 0;
    for stalled in stalling {
        if stalled.is_finished() {
            assert_eq!(stalled.await.unwrap().unwrap_err().reason(), &Reason::Overloaded);
            overloaded += 1;
        }
    }
    assert!((7..10).contains(&overloaded), "{overloaded}");
}

/// A notification counts against the budget until its handler drops it.
#[tokio::test]
async fn slow_handler_counts_against_the_budget() {
    let endpoint = paytend().listed_budget(Budget::new().max_concurrent(1).max_waiting(1));
    let receive = || async {
        let (method, headers) = (Method::POST, HeaderMap::new());
        endpoint.receive(&method, &headers, None, pieces(vec![sealed("{}")])).await
    };
    let (first, second) = (receive().await.unwrap(), receive().await.unwrap());
    assert_eq!(receive().await.unwrap_err().reason(), &Reason::Overloaded);
    drop(first);
    let third = receive().await.unwrap();
    assert_eq!(receive().await.unwrap_err().reason(), &Reason::Overloaded);
    // A notification that was taken out of its `Verified` holds no slot.
    let _notifications = (second.into_notification(), third.into_notification());
    assert!(receive().await.is_ok());
}

/// Endpoints of the same program can share a budget, because they share the CPU cores.
#[tokio::test]
async fn endpoints_can_share_a_budget() {
    let first = paytend().listed_budget(Budget::new().max_concurrent(1).max_waiting(0));
    let other = paytend().share_budgets_with(&first);
    let (method, headers) = (Method::POST, HeaderMap::new());
    let verified = first.receive(&method, &headers, None, pieces(vec![sealed("{}")])).await.unwrap();
    assert_eq!(post(&other, sealed("{}")).await, Err(Reason::Overloaded));
    drop(verified);
    assert_eq!(post(&other, sealed("{}")).await, Ok(()));
}

/// A caller never waits forever, even if a key operation never ends or the budget allows no key operations.
#[tokio::test]
async fn waiting_for_a_key_operation_times_out() {
    let (receiver, mut started) = BlockingReceiver::new();
    let budget = Budget::new().max_concurrent(1).queue_timeout(Duration::from_millis(100));
    let endpoint = Endpoint::new(receiver.clone()).listed_budget(budget);
    // One request is in a key operation that never ends. The other request is waiting for that operation to end.
    let stuck = tokio::spawn({
        let endpoint = endpoint.clone();
        async move { post(&endpoint, sealed("{}")).await }
    });
    started.recv().await.unwrap();
    assert_eq!(post(&endpoint, sealed("{}")).await, Err(Reason::Overloaded));
    assert_eq!(stuck.await.unwrap(), Err(Reason::Overloaded));
    receiver.release();
    let none = paytend().listed_budget(Budget::new().max_concurrent(0));
    assert_eq!(post(&none, sealed("{}")).await, Err(Reason::Overloaded));
}

#[tokio::test]
async fn body_within_the_receivers_limit_is_accepted_despite_a_smaller_budget() {
    let endpoint = paytend().listed_budget(Budget::new().max_concurrent(1).max_bytes(1));
    assert_eq!(post(&endpoint, sealed("{}")).await, Ok(()));
}

#[tokio::test]
async fn endless_body_is_read_only_up_to_the_limit() {
    struct Endless(Arc<Mutex<usize>>);
    impl Stream for Endless {
        type Item = Result<Bytes, Infallible>;
        fn poll_next(
            self: std::pin::Pin<&mut Self>,
            _: &mut std::task::Context<'_>,
        ) -> std::task::Poll<Option<Self::Item>> {
            let mut count = self.0.lock().unwrap();
            *count += 100;
            assert!(*count < 1 << 20, "the body is read beyond the limit");
            std::task::Poll::Ready(Some(Ok(Bytes::from_static(&[b'x'; 100]))))
        }
    }
    let count = Arc::default();
    let endpoint = Endpoint::new(paytend().receiver().clone().with_max_bytes(1000));
    let body = Endless(Arc::clone(&count));
    let rejection = endpoint.receive(&Method::POST, &HeaderMap::new(), None, body).await.unwrap_err();
    let too_large = Reason::TooLarge { length: 1100, limit: 1000 };
    assert_eq!((rejection.reason(), *count.lock().unwrap()), (&too_large, 1100));
}

/// The size limit applies to the total size of all pieces.
#[tokio::test]
async fn body_one_byte_above_the_limit_is_rejected() {
    let body = sealed("{}");
    let endpoint = Endpoint::new(paytend().receiver().clone().with_max_bytes(body.len()));
    let send = |body: &[u8]| {
        let body = pieces(body.iter().map(|byte| vec![*byte]).collect());
        let endpoint = endpoint.clone();
        async move { endpoint.receive(&Method::POST, &HeaderMap::new(), None, body).await }
    };
    assert!(send(&body).await.is_ok());
    let longer = [&body[..], b" "].concat();
    let too_large = Reason::TooLarge { length: longer.len() as u64, limit: body.len() };
    assert_eq!(send(&longer).await.unwrap_err().reason(), &too_large);
}

#[tokio::test]
async fn on_rejection_callback_receives_the_source() {
    let reported = Arc::new(Mutex::new(Vec::new()));
    let endpoint = paytend().on_rejection({
        let reported = Arc::clone(&reported);
        move |rejection, peer| reported.lock().unwrap().push((rejection.reason().clone(), peer))
    });
    let peer = Some("203.0.113.7".parse().unwrap());
    let send = |method: Method, body: Vec<u8>| {
        let endpoint = endpoint.clone();
        async move { endpoint.receive(&method, &HeaderMap::new(), peer, pieces(vec![body])).await.is_ok() }
    };
    assert!(send(Method::POST, sealed("{}")).await);
    assert!(!send(Method::GET, Vec::new()).await);
    assert!(!send(Method::POST, b"{}".to_vec()).await);
    let reported = reported.lock().unwrap();
    assert_eq!(reported[0], (Reason::Method("GET".into()), peer));
    assert!(matches!(&reported[1], (Reason::Refused(_), seen) if *seen == peer), "{reported:?}");
    assert_eq!(reported.len(), 2);
}

/// A panic in a custom receiver is caught, and the provider is asked to retry.
#[tokio::test]
async fn receiver_panic_returns_503() {
    #[derive(Clone)]
    struct Panics;
    impl Receiver for Panics {
        type Notification = ();
        fn provider(&self) -> Provider {
            Provider::PayBy
        }
        fn max_bytes(&self) -> usize {
            10
        }
        fn key_usage(&self) -> Vec<KeyUsage> {
            Vec::new()
        }
        fn receive(&self, _: &HeaderMap, _: &[u8], _: SystemTime) -> Result<Verified<()>, Rejection> {
            panic!("intended by the test")
        }
    }
    let budget = Budget::new().max_concurrent(1).max_waiting(0);
    for endpoint in [Endpoint::new(Panics), Endpoint::new(Panics).run_inline()] {
        let endpoint = endpoint.listed_budget(budget);
        for _ in 0..2 {
            assert!(matches!(post(&endpoint, Vec::new()).await, Err(Reason::Unavailable(_))));
        }
    }
}

#[tokio::test]
async fn receiver_gets_the_time_of_the_endpoints_clock() {
    let endpoint = crate::support::payby().clock(|| SystemTime::UNIX_EPOCH);
    let key = crate::support::private("payby");
    let sender = paytend_webhook::testing::DetachedSender::new(&key).unwrap();
    let request = sender.raw(r#"{"notify_timestamp":1586849300000}"#).unwrap();
    let (parts, body) = request.into_parts();
    let rejection =
        endpoint.receive(&Method::POST, &parts.headers, None, pieces(vec![body.to_vec()])).await.unwrap_err();
    assert!(matches!(rejection.reason(), Reason::Ahead { .. }), "{rejection}");
}

/// A receiver that records the thread it runs on, and returns the given value from `uses_private_key`.
#[derive(Clone)]
struct Recording<R>(R, bool, Arc<Mutex<Vec<ThreadId>>>);

impl<R: Receiver> Receiver for Recording<R> {
    type Notification = R::Notification;
    fn provider(&self) -> Provider {
        self.0.provider()
    }
    fn max_bytes(&self) -> usize {
        self.0.max_bytes()
    }
    fn uses_private_key(&self) -> bool {
        self.1
    }
    fn key_usage(&self) -> Vec<KeyUsage> {
        self.0.key_usage()
    }
    fn receive(
        &self,
        headers: &HeaderMap,
        body: &[u8],
        now: SystemTime,
    ) -> Result<Verified<Self::Notification>, Rejection> {
        self.2.lock().unwrap().push(std::thread::current().id());
        self.0.receive(headers, body, now)
    }
}

/// Slow work runs on a separate thread, unless `run_inline` is set; fast work runs on the calling thread.
#[tokio::test]
async fn slow_work_runs_on_a_separate_thread() {
    assert!(paytend().receiver().uses_private_key());
    assert!(!crate::support::payby().receiver().uses_private_key());
    let reported = Arc::new(Mutex::new(Vec::new()));
    let recording = |slow| Recording(paytend().receiver().clone(), slow, Arc::clone(&reported));
    let budget = Budget::new().max_concurrent(1).max_waiting(0);
    for (endpoint, inline) in [
        (Endpoint::new(recording(true)), false),
        (Endpoint::new(recording(true)).run_inline(), true),
        (Endpoint::new(recording(false)), true),
    ] {
        let endpoint = endpoint.listed_budget(budget);
        for _ in 0..3 {
            assert_eq!(post(&endpoint, sealed("{}")).await, Ok(()));
            assert!(matches!(post(&endpoint, b"{}".to_vec()).await, Err(Reason::Refused(_))));
        }
        let threads = std::mem::take(&mut *reported.lock().unwrap());
        assert_eq!(threads.len(), 6);
        assert!(threads.iter().all(|thread| (*thread == std::thread::current().id()) == inline));
    }
}
