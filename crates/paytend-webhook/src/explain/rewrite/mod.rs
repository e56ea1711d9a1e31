//! The search over alternative serializations of a JSON text, starting with the serializations that differ least from
//! the text.
//!
//! Each alternative has a cost: 0 for the text as received, 1 for the output of common serializers, and 2 or more for
//! less common output. All combinations are tried in order of total cost, until the search budget is used up.

mod combined;
mod document;
mod documented;
mod escapes;
mod layout;
mod levels;
mod members;
mod numbers;
mod order;
mod roots;
mod slots;
mod sorted;
mod structure;
mod template;

use std::collections::HashSet;
use std::hash::{BuildHasher as _, RandomState};

use sha2::Digest as _;

use super::change::Change;
use super::search::{Found, Search};
use combined::Expected;
use document::{Document, Node};
use escapes::Spelling;
use layout::Layout;
use numbers::Forms;
use structure::Structure;
use template::Template;

pub(super) use sorted::trace as order_trace;

/// The text before and after the JSON document, for example a line break at the end.
struct Edge {
    before: Vec<u8>,
    after: Vec<u8>,
    change: Option<Change>,
    cost: usize,
}

/// If a document's members have at most this many possible orders, all of them are tried: at cost 2 (`FEW`), at cost 3
/// (`MANY`) or at cost 4 (`MOST`).
const FEW: usize = 600;
const MANY: usize = 4_096;
const MOST: usize = 10_080;

/// Maximum number of likely member-order combinations that are tried up to cost 2 (`FEW_COMBINED`) and up to cost 3
/// (`MOST_COMBINED`).
const FEW_COMBINED: usize = 1_500;
const MOST_COMBINED: usize = 10_000;

/// Maximum number of likely member-order combinations in which removed members are restored.
const FEW_BASES: usize = 6;

/// Cost of creating one JSON node, in bytes of the search budget.
const EACH_NODE: usize = 12;

/// Maximum cost of a structure in the search.
const MAX_STRUCTURE: usize = 5;

/// Maximum cost of a number-spelling combination.
const MAX_NUMBERS: usize = 5;

/// A search over alternative serializations of a JSON text.
pub(super) struct Rewriter {
    document: Document,
    /// The changes that were already undone to obtain the document.
    changes: Vec<Change>,
    cost: usize,
    edges: Vec<Edge>,
    /// The layouts, created on first use. The received whitespace is tried before the layouts.
    layouts: Vec<Layout>,
    /// Whether the received whitespace matches no layout.
    irregular: bool,
    spellings: Vec<Spelling>,
    forms: Vec<Forms>,
    rules: Vec<Vec<usize>>,
    /// The structures for each cost. They are created when the search reaches that cost.
    structures: Vec<Vec<Structure>>,
    /// The hashes of the structures with a changed member order that were created so far.
    orders: HashSet<u64>,
    hasher: RandomState,
}

impl Rewriter {
    /// Tries all alternatives with this total cost.
    pub(super) fn level(&mut self, level: usize, search: &mut Search) -> Option<Found> {
        let left = level.checked_sub(self.cost)?;
        self.prepare();
        let last = left.min(MAX_STRUCTURE);
        for cost in 0..=last {
            if !self.prepare_structures(cost, search) {
                return None;
            }
            // The structures of every cost except the last can use half of the remaining budget. Otherwise, likely
            // structures with unlikely spellings or layouts could use up the budget before the other structures are
            // tried.
            let found =
                search.with_share(if cost < last { 2 } else { 1 }, |search| self.class(cost, left - cost, search));
            if found.is_some() {
                return found;
            }
        }
        None
    }

    /// Tries the structures with this cost, in all spellings, layouts and number formats whose costs add up to `left`.
    fn class(&self, cost: usize, left: usize, search: &mut Search) -> Option<Found> {
        for at in 0..self.structures[cost].len() {
            for spelling in 0..self.spellings.len() {
                let Some(left) = left.checked_sub(self.spellings[spelling].cost) else { continue };
                // Try the received whitespace first, then the layouts.
                for layout in 0..=self.layouts.len() {
                    let layout = layout.checked_sub(1).map(|layout| self.layouts[layout]);
                    let cost_here = layout.map_or(0, |layout| layout.cost);
                    let Some(left) = left.checked_sub(cost_here).filter(|left| *left <= MAX_NUMBERS + 2) else {
                        continue;
                    };
                    let whole = cost == 0 && at == 0;
                    if layout.is_none() && !(self.irregular && whole) {
                        continue;
                    }
                    if search.is_spent() {
                        return None;
                    }
                    if let Some(found) = self.try_one((cost, at), spelling, layout, left, search) {
                        return Some(found);
                    }
                }
            }
        }
        None
    }

    /// Tries one structure in one spelling and one layout. Varies the text around the JSON and the number spellings, in
    /// all combinations whose costs add up to `left`.
    fn try_one(
        &self,
        (class, at): (usize, usize),
        spelling: usize,
        layout: Option<Layout>,
        left: usize,
        search: &mut Search,
    ) -> Option<Found> {
        let structure = &self.structures[class][at];
        let texts = &self.spellings[spelling].texts;
        let template = match layout {
            Some(layout) => Template::laid_out(&structure.root, texts, layout),
            None => Template::with_gaps(&structure.root, texts, &self.document.gaps),
        };
        search.charge(template.bytes.len());
        for edge in &self.edges {
            let Some(cost) = left.checked_sub(edge.cost).filter(|cost| *cost <= MAX_NUMBERS) else { continue };
            let mut hash = search.start();
            hash.update(&edge.before);
            let Some((numbers, changed)) = self.numbers(&template, hash, &edge.after, cost, search) else { continue };
            let text = [&edge.before[..], &numbers, &edge.after].concat();
            let mut changes = self.changes.clone();
            changes.extend(layout.filter(|layout| layout.cost > 0).map(|_| Change::WhiteSpace));
            changes.extend(&structure.changes);
            changes.extend((spelling > 0).then_some(Change::Escapes));
            changes.extend(changed);
            changes.extend(edge.change);
            return Some(Found::new(text, changes));
        }
        None
    }

    /// Creates the layouts and the spellings of strings and numbers, which are needed at every cost.
    fn prepare(&mut self) {
        if !self.spellings.is_empty() {
            return;
        }
        self.spellings = escapes::spellings(&self.document.texts);
        self.add_forms();
        let numbers: Vec<_> =
            self.document.numbers.iter().map(|number| (number.raw.as_str(), number.value.as_ref())).collect();
        self.rules = numbers::rules(&numbers, &self.forms);
        let texts = &self.spellings[0].texts;
        let raw = |template: &Template| template.filled(|_, number| &self.document.numbers[number].raw);
        let here = raw(&Template::with_gaps(&self.document.root, texts, &self.document.gaps));
        let mut seen = HashSet::new();
        let mut layouts = Vec::new();
        self.irregular = true;
        let large = here.len() > 16 << 10;
        for mut layout in layout::layouts().into_iter().filter(|layout| !large || layout.cost < 2) {
            let text = raw(&Template::laid_out(&self.document.root, texts, layout));
            if text == here {
                layout.cost = 0;
                self.irregular = false;
            }
            if seen.insert(text) {
                layouts.push(layout);
            }
        }
        layouts.sort_by_key(|layout| layout.cost);
        self.layouts = layouts;
    }

    /// Creates the alternative spellings of newly added numbers.
    fn add_forms(&mut self) {
        let new = self.document.numbers[self.forms.len()..].iter();
        self.forms.extend(new.map(|number| Forms::of(&number.raw, number.value.as_ref())));
    }

    /// Creates the structures with this cost. Returns `false` if the budget is used up.
    fn prepare_structures(&mut self, cost: usize, search: &mut Search) -> bool {
        if self.structures.len() > cost {
            return true;
        }
        if search.is_spent() {
            return false;
        }
        let root = self.document.root.clone();
        let nothing = Structure { root: root.clone(), changes: Vec::new() };
        let null = Node::Literal("null".into());
        let structures = match cost {
            0 => vec![nothing],
            1 => order::usual(&self.document, &root).into_iter().chain(members::without_nulls(&root)).collect(),
            2 => {
                let mut all = order::unusual(&self.document, &root);
                all.extend(combined::combined(&self.document, &root, Expected::Documented, 0, FEW_COMBINED));
                all.extend(combined::combined(&self.document, &root, Expected::Received, 0, FEW_COMBINED / 2));
                all.extend(order::of_all(&root, 0, FEW));
                all.extend(members::restore_documented(&mut self.document, &root, &null, 2));
                all.extend(members::emptied(&self.document));
                all.extend(members::retyped(&mut self.document));
                all
            }
            3 => {
                let mut all = order::of_one(&root);
                all.extend(combined::combined(
                    &self.document,
                    &root,
                    Expected::Documented,
                    FEW_COMBINED,
                    MOST_COMBINED,
                ));
                all.extend(combined::combined(&self.document, &root, Expected::Received, FEW_COMBINED / 2, MANY));
                all.extend(order::of_all(&root, FEW, MANY));
                all.extend(members::restore_documented(&mut self.document, &root, &null, 4));
                all.extend(self.with_order(&root, &null, 2));
                all.extend(members::restore_any(&mut self.document, &root, &null));
                all.extend(members::duplicates(&self.document, &root));
                all
            }
            4 => {
                let mut all = order::of_all(&root, MANY, MOST);
                all.extend(self.with_order(&root, &null, 4));
                all
            }
            _ => self.unusual(&root, &null),
        };
        // Several of these functions can create the same member order. It is kept only once.
        let hash = |root: &Node| self.hasher.hash_one(root);
        let is_new = |structure: &Structure| {
            structure.changes[..] != [Change::Order] || self.orders.insert(hash(&structure.root))
        };
        let structures: Vec<Structure> = structures.into_iter().filter(is_new).collect();
        search.charge(EACH_NODE * structures.iter().map(|structure| order::size(&structure.root)).sum::<usize>());
        self.structures.push(structures);
        self.add_forms();
        for spelling in &mut self.spellings {
            let new = self.document.texts[spelling.texts.len()..].iter();
            spelling.texts.extend(new.map(|text| text.raw.clone()));
        }
        true
    }

    /// Restores up to `most` missing documented members in each likely member order. The restored members have the
    /// value null.
    fn with_order(&mut self, root: &Node, null: &Node, most: usize) -> Vec<Structure> {
        let mut all = Vec::new();
        for base in self.bases(root) {
            let mut both = members::restore_documented(&mut self.document, &base.root, null, most);
            both.extend(order::usual(&self.document, &base.root));
            all.extend(both.into_iter().map(|structure| structure.after(&base)));
        }
        all
    }

    /// Restores a null member in each likely member order, under each documented or common name. Also restores members
    /// with other empty values, in the received order.
    fn unusual(&mut self, root: &Node, null: &Node) -> Vec<Structure> {
        let mut all = Vec::new();
        for base in self.bases(root) {
            let mut both = members::restore_any(&mut self.document, &base.root, null);
            both.extend(members::duplicates(&self.document, &base.root));
            all.extend(both.into_iter().map(|structure| structure.after(&base)));
        }
        for value in ["\"\"", "[]", "{}", "0", "false"].map(|value| Node::Literal(value.into())) {
            all.extend(members::restore_documented(&mut self.document, root, &value, 2));
            all.extend(members::restore_any(&mut self.document, root, &value));
        }
        all
    }

    fn bases(&self, root: &Node) -> Vec<Structure> {
        let mut bases = order::usual(&self.document, root);
        for base in combined::combined(&self.document, root, Expected::Documented, 0, FEW_BASES) {
            if bases.iter().all(|known| known.root != base.root) {
                bases.push(base);
            }
        }
        bases.extend(members::without_nulls(root));
        bases
    }
}
