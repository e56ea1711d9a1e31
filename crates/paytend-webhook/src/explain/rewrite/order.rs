//! The orders in which programs write the members of objects.

use std::collections::BTreeMap;

use super::document::{Document, Node};
use super::documented;
use super::structure::Structure;
use crate::explain::change::Change;

/// Maximum number of member orders tried for a single object.
const MAX_OF_ONE: usize = 5_040;

pub(super) type Members = Vec<(usize, Node)>;
pub(super) type Sort<'a> = &'a dyn Fn(&mut Members);

/// Returns the structure with each object's members sorted by `sort`.
pub(super) fn sorted(node: &Node, sort: Sort<'_>) -> Node {
    match node {
        Node::Object(members) => {
            let mut members: Members = members.iter().map(|(name, value)| (*name, sorted(value, sort))).collect();
            sort(&mut members);
            Node::Object(members)
        }
        Node::Array(elements) => Node::Array(elements.iter().map(|element| sorted(element, sort)).collect()),
        leaf => leaf.clone(),
    }
}

pub(super) fn names(document: &Document) -> Vec<String> {
    document.texts.iter().map(|text| String::from_utf16_lossy(&text.units)).collect()
}

pub(super) fn is_integer(name: &str) -> bool {
    !name.is_empty()
        && name.len() < 11
        && name.bytes().all(|byte| byte.is_ascii_digit())
        && (name == "0" || !name.starts_with('0'))
}

/// Returns the number of buckets in a Java HashMap with this many names.
pub(super) fn buckets(names: usize) -> u32 {
    (4..16).map(|power| 1_u32 << power).find(|size| names <= *size as usize * 3 / 4).unwrap_or(1 << 16)
}

/// Returns the bucket of a name in a Java HashMap, which determines the name's position.
pub(super) fn bucket(name: &str, buckets: u32) -> u32 {
    let hash = name.encode_utf16().fold(0_u32, |hash, unit| hash.wrapping_mul(31).wrapping_add(u32::from(unit)));
    (hash ^ (hash >> 16)) & (buckets - 1)
}

/// Returns the structures with the members in a common order that differs from the order in `root`.
pub(super) fn usual(document: &Document, root: &Node) -> Vec<Structure> {
    let names = names(document);
    let name = |member: &(usize, Node)| names.get(member.0).cloned().unwrap_or_default();
    let documented = |members: &mut Members, which: usize| {
        let here: Vec<&str> = members.iter().filter_map(|member| names.get(member.0)).map(String::as_str).collect();
        let orders = documented::orders(&here);
        if let Some(order) = orders.get(which).or(orders.last()) {
            members.sort_by_key(|member| order.iter().position(|known| *known == name(member)).unwrap_or(usize::MAX));
        }
    };
    let integers_last = |members: &mut Members| {
        members.sort_by_key(|member| match name(member) {
            name if is_integer(&name) => (1, name.parse::<u64>().unwrap_or_default()),
            _ => (0, 0),
        });
    };
    let sorts: [Sort<'_>; 5] = [
        &|members| documented(members, 0),
        &|members| documented(members, 1),
        &|members| documented(members, 2),
        &|members| members.sort_by_key(name),
        &integers_last,
    ];
    distinct(root, sorts.map(|sort| sorted(root, sort)))
}

/// Returns the structures with the members in an uncommon order.
pub(super) fn unusual(document: &Document, root: &Node) -> Vec<Structure> {
    let names = names(document);
    let name = |member: &(usize, Node)| names.get(member.0).cloned().unwrap_or_default();
    let sorts: [Sort<'_>; 5] = [
        &|members| {
            let buckets = buckets(members.len());
            members.sort_by_key(|member| bucket(&name(member), buckets));
        },
        &|members| members.sort_by_key(|member| name(member).to_lowercase()),
        // The member order in PostgreSQL's jsonb type and in MySQL: by length, then by name.
        &|members| members.sort_by_key(|member| (name(member).len(), name(member))),
        &|members| members.sort_by_key(|member| std::cmp::Reverse(name(member))),
        &|members| members.reverse(),
    ];
    let mut nodes: Vec<Node> = sorts.map(|sort| sorted(root, sort)).into();
    if let Node::Object(members) = root {
        let mut members = members.clone();
        members.sort_by_key(name);
        nodes.push(Node::Object(members));
    }
    for (at, members) in objects(root).into_iter().enumerate() {
        nodes.extend(interleaved(&members, &|member| is_integer(&name(member))).map(|order| replaced(root, at, order)));
    }
    distinct(root, nodes)
}

/// Returns the member orders in which the members with integer names are inserted at every possible position between
/// the other members.
fn interleaved(members: &Members, integer: &dyn Fn(&(usize, Node)) -> bool) -> impl Iterator<Item = Members> {
    let (integers, others): (Members, Members) = members.iter().cloned().partition(integer);
    let mut orders = vec![others];
    if integers.is_empty() || integers.len() == members.len() {
        orders.clear();
    }
    for integer in integers {
        let longer = |order: &Members| {
            let integer = integer.clone();
            let order = order.clone();
            (0..=order.len()).map(move |at| {
                let mut order = order.clone();
                order.insert(at, integer.clone());
                order
            })
        };
        orders = orders.iter().flat_map(longer).take(MAX_OF_ONE).collect();
    }
    orders.into_iter()
}

/// Returns the structures in which the members of a single object are in a different order. Objects with more than
/// [`MAX_OF_ONE`] possible orders are skipped.
pub(super) fn of_one(root: &Node) -> Vec<Structure> {
    let mut nodes = Vec::new();
    for (at, members) in objects(root).into_iter().enumerate() {
        if factorial(members.len()) <= MAX_OF_ONE {
            nodes.extend(
                permutations(members.len())
                    .into_iter()
                    .skip(1)
                    .map(|order| replaced(root, at, order.into_iter().map(|at| members[at].clone()).collect())),
            );
        }
    }
    distinct(root, nodes)
}

/// Returns every combination of member orders across all objects, if there are more than `few` and at most `most` of
/// them; otherwise returns an empty vector.
pub(super) fn of_all(root: &Node, few: usize, most: usize) -> Vec<Structure> {
    let objects: Vec<Members> = objects(root);
    let total = objects
        .iter()
        .try_fold(1_usize, |all, members| all.checked_mul(factorial(members.len())).filter(|all| *all <= most));
    if total.is_none_or(|total| total < 2 || total <= few) {
        return Vec::new();
    }
    let mut nodes = vec![root.clone()];
    // Replace the members of inner objects first. Reordering an object changes only the indexes of the objects inside
    // it, which have already been replaced.
    for at in (0..objects.len()).rev() {
        let permutations = permutations(objects[at].len());
        let all = nodes.iter().flat_map(|node| {
            let members = self::objects(node).into_iter().nth(at).unwrap_or_default();
            let node = node.clone();
            permutations
                .iter()
                .map(move |order| {
                    replaced(&node, at, order.iter().filter_map(|at| members.get(*at).cloned()).collect())
                })
                .collect::<Vec<_>>()
        });
        nodes = all.collect();
    }
    distinct(root, nodes)
}

/// Returns the number of nodes in a JSON value.
pub(super) fn size(node: &Node) -> usize {
    match node {
        Node::Object(members) => 1 + members.iter().map(|(_, value)| size(value)).sum::<usize>(),
        Node::Array(elements) => 1 + elements.iter().map(size).sum::<usize>(),
        _ => 1,
    }
}

fn factorial(n: usize) -> usize {
    (1..=n).try_fold(1_usize, usize::checked_mul).unwrap_or(usize::MAX)
}

pub(super) fn permutations(n: usize) -> Vec<Vec<usize>> {
    let mut all = vec![Vec::new()];
    for next in 0..n {
        all = all
            .into_iter()
            .flat_map(|order: Vec<usize>| {
                (0..=order.len()).rev().map(move |at| {
                    let mut order = order.clone();
                    order.insert(at, next);
                    order
                })
            })
            .collect();
    }
    all
}

/// Returns the members of each object, outer objects first.
pub(super) fn objects(root: &Node) -> Vec<Members> {
    let mut found = Vec::new();
    let mut pending = vec![root];
    while let Some(node) = pending.pop() {
        match node {
            Node::Object(members) => {
                found.push(members.clone());
                pending.extend(members.iter().rev().map(|(_, value)| value));
            }
            Node::Array(elements) => pending.extend(elements.iter().rev()),
            _ => {}
        }
    }
    found
}

/// Returns the structure with an object's members replaced. `at` is the index of the object in the result of
/// [`objects`].
pub(super) fn replaced(root: &Node, at: usize, members: Members) -> Node {
    fn put(node: &Node, left: &mut usize, new: &mut BTreeMap<usize, Members>) -> Node {
        match node {
            Node::Object(members) => {
                let here = *left;
                *left += 1;
                let old = members.iter().map(|(name, value)| (*name, put(value, left, new))).collect();
                Node::Object(new.remove(&here).unwrap_or(old))
            }
            Node::Array(elements) => Node::Array(elements.iter().map(|element| put(element, left, new)).collect()),
            leaf => leaf.clone(),
        }
    }
    put(root, &mut 0, &mut BTreeMap::from([(at, members)]))
}

pub(super) fn distinct(root: &Node, nodes: impl IntoIterator<Item = Node>) -> Vec<Structure> {
    let mut seen = std::collections::HashSet::from([root.clone()]);
    let nodes = nodes.into_iter().filter(|node| seen.insert(node.clone()));
    nodes.map(|root| Structure { root, changes: vec![Change::Order] }).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn shown(document: &Document, structures: &[Structure]) -> Vec<String> {
        let names = names(document);
        let shown = |structure: &Structure| {
            let joined = |members: &Members| members.iter().map(|(name, _)| names[*name].clone()).collect::<String>();
            objects(&structure.root).iter().map(joined).collect::<Vec<_>>().join(" ")
        };
        structures.iter().map(shown).collect()
    }

    #[test]
    fn common_and_uncommon_member_orders_are_generated() {
        let document = Document::read(r#"{"1":1,"2":2,"b":{"d":1,"c":2},"a":3}"#).unwrap();
        assert_eq!(shown(&document, &usual(&document, &document.root)), ["12ab cd", "ba12 dc"]);
        let unusual = shown(&document, &unusual(&document, &document.root));
        assert!(unusual.contains(&"b12a dc".to_owned()), "{unusual:?}");
        assert_eq!(of_all(&document.root, 0, 48).len(), 24 * 2 - 1);
        assert!(of_all(&document.root, 0, 47).is_empty() && of_all(&document.root, 48, 100).is_empty());
        assert_eq!(of_one(&document.root).len(), 23 + 1);
    }
}
