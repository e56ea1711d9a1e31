//! Alternative structures, for members that were removed, added, or converted to a different type.

use super::document::{Document, Node, Number, Text};
use super::documented;
use super::numbers::Decimal;
use super::order::{Members, objects, replaced, size};
use super::structure::Structure;
use crate::explain::change::Change;

/// Maximum total number of JSON nodes created for the alternatives of a document.
const MAX_NODES: usize = 600_000;

/// Maximum number of different sets of documented members to restore.
const MAX_SETS: usize = 2_500;

fn null() -> Node {
    Node::Literal("null".into())
}

fn is_null(node: &Node) -> bool {
    matches!(node, Node::Literal(literal) if literal == "null")
}

fn mapped(node: &Node, keep: &dyn Fn(&Node) -> bool, change: &dyn Fn(&Node) -> Option<Node>) -> Node {
    match node {
        Node::Object(members) => {
            let kept = members.iter().filter(|(_, value)| keep(value));
            Node::Object(kept.map(|(name, value)| (*name, mapped(value, keep, change))).collect())
        }
        Node::Array(elements) => Node::Array(elements.iter().map(|element| mapped(element, keep, change)).collect()),
        leaf => change(leaf).unwrap_or_else(|| leaf.clone()),
    }
}

fn structure(root: Node, change: Change) -> Structure {
    Structure { root, changes: vec![change] }
}

/// Returns the structure without its null members, or an empty vector if there are none.
pub(super) fn without_nulls(root: &Node) -> Vec<Structure> {
    let without = mapped(root, &|value| !is_null(value), &|_| None);
    if without == *root { Vec::new() } else { vec![structure(without, Change::MembersAdded)] }
}

/// Returns the structures with empty values removed, with `null` replaced by `""`, or with `""` replaced by `null`.
pub(super) fn emptied(document: &Document) -> Vec<Structure> {
    let root = &document.root;
    let is_empty_text = |node: &Node| match node {
        Node::Text(text) => document.texts.get(*text).is_some_and(|text| text.units.is_empty()),
        _ => false,
    };
    let is_empty = |node: &Node| match node {
        Node::Array(elements) => elements.is_empty(),
        Node::Object(members) => members.is_empty(),
        other => is_null(other) || is_empty_text(other),
    };
    let mut all = vec![
        structure(mapped(root, &|value| !is_empty(value), &|_| None), Change::MembersAdded),
        structure(mapped(root, &|value| !is_empty_text(value), &|_| None), Change::MembersAdded),
        structure(
            mapped(root, &|_| true, &|node| is_null(node).then(|| Node::Literal("\"\"".into()))),
            Change::EmptyToNull,
        ),
        structure(mapped(root, &|_| true, &|node| is_empty_text(node).then(null)), Change::EmptyToNull),
    ];
    // For each object, takes the first six members with empty values. For each combination of them, adds a structure
    // without these members.
    for (at, members) in objects(root).iter().enumerate() {
        let empty: Vec<usize> = (0..members.len()).filter(|at| is_empty(&members[*at].1)).take(6).collect();
        for set in 1..1_usize << empty.len() {
            let dropped = |at: &usize| empty.iter().position(|e| e == at).is_some_and(|bit| set & (1 << bit) != 0);
            let kept = (0..members.len()).filter(|at| !dropped(at)).map(|at| members[at].clone()).collect();
            all.push(structure(replaced(root, at, kept), Change::MembersAdded));
        }
    }
    all.retain(|structure| structure.root != *root);
    all
}

/// Returns the structures with strings converted to numbers, or numbers to strings.
pub(super) fn retyped(document: &mut Document) -> Vec<Structure> {
    let root = document.root.clone();
    let quoted = |node: &Node| match node {
        Node::Number(number) => Some(Node::Quoted(*number)),
        _ => None,
    };
    let mut all = vec![mapped(&root, &|_| true, &quoted)];
    all.extend(
        (0..document.numbers.len().min(64))
            .map(|one| mapped(&root, &|_| true, &|node| quoted(node).filter(|_| *node == Node::Number(one)))),
    );
    let mut numbers = std::collections::BTreeMap::new();
    for text in 0..document.texts.len() {
        let Some(value) = document.texts[text].value() else { continue };
        let Some(decimal) =
            Decimal::read(&value).filter(|_| value == "0" || !value.starts_with('0') || value.starts_with("0."))
        else {
            continue;
        };
        document.numbers.push(Number { raw: value, value: Some(decimal), name: None });
        numbers.insert(text, document.numbers.len() - 1);
    }
    let unquoted = |node: &Node| match node {
        Node::Text(text) => numbers.get(text).map(|number| Node::Number(*number)),
        _ => None,
    };
    all.push(mapped(&root, &|_| true, &unquoted));
    all.extend(
        numbers
            .keys()
            .take(64)
            .map(|one| mapped(&root, &|_| true, &|node| unquoted(node).filter(|_| *node == Node::Text(*one)))),
    );
    let structures = all.into_iter().filter(|node| *node != root);
    structures.map(|root| structure(root, Change::NumberStrings)).collect()
}

/// Returns the structures in which up to `at_once` missing documented members are restored. Each of them gets the value
/// `value` and its documented position.
pub(super) fn restore_documented(document: &mut Document, root: &Node, value: &Node, at_once: usize) -> Vec<Structure> {
    // Each entry describes a missing member: the index of its object, its position in the object, and the index of its
    // name.
    let mut missing: Vec<(usize, usize, usize)> = Vec::new();
    for (object, members) in objects(root).iter().enumerate() {
        let name = |member: &(usize, Node)| {
            document.texts.get(member.0).map(|text| String::from_utf16_lossy(&text.units)).unwrap_or_default()
        };
        let names: Vec<String> = members.iter().map(name).collect();
        let similar = documented::similar(&names.iter().map(String::as_str).collect::<Vec<_>>());
        for order in similar {
            for (rank, missing_name) in order.iter().enumerate() {
                let before = |name: &String| order[..rank].iter().any(|known| known == name);
                let place = names.iter().rposition(before).map_or(0, |at| at + 1);
                let put = (object, place, document.add_text(missing_name));
                if !names.iter().any(|name| name == missing_name) && !missing.contains(&put) {
                    missing.push(put);
                }
            }
        }
    }
    let count = missing.len();
    let mut sets: Vec<Vec<usize>> = (0..count).map(|one| vec![one]).collect();
    let mut from = 0;
    while sets.len() < MAX_SETS && from < sets.len() {
        let longer: Vec<Vec<usize>> = (sets[from].last().map_or(0, |last| last + 1)..count)
            .map(|next| sets[from].iter().copied().chain([next]).collect())
            .collect();
        sets.extend(longer.into_iter().filter(|set| set.len() <= at_once));
        from += 1;
    }
    let most = MAX_NODES / (size(root) + 4);
    let with = |set: &Vec<usize>| {
        let mut with = root.clone();
        // Insert the members in reverse order: into inner objects first, and into each object from its end. An
        // insertion changes only the positions after it, so the positions of the members still to be inserted stay
        // correct.
        for missing in set.iter().rev().map(|at| missing[*at]) {
            let (object, place, name) = missing;
            let mut members = objects(&with).into_iter().nth(object).unwrap_or_default();
            members.insert(place.min(members.len()), (name, value.clone()));
            with = replaced(&with, object, members);
        }
        structure(with, Change::MembersDropped)
    };
    sets.iter().take(most).map(with).collect()
}

/// Returns the structures in which a single missing member with the value `value` is restored. Each documented or
/// common name is tried at each position in each object.
pub(super) fn restore_any(document: &mut Document, root: &Node, value: &Node) -> Vec<Structure> {
    let names: Vec<usize> = documented::candidates().iter().map(|name| document.add_text(name)).collect();
    let mut most = MAX_NODES / (size(root) + 1);
    let mut all = Vec::new();
    for (object, members) in objects(root).into_iter().enumerate() {
        for name in &names {
            if members.iter().any(|member| document.texts[member.0].units == document.texts[*name].units) {
                continue;
            }
            for place in (0..=members.len()).rev() {
                if most == 0 {
                    return all;
                }
                most -= 1;
                let mut members = members.clone();
                members.insert(place, (*name, value.clone()));
                all.push(structure(replaced(root, object, members), Change::MembersDropped));
            }
        }
    }
    all
}

/// Returns the structures in which a dropped duplicate member is restored with a guessed value.
pub(super) fn duplicates(document: &Document, root: &Node) -> Vec<Structure> {
    let plain = |text: &str| Node::Literal(text.to_owned());
    let mut guesses: Vec<Node> = ["null", "\"\"", "true", "false", "{}", "[]"].map(plain).into();
    guesses.extend((0..=100).map(|number| Node::Literal(number.to_string())));
    guesses.extend(["x", "y", "first", "second", "old", "new"].map(|text| Node::Literal(Text::of(text).raw)));
    guesses.extend((0..document.numbers.len().min(8)).map(Node::Number));
    guesses.extend((0..document.texts.len().min(24)).map(Node::Text));
    let mut most = MAX_NODES / (size(root) + 1);
    let mut all = Vec::new();
    for (object, members) in objects(root).into_iter().enumerate() {
        for (at, (name, value)) in members.iter().enumerate() {
            let last = members.len();
            let places = if last <= 12 { (at + 1..=last).collect() } else { vec![at + 1, last] };
            for place in places {
                for guess in guesses.iter().chain([value]) {
                    // If two members have the same name, a program keeps either the last or the first.
                    for first_won in [false, true] {
                        if most == 0 {
                            return all;
                        }
                        most -= 1;
                        let mut members: Members = members.clone();
                        let (first, second) = if first_won { (value, guess) } else { (guess, value) };
                        members[at].1 = first.clone();
                        members.insert(place, (*name, second.clone()));
                        all.push(structure(replaced(root, object, members), Change::DuplicateDropped));
                    }
                }
            }
        }
    }
    all
}
