//! The endpoint under the adapters, called directly.

use std::convert::Infallible;
use std::sync::{Arc, Mutex};
use std::thread::ThreadId;
use std::time::{Duration, SystemTime};

use bytes::Bytes;
use futures_core::Stream;
use http::{HeaderMap, Method};
use paytend_webhook::server::{Budget, Endpoint};
use paytend_webhook::{KeyUse, Provider, Reason, Receiver, Rejection, Verified};

use crate::support::{Held, paytend, sealed};

/// A body in these pieces.
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
    let taken = endpoint.receive(&Method::POST, &HeaderMap::new(), None, pieces(vec![body])).await;
    taken.map(|_| ()).map_err(|rejection| rejection.reason().clone())
}

/// Whoever goes away while his message is under the keys leaves its place taken until the work is done: otherwise
/// closing connections would be a way round the budget.
#[tokio::test]
async fn a_client_who_goes_away_frees_no_place() {
    let (receiver, mut at_work) = Held::new();
    let endpoint = Endpoint::new(receiver.clone()).listed(Budget::new().operations(1).waiting(0));
    let gone = tokio::spawn({
        let endpoint = endpoint.clone();
        async move { post(&endpoint, sealed("{}")).await }
    });
    at_work.recv().await.unwrap();
    gone.abort();
    assert!(gone.await.unwrap_err().is_cancelled());
    assert_eq!(post(&endpoint, sealed("{}")).await, Err(Reason::Overloaded));
    receiver.go_on();
    // The place is free when the work is done, and that nobody is told of.
    let free = async {
        while post(&endpoint, sealed("{}")).await.is_err() {
            tokio::task::yield_now().await;
        }
    };
    tokio::time::timeout(Duration::from_secs(20), free).await.unwrap();
}

/// Nor does it let another one at the keys.
#[tokio::test]
async fn a_client_who_goes_away_frees_no_key() {
    let (receiver, mut at_work) = Held::new();
    let budget = Budget::new().operations(1).waiting(5).patience(Duration::from_millis(100));
    let endpoint = Endpoint::new(receiver.clone()).listed(budget);
    let gone = tokio::spawn({
        let endpoint = endpoint.clone();
        async move { post(&endpoint, sealed("{}")).await }
    });
    at_work.recv().await.unwrap();
    gone.abort();
    assert!(gone.await.unwrap_err().is_cancelled());
    assert_eq!(post(&endpoint, sealed("{}")).await, Err(Reason::Overloaded));
    assert!(at_work.try_recv().is_err(), "two are under the keys");
    receiver.go_on();
}

#[tokio::test]
async fn bodies_in_hand_keep_within_the_budget() {
    let body = sealed("{}");
    let (receiver, mut at_work) = Held::new();
    let budget = Budget::new().operations(1).bytes(2 * body.len() - 1);
    let endpoint = Endpoint::new(receiver.clone().max_bytes(body.len())).listed(budget);
    let first = tokio::spawn({
        let (endpoint, body) = (endpoint.clone(), body.clone());
        async move { post(&endpoint, body).await }
    });
    at_work.recv().await.unwrap();
    // There would be a place to wait, but no room for its bytes.
    assert_eq!(post(&endpoint, body.clone()).await, Err(Reason::Overloaded));
    receiver.go_on();
    assert_eq!(first.await.unwrap(), Ok(()));
    assert_eq!(post(&endpoint, body).await, Ok(()));
}

/// A body that begins and does not end.
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

/// Connections that are held open with a part of a body cannot keep a notification out, even without a list: the oldest
/// give way.
#[tokio::test]
async fn bodies_that_stall_give_way() {
    let body = sealed("{}");
    let endpoint = Endpoint::new(paytend().receiver().clone().max_bytes(body.len()))
        .listed(Budget::new().operations(1).bytes(4 * body.len()));
    let stalling: Vec<_> = (0..10)
        .map(|_| {
            let (endpoint, part) = (endpoint.clone(), body[1..].to_vec());
            tokio::spawn(async move {
                let (method, headers) = (Method::POST, HeaderMap::new());
                endpoint.receive(&method, &headers, None, Stalling(vec![part])).await.map(|_| ())
            })
        })
        .collect();
    // Each has had its turn, and most have given way already.
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

/// What a handler has not dropped is in hand.
#[tokio::test]
async fn a_slow_handler_is_bounded() {
    let endpoint = paytend().listed(Budget::new().operations(1).waiting(1));
    let receive = || async {
        let (method, headers) = (Method::POST, HeaderMap::new());
        endpoint.receive(&method, &headers, None, pieces(vec![sealed("{}")])).await
    };
    let (first, second) = (receive().await.unwrap(), receive().await.unwrap());
    assert_eq!(receive().await.unwrap_err().reason(), &Reason::Overloaded);
    drop(first);
    let third = receive().await.unwrap();
    assert_eq!(receive().await.unwrap_err().reason(), &Reason::Overloaded);
    // The notification alone holds nothing.
    let _notifications = (second.into_notification(), third.into_notification());
    assert!(receive().await.is_ok());
}

/// Several routes of one program have the same processors.
#[tokio::test]
async fn endpoints_can_share_a_budget() {
    let one = paytend().listed(Budget::new().operations(1).waiting(0));
    let other = paytend().sharing(&one);
    let (method, headers) = (Method::POST, HeaderMap::new());
    let held = one.receive(&method, &headers, None, pieces(vec![sealed("{}")])).await.unwrap();
    assert_eq!(post(&other, sealed("{}")).await, Err(Reason::Overloaded));
    drop(held);
    assert_eq!(post(&other, sealed("{}")).await, Ok(()));
}

/// Keys that do not answer, and a budget without operations, keep nobody waiting for ever.
#[tokio::test]
async fn waiting_has_an_end() {
    let (receiver, mut at_work) = Held::new();
    let budget = Budget::new().operations(1).patience(Duration::from_millis(100));
    let endpoint = Endpoint::new(receiver.clone()).listed(budget);
    // One is under the keys, which do not answer; one waits for them.
    let stuck = tokio::spawn({
        let endpoint = endpoint.clone();
        async move { post(&endpoint, sealed("{}")).await }
    });
    at_work.recv().await.unwrap();
    assert_eq!(post(&endpoint, sealed("{}")).await, Err(Reason::Overloaded));
    assert_eq!(stuck.await.unwrap(), Err(Reason::Overloaded));
    receiver.go_on();
    let none = paytend().listed(Budget::new().operations(0));
    assert_eq!(post(&none, sealed("{}")).await, Err(Reason::Overloaded));
}

/// A body larger than a budget's bytes has room all the same, if the receiver takes it.
#[tokio::test]
async fn a_budget_has_room_for_the_receiver_s_limit() {
    let endpoint = paytend().listed(Budget::new().operations(1).bytes(1));
    assert_eq!(post(&endpoint, sealed("{}")).await, Ok(()));
}

/// An endless body is left as soon as it is too large.
#[tokio::test]
async fn an_endless_body_is_not_read_on() {
    struct Endless(Arc<Mutex<usize>>);
    impl Stream for Endless {
        type Item = Result<Bytes, Infallible>;
        fn poll_next(
            self: std::pin::Pin<&mut Self>,
            _: &mut std::task::Context<'_>,
        ) -> std::task::Poll<Option<Self::Item>> {
            let mut given = self.0.lock().unwrap();
            *given += 100;
            assert!(*given < 1 << 20, "it is read on and on");
            std::task::Poll::Ready(Some(Ok(Bytes::from_static(&[b'x'; 100]))))
        }
    }
    let given = Arc::default();
    let endpoint = Endpoint::new(paytend().receiver().clone().max_bytes(1000));
    let body = Endless(Arc::clone(&given));
    let rejection = endpoint.receive(&Method::POST, &HeaderMap::new(), None, body).await.unwrap_err();
    let too_large = Reason::TooLarge { length: 1100, limit: 1000 };
    assert_eq!((rejection.reason(), *given.lock().unwrap()), (&too_large, 1100));
}

/// Pieces that only together are too large, or too many.
#[tokio::test]
async fn a_body_is_counted_to_its_last_byte() {
    let body = sealed("{}");
    let endpoint = Endpoint::new(paytend().receiver().clone().max_bytes(body.len()));
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
async fn rejections_are_told_with_their_source() {
    let told = Arc::new(Mutex::new(Vec::new()));
    let endpoint = paytend().on_rejection({
        let told = Arc::clone(&told);
        move |rejection, peer| told.lock().unwrap().push((rejection.reason().clone(), peer))
    });
    let peer = Some("203.0.113.7".parse().unwrap());
    let send = |method: Method, body: Vec<u8>| {
        let endpoint = endpoint.clone();
        async move { endpoint.receive(&method, &HeaderMap::new(), peer, pieces(vec![body])).await.is_ok() }
    };
    assert!(send(Method::POST, sealed("{}")).await);
    assert!(!send(Method::GET, Vec::new()).await);
    assert!(!send(Method::POST, b"{}".to_vec()).await);
    let told = told.lock().unwrap();
    assert_eq!(told[0], (Reason::Method("GET".into()), peer));
    assert!(matches!(&told[1], (Reason::Refused(_), seen) if *seen == peer), "{told:?}");
    assert_eq!(told.len(), 2);
}

/// A receiver of somebody's own that panics takes nothing down, and the provider tries again.
#[tokio::test]
async fn a_panic_is_an_answer() {
    #[derive(Clone)]
    struct Panics;
    impl Receiver for Panics {
        type Notification = ();
        fn provider(&self) -> Provider {
            Provider::PayBy
        }
        fn limit(&self) -> usize {
            10
        }
        fn key_uses(&self) -> Vec<KeyUse> {
            Vec::new()
        }
        fn receive(&self, _: &HeaderMap, _: &[u8], _: SystemTime) -> Result<Verified<()>, Rejection> {
            panic!("as the test wants")
        }
    }
    let budget = Budget::new().operations(1).waiting(0);
    for endpoint in [Endpoint::new(Panics), Endpoint::new(Panics).on_this_thread()] {
        let endpoint = endpoint.listed(budget);
        for _ in 0..2 {
            assert!(matches!(post(&endpoint, Vec::new()).await, Err(Reason::Unavailable(_))));
        }
    }
}

/// The time is the endpoint's clock's.
#[tokio::test]
async fn the_clock_can_be_chosen() {
    let endpoint = crate::support::payby().clock(|| SystemTime::UNIX_EPOCH);
    let key = crate::support::private("payby");
    let sender = paytend_webhook::testing::DetachedSender::new(&key).unwrap();
    let request = sender.raw(r#"{"notify_timestamp":1586849300000}"#).unwrap();
    let (parts, body) = request.into_parts();
    let rejection =
        endpoint.receive(&Method::POST, &parts.headers, None, pieces(vec![body.to_vec()])).await.unwrap_err();
    assert!(matches!(rejection.reason(), Reason::Ahead { .. }), "{rejection}");
}

/// A receiver that says on which thread it works, and whether that is slow work.
#[derive(Clone)]
struct Telling<R>(R, bool, Arc<Mutex<Vec<ThreadId>>>);

impl<R: Receiver> Receiver for Telling<R> {
    type Notification = R::Notification;
    fn provider(&self) -> Provider {
        self.0.provider()
    }
    fn limit(&self) -> usize {
        self.0.limit()
    }
    fn is_slow(&self) -> bool {
        self.1
    }
    fn key_uses(&self) -> Vec<KeyUse> {
        self.0.key_uses()
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

/// Slow work is done elsewhere, unless somebody wants it here; quick work is done here.
#[tokio::test]
async fn slow_work_is_done_on_another_thread() {
    assert!(paytend().receiver().is_slow());
    assert!(!crate::support::payby().receiver().is_slow());
    let told = Arc::new(Mutex::new(Vec::new()));
    let telling = |slow| Telling(paytend().receiver().clone(), slow, Arc::clone(&told));
    let budget = Budget::new().operations(1).waiting(0);
    for (endpoint, here) in [
        (Endpoint::new(telling(true)), false),
        (Endpoint::new(telling(true)).on_this_thread(), true),
        (Endpoint::new(telling(false)), true),
    ] {
        let endpoint = endpoint.listed(budget);
        for _ in 0..3 {
            assert_eq!(post(&endpoint, sealed("{}")).await, Ok(()));
            assert!(matches!(post(&endpoint, b"{}".to_vec()).await, Err(Reason::Refused(_))));
        }
        let threads = std::mem::take(&mut *told.lock().unwrap());
        assert_eq!(threads.len(), 6);
        assert!(threads.iter().all(|thread| (*thread == std::thread::current().id()) == here));
    }
}
