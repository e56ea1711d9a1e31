//! Reads an object member by member. No data is lost, and errors do not contain values.

use std::fmt;

use paytend_json::Flaw;
use serde::de::{Deserializer, MapAccess, SeqAccess, Visitor};
use serde_json::value::RawValue;

use super::Extra;
use crate::problem::Problem;
use crate::provenance::Source;
use crate::value::{FieldType, is_non_strict_string};

const NOT_AN_OBJECT: &str = "expected a JSON object";

macro_rules! reject {
    ($($visit:ident: $type:ty),+) => { $(
        fn $visit<E: serde::de::Error>(self, _: $type) -> Result<Members, E> {
            Err(E::custom(NOT_AN_OBJECT))
        }
    )+ };
}

/// The members of a JSON object that have not been consumed yet, in order, and the problems found so far.
pub(crate) struct Members {
    list: Vec<(String, Member)>,
    /// Whether to report unreadable members and continue, instead of failing.
    lenient: bool,
    problems: Vec<Problem>,
}

enum Member {
    Json(Box<RawValue>),
    /// A value that is not strict JSON.
    Other(Vec<u8>),
    Consumed,
}

impl Member {
    /// Returns the value, unless it was consumed or is `null`.
    fn value(&self) -> Option<&[u8]> {
        let value = match self {
            Self::Json(json) => json.get().as_bytes(),
            Self::Other(bytes) => bytes,
            Self::Consumed => return None,
        };
        (value != b"null").then_some(value)
    }
}

impl Members {
    pub(crate) fn deserialize<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Object;

        impl<'de> Visitor<'de> for Object {
            type Value = Members;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a JSON object")
            }

            fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Members, A::Error> {
                let mut list = Vec::with_capacity(map.size_hint().unwrap_or_default().min(64));
                while let Some(name) = map.next_key::<String>()? {
                    list.push((name, Member::Json(map.next_value::<Box<RawValue>>()?)));
                }
                Ok(Members { list, lenient: false, problems: Vec::new() })
            }

            // If the JSON is not an object, the error does not contain its value.
            reject! {
                visit_bool: bool, visit_i64: i64, visit_u64: u64, visit_f64: f64, visit_str: &str, visit_bytes: &[u8]
            }

            fn visit_unit<E: serde::de::Error>(self) -> Result<Members, E> {
                Err(E::custom(NOT_AN_OBJECT))
            }

            fn visit_seq<A: SeqAccess<'de>>(self, _: A) -> Result<Members, A::Error> {
                Err(serde::de::Error::custom(NOT_AN_OBJECT))
            }
        }

        // This call is not `deserialize_map`, because the serde_json error would then contain the value.
        deserializer.deserialize_any(Object)
    }

    /// Reads an object that is strict JSON.
    pub(crate) fn read(json: &str) -> Result<Self, Problem> {
        let mut deserializer = serde_json::Deserializer::from_str(json);
        let members = Self::deserialize(&mut deserializer).map_err(|_| Problem::Expected("a JSON object"))?;
        deserializer.end().map_err(|_| Problem::Expected("a JSON object with nothing after it"))?;
        Ok(members)
    }

    /// Reads an object, tolerating strings that are not strict JSON. Values that cannot be parsed are kept as raw
    /// bytes; members with unparsable names are skipped and reported.
    pub(crate) fn read_lenient(text: &[u8]) -> Result<Self, Problem> {
        if let Ok(json) = std::str::from_utf8(text)
            && let Ok(members) = Self::read(json)
        {
            return Ok(Self { lenient: true, ..members });
        }
        let mut members = Self { list: Vec::new(), lenient: true, problems: Vec::new() };
        let found = paytend_json::members(text).map_err(|flaw| match flaw {
            Flaw::NotAnObject => Problem::Expected("a JSON object"),
            _ => Problem::Expected("a JSON object with nothing after it"),
        })?;
        for member in found {
            let Ok(name) = serde_json::from_slice(member.name) else {
                members.problems.push(Problem::Because("a field name is not strict JSON"));
                continue;
            };
            let value = match serde_json::from_slice(member.value) {
                Ok(json) => Member::Json(json),
                Err(_) => Member::Other(member.value.to_owned()),
            };
            members.list.push((name, value));
        }
        Ok(members)
    }

    /// Reads a required field. A field that is not documented is allowed to be missing, and an inferred field is also
    /// allowed to be unreadable. Such a field is reported, and is read as an empty string if its type allows one.
    pub(crate) fn required<T: FieldType>(&mut self, name: &'static str, source: Source) -> Result<T, Problem> {
        let blank = |problem: Problem| match T::read("\"\"") {
            Ok(blank) if problem == Problem::Missing.at(name) && source != Source::Documented => Ok((blank, problem)),
            Ok(blank) if problem != Problem::Duplicate.at(name) && source == Source::Inferred => Ok((blank, problem)),
            _ => Err(problem),
        };
        let (blank, problem) = match self.find(name)? {
            Some(at) if self.list[at].1.value().is_some() => {
                let member = std::mem::replace(&mut self.list[at].1, Member::Consumed);
                let kept = if let Member::Json(json) = &member { Some(json.clone()) } else { None };
                match self.value(name, member) {
                    Ok(value) => return Ok(value),
                    Err(problem) => {
                        if let Some(json) = kept {
                            self.list[at].1 = Member::Json(json);
                        }
                        blank(problem)?
                    }
                }
            }
            _ => blank(Problem::Missing.at(name))?,
        };
        self.problems.push(problem);
        Ok(blank)
    }

    /// Reads an optional field. If reading is lenient or the field is inferred, an unreadable field is reported, its
    /// value is `None`, and its text is kept with the unknown fields.
    pub(crate) fn optional<T: FieldType>(&mut self, name: &'static str, source: Source) -> Result<Option<T>, Problem> {
        let at = match self.find(name) {
            Ok(Some(at)) if self.list[at].1.value().is_some() => at,
            Ok(_) => return Ok(None),
            Err(problem) => return self.unread(problem, source).map(|()| None),
        };
        let member = std::mem::replace(&mut self.list[at].1, Member::Consumed);
        let kept = if let Member::Json(json) = &member { Some(json.clone()) } else { None };
        match self.value(name, member) {
            Ok(value) => Ok(Some(value)),
            Err(problem) => {
                // In a field of any type, an empty string means that the field is not set, so it is not a problem.
                let is_empty_string = kept.as_ref().is_some_and(|json| json.get() == "\"\"");
                if let Some(json) = kept {
                    self.list[at].1 = Member::Json(json);
                }
                if is_empty_string {
                    return Ok(None);
                }
                self.unread(problem, source).map(|()| None)
            }
        }
    }

    fn unread(&mut self, problem: Problem, source: Source) -> Result<(), Problem> {
        if !self.lenient && source != Source::Inferred {
            return Err(problem);
        }
        self.problems.push(problem);
        Ok(())
    }

    /// Reads a value, and adds the problems with its nested fields to `problems`.
    fn value<T: FieldType>(&mut self, name: &'static str, member: Member) -> Result<T, Problem> {
        let text = match &member {
            Member::Json(json) => json.get().as_bytes(),
            Member::Other(bytes) => bytes,
            Member::Consumed => return Err(Problem::Missing.at(name)),
        };
        let read = match std::str::from_utf8(text) {
            Ok(json) if !self.lenient => T::read(json),
            _ => T::read_lenient(text),
        };
        let value = read.map_err(|problem| if is_non_strict_string(text) { Problem::NotStrict } else { problem });
        let value = value.map_err(|problem| problem.at(name))?;
        self.problems.extend(value.problems().into_iter().map(|problem| problem.at(name)));
        Ok(value)
    }

    fn find(&self, name: &str) -> Result<Option<usize>, Problem> {
        let mut found = self.list.iter().enumerate().filter(|(_, (known, _))| known == name).map(|(at, _)| at);
        let first = found.next();
        if found.next().is_some() { Err(Problem::Duplicate.at(name)) } else { Ok(first) }
    }

    /// Returns the remaining members and all problems.
    pub(crate) fn rest(mut self) -> (Extra, Vec<Problem>) {
        // A value that is not strict JSON cannot be written back. If its name occurs twice, both values are dropped.
        // Otherwise the remaining value would later be read as the field's value.
        let unwritable: Vec<String> = self
            .list
            .iter()
            .filter(|(_, member)| matches!(member, Member::Other(_)))
            .map(|(name, _)| name.clone())
            .collect();
        let mut extra = Vec::new();
        for (name, member) in self.list {
            match member {
                Member::Json(json) if !unwritable.contains(&name) => extra.push((name, json)),
                // An unknown name may be personal data, so the problem does not contain it.
                Member::Other(_) => {
                    self.problems.push(Problem::Because("the value of an unknown field is not strict JSON"));
                }
                Member::Json(_) | Member::Consumed => {}
            }
        }
        (Extra(extra), self.problems)
    }
}
