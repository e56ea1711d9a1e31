//! Determines the days to fetch, and divides the lists into parts.

use std::collections::BTreeSet;
use std::fmt::Write as _;

use jiff::civil::Date;
use jiff::{Timestamp, ToSpan as _};
use paytend_reconcile::{Period, Rules};

use crate::exit::{Category, Failure};

/// The days to fetch: the period, and the days before and after it on which matching transactions can occur.
pub(super) struct Days {
    first: Date,
    last: Date,
    start: i64,
}

/// The maximum number of days in a query for a card. The provider allows at most 30 days between the first and the last
/// day (inferred).
const CARD_DAYS: usize = 30;
/// The maximum number of days in a fetch.
const MAX_DAYS: usize = 400;

impl Days {
    pub(super) fn new(period: &Period, rules: &Rules) -> Result<Self, Failure> {
        Self::at(period, rules, Timestamp::now())
    }

    /// Returns the days to fetch if the fetch takes place at `now`.
    pub(super) fn at(period: &Period, rules: &Rules, now: Timestamp) -> Result<Self, Failure> {
        let around = rules.window.as_secs().div_ceil(24 * 3600).max(1);
        let around = i64::try_from(around).unwrap_or(i64::MAX).min(366).days();
        let outside = || Failure::new(Category::Usage, "--from and --to: the date is out of range");
        let first = period.from().checked_sub(around).map_err(|_| outside())?;
        // Days in the future are left out, because they have no transactions and the provider may refuse the query.
        // Days in the period are kept.
        let today = rules.time_zone.date(now).max(period.to());
        let last = period.to().checked_add(around).map_err(|_| outside())?.min(today);
        let start = rules.time_zone.midnight(first).ok_or_else(outside)?;
        Ok(Self { first, last, start })
    }

    /// Refuses a period with too many days, because the fetch would take too long.
    pub(super) fn check_length(&self) -> Result<(), Failure> {
        if self.first.series(1.day()).take_while(|day| *day <= self.last).count() <= MAX_DAYS {
            return Ok(());
        }
        Err(Failure::usage(format!(
            "--from and --to: at most {MAX_DAYS} days can be fetched; use --offline for a longer period"
        )))
    }

    /// Returns the start of the first day, in milliseconds since the Unix epoch.
    pub(super) fn start(&self) -> i64 {
        self.start
    }

    pub(super) fn first(&self) -> Date {
        self.first
    }

    pub(super) fn last(&self) -> Date {
        self.last
    }

    /// Divides the days into parts of at most `days` days, and returns the first and the last day of each part.
    fn parts(&self, days: usize) -> Vec<(Date, Date)> {
        let all: Vec<Date> = self.first.series(1.day()).take_while(|day| *day <= self.last).collect();
        all.chunks(days).filter_map(|part| Some((*part.first()?, *part.last()?))).collect()
    }
}

/// A part of a list that is fetched and stored as a whole.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Unit {
    pub(super) list: UnitList,
    pub(super) begin: Date,
    pub(super) end: Date,
}

/// The list that a unit is part of.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum UnitList {
    PartnerTransactions,
    CardTransactions(String),
    Authorizations(String),
}

pub(super) const PARTNER_TRANSACTIONS: &str = "partner-transactions";
pub(super) const CARD_TRANSACTIONS: &str = "card-transactions";
pub(super) const AUTHORIZATIONS: &str = "authorizations";
pub(super) const TOPUPS: &str = "topups";

impl Unit {
    /// Returns the units of a fetch: partner transactions by day, and each card's lists.
    pub(super) fn all(days: &Days, cards: &BTreeSet<String>) -> Vec<Self> {
        let of_day = |(begin, end)| Self { list: UnitList::PartnerTransactions, begin, end };
        let mut units: Vec<Self> = days.parts(1).into_iter().map(of_day).collect();
        for (begin, end) in days.parts(CARD_DAYS) {
            for card in cards {
                for list in [UnitList::CardTransactions(card.clone()), UnitList::Authorizations(card.clone())] {
                    units.push(Self { list, begin, end });
                }
            }
        }
        units
    }

    /// Returns the name of the file that stores the unit.
    pub(super) fn file_name(&self) -> String {
        match &self.list {
            UnitList::PartnerTransactions => format!("{PARTNER_TRANSACTIONS}.{}.jsonl", self.begin),
            UnitList::CardTransactions(card) => format!("{CARD_TRANSACTIONS}.{}.{}.jsonl", safe(card), self.begin),
            UnitList::Authorizations(card) => format!("{AUTHORIZATIONS}.{}.{}.jsonl", safe(card), self.begin),
        }
    }
}

/// Encodes a card ID for use in a file name. Different IDs have different file names, even on file systems that ignore
/// case.
fn safe(card: &str) -> String {
    let mut name = String::new();
    for byte in card.bytes() {
        if byte.is_ascii_digit() || byte.is_ascii_lowercase() {
            name.push(char::from(byte));
        } else {
            let _ = write!(name, "_{byte:02x}");
        }
    }
    name
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn days_around_the_period_are_fetched_in_parts() {
        let period = Period::new("2023-01-01", "2023-02-28").unwrap();
        let days = Days::new(&period, &Rules::default()).unwrap();
        assert_eq!((days.first.to_string(), days.last.to_string()), ("2022-12-31".into(), "2023-03-01".into()));
        let units = Unit::all(&days, &["7".to_owned()].into());
        let of_card: Vec<(String, String)> = units
            .iter()
            .filter(|unit| unit.list == UnitList::CardTransactions("7".into()))
            .map(|unit| (unit.begin.to_string(), unit.end.to_string()))
            .collect();
        let expected = [("2022-12-31", "2023-01-29"), ("2023-01-30", "2023-02-28"), ("2023-03-01", "2023-03-01")];
        assert_eq!(of_card, expected.map(|(begin, end)| (begin.to_owned(), end.to_owned())));
        assert_eq!(units.iter().filter(|unit| unit.list == UnitList::PartnerTransactions).count(), 61);
        assert!(units.iter().all(|unit| unit.begin.until(unit.end).unwrap().get_days() < 31));
    }

    #[test]
    fn days_in_the_future_are_fetched_only_if_they_are_in_the_period() {
        let today = Timestamp::now().to_zoned_datetime(jiff::tz::TimeZone::UTC).date().to_string();
        let last =
            |to: &str| Days::new(&Period::new("2023-01-01", to).unwrap(), &Rules::default()).unwrap().last.to_string();
        // The date can change while the test is running, so `>=` is used and not `==`.
        assert!(last(&today) >= today);
        assert_eq!(last("2999-12-31"), "2999-12-31");
    }

    #[test]
    fn file_names_contain_no_paths() {
        assert_eq!(safe("1755902"), "1755902");
        assert_eq!(safe("../A b"), "_2e_2e_2f_41_20b");
        assert_ne!(safe("A"), safe("a"));
    }
}
