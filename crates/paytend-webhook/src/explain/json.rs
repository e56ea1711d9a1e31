//! A JSON text written in other ways: with the white space, order, escapes and numbers that other programs give it.

use std::borrow::Cow;
use std::fmt::Write as _;

use zeroize::Zeroizing;

/// Deeper texts are not looked at.
const MAX_DEPTH: usize = 64;

/// A JSON value whose strings and numbers are as they were written.
pub(crate) enum Node<'a> {
    Object(Vec<(&'a str, Node<'a>)>),
    Array(Vec<Node<'a>>),
    /// With its quotes.
    String(&'a str),
    /// A number, `true`, `false` or `null`.
    Literal(&'a str),
}

impl<'a> Node<'a> {
    /// Reads one value and nothing after it.
    pub(crate) fn read(text: &'a str) -> Option<Self> {
        // The grammar is the library's to check.
        serde_json::from_str::<&serde_json::value::RawValue>(text).ok()?;
        let mut rest = text;
        Self::value(&mut rest, 0)
    }

    fn value(rest: &mut &'a str, depth: usize) -> Option<Self> {
        *rest = rest.trim_ascii_start();
        match rest.as_bytes().first()? {
            _ if depth > MAX_DEPTH => None,
            b'{' => {
                let mut members = Vec::new();
                *rest = rest[1..].trim_ascii_start();
                while !rest.starts_with('}') {
                    let name = string(rest)?;
                    *rest = rest.trim_ascii_start().strip_prefix(':')?;
                    members.push((name, Self::value(rest, depth + 1)?));
                    separator(rest);
                }
                *rest = &rest[1..];
                Some(Self::Object(members))
            }
            b'[' => {
                let mut elements = Vec::new();
                *rest = rest[1..].trim_ascii_start();
                while !rest.starts_with(']') {
                    elements.push(Self::value(rest, depth + 1)?);
                    separator(rest);
                }
                *rest = &rest[1..];
                Some(Self::Array(elements))
            }
            b'"' => string(rest).map(Self::String),
            _ => {
                let end = rest.find([',', '}', ']', ' ', '\t', '\r', '\n']).unwrap_or(rest.len());
                let (literal, after) = rest.split_at(end);
                *rest = after;
                Some(Self::Literal(literal))
            }
        }
    }
}

fn separator(rest: &mut &str) {
    *rest = rest.trim_ascii_start();
    if let Some(after) = rest.strip_prefix(',') {
        *rest = after.trim_ascii_start();
    }
}

/// The string at the start, with its quotes.
fn string<'a>(rest: &mut &'a str) -> Option<&'a str> {
    let mut escaped = false;
    let end = rest.char_indices().skip(1).find_map(|(at, c)| {
        let ends = c == '"' && !escaped;
        escaped = c == '\\' && !escaped;
        ends.then_some(at + 1)
    })?;
    let (string, after) = rest.split_at(end);
    *rest = after;
    Some(string)
}

/// A way to write JSON.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Style {
    pub(crate) space: Space,
    pub(crate) sorted: bool,
    pub(crate) escapes: Escapes,
    pub(crate) numbers: Numbers,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Space {
    None,
    /// `{"a": 1, "b": 2}`
    AfterBoth,
    /// `{"a": 1,"b": 2}`
    AfterColon,
    /// On lines, each level so far to the right, with this between name and value.
    Lines(&'static str, &'static str),
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Escapes {
    AsTheyAre,
    Slashes,
    NoSlashes,
    Unicode,
    UnicodeUpper,
    NoUnicode,
    Html,
    HtmlAndQuotes,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Numbers {
    AsTheyAre,
    /// Without zeros at the end: `1250.5`, `10`.
    Shortest,
    /// The same, but with one decimal at least where there were some: `10.0`.
    ShortestFloat,
    /// With two decimals: `10.00`.
    TwoDecimals,
}

pub(crate) const SPACES: [Space; 7] = [
    Space::None,
    Space::AfterBoth,
    Space::AfterColon,
    Space::Lines("  ", ": "),
    Space::Lines("    ", ": "),
    Space::Lines("\t", ": "),
    Space::Lines("  ", " : "),
];
pub(crate) const ESCAPES: [Escapes; 8] = [
    Escapes::AsTheyAre,
    Escapes::Slashes,
    Escapes::NoSlashes,
    Escapes::Unicode,
    Escapes::UnicodeUpper,
    Escapes::NoUnicode,
    Escapes::Html,
    Escapes::HtmlAndQuotes,
];
pub(crate) const NUMBERS: [Numbers; 4] =
    [Numbers::AsTheyAre, Numbers::Shortest, Numbers::ShortestFloat, Numbers::TwoDecimals];

/// What is being written. It stops once it is too long.
struct Out {
    text: Zeroizing<String>,
    longest: usize,
}

impl Out {
    fn push(&mut self, text: &str) {
        if self.text.len() <= self.longest {
            self.text.push_str(text);
        }
    }
}

impl Style {
    /// The text, if it is not longer than that.
    pub(crate) fn write(self, node: &Node<'_>, longest: usize) -> Option<Zeroizing<String>> {
        let mut out = Out { text: Zeroizing::new(String::new()), longest };
        self.put(node, 0, &mut out);
        (out.text.len() <= longest).then_some(out.text)
    }

    fn put(self, node: &Node<'_>, depth: usize, out: &mut Out) {
        if out.text.len() > out.longest {
            return;
        }
        match node {
            Node::Object(members) => {
                let mut order: Vec<_> = members.iter().collect();
                if self.sorted {
                    // By their characters, not by the quotes around them.
                    order.sort_by_key(|(name, _)| name.trim_matches('"'));
                }
                self.list(["{", "}"], &order, depth, out, |(name, value), out| {
                    out.push(&self.string(name));
                    out.push(match self.space {
                        Space::None => ":",
                        Space::AfterBoth | Space::AfterColon => ": ",
                        Space::Lines(_, between) => between,
                    });
                    self.put(value, depth + 1, out);
                });
            }
            Node::Array(elements) => {
                self.list(["[", "]"], elements, depth, out, |element, out| self.put(element, depth + 1, out));
            }
            Node::String(text) => out.push(&self.string(text)),
            Node::Literal(text) => out.push(&self.number(text)),
        }
    }

    fn list<T>(self, [open, close]: [&str; 2], items: &[T], depth: usize, out: &mut Out, put: impl Fn(&T, &mut Out)) {
        out.push(open);
        for (at, item) in items.iter().enumerate() {
            if at > 0 {
                out.push(if self.space == Space::AfterBoth { ", " } else { "," });
            }
            self.line(depth + 1, out);
            put(item, out);
        }
        if !items.is_empty() {
            self.line(depth, out);
        }
        out.push(close);
    }

    fn line(self, depth: usize, out: &mut Out) {
        if let Space::Lines(indent, _) = self.space {
            out.push("\n");
            (0..depth).for_each(|_| out.push(indent));
        }
    }

    fn string(self, raw: &str) -> Cow<'_, str> {
        let escaped = |which: fn(char) -> bool, upper: bool| {
            let mut out = String::with_capacity(raw.len());
            for c in raw.chars() {
                if which(c) {
                    for unit in c.encode_utf16(&mut [0; 2]) {
                        let _ = if upper { write!(out, "\\u{unit:04X}") } else { write!(out, "\\u{unit:04x}") };
                    }
                } else {
                    out.push(c);
                }
            }
            Cow::Owned(out)
        };
        match self.escapes {
            Escapes::AsTheyAre => Cow::Borrowed(raw),
            Escapes::Slashes => Cow::Owned(raw.replace("\\/", "/").replace('/', "\\/")),
            Escapes::NoSlashes => Cow::Owned(raw.replace("\\/", "/")),
            Escapes::Unicode => escaped(|c| !c.is_ascii(), false),
            Escapes::UnicodeUpper => escaped(|c| !c.is_ascii(), true),
            Escapes::Html => escaped(|c| matches!(c, '<' | '>' | '&'), false),
            Escapes::HtmlAndQuotes => escaped(|c| matches!(c, '<' | '>' | '&' | '=' | '\''), false),
            // As a library would write it that escapes nothing it need not.
            Escapes::NoUnicode => serde_json::from_str::<String>(raw)
                .ok()
                .and_then(|text| serde_json::to_string(&text).ok())
                .map_or(Cow::Borrowed(raw), Cow::Owned),
        }
    }

    fn number(self, text: &str) -> Cow<'_, str> {
        let plain = text.bytes().all(|byte| byte.is_ascii_digit() || byte == b'.' || byte == b'-');
        let (whole, decimals) = text.split_once('.').unwrap_or((text, ""));
        if !plain || self.numbers == Numbers::AsTheyAre {
            return Cow::Borrowed(text);
        }
        let shortest = decimals.trim_end_matches('0');
        match self.numbers {
            Numbers::TwoDecimals if shortest.len() <= 2 => Cow::Owned(format!("{whole}.{shortest:0<2}")),
            Numbers::ShortestFloat if shortest.is_empty() && !decimals.is_empty() => Cow::Owned(format!("{whole}.0")),
            Numbers::Shortest | Numbers::ShortestFloat if shortest.is_empty() => Cow::Borrowed(whole),
            Numbers::Shortest | Numbers::ShortestFloat => Cow::Owned(format!("{whole}.{shortest}")),
            _ => Cow::Borrowed(text),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const PLAIN: Style =
        Style { space: Space::None, sorted: false, escapes: Escapes::AsTheyAre, numbers: Numbers::AsTheyAre };

    #[test]
    fn a_text_is_written_in_each_style() {
        let text = "{ \"b\" : [1, 2.50,true ], \"a\\\"\":{},\"c\":\"\\u00e9/<é\" , \"d\":[] }";
        let node = Node::read(text).unwrap();
        for (style, expected) in [
            (PLAIN, "{\"b\":[1,2.50,true],\"a\\\"\":{},\"c\":\"\\u00e9/<é\",\"d\":[]}"),
            (
                Style { space: Space::AfterBoth, ..PLAIN },
                "{\"b\": [1, 2.50, true], \"a\\\"\": {}, \"c\": \"\\u00e9/<é\", \"d\": []}",
            ),
            (
                Style { space: Space::Lines("  ", " : "), ..PLAIN },
                "{\n  \"b\" : [\n    1,\n    2.50,\n    true\n  ],\n  \"a\\\"\" : {},\n  \"c\" : \"\\u00e9/<é\",\n  \"d\" : []\n}",
            ),
            (Style { sorted: true, ..PLAIN }, "{\"a\\\"\":{},\"b\":[1,2.50,true],\"c\":\"\\u00e9/<é\",\"d\":[]}"),
            (
                Style { escapes: Escapes::Slashes, numbers: Numbers::Shortest, ..PLAIN },
                "{\"b\":[1,2.5,true],\"a\\\"\":{},\"c\":\"\\u00e9\\/<é\",\"d\":[]}",
            ),
            (
                Style { escapes: Escapes::NoUnicode, numbers: Numbers::TwoDecimals, ..PLAIN },
                "{\"b\":[1.00,2.50,true],\"a\\\"\":{},\"c\":\"é/<é\",\"d\":[]}",
            ),
            (
                Style { escapes: Escapes::Unicode, ..PLAIN },
                "{\"b\":[1,2.50,true],\"a\\\"\":{},\"c\":\"\\u00e9/<\\u00e9\",\"d\":[]}",
            ),
            (
                Style { escapes: Escapes::Html, ..PLAIN },
                "{\"b\":[1,2.50,true],\"a\\\"\":{},\"c\":\"\\u00e9/\\u003cé\",\"d\":[]}",
            ),
        ] {
            let written = style.write(&node, expected.len()).unwrap();
            assert_eq!(*written, expected, "{style:?}");
            assert!(Node::read(&written).is_some());
            assert!(style.write(&node, expected.len() - 1).is_none());
        }
        let deep = format!("{}1{}", "[".repeat(60), "]".repeat(60));
        let spread = Style { space: Space::Lines("    ", ": "), ..PLAIN };
        assert!(spread.write(&Node::read(&deep).unwrap(), 10_000).is_none());
        let names = Node::read(r#"{"a b":1,"a":2}"#).unwrap();
        let sorted = Style { sorted: true, ..PLAIN };
        assert_eq!(*sorted.write(&names, 100).unwrap(), r#"{"a":2,"a b":1}"#);
        for (number, style, expected) in [
            ("10.00", Numbers::Shortest, "10"),
            ("10.00", Numbers::ShortestFloat, "10.0"),
            ("10", Numbers::ShortestFloat, "10"),
            ("-1250.50", Numbers::Shortest, "-1250.5"),
            ("1250.5", Numbers::TwoDecimals, "1250.50"),
            ("1250.125", Numbers::TwoDecimals, "1250.125"),
            ("1e3", Numbers::Shortest, "1e3"),
            ("null", Numbers::TwoDecimals, "null"),
        ] {
            assert_eq!(Style { numbers: style, ..PLAIN }.number(number), expected);
        }
        for bad in
            ["", "{", "[1", "{\"a\"}", "\"", &"[".repeat(100_000), &format!("{}1{}", "[".repeat(100), "]".repeat(100))]
        {
            assert!(Node::read(bad).is_none());
        }
    }
}
