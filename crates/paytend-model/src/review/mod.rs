//! Reviews of the JSON text of a request, with findings for developers.

mod names;
mod slip;
mod text;

use std::fmt;

use serde_json::Value;

use self::names::Object;
use crate::payload::Payload;
use crate::problem::Problem;
use crate::provenance::Source;
use crate::validate::Field;
use crate::validate::{Rule, Severity, Violation};

/// An error or a warning about a request.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Finding {
    /// The field's path in wire names, such as `eeaAddress.postcode`. Empty for the request itself.
    pub field: String,
    /// Whether the finding is an error or a warning.
    pub severity: Severity,
    /// The violated rule; `None` if the field is missing, misspelled or of an unexpected type.
    pub rule: Option<Rule>,
    text: String,
}

impl Finding {
    /// Returns whether the finding is an error. A request with an error is rejected.
    pub fn is_error(&self) -> bool {
        self.severity == Severity::Error
    }
}

impl fmt::Display for Finding {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.text)
    }
}

/// Reviews the JSON text of a `P` request.
pub(crate) fn review<P: Payload>(json: &str) -> Vec<Finding> {
    let value = match text::object(json) {
        Ok(value) => value,
        Err(text) => return vec![Finding { field: String::new(), severity: Severity::Error, rule: None, text }],
    };
    let mut findings = Vec::new();
    if let Value::Object(members) = &value {
        Object { members, fields: P::FIELDS, path: String::new(), inferred: false }.review(&mut findings);
    }
    let mut review = Review { value, fields: P::FIELDS, findings };
    match P::read_lenient(names::completed(json, P::FIELDS).as_bytes()) {
        Ok(request) => {
            request.problems().iter().for_each(|problem| review.problem(problem));
            request.violations().iter().for_each(|violation| review.violation(violation));
        }
        Err(problem) => review.problem(&problem),
    }
    review.findings
}

struct Review {
    value: Value,
    fields: &'static [Field],
    findings: Vec<Finding>,
}

impl Review {
    /// Returns whether a field, or an object that contains it, is missing or unreadable.
    fn is_unreadable(&self, field: &str) -> bool {
        self.findings.iter().filter(|finding| finding.rule.is_none()).any(|finding| {
            let rest = field.strip_prefix(finding.field.as_str());
            rest.is_some_and(|rest| rest.is_empty() || rest.starts_with('.'))
        })
    }

    /// Returns whether a field inside the object or list at the path `field` already has a finding.
    fn has_inside(&self, field: &str) -> bool {
        let inside = |path: &str| path.strip_prefix(field).is_some_and(|rest| rest.starts_with('.'));
        self.findings.iter().any(|finding| inside(&finding.field))
    }

    /// Returns the source of the field at a path, or `None` if the field is unknown. A field inside an inferred field
    /// is also inferred.
    fn source(&self, path: &str) -> Option<Source> {
        let (mut fields, mut source) = (self.fields, None);
        for name in path.split('.') {
            // Skips list indexes in the path, because they are not fields.
            let Some(field) = fields.iter().find(|field| field.name == name) else { continue };
            fields = field.fields;
            if source != Some(Source::Inferred) {
                source = Some(field.source);
            }
        }
        source
    }

    fn problem(&mut self, problem: &Problem) {
        let (path, problem) = match problem {
            Problem::At(path, problem) => (path.as_str(), &**problem),
            problem => ("", problem),
        };
        if self.is_unreadable(path) {
            return;
        }
        let source = self.source(path);
        let required = *problem != Problem::Missing || source == Some(Source::Documented);
        let severity = if source != Some(Source::Inferred) && required { Severity::Error } else { Severity::Warning };
        let text = match problem {
            Problem::Missing => format!("`{path}` is missing"),
            problem => format!("`{path}`: {problem}; found {}", self.shape_at(path)),
        };
        self.findings.push(Finding { field: path.into(), severity, rule: None, text });
    }

    fn violation(&mut self, violation: &Violation) {
        // A missing or unreadable field has already been reported, so its violations are not added.
        let path = &violation.field;
        if self.is_unreadable(path) || (violation.rule == Rule::OfItsType && self.has_inside(path)) {
            return;
        }
        let text = match violation.rule {
            Rule::NotEmpty | Rule::RequiredUnless(_) | Rule::RequiredWith(_) => violation.to_string(),
            _ => format!("{violation}; found {}", self.shape_at(&violation.field)),
        };
        let Violation { field, severity, rule } = violation.clone();
        self.findings.push(Finding { field, severity, rule: Some(rule), text });
    }

    fn shape_at(&self, path: &str) -> String {
        let mut value = Some(&self.value);
        for name in path.split('.').filter(|name| !name.is_empty()) {
            value = match value {
                Some(Value::Array(items)) => name.parse::<usize>().ok().and_then(|index| items.get(index)),
                Some(value) => value.get(name),
                None => None,
            };
        }
        shape(value)
    }
}

/// Describes the type and size of a value, without its content.
fn shape(value: Option<&Value>) -> String {
    match value {
        None => "nothing".into(),
        Some(Value::Null) => "null".into(),
        Some(Value::Bool(_)) => "a boolean".into(),
        Some(Value::Number(_)) => "a number".into(),
        Some(Value::String(text)) if text.is_empty() => "an empty string".into(),
        Some(Value::String(text)) => match text.chars().count() {
            1 => "a string of 1 character".into(),
            count => format!("a string of {count} characters"),
        },
        Some(Value::Array(items)) => match items.len() {
            0 => "an empty list".into(),
            1 => "a list of 1 item".into(),
            count => format!("a list of {count} items"),
        },
        Some(Value::Object(_)) => "an object".into(),
    }
}
