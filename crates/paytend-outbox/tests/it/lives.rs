//! A test with random faults, and with two dispatchers on one store that are aborted at random times.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use paytend_inbox::RetryPolicy;
use paytend_model::issuing::{ReportLoss, Topup};
use paytend_outbox::{DispatcherBuilder, MemoryOutbox, OrderQuery, OutboxAdmin as _, State, SubmitOptions};
use paytend_vectors::Seeded;

use crate::provider::{Fault, World, record, shown, topup};

const ORDERS: usize = 24;

/// For each order number, the endings with which handlers were called.
type Runs = Arc<Mutex<BTreeMap<String, BTreeSet<String>>>>;

/// Creates a dispatcher whose handlers take a random time, so that some are aborted.
fn dispatcher(world: &World, random: &Arc<Seeded>, runs: &Runs) -> DispatcherBuilder<MemoryOutbox> {
    let run = {
        let (random, runs) = (Arc::clone(random), Arc::clone(runs));
        move |number: &str, ending: &str| {
            runs.lock().unwrap().entry(number.to_owned()).or_default().insert(ending.to_owned());
            tokio::time::sleep(Duration::from_millis(random.below(8_000) as u64))
        }
    };
    let run_loss = run.clone();
    world
        .dispatcher()
        .on::<Topup, _, _>(move |ended| {
            let ending = shown(ended.ending());
            let running = run(ended.number(), &ending);
            async move {
                running.await;
                record(ended.number(), ended.sends(), &ending)
            }
        })
        .on_without_query::<ReportLoss, _, _>(move |ended| {
            let ending = shown(ended.ending());
            let running = run_loss(ended.number(), &ending);
            async move {
                running.await;
                record(ended.number(), ended.sends(), &ending)
            }
        })
        .retry(RetryPolicy::new().base(Duration::from_secs(1)).max_tries(50))
}

fn is_loss(number: &str) -> bool {
    number.starts_with('L')
}

const FAULTS: [Fault; 12] = [
    Fault::None,
    Fault::None,
    Fault::None,
    Fault::Unsent,
    Fault::LoseRequest,
    Fault::LoseResponse,
    Fault::LoseResponse,
    Fault::Hang,
    Fault::Reject,
    Fault::RejectionOfAnother,
    Fault::Proxy,
    Fault::UnsignedUnknown,
];

#[tokio::test(start_paused = true)]
async fn no_order_is_executed_twice_or_lost() {
    let random = Arc::new(Seeded::new());
    // `cargo xtask soak` sets a larger number of rounds.
    for _ in 0..std::env::var("PAYTEND_FAULT_ROUNDS").map_or(3, |rounds| rounds.parse().unwrap()) {
        let world = World::new().await;
        let choosing = Arc::clone(&random);
        world.provider.choose(Some(Box::new(move || FAULTS[choosing.below(FAULTS.len())])));
        world.provider.delay(Duration::from_millis(500));
        let runs = Runs::default();
        let dispatcher = || dispatcher(&world, &random, &runs);
        for number in 0..ORDERS {
            if number.is_multiple_of(4) {
                let number = format!("L{number}");
                let loss = ReportLoss::builder().card_id(number.as_str()).build();
                world.outbox.submit(&loss, SubmitOptions::new().number(number)).await.unwrap();
                continue;
            }
            let number = number.to_string();
            let options = match random.below(3) {
                0 => SubmitOptions::new().order_by(format!("card {}", random.below(3))),
                _ => SubmitOptions::new(),
            };
            // The same order is submitted several times concurrently.
            let order = topup(&number);
            let copies = (0..1 + random.below(3)).map(|_| world.outbox.submit(&order, options.clone()));
            for submitted in futures_util::future::join_all(copies).await {
                submitted.unwrap();
            }
        }
        for _ in 0..30 {
            let running = [world.start(dispatcher()), world.start(dispatcher())];
            tokio::time::sleep(Duration::from_millis(random.below(20_000) as u64)).await;
            for task in running {
                task.abort();
            }
            // The pause is sometimes longer than a lease.
            tokio::time::sleep(Duration::from_millis(random.below(120_000) as u64)).await;
        }
        world.provider.choose(None);
        world.start(dispatcher());
        world.start(dispatcher());
        check(&world, &runs).await;
    }
}

/// Waits until all orders are completed or stuck, and compares the store with the provider.
async fn check(world: &World, runs: &Runs) {
    for number in 0..ORDERS {
        let number = if number.is_multiple_of(4) { format!("L{number}") } else { number.to_string() };
        // The deadline is necessary because an order that waits for a stuck order with the same key stays due.
        let deadline = tokio::time::Instant::now() + Duration::from_secs(48 * 3600);
        while world.entry(&number).await.progress.due_at.is_some() && tokio::time::Instant::now() < deadline {
            tokio::time::sleep(Duration::from_secs(60)).await;
        }
    }
    let query = OrderQuery { limit: 999, ..OrderQuery::default() };
    let entries = world.outbox.store().list_orders(query).await.unwrap().entries;
    assert_eq!(entries.len(), ORDERS);
    let runs = runs.lock().unwrap();
    for entry in entries {
        let (number, state) = (&entry.facts.number, entry.progress.state);
        let executed = world.provider.executed(number);
        let agrees = match state {
            State::Responded | State::Found => executed == 1,
            // This operation has no query. If the provider responds with the rejection of another order, the order is
            // recorded as rejected although it was executed.
            State::Rejected if is_loss(number) => executed <= 1,
            State::Rejected | State::Recorded => executed == 0,
            State::Stuck => executed <= 1,
            _ => false,
        };
        assert!(agrees, "order {number} is {state} and was executed {executed} times: {:?}", entry.progress);
        let sent = world.provider.received().iter().filter(|request| request.order == *number).count();
        assert!(!is_loss(number) || sent <= 1, "order {number} was sent {sent} times");
        // The outcome with which a handler was called stays the outcome of the order, even if the dispatcher is
        // aborted.
        let endings = runs.get(number).into_iter().flatten();
        let endings: BTreeSet<&str> = endings.filter_map(|ending| ending.split(' ').next()).collect();
        assert!(endings.iter().all(|ending| *ending == state.as_str()), "order {number} is {state}: {endings:?}");
    }
    let mut lines = world.recorded();
    let count = lines.len();
    lines.sort();
    lines.dedup_by_key(|line| line.split(':').next().unwrap().to_owned());
    assert_eq!(lines.len(), count, "a handler's effect happened twice");
}
