//! The content of a file.

use std::fmt;

use base64::Engine as _;
use base64::display::Base64Display;
use base64::engine::general_purpose::STANDARD;
use serde::{Deserialize, Deserializer, Serialize, Serializer, de};
use serde_json::value::RawValue;

use super::FieldType;
use crate::problem::Problem;
use crate::validate::{Report, Rule};

/// The size of the largest file that Paytend accepts, in bytes before base64 encoding: 2 MiB.
///
/// Source: documented ("2M") for all three upload operations. Inferred: 1M is 1,048,576 bytes. Paytend may
/// reject files between 2,000,000 and 2,097,152 bytes.
pub const MAX_FILE_BYTES: usize = 2 * 1024 * 1024;

/// The content of a file, as bytes. It is sent as base64 and hidden in `Debug`.
///
/// ```
/// use paytend_model::FileContent;
/// assert_eq!(serde_json::to_string(&FileContent::from(vec![0xff, 0xd8]))?, r#""/9g=""#);
/// # Ok::<(), serde_json::Error>(())
/// ```
#[derive(Clone, PartialEq, Eq, Hash)]
pub struct FileContent(Vec<u8>);

impl FileContent {
    /// Returns the file's bytes.
    pub fn as_bytes(&self) -> &[u8] {
        &self.0
    }

    /// Converts the file into its bytes.
    pub fn into_bytes(self) -> Vec<u8> {
        self.0
    }
}

impl From<Vec<u8>> for FileContent {
    fn from(bytes: Vec<u8>) -> Self {
        Self(bytes)
    }
}

impl fmt::Debug for FileContent {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "FileContent({} bytes)", self.0.len())
    }
}

impl Serialize for FileContent {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        // Encodes in chunks, to avoid a second copy of a large file.
        serializer.collect_str(&Base64Display::new(&self.0, &STANDARD))
    }
}

impl<'de> Deserialize<'de> for FileContent {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        Self::read(Box::<RawValue>::deserialize(deserializer)?.get()).map_err(de::Error::custom)
    }
}

impl FieldType for FileContent {
    fn read(json: &str) -> Result<Self, Problem> {
        let wire = super::string(json).ok_or(Problem::expected("base64 of a file"))?;
        STANDARD.decode(wire.as_bytes()).map(Self).map_err(|_| Problem::expected("base64 of a file"))
    }

    fn is_blank(&self) -> bool {
        self.0.is_empty()
    }

    fn check(&self, rules: &[Rule], report: &mut Report) {
        if self.is_blank() {
            return report.not_given();
        }
        for rule in rules.iter().chain([&Rule::MaxBytes(MAX_FILE_BYTES)]) {
            let holds = match rule {
                Rule::MaxBytes(most) => self.0.len() <= *most,
                _ => true,
            };
            report.unless(holds, *rule);
        }
    }

    #[cfg(feature = "schema")]
    fn schema(_: &mut schemars::SchemaGenerator) -> schemars::Schema {
        schemars::json_schema!({
            "type": "string", "contentEncoding": "base64", "minLength": 4, "maxLength": MAX_FILE_BYTES.div_ceil(3) * 4
        })
    }

    #[cfg(feature = "schema")]
    fn example() -> Option<serde_json::Value> {
        Some("/9j/4AAQSkZJRg==".into())
    }
}
