//! Whether a payload keeps to what the documentation says of lengths and formats.
//!
//! Reading never refuses what only breaks such a rule: a provider may change its mind about a length. A sender checks before it sends.

use std::fmt;

/// Something that has rules.
pub trait Validate {
    /// Reports the rules that it breaks. Reports none unless told otherwise: an operation of one's own need not have rules.
    fn check(&self, report: &mut Report) {
        let _ = report;
    }

    /// Checks lengths and formats.
    ///
    /// # Errors
    /// All broken rules, each with the path of its field; no values.
    ///
    /// ```
    /// use paytend_model::{Validate, issuing::Topup};
    /// let topup = Topup::new("1755902".into(), "".into(), "0.00".parse()?, "EUR".into());
    /// let broken = topup.validate().unwrap_err();
    /// assert_eq!(broken.to_string(), "`orderNo` must not be empty; `amount` must be above zero");
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    fn validate(&self) -> Result<(), Invalid> {
        let mut report = Report::default();
        self.check(&mut report);
        if report.violations.is_empty() { Ok(()) } else { Err(Invalid { violations: report.violations }) }
    }
}

/// A rule that a field may break.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Rule {
    /// Holds something. Inferred: an empty identifier identifies nothing.
    NotEmpty,
    /// Exactly so many characters.
    Chars(usize),
    /// So many characters at least.
    MinChars(usize),
    /// So many characters at most.
    MaxChars(usize),
    /// So many bytes at most.
    MaxBytes(usize),
    /// Decimal digits alone, one at least.
    Digits,
    /// A day that exists, `yyyy-MM-dd`.
    Date,
    /// A time that exists, `yyyyMMddHHmmss`.
    CompactTime,
    /// A time of RFC 3339 with milliseconds, such as `2022-12-12T09:26:57.628Z`.
    Rfc3339Millis,
    /// Letters `a`–`z` and `A`–`Z`, digits, `/`, `.`, `-` and spaces. The documentation's list has no space, and its own
    /// example has.
    PlainLatin,
    /// Decimal digits with at most one point and no exponent: at most 15 digits before the point and 8 after it.
    /// Amounts that are received may be written otherwise.
    PlainDecimal,
    /// A number above zero. Inferred.
    Positive,
    /// This value alone.
    Is(&'static str),
    /// Not before the day in another field.
    NotBefore(&'static str),
    /// So many characters at most, together with another field.
    MaxCharsWith(&'static str, usize),
    /// There, if another field is not.
    RequiredUnless(&'static str),
    /// There, if another field is.
    RequiredWith(&'static str),
    /// So many characters at most, unless it is a hash.
    MaxPlainChars(usize),
    /// A JSON string.
    AsText,
    /// A JSON number.
    AsNumber,
    /// Of the field's type. It was not, or was set as an unknown field, and is kept in `extra`.
    OfItsType,
}

impl fmt::Display for Rule {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::NotEmpty => f.write_str("must not be empty"),
            Self::Chars(count) => write!(f, "must be exactly {count} characters long"),
            Self::MinChars(least) => write!(f, "must be at least {least} characters long"),
            Self::MaxChars(most) => write!(f, "must be at most {most} characters long"),
            Self::MaxBytes(most) => write!(f, "must be at most {most} bytes long"),
            Self::Digits => f.write_str("must be decimal digits"),
            Self::Date => f.write_str("must be a day that exists, written yyyy-MM-dd"),
            Self::CompactTime => f.write_str("must be a time that exists, written yyyyMMddHHmmss"),
            Self::Rfc3339Millis => f.write_str("must be a time like 2022-12-12T09:26:57.628Z"),
            Self::PlainLatin => f.write_str("must have no other characters than a-z A-Z 0-9 / . - and spaces"),
            Self::PlainDecimal => f.write_str("must be written like 1250.07"),
            Self::Positive => f.write_str("must be above zero"),
            Self::Is(value) => write!(f, "must be {value}"),
            Self::NotBefore(other) => write!(f, "must not be before `{other}`"),
            Self::MaxCharsWith(other, most) => {
                write!(f, "and `{other}` must be at most {most} characters long together")
            }
            Self::RequiredWith(other) => write!(f, "must be there if `{other}` is"),
            Self::MaxPlainChars(most) => write!(f, "must be at most {most} characters long, unless it is a hash"),
            Self::AsText => f.write_str("must be written as a JSON string"),
            Self::AsNumber => f.write_str("must be written as a JSON number"),
            Self::OfItsType => f.write_str("must be of its type, and on the type itself, not in `extra`"),
            Self::RequiredUnless(other) => write!(f, "must be there if `{other}` is not"),
        }
    }
}

impl Rule {
    /// Whether a text keeps it. A rule that is not about one text is not broken by one.
    fn holds(self, text: &str) -> bool {
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
            Self::Positive => !text.is_empty() && text.bytes().any(|byte| (b'1'..=b'9').contains(&byte)),
            // Of numbers, hashes and other fields: whoever knows those checks them.
            Self::NotBefore(_)
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

/// Whether a text has a shape: `d` is a digit, `s` a sign, all else itself.
fn shaped(text: &str, shape: &str) -> bool {
    let fits = |(byte, wanted): (u8, u8)| match wanted {
        b'd' => byte.is_ascii_digit(),
        b's' => matches!(byte, b'+' | b'-'),
        wanted => byte == wanted,
    };
    text.len() == shape.len() && text.bytes().zip(shape.bytes()).all(fits)
}

/// A rule that is broken, and where.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Violation {
    /// The path of the field, by wire names: `eeaAddress.postcode`.
    pub field: String,
    /// The rule.
    pub rule: Rule,
}

impl fmt::Display for Violation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "`{}` {}", self.field, self.rule)
    }
}

/// The rules that a payload breaks, one at least.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Invalid {
    violations: Vec<Violation>,
}

impl Invalid {
    /// Each of them, in the order of the fields.
    pub fn violations(&self) -> &[Violation] {
        &self.violations
    }
}

impl fmt::Display for Invalid {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (index, violation) in self.violations.iter().enumerate() {
            write!(f, "{}{violation}", if index == 0 { "" } else { "; " })?;
        }
        Ok(())
    }
}

impl std::error::Error for Invalid {}

/// Takes down which rules are broken.
#[derive(Debug, Default)]
pub struct Report {
    path: String,
    violations: Vec<Violation>,
}

impl Report {
    /// Reports a rule of a field, unless it holds.
    pub fn require(&mut self, field: &str, holds: bool, rule: Rule) {
        self.within(field, |report| report.unless(holds, rule));
    }

    /// Reports an `endDate` before its `beginDate`.
    pub(crate) fn days_in_order(&mut self, begin: &str, end: &str) {
        // Days in this form are in order when their texts are; what is not in this form is reported for that.
        let comparable = Rule::Date.holds(begin) && Rule::Date.holds(end);
        self.require("endDate", !comparable || begin <= end, Rule::NotBefore("beginDate"));
    }

    /// Reports what `check` reports, with `name` before it.
    pub(crate) fn within(&mut self, name: &str, check: impl FnOnce(&mut Self)) {
        let outer = self.path.len();
        if outer > 0 {
            self.path.push('.');
        }
        self.path.push_str(name);
        check(self);
        self.path.truncate(outer);
    }

    pub(crate) fn text(&mut self, rules: &[Rule], text: &str) {
        for rule in rules {
            self.unless(rule.holds(text), *rule);
        }
    }

    pub(crate) fn unless(&mut self, holds: bool, rule: Rule) {
        if !holds {
            self.violations.push(Violation { field: self.path.clone(), rule });
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_rule_tells_texts_apart() {
        use Rule::*;
        for (rule, keep, break_) in [
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
        ] {
            for text in keep {
                assert!(rule.holds(text), "{rule:?} {text}");
            }
            for text in break_ {
                assert!(!rule.holds(text), "{rule:?} {text}");
            }
        }
    }

    #[test]
    fn each_rule_says_what_to_do() {
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
