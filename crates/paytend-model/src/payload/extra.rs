//! The unknown fields of a payload.

use std::fmt;

use serde_json::value::RawValue;

/// The unknown fields of a payload, in order, each with its JSON text exactly as received.
#[derive(Clone, Default)]
pub struct Extra(pub(crate) Vec<(String, Box<RawValue>)>);

impl Extra {
    /// Returns the JSON text of a field.
    pub fn get(&self, name: &str) -> Option<&str> {
        self.iter().find(|(known, _)| *known == name).map(|(_, json)| json)
    }

    /// Returns the field names, and the field values as JSON text.
    pub fn iter(&self) -> impl Iterator<Item = (&str, &str)> {
        self.0.iter().map(|(name, json)| (name.as_str(), json.get()))
    }

    /// Sets a field to a JSON value, passed as text. Use this method for documented fields that this crate does not
    /// know yet.
    ///
    /// Set known fields on the type instead. A known field in `extra` is not written if the type has a value for it,
    /// and [`validate`](crate::Validate::validate) reports such a field.
    ///
    /// # Errors
    /// Returns an error if the value is not valid JSON.
    pub fn set(&mut self, name: &str, json: &str) -> Result<(), serde_json::Error> {
        let json: Box<RawValue> = serde_json::from_str(json)?;
        match self.0.iter_mut().find(|(known, _)| known == name) {
            Some((_, old)) => *old = json,
            None => self.0.push((name.to_owned(), json)),
        }
        Ok(())
    }

    /// Removes a field and returns its value as JSON text.
    pub fn remove(&mut self, name: &str) -> Option<String> {
        let at = self.0.iter().position(|(known, _)| known == name)?;
        Some(self.0.remove(at).1.get().to_owned())
    }

    /// Returns whether any field that is not in `known` has a value.
    pub(crate) fn has_other_than(&self, known: &[&str]) -> bool {
        self.iter().any(|(name, json)| !matches!(json, "null" | "\"\"") && !known.contains(&name))
    }

    /// Returns the number of fields.
    pub fn len(&self) -> usize {
        self.0.len()
    }

    /// Returns whether there are no fields.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }
}

impl Eq for Extra {}

impl PartialEq for Extra {
    fn eq(&self, other: &Self) -> bool {
        self.iter().eq(other.iter())
    }
}

impl fmt::Debug for Extra {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} unknown fields", self.0.len())
    }
}
