//! Validation of payloads against their fields' rules.
//!
//! Reading a payload does not check these rules, because the provider may change a maximum length. Validate a payload
//! before sending it.
//!
//! A violation is an error if the rule is documented or if the provider's published programs follow it. A violation of
//! any other rule is a warning, because the rule is inferred and may be wrong. Such a violation never causes a request
//! to be rejected.

mod field;
mod report;
mod rule;
mod severity;

pub use field::Field;
pub use report::{Report, Violation};
pub use rule::Rule;
pub use severity::Severity;

use std::fmt;

/// A value with validation rules.
pub trait Validate {
    /// Reports the rules that the value violates. The default implementation reports no violations.
    fn check(&self, report: &mut Report) {
        let _ = report;
    }

    /// Returns all violations, in the order of the fields.
    fn violations(&self) -> Vec<Violation> {
        let mut report = Report::default();
        self.check(&mut report);
        report.into_violations()
    }

    /// Checks lengths and formats, and returns the warnings.
    ///
    /// # Errors
    /// Returns [`ValidationError`] if a documented or observed rule is violated. The error contains fields and rules,
    /// but no values.
    ///
    /// ```
    /// use paytend_model::{Validate, issuing::Topup};
    /// let topup = Topup::builder().card_id("1755902").order_no("").amount("0.00".parse()?).currency("EUR").build();
    /// let invalid = topup.validate().unwrap_err();
    /// assert_eq!(invalid.to_string(), "`orderNo` must not be empty");
    /// assert_eq!(invalid.warnings()[0].to_string(), "`amount` should be above zero");
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    fn validate(&self) -> Result<Vec<Violation>, ValidationError> {
        let (errors, warnings): (Vec<_>, Vec<_>) =
            self.violations().into_iter().partition(|violation| violation.severity == Severity::Error);
        if errors.is_empty() { Ok(warnings) } else { Err(ValidationError { errors, warnings }) }
    }

    /// Checks lengths and formats, and treats every warning as an error.
    ///
    /// # Errors
    /// Returns [`ValidationError`] if any rule is violated.
    ///
    /// ```
    /// use paytend_model::{Validate, issuing::Topup};
    /// let topup = Topup::builder().card_id("1755902").order_no("T-1").amount("0.00".parse()?).currency("EUR").build();
    /// assert!(topup.validate().is_ok());
    /// assert_eq!(topup.validate_strict().unwrap_err().to_string(), "`amount` must be above zero");
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    fn validate_strict(&self) -> Result<(), ValidationError> {
        let mut errors = self.violations();
        for violation in &mut errors {
            violation.severity = Severity::Error;
        }
        if errors.is_empty() { Ok(()) } else { Err(ValidationError { errors, warnings: Vec::new() }) }
    }
}

/// The error for an invalid payload, with its violations. At least one of them is an error.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ValidationError {
    errors: Vec<Violation>,
    warnings: Vec<Violation>,
}

impl ValidationError {
    /// Returns the violations that are errors, in the order of the fields.
    pub fn errors(&self) -> &[Violation] {
        &self.errors
    }

    /// Returns the violations that are warnings, in the order of the fields.
    pub fn warnings(&self) -> &[Violation] {
        &self.warnings
    }
}

impl fmt::Display for ValidationError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (index, violation) in self.errors.iter().enumerate() {
            write!(f, "{}{violation}", if index == 0 { "" } else { "; " })?;
        }
        Ok(())
    }
}

impl std::error::Error for ValidationError {}
