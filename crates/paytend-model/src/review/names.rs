//! Detection of missing fields and misspelled names, in an object and in nested objects.

use serde_json::{Map, Value};

use super::Finding;
use crate::provenance::Source;
use crate::validate::Field;
use crate::validate::Severity;

/// An object in a request.
pub(super) struct Object<'a> {
    pub(super) members: &'a Map<String, Value>,
    pub(super) fields: &'static [Field],
    /// The object's path, with a dot at the end. Empty for the request itself.
    pub(super) path: String,
    /// Whether the object is inside an inferred field.
    pub(super) inferred: bool,
}

impl Object<'_> {
    /// Reports missing required fields, and unknown names that resemble known ones.
    pub(super) fn review(&self, findings: &mut Vec<Finding>) {
        let typos = self.typos();
        for (index, field) in self.fields.iter().enumerate().filter(|(_, field)| !self.has(field)) {
            let typo = typos.iter().find(|(known, _)| *known == index).map(|(_, name)| format!("{}{name}", self.path));
            let path = format!("{}{}", self.path, field.name);
            let hint =
                typo.as_ref().map(|name| format!("`{name}` is not a field of this request: did you mean `{path}`?"));
            if field.required {
                let severity = if self.inferred { Severity::Warning } else { field.severity_if_missing() };
                let mut text = format!("`{path}` is missing");
                if let Some(hint) = hint {
                    text = format!("{text}; {hint}");
                }
                findings.push(Finding { field: path, severity, rule: None, text });
            } else if let (Some(name), Some(text)) = (typo, hint) {
                findings.push(Finding { field: name, severity: Severity::Warning, rule: None, text });
            }
        }
        for field in self.fields.iter().filter(|field| !field.fields.is_empty()) {
            match self.members.get(field.name) {
                Some(Value::Object(members)) if !field.is_list() => {
                    self.inner(field, members, format!("{}{}.", self.path, field.name)).review(findings);
                }
                Some(Value::Array(items)) if field.is_list() => {
                    for (index, item) in items.iter().enumerate() {
                        if let Value::Object(members) = item {
                            let path = format!("{}{}.{index}.", self.path, field.name);
                            self.inner(field, members, path).review(findings);
                        }
                    }
                }
                _ => {}
            }
        }
    }

    fn inner<'a>(&self, field: &'static Field, members: &'a Map<String, Value>, path: String) -> Object<'a> {
        Object { members, fields: field.fields, path, inferred: self.inferred || field.source == Source::Inferred }
    }

    fn has(&self, field: &Field) -> bool {
        self.members.get(field.name).is_some_and(|value| !value.is_null())
    }

    /// Returns each unknown name that is probably a misspelling of an absent field, with the index of the field. The
    /// result contains each name and each field at most once. A name is skipped if it is closer to the name of a
    /// present field. If the absent field is optional, a name is also skipped if it is equally close to a present
    /// field.
    fn typos(&self) -> Vec<(usize, &str)> {
        let mut pairs = Vec::new();
        let names = self.members.keys().map(String::as_str);
        for name in names.filter(|name| self.fields.iter().all(|field| field.name != *name)) {
            let edits = |field: &Field| edits(name, field);
            let present = self.fields.iter().filter(|field| self.has(field)).filter_map(edits).min();
            let absent = self.fields.iter().enumerate().filter(|(_, field)| !self.has(field));
            pairs.extend(absent.filter_map(|(index, field)| {
                let distance = edits(field)? + usize::from(!field.required);
                present.is_none_or(|present| distance <= present).then_some((edits(field)?, index, name))
            }));
        }
        pairs.sort_unstable();
        let mut typos: Vec<(usize, &str)> = Vec::new();
        for (_, index, name) in pairs {
            if typos.iter().all(|(known, typo)| *known != index && *typo != name) {
                typos.push((index, name));
            }
        }
        typos
    }
}

/// Returns the number of edits between an unknown name and a known one, if the unknown name may be a typo. Case and
/// separators are ignored.
fn edits(name: &str, field: &Field) -> Option<usize> {
    // A name with any other character is not treated as a typo, because an error message that contains it could be
    // misread.
    let is_name = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'_' | b'-' | b'.' | b' ');
    if name.len() > 64 || !name.bytes().all(is_name) {
        return None;
    }
    let plain = |text: &str| -> String {
        text.chars().filter(char::is_ascii_alphanumeric).map(|c| c.to_ascii_lowercase()).collect()
    };
    let (name, known) = (plain(name), plain(field.name));
    let max_edits = match known.len() {
        0..5 => 0,
        // A short name may have fewer edits, because two edits can turn it into a different word, such as `status` into
        // `state`.
        5..8 if !field.required => 1,
        _ => 2,
    };
    Some(strsim::damerau_levenshtein(&name, &known)).filter(|edits| *edits <= max_edits)
}

/// Adds a blank value for each required field that is missing, so that the other fields can be checked.
pub(super) fn completed(json: &str, fields: &'static [Field]) -> String {
    let Ok(members) = paytend_json::members(json.as_bytes()) else { return json.to_owned() };
    let text = |bytes| std::str::from_utf8(bytes).unwrap_or_default();
    let mut written = Vec::with_capacity(members.len());
    let mut given = Vec::new();
    for member in members {
        let name = serde_json::from_slice::<String>(member.name).unwrap_or_default();
        let known = fields.iter().find(|field| field.name == name);
        let value = match known {
            Some(field) if field.required && member.value == b"null" => continue,
            Some(field) => completed_value(text(member.value), field),
            None => text(member.value).to_owned(),
        };
        given.extend(known.map(|field| field.name));
        written.push(format!("{}:{value}", text(member.name)));
    }
    for field in fields.iter().filter(|field| field.required && !given.contains(&field.name)) {
        let blank = match field.fields {
            // The blank value of an amount is zero, because an empty string cannot be read as an amount.
            [] if field.type_name == "Amount" => "\"0\"".to_owned(),
            [] => "\"\"".to_owned(),
            nested => completed("{}", nested),
        };
        written.push(format!("\"{}\":{blank}", field.name));
    }
    format!("{{{}}}", written.join(","))
}

fn completed_value(json: &str, field: &'static Field) -> String {
    if field.fields.is_empty() {
        return json.to_owned();
    }
    match serde_json::from_str::<Vec<&serde_json::value::RawValue>>(json) {
        Ok(items) if field.is_list() => {
            let items: Vec<String> = items.iter().map(|item| completed(item.get(), field.fields)).collect();
            format!("[{}]", items.join(","))
        }
        _ => completed(json, field.fields),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::issuing::{PartnerBalanceResponse, Topup};
    use crate::payload::Payload;

    #[test]
    fn objects_in_lists_are_reviewed() {
        let json = r#"{"balance":[{"currency":"EUR","available":"1.00"},{"curency":"EUR"},{},5]}"#;
        let findings = super::super::review::<PartnerBalanceResponse>(json);
        let texts: Vec<String> = findings.iter().map(ToString::to_string).collect();
        assert_eq!(
            texts,
            [
                "`balance.1.currency` is missing; `balance.1.curency` is not a field of this request: did you mean \
                 `balance.1.currency`?",
                "`balance.1.available` is missing",
                "`balance.2.currency` is missing",
                "`balance.2.available` is missing",
                "`balance.3`: expected a JSON object; found a number",
            ]
        );
        assert!(findings.iter().all(|finding| !finding.is_error()), "{findings:?}");
    }

    #[test]
    fn missing_field_inside_an_inferred_field_is_a_warning() {
        let outer = |source| Field {
            name: "topup",
            required: false,
            source,
            type_name: "Topup",
            fields: Topup::FIELDS,
            rules: &[],
            about: "",
        };
        for (source, severity) in [(Source::Inferred, Severity::Warning), (Source::Documented, Severity::Error)] {
            let mut members = Map::new();
            members.insert("topup".into(), serde_json::json!({ "orderNo": "T", "amount": "1", "currency": "EUR" }));
            let fields: &'static [Field] = Box::leak(Box::new([outer(source)]));
            let mut findings = Vec::new();
            Object { members: &members, fields, path: String::new(), inferred: false }.review(&mut findings);
            let found: Vec<_> = findings.iter().map(|finding| (finding.field.as_str(), finding.severity)).collect();
            assert_eq!(found, [("topup.cardId", severity)]);
        }
    }
}
