//! A partner's state.

use std::collections::{BTreeMap, BTreeSet};

use paytend_model::issuing::{Address, CreateCardholder};
use paytend_model::{Amount, Count, Gender, IdType};
use serde::{Deserialize, Serialize};

use super::entities::{
    Application, Audit, Card, CardState, CardTransaction, Counters, Holder, Task, Topup, TransferOrder, User,
};
use super::money::{Cents, Ledger, Place};
use super::outbox::Sender;
use super::settings::Settings;
use super::time::Millis;
use crate::failure::Failure;

/// The card that every partner has from the start. It is active and has no cardholder. The published demo uses it.
pub(crate) const FIRST_CARD: &str = "1755902";
/// A second card, which belongs to [`DEMO_HOLDER`] and is queried by the published demo.
const DEMO_CARD: &str = "1755891";
/// The cardholder that the published demo uses.
const DEMO_HOLDER: &str = "101982";
/// The card style that the published demo applies for.
pub(crate) const DEMO_SKU: &str = "CTHMCPE20056";
/// The length of a month for card fees.
pub(crate) const MONTH: Millis = 30 * 24 * 3_600_000;

/// A partner.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct Partner {
    pub(crate) ledger: Ledger,
    pub(crate) holders: BTreeMap<String, Holder>,
    pub(crate) cards: BTreeMap<String, Card>,
    pub(crate) applications: BTreeMap<String, Application>,
    pub(crate) topups: BTreeMap<String, Topup>,
    pub(crate) settlements: Vec<CardTransaction>,
    pub(crate) authorizations: Vec<CardTransaction>,
    pub(crate) users: BTreeMap<String, User>,
    pub(crate) transfer_orders: BTreeMap<String, TransferOrder>,
    /// The callback URL for BaaS.
    callback: Option<String>,
    /// The callback URL for Issuing.
    issuing_callback: Option<String>,
    /// The callback URL for PayBy's notifications.
    payby_callback: Option<String>,
    /// The callback URL for PayerMax's notifications.
    payermax_callback: Option<String>,
    /// The `requestId`s used so far.
    pub(crate) requests: BTreeSet<String>,
    counters: Counters,
    /// The scheduled tasks by due time. Tasks with the same due time run in the order in which they were created.
    tasks: BTreeMap<Millis, Vec<Task>>,
}

impl Partner {
    pub(crate) fn new(settings: &Settings, at: Millis) -> Self {
        let mut partner = Self::default();
        // The transfer fails only for a negative amount; the partner then starts without funds.
        let _ = partner.ledger.transfer(&Place::Outside, &Place::Funds, &settings.currency, Cents(settings.funds));
        let card = |id: &str, holder: Option<&str>, type_: &str, sku: &str, state| Card {
            holder: holder.map(Into::into),
            scheme: "3".into(),
            type_: type_.into(),
            sku: sku.into(),
            currency: settings.currency.clone(),
            state,
            cvv: cvv(id),
            overdue: Cents(0),
            passwords: 0,
        };
        let first = card(FIRST_CARD, None, "1", "SKU001", CardState::Active);
        let second = card(DEMO_CARD, Some(DEMO_HOLDER), "2", DEMO_SKU, CardState::Unactivated);
        partner.cards.extend([(FIRST_CARD.into(), first), (DEMO_CARD.into(), second)]);
        partner.holders.insert(DEMO_HOLDER.into(), demo_holder());
        partner.later(at.saturating_add(MONTH), Task::MonthlyFee(FIRST_CARD.into()));
        partner
    }

    /// Returns the callback URL of a sender.
    pub(crate) fn callback(&self, sender: Sender) -> Option<&String> {
        match sender {
            Sender::Baas => self.callback.as_ref(),
            Sender::Issuing => self.issuing_callback.as_ref(),
            Sender::Payby => self.payby_callback.as_ref(),
            Sender::Payermax => self.payermax_callback.as_ref(),
        }
    }

    /// Sets the callback URL of a sender.
    pub(crate) fn set_callback(&mut self, sender: Sender, url: String) {
        let callback = match sender {
            Sender::Baas => &mut self.callback,
            Sender::Issuing => &mut self.issuing_callback,
            Sender::Payby => &mut self.payby_callback,
            Sender::Payermax => &mut self.payermax_callback,
        };
        *callback = Some(url);
    }

    /// Returns the next number for a kind of object.
    pub(crate) fn number(&mut self, kind: &str) -> u64 {
        let last = self.counters.entry(kind.to_owned()).or_default();
        *last += 1;
        *last
    }

    pub(crate) fn later(&mut self, at: Millis, task: Task) {
        self.tasks.entry(at).or_default().push(task);
    }

    pub(crate) fn next_task(&self) -> Option<Millis> {
        self.tasks.keys().next().copied()
    }

    pub(crate) fn last_task(&self) -> Option<Millis> {
        self.tasks.keys().next_back().copied()
    }

    /// Returns whether each card has at most one monthly fee task.
    pub(super) fn one_fee_a_card(&self) -> bool {
        let mut cards = BTreeSet::new();
        self.tasks.values().flatten().all(|task| match task {
            Task::MonthlyFee(card) => cards.insert(card),
            _ => true,
        })
    }

    /// Returns the highest assigned number.
    pub(super) fn highest_number(&self) -> u64 {
        self.counters.values().copied().max().unwrap_or_default()
    }

    /// Removes and returns the tasks that are due.
    pub(crate) fn due(&mut self, at: Millis) -> Vec<Task> {
        let later = self.tasks.split_off(&at.saturating_add(1));
        std::mem::replace(&mut self.tasks, later).into_values().flatten().collect()
    }

    pub(crate) fn card(&self, id: &str) -> Result<&Card, Failure> {
        self.cards.get(id).ok_or(Failure::UnknownCard)
    }

    pub(crate) fn card_mut(&mut self, id: &str) -> Result<&mut Card, Failure> {
        self.cards.get_mut(id).ok_or(Failure::UnknownCard)
    }

    pub(crate) fn holder(&self, id: &str) -> Result<&Holder, Failure> {
        self.holders.get(id).ok_or(Failure::UnknownHolder)
    }

    pub(crate) fn user(&self, id: &str) -> Result<&User, Failure> {
        self.users.get(id).ok_or(Failure::UnknownUser)
    }

    pub(crate) fn user_mut(&mut self, id: &str) -> Result<&mut User, Failure> {
        self.users.get_mut(id).ok_or(Failure::UnknownUser)
    }

    pub(crate) fn card_balance(&self, id: &str) -> Result<(Amount, &str), Failure> {
        let card = self.card(id)?;
        Ok((self.ledger.balance(&Place::Card(id.into()), &card.currency).amount(), &card.currency))
    }
}

/// Returns a card's verification value, which is derived from the card's identifier.
pub(crate) fn cvv(card: &str) -> String {
    let sum = card.bytes().fold(7u32, |sum, byte| (sum * 31 + u32::from(byte)) % 1000);
    format!("{sum:03}")
}

/// Returns the demo cardholder, who has passed the audit.
fn demo_holder() -> Holder {
    let address = Address::builder()
        .address_line("Gedimino pr. 1")
        .city_code("LT_MA")
        .postcode("LT-01103")
        .country_code("LT")
        .build();
    let data = CreateCardholder::builder()
        .mobile("+37060000000")
        .first_name("Ona")
        .last_name("Kazlauskienė")
        .id_no("12345678")
        .id_type(IdType::Passport)
        .email("ona@example.com")
        .birthday("1990-02-28")
        .gender(Gender::Two)
        .nationality_code("LT")
        .eea_address(address)
        .build();
    Holder { data, audit: Audit::Passed, documents: 1 }
}

/// Returns a field's value, or `None` if it is empty. An empty string is treated as a missing field.
pub(crate) fn given(text: Option<&str>) -> Option<&str> {
    text.filter(|text| !text.is_empty())
}

/// Returns whether two mobile numbers are equal, ignoring a leading `+`.
pub(crate) fn same_mobile(one: &str, other: &str) -> bool {
    one.trim_start_matches('+') == other.trim_start_matches('+')
}

/// Returns the total number of items and one page of the items. The page starts at the first item by default and has at
/// most 1000 items.
pub(crate) fn page<'c, T>(
    all: Vec<T>,
    start: impl Into<Option<&'c Count>>,
    size: impl Into<Option<&'c Count>>,
) -> (Count, Vec<T>) {
    let number = |count: Option<&Count>, default: usize| match count {
        Some(count) if !count.is_empty() && count.bytes().all(|byte| byte.is_ascii_digit()) => {
            count.get().and_then(|number| usize::try_from(number).ok()).unwrap_or(usize::MAX)
        }
        _ => default,
    };
    let total = Count::from(all.len().to_string().as_str());
    let (start, size) = (number(start.into(), 0), number(size.into(), 1000));
    (total, all.into_iter().skip(start).take(size.min(1000)).collect())
}
