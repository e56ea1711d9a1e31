//! Tests that `Debug`, `Display` and errors contain no personal data.

use std::collections::BTreeSet;

use paytend_model::{Notification, Product};
use serde_json::{Value, json};

use crate::every::{object, types};

/// The wire names of the fields that `Debug` shows. Add a name only if none of its values can be personal data:
/// a name, an address, a document, card, account or phone number, or free text.
const SHOWN: &[&str] = &[
    "auditStatus",
    "balance",
    "amount",
    "available",
    "appId",
    "arrivalTime",
    "bankName",
    "beginDate",
    "beneficiaryType",
    "branchName",
    "businessDate",
    "cardId",
    "cardScheme",
    "cardType",
    "ccyPair",
    "cityCode",
    "cityName",
    "code",
    "counterpartyBankBic",
    "counterpartyBankName",
    "countryCode",
    "currency",
    "direction",
    "encryptFlag",
    "endDate",
    "exRate",
    "fedwireCode",
    "fee",
    "feeType",
    "fileType",
    "fundoutCurrencyCode",
    "gender",
    "holderId",
    "idType",
    "intermediaryBank",
    "keyVersion",
    "maxResult",
    "maxSize",
    "merchantNo",
    "merchantOrderNo",
    "nationalityCode",
    "networkCode",
    "notifyTime",
    "notifyType",
    "notify_id",
    "notify_time",
    "notify_timestamp",
    "_input_charset",
    "oldCardId",
    "orderNo",
    "partnerId",
    "paymentType",
    "product",
    "quantity",
    "rate",
    "rateTime",
    "reconciliationDate",
    "relatedTradeNo",
    "requestId",
    "requestTime",
    "respCode",
    "signType",
    "signature",
    "sku",
    "start",
    "status",
    "suffix",
    "swiftCode",
    "targetAmount",
    "targetCurrency",
    "total",
    "tradeId",
    "tradeStatus",
    "tradeType",
    "transDate",
    "transactionId",
    "transactionStatus",
    "transactionType",
    "type",
    "userId",
    "userStatus",
    "value",
    "version",
];

/// Returns an object of the type in which every leaf and several unknown fields contain `CANARY` and the field's name.
fn with_canaries(payload: &crate::every::Type) -> Value {
    let mut object = object(payload, &|_, field| format!("CANARY-{}-", field.name));
    for unknown in ["cardNo", "pan", "cvv2", "pin", "password"] {
        object[unknown] = format!("CANARY-{unknown}-").into();
    }
    object
}

#[test]
fn debug_shows_only_the_listed_fields() {
    let allowed: BTreeSet<&str> = SHOWN.iter().copied().collect();
    assert_eq!(allowed.len(), SHOWN.len());
    let mut shown = BTreeSet::new();
    for payload in types() {
        let debug = (payload.debug)(&with_canaries(&payload).to_string());
        for part in debug.split("CANARY-").skip(1) {
            shown.insert(part.split('-').next().unwrap().to_owned());
        }
        // Amounts are not text and may be shown.
        for field in payload.fields.iter().filter(|field| field.type_name == "Amount") {
            shown.insert(field.name.to_owned());
        }
    }
    let shown: BTreeSet<&str> = shown.iter().map(String::as_str).collect();
    assert_eq!(shown.difference(&allowed).collect::<Vec<_>>(), Vec::<&&str>::new(), "shown but not listed");
    // Every entry in the list must be in use, because an unused entry could hide a mistake. For example, without this
    // check, the list could contain `memo`, which no type shows. If a type showed a `memo` later, no assertion above
    // would fail.
    assert_eq!(allowed.difference(&shown).collect::<Vec<_>>(), Vec::<&&str>::new(), "listed but not shown");
}

#[test]
fn personal_fields_are_hidden_in_every_type() {
    const PERSONAL: [&str; 34] = [
        "cvv",
        "idNo",
        "mobile",
        "email",
        "birthday",
        "firstName",
        "lastName",
        "addressLine",
        "addressLine2",
        "state",
        "postcode",
        "fileContent",
        "contactName",
        "contactMobile",
        "remarks",
        "accountNum",
        "counterpartyAccountName",
        "counterpartyAccountNum",
        "reference",
        "verificationCode",
        "corporationName",
        "registrationNo",
        "holderName",
        "iban",
        "beneficiaryAddress",
        "accountNo",
        "memo",
        "identifyId",
        "identifyName",
        "url",
        "notifyUrl",
        "respMsg",
        "msg",
        "randomKey",
    ];
    let mut found = BTreeSet::new();
    for payload in types() {
        found.extend(payload.fields.iter().map(|field| field.name).filter(|name| PERSONAL.contains(name)));
        let debug = (payload.debug)(&with_canaries(&payload).to_string());
        for name in PERSONAL.iter().chain(&["cardNo", "pan", "cvv2", "pin", "password"]) {
            assert!(!debug.contains(&format!("CANARY-{name}-")), "{}: {name} in {debug}", payload.name);
        }
    }
    assert_eq!(found.len(), PERSONAL.len(), "{found:?}");
}

/// All fields of an address are hidden, although other types may show fields with the same names.
#[test]
fn all_fields_of_an_address_are_hidden() {
    let address = crate::every::find("issuing::Address");
    let debug = (address.debug)(&with_canaries(&address).to_string());
    assert!(!debug.contains("CANARY"), "{debug}");
}

#[test]
fn errors_do_not_contain_values() {
    let mut errors = 0;
    for payload in types() {
        let valid = with_canaries(&payload);
        // Checks the errors about violated rules.
        if let Err(error) = (payload.validate)(&valid.to_string()) {
            assert!(!error.contains("CANARY"), "{}: {error}", payload.name);
            errors += 1;
        }
        // Checks the errors about a field of an unexpected type, a missing or duplicate field, and a truncated object.
        for field in payload.fields {
            for wrong in [json!({ "CANARY": "CANARY" }), json!(["CANARY"]), json!("CANARY"), json!(true), json!(1.5)] {
                let mut object = valid.clone();
                object[field.name] = wrong;
                errors += errors_without_values(&payload, &object.to_string());
            }
            let mut object = valid.clone();
            object.as_object_mut().unwrap().remove(field.name);
            errors += errors_without_values(&payload, &object.to_string());
            let duplicate = valid.to_string().replacen('{', &format!(r#"{{"{}":"CANARY","#, field.name), 1);
            errors += errors_without_values(&payload, &duplicate);
        }
        let text = valid.to_string();
        for text in [&text[..text.len() - 1], r#""CANARY""#, r#"["CANARY"]"#] {
            errors += errors_without_values(&payload, text);
        }
    }
    assert!(errors > 500, "{errors}");
}

/// Reads JSON, and returns the number of errors. Panics if an error contains a value.
fn errors_without_values(payload: &crate::every::Type, json: &str) -> usize {
    let Err(error) = (payload.round_trip)(json) else { return 0 };
    assert!(!error.contains("CANARY"), "{}: {error}", payload.name);
    1
}

/// `Debug` shows a code or an identifier only if it is a single word. If the name of a field is inferred, the provider
/// may send a sentence or a card number in this field, so `Debug` hides both.
#[test]
fn text_that_does_not_look_like_a_code_is_hidden() {
    use paytend_model::{CardId, Code, IdType, OrderNo};
    for (text, shown) in [
        ("2", true),
        ("PENDING_REVIEW", true),
        ("Rejected: passport of Ona is blurred", false),
        ("4111111111111111", false),
        ("Žalgirio", false),
    ] {
        let debug = format!("{:?} {:?} {:?}", Code::from(text), CardId::from(text), IdType::from(text));
        assert_eq!(debug.contains(text) || debug.contains("Passport"), shown, "{debug}");
    }
    // PayBy's order numbers are shown, although they are as long as card numbers.
    assert_eq!(format!("{:?}", OrderNo::from("911586849271010217")), r#""911586849271010217""#);
}

#[test]
fn unreadable_notifications_hide_their_content() {
    for (product, notify_type) in [(Product::Baas, "2"), (Product::Baas, "99"), (Product::Issuing, "99")] {
        let twice = br#"{"orderNo":"1","amount":"CANARY","amount":"CANARY","CANARY":"\ud800"}"#;
        let notification = Notification::read(product, notify_type, twice);
        let shown = format!("{notification:?} {notification:#?}");
        assert!(!shown.contains("CANARY"), "{shown}");
    }
}
