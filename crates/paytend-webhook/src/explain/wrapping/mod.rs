//! What programs put around a text or do to it as a whole, undone. Each step is data: a function from the bytes that are
//! here to those that may have been before.

mod bytes;
mod carriers;
mod edges;
mod encodings;
mod kind;
mod literals;
mod text;

use std::collections::HashSet;

use sha2::{Digest as _, Sha256};
use zeroize::Zeroizing;

use super::change::Change;
use super::search::{Found, Search};

pub use kind::Wrapping;
pub(super) use literals::to_json;
pub(super) use encodings::unescape_html;
pub(super) use text::{CHARSETS, normal_forms};

/// A step back.
struct Step {
    effect: Effect,
    undo: fn(&[u8], &mut Vec<Undone>),
}

/// What a step is about.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Effect {
    /// The text was put into something else, which can be seen.
    Wrapped,
    /// The text is the same but for how its characters are written.
    Text,
    /// Something was lost or added at an edge, or all over.
    Edge,
}

/// What was before a step.
struct Undone {
    bytes: Vec<u8>,
    change: Change,
}

const STEPS: &[Step] = &[
    Step { effect: Effect::Edge, undo: edges::newline },
    Step { effect: Effect::Edge, undo: edges::trimmed },
    Step { effect: Effect::Edge, undo: edges::byte_order_mark_lost },
    Step { effect: Effect::Edge, undo: edges::line_ends },
    Step { effect: Effect::Wrapped, undo: edges::byte_order_mark },
    Step { effect: Effect::Wrapped, undo: edges::nul },
    Step { effect: Effect::Wrapped, undo: bytes::base64 },
    Step { effect: Effect::Wrapped, undo: bytes::hex },
    Step { effect: Effect::Wrapped, undo: bytes::byte_list },
    Step { effect: Effect::Wrapped, undo: bytes::compressed },
    Step { effect: Effect::Wrapped, undo: bytes::chunked },
    Step { effect: Effect::Wrapped, undo: bytes::utf16 },
    Step { effect: Effect::Wrapped, undo: encodings::json_string },
    Step { effect: Effect::Wrapped, undo: encodings::backslashes },
    Step { effect: Effect::Wrapped, undo: encodings::quotes },
    Step { effect: Effect::Wrapped, undo: encodings::html },
    Step { effect: Effect::Wrapped, undo: encodings::quoted_printable },
    Step { effect: Effect::Wrapped, undo: encodings::percent },
    Step { effect: Effect::Wrapped, undo: carriers::form_field },
    Step { effect: Effect::Wrapped, undo: carriers::form_key },
    Step { effect: Effect::Wrapped, undo: carriers::member },
    Step { effect: Effect::Wrapped, undo: carriers::surrounded },
    Step { effect: Effect::Wrapped, undo: literals::text_literal },
    Step { effect: Effect::Wrapped, undo: literals::structure_literal },
    Step { effect: Effect::Text, undo: text::charset },
    Step { effect: Effect::Text, undo: text::normal_form },
    Step { effect: Effect::Edge, undo: text::plus_and_space },
    Step { effect: Effect::Edge, undo: encodings::percent_lost },
    Step { effect: Effect::Edge, undo: edges::closing },
];

/// A text that may have been before the one that is here.
pub(super) struct Layer {
    pub(super) bytes: Zeroizing<Vec<u8>>,
    pub(super) changes: Vec<Change>,
    /// The steps that led to it, as effects.
    effects: Vec<Effect>,
}

impl Layer {
    /// Returns whether only visible wrappings were undone, and the characters' spelling.
    pub(super) fn is_unwrapped(&self) -> bool {
        self.effects.iter().all(|effect| *effect != Effect::Edge)
    }
}

/// So many steps are undone one after the other; one more if all are visible wrappings.
const DEPTH: usize = 2;

/// So many bytes of intermediate texts are kept.
const MAX_KEPT: usize = 16 << 20;

/// The largest text that an unwrapping makes.
const MAX_TEXT: usize = 4 << 20;

/// Undoes wrappings until the signed text is found, or returns all texts that were come upon.
pub(super) fn undo(held: &[u8], search: &mut Search) -> Result<Found, Vec<Layer>> {
    let mut signed = false;
    let walked = walk(held, |_| true, |layer, new| {
        signed = new && search.is_signed(&layer.bytes);
        signed || search.is_spent()
    });
    match walked {
        Ok(layer) if signed => Ok(layer.into()),
        Ok(layer) => Err(vec![layer]),
        Err(layers) => Err(layers),
    }
}

/// Undoes visible wrappings until a text fits. Returns it with its wrappings.
pub(super) fn unwrap(held: &[u8], fits: impl Fn(&[u8]) -> bool) -> Option<Layer> {
    let visible = |effect| effect != Effect::Edge;
    walk(held, visible, |layer, _| fits(&layer.bytes)).ok()
}

/// Walks through all texts, those first that are fewer steps away, until `stop` says so.
fn walk(
    held: &[u8],
    allowed: impl Fn(Effect) -> bool,
    mut stop: impl FnMut(&Layer, bool) -> bool,
) -> Result<Layer, Vec<Layer>> {
    let first = Layer { bytes: Zeroizing::new(held.to_vec()), changes: Vec::new(), effects: Vec::new() };
    if stop(&first, false) {
        return Ok(first);
    }
    let mut seen = HashSet::from([Sha256::digest(held)]);
    let mut layers = vec![first];
    let (mut at, mut kept) = (0, 0);
    while at < layers.len() {
        let depth = layers[at].effects.len();
        let all_wrapped = layers[at].effects.iter().all(|effect| *effect == Effect::Wrapped);
        for step in STEPS.iter().filter(|step| allowed(step.effect)) {
            if depth >= DEPTH && !(depth == DEPTH && all_wrapped && step.effect == Effect::Wrapped) {
                continue;
            }
            let mut undone = Vec::new();
            (step.undo)(&layers[at].bytes, &mut undone);
            for Undone { bytes, change } in undone {
                let bytes = Zeroizing::new(bytes);
                if bytes.len() > MAX_TEXT.max(held.len() * 2) || kept > MAX_KEPT || !seen.insert(Sha256::digest(&*bytes)) {
                    continue;
                }
                let changes = layers[at].changes.iter().copied().chain([change]).collect();
                let effects = layers[at].effects.iter().copied().chain([step.effect]).collect();
                let layer = Layer { bytes, changes, effects };
                if stop(&layer, true) {
                    return Ok(layer);
                }
                kept += layer.bytes.len();
                layers.push(layer);
            }
        }
        at += 1;
    }
    Err(layers)
}
