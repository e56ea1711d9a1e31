//! Checks JSON output against the schemas in `schemas/`.

use serde_json::Value;

/// Asserts that a JSON text matches a schema in `schemas/`, and returns the parsed JSON.
pub(crate) fn checked(schema: &str, json: &str) -> Value {
    let path = format!("{}/schemas/{schema}.json", env!("CARGO_MANIFEST_DIR"));
    let text = std::fs::read_to_string(&path).unwrap();
    let schema: Value = serde_json::from_str(&text).unwrap();
    let value: Value = serde_json::from_str(json).unwrap_or_else(|error| panic!("{error}: {json}"));
    let validator = jsonschema::validator_for(&schema).unwrap();
    let errors: Vec<String> = validator.iter_errors(&value).map(|error| error.to_string()).collect();
    assert!(errors.is_empty(), "{path}: {errors:?}: {json}");
    value
}

/// Shows that `checked` fails for a document that does not match the schema.
#[test]
#[should_panic(expected = "call.json")]
fn schema_refuses_a_missing_member() {
    checked("call", r#"{"operation":"issuing.topup"}"#);
}
