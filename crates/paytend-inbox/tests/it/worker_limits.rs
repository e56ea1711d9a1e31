//! Tests of a worker's concurrency limits, polling and shutdown.

use std::future::ready;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use paytend_inbox::{
    AnyNotification, ClaimRequest, Completion, Delivery, NotificationType as _, State, Store as _, StoreAdmin as _,
    Worker, types,
};
use tokio::sync::{Semaphore, oneshot};

use crate::support::{deposit, entries, inbox, notification, until, until_state};

#[tokio::test(start_paused = true)]
async fn concurrency_is_limited_in_total_and_per_kind() {
    let inbox = inbox().await;
    for i in 0..20 {
        inbox.accept(&deposit(&format!("F{i}"))).await.unwrap();
        inbox.accept(&notification("8", &format!(r#"{{"orderNo":"T{i}"}}"#))).await.unwrap();
    }
    let running = Arc::new([AtomicUsize::new(0), AtomicUsize::new(0)]);
    let most = Arc::new([AtomicUsize::new(0), AtomicUsize::new(0)]);
    let (now, peak) = (Arc::clone(&running), Arc::clone(&most));
    let worker = Worker::builder(inbox.clone(), move |delivery: Delivery<AnyNotification>| {
        let index = usize::from(delivery.facts().kind == types::FundDeposit::KIND);
        let (now, peak) = (Arc::clone(&now), Arc::clone(&peak));
        async move {
            peak[index].fetch_max(now[index].fetch_add(1, Ordering::SeqCst) + 1, Ordering::SeqCst);
            tokio::time::sleep(Duration::from_secs(1)).await;
            now[index].fetch_sub(1, Ordering::SeqCst);
            Ok(Completion::without_effect())
        }
    })
    .max_concurrent(7)
    .max_concurrent_of(types::FundDeposit::KIND, 2)
    .build();
    let task = tokio::spawn(worker.run(std::future::pending()));
    until(|| async { (inbox.store().stats().await.unwrap().done == 40).then_some(()) }).await;
    task.abort();
    let [others, deposits] = [0, 1].map(|index| most[index].load(Ordering::SeqCst));
    assert_eq!(deposits, 2);
    assert!((5..=7).contains(&others), "{others}");
}

#[tokio::test(start_paused = true)]
async fn stopping_worker_waits_for_handlers_and_then_gives_notifications_back() {
    let inbox = inbox().await;
    for name in ["F1", "F2"] {
        inbox.accept(&deposit(name)).await.unwrap();
    }
    let (stop, stopped) = oneshot::channel::<()>();
    let worker = Worker::builder(inbox.clone(), async |delivery: Delivery<AnyNotification>| {
        let seconds = if delivery.facts().business_id.as_deref() == Some("F1") { 50 } else { 10_000 };
        tokio::time::sleep(Duration::from_secs(seconds)).await;
        Ok(Completion::without_effect())
    })
    .lease(Duration::from_secs(6))
    .stop_timeout(Duration::from_secs(100))
    .build();
    let task = tokio::spawn(worker.run(async {
        let _ = stopped.await;
    }));
    until(|| async { (inbox.store().stats().await.unwrap().leased == 2).then_some(()) }).await;
    stop.send(()).unwrap();
    // Leases are extended while the worker stops, so no other worker can claim the notifications.
    tokio::time::sleep(Duration::from_secs(40)).await;
    let request = ClaimRequest { limit: 5, lease: Duration::from_secs(1), holder: 2, kind_limits: Vec::new() };
    assert_eq!(inbox.store().claim(request).await.unwrap().len(), 0);
    inbox.accept(&deposit("F3")).await.unwrap();
    let start = tokio::time::Instant::now();
    let stopped = task.await.unwrap();
    assert!((59..61).contains(&start.elapsed().as_secs()), "{:?}", start.elapsed());
    assert_eq!((stopped.given_back, stopped.finished), (1, 1));
    let states: Vec<_> = entries(&inbox).await.iter().map(|entry| (entry.state, entry.tries)).collect();
    assert_eq!(states, [(State::Done, 1), (State::Ready, 0), (State::Ready, 0)]);
}

#[tokio::test(start_paused = true)]
async fn new_notifications_are_claimed_before_the_next_poll() {
    let inbox = inbox().await;
    let worker = Worker::builder(inbox.clone(), |_: Delivery<AnyNotification>| ready(Ok(Completion::without_effect())))
        .poll_interval(Duration::from_secs(3600))
        .build();
    let task = tokio::spawn(worker.run(std::future::pending()));
    let start = tokio::time::Instant::now();
    for i in 0..50 {
        inbox.accept(&deposit(&format!("F{i}"))).await.unwrap();
        tokio::task::yield_now().await;
    }
    until(|| async { (inbox.store().stats().await.unwrap().done == 50).then_some(()) }).await;
    assert!(start.elapsed() < Duration::from_secs(5), "{:?}", start.elapsed());
    task.abort();
}

#[tokio::test(start_paused = true)]
async fn notifications_held_by_a_dropped_worker_are_claimed_by_another_worker() {
    let inbox = inbox().await;
    inbox.accept(&deposit("F1")).await.unwrap();
    let hanging = Worker::builder(inbox.clone(), |_: Delivery<AnyNotification>| std::future::pending())
        .lease(Duration::from_secs(20))
        .build();
    let task = tokio::spawn(hanging.run(std::future::pending()));
    until_state(&inbox, State::Leased).await;
    task.abort();
    let worker = Worker::builder(inbox.clone(), |_: Delivery<AnyNotification>| ready(Ok(Completion::without_effect())));
    let task = tokio::spawn(worker.build().run(std::future::pending()));
    assert_eq!(until_state(&inbox, State::Done).await.tries, 2);
    task.abort();
}

#[tokio::test(start_paused = true)]
async fn health_reports_a_worker_that_no_longer_polls() {
    let inbox = inbox().await;
    let gate = Arc::new(Semaphore::new(0));
    let worker = Worker::builder(inbox.clone(), |_: Delivery<AnyNotification>| ready(Ok(Completion::without_effect())));
    let worker = worker.build();
    let health = worker.health();
    let task = tokio::spawn(worker.run(async move {
        let _ = gate.acquire().await;
    }));
    tokio::time::sleep(Duration::from_secs(60)).await;
    assert!(health.since_last_progress() < Duration::from_secs(5), "{:?}", health.since_last_progress());
    task.abort();
    let _ = task.await;
    tokio::time::sleep(Duration::from_secs(60)).await;
    assert!(health.since_last_progress() >= Duration::from_secs(58));
}

#[tokio::test(start_paused = true)]
async fn health_reports_a_worker_whose_handlers_are_all_stuck() {
    let inbox = inbox().await;
    for i in 0..20 {
        inbox.accept(&deposit(&format!("F{i}"))).await.unwrap();
    }
    let stuck = Arc::new(std::sync::atomic::AtomicBool::new(false));
    let flag = Arc::clone(&stuck);
    let worker = Worker::builder(inbox.clone(), move |_: Delivery<AnyNotification>| {
        let stuck = flag.load(Ordering::SeqCst);
        async move {
            // Slow handlers use all slots, but they end, so the worker is not stuck.
            tokio::time::sleep(Duration::from_secs(if stuck { 10_000 } else { 20 })).await;
            Ok(Completion::without_effect())
        }
    })
    .handler_timeout(Duration::from_secs(5_000))
    .max_concurrent(2)
    .build();
    let health = worker.health();
    let task = tokio::spawn(worker.run(std::future::pending()));
    for _ in 0..10 {
        tokio::time::sleep(Duration::from_secs(10)).await;
        assert!(health.since_last_progress() <= Duration::from_secs(25), "{:?}", health.since_last_progress());
    }
    stuck.store(true, Ordering::SeqCst);
    tokio::time::sleep(Duration::from_secs(120)).await;
    assert!(health.since_last_progress() > Duration::from_secs(60), "{:?}", health.since_last_progress());
    task.abort();
}
