//! Property tests with random sequences of events. Money is neither created nor lost, each order is applied once, and
//! replaying the events recreates the same state.

use std::collections::BTreeMap;

use paytend_model::iban::{CreateIndividual, IndividualQuestionnaire, UploadDocument};
use paytend_model::issuing::{
    ActiveCard, ApplyCard, CancelReportLoss, CreateCardholder, ReplaceCard, ReportLoss, RetrievePassword, Topup,
};
use paytend_model::{Amount, Operation};
use proptest::prelude::*;

use super::entities::TopupState;
use super::money::Place;
use super::partner::{FIRST_CARD, cvv};
use super::settings::Timing;
use super::*;

const PARTNER: &str = "888666000100260";

#[derive(Clone, Debug)]
enum Action {
    /// A topup: the order, the card, and the amount in cents.
    Topup(u8, u8, i64),
    Holder,
    /// A card application: the order, the cardholder (`None` for physical cards), and the quantity.
    Apply(u8, Option<u8>, u8),
    Activate(u8, u8),
    Replace(u8, u8),
    Lost(u8),
    Found(u8),
    Password(u8),
    /// A card transaction: the card, the amount in cents, and whether the amount is only reserved.
    Spend(u8, i64, bool),
    User(u8),
    Upload(u8),
    Questionnaire(u8),
    Deposit(i64),
    Audit(u8, bool),
    Pass(u64),
    /// Repeats the last call with a new `requestId`, as a client does after a lost response.
    Again,
}

fn actions() -> impl Strategy<Value = Vec<Action>> {
    let cents = || prop_oneof![1..500i64, 1..2_000_000i64, Just(0i64), Just(-5i64)];
    let one = || 0..6u8;
    let action = prop_oneof![
        6 => (0..12u8, one(), cents()).prop_map(|(order, card, cents)| Action::Topup(order, card, cents)),
        1 => Just(Action::Holder),
        2 => (0..6u8, proptest::option::of(one()), 0..4u8)
            .prop_map(|(order, holder, many)| Action::Apply(order, holder, many)),
        2 => (one(), one()).prop_map(|(card, holder)| Action::Activate(card, holder)),
        3 => (one(), one()).prop_map(|(new, old)| Action::Replace(new, old)),
        1 => one().prop_map(Action::Lost),
        1 => one().prop_map(Action::Found),
        1 => one().prop_map(Action::Password),
        4 => (one(), cents(), any::<bool>()).prop_map(|(card, cents, reserve)| Action::Spend(card, cents, reserve)),
        1 => one().prop_map(Action::User),
        1 => one().prop_map(Action::Upload),
        1 => one().prop_map(Action::Questionnaire),
        2 => cents().prop_map(Action::Deposit),
        1 => (one(), any::<bool>()).prop_map(|(user, passed)| Action::Audit(user, passed)),
        4 => prop_oneof![Just(0u64), 1..3_000u64, 1..200_000_000u64, Just(40 * 24 * 3_600_000u64)]
            .prop_map(Action::Pass),
        3 => Just(Action::Again),
    ];
    proptest::collection::vec(action, 1..60)
}

fn amount(cents: i64) -> Amount {
    Amount::try_from(paytend_model::Decimal::new(cents, 2)).unwrap()
}

/// The world, the events applied so far, and the expected orders.
struct Life {
    world: World,
    events: Vec<Event>,
    at: Millis,
    requests: u64,
    last: Option<(String, String)>,
    /// The amount of each accepted order.
    accepted: BTreeMap<String, i64>,
}

impl Life {
    fn new(timing: Timing) -> Self {
        let settings = Settings { timing, ..Settings::default() };
        let begin = Event::Begin { at: 1_000, partners: vec![PARTNER.into()], settings: settings.clone() };
        Self {
            world: World::new(1_000, &[PARTNER.into()], settings),
            events: vec![begin],
            at: 1_000,
            requests: 0,
            last: None,
            accepted: BTreeMap::new(),
        }
    }

    fn partner(&self) -> &Partner {
        &self.world.partners[PARTNER]
    }

    fn apply(&mut self, event: Event) -> Result<String, Refusal> {
        self.events.push(event.clone());
        self.world.apply(event)
    }

    fn call(&mut self, path: &str, data: String) -> Result<String, Refusal> {
        self.requests += 1;
        let (at, request_id) = (self.at, format!("{:032}", self.requests));
        self.last = Some((path.to_owned(), data.clone()));
        let (partner, path) = (PARTNER.into(), path.to_owned());
        self.apply(Event::Call { at, partner, path, request_id, data, duplicates: false })
    }

    fn send<O: Operation>(&mut self, operation: &O) -> Result<String, Refusal> {
        self.call(O::INFO.path, serde_json::to_string(operation).unwrap())
    }

    fn trigger(&mut self, product: &str, notify_type: &str, content: String) {
        let trigger = Trigger::Notification { product: product.into(), notify_type: notify_type.into(), content };
        let _ = self.apply(Event::Triggered { at: self.at, partner: PARTNER.into(), trigger });
    }

    fn nth<T>(map: &BTreeMap<String, T>, n: u8) -> String {
        map.keys().nth(usize::from(n) % map.len().max(1)).cloned().unwrap_or_else(|| "none".into())
    }

    fn step(&mut self, action: &Action) {
        let card = |life: &Self, n| Self::nth(&life.partner().cards, n);
        let holder = |life: &Self, n| Self::nth(&life.partner().holders, n);
        let user = |life: &Self, n| Self::nth(&life.partner().users, n);
        match action {
            Action::Topup(order, n, cents) => {
                let order = format!("T{order}");
                let request = Topup::builder()
                    .card_id(card(self, *n))
                    .order_no(order.as_str())
                    .amount(amount(*cents))
                    .currency("EUR")
                    .build();
                if self.send(&request).is_ok() {
                    assert!(self.accepted.insert(order, *cents).is_none(), "an order was accepted twice");
                }
            }
            Action::Holder => {
                let example = r#"{"mobile":"37060000000","firstName":"T25h","lastName":"T25h","idNo":"1","idType":"2",
                    "email":"a@example.com","birthday":"1990-02-28","gender":"1","nationalityCode":"LT",
                    "eeaAddress":{"addressLine":"T25h","cityCode":"VNO","state":"Vilnius","postcode":"01103",
                    "countryCode":"LT"}}"#;
                let _ = self.call(CreateCardholder::INFO.path, example.into());
            }
            Action::Apply(order, of, many) => {
                let address = r#"{"addressLine":"T25h","cityCode":"VNO","state":"Vilnius","postcode":"01103",
                    "countryCode":"LT"}"#;
                let holder = of.map(|n| format!(r#""holderId":"{}","#, holder(self, n))).unwrap_or_default();
                let kind = if of.is_some() { "1" } else { "2" };
                let data = format!(
                    r#"{{{holder}"orderNo":"A{order}","cardScheme":"3","cardType":"{kind}","sku":"SKU001",
                    "remarks":"","quantity":"{many}","contactName":"Ona","contactMobile":"370",
                    "deliveryAddress":{address}}}"#
                );
                let _ = self.call(ApplyCard::INFO.path, data);
            }
            Action::Activate(n, of) => {
                let _ = self.send(&ActiveCard::builder().card_id(card(self, *n)).holder_id(holder(self, *of)).build());
            }
            Action::Replace(new, old) => {
                let new = card(self, *new);
                let request =
                    ReplaceCard::builder().card_id(new.as_str()).cvv(cvv(&new)).old_card_id(card(self, *old)).build();
                let _ = self.send(&request);
            }
            Action::Lost(n) => drop(self.send(&ReportLoss::new(card(self, *n)))),
            Action::Found(n) => drop(self.send(&CancelReportLoss::new(card(self, *n)))),
            Action::Password(n) => drop(self.send(&RetrievePassword::new(card(self, *n)))),
            Action::Spend(n, cents, reserve) => {
                let kind = if *reserve { "1" } else { "2" };
                let content = format!(
                    r#"{{"cardId":"{}","amount":"{}","transactionType":"{kind}"}}"#,
                    card(self, *n),
                    amount(*cents)
                );
                self.trigger("issuing", "1", content);
            }
            Action::User(n) => drop(self.send(&CreateIndividual::new(format!("3706000000{n}")))),
            Action::Upload(n) => {
                let content = paytend_model::FileContent::from(b"x".to_vec());
                let _ = self.send(&UploadDocument::file(user(self, *n).into(), "2".into(), content));
            }
            Action::Questionnaire(n) => drop(self.send(&IndividualQuestionnaire::new(user(self, *n)))),
            Action::Deposit(cents) => self.trigger("baas", "2", format!(r#"{{"amount":{}}}"#, amount(*cents))),
            Action::Audit(n, passed) => {
                let (user, status) = (user(self, *n), if *passed { "2" } else { "3" });
                self.trigger("baas", "3", format!(r#"{{"userId":"{user}","auditStatus":"{status}"}}"#));
            }
            Action::Pass(millis) => {
                self.at += millis;
                let _ = self.apply(Event::Due { at: self.at });
            }
            Action::Again => {
                let Some((path, data)) = self.last.clone() else { return };
                let orders = self.partner().topups.len();
                if self.call(&path, data).is_ok() && path == Topup::INFO.path {
                    // If the call is accepted, it must have created a new topup. A repeated order can be accepted only
                    // if it was refused before.
                    let topups = &self.partner().topups;
                    assert_eq!(topups.len(), orders + 1);
                    let new = topups.iter().find(|(order, _)| !self.accepted.contains_key(*order)).unwrap();
                    self.accepted.insert(new.0.clone(), new.1.amount.0);
                }
            }
        }
    }

    /// Checks the invariants after each step.
    fn check(&self) {
        assert!(self.world.conserves());
        let partner = self.partner();
        assert!(
            partner
                .topups
                .iter()
                .map(|(order, topup)| (order, topup.amount.0))
                .eq(self.accepted.iter().map(|(o, c)| (o, *c)))
        );
        for (order, topup) in &partner.topups {
            let transit = partner.ledger.balance(&Place::Transit(format!("topup {order}")), &topup.currency);
            let expected = if topup.state == TopupState::Processing { topup.amount.0 } else { 0 };
            assert_eq!(transit.0, expected, "{order}");
        }
        // Money reaches cards only through topups and leaves them only through transactions and fees.
        let of = |state| {
            partner.topups.values().filter(move |topup| topup.state == state).map(|topup| topup.amount.0).sum::<i64>()
        };
        let spent: i64 = partner.settlements.iter().map(|one| one.amount.0).sum();
        let fees = partner.ledger.balance(&Place::Fees, "EUR").0;
        let on_cards: i64 =
            partner.cards.keys().map(|id| partner.ledger.balance(&Place::Card(id.clone()), "EUR").0).sum();
        assert_eq!(on_cards, of(TopupState::Succeeded) - spent - fees);
        let funds = partner.ledger.balance(&Place::Funds, "EUR").0;
        assert_eq!(funds, 1_000_000 - of(TopupState::Succeeded) - of(TopupState::Processing));
        assert!(partner.cards.contains_key(FIRST_CARD));
    }

    /// Checks that replaying the serialized events recreates the state, and that importing an export does so too.
    fn check_replay(&self) {
        let mut again = World::new(0, &[], Settings::default());
        for event in &self.events {
            let text = serde_json::to_string(event).unwrap();
            let _ = again.apply(serde_json::from_str(&text).unwrap());
        }
        let text = |world: &World| serde_json::to_string(world).unwrap();
        assert_eq!(text(&again), text(&self.world));
        // Every state that occurs in this test is accepted by `import` and on the next start.
        assert_eq!(self.world.flaw(), None);
        let imported: World = serde_json::from_str(&text(&self.world)).unwrap();
        assert_eq!(text(&imported), text(&self.world));
    }
}

#[test]
fn repeated_topups_move_money_and_are_replayed() {
    let mut life = Life::new(Timing::realistic());
    life.step(&Action::Topup(1, 1, 500));
    let (path, data) = life.last.clone().unwrap();
    for _ in 0..2 {
        // The `requestId` of the first request is used again.
        let (path, data, request_id) = (path.clone(), data.clone(), format!("{:032}", 1));
        let event = Event::Call { at: life.at, partner: PARTNER.into(), path, request_id, data, duplicates: true };
        life.apply(event).unwrap();
    }
    life.step(&Action::Again);
    life.step(&Action::Pass(10_000));
    let topups = &life.partner().topups;
    assert!(topups.len() == 3 && topups.values().all(|topup| topup.state == TopupState::Succeeded));
    assert!(topups.iter().all(|(key, topup)| topup.order_no(key) == "T1"));
    assert!(life.world.conserves());
    life.check_replay();
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 192, ..ProptestConfig::default() })]

    #[test]
    fn money_is_neither_created_nor_lost(actions in actions(), realistic in any::<bool>()) {
        let mut life = Life::new(if realistic { Timing::realistic() } else { Timing::instant() });
        for action in &actions {
            life.step(action);
            life.check();
        }
        life.check_replay();
    }
}
