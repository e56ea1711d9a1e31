//! The reason why a response belongs to another request.

use std::fmt;

/// The reason why a response does not match its request. Contains the field's wire name, never a value.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Mismatch {
    /// The field has another value in the response.
    Other(String),
    /// The response lacks a required field.
    Unnamed(String),
}

impl fmt::Display for Mismatch {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Other(name) => write!(
                f,
                "{name} in the response differs from the request; if your documents give it another meaning, \
                 set response_names on the client"
            ),
            Self::Unnamed(name) => write!(
                f,
                "the response has no {name}; if your documents specify none, set response_names on the client"
            ),
        }
    }
}

impl std::error::Error for Mismatch {}
