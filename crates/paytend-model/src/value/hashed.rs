//! Personal data that may be hashed.

use std::fmt;

use serde::{Deserialize, Deserializer, Serialize, Serializer, de};
use serde_json::value::RawValue;
use sha2::{Digest, Sha256};
use subtle::{Choice, ConstantTimeEq};
use unicode_normalization::UnicodeNormalization as _;

use super::FieldType;
use crate::problem::Problem;
use crate::validate::{Report, Rule};

/// A value that is received as plain text or as a hexadecimal SHA-256 hash. A hash can only be compared with a known
/// value. `Debug` hides both the plain text and the hash, because a name or an account number can be guessed from its
/// hash. The documentation recommends SHA-256; other hashes are not recognized.
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
    /// Returns the text as received: the plain text or the hash.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// Returns whether the value consists of 64 hexadecimal digits, like a hash.
    pub fn is_hash(&self) -> bool {
        self.digest().is_some()
    }

    /// Returns whether the value is exactly `plain`, or the hash of its UTF-8 bytes. The run time does not depend on
    /// the result.
    pub fn matches(&self, plain: &str) -> bool {
        self.matches_one_of(&[plain.to_owned()])
    }

    /// Returns whether the value equals `plain`, ignoring case, whitespace and Unicode normalization, or is the hash of
    /// a common spelling of `plain`. The run time does not depend on the result.
    ///
    /// The common spellings are `plain` as passed, and `plain` trimmed and with single spaces between words. Each
    /// spelling is tried in its original case, in upper case and in lower case, and with composed and decomposed
    /// characters.
    ///
    /// ```
    /// use paytend_model::HashedText;
    /// assert!(HashedText::from("ONA  KAZLAUSKIENE\u{307}").matches_text("Ona Kazlauskienė"));
    /// // SHA-256 of "ONA KAZLAUSKIENĖ".
    /// let hash = "ffd878a0d54ba86d9c668dc4394bad3abfb5622982be6e646c30ddd50bcd56bf";
    /// assert!(HashedText::from(hash).matches_text(" Ona Kazlauskienė"));
    /// ```
    pub fn matches_text(&self, plain: &str) -> bool {
        if !self.is_hash() {
            return Self(normalized(&self.0)).matches(&normalized(plain));
        }
        let spaced = single_spaces(plain);
        let mut forms = Vec::new();
        for text in [plain, &spaced] {
            for text in [text.to_owned(), text.to_uppercase(), text.to_lowercase()] {
                forms.extend([text.nfc().collect(), text.nfd().collect(), text.nfkc().collect()]);
                forms.push(text);
            }
        }
        self.matches_one_of(&forms)
    }

    /// Returns whether the value is the IBAN `plain`, ignoring spaces and case, or the hash of a common spelling of
    /// that IBAN. The run time does not depend on the result.
    ///
    /// The common spellings are `plain` as passed, and `plain` without spaces or in groups of four, with all letters in
    /// upper or lower case.
    ///
    /// ```
    /// use paytend_model::HashedText;
    /// assert!(HashedText::from("lt12 1000 0111 0100 1000").matches_iban("LT121000011101001000"));
    /// // SHA-256 of "LT121000011101001000".
    /// let hash = "030989cb987044345f9fb2572bcb72792db85dd99721666391a13a2eb6ac6c6b";
    /// assert!(HashedText::from(hash).matches_iban("LT12 1000 0111 0100 1000"));
    /// ```
    pub fn matches_iban(&self, plain: &str) -> bool {
        let compact = |text: &str| -> String {
            text.chars().filter(|c| !c.is_whitespace() && *c != '-').collect::<String>().to_ascii_uppercase()
        };
        if !self.is_hash() {
            return Self(compact(&self.0)).matches(&compact(plain));
        }
        let compact = compact(plain);
        let mut grouped = String::new();
        for (index, letter) in compact.chars().enumerate() {
            if index > 0 && index % 4 == 0 {
                grouped.push(' ');
            }
            grouped.push(letter);
        }
        let lower_case = [compact.to_ascii_lowercase(), grouped.to_ascii_lowercase()];
        self.matches_one_of(&[&[plain.to_owned(), compact, grouped][..], &lower_case].concat())
    }

    /// Compares the value with every spelling, so that the run time does not reveal which spelling matched.
    fn matches_one_of(&self, forms: &[String]) -> bool {
        let expected = self.digest().unwrap_or_else(|| Sha256::digest(self.0.as_bytes()).into());
        let mut equal = Choice::from(0);
        for form in forms {
            let digest: [u8; 32] = Sha256::digest(form.as_bytes()).into();
            equal |= digest.ct_eq(&expected);
        }
        equal.into()
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

fn single_spaces(text: &str) -> String {
    text.split_whitespace().collect::<Vec<_>>().join(" ")
}

/// Normalizes whitespace, Unicode characters and case. Converts to upper case first, because some lower-case letters
/// become two upper-case letters.
fn normalized(text: &str) -> String {
    single_spaces(&text.nfkc().collect::<String>().to_uppercase().to_lowercase().nfc().collect::<String>())
}

impl From<&str> for HashedText {
    fn from(text: &str) -> Self {
        Self(text.to_owned())
    }
}

impl From<&String> for HashedText {
    fn from(text: &String) -> Self {
        text.as_str().into()
    }
}

impl From<&HashedText> for HashedText {
    fn from(text: &HashedText) -> Self {
        text.clone()
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

    fn is_blank(&self) -> bool {
        self.0.is_empty()
    }

    fn check(&self, rules: &[Rule], report: &mut Report) {
        // The IBAN rule does not apply to a hash.
        let text_rules: Vec<Rule> =
            rules.iter().copied().filter(|rule| *rule != Rule::Iban || !self.is_hash()).collect();
        report.text(&text_rules, &self.0);
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
    fn hash_and_plain_text_match_only_the_same_value() {
        // The hash of `abc`, which is an example in FIPS 180-4.
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

    fn hash(text: &str) -> HashedText {
        let digest = Sha256::digest(text.as_bytes());
        digest.iter().map(|byte| format!("{byte:02x}")).collect::<String>().into()
    }

    #[test]
    fn names_match_in_any_spelling() {
        let name = "Ona Kazlauskienė-Groß";
        for written in [
            "Ona Kazlauskienė-Groß",
            "ONA KAZLAUSKIENĖ-GROSS",
            "ona kazlauskienė-groß",
            "Ona Kazlauskiene\u{307}-Groß",
            " Ona  Kazlauskienė-Groß ",
            "Ona\u{a0}Kazlauskienė-Groß",
        ] {
            assert!(HashedText::from(written).matches_text(name), "{written}");
            assert!(HashedText::from(name).matches_text(written), "{written}");
        }
        // The hash of each common spelling matches.
        for written in [
            name.to_owned(),
            name.to_uppercase(),
            name.to_lowercase(),
            name.nfd().collect(),
            name.to_uppercase().nfd().collect(),
        ] {
            assert!(hash(&written).matches_text(name), "{written}");
            assert!(hash(&written).matches_text(&format!("  {name}")), "{written}");
        }
        for other in ["Ona Kazlauskiene-Groß", "Kazlauskienė-Groß Ona", "OnaKazlauskienė-Groß", ""] {
            assert!(!HashedText::from(other).matches_text(name), "{other}");
            assert!(!hash(other).matches_text(name), "{other}");
        }
    }

    #[test]
    fn ibans_match_in_any_spelling() {
        let iban = "LT121000011101001000";
        for written in ["LT12 1000 0111 0100 1000", "lt121000011101001000", "lt12 1000 0111 0100 1000", iban] {
            for (ours, theirs) in [(written, iban), (iban, written)] {
                assert!(HashedText::from(theirs).matches_iban(ours), "{ours} {theirs}");
                assert!(hash(theirs).matches_iban(ours), "{ours} {theirs}");
            }
        }
        for other in ["LT121000011101001001", "LT12100001110100100", ""] {
            assert!(!HashedText::from(other).matches_iban(iban) && !hash(other).matches_iban(iban), "{other}");
        }
    }
}
