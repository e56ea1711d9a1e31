//! What went wrong, and what became of the money.

use std::fmt;

use paytend_crypto::UnsignedFailure;
use paytend_model::OperationInfo;

/// Why a call failed. One pointer wide; shows no URL, body, key or personal data.
pub struct Error(Box<Inner>);

struct Inner {
    kind: ErrorKind,
    operation: Option<&'static str>,
    request_id: Option<String>,
    http_status: Option<u16>,
    api: Option<(String, String)>,
    source: Option<Box<dyn std::error::Error + Send + Sync>>,
}

/// The kinds of failure.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum ErrorKind {
    /// The client's configuration is wrong.
    Configuration,
    /// The request could not be sealed.
    Request,
    /// No connection: the name, the address, or TLS.
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
    /// It says nothing of an earlier request with the same order number: a code that means "duplicate" or "in progress" means
    /// that an order stands. The provider's codes are not public, so query before you treat an order as void. Answers name no
    /// request, so this rests on TLS as well: a refusal that was signed once can be played again by whoever is inside it.
    Rejected,
    /// It may or may not have been carried out. Query with the same order number before doing anything else.
    Unknown,
}

impl Error {
    pub(crate) fn new(kind: ErrorKind) -> Self {
        let inner = Inner { kind, operation: None, request_id: None, http_status: None, api: None, source: None };
        Self(Box::new(inner))
    }

    pub(crate) fn configuration(source: impl Into<Box<dyn std::error::Error + Send + Sync>>) -> Self {
        Self::new(ErrorKind::Configuration).caused_by(source)
    }

    pub(crate) fn caused_by(mut self, source: impl Into<Box<dyn std::error::Error + Send + Sync>>) -> Self {
        self.0.source = Some(source.into());
        self
    }

    pub(crate) fn during(mut self, operation: &OperationInfo, request_id: &str) -> Self {
        self.0.operation = Some(operation.name);
        self.0.request_id = Some(request_id.to_owned());
        self
    }

    pub(crate) fn with_status(mut self, status: u16) -> Self {
        self.0.http_status = Some(status);
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

    /// A failure of the HTTP library. Its text holds the URL, so the URL is taken out.
    pub(crate) fn http(error: reqwest::Error) -> Self {
        let kind = if error.is_connect() {
            ErrorKind::Connect
        } else if error.is_timeout() {
            ErrorKind::Timeout
        } else if error.is_builder() {
            ErrorKind::Configuration
        } else {
            ErrorKind::Transport
        };
        Self::new(kind).caused_by(error.without_url())
    }

    /// The kind of failure.
    pub fn kind(&self) -> ErrorKind {
        self.0.kind
    }

    /// What became of the request, and so of the money.
    pub fn outcome(&self) -> Outcome {
        match self.0.kind {
            ErrorKind::Configuration | ErrorKind::Request | ErrorKind::Connect => Outcome::NotSent,
            ErrorKind::Rejected => Outcome::Rejected,
            ErrorKind::Timeout
            | ErrorKind::Transport
            | ErrorKind::UnsignedFailure
            | ErrorKind::Answer
            | ErrorKind::Data => Outcome::Unknown,
        }
    }

    /// Whether the failure is Paytend's own word: a rejection that it signed.
    pub fn is_authenticated(&self) -> bool {
        self.0.kind == ErrorKind::Rejected
    }

    /// Whether time ran out.
    pub fn is_timeout(&self) -> bool {
        self.0.kind == ErrorKind::Timeout
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
        if let Some(operation) = self.0.operation {
            write!(f, "{operation}: ")?;
        }
        f.write_str(match self.0.kind {
            ErrorKind::Configuration => "the client is not configured right",
            ErrorKind::Request => "the request could not be sealed",
            ErrorKind::Connect => "no connection; nothing was sent",
            ErrorKind::Timeout => "no answer in time; the request may have been carried out",
            ErrorKind::Transport => "the connection broke; the request may have been carried out",
            ErrorKind::Rejected => "rejected",
            ErrorKind::UnsignedFailure => {
                "an unsigned failure, which proves nothing; the request may have been carried out"
            }
            ErrorKind::Answer => "the answer is not an authentic one; the request may have been carried out",
            ErrorKind::Data => "an authentic answer whose data has another shape than expected",
        })?;
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
            .field("http_status", &self.0.http_status)
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
        let error = Error::rejected("1001; \u{1b}[31mCANARY and much more text", "CANARY").with_status(200);
        let shown = format!("{error} {error:?}");
        assert!(!shown.contains("CANARY and") && !shown.contains('\u{1b}'), "{shown}");
        assert_eq!(error.api_message(), Some("CANARY"));
    }
}
