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
use crate::validate::{Report, Rule, Validate};

/// A JSON object of the provider's, as a type of this crate. Declared by a macro; the methods that matter are on the types.
///
/// Reading keeps the text of what it does not know, which only `serde_json` gives, and only where it reads the object itself: inside of
/// serde's `flatten`, `untagged` and internally tagged enums it fails. Hold the payload as a field of its own there.
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

/// Reports known fields that are among the unknown ones.
pub(crate) fn check_unread(extra: &Extra, fields: &[Field], report: &mut Report) {
    for (name, _) in extra.iter().filter(|(_, json)| *json != "null") {
        report.require(name, fields.iter().all(|field| field.name != name), Rule::OfItsType);
    }
}

impl Description {
    /// The description of a payload.
    pub const fn of<P: Payload>() -> Self {
        Self { name: P::NAME, about: P::ABOUT, source: P::SOURCE, fields: P::FIELDS }
    }
}
