//! Combinations of member orders. A combination assigns one member order to each kind of object in a document.
//!
//! Each member order of an object has a rank: 0 for the most likely order, and 1 or more for the other orders. A single
//! signature covers all objects, so the orders of all objects must be correct at the same time. Combinations with a
//! smaller sum of ranks are created first.

use std::collections::{HashMap, HashSet};

use super::document::{Document, Node};
use super::documented;
use super::order::{self, Members, is_integer, permutations};
use super::structure::Structure;

/// The maximum sum of the ranks of the orders in a combination.
const MAX_RANK: usize = 7;

/// The maximum number of member orders for a single kind of object.
const MAX_OF_ONE: usize = 2_000;

/// The maximum number of JSON nodes created for the combinations of a document.
const MAX_NODES: usize = 600_000;

/// The maximum number of kinds of objects in a document. No combinations are created for a document with more kinds.
const MAX_KINDS: usize = 12;

/// The member orders that are assumed to be the most likely. The other orders to try are derived from them.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Expected {
    /// The documented member orders. They are tried because a program may have sorted the received members.
    Documented,
    /// The received member orders. They are tried because a program may have moved only undocumented members.
    Received,
}

/// A member order of an object, as the indexes of its members.
type Order = Vec<usize>;

/// Creates the combinations, the most likely first, and returns the structures of the combinations with the indexes
/// `from..to`.
pub(super) fn combined(document: &Document, root: &Node, expected: Expected, from: usize, to: usize) -> Vec<Structure> {
    let names = order::names(document);
    let mut kinds = Vec::new();
    find_kinds(root, None, &names, &mut kinds);
    if kinds.is_empty() || kinds.len() > MAX_KINDS {
        return Vec::new();
    }
    let orders: Vec<Vec<Vec<Order>>> = kinds.iter().map(|kind| ranked(&kind.names, expected)).collect();
    let to = to.min(MAX_NODES / order::size(root).max(1));
    let mut choices = Vec::new();
    for rank in 0..=MAX_RANK {
        choose(&orders, rank, &mut Vec::new(), to, &mut choices);
    }
    let nodes = choices.into_iter().skip(from).map(|choice| {
        let chosen: HashMap<&Kind<'_>, &Order> = kinds.iter().zip(choice).collect();
        reordered(root, None, &names, &chosen)
    });
    order::distinct(root, nodes)
}

/// A kind of object. Two objects are of the same kind if they have the same member names and are the values of members
/// with the same name. A program writes the members of all objects of a kind in the same order.
#[derive(PartialEq, Eq, Hash)]
struct Kind<'a> {
    /// The name of the member that contains the object.
    place: Option<&'a str>,
    names: Vec<&'a str>,
}

impl<'a> Kind<'a> {
    fn of(place: Option<&'a str>, members: &Members, names: &'a [String]) -> Self {
        Self { place, names: members.iter().map(|(name, _)| &*names[*name]).collect() }
    }
}

/// Finds all kinds of objects that have several members, outer objects first.
fn find_kinds<'a>(node: &Node, place: Option<&'a str>, names: &'a [String], kinds: &mut Vec<Kind<'a>>) {
    match node {
        Node::Object(members) => {
            let kind = Kind::of(place, members, names);
            if members.len() > 1 && !kinds.contains(&kind) {
                kinds.push(kind);
            }
            members.iter().for_each(|(name, value)| find_kinds(value, Some(&names[*name]), names, kinds));
        }
        Node::Array(elements) => elements.iter().for_each(|element| find_kinds(element, place, names, kinds)),
        _ => {}
    }
}

/// Returns the structure with the chosen member order for each kind of object.
fn reordered<'a>(
    node: &Node,
    place: Option<&'a str>,
    names: &'a [String],
    chosen: &HashMap<&Kind<'a>, &Order>,
) -> Node {
    match node {
        Node::Object(members) => {
            let inner = |(name, value): &(usize, Node)| (*name, reordered(value, Some(&names[*name]), names, chosen));
            let all: Members = members.iter().map(inner).collect();
            match chosen.get(&Kind::of(place, members, names)) {
                Some(order) => Node::Object(order.iter().filter_map(|at| all.get(*at).cloned()).collect()),
                None => Node::Object(all),
            }
        }
        Node::Array(elements) => {
            Node::Array(elements.iter().map(|element| reordered(element, place, names, chosen)).collect())
        }
        leaf => leaf.clone(),
    }
}

/// Adds the combinations whose ranks add up to `rank`, until there are `most` combinations in total.
fn choose<'a>(
    orders: &'a [Vec<Vec<Order>>],
    rank: usize,
    chosen: &mut Vec<&'a Order>,
    most: usize,
    choices: &mut Vec<Vec<&'a Order>>,
) {
    let Some((first, rest)) = orders.split_first() else {
        if rank == 0 && choices.len() < most {
            choices.push(chosen.clone());
        }
        return;
    };
    // For the last kind of object, the member order must have exactly the remaining rank.
    let least = if rest.is_empty() { rank } else { 0 };
    for here in least..=rank {
        for order in first.get(here).into_iter().flatten() {
            if choices.len() >= most {
                return;
            }
            chosen.push(order);
            choose(rest, rank - here, chosen, most, choices);
            chosen.pop();
        }
    }
}

/// Returns the member orders of an object with these names, grouped by rank.
fn ranked(names: &[&str], expected: Expected) -> Vec<Vec<Order>> {
    let mut ranked = Ranked { names, seen: HashSet::new(), ranks: vec![Vec::new(); MAX_RANK + 1], count: 0 };
    let received: Order = (0..names.len()).collect();
    let documented = documented::orders(names);
    let bases: Vec<(Order, Order)> = documented
        .iter()
        .map(|documented| {
            let rank = |at: &usize| documented.iter().position(|known| *known == names[*at]);
            let (mut known, unknown): (Order, Order) = received.iter().partition(|at| rank(at).is_some());
            if expected == Expected::Documented {
                known.sort_by_key(rank);
            }
            (known, unknown)
        })
        .collect();
    let is_documented = !bases.is_empty();
    if expected == Expected::Received || !is_documented {
        ranked.add(0, received.clone());
    }
    for (at, (known, unknown)) in bases.iter().enumerate() {
        // If several documented objects have exactly these names, their member orders are equally likely.
        let same = documented[at].len() == names.len() && unknown.is_empty();
        ranked.add(usize::from(at > 0 && !same), [&known[..], unknown].concat());
    }
    ranked.add(1, received.clone());
    for (known, unknown) in &bases {
        ranked.add(1, [&unknown[..], known].concat());
    }
    for (known, unknown) in &bases {
        ranked.inserted(known, unknown);
    }
    for (at, (known, unknown)) in bases.iter().enumerate() {
        ranked.moved(if at == 0 { 2 } else { 4 }, &[&known[..], unknown].concat());
    }
    ranked.sorted(if is_documented { 3 } else { 1 });
    if let few @ 2..=6 = names.len() {
        let rank = if is_documented { few } else { few - 1 };
        permutations(few).into_iter().for_each(|order| ranked.add(rank, order));
    }
    ranked.ranks
}

/// A collection of member orders, grouped by rank.
struct Ranked<'a> {
    names: &'a [&'a str],
    seen: HashSet<Order>,
    ranks: Vec<Vec<Order>>,
    count: usize,
}

impl Ranked<'_> {
    fn add(&mut self, rank: usize, order: Order) {
        if order.len() == self.names.len() && self.count < MAX_OF_ONE && self.seen.insert(order.clone()) {
            self.count += 1;
            self.ranks[rank.min(MAX_RANK)].push(order);
        }
    }

    /// Adds the member orders in which all undocumented members are next to each other, between two documented members.
    /// If there are exactly two undocumented members, also adds the member orders in which each of them is inserted at
    /// any position.
    fn inserted(&mut self, known: &[usize], unknown: &[usize]) {
        for at in (1..known.len()).rev().filter(|_| !unknown.is_empty()) {
            self.add(2, [&known[..at], unknown, &known[at..]].concat());
        }
        if let [first, second] = *unknown {
            for at in (0..=known.len()).rev() {
                let with = [&known[..at], &[first], &known[at..]].concat();
                for at in (0..=with.len()).rev() {
                    self.add(3, [&with[..at], &[second], &with[at..]].concat());
                }
            }
        }
    }

    /// Adds the member orders in which a single member is at a different position.
    fn moved(&mut self, rank: usize, order: &[usize]) {
        for one in 0..order.len() {
            let mut rest = order.to_vec();
            let member = rest.remove(one);
            for at in 0..=rest.len() {
                self.add(rank, [&rest[..at], &[member], &rest[at..]].concat());
            }
        }
    }

    /// Adds the member orders that common programs produce.
    fn sorted(&mut self, rank: usize) {
        let names = self.names;
        let buckets = order::buckets(names.len());
        let sorts: [&dyn Fn(&mut Order); 6] = [
            &|order| order.sort_by_key(|at| names[*at]),
            &|order| order.sort_by_key(|at| names[*at].to_lowercase()),
            &|order| order.sort_by_key(|at| is_integer(names[*at])),
            &|order| order.sort_by_key(|at| order::bucket(names[*at], buckets)),
            &|order| order.sort_by_key(|at| (names[*at].len(), names[*at])),
            &|order| order.reverse(),
        ];
        for sort in sorts {
            let mut order: Order = (0..names.len()).collect();
            sort(&mut order);
            self.add(rank, order);
        }
    }
}
