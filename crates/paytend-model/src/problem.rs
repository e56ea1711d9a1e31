//! Why a JSON text is not of a type.

use std::fmt;

/// Why a JSON text is not of a type. Names fields, never values.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Problem {
    /// Something else was expected.
    Expected(&'static str),
    /// It is not, for the reason given.
    Because(&'static str),
    /// A required field is missing.
    Missing,
    /// A field is there twice.
    Duplicate,
    /// The value is not strict JSON: it has a lone surrogate escape, a raw control character, or bytes that are not
    /// UTF-8.
    NotStrict,
    /// A problem of the field at a path, such as `eeaAddress.postcode` or `cards.0.cardId`.
    At(String, Box<Problem>),
}

impl Problem {
    pub(crate) const fn expected(what: &'static str) -> Self {
        Self::Expected(what)
    }

    /// Returns whether this is the problem of a field itself, and not of one inside of it.
    pub(crate) fn is_of(&self, name: &str) -> bool {
        matches!(self, Self::At(path, _) if path == name)
    }

    /// The same problem, further out.
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
            Self::Missing => f.write_str("a required field is missing"),
            Self::Duplicate => f.write_str("the field is there twice"),
            Self::NotStrict => f.write_str(
                "not strict JSON: a lone surrogate, a raw control character, or not UTF-8; see the raw content",
            ),
            Self::At(path, problem) => write!(f, "field `{path}`: {problem}"),
        }
    }
}

impl std::error::Error for Problem {}
