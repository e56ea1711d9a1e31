//! Compares the rows of a transaction field by field.

use paytend_model::Decimal;
use serde::Serialize;

use crate::entry::{Entry, EntryTime, Kind, Status};
use crate::list::List;
use crate::matching::{Row, Space};
use crate::rules::Rules;

/// A field whose values can differ between the rows of a transaction.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize)]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum Field {
    /// The amounts differ by more than an accepted fee.
    Amount,
    /// The currencies differ.
    Currency,
    /// The card IDs differ.
    Card,
    /// The kinds of transaction differ.
    Kind,
    /// The final statuses differ.
    Status,
    /// The times of the rows are further apart than the matching window allows.
    Time,
    /// The order numbers differ.
    OrderNumber,
    /// The provider's transaction numbers differ.
    TradeNumber,
    /// A list that must contain the transaction does not contain it.
    Lists,
}

impl Field {
    /// Returns the field's name in reports, such as `order_number`.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Amount => "amount",
            Self::Currency => "currency",
            Self::Card => "card",
            Self::Kind => "kind",
            Self::Status => "status",
            Self::Time => "time",
            Self::OrderNumber => "order_number",
            Self::TradeNumber => "trade_number",
            Self::Lists => "lists",
        }
    }
}

/// A field whose values differ, with the value in each row.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[non_exhaustive]
pub struct Difference<'a> {
    /// The field whose values differ.
    pub field: Field,
    /// The values of the rows that have one. For [`Field::Lists`], there is one entry for each list that lacks the
    /// transaction.
    pub values: Vec<FieldValue<'a>>,
}

/// The value of one field in one row.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[non_exhaustive]
pub struct FieldValue<'a> {
    /// The list that contains the row, or the list that lacks the transaction.
    pub list: List,
    /// The row's reference, or an empty string if the list lacks the transaction.
    pub reference: &'a str,
    /// The value as text, or `missing` if the list lacks the transaction.
    pub value: String,
}

/// The result of comparing the rows of a transaction.
#[derive(Default)]
pub(crate) struct Compared<'a> {
    pub(crate) differences: Vec<Difference<'a>>,
    /// The sum of the differences in amount that were accepted as a fee.
    pub(crate) tolerated: Option<Decimal>,
}

/// Compares the rows of a transaction. The rows must be sorted by list and time.
pub(crate) fn compare<'a>(rows: &[&Row<'a>], kind: Kind, rules: &Rules) -> Compared<'a> {
    let mut compared = Compared::default();
    if rows.len() < 2 {
        return compared;
    }
    compared.amounts(rows, kind, rules);
    compared.distinct(Field::Currency, rows, |row| row.entry.currency.as_deref());
    compared.distinct(Field::Card, rows, |row| row.entry.card.as_deref());
    compared.distinct(Field::Kind, rows, |row| (row.kind != Kind::Other).then(|| row.kind.as_str()));
    compared.statuses(rows);
    compared.times(rows, rules);
    for of_deposit in [true, false] {
        let number =
            |row: &Row<'a>| row.entry.order_no.as_deref().filter(|_| (row.kind == Kind::Deposit) == of_deposit);
        compared.distinct(Field::OrderNumber, rows, number);
    }
    for space in Space::ALL {
        let number = |row: &Row<'a>| row.entry.trade_no.as_deref().filter(|_| row.space() == space);
        compared.distinct(Field::TradeNumber, rows, number);
    }
    compared
}

impl<'a> Compared<'a> {
    fn add(&mut self, field: Field, values: impl Iterator<Item = (&'a Entry, String)>) {
        let value = |(entry, value): (&'a Entry, String)| FieldValue {
            list: entry.list,
            reference: entry.reference.as_str(),
            value,
        };
        self.differences.push(Difference { field, values: values.map(value).collect() });
    }

    /// Reports a difference if the rows have different values for the field. Rows without a value are ignored.
    fn distinct(&mut self, field: Field, rows: &[&Row<'a>], value: impl Fn(&Row<'a>) -> Option<&'a str>) {
        let mut present = rows.iter().filter_map(|row| value(row));
        let Some(first) = present.next() else { return };
        if present.any(|other| other != first) {
            let values = rows.iter().filter_map(|row| Some((row.entry, value(row)?.to_owned())));
            self.add(field, values);
        }
    }

    fn amounts(&mut self, rows: &[&Row<'a>], kind: Kind, rules: &Rules) {
        let mut present = rows.iter().filter_map(|row| Some((row.entry.amount?, row)));
        let Some((first, base)) = present.next() else { return };
        let currency = rows.iter().find_map(|row| row.entry.currency.as_deref()).unwrap_or_default();
        let (most, mut tolerated, mut differs) = (rules.tolerated(kind, currency), Decimal::ZERO, false);
        for (amount, row) in present.filter(|(amount, _)| *amount != first) {
            let Some(distance) = amount.checked_sub(first).map(|distance| distance.abs()) else {
                differs = true;
                break;
            };
            let is_fee = [row.entry.fee, base.entry.fee].iter().flatten().any(|fee| fee.abs() == distance);
            match tolerated.checked_add(distance) {
                Some(sum) if is_fee || distance <= most => tolerated = sum,
                _ => differs = true,
            }
        }
        if differs {
            let values = rows.iter().filter_map(|row| Some((row.entry, row.entry.amount?.to_string())));
            self.add(Field::Amount, values);
        } else if !tolerated.is_zero() {
            self.tolerated = Some(tolerated);
        }
    }

    /// Compares the final statuses. Of several notifications, only the last one with a status is compared.
    fn statuses(&mut self, rows: &[&Row<'a>]) {
        let last = rows.iter().rposition(|row| row.entry.list == List::Notifications && row.status.is_some());
        let counted: Vec<(&'a Entry, Status)> = rows
            .iter()
            .enumerate()
            .filter(|(index, row)| row.entry.list != List::Notifications || Some(*index) == last)
            .filter_map(|(_, row)| Some((row.entry, row.status?)))
            .collect();
        let mut finals = counted.iter().map(|(_, status)| *status).filter(|status| status.is_final());
        let Some(first) = finals.next() else { return };
        if finals.any(|other| other != first) {
            self.add(Field::Status, counted.into_iter().map(|(entry, status)| (entry, status.to_string())));
        }
    }

    fn times(&mut self, rows: &[&Row<'a>], rules: &Rules) {
        let window = i64::try_from(rules.window.as_millis()).unwrap_or(i64::MAX);
        let mut spans = rows.iter().filter_map(|row| row.span);
        let Some(first) = spans.next() else { return };
        if spans.any(|span| span.gap(first) > window) {
            let values = rows.iter().filter(|row| row.span.is_some());
            self.add(Field::Time, values.filter_map(|row| Some((row.entry, shown(row.entry.time.as_ref()?)))));
        }
    }
}

/// Formats a time for reports.
pub(crate) fn shown(time: &EntryTime) -> String {
    match time {
        EntryTime::Text(text) => text.clone(),
        EntryTime::Millis(millis) => match jiff::Timestamp::from_millisecond(*millis) {
            Ok(time) => format!("{time:.3}"),
            Err(_) => millis.to_string(),
        },
    }
}
