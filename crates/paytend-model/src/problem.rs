//! The reasons why JSON cannot be read as a Rust type.

use std::fmt;

/// The reason why JSON cannot be read as a Rust type. Contains field names, but no values.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Problem {
    /// The value is not of the expected kind, such as "a JSON object".
    Expected(&'static str),
    /// A description of any other reason.
    Because(&'static str),
    /// A required field is missing.
    Missing,
    /// A field occurs twice.
    Duplicate,
    /// The value is not strict JSON: it contains a lone surrogate escape, a raw control character, or invalid UTF-8.
    NotStrict,
    /// A problem with the field at a path, such as `eeaAddress.postcode` or `cards.0.cardId`.
    At(String, Box<Problem>),
}

impl Problem {
    pub(crate) const fn expected(what: &'static str) -> Self {
        Self::Expected(what)
    }

    /// Returns whether this is a problem with the field itself, not with a field nested inside it.
    pub(crate) fn is_of(&self, name: &str) -> bool {
        matches!(self, Self::At(path, _) if path == name)
    }

    /// Prepends an outer field's name to the problem's path.
    pub(crate) fn at(self, name: impl fmt::Display) -> Self {
        match self {
            Self::At(path, problem) => Self::At(format!("{name}.{path}"), problem),
            problem => Self::At(name.to_string(), Box::new(problem)),
        }
    }
}

impl fmt::Display for Problem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Expected(what) => write!(f, "expected {what}"),
            Self::Because(reason) => f.write_str(reason),
            Self::Missing => f.write_str("required field is missing"),
            Self::Duplicate => f.write_str("duplicate field"),
            Self::NotStrict => f.write_str(
                "not strict JSON: lone surrogate, raw control character, or invalid UTF-8; use the raw content",
            ),
            Self::At(path, problem) => write!(f, "field `{path}`: {problem}"),
        }
    }
}

impl std::error::Error for Problem {}
