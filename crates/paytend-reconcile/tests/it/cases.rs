//! Tests that the outcome of a transaction depends on fees, periods, codes and unreadable fields as documented.

use paytend_model::issuing::PartnerTransaction;
use paytend_model::{Content, Notification, Product};
use paytend_reconcile::{
    Codes, Entry, Field, Kind, List, MatchReason, Notifications, OpenReason, OrderRecord, Orders, Outcome, Period,
    Provider, Report, Rules, reconcile,
};

fn rows(json: &[&str]) -> Vec<PartnerTransaction> {
    json.iter().map(|row| serde_json::from_str(row).unwrap()).collect()
}

fn orders(json: &[&str]) -> Orders {
    let mut orders = Orders::new();
    for order in json {
        orders.push(OrderRecord::from_json(order).unwrap());
    }
    orders
}

fn with_report<T>(provider: &[&str], own: &[&str], rules: &Rules, then: impl FnOnce(&Report<'_>) -> T) -> T {
    let rows = rows(provider);
    let (provider, notifications) = (Provider::new().partner_transactions(&rows), Notifications::new());
    let own = orders(own);
    then(&reconcile(&provider, &notifications, &own, rules))
}

/// Returns the outcome of the only transaction.
fn outcome(provider: &[&str], own: &[&str], rules: &Rules) -> Outcome {
    with_report(provider, own, rules, |report| {
        assert_eq!(report.items.len(), 1);
        report.items[0].outcome
    })
}

const ROW: &str = r#"{"tradeId":"P1","tradeType":"100","tradeStatus":"1","orderNo":"T1","amount":"25.35",
    "currency":"EUR","businessDate":"2026-11-27"}"#;
const ORDER: &str = r#"{"order_no":"T1","amount":"25.00","currency":"EUR","status":"succeeded","at":"2026-11-27"}"#;

#[test]
fn transaction_with_a_tolerated_fee_is_matched() {
    let fee = |at_most: &str| -> Rules {
        toml::from_str(&format!("[[tolerated_fee]]\nkind = \"topup\"\ncurrency = \"EUR\"\nat_most = \"{at_most}\""))
            .unwrap()
    };
    assert_eq!(outcome(&[ROW], &[ORDER], &Rules::default()), Outcome::Different);
    assert_eq!(outcome(&[ROW], &[ORDER], &fee("0.34")), Outcome::Different);
    with_report(&[ROW], &[ORDER], &fee("0.35"), |report| {
        assert_eq!((report.items[0].outcome, report.open()), (Outcome::Matched, 0));
        assert_eq!(report.items[0].tolerated.unwrap().to_string(), "0.35");
    });
    let dollars: Rules = toml::from_str("[[tolerated_fee]]\ncurrency = \"USD\"\nat_most = \"1\"").unwrap();
    assert_eq!(outcome(&[ROW], &[ORDER], &dollars), Outcome::Different);
    assert!(toml::from_str::<Rules>("[[tolerated_fee]]\ncurrency = \"USD\"\nat_most = \"-1\"").is_err());
}

#[test]
fn transactions_outside_the_period_are_used_only_for_matching() {
    let day = |day: &str| Rules::default().period(Period::new(day, day).unwrap());
    let row = ROW.replace("25.35", "25.00");
    // The order was sent on the day before the provider booked it.
    let order = ORDER.replace("2026-11-27", "2026-11-26T23:59:59Z");
    assert_eq!(outcome(&[&row], &[&order], &day("2026-11-27")), Outcome::Matched);
    with_report(&[&row], &[&order], &day("2026-11-26"), |report| {
        assert_eq!((report.items.len(), report.outside_period, report.open()), (0, 1, 0));
        assert!(report.sums.iter().all(|row| row.total == row.outside_period && row.total.count == 1));
    });
    // A transaction whose date cannot be read is always inside the period.
    let undated = row.replace(r#""businessDate":"2026-11-27""#, r#""businessDate":"27.11.26""#);
    with_report(&[&undated], &[], &day("2020-01-01"), |report| {
        assert_eq!((report.items[0].outcome, report.items.len()), (Outcome::OnlyProvider, 1));
        assert_eq!(report.items[0].reasons, [OpenReason::Unreadable]);
    });
}

#[test]
fn time_zone_determines_the_day_of_a_transaction() {
    let order = ORDER.replace("2026-11-27", "2026-11-26T22:30:00Z");
    let in_zone = |zone: &str| {
        let mut rules: Rules = toml::from_str(&format!("time_zone = \"{zone}\"")).unwrap();
        rules.period = Some(Period::new("2026-11-27", "2026-11-27").unwrap());
        with_report(&[], &[&order], &rules, |report| report.count(Outcome::OnlyHere))
    };
    assert_eq!((in_zone("UTC"), in_zone("Europe/Vilnius")), (0, 1));
    assert!(toml::from_str::<Rules>("time_zone = \"Mars/Olympus\"").unwrap_err().to_string().contains("examples: UTC"));
}

#[test]
fn orders_that_were_not_executed_match_if_the_provider_does_not_list_them() {
    for status in ["failed", "rejected", "not_sent"] {
        let order = ORDER.replace("succeeded", status);
        with_report(&[], &[&order], &Rules::default(), |report| {
            assert_eq!((report.items[0].outcome, report.open()), (Outcome::Matched, 0));
            assert_eq!(report.items[0].matched_by, [MatchReason::NotExecuted]);
        });
        let row = ROW.replace("25.35", "25.00");
        assert_eq!(outcome(&[&row], &[&order], &Rules::default()), Outcome::Different, "{status}");
    }
    for status in ["unknown", "processing"] {
        assert_eq!(outcome(&[], &[&ORDER.replace("succeeded", status)], &Rules::default()), Outcome::Unresolved);
    }
}

#[test]
fn lists_that_are_not_given_are_not_compared() {
    let orders = orders(&[ORDER]);
    let (nothing, notifications) = (Provider::new(), Notifications::not_given());
    let report = reconcile(&nothing, &notifications, &orders, &Rules::default());
    assert_eq!((report.items[0].outcome, report.open()), (Outcome::NotCompared, 0));
    assert_eq!(report.lists.iter().filter(|list| list.given).count(), 1);
    let (rows, no_orders) = (rows(&[ROW]), Orders::not_given());
    let provider = Provider::new().partner_transactions(&rows);
    let report = reconcile(&provider, &notifications, &no_orders, &Rules::default());
    assert_eq!(report.items[0].outcome, Outcome::NotCompared);
}

#[test]
fn transaction_with_an_unknown_code_is_unresolved_until_the_rules_define_the_code() {
    let row = ROW.replace("25.35", "25.00").replace(r#""tradeStatus":"1""#, r#""transactionStatus":"S""#);
    with_report(&[&row], &[ORDER], &Rules::default(), |report| {
        assert_eq!(report.items[0].outcome, Outcome::Unresolved);
        assert_eq!(report.items[0].reasons, [OpenReason::ProviderStatusUnknown]);
    });
    let rules: Rules = toml::from_str("[codes.statuses]\npartner_transactions = { S = \"succeeded\" }").unwrap();
    assert_eq!(outcome(&[&row], &[ORDER], &rules), Outcome::Matched);
    // The two codes have contradictory meanings, so the status is not final.
    let both = row.replace("\"transactionStatus\"", "\"tradeStatus\":\"6\",\"transactionStatus\"");
    with_report(&[&both], &[ORDER], &rules, |report| {
        assert_eq!(report.items[0].reasons, [OpenReason::ProviderNotFinal]);
    });
    assert!(toml::from_str::<Rules>("[codes]\ntrade_status = {}").is_err(), "a misspelled field is refused");
}

#[test]
fn notification_with_an_unknown_code_is_unresolved() {
    let row = serde_json::from_str(
        r#"{"tradeId":"C1","tradeType":"151","tradeStatus":"1","amount":"5.00","currency":"EUR"}"#,
    )
    .unwrap();
    let card = |status: &str| {
        let json = format!(
            r#"{{"transactionId":"C1","transactionType":"2","transactionStatus":"{status}",
                "amount":"5","currency":"EUR"}}"#
        );
        Notification::read(Product::Issuing, "1", json.as_bytes())
    };
    let deposit = |status: &str| {
        let json = format!(r#"{{"transactionId":"D1","tradeStatus":"{status}","amount":"5","currency":"EUR"}}"#);
        Notification::read(Product::Baas, "2", json.as_bytes())
    };
    let failed: Rules = toml::from_str("[codes.statuses]\nnotifications = { 3 = \"failed\" }").unwrap();
    let (sandbox, orders) = (Rules::default().codes(Codes::local_sandbox()), Orders::new());
    let listed = Provider::new().card_transactions("c1", [&row]);
    let unlisted = Provider::new().with_list(List::CardTransactions);
    let check = |provider: &Provider, contents: &[Content<Notification>], rules: &Rules| {
        let mut notifications = Notifications::new();
        for (at, content) in contents.iter().enumerate() {
            notifications.push(at.to_string(), at as i64, content);
        }
        let report = reconcile(provider, &notifications, &orders, rules);
        (report.items[0].outcome, report.items[0].reasons.clone())
    };
    let unresolved = (Outcome::Unresolved, vec![OpenReason::PartnerStatusUnknown]);
    // The rules do not define the code 9. It could mean that the provider declined the transaction.
    assert_eq!(check(&listed, &[card("9")], &sandbox), unresolved);
    assert_eq!(check(&listed, &[card("2"), card("9")], &sandbox), unresolved);
    assert_eq!(check(&listed, &[card("9"), card("2")], &sandbox).0, Outcome::Matched);
    assert_eq!(check(&listed, &[card("")], &sandbox).0, Outcome::Matched, "no status");
    assert_eq!(check(&unlisted, &[deposit("9")], &sandbox), unresolved);
    assert_eq!(check(&unlisted, &[deposit("2")], &sandbox).0, Outcome::NotCompared);
    // The provider does not list the transaction. This is reported even if its status is unknown.
    assert_eq!(check(&unlisted, &[card("9")], &sandbox).0, Outcome::OnlyHere);
    assert_eq!(check(&unlisted, &[card("3")], &failed).0, Outcome::Matched);
    assert_eq!(check(&unlisted, &[card("3"), card("9")], &failed).0, Outcome::OnlyHere);
}

#[test]
fn order_with_an_unknown_code_is_unresolved() {
    let rows = rows(&[&ROW.replace("25.35", "25.00")]);
    let provider = Provider::new().partner_transactions(&rows);
    let mut orders = Orders::new();
    let mut order = Entry::new(List::Orders, "T1");
    (order.order_no, order.kind, order.status_code) = (Some("T1".into()), Some(Kind::Topup), Some("S".into()));
    (order.amount, order.currency) = (Some("25.00".parse().unwrap()), Some("EUR".into()));
    orders.push_entry(order);
    let outcome = |rules: &Rules| {
        let notifications = Notifications::not_given();
        let report = reconcile(&provider, &notifications, &orders, rules);
        (report.items[0].outcome, report.items[0].reasons.clone())
    };
    assert_eq!(outcome(&Rules::default()), (Outcome::Unresolved, vec![OpenReason::PartnerStatusUnknown]));
    let meaning = |status: &str| -> Rules {
        toml::from_str(&format!("[codes.statuses]\ntopups = {{ S = \"{status}\" }}")).unwrap()
    };
    assert_eq!(outcome(&meaning("succeeded")), (Outcome::Matched, vec![]));
    assert_eq!(outcome(&meaning("failed")).0, Outcome::Different);
}

#[test]
fn transaction_with_an_unreadable_field_is_unresolved() {
    let row = ROW.replace(r#""25.35""#, r#"{"much":1}"#);
    with_report(&[&row], &[ORDER], &Rules::default(), |report| {
        assert_eq!(report.items[0].reasons, [OpenReason::AmountMissing, OpenReason::Unreadable]);
        assert_eq!(report.items[0].rows[0].unreadable, ["amount"]);
    });
    let (provider, orders) = (Provider::new().with_list(List::CardTransactions), Orders::new());
    let mut notifications = Notifications::new();
    notifications.push_unreadable("7", 0);
    let report = reconcile(&provider, &notifications, &orders, &Rules::default());
    assert_eq!((report.items[0].outcome, report.open()), (Outcome::Unresolved, 1));
}

#[test]
fn last_notification_determines_the_status() {
    let notification = |status: &str| {
        let json = format!(
            r#"{{"transactionId":"C1","transactionType":"2","transactionStatus":"{status}",
                "amount":"5","currency":"EUR"}}"#
        );
        Notification::read(Product::Issuing, "1", json.as_bytes())
    };
    let row = serde_json::from_str(
        r#"{"tradeId":"C1","tradeType":"151","tradeStatus":"1","amount":"5.00","currency":"EUR"}"#,
    )
    .unwrap();
    let provider = Provider::new().card_transactions("c1", [&row]);
    let mut codes = Codes::local_sandbox();
    codes.statuses.notifications.insert("9".into(), paytend_reconcile::Status::Failed);
    let (rules, orders) = (Rules::default().codes(codes), Orders::new());
    let state = |statuses: [&str; 2]| {
        let mut notifications = Notifications::new();
        for (at, status) in statuses.iter().enumerate() {
            notifications.push(at.to_string(), at as i64, &notification(status));
        }
        let report = reconcile(&provider, &notifications, &orders, &rules);
        (report.items[0].outcome, report.items[0].differences.first().map(|difference| difference.field))
    };
    assert_eq!(state(["9", "2"]), (Outcome::Matched, None));
    assert_eq!(state(["2", "9"]), (Outcome::Different, Some(Field::Status)));
    assert_eq!(state(["2", "2"]).0, Outcome::Duplicate);
}

#[test]
fn refund_of_an_order_is_a_difference_and_not_a_duplicate() {
    let row = ROW.replace("25.35", "25.00");
    let refund = row.replace("P1", "P2").replace(r#""tradeStatus":"1""#, r#""tradeStatus":"10""#);
    with_report(&[&row, &refund], &[ORDER], &Rules::default(), |report| {
        let fields: Vec<Field> = report.items[0].differences.iter().map(|difference| difference.field).collect();
        assert_eq!((report.items[0].outcome, fields), (Outcome::Different, vec![Field::Status, Field::TradeNumber]));
    });
    assert_eq!(outcome(&[&row, &refund, &refund], &[ORDER], &Rules::default()), Outcome::Duplicate);
}

#[test]
fn order_number_of_a_deposit_does_not_match_an_order() {
    let content =
        Notification::read(Product::Baas, "2", br#"{"transactionId":"T9","orderNo":"T1","amount":1,"currency":"EUR"}"#);
    let mut notifications = Notifications::new();
    notifications.push("1", 0, &content);
    notifications.push("2", 0, &Notification::read(Product::Baas, "3", br#"{"userId":"U1"}"#));
    let (provider, orders) = (Provider::new().with_list(List::PartnerTransactions), orders(&[ORDER]));
    let report = reconcile(&provider, &notifications, &orders, &Rules::default());
    let outcomes: Vec<Outcome> = report.items.iter().map(|item| item.outcome).collect();
    assert_eq!((outcomes, report.ignored_notifications), (vec![Outcome::OnlyHere, Outcome::NotCompared], 1));
}

#[test]
fn errors_for_invalid_orders_contain_none_of_their_values() {
    for (json, message) in [
        ("x", "not a JSON object: column 1"),
        (r#"{"order_no":"S3CRET"}"#, "the field `amount` is missing"),
        (r#"{"order_no":"","amount":"1","currency":"EUR","status":"failed"}"#, "the field `order_no` is missing"),
        (r#"{"order_no":"T","amount":"S3CRET","currency":"EUR","status":"failed"}"#, "a field has an invalid value"),
        (r#"{"order_no":"T","amount":"1","currency":"EUR","status":"S3CRET"}"#, "a field has an invalid value"),
        (r#"{"order_no":"T","amount":"1","currency":"EUR","status":"failed","x":"S3CRET"}"#, "unknown field `x`"),
    ] {
        let error = OrderRecord::from_json(json).unwrap_err().to_string();
        assert!(error.starts_with(message) && !error.contains("S3CRET"), "{error}");
    }
    let number = r#"{"order_no":"T","amount":0.10,"currency":"EUR","status":"failed"}"#;
    assert_eq!(OrderRecord::from_json(number).unwrap().amount.to_string(), "0.10");
    assert!(Period::new("2026-11-28", "2026-11-27").is_err() && Period::new("2026-11-31", "2026-12-01").is_err());
}
