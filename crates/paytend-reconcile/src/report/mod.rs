//! The result of a comparison.

mod csv;
mod html;
mod json;
mod text;

use std::io::{self, Write};

use paytend_model::Decimal;
use serde::Serialize;

use crate::balance::BalanceCheck;
use crate::compare::Difference;
use crate::entry::{Entry, Kind, Status};
use crate::list::List;
use crate::rules::Period;
use crate::sum::Sum;

/// The outcome of a transaction.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize)]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum Outcome {
    /// A list contains the transaction twice.
    Duplicate,
    /// Both sides have the transaction, but a field differs or a required list does not contain it.
    Different,
    /// Only the provider has the transaction.
    OnlyProvider,
    /// Only the partner has the transaction, as an order or a notification.
    OnlyHere,
    /// The transaction is not final, cannot be read, or has several possible counterparts.
    Unresolved,
    /// Both sides agree, or the order was not executed and the provider does not list it.
    Matched,
    /// Other lists must also contain the transaction, but none of them is given.
    NotCompared,
}

impl Outcome {
    /// All outcomes. Open outcomes are first.
    pub const ALL: [Self; 7] = [
        Self::Duplicate,
        Self::Different,
        Self::OnlyProvider,
        Self::OnlyHere,
        Self::Unresolved,
        Self::Matched,
        Self::NotCompared,
    ];

    /// Returns the outcome's name in reports, such as `only_provider`.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Duplicate => "duplicate",
            Self::Different => "different",
            Self::OnlyProvider => "only_provider",
            Self::OnlyHere => "only_here",
            Self::Unresolved => "unresolved",
            Self::Matched => "matched",
            Self::NotCompared => "not_compared",
        }
    }

    /// Returns whether the transaction needs to be reviewed.
    pub fn is_open(self) -> bool {
        !matches!(self, Self::Matched | Self::NotCompared)
    }
}

/// The reason why two rows were matched.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize)]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum MatchReason {
    /// The order numbers are equal.
    OrderNumber,
    /// The provider's transaction numbers are equal.
    TradeNumber,
    /// Amount, currency and kind are equal, the cards do not differ, the times are in the window, and neither side has
    /// another candidate.
    AmountAndTime,
    /// The order was not executed, and none of the provider's lists contains it.
    NotExecuted,
}

impl MatchReason {
    /// Returns the reason's name in reports, such as `order_number`.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::OrderNumber => "order_number",
            Self::TradeNumber => "trade_number",
            Self::AmountAndTime => "amount_and_time",
            Self::NotExecuted => "not_executed",
        }
    }
}

/// The reason why a transaction is unresolved.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize)]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum OpenReason {
    /// There are several possible counterparts.
    Ambiguous,
    /// The provider is still processing the transaction, or its codes contradict each other.
    ProviderNotFinal,
    /// The rules do not define the provider's status code, or the provider reports no status.
    ProviderStatusUnknown,
    /// The status of the partner's order is unknown or not final.
    OrderNotFinal,
    /// The rules do not define the status code of the order, or of the last notification that has one.
    PartnerStatusUnknown,
    /// One side has no row with both an amount and a currency.
    AmountMissing,
    /// A field cannot be read.
    Unreadable,
}

impl OpenReason {
    /// Returns the reason's name in reports, such as `order_not_final`.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Ambiguous => "ambiguous",
            Self::ProviderNotFinal => "provider_not_final",
            Self::ProviderStatusUnknown => "provider_status_unknown",
            Self::OrderNotFinal => "order_not_final",
            Self::PartnerStatusUnknown => "partner_status_unknown",
            Self::AmountMissing => "amount_missing",
            Self::Unreadable => "unreadable",
        }
    }
}

/// A transaction with all its rows.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct Item<'a> {
    /// The outcome of comparing the transaction's rows.
    pub outcome: Outcome,
    /// The kind of transaction.
    pub kind: Kind,
    /// The provider's status if it is known, and the partner's status otherwise.
    pub status: Option<Status>,
    /// The order number, if a row contains one.
    pub order_no: Option<&'a str>,
    /// The provider's transaction number, if a row contains one.
    pub trade_no: Option<&'a str>,
    /// The card ID, if a row contains one.
    pub card: Option<&'a str>,
    /// The provider's amount if it is known, and the partner's amount otherwise.
    pub amount: Option<Decimal>,
    /// The code of the currency, if a row contains one.
    pub currency: Option<&'a str>,
    /// The date in the time zone of the rules: the provider's date if it is known, and the partner's date otherwise.
    pub date: Option<String>,
    /// The reasons why the rows were matched.
    pub matched_by: Vec<MatchReason>,
    /// The fields whose values differ.
    pub differences: Vec<Difference<'a>>,
    /// The difference in amount that was accepted as a fee.
    pub tolerated: Option<Decimal>,
    /// The reasons why the transaction cannot be resolved. The list is empty if the transaction is not open.
    pub reasons: Vec<OpenReason>,
    /// The possible counterparts of an ambiguous transaction.
    pub candidates: Option<Candidates<'a>>,
    /// The rows, sorted by list and time.
    pub rows: Vec<&'a Entry>,
}

/// The possible counterparts of a transaction.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[non_exhaustive]
pub struct Candidates<'a> {
    /// The number of candidates.
    pub count: usize,
    /// The list and reference of one row of each candidate, for at most ten candidates.
    pub first: Vec<(List, &'a str)>,
}

/// A list and its number of rows.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[non_exhaustive]
pub struct ListSummary {
    /// The list that is summarized.
    pub list: List,
    /// Whether the list is given. A list that is not given is not compared.
    pub given: bool,
    /// The number of rows in the list.
    pub rows: usize,
}

/// A number of rows, and the sums of their amounts.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
#[non_exhaustive]
pub struct Tally {
    /// The number of rows.
    pub count: u64,
    /// The sum of all amounts, regardless of their status.
    pub amount: Sum,
    /// The sum of the amounts of executed transactions.
    pub executed: Sum,
}

/// The sums of a list in one currency. The sums of all outcomes and of the rows outside the period add up to the total.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct SumRow<'a> {
    /// The list that contains the rows.
    pub list: List,
    /// The code of the currency, or `None` for rows without a currency.
    pub currency: Option<&'a str>,
    /// The total of all rows.
    pub total: Tally,
    /// The totals by outcome, in the order of [`Outcome::ALL`].
    pub by_outcome: [Tally; 7],
    /// The total of the rows whose transactions are outside the period.
    pub outside_period: Tally,
}

impl SumRow<'_> {
    /// Returns the number and the sums of the rows with this outcome.
    pub fn of(&self, outcome: Outcome) -> &Tally {
        &self.by_outcome[outcome as usize]
    }
}

/// The result of a comparison. `Debug` output contains no transactions.
#[non_exhaustive]
pub struct Report<'a> {
    /// The compared days, or `None` if the comparison is not limited to a period.
    pub period: Option<Period>,
    /// The name of the time zone of the dates, such as `Europe/Vilnius`.
    pub time_zone: String,
    /// All lists, each with its number of rows.
    pub lists: Vec<ListSummary>,
    /// The number of notifications that are not about a transaction.
    pub ignored_notifications: u64,
    /// The number of transactions outside the period, which are not in `items`.
    pub outside_period: u64,
    /// The transactions, with open transactions first.
    pub items: Vec<Item<'a>>,
    /// The sums by list and currency.
    pub sums: Vec<SumRow<'a>>,
    /// The results of the balance checks.
    pub balances: Vec<BalanceCheck>,
    /// Messages about problems with the input as a whole.
    pub problems: Vec<String>,
}

impl Report<'_> {
    /// Returns the number of transactions with this outcome.
    pub fn count(&self, outcome: Outcome) -> usize {
        // The binary search works because the items are sorted by outcome.
        let from = self.items.partition_point(|item| item.outcome < outcome);
        self.items.partition_point(|item| item.outcome <= outcome) - from
    }

    /// Returns the number of open transactions and balances, plus the number of problems. If the result is zero, both
    /// sides agree.
    pub fn open(&self) -> usize {
        let balances = self.balances.iter().filter(|check| check.state.is_open()).count();
        self.items.partition_point(|item| item.outcome.is_open()) + balances + self.problems.len()
    }

    /// Writes the report as text for a terminal: the counts, the sums, the balances and the open transactions.
    ///
    /// # Errors
    /// Returns an error if writing to `out` fails.
    pub fn write_text(&self, out: &mut impl Write) -> io::Result<()> {
        text::write(self, out)
    }

    /// Writes the report as JSON, with one transaction per line. The crate's documentation describes the members.
    ///
    /// # Errors
    /// Returns an error if writing to `out` fails.
    pub fn write_json(&self, out: &mut impl Write) -> io::Result<()> {
        json::write(self, out)
    }

    /// Writes all rows as CSV, with the outcome of their transactions.
    ///
    /// # Errors
    /// Returns an error if writing to `out` fails.
    pub fn write_csv(&self, out: &mut impl Write) -> io::Result<()> {
        csv::write(self, out)
    }

    /// Writes the report as a self-contained HTML page without scripts.
    ///
    /// # Errors
    /// Returns an error if writing to `out` fails.
    pub fn write_html(&self, out: &mut impl Write) -> io::Result<()> {
        html::write(self, out)
    }
}

impl std::fmt::Debug for Report<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Report").field("items", &self.items.len()).field("open", &self.open()).finish_non_exhaustive()
    }
}
