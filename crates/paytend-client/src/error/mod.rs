//! The error type, with the kind of failure and the request's outcome.

mod display;
pub(crate) mod foreign;
pub(crate) mod kind;
pub(crate) mod mismatch;
pub(crate) mod time_limit;

use std::time::Duration;

use paytend_crypto::{Opened, RequestId, UnsignedFailure};
use paytend_model::OperationKind;

use crate::call_target::CallTarget;
use crate::error::kind::{ErrorKind, Outcome, is_transient};
use crate::error::time_limit::TimeLimit;
use crate::transport::connect::ConnectFailure;
use crate::transport::error::{TransportError, TransportErrorKind};

/// The reason why a call failed.
///
/// An `Error` has the size of one pointer. `Display` and `Debug` show no URL, body, key or personal data.
pub struct Error(Box<Inner>);

struct Inner {
    kind: ErrorKind,
    outcome: Outcome,
    operation: Option<String>,
    mutation: bool,
    request_id: Option<RequestId>,
    attempts: u32,
    http_status: Option<u16>,
    retry_after: Option<Duration>,
    timed_out: bool,
    connect: Option<ConnectFailure>,
    api: Option<(String, String)>,
    body: Option<Vec<u8>>,
    opened: Option<Opened>,
    /// Whether the response belongs to another request, according to its identifiers or its keys.
    misplaced: bool,
    source: Option<Box<dyn std::error::Error + Send + Sync>>,
}

impl Error {
    pub(crate) fn new(kind: ErrorKind) -> Self {
        let outcome = match kind {
            ErrorKind::Configuration | ErrorKind::Request | ErrorKind::Connect => Outcome::NotSent,
            ErrorKind::Rejected => Outcome::Rejected,
            ErrorKind::Timeout
            | ErrorKind::Transport
            | ErrorKind::UnsignedFailure
            | ErrorKind::InvalidResponse
            | ErrorKind::Mismatch
            | ErrorKind::Data => Outcome::Unknown,
        };
        Self(Box::new(Inner {
            kind,
            outcome,
            operation: None,
            mutation: true,
            request_id: None,
            attempts: 0,
            http_status: None,
            retry_after: None,
            timed_out: kind == ErrorKind::Timeout,
            connect: None,
            api: None,
            body: None,
            opened: None,
            misplaced: kind == ErrorKind::Mismatch,
            source: None,
        }))
    }

    pub(crate) fn configuration(source: impl Into<Box<dyn std::error::Error + Send + Sync>>) -> Self {
        Self::new(ErrorKind::Configuration).caused_by(source)
    }

    pub(crate) fn request(source: impl Into<Box<dyn std::error::Error + Send + Sync>>) -> Self {
        Self::new(ErrorKind::Request).caused_by(source)
    }

    pub(crate) fn caused_by(mut self, source: impl Into<Box<dyn std::error::Error + Send + Sync>>) -> Self {
        self.0.source = Some(source.into());
        self
    }

    /// Creates an error for a call that was ended by a time limit.
    pub(crate) fn late(limit: TimeLimit) -> Self {
        Self::new(ErrorKind::Timeout).caused_by(limit)
    }

    /// Sets the operation in the error of a request that was not sent.
    pub(crate) fn about(mut self, target: &CallTarget) -> Self {
        self.0.operation = Some(target.name.to_string());
        self
    }

    pub(crate) fn during(mut self, target: &CallTarget, request_id: &RequestId) -> Self {
        self.0.operation = Some(target.name.to_string());
        self.0.mutation = target.kind == OperationKind::Mutation;
        self.0.request_id = Some(request_id.clone());
        self
    }

    pub(crate) fn after(mut self, attempts: u32) -> Self {
        self.0.attempts = attempts;
        self
    }

    pub(crate) fn with_outcome(mut self, outcome: Outcome) -> Self {
        self.0.outcome = outcome;
        self
    }

    /// Adds the response that caused the error.
    pub(crate) fn with_response(mut self, status: u16, retry_after: Option<Duration>, body: &[u8]) -> Self {
        self.0.http_status = Some(status);
        self.0.retry_after = retry_after;
        self.0.body = Some(body.to_owned());
        self
    }

    /// Adds the opened message of an authentic response.
    pub(crate) fn with_opened(mut self, opened: Opened) -> Self {
        self.0.opened = Some(opened);
        self
    }

    pub(crate) fn rejected(code: &str, message: &str) -> Self {
        let mut error = Self::new(ErrorKind::Rejected);
        error.0.api = Some((code.to_owned(), message.to_owned()));
        error
    }

    pub(crate) fn unsigned(failure: &UnsignedFailure) -> Self {
        let mut error = Self::new(ErrorKind::UnsignedFailure);
        error.0.api = Some((failure.resp_code().to_owned(), failure.resp_msg().to_owned()));
        error
    }

    /// Creates an error from a transport error.
    pub(crate) fn transport(failure: TransportError) -> Self {
        let mut error = Self::new(match failure.kind {
            TransportErrorKind::Connect(_) => ErrorKind::Connect,
            TransportErrorKind::Timeout => ErrorKind::Timeout,
            TransportErrorKind::Broken => ErrorKind::Transport,
            TransportErrorKind::TooLarge => ErrorKind::InvalidResponse,
            TransportErrorKind::Request => ErrorKind::Configuration,
        });
        error.0.http_status = failure.status;
        error.0.timed_out = failure.timed_out;
        if let TransportErrorKind::Connect(connect) = failure.kind {
            error.0.connect = Some(connect);
        }
        error.0.source = match failure.kind {
            TransportErrorKind::TooLarge => {
                Some("the response is larger than max_response_bytes; set a larger limit".into())
            }
            _ => failure.source,
        };
        error
    }

    /// Marks the response as belonging to another request: it was sealed for different keys, or it arrived before this
    /// request was fully sent.
    pub(crate) fn misplaced(mut self) -> Self {
        self.0.misplaced = true;
        self
    }

    /// Returns whether the response belongs to another request.
    pub(crate) fn is_of_another_request(&self) -> bool {
        self.0.misplaced
    }

    pub(crate) fn retry_after(&self) -> Option<Duration> {
        self.0.retry_after
    }

    /// Returns the kind of failure.
    pub fn kind(&self) -> ErrorKind {
        self.0.kind
    }

    /// Returns the request's outcome, which determines whether money may have moved.
    pub fn outcome(&self) -> Outcome {
        self.0.outcome
    }

    /// Returns whether the error is a rejection that Paytend signed.
    pub fn is_authenticated(&self) -> bool {
        self.0.kind == ErrorKind::Rejected
    }

    /// Returns whether the call ended because of the connect timeout, the attempt timeout or the deadline.
    pub fn is_timeout(&self) -> bool {
        self.0.timed_out
    }

    /// Returns whether the same call may succeed later, without any risk of executing the operation twice.
    ///
    /// The failure must be transient, and either nothing was sent or the operation is a query.
    pub fn is_retryable(&self) -> bool {
        let safe = !self.0.mutation || self.0.outcome == Outcome::NotSent;
        safe && is_transient(self.0.kind, self.0.http_status, self.0.connect)
    }

    /// Returns the step at which connecting failed, if no connection was made.
    pub fn connect_failure(&self) -> Option<ConnectFailure> {
        self.0.connect
    }

    /// Returns the number of attempts; zero if no attempt was made, for example because the request is invalid.
    pub fn attempts(&self) -> u32 {
        self.0.attempts
    }

    /// Returns the response body. Returns `None` after an authentic success, or if no response arrived.
    ///
    /// The body is not verified. Do not log it, because an error page may repeat the request's content.
    pub fn raw_body(&self) -> Option<&[u8]> {
        self.0.body.as_deref()
    }

    /// Returns the authentic response whose data could not be parsed ([`ErrorKind::Data`]), or that belongs to another
    /// request ([`ErrorKind::Mismatch`]).
    ///
    /// [`Opened::payload_bytes`] returns the data as it was signed. Do not log it.
    pub fn opened(&self) -> Option<&Opened> {
        self.0.opened.as_ref()
    }

    /// Returns the time limit that ended the call, if any.
    ///
    /// The connect timeout is reported by [`connect_failure`](Self::connect_failure) instead.
    pub fn time_limit(&self) -> Option<TimeLimit> {
        self.0.source.as_ref().and_then(|source| source.downcast_ref::<TimeLimit>()).copied()
    }

    /// Returns the `respCode` of the response, if it has one. Trust it only if
    /// [`is_authenticated`](Self::is_authenticated) returns `true`.
    pub fn api_code(&self) -> Option<&str> {
        self.0.api.as_ref().map(|(code, _)| code.as_str())
    }

    /// Returns the `respMsg` of the response, if it has one. It is free text, and may repeat the request's content.
    pub fn api_message(&self) -> Option<&str> {
        self.0.api.as_ref().map(|(_, message)| message.as_str())
    }

    /// Returns the `requestId` of the request, if one was assigned.
    pub fn request_id(&self) -> Option<&RequestId> {
        self.0.request_id.as_ref()
    }

    /// Returns the HTTP status of the response, if any.
    pub fn http_status(&self) -> Option<u16> {
        self.0.http_status
    }
}

impl std::error::Error for Error {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        let source: &(dyn std::error::Error + 'static) = self.0.source.as_deref()?;
        // `Display` includes the messages of some sources. These sources are not returned, so that printing the error
        // chain does not repeat their messages.
        if self.shown_source().is_some() { source.source() } else { Some(source) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn error_is_one_pointer_wide() {
        assert_eq!(size_of::<Error>(), size_of::<usize>());
        assert_eq!(size_of::<Result<(), Error>>(), size_of::<usize>());
    }

    #[test]
    fn each_kind_has_the_expected_outcome_and_a_distinct_message() {
        use std::collections::HashSet;
        let kinds = [
            (ErrorKind::Configuration, Outcome::NotSent),
            (ErrorKind::Request, Outcome::NotSent),
            (ErrorKind::Connect, Outcome::NotSent),
            (ErrorKind::Timeout, Outcome::Unknown),
            (ErrorKind::Transport, Outcome::Unknown),
            (ErrorKind::Rejected, Outcome::Rejected),
            (ErrorKind::UnsignedFailure, Outcome::Unknown),
            (ErrorKind::InvalidResponse, Outcome::Unknown),
            (ErrorKind::Mismatch, Outcome::Unknown),
            (ErrorKind::Data, Outcome::Unknown),
        ];
        let texts: HashSet<_> = kinds.iter().map(|(kind, _)| Error::new(*kind).to_string()).collect();
        assert_eq!(texts.len(), kinds.len());
        for (kind, outcome) in kinds {
            let error = Error::new(kind);
            assert_eq!((error.outcome(), error.is_authenticated()), (outcome, kind == ErrorKind::Rejected), "{kind:?}");
        }
    }

    /// Printing an error and its sources shows each message once.
    #[test]
    fn source_included_in_display_is_not_returned() {
        use std::error::Error as _;
        let invalid = Error::configuration("the base URL has no host");
        assert_eq!(invalid.to_string(), "invalid client configuration: the base URL has no host");
        assert!(invalid.source().is_none());
        let late = Error::late(TimeLimit::Attempt(Duration::from_secs(1)));
        assert!(late.source().is_none() && late.time_limit().is_some());
        let broken = Error::new(ErrorKind::Transport).caused_by("connection reset");
        assert!(broken.source().is_some() && !broken.to_string().contains("reset"));
    }

    #[test]
    fn detail_is_one_short_line_without_emails_or_long_numbers() {
        let detail = |code: &str, message: &str| Error::rejected(code, message).detail().unwrap();
        assert_eq!(detail("1001", "insufficient balance"), "1001 insufficient balance");
        assert_eq!(
            detail("1002", "card 4111111111111111\nof mina@example.com is\u{1b}[31m lost"),
            "1002 card *** of *** is?[31m lost"
        );
        assert_eq!(detail("1003", &"ü ".repeat(500)).chars().count(), 200);
        assert_eq!(Error::new(ErrorKind::Timeout).detail(), None);
    }

    #[test]
    fn response_content_is_not_shown() {
        let error = Error::rejected("1001; \u{1b}[31mCANARY and much more text", "CANARY").with_response(
            200,
            None,
            b"CANARY and",
        );
        let shown = format!("{error} {error:?}");
        assert!(!shown.contains("CANARY and") && !shown.contains('\u{1b}'), "{shown}");
        assert_eq!(error.api_message(), Some("CANARY"));
    }
}
