//! Nothing personal is in any `Debug`, `Display` or error.

use std::collections::BTreeSet;

use paytend_model::{Notification, Product};
use serde_json::{Value, json};

use crate::every::{object, types};

/// The fields whose values `Debug` does show, by their wire names. Add a name only if no value of it can be personal:
/// not a name, an address, a number of a person's document, card, account or phone, a free text.
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

/// An object of the type in which every leaf holds `CANARY` and its field's name, and in which unknown fields do too.
fn with_canaries(of: &crate::every::Type) -> Value {
    let mut object = object(of, &|_, field| format!("CANARY-{}-", field.name));
    for unknown in ["cardNo", "pan", "cvv2", "pin", "password"] {
        object[unknown] = format!("CANARY-{unknown}-").into();
    }
    object
}

#[test]
fn debug_shows_nothing_but_what_was_looked_at() {
    let allowed: BTreeSet<&str> = SHOWN.iter().copied().collect();
    assert_eq!(allowed.len(), SHOWN.len());
    let mut shown = BTreeSet::new();
    for of in types() {
        let debug = (of.debug)(&with_canaries(&of).to_string());
        for part in debug.split("CANARY-").skip(1) {
            shown.insert(part.split('-').next().unwrap().to_owned());
        }
        // Amounts are no text, and may be shown.
        for field in of.fields.iter().filter(|field| field.type_name == "Amount") {
            shown.insert(field.name.to_owned());
        }
    }
    let shown: BTreeSet<&str> = shown.iter().map(String::as_str).collect();
    assert_eq!(shown.difference(&allowed).collect::<Vec<_>>(), Vec::<&&str>::new(), "shown, and nobody looked at it");
    // A list that says more than it must hides what is added later. `fee` is an amount here and an object there.
    assert_eq!(allowed.difference(&shown).collect::<Vec<_>>(), Vec::<&&str>::new(), "listed, and not shown");
}

/// Those that the project's rules name, wherever they are.
#[test]
fn what_is_personal_is_hidden_in_every_type() {
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
    let mut met = BTreeSet::new();
    for of in types() {
        met.extend(of.fields.iter().map(|field| field.name).filter(|name| PERSONAL.contains(name)));
        let debug = (of.debug)(&with_canaries(&of).to_string());
        for name in PERSONAL.iter().chain(&["cardNo", "pan", "cvv2", "pin", "password"]) {
            assert!(!debug.contains(&format!("CANARY-{name}-")), "{}: {name} in {debug}", of.name);
        }
    }
    assert_eq!(met.len(), PERSONAL.len(), "{met:?}");
}

/// An address is hidden altogether, whatever its parts are elsewhere.
#[test]
fn addresses_are_hidden_whole() {
    let address = crate::every::find("issuing::Address");
    let debug = (address.debug)(&with_canaries(&address).to_string());
    assert!(!debug.contains("CANARY"), "{debug}");
}

#[test]
fn no_error_repeats_a_value() {
    let mut errors = 0;
    for of in types() {
        let good = with_canaries(&of);
        // Rules that are broken.
        if let Err(error) = (of.validate)(&good.to_string()) {
            assert!(!error.contains("CANARY"), "{}: {error}", of.name);
            errors += 1;
        }
        // A field of another type, or another one twice, or missing, or an object that ends too soon.
        for field in of.fields {
            for wrong in [json!({ "CANARY": "CANARY" }), json!(["CANARY"]), json!("CANARY"), json!(true), json!(1.5)] {
                let mut object = good.clone();
                object[field.name] = wrong;
                errors += complains(&of, &object.to_string());
            }
            let mut object = good.clone();
            object.as_object_mut().unwrap().remove(field.name);
            errors += complains(&of, &object.to_string());
            let twice = good.to_string().replacen('{', &format!(r#"{{"{}":"CANARY","#, field.name), 1);
            errors += complains(&of, &twice);
        }
        let text = good.to_string();
        errors +=
            complains(&of, &text[..text.len() - 1]) + complains(&of, r#""CANARY""#) + complains(&of, r#"["CANARY"]"#);
    }
    assert!(errors > 500, "{errors}");
}

fn complains(of: &crate::every::Type, json: &str) -> usize {
    let Err(error) = (of.again)(json) else { return 0 };
    assert!(!error.contains("CANARY"), "{}: {error}", of.name);
    1
}

/// A code is a word. What is not one, or looks like a card's number, is somebody's text in a field whose name is a
/// guess.
#[test]
fn what_does_not_look_like_a_code_is_not_shown() {
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
    // PayBy's order numbers are as long as a card's.
    assert_eq!(format!("{:?}", OrderNo::from("911586849271010217")), r#""911586849271010217""#);
}

#[test]
fn unread_notifications_hide_their_content() {
    for (product, notify_type) in [(Product::Baas, "2"), (Product::Baas, "99"), (Product::Issuing, "99")] {
        let twice = br#"{"orderNo":"1","amount":"CANARY","amount":"CANARY","CANARY":"\ud800"}"#;
        let notification = Notification::read(product, notify_type, twice);
        let shown = format!("{notification:?} {notification:#?}");
        assert!(!shown.contains("CANARY"), "{shown}");
    }
}
