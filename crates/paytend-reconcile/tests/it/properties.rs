//! Property tests of the comparison with generated transactions.

use std::collections::BTreeMap;

use paytend_model::Decimal;
use paytend_reconcile::{Outcome, Sum};
use proptest::prelude::*;

use crate::life::{Life, actions, open};

fn json(life: &Life) -> String {
    life.with_report(|report| {
        let mut text = Vec::new();
        report.write_json(&mut text).unwrap();
        String::from_utf8(text).unwrap()
    })
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn transactions_without_planted_differences_are_not_open(mut actions in actions()) {
        for (_, _, plant) in &mut actions {
            *plant = None;
        }
        Life::new(&actions).with_report(|report| {
            assert_eq!(open(report), []);
            assert_eq!(report.open(), 0);
            let total: usize = Outcome::ALL.iter().map(|outcome| report.count(*outcome)).sum();
            assert_eq!(total, report.items.len());
        });
    }

    #[test]
    fn exactly_the_planted_differences_are_reported(actions in actions()) {
        let life = Life::new(&actions);
        life.with_report(|report| assert_eq!(open(report), life.expected));
    }

    #[test]
    fn report_does_not_depend_on_the_order_of_rows(actions in actions(), seed: u64) {
        let life = Life::new(&actions);
        let mut shuffled = life.clone();
        let random = paytend_vectors::Seeded::with(seed);
        fn shuffle<T>(rows: &mut [T], random: &paytend_vectors::Seeded) {
            for index in (1..rows.len()).rev() {
                rows.swap(index, random.below(index + 1));
            }
        }
        for rows in [&mut shuffled.partner, &mut shuffled.topups, &mut shuffled.card, &mut shuffled.authorizations,
            &mut shuffled.orders] {
            shuffle(rows, &random);
        }
        shuffle(&mut shuffled.notifications, &random);
        assert_eq!(json(&life), json(&shuffled));
    }

    #[test]
    fn sums_of_outcomes_add_up_to_the_total(actions in actions()) {
        let life = Life::new(&actions);
        let mut expected: BTreeMap<(&str, String), (u64, Sum)> = BTreeMap::new();
        let notifications = life.notifications.iter().map(|(_, _, _, content)| content);
        let lists = [
            ("partner_transactions", life.partner.iter().collect::<Vec<_>>()),
            ("topups", life.topups.iter().collect()),
            ("card_transactions", life.card.iter().collect()),
            ("authorizations", life.authorizations.iter().collect()),
            ("orders", life.orders.iter().collect()),
            ("notifications", notifications.collect()),
        ];
        for (list, rows) in lists {
            for row in rows {
                let currency = row["currency"].as_str().unwrap().to_owned();
                let sums = expected.entry((list, currency)).or_default();
                sums.0 += 1;
                sums.1.add(row["amount"].as_str().map_or(Decimal::ZERO, |amount| amount.parse().unwrap()));
            }
        }
        life.with_report(|report| {
            let mut found = BTreeMap::new();
            for row in &report.sums {
                let (mut count, mut amount, mut executed) = (0, Sum::default(), Sum::default());
                for tally in row.by_outcome.iter().chain([&row.outside_period]) {
                    count += tally.count;
                    amount.add_sum(&tally.amount);
                    executed.add_sum(&tally.executed);
                }
                assert_eq!((count, &amount, &executed), (row.total.count, &row.total.amount, &row.total.executed));
                found.insert((row.list.as_str(), row.currency.unwrap().to_owned()), (count, amount));
            }
            assert_eq!(found, expected);
            // Every row belongs to exactly one transaction, or is outside the period.
            let rows: usize = report.items.iter().map(|item| item.rows.len()).sum();
            let outside: u64 = report.sums.iter().map(|row| row.outside_period.count).sum();
            let given: usize = report.lists.iter().map(|list| list.rows).sum();
            assert_eq!(rows as u64 + outside, given as u64);
        });
    }
}
