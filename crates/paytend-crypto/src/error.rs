//! This crate's error type.
//!
//! Errors that an unauthenticated sender can cause contain as little information as possible; [`Error::NotAuthentic`]
//! deliberately contains no reason. Errors that the caller can fix describe what is wrong, and where. No error text
//! contains a key, a payload or the value of a field.

use std::fmt;
use std::sync::Arc;

use crate::keys::error::KeyError;

/// An error from this crate.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// The message is not from the expected sender, not for the expected receiver, or was changed in transit.
    ///
    /// All causes result in the same error, so the sender cannot distinguish a wrong signature, a wrong key, invalid
    /// padding and a different partner's identifier.
    #[error("the message is not authentic")]
    NotAuthentic,

    /// The document breaks a rule that can be checked without a key.
    #[error("the message is malformed: {0}")]
    Malformed(Malformed),

    /// The message is authentic, but its payload is not one object whose end can be determined. Problems inside the
    /// object do not make a message invalid; see [`Opened::payload_problem`](crate::Opened::payload_problem).
    #[error("the message is authentic, but its payload {0}")]
    Payload(PayloadProblem),

    /// The provider returned an error response without a signature. Anyone can create such a response, so log it, but
    /// never treat the outcome as final.
    #[error("unsigned error response; check the keys and the partner ID")]
    UnsignedFailure(UnsignedFailure),

    /// The message cannot be sealed: a field or the payload breaks a rule that receivers enforce (for example, it would
    /// make the signed text ambiguous).
    #[error("the message cannot be sealed: {0}")]
    Unsealable(FieldProblem),

    /// A key cannot be read or used.
    #[error(transparent)]
    Key(#[from] KeyError),

    /// The RSA backend failed, for example because an HSM does not respond.
    #[error(transparent)]
    Backend(#[from] BackendError),

    /// The source of random bytes failed.
    #[error("the source of random bytes failed")]
    Random,
}

impl From<Malformed> for Error {
    fn from(reason: Malformed) -> Self {
        Self::Malformed(reason)
    }
}

impl From<PayloadProblem> for Error {
    fn from(problem: PayloadProblem) -> Self {
        Self::Payload(problem)
    }
}

/// The reason why a document is malformed. It can be determined without a key.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum Malformed {
    /// The document is larger than the limit; see [`Expected::max_bytes`](crate::Expected::max_bytes).
    #[error("the document has {bytes} bytes, more than the limit of {limit}")]
    TooLarge {
        /// The document's size, in bytes.
        bytes: usize,
        /// The limit in bytes.
        limit: usize,
    },
    /// The document is not UTF-8.
    #[error("not UTF-8 at byte {at}")]
    NotUtf8 {
        /// The offset of the first byte that is not UTF-8.
        at: usize,
    },
    /// The document is not exactly one JSON object.
    #[error("{problem} at line {line} column {column}")]
    Json {
        /// The problem with the JSON.
        problem: JsonProblem,
        /// The line number, starting at 1.
        line: usize,
        /// The column number, starting at 1.
        column: usize,
    },
    /// A top-level field breaks a rule.
    #[error(transparent)]
    Field(#[from] FieldProblem),
}

/// The reason why a document or payload is not strict JSON.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum JsonProblem {
    /// The JSON has a syntax error or is followed by other data.
    #[error("JSON syntax error")]
    Syntax,
    /// The end of the value is missing.
    #[error("JSON ends too early")]
    Truncated,
    /// The value is not an object.
    #[error("expected a JSON object")]
    NotAnObject,
    /// Two members of one object have the same name.
    #[error("duplicate name in a JSON object")]
    DuplicateName,
    /// The value is nested too deeply or contains too many values.
    #[error("JSON is nested too deeply or has too many values")]
    TooComplex,
}

/// The envelope rule that a top-level field breaks.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum FieldProblem {
    /// A required field is absent or empty.
    #[error("field `{0}` is missing or empty")]
    Missing(&'static str),
    /// A field that must be a string has a different type.
    #[error("field `{0}` must be a JSON string")]
    NotAString(&'static str),
    /// An unknown field contains an object or an array.
    #[error("an unknown field contains an object or an array")]
    Nested,
    /// A name is not a letter followed by letters, digits or `_`.
    #[error("a field name must be a letter followed by letters, digits or underscores")]
    Name,
    /// A value contains a character that would make the signed text ambiguous. The variant contains the first 32
    /// characters of the field's name.
    #[error(
        "field `{0}` contains `&`, `=`, whitespace or a control character, which would make the signed text ambiguous"
    )]
    Character(String),
    /// A field has the name of the payload field of another message kind (`bizData`, `respData`, `content`).
    #[error("a field name is reserved for the payload of another message kind")]
    OtherKind,
    /// `respMsg` ends in text that could be read as a separate field.
    #[error("field `respMsg` ends in text that could be read as a separate field")]
    SecondReading,
    /// A fixed field does not have the value that the protocol requires.
    #[error("field `{0}` does not have the value that the protocol requires")]
    Fixed(&'static str),
    /// The caller set a field that sealing sets itself.
    #[error("field `{0}` is set by sealing and must not be set by the caller")]
    Reserved(&'static str),
    /// The message has more fields than a receiver accepts.
    #[error(
        "the message has {count} fields besides the payload, the key and the signature; it may have at most {limit}"
    )]
    TooMany {
        /// The number of fields.
        count: usize,
        /// The maximum number of fields.
        limit: usize,
    },
    /// The payload is not one JSON object.
    #[error("the payload {0}")]
    Payload(PayloadProblem),
}

/// The problem with a decrypted payload.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum PayloadProblem {
    /// The payload is not UTF-8.
    #[error("is not UTF-8")]
    NotUtf8,
    /// The signed text does not determine where the payload ends, because its end depends on its encoding, or the
    /// payload in the message ends elsewhere. Such a message is always refused.
    #[error("has an ambiguous end in the signed text")]
    End,
    /// The payload is not one strict JSON object with unique names.
    #[error("is not one JSON object: {problem} at line {line} column {column}")]
    Json {
        /// The problem with the JSON.
        problem: JsonProblem,
        /// The line number, starting at 1.
        line: usize,
        /// The column number, starting at 1.
        column: usize,
    },
    /// The payload is a JSON object, but not of the requested type.
    #[error("does not match the expected type at line {line} column {column}")]
    Shape {
        /// The line number, starting at 1.
        line: usize,
        /// The column number, starting at 1.
        column: usize,
    },
    /// A payload was requested, but the message has none.
    #[error("is absent")]
    Absent,
}

/// An error response without a signature. The provider's documentation describes such responses for some errors.
#[derive(Clone, PartialEq, Eq)]
pub struct UnsignedFailure {
    pub(crate) resp_code: String,
    pub(crate) resp_msg: String,
}

impl UnsignedFailure {
    /// Returns `respCode` as received, which is never `"00"`. Anyone between the provider and the client may have
    /// written it.
    pub fn resp_code(&self) -> &str {
        &self.resp_code
    }

    /// Returns `respMsg` as received, or an empty string. Anyone between the provider and the client may have written
    /// it.
    pub fn resp_msg(&self) -> &str {
        &self.resp_msg
    }
}

impl fmt::Debug for UnsignedFailure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("UnsignedFailure").finish_non_exhaustive()
    }
}

/// An RSA backend failure. Its message is written by the backend's author and must not contain secrets.
#[derive(Clone)]
pub struct BackendError {
    message: &'static str,
    source: Option<Arc<dyn std::error::Error + Send + Sync>>,
}

impl BackendError {
    /// Creates an error with a constant message, so that no part of a key or message can appear in it.
    pub fn new(message: &'static str) -> Self {
        Self { message, source: None }
    }

    /// Creates an error with a constant message and the underlying error as its [`source`](std::error::Error::source).
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

#[cfg(test)]
mod tests {
    use std::error::Error as _;

    use super::*;

    /// If an error is reported together with its sources, no message may appear twice.
    #[test]
    fn displayed_reason_is_not_repeated_as_source() {
        for error in [Error::from(Malformed::NotUtf8 { at: 3 }), Malformed::TooLarge { bytes: 2, limit: 1 }.into()] {
            assert!(error.to_string().starts_with("the message is malformed: ") && error.source().is_none());
        }
        // A key error is displayed without a prefix, so `source` returns the key error's own source.
        let error = Error::from(KeyError::Empty);
        assert_eq!(error.to_string(), KeyError::Empty.to_string());
        assert!(error.source().is_none());
    }
}
