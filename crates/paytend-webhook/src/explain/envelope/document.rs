//! Lenient parsing of a document's fields.

use serde_json::Value;
use serde_json::value::RawValue;

use crate::explain::raw_members::RawMembers;

/// The top-level fields of a document as text, in document order.
pub(super) struct Document(pub(super) Vec<(String, String)>);

impl Document {
    pub(super) fn read(body: &[u8]) -> Option<Self> {
        let members: RawMembers<'_> = serde_json::from_slice(body).ok()?;
        let text = |value: &RawValue| match serde_json::from_str(value.get()) {
            Ok(Value::String(text)) => Some(text),
            Ok(Value::Null) => Some(String::new()),
            Ok(other) => Some(other.to_string()),
            Err(_) => None,
        };
        let fields = members.0.into_iter().map(|(name, value)| Some((name, text(value)?)));
        fields.collect::<Option<_>>().map(Self)
    }

    /// Returns a field's value, or `None` if it is missing or empty.
    pub(super) fn get(&self, name: &str) -> Option<&str> {
        self.0.iter().find(|(known, value)| known == name && !value.is_empty()).map(|(_, value)| value.as_str())
    }
}
