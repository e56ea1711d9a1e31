//! The sources of facts about the API.

use std::fmt;

/// The sources of the facts about an operation.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Provenance {
    /// The source of the operation's existence and name.
    pub operation: Source,
    /// The source of the path.
    pub path: Source,
    /// The source of the request fields.
    pub request: Source,
    /// The source of the response fields.
    pub response: Source,
}

/// The source of a fact.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Source {
    /// The provider's documentation states the fact.
    Documented,
    /// The provider's published programs show the fact.
    Observed,
    /// The fact is inferred from similar facts and may be wrong. A wrong path can be overridden in the client
    /// configuration, and a wrong field through `extra`.
    Inferred,
}

impl fmt::Display for Source {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(match self {
            Self::Documented => "documented",
            Self::Observed => "observed",
            Self::Inferred => "inferred",
        })
    }
}
