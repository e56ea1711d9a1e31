//! Tests of the report formats.

use paytend_model::issuing::PartnerTransaction;
use paytend_reconcile::{
    Account, Balance, Notifications, OrderRecord, Orders, Period, Provider, Report, Rules, reconcile,
};
use serde_json::json;

/// Text that is dangerous in HTML, CSV and terminals unless it is escaped.
const ATTACK: &str = "=1+1\"<script>alert('x')</script>\u{1b}[2J&\u{202e}";

fn with_report<T>(then: impl FnOnce(&Report<'_>) -> T) -> T {
    let row: PartnerTransaction = serde_json::from_str(
        r#"{"tradeId":"P1","tradeType":"100","tradeStatus":"1","orderNo":"T1","amount":"25.00","currency":"EUR",
            "businessDate":"2026-11-27"}"#,
    )
    .unwrap();
    let mut attack = row.clone();
    (attack.order_no, attack.trade_id) = (Some(ATTACK.into()), Some(ATTACK.into()));
    (attack.currency, attack.business_date) = (Some(ATTACK.into()), Some(ATTACK.into()));
    let balance =
        |amount: &str| Balance { account: Account::Funds, currency: "EUR".into(), amount: amount.parse().unwrap() };
    let provider =
        Provider::new().partner_transactions([&row, &attack]).opening([balance("100.00")]).closing([balance("75.00")]);
    let mut orders = Orders::new();
    let order = json!({"order_no": "T1", "amount": "24.00", "currency": "EUR", "status": "succeeded",
        "at": "2026-11-27T10:00:00Z", "card": "c1"});
    orders.push(OrderRecord::from_json(&order.to_string()).unwrap());
    let notifications = Notifications::not_given();
    let rules = Rules::default().period(Period::new("2026-11-27", "2026-11-27").unwrap());
    then(&reconcile(&provider, &notifications, &orders, &rules))
}

fn written(write: impl Fn(&Report<'_>, &mut Vec<u8>)) -> String {
    with_report(|report| {
        let mut text = Vec::new();
        write(report, &mut text);
        String::from_utf8(text).unwrap()
    })
}

#[test]
fn json_has_the_documented_members() {
    let text = written(|report, out| report.write_json(out).unwrap());
    let report: serde_json::Value = serde_json::from_str(&text).unwrap();
    let tally = |count: u64, amount: &str| json!({"count": count, "amount": amount, "executed": amount});
    let none = tally(0, "0");
    assert_eq!((&report["version"], &report["open"], &report["time_zone"]), (&json!(1), &json!(2), &json!("UTC")));
    assert_eq!(report["period"], json!({"from": "2026-11-27", "to": "2026-11-27"}));
    assert_eq!(
        report["counts"],
        json!({"duplicate": 0, "different": 1, "only_provider": 1, "only_here": 0, "unresolved": 0, "matched": 0,
            "not_compared": 0})
    );
    assert_eq!(report["lists"][0], json!({"list": "partner_transactions", "given": true, "rows": 2}));
    assert_eq!(report["lists"][5], json!({"list": "notifications", "given": false, "rows": 0}));
    assert_eq!(
        report["balances"],
        json!([{"account": "funds", "currency": "EUR", "state": "closes", "opening": "100.00", "movements": "-25.00",
            "unknown_movements": 0, "expected": "75.00", "closing": "75.00", "difference": "0.00"}])
    );
    assert_eq!(
        report["sums"].as_array().unwrap().last().unwrap(),
        &json!({"list": "orders", "currency": "EUR", "total": tally(1, "24.00"), "duplicate": none,
            "different": tally(1, "24.00"), "only_provider": none, "only_here": none, "unresolved": none,
            "matched": none, "not_compared": none, "outside_period": none})
    );
    assert_eq!(
        report["items"][0],
        json!({"outcome": "different", "kind": "topup", "status": "succeeded", "order_no": "T1", "trade_no": "P1",
            "card": "c1", "amount": "25.00", "currency": "EUR", "date": "2026-11-27", "matched_by": ["order_number"],
            "reasons": [], "differences": [{"field": "amount", "values": [
                {"list": "partner_transactions", "reference": "P1", "value": "25.00"},
                {"list": "orders", "reference": "T1", "value": "24.00"}]}],
            "tolerated": null, "candidates": null, "rows": [
                {"list": "partner_transactions", "reference": "P1", "order_no": "T1", "trade_no": "P1",
                    "type_code": "100", "trade_status": "1", "amount": "25.00", "currency": "EUR",
                    "time": "2026-11-27"},
                {"list": "orders", "reference": "T1", "order_no": "T1", "card": "c1", "kind": "topup",
                    "status": "succeeded", "amount": "24.00", "currency": "EUR", "time": "2026-11-27T10:00:00Z"}]})
    );
    assert_eq!(report["items"][1]["order_no"], json!(ATTACK));
    assert_eq!((&report["ignored_notifications"], &report["outside_period"]), (&json!(0), &json!(0)));
}

#[test]
fn html_is_one_escaped_page_without_scripts() {
    let page = written(|report, out| report.write_html(out).unwrap());
    for unwanted in ["<script", "alert('x')", "\u{1b}", "\u{202e}", "http://", "https://", " src=", " href="] {
        assert!(!page.contains(unwanted), "{unwanted}");
    }
    assert!(page.contains("&lt;script&gt;alert(&#39;x&#39;)&lt;/script&gt;"));
    assert!(page.contains("default-src 'none'") && page.contains("amount: 25.00 (partner_transactions P1)"));
    // The open transactions come first, and the rows of each transaction begin with the order.
    let story = &page[page.find("<h2>different").unwrap()..];
    assert!(story.find("<td>orders</td>").unwrap() < story.find("<td>partner_transactions</td>").unwrap());
    for name in ["html", "head", "body", "table", "tr", "td", "th", "details", "summary", "p", "h2"] {
        let opened = page.matches(&format!("<{name}>")).count() + page.matches(&format!("<{name} ")).count();
        assert_eq!(opened, page.matches(&format!("</{name}>")).count(), "{name}");
    }
}

#[test]
fn csv_has_a_line_for_each_row_and_no_formulas() {
    let text = written(|report, out| report.write_csv(out).unwrap());
    let mut reader = csv::Reader::from_reader(text.as_bytes());
    let header = reader.headers().unwrap().clone();
    let records: Vec<csv::StringRecord> = reader.records().map(Result::unwrap).collect();
    assert_eq!((records.len(), &header[0], header.len()), (3, "transaction", 19));
    assert_eq!((&records[0][1], &records[0][9], &records[1][9]), ("different", "25.00", "24.00"));
    assert_eq!(records[0].get(16), Some("amount"));
    assert!(records.iter().flatten().all(|cell| !cell.starts_with(['=', '+', '@'])));
    assert_eq!(records[2][6], format!("'{ATTACK}"));
}

#[test]
fn text_lists_the_open_transactions() {
    let text = written(|report, out| report.write_text(out).unwrap());
    for line in [
        "period         2026-11-27 to 2026-11-27 (UTC)\n",
        "only provider  1\n",
        "not given      topups, card_transactions, authorizations, notifications\n",
        "different, topup, order T1, trade P1, card c1, 25.00 EUR, 2026-11-27\n",
        "  amount: 25.00 (partner_transactions P1), 24.00 (orders T1)\n",
        "  orders               T1  24.00 EUR  succeeded  2026-11-27T10:00:00Z\n",
    ] {
        assert!(text.contains(line), "{line}{text}");
    }
    assert!(!text.contains('\u{1b}') && !text.contains('\u{202e}'));
}
