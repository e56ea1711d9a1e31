//! The error codes, which are the same in all languages.

use std::fmt;

use paytend_crypto::{Error, KeyError};

/// An error code. The numbers and names are the same in every language, and their meaning never changes.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[repr(i32)]
pub enum Code {
    /// `usage`: an argument is invalid.
    Usage = 1,
    /// `not_authentic`: the message was not sent by the expected sender to the expected receiver, or it was modified.
    /// The exact reason is not reported.
    NotAuthentic = 2,
    /// `malformed`: the document breaks a format rule that can be checked without a key.
    Malformed = 3,
    /// `payload`: the message is authentic, but its payload is not a single JSON object, or is not UTF-8 where text is
    /// required.
    Payload = 4,
    /// `unsigned_failure`: the document is an unsigned error response, which cannot be authenticated.
    UnsignedFailure = 5,
    /// `unsealable`: the message cannot be sealed, because a field or the payload breaks a rule that receivers enforce
    /// (for example, it would make the signed text ambiguous).
    Unsealable = 6,
    /// `key`: a key cannot be read or used.
    Key = 7,
    /// `unavailable`: a key's backend or the random source is temporarily unavailable.
    Unavailable = 8,
    /// `rejected`: an authentic notification was rejected because it is too old, dated in the future, or for the wrong
    /// merchant.
    Rejected = 9,
    /// `internal`: a bug in this library.
    Internal = 10,
}

impl Code {
    /// All error codes.
    pub const ALL: [Self; 10] = [
        Self::Usage,
        Self::NotAuthentic,
        Self::Malformed,
        Self::Payload,
        Self::UnsignedFailure,
        Self::Unsealable,
        Self::Key,
        Self::Unavailable,
        Self::Rejected,
        Self::Internal,
    ];

    /// Returns the code's name, such as `not_authentic`.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Usage => "usage",
            Self::NotAuthentic => "not_authentic",
            Self::Malformed => "malformed",
            Self::Payload => "payload",
            Self::UnsignedFailure => "unsigned_failure",
            Self::Unsealable => "unsealable",
            Self::Key => "key",
            Self::Unavailable => "unavailable",
            Self::Rejected => "rejected",
            Self::Internal => "internal",
        }
    }

    /// Returns the code as a number.
    pub const fn number(self) -> i32 {
        self as i32
    }
}

/// An error with a code and a message. The message contains no secrets or personal data.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Failure {
    code: Code,
    message: String,
    api_error: Option<(String, String)>,
}

impl Failure {
    /// Creates a failure with a code and a message.
    pub fn new(code: Code, message: impl fmt::Display) -> Self {
        Self { code, message: message.to_string(), api_error: None }
    }

    /// Returns the same failure with a different message.
    pub(crate) fn with_message(self, message: impl fmt::Display) -> Self {
        Self { message: message.to_string(), ..self }
    }

    /// Returns the failure's error code.
    pub fn code(&self) -> Code {
        self.code
    }

    /// Returns the failure's message.
    pub fn message(&self) -> &str {
        &self.message
    }

    /// Returns the `respCode` and `respMsg` of an [`UnsignedFailure`](Code::UnsignedFailure), or `None` for other
    /// failures. They are not authenticated: an attacker on the network may have written them.
    pub fn api_error(&self) -> Option<(&str, &str)> {
        self.api_error.as_ref().map(|(code, message)| (code.as_str(), message.as_str()))
    }
}

impl fmt::Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.message)
    }
}

impl std::error::Error for Failure {}

impl From<Error> for Failure {
    fn from(error: Error) -> Self {
        let code = match &error {
            Error::NotAuthentic => Code::NotAuthentic,
            Error::Malformed(_) => Code::Malformed,
            Error::Payload(_) => Code::Payload,
            Error::UnsignedFailure(_) => Code::UnsignedFailure,
            Error::Unsealable(_) => Code::Unsealable,
            Error::Key(_) => Code::Key,
            Error::Backend(_) | Error::Random => Code::Unavailable,
            _ => Code::Internal,
        };
        let api_error = match &error {
            Error::UnsignedFailure(failure) => Some((failure.resp_code().to_owned(), failure.resp_msg().to_owned())),
            _ => None,
        };
        Self { code, message: error.to_string(), api_error }
    }
}

impl From<KeyError> for Failure {
    fn from(error: KeyError) -> Self {
        Error::from(error).into()
    }
}
