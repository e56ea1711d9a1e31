//! The search over wrappings, such as base64 or a form, and other changes to the whole text. Each step takes the bytes
//! after a change and returns the possible bytes before the change.

mod bytes;
mod carriers;
mod edges;
mod encodings;
mod literals;
mod text;
mod undone;

use std::collections::{BTreeMap, HashSet, VecDeque};

use sha2::{Digest as _, Sha256};
use zeroize::Zeroizing;

use super::change::Change;
use super::search::{Found, Search};
use undone::{MAX_TEXT, Undone};

pub(super) use encodings::unescape_html;
pub(super) use literals::to_json;
pub(super) use text::{CHARSETS, normal_forms};

/// A step that undoes a change.
struct Step {
    effect: Effect,
    /// The cost. A step that applies to almost any input costs more than a specific step.
    cost: usize,
    undo: fn(&[u8], &mut Vec<Undone>),
}

/// The effect of the change undone by a step.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Effect {
    /// The text was visibly wrapped in a different format.
    Wrapped,
    /// The text was converted to a different character encoding or Unicode normalization form.
    Text,
    /// Characters were lost, added or replaced at the start, at the end, or throughout the text.
    Edge,
}

const STEPS: &[Step] = &[
    Step { effect: Effect::Edge, cost: 2, undo: edges::newline },
    Step { effect: Effect::Edge, cost: 2, undo: edges::trimmed },
    Step { effect: Effect::Edge, cost: 2, undo: edges::byte_order_mark_lost },
    Step { effect: Effect::Edge, cost: 2, undo: edges::line_ends },
    Step { effect: Effect::Wrapped, cost: 2, undo: edges::byte_order_mark },
    Step { effect: Effect::Wrapped, cost: 2, undo: edges::nul },
    Step { effect: Effect::Wrapped, cost: 2, undo: bytes::base64 },
    Step { effect: Effect::Wrapped, cost: 2, undo: bytes::hex },
    Step { effect: Effect::Wrapped, cost: 2, undo: bytes::byte_list },
    Step { effect: Effect::Wrapped, cost: 2, undo: bytes::compressed },
    Step { effect: Effect::Wrapped, cost: 2, undo: bytes::chunked },
    Step { effect: Effect::Wrapped, cost: 2, undo: bytes::utf16 },
    Step { effect: Effect::Wrapped, cost: 2, undo: encodings::json_string },
    Step { effect: Effect::Wrapped, cost: 3, undo: encodings::backslashes },
    Step { effect: Effect::Wrapped, cost: 3, undo: encodings::quotes },
    Step { effect: Effect::Wrapped, cost: 2, undo: encodings::html },
    Step { effect: Effect::Wrapped, cost: 2, undo: encodings::quoted_printable },
    // Forms come before percent-encoding because they are more specific.
    Step { effect: Effect::Wrapped, cost: 2, undo: carriers::form_field },
    Step { effect: Effect::Wrapped, cost: 2, undo: carriers::form_key },
    Step { effect: Effect::Wrapped, cost: 2, undo: encodings::percent },
    Step { effect: Effect::Wrapped, cost: 2, undo: carriers::member },
    Step { effect: Effect::Wrapped, cost: 7, undo: carriers::surrounded },
    Step { effect: Effect::Wrapped, cost: 2, undo: literals::text_literal },
    Step { effect: Effect::Wrapped, cost: 2, undo: literals::structure_literal },
    Step { effect: Effect::Text, cost: 2, undo: text::charset },
    Step { effect: Effect::Text, cost: 2, undo: text::normal_form },
    Step { effect: Effect::Edge, cost: 2, undo: text::plus_and_space },
    Step { effect: Effect::Edge, cost: 2, undo: encodings::percent_lost },
    Step { effect: Effect::Edge, cost: 2, undo: edges::closing },
];

/// An intermediate result: the text as it may have been before one or more changes.
pub(super) struct Layer {
    pub(super) bytes: Zeroizing<Vec<u8>>,
    pub(super) changes: Vec<Change>,
    /// The effects of the steps that led to this result.
    effects: Vec<Effect>,
}

impl Layer {
    /// Returns whether only visible wrappings and character encodings were undone.
    pub(super) fn is_unwrapped(&self) -> bool {
        self.effects.iter().all(|effect| *effect != Effect::Edge)
    }
}

/// Maximum number of consecutive steps; one more step is allowed if all steps undo visible wrappings.
const DEPTH: usize = 2;

/// Maximum total size of the intermediate results that are kept, in bytes.
const MAX_KEPT: usize = 16 << 20;

/// Undoes changes until the signed text is found, and returns it. If it is not found, returns all intermediate results.
pub(super) fn undo(received: &[u8], search: &mut Search) -> Result<Found, Vec<Layer>> {
    let mut signed = false;
    let walked = walk(
        received,
        |_| true,
        |layer| {
            signed = search.is_signed(&layer.bytes);
            signed || search.is_spent()
        },
    );
    match walked {
        Ok(layer) if signed => Ok(layer.into()),
        Ok(layer) => Err(vec![layer]),
        Err(layers) => Err(layers),
    }
}

/// Undoes visible wrappings until `fits` returns true for a result. Returns the result with its wrappings.
pub(super) fn unwrap(received: &[u8], fits: impl Fn(&[u8]) -> bool) -> Option<Layer> {
    let visible = |effect| effect != Effect::Edge;
    walk(received, visible, |layer| fits(&layer.bytes)).ok()
}

/// Undoes visible wrappings as [`unwrap`] does, but keeps the character encoding.
pub(super) fn carried(received: &[u8], fits: impl Fn(&[u8]) -> bool) -> Option<Layer> {
    walk(received, |effect| effect == Effect::Wrapped, |layer| fits(&layer.bytes)).ok()
}

/// Visits the results of all steps, in order of increasing cost, until `stop` returns true for a result. Returns this
/// result, or all results if there is none.
fn walk(
    received: &[u8],
    allowed: impl Fn(Effect) -> bool,
    mut stop: impl FnMut(&Layer) -> bool,
) -> Result<Layer, Vec<Layer>> {
    let first = Layer { bytes: Zeroizing::new(received.to_vec()), changes: Vec::new(), effects: Vec::new() };
    let mut pending = BTreeMap::from([(0, VecDeque::from([first]))]);
    let (mut seen, mut layers, mut kept) = (HashSet::new(), Vec::new(), 0);
    while let Some(mut entry) = pending.first_entry() {
        let cost = *entry.key();
        let Some(layer) = entry.get_mut().pop_front() else {
            entry.remove();
            continue;
        };
        if !seen.insert(Sha256::digest(&*layer.bytes)) {
            continue;
        }
        if stop(&layer) {
            return Ok(layer);
        }
        let all_wrapped = layer.effects.iter().all(|effect| *effect == Effect::Wrapped);
        for step in STEPS.iter().filter(|step| allowed(step.effect)) {
            let one_more = layer.effects.len() == DEPTH && all_wrapped && step.effect == Effect::Wrapped;
            if layer.effects.len() >= DEPTH && !one_more {
                continue;
            }
            let mut undone = Vec::new();
            (step.undo)(&layer.bytes, &mut undone);
            for Undone { bytes, change } in undone {
                if bytes.len() > MAX_TEXT.max(received.len() * 2) || kept > MAX_KEPT {
                    continue;
                }
                kept += bytes.len();
                let next = layer.then(bytes, change, step.effect);
                pending.entry(cost + step.cost).or_default().push_back(next);
            }
        }
        layers.push(layer);
    }
    Err(layers)
}

impl From<Layer> for Found {
    fn from(layer: Layer) -> Self {
        Self { text: layer.bytes, changes: layer.changes }
    }
}

impl Layer {
    fn then(&self, bytes: Vec<u8>, change: Change, effect: Effect) -> Self {
        // If another step follows a charset conversion, the bytes were decoded in that charset by mistake, not signed
        // in it.
        let before = self.changes.iter().map(|change| match change {
            Change::Charset(charset) => Change::Misread(charset),
            other => *other,
        });
        let changes = before.chain([change]).collect();
        let effects = self.effects.iter().copied().chain([effect]).collect();
        Self { bytes: Zeroizing::new(bytes), changes, effects }
    }
}
