//! Everything of one partner.

use std::collections::{BTreeMap, BTreeSet};

use paytend_model::{Amount, Count};
use serde::{Deserialize, Serialize};

use super::entities::{
    Application, Card, CardState, CardTransaction, Counters, Holder, Task, Topup, TransferOrder, User,
};
use super::money::{Ledger, Place};
use super::{Cents, Millis, Settings};
use crate::failure::{Failure, Refusal};

/// The card that every partner has from the start.
pub(crate) const FIRST_CARD: &str = "1755902";
/// How long a month of a card's fees is.
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
    /// Where notifications go: of BaaS, and of Issuing.
    pub(crate) callback: Option<String>,
    pub(crate) issuing_callback: Option<String>,
    pub(crate) requests: BTreeSet<String>,
    counters: Counters,
    /// What falls due, in order; the second number keeps what falls due together in the order of its making.
    tasks: BTreeMap<Millis, Vec<Task>>,
}

impl Partner {
    pub(crate) fn new(settings: &Settings, at: Millis) -> Self {
        let mut partner = Self::default();
        // Only a sum below zero is refused, and that is an empty partner's.
        let _ = partner.ledger.transfer(&Place::Outside, &Place::Funds, &settings.currency, Cents(settings.funds));
        partner.cards.insert(
            FIRST_CARD.into(),
            Card {
                holder: None,
                scheme: "3".into(),
                type_: "1".into(),
                sku: "SKU001".into(),
                currency: settings.currency.clone(),
                state: CardState::Active,
                cvv: cvv(FIRST_CARD),
                overdue: Cents(0),
                passwords: 0,
            },
        );
        partner.later(at.saturating_add(MONTH), Task::MonthlyFee(FIRST_CARD.into()));
        partner
    }

    /// The next number of a kind.
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

    /// Whether no card has more than one task that takes its monthly fee.
    pub(super) fn one_fee_a_card(&self) -> bool {
        let mut cards = BTreeSet::new();
        self.tasks.values().flatten().all(|task| match task {
            Task::MonthlyFee(card) => cards.insert(card),
            _ => true,
        })
    }

    /// The highest number that was given out.
    pub(super) fn highest_number(&self) -> u64 {
        self.counters.values().copied().max().unwrap_or_default()
    }

    /// What is due now, taken out.
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

/// A card's verification value: known to whoever knows the sandbox.
pub(crate) fn cvv(card: &str) -> String {
    let sum = card.bytes().fold(7u32, |sum, byte| (sum * 31 + u32::from(byte)) % 1000);
    format!("{sum:03}")
}

/// A page of a list, and how many there are in all.
pub(crate) fn page<T>(all: Vec<T>, start: &Count, size: &Count) -> Result<(Count, Vec<T>), Refusal> {
    let number = |count: &Count, name: &str| {
        let number = count.get().and_then(|number| usize::try_from(number).ok());
        number.ok_or_else(|| Refusal::because(Failure::InvalidField, format!("field `{name}` is too large")))
    };
    let total = Count::from(all.len().to_string().as_str());
    let (start, size) = (number(start, "start")?, number(size, "size")?);
    Ok((total, all.into_iter().skip(start).take(size.min(1000)).collect()))
}
