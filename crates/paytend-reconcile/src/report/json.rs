//! Writes the report as JSON.

use std::io::{self, Write};

use serde::ser::SerializeMap as _;
use serde::{Serialize, Serializer};

use super::{Item, Outcome, Report, SumRow};
use crate::compare::shown;
use crate::entry::Entry;

/// The version of the format. Adding members does not change the version.
const VERSION: u32 = 1;

pub(super) fn write(report: &Report<'_>, out: &mut impl Write) -> io::Result<()> {
    write!(out, "{{\"version\":{VERSION},\"open\":{},\"period\":", report.open())?;
    match &report.period {
        Some(period) => write!(out, "{{\"from\":\"{}\",\"to\":\"{}\"}}", period.from(), period.to())?,
        None => out.write_all(b"null")?,
    }
    member(out, "time_zone", &report.time_zone)?;
    member(out, "counts", &Counts(report))?;
    member(out, "lists", &report.lists)?;
    member(out, "ignored_notifications", &report.ignored_notifications)?;
    member(out, "outside_period", &report.outside_period)?;
    member(out, "problems", &report.problems)?;
    member(out, "balances", &report.balances)?;
    member(out, "sums", &report.sums)?;
    out.write_all(b",\n\"items\":[")?;
    for (index, item) in report.items.iter().enumerate() {
        out.write_all(if index == 0 { b"\n" } else { b",\n" })?;
        serde_json::to_writer(&mut *out, item)?;
    }
    out.write_all(b"\n]}\n")
}

fn member(out: &mut impl Write, name: &str, value: &impl Serialize) -> io::Result<()> {
    write!(out, ",\n\"{name}\":")?;
    Ok(serde_json::to_writer(out, value)?)
}

struct Counts<'r, 'a>(&'r Report<'a>);

impl Serialize for Counts<'_, '_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_map(Outcome::ALL.iter().map(|outcome| (outcome.as_str(), self.0.count(*outcome))))
    }
}

impl Serialize for SumRow<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut map = serializer.serialize_map(None)?;
        map.serialize_entry("list", &self.list)?;
        map.serialize_entry("currency", &self.currency)?;
        map.serialize_entry("total", &self.total)?;
        for outcome in Outcome::ALL {
            map.serialize_entry(outcome.as_str(), self.of(outcome))?;
        }
        map.serialize_entry("outside_period", &self.outside_period)?;
        map.end()
    }
}

impl Serialize for Item<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut map = serializer.serialize_map(None)?;
        map.serialize_entry("outcome", &self.outcome)?;
        map.serialize_entry("kind", &self.kind)?;
        map.serialize_entry("status", &self.status)?;
        map.serialize_entry("order_no", &self.order_no)?;
        map.serialize_entry("trade_no", &self.trade_no)?;
        map.serialize_entry("card", &self.card)?;
        map.serialize_entry("amount", &self.amount.map(|amount| amount.to_string()))?;
        map.serialize_entry("currency", &self.currency)?;
        map.serialize_entry("date", &self.date)?;
        map.serialize_entry("matched_by", &self.matched_by)?;
        map.serialize_entry("reasons", &self.reasons)?;
        map.serialize_entry("differences", &self.differences)?;
        map.serialize_entry("tolerated", &self.tolerated.map(|amount| amount.to_string()))?;
        map.serialize_entry("candidates", &self.candidates.as_ref().map(CandidatesView))?;
        map.serialize_entry("rows", &Rows(&self.rows))?;
        map.end()
    }
}

struct CandidatesView<'r, 'a>(&'r super::Candidates<'a>);

impl Serialize for CandidatesView<'_, '_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        #[derive(Serialize)]
        struct Candidate<'a> {
            list: crate::list::List,
            reference: &'a str,
        }
        let first = self.0.first.iter().map(|(list, reference)| Candidate { list: *list, reference });
        let mut map = serializer.serialize_map(None)?;
        map.serialize_entry("count", &self.0.count)?;
        map.serialize_entry("first", &first.collect::<Vec<_>>())?;
        map.end()
    }
}

struct Rows<'r, 'a>(&'r [&'a Entry]);

impl Serialize for Rows<'_, '_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_seq(self.0.iter().map(|entry| RowView(entry)))
    }
}

/// A row as a JSON object. Members without a value are left out.
struct RowView<'a>(&'a Entry);

impl Serialize for RowView<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let entry = self.0;
        let mut map = serializer.serialize_map(None)?;
        map.serialize_entry("list", &entry.list)?;
        map.serialize_entry("reference", &entry.reference)?;
        let amount = entry.amount.map(|amount| amount.to_string());
        let fee = entry.fee.map(|fee| fee.to_string());
        let time = entry.time.as_ref().map(shown);
        for (name, value) in [
            ("order_no", entry.order_no.as_deref()),
            ("trade_no", entry.trade_no.as_deref()),
            ("card", entry.card.as_deref()),
            ("kind", entry.kind.map(|kind| kind.as_str())),
            ("type_code", entry.type_code.as_deref()),
            ("status", entry.status.map(|status| status.as_str())),
            ("trade_status", entry.trade_status.as_deref()),
            ("status_code", entry.status_code.as_deref()),
            ("amount", amount.as_deref()),
            ("currency", entry.currency.as_deref()),
            ("fee", fee.as_deref()),
            ("time", time.as_deref()),
        ] {
            if let Some(value) = value {
                map.serialize_entry(name, value)?;
            }
        }
        if !entry.unreadable.is_empty() {
            map.serialize_entry("unreadable", &entry.unreadable)?;
        }
        map.end()
    }
}
