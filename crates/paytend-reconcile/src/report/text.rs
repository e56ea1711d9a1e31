//! Writes the report as text for the terminal.

use std::io::{self, Write};

use super::{Item, Outcome, Report, Tally};
use crate::compare::{Difference, Field, shown};
use crate::entry::Entry;

/// The maximum number of listed open transactions. The other formats contain all of them.
const LISTED: usize = 1_000;

pub(super) fn write(report: &Report<'_>, out: &mut impl Write) -> io::Result<()> {
    if let Some(period) = &report.period {
        writeln!(out, "period         {} to {} ({})", period.from(), period.to(), report.time_zone)?;
    }
    for outcome in Outcome::ALL {
        writeln!(out, "{:<14} {}", label(outcome), report.count(outcome))?;
    }
    let missing: Vec<&str> = report.lists.iter().filter(|list| !list.given).map(|list| list.list.as_str()).collect();
    if !missing.is_empty() {
        writeln!(out, "not given      {}", missing.join(", "))?;
    }
    for problem in &report.problems {
        writeln!(out, "problem: {}", printable(problem))?;
    }
    sums(report, out)?;
    balances(report, out)?;
    let open = report.items.iter().take_while(|item| item.outcome.is_open());
    for item in open.clone().take(LISTED) {
        writeln!(out)?;
        self::item(item, out)?;
    }
    match open.count().saturating_sub(LISTED) {
        0 => Ok(()),
        more => writeln!(out, "\n{more} more open transactions: use the JSON, CSV or HTML format"),
    }
}

pub(super) fn label(outcome: Outcome) -> &'static str {
    match outcome {
        Outcome::Duplicate => "duplicates",
        Outcome::Different => "different",
        Outcome::OnlyProvider => "only provider",
        Outcome::OnlyHere => "only here",
        Outcome::Unresolved => "unresolved",
        Outcome::Matched => "matched",
        Outcome::NotCompared => "not compared",
    }
}

fn sums(report: &Report<'_>, out: &mut impl Write) -> io::Result<()> {
    if report.sums.is_empty() {
        return Ok(());
    }
    let header = ["list", "currency", "rows", "total", "executed", "matched", "open", "not compared", "outside"];
    let mut lines = vec![header.map(str::to_owned)];
    for row in &report.sums {
        let mut open = Tally::default();
        for outcome in Outcome::ALL.into_iter().filter(|outcome| outcome.is_open()) {
            open.amount.add_sum(&row.of(outcome).amount);
        }
        lines.push([
            row.list.as_str().to_owned(),
            printable(row.currency.unwrap_or("none")),
            row.total.count.to_string(),
            row.total.amount.to_string(),
            row.total.executed.to_string(),
            row.of(Outcome::Matched).amount.to_string(),
            open.amount.to_string(),
            row.of(Outcome::NotCompared).amount.to_string(),
            row.outside_period.amount.to_string(),
        ]);
    }
    table(&lines, 2, out)
}

fn balances(report: &Report<'_>, out: &mut impl Write) -> io::Result<()> {
    if report.balances.is_empty() {
        return Ok(());
    }
    let header = ["account", "currency", "opening", "movements", "expected", "closing", "difference", "state"];
    let mut lines = vec![header.map(str::to_owned)];
    let or_dash = |sum: &Option<crate::sum::Sum>| sum.as_ref().map_or_else(|| "-".to_owned(), ToString::to_string);
    for check in &report.balances {
        let state = match check.unknown_movements {
            0 => check.state.as_str().to_owned(),
            count => format!("{} ({count})", check.state.as_str()),
        };
        lines.push([
            printable(&check.account.to_string()),
            printable(&check.currency),
            or_dash(&check.opening),
            check.movements.to_string(),
            or_dash(&check.expected),
            or_dash(&check.closing),
            or_dash(&check.difference),
            state,
        ]);
    }
    table(&lines, 2, out)
}

/// Writes a table after an empty line. The first `left` columns are left-aligned, and the other columns are
/// right-aligned.
fn table<const N: usize>(lines: &[[String; N]], left: usize, out: &mut impl Write) -> io::Result<()> {
    let mut widths = [0; N];
    for line in lines {
        for (width, cell) in widths.iter_mut().zip(line) {
            *width = (*width).max(cell.chars().count());
        }
    }
    writeln!(out)?;
    for line in lines {
        let cells = line.iter().zip(widths).enumerate().map(|(column, (cell, width))| {
            if column < left { format!("{cell:<width$}") } else { format!("{cell:>width$}") }
        });
        writeln!(out, "{}", cells.collect::<Vec<_>>().join("  ").trim_end())?;
    }
    Ok(())
}

fn item(item: &Item<'_>, out: &mut impl Write) -> io::Result<()> {
    let mut title = vec![label(item.outcome).to_owned(), item.kind.to_string()];
    title.extend(item.order_no.map(|number| format!("order {}", printable(number))));
    title.extend(item.trade_no.map(|number| format!("trade {}", printable(number))));
    title.extend(item.card.map(|card| format!("card {}", printable(card))));
    title.extend(item.amount.map(|amount| format!("{amount} {}", printable(item.currency.unwrap_or("")))));
    title.extend(item.date.clone());
    writeln!(out, "{}", title.join(", "))?;
    if !item.reasons.is_empty() {
        let reasons: Vec<&str> = item.reasons.iter().map(|reason| reason.as_str()).collect();
        writeln!(out, "  reasons: {}", reasons.join(", "))?;
    }
    for difference in &item.differences {
        writeln!(out, "  {}", described(difference))?;
    }
    if let Some(candidates) = &item.candidates {
        let first: Vec<_> = candidates.first.iter().map(|(list, name)| format!("{list} {}", printable(name))).collect();
        writeln!(out, "  {} candidates: {}", candidates.count, first.join(", "))?;
    }
    for row in story(&item.rows) {
        writeln!(out, "  {}", line(row))?;
    }
    Ok(())
}

/// Formats a difference, such as `amount: 25.00 (orders T1), 52.00 (partner_transactions P1)`.
pub(super) fn described(difference: &Difference<'_>) -> String {
    if difference.field == Field::Lists {
        let lists: Vec<&str> = difference.values.iter().map(|value| value.list.as_str()).collect();
        return format!("missing in {}", lists.join(", "));
    }
    let value = |value: &crate::compare::FieldValue<'_>| {
        format!("{} ({} {})", printable(&value.value), value.list, printable(value.reference))
    };
    let values: Vec<String> = difference.values.iter().map(value).collect();
    format!("{}: {}", difference.field.as_str(), values.join(", "))
}

/// Returns the rows with the orders first. The other rows keep their order.
pub(super) fn story<'a>(rows: &[&'a Entry]) -> Vec<&'a Entry> {
    let is_order = |entry: &&&Entry| entry.list == crate::list::List::Orders;
    let (orders, others): (Vec<&&Entry>, Vec<&&Entry>) = rows.iter().partition(is_order);
    orders.into_iter().chain(others).copied().collect()
}

fn line(entry: &Entry) -> String {
    let mut parts = vec![format!("{:<20} {}", entry.list, printable(&entry.reference))];
    parts.extend(entry.amount.map(|amount| format!("{amount} {}", entry.currency.as_deref().unwrap_or(""))));
    parts.extend(entry.status.map(|status| status.to_string()));
    parts.extend(entry.trade_status.as_ref().map(|code| format!("tradeStatus {code}")));
    parts.extend(entry.status_code.as_ref().map(|code| format!("status {code}")));
    parts.extend(entry.time.as_ref().map(shown));
    if !entry.unreadable.is_empty() {
        parts.push(format!("unreadable: {}", entry.unreadable.join(" ")));
    }
    printable(&parts.join("  "))
}

/// Returns a text without hidden characters, which could change what a terminal shows.
fn printable(text: &str) -> String {
    text.chars().map(|c| if is_hidden(c) { '\u{fffd}' } else { c }).collect()
}

/// Returns whether a character is invisible, or changes the position or the order of other characters. Two order
/// numbers that differ only in such characters would look equal.
pub(super) fn is_hidden(c: char) -> bool {
    c.is_control()
        || matches!(c, '\u{ad}' | '\u{61c}' | '\u{200b}'..='\u{200f}' | '\u{2028}'..='\u{202e}')
        || matches!(c, '\u{2060}'..='\u{206f}' | '\u{feff}' | '\u{fff9}'..='\u{fffb}' | '\u{e0000}'..='\u{e007f}')
}
