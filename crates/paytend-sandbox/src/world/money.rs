//! Money in hundredths, and the ledger of all balances. Every transfer subtracts an amount from one balance and adds
//! the same amount to another.

use std::collections::BTreeMap;
use std::fmt;

use paytend_model::{Amount, Decimal};
use serde::{Deserialize, Serialize};

use crate::failure::Failure;

/// An amount in hundredths of a currency's unit.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(transparent)]
pub(crate) struct Cents(pub(crate) i64);

impl Cents {
    /// Converts an amount, which must be positive and have at most two decimals.
    pub(crate) fn positive(amount: &Amount) -> Result<Self, Failure> {
        let value = amount.value().normalize();
        if !amount.is_positive() || value.scale() > 2 {
            return Err(Failure::BadAmount);
        }
        // The amount has at most two decimals, so the product is a whole number.
        let hundredths = value.checked_mul(Decimal::ONE_HUNDRED).ok_or(Failure::BadAmount)?;
        hundredths.normalize().to_string().parse().map(Self).map_err(|_| Failure::BadAmount)
    }

    /// Returns the amount with two decimals.
    pub(crate) fn amount(self) -> Amount {
        Amount::try_from(Decimal::new(self.0, 2)).unwrap_or_else(|_| Amount::from(0))
    }
}

impl fmt::Display for Cents {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        Decimal::new(self.0, 2).fmt(f)
    }
}

/// Returns the amount as a JSON number without trailing zeros. The provider's published receiver parses and
/// re-serializes a message before it verifies it, and its serializer drops trailing zeros.
pub(crate) fn number(amount: &Amount) -> Amount {
    Amount::try_from(amount.value().normalize()).unwrap_or_else(|_| amount.clone()).into_number()
}

/// A place whose balance the ledger contains.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(into = "String", from = "String")]
pub(crate) enum Place {
    /// Everything outside the sandbox. Its balance is the sum of all other balances, negated.
    Outside,
    /// The partner's funds.
    Funds,
    /// A card.
    Card(String),
    /// Money in transit for a topup or a card replacement.
    Transit(String),
    /// A user's account, identified by its IBAN.
    Account(String),
    /// Fees that have been charged.
    Fees,
}

impl From<Place> for String {
    fn from(place: Place) -> Self {
        match place {
            Place::Outside => "outside".into(),
            Place::Funds => "funds".into(),
            Place::Fees => "fees".into(),
            Place::Card(id) => format!("card {id}"),
            Place::Transit(id) => format!("transit {id}"),
            Place::Account(id) => format!("account {id}"),
        }
    }
}

impl From<String> for Place {
    fn from(text: String) -> Self {
        match text.split_once(' ') {
            Some(("card", id)) => Self::Card(id.into()),
            Some(("transit", id)) => Self::Transit(id.into()),
            Some(("account", id)) => Self::Account(id.into()),
            _ if text == "funds" => Self::Funds,
            _ if text == "fees" => Self::Fees,
            _ => Self::Outside,
        }
    }
}

/// Balances by place and currency. Each currency's balances always add up to zero.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(transparent)]
pub(crate) struct Ledger {
    balances: BTreeMap<Place, BTreeMap<String, Cents>>,
}

impl Ledger {
    pub(crate) fn balance(&self, place: &Place, currency: &str) -> Cents {
        self.balances.get(place).and_then(|all| all.get(currency)).copied().unwrap_or_default()
    }

    /// Returns the balances of a place, by currency.
    pub(crate) fn balances(&self, place: &Place) -> impl Iterator<Item = (&str, Cents)> {
        self.balances.get(place).into_iter().flatten().map(|(currency, cents)| (currency.as_str(), *cents))
    }

    /// Transfers money. Returns an error if a balance would become negative, except for `Outside`.
    pub(crate) fn transfer(&mut self, from: &Place, to: &Place, currency: &str, cents: Cents) -> Result<(), Failure> {
        if cents.0 < 0 {
            return Err(Failure::BadAmount);
        }
        if from == to {
            return Ok(());
        }
        let left = self.balance(from, currency).0.checked_sub(cents.0).ok_or(Failure::BadAmount)?;
        let arrived = self.balance(to, currency).0.checked_add(cents.0).ok_or(Failure::BadAmount)?;
        if left < 0 && *from != Place::Outside {
            return Err(Failure::InsufficientFunds);
        }
        for (place, balance) in [(from, left), (to, arrived)] {
            self.balances.entry(place.clone()).or_default().insert(currency.to_owned(), Cents(balance));
        }
        Ok(())
    }

    /// Returns whether each currency adds up to zero and only `Outside` has negative balances.
    pub(crate) fn conserves(&self) -> bool {
        let mut sums = BTreeMap::<&str, i128>::new();
        for (place, all) in &self.balances {
            for (currency, cents) in all {
                *sums.entry(currency).or_default() += i128::from(cents.0);
                if cents.0 < 0 && *place != Place::Outside {
                    return false;
                }
            }
        }
        sums.values().all(|sum| *sum == 0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn amounts_are_converted_to_hundredths() {
        for (text, cents) in [("0.01", 1), ("25.5", 2550), ("100", 10_000), ("1200.00", 120_000), ("1.500", 150)] {
            assert_eq!(Cents::positive(&text.parse().unwrap()), Ok(Cents(cents)), "{text}");
        }
        for text in ["0", "0.00", "-1", "1.001", "99999999999999999999999"] {
            let amount: Result<Amount, _> = text.parse();
            assert!(amount.is_err() || Cents::positive(&amount.unwrap()) == Err(Failure::BadAmount), "{text}");
        }
        assert_eq!(Cents(2550).amount().to_string(), "25.50");
        assert_eq!(Cents(0).amount().to_string(), "0.00");
        for (cents, text) in [(10_000, "100"), (2550, "25.5"), (1, "0.01"), (0, "0")] {
            assert_eq!(serde_json::to_string(&number(&Cents(cents).amount())).unwrap(), text);
        }
    }

    #[test]
    fn failed_transfer_changes_nothing() {
        let mut ledger = Ledger::default();
        let card = Place::Card("1".into());
        ledger.transfer(&Place::Outside, &Place::Funds, "EUR", Cents(100)).unwrap();
        ledger.transfer(&Place::Funds, &card, "EUR", Cents(60)).unwrap();
        let before = ledger.clone();
        assert_eq!(ledger.transfer(&Place::Funds, &card, "EUR", Cents(41)), Err(Failure::InsufficientFunds));
        assert_eq!(ledger.transfer(&Place::Funds, &card, "USD", Cents(1)), Err(Failure::InsufficientFunds));
        assert_eq!(ledger.transfer(&card, &Place::Funds, "EUR", Cents(-1)), Err(Failure::BadAmount));
        assert_eq!(ledger, before);
        assert!(ledger.conserves());
        ledger.balances.get_mut(&card).unwrap().insert("EUR".into(), Cents(61));
        assert!(!ledger.conserves());
    }
}
