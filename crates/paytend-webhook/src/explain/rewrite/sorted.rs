//! Detects member orders that suggest re-serialization: sorted names, integer names first, or Java HashMap order.

use super::document::Document;
use super::documented;
use super::order::{bucket, buckets, is_integer, names, objects};
use crate::explain::trace::Trace;

/// Returns a [`Trace`] if the member order of a JSON text suggests that a program changed the order.
pub(in crate::explain) fn trace(text: &str) -> Option<Trace> {
    let document = Document::read(text.trim_start_matches('\u{feff}'))?;
    let all = names(&document);
    let member_names =
        |members: &Vec<_>| members.iter().filter_map(|(name, _)| all.get(*name)).map(String::as_str).collect();
    let objects: Vec<Vec<&str>> = objects(&document.root).iter().map(member_names).collect();
    if SORTS.iter().any(|is_sorted| objects.iter().all(|names| is_sorted(names))) {
        return objects.iter().any(|names| differs(names)).then_some(Trace::Sorted);
    }
    if objects.iter().any(|names| has_integers_first(names)) {
        return Some(Trace::IntegersFirst);
    }
    let is_hashed = |names: &Vec<&str>| names.is_sorted_by_key(|name| bucket(name, buckets(names.len())));
    let many = |names: &Vec<&str>| names.len() > 5;
    (objects.iter().any(many) && objects.iter().all(is_hashed)).then_some(Trace::HashOrder)
}

/// Functions that return whether names are sorted: by character, ignoring case, in descending order, or with integers
/// first.
const SORTS: [fn(&[&str]) -> bool; 4] = [
    |names| names.is_sorted(),
    |names| names.is_sorted_by_key(|name| name.to_lowercase()),
    |names| names.is_sorted_by(|a, b| a >= b),
    |names| {
        names.is_sorted_by_key(|name| {
            let number = if is_integer(name) { name.parse().ok() } else { None };
            (number.unwrap_or(u64::MAX), (*name).to_owned())
        })
    },
];

/// Returns whether the sender probably wrote the sorted names in a different order. This is likely if the documentation
/// has a different order, or if an undocumented object has too many names to be sorted by coincidence.
fn differs(names: &[&str]) -> bool {
    let Some(documented) = documented::orders(names).into_iter().next() else { return names.len() > 3 };
    let known = names.iter().filter_map(|name| documented.iter().position(|known| known == name));
    names.len() > 2 && !known.is_sorted()
}

/// Returns whether integer names come first in an object that has other names too, as in JavaScript.
fn has_integers_first(names: &[&str]) -> bool {
    let integers = names.iter().take_while(|name| is_integer(name)).count();
    let later = names[integers..].iter().any(|name| is_integer(name));
    let ascending = names[..integers].is_sorted_by_key(|name| name.parse::<u64>().unwrap_or_default());
    integers > 0 && integers < names.len() && !later && ascending
}
