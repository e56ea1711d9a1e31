//! Tests of stores that were restored from a backup, of orders whose payload key is missing, and of operator decisions.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use paytend_inbox::{HandlerError, StoreKeys};
use paytend_model::Operation as _;
use paytend_model::issuing::Topup;
use paytend_outbox::testing::TestOrder;
use paytend_outbox::{
    Action, ActionError, Decision, OrderNotice, Outbox, OutboxAdmin as _, OutboxStore as _, Pause, State, SubmitOptions,
};

use crate::dispatching::{audit, loss, numbered, submit};
use crate::provider::{Fault, World, record, shown, topup};

#[tokio::test(start_paused = true)]
async fn orders_in_a_restored_store_are_queried_before_they_are_sent() {
    let world = World::new().await;
    submit(&world, "sent after the backup").await;
    submit(&world, "never sent").await;
    // The order is sent after the backup, so the restored store has no record of the send.
    let order = topup("sent after the backup");
    world.outbox.client().send(&order).await.unwrap();
    assert_eq!(world.outbox.store().recover_orders(audit()).await.unwrap(), 2);
    world.start(world.dispatcher());
    assert_eq!(world.settled("sent after the backup").await.state, State::Found);
    assert_eq!(world.settled("never sent").await.state, State::Responded);
    assert_eq!(world.provider.executed("sent after the backup"), 1);
}

#[tokio::test(start_paused = true)]
async fn handler_that_fails_after_a_decision_runs_again() {
    let world = World::new().await;
    let runs = Arc::new(AtomicUsize::new(0));
    let counted = Arc::clone(&runs);
    world.start(world.dispatcher().on::<Topup, _, _>(move |ended| {
        let run = counted.fetch_add(1, Ordering::SeqCst);
        async move {
            match run {
                0 => Err(HandlerError::retry("the database is unavailable")),
                _ => record(ended.number(), ended.sends(), &shown(ended.ending())),
            }
        }
    }));
    world.provider.faults([Fault::Reject]);
    world.provider.choose(Some(Box::new(|| Fault::LoseRequest)));
    submit(&world, "T-1").await;
    tokio::time::sleep(Duration::from_secs(60)).await;
    let decide = Action::Decide(Decision::NotExecuted);
    world.outbox.store().act_on_order("T-1".into(), decide, audit()).await.unwrap().unwrap();
    let progress = world.settled("T-1").await;
    assert_eq!((progress.state, progress.is_open), (State::Decided, false), "{progress:?}");
    assert_eq!(world.recorded(), ["T-1: decided not-executed after 1"]);
    assert_eq!(runs.load(Ordering::SeqCst), 2);
}

/// After the store was restored, a notification arrives again, and its handler submits the same order again.
#[tokio::test(start_paused = true)]
async fn orders_that_a_restored_handler_submits_again_are_queried_first() {
    let world = World::new().await;
    // This order was sent after the backup, so the backup does not contain it.
    world.outbox.client().send(&topup("T-1")).await.unwrap();
    world.outbox.store().recover_orders(audit()).await.unwrap();
    world.start(world.dispatcher());
    submit(&world, "T-1").await;
    assert_eq!(world.settled("T-1").await.state, State::Found);
    assert_eq!((world.recorded(), world.provider.executed("T-1")), (vec!["T-1: found succeeded after 1".into()], 1));
    // An order with a new number cannot be recognized as a duplicate. It is only queried while sending is paused, and
    // sent after the pause.
    world.outbox.store().pause_sending(Pause::ALL.into(), audit()).await.unwrap();
    submit(&world, "T-2").await;
    tokio::time::sleep(Duration::from_secs(600)).await;
    assert_eq!((world.state("T-2").await, world.provider.executed("T-2")), (State::Unknown, 0));
    world.outbox.store().resume_sending(Pause::ALL.into(), audit()).await.unwrap();
    assert_eq!(world.settled("T-2").await.state, State::Responded);
    // The operation has no query, so an operator must decide.
    world.outbox.submit(&loss(), numbered("L-1")).await.unwrap();
    assert_eq!(world.settled("L-1").await.state, State::Stuck);
    assert!(!world.provider.paths().contains(&"lostCard".to_owned()));
    assert!(world.outbox.store().end_recovery(audit()).await.unwrap());
    world.outbox.submit(&loss(), numbered("L-2")).await.unwrap();
    assert_eq!(world.settled("L-2").await.state, State::Responded);
}

#[tokio::test(start_paused = true)]
async fn order_whose_key_is_missing_waits_for_it() {
    let world = World::new().await;
    let all_keys = world.outbox.keys().to_text();
    let mut rotated = StoreKeys::parse(&all_keys).unwrap();
    rotated.rotate().unwrap();
    let rotated_text = rotated.to_text();
    let [old, new] = [rotated.payload_key_ids().next(), rotated.payload_key_ids().last()].map(Option::unwrap);
    let outbox = |keys: &str| {
        Outbox::open(world.outbox.store().clone(), StoreKeys::parse(keys).unwrap(), world.outbox.client().clone())
    };
    let sealed_for_new = outbox(&rotated_text).await.unwrap();
    sealed_for_new.submit(&topup("T-1"), SubmitOptions::new()).await.unwrap();
    // This process has not loaded the new key yet.
    let waiting = world.start(world.dispatcher());
    tokio::time::sleep(Duration::from_secs(3 * 24 * 3600)).await;
    let progress = world.entry("T-1").await.progress;
    assert_eq!((progress.state, progress.history.sends), (State::Recorded, 0));
    let cause = progress.cause.unwrap();
    assert_eq!(cause, format!("payload key {new} is missing: restore the key file"));
    assert!(progress.due_at.is_some() && progress.tries <= 1);
    let by_key = world.outbox.store().order_stats().await.unwrap().open_by_key;
    assert_eq!((by_key.get(&new), by_key.get(&old)), (Some(&1), None));
    assert!(world.provider.paths().is_empty());
    waiting.abort();
    // If the abort interrupted an attempt, the dispatcher with the key waits until the lease has expired.
    let world = World { outbox: sealed_for_new, ..world };
    world.start(world.dispatcher());
    assert_eq!(world.settled("T-1").await.state, State::Responded);
}

/// If the request of an order cannot be read, no handler can run for it. After an operator's decision, such an order
/// must not be claimed again and again.
#[tokio::test(start_paused = true)]
async fn decided_order_with_an_unreadable_request_stays_open_until_an_operator_closes_it() {
    let world = World::new().await;
    let keys = Arc::new(StoreKeys::parse(&world.outbox.keys().to_text()).unwrap());
    let operation = Topup::INFO.path.to_owned();
    // The content of a test order is not a valid request, so it cannot be read.
    let order = TestOrder { operation, ..TestOrder::new("T-1") };
    world.outbox.store().submit_order(order.prepare(&keys)).await.unwrap();
    world.start(world.dispatcher());
    assert_eq!(world.settled("T-1").await.state, State::Stuck);
    let act = |action| world.outbox.store().act_on_order("T-1".into(), action, audit());
    assert_eq!(act(Action::Close).await.unwrap(), Err(ActionError::Undecided));
    act(Action::Decide(Decision::NotExecuted)).await.unwrap().unwrap();
    tokio::time::sleep(Duration::from_secs(60)).await;
    let progress = world.entry("T-1").await.progress;
    assert_eq!((progress.state, progress.is_open, progress.due_at), (State::Decided, true, None));
    assert!(progress.fence < 5, "the order was claimed {} times", progress.fence);
    act(Action::Close).await.unwrap().unwrap();
    assert!(!world.entry("T-1").await.progress.is_open);
}

/// Queries continue during a pause. Successful queries must not count towards the limit after which an order is stuck.
#[tokio::test(start_paused = true)]
async fn failed_query_after_a_long_pause_does_not_make_an_order_stuck() {
    let world = World::new().await;
    let store = world.outbox.store();
    store.recover_orders(audit()).await.unwrap();
    store.pause_sending(Pause::ALL.into(), audit()).await.unwrap();
    world.start(world.dispatcher());
    submit(&world, "T-1").await;
    tokio::time::sleep(Duration::from_secs(3600)).await;
    assert_eq!(world.state("T-1").await, State::Unknown);
    world.provider.faults([Fault::LoseRequest]);
    tokio::time::sleep(Duration::from_secs(600)).await;
    assert_eq!(world.state("T-1").await, State::Unknown);
    store.resume_sending(Pause::ALL.into(), audit()).await.unwrap();
    assert_eq!(world.settled("T-1").await.state, State::Responded);
}

/// A notification arrives while a handler is running with a rejection.
#[tokio::test(start_paused = true)]
async fn notice_that_arrives_while_a_rejection_is_handled_prevents_the_completion() {
    let world = World::new().await;
    world.provider.faults([Fault::Reject]);
    world.start(world.dispatcher().on::<Topup, _, _>(async |ended| {
        tokio::time::sleep(Duration::from_secs(20)).await;
        record(ended.number(), ended.sends(), &shown(ended.ending()))
    }));
    submit(&world, "T-1").await;
    while world.state("T-1").await != State::Rejected {
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
    // The provider executes the order only now, so the earlier query did not find it.
    world.outbox.client().send(&topup("T-1")).await.unwrap();
    world.outbox.store().notice_order(OrderNotice::about::<Topup>("T-1")).await.unwrap();
    assert_eq!(world.settled("T-1").await.state, State::Found);
    assert_eq!(world.recorded(), ["T-1: found succeeded after 1"]);
}
