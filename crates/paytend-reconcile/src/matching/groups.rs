//! Disjoint sets of rows.

use std::collections::HashMap;
use std::hash::Hash;

use super::{BY_ORDER_NUMBER, BY_TRADE_NUMBER, Row};
use crate::list::ListSet;

/// Disjoint sets of rows that are about the same transaction. Each set is identified by its root, which is one of its
/// rows.
pub(crate) struct Matched {
    parents: Vec<usize>,
    sizes: Vec<u32>,
    /// The match reasons of each set, stored at the index of its root.
    reasons: Vec<u8>,
    /// The sets with several possible counterparts, each with its candidates. Any row of a set identifies the set.
    pub(crate) ambiguous: Vec<Ambiguity>,
}

/// A set with several possible counterparts.
pub(crate) struct Ambiguity {
    /// A row of the set.
    pub(crate) row: usize,
    /// One row of each candidate, for at most [`Ambiguity::SHOWN`] candidates.
    pub(crate) candidates: Vec<usize>,
    /// The total number of candidates.
    pub(crate) count: usize,
}

impl Ambiguity {
    /// The maximum number of candidates that a report lists.
    pub(crate) const SHOWN: usize = 10;
}

/// The sets of rows after matching. Each group is a transaction.
pub(crate) struct Groups {
    /// The rows, sorted by group.
    rows: Vec<usize>,
    /// The index in `rows` of each group's first row, followed by the total number of rows.
    starts: Vec<usize>,
    reasons: Vec<u8>,
    of_row: Vec<usize>,
}

impl Groups {
    /// Returns the rows of each group, and the reasons why they were matched.
    pub(crate) fn iter(&self) -> impl ExactSizeIterator<Item = (&[usize], u8)> {
        let rows = self.starts.windows(2).map(|range| &self.rows[range[0]..range[1]]);
        rows.zip(self.reasons.iter().copied())
    }

    /// Returns the index of the group that contains a row.
    pub(crate) fn of_row(&self, row: usize) -> usize {
        self.of_row[row]
    }

    /// Returns the first row in the group that contains a row.
    pub(crate) fn first_row(&self, row: usize) -> usize {
        self.rows[self.starts[self.of_row[row]]]
    }
}

impl Matched {
    /// Joins the rows with equal order numbers or equal trade numbers.
    pub(crate) fn by_numbers<'a>(rows: &[Row<'a>]) -> Self {
        let mut matched = Self {
            parents: (0..rows.len()).collect(),
            sizes: vec![1; rows.len()],
            reasons: vec![0; rows.len()],
            ambiguous: Vec::new(),
        };
        matched.join_equal(rows, BY_ORDER_NUMBER, Row::order_number);
        matched.join_equal(rows, BY_TRADE_NUMBER, Row::trade_number);
        matched
    }

    fn join_equal<'r, 'a, K: Eq + Hash>(
        &mut self,
        rows: &'r [Row<'a>],
        reason: u8,
        key: impl Fn(&'r Row<'a>) -> Option<K>,
    ) {
        let mut first = HashMap::with_capacity(rows.len() / 2);
        for (index, row) in rows.iter().enumerate() {
            if let Some(key) = key(row) {
                match first.entry(key) {
                    std::collections::hash_map::Entry::Occupied(known) => self.join(*known.get(), index, reason),
                    std::collections::hash_map::Entry::Vacant(free) => {
                        free.insert(index);
                    }
                }
            }
        }
    }

    /// Returns the root of a row's set.
    pub(crate) fn find(&mut self, row: usize) -> usize {
        let mut at = row;
        while self.parents[at] != at {
            self.parents[at] = self.parents[self.parents[at]];
            at = self.parents[at];
        }
        at
    }

    /// Joins the set that contains one row with the set that contains another row.
    pub(crate) fn join(&mut self, one: usize, other: usize, reason: u8) {
        let (mut root, mut child) = (self.find(one), self.find(other));
        if self.sizes[root] < self.sizes[child] {
            std::mem::swap(&mut root, &mut child);
        }
        self.reasons[root] |= reason;
        if root != child {
            self.parents[child] = root;
            self.sizes[root] += self.sizes[child];
            self.reasons[root] |= self.reasons[child];
        }
    }

    /// Returns the lists of each set, stored at the index of its root.
    pub(crate) fn lists(&mut self, rows: &[Row<'_>]) -> Vec<ListSet> {
        let mut lists = vec![ListSet::default(); rows.len()];
        for (index, row) in rows.iter().enumerate() {
            let root = self.find(index);
            lists[root] = lists[root].with(row.entry.list);
        }
        lists
    }

    /// Returns the groups, in the order of their first rows.
    pub(crate) fn groups(&mut self) -> Groups {
        let count = self.parents.len();
        let mut of_root = vec![usize::MAX; count];
        let mut groups =
            Groups { rows: vec![0; count], starts: Vec::new(), reasons: Vec::new(), of_row: vec![0; count] };
        let mut sizes: Vec<usize> = Vec::new();
        for row in 0..count {
            let root = self.find(row);
            if of_root[root] == usize::MAX {
                of_root[root] = sizes.len();
                sizes.push(0);
                groups.reasons.push(self.reasons[root]);
            }
            sizes[of_root[root]] += 1;
            groups.of_row[row] = of_root[root];
        }
        let mut end = 0;
        groups.starts.reserve_exact(sizes.len() + 1);
        groups.starts.push(0);
        for size in &mut sizes {
            groups.starts.push(end + *size);
            // From here on, `size` is no longer the size of the group, but the index in `rows` at which its next row is
            // placed.
            end += std::mem::replace(size, end);
        }
        for (row, group) in groups.of_row.iter().enumerate() {
            groups.rows[sizes[*group]] = row;
            sizes[*group] += 1;
        }
        groups
    }
}
