//! One list of errors for all languages.

use std::fmt;

use paytend_crypto::{Error, KeyError};

/// What went wrong. The numbers and names are a contract: they are the same in every language and never change their
/// meaning.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[repr(i32)]
pub enum Code {
    /// `usage`: an argument makes no sense.
    Usage = 1,
    /// `not_authentic`: the message is not from the expected sender to the expected receiver, or was changed. There
    /// is no more to know.
    NotAuthentic = 2,
    /// `malformed`: the document breaks a rule that anybody can see.
    Malformed = 3,
    /// `payload`: the message is authentic, and its payload is not one JSON object, or not text where text was asked
    /// for.
    Payload = 4,
    /// `unsigned_failure`: a failure answer without a signature, which proves nothing.
    UnsignedFailure = 5,
    /// `unsealable`: the message would have more than one reading, so no receiver would take it.
    Unsealable = 6,
    /// `key`: a key cannot be read or used.
    Key = 7,
    /// `unavailable`: a key's backend, or the source of randomness, does not work now.
    Unavailable = 8,
    /// `rejected`: an authentic notification that is not taken: too old, from the future, for another merchant.
    Rejected = 9,
    /// `internal`: a defect of this library.
    Internal = 10,
}

impl Code {
    /// All of them.
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

    /// The name.
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

    /// The number.
    pub const fn number(self) -> i32 {
        self as i32
    }
}

/// A failure, in words without anything secret or personal.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Failure {
    code: Code,
    message: String,
    answered: Option<(String, String)>,
}

impl Failure {
    /// A failure.
    pub fn new(code: Code, message: impl fmt::Display) -> Self {
        Self { code, message: message.to_string(), answered: None }
    }

    /// Returns the same failure with another message.
    pub(crate) fn with_message(self, message: impl fmt::Display) -> Self {
        Self { message: message.to_string(), ..self }
    }

    /// What went wrong.
    pub fn code(&self) -> Code {
        self.code
    }

    /// In words.
    pub fn message(&self) -> &str {
        &self.message
    }

    /// `respCode` and `respMsg` of an [`UnsignedFailure`](Code::UnsignedFailure). Anybody on the way may have written
    /// them.
    pub fn answered(&self) -> Option<(&str, &str)> {
        self.answered.as_ref().map(|(code, message)| (code.as_str(), message.as_str()))
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
        let answered = match &error {
            Error::UnsignedFailure(failure) => Some((failure.resp_code().to_owned(), failure.resp_msg().to_owned())),
            _ => None,
        };
        Self { code, message: error.to_string(), answered }
    }
}

impl From<KeyError> for Failure {
    fn from(error: KeyError) -> Self {
        Error::from(error).into()
    }
}
