//! The types of payload fields, and how they are read, written and validated.

mod amount;
mod base64_text;
mod codes;
mod exact;
mod file;
mod hashed;
mod json;
mod text;

pub use amount::{Amount, AmountError};
pub use base64_text::Base64Text;
pub use codes::{Gender, IdType};
pub use file::{FileContent, MAX_FILE_BYTES};
pub use hashed::HashedText;
pub use json::Json;
pub use text::{
    CardId, Code, Count, CountryCode, Currency, Date, HolderId, OrderNo, PartnerId, Personal, TransactionId, UserId,
};

pub(crate) use codes::codes;

use std::borrow::Cow;

use serde::Serialize;
use serde_json::value::RawValue;

use crate::problem::Problem;
use crate::validate::Field;
use crate::validate::{Report, Rule};

/// The type of a payload's field. A value is written back exactly as it was read.
pub(crate) trait FieldType: Serialize + Sized {
    /// The known fields of the object, or of each object in the list. Empty for all other types.
    const NESTED: &'static [Field] = &[];

    /// Reads a JSON value. The problem does not contain any part of the value.
    fn read(json: &str) -> Result<Self, Problem>;

    /// Reads as much as possible of a value that may not be strict JSON.
    fn read_lenient(json: &[u8]) -> Result<Self, Problem> {
        Self::read(std::str::from_utf8(json).map_err(|_| Problem::NotStrict)?)
    }

    /// Returns the problems with the nested values that could not be read.
    fn problems(&self) -> Vec<Problem> {
        Vec::new()
    }

    /// Returns whether the value is an empty string, which means that the field is not set.
    fn is_blank(&self) -> bool {
        false
    }

    /// Reports the rules that the value violates, from `rules` and from its type.
    fn check(&self, rules: &[Rule], report: &mut Report);

    /// Returns the type's JSON Schema, without the field's rules.
    #[cfg(feature = "schema")]
    fn schema(generator: &mut schemars::SchemaGenerator) -> schemars::Schema;

    /// Returns the example for fields whose declaration has no example.
    #[cfg(feature = "schema")]
    fn example() -> Option<serde_json::Value> {
        None
    }
}

/// Returns the text of a JSON string, or `None` for any other value.
pub(crate) fn string<'a>(json: &'a str) -> Option<Cow<'a, str>> {
    // A string without escapes is borrowed, not copied.
    if let Ok(plain) = serde_json::from_str::<&'a str>(json) {
        return Some(Cow::Borrowed(plain));
    }
    serde_json::from_str(json).ok().map(Cow::Owned)
}

/// Returns whether the value is a string that is not strict JSON.
pub(crate) fn is_non_strict_string(json: &[u8]) -> bool {
    json.first() == Some(&b'"') && serde_json::from_slice::<Cow<'_, str>>(json).is_err()
}

impl FieldType for String {
    fn read(json: &str) -> Result<Self, Problem> {
        string(json).map(Cow::into_owned).ok_or(Problem::expected("a string"))
    }

    fn is_blank(&self) -> bool {
        self.is_empty()
    }

    fn check(&self, rules: &[Rule], report: &mut Report) {
        report.text(rules, self);
    }

    #[cfg(feature = "schema")]
    fn schema(_: &mut schemars::SchemaGenerator) -> schemars::Schema {
        schemars::json_schema!({ "type": "string" })
    }
}

impl<T: FieldType> FieldType for Vec<T> {
    const NESTED: &'static [Field] = T::NESTED;

    fn read(json: &str) -> Result<Self, Problem> {
        let items: Vec<&RawValue> = serde_json::from_str(json).map_err(|_| Problem::expected("an array"))?;
        let read = |(index, item): (usize, &&RawValue)| T::read(item.get()).map_err(|problem| problem.at(index));
        items.iter().enumerate().map(read).collect()
    }

    /// An unreadable item makes the whole list unreadable, because a shorter list would have a different meaning.
    fn read_lenient(json: &[u8]) -> Result<Self, Problem> {
        let items: Vec<&RawValue> = serde_json::from_slice(json).map_err(|_| Problem::expected("an array"))?;
        let read = |(index, item): (usize, &&RawValue)| {
            T::read_lenient(item.get().as_bytes()).map_err(|problem| problem.at(index))
        };
        items.iter().enumerate().map(read).collect()
    }

    fn problems(&self) -> Vec<Problem> {
        let inside = self.iter().enumerate();
        inside.flat_map(|(index, item)| item.problems().into_iter().map(move |problem| problem.at(index))).collect()
    }

    fn check(&self, rules: &[Rule], report: &mut Report) {
        for (index, item) in self.iter().enumerate() {
            report.within(&index.to_string(), |report| item.check(rules, report));
        }
    }

    #[cfg(feature = "schema")]
    fn schema(generator: &mut schemars::SchemaGenerator) -> schemars::Schema {
        let items = T::schema(generator);
        schemars::json_schema!({ "type": "array", "items": items })
    }

    #[cfg(feature = "schema")]
    fn example() -> Option<serde_json::Value> {
        T::example().map(|example| serde_json::Value::Array(vec![example]))
    }
}
