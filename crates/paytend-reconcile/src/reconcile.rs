//! Compares the provider's lists with the partner's orders and notifications.

use std::collections::{BTreeMap, HashMap, HashSet};

use paytend_model::Decimal;

use crate::balance::{Account, Balances, Effect};
use crate::classify::classify;
use crate::entry::{Entry, Kind, SortKey, Status};
use crate::input::{Notifications, Orders, Provider};
use crate::list::{List, ListSet};
use crate::matching::{Ambiguity, Groups, Row, matched};
use crate::report::{Candidates, Item, ListSummary, Report, SumRow, Tally};
use crate::rules::Rules;
use crate::time::{DateReader, Span, TimeReader};

/// Compares the provider's lists with the partner's notifications and orders.
///
/// The result does not depend on the order of the rows. The memory use is proportional to the number of rows.
///
/// ```
/// use paytend_model::issuing::PartnerTransaction;
/// use paytend_reconcile::{Notifications, OrderRecord, Orders, Outcome, Provider, Rules, reconcile};
/// # fn main() -> Result<(), Box<dyn std::error::Error>> {
/// let row: PartnerTransaction = serde_json::from_str(
///     r#"{"tradeId":"9","tradeType":"100","tradeStatus":"1","orderNo":"T1","amount":"25.00","currency":"EUR"}"#,
/// )?;
/// let provider = Provider::new().partner_transactions([&row]);
/// let mut orders = Orders::new();
/// orders.push(OrderRecord::from_json(
///     r#"{"order_no":"T1","amount":"52.00","currency":"EUR","status":"succeeded"}"#,
/// )?);
/// let notifications = Notifications::not_given();
/// let report = reconcile(&provider, &notifications, &orders, &Rules::default());
/// assert_eq!((report.open(), report.items[0].outcome), (1, Outcome::Different));
/// # Ok(())
/// # }
/// ```
pub fn reconcile<'a>(
    provider: &'a Provider,
    notifications: &'a Notifications,
    orders: &'a Orders,
    rules: &Rules,
) -> Report<'a> {
    let mut given = provider.given();
    for (list, is_given) in [(List::Orders, orders.given), (List::Notifications, notifications.given)] {
        if is_given {
            given = given.with(list);
        }
    }
    let mut rows = rows([&provider.entries, &orders.entries, &notifications.entries], rules);
    let mut comparison = Comparison::new(rules, given);
    comparison.total(&mut rows);
    let (mut balances, problems) = Balances::new(&provider.opening, &provider.closing);
    comparison.transactions(&rows, &mut balances);
    comparison.sums.sort_by_key(|sums| (sums.list, sums.currency));
    let count = |list: List| rows.iter().filter(|row| row.entry.list == list).count();
    let lists = List::ALL.map(|list| ListSummary { list, given: given.contains(list), rows: count(list) });
    Report {
        period: rules.period,
        time_zone: rules.time_zone.to_string(),
        lists: lists.into(),
        ignored_notifications: notifications.ignored,
        outside_period: comparison.outside_period,
        items: comparison.items,
        sums: comparison.sums,
        balances: balances.checks(),
        problems,
    }
}

/// Returns all rows with their interpreted codes and times, sorted by their values.
fn rows<'a>(lists: [&'a [Entry]; 3], rules: &Rules) -> Vec<Row<'a>> {
    let keyed = lists.into_iter().flatten().map(|entry| (SortKey::new(entry), entry));
    let mut entries: Vec<(SortKey, &'a Entry)> = keyed.collect();
    entries.sort_unstable_by(SortKey::compare);
    let mut reader = TimeReader::new(rules.time_zone.get());
    let mut row = |entry: &'a Entry| {
        let span = entry.time.as_ref().and_then(|time| reader.read(time));
        Row {
            entry,
            kind: rules.codes.kind(entry),
            status: rules.codes.status(entry),
            span,
            unreadable_time: entry.time.is_some() && span.is_none(),
            sums: 0,
        }
    };
    entries.into_iter().map(|(_, entry)| row(entry)).collect()
}

struct Comparison<'a, 'r> {
    rules: &'r Rules,
    given: ListSet,
    bounds: Option<(i64, i64)>,
    items: Vec<Item<'a>>,
    sums: Vec<SumRow<'a>>,
    outside_period: u64,
}

impl<'a, 'r> Comparison<'a, 'r> {
    fn new(rules: &'r Rules, given: ListSet) -> Self {
        let bounds = rules.period.map(|period| period.bounds(rules.time_zone.get()));
        Self { rules, given, bounds, items: Vec::new(), sums: Vec::new(), outside_period: 0 }
    }

    /// Adds all rows to the totals.
    fn total(&mut self, rows: &mut [Row<'a>]) {
        let mut known: BTreeMap<(List, Option<&'a str>), usize> = BTreeMap::new();
        // The index is usually that of the previous row, because the rows are sorted by list and most lists have one
        // currency.
        let mut last = None;
        for row in rows {
            let key = (row.entry.list, row.entry.currency.as_deref());
            let index = match last {
                Some((known, index)) if known == key => index,
                _ => *known.entry(key).or_insert_with(|| {
                    self.sums.push(empty_sums(key));
                    self.sums.len() - 1
                }),
            };
            last = Some((key, index));
            row.sums = index;
            let total = &mut self.sums[index].total;
            total.count += 1;
            total.amount.add(row.entry.amount.unwrap_or_default());
        }
    }

    /// Matches the rows, and determines the outcome of each transaction.
    fn transactions(&mut self, rows: &[Row<'a>], balances: &mut Balances) {
        let window = i64::try_from(self.rules.window.as_millis()).unwrap_or(i64::MAX);
        let mut matched = matched(rows, window);
        let groups = matched.groups();
        let mut candidates = candidates(rows, &groups, &matched.ambiguous);
        let listed = if balances.is_empty() { HashSet::new() } else { cards_with_topups(rows) };
        let zone = self.rules.time_zone.get();
        let mut dates = DateReader::new(zone);
        let mut items: Vec<Item<'a>> = Vec::with_capacity(groups.iter().len());
        let mut spans: Vec<Option<Span>> = Vec::with_capacity(groups.iter().len());
        let mut members: Vec<&Row<'a>> = Vec::new();
        for (index, (group, reasons)) in groups.iter().enumerate() {
            members.clear();
            members.extend(group.iter().map(|row| &rows[*row]));
            let span = span(&members);
            let mut item = classify(&members, reasons, candidates.remove(&index), self.given, self.rules);
            let is_outside = span.zip(self.bounds).is_some_and(|(span, (from, to))| !(from..to).contains(&span.start));
            self.add_sums(&members, &item, is_outside);
            if is_outside {
                self.outside_period += 1;
                continue;
            }
            if !balances.is_empty() {
                add_movements(&members, &item, &listed, balances, self.rules);
            }
            item.date = span.and_then(|span| dates.read(span.start));
            items.push(item);
            spans.push(span);
        }
        sort(&mut items, &spans);
        self.items = items;
    }

    fn add_sums(&mut self, members: &[&Row<'a>], item: &Item<'a>, is_outside: bool) {
        for row in members {
            let sums = &mut self.sums[row.sums];
            let amount = row.entry.amount.unwrap_or_default();
            let status = row.status.or(item.status);
            let is_executed = matches!(status, Some(Status::Succeeded | Status::Reversed | Status::Returned));
            let tally = if is_outside { &mut sums.outside_period } else { &mut sums.by_outcome[item.outcome as usize] };
            tally.count += 1;
            tally.amount.add(amount);
            if is_executed {
                tally.executed.add(amount);
                sums.total.executed.add(amount);
            }
        }
    }
}

fn empty_sums<'a>((list, currency): (List, Option<&'a str>)) -> SumRow<'a> {
    let (total, outside_period) = (Tally::default(), Tally::default());
    SumRow { list, currency, total, by_outcome: Default::default(), outside_period }
}

/// Returns the candidates of each ambiguous group.
fn candidates<'a>(rows: &[Row<'a>], groups: &Groups, ambiguous: &[Ambiguity]) -> HashMap<usize, Candidates<'a>> {
    let mut candidates = HashMap::new();
    for ambiguity in ambiguous {
        let first = ambiguity.candidates.iter().map(|row| rows[groups.first_row(*row)].entry);
        let mut first: Vec<_> = first.map(|entry| (entry.list, entry.reference.as_str())).collect();
        first.sort_unstable();
        candidates.insert(groups.of_row(ambiguity.row), Candidates { count: ambiguity.count, first });
    }
    candidates
}

/// Sorts the transactions by outcome, time, kind and numbers. Transactions that are equal in all of these stay in the
/// order of their rows, so the result does not depend on the order of the input.
fn sort(items: &mut [Item<'_>], spans: &[Option<Span>]) {
    // Transactions are large, so small keys are sorted first, and then each transaction is moved once.
    let key = |(index, item): (usize, &Item<'_>)| (item.outcome, spans[index], item.kind, index);
    let mut order: Vec<_> = items.iter().enumerate().map(key).collect();
    let numbers = |index: usize| (items[index].order_no, items[index].trade_no);
    order.sort_unstable_by(|one, other| {
        let by_time = (one.0, one.1, one.2).cmp(&(other.0, other.1, other.2));
        by_time.then_with(|| numbers(one.3).cmp(&numbers(other.3))).then_with(|| one.3.cmp(&other.3))
    });
    let mut places = vec![0; items.len()];
    for (place, (.., index)) in order.iter().enumerate() {
        places[*index] = place;
    }
    // Each swap moves one transaction to its final position.
    for index in 0..items.len() {
        while places[index] != index {
            let place = places[index];
            items.swap(index, place);
            places.swap(index, place);
        }
    }
}

/// Returns the earliest time that the provider reports for a transaction. If it reports none, returns the partner's
/// earliest time.
fn span(members: &[&Row<'_>]) -> Option<Span> {
    let earliest = |of_provider: bool| {
        members.iter().filter(|row| row.entry.list.is_provider() == of_provider).filter_map(|row| row.span).min()
    };
    earliest(true).or_else(|| earliest(false))
}

/// Returns the cards whose lists contain topups.
fn cards_with_topups<'a>(rows: &[Row<'a>]) -> HashSet<&'a str> {
    let topups = rows.iter().filter(|row| row.entry.list == List::CardTransactions && row.kind == Kind::Topup);
    topups.filter_map(|row| row.entry.card.as_deref()).collect()
}

/// Adds the movements of a transaction that the provider lists. A transaction that is listed twice under the same
/// number is one movement.
fn add_movements(
    members: &[&Row<'_>],
    item: &Item<'_>,
    listed: &HashSet<&str>,
    balances: &mut Balances,
    rules: &Rules,
) {
    let mut numbers = HashSet::new();
    let mut of_list = |list: List| -> Vec<&Row<'_>> {
        let of_list = members.iter().copied().filter(|row| row.entry.list == list);
        of_list.filter(|row| row.entry.trade_no.is_none() || numbers.insert((list, &row.entry.trade_no))).collect()
    };
    let mut on_funds = of_list(List::PartnerTransactions);
    if on_funds.is_empty() {
        on_funds = of_list(List::Topups);
        on_funds.truncate(1);
    }
    let on_card = of_list(List::CardTransactions);
    let mut add = |account: Account, row: &Row<'_>, kind: Kind, is_funds: bool| {
        let status = row.status.or(item.status);
        let effect = Effect::of(kind, status, is_funds, rules.processing_moves_funds);
        let currency = row.entry.currency.as_deref().or(item.currency).unwrap_or_default();
        match row.entry.amount {
            Some(amount) => balances.add(account, currency, amount, effect),
            None => balances.add(account, currency, Decimal::ZERO, Effect::Unknown),
        }
    };
    let kind_of = |row: &Row<'_>| if row.kind == Kind::Other { item.kind } else { row.kind };
    for row in &on_funds {
        add(Account::Funds, row, kind_of(row), true);
        // If the card's list contains topups, it contains this movement of the card. Otherwise, the movement is added
        // here.
        if let Some(card) = item.card.filter(|card| kind_of(row) == Kind::Topup && !listed.contains(card)) {
            add(Account::Card(card.to_owned()), row, Kind::Topup, false);
        }
    }
    for row in &on_card {
        if let Some(card) = &row.entry.card {
            add(Account::Card(card.clone()), row, kind_of(row), false);
        }
    }
}
