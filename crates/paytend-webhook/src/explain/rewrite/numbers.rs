//! Alternative spellings of a number: with other decimals, with an exponent, or with the digits before rounding.

/// The alternative spellings of a number. The first is the received spelling.
pub(super) struct Forms {
    pub(super) texts: Vec<String>,
    /// The number of common spellings without an exponent, which come first in `texts`.
    pub(super) plain: usize,
    /// The index of the first spelling that has a different value but the same floating-point representation.
    pub(super) rounded: usize,
}

/// A decimal number: its digits without leading or trailing zeros, and a power of ten.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Decimal {
    negative: bool,
    digits: String,
    exponent: i32,
}

/// The numbers of decimal places to try, the most common first.
const DECIMALS: [usize; 4] = [2, 0, 1, 3];

/// Maximum number of neighbouring integers that are tried for a rounded number.
const MAX_NEIGHBOURS: i128 = 4096;

impl Decimal {
    pub(super) fn read(raw: &str) -> Option<Self> {
        let (negative, rest) = match raw.strip_prefix('-') {
            Some(rest) => (true, rest),
            None => (false, raw),
        };
        let (mantissa, exponent) = match rest.split_once(['e', 'E']) {
            Some((mantissa, exponent)) => (mantissa, exponent.parse::<i32>().ok()?),
            None => (rest, 0),
        };
        let (whole, fraction) = mantissa.split_once('.').unwrap_or((mantissa, ""));
        let all = format!("{whole}{fraction}");
        if all.is_empty() || !all.bytes().all(|byte| byte.is_ascii_digit()) || exponent.abs() > 400 {
            return None;
        }
        let exponent = exponent - i32::try_from(fraction.len()).ok()?;
        let digits = all.trim_start_matches('0').trim_end_matches('0');
        if digits.is_empty() {
            return Some(Self { negative, digits: "0".into(), exponent: 0 });
        }
        let zeros = all.len() - all.trim_end_matches('0').len();
        Some(Self { negative, digits: digits.to_owned(), exponent: exponent + i32::try_from(zeros).ok()? })
    }

    pub(super) fn is_whole(&self) -> bool {
        self.exponent >= 0
    }

    /// Returns whether the number is more likely to be a time or an identifier than an amount.
    fn is_large(&self) -> bool {
        self.is_whole() && self.plain(0).len() > 11
    }

    fn sign(&self) -> &'static str {
        if self.negative { "-" } else { "" }
    }

    /// Returns the number of decimal places that the number needs.
    fn decimals(&self) -> usize {
        usize::try_from(-self.exponent).unwrap_or_default()
    }

    /// Formats the number without an exponent, with at least the given number of decimal places.
    pub(super) fn plain(&self, decimals: usize) -> String {
        let needed = self.decimals();
        let sign = self.sign();
        let zeros = "0".repeat(usize::try_from(self.exponent).unwrap_or_default());
        let digits = format!("{:0>width$}{zeros}", self.digits, width = needed + 1);
        let (whole, fraction) = digits.split_at(digits.len() - needed);
        let width = decimals.max(needed);
        if width == 0 { format!("{sign}{whole}") } else { format!("{sign}{whole}.{fraction:0<width$}") }
    }

    /// Returns the number in each common exponent notation, such as `1E3`, `1e3` and `1e+3`.
    fn with_exponent(&self) -> Vec<String> {
        if self.digits == "0" {
            return Vec::new();
        }
        let (first, rest) = self.digits.split_at(1);
        let scientific = self.exponent + i32::try_from(rest.len()).unwrap_or_default();
        let mut mantissas = vec![(format!("{first}{}{rest}", if rest.is_empty() { "" } else { "." }), scientific)];
        if rest.is_empty() {
            mantissas.push((format!("{first}.0"), scientific));
        }
        if rest.len() < 2 {
            mantissas.push((format!("{first}.{rest:0<2}"), scientific));
        }
        if self.exponent > 0 && !rest.is_empty() {
            mantissas.push((self.digits.clone(), self.exponent));
        }
        let sign = self.sign();
        let mut forms = Vec::new();
        for (mantissa, exponent) in mantissas {
            let (minus, size) = (if exponent < 0 { "-" } else { "" }, exponent.abs());
            let plus = if exponent < 0 { "-" } else { "+" };
            forms.push(format!("{sign}{mantissa}E{plus}{size}"));
            forms.push(format!("{sign}{mantissa}E{minus}{size}"));
            forms.push(format!("{sign}{mantissa}e{plus}{size:02}"));
            forms.push(format!("{sign}{mantissa}e{plus}{size}"));
            forms.push(format!("{sign}{mantissa}e{minus}{size}"));
            forms.push(format!("{sign}{mantissa}E{plus}{size:02}"));
        }
        forms
    }

    /// Returns the whole numbers with the same double representation, nearest first.
    fn neighbours(&self) -> Vec<String> {
        const EXACT: i128 = 1 << 53;
        let double = |text: &str| text.parse::<f64>().map(f64::to_bits).ok();
        let here = self.plain(0);
        let Some((bits, value)) = double(&here).zip(here.parse::<i128>().ok().filter(|_| self.is_whole())) else {
            return Vec::new();
        };
        if value.abs() <= EXACT || value.abs() >= 1 << 100 {
            return Vec::new();
        }
        // The distance between two adjacent doubles of this magnitude.
        let spacing = 1_i128 << (127 - value.abs().leading_zeros()).saturating_sub(52);
        if spacing > MAX_NEIGHBOURS {
            return Vec::new();
        }
        let near = (1..=spacing).flat_map(|distance| [value + distance, value - distance]);
        near.map(|other| other.to_string()).filter(|other| double(other) == Some(bits)).collect()
    }
}

impl Forms {
    pub(super) fn of(raw: &str, value: Option<&Decimal>) -> Self {
        let mut texts = vec![raw.to_owned()];
        let add = |text: String, texts: &mut Vec<String>| {
            if !texts.contains(&text) {
                texts.push(text);
            }
        };
        let Some(value) = value else { return Self { texts, plain: 1, rounded: 1 } };
        // Large numbers are times and order numbers, so their common spellings have no decimals. A rule that formats
        // all numbers alike can still add decimals to them.
        let usual: &[usize] = if value.is_large() { &[0] } else { &DECIMALS };
        usual.iter().for_each(|decimals| add(value.plain(*decimals), &mut texts));
        let plain = texts.len();
        DECIMALS.iter().for_each(|decimals| add(value.plain(*decimals), &mut texts));
        value.with_exponent().into_iter().for_each(|form| add(form, &mut texts));
        let rounded = texts.len();
        texts.extend(value.neighbours());
        Self { texts, plain, rounded }
    }

    fn index(&self, text: &str) -> usize {
        self.texts.iter().position(|known| known == text).unwrap_or_default()
    }
}

/// Returns one entry for each rule: the index of the spelling that the rule chooses for each number. A rule formats all
/// numbers alike, for example with two decimals. The first rule keeps the received spellings.
pub(super) fn rules(numbers: &[(&str, Option<&Decimal>)], forms: &[Forms]) -> Vec<Vec<usize>> {
    let mut rules: Vec<Vec<usize>> = vec![vec![0; numbers.len()]];
    let mut add = |choose: &dyn Fn(&str, &Decimal) -> String| {
        let choice = numbers
            .iter()
            .zip(forms)
            .map(|((raw, value), forms)| value.map_or(0, |value| forms.index(&choose(raw, value))));
        let choice: Vec<usize> = choice.collect();
        if !rules.contains(&choice) {
            rules.push(choice);
        }
    };
    for decimals in DECIMALS {
        add(&|_, value| value.plain(decimals));
        // Keep integers unchanged.
        add(&|raw, value| if raw.contains('.') { value.plain(decimals) } else { raw.to_owned() });
        add(&|raw, value| if value.is_whole() { raw.to_owned() } else { value.plain(decimals) });
        // Keep large numbers unchanged, because they are times and order numbers, not amounts.
        add(&|raw, value| if value.is_large() { raw.to_owned() } else { value.plain(decimals) });
    }
    for form in 0..24 {
        add(&|raw, value| value.with_exponent().get(form).cloned().unwrap_or_else(|| raw.to_owned()));
        add(&|raw, value| {
            let short = value.exponent > 0;
            value.with_exponent().get(form).cloned().filter(|_| short).unwrap_or_else(|| raw.to_owned())
        });
    }
    rules
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(raw: &str) -> Decimal {
        Decimal::read(raw).unwrap()
    }

    #[test]
    fn number_is_formatted_with_the_given_decimal_places() {
        for (raw, decimals, expected) in [
            ("10.00", 0, "10"),
            ("10", 1, "10.0"),
            ("0.02", 3, "0.020"),
            ("1E+2", 0, "100"),
            ("1.2345", 2, "1.2345"),
            ("-1250.5", 2, "-1250.50"),
            ("0.000", 2, "0.00"),
            ("1e-3", 0, "0.001"),
            ("100.50", 0, "100.5"),
        ] {
            assert_eq!(read(raw).plain(decimals), expected, "{raw}");
        }
        for bad in ["", "-", "1e999", "x", "1.x"] {
            assert_eq!(Decimal::read(bad), None, "{bad}");
        }
    }

    #[test]
    fn number_is_formatted_with_an_exponent() {
        let forms = read("100").with_exponent();
        for expected in ["1E+2", "1e2", "1.0E2", "1e+02"] {
            assert!(forms.iter().any(|form| form == expected), "{expected}: {forms:?}");
        }
        assert!(read("1250").with_exponent().contains(&"125E+1".to_owned()));
        assert!(read("0.00125").with_exponent().contains(&"1.25E-3".to_owned()));
    }

    #[test]
    fn only_rounded_integers_have_neighbours() {
        let neighbours = read("911700000000000000").neighbours();
        assert!(neighbours.contains(&"911700000000000017".to_owned()));
        assert!(neighbours.len() < 200, "{}", neighbours.len());
        assert!(read("1767225600123").neighbours().is_empty());
        assert!(read("1e60").neighbours().is_empty());
    }
}
