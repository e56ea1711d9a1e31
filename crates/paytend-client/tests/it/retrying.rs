//! What is sent again, when, and with which requestId.

use std::sync::Arc;
use std::time::Duration;

use paytend_client::{ConnectFailure, Error, ErrorKind, Outcome, RetryPolicy, TransportErrorKind};
use paytend_model::issuing::{QueryCardBalance, Topup};

use crate::scripted::{Longest, Scripted, Step};

fn query() -> QueryCardBalance {
    QueryCardBalance::new("1755902".into())
}

fn topup() -> Topup {
    Topup::new("1755902".into(), "T-1".into(), "25.00".parse().unwrap(), "EUR".into())
}

const BALANCE: Step = Step::Success(r#"{"balance":"1.00"}"#);

#[tokio::test]
async fn a_query_is_sent_again_until_it_is_answered() {
    let transport = Scripted::new([
        Step::Unsent(TransportErrorKind::Connect(ConnectFailure::Tcp)),
        Step::Lost(TransportErrorKind::Broken),
        Step::Raw(503, b"<html>down</html>".to_vec(), &[("retry-after", "7")]),
        BALANCE,
    ]);
    let (builder, clock) = transport.builder();
    let client = builder.jitter(Arc::new(Longest)).build().unwrap();
    let answer = client.send(&query()).await.unwrap();
    assert_eq!(answer.balance.unwrap().to_string(), "1.00");
    // Twice backoff, once what the answer asked for.
    assert_eq!(clock.waits(), [200, 400, 7000]);
    // Nobody had seen the first one. The others may have been carried out, and a requestId counts once.
    let seen = transport.seen();
    let ids: std::collections::HashSet<&str> = seen.iter().map(|request| request.id()).collect();
    assert_eq!((seen.len(), ids.len()), (3, 3));
}

#[tokio::test]
async fn a_request_that_was_not_sent_is_the_same_when_it_is() {
    let unsent = || Step::Unsent(TransportErrorKind::Connect(ConnectFailure::Tcp));
    for mutation in [false, true] {
        let success = if mutation { Step::Success(r#"{"orderNo":"T-1"}"#) } else { BALANCE };
        let transport = Scripted::new([unsent(), unsent(), success]);
        let client = transport.client();
        let prepared = "0123456789abcdef0123456789ABCDEF";
        if mutation {
            client.request(&topup()).request_id(prepared).send().await.unwrap();
        } else {
            client.request(&query()).request_id(prepared).send().await.unwrap();
        }
        let seen = transport.seen();
        assert_eq!((seen.len(), seen[0].id()), (1, prepared));
    }
}

#[tokio::test]
async fn a_mutation_that_may_have_been_carried_out_is_sent_once() {
    for step in [
        Step::Lost(TransportErrorKind::Broken),
        Step::Lost(TransportErrorKind::Timeout),
        // Whatever is said of a connection after the document is gone.
        Step::Lost(TransportErrorKind::Connect(ConnectFailure::Tcp)),
        Step::Lost(TransportErrorKind::Request),
        Step::Hang(true),
        Step::Raw(503, vec![], &[("retry-after", "1")]),
        Step::Raw(200, b"{}".to_vec(), &[]),
    ] {
        let transport = Scripted::new([step]);
        let error = transport.client().send(&topup()).await.unwrap_err();
        assert_eq!((error.outcome(), error.attempts()), (Outcome::Unknown, 1), "{error}");
        assert!(!error.is_retryable(), "{error}");
        assert!(error.to_string().contains("may have been carried out"), "{error}");
        assert_eq!(transport.seen().len(), 1);
    }
}

#[tokio::test]
async fn a_mutation_that_was_not_sent_is_tried_again() {
    let transport = Scripted::new([
        Step::Unsent(TransportErrorKind::Connect(ConnectFailure::Tcp)),
        Step::Unsent(TransportErrorKind::Broken),
        Step::Hang(false),
        Step::Success(r#"{"orderNo":"T-1"}"#),
    ]);
    let taken = transport.client().send(&topup()).await.unwrap();
    assert_eq!(taken.order_no.as_deref(), Some("T-1"));
    assert_eq!(transport.seen().len(), 1);
}

#[tokio::test]
async fn the_last_failure_is_reported_with_how_often_it_was_tried() {
    let transport = Scripted::new((0..4).map(|_| Step::Unsent(TransportErrorKind::Connect(ConnectFailure::Tcp))));
    let error = transport.client().send(&topup()).await.unwrap_err();
    assert_eq!((error.kind(), error.outcome(), error.attempts()), (ErrorKind::Connect, Outcome::NotSent, 4));
    assert!(error.is_retryable());
    assert_eq!(error.request_id().map(str::len), Some(32));
}

#[tokio::test]
async fn what_paytend_has_said_is_not_asked_again() {
    for step in [Step::Failure("1007"), Step::Raw(200, br#"{"respCode":"9001"}"#.to_vec(), &[])] {
        let transport = Scripted::new([step]);
        let error = transport.client().send(&query()).await.unwrap_err();
        assert_eq!(error.attempts(), 1);
        assert!(!error.is_retryable());
    }
}

/// One deadline over all attempts and all waits.
#[tokio::test]
async fn the_deadline_is_for_all_of_it() {
    let hangs = || (0..9).map(|_| Step::Hang(true));
    let call = async |attempt: u64, deadline: u64, policy: RetryPolicy| -> (Error, Vec<u128>) {
        let transport = Scripted::new(hangs());
        let (builder, clock) = transport.builder();
        let client = builder
            .attempt_timeout(Duration::from_secs(attempt))
            .deadline(Duration::from_secs(deadline))
            .retry(policy.base(Duration::from_secs(1)))
            .jitter(Arc::new(Longest))
            .build()
            .unwrap();
        (client.send(&query()).await.unwrap_err(), clock.waits())
    };
    // 10 s of trying, 1 s of waiting, and so on; the third attempt has the 7 s that are left.
    let (error, waits) = call(10, 30, RetryPolicy::default()).await;
    assert_eq!(waits, [10_000, 1_000, 10_000, 2_000, 7_000]);
    assert_eq!((error.kind(), error.is_timeout(), error.attempts()), (ErrorKind::Timeout, true, 3));
    let (error, waits) = call(10, 5, RetryPolicy::default()).await;
    assert_eq!((waits, error.attempts()), (vec![5_000], 1));
    let (error, waits) = call(10, 1000, RetryPolicy::default().max_attempts(2)).await;
    assert_eq!((waits, error.attempts()), (vec![10_000, 1_000, 10_000], 2));

    // That of a request takes the place of the client's.
    let transport = Scripted::new(hangs());
    let (builder, clock) = transport.builder();
    let client = builder.build().unwrap();
    let error = client.request(&query()).deadline(Duration::from_secs(3)).send().await.unwrap_err();
    assert_eq!((clock.waits(), error.attempts()), (vec![3_000], 1));
}

/// A mutation that the caller calls idempotent is tried again, and a refusal of the second is no word on the first.
#[tokio::test]
async fn an_idempotent_mutation_keeps_its_request_and_its_doubt() {
    let lost = || Step::Lost(TransportErrorKind::Broken);
    let transport = Scripted::new([lost(), Step::Success(r#"{"orderNo":"T-1"}"#)]);
    transport.client().request(&topup()).idempotent().send().await.unwrap();
    let seen = transport.seen();
    assert_eq!(seen.len(), 2);
    assert_eq!(seen[0].document, seen[1].document);

    let transport = Scripted::new([lost(), Step::Failure("1009")]);
    let error = transport.client().request(&topup()).idempotent().send().await.unwrap_err();
    assert_eq!((error.kind(), error.outcome()), (ErrorKind::Rejected, Outcome::Unknown));
    assert_eq!((error.api_code(), error.attempts()), (Some("1009"), 2));

    let transport =
        Scripted::new([lost(), Step::Unsent(TransportErrorKind::Connect(ConnectFailure::Tcp)), lost(), lost()]);
    let error = transport.client().request(&topup()).idempotent().send().await.unwrap_err();
    assert_eq!((error.outcome(), error.attempts()), (Outcome::Unknown, 4));
    let transport = Scripted::new([lost(), Step::Failure("1009")]);
    let error = transport.client().request(&query()).send().await.unwrap_err();
    assert_eq!(error.outcome(), Outcome::Rejected, "a query leaves no doubt");
}
