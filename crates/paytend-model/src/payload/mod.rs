//! What a payload is: a JSON object with a name, fields that are known, and those that are not.

#[macro_use]
mod declare;
mod extra;
mod members;

pub use extra::Extra;
pub(crate) use members::Members;

use std::fmt;

use serde::Serialize;
use serde::de::DeserializeOwned;

use crate::Source;
use crate::problem::Problem;
use crate::validate::{Report, Rule, Validate};
use crate::value::FieldType;

/// A JSON object of the provider's, as a type of this crate. Declared by a macro; the methods that matter are on the
/// types.
///
/// Reading keeps the text of what it does not know, which only `serde_json` gives, and only where it reads the object
/// itself: inside of serde's `flatten`, `untagged` and internally tagged enums it fails. Hold the payload as a field of
/// its own there.
pub trait Payload:
    Validate + Serialize + DeserializeOwned + fmt::Debug + Clone + PartialEq + Send + Sync + 'static
{
    /// The type's name.
    const NAME: &'static str;
    /// What it is.
    const ABOUT: &'static str;
    /// Where most of its fields are from.
    const SOURCE: Source;
    /// Its known fields, in the order they are written in.
    const FIELDS: &'static [Field];

    /// Reads an object as far as it can be read. An optional field that cannot be read is `None` and among the
    /// [`problems`](Self::problems); the others are read. The object's strings need not be strict JSON: lone surrogate
    /// escapes, raw control characters and bytes that are not UTF-8 make their own field unreadable and no other.
    ///
    /// Deserializing is strict: there, a documented field of another type is an error.
    ///
    /// # Errors
    /// Returns a [`Problem`] if the content is not one object, or if a required field cannot be read.
    ///
    /// ```
    /// use paytend_model::{Payload, iban::IbanTransaction};
    /// let deposit = IbanTransaction::read_lenient(br#"{"orderNo":"F1","amount":"much","reference":"\ud83d"}"#)?;
    /// assert_eq!((deposit.order_no.as_deref(), deposit.amount), (Some("F1"), None));
    /// assert_eq!(deposit.problems.len(), 2);
    /// # Ok::<(), paytend_model::Problem>(())
    /// ```
    fn read_lenient(content: &[u8]) -> Result<Self, Problem>;

    /// The fields that arrived and could not be read.
    fn problems(&self) -> &[Problem];
}

/// A known field of a payload.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Field {
    /// Its name on the wire.
    pub name: &'static str,
    /// Whether a payload without it is not read.
    pub required: bool,
    /// Where it is from.
    pub source: Source,
    /// The name of its type in this crate.
    pub type_name: &'static str,
    /// The rules that [`Validate::validate`] holds it to, beyond those of its type.
    pub rules: &'static [Rule],
    /// What it means.
    pub about: &'static str,
}

/// A payload's fields, where the type itself is not at hand.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Description {
    /// The type's name.
    pub name: &'static str,
    /// What it is.
    pub about: &'static str,
    /// Where most of its fields are from.
    pub source: Source,
    /// Its known fields.
    pub fields: &'static [Field],
}

/// Returns whether a field is given: there, and not an empty text.
pub(crate) fn given<T: FieldType>(field: Option<&T>) -> bool {
    field.is_some_and(|value| !value.is_blank())
}

/// Returns whether a required field is empty because it was missing or could not be read.
pub(crate) fn is_unread<T: FieldType>(field: &T, problems: &[Problem], name: &str) -> bool {
    field.is_blank() && problems.iter().any(|problem| problem.is_of(name))
}

/// Reports known fields that are among the unknown ones. `null` and an empty text mean that a field is not given.
pub(crate) fn check_unread(extra: &Extra, fields: &[Field], report: &mut Report) {
    for (name, _) in extra.iter().filter(|(_, json)| !matches!(*json, "null" | "\"\"")) {
        report.require(name, fields.iter().all(|field| field.name != name), Rule::OfItsType);
    }
}

impl Description {
    /// The description of a payload.
    pub const fn of<P: Payload>() -> Self {
        Self { name: P::NAME, about: P::ABOUT, source: P::SOURCE, fields: P::FIELDS }
    }
}
