//! Tests for reading notifications by product and `notifyType`.

use std::time::Duration;

use paytend_model::iban::IbanTransaction;
use paytend_model::issuing::CardBalanceResponse;
use paytend_model::payby::TransferToBankNotification;
use paytend_model::{BaasNotification, Content, IssuingNotification, Notification, Payload as _, Product};

use crate::every::{find, object};

#[test]
fn every_documented_notification_is_read_as_its_type_and_written_back() {
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
        let read = Notification::read(product, notify_type, json.to_string().as_bytes());
        let read = read.into_typed().unwrap_or_else(|raw| panic!("{raw:?}"));
        assert!(read.problems().is_empty(), "{read:?}");
        assert_eq!((read.product(), read.notify_type()), (product, notify_type));
        assert_eq!(serde_json::from_str::<serde_json::Value>(&read.content().unwrap()).unwrap(), json);
    }
}

#[test]
fn each_content_is_read_as_the_expected_variant() {
    #[derive(Debug, PartialEq)]
    enum Outcome {
        Typed(usize),
        Unreadable,
        Unknown,
    }
    use Outcome::{Typed, Unknown, Unreadable};
    for (product, notify_type, content, expected) in [
        (Product::Baas, "99", br#"{ "new":"thing" }"#.as_slice(), Unknown),
        (Product::Baas, "5", b"", Unknown),
        (Product::Baas, "", b"", Unknown),
        (Product::Baas, "02", br#"{"orderNo":"1"}"#, Unknown),
        (Product::Issuing, "4", br#"{"orderNo":"1"}"#, Unknown),
        (Product::Issuing, "6", b"\xff", Unknown),
        (Product::Baas, "2", b"", Unreadable),
        (Product::Issuing, "1", b"[1]", Unreadable),
        (Product::Baas, "4", br#"{"orderNo":1} x"#, Unreadable),
        (Product::Baas, "2", br#"{"orderNo":"1"}{"amount":5}"#, Unreadable),
        (Product::Baas, "2", br#"{"orderNo":"1"}"#, Typed(0)),
        (Product::Baas, "2", br#"{"orderNo":"1","amount":"much"}"#, Typed(1)),
        (Product::Baas, "2", br#"{"orderNo":"1","amount":1,"amount":2}"#, Typed(1)),
        (Product::Baas, "2", b"{\"orderNo\":\"1\",\"reference\":\"\xff\",\"fee\":[]}", Typed(2)),
        (Product::Baas, "2", b"{\"orderNo\":\"1\",\"more\":\"\xff\",\"\xff\":1}", Typed(2)),
        // None of the fields that identify a deposit has a value.
        (Product::Baas, "2", br#"{"amount":5}"#, Unknown),
        (Product::Baas, "2", br#"{"orderNo":null,"transactionId":"","amount":5}"#, Unknown),
        (Product::Baas, "2", b"{}", Unknown),
        // An identifying field is present but unreadable, or a field name is unreadable and could be an identifying
        // one.
        (Product::Baas, "2", br#"{"orderNo":{}}"#, Typed(1)),
        (Product::Baas, "2", br#"{"\ud800":1}"#, Typed(1)),
    ] {
        let read = Notification::read(product, notify_type, content);
        let shown = format!("{notify_type} {}", String::from_utf8_lossy(content));
        let outcome = match &read {
            Content::Typed(typed) => Typed(typed.problems().len()),
            Content::Unreadable(raw) => {
                assert!(raw.problem.is_some(), "{shown}");
                Unreadable
            }
            Content::Unknown(_) => Unknown,
        };
        assert_eq!(outcome, expected, "{shown} {read:?}");
        if let Some(raw) = read.raw() {
            assert_eq!((raw.notify_type.as_str(), raw.content.as_slice()), (notify_type, content));
        }
    }
}

#[test]
fn unreadable_fields_are_reported_and_other_fields_are_read() {
    let content = b"{\"transactionId\":\"T1\",\"amount\":\"much\",\"fee\":1E-1,\"reference\":\"\\ud83d\",\
        \"counterpartyAccountName\":\"\x81\x5C\",\"tradeStatus\":2,\"tradeStatus\":3,\"currency\":\"EUR\"}";
    let read = Notification::read(Product::Baas, "2", content);
    let Content::Typed(Notification::Baas(BaasNotification::FundDeposit(deposit))) = &read else { panic!("{read:?}") };
    assert_eq!((deposit.transaction_id.as_deref(), deposit.currency.as_deref()), (Some("T1"), Some("EUR")));
    assert_eq!(deposit.fee, Some("0.1".parse().unwrap()));
    assert_eq!((&deposit.amount, &deposit.reference, &deposit.trade_status), (&None, &None, &None));
    let problems: Vec<String> = deposit.problems.iter().map(ToString::to_string).collect();
    let expected = [
        "`tradeStatus`: duplicate field",
        "`amount`: not a decimal",
        "`counterpartyAccountName`: not strict",
        "`reference`: not strict",
    ];
    assert_eq!(problems.len(), expected.len(), "{problems:?}");
    for (problem, expected) in problems.iter().zip(expected) {
        assert!(problem.starts_with(&format!("field {expected}")), "{problem}");
    }
    // Unreadable fields that are strict JSON are kept and written back.
    assert_eq!(deposit.extra.get("amount"), Some(r#""much""#));
    let written = serde_json::to_string(&**deposit).unwrap();
    assert!(written.contains(r#""fee":1E-1"#) && written.contains(r#""reference":"\ud83d""#), "{written}");
}

/// If only one of two duplicate values can be written back, neither value is written. Otherwise the remaining value
/// would be read as the field's value.
#[test]
fn duplicate_field_with_an_unwritable_value_is_dropped() {
    let content = b"{\"transactionId\":\"T1\",\"orderNo\":\"F1\xba\",\"orderNo\":\"F1\"}";
    let deposit = IbanTransaction::read_lenient(content).unwrap();
    assert_eq!((deposit.order_no.is_none(), deposit.problems.len()), (true, 2), "{:?}", deposit.problems);
    assert_eq!(serde_json::to_string(&deposit).unwrap(), r#"{"transactionId":"T1"}"#);
}

#[test]
fn nested_problems_are_reported_with_their_path() {
    let body = br#"{"notify_id":"1","transferToBankOrder":{"merchantOrderNo":"M1","orderNo":"O1","holderName":"x",
        "amount":{"amount":5,"currency":"AED"},"memo":"m","requestTime":{},
        "paymentInfo":{"payerFeeAmount":[],"arrivalTime":7}}}"#;
    let Content::Typed(read) = TransferToBankNotification::read(body) else { panic!() };
    let order = read.order.as_ref().unwrap();
    assert_eq!((order.order_no.as_str(), order.request_time.is_none()), ("O1", true));
    let paths: Vec<String> =
        read.problems.iter().map(|p| p.to_string().split('`').nth(1).unwrap().to_owned()).collect();
    assert_eq!(paths, ["transferToBankOrder.paymentInfo.payerFeeAmount", "transferToBankOrder.requestTime"]);
    // Strict deserialization rejects a documented field with a different type.
    assert!(serde_json::from_slice::<TransferToBankNotification>(body).is_err());
    // A missing required field makes only its own object unreadable.
    let Content::Typed(read) =
        TransferToBankNotification::read(br#"{"notify_id":"1","transferToBankOrder":{"orderNo":"1"}}"#)
    else {
        panic!()
    };
    assert_eq!((read.notify_id.as_str(), read.order.is_none(), read.problems.len()), ("1", true, 1));
    for (body, unknown) in [(b"{}".as_slice(), true), (br#"{"notify_id":{}}"#, false), (b"[1]", false), (b"no", false)]
    {
        let read = TransferToBankNotification::read(body);
        assert_eq!(matches!(read, Content::Unknown(_)), unknown, "{read:?}");
        assert_eq!(read.into_typed().unwrap_err().content, body);
    }
}

#[test]
fn inferred_response_field_of_an_unexpected_type_is_reported() {
    let balance: CardBalanceResponse = serde_json::from_str(r#"{"balance":{"amount":1},"currency":"EUR"}"#).unwrap();
    assert_eq!((&balance.balance, balance.problems.len()), (&None, 1));
    assert!(balance.problems[0].to_string().starts_with("field `balance`: "), "{:?}", balance.problems);
    assert_eq!(serde_json::to_string(&balance).unwrap(), r#"{"currency":"EUR","balance":{"amount":1}}"#);
    assert!(format!("{balance:?}").contains("problems"));
    let absent: CardBalanceResponse = serde_json::from_str(r#"{"balance":null,"currency":"EUR"}"#).unwrap();
    assert!(absent.balance.is_none() && absent.problems.is_empty(), "an absent field was reported as a problem");
}

#[test]
fn same_notify_type_is_read_differently_for_each_product() {
    let content = br#"{"holderId":"H1","orderNo":"F1"}"#;
    assert!(matches!(
        Notification::read(Product::Baas, "2", content),
        Content::Typed(Notification::Baas(BaasNotification::FundDeposit(deposit)))
            if deposit.order_no == Some("F1".into())
    ));
    assert!(matches!(
        Notification::read(Product::Issuing, "2", content),
        Content::Typed(Notification::Issuing(IssuingNotification::CardholderAudit(result)))
            if result.holder_id == Some("H1".into())
    ));
}

/// The content is read as `Unknown`, not as a typed value whose fields are all `None`.
#[test]
fn notification_from_the_other_product_is_unknown() {
    for (product, notify_type, content) in [
        (Product::Baas, "1", br#"{"transactionId":"T1","cardId":"C1","amount":"5.00"}"#.as_slice()),
        (Product::Baas, "2", br#"{"holderId":"H1","status":"1"}"#),
        (Product::Baas, "3", br#"{"orderNo":"A1","status":"2"}"#),
        (Product::Issuing, "1", br#"{"userId":"U1","accountNum":"LT46"}"#),
        (Product::Issuing, "2", br#"{"transactionId":"T1","orderNo":"F1","amount":5}"#),
        (Product::Issuing, "3", br#"{"userId":"U1","auditStatus":"1"}"#),
    ] {
        let Content::Unknown(raw) = Notification::read(product, notify_type, content) else { panic!("{notify_type}") };
        assert!(raw.problem.unwrap().to_string().contains("a different product"));
        let other = if product == Product::Baas { Product::Issuing } else { Product::Baas };
        assert!(Notification::read(other, notify_type, content).typed().is_some(), "{notify_type}");
    }
}

#[test]
fn inferred_contents_accept_fields_of_any_type() {
    for kind in Notification::kinds().filter(|kind| kind.notify_type != "2" || kind.product == Product::Issuing) {
        let fields = kind.content.fields.iter().map(|field| format!(r#""{}":[{{}}]"#, field.name));
        let json = format!("{{{}}}", fields.collect::<Vec<_>>().join(","));
        let read = Notification::read(kind.product, kind.notify_type, json.as_bytes());
        let typed = read.typed().unwrap_or_else(|| panic!("{read:?}"));
        assert_eq!(typed.problems().len(), kind.content.fields.len());
        assert_eq!(typed.content().unwrap(), json);
    }
}

#[test]
fn every_identifying_field_is_a_known_content_field() {
    for kind in Notification::kinds() {
        let known = |name: &&str| kind.content.fields.iter().any(|field| field.name == *name);
        assert!(!kind.identifying.is_empty() && kind.identifying.iter().all(known), "{}", kind.title);
    }
}

#[test]
fn payby_retries_for_about_one_day() {
    let schedule = paytend_model::payby::RETRY_SCHEDULE;
    assert_eq!(schedule.map(|wait| wait.as_secs() / 60), [2, 10, 10, 60, 120, 360, 900]);
    assert_eq!(schedule.iter().sum::<Duration>(), Duration::from_secs((24 * 60 + 22) * 60));
}
