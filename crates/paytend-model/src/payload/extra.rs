//! The fields that a payload's type does not know.

use std::fmt;

use serde_json::value::RawValue;

/// The fields of a payload that its type does not know, in order, each as the JSON text it arrived in.
#[derive(Clone, Default)]
pub struct Extra(pub(crate) Vec<(String, Box<RawValue>)>);

impl Extra {
    /// The JSON text of a field.
    pub fn get(&self, name: &str) -> Option<&str> {
        self.iter().find(|(known, _)| *known == name).map(|(_, json)| json)
    }

    /// Names and JSON texts.
    pub fn iter(&self) -> impl Iterator<Item = (&str, &str)> {
        self.0.iter().map(|(name, json)| (name.as_str(), json.get()))
    }

    /// Sets a field to a JSON text, for what the provider's own documents describe and this crate does not know yet. A
    /// field that the type knows is set on the type: one that is here as well is not written if the type has a value,
    /// and reported by [`validate`](crate::Validate::validate).
    ///
    /// # Errors
    /// When the text is not JSON.
    pub fn set(&mut self, name: &str, json: &str) -> Result<(), serde_json::Error> {
        let json: Box<RawValue> = serde_json::from_str(json)?;
        match self.0.iter_mut().find(|(known, _)| known == name) {
            Some((_, old)) => *old = json,
            None => self.0.push((name.to_owned(), json)),
        }
        Ok(())
    }

    /// Takes a field out; its JSON text.
    pub fn remove(&mut self, name: &str) -> Option<String> {
        let at = self.0.iter().position(|(known, _)| known == name)?;
        Some(self.0.remove(at).1.get().to_owned())
    }

    /// Whether there is a field with a value that is not among these.
    pub(crate) fn has_other_than(&self, known: &[&str]) -> bool {
        self.iter().any(|(name, json)| !matches!(json, "null" | "\"\"") && !known.contains(&name))
    }

    /// How many there are.
    pub fn len(&self) -> usize {
        self.0.len()
    }

    /// Whether there is none.
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
