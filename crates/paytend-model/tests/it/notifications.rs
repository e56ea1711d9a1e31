//! Notifications, by product and number.

use paytend_model::{BaasNotification, IssuingNotification, Notification, Product};
use std::time::Duration;

use crate::every::{find, object};

#[test]
fn each_documented_kind_is_read_as_its_type_and_written_again() {
    let expected = [
        (Product::Baas, "1", "iban::IbanAccount"),
        (Product::Baas, "2", "iban::IbanTransaction"),
        (Product::Baas, "3", "iban::UserStatusChange"),
        (Product::Baas, "4", "iban::PaymentFailure"),
        (Product::Baas, "6", "iban::UserUpgrade"),
        (Product::Baas, "8", "iban::TransferOrder"),
        (Product::Issuing, "1", "issuing::TransactionNotification"),
        (Product::Issuing, "2", "issuing::CardHolderResult"),
        (Product::Issuing, "3", "issuing::CardApplyResponse"),
    ];
    assert_eq!(Notification::kinds().count(), expected.len());
    for (kind, (product, notify_type, content)) in Notification::kinds().zip(expected) {
        assert_eq!((kind.product, kind.notify_type), (product, notify_type));
        assert!(content.ends_with(&format!("::{}", kind.content.name)), "{content}");
        assert!(kind.title.ends_with(" notification"));
        let json = object(&find(content), &|_, _| "7".into());
        let read = Notification::read(product, notify_type, &json.to_string());
        assert!(read.unknown().is_none(), "{read:?}");
        assert_eq!((read.product(), read.notify_type()), (product, notify_type));
        assert_eq!(serde_json::from_str::<serde_json::Value>(&read.content().unwrap()).unwrap(), json);
    }
}

#[test]
fn what_is_not_known_is_delivered_as_it_came() {
    for (product, notify_type, content, has_problem) in [
        (Product::Baas, "99", r#"{ "new":"thing" }"#, false),
        (Product::Baas, "5", "", false),
        (Product::Baas, "", "", false),
        (Product::Baas, "2", r#"{"amount":1e3}"#, true),
        (Product::Baas, "2", "", true),
        (Product::Baas, "02", "{}", false),
        (Product::Issuing, "4", "{}", false),
        (Product::Issuing, "6", "{}", false),
        (Product::Issuing, "1", "[1]", true),
        (Product::Baas, "4", r#"{"a":1} x"#, true),
        (Product::Baas, "2", r#"{"orderNo":"1"}{"amount":5}"#, true),
    ] {
        let read = Notification::read(product, notify_type, content);
        let raw = read.unknown().unwrap_or_else(|| panic!("{notify_type} {content}"));
        assert_eq!((raw.notify_type.as_str(), raw.content.as_str()), (notify_type, content));
        assert_eq!(raw.problem.is_some(), has_problem, "{notify_type} {:?}", raw.problem);
        assert_eq!((read.notify_type(), read.content().unwrap().as_str()), (notify_type, content));
    }
    let read = Notification::read(Product::Baas, "2", r#"{"amount":1e3}"#);
    let problem = read.unknown().unwrap().problem.as_ref().unwrap().to_string();
    assert!(problem.starts_with("field `amount`: an amount has no exponent"), "{problem}");
}

/// The same number means something else in the other product.
#[test]
fn the_product_decides() {
    let content = r#"{"holderId":"H1","orderNo":"F1"}"#;
    assert!(matches!(
        Notification::read(Product::Baas, "2", content),
        Notification::Baas(BaasNotification::FundDeposit(deposit)) if deposit.order_no == Some("F1".into())
    ));
    assert!(matches!(
        Notification::read(Product::Issuing, "2", content),
        Notification::Issuing(IssuingNotification::CardholderAudit(result)) if result.holder_id == Some("H1".into())
    ));
}

/// A content that is all guesses is never refused for what is in it.
#[test]
fn inferred_contents_take_any_object() {
    for kind in Notification::kinds().filter(|kind| kind.notify_type != "2" || kind.product == Product::Issuing) {
        let fields = kind.content.fields.iter().map(|field| format!(r#""{}":[{{}}]"#, field.name));
        let json = format!("{{{}}}", fields.collect::<Vec<_>>().join(","));
        let read = Notification::read(kind.product, kind.notify_type, &json);
        assert!(read.unknown().is_none(), "{read:?}");
        assert_eq!(read.content().unwrap(), json);
    }
}

#[test]
fn payby_tries_for_a_day() {
    let schedule = paytend_model::payby::RETRY_SCHEDULE;
    assert_eq!(schedule.map(|wait| wait.as_secs() / 60), [2, 10, 10, 60, 120, 360, 900]);
    assert_eq!(schedule.iter().sum::<Duration>(), Duration::from_secs((24 * 60 + 22) * 60));
}
