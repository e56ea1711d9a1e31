//! Tests that old confirmations and clock changes do not cause a send without a new query, and that causes and debug
//! output contain no secret values.

use std::sync::atomic::Ordering;
use std::time::Duration;

use paytend_model::issuing::Topup;
use paytend_outbox::{OutboxAdmin as _, State, SubmitOptions};

use crate::dispatching::audit;
use crate::provider::{Fault, SECRET, World, topup};

/// Returns a world in which the first send of an order was lost, and three query responses have reported that the order
/// does not exist. A fourth response would allow another send. The dispatcher is stopped.
async fn almost_confirmed() -> World {
    let world = World::new().await;
    world.provider.faults([Fault::LoseRequest]);
    let dying = world.start(world.dispatcher());
    world.outbox.submit(&topup("T-1"), SubmitOptions::new()).await.unwrap();
    while world.entry("T-1").await.progress.history.confirmations < 3 {
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
    assert!(!world.entry("T-1").await.progress.is_leased);
    dying.abort();
    world
}

/// Returns how many queries arrive after the first `from` requests and before the second send.
async fn queries_until_the_send(world: &World, from: usize) -> usize {
    world.start(world.dispatcher());
    assert_eq!(world.settled("T-1").await.state, State::Responded);
    assert_eq!(world.provider.executed("T-1"), 1);
    let paths = world.provider.paths().split_off(from);
    assert_eq!(paths.last().unwrap(), "topup");
    paths.len() - 1
}

#[tokio::test(start_paused = true)]
async fn confirmations_count_for_a_minute() {
    for (pause, queries) in [(30, 1), (100, 4)] {
        let world = almost_confirmed().await;
        let from = world.provider.paths().len();
        tokio::time::sleep(Duration::from_secs(pause)).await;
        assert_eq!(queries_until_the_send(&world, from).await, queries, "after {pause} s");
    }
}

const ORDERS: usize = 40;

/// Submits orders, and waits until each has been sent once more after its queries. A round of queries takes longer than
/// a confirmation counts.
async fn check_resolution(world: &World, first_sends: usize) {
    let numbers: Vec<String> = (0..ORDERS).map(|number| format!("T-{number}")).collect();
    for number in &numbers {
        world.outbox.submit(&topup(number), SubmitOptions::new()).await.unwrap();
    }
    for number in &numbers {
        while world.state(number).await != State::Responded {
            assert!(world.provider.received().len() < 10 * ORDERS, "the orders are queried again and again");
            tokio::time::sleep(Duration::from_secs(1)).await;
        }
        assert_eq!(world.provider.executed(number), 1);
        let requests = world.provider.received().into_iter().filter(|received| received.order == *number);
        let paths: Vec<String> = requests.map(|received| received.path).collect();
        let queries = paths.iter().filter(|path| *path == "getTopupResult").count();
        assert!(queries >= 4 && paths.len() == queries + first_sends + 1, "{paths:?}");
    }
}

#[tokio::test(start_paused = true)]
async fn many_unknown_orders_are_sent_again() {
    let world = World::new().await;
    world.provider.faults([Fault::LoseRequest; ORDERS]);
    world.provider.delay(Duration::from_secs(2));
    world.start(world.dispatcher().max_concurrent(1));
    check_resolution(&world, 1).await;
}

#[tokio::test(start_paused = true)]
async fn many_orders_are_sent_during_a_recovery() {
    let world = World::new().await;
    assert_eq!(world.outbox.store().recover_orders(audit()).await.unwrap().count, 0);
    world.provider.delay(Duration::from_secs(2));
    world.start(world.dispatcher().max_concurrent(1));
    check_resolution(&world, 0).await;
}

/// The rate limit makes an order wait longer than a confirmation counts otherwise.
#[tokio::test(start_paused = true)]
async fn rate_limit_delays_a_second_send_but_does_not_prevent_it() {
    let world = World::new().await;
    world.provider.faults([Fault::LoseRequest]);
    world.start(world.dispatcher().rate_limit_of::<Topup>(1, Duration::from_secs(90)));
    for number in ["T-1", "T-2"] {
        world.outbox.submit(&topup(number), SubmitOptions::new()).await.unwrap();
    }
    for number in ["T-1", "T-2"] {
        assert_eq!(world.settled(number).await.state, State::Responded);
        assert_eq!(world.provider.executed(number), 1);
    }
    assert!(world.provider.received().len() < 10, "{:?}", world.provider.paths());
}

#[tokio::test(start_paused = true)]
async fn after_the_clock_is_set_back_the_order_is_queried_before_it_is_sent() {
    for back in [2, 3_600, 90_000] {
        let world = almost_confirmed().await;
        let from = world.provider.paths().len();
        world.set_back.store(back, Ordering::SeqCst);
        assert!(queries_until_the_send(&world, from).await >= 1, "the clock was set back by {back} s");
    }
}

#[tokio::test(start_paused = true)]
async fn causes_and_debug_output_do_not_contain_secrets() {
    for (fault, ended) in [
        (Fault::Unreadable, State::Stuck),
        (Fault::Reject, State::Stuck),
        (Fault::RejectionOfAnother, State::Stuck),
        (Fault::UnsignedUnknown, State::Stuck),
        (Fault::Proxy, State::Stuck),
    ] {
        let world = World::new().await;
        world.provider.choose(Some(Box::new(move || fault)));
        world.start(world.dispatcher().max_queries(3));
        world.outbox.submit(&topup("T-1"), SubmitOptions::new()).await.unwrap();
        let progress = world.settled("T-1").await;
        assert_eq!(progress.state, ended, "{fault:?}");
        let entry = world.outbox.store().show_order("T-1".into(), None).await.unwrap().unwrap();
        let shown = format!("{} {entry:?} {:?}", progress.cause.unwrap(), world.outbox);
        for value in SECRET.split(' ').chain(["1.00", "T-1"]) {
            assert!(!shown.contains(value), "{fault:?}: {value} in {shown}");
        }
    }
}
