//! Tests of a worker's handlers, retries, leases and shutdown.

use std::future::{Future, pending, ready};
use std::time::Duration;

use paytend_inbox::{
    AnyNotification, Completion, Delivery, HandlerError, Inbox, MemoryEffect, MemoryStore, RetryPolicy, State, Stopped,
    StoreAdmin as _, Worker, in_memory_transaction, types,
};
use paytend_model::Content;
use tokio::sync::oneshot;

use crate::support::{Log, claim_and_forget, deposit, entries, inbox, notification, until, until_state};

type Handled = Result<Completion<MemoryEffect>, HandlerError>;

fn refuse(delivery: Delivery<AnyNotification>) -> impl Future<Output = Handled> + Send {
    ready(Err(HandlerError::dead_letter(format!("no handler for {}", delivery.facts().kind))))
}

/// A worker that runs until it is stopped.
struct Running {
    stop: oneshot::Sender<()>,
    task: tokio::task::JoinHandle<Stopped>,
}

impl Running {
    fn start(worker: Worker<MemoryStore>) -> Self {
        let (stop, stopped) = oneshot::channel::<()>();
        let task = tokio::spawn(worker.run(async {
            let _ = stopped.await;
        }));
        Self { stop, task }
    }

    async fn stop(self) -> Stopped {
        self.stop.send(()).unwrap();
        self.task.await.unwrap()
    }
}

fn policy() -> RetryPolicy {
    RetryPolicy::new().max_tries(3).base(Duration::from_secs(60))
}

#[tokio::test(start_paused = true)]
async fn notifications_are_passed_to_the_handler_of_their_type() {
    let inbox = inbox().await;
    let (typed, other) = (Log::default(), Log::default());
    let (typed_log, other_log) = (typed.clone(), other.clone());
    let worker = Worker::builder(inbox.clone(), move |delivery: Delivery<AnyNotification>| {
        let raw = match delivery.notification() {
            AnyNotification::Paytend(Content::Typed(typed)) => format!("typed {}", typed.notify_type()),
            other => format!("raw {}", other.raw().unwrap().notify_type),
        };
        other_log.add(raw);
        ready(Ok(Completion::without_effect()))
    })
    .on::<types::FundDeposit, _, _>(move |delivery| {
        let deposit = delivery.notification();
        typed_log.add(format!("{:?} {}", deposit.order_no.as_deref(), deposit.amount.as_ref().unwrap()));
        ready(Ok(Completion::without_effect()))
    })
    .build();
    inbox.accept(&deposit("F1")).await.unwrap();
    inbox.accept(&notification("8", r#"{"orderNo":"F2"}"#)).await.unwrap();
    inbox.accept(&notification("99", r#"{"orderNo":"F3"}"#)).await.unwrap();
    inbox.accept(&notification("2", r#"{"other":"product"}"#)).await.unwrap();
    let running = Running::start(worker);
    until(|| async { (inbox.store().stats().await.unwrap().done == 4).then_some(()) }).await;
    running.stop().await;
    assert_eq!(typed.lines(), [r#"Some("F1") 25.00"#]);
    let mut others = other.lines();
    others.sort();
    assert_eq!(others, ["raw 2", "raw 99", "typed 8"]);
}

#[tokio::test(start_paused = true)]
async fn effect_is_committed_with_the_completion() {
    let inbox = inbox().await;
    let worker = Worker::builder(inbox.clone(), async |delivery: Delivery<AnyNotification>| {
        let id = delivery.id();
        Ok(in_memory_transaction(move |transaction| {
            transaction.record(format!("effect of {id}"));
            Ok(())
        }))
    })
    .build();
    let running = Running::start(worker);
    inbox.accept(&deposit("F1")).await.unwrap();
    let entry = until_state(&inbox, State::Done).await;
    assert_eq!(inbox.store().recorded(), [format!("effect of {}", entry.id)]);
    running.stop().await;
}

#[tokio::test(start_paused = true)]
async fn failing_handlers_are_retried_up_to_the_limit() {
    let inbox = inbox().await;
    let (log, attempts) = (Log::default(), Log::default());
    let handler_log = attempts.clone();
    let worker = Worker::builder(inbox.clone(), move |delivery: Delivery<AnyNotification>| {
        handler_log.add(delivery.attempt().to_string());
        let attempt = delivery.attempt();
        async move {
            match attempt {
                1 => Err(HandlerError::from(std::io::Error::other("the first cause"))),
                2 => panic!("a panic message with personal data"),
                _ => Ok(in_memory_transaction(|transaction| {
                    transaction.record("rolled back");
                    Err(HandlerError::retry("the last cause"))
                })),
            }
        }
    })
    .retry(policy())
    .build();
    let running = Running::start(worker);
    inbox.accept(&deposit("F1")).await.unwrap();
    let first = until_state(&inbox, State::Backoff).await;
    assert_eq!(first.cause.as_deref(), Some("the first cause"));
    let second = until(|| async { entries(&inbox).await.pop().filter(|e| e.state == State::Backoff && e.tries == 2) });
    assert_eq!(second.await.cause.as_deref(), Some("the handler panicked"));
    let dead = until_state(&inbox, State::Dead).await;
    assert_eq!((dead.tries, dead.cause.as_deref()), (3, Some("the last cause")));
    assert_eq!(attempts.lines(), ["1", "2", "3"]);
    assert!(log.lines().is_empty() && inbox.store().recorded().is_empty());
    running.stop().await;
}

#[tokio::test(start_paused = true)]
async fn permanent_error_causes_a_dead_letter_without_a_retry() {
    let inbox = inbox().await;
    let running = Running::start(Worker::builder(inbox.clone(), refuse).build());
    inbox.accept(&deposit("F1")).await.unwrap();
    let dead = until_state(&inbox, State::Dead).await;
    assert_eq!((dead.tries, dead.cause.as_deref()), (1, Some("no handler for fund-deposit")));
    running.stop().await;
}

#[tokio::test(start_paused = true)]
async fn handler_can_set_the_delay_before_the_next_attempt() {
    let inbox = inbox().await;
    let times = Log::default();
    let (start, log) = (tokio::time::Instant::now(), times.clone());
    let worker = Worker::builder(inbox.clone(), move |delivery: Delivery<AnyNotification>| {
        log.add(start.elapsed().as_secs().to_string());
        ready(match delivery.attempt() {
            1 => Err(HandlerError::retry_after(Duration::from_secs(600), "not ready yet")),
            _ => Ok(Completion::without_effect()),
        })
    })
    .build();
    let running = Running::start(worker);
    inbox.accept(&deposit("F1")).await.unwrap();
    until_state(&inbox, State::Done).await;
    let times: Vec<u64> = times.lines().iter().map(|line| line.parse().unwrap()).collect();
    assert!((600..605).contains(&(times[1] - times[0])), "{times:?}");
    running.stop().await;
}

/// A service that restarts behind a load balancer may respond with `Retry-After: 0` many times.
#[tokio::test(start_paused = true)]
async fn retry_after_zero_does_not_shorten_the_backoff() {
    let inbox = inbox().await;
    let start = tokio::time::Instant::now();
    let worker = Worker::builder(inbox.clone(), move |_: Delivery<AnyNotification>| {
        ready(Err(HandlerError::retry_after(Duration::ZERO, "restarting")))
    })
    .build();
    let running = Running::start(worker);
    inbox.accept(&deposit("F1")).await.unwrap();
    until_state(&inbox, State::Dead).await;
    assert!(start.elapsed() > Duration::from_secs(600), "{:?}", start.elapsed());
    running.stop().await;
}

#[tokio::test(start_paused = true)]
async fn heartbeats_extend_the_lease_of_a_long_attempt() {
    let inbox = inbox().await;
    let runs = Log::default();
    let build = || {
        let log = runs.clone();
        let handler = move |_: Delivery<AnyNotification>| {
            log.add("run");
            async {
                tokio::time::sleep(Duration::from_secs(500)).await;
                Ok(Completion::without_effect())
            }
        };
        Worker::builder(inbox.clone(), handler).lease(Duration::from_secs(10)).build()
    };
    let workers = [Running::start(build()), Running::start(build())];
    inbox.accept(&deposit("F1")).await.unwrap();
    until_state(&inbox, State::Done).await;
    assert_eq!(runs.len(), 1, "the handler ran once");
    for worker in workers {
        worker.stop().await;
    }
}

#[tokio::test(start_paused = true)]
async fn attempt_fails_if_the_handler_hangs() {
    let inbox = inbox().await;
    let worker = Worker::builder(inbox.clone(), |_: Delivery<AnyNotification>| pending::<Handled>())
        .handler_timeout(Duration::from_secs(5))
        .retry(policy().max_tries(1))
        .build();
    let running = Running::start(worker);
    inbox.accept(&deposit("F1")).await.unwrap();
    assert_eq!(until_state(&inbox, State::Dead).await.cause.as_deref(), Some("the handler timed out"));
    running.stop().await;
}

#[tokio::test(start_paused = true)]
async fn attempt_whose_lease_is_lost_is_cancelled_and_has_no_effect() {
    let inbox = inbox().await;
    let ended = Log::default();
    let log = ended.clone();
    let worker = Worker::builder(inbox.clone(), move |_: Delivery<AnyNotification>| {
        let guard = DropGuard(log.clone());
        async move {
            let _guard = guard;
            tokio::time::sleep(Duration::from_secs(100)).await;
            Ok(in_memory_transaction(|transaction| {
                transaction.record("effect");
                Ok(())
            }))
        }
    })
    .lease(Duration::from_secs(9))
    .build();
    let running = Running::start(worker);
    let id = inbox.accept(&deposit("F1")).await.unwrap().id();
    until_state(&inbox, State::Leased).await;
    assert!(inbox.store().bury(id, "buried by an operator".into()).await.unwrap());
    until(|| async { (ended.len() == 1).then_some(()) }).await;
    running.stop().await;
    assert_eq!(inbox.store().recorded(), Vec::<String>::new());
    assert_eq!(entries(&inbox).await[0].state, State::Dead);
}

struct DropGuard(Log);

impl Drop for DropGuard {
    fn drop(&mut self) {
        self.0.add("ended");
    }
}

#[tokio::test(start_paused = true)]
async fn notification_held_by_a_dead_process_is_claimed_after_its_lease_expires() {
    let inbox = inbox().await;
    inbox.accept(&deposit("F1")).await.unwrap();
    claim_and_forget(&inbox, Duration::from_secs(30)).await;
    let start = tokio::time::Instant::now();
    let attempts = Log::default();
    let log = attempts.clone();
    let worker = Worker::builder(inbox.clone(), move |delivery: Delivery<AnyNotification>| {
        log.add(delivery.attempt().to_string());
        ready(Ok(Completion::without_effect()))
    });
    let running = Running::start(worker.build());
    until_state(&inbox, State::Done).await;
    assert!((30..33).contains(&start.elapsed().as_secs()), "{:?}", start.elapsed());
    assert_eq!(attempts.lines(), ["2"], "the attempt of the dead process counts");
    running.stop().await;
}

#[tokio::test(start_paused = true)]
async fn notification_that_kills_its_process_becomes_a_dead_letter() {
    let inbox = inbox().await;
    inbox.accept(&deposit("F1")).await.unwrap();
    for _ in 0..3 {
        claim_and_forget(&inbox, Duration::from_secs(1)).await;
        tokio::time::sleep(Duration::from_secs(2)).await;
    }
    let runs = Log::default();
    let log = runs.clone();
    let worker = Worker::builder(inbox.clone(), move |_: Delivery<AnyNotification>| {
        log.add("run");
        ready(Ok(Completion::without_effect()))
    });
    let running = Running::start(worker.retry(policy()).build());
    let dead = until_state(&inbox, State::Dead).await;
    let cause = dead.cause.unwrap();
    assert!(cause.starts_with("all attempts are used (3 of 3)"), "{cause}");
    assert_eq!(runs.len(), 0);
    running.stop().await;
}

#[tokio::test(start_paused = true)]
async fn erased_notification_becomes_a_dead_letter() {
    let inbox: Inbox<MemoryStore> = inbox().await;
    let id = inbox.accept(&deposit("F1")).await.unwrap().id();
    assert_eq!(inbox.store().erase("F1".into()).await.unwrap(), 1);
    assert_eq!(inbox.store().redrive(Some(vec![id])).await.unwrap(), 1);
    let running = Running::start(Worker::builder(inbox.clone(), refuse).build());
    let dead = until_state(&inbox, State::Dead).await;
    assert_eq!(dead.cause.as_deref(), Some("the content was erased or removed after its retention"));
    running.stop().await;
}

#[tokio::test(start_paused = true)]
async fn sighting_without_content_does_not_become_a_dead_letter() {
    let kind = <types::FundDeposit as paytend_inbox::NotificationType>::KIND;
    for has_handler in [true, false] {
        let inbox = inbox().await.requeue_sightings([kind.clone()]);
        let log = Log::default();
        let handler = log.clone();
        let mut builder = Worker::builder(inbox.clone(), refuse)
            .on::<types::FundDeposit, _, _>(|_| ready(Ok(Completion::without_effect())));
        if has_handler {
            builder = builder.on_sighting(move |delivery| {
                let id = delivery.facts().business_id.clone();
                handler.add(format!("{} {} {id:?}", delivery.has_content(), delivery.content().len()));
                ready(Ok(Completion::without_effect()))
            });
        }
        let running = Running::start(builder.build());
        inbox.accept(&deposit("F1")).await.unwrap();
        until_state(&inbox, State::Done).await;
        let later = std::time::SystemTime::now() + Duration::from_secs(24 * 3600);
        assert_eq!(inbox.store().drop_payloads(later).await.unwrap(), 1);
        inbox.accept(&deposit("F1")).await.unwrap();
        until(|| async { (inbox.store().stats().await.unwrap().ready == 0).then_some(()) }).await;
        let entry = until_state(&inbox, State::Done).await;
        assert_eq!((entry.sightings, entry.cause), (1, None));
        let expected: &[&str] = if has_handler { &["false 0 Some(\"F1\")"] } else { &[] };
        assert_eq!(log.lines(), expected);
        running.stop().await;
    }
}

#[tokio::test(start_paused = true)]
async fn idempotency_key_is_stable_within_a_run_and_differs_between_runs() {
    let inbox = inbox().await.requeue_sightings([<types::FundDeposit as paytend_inbox::NotificationType>::KIND]);
    let log = Log::default();
    let seen = log.clone();
    let accept_again = inbox.clone();
    let worker = Worker::builder(inbox.clone(), move |delivery: Delivery<AnyNotification>| {
        let (seen, inbox) = (seen.clone(), accept_again.clone());
        async move {
            let suffix = delivery.idempotency_key().replacen(&delivery.dedup().to_string(), "", 1);
            seen.add(format!("{suffix} {}", delivery.is_sighting()));
            if seen.len() == 1 {
                inbox.accept(&deposit("F1")).await.unwrap();
            }
            if delivery.attempt() == 1 { Err(HandlerError::retry("later")) } else { Ok(Completion::without_effect()) }
        }
    })
    .retry(policy())
    .build();
    let running = Running::start(worker);
    inbox.accept(&deposit("F1")).await.unwrap();
    until_state(&inbox, State::Done).await;
    assert_eq!(log.lines(), [" false", " false", "-1 true", "-1 true"]);
    running.stop().await;
}

#[tokio::test(start_paused = true)]
async fn sightings_are_passed_to_the_sighting_handler() {
    let inbox = inbox().await.requeue_sightings([<types::FundDeposit as paytend_inbox::NotificationType>::KIND]);
    let log = Log::default();
    let (first, second) = (log.clone(), log.clone());
    let worker = Worker::builder(inbox.clone(), refuse)
        .on::<types::FundDeposit, _, _>(move |_| {
            first.add("deposit");
            ready(Ok(Completion::without_effect()))
        })
        .on_sighting(move |delivery| {
            second.add(format!("sighting {}", delivery.sightings()));
            ready(Ok(Completion::without_effect()))
        })
        .build();
    let running = Running::start(worker);
    for expected in [vec!["deposit"], vec!["deposit", "sighting 1"], vec!["deposit", "sighting 1", "sighting 2"]] {
        inbox.accept(&deposit("F1")).await.unwrap();
        until(|| async { (inbox.store().stats().await.unwrap().done == 1).then_some(()) }).await;
        assert_eq!(log.lines(), expected);
    }
    running.stop().await;
}
