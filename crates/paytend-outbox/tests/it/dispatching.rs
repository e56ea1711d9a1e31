//! Tests that send single orders, with responses, faults, limits and pauses.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, SystemTime};

use paytend_client::Resolution;
use paytend_inbox::{Completion, HandlerError, RetryPolicy};
use paytend_model::issuing::{QueryTopupResult, ReportLoss, Topup};
use paytend_outbox::{
    Action, ActionError, Audit, Decision, Dispatcher, OrderNotice, OutboxAdmin as _, OutboxStore as _, Pause, State,
    SubmitError, SubmitOptions, Submitted,
};

use crate::provider::{Fault, World, record, topup};

pub(crate) fn audit() -> Audit {
    Audit { who: "a test".into(), why: "as requested".into() }
}

pub(crate) fn loss() -> ReportLoss {
    ReportLoss::builder().card_id("7").build()
}

pub(crate) fn numbered(number: &str) -> SubmitOptions {
    SubmitOptions::new().number(number)
}

pub(crate) async fn submit(world: &World, number: &str) {
    let submitted = world.outbox.submit(&topup(number), SubmitOptions::new()).await.unwrap();
    assert_eq!(submitted, Submitted::New);
}

#[tokio::test(start_paused = true)]
async fn order_is_sent_and_its_response_is_handled() {
    let world = World::new().await;
    world.start(world.dispatcher());
    submit(&world, "T-1").await;
    assert_eq!(world.settled("T-1").await.state, State::Responded);
    assert_eq!(world.recorded(), ["T-1: responded succeeded after 1"]);
    assert_eq!((world.provider.paths(), world.provider.executed("T-1")), (vec!["topup".to_owned()], 1));
    let again = world.outbox.submit(&topup("T-1"), SubmitOptions::new()).await.unwrap();
    assert_eq!(again, Submitted::Known { state: State::Responded });
    let mut other = topup("T-1");
    other.amount = "2.00".parse().unwrap();
    let error = world.outbox.submit(&other, SubmitOptions::new()).await.unwrap_err();
    assert!(matches!(&error, SubmitError::Conflict { fields } if *fields == ["`amount`"]), "{error}");
    let entry = world.entry("T-1").await;
    let keys = world.outbox.keys();
    let request = paytend_outbox::open_request(keys, &entry).unwrap().unwrap();
    assert!(request.contains(r#""orderNo":"T-1""#), "{}", *request);
    let result = paytend_outbox::open_result(keys, &entry).unwrap().unwrap();
    assert!(result.starts_with(r#"{"ended":"responded""#), "{}", *result);
}

#[tokio::test]
async fn queries_and_orders_without_a_number_are_refused() {
    let world = World::new().await;
    let query = QueryTopupResult::new("T-1");
    let error = world.outbox.prepare(&query, SubmitOptions::new()).unwrap_err();
    assert!(matches!(error, SubmitError::NotAMutation("getTopupResult")), "{error}");
    for number in ["", &"x".repeat(129)] {
        let error = world.outbox.prepare(&loss(), numbered(number)).unwrap_err();
        assert!(matches!(error, SubmitError::NoNumber), "{error}");
    }
    assert!(matches!(world.outbox.prepare(&loss(), SubmitOptions::new()), Err(SubmitError::NoNumber)));
    // The `orderNo` of the request is empty.
    assert!(matches!(world.outbox.prepare(&topup(""), numbered("T-1")), Err(SubmitError::Request(_))));
}

#[tokio::test(start_paused = true)]
async fn executed_order_is_found_after_its_response_is_lost() {
    for fault in [Fault::LoseResponse, Fault::Hang, Fault::RejectionOfAnother, Fault::UnsignedUnknown] {
        let world = World::new().await;
        world.provider.faults([fault, Fault::UnsignedUnknown, Fault::Proxy, Fault::LoseRequest, Fault::Unsent]);
        world.start(world.dispatcher());
        submit(&world, "T-1").await;
        assert_eq!(world.settled("T-1").await.state, State::Found, "{fault:?}");
        assert_eq!(world.recorded(), ["T-1: found succeeded after 1"], "{fault:?}");
        assert_eq!(world.provider.executed("T-1"), 1, "{fault:?}");
    }
}

#[tokio::test(start_paused = true)]
async fn lost_order_is_sent_again_with_the_same_bytes() {
    let world = World::new().await;
    world.provider.faults([Fault::LoseRequest]);
    world.start(world.dispatcher());
    submit(&world, "T-1").await;
    assert_eq!(world.settled("T-1").await.state, State::Responded);
    assert_eq!(world.recorded(), ["T-1: responded succeeded after 2"]);
    let received = world.provider.received();
    let (first, last) = (&received[0], received.last().unwrap());
    assert_eq!((first.path.as_str(), last.path.as_str()), ("topup", "topup"));
    assert_eq!(first.document, last.document);
    let queries: Vec<_> = received[1..received.len() - 1].iter().collect();
    assert!(queries.iter().all(|query| query.path == "getTopupResult"), "{received:?}");
    assert!(queries.len() >= 3 && last.at - queries[0].at >= Duration::from_secs(10), "{received:?}");
}

#[tokio::test(start_paused = true)]
async fn order_becomes_stuck_after_the_last_send_and_is_never_sent_again() {
    let world = World::new().await;
    world.provider.choose(Some(Box::new(|| Fault::LoseRequest)));
    world.start(world.dispatcher().max_queries(6));
    submit(&world, "T-1").await;
    assert_eq!(world.settled("T-1").await.state, State::Stuck);
    assert_eq!(world.provider.paths().iter().filter(|path| *path == "topup").count(), 1);
    // Queries succeed again, and the second send is also lost.
    world.provider.choose(None);
    world.provider.faults([Fault::None, Fault::None, Fault::None, Fault::None, Fault::LoseRequest]);
    world.outbox.store().act_on_order("T-1".into(), Action::Retry, audit()).await.unwrap().unwrap();
    assert_eq!(world.settled("T-1").await.state, State::Stuck);
    assert_eq!(world.provider.paths().iter().filter(|path| *path == "topup").count(), 2);
    world.outbox.store().act_on_order("T-1".into(), Action::Retry, audit()).await.unwrap().unwrap();
    assert_eq!(world.settled("T-1").await.state, State::Stuck);
    assert_eq!(world.provider.paths().iter().filter(|path| *path == "topup").count(), 2, "sent a third time");
    let decide = Action::Decide(Decision::NotExecuted);
    world.outbox.store().act_on_order("T-1".into(), decide, audit()).await.unwrap().unwrap();
    assert_eq!(world.settled("T-1").await.state, State::Decided);
    assert_eq!(world.recorded(), ["T-1: decided not-executed after 2"]);
}

#[tokio::test(start_paused = true)]
async fn lost_order_is_not_sent_again_if_no_response_codes_are_configured() {
    let world = World::with(Resolution::new()).await;
    world.provider.faults([Fault::LoseRequest]);
    world.start(world.dispatcher());
    submit(&world, "T-1").await;
    assert_eq!(world.settled("T-1").await.state, State::Stuck);
    assert_eq!(world.provider.paths().iter().filter(|path| *path == "topup").count(), 1);
}

/// Simulates a dispatcher whose process ends while it sends the order.
#[tokio::test(start_paused = true)]
async fn order_of_a_dead_process_is_queried_first() {
    for (fault, ended) in [(Fault::Hang, State::Found), (Fault::LoseRequest, State::Responded)] {
        let world = World::new().await;
        // The process ends before the response arrives.
        world.provider.faults([fault]);
        world.provider.delay(Duration::from_secs(20));
        let dying = world.start(world.dispatcher());
        submit(&world, "T-1").await;
        tokio::time::sleep(Duration::from_secs(15)).await;
        dying.abort();
        assert_eq!(world.state("T-1").await, State::Sending);
        world.provider.delay(Duration::ZERO);
        world.start(world.dispatcher());
        assert_eq!(world.settled("T-1").await.state, ended);
        assert_eq!(world.provider.paths()[..2], ["topup", "getTopupResult"]);
        assert_eq!(world.provider.executed("T-1"), 1);
    }
}

/// Simulates a process that ends while the handler runs with the response.
#[tokio::test(start_paused = true)]
async fn response_is_handled_after_a_crash_without_another_request() {
    for number in ["T-1", "L-1"] {
        let world = World::new().await;
        let hanging = world
            .dispatcher()
            .on::<Topup, _, _>(|_| std::future::pending())
            .on_without_query::<ReportLoss, _, _>(|_| std::future::pending());
        let dying = world.start(hanging);
        match number {
            "T-1" => submit(&world, number).await,
            _ => drop(world.outbox.submit(&loss(), numbered(number)).await.unwrap()),
        }
        tokio::time::sleep(Duration::from_secs(5)).await;
        dying.abort();
        let entry = world.entry(number).await;
        assert_eq!((entry.progress.state, entry.progress.is_open), (State::Responded, true));
        let result = paytend_outbox::open_result(world.outbox.keys(), &entry).unwrap().unwrap();
        assert!(result.starts_with(r#"{"ended":"responded""#), "{}", *result);
        world.start(world.dispatcher());
        assert!(!world.settled(number).await.is_open);
        assert!(world.recorded()[0].starts_with(&format!("{number}: responded")), "{:?}", world.recorded());
        assert_eq!((world.recorded().len(), world.provider.paths().len()), (1, 1), "{:?}", world.provider.paths());
    }
}

#[tokio::test(start_paused = true)]
async fn order_without_a_query_is_sent_at_most_once() {
    for (fault, ended, line) in [
        (Fault::None, State::Responded, Some("L-1: responded unknown: the response has no status after 1")),
        (Fault::Reject, State::Rejected, Some("L-1: rejected 1009 after 1")),
        (Fault::LoseResponse, State::Stuck, None),
        (Fault::LoseRequest, State::Stuck, None),
        (Fault::Proxy, State::Stuck, None),
    ] {
        let world = World::new().await;
        world.provider.faults([fault]);
        world.start(world.dispatcher());
        world.outbox.submit(&loss(), numbered("L-1")).await.unwrap();
        assert_eq!(world.settled("L-1").await.state, ended, "{fault:?}");
        assert_eq!(world.recorded(), Vec::from_iter(line));
        if ended == State::Stuck {
            world.outbox.store().act_on_order("L-1".into(), Action::Retry, audit()).await.unwrap().unwrap();
            assert_eq!(world.settled("L-1").await.state, State::Stuck, "{fault:?}");
            // A notification shows that the order exists.
            world.outbox.store().notice_order(OrderNotice::about::<ReportLoss>("L-1")).await.unwrap();
            assert_eq!(world.settled("L-1").await.state, State::Found, "{fault:?}");
            assert_eq!(world.recorded(), ["L-1: notified after 1"]);
        }
        assert_eq!(world.provider.paths(), ["lostCard"], "{fault:?}");
    }
}

#[tokio::test(start_paused = true)]
async fn order_that_a_notification_reports_is_not_sent_again() {
    let world = World::new().await;
    world.provider.faults([Fault::LoseRequest]);
    world.start(world.dispatcher());
    submit(&world, "T-1").await;
    tokio::time::sleep(Duration::from_secs(1)).await;
    world.outbox.store().notice_order(OrderNotice::about::<Topup>("T-1")).await.unwrap();
    let progress = world.settled("T-1").await;
    assert_eq!(progress.state, State::Stuck);
    assert!(progress.cause.unwrap().contains("a notification reports the order"));
    assert_eq!(world.provider.paths().iter().filter(|path| *path == "topup").count(), 1);
}

#[tokio::test(start_paused = true)]
async fn rejection_becomes_final_once_the_query_confirms_it() {
    let world = World::new().await;
    world.provider.faults([Fault::Reject, Fault::Unsent]);
    world.start(world.dispatcher());
    submit(&world, "T-1").await;
    assert_eq!(world.settled("T-1").await.state, State::Rejected);
    assert_eq!(world.recorded(), ["T-1: rejected 1009 after 1"]);
    assert!(world.provider.paths().len() >= 4 && world.provider.executed("T-1") == 0);
}

#[tokio::test(start_paused = true)]
async fn order_is_sent_later_if_the_connection_fails_before_the_send() {
    let world = World::new().await;
    world.provider.faults([Fault::Unsent, Fault::Unsent, Fault::Unsent]);
    world.start(world.dispatcher());
    submit(&world, "T-1").await;
    assert_eq!(world.settled("T-1").await.state, State::Responded);
    assert_eq!((world.provider.paths(), world.provider.executed("T-1")), (vec!["topup".to_owned()], 1));
}

/// When the retry limit is reached, an operator decides whether the order is sent.
#[tokio::test(start_paused = true)]
async fn operator_can_send_or_cancel_an_order_after_failed_sends() {
    let world = World::new().await;
    world.provider.choose(Some(Box::new(|| Fault::Unsent)));
    world.start(world.dispatcher().retry(RetryPolicy::new().max_tries(3)));
    for number in ["T-1", "T-2"] {
        submit(&world, number).await;
        let progress = world.settled(number).await;
        assert_eq!((progress.state, progress.history.sends), (State::Stuck, 0));
    }
    assert!(world.provider.paths().is_empty());
    world.provider.choose(None);
    let act = |number: &str, action| world.outbox.store().act_on_order(number.into(), action, audit());
    let refused = act("T-1", Action::Decide(Decision::Executed)).await.unwrap();
    assert_eq!(refused, Err(ActionError::NotSent));
    act("T-1", Action::Decide(Decision::NotExecuted)).await.unwrap().unwrap();
    assert_eq!(world.settled("T-1").await.state, State::Decided);
    assert!(world.provider.paths().is_empty());
    // A retry sends the order. It is not queried, because it cannot exist.
    act("T-2", Action::Retry).await.unwrap().unwrap();
    assert_eq!(world.settled("T-2").await.state, State::Responded);
    assert_eq!(world.provider.paths(), ["topup"]);
}

#[tokio::test(start_paused = true)]
async fn failed_handler_runs_again_without_another_send() {
    let world = World::new().await;
    let runs = Arc::new(AtomicUsize::new(0));
    let counted = Arc::clone(&runs);
    let dispatcher = Dispatcher::builder(world.outbox.clone()).on::<Topup, _, _>(move |ended| {
        let run = counted.fetch_add(1, Ordering::SeqCst);
        async move {
            assert!(run != 1, "as requested");
            match run {
                0 => Err(HandlerError::retry("the database is unavailable")),
                2 => Ok(Completion::with_effect(Box::new(|_: &mut _| Err(HandlerError::retry("no"))) as _)),
                3 => Err(HandlerError::dead_letter("unexpected")),
                _ => record(ended.number(), ended.sends(), "responded"),
            }
        }
    });
    world.start(dispatcher);
    submit(&world, "T-1").await;
    let progress = world.settled("T-1").await;
    assert_eq!((progress.state, progress.is_open), (State::Responded, true));
    assert_eq!((runs.load(Ordering::SeqCst), progress.cause.as_deref()), (4, Some("unexpected")));
    world.outbox.store().act_on_order("T-1".into(), Action::Retry, audit()).await.unwrap().unwrap();
    let progress = world.settled("T-1").await;
    assert!(!progress.is_open);
    assert_eq!(world.recorded(), ["T-1: responded after 1"]);
    assert_eq!(world.provider.paths(), ["topup"]);
}

#[tokio::test(start_paused = true)]
async fn orders_wait_for_their_schedule_and_for_earlier_orders_with_the_same_key() {
    let world = World::new().await;
    world.provider.delay(Duration::from_secs(4));
    world.start(world.dispatcher());
    let epoch = SystemTime::UNIX_EPOCH + Duration::from_secs(1_700_000_000);
    let begin = tokio::time::Instant::now();
    let later = SubmitOptions::new().not_before(epoch + Duration::from_secs(3600));
    world.outbox.submit(&topup("later"), later).await.unwrap();
    for number in ["1", "2", "3"] {
        world.outbox.submit(&topup(number), SubmitOptions::new().order_by("card 7")).await.unwrap();
    }
    for number in ["1", "2", "3", "later"] {
        world.settled(number).await;
    }
    let received = world.provider.received();
    let orders: Vec<&str> = received.iter().map(|received| received.order.as_str()).collect();
    assert_eq!(orders, ["1", "2", "3", "later"]);
    assert!(received.windows(2).all(|pair| pair[1].at - pair[0].at >= Duration::from_secs(4)), "{received:?}");
    assert!(received[3].at - begin >= Duration::from_secs(3600), "{received:?}");
}

#[tokio::test(start_paused = true)]
async fn concurrency_and_rate_are_limited() {
    let world = World::new().await;
    world.provider.delay(Duration::from_secs(3));
    for number in 0..12 {
        submit(&world, &number.to_string()).await;
    }
    let per = Duration::from_secs(10);
    world.start(world.dispatcher().max_concurrent_of::<Topup>(2).rate_limit_of::<Topup>(3, per));
    for number in 0..12 {
        world.settled(&number.to_string()).await;
    }
    assert!(world.provider.most_in_flight() <= 2, "{}", world.provider.most_in_flight());
    let received = world.provider.received();
    assert!(received.windows(4).all(|four| four[3].at - four[0].at >= per - Duration::from_secs(1)), "{received:?}");
}

#[tokio::test(start_paused = true)]
async fn paused_operation_is_not_sent_until_it_is_resumed() {
    let world = World::new().await;
    let store = world.outbox.store();
    store.pause_sending(Pause::ALL.into(), audit()).await.unwrap();
    world.start(world.dispatcher());
    submit(&world, "T-1").await;
    tokio::time::sleep(Duration::from_secs(3600)).await;
    assert!(world.provider.paths().is_empty());
    assert!(store.resume_sending(Pause::ALL.into(), audit()).await.unwrap());
    assert_eq!(world.settled("T-1").await.state, State::Responded);
}

/// If the response is a rejection of another order, later responses on the connection may also belong to different
/// requests. The connections are discarded immediately, and again when a query finds the order.
#[tokio::test(start_paused = true)]
async fn connections_are_discarded_after_a_rejection() {
    for (fault, discarded) in [(Fault::RejectionOfAnother, 2), (Fault::LoseResponse, 0), (Fault::Reject, 1)] {
        let world = World::new().await;
        world.provider.faults([fault]);
        world.start(world.dispatcher());
        submit(&world, "T-1").await;
        world.settled("T-1").await;
        assert_eq!(world.provider.discarded(), discarded, "{fault:?}");
    }
}

#[tokio::test(start_paused = true)]
async fn stopping_dispatcher_waits_for_its_sends() {
    let world = World::new().await;
    world.provider.delay(Duration::from_secs(20));
    let (stop, stopped) = tokio::sync::oneshot::channel::<()>();
    let dispatcher = world.dispatcher().stop_timeout(Duration::from_secs(5)).build();
    let running = tokio::spawn(dispatcher.run(async { drop(stopped.await) }));
    submit(&world, "T-1").await;
    tokio::time::sleep(Duration::from_secs(1)).await;
    stop.send(()).unwrap();
    let stopped = running.await.unwrap();
    assert_eq!((stopped.finished, stopped.aborted), (1, 0));
    assert_eq!(world.state("T-1").await, State::Responded);
}
