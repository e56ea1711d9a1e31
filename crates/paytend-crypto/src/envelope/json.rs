//! A strict JSON reader, applied before any key is used.
//!
//! It refuses every document that two lenient parsers could interpret differently. It requires exactly one object and
//! unique names, and limits the depth and the number of values. Numbers keep their text as received.

use std::borrow::Cow;
use std::cell::Cell;
use std::collections::HashSet;
use std::fmt;

use serde::de::{Deserializer, Error as _, MapAccess, Visitor};
use serde_json::value::RawValue;

use crate::error::{JsonProblem, PayloadProblem};

/// The maximum number of top-level fields of a document. The known envelopes have at most eight.
pub(crate) const MAX_FIELDS: usize = 64;
/// The maximum nesting depth of a payload.
const MAX_DEPTH: usize = 64;
/// The maximum number of values in a payload, counting names, members and elements.
const MAX_VALUES: usize = 1_000_000;

/// A JSON problem and its position (line and column, both starting at 1).
#[derive(Debug)]
pub(crate) struct Flaw {
    pub(crate) problem: JsonProblem,
    pub(crate) line: usize,
    pub(crate) column: usize,
}

impl From<Flaw> for PayloadProblem {
    fn from(flaw: Flaw) -> Self {
        Self::Json { problem: flaw.problem, line: flaw.line, column: flaw.column }
    }
}

/// The value of a top-level field.
#[derive(Debug, Clone, PartialEq)]
pub(crate) enum Value<'a> {
    /// A string, with its escapes resolved.
    Text(Cow<'a, str>),
    /// A number, `true` or `false`, as written.
    Literal(&'a str),
    /// `null`.
    Null,
    /// An object or an array, which is not parsed.
    Nested,
}

/// Reads the top-level fields of a document, in order. Their names are unique.
pub(crate) fn read_document(text: &str) -> Result<Vec<(Cow<'_, str>, Value<'_>)>, Flaw> {
    let problem = Cell::new(None);
    let mut json = serde_json::Deserializer::from_str(text);
    json.deserialize_map(Document(&problem))
        .and_then(|fields| json.end().map(|()| fields))
        .map_err(|e| flaw(&e, problem.get()))
}

/// Checks that a payload is exactly one object, with unique names at every depth.
///
/// Numbers are never converted, because serde_json's result depends on features that any crate in a program may enable.
pub(crate) fn check_object(text: &str) -> Result<(), Flaw> {
    // serde_json checks the grammar. When it reads a raw value, it converts nothing and does not recurse.
    serde_json::from_str::<&RawValue>(text).map_err(|e| flaw(&e, None))?;
    Walk { text, at: 0, values: 0, open: Vec::new() }.check().map_err(|(problem, at)| {
        let before = &text[..at];
        let line = before.matches('\n').count() + 1;
        let column = before.rsplit('\n').next().map_or(0, str::len) + 1;
        Flaw { problem, line, column }
    })
}

/// Converts a parser error. Only its position is kept, because the parser's messages quote the input.
fn flaw(error: &serde_json::Error, known: Option<JsonProblem>) -> Flaw {
    let problem = known.unwrap_or(match error.classify() {
        serde_json::error::Category::Eof => JsonProblem::Truncated,
        serde_json::error::Category::Data => JsonProblem::NotAnObject,
        _ => JsonProblem::Syntax,
    });
    Flaw { problem, line: error.line(), column: error.column() }
}

/// A string that borrows from the input if it has no escapes.
#[derive(serde::Deserialize)]
struct Name<'a>(#[serde(borrow)] Cow<'a, str>);

struct Document<'p>(&'p Cell<Option<JsonProblem>>);

impl<'de> Visitor<'de> for Document<'_> {
    type Value = Vec<(Cow<'de, str>, Value<'de>)>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("an object")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Self::Value, A::Error> {
        let refuse = |problem| {
            self.0.set(Some(problem));
            A::Error::custom("refused")
        };
        let mut fields: Self::Value = Vec::with_capacity(8);
        while let Some(Name(name)) = map.next_key()? {
            if fields.iter().any(|(known, _)| *known == name) {
                return Err(refuse(JsonProblem::DuplicateName));
            }
            if fields.len() == MAX_FIELDS {
                return Err(refuse(JsonProblem::TooComplex));
            }
            let raw = map.next_value::<&'de RawValue>()?.get();
            let value = match raw.as_bytes().first() {
                Some(b'"') => {
                    let Name(text) = serde_json::from_str(raw).map_err(|_| refuse(JsonProblem::Syntax))?;
                    Value::Text(text)
                }
                Some(b'{' | b'[') => Value::Nested,
                Some(b'n') => Value::Null,
                _ => Value::Literal(raw),
            };
            fields.push((name, value));
        }
        Ok(fields)
    }
}

/// A non-recursive walk over input that is known to be valid JSON.
struct Walk<'a> {
    text: &'a str,
    at: usize,
    values: usize,
    /// The objects and arrays that are open at the current position.
    open: Vec<Container<'a>>,
}

enum Container<'a> {
    /// An object, with the names read so far and whether the next string is a name.
    Object(HashSet<Cow<'a, str>>, bool),
    Array,
}

impl<'a> Walk<'a> {
    /// Checks the input. Returns the first problem and its byte offset.
    fn check(mut self) -> Result<(), (JsonProblem, usize)> {
        if self.text.trim_start_matches([' ', '\t', '\r', '\n']).as_bytes().first() != Some(&b'{') {
            return Err((JsonProblem::NotAnObject, 0));
        }
        while let Some(byte) = self.text.as_bytes().get(self.at) {
            let start = self.at;
            self.at += 1;
            match byte {
                b'{' => self.open.push(Container::Object(HashSet::new(), true)),
                b'[' => self.open.push(Container::Array),
                b'}' | b']' => drop(self.open.pop()),
                b',' => {
                    if let Some(Container::Object(_, name_next)) = self.open.last_mut() {
                        *name_next = true;
                    }
                }
                b'"' => {
                    let string = self.string(start)?;
                    if let Some(Container::Object(names, name_next @ true)) = self.open.last_mut() {
                        *name_next = false;
                        if !names.insert(string) {
                            return Err((JsonProblem::DuplicateName, start));
                        }
                    }
                }
                b':' | b' ' | b'\t' | b'\r' | b'\n' => continue,
                _ => self.skip_literal(),
            }
            self.values += 1;
            if self.open.len() > MAX_DEPTH || self.values > MAX_VALUES {
                return Err((JsonProblem::TooComplex, start));
            }
        }
        Ok(())
    }

    /// Reads the string whose opening quote is at `start`, with its escapes resolved.
    fn string(&mut self, start: usize) -> Result<Cow<'a, str>, (JsonProblem, usize)> {
        let bytes = self.text.as_bytes();
        let mut escaped = false;
        while let Some(found) = memchr::memchr2(b'"', b'\\', &bytes[self.at..]) {
            self.at += found + 1;
            if bytes[self.at - 1] == b'"' {
                break;
            }
            escaped = true;
            self.at += 1;
        }
        let raw = &self.text[start..self.at];
        if !escaped {
            return Ok(Cow::Borrowed(&raw[1..raw.len() - 1]));
        }
        // The escape of a lone surrogate is valid JSON syntax, but not valid Unicode, so it cannot be converted to a
        // string.
        let Name(text) = serde_json::from_str(raw).map_err(|_| (JsonProblem::Syntax, start))?;
        Ok(text)
    }

    /// Skips the rest of a number, `true`, `false` or `null`.
    fn skip_literal(&mut self) {
        let rest = &self.text.as_bytes()[self.at..];
        let ends = |byte: &u8| matches!(byte, b',' | b'}' | b']' | b' ' | b'\t' | b'\r' | b'\n');
        self.at += rest.iter().position(ends).unwrap_or(rest.len());
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_one_object_with_unique_names_is_accepted() {
        let deepest = format!("{}1{}", r#"{"a":"#.repeat(MAX_DEPTH), "}".repeat(MAX_DEPTH));
        for good in [
            "{}",
            " {\n} ",
            r#"{"a":{"a":1},"b":[{"a":1},{"a":2}],"c":"a"}"#,
            r#"{"a":[],"b":{},"":null,"n":-0.0,"big":123456789012345678901234567890.5,"huge":1e400}"#,
            r#"{"a\"b":"}","c":"[\\"}"#,
            &deepest,
        ] {
            assert!(check_object(good).is_ok(), "{good}");
        }
        let deeper = format!(r#"{{"x":{deepest}}}"#);
        let many = format!("{{\"a\":[{}1]}}", "1,".repeat(MAX_VALUES));
        for (bad, problem, line, column) in [
            ("", JsonProblem::Truncated, 1, 0),
            ("[{}]", JsonProblem::NotAnObject, 1, 1),
            ("\"{}\"", JsonProblem::NotAnObject, 1, 1),
            ("123", JsonProblem::NotAnObject, 1, 1),
            ("null", JsonProblem::NotAnObject, 1, 1),
            ("{}{}", JsonProblem::Syntax, 1, 3),
            ("{\n \"a\":1,\n \"a\":2}", JsonProblem::DuplicateName, 3, 2),
            (r#"{"a":[{"b":1,"\u0062":2}]}"#, JsonProblem::DuplicateName, 1, 14),
            (r#"{"a":1,"b":{"a":1},"a":2}"#, JsonProblem::DuplicateName, 1, 20),
            (r#"{"a":"\ud800"}"#, JsonProblem::Syntax, 1, 6),
            (&deeper, JsonProblem::TooComplex, 1, 5 * MAX_DEPTH + 1),
            (&many, JsonProblem::TooComplex, 1, 0),
        ] {
            let flaw = check_object(bad).unwrap_err();
            let shown = &bad[..bad.len().min(40)];
            assert_eq!(flaw.problem, problem, "{shown}");
            if column > 0 {
                assert_eq!((flaw.line, flaw.column), (line, column), "{shown}");
            }
        }
    }
}
