//! Tests for the lengths and formats of fields.

use paytend_model::issuing::{QueryCardTransactions, QueryCardholder, QueryPartnerTransactions, Topup, UploadDocument};
use paytend_model::{FileContent, MAX_FILE_BYTES, Rule, Severity, Validate, Violation, iban, payby, payermax};
use serde_json::{Value, json};

fn payby_order() -> Value {
    json!({
        "merchantOrderNo": "M1", "orderNo": "1", "holderName": "Ona", "memo": "x",
        "amount": { "amount": 1, "currency": "AED" },
    })
}

/// Returns the violations that are errors.
fn errors<V: Validate>(value: &V) -> String {
    value.validate().err().map(|invalid| invalid.to_string()).unwrap_or_default()
}

/// Returns the violations that are warnings.
fn warnings<V: Validate>(value: &V) -> String {
    let violations = value.violations().into_iter().filter(|violation| violation.severity == Severity::Warning);
    violations.map(|violation| violation.to_string()).collect::<Vec<_>>().join("; ")
}

/// The values consist of multi-byte characters, because the limits count characters, not bytes.
#[test]
fn payby_fields_have_maximum_lengths() {
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
            assert_eq!(errors(&order), if length > most { rule } else { String::new() });
        }
    }
}

#[test]
fn payby_fields_must_have_the_documented_formats() {
    let with = |field: &str, value: Value| {
        let mut order = payby_order();
        order[field] = value;
        errors(&serde_json::from_value::<payby::TransferToBankOrder>(order).unwrap())
    };
    assert_eq!(with("swiftCode", "BBMEAEA".into()), "`swiftCode` must be at least 8 characters long");
    assert_eq!(with("fedwireCode", "133563585".into()), "");
    assert_eq!(with("fedwireCode", "13356358".into()), "`fedwireCode` must be exactly 9 characters long");
    assert_eq!(with("fedwireCode", "13356358x".into()), "`fedwireCode` must contain only decimal digits");
    assert_eq!(
        with("beneficiaryAddress", "Liwa Street 1/2-3, off Khalifa".into()).matches("must contain only the").count(),
        1
    );
    assert_eq!(with("beneficiaryAddress", "Liwa Street off Khalifa Street".into()), "");
    assert_eq!(with("amount", json!({ "amount": 1, "currency": "USD" })), "`amount.currency` must be AED");

    // A 3-character name and a 137-character address reach the combined limit of 140 characters. Hashes are not
    // counted.
    assert_eq!(with("beneficiaryAddress", "a".repeat(137).into()), "");
    assert_eq!(
        with("beneficiaryAddress", "a".repeat(138).into()),
        "`holderName` and `beneficiaryAddress` must be at most 140 characters long in total"
    );
    let mut order = payby_order();
    order["holderName"] = "0".repeat(64).into();
    order["beneficiaryAddress"] = "a".repeat(140).into();
    order["iban"] = "0".repeat(64).into();
    assert_eq!(errors(&serde_json::from_value::<payby::TransferToBankOrder>(order.clone()).unwrap()), "");
    order["beneficiaryAddress"] = "a".repeat(141).into();
    let too_long = errors(&serde_json::from_value::<payby::TransferToBankOrder>(order).unwrap());
    assert_eq!(too_long, "`beneficiaryAddress` must be at most 140 characters long");

    let notification =
        json!({ "notify_id": "1", "notify_time": "20200230113800", "transferToBankOrder": payby_order() });
    let notification: payby::TransferToBankNotification = serde_json::from_value(notification).unwrap();
    assert_eq!(errors(&notification), "`notify_time` must be a valid time in the format yyyyMMddHHmmss");
}

#[test]
fn payermax_fields_have_maximum_lengths_and_formats() {
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
            assert_eq!(errors(&notification), if length > most { rule } else { String::new() });
        }
    }
    let mut value = sample.clone();
    value["notifyTime"] = "2022-12-12 09:26:57".into();
    let notification: payermax::BalanceChangeNotification = serde_json::from_value(value).unwrap();
    assert_eq!(errors(&notification), "`notifyTime` must be an RFC 3339 time such as 2022-12-12T09:26:57.628Z");
    assert_eq!(notification.sent_at_millis(), None);
    let mut value = sample;
    value["notifyTime"] = "2".repeat(33).into();
    let notification: payermax::BalanceChangeNotification = serde_json::from_value(value).unwrap();
    assert!(errors(&notification).starts_with("`notifyTime` must be at most 32 characters long; "));
}

#[test]
fn files_must_not_be_empty_or_larger_than_two_mebibytes() {
    let file = |bytes: usize| FileContent::from(vec![0; bytes]);
    let too_large = "`fileContent` must be at most 2097152 bytes long";
    for (bytes, error) in
        [(1, ""), (MAX_FILE_BYTES, ""), (MAX_FILE_BYTES + 1, too_large), (0, "`fileContent` must not be empty")]
    {
        // The fields of BaaS Core's uploads are inferred, so violations are only warnings.
        let warning = error.replace("must", "should");
        let issuing =
            UploadDocument::builder().holder_id("H1").file_type("3").file_content(file(bytes)).suffix(".jpeg").build();
        let user = iban::UploadDocument::file("U1".into(), "3".into(), file(bytes));
        let order = iban::UploadTransferOrderFile::builder().order_no("T1").file_content(file(bytes)).build();
        assert_eq!([errors(&issuing), warnings(&user), warnings(&order)], [error, &warning, &warning], "{bytes}");
        assert_eq!([warnings(&issuing), errors(&user), errors(&order)], [""; 3], "{bytes}");
    }
}

#[test]
fn query_dates_must_be_valid_and_in_order() {
    let query = |begin: &str, end: &str| {
        let card = QueryCardTransactions::builder().card_id("1").begin_date(begin).end_date(end).build();
        let partner = QueryPartnerTransactions::builder().begin_date(begin).end_date(end).build();
        assert_eq!((errors(&card), warnings(&card)), (errors(&partner), warnings(&partner)));
        format!("{}{}", errors(&card), warnings(&card))
    };
    assert_eq!(query("2024-02-29", "2024-02-29"), "");
    assert_eq!(query("2024-03-01", "2024-02-29"), "`endDate` should not be before `beginDate`");
    assert_eq!(query("2024-02-01", "2024-03-02"), "");
    assert_eq!(query("2024-02-01", "2024-03-03"), "`endDate` should be at most 30 days after `beginDate`");
    assert_eq!(query("2023-02-29", "2024-02-29"), "`beginDate` must be a valid date in the format yyyy-MM-dd");
    assert_eq!(query("2023-02-01", "1.3.2023"), "`endDate` must be a valid date in the format yyyy-MM-dd");
}

#[test]
fn user_and_cardholder_queries_require_an_identifier() {
    assert_eq!(errors(&QueryCardholder::by_id("H1".into())), "");
    assert_eq!(errors(&QueryCardholder::by_document("123".into(), "2".into())), "");
    let mut half = QueryCardholder::new();
    half.id_no = Some("123".into());
    assert_eq!(errors(&half), "`idType` must be set if `holderId` is not set");
    // An empty string means that a field is not set, as in the provider's published demo.
    let mut demo = QueryCardholder::by_id("101982".into());
    (demo.id_no, demo.id_type) = (Some("".into()), Some("".into()));
    assert_eq!((errors(&demo), warnings(&demo)), (String::new(), String::new()));
    let neither = "`idNo` must be set if `holderId` is not set; `idType` must be set if `holderId` is not set";
    assert_eq!(errors(&QueryCardholder::by_id("".into())), neither);
    assert_eq!(warnings(&iban::QueryUser::new()), "`mobile` should be set if `userId` is not set");
    assert_eq!(warnings(&iban::QueryUser::by_mobile("".into())), "`mobile` should be set if `userId` is not set");
    assert_eq!(warnings(&iban::QueryUser::by_mobile("37060000000".into())), "");
    // The partner documentation may describe other query fields, so a field in `extra` is also sufficient.
    let mut other = iban::QueryUser::new();
    other.extra.set("email", r#""ona@example.com""#).unwrap();
    assert_eq!(warnings(&other), "");
}

#[test]
fn required_identifiers_must_not_be_null_or_empty() {
    // `null` means that a field is not set.
    let query: iban::QueryUser = serde_json::from_str(r#"{"userId":null,"mobile":null,"new":null}"#).unwrap();
    assert_eq!(warnings(&query), "`mobile` should be set if `userId` is not set");
    // An upload can contain the result of a verification instead of a file.
    let mut upload = iban::UploadDocument::new("U1");
    assert_eq!(warnings(&upload), "`fileContent` should not be empty");
    upload.extra.set("sumsub", r#"{"id":1}"#).unwrap();
    assert_eq!(warnings(&upload), "");
    let mobile = iban::VerifyMobileNumber::builder().mobile("").type_("").build();
    assert_eq!(errors(&mobile), "`mobile` must not be empty; `type` must not be empty");
}

/// Known fields are in `extra` if they were unreadable, or if the caller has set them there.
#[test]
fn known_fields_in_extra_are_reported() {
    let person = r#"{"mobile":"+37060000000","birthday":["x"],"firstName":"not base64!","email":null,"lastName":""}"#;
    let person: iban::CreateIndividual = serde_json::from_str(person).unwrap();
    let rule = "should match the type of the field; set the field itself, not `extra`";
    assert_eq!(warnings(&person), format!("`birthday` {rule}; `firstName` {rule}"));
    let mut topup = Topup::builder().card_id("1").order_no("T").amount("1".parse().unwrap()).currency("EUR").build();
    topup.extra.set("cardId", r#""9""#).unwrap();
    assert_eq!(errors(&topup), "`cardId` must match the type of the field; set the field itself, not `extra`");
    assert_eq!(topup.extra.remove("cardId").as_deref(), Some(r#""9""#));
    assert_eq!((errors(&topup), topup.extra.remove("cardId")), (String::new(), None));
}

#[test]
fn amounts_must_have_the_documented_json_type() {
    let read = |json: &str| serde_json::from_str(json).unwrap();
    let topup = |amount| Topup::builder().card_id("1").order_no("T").amount(amount).currency("EUR").build();
    assert_eq!(errors(&topup(read("10.10"))), "`amount` must be written as a JSON string");
    assert_eq!(errors(&topup(read(r#""10.10""#))), "");
    let mut deposit = iban::IbanTransaction::default();
    deposit.amount = Some("1.10".parse().unwrap());
    deposit.trade_type = Some("1".into());
    assert_eq!(
        errors(&deposit),
        "`tradeType` must be written as a JSON number; `amount` must be written as a JSON number"
    );
}

#[test]
fn envelope_with_a_payload_requires_a_session_key() {
    let request = |fields: &str| {
        let json = format!(
            r#"{{"requestId":"{}","partnerId":"888666000100260","signType":"RSA","version":"2.0"{fields}}}"#,
            "a".repeat(32)
        );
        errors(&serde_json::from_str::<paytend_model::envelope::RequestEnvelope>(&json).unwrap())
    };
    assert_eq!(request(r#","bizData":"""#), "");
    assert_eq!(request(r#","bizData":"x","randomKey":"y""#), "");
    assert_eq!(request(r#","bizData":{"a":1}"#), "`randomKey` must be set if `bizData` is set");

    for partner_id in ["8886660001002601", "88866600010026"] {
        let json = format!(
            r#"{{"requestId":"{}","partnerId":"{partner_id}","signType":"RSA","version":"2.0"}}"#,
            "a".repeat(32)
        );
        let request: paytend_model::envelope::RequestEnvelope = serde_json::from_str(&json).unwrap();
        assert_eq!(errors(&request), "`partnerId` must be exactly 15 characters long");
    }
}

#[test]
fn every_violation_is_reported_with_its_path() {
    let topup = Topup::builder().card_id("").order_no("").amount("-1".parse().unwrap()).currency("EUR").build();
    let invalid = topup.validate().unwrap_err();
    let rules_of = |violations: &[Violation]| -> Vec<(String, Rule)> {
        violations.iter().map(|violation| (violation.field.clone(), violation.rule)).collect()
    };
    let rules = [("cardId", Rule::NotEmpty), ("orderNo", Rule::NotEmpty)].map(|(field, rule)| (field.to_owned(), rule));
    assert_eq!(rules_of(invalid.errors()), rules);
    assert_eq!(rules_of(invalid.warnings()), [("amount".to_owned(), Rule::Positive)]);
    assert_eq!(topup.validate_strict().unwrap_err().errors().len(), 3);
}

/// The provider's published demo sends an empty string for fields that are not set.
#[test]
fn empty_string_means_that_a_field_is_not_set() {
    let messages = |operation: &str, json: &str| {
        let findings = paytend_model::operation(operation).unwrap().review(json);
        findings.iter().map(ToString::to_string).collect::<Vec<_>>()
    };
    let none: [String; 0] = [];
    for name in ["getPartnerTransactions", "getCardTransactions", "getAuthorizationTransactions"] {
        let query = r#"{"cardId":"1755902","transactionStatus":"","currency":"","beginDate":"2023-11-06",
            "endDate":"2023-11-06","start":"","maxSize":""}"#;
        assert_eq!(messages(name, query), none, "{name}");
    }
    assert_eq!(messages("getHolder", r#"{"holderId":"101982","idNo":"","idType":""}"#), none);
    let address = r#"{"addressLine":"UGFtZW5rYWxuaW8=","addressLine2":"","cityCode":"LT_MA","state":"",
        "postcode":"LT-01113","countryCode":"LT"}"#;
    let application = format!(
        r#"{{"orderNo":"C1","cardScheme":"3","cardType":"2","sku":"S","remarks":"","quantity":"2","contactName":"Ona",
        "contactMobile":"+8618300000000","deliveryAddress":{address},"holderId":""}}"#
    );
    assert_eq!(messages("applyCard", &application), none);
    // An empty string is also accepted in optional fields of other types: objects, codes, dates, files and amounts.
    let person = r#"{"mobile":"+37060000000","address":"","gender":"","birthday":""}"#;
    assert_eq!(messages("createIndividual", person), none);
    assert_eq!(messages("baas.uploadDocument", r#"{"userId":"U1","fileContent":"","sumsub":{"id":1}}"#), none);
    let deposit: iban::IbanTransaction = serde_json::from_str(r#"{"fee":"","amount":1}"#).unwrap();
    assert_eq!((deposit.fee.is_none(), deposit.problems.len(), errors(&deposit)), (true, 0, String::new()));
    assert_eq!(serde_json::to_string(&deposit).unwrap(), r#"{"amount":1,"fee":""}"#);
    // A field that is set to an empty string is sent.
    let mut query =
        QueryCardTransactions::builder().card_id("1").begin_date("2023-11-06").end_date("2023-11-06").build();
    (query.currency, query.start) = (Some("".into()), Some("".into()));
    assert_eq!((errors(&query), warnings(&query)), (String::new(), String::new()));
    assert!(serde_json::to_string(&query).unwrap().ends_with(r#""currency":"","start":""}"#));
}

/// A missing or unreadable inferred field is read as an empty string, reported, and written back unchanged.
#[test]
fn inferred_required_field_can_be_missing_or_unreadable() {
    for json in [r#"{"memo":1}"#, r#"{"userId":{"id":5},"memo":1}"#, r#"{"userId":null}"#] {
        let query: iban::QueryUserFees = serde_json::from_str(json).unwrap();
        assert_eq!((query.user_id.as_str(), query.problems.len()), ("", 1), "{json}");
        assert_eq!((errors(&query), warnings(&query).is_empty()), (String::new(), false));
        let mut written = serde_json::to_value(&query).unwrap();
        let mut read: Value = serde_json::from_str(json).unwrap();
        for value in [&mut written, &mut read] {
            value.as_object_mut().unwrap().retain(|_, member| !member.is_null());
        }
        assert_eq!(written, read);
        let mut query = query;
        query.user_id = "U1".into();
        assert_eq!(serde_json::to_value(&query).unwrap()["userId"], "U1");
    }
    // An observed field inside an inferred field also causes only a warning.
    let address = r#"{"addressLine":"","cityCode":"VNO","postcode":"01103","countryCode":"LT"}"#;
    let person = format!(r#"{{"mobile":"+37060000000","address":{address}}}"#);
    let person: iban::CreateIndividual = serde_json::from_str(&person).unwrap();
    assert_eq!(
        (errors(&person).as_str(), warnings(&person).as_str()),
        ("", "`address.addressLine` should not be empty")
    );
    // Documented and observed required fields must be present.
    assert!(serde_json::from_str::<Topup>(r#"{"cardId":"1"}"#).is_err());
}

#[test]
fn ibans_are_checked_unless_hashed() {
    for (iban, warning) in [
        ("LT12 1000 0111 0100 1000", ""),
        (
            "LT131000011101001000",
            "`iban` should be an IBAN with the correct length for its country and valid check digits",
        ),
        ("ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad", ""),
    ] {
        let mut order = payby_order();
        order["iban"] = iban.into();
        let order: payby::TransferToBankOrder = serde_json::from_value(order).unwrap();
        assert_eq!((errors(&order).as_str(), warnings(&order).as_str()), ("", warning), "{iban}");
    }
    let mut account = iban::IbanAccount::new();
    account.account_num = Some("LT131000011101001000".into());
    assert!(warnings(&account).starts_with("`accountNum` should be an IBAN"));
}

/// The provider's published programs always set every field, whether or not it is required. If a field that is known
/// only from these programs is missing, only a warning is reported, unless the field is an identifier, an amount or a
/// file.
#[test]
fn observed_field_that_is_not_essential_may_be_missing() {
    let messages = |operation: &str, json: &str| -> Vec<(bool, String)> {
        let findings = paytend_model::operation(operation).unwrap().review(json);
        findings.iter().map(|finding| (finding.is_error(), finding.to_string())).collect()
    };
    assert_eq!(
        messages("issuing.getCities", r#"{"countryCode":"","start":""}"#),
        [
            (false, "`maxResult` is missing".to_owned()),
            (false, "`countryCode` should not be empty".to_owned()),
            (false, "`start` should not be empty".to_owned()),
        ]
    );
    let topup = messages("topup", r#"{"cardId":"","amount":"1"}"#);
    assert_eq!(
        topup,
        [
            (true, "`orderNo` is missing".to_owned()),
            (false, "`currency` is missing".to_owned()),
            (true, "`cardId` must not be empty".to_owned()),
        ]
    );
    // A missing documented field is an error.
    assert!(messages("verifyMobileNumber", r#"{"mobile":"+37060000000"}"#)[0].0);
}
