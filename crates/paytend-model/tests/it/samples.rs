//! Tests with the sample messages from the providers' documents, unchanged and with unknown fields and codes.

use paytend_model::{Operation, Validate, envelope, payby, payermax};
use serde_json::Value;

use crate::every::{Type, find};

fn check(payload: &Type, sample: &str) {
    let value: Value = serde_json::from_str(sample).unwrap();
    let round_trip = |value: &Value| -> Value {
        let text = (payload.round_trip)(&value.to_string()).unwrap_or_else(|error| panic!("{}: {error}", payload.name));
        serde_json::from_str(&text).unwrap()
    };
    assert_eq!(round_trip(&value), value, "{}", payload.name);
    // The sample is also written back unchanged if every object has unknown fields.
    let mut widened = value.clone();
    assert!(widen(&mut widened) > 0);
    assert_eq!(round_trip(&widened), widened, "{}", payload.name);
    // Replaces each code with values that this crate does not know.
    for field in payload.fields {
        let codes =
            ["Code", "IdType", "TransferStatus", "NetworkCode", "BeneficiaryType", "NotificationCode", "NotifyType"];
        if codes.contains(&field.type_name) || field.type_name == "Direction" {
            for unknown in [Value::from("SOMETHING_NEW"), Value::from(77), Value::from("")] {
                let mut changed = value.clone();
                changed[field.name] = unknown;
                assert_eq!(round_trip(&changed), changed, "{} {}", payload.name, field.name);
            }
        }
    }
}

/// Adds unknown fields to every object.
fn widen(value: &mut Value) -> usize {
    match value {
        Value::Array(items) => items.iter_mut().map(widen).sum(),
        Value::Object(members) => {
            let inside: usize = members.values_mut().map(widen).sum();
            members.insert("addedLater".into(), serde_json::json!({ "list": [1, "two", null, 1.5] }));
            members.insert("AddedLater".into(), Value::Null);
            inside + 1
        }
        _ => 0,
    }
}

#[test]
fn every_documented_sample_is_written_back_unchanged() {
    let samples = paytend_vectors::samples();
    let mut count = [0; 5];
    for sample in &samples {
        let document = ["baas", "funding", "issuing", "payby", "payermax"].iter().position(|d| *d == sample.document);
        count[document.unwrap()] += 1;
        let json = sample.json.as_str();
        match sample.type_name.as_str() {
            "payby::ACKNOWLEDGEMENT" => assert_eq!(compact(payby::ACKNOWLEDGEMENT), compact(json)),
            "payermax::ACKNOWLEDGEMENT" => assert_eq!(compact(payermax::ACKNOWLEDGEMENT), compact(json)),
            name => check(&find(name), json),
        }
        // The payload inside the envelope is also checked.
        if let Some((field, name)) = &sample.payload {
            let envelope: Value = serde_json::from_str(json).unwrap();
            check(&find(name), &envelope[field].to_string());
        }
    }
    assert_eq!(count, [7, 6, 7, 2, 2]);
}

fn compact(json: &str) -> Value {
    serde_json::from_str(json).unwrap()
}

#[test]
fn unknown_codes_in_nested_objects_are_kept() {
    let payby =
        paytend_vectors::samples().into_iter().find(|s| s.document == "payby" && s.name == "notification").unwrap();
    let mut value: Value = serde_json::from_str(&payby.json).unwrap();
    for (field, new) in [("status", "REVERSED"), ("networkCode", "UAEFTS"), ("beneficiaryType", "PROXY")] {
        value["transferToBankOrder"][field] = new.into();
    }
    let read: payby::TransferToBankNotification = serde_json::from_value(value.clone()).unwrap();
    let order = read.order.as_ref().unwrap();
    assert_eq!(order.status, Some(payby::TransferStatus::Other("REVERSED".into())));
    assert_eq!(order.network_code.as_ref().unwrap().as_str(), "UAEFTS");
    assert_eq!(serde_json::to_value(&read).unwrap(), value);

    let payermax =
        paytend_vectors::samples().into_iter().find(|s| s.document == "payermax" && s.name == "notification").unwrap();
    let mut value: Value = serde_json::from_str(&payermax.json).unwrap();
    value["data"]["direction"] = "HOLD".into();
    value["notifyType"] = 5.into();
    let read: payermax::BalanceChangeNotification = serde_json::from_value(value.clone()).unwrap();
    assert_eq!(read.data.direction, payermax::Direction::Other("HOLD".into()));
    assert_eq!(serde_json::to_value(&read).unwrap(), value);
}

#[test]
fn payby_and_payermax_samples_have_the_expected_values() {
    let find = |document: &str| {
        paytend_vectors::samples()
            .into_iter()
            .find(|s| s.document == document && s.name == "notification")
            .unwrap()
            .json
    };
    let payby: payby::TransferToBankNotification = serde_json::from_str(&find("payby")).unwrap();
    let order = payby.order.as_ref().unwrap();
    assert_eq!(payby.sent_at_millis(), None, "the sample has no timestamp, although it is documented as required");
    assert_eq!((order.amount.amount.to_string().as_str(), &order.amount.currency), ("0.02", &"AED".into()));
    assert_eq!(order.status, Some(payby::TransferStatus::Success));
    assert!(order.holder_name.is_hash() && order.iban.as_ref().unwrap().is_hash());
    assert!(order.extra.is_empty() && payby.extra.is_empty());
    assert_eq!(order.payment_info.as_ref().unwrap().arrival_time.as_ref().unwrap().get(), Some(1_586_849_273_000));
    assert!(payby.validate().is_ok());

    let payermax: payermax::BalanceChangeNotification = serde_json::from_str(&find("payermax")).unwrap();
    assert_eq!(payermax.code, payermax::NotificationCode::ApplySuccess);
    assert_eq!(payermax.notify_type, payermax::NotifyType::Exchange);
    assert_eq!(payermax.data.amount.value.to_string(), "448.13");
    assert_eq!(payermax.sent_at_millis(), Some(1_670_837_217_628));
    assert!(payermax.extra.is_empty() && payermax.data.extra.is_empty());
    assert_eq!(payermax.validate(), Ok(Vec::new()));
}

/// The `requestId` of the sample "sms request" has 17 characters, although the documentation requires 32. The sample
/// "request" contains placeholders instead of the fixed values of `signType` and `version`.
#[test]
fn sms_sample_is_valid_and_placeholders_are_reported() {
    let check = |json: &str| serde_json::from_str::<envelope::RequestEnvelope>(json).unwrap().validate();
    let by_name = |name: &str| paytend_vectors::samples().into_iter().find(|sample| sample.name == name).unwrap().json;
    assert_eq!(check(&by_name("sms request")), Ok(Vec::new()));
    let placeholders = check(&by_name("request")).unwrap_err().to_string();
    assert_eq!(placeholders, "`signType` must be RSA; `version` must be 2.0");
    assert_eq!(
        <paytend_model::iban::VerifyMobileNumber as Operation>::INFO.request_object,
        Some("VerificationCode_BizData")
    );
}
