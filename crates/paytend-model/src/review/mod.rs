//! Reviews of the JSON text of a request, with findings for developers.

use std::fmt;

use serde_json::Value;

use crate::problem::Problem;
use crate::validate::{Rule, Severity, Violation};
use crate::{Field, Payload, Source};

/// An error or a warning about a request.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Finding {
    /// The field's path in wire names, such as `eeaAddress.postcode`. Empty for the request itself.
    pub field: String,
    /// Whether the finding is an error or a warning.
    pub severity: Severity,
    /// The violated rule; `None` if the field is missing, misspelled or of another type.
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

/// Reviews a request of one type.
pub(crate) fn review<P: Payload>(json: &str) -> Vec<Finding> {
    let value = match serde_json::from_str::<Value>(json) {
        Ok(value @ Value::Object(_)) => value,
        Ok(other) => return vec![whole(format!("expected a JSON object; found {}", shape(Some(&other))))],
        Err(error) => {
            return vec![whole(format!("invalid JSON at line {}, column {}", error.line(), error.column()))];
        }
    };
    let mut review = Review { value, fields: P::FIELDS, findings: Vec::new() };
    review.names();
    match P::read_lenient(review.completed(json).as_bytes()) {
        Ok(request) => {
            request.problems().iter().for_each(|problem| review.problem(problem));
            request.violations().iter().for_each(|violation| review.violation(violation));
        }
        Err(problem) => review.problem(&problem),
    }
    review.findings
}

fn whole(text: String) -> Finding {
    Finding { field: String::new(), severity: Severity::Error, rule: None, text }
}

struct Review {
    value: Value,
    fields: &'static [Field],
    findings: Vec<Finding>,
}

impl Review {
    /// Checks the names of the fields. Reports missing required fields, and unknown names that resemble known ones.
    fn names(&mut self) {
        let Value::Object(members) = &self.value else { return };
        let given = |name: &str| members.get(name).is_some_and(|value| !value.is_null());
        let mut unknown: Vec<&str> = members
            .keys()
            .map(String::as_str)
            .filter(|name| self.fields.iter().all(|field| field.name != *name))
            .collect();
        let mut findings = Vec::new();
        for field in self.fields.iter().filter(|field| !given(field.name)) {
            let typo = unknown.iter().position(|name| is_like(name, field.name)).map(|at| unknown.swap_remove(at));
            let hint =
                typo.map(|name| format!("`{name}` is not a field of this request: did you mean `{}`?", field.name));
            if field.required {
                let severity = field.severity_if_missing();
                let mut text = format!("`{}` is missing", field.name);
                if let Some(hint) = hint {
                    text = format!("{text}; {hint}");
                }
                findings.push(Finding { field: field.name.into(), severity, rule: None, text });
            } else if let (Some(name), Some(text)) = (typo, hint) {
                findings.push(Finding { field: name.into(), severity: Severity::Warning, rule: None, text });
            }
        }
        self.findings.append(&mut findings);
    }

    /// Adds an empty string for each missing required field, so that the other fields can be checked.
    fn completed(&self, json: &str) -> String {
        let Value::Object(members) = &self.value else { return json.to_owned() };
        let missing = self.fields.iter().filter(|field| field.required && !members.contains_key(field.name));
        let added: Vec<String> = missing.map(|field| format!("\"{}\":\"\"", field.name)).collect();
        let Some(inside) = json.trim_end().strip_suffix('}').filter(|_| !added.is_empty()) else {
            return json.to_owned();
        };
        let comma = if members.is_empty() { "" } else { "," };
        format!("{inside}{comma}{}}}", added.join(","))
    }

    /// Returns whether there already is a finding for a field.
    fn has(&self, field: &str) -> bool {
        self.findings.iter().any(|finding| finding.field == field)
    }

    fn problem(&mut self, problem: &Problem) {
        let (path, problem) = match problem {
            Problem::At(path, problem) => (path.as_str(), &**problem),
            problem => ("", problem),
        };
        if self.has(path) {
            return;
        }
        let top = path.split('.').next().unwrap_or_default();
        let source = self.fields.iter().find(|field| field.name == top).map(|field| field.source);
        let required = *problem != Problem::Missing || source == Some(Source::Documented);
        let severity = if source != Some(Source::Inferred) && required { Severity::Error } else { Severity::Warning };
        let text = match problem {
            Problem::Missing => format!("`{path}` is missing"),
            problem => format!("`{path}`: {problem}; found {}", self.shape_at(path)),
        };
        self.findings.push(Finding { field: path.into(), severity, rule: None, text });
    }

    fn violation(&mut self, violation: &Violation) {
        let reported = self.has(&violation.field);
        // Unreadable fields were already reported with the expected type.
        if reported && matches!(violation.rule, Rule::NotEmpty | Rule::OfItsType) {
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
        Some(Value::Array(items)) => format!("a list of {}", items.len()),
        Some(Value::Object(_)) => "an object".into(),
    }
}

/// Returns whether an unknown name is similar to a known one: it differs in case, in separators, or by at most two
/// edits.
fn is_like(name: &str, known: &str) -> bool {
    // Other characters are not a slip, and could be read as a separate field where a message names this one.
    let is_name = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'_' | b'-' | b'.' | b' ');
    if name.len() > 64 || !name.bytes().all(is_name) {
        return false;
    }
    let plain = |text: &str| -> String {
        text.chars().filter(char::is_ascii_alphanumeric).map(|c| c.to_ascii_lowercase()).collect()
    };
    let (name, known) = (plain(name), plain(known));
    name == known || (known.len() >= 5 && strsim::damerau_levenshtein(&name, &known) <= 2)
}

#[cfg(test)]
mod tests {
    fn findings(operation: &str, json: &str) -> Vec<(bool, String)> {
        let findings = crate::operation(operation).unwrap().review(json);
        findings.iter().map(|finding| (finding.is_error(), finding.to_string())).collect()
    }

    fn error(text: &str) -> (bool, String) {
        (true, text.into())
    }

    fn warning(text: &str) -> (bool, String) {
        (false, text.into())
    }

    #[test]
    fn findings_name_the_field_and_describe_the_value() {
        assert_eq!(findings("topup", r#"{"cardId":"1","orderNo":"T","amount":"1.10","currency":"EUR"}"#), []);
        assert_eq!(findings("topup", "[1,2]"), [error("expected a JSON object; found a list of 2")]);
        assert_eq!(findings("topup", "{\n\"a\""), [error("invalid JSON at line 2, column 3")]);
        assert_eq!(
            findings("topup", r#"{"cardId":{},"orderNo":"T","amount":"1.10","currency":"EURO","memo":"secret"}"#),
            [error("`cardId`: expected a string or a number; found an object")]
        );
        assert_eq!(
            findings("topup", r#"{"cardId":"","amount":0,"currency":"EUR"}"#),
            [
                error("`orderNo` is missing"),
                error("`cardId` must not be empty"),
                warning("`amount` should be above zero; found a number"),
                error("`amount` must be written as a JSON string; found a number"),
            ]
        );
        assert_eq!(
            findings("topup", r#"{"cardId":"1","orderNo":null,"currency":"EUR"}"#),
            [error("`orderNo` is missing"), error("`amount` is missing")]
        );
        assert_eq!(
            findings("topup", r#"{"cardId":"","orderNo":"T","amount":"0","currency":"EURO"}"#),
            [
                error("`cardId` must not be empty"),
                warning("`amount` should be above zero; found a string of 1 character"),
                warning("`currency` should be an ISO 4217 currency code, such as EUR; found a string of 4 characters"),
            ]
        );
    }

    #[test]
    fn misspelled_names_are_suggested() {
        assert_eq!(
            findings("topup", r#"{"card_id":"1","OrderNo":"T","amonut":"1.10","currency":"EUR"}"#),
            [
                error("`cardId` is missing; `card_id` is not a field of this request: did you mean `cardId`?"),
                error("`orderNo` is missing; `OrderNo` is not a field of this request: did you mean `orderNo`?"),
                error("`amount` is missing; `amonut` is not a field of this request: did you mean `amount`?"),
            ]
        );
        // A misspelled optional field is only a warning.
        let query = r#"{"cardId":"1","beginDate":"2023-11-06","endDate":"2023-11-06","maxsize":"5","other":1}"#;
        let hint = "`maxsize` is not a field of this request: did you mean `maxSize`?";
        assert_eq!(findings("getCardTransactions", query), [warning(hint)]);
    }

    #[test]
    fn inferred_fields_only_cause_warnings() {
        assert_eq!(findings("getUserFees", "{}"), [warning("`userId` is missing")]);
        assert_eq!(
            findings("getUserFees", r#"{"userId":[]}"#),
            [warning("`userId`: expected a string or a number; found a list of 0")]
        );
        assert_eq!(
            findings("createIndividual", r#"{"mobile":"+37060000000","birthday":"31.12.1990","address":{"state":""}}"#)
                [0],
            warning("`address.addressLine` is missing")
        );
    }
}
