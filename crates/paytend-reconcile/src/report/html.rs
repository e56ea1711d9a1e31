//! Writes the report as an HTML page.

use std::fmt::{self, Display, Write as _};
use std::io::{self, Write};

use super::text::{described, is_hidden, label, story};
use super::{Item, Outcome, Report};
use crate::compare::shown;
use crate::entry::Entry;

/// The maximum number of transactions on the page that are not open. The JSON format contains all of them.
const LISTED: usize = 2_000;

const HEAD: &str = r#"<!DOCTYPE html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta http-equiv="Content-Security-Policy"
 content="default-src 'none'; style-src 'unsafe-inline'; base-uri 'none'; form-action 'none'">
<meta name="viewport" content="width=device-width">
<title>Reconciliation</title>
<style>
body { font: 15px/1.5 system-ui, sans-serif; margin: 2em auto; max-width: 70em; padding: 0 1em }
body { color: #222; background: #fff }
table { border-collapse: collapse; margin: .5em 0 1.5em; display: block; overflow-x: auto }
th, td { padding: .2em .8em .2em 0; text-align: left; border-bottom: 1px solid #ddd; vertical-align: top }
td.n, th.n { text-align: right; font-variant-numeric: tabular-nums }
details { border: 1px solid #ddd; border-radius: 6px; margin: .5em 0; padding: .4em .8em }
details.open { border-left: 5px solid #b3261e }
summary { cursor: pointer; overflow-wrap: anywhere }
.bad { color: #b3261e; font-weight: 600 }
.good { color: #1b6b34; font-weight: 600 }
@media (prefers-color-scheme: dark) {
  body { color: #ddd; background: #1b1b1b } th, td, details { border-color: #444 }
  .bad { color: #ff897d } .good { color: #7fd99a }
}
</style>
</head>
<body>
"#;

/// A value that is displayed with special HTML characters escaped.
struct Escaped<T>(T);

impl<T: Display> Display for Escaped<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for c in self.0.to_string().chars() {
            match c {
                '&' => f.write_str("&amp;")?,
                '<' => f.write_str("&lt;")?,
                '>' => f.write_str("&gt;")?,
                '"' => f.write_str("&quot;")?,
                '\'' => f.write_str("&#39;")?,
                c if is_hidden(c) => f.write_str("\u{fffd}")?,
                c => f.write_char(c)?,
            }
        }
        Ok(())
    }
}

pub(super) fn write(report: &Report<'_>, out: &mut impl Write) -> io::Result<()> {
    out.write_all(HEAD.as_bytes())?;
    out.write_all(b"<h1>Reconciliation</h1>\n")?;
    if let Some(period) = &report.period {
        let zone = Escaped(&report.time_zone);
        writeln!(out, "<p>{} to {} ({zone})</p>", period.from(), period.to())?;
    }
    match report.open() {
        0 => out.write_all(b"<p class=\"good\">There are no open items.</p>\n")?,
        open => writeln!(out, "<p class=\"bad\">Open: {open}</p>")?,
    }
    for problem in &report.problems {
        writeln!(out, "<p class=\"bad\">{}</p>", Escaped(problem))?;
    }
    counts(report, out)?;
    sums(report, out)?;
    balances(report, out)?;
    items(report, out)?;
    out.write_all(b"</body>\n</html>\n")
}

fn counts(report: &Report<'_>, out: &mut impl Write) -> io::Result<()> {
    out.write_all(b"<table>\n")?;
    for outcome in Outcome::ALL {
        writeln!(out, "<tr><td>{}</td><td class=\"n\">{}</td></tr>", label(outcome), report.count(outcome))?;
    }
    writeln!(out, "<tr><td>outside the period</td><td class=\"n\">{}</td></tr>", report.outside_period)?;
    for list in report.lists.iter().filter(|list| !list.given) {
        writeln!(out, "<tr><td>not given</td><td>{}</td></tr>", list.list)?;
    }
    out.write_all(b"</table>\n")
}

fn header(out: &mut impl Write, texts: &[&str], numbers: &[&str]) -> io::Result<()> {
    out.write_all(b"<table>\n<tr>")?;
    for name in texts {
        write!(out, "<th>{name}</th>")?;
    }
    for name in numbers {
        write!(out, "<th class=\"n\">{name}</th>")?;
    }
    out.write_all(b"</tr>\n")
}

fn sums(report: &Report<'_>, out: &mut impl Write) -> io::Result<()> {
    out.write_all(b"<h2>Sums</h2>\n")?;
    let mut numbers = vec!["rows", "total", "executed"];
    numbers.extend(Outcome::ALL.map(label));
    numbers.push("outside");
    header(out, &["list", "currency"], &numbers)?;
    for row in &report.sums {
        write!(out, "<tr><td>{}</td><td>{}</td>", row.list, Escaped(row.currency.unwrap_or("none")))?;
        let total = &row.total;
        write!(out, "<td class=\"n\">{}</td><td class=\"n\">{}</td>", total.count, total.amount)?;
        write!(out, "<td class=\"n\">{}</td>", total.executed)?;
        for tally in row.by_outcome.iter().chain([&row.outside_period]) {
            write!(out, "<td class=\"n\">{}</td>", tally.amount)?;
        }
        out.write_all(b"</tr>\n")?;
    }
    out.write_all(b"</table>\n")
}

fn balances(report: &Report<'_>, out: &mut impl Write) -> io::Result<()> {
    if report.balances.is_empty() {
        return Ok(());
    }
    out.write_all(b"<h2>Balances</h2>\n")?;
    let numbers = ["opening", "movements", "expected", "closing", "difference"];
    header(out, &["account", "currency", "state"], &numbers)?;
    for check in &report.balances {
        let class = if check.state.is_open() { "bad" } else { "good" };
        write!(out, "<tr><td>{}</td><td>{}</td>", Escaped(&check.account), Escaped(&check.currency))?;
        write!(out, "<td class=\"{class}\">{}</td>", check.state.as_str())?;
        let cells =
            [&check.opening, &Some(check.movements.clone()), &check.expected, &check.closing, &check.difference];
        for sum in cells {
            write!(out, "<td class=\"n\">{}</td>", sum.as_ref().map(ToString::to_string).unwrap_or_default())?;
        }
        out.write_all(b"</tr>\n")?;
    }
    out.write_all(b"</table>\n")
}

fn items(report: &Report<'_>, out: &mut impl Write) -> io::Result<()> {
    let mut last = None;
    let mut closed = 0;
    for item in &report.items {
        if !item.outcome.is_open() {
            closed += 1;
            if closed > LISTED {
                continue;
            }
        }
        if last != Some(item.outcome) {
            let (name, count) = (label(item.outcome), report.count(item.outcome));
            writeln!(out, "<h2>{name}: {count}</h2>")?;
            last = Some(item.outcome);
        }
        self::item(item, out)?;
    }
    match closed.saturating_sub(LISTED) {
        0 => Ok(()),
        more => writeln!(out, "<p>{more} more transactions that are not open: see the JSON format.</p>"),
    }
}

fn item(item: &Item<'_>, out: &mut impl Write) -> io::Result<()> {
    let class = if item.outcome.is_open() { " class=\"open\"" } else { "" };
    write!(out, "<details{class}><summary>{}", item.kind)?;
    for (name, value) in [("order", item.order_no), ("trade", item.trade_no), ("card", item.card)] {
        if let Some(value) = value {
            write!(out, ", {name} {}", Escaped(value))?;
        }
    }
    if let Some(amount) = item.amount {
        write!(out, ", {amount} {}", Escaped(item.currency.unwrap_or_default()))?;
    }
    if let Some(date) = &item.date {
        write!(out, ", {}", Escaped(date))?;
    }
    out.write_all(b"</summary>\n")?;
    let reasons = item.reasons.iter().map(|reason| reason.as_str());
    let matched = item.matched_by.iter().map(|reason| reason.as_str());
    list(out, "not resolved", reasons)?;
    list(out, "matched by", matched)?;
    for difference in &item.differences {
        writeln!(out, "<p class=\"bad\">{}</p>", Escaped(described(difference)))?;
    }
    if let Some(tolerated) = item.tolerated {
        writeln!(out, "<p>accepted as a fee: {tolerated}</p>")?;
    }
    if let Some(candidates) = &item.candidates {
        write!(out, "<p>{} candidates:", candidates.count)?;
        for (list, reference) in &candidates.first {
            write!(out, " {list} {};", Escaped(reference))?;
        }
        out.write_all(b"</p>\n")?;
    }
    let names = ["list", "reference", "order", "trade", "card", "status", "time", "unreadable"];
    header(out, &names, &["amount", "fee"])?;
    for entry in story(&item.rows) {
        row(entry, out)?;
    }
    out.write_all(b"</table></details>\n")
}

fn list<'r>(out: &mut impl Write, name: &str, values: impl Iterator<Item = &'r str>) -> io::Result<()> {
    let values: Vec<&str> = values.collect();
    if values.is_empty() { Ok(()) } else { writeln!(out, "<p>{name}: {}</p>", values.join(", ")) }
}

fn row(entry: &Entry, out: &mut impl Write) -> io::Result<()> {
    let codes = [entry.trade_status.as_deref(), entry.status_code.as_deref()];
    let status = entry.status.map(|status| status.as_str());
    let status: Vec<&str> = status.into_iter().chain(codes.into_iter().flatten()).collect();
    let amount = entry.amount.map(|amount| format!("{amount} {}", entry.currency.as_deref().unwrap_or_default()));
    write!(out, "<tr><td>{}</td>", entry.list)?;
    for text in [
        Some(entry.reference.clone()),
        entry.order_no.clone(),
        entry.trade_no.clone(),
        entry.card.clone(),
        Some(status.join(" / ")),
        entry.time.as_ref().map(shown),
        Some(entry.unreadable.join(" ")),
    ] {
        write!(out, "<td>{}</td>", Escaped(text.unwrap_or_default()))?;
    }
    for number in [amount, entry.fee.map(|fee| fee.to_string())] {
        write!(out, "<td class=\"n\">{}</td>", Escaped(number.unwrap_or_default()))?;
    }
    out.write_all(b"</tr>\n")
}
