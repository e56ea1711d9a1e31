//! Types for the fields of a canonical string.

use zeroize::Zeroizing;

use crate::explain::finding::TextChange;

/// The name and the value of a field.
pub(super) type Field = (String, Zeroizing<Vec<u8>>);

/// The fields of a canonical string, in the order in which they appear.
pub(super) type Fields = Vec<Field>;

/// A function that tests fields that the sender may have signed. The other arguments are the text after the last field,
/// and the changes to report if the fields match. The function returns whether the search is finished.
pub(super) type TryFields<'a> = &'a mut dyn FnMut(&[Field], &[u8], Vec<TextChange>) -> bool;

pub(super) fn sorted(mut fields: Fields) -> Fields {
    fields.sort_by(|a, b| a.0.cmp(&b.0));
    fields
}
