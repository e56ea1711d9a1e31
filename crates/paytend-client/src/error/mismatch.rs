//! The reason why a response does not belong to its request.

use std::fmt;

/// The reason why a response does not belong to its request. It contains the field's wire name, never a value.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Mismatch {
    /// The field has different values in the request and in the response.
    Other(String),
    /// The response lacks a required field.
    Unnamed(String),
}

impl fmt::Display for Mismatch {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Other(name) => write!(
                f,
                "{name} differs between the request and the response; if it has a different meaning in your documents, \
                 set response_names on the client"
            ),
            Self::Unnamed(name) => write!(
                f,
                "the response has no {name}; if your documents do not specify it, set response_names on the client"
            ),
        }
    }
}

impl std::error::Error for Mismatch {}
