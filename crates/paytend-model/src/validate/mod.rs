//! Checks a payload against the rules of its fields.
//!
//! Reading a payload never applies these rules: a provider may change a length. A sender checks before it sends.
//!
//! A rule is an error where the documentation states it or the provider's published programs keep it. Every other rule
//! is a warning: it is inferred, may be wrong, and never refuses a request.

mod report;
mod rule;

pub use report::Report;
pub use rule::Rule;

use std::fmt;

/// A value with rules.
pub trait Validate {
    /// Reports the rules that the value breaks. The default reports none.
    fn check(&self, report: &mut Report) {
        let _ = report;
    }

    /// Returns every broken rule, in the order of the fields.
    fn violations(&self) -> Vec<Violation> {
        let mut report = Report::default();
        self.check(&mut report);
        report.into_violations()
    }

    /// Checks lengths and formats, and returns the warnings.
    ///
    /// # Errors
    /// Returns [`Invalid`] if a documented or observed rule is broken. It names fields and rules, and no values.
    ///
    /// ```
    /// use paytend_model::{Validate, issuing::Topup};
    /// let topup = Topup::new("1755902".into(), "".into(), "0.00".parse()?, "EUR".into());
    /// let invalid = topup.validate().unwrap_err();
    /// assert_eq!(invalid.to_string(), "`orderNo` must not be empty");
    /// assert_eq!(invalid.warnings()[0].to_string(), "`amount` should be above zero");
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    fn validate(&self) -> Result<Vec<Violation>, Invalid> {
        let (errors, warnings): (Vec<_>, Vec<_>) =
            self.violations().into_iter().partition(|violation| violation.severity == Severity::Error);
        if errors.is_empty() { Ok(warnings) } else { Err(Invalid { errors, warnings }) }
    }

    /// Checks lengths and formats, with every warning as an error.
    ///
    /// # Errors
    /// Returns [`Invalid`] if any rule is broken.
    ///
    /// ```
    /// use paytend_model::{Validate, issuing::Topup};
    /// let topup = Topup::new("1755902".into(), "T-1".into(), "0.00".parse()?, "EUR".into());
    /// assert!(topup.validate().is_ok());
    /// assert_eq!(topup.validate_strict().unwrap_err().to_string(), "`amount` must be above zero");
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    fn validate_strict(&self) -> Result<(), Invalid> {
        let mut errors = self.violations();
        for violation in &mut errors {
            violation.severity = Severity::Error;
        }
        if errors.is_empty() { Ok(()) } else { Err(Invalid { errors, warnings: Vec::new() }) }
    }
}

/// Whether a broken rule refuses a value.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Severity {
    /// The rule is inferred. The value may be right.
    Warning,
    /// The rule is documented, or kept by the provider's published programs.
    Error,
}

/// A broken rule, and where.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Violation {
    /// The path of the field, by wire names: `eeaAddress.postcode`.
    pub field: String,
    /// The rule.
    pub rule: Rule,
    /// Whether the rule refuses the value.
    pub severity: Severity,
}

impl fmt::Display for Violation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let verb = if self.severity == Severity::Error { "must" } else { "should" };
        write!(f, "`{}` {}", self.field, self.rule.with_verb(verb))
    }
}

/// The rules that a payload breaks, at least one of them an error.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Invalid {
    errors: Vec<Violation>,
    warnings: Vec<Violation>,
}

impl Invalid {
    /// The broken rules that refuse the payload, in the order of the fields.
    pub fn errors(&self) -> &[Violation] {
        &self.errors
    }

    /// The broken rules that are inferred, in the order of the fields.
    pub fn warnings(&self) -> &[Violation] {
        &self.warnings
    }
}

impl fmt::Display for Invalid {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (index, violation) in self.errors.iter().enumerate() {
            write!(f, "{}{violation}", if index == 0 { "" } else { "; " })?;
        }
        Ok(())
    }
}

impl std::error::Error for Invalid {}
