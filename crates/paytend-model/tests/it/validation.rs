//! The lengths and formats that the documents state, field by field.

use paytend_model::issuing::{QueryCardTransactions, QueryCardholder, QueryPartnerTransactions, Topup, UploadDocument};
use paytend_model::{FileContent, MAX_FILE_BYTES, Rule, Validate, iban, payby, payermax};
use serde_json::{Value, json};

fn payby_order() -> Value {
    json!({
        "merchantOrderNo": "M1", "orderNo": "1", "holderName": "Ona", "memo": "x",
        "amount": { "amount": 1, "currency": "AED" },
    })
}

fn broken<V: Validate>(value: &V) -> String {
    value.validate().err().map(|invalid| invalid.to_string()).unwrap_or_default()
}

/// A length at its limit is good, one more is not; both as multi-byte characters.
#[test]
fn payby_s_lengths() {
    for (field, most) in [
        ("merchantOrderNo", 64),
        ("orderNo", 64),
        ("holderName", 100),
        ("iban", 34),
        ("memo", 128),
        ("notifyUrl", 200),
        ("accountNo", 64),
        ("networkCode", 20),
        ("bankName", 64),
        ("countryCode", 16),
        ("fundoutCurrencyCode", 16),
        ("branchName", 35),
        ("intermediaryBank", 12),
        ("beneficiaryType", 16),
        ("swiftCode", 11),
    ] {
        for (letter, length) in [("ž", most), ("ž", most + 1)] {
            let mut order = payby_order();
            order[field] = letter.repeat(length).into();
            let order: payby::TransferToBankOrder = serde_json::from_value(order).unwrap();
            let unless = if field == "iban" { ", unless it is a hash" } else { "" };
            let rule = format!("`{field}` must be at most {most} characters long{unless}");
            assert_eq!(broken(&order), if length > most { rule } else { String::new() });
        }
    }
}

#[test]
fn payby_s_formats() {
    let with = |field: &str, value: Value| {
        let mut order = payby_order();
        order[field] = value;
        broken(&serde_json::from_value::<payby::TransferToBankOrder>(order).unwrap())
    };
    assert_eq!(with("swiftCode", "BBMEAEA".into()), "`swiftCode` must be at least 8 characters long");
    assert_eq!(with("fedwireCode", "133563585".into()), "");
    assert_eq!(with("fedwireCode", "13356358".into()), "`fedwireCode` must be exactly 9 characters long");
    assert_eq!(with("fedwireCode", "13356358x".into()), "`fedwireCode` must be decimal digits");
    assert_eq!(
        with("beneficiaryAddress", "Liwa Street 1/2-3, off Khalifa".into()).matches("must have no other").count(),
        1
    );
    assert_eq!(with("beneficiaryAddress", "Liwa Street off Khalifa Street".into()), "");
    assert_eq!(with("amount", json!({ "amount": 1, "currency": "USD" })), "`amount.currency` must be AED");

    // 140 together: 3 of the name, 137 of the address; a hash counts for neither.
    assert_eq!(with("beneficiaryAddress", "a".repeat(137).into()), "");
    assert_eq!(
        with("beneficiaryAddress", "a".repeat(138).into()),
        "`holderName` and `beneficiaryAddress` must be at most 140 characters long together"
    );
    let mut order = payby_order();
    order["holderName"] = "0".repeat(64).into();
    order["beneficiaryAddress"] = "a".repeat(140).into();
    order["iban"] = "0".repeat(64).into();
    assert_eq!(broken(&serde_json::from_value::<payby::TransferToBankOrder>(order.clone()).unwrap()), "");
    order["beneficiaryAddress"] = "a".repeat(141).into();
    let too_long = broken(&serde_json::from_value::<payby::TransferToBankOrder>(order).unwrap());
    assert_eq!(too_long, "`beneficiaryAddress` must be at most 140 characters long");

    let notification =
        json!({ "notify_id": "1", "notify_time": "20200230113800", "transferToBankOrder": payby_order() });
    let notification: payby::TransferToBankNotification = serde_json::from_value(notification).unwrap();
    assert_eq!(broken(&notification), "`notify_time` must be a time that exists, written yyyyMMddHHmmss");
}

#[test]
fn payermax_s_lengths() {
    let sample =
        paytend_vectors::samples().into_iter().find(|s| s.document == "payermax" && s.name == "notification").unwrap();
    let sample: Value = serde_json::from_str(&sample.json).unwrap();
    for (pointer, field, most) in [
        ("/code", "code", 32),
        ("/msg", "msg", 256),
        ("/version", "version", 8),
        ("/keyVersion", "keyVersion", 8),
        ("/appId", "appId", 64),
        ("/merchantNo", "merchantNo", 15),
        ("/notifyType", "notifyType", 16),
        ("/data/amount/currency", "data.amount.currency", 3),
        ("/data/relatedTradeNo", "data.relatedTradeNo", 64),
    ] {
        for length in [most, most + 1] {
            let mut value = sample.clone();
            *value.pointer_mut(pointer).unwrap() = "ž".repeat(length).into();
            let notification: payermax::BalanceChangeNotification = serde_json::from_value(value).unwrap();
            let rule = format!("`{field}` must be at most {most} characters long");
            assert_eq!(broken(&notification), if length > most { rule } else { String::new() });
        }
    }
    let mut value = sample.clone();
    value["notifyTime"] = "2022-12-12 09:26:57".into();
    let notification: payermax::BalanceChangeNotification = serde_json::from_value(value).unwrap();
    assert_eq!(broken(&notification), "`notifyTime` must be a time like 2022-12-12T09:26:57.628Z");
    assert_eq!(notification.sent_at_millis(), None);
    let mut value = sample;
    value["notifyTime"] = "2".repeat(33).into();
    let notification: payermax::BalanceChangeNotification = serde_json::from_value(value).unwrap();
    assert!(broken(&notification).starts_with("`notifyTime` must be at most 32 characters long; "));
}

#[test]
fn files_may_have_two_mebibytes() {
    let file = |bytes: usize| FileContent::from(vec![0; bytes]);
    let too_large = "`fileContent` must be at most 2097152 bytes long";
    for (bytes, complaint) in
        [(1, ""), (MAX_FILE_BYTES, ""), (MAX_FILE_BYTES + 1, too_large), (0, "`fileContent` must not be empty")]
    {
        let issuing = UploadDocument::new("H1".into(), "3".into(), file(bytes), ".jpeg".into());
        let user = iban::UploadDocument::file("U1".into(), "3".into(), file(bytes));
        let order = iban::UploadTransferOrderFile::new("T1".into(), file(bytes));
        assert_eq!([broken(&issuing), broken(&user), broken(&order)], [complaint; 3].map(String::from), "{bytes}");
    }
}

#[test]
fn days_exist_and_are_in_order() {
    let query = |begin: &str, end: &str| {
        let card = QueryCardTransactions::new(
            "1".into(),
            "1".into(),
            "EUR".into(),
            begin.into(),
            end.into(),
            0.into(),
            20.into(),
        );
        let partner =
            QueryPartnerTransactions::new("1".into(), "EUR".into(), begin.into(), end.into(), 0.into(), 20.into());
        assert_eq!(broken(&card), broken(&partner));
        broken(&card)
    };
    assert_eq!(query("2024-02-29", "2024-02-29"), "");
    assert_eq!(query("2024-03-01", "2024-02-29"), "`endDate` must not be before `beginDate`");
    assert_eq!(query("2023-02-29", "2024-02-29"), "`beginDate` must be a day that exists, written yyyy-MM-dd");
    assert_eq!(query("2023-02-01", "1.3.2023"), "`endDate` must be a day that exists, written yyyy-MM-dd");
}

#[test]
fn a_cardholder_is_asked_for_by_one_or_the_other() {
    assert_eq!(broken(&QueryCardholder::by_id("H1".into())), "");
    assert_eq!(broken(&QueryCardholder::by_document("123".into(), "2".into())), "");
    let mut half = QueryCardholder::new();
    half.id_no = Some("123".into());
    assert_eq!(broken(&half), "`idType` must be there if `holderId` is not");
    assert_eq!(broken(&QueryCardholder::by_id("".into())), "`holderId` must not be empty");
    assert_eq!(broken(&iban::QueryUser::new()), "`mobile` must be there if `userId` is not");
    assert_eq!(broken(&iban::QueryUser::by_mobile("370".into())), "");
    // What another field of the partner's own documents says, this crate cannot know.
    let mut own = iban::QueryUser::new();
    own.extra.set("email", r#""ona@example.com""#).unwrap();
    assert_eq!(broken(&own), "");
}

#[test]
fn nothing_is_asked_with_nothing() {
    // Nulls ask for nothing.
    let query: iban::QueryUser = serde_json::from_str(r#"{"userId":null,"mobile":null,"new":null}"#).unwrap();
    assert_eq!(broken(&query), "`mobile` must be there if `userId` is not");
    // A result of a verification in the place of a file.
    let mut upload = iban::UploadDocument::new("U1".into());
    assert_eq!(broken(&upload), "`fileContent` must not be empty");
    upload.extra.set("sumsub", r#"{"id":1}"#).unwrap();
    assert_eq!(broken(&upload), "");
    let mobile = iban::VerifyMobileNumber::new("".into(), "".into());
    assert_eq!(broken(&mobile), "`mobile` must not be empty; `type` must not be empty");
}

/// What could not be read, or was set beside its own field, does not go out unseen.
#[test]
fn known_fields_among_the_unknown_are_told() {
    let check = |json: &str| paytend_model::operation("createIndividual").unwrap().check(json).unwrap_err().to_string();
    assert_eq!(
        check(r#"{"mobile":"1","birthday":["x"],"firstName":"not base64!","email":null}"#),
        "`birthday` must be of its type, and on the type itself, not in `extra`; `firstName` must be of its type, and on the type itself, not in `extra`"
    );
    let mut topup = Topup::new("1".into(), "T".into(), "1".parse().unwrap(), "EUR".into());
    topup.extra.set("cardId", r#""9""#).unwrap();
    assert_eq!(broken(&topup), "`cardId` must be of its type, and on the type itself, not in `extra`");
    assert_eq!(topup.extra.remove("cardId").as_deref(), Some(r#""9""#));
    assert_eq!((broken(&topup), topup.extra.remove("cardId")), (String::new(), None));
}

#[test]
fn amounts_are_written_as_documented() {
    let read = |json: &str| serde_json::from_str(json).unwrap();
    let topup = |amount| Topup::new("1".into(), "T".into(), amount, "EUR".into());
    assert_eq!(broken(&topup(read("10.10"))), "`amount` must be written as a JSON string");
    assert_eq!(broken(&topup(read(r#""10.10""#))), "");
    let mut deposit = iban::IbanTransaction::default();
    deposit.amount = Some("1.10".parse().unwrap());
    deposit.trade_type = Some("1".into());
    assert_eq!(
        broken(&deposit),
        "`tradeType` must be written as a JSON number; `amount` must be written as a JSON number"
    );
}

#[test]
fn a_payload_comes_with_its_key() {
    let request = |more: &str| {
        let json = format!(
            r#"{{"requestId":"{}","partnerId":"888666000100260","signType":"RSA","version":"2.0"{more}}}"#,
            "a".repeat(32)
        );
        broken(&serde_json::from_str::<paytend_model::envelope::RequestEnvelope>(&json).unwrap())
    };
    assert_eq!(request(r#","bizData":"""#), "");
    assert_eq!(request(r#","bizData":"x","randomKey":"y""#), "");
    assert_eq!(request(r#","bizData":{"a":1}"#), "`randomKey` must be there if `bizData` is");

    for partner_id in ["8886660001002601", "88866600010026"] {
        let json = format!(
            r#"{{"requestId":"{}","partnerId":"{partner_id}","signType":"RSA","version":"2.0"}}"#,
            "a".repeat(32)
        );
        let request: paytend_model::envelope::RequestEnvelope = serde_json::from_str(&json).unwrap();
        assert_eq!(broken(&request), "`partnerId` must be exactly 15 characters long");
    }
}

#[test]
fn every_broken_rule_is_told_with_its_path() {
    let topup = Topup::new("".into(), "".into(), "-1".parse().unwrap(), "EUR".into());
    let invalid = topup.validate().unwrap_err();
    let told: Vec<_> =
        invalid.violations().iter().map(|violation| (violation.field.as_str(), violation.rule)).collect();
    assert_eq!(told, [("cardId", Rule::NotEmpty), ("orderNo", Rule::NotEmpty), ("amount", Rule::Positive)]);
    let check = |json: &str| paytend_model::operation("createIndividual").unwrap().check(json).unwrap_err().to_string();
    assert_eq!(
        check(r#"{"mobile":"","birthday":"31.12.1990"}"#),
        "`mobile` must not be empty; `birthday` must be a day that exists, written yyyy-MM-dd"
    );
    assert_eq!(check("[]"), "expected a JSON object");
    assert_eq!(check("{}"), "field `mobile`: a required field is missing");
}
