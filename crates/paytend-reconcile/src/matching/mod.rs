//! Finds the rows that are about the same transaction.

mod amount;
mod groups;

pub(crate) use groups::{Ambiguity, Groups, Matched};

use crate::entry::{Entry, Kind, Status};
use crate::list::List;
use crate::time::Span;

/// The reasons for a match, as bits.
pub(crate) const BY_ORDER_NUMBER: u8 = 1;
pub(crate) const BY_TRADE_NUMBER: u8 = 2;
pub(crate) const BY_AMOUNT: u8 = 4;

/// A row with its interpreted codes and time.
pub(crate) struct Row<'a> {
    pub(crate) entry: &'a Entry,
    pub(crate) kind: Kind,
    pub(crate) status: Option<Status>,
    pub(crate) span: Option<Span>,
    /// Whether the row has a time that cannot be read.
    pub(crate) unreadable_time: bool,
    /// The index of the sums for the row's list and currency.
    pub(crate) sums: usize,
}

/// A space of transaction numbers. The numbers are unique within a space, but not across spaces.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(crate) enum Space {
    /// The partner's funds.
    Funds,
    /// Cards.
    Cards,
    /// IBAN accounts.
    Accounts,
}

impl Space {
    pub(crate) const ALL: [Self; 3] = [Self::Funds, Self::Cards, Self::Accounts];
}

impl Row<'_> {
    pub(crate) fn space(&self) -> Space {
        let of_account = matches!(self.kind, Kind::Deposit | Kind::Payout);
        match self.entry.list {
            List::PartnerTransactions | List::Topups => Space::Funds,
            List::CardTransactions | List::Authorizations => Space::Cards,
            List::Orders | List::Notifications if of_account => Space::Accounts,
            List::Orders if self.kind == Kind::Topup => Space::Funds,
            List::Orders | List::Notifications => Space::Cards,
        }
    }

    /// Returns the order number, and whether the provider assigned it. The provider assigns the order numbers of
    /// deposits, and the partner assigns all others.
    pub(crate) fn order_number(&self) -> Option<(bool, &str)> {
        Some((self.kind == Kind::Deposit, self.entry.order_no.as_deref()?))
    }

    pub(crate) fn trade_number(&self) -> Option<(Space, &str)> {
        Some((self.space(), self.entry.trade_no.as_deref()?))
    }
}

/// Groups the rows, first by their numbers, and then by amount, currency, card and time.
pub(crate) fn matched(rows: &[Row<'_>], window: i64) -> Matched {
    let mut matched = Matched::by_numbers(rows);
    amount::match_by_amount(rows, &mut matched, window);
    matched
}
