//! Personal data that arrives hashed, or not.

use std::fmt;

use serde::{Deserialize, Deserializer, Serialize, Serializer, de};
use serde_json::value::RawValue;
use sha2::{Digest, Sha256};
use subtle::ConstantTimeEq;

use super::FieldType;
use crate::problem::Problem;
use crate::validate::{Report, Rule};

/// A value that arrives as the hexadecimal SHA-256 of itself, or as itself. It cannot be read back from a hash, only compared
/// with a value that is known. `Debug` hides it either way: hashes of names can be guessed. SHA-256 is what the documentation recommends;
/// a hash of another form is not known for one.
///
/// ```
/// use paytend_model::HashedText;
/// let hash = "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad";
/// assert!(HashedText::from(hash).matches("abc"));
/// assert!(HashedText::from("abc").matches("abc"));
/// ```
#[derive(Clone, PartialEq, Eq, Hash)]
pub struct HashedText(String);

impl HashedText {
    /// The text as it came: a hash, or the value.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// Whether it has the form of a hash: 64 hexadecimal digits.
    pub fn is_hash(&self) -> bool {
        self.digest().is_some()
    }

    /// Whether it is `plain`, or the hash of its UTF-8 bytes. Takes the same time whatever the answer; nothing is trimmed and no
    /// letter changed, so `plain` must be written as it was when the order was placed.
    pub fn matches(&self, plain: &str) -> bool {
        let ours: [u8; 32] = Sha256::digest(plain.as_bytes()).into();
        let theirs = self.digest().unwrap_or_else(|| Sha256::digest(self.0.as_bytes()).into());
        ours.ct_eq(&theirs).into()
    }

    fn digest(&self) -> Option<[u8; 32]> {
        let nibble = |digit: u8| char::from(digit).to_digit(16).and_then(|value| u8::try_from(value).ok());
        let mut digest = [0; 32];
        if self.0.len() != 64 {
            return None;
        }
        for (byte, pair) in digest.iter_mut().zip(self.0.as_bytes().chunks_exact(2)) {
            let [high, low] = pair else { return None };
            *byte = nibble(*high)? << 4 | nibble(*low)?;
        }
        Some(digest)
    }
}

impl From<&str> for HashedText {
    fn from(text: &str) -> Self {
        Self(text.to_owned())
    }
}

impl From<String> for HashedText {
    fn from(text: String) -> Self {
        Self(text)
    }
}

impl fmt::Debug for HashedText {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("_")
    }
}

impl Serialize for HashedText {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(&self.0)
    }
}

impl<'de> Deserialize<'de> for HashedText {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        Self::read(Box::<RawValue>::deserialize(deserializer)?.get()).map_err(de::Error::custom)
    }
}

impl FieldType for HashedText {
    fn read(json: &str) -> Result<Self, Problem> {
        String::read(json).map(Self)
    }

    fn check(&self, rules: &[Rule], report: &mut Report) {
        report.text(rules, &self.0);
        for rule in rules {
            if let Rule::MaxPlainChars(most) = rule {
                report.unless(self.is_hash() || self.0.chars().count() <= *most, *rule);
            }
        }
    }

    #[cfg(feature = "schema")]
    fn schema(_: &mut schemars::SchemaGenerator) -> schemars::Schema {
        schemars::json_schema!({ "type": "string" })
    }

    #[cfg(feature = "schema")]
    fn example() -> Option<serde_json::Value> {
        Some("ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad".into())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_hash_and_the_value_itself_match_the_value_alone() {
        // FIPS 180-4's example, in both cases.
        let hash = "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad";
        for text in [hash, &hash.to_uppercase(), "abc"] {
            let text = HashedText::from(text);
            assert!(text.matches("abc"), "{}", text.as_str());
            for other in ["", "abd", "abc ", "ABC", hash] {
                assert!(!text.matches(other), "{} {other}", text.as_str());
            }
        }
        assert!(HashedText::from(hash).is_hash());
        for plain in ["abc", "", &hash[1..], &format!("{}g", &hash[1..]), &"ž".repeat(32)] {
            assert!(!HashedText::from(plain).is_hash(), "{plain}");
            assert!(HashedText::from(plain).matches(plain));
        }
    }
}
