//! Text that is sent as base64 of its UTF-8 bytes.

use std::fmt;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde::{Deserialize, Deserializer, Serialize, Serializer, de};
use serde_json::value::RawValue;

use super::FieldType;
use crate::problem::Problem;
use crate::validate::{Report, Rule};

/// Text that is sent as base64 of its UTF-8 bytes, such as names and address lines. Contains the plain text, which
/// `Debug` hides.
///
/// Source: the provider's published sandbox demo.
///
/// ```
/// use paytend_model::Base64Text;
/// assert_eq!(serde_json::to_string(&Base64Text::from("Žilvinas"))?, r#""xb1pbHZpbmFz""#);
/// # Ok::<(), serde_json::Error>(())
/// ```
#[derive(Clone, PartialEq, Eq, Hash)]
pub struct Base64Text(String);

impl Base64Text {
    /// Returns the plain text.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl From<&str> for Base64Text {
    fn from(plain: &str) -> Self {
        Self(plain.to_owned())
    }
}

impl From<&String> for Base64Text {
    fn from(text: &String) -> Self {
        text.as_str().into()
    }
}

impl From<&Base64Text> for Base64Text {
    fn from(text: &Base64Text) -> Self {
        text.clone()
    }
}

impl From<String> for Base64Text {
    fn from(plain: String) -> Self {
        Self(plain)
    }
}

impl fmt::Debug for Base64Text {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Base64Text(_)")
    }
}

impl Serialize for Base64Text {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(&STANDARD.encode(&self.0))
    }
}

impl<'de> Deserialize<'de> for Base64Text {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        Self::read(Box::<RawValue>::deserialize(deserializer)?.get()).map_err(de::Error::custom)
    }
}

impl FieldType for Base64Text {
    fn read(json: &str) -> Result<Self, Problem> {
        let problem = Problem::expected("base64 of UTF-8 text");
        let wire = super::string(json).ok_or(problem.clone())?;
        let bytes = STANDARD.decode(wire.as_bytes()).map_err(|_| problem.clone())?;
        String::from_utf8(bytes).map(Self).map_err(|_| problem)
    }

    fn is_blank(&self) -> bool {
        self.0.is_empty()
    }

    fn check(&self, rules: &[Rule], report: &mut Report) {
        report.text(rules, &self.0);
    }

    #[cfg(feature = "schema")]
    fn schema(_: &mut schemars::SchemaGenerator) -> schemars::Schema {
        schemars::json_schema!({
            "type": "string", "contentEncoding": "base64", "contentMediaType": "text/plain;charset=utf-8"
        })
    }

    #[cfg(feature = "schema")]
    fn example() -> Option<serde_json::Value> {
        Some("xb1pbHZpbmFz".into())
    }
}
