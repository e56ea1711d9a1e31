//! Text types: identifiers, codes, dates and personal data.

use std::fmt;

use serde::{Deserialize, Deserializer, Serialize, Serializer, de};
use serde_json::value::RawValue;

use super::FieldType;
use crate::problem::Problem;
use crate::validate::{Report, Rule};

/// Text that was received as a JSON string or a JSON number, and is written back as the same type.
#[derive(Clone)]
pub(super) struct Scalar {
    text: String,
    number: bool,
}

impl Scalar {
    pub(super) fn read(json: &str) -> Result<Self, Problem> {
        if let Some(text) = super::string(json) {
            return Ok(Self { text: text.into_owned(), number: false });
        }
        // Digits that are not a valid JSON number, such as `007`, are written back as a string.
        let number = json.starts_with(|first: char| first == '-' || first.is_ascii_digit())
            && serde_json::from_str::<&RawValue>(json).is_ok();
        if number || (!json.is_empty() && json.bytes().all(|byte| byte.is_ascii_digit())) {
            return Ok(Self { text: json.to_owned(), number });
        }
        Err(Problem::expected("a string or a number"))
    }

    pub(super) fn write<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        if !self.number {
            return serializer.serialize_str(&self.text);
        }
        RawValue::from_string(self.text.clone()).map_err(serde::ser::Error::custom)?.serialize(serializer)
    }
}

/// Returns whether `Debug` may show a string. The string must be one short word, like an identifier or a code. A
/// `Code`, `CardId`, `HolderId` or `UserId` must also not look like a card number, because most fields of these types
/// have inferred names.
fn is_plain(text: &str, type_name: &str) -> bool {
    let word = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_' | b'.' | b'/' | b':' | b'+');
    let card_number = (12..=19).contains(&text.len()) && text.bytes().all(|byte| byte.is_ascii_digit());
    let may_hold_card_number = matches!(type_name, "Code" | "CardId" | "HolderId" | "UserId");
    text.len() <= 64 && text.bytes().all(word) && !(card_number && may_hold_card_number)
}

/// Declares a text type. A `hidden` type prints `_` in `Debug`, has no `Display`, and does not dereference to `str`.
macro_rules! text {
    ($(#[$about:meta])* pub struct $name:ident shown $([$($rule:expr),*])? $(= $example:literal)?;) => {
        text!(@type $(#[$about])* $name, [$($($rule),*)?], $($example)?);

        impl fmt::Debug for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                if is_plain(&self.0.text, stringify!($name)) {
                    fmt::Debug::fmt(&self.0.text, f)
                } else {
                    f.write_str("_")
                }
            }
        }

        impl AsRef<str> for $name {
            fn as_ref(&self) -> &str {
                &self.0.text
            }
        }

        impl std::borrow::Borrow<str> for $name {
            fn borrow(&self) -> &str {
                &self.0.text
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.pad(&self.0.text)
            }
        }

        impl std::ops::Deref for $name {
            type Target = str;

            fn deref(&self) -> &str {
                &self.0.text
            }
        }
    };
    ($(#[$about:meta])* pub struct $name:ident hidden;) => {
        text!(@type $(#[$about])* $name, [],);

        impl fmt::Debug for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("_")
            }
        }
    };
    (@type $(#[$about:meta])* $name:ident, [$($rule:expr),*], $($example:literal)?) => {
        $(#[$about])*
        ///
        /// Reads a JSON string or number, and writes it back unchanged. Two values are equal if their text is equal.
        #[derive(Clone)]
        pub struct $name(Scalar);

        impl $name {
            /// Returns the text as a string slice.
            pub fn as_str(&self) -> &str {
                &self.0.text
            }
        }

        impl From<&str> for $name {
            fn from(text: &str) -> Self {
                text.to_owned().into()
            }
        }

        impl From<String> for $name {
            fn from(text: String) -> Self {
                Self(Scalar { text, number: false })
            }
        }

        impl From<&String> for $name {
            fn from(text: &String) -> Self {
                text.as_str().into()
            }
        }

        impl From<&$name> for $name {
            fn from(text: &$name) -> Self {
                text.clone()
            }
        }

        impl From<$name> for String {
            fn from(text: $name) -> Self {
                text.0.text
            }
        }

        impl std::str::FromStr for $name {
            type Err = std::convert::Infallible;

            fn from_str(text: &str) -> Result<Self, std::convert::Infallible> {
                Ok(text.into())
            }
        }

        impl PartialEq for $name {
            fn eq(&self, other: &Self) -> bool {
                self.as_str() == other.as_str()
            }
        }

        impl Eq for $name {}

        impl PartialEq<str> for $name {
            fn eq(&self, other: &str) -> bool {
                self.as_str() == other
            }
        }

        impl PartialEq<&str> for $name {
            fn eq(&self, other: &&str) -> bool {
                self.as_str() == *other
            }
        }

        impl PartialOrd for $name {
            fn partial_cmp(&self, other: &Self) -> Option<std::cmp::Ordering> {
                Some(self.cmp(other))
            }
        }

        impl Ord for $name {
            fn cmp(&self, other: &Self) -> std::cmp::Ordering {
                self.as_str().cmp(other.as_str())
            }
        }

        impl std::hash::Hash for $name {
            fn hash<H: std::hash::Hasher>(&self, state: &mut H) {
                self.as_str().hash(state);
            }
        }

        impl Serialize for $name {
            fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
                self.0.write(serializer)
            }
        }

        impl<'de> Deserialize<'de> for $name {
            fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
                let json = Box::<RawValue>::deserialize(deserializer)?;
                Self::read(json.get()).map_err(de::Error::custom)
            }
        }

        impl FieldType for $name {
            fn read(json: &str) -> Result<Self, Problem> {
                Scalar::read(json).map(Self)
            }

            fn is_blank(&self) -> bool {
                self.as_str().is_empty()
            }

            fn check(&self, rules: &[Rule], report: &mut Report) {
                report.text(&[$($rule),*], self.as_str());
                report.text(rules, self.as_str());
                for rule in rules.iter().filter(|_| !self.is_blank()) {
                    report.unless(*rule != Rule::AsText || !self.0.number, *rule);
                    report.unless(*rule != Rule::AsNumber || self.0.number, *rule);
                }
            }

            #[cfg(feature = "schema")]
            fn schema(_: &mut schemars::SchemaGenerator) -> schemars::Schema {
                #[allow(unused_mut)]
                let mut schema = schemars::json_schema!({ "type": ["string", "number"] });
                $(crate::schema::apply(&mut schema, &$rule);)*
                schema
            }

            #[cfg(feature = "schema")]
            fn example() -> Option<serde_json::Value> {
                None$(.or(Some($example.into())))?
            }
        }
    };
}

text! {
    /// The provider's identifier for a card.
    pub struct CardId shown = "1755902";
}

text! {
    /// The provider's identifier for a cardholder.
    pub struct HolderId shown = "H000001";
}

text! {
    /// The provider's identifier for a user of BaaS Core: a person or a corporation with an account.
    pub struct UserId shown = "U000001";
}

text! {
    /// An order number. The partner chooses a unique number for each order and can query the order by this number. A
    /// few fields contain the provider's number instead, as their documentation states.
    pub struct OrderNo shown = "T20231106000001";
}

text! {
    /// The provider's transaction number.
    pub struct TransactionId shown = "T202311060001";
}

text! {
    /// `partnerId`: the identifier of a partner, assigned by Paytend. In a request it has 15 characters (documented).
    pub struct PartnerId shown = "888666000100260";
}

text! {
    /// A code with undocumented values. In observed messages, codes are JSON strings, but some are documented as
    /// numbers.
    pub struct Code shown = "1";
}

text! {
    /// A count or a position, such as the start of a page. The provider's published demo sends a JSON string.
    pub struct Count shown [Rule::Digits] = "20";
}

text! {
    /// An ISO 4217 currency code, such as `EUR`.
    pub struct Currency shown [Rule::Iso4217] = "EUR";
}

text! {
    /// A country code. Observed values are two-letter ISO 3166-1 codes, such as `LT`; PayBy also uses `UAE`.
    pub struct CountryCode shown [Rule::Iso3166] = "LT";
}

text! {
    /// A date in the format `yyyy-MM-dd`.
    pub struct Date shown [Rule::Date] = "2023-11-06";
}

text! {
    /// Personal data or a secret: a name, an address, a document, account or phone number, or free text. `Debug` prints
    /// `_`, and the type has no `Display`. Use [`as_str`](Self::as_str) to read the text.
    pub struct Personal hidden;
}

impl From<u64> for Count {
    fn from(count: u64) -> Self {
        count.to_string().into()
    }
}

impl Count {
    /// Returns the number, or `None` if the text is not a number.
    pub fn get(&self) -> Option<u64> {
        self.as_str().parse().ok()
    }
}

impl Code {
    /// Creates a code that is written as a JSON number.
    pub fn number(code: i64) -> Self {
        Self(Scalar { text: code.to_string(), number: true })
    }

    /// Returns whether the code was received as a JSON number, and is therefore written as a JSON number.
    pub fn is_number(&self) -> bool {
        self.0.number
    }
}
