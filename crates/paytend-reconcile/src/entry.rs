//! One row of a list.

use std::cmp::Ordering;
use std::fmt;

use paytend_model::Decimal;
use serde::{Deserialize, Serialize};

use crate::list::List;

/// A row of a list, as received. The [`Rules`](crate::Rules) determine the meanings of its codes.
#[derive(Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct Entry {
    /// The list.
    pub list: List,
    /// The identifier of the row in its list, as shown in reports: a trade number, an order number or the number in the
    /// inbox.
    pub reference: String,
    /// The order number.
    pub order_no: Option<String>,
    /// The provider's transaction number.
    pub trade_no: Option<String>,
    /// The identifier of the card.
    pub card: Option<String>,
    /// The kind of transaction, if the list determines it.
    pub kind: Option<Kind>,
    /// The code of the kind: `tradeType`, or `transactionType` of a notification.
    pub type_code: Option<String>,
    /// The status, if the row states it without a code of the provider.
    pub status: Option<Status>,
    /// The code in `tradeStatus`.
    pub trade_status: Option<String>,
    /// The code in `transactionStatus` or `status`.
    pub status_code: Option<String>,
    /// The amount.
    pub amount: Option<Decimal>,
    /// The currency.
    pub currency: Option<String>,
    /// The fee, if the row contains one.
    pub fee: Option<Decimal>,
    /// The time or the date.
    pub time: Option<EntryTime>,
    /// The names of fields in the row that cannot be read.
    pub unreadable: Vec<String>,
}

/// The time of a row.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum EntryTime {
    /// Milliseconds since the Unix epoch.
    Millis(i64),
    /// A date or a time as received. Without an offset, it is in the time zone of the rules.
    Text(String),
}

impl Entry {
    /// Creates a row without values.
    pub fn new(list: List, reference: impl Into<String>) -> Self {
        Self {
            list,
            reference: reference.into(),
            order_no: None,
            trade_no: None,
            card: None,
            kind: None,
            type_code: None,
            status: None,
            trade_status: None,
            status_code: None,
            amount: None,
            currency: None,
            fee: None,
            time: None,
            unreadable: Vec::new(),
        }
    }

    /// Compares all values, so that the sorted order does not depend on the order of the input.
    pub(crate) fn compare(&self, other: &Self) -> Ordering {
        let scale = |amount: Option<Decimal>| amount.map(|amount| (amount, amount.scale()));
        self.list
            .cmp(&other.list)
            .then_with(|| self.time.cmp(&other.time))
            .then_with(|| self.reference.cmp(&other.reference))
            .then_with(|| self.order_no.cmp(&other.order_no))
            .then_with(|| self.trade_no.cmp(&other.trade_no))
            .then_with(|| self.card.cmp(&other.card))
            .then_with(|| self.kind.cmp(&other.kind))
            .then_with(|| self.type_code.cmp(&other.type_code))
            .then_with(|| self.status.cmp(&other.status))
            .then_with(|| self.trade_status.cmp(&other.trade_status))
            .then_with(|| self.status_code.cmp(&other.status_code))
            .then_with(|| scale(self.amount).cmp(&scale(other.amount)))
            .then_with(|| self.currency.cmp(&other.currency))
            .then_with(|| scale(self.fee).cmp(&scale(other.fee)))
            .then_with(|| self.unreadable.cmp(&other.unreadable))
    }
}

impl fmt::Debug for Entry {
    /// Writes only the list, because the numbers of orders and cards can be personal data.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Entry").field("list", &self.list).finish_non_exhaustive()
    }
}

/// The kind of a transaction.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum Kind {
    /// A topup of a card from the partner's funds.
    Topup,
    /// A withdrawal.
    Withdrawal,
    /// A transfer to the account.
    TransferIn,
    /// A transfer from the account.
    TransferOut,
    /// An authorization, which reserves money.
    PreAuthorization,
    /// A payment.
    Payment,
    /// An adjustment of a settlement.
    SettlementAdjustment,
    /// A fee.
    Fee,
    /// A deposit to an IBAN account.
    Deposit,
    /// A payment from an IBAN account.
    Payout,
    /// A kind without a code, or with a code that has no meaning in the rules.
    Other,
}

impl Kind {
    /// Returns the name in reports and rules, such as `transfer_in`.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Topup => "topup",
            Self::Withdrawal => "withdrawal",
            Self::TransferIn => "transfer_in",
            Self::TransferOut => "transfer_out",
            Self::PreAuthorization => "pre_authorization",
            Self::Payment => "payment",
            Self::SettlementAdjustment => "settlement_adjustment",
            Self::Fee => "fee",
            Self::Deposit => "deposit",
            Self::Payout => "payout",
            Self::Other => "other",
        }
    }
}

impl fmt::Display for Kind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.as_str())
    }
}

/// The status of a transaction or an order.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum Status {
    /// Not final yet.
    Processing,
    /// Executed.
    Succeeded,
    /// Not executed.
    Failed,
    /// Executed, and reversed by a different transaction.
    Reversed,
    /// A transaction that reverses a different transaction: a reversal, a cancellation or a refund.
    Returned,
    /// The outcome of the order is not known.
    Unknown,
}

impl Status {
    /// Returns the name in reports and rules, such as `succeeded`.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Processing => "processing",
            Self::Succeeded => "succeeded",
            Self::Failed => "failed",
            Self::Reversed => "reversed",
            Self::Returned => "returned",
            Self::Unknown => "unknown",
        }
    }

    /// Returns whether the status is final.
    pub fn is_final(self) -> bool {
        !matches!(self, Self::Processing | Self::Unknown)
    }
}

impl fmt::Display for Status {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.as_str())
    }
}
