//! The one error type of this crate.
//!
//! What a stranger can cause says as little as possible ([`Error::NotAuthentic`] has no reason attached, on purpose);
//! what the caller can mend says what, where and how. No text here ever holds a key, a payload or a field's value.

use std::fmt;
use std::sync::Arc;

use crate::KeyError;

/// Everything that can go wrong in this crate.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// The message is not from the expected sender to the expected receiver, or was changed on the way.
    ///
    /// There is one such value: a wrong signature, a wrong key, a bad padding and another partner's identifier cannot be
    /// told apart by whoever sent the message.
    #[error("the message is not authentic")]
    NotAuthentic,

    /// The document breaks the rules that every message keeps, which anybody can see without a key.
    #[error("the message is malformed: {0}")]
    Malformed(#[from] Malformed),

    /// The message is authentic, but its payload is not one object with a certain end. What is wrong inside of the
    /// object does not refuse a message: see [`Opened::payload_problem`](crate::Opened::payload_problem).
    #[error("the message is authentic, but its payload {0}")]
    Payload(#[from] PayloadProblem),

    /// The provider answered with a failure that it did not sign. It proves nothing: report it, never act on it as final.
    #[error("the answer is a failure without a signature, which authenticates nothing")]
    UnsignedFailure(UnsignedFailure),

    /// The caller's own fields or payload cannot be sealed: a receiver would read them in more than one way.
    #[error("the message cannot be sealed: {0}")]
    Unsealable(FieldProblem),

    /// A key cannot be read or used.
    #[error(transparent)]
    Key(#[from] KeyError),

    /// The RSA backend failed for a reason of its own (an HSM that does not answer, say).
    #[error(transparent)]
    Backend(#[from] BackendError),

    /// The source of randomness failed.
    #[error("the source of random bytes failed")]
    Random,
}

/// What is wrong with a document, visible without any key.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum Malformed {
    /// Larger than the limit for its kind; see [`Expected::max_bytes`](crate::Expected::max_bytes).
    #[error("{bytes} bytes exceed the limit of {limit}")]
    TooLarge {
        /// Size of the document in bytes.
        bytes: usize,
        /// The limit in bytes.
        limit: usize,
    },
    /// Not UTF-8.
    #[error("not UTF-8 at byte {at}")]
    NotUtf8 {
        /// Offset of the first byte that is not UTF-8.
        at: usize,
    },
    /// Not one JSON object and nothing else.
    #[error("{problem} at line {line} column {column}")]
    Json {
        /// What was found.
        problem: JsonProblem,
        /// Line, from 1.
        line: usize,
        /// Column, from 1.
        column: usize,
    },
    /// A top-level field breaks a rule.
    #[error(transparent)]
    Field(#[from] FieldProblem),
}

/// Ways in which a text fails to be the strict JSON that this crate reads.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum JsonProblem {
    /// The text breaks JSON's grammar, or something follows the value.
    #[error("JSON syntax error")]
    Syntax,
    /// The text ends early.
    #[error("JSON ends too early")]
    Truncated,
    /// The value is not an object.
    #[error("a JSON object was expected")]
    NotAnObject,
    /// Two members of one object have the same name.
    #[error("duplicate name in a JSON object")]
    DuplicateName,
    /// Too deep, or too many values.
    #[error("JSON is nested too deep or has too many values")]
    TooComplex,
}

/// A top-level field that breaks a rule of the envelope.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum FieldProblem {
    /// A field that every message of this kind has is absent or empty.
    #[error("field `{0}` is missing or empty")]
    Missing(&'static str),
    /// A field that must be a string is something else.
    #[error("field `{0}` must be a JSON string")]
    NotAString(&'static str),
    /// A field that the envelope does not know holds an object or an array.
    #[error("a field that the envelope does not know holds an object or an array")]
    Nested,
    /// A name is not a letter followed by letters, digits or `_`.
    #[error("a field's name is not a letter followed by letters, digits or underscores")]
    Name,
    /// A value has a character that would give the signed text a second reading. Holds the first 32 characters of the field's
    /// name.
    #[error(
        "field `{0}` holds `&`, `=`, white space or a control character, which would give the signed text a second reading"
    )]
    Character(String),
    /// A field has the name of another kind's payload (`bizData`, `respData`, `content`).
    #[error("a field has the name of another kind's payload")]
    OtherKind,
    /// `respMsg` ends in what reads as another field.
    #[error("field `respMsg` ends in text that reads as another field")]
    SecondReading,
    /// A fixed field has another value than the protocol's.
    #[error("field `{0}` has another value than the protocol fixes")]
    Fixed(&'static str),
    /// A name that sealing sets by itself.
    #[error("field `{0}` is set by sealing and cannot be given")]
    Reserved(&'static str),
    /// The payload is not one JSON object.
    #[error("the payload {0}")]
    Payload(PayloadProblem),
}

/// What is wrong with a payload's plain text.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum PayloadProblem {
    /// Not UTF-8.
    #[error("is not UTF-8")]
    NotUtf8,
    /// Where the payload ends in the signed text depends on its encoding, or it ends elsewhere than the message says.
    /// Such a message is always refused.
    #[error("has no certain end in the signed text")]
    End,
    /// Not one strict JSON object with unique names.
    #[error("is not one JSON object: {problem} at line {line} column {column}")]
    Json {
        /// What was found.
        problem: JsonProblem,
        /// Line, from 1.
        line: usize,
        /// Column, from 1.
        column: usize,
    },
    /// A JSON object, but not of the type that was asked for.
    #[error("does not have the expected shape (at line {line} column {column})")]
    Shape {
        /// Line, from 1.
        line: usize,
        /// Column, from 1.
        column: usize,
    },
    /// There is none, and one was asked for.
    #[error("is absent")]
    Absent,
}

/// A failure that came back without a signature, as the documentation says some do.
#[derive(Clone, PartialEq, Eq)]
pub struct UnsignedFailure {
    pub(crate) resp_code: String,
    pub(crate) resp_msg: String,
}

impl UnsignedFailure {
    /// `respCode` as received; never `"00"`. Anybody on the way may have written it.
    pub fn resp_code(&self) -> &str {
        &self.resp_code
    }

    /// `respMsg` as received, or empty. Anybody on the way may have written it.
    pub fn resp_msg(&self) -> &str {
        &self.resp_msg
    }
}

impl fmt::Debug for UnsignedFailure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("UnsignedFailure").finish_non_exhaustive()
    }
}

/// A failure of an RSA backend. Its text comes from the backend's author and must not hold secrets.
#[derive(Clone)]
pub struct BackendError {
    message: &'static str,
    source: Option<Arc<dyn std::error::Error + Send + Sync>>,
}

impl BackendError {
    /// A failure described by a fixed text, so that nothing of a key or message can slip into it.
    pub fn new(message: &'static str) -> Self {
        Self { message, source: None }
    }

    /// The same, with the underlying error as its [`source`](std::error::Error::source).
    pub fn with_source(message: &'static str, source: impl std::error::Error + Send + Sync + 'static) -> Self {
        Self { message, source: Some(Arc::new(source)) }
    }
}

impl fmt::Display for BackendError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "the RSA backend failed: {}", self.message)
    }
}

impl fmt::Debug for BackendError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("BackendError").field("message", &self.message).finish_non_exhaustive()
    }
}

impl PartialEq for BackendError {
    fn eq(&self, other: &Self) -> bool {
        self.message == other.message
    }
}

impl Eq for BackendError {}

impl std::error::Error for BackendError {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        self.source.as_deref().map(|e| e as _)
    }
}
