//! Tests for retries: which requests are retried, when they are retried, and which `requestId` the retries use.

use std::sync::Arc;
use std::time::Duration;

use paytend_client::{ConnectFailure, Error, ErrorKind, Outcome, RetryPolicy, TransportErrorKind};
use paytend_model::issuing::{QueryCardBalance, Topup};

use crate::scripted::{Longest, Scripted, Step};

fn query() -> QueryCardBalance {
    QueryCardBalance::new("1755902")
}

fn topup() -> Topup {
    Topup::builder().card_id("1755902").order_no("T-1").amount("25.00".parse().unwrap()).currency("EUR").build()
}

const BALANCE: Step = Step::Success(r#"{"balance":"1.00"}"#);

#[tokio::test]
async fn query_is_retried_until_it_succeeds() {
    let transport = Scripted::new([
        Step::Unsent(TransportErrorKind::Connect(ConnectFailure::Tcp)),
        Step::Lost(TransportErrorKind::Broken),
        Step::Raw(503, b"<html>down</html>".to_vec(), &[("retry-after", "7")]),
        BALANCE,
    ]);
    let (builder, clock) = transport.builder();
    let client = builder.jitter(Arc::new(Longest)).build().unwrap();
    let response = client.send(&query()).await.unwrap();
    assert_eq!(response.balance.unwrap().to_string(), "1.00");
    // The first two waits are backoff, and the third wait is the delay from `Retry-After`.
    assert_eq!(clock.waits(), [200, 400, 7000]);
    // The first request was not sent. The other requests may have been carried out, so each retry has a new requestId.
    let seen = transport.seen();
    let ids: std::collections::HashSet<&str> = seen.iter().map(|request| request.id()).collect();
    assert_eq!((seen.len(), ids.len()), (3, 3));
}

#[tokio::test]
async fn unsent_request_is_retried_with_the_same_request_id() {
    let unsent = || Step::Unsent(TransportErrorKind::Connect(ConnectFailure::Tcp));
    for mutation in [false, true] {
        let success = if mutation { Step::Success(r#"{"orderNo":"T-1"}"#) } else { BALANCE };
        let transport = Scripted::new([unsent(), unsent(), success]);
        let client = transport.client();
        let id = "0123456789abcdef0123456789ABCDEF";
        if mutation {
            client.request(&topup()).request_id(id.parse().unwrap()).send().await.unwrap();
        } else {
            client.request(&query()).request_id(id.parse().unwrap()).send().await.unwrap();
        }
        let seen = transport.seen();
        assert_eq!((seen.len(), seen[0].id()), (1, id));
    }
}

#[tokio::test]
async fn mutation_with_unknown_outcome_is_not_retried() {
    for step in [
        Step::Lost(TransportErrorKind::Broken),
        Step::Lost(TransportErrorKind::Timeout),
        // Once the document has been handed over, the outcome of the call is unknown, even after a connect error or a
        // request error.
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
async fn unsent_mutation_is_retried() {
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
async fn last_failure_is_reported_with_the_number_of_attempts() {
    let transport = Scripted::new((0..4).map(|_| Step::Unsent(TransportErrorKind::Connect(ConnectFailure::Tcp))));
    let error = transport.client().send(&topup()).await.unwrap_err();
    assert_eq!((error.kind(), error.outcome(), error.attempts()), (ErrorKind::Connect, Outcome::NotSent, 4));
    assert!(error.is_retryable());
    assert_eq!(error.request_id().map(|id| id.as_str().len()), Some(32));
}

#[tokio::test]
async fn query_is_not_retried_after_an_error_response() {
    for step in [Step::Failure("1007"), Step::Raw(200, br#"{"respCode":"9001"}"#.to_vec(), &[])] {
        let transport = Scripted::new([step]);
        let error = transport.client().send(&query()).await.unwrap_err();
        assert_eq!(error.attempts(), 1);
        assert!(!error.is_retryable());
    }
}

#[tokio::test]
async fn deadline_covers_all_attempts_and_waits() {
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
    // Two attempts take 10 s each, with waits of 1 s and 2 s. The third attempt has the remaining 7 s.
    let (error, waits) = call(10, 30, RetryPolicy::default()).await;
    assert_eq!(waits, [10_000, 1_000, 10_000, 2_000, 7_000]);
    assert_eq!((error.kind(), error.is_timeout(), error.attempts()), (ErrorKind::Timeout, true, 3));
    let (error, waits) = call(10, 5, RetryPolicy::default()).await;
    assert_eq!((waits, error.attempts()), (vec![5_000], 1));
    let (error, waits) = call(10, 1000, RetryPolicy::default().max_attempts(2)).await;
    assert_eq!((waits, error.attempts()), (vec![10_000, 1_000, 10_000], 2));

    // A request's deadline replaces the client's deadline.
    let transport = Scripted::new(hangs());
    let (builder, clock) = transport.builder();
    let client = builder.build().unwrap();
    let error = client.request(&query()).deadline(Duration::from_secs(3)).send().await.unwrap_err();
    assert_eq!((clock.waits(), error.attempts()), (vec![3_000], 1));
}

/// A mutation that is declared idempotent is retried. If the second request is rejected, the outcome of the first
/// remains unknown.
#[tokio::test]
async fn idempotent_mutation_is_retried_unchanged_and_its_outcome_stays_unknown() {
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
    assert_eq!(error.outcome(), Outcome::Rejected, "the outcome of the query depends on an earlier attempt");
}
