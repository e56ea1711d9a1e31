//! Writes the rows as CSV.

use std::borrow::Cow;
use std::io::{self, Write};

use super::{Item, Report};
use crate::compare::shown;
use crate::entry::Entry;

const HEADER: [&str; 19] = [
    "transaction",
    "outcome",
    "kind",
    "date",
    "list",
    "reference",
    "order_no",
    "trade_no",
    "card",
    "amount",
    "currency",
    "fee",
    "status",
    "time",
    "matched_by",
    "reasons",
    "differences",
    "tolerated",
    "candidates",
];

/// Writes one line for each row. The first column contains the number of the transaction, starting at 1.
pub(super) fn write(report: &Report<'_>, out: &mut impl Write) -> io::Result<()> {
    let mut csv = csv::Writer::from_writer(out);
    csv.write_record(HEADER).map_err(unwrapped)?;
    for (index, item) in report.items.iter().enumerate() {
        for entry in &item.rows {
            csv.write_record(record(index + 1, item, entry).map(Cow::into_owned)).map_err(unwrapped)?;
        }
    }
    csv.flush()
}

/// Converts a CSV error to an I/O error. An I/O error inside a CSV error keeps its kind.
fn unwrapped(error: csv::Error) -> io::Error {
    match error.into_kind() {
        csv::ErrorKind::Io(error) => error,
        other => io::Error::other(format!("{other:?}")),
    }
}

fn record<'r>(number: usize, item: &'r Item<'_>, entry: &'r Entry) -> [Cow<'r, str>; 19] {
    let joined = |names: Vec<&str>| Cow::from(names.join(" "));
    let candidates = item.candidates.as_ref().map(|candidates| candidates.count.to_string());
    let status = entry.status.map(|status| status.as_str());
    let code = entry.trade_status.as_deref().or(entry.status_code.as_deref());
    [
        number.to_string().into(),
        item.outcome.as_str().into(),
        item.kind.as_str().into(),
        item.date.as_deref().unwrap_or_default().into(),
        entry.list.as_str().into(),
        text(&entry.reference),
        text(entry.order_no.as_deref().unwrap_or_default()),
        text(entry.trade_no.as_deref().unwrap_or_default()),
        text(entry.card.as_deref().unwrap_or_default()),
        entry.amount.map(|amount| amount.to_string()).unwrap_or_default().into(),
        text(entry.currency.as_deref().unwrap_or_default()),
        entry.fee.map(|fee| fee.to_string()).unwrap_or_default().into(),
        text(status.or(code).unwrap_or_default()),
        text(&entry.time.as_ref().map(shown).unwrap_or_default()).into_owned().into(),
        joined(item.matched_by.iter().map(|reason| reason.as_str()).collect()),
        joined(item.reasons.iter().map(|reason| reason.as_str()).collect()),
        joined(item.differences.iter().map(|difference| difference.field.as_str()).collect()),
        item.tolerated.map(|amount| amount.to_string()).unwrap_or_default().into(),
        candidates.unwrap_or_default().into(),
    ]
}

/// Returns a text that spreadsheets do not treat as a formula: a character that begins a formula is preceded by `'`.
fn text(text: &str) -> Cow<'_, str> {
    if text.starts_with(['=', '+', '-', '@', '\t', '\r', '\n']) {
        return format!("'{text}").into();
    }
    text.into()
}
