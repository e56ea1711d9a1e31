//! Measures the comparison of a million rows. `cargo xtask bench reconcile` runs it in release mode.

// Tests panic on unexpected errors.
#![allow(clippy::unwrap_used, clippy::print_stdout)]

use std::io::BufWriter;
use std::time::{Duration, Instant};

use paytend_model::Decimal;
use paytend_reconcile::{
    Entry, EntryTime, Kind, List, Notifications, Orders, Outcome, Provider, Rules, Status, reconcile,
};

const DAY: i64 = 1_795_737_600_000;

/// Returns the peak memory of the process in MiB, or `None` if the system does not report it.
fn peak() -> Option<u64> {
    let status = std::fs::read_to_string("/proc/self/status").ok()?;
    let line = status.lines().find(|line| line.starts_with("VmHWM:"))?;
    Some(line.split_whitespace().nth(1)?.parse::<u64>().ok()? / 1024)
}

fn entry(list: List, index: usize, kind: Kind) -> Entry {
    let mut entry = Entry::new(list, format!("R{index:012}"));
    entry.kind = Some(kind);
    entry.status = Some(Status::Succeeded);
    // Many transactions have equal amounts.
    entry.amount = Some(Decimal::new(i64::try_from(index % 5_000).unwrap() + 1, 2));
    entry.currency = Some("EUR".to_owned());
    entry.card = Some(format!("{}", 1_700_000 + index % 50_000));
    let second = i64::try_from(index % 86_400).unwrap();
    entry.time = Some(EntryTime::Millis(DAY + second * 1000));
    entry
}

/// Returns `transactions` transactions with two rows each: topups with orders, and payments with notifications. Every
/// tenth topup has no common number, and every thousandth transaction has no counterpart.
fn inputs(transactions: usize) -> (Provider, Notifications, Orders) {
    let (mut provider, mut notifications, mut orders) = (Provider::new(), Notifications::new(), Orders::new());
    for index in 0..transactions {
        let is_topup = index % 2 == 0;
        let kind = if is_topup { Kind::Topup } else { Kind::Payment };
        let mut row = entry(if is_topup { List::PartnerTransactions } else { List::CardTransactions }, index, kind);
        row.trade_no = Some(format!("P{index:012}"));
        row.time = Some(EntryTime::Text("2026-11-27".to_owned()));
        if is_topup {
            row.card = None;
            if index % 20 != 0 {
                row.order_no = Some(format!("T{index:012}"));
            }
        }
        provider.push(row).unwrap();
        if index % 1_000 == 1 {
            continue;
        }
        let mut own = entry(if is_topup { List::Orders } else { List::Notifications }, index, kind);
        if is_topup {
            own.order_no = Some(format!("T{index:012}"));
            orders.push_entry(own);
        } else {
            own.trade_no = Some(format!("P{index:012}"));
            notifications.push_entry(own);
        }
    }
    (provider, notifications, orders)
}

#[test]
fn comparison_of_a_few_thousand_rows_finds_the_missing_counterparts() {
    measure(2_000);
}

#[test]
#[ignore = "measures release builds: cargo xtask bench reconcile"]
fn million_rows_take_at_most_three_seconds_and_linear_memory() {
    let (_, small) = measure(50_000);
    measure(250_000);
    let (took, large) = measure(500_000);
    assert!(took <= Duration::from_secs(3), "{took:?}");
    // The large comparison has ten times as many rows. The peak memory never decreases, so the small comparison must
    // run first.
    if let Some((small, large)) = small.zip(large) {
        assert!(large <= small.max(16) * 12, "{small} MiB, then {large} MiB");
    }
}

/// Compares the rows, prints the measurements, and returns the time and the additional memory in MiB.
fn measure(transactions: usize) -> (Duration, Option<u64>) {
    let (provider, notifications, orders) = inputs(transactions);
    let (rules, before) = (Rules::default(), peak());
    let started = Instant::now();
    let report = reconcile(&provider, &notifications, &orders, &rules);
    let took = started.elapsed();
    let with_report = peak();
    let started = Instant::now();
    report.write_json(&mut BufWriter::new(std::io::sink())).unwrap();
    println!(
        "{} rows: compared in {took:?}, written as JSON in {:?}; peak MiB with the input {before:?}, \
         with the report {with_report:?}",
        report.lists.iter().map(|list| list.rows).sum::<usize>(),
        started.elapsed(),
    );
    assert_eq!(report.count(Outcome::OnlyProvider), transactions / 1_000);
    (took, with_report.zip(before).map(|(with, before)| with - before))
}
