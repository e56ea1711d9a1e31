//! Checks that fetched lists contain all days and cards that are compared.

use std::collections::BTreeSet;
use std::path::Path;

use jiff::{Timestamp, ToSpan as _};
use paytend_reconcile::{Period, Rules};

use crate::cmd::reconcile::directory::Manifest;
use crate::cmd::reconcile::units::Days;
use crate::exit::{Category, Failure};

/// The days, cards and partner that are compared. If the fetched lists lacked some of them, the report would wrongly
/// say that transactions are missing.
pub(super) struct Compared<'a> {
    pub(super) period: &'a Period,
    pub(super) rules: &'a Rules,
    pub(super) cards: &'a BTreeSet<String>,
    /// The partner and the URL, if the options name them.
    pub(super) source: Option<&'a str>,
    pub(super) now: Timestamp,
}

impl Compared<'_> {
    /// Returns an error if the fetched lists do not contain the days, the cards or the partner.
    pub(super) fn check(&self, folder: &Path, fetched: &Manifest) -> Result<(), Failure> {
        let missing = |what: &str| {
            let (folder, from, to) = (folder.display(), self.period.from(), self.period.to());
            let hint = format!("fetch them with `paytend reconcile --from {from} --to {to} --out DIR`");
            Err(Failure::new(Category::Configuration, format!("{folder} {what}")).with_hint(&hint))
        };
        if let Some(source) = self.source.filter(|source| **source != fetched.source) {
            return missing(&format!("contains the lists of {}, not those of {source}", fetched.source));
        }
        // Only the days up to the fetch are required, because later days had no lists yet.
        let days = Days::at(self.period, self.rules, fetched.started_at)?;
        let (first, last) = (days.first().to_string(), days.last().to_string());
        if fetched.first_day > first || fetched.last_day < last {
            let Manifest { first_day, last_day, .. } = fetched;
            return missing(&format!(
                "contains the lists from {first_day} to {last_day}, and the comparison needs {first} to {last}"
            ));
        }
        match self.cards.difference(&fetched.cards).next() {
            Some(card) => missing(&format!("does not contain the lists of card {card}")),
            None => Ok(()),
        }
    }

    /// Returns a problem if the lists were fetched before the period ended, and the period has ended since. Such lists
    /// can lack the last transactions.
    pub(super) fn problem(&self, fetched: &Manifest) -> Option<String> {
        let last = self.period.to();
        let end = last.checked_add(1.day()).ok().and_then(|next| self.rules.time_zone.midnight(next))?;
        let was_early = fetched.started_at.as_millisecond() < end;
        (was_early && self.now.as_millisecond() >= end).then(|| {
            format!("the lists were fetched at {:.0}, before the end of {last}: fetch them again", fetched.started_at)
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn fetched() -> Manifest {
        Manifest {
            version: 1,
            source: "partner 1 at https://a".into(),
            first_day: "2026-11-26".into(),
            last_day: "2026-11-28".into(),
            started_at: "2026-11-28T00:10:00Z".parse().unwrap(),
            cards: ["7".to_owned()].into(),
            problems: Vec::new(),
        }
    }

    #[test]
    fn lists_that_were_fetched_before_the_end_of_the_period_are_a_problem_after_it() {
        let problem = |to: &str, now: &str, zone: &str| {
            let (period, mut rules) = (Period::new("2026-11-27", to).unwrap(), Rules::default());
            rules.time_zone = zone.parse().unwrap();
            let (cards, now) = (BTreeSet::new(), now.parse().unwrap());
            Compared { period: &period, rules: &rules, cards: &cards, source: None, now }.problem(&fetched())
        };
        let expected = "the lists were fetched at 2026-11-28T00:10:00Z, before the end of 2026-11-28: fetch them again";
        for (to, now, zone, is_problem) in [
            ("2026-11-27", "2026-11-30T12:00:00Z", "UTC", false),
            ("2026-11-28", "2026-11-28T23:59:59Z", "UTC", false),
            ("2026-11-28", "2026-11-29T00:00:00Z", "UTC", true),
            ("2026-11-28", "2026-11-28T22:00:00Z", "Europe/Vilnius", true),
            ("2026-11-28", "2026-11-29T00:00:00Z", "America/New_York", false),
        ] {
            let expected = is_problem.then(|| expected.to_owned());
            assert_eq!(problem(to, now, zone), expected, "{to} {now} {zone}");
        }
    }

    #[test]
    fn lists_must_contain_the_days_cards_and_partner() {
        let check = |from: &str, to: &str, cards: &[&str], source: Option<&str>| {
            let (period, rules) = (Period::new(from, to).unwrap(), Rules::default());
            let cards = cards.iter().map(|card| (*card).to_owned()).collect();
            let compared = Compared { period: &period, rules: &rules, cards: &cards, source, now: Timestamp::now() };
            compared.check(Path::new("out"), &fetched()).map_err(|failure| failure.message().to_owned())
        };
        let all = |from, to| check(from, to, &["7"], Some("partner 1 at https://a"));
        assert_eq!(all("2026-11-27", "2026-11-27"), Ok(()));
        // The period can include the day of the fetch, although its lists are not complete. Once the day has ended,
        // `problem` reports this.
        assert_eq!(all("2026-11-27", "2026-11-28"), Ok(()));
        assert_eq!(check("2026-11-27", "2026-11-27", &[], None), Ok(()));
        let error = all("2026-11-26", "2026-11-27").unwrap_err();
        assert!(error.contains("from 2026-11-26 to 2026-11-28, and the comparison needs 2026-11-25 to"), "{error}");
        assert!(error.ends_with("`paytend reconcile --from 2026-11-26 --to 2026-11-27 --out DIR`"), "{error}");
        assert!(all("2026-11-27", "2026-11-29").unwrap_err().contains("needs 2026-11-26 to 2026-11-29"));
        let error = check("2026-11-27", "2026-11-27", &["7", "8"], None).unwrap_err();
        assert!(error.contains("does not contain the lists of card 8"), "{error}");
        let error = check("2026-11-27", "2026-11-27", &[], Some("partner 2 at https://a")).unwrap_err();
        assert!(error.contains("the lists of partner 1 at https://a, not those of partner 2"), "{error}");
    }
}
