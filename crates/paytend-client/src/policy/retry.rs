//! The retry policy: a pure function of the last failure, without network access or a clock.

use std::time::Duration;

use paytend_model::OperationKind;

use crate::error::kind::{ErrorKind, Outcome, is_transient};
use crate::transport::connect::ConnectFailure;

/// The policy that decides whether a failed attempt is retried. All attempts share one deadline.
///
/// A query is retried after transient failures. A mutation is retried only if nothing was sent. In all other cases, the
/// mutation may have been carried out, so resolve it with [`Client::resolve`](crate::Client::resolve).
#[derive(Clone, Debug, PartialEq, Eq)]
#[must_use]
pub struct RetryPolicy {
    max_attempts: u32,
    base: Duration,
    cap: Duration,
}

impl Default for RetryPolicy {
    /// Returns a policy with four attempts and waits of up to 200 ms, 400 ms and 800 ms.
    fn default() -> Self {
        Self { max_attempts: 4, base: Duration::from_millis(200), cap: Duration::from_secs(10) }
    }
}

/// The properties of a failed attempt that determine the policy's decision.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct FailedAttempt {
    /// Whether the operation is a query or a mutation.
    pub operation: OperationKind,
    /// The kind of failure.
    pub error: ErrorKind,
    /// The request's outcome.
    pub outcome: Outcome,
    /// The step at which connecting failed, if no connection was made.
    pub connect: Option<ConnectFailure>,
    /// The HTTP status of the response, if any.
    pub status: Option<u16>,
    /// The delay that the response requests with `Retry-After`.
    pub retry_after: Option<Duration>,
    /// The number of attempts so far, at least one.
    pub attempt: u32,
    /// The time since the start of the call.
    pub elapsed: Duration,
    /// The call's deadline, measured from its start.
    pub deadline: Duration,
    /// 64 random bits, for the jitter.
    pub random: u64,
}

impl FailedAttempt {
    /// Describes a first attempt that failed immediately and without a response. The call has a deadline of 60 s.
    pub fn new(operation: OperationKind, error: ErrorKind, outcome: Outcome) -> Self {
        Self {
            operation,
            error,
            outcome,
            connect: None,
            status: None,
            retry_after: None,
            attempt: 1,
            elapsed: Duration::ZERO,
            deadline: Duration::from_secs(60),
            random: 0,
        }
    }
}

/// The decision after a failed attempt.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Decision {
    /// The attempt is retried after this wait.
    Wait(Duration),
    /// The failure is reported to the caller.
    Stop,
}

impl RetryPolicy {
    /// Creates a policy that never retries.
    pub fn never() -> Self {
        Self { max_attempts: 1, ..Self::default() }
    }

    /// Sets the maximum number of attempts, including the first (default 4). Zero is treated as one.
    pub fn max_attempts(mut self, attempts: u32) -> Self {
        self.max_attempts = attempts.max(1);
        self
    }

    /// Sets the maximum wait after the first attempt (default 200 ms). The maximum doubles with each attempt.
    ///
    /// Each wait is chosen uniformly between zero and the maximum ("full jitter"). Clients that failed at the same time
    /// therefore do not retry at the same time.
    pub fn base(mut self, wait: Duration) -> Self {
        self.base = wait;
        self
    }

    /// Sets the upper limit for all waits (default 10 s). A delay from `Retry-After` may be longer.
    pub fn cap(mut self, wait: Duration) -> Self {
        self.cap = wait;
        self
    }

    /// Decides whether to retry, and after how long.
    ///
    /// ```
    /// use std::time::Duration;
    /// use paytend_client::{Decision, ErrorKind, Outcome, RetryPolicy, FailedAttempt};
    /// use paytend_model::OperationKind;
    /// let mut lost = FailedAttempt::new(OperationKind::Query, ErrorKind::Transport, Outcome::Unknown);
    /// lost.random = u64::MAX;
    /// assert_eq!(RetryPolicy::default().decide(&lost), Decision::Wait(Duration::from_millis(200)));
    /// // A mutation may have moved money, so it is not retried.
    /// lost.operation = OperationKind::Mutation;
    /// assert_eq!(RetryPolicy::default().decide(&lost), Decision::Stop);
    /// ```
    pub fn decide(&self, failed: &FailedAttempt) -> Decision {
        let safe = failed.operation == OperationKind::Query || failed.outcome == Outcome::NotSent;
        if !safe || !is_transient(failed.error, failed.status, failed.connect) || failed.attempt >= self.max_attempts {
            return Decision::Stop;
        }
        let wait = failed.retry_after.unwrap_or_else(|| self.wait(failed.attempt, failed.random));
        if failed.elapsed.saturating_add(wait) >= failed.deadline {
            return Decision::Stop;
        }
        Decision::Wait(wait)
    }

    /// Returns the wait after the given number of attempts.
    pub(crate) fn wait(&self, attempt: u32, random: u64) -> Duration {
        let doubled = 1_u32.checked_shl(attempt.saturating_sub(1)).unwrap_or(u32::MAX);
        let longest = self.base.saturating_mul(doubled).min(self.cap);
        let nanos = (longest.as_nanos() + 1).saturating_mul(u128::from(random)) >> 64;
        Duration::from_nanos(u64::try_from(nanos).unwrap_or(u64::MAX))
    }
}

#[cfg(test)]
mod tests {
    use ErrorKind::*;
    use OperationKind::{Mutation, Query};
    use Outcome::{NotSent, Unknown};

    use super::*;

    fn failed(operation: OperationKind, error: ErrorKind, outcome: Outcome) -> FailedAttempt {
        FailedAttempt { random: u64::MAX, ..FailedAttempt::new(operation, error, outcome) }
    }

    #[test]
    fn only_safe_and_transient_failures_are_retried() {
        let policy = RetryPolicy::default();
        for (operation, error, outcome, status, again) in [
            (Query, Connect, NotSent, None, true),
            (Query, Timeout, NotSent, None, true),
            (Query, Timeout, Unknown, None, true),
            (Query, Transport, Unknown, None, true),
            (Query, InvalidResponse, Unknown, Some(503), true),
            (Query, InvalidResponse, Unknown, Some(429), true),
            (Query, InvalidResponse, Unknown, Some(502), true),
            (Query, InvalidResponse, Unknown, Some(200), false),
            (Query, InvalidResponse, Unknown, Some(404), false),
            (Query, InvalidResponse, Unknown, Some(307), false),
            (Query, UnsignedFailure, Unknown, Some(200), false),
            (Query, UnsignedFailure, Unknown, Some(503), false),
            (Query, Rejected, Outcome::Rejected, Some(200), false),
            (Query, Data, Unknown, Some(200), false),
            (Query, Mismatch, Unknown, Some(200), true),
            (Mutation, Mismatch, Unknown, Some(200), false),
            (Query, Configuration, NotSent, None, false),
            (Query, Request, NotSent, None, false),
            (Mutation, Connect, NotSent, None, true),
            (Mutation, Timeout, NotSent, None, true),
            (Mutation, Transport, NotSent, None, true),
            (Mutation, Timeout, Unknown, None, false),
            (Mutation, Transport, Unknown, None, false),
            (Mutation, InvalidResponse, Unknown, Some(503), false),
            (Mutation, InvalidResponse, Unknown, Some(429), false),
            (Mutation, Rejected, Outcome::Rejected, Some(503), false),
            (Mutation, UnsignedFailure, Unknown, Some(200), false),
            (Mutation, Data, Unknown, Some(200), false),
            (Mutation, Request, NotSent, None, false),
        ] {
            let failed = FailedAttempt { status, ..failed(operation, error, outcome) };
            assert_eq!(policy.decide(&failed) != Decision::Stop, again, "{failed:?}");
        }
    }

    #[test]
    fn only_transient_connect_failures_are_retried() {
        use crate::transport::connect::CertificateProblem;
        for (failure, again) in [
            (ConnectFailure::Dns, true),
            (ConnectFailure::Tcp, true),
            (ConnectFailure::Tls, true),
            (ConnectFailure::Proxy, true),
            (ConnectFailure::Timeout, true),
            (ConnectFailure::UnknownHost, false),
            (ConnectFailure::TlsRefused, false),
            (ConnectFailure::ProxyAuthentication, false),
            (ConnectFailure::Certificate(CertificateProblem::Expired), false),
        ] {
            for operation in [Query, Mutation] {
                let failed = FailedAttempt { connect: Some(failure), ..failed(operation, Connect, NotSent) };
                assert_eq!(RetryPolicy::default().decide(&failed) != Decision::Stop, again, "{failed:?}");
            }
        }
    }

    #[test]
    fn wait_is_random_up_to_a_maximum_that_doubles_until_the_cap() {
        let policy = RetryPolicy::default().max_attempts(u32::MAX).cap(Duration::from_secs(1));
        let longest = |attempt| match policy.decide(&FailedAttempt { attempt, ..failed(Query, Connect, NotSent) }) {
            Decision::Wait(wait) => wait.as_millis(),
            Decision::Stop => panic!("{attempt}"),
        };
        assert_eq!([1, 2, 3, 4, 40, 4_000_000_000].map(longest), [200, 400, 800, 1000, 1000, 1000]);
        let waits = [0, 1 << 62, 1 << 63, u64::MAX].map(|random| policy.wait(1, random).as_millis());
        assert_eq!(waits, [0, 50, 100, 200]);
        let huge = RetryPolicy::default().base(Duration::MAX).cap(Duration::MAX);
        assert!(huge.wait(9, u64::MAX) > Duration::from_secs(1 << 32));
    }

    #[test]
    fn failure_is_not_retried_after_the_last_attempt_or_beyond_the_deadline() {
        let policy = RetryPolicy::default();
        let query = failed(Query, Connect, NotSent);
        assert_ne!(policy.decide(&FailedAttempt { attempt: 3, ..query }), Decision::Stop);
        assert_eq!(policy.decide(&FailedAttempt { attempt: 4, ..query }), Decision::Stop);
        assert_eq!(RetryPolicy::never().decide(&query), Decision::Stop);
        assert_eq!(RetryPolicy::default().max_attempts(0).decide(&query), Decision::Stop);
        let late = FailedAttempt { elapsed: Duration::from_millis(59_800), ..query };
        assert_eq!(policy.decide(&late), Decision::Stop);
        let late = FailedAttempt { elapsed: Duration::from_millis(59_799), ..query };
        assert_eq!(policy.decide(&late), Decision::Wait(Duration::from_millis(200)));
    }

    #[test]
    fn retry_after_is_honoured_within_the_deadline() {
        let policy = RetryPolicy::default();
        let asked = FailedAttempt {
            status: Some(503),
            retry_after: Some(Duration::from_secs(30)),
            random: 0,
            ..failed(Query, InvalidResponse, Unknown)
        };
        assert_eq!(policy.decide(&asked), Decision::Wait(Duration::from_secs(30)));
        let too_long = FailedAttempt { retry_after: Some(Duration::from_secs(60)), ..asked };
        assert_eq!(policy.decide(&too_long), Decision::Stop);
        let never = FailedAttempt { retry_after: Some(Duration::MAX), ..asked };
        assert_eq!(policy.decide(&never), Decision::Stop);
    }
}
