//! Tests for the concurrency limit, the rate limit and the time limits.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use futures_util::future::join_all;
use paytend_client::{ErrorKind, Exchange, HttpRequest, Outcome, RawResponse, TimeLimit, Transport};
use paytend_model::issuing::{QueryCardBalance, Topup};
use tokio::sync::Semaphore;

use crate::scripted::{Scripted, Step, TokioClock};
use crate::server::{paytend, response};

fn query() -> QueryCardBalance {
    QueryCardBalance::new("1755902")
}

/// A transport that counts concurrent requests. Each request waits until the gate opens.
#[derive(Debug)]
struct Counting {
    now: AtomicUsize,
    most: AtomicUsize,
    gate: Semaphore,
}

impl Transport for Counting {
    fn exchange(&self, request: HttpRequest) -> Exchange<'_> {
        Box::pin(async move {
            let _ = request.body.into_bytes();
            let now = self.now.fetch_add(1, Ordering::SeqCst) + 1;
            self.most.fetch_max(now, Ordering::SeqCst);
            self.gate.acquire().await.unwrap().forget();
            self.now.fetch_sub(1, Ordering::SeqCst);
            Ok(RawResponse::new(200, response(&paytend(), "00", "ok", "{}").into_bytes()))
        })
    }
}

#[tokio::test]
async fn max_in_flight_applies_to_all_clones() {
    let transport = Arc::new(Counting { now: 0.into(), most: 0.into(), gate: Semaphore::new(0) });
    let scripted = Scripted::new([]);
    let (builder, _) = scripted.builder();
    let client = builder
        .transport(Arc::clone(&transport) as Arc<dyn Transport>)
        .clock(Arc::new(paytend_client::SystemClock::default()))
        .max_in_flight(3)
        .build()
        .unwrap();
    let other = client.for_partner("888666000100261", crate::server::partner()).unwrap();
    let clients = [client.clone(), client, other];
    let calls = join_all((0..12).map(|n| {
        let client = clients[n % 3].clone();
        async move { client.send(&query()).await.is_ok() }
    }));
    let opened = async {
        for _ in 0..12 {
            tokio::task::yield_now().await;
            transport.gate.add_permits(1);
        }
    };
    let (results, ()) = tokio::join!(calls, opened);
    assert_eq!(results, [true; 12]);
    assert_eq!(transport.most.load(Ordering::SeqCst), 3);
}

#[tokio::test(start_paused = true)]
async fn request_is_not_sent_if_no_slot_is_free_before_the_deadline() {
    let transport = Arc::new(Counting { now: 0.into(), most: 0.into(), gate: Semaphore::new(0) });
    let scripted = Scripted::new([]);
    let (builder, _) = scripted.builder();
    let client = builder
        .transport(Arc::clone(&transport) as Arc<dyn Transport>)
        .clock(Arc::new(TokioClock::new()))
        .max_in_flight(1)
        .build()
        .unwrap();
    let holder = {
        let client = client.clone();
        tokio::spawn(async move { client.send(&query()).await })
    };
    while transport.now.load(Ordering::SeqCst) == 0 {
        tokio::task::yield_now().await;
    }
    let topup = Topup::builder().card_id("1").order_no("T").amount("1".parse().unwrap()).currency("EUR").build();
    let error = client.request(&topup).deadline(Duration::from_millis(30)).send().await.unwrap_err();
    assert_eq!((error.kind(), error.outcome()), (ErrorKind::Timeout, Outcome::NotSent));
    assert_eq!(error.time_limit(), Some(TimeLimit::Concurrency(Duration::from_millis(30))));
    assert!(
        error.to_string().contains("the deadline of 30ms expired while other calls used all slots of max_in_flight")
    );
    transport.gate.add_permits(1);
    assert!(holder.await.unwrap().is_ok());
}

#[tokio::test(start_paused = true)]
async fn timeout_error_names_the_limit() {
    for (attempt, deadline, limit, words) in [
        (20, 60_000, TimeLimit::Attempt(Duration::from_millis(20)), "the attempt timed out after 20ms"),
        (60_000, 20, TimeLimit::Deadline(Duration::from_millis(20)), "the deadline of 20ms expired"),
    ] {
        let transport = Arc::new(Counting { now: 0.into(), most: 0.into(), gate: Semaphore::new(0) });
        let (builder, _) = Scripted::new([]).builder();
        let client = builder
            .transport(Arc::clone(&transport) as Arc<dyn Transport>)
            .clock(Arc::new(TokioClock::new()))
            .attempt_timeout(Duration::from_millis(attempt))
            .deadline(Duration::from_millis(deadline))
            .retry(paytend_client::RetryPolicy::never())
            .build()
            .unwrap();
        let error = client.send(&query()).await.unwrap_err();
        assert_eq!((error.kind(), error.time_limit()), (ErrorKind::Timeout, Some(limit)));
        assert!(error.to_string().contains(words), "{error}");
    }
    let (builder, _) = Scripted::new([Step::Success("{}")]).builder();
    let client = builder.rate_limit(1, Duration::from_secs(10)).deadline(Duration::from_secs(5)).build().unwrap();
    client.send(&query()).await.unwrap();
    let error = client.send(&query()).await.unwrap_err();
    assert_eq!(error.time_limit(), Some(TimeLimit::Rate(Duration::from_secs(5))));
    assert!(error.to_string().contains("the rate limit allows no request before the deadline of 5s"), "{error}");
}

#[tokio::test]
async fn prepared_request_is_rate_limited() {
    let transport = Scripted::new([Step::Success("{}"), Step::Success("{}")]);
    let (builder, clock) = transport.builder();
    let client = builder.rate_limit(1, Duration::from_secs(10)).deadline(Duration::from_secs(15)).build().unwrap();
    let prepared = [(); 3].map(|()| client.prepare(&query()).unwrap());
    client.transmit(&prepared[0]).await.unwrap();
    client.transmit(&prepared[1]).await.unwrap();
    assert_eq!(clock.waits(), [10_000]);
    let fast = client.for_partner("888666000100261", crate::server::partner()).unwrap();
    let error = fast.request(&query()).deadline(Duration::from_secs(1)).send().await.unwrap_err();
    assert_eq!((error.kind(), error.outcome(), error.attempts()), (ErrorKind::Timeout, Outcome::NotSent, 0));
}

#[tokio::test]
async fn rate_limit_delays_requests() {
    let transport = Scripted::new((0..6).map(|_| Step::Success("{}")));
    let (builder, clock) = transport.builder();
    let client = builder.rate_limit(2, Duration::from_secs(1)).build().unwrap();
    for _ in 0..6 {
        client.send(&query()).await.unwrap();
    }
    assert_eq!(clock.waits(), [1000, 1000]);
    // A request that cannot begin before its deadline fails immediately.
    let error = client.request(&query()).deadline(Duration::from_millis(100)).send().await.unwrap_err();
    assert_eq!((error.kind(), error.outcome(), error.attempts()), (ErrorKind::Timeout, Outcome::NotSent, 0));
    assert_eq!(transport.seen().len(), 6);
}
