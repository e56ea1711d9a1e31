//! A small JSON reader and writer that models programs in other languages. It shares no code with the crate.

use std::fmt::Write as _;

#[derive(Clone, Debug, PartialEq)]
pub(super) enum Json {
    Object(Vec<(String, Json)>),
    Array(Vec<Json>),
    Text(String),
    /// The source text of the number.
    Number(String),
    Word(&'static str),
}

pub(super) type Members = Vec<(String, Json)>;

/// The format in which a program writes JSON: separators, whitespace and escapes.
#[derive(Clone, Copy)]
pub(super) struct Writer {
    pub(super) comma: &'static str,
    pub(super) colon: &'static str,
    pub(super) indent: &'static str,
    pub(super) newline: &'static str,
    pub(super) spaced_arrays: bool,
    pub(super) escape: fn(char) -> bool,
    pub(super) slash: bool,
    pub(super) upper: bool,
}

pub(super) const COMPACT: Writer = Writer {
    comma: ",",
    colon: ":",
    indent: "",
    newline: "",
    spaced_arrays: false,
    escape: |_| false,
    slash: false,
    upper: false,
};
pub(super) const PYTHON: Writer = Writer { comma: ", ", colon: ": ", escape: |c| c > '~', ..COMPACT };

impl Writer {
    pub(super) fn lines(self, indent: &'static str) -> Self {
        Self { comma: ",", colon: ": ", indent, newline: "\n", ..self }
    }

    pub(super) fn write(self, json: &Json) -> String {
        let mut out = String::new();
        self.put(json, 0, &mut out);
        out
    }

    fn put(self, json: &Json, depth: usize, out: &mut String) {
        match json {
            Json::Object(members) if members.is_empty() => out.push_str("{}"),
            Json::Array(elements) if elements.is_empty() => out.push_str("[]"),
            Json::Object(members) => {
                out.push('{');
                for (at, (name, value)) in members.iter().enumerate() {
                    if at > 0 {
                        out.push_str(self.comma);
                    }
                    self.line(depth + 1, out);
                    self.text(name, out);
                    out.push_str(self.colon);
                    self.put(value, depth + 1, out);
                }
                self.line(depth, out);
                out.push('}');
            }
            Json::Array(elements) => {
                out.push('[');
                let inner = if self.spaced_arrays { depth } else { depth + 1 };
                for (at, element) in elements.iter().enumerate() {
                    match (at, self.spaced_arrays) {
                        (0, true) => out.push(' '),
                        (0, false) => {}
                        (_, true) => out.push_str(", "),
                        (_, false) => out.push_str(self.comma),
                    }
                    if !self.spaced_arrays {
                        self.line(inner, out);
                    }
                    self.put(element, inner, out);
                }
                if self.spaced_arrays {
                    out.push(' ');
                } else {
                    self.line(depth, out);
                }
                out.push(']');
            }
            Json::Text(text) => self.text(text, out),
            Json::Number(text) => out.push_str(text),
            Json::Word(word) => out.push_str(word),
        }
    }

    fn line(self, depth: usize, out: &mut String) {
        if !self.newline.is_empty() {
            out.push_str(self.newline);
            (0..depth).for_each(|_| out.push_str(self.indent));
        }
    }

    fn text(self, text: &str, out: &mut String) {
        out.push('"');
        for c in text.chars() {
            match c {
                _ if (self.escape)(c) || c < ' ' && !matches!(c, '\n' | '\r' | '\t') => {
                    for unit in c.encode_utf16(&mut [0; 2]) {
                        let _ = if self.upper { write!(out, "\\u{unit:04X}") } else { write!(out, "\\u{unit:04x}") };
                    }
                }
                '"' => out.push_str("\\\""),
                '\\' => out.push_str("\\\\"),
                '\n' => out.push_str("\\n"),
                '\r' => out.push_str("\\r"),
                '\t' => out.push_str("\\t"),
                '/' if self.slash => out.push_str("\\/"),
                other => out.push(other),
            }
        }
        out.push('"');
    }
}

/// Parses JSON as most programs do. Returns `None` if the text is not JSON.
pub(super) fn read(bytes: &[u8]) -> Option<Json> {
    let text = std::str::from_utf8(bytes).ok()?;
    serde_json::from_str::<serde::de::IgnoredAny>(text).ok()?;
    let mut rest = text;
    Some(value(&mut rest))
}

fn value(rest: &mut &str) -> Json {
    *rest = rest.trim_start();
    match rest.as_bytes()[0] {
        open @ (b'{' | b'[') => {
            *rest = rest[1..].trim_start();
            let (mut members, mut elements) = (Vec::new(), Vec::new());
            while !rest.starts_with(['}', ']']) {
                *rest = rest.trim_start_matches(',').trim_start();
                if open == b'{' {
                    let Json::Text(name) = value(rest) else { panic!("a name") };
                    *rest = rest.trim_start()[1..].trim_start();
                    members.push((name, value(rest)));
                } else {
                    elements.push(value(rest));
                }
                *rest = rest.trim_start();
            }
            *rest = &rest[1..];
            if open == b'{' { Json::Object(members) } else { Json::Array(elements) }
        }
        b'"' => {
            let mut stream = serde_json::Deserializer::from_str(rest).into_iter::<String>();
            let text = stream.next().unwrap().unwrap();
            *rest = &rest[stream.byte_offset()..];
            Json::Text(text)
        }
        _ => {
            let end = rest.find([',', '}', ']', ' ', '\n', '\r', '\t']).unwrap_or(rest.len());
            let (word, after) = rest.split_at(end);
            *rest = after;
            match word {
                "true" => Json::Word("true"),
                "false" => Json::Word("false"),
                "null" => Json::Word("null"),
                number => Json::Number(number.to_owned()),
            }
        }
    }
}

impl Json {
    /// Changes the members of all objects, inner objects first.
    pub(super) fn each_object(&mut self, change: &mut dyn FnMut(&mut Members)) {
        match self {
            Self::Object(members) => {
                members.iter_mut().for_each(|(_, value)| value.each_object(change));
                change(members);
            }
            Self::Array(elements) => elements.iter_mut().for_each(|element| element.each_object(change)),
            _ => {}
        }
    }

    pub(super) fn each_number(&mut self, change: &mut dyn FnMut(&mut String)) {
        match self {
            Self::Object(members) => members.iter_mut().for_each(|(_, value)| value.each_number(change)),
            Self::Array(elements) => elements.iter_mut().for_each(|element| element.each_number(change)),
            Self::Number(number) => change(number),
            _ => {}
        }
    }
}
