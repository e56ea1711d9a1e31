//! Parsed JSON that keeps the strings, numbers and whitespace of its source text.

use super::numbers::Decimal;

/// Maximum nesting depth.
const MAX_DEPTH: usize = 64;

/// A parsed JSON text that can be re-serialized with different escapes, number formats and whitespace.
pub(super) struct Document {
    /// All strings and names; [`Node`] refers to them by index.
    pub(super) texts: Vec<Text>,
    /// All numbers; [`Node`] refers to them by index.
    pub(super) numbers: Vec<Number>,
    pub(super) root: Node,
    /// The whitespace before each token.
    pub(super) gaps: Vec<String>,
}

pub(super) struct Text {
    /// The source text, with its quotes.
    pub(super) raw: String,
    /// The value in UTF-16, because escapes can be unpaired surrogates.
    pub(super) units: Vec<u16>,
}

pub(super) struct Number {
    pub(super) raw: String,
    pub(super) value: Option<Decimal>,
    /// The name of the member that has this value, as an index into `texts`.
    pub(super) name: Option<usize>,
}

/// A JSON value.
#[derive(Clone, PartialEq, Eq, Hash)]
pub(super) enum Node {
    Object(Vec<(usize, Node)>),
    Array(Vec<Node>),
    Text(usize),
    Number(usize),
    /// A number that is written as a JSON string.
    Quoted(usize),
    /// `true`, `false` or `null` from the source, or other JSON text that is written as is, such as a guessed value.
    Literal(String),
}

impl Text {
    /// Parses a JSON string. `serde_json` has already checked the grammar.
    fn read(raw: &str) -> Self {
        let mut units = Vec::with_capacity(raw.len());
        let mut rest = raw.get(1..raw.len().saturating_sub(1)).unwrap_or_default();
        while let Some(c) = rest.chars().next() {
            rest = &rest[c.len_utf8()..];
            if c != '\\' {
                units.extend_from_slice(c.encode_utf16(&mut [0; 2]));
                continue;
            }
            let escaped = rest.chars().next().unwrap_or('\\');
            rest = &rest[escaped.len_utf8().min(rest.len())..];
            units.push(match escaped {
                'b' => 8,
                'f' => 12,
                'n' => 10,
                'r' => 13,
                't' => 9,
                'u' => {
                    let (hex, after) = rest.split_at_checked(4).unwrap_or(("", ""));
                    rest = after;
                    u16::from_str_radix(hex, 16).unwrap_or(0xfffd)
                }
                other => u16::try_from(u32::from(other)).unwrap_or(0xfffd),
            });
        }
        Self { raw: raw.to_owned(), units }
    }

    /// Creates a JSON string literal for a value, without unnecessary escapes.
    pub(super) fn of(value: &str) -> Self {
        let raw = serde_json::Value::from(value).to_string();
        Self { raw, units: value.encode_utf16().collect() }
    }

    /// Returns the value, or `None` if it contains an unpaired surrogate.
    pub(super) fn value(&self) -> Option<String> {
        String::from_utf16(&self.units).ok()
    }
}

impl Document {
    /// Parses a single object or array without trailing text. Returns `None` for any other text.
    pub(super) fn read(text: &str) -> Option<Self> {
        let text = text.trim_matches(|c: char| c.is_ascii_whitespace());
        if !text.starts_with(['{', '[']) {
            return None;
        }
        // `serde_json` checks the grammar, so the reader below does not check it again.
        serde_json::from_str::<&serde_json::value::RawValue>(text).ok()?;
        let mut reader = Reader { rest: text, texts: Vec::new(), numbers: Vec::new(), gaps: Vec::new() };
        let root = reader.value(None, 0)?;
        Some(Self { texts: reader.texts, numbers: reader.numbers, root, gaps: reader.gaps })
    }

    /// Adds a string, unless the document already contains it, and returns its index.
    pub(super) fn add_text(&mut self, value: &str) -> usize {
        let known =
            self.texts.iter().position(|text| text.raw.len() == value.len() + 2 && text.raw[1..].starts_with(value));
        known.unwrap_or_else(|| {
            self.texts.push(Text::of(value));
            self.texts.len() - 1
        })
    }

    /// Returns the document with `change` applied to its strings, or `None` if no string changes.
    pub(super) fn map_texts(&self, change: impl Fn(&str) -> Option<String>) -> Option<Self> {
        let mut changed = false;
        let texts = self.texts.iter().map(|text| match text.value().and_then(|value| change(&value)) {
            Some(value) => {
                changed = true;
                Text::of(&value)
            }
            None => Text { raw: text.raw.clone(), units: text.units.clone() },
        });
        let texts = texts.collect();
        let number =
            |number: &Number| Number { raw: number.raw.clone(), value: number.value.clone(), name: number.name };
        let numbers = self.numbers.iter().map(number).collect();
        changed.then(|| Self { texts, numbers, root: self.root.clone(), gaps: self.gaps.clone() })
    }
}

struct Reader<'a> {
    rest: &'a str,
    texts: Vec<Text>,
    numbers: Vec<Number>,
    gaps: Vec<String>,
}

impl Reader<'_> {
    /// Reads the whitespace before a token and stores it.
    fn gap(&mut self) {
        let rest = self.rest.trim_start_matches(|c: char| c.is_ascii_whitespace());
        self.gaps.push(self.rest[..self.rest.len() - rest.len()].to_owned());
        self.rest = rest;
    }

    /// Reads a token of a single character.
    fn token(&mut self) {
        self.gap();
        self.rest = self.rest.get(1..).unwrap_or_default();
    }

    fn peek(&self) -> u8 {
        self.rest.trim_ascii_start().as_bytes().first().copied().unwrap_or_default()
    }

    fn value(&mut self, name: Option<usize>, depth: usize) -> Option<Node> {
        if depth > MAX_DEPTH {
            return None;
        }
        match self.peek() {
            b'{' => {
                self.token();
                let mut members = Vec::new();
                while self.peek() != b'}' {
                    if !members.is_empty() {
                        self.token();
                    }
                    let name = self.text()?;
                    self.token();
                    members.push((name, self.value(Some(name), depth + 1)?));
                }
                self.token();
                Some(Node::Object(members))
            }
            b'[' => {
                self.token();
                let mut elements = Vec::new();
                while self.peek() != b']' {
                    if !elements.is_empty() {
                        self.token();
                    }
                    elements.push(self.value(name, depth + 1)?);
                }
                self.token();
                Some(Node::Array(elements))
            }
            b'"' => self.text().map(Node::Text),
            _ => {
                self.gap();
                let end = self.rest.find([',', '}', ']', ' ', '\t', '\r', '\n']).unwrap_or(self.rest.len());
                let (raw, after) = self.rest.split_at(end);
                self.rest = after;
                if raw.starts_with(['t', 'f', 'n']) {
                    return Some(Node::Literal(raw.to_owned()));
                }
                self.numbers.push(Number { raw: raw.to_owned(), value: Decimal::read(raw), name });
                Some(Node::Number(self.numbers.len() - 1))
            }
        }
    }

    fn text(&mut self) -> Option<usize> {
        self.gap();
        let mut escaped = false;
        let end = self.rest.char_indices().skip(1).find_map(|(at, c)| {
            let ends = c == '"' && !escaped;
            escaped = c == '\\' && !escaped;
            ends.then_some(at + 1)
        })?;
        let (raw, after) = self.rest.split_at(end);
        self.texts.push(Text::read(raw));
        self.rest = after;
        Some(self.texts.len() - 1)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn strings_are_parsed_with_their_escapes() {
        let document = Document::read(r#" { "a\u00e9\/" : [ 1.50, "\ud83e" , null ] } "#).unwrap();
        assert_eq!(document.texts[0].value().as_deref(), Some("aé/"));
        assert_eq!(document.texts[1].units, [0xd83e]);
        assert_eq!(document.texts[1].value(), None);
        assert_eq!(document.numbers[0].raw, "1.50");
        assert_eq!(document.numbers[0].name, Some(0));
        assert_eq!(document.gaps, ["", " ", " ", " ", " ", "", " ", " ", " ", " ", " "]);
    }

    #[test]
    fn only_a_single_object_or_array_is_parsed() {
        let deep = format!("{}1{}", "[".repeat(100), "]".repeat(100));
        for bad in ["", "{", "[1", "{\"a\"}", "\"\"", "1", &"[".repeat(100_000), &deep] {
            assert!(Document::read(bad).is_none(), "{bad}");
        }
    }
}
