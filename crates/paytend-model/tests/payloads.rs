//! What holds for every payload type.

// A test that cannot go on should panic.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::cast_possible_truncation, clippy::print_stderr)]

use paytend_model::iban::IbanTransaction;
use paytend_model::issuing::{Address, CreateCardholder, HolderResponse, QueryPartnerBalance, Topup};
use paytend_model::{BaasNotification, Base64Text, NoData, Notification, Product};
use serde_json::Value;

const DEPOSIT: &str = r#"{"transactionId":"T202311060001","orderNo":"F20231106000123","accountNum":"LT463570021000000451","tradeType":1,"tradeStatus":2,"paymentType":3,"currency":"EUR","amount":1250.07,"fee":0.350,"counterpartyAccountName":"Žalgirio UAB","counterpartyAccountNum":"DE89370400440532013000","counterpartyBankBic":"COBADEFFXXX","counterpartyBankName":"Commerzbank","transDate":"2023-11-06 10:15:30","reconciliationDate":"2023-11-06","reference":"INV=42&x","exRate":"1.0000","targetCurrency":"EUR","targetAmount":1250.07}"#;

#[test]
fn a_documented_deposit_is_read_and_written_to_the_letter() {
    let deposit: IbanTransaction = serde_json::from_str(DEPOSIT).unwrap();
    assert!(deposit.extra.is_empty());
    assert_eq!(deposit.fee.as_ref().unwrap().to_string(), "0.350");
    assert_eq!(serde_json::to_string(&deposit).unwrap(), DEPOSIT);
}

#[test]
fn unknown_fields_and_nulls_survive_with_their_digits_and_order() {
    let json = r#"{"cardId":"1","orderNo":"T","amount":"10.10","currency":"EUR","zeta":12345678901234567890.1234567890,"alpha":{"b":[1.50,null]},"nothing":null}"#;
    let topup: Topup = serde_json::from_str(json).unwrap();
    assert_eq!(topup.extra.get("zeta"), Some("12345678901234567890.1234567890"));
    assert_eq!(serde_json::to_string(&topup).unwrap(), json);

    let mut holder: HolderResponse = serde_json::from_str(r#"{"holderId":null,"new":1}"#).unwrap();
    assert_eq!(holder.holder_id, None);
    assert_eq!(serde_json::to_string(&holder).unwrap(), r#"{"holderId":null,"new":1}"#);
    holder.holder_id = Some("7".into());
    assert_eq!(serde_json::to_string(&holder).unwrap(), r#"{"holderId":"7","new":1}"#);
    holder.extra.set("new", "[2]").unwrap();
    holder.extra.set("more", r#""x""#).unwrap();
    assert!(holder.extra.set("broken", "{").is_err());
    assert_eq!(serde_json::to_string(&holder).unwrap(), r#"{"holderId":"7","new":[2],"more":"x"}"#);
}

#[test]
fn a_wrong_field_is_named_and_its_value_is_not_shown() {
    let errors = [
        (r#"{"cardId":"1","orderNo":"T","amount":"CANARY","currency":"EUR"}"#, "field `amount`"),
        (r#"{"cardId":{"CANARY":1},"orderNo":"T","amount":"1","currency":"EUR"}"#, "field `cardId`"),
        (r#"{"cardId":"CANARY","orderNo":"T","amount":"1"}"#, "missing field `currency`"),
        (r#"{"cardId":null,"orderNo":"CANARY","amount":"1","currency":"EUR"}"#, "field `cardId`"),
        (r#"{"cardId":"CANARY","cardId":"2","orderNo":"T","amount":"1","currency":"EUR"}"#, "duplicate field `cardId`"),
    ];
    for (json, part) in errors {
        let error = serde_json::from_str::<Topup>(json).unwrap_err().to_string();
        assert!(error.contains(part) && !error.contains("CANARY"), "{error}");
    }
}

#[test]
fn names_and_address_lines_travel_as_base64() {
    let mut address =
        Address::new("Žalgirio g. 24".into(), "VNO".into(), "Vilnius".into(), "08217".into(), "LT".into());
    address.address_line2 = Some("2 aukštas".into());
    let json = serde_json::to_value(&address).unwrap();
    assert_eq!(json["addressLine"], "xb1hbGdpcmlvIGcuIDI0");
    assert_eq!(serde_json::from_value::<Address>(json).unwrap(), address);
    for wrong in [r#""not base64!""#, r#""/w==""#, "1"] {
        assert!(serde_json::from_str::<Base64Text>(wrong).is_err(), "{wrong}");
    }
}

#[test]
fn debug_shows_no_values() {
    let address = Address::new("CANARY".into(), "CANARY".into(), "CANARY".into(), "CANARY".into(), "CANARY".into());
    let text = || "CANARY".to_owned();
    let holder = CreateCardholder::new(
        text(),
        "CANARY".into(),
        "CANARY".into(),
        text(),
        text(),
        text(),
        text(),
        text(),
        text(),
        address,
    );
    let mut unknown = NoData::default();
    unknown.extra.set("CANARY", r#""CANARY""#).unwrap();
    let unread = Notification::read(Product::Baas, "2", r#"{"amount":"CANARY"}"#);
    let deposit = Notification::read(Product::Baas, "2", r#"{"reference":"CANARY"}"#);
    let shown = format!("{holder:?} {unknown:?} {unread:?} {deposit:?} {:?}", Base64Text::from("CANARY"));
    assert!(!shown.contains("CANARY"), "{shown}");
    assert!(shown.contains("first_name: _") && shown.contains("1 unknown fields"), "{shown}");
}

#[test]
fn an_operation_without_business_data_is_an_empty_object() {
    assert_eq!(serde_json::to_string(&QueryPartnerBalance::new()).unwrap(), "{}");
}

#[test]
fn notifications_are_read_by_product_and_type_and_never_lost() {
    assert!(matches!(
        Notification::read(Product::Baas, "2", DEPOSIT),
        Notification::Baas(BaasNotification::FundDeposit(_))
    ));
    for (notify_type, content, has_problem) in
        [("99", r#"{"new":"thing"}"#, false), ("2", r#"{"amount":1e3}"#, true), ("", "", false), ("2", "", true)]
    {
        let Notification::Baas(BaasNotification::Other(raw)) = Notification::read(Product::Baas, notify_type, content)
        else {
            panic!("{notify_type}")
        };
        assert_eq!((raw.notify_type.as_str(), raw.content.as_str()), (notify_type, content));
        assert_eq!(raw.problem.is_some(), has_problem, "{notify_type} {:?}", raw.problem);
    }
    // The same number means something else in the other product.
    assert!(matches!(Notification::read(Product::Issuing, "2", DEPOSIT), Notification::Issuing(_)));
}

/// Whatever object a response is, what was read is written again.
#[test]
fn any_object_survives_a_round_trip() {
    use proptest::prelude::*;

    fn value() -> impl Strategy<Value = Value> {
        let leaf = prop_oneof![
            Just(Value::Null),
            any::<bool>().prop_map(Value::from),
            any::<i64>().prop_map(Value::from),
            ".{0,8}".prop_map(Value::from)
        ];
        leaf.prop_recursive(3, 12, 4, |inner| prop::collection::vec(inner, 0..4).prop_map(Value::from))
    }
    let names = prop_oneof![Just("holderId".to_owned()), Just("status".to_owned()), "[a-zA-Z]{1,8}"];
    let objects = prop::collection::btree_map(names, value(), 0..6);
    let config = ProptestConfig { failure_persistence: None, ..ProptestConfig::default() };
    proptest::test_runner::TestRunner::new(config)
        .run(&objects, |members| {
            let mut object = Value::Object(members.into_iter().collect());
            for known in ["holderId", "status"] {
                // Known fields have their type, or are null.
                if object.get(known).is_some_and(|v| !v.is_string() && !v.is_null()) {
                    object[known] = "x".into();
                }
            }
            let holder: HolderResponse = serde_json::from_value(object.clone()).unwrap();
            prop_assert_eq!(serde_json::to_value(&holder).unwrap(), object);
            Ok(())
        })
        .unwrap();
}
