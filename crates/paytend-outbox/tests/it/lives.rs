//! Random runs with all kinds of faults, and two dispatchers on one store that can be aborted at any time.

use std::sync::Arc;
use std::time::Duration;

use paytend_inbox::RetryPolicy;
use paytend_outbox::{OrderQuery, OutboxAdmin as _, State, SubmitOptions};
use paytend_vectors::Seeded;

use crate::provider::{Fault, World, topup};

const ORDERS: usize = 24;

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
    for _ in 0..3 {
        let world = World::new().await;
        let choosing = Arc::clone(&random);
        world.provider.choose(Some(Box::new(move || FAULTS[choosing.below(FAULTS.len())])));
        world.provider.delay(Duration::from_millis(500));
        let dispatcher = || world.dispatcher().retry(RetryPolicy::new().base(Duration::from_secs(1)).max_tries(50));
        for number in 0..ORDERS {
            let number = number.to_string();
            let options = match random.below(3) {
                0 => SubmitOptions::new().order_by(format!("card {}", random.below(3))),
                _ => SubmitOptions::new(),
            };
            // Several tasks submit the same order.
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
        check(&world).await;
    }
}

/// Waits until all orders are completed or stuck, and compares the store with the provider.
async fn check(world: &World) {
    for number in 0..ORDERS {
        let number = number.to_string();
        // Orders behind a stuck order with the same key stay open.
        let deadline = tokio::time::Instant::now() + Duration::from_secs(48 * 3600);
        while world.entry(&number).await.progress.due_at.is_some() && tokio::time::Instant::now() < deadline {
            tokio::time::sleep(Duration::from_secs(60)).await;
        }
    }
    let entries = world.outbox.store().list_orders(OrderQuery { limit: 999, ..OrderQuery::default() }).await.unwrap();
    assert_eq!(entries.len(), ORDERS);
    for entry in entries {
        let (number, state) = (&entry.facts.number, entry.progress.state);
        let executed = world.provider.executed(number);
        let agrees = match state {
            State::Responded | State::Found => executed == 1,
            State::Rejected | State::Recorded => executed == 0,
            State::Stuck => executed <= 1,
            _ => false,
        };
        assert!(agrees, "order {number} is {state} and was executed {executed} times: {:?}", entry.progress);
    }
    let mut lines = world.recorded();
    let count = lines.len();
    lines.sort();
    lines.dedup_by_key(|line| line.split(':').next().unwrap().to_owned());
    assert_eq!(lines.len(), count, "a handler's effect happened twice");
}
