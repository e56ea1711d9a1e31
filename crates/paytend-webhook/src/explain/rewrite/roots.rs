//! The JSON documents to parse: each result of unwrapping, and its variants with repaired strings.

use std::collections::HashSet;
use std::hash::RandomState;

use super::document::{Document, Node};
use super::{Edge, Rewriter};
use crate::explain::body_kind::BodyKind;
use crate::explain::change::{Change, Wrapping};
use crate::explain::wrapping::{CHARSETS, Layer, normal_forms, unescape_html};

/// Maximum number of documents that are parsed.
const MAX_ROOTS: usize = 48;

/// The properties by which two documents are compared: their structure, strings and numbers.
type Identity = (Node, Vec<Vec<u16>>, Vec<String>);

impl Rewriter {
    pub(in crate::explain) fn of_layers(layers: &[Layer]) -> Vec<Self> {
        let mut seen: HashSet<Identity> = HashSet::new();
        let mut rewriters = Vec::new();
        // A document that contains another document is rarely the signed text, so it has a higher cost.
        let is_document = |layer: &&Layer| BodyKind::of(&layer.bytes) == BodyKind::JsonObject && layer.bytes.len() > 8;
        let carried = |changes: &[Change]| {
            let inside = [Wrapping::Member, Wrapping::FormKey].map(Change::Wrapped);
            layers.iter().filter(is_document).any(|layer| {
                layer
                    .changes
                    .strip_prefix(changes)
                    .is_some_and(|rest| rest.first().is_some_and(|change| inside.contains(change)))
            })
        };
        for layer in layers.iter().filter(|layer| layer.is_unwrapped()) {
            let twice = layer.changes.len() > 1;
            if twice && layer.changes.iter().any(|change| matches!(change, Change::MisreadBySender(_))) {
                continue;
            }
            let Ok(text) = std::str::from_utf8(&layer.bytes) else { continue };
            let Some(document) = Document::read(text) else { continue };
            let repaired = if layer.changes.len() < 2 { repaired(&document) } else { Vec::new() };
            let all = std::iter::once((document, None))
                .chain(repaired.into_iter().map(|(document, change)| (document, Some(change))));
            for (document, change) in all {
                if rewriters.len() < MAX_ROOTS && seen.insert(identity(&document)) {
                    let changes: Vec<Change> = layer.changes.iter().copied().chain(change).collect();
                    let mut rewriter = Self::new(document, changes, text);
                    rewriter.cost += if carried(&layer.changes) { 2 } else { 0 };
                    rewriters.push(rewriter);
                }
            }
        }
        rewriters.sort_by_key(|rewriter| rewriter.cost);
        rewriters
    }

    fn new(document: Document, changes: Vec<Change>, text: &str) -> Self {
        // An object within the text is rarely the signed text, so it has a higher cost.
        let cost = |change: &Change| if *change == Change::Wrapped(Wrapping::InnerObject) { 3 } else { 1 };
        let cost = changes.iter().map(cost).sum();
        Self {
            document,
            changes,
            cost,
            edges: edges(text),
            layouts: Vec::new(),
            irregular: false,
            spellings: Vec::new(),
            forms: Vec::new(),
            rules: Vec::new(),
            structures: Vec::new(),
            orders: HashSet::new(),
            hasher: RandomState::new(),
        }
    }
}

fn identity(document: &Document) -> Identity {
    let texts = document.texts.iter().map(|text| text.units.clone()).collect();
    (document.root.clone(), texts, document.numbers.iter().map(|number| number.raw.clone()).collect())
}

/// Tries several repairs of the document's strings, such as Unicode normalization, and returns a document for each
/// repair that changes a string.
fn repaired(document: &Document) -> Vec<(Document, Change)> {
    let mut all = Vec::new();
    let mut add = |change: Change, map: &dyn Fn(&str) -> Option<String>| {
        all.extend(document.map_texts(map).map(|document| (document, change)));
    };
    for name in ["NFC", "NFD"] {
        add(Change::NormalForm(name), &|text| {
            normal_forms(text).into_iter().find(|(_, form)| *form == name).map(|(text, _)| text)
        });
    }
    for charset in CHARSETS {
        add(Change::Misread(charset.name()), &|text| charset.reread(text));
    }
    add(Change::HtmlEscaped, &unescape_html);
    add(Change::PlusAndSpace, &|text| text.contains('+').then(|| text.replace('+', " ")));
    add(Change::PlusAndSpace, &|text| text.contains(' ').then(|| text.replace(' ', "+")));
    all
}

/// Returns the texts that may have preceded and followed the JSON when it was signed.
fn edges(text: &str) -> Vec<Edge> {
    let start = text.len() - text.trim_ascii_start().len();
    let end = text.trim_ascii_end().len();
    let (before, after) = (&text.as_bytes()[..start], &text.as_bytes()[end.max(start)..]);
    let edge =
        |before: &[u8], after: &[u8], change, cost| Edge { before: before.into(), after: after.into(), change, cost };
    let mut edges = vec![edge(before, after, None, 0)];
    if !before.is_empty() || !after.is_empty() {
        edges.push(edge(b"", b"", Some(Change::WhiteSpaceAdded), 0));
    }
    for (end, cost) in [(&b"\n"[..], 1), (b"\r\n", 2)] {
        if !before.is_empty() || after != end {
            edges.push(edge(b"", end, Some(Change::NewlineLost), cost));
        }
    }
    edges.push(edge(b"\xEF\xBB\xBF", b"", Some(Change::ByteOrderMark), 2));
    edges
}
