//! Tests for properties that all payload types share.

use paytend_model::iban::IbanTransaction;
use paytend_model::issuing::{Address, HolderResponse, QueryPartnerBalance, Topup};
use paytend_model::{Amount, Base64Text, Code, Count, FileContent, IdType};

const DEPOSIT: &str = concat!(
    r#"{"transactionId":"T202311060001","orderNo":"F20231106000123","accountNum":"LT463570021000000451","#,
    r#""tradeType":1,"tradeStatus":2,"paymentType":3,"currency":"EUR","amount":1250.07,"fee":0.350,"#,
    r#""counterpartyAccountName":"Žalgirio UAB","counterpartyAccountNum":"DE89370400440532013000","#,
    r#""counterpartyBankBic":"COBADEFFXXX","counterpartyBankName":"Commerzbank","#,
    r#""transDate":"2023-11-06 10:15:30","reconciliationDate":"2023-11-06","reference":"INV=42&x","#,
    r#""exRate":"1.0000","#,
    r#""targetCurrency":"EUR","targetAmount":1250.07}"#,
);

#[test]
fn documented_deposit_is_written_back_unchanged() {
    let deposit: IbanTransaction = serde_json::from_str(DEPOSIT).unwrap();
    assert!(deposit.extra.is_empty());
    assert_eq!(deposit.fee.as_ref().unwrap().to_string(), "0.350");
    assert_eq!(serde_json::to_string(&deposit).unwrap(), DEPOSIT);
}

#[test]
fn unknown_fields_and_nulls_round_trip_unchanged() {
    let json = concat!(
        r#"{"cardId":"1","orderNo":"T","amount":"10.10","currency":"EUR","#,
        r#""zeta":12345678901234567890.1234567890,"alpha":{"b":[1.50,null]},"nothing":null}"#
    );
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
fn error_contains_the_field_name_but_not_the_value() {
    let errors = [
        (r#"{"cardId":"1","orderNo":"T","amount":"CANARY","currency":"EUR"}"#, "field `amount`"),
        (r#"{"cardId":{"CANARY":1},"orderNo":"T","amount":"1","currency":"EUR"}"#, "field `cardId`"),
        (r#"{"cardId":"CANARY","orderNo":"T","currency":"EUR"}"#, "field `amount`: required field is missing"),
        (
            r#"{"cardId":"1","orderNo":"CANARY","amount":null,"currency":"EUR"}"#,
            "field `amount`: required field is missing",
        ),
        (
            r#"{"cardId":"CANARY","cardId":"2","orderNo":"T","amount":"1","currency":"EUR"}"#,
            "field `cardId`: duplicate field",
        ),
    ];
    for (json, part) in errors {
        let error = serde_json::from_str::<Topup>(json).unwrap_err().to_string();
        assert!(error.contains(part) && !error.contains("CANARY"), "{error}");
    }
}

#[test]
fn names_and_address_lines_are_base64_on_the_wire() {
    let mut address =
        Address::builder().address_line("Žalgirio g. 24").city_code("VNO").postcode("08217").country_code("LT").build();
    address.address_line2 = Some("2 aukštas".into());
    let json = serde_json::to_value(&address).unwrap();
    assert_eq!(json["addressLine"], "xb1hbGdpcmlvIGcuIDI0");
    assert_eq!(serde_json::from_value::<Address>(json).unwrap(), address);
    for wrong in [r#""not base64!""#, r#""/w==""#, "1"] {
        assert!(serde_json::from_str::<Base64Text>(wrong).is_err(), "{wrong}");
    }
}

#[test]
fn request_without_business_data_is_written_as_an_empty_object() {
    assert_eq!(serde_json::to_string(&QueryPartnerBalance::new()).unwrap(), "{}");
}

#[test]
fn debug_shows_identifiers_and_hides_personal_data() {
    let mut deposit: IbanTransaction = serde_json::from_str(DEPOSIT).unwrap();
    deposit.extra.set("more", "1").unwrap();
    let shown = format!("{deposit:?}");
    assert!(shown.contains(r#"order_no: "F20231106000123""#) && shown.contains("amount: Amount(1250.07)"), "{shown}");
    assert!(shown.contains("account_num: _") && shown.contains("extra: 1 unknown fields"), "{shown}");
    assert!(format!("{:?}", FileContent::from(vec![1, 2, 3])).contains("3 bytes"));
}

#[test]
fn codes_keep_their_json_type() {
    for json in [r#""2""#, "2", r#""""#, "-1", "1.50", r#""a\u0000\"""#] {
        let code: Code = serde_json::from_str(json).unwrap();
        assert_eq!(serde_json::to_string(&code).unwrap(), json);
    }
    assert_eq!(serde_json::from_str::<Code>("2").unwrap(), Code::from("2"), "codes are compared by their text");
    assert_eq!(serde_json::to_string(&Code::number(-7)).unwrap(), "-7");
    assert!(Code::number(1).is_number() && !Code::from("1").is_number());
    for wrong in ["null", "true", "[]", "{}"] {
        assert!(serde_json::from_str::<Code>(wrong).is_err(), "{wrong}");
    }
    assert_eq!(IdType::from("2"), IdType::Passport);
    for json in [r#""2""#, "2", r#""9""#] {
        let id_type: IdType = serde_json::from_str(json).unwrap();
        assert_eq!(serde_json::to_string(&id_type).unwrap(), json);
        assert_eq!(id_type == IdType::Passport, json != r#""9""#, "codes are compared by their text");
    }
    assert_eq!((Count::from(20).get(), Count::from("x").get()), (Some(20), None));
}

#[test]
fn valid_amounts_keep_their_digits_and_invalid_amounts_are_rejected_with_a_reason() {
    for json in ["1250.07", "10.10", "0.020", "123456789012345.12345678", r#""10.10""#] {
        assert_eq!(serde_json::to_string(&serde_json::from_str::<Amount>(json).unwrap()).unwrap(), json);
    }
    let topup = r#"{"cardId":"1","orderNo":"T","amount":X,"currency":"EUR"}"#;
    for (wrong, reason) in [("1e30", "too many digits"), (r#""NaN""#, "not a decimal"), ("1e-29", "too many digits")] {
        let json = topup.replace('X', wrong);
        let error = serde_json::from_str::<Topup>(&json).unwrap_err().to_string();
        assert!(error.starts_with("field `amount`: ") && error.contains(reason), "{error}");
    }
    assert!(serde_json::from_str::<Topup>(&topup.replace('X', "NaN")).is_err());
}

/// An identifier is often used in several requests, so builders accept references.
#[test]
fn builders_accept_references_to_strings_and_identifiers() {
    let card: paytend_model::CardId = "1755902".into();
    let (order, line, kind) = (String::from("T-1"), Base64Text::from("Gedimino pr. 1"), IdType::Passport);
    let topup = Topup::builder().card_id(&card).order_no(&order).amount(25.into()).currency("EUR").build();
    assert_eq!((&topup.card_id, topup.order_no.as_str()), (&card, order.as_str()));
    assert_eq!(paytend_model::issuing::QueryCardBalance::new(&card).card_id, card);
    let address = Address::builder().address_line(&line).city_code(&order).postcode("1").country_code("LT").build();
    assert_eq!((&address.address_line, address.city_code.as_str()), (&line, "T-1"));
    assert_eq!((IdType::from(&kind), IdType::from(String::from("2"))), (kind.clone(), kind));
    let hashed = paytend_model::HashedText::from(&order);
    assert_eq!(paytend_model::HashedText::from(&hashed), hashed);
}
