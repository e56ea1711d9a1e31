//! Reading an object member by member, so that nothing of it is lost and no error repeats a value.

use std::fmt;

use serde::de::{Deserializer, MapAccess, SeqAccess, Visitor};
use serde_json::value::RawValue;

use super::Extra;
use crate::Source;
use crate::problem::Problem;
use crate::value::FieldType;

const NOT_AN_OBJECT: &str = "expected a JSON object";

macro_rules! refuse {
    ($($visit:ident: $type:ty),+) => { $(
        fn $visit<E: serde::de::Error>(self, _: $type) -> Result<Members, E> {
            Err(E::custom(NOT_AN_OBJECT))
        }
    )+ };
}

/// The members of a JSON object that have not been taken yet, in order.
pub(crate) struct Members(Vec<(String, Option<Box<RawValue>>)>);

impl Members {
    pub(crate) fn deserialize<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Object;

        impl<'de> Visitor<'de> for Object {
            type Value = Members;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a JSON object")
            }

            fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Members, A::Error> {
                let mut members = Vec::with_capacity(map.size_hint().unwrap_or_default().min(64));
                while let Some(name) = map.next_key::<String>()? {
                    members.push((name, Some(map.next_value::<Box<RawValue>>()?)));
                }
                Ok(Members(members))
            }

            // The message for anything else must not repeat it.
            refuse! { visit_bool: bool, visit_i64: i64, visit_u64: u64, visit_f64: f64, visit_str: &str, visit_bytes: &[u8] }

            fn visit_unit<E: serde::de::Error>(self) -> Result<Members, E> {
                Err(E::custom(NOT_AN_OBJECT))
            }

            fn visit_seq<A: SeqAccess<'de>>(self, _: A) -> Result<Members, A::Error> {
                Err(serde::de::Error::custom(NOT_AN_OBJECT))
            }
        }

        // Not `deserialize_map`: with it serde_json writes the message, and the value into it.
        deserializer.deserialize_any(Object)
    }

    pub(crate) fn read(json: &str) -> Result<Self, Problem> {
        let mut deserializer = serde_json::Deserializer::from_str(json);
        let members = Self::deserialize(&mut deserializer).map_err(|_| Problem::Expected("a JSON object"))?;
        deserializer.end().map_err(|_| Problem::Expected("a JSON object, and nothing after it"))?;
        Ok(members)
    }

    pub(crate) fn required<T: FieldType>(&mut self, name: &'static str) -> Result<T, Problem> {
        let at = self.find(name)?.ok_or(Problem::Missing.at(name))?;
        let json = self.0.get_mut(at).and_then(|(_, json)| json.take()).ok_or(Problem::Missing.at(name))?;
        T::read(json.get()).map_err(|problem| problem.at(name))
    }

    /// An optional field. Where the field itself is a guess, one of another type, or one that is there twice, is as good as unknown: it
    /// stays where it is.
    pub(crate) fn optional<T: FieldType>(&mut self, name: &'static str, source: Source) -> Result<Option<T>, Problem> {
        let found = match self.find(name) {
            Err(_) if source == Source::Inferred => None,
            found => found?,
        };
        let Some(place) = found.and_then(|at| self.0.get_mut(at)) else { return Ok(None) };
        let Some(json) = place.1.as_ref().map(|json| json.get()).filter(|json| *json != "null") else {
            return Ok(None);
        };
        match T::read(json) {
            Ok(value) => {
                place.1 = None;
                Ok(Some(value))
            }
            Err(_) if source == Source::Inferred => Ok(None),
            Err(problem) => Err(problem.at(name)),
        }
    }

    fn find(&self, name: &str) -> Result<Option<usize>, Problem> {
        let mut found = self.0.iter().enumerate().filter(|(_, (known, _))| known == name).map(|(at, _)| at);
        let first = found.next();
        if found.next().is_some() { Err(Problem::Duplicate.at(name)) } else { Ok(first) }
    }

    /// What has not been taken.
    pub(crate) fn rest(self) -> Extra {
        Extra(self.0.into_iter().filter_map(|(name, json)| json.map(|json| (name, json))).collect())
    }
}
