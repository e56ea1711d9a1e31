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
struct Pieces(std::vec::IntoIter<Vec<u8>>);

fn pieces(pieces: Vec<Vec<u8>>) -> Pieces {
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

/// Whoever goes away while his message is under the keys leaves its place taken until the work is done: otherwise closing connections
/// would be a way round the budget.
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

#[tokio::test]
async fn bodies_in_hand_keep_within_the_budget() {
    let body = sealed("{}");
    let (receiver, mut at_work) = Held::new();
    let budget = Budget::new().operations(1).bytes(2 * body.len() - 1);
    let endpoint = Endpoint::new(receiver.clone()).listed(budget);
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
    assert_eq!(send(&longer).await.unwrap_err().reason(), &Reason::TooLarge);
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
    assert_eq!(told[0], (Reason::Method, peer));
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
    let endpoint = Endpoint::new(Panics).listed(Budget::new().operations(1).waiting(0));
    for _ in 0..2 {
        assert!(matches!(post(&endpoint, Vec::new()).await, Err(Reason::Unavailable(_))));
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
    assert_eq!(rejection.reason(), &Reason::Ahead);
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
