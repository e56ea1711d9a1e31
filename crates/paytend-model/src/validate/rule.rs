//! Field rules, and their error messages.

use std::fmt;

use super::severity::Severity;
use crate::provenance::Source;

/// A rule for a field's value.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Rule {
    /// The field must be set. An empty string means that the field is not set, as in the provider's published programs.
    NotEmpty,
    /// Exactly this number of characters.
    Chars(usize),
    /// At least this number of characters.
    MinChars(usize),
    /// At most this number of characters.
    MaxChars(usize),
    /// At most this number of bytes.
    MaxBytes(usize),
    /// One or more decimal digits, and no other characters.
    Digits,
    /// A valid date in the format `yyyy-MM-dd`.
    Date,
    /// A valid time in the format `yyyyMMddHHmmss`.
    CompactTime,
    /// An RFC 3339 time with milliseconds, such as `2022-12-12T09:26:57.628Z`.
    Rfc3339Millis,
    /// Only letters `a`–`z` and `A`–`Z`, digits, `/`, `.`, `-` and spaces. The documented list does not include spaces,
    /// but the documented example contains one.
    PlainLatin,
    /// A decimal number without an exponent: at most 15 digits before the decimal point and 8 after it. Received
    /// amounts can have other formats.
    PlainDecimal,
    /// A number greater than zero. This rule is inferred.
    Positive,
    /// Exactly this value.
    Is(&'static str),
    /// A date that is not before the date in another field. This rule is inferred.
    NotBefore(&'static str),
    /// A date at most this number of days after the date in another field. This rule is inferred.
    MaxDaysAfter(&'static str, i32),
    /// An ISO 4217 currency code, such as `EUR`. This rule is inferred.
    Iso4217,
    /// An ISO 3166-1 country code, such as `LT`. This rule is inferred.
    Iso3166,
    /// An e-mail address. This rule is inferred.
    Email,
    /// A phone number with country code: 7 to 15 digits, with or without a leading `+`. This rule is inferred.
    Phone,
    /// An IBAN with the correct length for its country and valid check digits. Spaces are ignored. This rule is
    /// inferred.
    Iban,
    /// A BIC: 8 or 11 letters and digits that include a country code. This rule is inferred.
    Bic,
    /// At most this number of characters in this field and another field combined.
    MaxCharsWith(&'static str, usize),
    /// The field must be set if the other field is not set.
    RequiredUnless(&'static str),
    /// The field must be set if the other field is set.
    RequiredWith(&'static str),
    /// At most this number of characters, unless the value is a hash.
    MaxPlainChars(usize),
    /// A JSON string.
    AsText,
    /// A JSON number.
    AsNumber,
    /// A value of the field's type. A value that violates this rule is in `extra`, because it had a different type or
    /// the caller set it there.
    OfItsType,
}

/// Displays a rule as the end of a sentence that starts with the field's name.
pub(super) struct Wording<'v> {
    rule: Rule,
    verb: &'v str,
}

impl fmt::Display for Wording<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { rule, verb } = self;
        if let Rule::MaxCharsWith(other, _) = rule {
            write!(f, "and `{other}` ")?;
        }
        write!(f, "{verb} ")?;
        match rule {
            Rule::NotEmpty => f.write_str("not be empty"),
            Rule::Chars(count) => write!(f, "be exactly {count} characters long"),
            Rule::MinChars(least) => write!(f, "be at least {least} characters long"),
            Rule::MaxChars(most) => write!(f, "be at most {most} characters long"),
            Rule::MaxBytes(most) => write!(f, "be at most {most} bytes long"),
            Rule::Digits => f.write_str("contain only decimal digits"),
            Rule::Date => f.write_str("be a valid date in the format yyyy-MM-dd"),
            Rule::CompactTime => f.write_str("be a valid time in the format yyyyMMddHHmmss"),
            Rule::Rfc3339Millis => f.write_str("be an RFC 3339 time such as 2022-12-12T09:26:57.628Z"),
            Rule::PlainLatin => f.write_str("contain only the characters a-z A-Z 0-9 / . - and spaces"),
            Rule::PlainDecimal => f.write_str("be a decimal number such as 1250.07"),
            Rule::Positive => f.write_str("be above zero"),
            Rule::Is(value) => write!(f, "be {value}"),
            Rule::NotBefore(other) => write!(f, "not be before `{other}`"),
            Rule::MaxDaysAfter(other, most) => write!(f, "be at most {most} days after `{other}`"),
            Rule::MaxCharsWith(_, most) => write!(f, "be at most {most} characters long in total"),
            Rule::RequiredUnless(other) => write!(f, "be set if `{other}` is not set"),
            Rule::RequiredWith(other) => write!(f, "be set if `{other}` is set"),
            Rule::MaxPlainChars(most) => write!(f, "be at most {most} characters long, unless it is a hash"),
            Rule::AsText => f.write_str("be written as a JSON string"),
            Rule::AsNumber => f.write_str("be written as a JSON number"),
            Rule::OfItsType => f.write_str("match the type of the field; set the field itself, not `extra`"),
            Rule::Iso4217 => f.write_str("be an ISO 4217 currency code, such as EUR"),
            Rule::Iso3166 => f.write_str("be an ISO 3166-1 country code, such as LT"),
            Rule::Email => f.write_str("be an e-mail address"),
            Rule::Phone => f.write_str("be a phone number with country code: 7 to 15 digits"),
            Rule::Iban => f.write_str("be an IBAN with the correct length for its country and valid check digits"),
            Rule::Bic => f.write_str("be a BIC: 8 or 11 letters and digits that include a country code"),
        }
    }
}

impl fmt::Display for Rule {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.with_verb("must").fmt(f)
    }
}

impl Rule {
    /// The maximum number of days between the first and the last day of a query.
    pub(crate) const MAX_DAYS: i32 = 30;

    /// Returns the severity of a violation of this rule, for a field with the given source.
    pub const fn severity(self, source: Source) -> Severity {
        match (self, source) {
            (_, Source::Inferred) => Severity::Warning,
            (
                Self::Positive
                | Self::NotBefore(_)
                | Self::MaxDaysAfter(..)
                | Self::Iso4217
                | Self::Iso3166
                | Self::Email
                | Self::Phone
                | Self::Iban
                | Self::Bic,
                _,
            ) => Severity::Warning,
            _ => Severity::Error,
        }
    }

    /// Returns the rule's message with the verb "must" or "should".
    pub(super) fn with_verb(self, verb: &str) -> Wording<'_> {
        Wording { rule: self, verb }
    }

    /// Returns whether a string satisfies the rule. Rules that cannot be checked on a single string
    /// are always satisfied.
    pub(super) fn holds(self, text: &str) -> bool {
        let chars = || text.chars().count();
        match self {
            Self::NotEmpty => !text.is_empty(),
            Self::Chars(count) => chars() == count,
            Self::MinChars(least) => chars() >= least,
            Self::MaxChars(most) => chars() <= most,
            Self::MaxBytes(most) => text.len() <= most,
            Self::Digits => !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit()),
            Self::Date => shaped(text, "dddd-dd-dd") && text.parse::<jiff::civil::Date>().is_ok(),
            Self::CompactTime => {
                shaped(text, "dddddddddddddd") && jiff::civil::DateTime::strptime("%Y%m%d%H%M%S", text).is_ok()
            }
            Self::Rfc3339Millis => {
                (shaped(text, "dddd-dd-ddTdd:dd:dd.dddZ") || shaped(text, "dddd-dd-ddTdd:dd:dd.dddsdd:dd"))
                    && text.parse::<jiff::Timestamp>().is_ok()
            }
            Self::PlainLatin => {
                text.bytes().all(|byte| byte.is_ascii_alphanumeric() || matches!(byte, b'/' | b'.' | b'-' | b' '))
            }
            Self::Is(value) => text == value,
            Self::Iso4217 => iso_currency::Currency::from_code(text).is_some(),
            Self::Iso3166 => is_country(text),
            Self::Email => email_address::EmailAddress::is_valid(text),
            Self::Phone => {
                let digits = text.strip_prefix('+').unwrap_or(text);
                (7..=15).contains(&digits.len()) && digits.bytes().all(|byte| byte.is_ascii_digit())
            }
            Self::Iban => {
                let compact: String = text.chars().filter(|c| !c.is_whitespace()).collect();
                compact.to_ascii_uppercase().parse::<iban::Iban>().is_ok()
            }
            Self::Bic => is_bic(text),
            Self::Positive => !text.is_empty() && text.bytes().any(|byte| (b'1'..=b'9').contains(&byte)),
            Self::NotBefore(_)
            | Self::MaxDaysAfter(..)
            | Self::MaxCharsWith(..)
            | Self::RequiredUnless(_)
            | Self::RequiredWith(_)
            | Self::MaxPlainChars(_)
            | Self::PlainDecimal
            | Self::AsText
            | Self::AsNumber
            | Self::OfItsType => true,
        }
    }
}

fn is_country(code: &str) -> bool {
    let capitals = code.bytes().all(|byte| byte.is_ascii_uppercase());
    capitals && (celes::Country::from_alpha2(code).is_ok() || celes::Country::from_alpha3(code).is_ok())
}

/// Returns whether a string has the structure of an ISO 9362 code: bank, country, location and optional branch.
fn is_bic(text: &str) -> bool {
    let (Some(bank), Some(country), Some(rest)) = (text.get(..4), text.get(4..6), text.get(6..)) else {
        return false;
    };
    // Kosovo has no code in ISO 3166-1 and uses XK in BICs and IBANs.
    let country = is_country(country) || country == "XK";
    bank.bytes().all(|byte| byte.is_ascii_uppercase())
        && country
        && matches!(rest.len(), 2 | 5)
        && rest.bytes().all(|byte| byte.is_ascii_uppercase() || byte.is_ascii_digit())
}

/// Returns whether a string matches a pattern. In the pattern, `d` matches a digit, `s` matches a sign, and any other
/// character matches itself.
fn shaped(text: &str, shape: &str) -> bool {
    let fits = |(byte, wanted): (u8, u8)| match wanted {
        b'd' => byte.is_ascii_digit(),
        b's' => matches!(byte, b'+' | b'-'),
        wanted => byte == wanted,
    };
    text.len() == shape.len() && text.bytes().zip(shape.bytes()).all(fits)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rules_accept_valid_strings_and_reject_invalid_ones() {
        use Rule::*;
        for (rule, valid, invalid) in [
            (NotEmpty, vec!["a", " "], vec![""]),
            (Chars(3), vec!["abc", "žžž"], vec!["ab", "abcd", ""]),
            (MinChars(2), vec!["žž", "abc"], vec!["ž", ""]),
            (MaxChars(2), vec!["žž", ""], vec!["abc"]),
            (MaxBytes(2), vec!["ž", ""], vec!["žž", "abc"]),
            (Digits, vec!["0", "007"], vec!["", "1.0", "-1", "٣", " 1"]),
            (
                Date,
                vec!["2024-02-29", "1999-12-31"],
                vec![
                    "2023-02-29",
                    "2023-13-01",
                    "2023-1-01",
                    "20230101",
                    "2023-01-01T00",
                    "",
                    "01-01-2023",
                    "+2023-01-01",
                ],
            ),
            (
                CompactTime,
                vec!["20200414113800", "20240229235959"],
                vec!["20200414", "20200414243800", "20230229000000", "2020041411380x"],
            ),
            (
                Rfc3339Millis,
                vec!["2022-12-12T09:26:57.628Z", "2022-12-12T09:26:57.628+08:00", "2022-12-12T09:26:57.628-03:30"],
                vec![
                    "2022-12-12T09:26:57Z",
                    "2022-12-12 09:26:57.628Z",
                    "2022-12-12T25:26:57.628Z",
                    "2022-02-30T09:26:57.628Z",
                    "2022-12-12T09:26:57.628",
                    "2022-12-12T09:26:57.628+0800",
                ],
            ),
            (PlainLatin, vec!["Liwa Street off Khalifa St. 1/2-3", ""], vec!["Žalgirio", "a,b", "a\nb", "a_b"]),
            (Is("RSA"), vec!["RSA"], vec!["rsa", "RSA2", ""]),
            (Iso4217, vec!["EUR", "AED", "USD", "JPY"], vec!["EURO", "eur", "ZZZ", "E"]),
            (Iso3166, vec!["LT", "CN", "ARE"], vec!["UK", "UAE", "lt", "ZZ", "L"]),
            (Email, vec!["ona@example.com", "o.k+x@sub.example.lt"], vec!["ona", "@example.com", "ona@", "a b@c.d"]),
            (Phone, vec!["+8618300000000", "37060000000"], vec!["", "+", "123456", "+370 600", "1234567890123456"]),
            (
                Iban,
                vec!["LT121000011101001000", "DE89 3704 0044 0532 0130 00", "gb29nwbk60161331926819"],
                vec![
                    "LT463570021000000451",
                    "LT131000011101001000",
                    "DE8937040044053201300",
                    "ZZ89370400440532013000",
                    "1",
                ],
            ),
            (Bic, vec!["COBADEFF", "COBADEFFXXX", "BBMEAEAD"], vec!["COBADEFFXX", "cobadeff", "COBAZZFF", "ž", ""]),
        ] {
            for text in valid {
                assert!(rule.holds(text), "{rule:?} {text}");
            }
            for text in invalid {
                assert!(!rule.holds(text), "{rule:?} {text}");
            }
        }
    }

    #[test]
    fn every_rule_message_contains_must() {
        use Rule::*;
        let rules = [
            NotEmpty,
            Chars(1),
            MinChars(1),
            MaxChars(1),
            MaxBytes(1),
            Digits,
            Date,
            CompactTime,
            Rfc3339Millis,
            PlainLatin,
            Positive,
            Is("x"),
            NotBefore("x"),
            MaxDaysAfter("x", 1),
            Iso4217,
            Iso3166,
            Email,
            Phone,
            Iban,
            Bic,
            MaxCharsWith("x", 1),
            RequiredUnless("x"),
            RequiredWith("x"),
            MaxPlainChars(1),
            AsText,
            AsNumber,
            OfItsType,
        ];
        for rule in rules {
            assert!(rule.to_string().contains("must"), "{rule:?}");
        }
    }
}
