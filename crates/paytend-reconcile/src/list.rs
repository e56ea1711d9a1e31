//! The lists that are compared.

use std::fmt;

use serde::{Deserialize, Serialize};

/// A list from the provider or from the partner.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum List {
    /// The transactions on the partner's funds, as listed by the provider.
    PartnerTransactions,
    /// The provider's responses to queries about single topups.
    Topups,
    /// The provider's card transactions.
    CardTransactions,
    /// The provider's authorizations on cards.
    Authorizations,
    /// The partner's orders.
    Orders,
    /// The notifications that the partner has received.
    Notifications,
}

impl List {
    /// All lists.
    pub const ALL: [Self; 6] = [
        Self::PartnerTransactions,
        Self::Topups,
        Self::CardTransactions,
        Self::Authorizations,
        Self::Orders,
        Self::Notifications,
    ];

    /// Returns the list's name in reports, such as `partner_transactions`.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::PartnerTransactions => "partner_transactions",
            Self::Topups => "topups",
            Self::CardTransactions => "card_transactions",
            Self::Authorizations => "authorizations",
            Self::Orders => "orders",
            Self::Notifications => "notifications",
        }
    }

    /// Returns whether the list is one of the provider's lists.
    pub fn is_provider(self) -> bool {
        !matches!(self, Self::Orders | Self::Notifications)
    }

    fn bit(self) -> u8 {
        1 << self as u8
    }
}

impl fmt::Display for List {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.as_str())
    }
}

/// A set of lists.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct ListSet(u8);

impl ListSet {
    /// Creates a set of these lists.
    pub fn of(lists: impl IntoIterator<Item = List>) -> Self {
        lists.into_iter().fold(Self::default(), Self::with)
    }

    /// Returns the set with a list added.
    #[must_use]
    pub fn with(self, list: List) -> Self {
        Self(self.0 | list.bit())
    }

    /// Returns whether the set contains a list.
    pub fn contains(self, list: List) -> bool {
        self.0 & list.bit() != 0
    }

    /// Returns whether the set is empty.
    pub fn is_empty(self) -> bool {
        self.0 == 0
    }

    /// Returns the lists that are in this set, in the other set, or in both.
    #[must_use]
    pub fn union(self, other: Self) -> Self {
        Self(self.0 | other.0)
    }

    /// Returns the lists that are in both sets.
    #[must_use]
    pub fn intersection(self, other: Self) -> Self {
        Self(self.0 & other.0)
    }

    /// Returns the lists that are not in the other set.
    #[must_use]
    pub fn without(self, other: Self) -> Self {
        Self(self.0 & !other.0)
    }

    /// Returns the provider's lists in this set.
    #[must_use]
    pub fn of_provider(self) -> Self {
        Self::of(self.iter().filter(|list| list.is_provider()))
    }

    /// Returns the partner's lists in this set: orders and notifications.
    #[must_use]
    pub fn of_partner(self) -> Self {
        Self::of(self.iter().filter(|list| !list.is_provider()))
    }

    /// Returns the lists in the order of [`List::ALL`].
    pub fn iter(self) -> impl Iterator<Item = List> {
        List::ALL.into_iter().filter(move |list| self.contains(*list))
    }
}
