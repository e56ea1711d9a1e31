//! Matches transactions without a common number by amount, currency, card and time.
//!
//! A provider transaction and a partner transaction are matched only if each is the only candidate for the other.
//! Otherwise, both are reported as ambiguous.

use std::collections::{BTreeMap, HashMap, HashSet};

use paytend_model::Decimal;

use super::{Ambiguity, BY_AMOUNT, Matched, Row, Space};
use crate::entry::{Kind, Status};
use crate::list::{List, ListSet};
use crate::time::Span;

/// The values that are used to match a set of rows by amount.
struct Summary<'a> {
    root: usize,
    lists: ListSet,
    /// The kinds of numbers in the set, as bits: one bit for order numbers, and one bit for the trade numbers in each
    /// space.
    numbers: u8,
    kind: Kind,
    amount: Option<Decimal>,
    currency: Option<&'a str>,
    card: Option<&'a str>,
    span: Option<Span>,
    /// Whether a row reports that the transaction was not executed.
    failed: bool,
    /// Whether two rows of the set have different amounts, currencies, cards or kinds. Such a set is not matched by
    /// amount.
    inconsistent: bool,
}

/// The kind, currency and amount of a set. Only sets in the same bucket can be matched.
type Bucket<'a> = (Kind, &'a str, Decimal);

/// The properties of a set, apart from its time, that determine which other sets in the bucket it can be matched with.
/// All sets of a class have the same properties.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
struct Class<'a> {
    card: CardFilter<'a>,
    numbers: u8,
    lists: ListSet,
    failed: bool,
    is_day: bool,
}

#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum CardFilter<'a> {
    /// All sets, with or without a card. They are the candidates for a set without a card.
    Any,
    /// The sets without a card.
    Without,
    /// The sets with this card.
    Of(&'a str),
}

/// The sets of each class, sorted by time.
type Classes<'a> = BTreeMap<Class<'a>, Vec<(Span, usize)>>;

pub(super) fn match_by_amount(rows: &[Row<'_>], matched: &mut Matched, window: i64) {
    for list in List::ALL.into_iter().filter(|list| list.is_provider()) {
        match_list(rows, matched, window, list);
    }
}

/// Matches sets that contain only provider rows, and whose first list is `list`, with sets that contain partner rows.
fn match_list(rows: &[Row<'_>], matched: &mut Matched, window: i64, list: List) {
    let lists = matched.lists(rows);
    let is_of_provider = |lists: ListSet| lists.of_partner().is_empty() && lists.iter().next() == Some(list);
    let provider = summaries(rows, matched, &lists, is_of_provider);
    let provider: Vec<&Summary<'_>> = provider.iter().filter(|set| set.is_comparable()).collect();
    let buckets: HashSet<Bucket<'_>> = provider.iter().filter_map(|set| set.bucket()).collect();
    if buckets.is_empty() {
        return;
    }
    let is_of_partner = |lists: ListSet| !lists.of_partner().is_empty() && !lists.contains(list);
    let partner = summaries(rows, matched, &lists, is_of_partner);
    let may_fit = |set: &&Summary<'_>| set.is_comparable() && set.bucket().is_some_and(|it| buckets.contains(&it));
    let partner: Vec<&Summary<'_>> = partner.iter().filter(may_fit).collect();
    if partner.is_empty() {
        return;
    }
    let of_provider = candidates(&provider, &partner, window);
    let of_partner = candidates(&partner, &provider, window);
    for (index, found) in of_provider.iter().enumerate() {
        match found.rows.as_slice() {
            [] => {}
            [only] if found.count == 1 && of_partner[*only].count == 1 => {
                matched.join(provider[index].root, partner[*only].root, BY_AMOUNT);
            }
            several => {
                let candidates = several.iter().map(|candidate| partner[*candidate].root).collect();
                matched.ambiguous.push(Ambiguity { row: provider[index].root, candidates, count: found.count });
            }
        }
    }
    for (index, found) in of_partner.iter().enumerate() {
        let set = partner[index];
        // A set that already contains a provider row needs no counterpart, so it is not reported as ambiguous.
        let is_complete = !set.lists.of_provider().is_empty();
        let is_unique = matches!(found.rows.as_slice(), [only] if found.count == 1 && of_provider[*only].count == 1);
        if found.count > 0 && !is_unique && !is_complete {
            let candidates = found.rows.iter().map(|candidate| provider[*candidate].root).collect();
            matched.ambiguous.push(Ambiguity { row: set.root, candidates, count: found.count });
        }
    }
}

/// The number of candidates for a set, and the first few candidates.
struct Found {
    count: usize,
    rows: Vec<usize>,
}

/// Returns the candidates in `others` for each set in `sets`.
fn candidates(sets: &[&Summary<'_>], others: &[&Summary<'_>], window: i64) -> Vec<Found> {
    let mut buckets: HashMap<Bucket<'_>, Classes<'_>> = HashMap::new();
    for (index, other) in others.iter().enumerate() {
        let (Some(bucket), Some(span)) = (other.bucket(), other.span) else { continue };
        let classes = buckets.entry(bucket).or_default();
        for card in [CardFilter::Any, other.card.map_or(CardFilter::Without, CardFilter::Of)] {
            let (numbers, lists, failed) = (other.numbers, other.lists, other.failed);
            let class = Class { card, numbers, lists, failed, is_day: span.is_day() };
            classes.entry(class).or_default().push((span, index));
        }
    }
    for sets in buckets.values_mut().flat_map(BTreeMap::values_mut) {
        sets.sort_unstable();
    }
    sets.iter().map(|set| set.candidates(&buckets, window)).collect()
}

impl<'a> Summary<'a> {
    fn is_comparable(&self) -> bool {
        self.amount.is_some() && self.currency.is_some() && self.span.is_some() && !self.inconsistent
    }

    fn bucket(&self) -> Option<Bucket<'a>> {
        // Equal amounts such as 25 and 25.00 have equal hashes, so they are in the same bucket.
        Some((self.kind, self.currency?, self.amount?))
    }

    fn candidates(&self, buckets: &HashMap<Bucket<'_>, Classes<'_>>, window: i64) -> Found {
        let mut found = Found { count: 0, rows: Vec::new() };
        let Some((classes, span)) = self.bucket().and_then(|bucket| buckets.get(&bucket)).zip(self.span) else {
            return found;
        };
        for (class, sets) in classes {
            let fits = match (self.card, class.card) {
                (None, CardFilter::Any) | (Some(_), CardFilter::Without) => true,
                (Some(card), CardFilter::Of(other)) => card == other,
                _ => false,
            };
            // Two sets with a number of the same kind are different transactions. If their numbers were equal, the sets
            // would already have been joined.
            let differs = self.numbers & class.numbers != 0 || self.failed != class.failed;
            if !fits || differs || !self.lists.intersection(class.lists).is_empty() {
                continue;
            }
            // A class contains either only times or only whole days, so spans that are sorted by start are also sorted
            // by end.
            let from = sets.partition_point(|(other, _)| other.end < span.start.saturating_sub(window));
            let to = sets.partition_point(|(other, _)| other.start <= span.end.saturating_add(window));
            found.count += to.saturating_sub(from);
            let room = Ambiguity::SHOWN - found.rows.len().min(Ambiguity::SHOWN);
            found.rows.extend(sets[from..to.max(from)].iter().take(room).map(|(_, index)| *index));
        }
        found
    }
}

/// Returns a summary of each set for whose lists `is_selected` returns true.
fn summaries<'a>(
    rows: &'a [Row<'_>],
    matched: &mut Matched,
    lists: &[ListSet],
    is_selected: impl Fn(ListSet) -> bool,
) -> Vec<Summary<'a>> {
    let mut of_root: Vec<usize> = vec![usize::MAX; rows.len()];
    let mut summaries: Vec<Summary<'a>> = Vec::new();
    for (index, row) in rows.iter().enumerate() {
        let root = matched.find(index);
        if !is_selected(lists[root]) {
            continue;
        }
        if of_root[root] == usize::MAX {
            of_root[root] = summaries.len();
            summaries.push(Summary::new(root, row));
        } else {
            summaries[of_root[root]].add(row);
        }
    }
    summaries
}

impl<'a> Summary<'a> {
    fn new(root: usize, row: &'a Row<'_>) -> Self {
        let order = u8::from(row.entry.order_no.is_some());
        let trade = match row.entry.trade_no.as_ref().map(|_| row.space()) {
            None => 0,
            Some(Space::Funds) => 2,
            Some(Space::Cards) => 4,
            Some(Space::Accounts) => 8,
        };
        Self {
            root,
            lists: ListSet::of([row.entry.list]),
            numbers: order | trade,
            kind: row.kind,
            amount: row.entry.amount,
            currency: row.entry.currency.as_deref(),
            card: row.entry.card.as_deref(),
            span: row.span,
            failed: row.status == Some(Status::Failed),
            inconsistent: false,
        }
    }

    fn add(&mut self, row: &'a Row<'_>) {
        let other = Self::new(self.root, row);
        self.lists = self.lists.union(other.lists);
        self.numbers |= other.numbers;
        self.failed |= other.failed;
        if self.kind == Kind::Other {
            self.kind = other.kind;
        }
        let differs = |one: Option<&str>, other: Option<&str>| one.zip(other).is_some_and(|(one, other)| one != other);
        self.inconsistent |= differs(self.currency, other.currency)
            || differs(self.card, other.card)
            || self.amount.zip(other.amount).is_some_and(|(one, other)| one != other)
            || (other.kind != Kind::Other && other.kind != self.kind);
        self.amount = self.amount.or(other.amount);
        self.currency = self.currency.or(other.currency);
        self.card = self.card.or(other.card);
        // Keeps the span that starts first. The two spans are not merged, because every span must be either a single
        // millisecond or a whole day.
        self.span = match (self.span, other.span) {
            (Some(one), Some(other)) => Some(one.min(other)),
            (one, other) => one.or(other),
        };
    }
}
