//! JSON Schemas of payloads. The code that the `payload!` macro generates calls these functions.

use schemars::Schema;
use serde_json::{Map, Value, json};

use crate::payload::Payload;
use crate::validate::Field;
use crate::validate::{Rule, Severity};
use crate::value::FieldType;

/// Returns the name of a payload's schema, such as `issuing.Topup`. The name includes the module, since `iban` and
/// `issuing` both have a `QueryCities` type.
pub(crate) fn name(module: &str, name: &str) -> String {
    match module.split("::").nth(1) {
        None | Some("operation") => name.to_owned(),
        Some(area) => format!("{area}.{name}"),
    }
}

/// Builds the schema of a payload from the schemas and examples of its fields.
pub(crate) fn object<P: Payload>(fields: Vec<(Schema, Option<Value>)>) -> Schema {
    let mut properties = Map::new();
    for (field, (mut schema, example)) in P::FIELDS.iter().zip(fields) {
        narrow(&mut schema, example.as_ref());
        // An empty string means that a field is not set, so the schema of an optional field must allow it.
        let narrowed = |rule: &&Rule| {
            let about_length = matches!(rule, Rule::MaxChars(_));
            rule.severity(field.source) == Severity::Error && (field.required || about_length)
        };
        field.rules.iter().filter(narrowed).for_each(|rule| apply(&mut schema, rule));
        if field.required
            && field.severity_if_missing() == Severity::Error
            && schema.get("type") == Some(&json!("string"))
        {
            apply(&mut schema, &Rule::NotEmpty);
        }
        schema.insert("description".into(), lines(field.about).into());
        schema.insert("x-provenance".into(), field.source.to_string().into());
        if let Some(example) = example {
            schema.insert("examples".into(), json!([example]));
        }
        properties.insert(field.name.into(), schema.to_value());
    }
    let required: Vec<&str> = P::FIELDS.iter().filter(|field| field.required).map(|field| field.name).collect();
    let mut schema = schemars::json_schema!({
        "type": "object",
        "description": lines(P::ABOUT),
        "properties": properties,
        "additionalProperties": true,
        "x-provenance": P::SOURCE.to_string(),
    });
    if !required.is_empty() {
        schema.insert("required".into(), required.into());
    }
    // Fields that are required unless another field is present.
    let alternative = |field: &Field| {
        field.rules.iter().find_map(|rule| match rule {
            Rule::RequiredUnless(other) => Some((*other, field.name)),
            _ => None,
        })
    };
    let pairs: Vec<(&str, &str)> = P::FIELDS.iter().filter_map(alternative).collect();
    if let Some((other, _)) = pairs.first() {
        let names: Vec<&str> = pairs.iter().map(|(_, name)| *name).collect();
        schema.insert("anyOf".into(), json!([{ "required": [other] }, { "required": names }]));
    }
    schema
}

/// If a schema allows both strings and numbers, restricts it to the type of the example. The Rust types accept both,
/// but the provider documents only one of the two.
fn narrow(schema: &mut Schema, example: Option<&Value>) {
    if schema.get("type") != Some(&json!(["string", "number"])) {
        return;
    }
    let number = example.is_some_and(Value::is_number);
    schema.insert("type".into(), if number { "number" } else { "string" }.into());
    if number {
        schema.remove("pattern");
        schema.remove("format");
    }
}

/// Adds a field's example to the payload's example. The default is the example of the field's type.
pub(crate) fn example<T: FieldType>(object: &mut Map<String, Value>, name: &str, field_example: Option<Value>) {
    if let Some(example) = field_example.or_else(T::example) {
        object.insert(name.into(), example);
    }
}

/// Adds a rule to a schema, if JSON Schema can express it.
pub(crate) fn apply(schema: &mut Schema, rule: &Rule) {
    let mut set = |name: &str, value: Value| {
        schema.insert(name.into(), value);
    };
    match rule {
        Rule::NotEmpty => set("minLength", 1.into()),
        Rule::Chars(count) => {
            set("minLength", (*count).into());
            set("maxLength", (*count).into());
        }
        Rule::MinChars(least) => set("minLength", (*least).into()),
        Rule::MaxChars(most) => set("maxLength", (*most).into()),
        Rule::Digits => set("pattern", "^[0-9]+$".into()),
        Rule::Date => set("format", "date".into()),
        Rule::CompactTime => set("pattern", "^[0-9]{14}$".into()),
        Rule::Rfc3339Millis => set("format", "date-time".into()),
        Rule::PlainLatin => set("pattern", "^[A-Za-z0-9/. -]*$".into()),
        Rule::Is(value) => set("const", (*value).into()),
        // A field's schema cannot express rules about decoded bytes, numbers, hashes or several fields. The object's
        // schema, the description or the example expresses these rules instead.
        Rule::MaxBytes(_)
        | Rule::Positive
        | Rule::MaxPlainChars(_)
        | Rule::NotBefore(_)
        | Rule::MaxDaysAfter(..)
        | Rule::MaxCharsWith(..)
        | Rule::RequiredUnless(_)
        | Rule::RequiredWith(_)
        | Rule::PlainDecimal
        | Rule::AsText
        | Rule::AsNumber
        // Violations of these rules are only warnings.
        | Rule::Iso4217
        | Rule::Iso3166
        | Rule::Email
        | Rule::Phone
        | Rule::Iban
        | Rule::Bic
        | Rule::OfItsType => {}
    }
}

/// Returns the text of a doc comment as Markdown, without leading spaces or links to items.
pub(crate) fn lines(about: &str) -> String {
    let text = about.lines().map(str::trim).collect::<Vec<_>>().join("\n");
    let mut parts = text.split("[`");
    let mut plain = parts.next().unwrap_or_default().to_owned();
    for part in parts {
        let (name, mut rest) = part.split_once("`]").unwrap_or((part, ""));
        if let Some((_target, after)) = rest.strip_prefix('(').and_then(|target| target.split_once(')')) {
            rest = after;
        }
        plain.push_str(&format!("`{name}`{rest}"));
    }
    plain
}

#[cfg(test)]
mod tests {
    #[test]
    fn item_links_become_code_spans() {
        assert_eq!(
            super::lines(" See [`Topup`] and\n [`all`](crate::all) (a list). [`x`](y)"),
            "See `Topup` and\n`all` (a list). `x`"
        );
    }
}
