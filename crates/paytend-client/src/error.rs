//! What went wrong, and what became of the money.

use std::fmt;
use std::time::Duration;

use paytend_crypto::{Opened, UnsignedFailure};
use paytend_model::OperationKind;

use crate::foreign::Foreign;
use crate::retry::may_pass;
use crate::subject::Mismatch;
use crate::target::Target;
use crate::time_limit::TimeLimit;
use crate::transport::{ConnectFailure, TransportError, TransportErrorKind};

/// Why a call failed. One pointer wide; shows no URL, body, key or personal data.
pub struct Error(Box<Inner>);

struct Inner {
    kind: ErrorKind,
    outcome: Outcome,
    operation: Option<String>,
    mutation: bool,
    request_id: Option<String>,
    attempts: u32,
    http_status: Option<u16>,
    retry_after: Option<Duration>,
    timed_out: bool,
    connect: Option<ConnectFailure>,
    api: Option<(String, String)>,
    body: Option<Vec<u8>>,
    opened: Option<Opened>,
    /// The response was made for another request, by what it names or by its keys.
    misplaced: bool,
    source: Option<Box<dyn std::error::Error + Send + Sync>>,
}

/// The kinds of failure.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum ErrorKind {
    /// The client's configuration is wrong.
    Configuration,
    /// The request breaks a rule, or could not be sealed.
    Request,
    /// No connection: [`Error::connect_failure`] says which of DNS, TCP, TLS or proxy failed.
    Connect,
    /// The request may have been sent, and no answer came in time.
    Timeout,
    /// The connection broke while the request was sent or the answer read.
    Transport,
    /// Paytend said no, in an answer that it signed.
    Rejected,
    /// An answer that says no and is not signed: anybody on the way may have written it.
    UnsignedFailure,
    /// Something that is not an authentic answer: another server's error page, a forgery, the wrong keys.
    Answer,
    /// An authentic response about something other than what was asked for: another order, card, holder or user. It belongs to
    /// another request, so it says nothing about this one.
    Mismatch,
    /// An authentic answer whose data does not have the expected shape, or that lacks data which this operation has.
    Data,
}

/// What is known to have become of a request.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Outcome {
    /// This request did not reach Paytend, so it may be sent again. It says nothing of earlier ones with the same order number.
    NotSent,
    /// Paytend refused this request, and signed the refusal.
    ///
    /// A refusal names neither its request nor its order. From [`Client::send`](crate::Client::send) it rests on TLS alone: an
    /// attacker inside the connection can replay a genuine refusal, and so can a faulty proxy. It also says nothing about an
    /// earlier request with the same order number: a code for "duplicate" or "in progress" means that an order exists. From
    /// [`Client::resolve`](crate::Client::resolve) it means as well that the query reported no such order, as often and as long
    /// as after a lost response.
    Rejected,
    /// It may or may not have been carried out. Query with the same order number before doing anything else.
    Unknown,
}

impl Error {
    pub(crate) fn new(kind: ErrorKind) -> Self {
        let outcome = match kind {
            ErrorKind::Configuration | ErrorKind::Request | ErrorKind::Connect => Outcome::NotSent,
            ErrorKind::Rejected => Outcome::Rejected,
            ErrorKind::Timeout
            | ErrorKind::Transport
            | ErrorKind::UnsignedFailure
            | ErrorKind::Answer
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

    /// A call that a limit ended.
    pub(crate) fn late(limit: TimeLimit) -> Self {
        Self::new(ErrorKind::Timeout).caused_by(limit)
    }

    /// It is about this operation, of which nothing was sent.
    pub(crate) fn about(mut self, target: &Target) -> Self {
        self.0.operation = Some(target.name.to_string());
        self
    }

    pub(crate) fn during(mut self, target: &Target, request_id: &str) -> Self {
        self.0.operation = Some(target.name.to_string());
        self.0.mutation = target.kind == OperationKind::Mutation;
        self.0.request_id = Some(request_id.to_owned());
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

    /// An answer came, and this is what is wrong with it.
    pub(crate) fn answered(mut self, status: u16, retry_after: Option<Duration>, body: &[u8]) -> Self {
        self.0.http_status = Some(status);
        self.0.retry_after = retry_after;
        self.0.body = Some(body.to_owned());
        self
    }

    /// The response is authentic, and this is what is in it.
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

    /// A failure on the way.
    pub(crate) fn transport(failure: TransportError) -> Self {
        let mut error = Self::new(match failure.kind {
            TransportErrorKind::Connect(_) => ErrorKind::Connect,
            TransportErrorKind::Timeout => ErrorKind::Timeout,
            TransportErrorKind::Broken => ErrorKind::Transport,
            TransportErrorKind::TooLarge => ErrorKind::Answer,
            TransportErrorKind::Request => ErrorKind::Configuration,
        });
        error.0.http_status = failure.status;
        error.0.timed_out = failure.timed_out;
        if let TransportErrorKind::Connect(connect) = failure.kind {
            error.0.connect = Some(connect);
        }
        error.0.source = match failure.kind {
            TransportErrorKind::TooLarge => Some("the answer is larger than the configured limit".into()),
            _ => failure.source,
        };
        error
    }

    /// The response was made for other keys, or arrived before its request was complete.
    pub(crate) fn misplaced(mut self) -> Self {
        self.0.misplaced = true;
        self
    }

    /// Whether the response was made for another request.
    pub(crate) fn is_of_another_request(&self) -> bool {
        self.0.misplaced
    }

    pub(crate) fn retry_after(&self) -> Option<Duration> {
        self.0.retry_after
    }

    /// The kind of failure.
    pub fn kind(&self) -> ErrorKind {
        self.0.kind
    }

    /// What became of the request, and so of the money.
    pub fn outcome(&self) -> Outcome {
        self.0.outcome
    }

    /// Whether the failure is Paytend's own word: a rejection that it signed.
    pub fn is_authenticated(&self) -> bool {
        self.0.kind == ErrorKind::Rejected
    }

    /// Whether time ran out: that of a connection, an attempt, or the call.
    pub fn is_timeout(&self) -> bool {
        self.0.timed_out
    }

    /// Whether the same call may succeed later without any risk of doing something twice: the failure may pass, and either nothing was
    /// sent or the operation changes nothing.
    pub fn is_retryable(&self) -> bool {
        let safe = !self.0.mutation || self.0.outcome == Outcome::NotSent;
        safe && may_pass(self.0.kind, self.0.http_status, self.0.connect)
    }

    /// Returns which part of making the connection failed, if that is why the call failed.
    pub fn connect_failure(&self) -> Option<ConnectFailure> {
        self.0.connect
    }

    /// How many times the request was tried; zero if it never had its turn.
    pub fn attempts(&self) -> u32 {
        self.0.attempts
    }

    /// The answer's bytes, if there was an answer that could not be taken as an authentic success. Nothing in them is verified. Do not
    /// log them: an error page may repeat what was sent.
    pub fn raw_body(&self) -> Option<&[u8]> {
        self.0.body.as_deref()
    }

    /// Returns the authentic response whose data could not be read ([`ErrorKind::Data`]) or is about something else
    /// ([`ErrorKind::Mismatch`]). [`Opened::payload_bytes`] has the data as it was signed; do not log it.
    pub fn opened(&self) -> Option<&Opened> {
        self.0.opened.as_ref()
    }

    /// Returns which limit ended the call, if one of the client's did. A connection has a limit of its own:
    /// [`connect_failure`](Self::connect_failure).
    pub fn time_limit(&self) -> Option<TimeLimit> {
        self.0.source.as_ref().and_then(|source| source.downcast_ref::<TimeLimit>()).copied()
    }

    /// `respCode`, if there was one. Only to be believed if [`is_authenticated`](Self::is_authenticated).
    pub fn api_code(&self) -> Option<&str> {
        self.0.api.as_ref().map(|(code, _)| code.as_str())
    }

    /// `respMsg`, if there was one. Free text of the provider's: it may repeat what was sent.
    pub fn api_message(&self) -> Option<&str> {
        self.0.api.as_ref().map(|(_, message)| message.as_str())
    }

    /// The request's `requestId`, once it had one.
    pub fn request_id(&self) -> Option<&str> {
        self.0.request_id.as_deref()
    }

    /// The HTTP status of the answer, if there was one.
    pub fn http_status(&self) -> Option<u16> {
        self.0.http_status
    }
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if let Some(operation) = &self.0.operation {
            write!(f, "{operation}: ")?;
        }
        f.write_str(match self.0.kind {
            ErrorKind::Configuration => "the client is not configured right",
            ErrorKind::Request => "the request is not a good one",
            ErrorKind::Connect => "no connection",
            ErrorKind::Mismatch => "the response belongs to another request",
            ErrorKind::Timeout => "no answer in time",
            ErrorKind::Transport => "the connection broke",
            ErrorKind::Rejected => "rejected",
            ErrorKind::UnsignedFailure => "an unsigned failure, which proves nothing",
            ErrorKind::Answer => "not an authentic response",
            ErrorKind::Data => "an authentic answer whose data has another shape than expected",
        })?;
        // What is wrong with a request is told at once: it holds no values.
        if let (ErrorKind::Configuration | ErrorKind::Request, Some(source)) = (self.0.kind, &self.0.source) {
            write!(f, ": {source}")?;
        }
        if let Some(failure) = self.0.connect {
            write!(f, " ({failure})")?;
        }
        // A text of this crate: it names what came, and quotes nothing.
        if let Some(foreign) = self.0.source.as_ref().and_then(|source| source.downcast_ref::<Foreign>()) {
            write!(f, ", but {foreign}")?;
        }
        if let Some(limit) = self.time_limit() {
            write!(f, ": {limit}")?;
        }
        if let Some(mismatch) = self.0.source.as_ref().and_then(|source| source.downcast_ref::<Mismatch>()) {
            write!(f, ": {mismatch}")?;
        }
        match self.0.outcome {
            Outcome::Unknown if self.0.mutation => f.write_str("; the request may have been carried out")?,
            Outcome::NotSent if self.0.operation.is_some() => f.write_str("; nothing was sent")?,
            _ => {}
        }
        if let Some(code) = self.api_code() {
            // A code is short; what is not is somebody's text.
            let shown: String = code.chars().filter(char::is_ascii_alphanumeric).take(16).collect();
            write!(f, " (respCode {shown})")?;
        }
        if let Some(status) = self.0.http_status.filter(|status| *status != 200) {
            write!(f, " (HTTP {status})")?;
        }
        if let Some(id) = &self.0.request_id {
            write!(f, " [requestId {id}]")?;
        }
        Ok(())
    }
}

impl fmt::Debug for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Error")
            .field("kind", &self.0.kind)
            .field("outcome", &self.outcome())
            .field("operation", &self.0.operation)
            .field("request_id", &self.0.request_id)
            .field("attempts", &self.0.attempts)
            .field("http_status", &self.0.http_status)
            .field("body_bytes", &self.0.body.as_ref().map(Vec::len))
            .field("source", &self.0.source)
            .finish_non_exhaustive()
    }
}

impl std::error::Error for Error {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        self.0.source.as_deref().map(|e| e as _)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_error_is_one_pointer_wide() {
        assert_eq!(size_of::<Error>(), size_of::<usize>());
        assert_eq!(size_of::<Result<(), Error>>(), size_of::<usize>());
    }

    #[test]
    fn each_kind_has_its_outcome_and_its_text() {
        use std::collections::HashSet;
        let kinds = [
            (ErrorKind::Configuration, Outcome::NotSent),
            (ErrorKind::Request, Outcome::NotSent),
            (ErrorKind::Connect, Outcome::NotSent),
            (ErrorKind::Timeout, Outcome::Unknown),
            (ErrorKind::Transport, Outcome::Unknown),
            (ErrorKind::Rejected, Outcome::Rejected),
            (ErrorKind::UnsignedFailure, Outcome::Unknown),
            (ErrorKind::Answer, Outcome::Unknown),
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

    #[test]
    fn what_the_other_side_wrote_is_not_shown() {
        let error =
            Error::rejected("1001; \u{1b}[31mCANARY and much more text", "CANARY").answered(200, None, b"CANARY and");
        let shown = format!("{error} {error:?}");
        assert!(!shown.contains("CANARY and") && !shown.contains('\u{1b}'), "{shown}");
        assert_eq!(error.api_message(), Some("CANARY"));
    }
}
