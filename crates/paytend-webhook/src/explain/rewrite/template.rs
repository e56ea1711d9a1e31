//! A document in a given layout and spelling, with slots for its numbers.

use zeroize::Zeroizing;

use super::document::Node;
use super::layout::Layout;

/// JSON text with slots for its numbers.
pub(super) struct Template {
    pub(super) bytes: Zeroizing<Vec<u8>>,
    /// The position of each slot, and the index of its number.
    pub(super) slots: Vec<(usize, usize)>,
}

impl AsMut<Vec<u8>> for Template {
    fn as_mut(&mut self) -> &mut Vec<u8> {
        &mut self.bytes
    }
}

impl Template {
    fn empty() -> Self {
        Self { bytes: Zeroizing::new(Vec::with_capacity(512)), slots: Vec::new() }
    }

    pub(super) fn laid_out(root: &Node, texts: &[String], layout: Layout) -> Self {
        let mut template = Self::empty();
        template.put(root, texts, layout, 0);
        template
    }

    fn put(&mut self, node: &Node, texts: &[String], layout: Layout, depth: usize) {
        match node {
            Node::Object(members) => layout.list(b"{}", members, depth, self, |(name, value), inner, out| {
                out.text(*name, texts);
                out.bytes.extend_from_slice(layout.colon().as_bytes());
                out.put(value, texts, layout, inner);
            }),
            Node::Array(elements) => {
                layout.list(b"[]", elements, depth, self, |element, inner, out| out.put(element, texts, layout, inner));
            }
            leaf => self.leaf(leaf, texts),
        }
    }

    /// Writes the document with the received whitespace before each token.
    pub(super) fn with_gaps(root: &Node, texts: &[String], gaps: &[String]) -> Self {
        let mut template = Self::empty();
        template.put_with_gaps(root, texts, &mut gaps.iter());
        template
    }

    fn put_with_gaps(&mut self, node: &Node, texts: &[String], gaps: &mut std::slice::Iter<'_, String>) {
        let token = |out: &mut Self, token: &[u8], gaps: &mut std::slice::Iter<'_, String>| {
            out.bytes.extend(gaps.next().into_iter().flat_map(|gap| gap.bytes()));
            out.bytes.extend_from_slice(token);
        };
        match node {
            Node::Object(members) => {
                token(self, b"{", gaps);
                for (at, (name, value)) in members.iter().enumerate() {
                    if at > 0 {
                        token(self, b",", gaps);
                    }
                    token(self, b"", gaps);
                    self.text(*name, texts);
                    token(self, b":", gaps);
                    self.put_with_gaps(value, texts, gaps);
                }
                token(self, b"}", gaps);
            }
            Node::Array(elements) => {
                token(self, b"[", gaps);
                for (at, element) in elements.iter().enumerate() {
                    if at > 0 {
                        token(self, b",", gaps);
                    }
                    self.put_with_gaps(element, texts, gaps);
                }
                token(self, b"]", gaps);
            }
            leaf => {
                token(self, b"", gaps);
                self.leaf(leaf, texts);
            }
        }
    }

    fn text(&mut self, text: usize, texts: &[String]) {
        self.bytes.extend_from_slice(texts.get(text).map_or("", String::as_str).as_bytes());
    }

    fn leaf(&mut self, node: &Node, texts: &[String]) {
        match node {
            Node::Text(text) => self.text(*text, texts),
            Node::Number(number) => self.slots.push((self.bytes.len(), *number)),
            Node::Quoted(number) => {
                self.bytes.push(b'"');
                self.slots.push((self.bytes.len(), *number));
                self.bytes.push(b'"');
            }
            Node::Literal(literal) => self.bytes.extend_from_slice(literal.as_bytes()),
            Node::Object(_) | Node::Array(_) => {}
        }
    }

    /// Returns the text with the slots filled by `number`.
    pub(super) fn filled<'a>(&self, mut number: impl FnMut(usize, usize) -> &'a str) -> Vec<u8> {
        let mut filled = Vec::with_capacity(self.bytes.len() + self.slots.len() * 8);
        let mut from = 0;
        for (slot, (at, id)) in self.slots.iter().enumerate() {
            filled.extend_from_slice(&self.bytes[from..*at]);
            filled.extend_from_slice(number(slot, *id).as_bytes());
            from = *at;
        }
        filled.extend_from_slice(&self.bytes[from..]);
        filled
    }
}
