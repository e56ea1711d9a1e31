//! Decimal amounts of money that keep their digits as received.

#[cfg(test)]
mod tests;

use std::cmp::Ordering;
use std::fmt;
use std::hash::{Hash, Hasher};
use std::str::FromStr;

use rust_decimal::Decimal;
use serde::{Deserialize, Deserializer, Serialize, Serializer, de};
use serde_json::value::RawValue;

use super::FieldType;
use super::exact::{decimal, exponent_of};
use crate::problem::Problem;
use crate::validate::{Report, Rule};

/// The maximum number of digits before the decimal point.
const MAX_INTEGER_DIGITS: usize = 15;
/// The maximum number of digits after the decimal point.
const MAX_DECIMALS: usize = 8;

/// An amount of money in major units (`10.50` euros). The currency is a separate field.
///
/// An amount created with `parse` or `try_from` has up to 15 digits before the decimal point and 8 after it, and no
/// exponent. A received amount can have any format with an exact value that fits into a [`Decimal`], such as `1E+2`,
/// `+100.00`, `.50` and `0100.00`. Binary floating point is never used.
///
/// The digits are kept as received: `10.10` does not become `10.1`, and `1E+2` does not become `100`. A JSON number
/// stays a number, and a JSON string stays a string; the provider uses both. Two amounts are equal if their values are
/// equal.
///
/// ```
/// use paytend_model::{Amount, Decimal};
/// let amount: Amount = "25.00".parse()?;
/// assert!(amount == Amount::try_from(Decimal::new(2500, 2))? && amount == Amount::from(25));
/// let (a, b): (Amount, Amount) = (serde_json::from_str("0.10")?, serde_json::from_str("\"0.2\"")?);
/// assert_eq!(a.checked_add(&b)?.to_string(), "0.30");
/// assert_eq!(serde_json::to_string(&a)?, "0.10");
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Clone)]
pub struct Amount {
    digits: String,
    value: Decimal,
    form: Form,
}

#[derive(Clone, Copy)]
enum Form {
    Text,
    Number,
}

/// The error returned when parsing an invalid [`Amount`]. Does not contain the input.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{}", self.reason())]
#[non_exhaustive]
pub enum AmountError {
    /// The input is not a decimal number. A decimal number has digits, at most one decimal point and an optional minus
    /// sign.
    NotDecimal,
    /// The input has an exponent. Only received amounts can have an exponent.
    Exponent,
    /// The input has too many digits. A received amount has too many digits if its value does not fit into a
    /// [`Decimal`].
    TooLong,
}

impl AmountError {
    fn reason(self) -> &'static str {
        match self {
            Self::NotDecimal => "not a decimal number like 1250.07",
            Self::Exponent => "an amount must not have an exponent; write 1250.07, not 1.25007e3",
            Self::TooLong => "too many digits: an amount has at most 15 before the decimal point and 8 after it",
        }
    }
}

impl Amount {
    /// Reads a received amount in any format, if a [`Decimal`] can represent its value exactly.
    fn read_exact(text: &str, form: Form) -> Result<Self, AmountError> {
        let (negative, rest) = match text.as_bytes().first() {
            Some(b'-') => (true, &text[1..]),
            Some(b'+') => (false, &text[1..]),
            _ => (false, text),
        };
        let (mantissa, exponent) = match rest.split_once(['e', 'E']) {
            Some((mantissa, exponent)) => (mantissa, exponent_of(exponent)?),
            None => (rest, 0),
        };
        let (integer, decimals) = mantissa.split_once('.').unwrap_or((mantissa, ""));
        let all_digits = [integer, decimals].iter().all(|part| part.bytes().all(|byte| byte.is_ascii_digit()));
        if !all_digits || integer.len() + decimals.len() == 0 {
            return Err(AmountError::NotDecimal);
        }
        let value = decimal(negative, &[integer, decimals].concat(), decimals.len(), exponent)?;
        // Text that is not a valid JSON number is written as a string.
        let form = if serde_json::from_str::<&RawValue>(text).is_ok() { form } else { Form::Text };
        Ok(Self { digits: text.to_owned(), value, form })
    }

    fn parse(text: &str, form: Form) -> Result<Self, AmountError> {
        let magnitude = text.strip_prefix('-').unwrap_or(text);
        let (integer, decimals) = magnitude.split_once('.').unwrap_or((magnitude, "0"));
        let digits = |part: &str| !part.is_empty() && part.bytes().all(|byte| byte.is_ascii_digit());
        let numeric = |byte: u8| byte.is_ascii_digit() || matches!(byte, b'.' | b'+' | b'-' | b'e' | b'E');
        if magnitude.starts_with(|c: char| c.is_ascii_digit())
            && magnitude.contains(['e', 'E'])
            && magnitude.bytes().all(numeric)
        {
            return Err(AmountError::Exponent);
        }
        let leading_zero = integer.len() > 1 && integer.starts_with('0');
        if !digits(integer) || !digits(decimals) || leading_zero {
            return Err(AmountError::NotDecimal);
        }
        if integer.len() > MAX_INTEGER_DIGITS || decimals.len() > MAX_DECIMALS {
            return Err(AmountError::TooLong);
        }
        let value = Decimal::from_str_exact(text).map_err(|_| AmountError::NotDecimal)?;
        Ok(Self { digits: text.to_owned(), value, form })
    }

    /// Returns the value as a [`Decimal`], for arithmetic.
    pub fn value(&self) -> Decimal {
        self.value
    }

    /// Converts to an equal amount that is written as a JSON string.
    #[must_use]
    pub fn into_text(self) -> Self {
        Self { form: Form::Text, ..self }
    }

    /// Converts to an equal amount that is written as a JSON number.
    #[must_use]
    pub fn into_number(self) -> Self {
        Self { form: Form::Number, ..self }
    }

    /// Returns the exact sum, written as a JSON string or number like `self`.
    ///
    /// # Errors
    /// Returns [`AmountError::TooLong`] if the sum has too many digits.
    pub fn checked_add(&self, other: &Self) -> Result<Self, AmountError> {
        let sum = self.value.checked_add(other.value).ok_or(AmountError::TooLong)?;
        Self::parse(&sum.to_string(), self.form)
    }

    /// Returns the exact difference, written as a JSON string or number like `self`.
    ///
    /// # Errors
    /// Returns [`AmountError::TooLong`] if the difference has too many digits.
    pub fn checked_sub(&self, other: &Self) -> Result<Self, AmountError> {
        let difference = self.value.checked_sub(other.value).ok_or(AmountError::TooLong)?;
        Self::parse(&difference.to_string(), self.form)
    }

    /// Returns whether the amount is greater than zero.
    pub fn is_positive(&self) -> bool {
        self.value > Decimal::ZERO
    }
}

impl FromStr for Amount {
    type Err = AmountError;

    /// Parses a decimal number. The amount is written as a JSON string.
    fn from_str(text: &str) -> Result<Self, AmountError> {
        Self::parse(text, Form::Text)
    }
}

impl fmt::Display for Amount {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(&self.digits)
    }
}

impl From<u32> for Amount {
    /// Creates an amount in whole units. The amount is written as a JSON string.
    fn from(units: u32) -> Self {
        Self { digits: units.to_string(), value: units.into(), form: Form::Text }
    }
}

impl TryFrom<Decimal> for Amount {
    type Error = AmountError;

    /// Converts a decimal and keeps all its digits. The amount is written as a JSON string.
    fn try_from(value: Decimal) -> Result<Self, AmountError> {
        Self::parse(&value.to_string(), Form::Text)
    }
}

impl fmt::Debug for Amount {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Amount({})", self.digits)
    }
}

impl PartialEq for Amount {
    fn eq(&self, other: &Self) -> bool {
        self.value == other.value
    }
}

impl Eq for Amount {}

impl PartialOrd for Amount {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

impl Ord for Amount {
    fn cmp(&self, other: &Self) -> Ordering {
        self.value.cmp(&other.value)
    }
}

impl Hash for Amount {
    fn hash<H: Hasher>(&self, state: &mut H) {
        self.value.normalize().hash(state);
    }
}

impl Serialize for Amount {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        match self.form {
            Form::Text => serializer.serialize_str(&self.digits),
            Form::Number => match RawValue::from_string(self.digits.clone()) {
                Ok(number) => number.serialize(serializer),
                // `into_number` was called on an amount such as `+1.00`, which is not a valid JSON number.
                Err(_) => serializer.serialize_str(&self.digits),
            },
        }
    }
}

impl<'de> Deserialize<'de> for Amount {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        Self::read_json(Box::<RawValue>::deserialize(deserializer)?.get()).map_err(de::Error::custom)
    }
}

impl Amount {
    fn read_json(json: &str) -> Result<Self, AmountError> {
        match super::string(json) {
            Some(text) => Self::read_exact(&text, Form::Text),
            None => Self::read_exact(json, Form::Number),
        }
    }
}

impl FieldType for Amount {
    fn read(json: &str) -> Result<Self, Problem> {
        Self::read_json(json).map_err(|error| Problem::Because(error.reason()))
    }

    fn check(&self, rules: &[Rule], report: &mut Report) {
        report.unless(Self::parse(&self.digits, self.form).is_ok(), Rule::PlainDecimal);
        for rule in rules {
            let holds = match rule {
                Rule::Positive => self.is_positive(),
                Rule::AsText => matches!(self.form, Form::Text),
                Rule::AsNumber => matches!(self.form, Form::Number),
                _ => true,
            };
            report.unless(holds, *rule);
        }
    }

    #[cfg(feature = "schema")]
    fn schema(_: &mut schemars::SchemaGenerator) -> schemars::Schema {
        schemars::json_schema!({
            "type": ["string", "number"],
            "format": "decimal",
            "pattern": "^-?(0|[1-9][0-9]{0,14})([.][0-9]{1,8})?$",
        })
    }

    #[cfg(feature = "schema")]
    fn example() -> Option<serde_json::Value> {
        Some("10.10".into())
    }
}
