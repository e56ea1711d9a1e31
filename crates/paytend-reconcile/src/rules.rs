//! The rules for a comparison.

use std::collections::BTreeMap;
use std::fmt;
use std::str::FromStr;
use std::time::Duration;

use jiff::Timestamp;
use jiff::civil::Date;
use jiff::tz::TimeZone;
use paytend_model::Decimal;
use serde::{Deserialize, Deserializer, de};

use crate::codes::Codes;
use crate::entry::Kind;
use crate::list::{List, ListSet};
use crate::time::midnight;

/// The rules for a comparison. They can be deserialized, for example from a TOML file:
///
/// ```
/// let rules: paytend_reconcile::Rules = toml::from_str(
///     r#"
///     time_zone = "Europe/Vilnius"   # of the provider's dates; UTC by default
///     window_hours = 24              # the maximum difference between the times in a transaction's rows
///
///     [[tolerated_fee]]              # accept a fee of up to `at_most` when comparing amounts
///     kind = "topup"
///     currency = "EUR"
///     at_most = "0.35"
///
///     [codes.statuses]               # the codes in your documents
///     topups = { "1" = "processing", "2" = "succeeded", "3" = "failed" }
///
///     [required]                     # the lists that must contain each kind of transaction
///     topup = ["partner_transactions", "orders"]
///     "#,
/// )?;
/// assert_eq!(rules.window.as_secs(), 24 * 3600);
/// # Ok::<(), toml::de::Error>(())
/// ```
#[derive(Clone, Debug, Deserialize)]
#[serde(default, deny_unknown_fields)]
#[non_exhaustive]
pub struct Rules {
    /// The period to compare. Transactions outside the period are used only for matching. By default, all transactions
    /// are compared.
    #[serde(skip)]
    pub period: Option<Period>,
    /// The time zone of the provider's dates (default: UTC).
    pub time_zone: Zone,
    /// The maximum difference between the times in a transaction's rows (default: 24 hours).
    #[serde(rename = "window_hours", deserialize_with = "hours")]
    pub window: Duration,
    /// Differences in amount that are accepted as a fee.
    #[serde(rename = "tolerated_fee")]
    pub tolerated_fees: Vec<ToleratedFee>,
    /// The meanings of the provider's codes.
    pub codes: Codes,
    /// The lists that must contain an executed transaction of each kind. An entry replaces the default lists for its
    /// kind. A list that is not given is not required.
    pub required: BTreeMap<Kind, Vec<List>>,
    /// Whether an accepted topup reduces the partner's balance before its status is final (default: `true`; inferred).
    pub processing_moves_funds: bool,
}

impl Default for Rules {
    fn default() -> Self {
        Self {
            period: None,
            time_zone: Zone::default(),
            window: Duration::from_secs(24 * 3600),
            tolerated_fees: Vec::new(),
            codes: Codes::default(),
            required: BTreeMap::new(),
            processing_moves_funds: true,
        }
    }
}

impl Rules {
    /// Sets the period to compare.
    #[must_use]
    pub fn period(mut self, period: Period) -> Self {
        self.period = Some(period);
        self
    }

    /// Sets the meanings of the provider's codes.
    #[must_use]
    pub fn codes(mut self, codes: Codes) -> Self {
        self.codes = codes;
        self
    }

    /// Returns the lists that must contain an executed transaction of this kind.
    pub(crate) fn required_lists(&self, kind: Kind, is_partner_funds: bool) -> ListSet {
        if let Some(lists) = self.required.get(&kind) {
            return ListSet::of(lists.iter().copied());
        }
        match kind {
            Kind::Topup => ListSet::of([List::PartnerTransactions, List::Orders]),
            Kind::Deposit => ListSet::of([List::Notifications]),
            Kind::Payout => ListSet::of([List::Orders]),
            Kind::Other if is_partner_funds => ListSet::of([List::PartnerTransactions, List::Orders]),
            _ if is_partner_funds => ListSet::of([List::PartnerTransactions]),
            Kind::Fee => ListSet::of([List::CardTransactions]),
            Kind::PreAuthorization => ListSet::of([List::Authorizations, List::Notifications]),
            _ => ListSet::of([List::CardTransactions, List::Notifications]),
        }
    }

    /// Returns the maximum difference in amount that is accepted as a fee.
    pub(crate) fn tolerated(&self, kind: Kind, currency: &str) -> Decimal {
        let fitting = self.tolerated_fees.iter().filter(|fee| {
            fee.currency == currency && fee.kind.is_none_or(|of| of == kind) && fee.at_most > Decimal::ZERO
        });
        fitting.map(|fee| fee.at_most).max().unwrap_or_default()
    }
}

/// A difference in amount that is accepted as a fee.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ToleratedFee {
    /// The kind of transaction to which the fee applies. The default is all kinds.
    pub kind: Option<Kind>,
    /// The code of the currency to which the fee applies, such as `EUR`.
    pub currency: String,
    /// The maximum accepted difference, in units of `currency`.
    #[serde(deserialize_with = "decimal")]
    pub at_most: Decimal,
}

fn hours<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Duration, D::Error> {
    Ok(Duration::from_secs(u64::from(u32::deserialize(deserializer)?) * 3600))
}

fn decimal<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Decimal, D::Error> {
    let text = String::deserialize(deserializer)?;
    let invalid = || de::Error::custom("invalid amount; an example is \"0.35\", in quotes");
    let amount: Decimal = Decimal::from_str_exact(&text).map_err(|_| invalid())?;
    if amount < Decimal::ZERO { Err(invalid()) } else { Ok(amount) }
}

/// A time zone from the IANA database, which is included in the crate.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Zone(TimeZone);

impl Zone {
    pub(crate) fn get(&self) -> &TimeZone {
        &self.0
    }

    /// Returns the date of a time in this time zone.
    pub fn date(&self, time: Timestamp) -> Date {
        time.to_zoned_datetime(self.0.clone()).date()
    }

    /// Returns the start of a day in milliseconds since the Unix epoch, or `None` if the date is out of range.
    pub fn midnight(&self, date: Date) -> Option<i64> {
        midnight(date, &self.0)
    }
}

impl Default for Zone {
    fn default() -> Self {
        Self(TimeZone::UTC)
    }
}

impl fmt::Display for Zone {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.0.iana_name().unwrap_or("UTC"))
    }
}

impl FromStr for Zone {
    type Err = ZoneError;

    fn from_str(name: &str) -> Result<Self, ZoneError> {
        if name == "UTC" {
            return Ok(Self::default());
        }
        jiff::tz::db().get(name).map(Self).map_err(|_| ZoneError)
    }
}

impl<'de> Deserialize<'de> for Zone {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        String::deserialize(deserializer)?.parse().map_err(de::Error::custom)
    }
}

/// The error returned for an unknown time zone.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("unknown time zone; examples: UTC, Europe/Vilnius")]
#[non_exhaustive]
pub struct ZoneError;

/// A range of days in the time zone of the rules. Both the first and the last day are included.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Period {
    from: Date,
    to: Date,
}

impl Period {
    /// Creates a period from its first and last day, such as `2026-11-27`.
    ///
    /// # Errors
    /// Returns [`PeriodError`] if a day is not a valid date, or if the last day is before the first day.
    pub fn new(from: &str, to: &str) -> Result<Self, PeriodError> {
        let day = |text: &str| {
            let is_plain = text.len() == 10;
            text.parse::<Date>().ok().filter(|_| is_plain).ok_or(PeriodError::Date)
        };
        let period = Self { from: day(from)?, to: day(to)? };
        if period.to < period.from { Err(PeriodError::Order) } else { Ok(period) }
    }

    /// Returns the first day.
    pub fn from(&self) -> Date {
        self.from
    }

    /// Returns the last day.
    pub fn to(&self) -> Date {
        self.to
    }

    /// Returns the start and the end of the period, in milliseconds since the Unix epoch. The end is exclusive.
    pub(crate) fn bounds(&self, zone: &TimeZone) -> (i64, i64) {
        let start = midnight(self.from, zone).unwrap_or(i64::MIN);
        let end = self.to.tomorrow().ok().and_then(|next| midnight(next, zone)).unwrap_or(i64::MAX);
        (start, end)
    }
}

/// The error returned for an invalid [`Period`].
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum PeriodError {
    /// The first or the last day is not a valid date.
    #[error("invalid date; an example is 2026-11-27")]
    Date,
    /// The last day is before the first day.
    #[error("the last day of the period is before its first day")]
    Order,
}
