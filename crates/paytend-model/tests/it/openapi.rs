//! Tests that compare the OpenAPI document with the registry and with `openapi.json`.

use std::collections::BTreeSet;

use paytend_model::{Notification, operations};
use serde_json::Value;

use crate::every::types;

#[test]
fn document_has_every_operation_and_notification() {
    let document = paytend_model::openapi::document();
    for entry in operations() {
        let post = &document["paths"][entry.info.path]["post"];
        assert_eq!(post["summary"], entry.info.title);
        assert_eq!(post["x-provenance"]["path"], entry.info.provenance.path.to_string());
        let body = &post["requestBody"]["content"]["application/json"];
        let plain = &body["schema"]["properties"]["bizData"];
        // An operation without business data sends an empty string.
        match entry.request.fields {
            [] => assert_eq!((plain, &body["example"]["bizData"]), (&Value::Null, &"".into())),
            _ => {
                let name = plain["x-plaintext"]["$ref"].as_str().unwrap().rsplit('/').next().unwrap();
                assert!(name.ends_with(entry.request.name), "{name}");
                let example = plain["x-plaintext-example"].to_string();
                let errors: Vec<_> = entry.review(&example).into_iter().filter(|finding| finding.is_error()).collect();
                assert!(errors.is_empty(), "{name}: {errors:?} {example}");
            }
        }
    }
    assert_eq!(document["paths"].as_object().unwrap().len(), operations().len());
    assert_eq!(document["webhooks"].as_object().unwrap().len(), Notification::kinds().count() + 2);
}

/// Every schema lists all fields of its type and their sources, and contains examples that can be read as the type.
#[test]
fn every_field_has_a_description_a_source_and_a_valid_example() {
    let document = paytend_model::openapi::document();
    let schemas = document["components"]["schemas"].as_object().unwrap();
    for payload in types() {
        let schema = &schemas[&payload.name.replace("::", ".")];
        let properties = schema["properties"].as_object().unwrap();
        let names: BTreeSet<&str> = properties.keys().map(String::as_str).collect();
        assert_eq!(names, payload.fields.iter().map(|field| field.name).collect(), "{}", payload.name);
        for field in payload.fields {
            let property = &properties[field.name];
            assert_eq!(property["x-provenance"], field.source.to_string(), "{} {}", payload.name, field.name);
            assert!(!property["description"].as_str().unwrap().is_empty(), "{} {}", payload.name, field.name);
            if let Some(example) = property["examples"].get(0) {
                let mut object = crate::every::object(&payload, &|_, _| "x".into());
                object[field.name] = example.clone();
                let written: Value = serde_json::from_str(&(payload.round_trip)(&object.to_string()).unwrap()).unwrap();
                assert_eq!(&written[field.name], example);
            }
        }
    }
}

#[test]
fn openapi_json_is_up_to_date() {
    let file = concat!(env!("CARGO_MANIFEST_DIR"), "/openapi.json");
    let written: Value = serde_json::from_str(&std::fs::read_to_string(file).unwrap()).unwrap();
    assert!(written == paytend_model::openapi::document(), "openapi.json is stale: run `cargo xtask openapi`");
}
