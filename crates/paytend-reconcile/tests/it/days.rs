//! Tests that every transaction belongs to exactly one day, even around midnight and when the clocks change.

use jiff::civil::Date;
use jiff::tz::TimeZone;
use jiff::{Timestamp, ToSpan as _};
use paytend_model::Decimal;
use paytend_reconcile::{
    Entry, EntryTime, Kind, List, Notifications, Orders, Outcome, Period, Provider, Rules, Status, Sum, reconcile,
};
use paytend_vectors::Seeded;

/// Zones and the days on which their clocks change. In Havana, midnight occurs twice; in Cairo, it does not exist.
const CHANGES: [(&str, &str); 6] = [
    ("Europe/Vilnius", "2026-03-29"),
    ("Europe/Vilnius", "2026-10-25"),
    ("America/Havana", "2026-11-01"),
    ("Africa/Cairo", "2026-04-24"),
    ("Asia/Kathmandu", "2026-11-27"),
    ("UTC", "2026-11-27"),
];

fn entry(list: List, index: usize, time: EntryTime, amount: Decimal) -> Entry {
    let mut entry = Entry::new(list, format!("{index}"));
    (entry.kind, entry.status) = (Some(Kind::Topup), Some(Status::Succeeded));
    (entry.order_no, entry.currency) = (Some(format!("T{index}")), Some("EUR".to_owned()));
    (entry.amount, entry.time) = (Some(amount), Some(time));
    entry
}

/// Returns a time near the midnight at the start or at the end of the day.
fn time(random: &Seeded, zone: &TimeZone, day: Date) -> Timestamp {
    let midnight = [day, day.tomorrow().unwrap()][random.below(2)].to_zoned_datetime(zone.clone()).unwrap().timestamp();
    let seconds = [0, 0, -1, 1, random.below(20_000) as i64 - 10_000][random.below(5)];
    midnight + seconds.seconds()
}

/// Returns the time in one of the provider's formats.
fn written(random: &Seeded, zone: &TimeZone, time: Timestamp) -> EntryTime {
    let local = time.to_zoned_datetime(zone.clone());
    match random.below(4) {
        0 => EntryTime::Millis(time.as_millisecond()),
        1 => EntryTime::Text(time.to_string()),
        2 => EntryTime::Text(local.date().to_string()),
        _ => EntryTime::Text(local.strftime("%Y-%m-%d %H:%M:%S").to_string()),
    }
}

#[test]
fn each_transaction_belongs_to_exactly_one_day() {
    let random = Seeded::new();
    for (name, day) in CHANGES {
        let (zone, day): (TimeZone, Date) = (jiff::tz::db().get(name).unwrap(), day.parse().unwrap());
        let (mut provider, mut orders) = (Provider::new(), Orders::new());
        let mut expected: Vec<Option<(String, String)>> = Vec::new();
        for index in 0..200 {
            let time = time(&random, &zone, day);
            let date = time.to_zoned_datetime(zone.clone()).date().to_string();
            let mut amount = Decimal::new(random.below(1_000_000) as i64, 2);
            provider.push(entry(List::PartnerTransactions, index, written(&random, &zone, time), amount)).unwrap();
            // The order has the same amount, but with more trailing zeros.
            amount.rescale(2 + random.below(3) as u32);
            let ordered = time - (random.below(7_200) as i64).seconds();
            orders.push_entry(entry(List::Orders, index, EntryTime::Text(ordered.to_string()), amount));
            expected.push(Some((format!("T{index}"), date)));
        }
        let notifications = Notifications::not_given();
        let (mut sum, mut total) = (Sum::default(), Sum::default());
        for offset in -2..=2 {
            let compared = day.checked_add(offset.days()).unwrap().to_string();
            let mut rules = Rules::default().period(Period::new(&compared, &compared).unwrap());
            rules.time_zone = name.parse().unwrap();
            let report = reconcile(&provider, &notifications, &orders, &rules);
            for item in &report.items {
                assert_eq!(item.outcome, Outcome::Matched, "{name} {compared} {:?}", item.differences);
                let index: usize = item.order_no.unwrap()[1..].parse().unwrap();
                let once = expected[index].take().unwrap_or_else(|| panic!("{name}: {index} is in two days"));
                assert_eq!(item.date.as_deref(), Some(once.1.as_str()), "{name} {:?}", item.rows[0].time);
                assert_eq!(item.date.as_deref(), Some(compared.as_str()));
            }
            sum.add_sum(&report.sums[0].of(Outcome::Matched).amount);
            total = report.sums[0].total.amount.clone();
        }
        assert_eq!(expected.iter().flatten().count(), 0, "{name}: {expected:?}");
        assert_eq!(sum, total, "{name}");
    }
}
