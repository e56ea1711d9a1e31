//! Payloads: JSON objects with known and unknown fields, declared as Rust types.

#[macro_use]
mod declare;
mod extra;
mod members;

pub use extra::Extra;
pub(crate) use members::Members;

use std::fmt;

use serde::Serialize;
use serde::de::DeserializeOwned;

use crate::problem::Problem;
use crate::provenance::Source;
use crate::validate::{Field, Report, Rule, Validate};
use crate::value::FieldType;

/// A JSON object in the provider's API, as a Rust type. The `payload!` macro implements this trait.
///
/// Reading keeps the JSON text of unknown fields. Only `serde_json` supports this, and only if it reads the object
/// directly: reading fails inside `#[serde(flatten)]`, and inside untagged and internally tagged enums. In these cases,
/// use a separate field for the payload.
pub trait Payload:
    Validate + Serialize + DeserializeOwned + fmt::Debug + Clone + PartialEq + Send + Sync + 'static
{
    /// The name of the type.
    const NAME: &'static str;
    /// The module that declares the type.
    const MODULE: &'static str;
    /// The description of the type.
    const ABOUT: &'static str;
    /// The source of every field that does not name a different source.
    const SOURCE: Source;
    /// The known fields, in the order in which they are written.
    const FIELDS: &'static [Field];

    /// Reads an object as far as possible. An optional field that cannot be read is `None` and listed in the
    /// [`problems`](Self::problems); the other fields are still read. The strings in the object need not be strict
    /// JSON: a lone surrogate escape, a raw control character or invalid UTF-8 makes only its own field unreadable.
    ///
    /// Deserialization with serde is strict, so a documented field of an unexpected type is an error.
    ///
    /// # Errors
    /// Returns a [`Problem`] if the content is not exactly one object, or if a required field cannot be read.
    ///
    /// ```
    /// use paytend_model::{Payload, iban::IbanTransaction};
    /// let deposit = IbanTransaction::read_lenient(br#"{"orderNo":"F1","amount":"much","reference":"\ud83d"}"#)?;
    /// assert_eq!((deposit.order_no.as_deref(), deposit.amount), (Some("F1"), None));
    /// assert_eq!(deposit.problems.len(), 2);
    /// # Ok::<(), paytend_model::Problem>(())
    /// ```
    fn read_lenient(content: &[u8]) -> Result<Self, Problem>;

    /// Returns the problems with the fields that could not be read.
    fn problems(&self) -> &[Problem];
}

/// The description of a payload type, for code that handles payloads of any type.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Description {
    /// The name of the type.
    pub name: &'static str,
    /// The module that declares the type.
    module: &'static str,
    /// The description of the type.
    pub about: &'static str,
    /// The source of every field that does not name a different source.
    pub source: Source,
    /// The known fields.
    pub fields: &'static [Field],
}

/// Returns whether a field is set: present, and not an empty string.
pub(crate) fn given<T: FieldType>(field: Option<&T>) -> bool {
    field.is_some_and(|value| !value.is_blank())
}

/// Returns whether a required field is empty because it was missing or unreadable.
pub(crate) fn is_unread<T: FieldType>(field: &T, problems: &[Problem], name: &str) -> bool {
    field.is_blank() && problems.iter().any(|problem| problem.is_of(name))
}

/// Reports known fields that are in `extra`. `null` and an empty string mean that a field is not set.
pub(crate) fn check_unread(extra: &Extra, fields: &[Field], report: &mut Report) {
    for (name, _) in extra.iter().filter(|(_, json)| !matches!(*json, "null" | "\"\"")) {
        report.require(name, fields.iter().all(|field| field.name != name), Rule::OfItsType);
    }
}

impl Description {
    /// Returns the description of a payload type.
    pub const fn of<P: Payload>() -> Self {
        Self { name: P::NAME, module: P::MODULE, about: P::ABOUT, source: P::SOURCE, fields: P::FIELDS }
    }

    /// Returns the path of the Rust type, such as `paytend_model::issuing::Topup`.
    pub fn rust_type(&self) -> String {
        let mut modules = self.module.split("::");
        let (package, area) = (modules.next().unwrap_or_default(), modules.next());
        // The types of a module such as `issuing` are exported by that module, and all other types by the crate root.
        match area.filter(|area| !matches!(*area, "operation")) {
            Some(area) => format!("{package}::{area}::{}", self.name),
            None => format!("{package}::{}", self.name),
        }
    }
}
