//! One row of a list.

use std::cmp::Ordering;
use std::fmt;

use jiff::Timestamp;
use jiff::civil::Date;
use paytend_model::Decimal;
use serde::{Deserialize, Serialize};

use crate::list::List;
use crate::rules::Zone;
use crate::time::TimeReader;

/// A row of a list, as received. The [`Rules`](crate::Rules) define what its codes mean.
#[derive(Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct Entry {
    /// The list that contains the row.
    pub list: List,
    /// The identifier of the row in its list, as shown in reports: a trade number, an order number, or the ID of a
    /// notification in the inbox.
    pub reference: String,
    /// The order number. The provider assigns the order numbers of deposits, and the partner assigns all others.
    pub order_no: Option<String>,
    /// The provider's transaction number.
    pub trade_no: Option<String>,
    /// The card ID.
    pub card: Option<String>,
    /// The kind of transaction, if it is known without a provider code, for example because all rows of the list have
    /// the same kind.
    pub kind: Option<Kind>,
    /// The code for the kind of transaction: `tradeType`, or `transactionType` in a notification.
    pub type_code: Option<String>,
    /// The status, if the row contains the status itself instead of a provider code.
    pub status: Option<Status>,
    /// The code in `tradeStatus`.
    pub trade_status: Option<String>,
    /// The code in `transactionStatus` or `status`.
    pub status_code: Option<String>,
    /// The amount, in units of `currency`.
    pub amount: Option<Decimal>,
    /// The code of the currency, such as `EUR`.
    pub currency: Option<String>,
    /// The fee in units of `currency`, if the row contains one.
    pub fee: Option<Decimal>,
    /// The time or date of the row.
    pub time: Option<EntryTime>,
    /// The names of the fields that cannot be read.
    pub unreadable: Vec<String>,
}

/// The time or date of a row.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum EntryTime {
    /// A time in milliseconds since the Unix epoch.
    Millis(i64),
    /// A date or a time as received. Without an offset, it is interpreted in the time zone of the rules.
    Text(String),
}

impl EntryTime {
    /// Returns the date in a time zone, or `None` if the format of the time is not known.
    ///
    /// ```
    /// use paytend_reconcile::EntryTime;
    /// let time = EntryTime::Text("2026-11-26T22:30:00Z".to_owned());
    /// assert_eq!(time.date(&"Europe/Vilnius".parse()?).unwrap().to_string(), "2026-11-27");
    /// # Ok::<(), paytend_reconcile::ZoneError>(())
    /// ```
    pub fn date(&self, zone: &Zone) -> Option<Date> {
        let span = TimeReader::new(zone.get()).read(self)?;
        Some(zone.date(Timestamp::from_millisecond(span.start).ok()?))
    }
}

impl Entry {
    /// Creates a row that contains only a list and a reference.
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

    /// Compares all values of the rows, so that the sorted order does not depend on the order of the input.
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

/// A copy of the values that [`Entry::compare`] compares first. Most rows can be ordered by their keys alone, which is
/// faster than reading the rows.
#[derive(Clone, Copy)]
pub(crate) struct SortKey {
    list: List,
    /// The type of the row's time: 0 if there is none, 1 for milliseconds, 2 for text.
    form: u8,
    /// The milliseconds, or the first 24 bytes of the text.
    time: [u64; 3],
    /// Whether the text cannot be reconstructed from `time` alone, because it is too long or contains a zero byte.
    is_cut: bool,
    /// The first 16 bytes of the reference.
    reference: [u64; 2],
}

impl SortKey {
    pub(crate) fn new(entry: &Entry) -> Self {
        let (mut time, mut is_cut) = ([0; 3], false);
        let form = match &entry.time {
            None => 0,
            Some(EntryTime::Millis(millis)) => {
                // With the sign bit flipped, the unsigned numbers sort in the same order as the signed numbers.
                time[0] = millis.cast_unsigned() ^ (1 << 63);
                1
            }
            Some(EntryTime::Text(text)) => {
                is_cut = copy_start(text, &mut time);
                2
            }
        };
        let mut reference = [0; 2];
        copy_start(&entry.reference, &mut reference);
        Self { list: entry.list, form, time, is_cut, reference }
    }

    /// Compares two rows as [`Entry::compare`] does.
    pub(crate) fn compare((key, entry): &(Self, &Entry), (other_key, other): &(Self, &Entry)) -> Ordering {
        let by_time = (key.list, key.form, key.time).cmp(&(other_key.list, other_key.form, other_key.time));
        if by_time != Ordering::Equal || key.is_cut || other_key.is_cut {
            return by_time.then_with(|| entry.compare(other));
        }
        key.reference.cmp(&other_key.reference).then_with(|| entry.compare(other))
    }
}

/// Copies the start of a text into numbers that sort in the same order as the text. Returns whether a different text
/// could produce the same numbers.
fn copy_start(text: &str, to: &mut [u64]) -> bool {
    for (number, chunk) in to.iter_mut().zip(text.as_bytes().chunks(8)) {
        let mut bytes = [0; 8];
        bytes[..chunk.len()].copy_from_slice(chunk);
        *number = u64::from_be_bytes(bytes);
    }
    // Short texts are padded with zero bytes, so a text with zero bytes can produce the same numbers as a shorter text.
    text.len() > to.len() * 8 || text.contains('\0')
}

impl fmt::Debug for Entry {
    /// Writes only the list, because order numbers and card IDs can be personal data.
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
    /// A withdrawal from the account.
    Withdrawal,
    /// A transfer to the account.
    TransferIn,
    /// A transfer from the account.
    TransferOut,
    /// An authorization, which reserves money on a card.
    PreAuthorization,
    /// A payment with a card.
    Payment,
    /// An adjustment to a settlement.
    SettlementAdjustment,
    /// A fee.
    Fee,
    /// A deposit to an IBAN account.
    Deposit,
    /// A payment from an IBAN account.
    Payout,
    /// A transaction without a type code, or with a type code that the rules do not define.
    Other,
}

impl Kind {
    /// Returns the kind's name in reports and rules, such as `transfer_in`.
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
    /// The transaction is not final yet.
    Processing,
    /// The transaction was executed.
    Succeeded,
    /// The transaction was not executed.
    Failed,
    /// The transaction was executed, and was later reversed by a different transaction.
    Reversed,
    /// A transaction that reverses a different transaction: a reversal, a cancellation or a refund.
    Returned,
    /// The outcome of the order is not known.
    Unknown,
}

impl Status {
    /// Returns the status's name in reports and rules, such as `succeeded`.
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sort_keys_have_the_order_of_the_rows() {
        let random = paytend_vectors::Seeded::new();
        let texts =
            ["", "\0", "a", "a\0", "2026-11-27", "2026-11-27T10:15:30.123456789Z", "2026-11-27T10:15:30.123456780Z"];
        let texts =
            [&texts[..], &["2026-11-27T10:15:30.1234", "2026-11-27T10:15:30.1234\0", "ąąąąąąąąąąąąąąą"]].concat();
        let millis = [i64::MIN, -1, 0, 1, i64::MAX];
        let entries: Vec<Entry> = std::iter::repeat_with(|| {
            let mut entry = Entry::new(List::ALL[random.below(2)], texts[random.below(texts.len())]);
            entry.time = match random.below(3) {
                0 => None,
                1 => Some(EntryTime::Millis(millis[random.below(millis.len())])),
                _ => Some(EntryTime::Text(texts[random.below(texts.len())].to_owned())),
            };
            entry.order_no = (random.below(2) == 0).then(|| texts[random.below(2)].to_owned());
            entry
        })
        .take(300)
        .collect();
        let keyed: Vec<_> = entries.iter().map(|entry| (SortKey::new(entry), entry)).collect();
        for one in &keyed {
            for other in &keyed {
                assert_eq!(SortKey::compare(one, other), one.1.compare(other.1), "{:?} {:?}", one.1.time, other.1.time);
            }
        }
    }
}
