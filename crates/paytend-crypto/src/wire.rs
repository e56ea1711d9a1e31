//! Strict JSON: what a document is before any key is involved.
//!
//! Stricter than a common parser where leniency would let two readers see two messages: one object and nothing after it,
//! unique names, limits on depth and number. Values keep their text as received.

use std::borrow::Cow;
use std::cell::Cell;
use std::collections::HashSet;
use std::fmt;

use serde::de::{DeserializeSeed, Deserializer, Error as _, MapAccess, SeqAccess, Visitor};
use serde_json::value::RawValue;

use crate::error::JsonProblem;

/// Most top-level fields a document may have. The known envelopes have eight at most.
const MAX_FIELDS: usize = 64;
/// Deepest nesting of a payload.
const MAX_DEPTH: usize = 64;
/// Most values in a payload, counting names, members and elements alike.
const MAX_VALUES: usize = 1_000_000;

/// What is wrong, and where (line and column count from 1).
#[derive(Debug)]
pub(crate) struct Flaw {
    pub(crate) problem: JsonProblem,
    pub(crate) line: usize,
    pub(crate) column: usize,
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
    /// An object or an array, unread.
    Nested,
}

/// Reads a document: its top-level fields in order, names unique.
pub(crate) fn read_document(text: &str) -> Result<Vec<(Cow<'_, str>, Value<'_>)>, Flaw> {
    let problem = Cell::new(None);
    let mut json = serde_json::Deserializer::from_str(text);
    json.deserialize_any(Document(&problem))
        .and_then(|fields| json.end().map(|()| fields))
        .map_err(|e| flaw(&e, problem.get()))
}

/// Checks that a payload is one object and nothing else, with unique names at every depth.
pub(crate) fn check_object(text: &str) -> Result<(), Flaw> {
    let state = State { problem: Cell::new(None), values: Cell::new(0) };
    let mut json = serde_json::Deserializer::from_str(text);
    json.deserialize_any(Strict { state: &state, depth: 0 })
        .and_then(|()| json.end())
        .map_err(|e| flaw(&e, state.problem.get()))
}

/// The parser's own texts quote the input; only the place is kept.
fn flaw(error: &serde_json::Error, known: Option<JsonProblem>) -> Flaw {
    let problem = known.unwrap_or(match error.classify() {
        serde_json::error::Category::Eof => JsonProblem::Truncated,
        serde_json::error::Category::Data => JsonProblem::NotAnObject,
        _ => JsonProblem::Syntax,
    });
    Flaw { problem, line: error.line(), column: error.column() }
}

/// A string that borrows from the input where it has no escapes.
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

struct State {
    problem: Cell<Option<JsonProblem>>,
    values: Cell<usize>,
}

/// Walks any value; at depth 0 only an object will do.
#[derive(Clone, Copy)]
struct Strict<'s> {
    state: &'s State,
    depth: usize,
}

impl Strict<'_> {
    fn refuse<E: serde::de::Error>(&self, problem: JsonProblem) -> E {
        self.state.problem.set(Some(problem));
        E::custom("refused")
    }

    fn count<E: serde::de::Error>(&self) -> Result<(), E> {
        let values = self.state.values.get() + 1;
        self.state.values.set(values);
        if values > MAX_VALUES || self.depth > MAX_DEPTH { Err(self.refuse(JsonProblem::TooComplex)) } else { Ok(()) }
    }

    fn scalar<E: serde::de::Error>(self) -> Result<(), E> {
        if self.depth == 0 { Err(self.refuse(JsonProblem::NotAnObject)) } else { self.count() }
    }

    fn inner(self) -> Self {
        Self { depth: self.depth + 1, ..self }
    }
}

impl<'de> DeserializeSeed<'de> for Strict<'_> {
    type Value = ();

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<(), D::Error> {
        deserializer.deserialize_any(self)
    }
}

impl<'de> Visitor<'de> for Strict<'_> {
    type Value = ();

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("an object")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<(), A::Error> {
        self.count()?;
        let mut names = HashSet::new();
        while let Some(Name(name)) = map.next_key()? {
            if !names.insert(name) {
                return Err(self.refuse(JsonProblem::DuplicateName));
            }
            map.next_value_seed(self.inner())?;
        }
        Ok(())
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut seq: A) -> Result<(), A::Error> {
        if self.depth == 0 {
            return Err(self.refuse(JsonProblem::NotAnObject));
        }
        self.count()?;
        while seq.next_element_seed(self.inner())?.is_some() {}
        Ok(())
    }

    fn visit_bool<E: serde::de::Error>(self, _: bool) -> Result<(), E> {
        self.scalar()
    }

    fn visit_i64<E: serde::de::Error>(self, _: i64) -> Result<(), E> {
        self.scalar()
    }

    fn visit_u64<E: serde::de::Error>(self, _: u64) -> Result<(), E> {
        self.scalar()
    }

    fn visit_f64<E: serde::de::Error>(self, _: f64) -> Result<(), E> {
        self.scalar()
    }

    fn visit_str<E: serde::de::Error>(self, _: &str) -> Result<(), E> {
        self.scalar()
    }

    fn visit_unit<E: serde::de::Error>(self) -> Result<(), E> {
        self.scalar()
    }
}
