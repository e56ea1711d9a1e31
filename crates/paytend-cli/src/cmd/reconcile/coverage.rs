//! Checks that fetched lists contain everything that is compared.

use std::collections::BTreeSet;
use std::path::Path;

use paytend_reconcile::{Period, Rules};

use crate::cmd::reconcile::directory::Manifest;
use crate::cmd::reconcile::units::Days;
use crate::exit::{Category, Failure};

/// The days, cards and partner that are compared. If fetched lists did not contain them, transactions would wrongly be
/// reported as missing.
pub(super) struct Compared<'a> {
    pub(super) period: &'a Period,
    pub(super) rules: &'a Rules,
    pub(super) cards: &'a BTreeSet<String>,
    /// The partner and the URL, if the options name them.
    pub(super) source: Option<&'a str>,
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
        // Days after the fetch are not required, because their lists did not exist yet.
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
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lists_must_contain_the_days_cards_and_partner() {
        let check = |from: &str, to: &str, cards: &[&str], source: Option<&str>| {
            let fetched = Manifest {
                version: 1,
                source: "partner 1 at https://a".into(),
                first_day: "2026-11-26".into(),
                last_day: "2026-11-28".into(),
                started_at: "2026-11-28T00:10:00Z".parse().unwrap(),
                cards: ["7".to_owned()].into(),
                problems: Vec::new(),
            };
            let (period, rules) = (Period::new(from, to).unwrap(), Rules::default());
            let cards = cards.iter().map(|card| (*card).to_owned()).collect();
            let compared = Compared { period: &period, rules: &rules, cards: &cards, source };
            compared.check(Path::new("out"), &fetched).map_err(|failure| failure.message().to_owned())
        };
        let all = |from, to| check(from, to, &["7"], Some("partner 1 at https://a"));
        assert_eq!(all("2026-11-27", "2026-11-27"), Ok(()));
        // The day of the fetch can be compared, although its lists end at the time of the fetch.
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
