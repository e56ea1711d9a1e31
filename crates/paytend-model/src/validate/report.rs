//! The collector of violations, which tracks the path and the source of each field.

use std::fmt;

use super::field::Field;
use super::rule::Rule;
use super::severity::Severity;
use crate::provenance::Source;

/// A collector of violations.
#[derive(Debug, Default)]
pub struct Report {
    path: String,
    violations: Vec<Violation>,
    /// The known fields of the current object.
    fields: &'static [Field],
    /// The current field; `None` for a field that this crate does not declare.
    field: Option<&'static Field>,
    /// Whether the current object is inside an inferred field.
    inferred: bool,
}

impl Report {
    /// Reports that a field violates a rule, unless `holds` is `true`. Whether the violation is an error or a warning
    /// depends on the field's source. For a field that this crate does not declare, the violation is an error.
    pub fn require(&mut self, field: &str, holds: bool, rule: Rule) {
        self.within(field, |report| report.unless(holds, rule));
    }

    pub(crate) fn into_violations(self) -> Vec<Violation> {
        self.violations
    }

    /// Runs `check` for an object whose known fields are `fields`.
    pub(crate) fn object(&mut self, fields: &'static [Field], check: impl FnOnce(&mut Self)) {
        let outer = (self.fields, self.field, self.inferred);
        self.inferred |= self.field.is_some_and(|field| field.source == Source::Inferred);
        (self.fields, self.field) = (fields, None);
        check(self);
        (self.fields, self.field, self.inferred) = outer;
    }

    /// Runs `check` with `name` added to the path of its violations.
    pub(crate) fn within(&mut self, name: &str, check: impl FnOnce(&mut Self)) {
        let (length, outer) = (self.path.len(), self.field);
        if length > 0 {
            self.path.push('.');
        }
        self.path.push_str(name);
        // The items of a list have the same source as the list.
        let field = self.fields.iter().find(|field| field.name == name);
        self.field = field.or(outer);
        check(self);
        self.path.truncate(length);
        self.field = outer;
    }

    /// Reports an `endDate` that is before `beginDate` or more than 30 days after it.
    pub(crate) fn days_in_order(&mut self, begin: &str, end: &str) {
        // Invalid dates are reported separately.
        let (Ok(begin), Ok(end)) = (begin.parse::<jiff::civil::Date>(), end.parse::<jiff::civil::Date>()) else {
            return;
        };
        let days = begin.until(end).map_or(0, |span| span.get_days());
        self.require("endDate", days >= 0, Rule::NotBefore("beginDate"));
        self.require("endDate", days <= Rule::MAX_DAYS, Rule::MaxDaysAfter("beginDate", Rule::MAX_DAYS));
    }

    /// Checks a string. An empty string means that the field is not set, so only [`Rule::NotEmpty`] applies.
    pub(crate) fn text(&mut self, rules: &[Rule], text: &str) {
        if text.is_empty() {
            return self.not_given();
        }
        for rule in rules {
            self.unless(rule.holds(text), *rule);
        }
    }

    /// Reports an empty field if the field is required.
    pub(crate) fn not_given(&mut self) {
        if self.field.is_none_or(|field| field.required) {
            let repeated =
                self.violations.last().is_some_and(|last| last.rule == Rule::NotEmpty && last.field == self.path);
            self.unless(repeated, Rule::NotEmpty);
        }
    }

    pub(crate) fn unless(&mut self, holds: bool, rule: Rule) {
        if !holds {
            let severity = match self.field {
                _ if self.inferred => Severity::Warning,
                Some(field) if rule == Rule::NotEmpty => field.severity_if_missing(),
                Some(field) => rule.severity(field.source),
                None => Severity::Error,
            };
            self.violations.push(Violation { field: self.path.clone(), rule, severity });
        }
    }
}

/// A rule violation in a field.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Violation {
    /// The field's path in wire names, such as `eeaAddress.postcode`.
    pub field: String,
    /// The violated rule.
    pub rule: Rule,
    /// Whether the violation is an error or a warning.
    pub severity: Severity,
}

impl fmt::Display for Violation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let verb = if self.severity == Severity::Error { "must" } else { "should" };
        write!(f, "`{}` {}", self.field, self.rule.with_verb(verb))
    }
}
