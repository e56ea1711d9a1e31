//! Determines the outcome of a transaction.

use std::collections::HashSet;

use crate::compare::{Compared, Difference, Field, FieldValue, compare};
use crate::entry::{Entry, Kind, Status};
use crate::list::{List, ListSet};
use crate::matching::{BY_AMOUNT, BY_ORDER_NUMBER, BY_TRADE_NUMBER, Row, Space};
use crate::report::{Candidates, Item, MatchReason, OpenReason, Outcome};
use crate::rules::Rules;

/// The facts that determine the outcome of a transaction.
struct Facts {
    lists: ListSet,
    /// The required lists that are given but do not contain the transaction.
    missing: ListSet,
    /// Whether at least one of the provider's lists must contain the transaction.
    provider_required: bool,
    provider_status: Option<Status>,
    partner_status: Option<Status>,
    reasons: Vec<OpenReason>,
}

/// Classifies a transaction. The rows must be sorted by list and time.
pub(crate) fn classify<'a>(
    rows: &[&Row<'a>],
    matched_by: u8,
    candidates: Option<Candidates<'a>>,
    given: ListSet,
    rules: &Rules,
) -> Item<'a> {
    let kind = rows.iter().map(|row| row.kind).find(|kind| *kind != Kind::Other).unwrap_or(Kind::Other);
    let Compared { mut differences, tolerated } = compare(rows, kind, rules);
    let facts = Facts::new(rows, kind, given, rules, candidates.is_some());
    let outcome = facts.outcome(has_duplicates(rows), !differences.is_empty());
    if outcome == Outcome::Different && differences.is_empty() {
        let missing = facts.missing.iter();
        let values = missing.map(|list| FieldValue { list, reference: "", value: "missing".to_owned() }).collect();
        differences.push(Difference { field: Field::Lists, values });
    }
    let mut reasons: Vec<MatchReason> = [
        (BY_ORDER_NUMBER, MatchReason::OrderNumber),
        (BY_TRADE_NUMBER, MatchReason::TradeNumber),
        (BY_AMOUNT, MatchReason::AmountAndTime),
    ]
    .into_iter()
    .filter(|(bit, _)| matched_by & bit != 0)
    .map(|(_, reason)| reason)
    .collect();
    if outcome == Outcome::Matched && facts.lists.of_provider().is_empty() {
        reasons.push(MatchReason::NotExecuted);
    }
    let first = |value: fn(&'a Entry) -> Option<&'a str>| rows.iter().find_map(|row| value(row.entry));
    Item {
        outcome,
        kind,
        status: facts.provider_status.or(facts.partner_status),
        order_no: first(|entry| entry.order_no.as_deref()),
        trade_no: first(|entry| entry.trade_no.as_deref()),
        card: first(|entry| entry.card.as_deref()),
        amount: rows.iter().find_map(|row| row.entry.amount),
        currency: first(|entry| entry.currency.as_deref()),
        date: None,
        matched_by: reasons,
        differences,
        tolerated,
        reasons: if outcome.is_open() { facts.reasons } else { Vec::new() },
        candidates,
        rows: rows.iter().map(|row| row.entry).collect(),
    }
}

impl Facts {
    fn new(rows: &[&Row<'_>], kind: Kind, given: ListSet, rules: &Rules, ambiguous: bool) -> Self {
        let lists = ListSet::of(rows.iter().map(|row| row.entry.list));
        let on_funds = rows.iter().any(|row| row.space() == Space::Funds);
        let provider_status = provider_status(rows);
        let order_status = rows.iter().filter(|row| row.entry.list == List::Orders).find_map(|row| row.status);
        let of_notifications = rows.iter().rev().filter(|row| row.entry.list == List::Notifications);
        let partner_status = order_status.or_else(|| of_notifications.filter_map(|row| row.status).next());
        let required = rules.required_lists(kind, on_funds).intersection(given);
        let mut missing = required.without(lists);
        if provider_status == Some(Status::Failed) {
            // A failed transaction does not have to be in any list except the list of orders.
            missing = missing.intersection(ListSet::of([List::Orders]));
        }
        let mut reasons = Vec::new();
        if ambiguous {
            reasons.push(OpenReason::Ambiguous);
        }
        if !lists.of_provider().is_empty() {
            match provider_status {
                None => reasons.push(OpenReason::ProviderStatusUnknown),
                Some(status) if !status.is_final() => reasons.push(OpenReason::ProviderNotFinal),
                Some(_) => {}
            }
        }
        if order_status.is_some_and(|status| !status.is_final()) {
            reasons.push(OpenReason::OrderNotFinal);
        }
        if has_unknown_code(rows, List::Orders) || has_unknown_code(rows, List::Notifications) {
            reasons.push(OpenReason::PartnerStatusUnknown);
        }
        if lacks_amount(rows, true) || lacks_amount(rows, false) {
            reasons.push(OpenReason::AmountMissing);
        }
        if rows.iter().any(|row| row.unreadable_time || !row.entry.unreadable.is_empty()) {
            reasons.push(OpenReason::Unreadable);
        }
        let provider_required = !required.of_provider().is_empty();
        Self { lists, missing, provider_required, provider_status, partner_status, reasons }
    }

    fn outcome(&self, has_duplicates: bool, differs: bool) -> Outcome {
        if has_duplicates {
            return Outcome::Duplicate;
        }
        if differs {
            return Outcome::Different;
        }
        if self.reasons.contains(&OpenReason::Ambiguous) {
            return Outcome::Unresolved;
        }
        match (self.lists.of_provider().is_empty(), self.lists.of_partner().is_empty()) {
            (false, true) => self.outcome_of_provider_only(),
            (true, _) => self.outcome_of_partner_only(),
            (false, false) if !self.reasons.is_empty() => Outcome::Unresolved,
            (false, false) if !self.missing.is_empty() => Outcome::Different,
            (false, false) => Outcome::Matched,
        }
    }

    fn outcome_of_provider_only(&self) -> Outcome {
        if !self.missing.of_partner().is_empty() {
            Outcome::OnlyProvider
        } else if !self.reasons.is_empty() {
            Outcome::Unresolved
        } else if !self.missing.is_empty() {
            Outcome::Different
        } else {
            Outcome::NotCompared
        }
    }

    fn outcome_of_partner_only(&self) -> Outcome {
        let both = self.lists.contains(List::Orders) && self.lists.contains(List::Notifications);
        let is_minor =
            |reason: &OpenReason| matches!(reason, OpenReason::AmountMissing | OpenReason::PartnerStatusUnknown);
        let is_failed = self.partner_status == Some(Status::Failed);
        if !self.reasons.iter().all(is_minor) {
            Outcome::Unresolved
        } else if is_failed && !self.reasons.contains(&OpenReason::PartnerStatusUnknown) {
            if self.provider_required || both { Outcome::Matched } else { Outcome::NotCompared }
        } else if !self.missing.of_provider().is_empty() {
            Outcome::OnlyHere
        } else if !self.missing.is_empty() {
            Outcome::Different
        } else if !self.reasons.is_empty() {
            Outcome::Unresolved
        } else {
            Outcome::NotCompared
        }
    }
}

/// Returns the status that the provider reports. If the rows have several statuses, a status that is not final takes
/// precedence.
pub(crate) fn provider_status(rows: &[&Row<'_>]) -> Option<Status> {
    let mut statuses = rows.iter().filter(|row| row.entry.list.is_provider()).filter_map(|row| row.status);
    let first = statuses.next()?;
    let mut open = std::iter::once(first).chain(statuses.clone()).filter(|status| !status.is_final());
    match open.next() {
        Some(status) => Some(status),
        // Two final statuses differ. The comparison of the fields reports this difference.
        None if statuses.any(|status| status != first) => Some(Status::Unknown),
        None => Some(first),
    }
}

/// Returns whether the rules do not define the codes in the last row of a list that has a status or a code. Earlier
/// rows do not matter, because earlier notifications report earlier states.
fn has_unknown_code(rows: &[&Row<'_>], list: List) -> bool {
    let has_code = |row: &Row<'_>| row.entry.status_code.is_some() || row.entry.trade_status.is_some();
    let mut latest = rows.iter().rev().filter(|row| row.entry.list == list);
    latest.find(|row| row.status.is_some() || has_code(row)).is_some_and(|row| row.status.is_none())
}

/// Returns whether one side has rows, but no row with both an amount and a currency. A failed transaction needs no
/// amount.
fn lacks_amount(rows: &[&Row<'_>], of_provider: bool) -> bool {
    let mut side = rows.iter().filter(|row| row.entry.list.is_provider() == of_provider).peekable();
    side.peek().is_some()
        && side.all(|row| {
            (row.entry.amount.is_none() || row.entry.currency.is_none()) && row.status != Some(Status::Failed)
        })
}

/// Returns whether a list contains the transaction twice. A row that reverses the transaction is not a duplicate of the
/// original row. Two notifications are duplicates only if they are equal except for their time, because each
/// notification can report a new state.
fn has_duplicates(rows: &[&Row<'_>]) -> bool {
    let (mut seen, mut taken_back) = (ListSet::default(), ListSet::default());
    let notifications = rows.iter().filter(|row| row.entry.list == List::Notifications).count();
    let mut contents = HashSet::new();
    for row in rows {
        let entry = row.entry;
        if entry.list == List::Notifications {
            if notifications == 1 {
                continue;
            }
            let numbers = (&entry.order_no, &entry.trade_no, &entry.card, row.kind);
            let state = (&entry.type_code, &entry.trade_status, &entry.status_code, row.status);
            if !contents.insert((numbers, state, entry.amount, &entry.currency)) {
                return true;
            }
            continue;
        }
        let lists = if row.status == Some(Status::Returned) { &mut taken_back } else { &mut seen };
        if lists.contains(entry.list) {
            return true;
        }
        *lists = lists.with(entry.list);
    }
    false
}
