//! Balance checks: opening balance + movements = closing balance.

use std::collections::BTreeMap;
use std::fmt;

use paytend_model::Decimal;
use serde::{Serialize, Serializer};

use crate::entry::{Kind, Status};
use crate::sum::Sum;

/// The account that a balance belongs to.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[non_exhaustive]
pub enum Account {
    /// The partner's funds.
    Funds,
    /// A card, identified by its card ID.
    Card(String),
}

impl fmt::Display for Account {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Funds => f.pad("funds"),
            Self::Card(card) => f.pad(&format!("card {card}")),
        }
    }
}

impl Serialize for Account {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

/// The balance of an account in one currency.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Balance {
    /// The account that holds the money.
    pub account: Account,
    /// The code of the currency, such as `EUR`.
    pub currency: String,
    /// The balance, in units of `currency`.
    pub amount: Decimal,
}

/// The result of a balance check.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum BalanceState {
    /// The opening balance plus the movements equals the closing balance.
    Closes,
    /// The closing balance differs from the expected balance.
    Differs,
    /// The effect of at least one movement on the balance is not known.
    UnknownMovements,
    /// The opening or the closing balance is missing.
    NotChecked,
}

impl BalanceState {
    /// Returns the state's name in reports, such as `unknown_movements`.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Closes => "closes",
            Self::Differs => "differs",
            Self::UnknownMovements => "unknown_movements",
            Self::NotChecked => "not_checked",
        }
    }

    /// Returns whether the balance needs to be reviewed.
    pub fn is_open(self) -> bool {
        matches!(self, Self::Differs | Self::UnknownMovements)
    }
}

/// The result of checking one balance.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[non_exhaustive]
pub struct BalanceCheck {
    /// The account whose balance was checked.
    pub account: Account,
    /// The code of the currency, such as `EUR`.
    pub currency: String,
    /// The outcome of the check.
    pub state: BalanceState,
    /// The opening balance, if it was passed in.
    pub opening: Option<Sum>,
    /// The sum of the movements that the provider lists.
    pub movements: Sum,
    /// The number of movements whose effect is not known.
    pub unknown_movements: u64,
    /// The opening balance plus the movements, if the opening balance was passed in.
    pub expected: Option<Sum>,
    /// The closing balance, if it was passed in.
    pub closing: Option<Sum>,
    /// The closing balance minus the expected balance, if both are known.
    pub difference: Option<Sum>,
}

/// The effect of a transaction on a balance.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Effect {
    None,
    Increase,
    Decrease,
    Unknown,
}

impl Effect {
    /// Returns how a transaction changes the balance of the account whose list contains it.
    pub(crate) fn of(kind: Kind, status: Option<Status>, on_funds: bool, processing_moves: bool) -> Self {
        let effect = match (kind, on_funds) {
            (Kind::Topup, true) => Self::Decrease,
            (Kind::Topup | Kind::TransferIn | Kind::Deposit, _) => Self::Increase,
            (Kind::Withdrawal | Kind::TransferOut | Kind::Payment | Kind::Fee | Kind::Payout, _) => Self::Decrease,
            (Kind::PreAuthorization, _) => return Self::None,
            (Kind::SettlementAdjustment | Kind::Other, _) => Self::Unknown,
        };
        match (status, effect) {
            (Some(Status::Failed), _) => Self::None,
            (Some(Status::Processing), effect) if on_funds && processing_moves => effect,
            (Some(Status::Processing), _) => Self::None,
            (Some(Status::Succeeded | Status::Reversed), effect) => effect,
            (Some(Status::Returned), Self::Decrease) => Self::Increase,
            (Some(Status::Returned), Self::Increase) => Self::Decrease,
            _ => Self::Unknown,
        }
    }
}

/// The balances to check and their movements, by account and currency.
#[derive(Default)]
pub(crate) struct Balances {
    accounts: BTreeMap<(Account, String), AccountSums>,
}

#[derive(Default)]
struct AccountSums {
    opening: Option<Sum>,
    closing: Option<Sum>,
    movements: Sum,
    unknown: u64,
}

impl Balances {
    /// Creates the balances to check. Also returns a message for each balance that occurs twice with different amounts.
    pub(crate) fn new(opening: &[Balance], closing: &[Balance]) -> (Self, Vec<String>) {
        let (mut balances, mut problems) = (Self::default(), Vec::new());
        for (given, is_opening) in [(opening, true), (closing, false)] {
            for balance in given {
                let key = (balance.account.clone(), balance.currency.clone());
                let sums = balances.accounts.entry(key).or_default();
                let slot = if is_opening { &mut sums.opening } else { &mut sums.closing };
                let amount = Sum::from(balance.amount);
                if slot.as_ref().is_some_and(|known| *known != amount) {
                    let name = if is_opening { "opening" } else { "closing" };
                    problems.push(format!(
                        "the {name} balance of {} in {} is given twice, with different amounts",
                        balance.account, balance.currency
                    ));
                }
                *slot = Some(amount);
            }
        }
        problems.sort();
        (balances, problems)
    }

    /// Adds a movement to the balance of its account. Does nothing if there is no balance to check for the account.
    pub(crate) fn add(&mut self, account: Account, currency: &str, amount: Decimal, effect: Effect) {
        let Some(sums) = self.accounts.get_mut(&(account, currency.to_owned())) else { return };
        match effect {
            Effect::None => {}
            Effect::Increase => sums.movements.add(amount),
            Effect::Decrease => sums.movements.subtract(amount),
            Effect::Unknown => sums.unknown += 1,
        }
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.accounts.is_empty()
    }

    pub(crate) fn checks(self) -> Vec<BalanceCheck> {
        let checked = self.accounts.into_iter().map(|((account, currency), sums)| {
            let expected = sums.opening.clone().map(|mut expected| {
                expected.add_sum(&sums.movements);
                expected
            });
            let difference = sums.closing.clone().zip(expected.as_ref()).map(|(mut difference, expected)| {
                difference.subtract_sum(expected);
                difference
            });
            let state = match &difference {
                None => BalanceState::NotChecked,
                Some(_) if sums.unknown > 0 => BalanceState::UnknownMovements,
                Some(difference) if difference.is_zero() => BalanceState::Closes,
                Some(_) => BalanceState::Differs,
            };
            BalanceCheck {
                account,
                currency,
                state,
                opening: sums.opening,
                movements: sums.movements,
                unknown_movements: sums.unknown,
                expected,
                closing: sums.closing,
                difference,
            }
        });
        checked.collect()
    }
}
