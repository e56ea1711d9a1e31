//! The severity of violations: errors and warnings.

/// The severity of a violation.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Severity {
    /// The rule is inferred, and the value may be valid.
    Warning,
    /// The rule is documented, or the provider's published programs follow it.
    Error,
}
