//! The description of a known field.

use super::rule::Rule;
use super::severity::Severity;
use crate::provenance::Source;

/// A known field of a payload.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Field {
    /// The name on the wire.
    pub name: &'static str,
    /// Whether the field is required.
    pub required: bool,
    /// The source of the field.
    pub source: Source,
    /// The name of the field's type in this crate.
    pub type_name: &'static str,
    /// The known fields of the object, or of each object in the list. Empty for all other types.
    pub fields: &'static [Field],
    /// The rules that [`Validate::validate`](super::Validate::validate) checks, in addition to the type's rules.
    pub rules: &'static [Rule],
    /// The description of the field.
    pub about: &'static str,
}

impl Field {
    /// Returns whether the field is an identifier, an amount or a file. A request without such a field is meaningless.
    pub(crate) fn is_essential(&self) -> bool {
        matches!(self.type_name, "CardId" | "HolderId" | "OrderNo" | "UserId" | "Amount" | "FileContent")
    }

    /// Returns whether the field is a list.
    pub(crate) fn is_list(&self) -> bool {
        self.type_name.starts_with("Vec<")
    }

    /// Returns the severity of a missing required field. A missing field that is known only from the provider's
    /// published programs usually causes just a warning, because those programs always set every field, whether or not
    /// it is required.
    pub(crate) fn severity_if_missing(&self) -> Severity {
        match self.source {
            Source::Documented => Severity::Error,
            Source::Observed if self.is_essential() => Severity::Error,
            Source::Observed | Source::Inferred => Severity::Warning,
        }
    }
}
