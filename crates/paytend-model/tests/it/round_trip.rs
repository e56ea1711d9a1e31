//! Tests that objects of every type are written back as they were read.

use std::cell::Cell;

use proptest::prelude::*;
use proptest::sample::Index;
use proptest::test_runner::{RngAlgorithm, TestRng, TestRunner};
use serde_json::Value;

use crate::every::{Type, types, value};

fn any_json() -> impl Strategy<Value = Value> {
    let leaf = prop_oneof![
        Just(Value::Null),
        any::<bool>().prop_map(Value::from),
        any::<i64>().prop_map(Value::from),
        any::<f64>().prop_map(Value::from),
        ".{0,8}".prop_map(Value::from),
        "[A-Za-z0-9+/]{4}".prop_map(Value::from),
        "-?[0-9]{1,15}(\\.[0-9]{1,8})?".prop_map(Value::from),
    ];
    leaf.prop_recursive(3, 16, 4, |inner| {
        prop_oneof![
            prop::collection::vec(inner.clone(), 0..4).prop_map(Value::from),
            prop::collection::btree_map("[a-zA-Z]{1,8}", inner, 0..4)
                .prop_map(|members| Value::Object(members.into_iter().collect())),
        ]
    })
}

/// The values for a type's fields, and additional members.
type Plan = (Vec<(u8, Index, Value)>, Vec<(String, Value)>);

fn built(payload: &Type, (fields, further): &Plan) -> Value {
    let mut object = serde_json::Map::new();
    for (field, (choice, index, any)) in payload.fields.iter().zip(fields) {
        let texts = ["", "1", "EUR", "2023-11-06", "a\u{e9}\"\\/\n", "SUCCESS"];
        let value = match choice % 16 {
            0 if !field.required => continue,
            1 if !field.required => Value::Null,
            2 => any.clone(),
            _ => value(payload, field, &|_, _| (*index.get(&texts)).to_owned()),
        };
        object.insert(field.name.to_owned(), value);
    }
    for (name, value) in further {
        object.entry(name.clone()).or_insert_with(|| value.clone());
    }
    Value::Object(object)
}

#[test]
fn every_type_writes_back_an_equal_object() {
    let field = (any::<u8>(), any::<Index>(), any_json());
    let further = prop::collection::vec(("[a-zA-Z_]{1,10}", any_json()), 0..4);
    let plans = (prop::collection::vec(field, 24), further);
    let config = ProptestConfig { cases: 32, failure_persistence: None, ..ProptestConfig::default() };
    for payload in types() {
        assert!(payload.fields.len() <= 24, "{}", payload.name);
        let read = Cell::new(0);
        // The seed is fixed, because the number of objects that are read must not depend on chance.
        TestRunner::new_with_rng(config.clone(), TestRng::deterministic_rng(RngAlgorithm::ChaCha))
            .run(&plans, |plan| {
                let object = built(&payload, &plan);
                let text = object.to_string();
                if let Ok(written) = (payload.round_trip)(&text) {
                    read.set(read.get() + 1);
                    // Both texts are parsed by serde_json before they are compared, because serde_json may change a
                    // float when it reads and writes it.
                    let parsed = |text: &str| serde_json::from_str::<Value>(text).unwrap();
                    prop_assert_eq!(parsed(&written), parsed(&text), "{}", &payload.name);
                }
                Ok(())
            })
            .unwrap();
        // Most of the generated objects can be rejected, because they lack a required field. At least a few must have
        // been read.
        assert!(read.get() >= 4, "{}: read {}", payload.name, read.get());
    }
}

#[test]
fn inferred_field_of_an_unexpected_type_is_kept_in_extra() {
    use paytend_model::issuing::{PartnerBalanceResponse, TopupResponse};
    let json = r#"{"orderNo":["T-1"],"status":{"code":1.10},"new":0.10}"#;
    let mut topup: TopupResponse = serde_json::from_str(json).unwrap();
    assert_eq!((&topup.order_no, &topup.status), (&None, &None));
    assert_eq!(topup.extra.get("status"), Some(r#"{"code":1.10}"#));
    assert_eq!(serde_json::to_string(&topup).unwrap(), json);
    // A value that is set later replaces the unreadable value.
    topup.status = Some("2".into());
    assert_eq!(serde_json::to_string(&topup).unwrap(), r#"{"status":"2","orderNo":["T-1"],"new":0.10}"#);

    // A single item of an unexpected type moves the whole list to `extra`.
    let json = r#"{"balance":[{"currency":"EUR","available":"1.00"},{"currency":"EUR"}]}"#;
    let balance: PartnerBalanceResponse = serde_json::from_str(json).unwrap();
    assert!(balance.balance.is_none() && balance.extra.get("balance").is_some());
    assert_eq!(serde_json::to_string(&balance).unwrap(), json);

    // Both values of a duplicate field are kept in `extra`.
    let json = r#"{"status":1,"status":2,"orderNo":"T-1"}"#;
    let topup: TopupResponse = serde_json::from_str(json).unwrap();
    assert_eq!((topup.status.as_ref(), topup.order_no.as_deref(), topup.extra.len()), (None, Some("T-1"), 2));

    // Documented and observed fields of an unexpected type cause errors.
    let wrong = serde_json::from_str::<paytend_model::iban::IbanTransaction>(r#"{"amount":"much"}"#).unwrap_err();
    assert!(wrong.to_string().starts_with("field `amount`: not a decimal number"), "{wrong}");
}
