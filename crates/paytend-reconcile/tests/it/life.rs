//! Generated transactions of a partner: the rows of both sides, with planted differences.

use paytend_model::issuing::{CardTransaction, PartnerTransaction, TopupResultResponse};
use paytend_model::{Notification, Product};
use paytend_reconcile::{
    Codes, Notifications, OrderRecord, Orders, Outcome, Period, Provider, Report, Rules, reconcile,
};
use proptest::prelude::*;
use serde_json::{Value, json};

/// 2026-11-27T00:00:00Z.
pub(crate) const DAY: i64 = 1_795_737_600_000;
const HOUR: i64 = 3_600_000;

/// A generated transaction.
#[derive(Clone, Debug)]
pub(crate) enum Action {
    /// A topup. If `has_number` is false, the order number is missing from the provider's list.
    Topup { succeeds: bool, has_number: bool, has_result: bool, is_on_card: bool },
    /// An order that the provider has rejected.
    Rejected,
    /// A payment with a card.
    Payment { has_number: bool },
    /// An authorization, which both of the provider's card lists contain.
    Authorization,
    /// A fee that only the provider lists.
    Fee,
    /// A deposit, which none of the provider's lists contains.
    Deposit,
}

/// A planted difference.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Plant {
    OnlyProvider,
    OnlyHere,
    Amount,
    Currency,
    Card,
    Status,
    Time,
    Twice,
    OtherTrade,
    Unresolved,
    Processing,
    ListLacksRow,
}

/// The rows of all lists, before they are converted to the crate's types.
#[derive(Clone, Debug, Default)]
pub(crate) struct Life {
    pub(crate) partner: Vec<Value>,
    pub(crate) topups: Vec<Value>,
    pub(crate) card: Vec<Value>,
    pub(crate) authorizations: Vec<Value>,
    pub(crate) orders: Vec<Value>,
    /// The product, the `notifyType`, the time and the content of each notification.
    pub(crate) notifications: Vec<(Product, &'static str, i64, Value)>,
    /// The expected open transactions: the outcome, the order or trade number, and the fields that differ.
    pub(crate) expected: Vec<(Outcome, String, String)>,
}

pub(crate) fn actions() -> impl Strategy<Value = Vec<(Action, u8, Option<Plant>)>> {
    let action = prop_oneof![
        4 => any::<[bool; 4]>().prop_map(|[succeeds, has_number, has_result, is_on_card]| Action::Topup {
            succeeds, has_number, has_result, is_on_card
        }),
        1 => Just(Action::Rejected),
        3 => any::<bool>().prop_map(|has_number| Action::Payment { has_number }),
        2 => Just(Action::Authorization),
        1 => Just(Action::Fee),
        1 => Just(Action::Deposit),
    ];
    let plant = prop::sample::select(vec![
        Plant::OnlyProvider,
        Plant::OnlyHere,
        Plant::Amount,
        Plant::Currency,
        Plant::Card,
        Plant::Status,
        Plant::Time,
        Plant::Twice,
        Plant::OtherTrade,
        Plant::Unresolved,
        Plant::Processing,
        Plant::ListLacksRow,
    ]);
    prop::collection::vec((action, 0u8..24, prop::option::weighted(0.3, plant)), 0..40)
}

impl Life {
    /// Creates the rows. Each amount is used once, so that no match by amount is ambiguous.
    pub(crate) fn new(actions: &[(Action, u8, Option<Plant>)]) -> Self {
        let mut life = Self::default();
        for (index, (action, hour, plant)) in actions.iter().enumerate() {
            let at = DAY + i64::from(*hour) * HOUR;
            match action {
                Action::Topup { .. } => life.topup(index, action, at, *plant),
                Action::Rejected => life.orders.push(order(index, at, "rejected")),
                Action::Payment { has_number } => life.card_used(index, at, *has_number, false, *plant),
                Action::Authorization => life.card_used(index, at, true, true, *plant),
                Action::Fee => {
                    let mut fee = card_row(index, "500");
                    fee["tradeId"] = json!(format!("F{index}"));
                    life.card.push(fee);
                }
                Action::Deposit => {
                    let content =
                        json!({"transactionId": format!("D{index}"), "amount": amount(index), "currency": "EUR"});
                    life.notifications.push((Product::Baas, "2", at, content));
                }
            }
        }
        life.expected.sort();
        life
    }

    fn expect(&mut self, outcome: Outcome, number: &str, fields: &str) {
        self.expected.push((outcome, number.to_owned(), fields.to_owned()));
    }

    fn topup(&mut self, index: usize, action: &Action, at: i64, plant: Option<Plant>) {
        let Action::Topup { succeeds, has_number, has_result, is_on_card } = *action else { return };
        let (number, trade) = (format!("T{index}"), format!("P{index}"));
        let status = if succeeds { "1" } else { "6" };
        let mut row = json!({"tradeId": trade, "tradeType": "100", "tradeStatus": status, "orderNo": number,
            "amount": amount(index), "currency": "EUR", "businessDate": "2026-11-27"});
        if !has_number {
            row.as_object_mut().unwrap().remove("orderNo");
        }
        let mut order = order(index, at, if succeeds { "succeeded" } else { "failed" });
        let mut result = json!({"orderNo": number, "cardId": "c1", "amount": amount(index), "currency": "EUR",
            "status": if succeeds { "2" } else { "3" }});
        // If the provider's row has no order number, only two kinds of differences can be detected, so the others are
        // not planted. With most differences, there is no topup result, because it would contradict the planted
        // difference.
        let plant = plant.filter(|plant| has_number || matches!(plant, Plant::OnlyHere | Plant::OnlyProvider));
        let has_result = has_result && has_number && plant.is_none_or(|plant| plant == Plant::ListLacksRow);
        let is_on_card = is_on_card && succeeds && plant.is_none();
        match plant {
            None if !has_result => {}
            None => self.topups.push(result),
            Some(Plant::OnlyProvider) => {
                self.partner.push(row);
                let key = if has_number { number } else { trade };
                return self.expect(Outcome::OnlyProvider, &key, "");
            }
            Some(Plant::OnlyHere) => {
                if succeeds {
                    self.expect(Outcome::OnlyHere, &number, "");
                }
                return self.orders.push(order);
            }
            Some(Plant::Amount) => {
                order["amount"] = json!("0.01");
                self.expect(Outcome::Different, &number, "amount");
            }
            Some(Plant::Currency) => {
                order["currency"] = json!("USD");
                self.expect(Outcome::Different, &number, "currency");
            }
            Some(Plant::Card) => {
                result["cardId"] = json!("c2");
                self.topups.push(result);
                self.expect(Outcome::Different, &number, "card");
            }
            Some(Plant::Status) => {
                order["status"] = json!(if succeeds { "failed" } else { "succeeded" });
                self.expect(Outcome::Different, &number, "status");
            }
            Some(Plant::Time) => {
                order["at"] = json!("2026-11-20T10:00:00Z");
                self.expect(Outcome::Different, &number, "time");
            }
            Some(Plant::Twice) => {
                self.orders.push(order.clone());
                self.expect(Outcome::Duplicate, &number, "");
            }
            Some(Plant::OtherTrade) => {
                let mut second = row.clone();
                second["tradeId"] = json!(format!("Q{index}"));
                self.partner.push(second);
                self.expect(Outcome::Duplicate, &number, "trade_number");
            }
            Some(Plant::Unresolved) => {
                order["status"] = json!("unknown");
                self.expect(Outcome::Unresolved, &number, "");
            }
            Some(Plant::Processing) => {
                row.as_object_mut().unwrap().remove("tradeStatus");
                row["transactionStatus"] = json!("1");
                self.expect(Outcome::Unresolved, &number, "");
            }
            Some(Plant::ListLacksRow) => {
                self.topups.push(result);
                if succeeds {
                    self.expect(Outcome::Different, &number, "lists");
                }
                return self.orders.push(order);
            }
        }
        if is_on_card {
            let mut on_card = card_row(index, "100");
            on_card["tradeId"] = json!(format!("L{index}"));
            self.card.push(on_card);
        }
        self.partner.push(row);
        self.orders.push(order);
    }

    fn card_used(&mut self, index: usize, at: i64, has_number: bool, reserves: bool, plant: Option<Plant>) {
        let trade = format!("C{index}");
        let mut row = card_row(index, if reserves { "150" } else { "151" });
        row["tradeId"] = json!(trade);
        if !has_number {
            row.as_object_mut().unwrap().remove("tradeId");
        }
        let code = if reserves { "1" } else { "2" };
        let mut content = json!({"transactionId": trade, "cardId": "c1", "transactionType": code,
            "transactionStatus": code, "amount": amount(index), "currency": "EUR"});
        let mut at = at;
        let key = if has_number { trade.as_str() } else { "" };
        match plant.filter(|plant| has_number || matches!(plant, Plant::OnlyProvider | Plant::OnlyHere)) {
            Some(Plant::OnlyProvider) => {
                self.expect(Outcome::OnlyProvider, key, "");
                return self.provider_card(row, reserves);
            }
            Some(Plant::OnlyHere) => {
                self.expect(Outcome::OnlyHere, &trade, "");
                return self.notifications.push((Product::Issuing, "1", at, content));
            }
            Some(Plant::Amount) => {
                content["amount"] = json!("0.01");
                self.expect(Outcome::Different, &trade, "amount");
            }
            Some(Plant::Currency) => {
                content["currency"] = json!("USD");
                self.expect(Outcome::Different, &trade, "currency");
            }
            Some(Plant::Card) => {
                content["cardId"] = json!("c2");
                self.expect(Outcome::Different, &trade, "card");
            }
            Some(Plant::Time) => {
                at += 72 * HOUR;
                self.expect(Outcome::Different, &trade, "time");
            }
            Some(Plant::Twice) => {
                self.notifications.push((Product::Issuing, "1", at + 1, content.clone()));
                self.expect(Outcome::Duplicate, &trade, "");
            }
            Some(Plant::Status) => {
                row["tradeStatus"] = json!("3");
                self.expect(Outcome::Different, &trade, "status");
            }
            Some(Plant::Unresolved) => {
                row.as_object_mut().unwrap().remove("amount");
                self.expect(Outcome::Unresolved, &trade, "");
            }
            Some(Plant::ListLacksRow) if reserves => {
                self.card.push(row);
                self.notifications.push((Product::Issuing, "1", at, content));
                return self.expect(Outcome::Different, &trade, "lists");
            }
            _ => {}
        }
        self.provider_card(row, reserves);
        self.notifications.push((Product::Issuing, "1", at, content));
    }

    fn provider_card(&mut self, row: Value, reserves: bool) {
        if reserves {
            self.authorizations.push(row.clone());
        }
        self.card.push(row);
    }

    /// Compares both sides, and passes the report to a function.
    pub(crate) fn with_report<T>(&self, then: impl FnOnce(&Report<'_>) -> T) -> T {
        let read = |rows: &[Value]| -> Vec<CardTransaction> {
            rows.iter().map(|row| serde_json::from_value(row.clone()).unwrap()).collect()
        };
        let text = |row: &Value| row.to_string();
        let partner: Vec<PartnerTransaction> =
            self.partner.iter().map(|row| serde_json::from_str(&text(row)).unwrap()).collect();
        let topups: Vec<TopupResultResponse> =
            self.topups.iter().map(|row| serde_json::from_str(&text(row)).unwrap()).collect();
        let (card, authorizations) = (read(&self.card), read(&self.authorizations));
        let provider = Provider::new()
            .partner_transactions(&partner)
            .topups(&topups)
            .card_transactions("c1", &card)
            .authorizations("c1", &authorizations);
        let mut notifications = Notifications::new();
        for (product, notify_type, at, content) in &self.notifications {
            let reference = content["transactionId"].as_str().unwrap().to_owned();
            let content = content.to_string();
            notifications.push(reference, *at, &Notification::read(*product, notify_type, content.as_bytes()));
        }
        let mut orders = Orders::new();
        for order in &self.orders {
            orders.push(OrderRecord::from_json(&text(order)).unwrap());
        }
        then(&reconcile(&provider, &notifications, &orders, &rules()))
    }
}

pub(crate) fn rules() -> Rules {
    Rules::default().codes(Codes::local_sandbox()).period(Period::new("2026-11-27", "2026-11-28").unwrap())
}

fn amount(index: usize) -> String {
    format!("{}.{:02}", index + 1, index % 100)
}

fn order(index: usize, at: i64, status: &str) -> Value {
    let hour = (at - DAY) / HOUR;
    json!({"order_no": format!("T{index}"), "card": "c1", "amount": amount(index), "currency": "EUR",
        "status": status, "at": format!("2026-11-27T{hour:02}:00:00Z")})
}

fn card_row(index: usize, kind: &str) -> Value {
    json!({"tradeType": kind, "tradeStatus": "1", "businessDate": "2026-11-27", "cardId": "c1",
        "amount": amount(index), "currency": "EUR"})
}

/// Returns the open transactions: the outcome, the order or trade number, and the fields that differ.
pub(crate) fn open(report: &Report<'_>) -> Vec<(Outcome, String, String)> {
    let item = |item: &paytend_reconcile::Item<'_>| {
        let fields: Vec<&str> = item.differences.iter().map(|difference| difference.field.as_str()).collect();
        (item.outcome, item.order_no.or(item.trade_no).unwrap_or_default().to_owned(), fields.join(" "))
    };
    let mut open: Vec<_> = report.items.iter().filter(|item| item.outcome.is_open()).map(item).collect();
    open.sort();
    open
}
