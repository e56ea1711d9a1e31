//! Disjoint sets of rows.

use std::collections::HashMap;
use std::hash::Hash;

use super::{BY_ORDER_NUMBER, BY_TRADE_NUMBER, Row};

/// Disjoint sets of rows that are about the same transaction.
pub(crate) struct Matched {
    parents: Vec<usize>,
    sizes: Vec<u32>,
    /// The reasons of the matches in a set, at its root.
    reasons: Vec<u8>,
    /// The sets with several possible counterparts, each with its candidates. A set is identified by any of its rows.
    pub(crate) ambiguous: Vec<Ambiguity>,
}

/// A set with several possible counterparts.
pub(crate) struct Ambiguity {
    /// A row of the set.
    pub(crate) row: usize,
    /// A row of each candidate, at most [`Ambiguity::SHOWN`].
    pub(crate) candidates: Vec<usize>,
    /// The number of candidates.
    pub(crate) count: usize,
}

impl Ambiguity {
    /// The maximum number of candidates in a report.
    pub(crate) const SHOWN: usize = 10;
}

/// The rows of a transaction, and the reasons why they were matched.
pub(crate) struct Group {
    pub(crate) rows: Vec<usize>,
    pub(crate) reasons: u8,
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
        let mut first = HashMap::new();
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

    /// Joins the sets of two rows.
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

    /// Returns the groups, and the group of each row.
    pub(crate) fn groups(&mut self) -> (Vec<Group>, Vec<usize>) {
        let mut of_root = vec![usize::MAX; self.parents.len()];
        let mut of_row = vec![0; self.parents.len()];
        let mut groups: Vec<Group> = Vec::new();
        for (row, group) in of_row.iter_mut().enumerate() {
            let root = self.find(row);
            if of_root[root] == usize::MAX {
                of_root[root] = groups.len();
                groups.push(Group { rows: Vec::new(), reasons: self.reasons[root] });
            }
            *group = of_root[root];
            groups[of_root[root]].rows.push(row);
        }
        (groups, of_row)
    }
}
