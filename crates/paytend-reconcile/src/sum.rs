//! Exact sums of decimals.

use std::fmt;

use paytend_model::Decimal;
use serde::{Serialize, Serializer};

/// An exact sum of decimals. It is never rounded, and does not depend on the order of the amounts.
///
/// ```
/// use paytend_reconcile::Sum;
/// let mut sum = Sum::default();
/// for amount in ["79228162514264337593543950335", "0.1", "0.20"] {
///     sum.add(amount.parse()?);
/// }
/// assert_eq!(sum.to_string(), "79228162514264337593543950335.30");
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Clone, Debug, Default)]
pub struct Sum {
    /// The sum of the mantissas for each scale, in no particular order. Most sums have only one scale. A mantissa has
    /// at most 96 bits, so a sum of 2^31 mantissas fits.
    by_scale: Vec<(u32, i128)>,
    /// Whether a sum of mantissas has overflowed, which requires more than 2^31 of the largest amounts.
    overflowed: bool,
}

impl Sum {
    /// Adds an amount.
    pub fn add(&mut self, amount: Decimal) {
        self.add_mantissa(amount.scale(), amount.mantissa());
    }

    /// Subtracts an amount.
    pub fn subtract(&mut self, amount: Decimal) {
        self.add_mantissa(amount.scale(), -amount.mantissa());
    }

    /// Adds another sum.
    pub fn add_sum(&mut self, other: &Self) {
        self.overflowed |= other.overflowed;
        for (scale, mantissa) in &other.by_scale {
            self.add_mantissa(*scale, *mantissa);
        }
    }

    /// Subtracts another sum.
    pub fn subtract_sum(&mut self, other: &Self) {
        self.overflowed |= other.overflowed;
        for (scale, mantissa) in &other.by_scale {
            match mantissa.checked_neg() {
                Some(negative) => self.add_mantissa(*scale, negative),
                None => self.overflowed = true,
            }
        }
    }

    fn add_mantissa(&mut self, scale: u32, mantissa: i128) {
        match self.by_scale.iter_mut().find(|(known, _)| *known == scale) {
            Some((_, sum)) => match sum.checked_add(mantissa) {
                Some(added) => *sum = added,
                None => self.overflowed = true,
            },
            None => self.by_scale.push((scale, mantissa)),
        }
    }

    /// Returns whether the sum is exactly zero.
    pub fn is_zero(&self) -> bool {
        !self.overflowed && self.digits().is_some_and(|(_, digits, _)| digits.iter().all(|digit| *digit == 0))
    }

    /// Returns the sign, the decimal digits (least significant first) and the scale, or `None` after an overflow.
    fn digits(&self) -> Option<(bool, Vec<u8>, usize)> {
        if self.overflowed {
            return None;
        }
        let scale = self.by_scale.iter().map(|(scale, _)| *scale).max().unwrap_or_default();
        // Adds the digits of all scales, position by position. There are at most 29 scales, so an `i32` does not
        // overflow.
        let mut positions = vec![0i32; 96];
        for (own, mantissa) in &self.by_scale {
            let shift = usize::try_from(scale - own).ok()?;
            let sign = if *mantissa < 0 { -1 } else { 1 };
            let mut rest = mantissa.unsigned_abs();
            let mut at = shift;
            while rest > 0 {
                *positions.get_mut(at)? += sign * i32::try_from(rest % 10).ok()?;
                rest /= 10;
                at += 1;
            }
        }
        let (digits, negative) = carried(&positions);
        if !negative {
            return Some((false, digits, usize::try_from(scale).ok()?));
        }
        let opposite: Vec<i32> = positions.iter().map(|digit| -digit).collect();
        Some((true, carried(&opposite).0, usize::try_from(scale).ok()?))
    }
}

/// Carries sums above 9 to the next position, so that each position becomes a digit. Returns the digits, and whether
/// the number is negative. The digits of a negative number are not valid: negate its positions first.
fn carried(positions: &[i32]) -> (Vec<u8>, bool) {
    let mut carry = 0;
    let mut digits = Vec::with_capacity(positions.len());
    for position in positions {
        let sum = position + carry;
        // The conversion does not fail, because the result of `rem_euclid` is between 0 and 9.
        digits.push(u8::try_from(sum.rem_euclid(10)).unwrap_or_default());
        carry = sum.div_euclid(10);
    }
    (digits, carry < 0)
}

impl PartialEq for Sum {
    fn eq(&self, other: &Self) -> bool {
        let mut difference = self.clone();
        difference.subtract_sum(other);
        difference.is_zero()
    }
}

impl Eq for Sum {}

impl From<Decimal> for Sum {
    fn from(amount: Decimal) -> Self {
        let mut sum = Self::default();
        sum.add(amount);
        sum
    }
}

impl fmt::Display for Sum {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Some((negative, digits, scale)) = self.digits() else { return f.pad("too large") };
        let significant = digits.iter().rposition(|digit| *digit != 0).map_or(0, |last| last + 1);
        let length = significant.max(scale + 1);
        let mut text = String::with_capacity(length + 2);
        if negative && significant > 0 {
            text.push('-');
        }
        for position in (0..length).rev() {
            text.push(char::from(b'0' + digits.get(position).copied().unwrap_or_default()));
            if position == scale && scale > 0 {
                text.push('.');
            }
        }
        f.pad(&text)
    }
}

impl Serialize for Sum {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn sum(amounts: &[&str]) -> String {
        let mut sum = Sum::default();
        for amount in amounts {
            sum.add(amount.parse().unwrap());
        }
        sum.to_string()
    }

    #[test]
    fn sums_are_exact_and_keep_trailing_zeros() {
        for (amounts, expected) in [
            (&[] as &[&str], "0"),
            (&["0.00"], "0.00"),
            (&["10.10", "0.20"], "10.30"),
            (&["0.1", "0.2", "-0.3"], "0.0"),
            (&["-5", "0.01"], "-4.99"),
            (&["5", "-0.01"], "4.99"),
            (&["0.5", "-1"], "-0.5"),
            (&["-100", "99.999", "0.0005"], "-0.0005"),
            (&["1000", "-999.9999"], "0.0001"),
            (&["79228162514264337593543950335", "79228162514264337593543950335"], "158456325028528675187087900670"),
            (
                &["79228162514264337593543950335", "0.0000000000000000000000000001"],
                "79228162514264337593543950335.0000000000000000000000000001",
            ),
        ] {
            assert_eq!(sum(amounts), expected, "{amounts:?}");
            let reversed: Vec<&str> = amounts.iter().rev().copied().collect();
            assert_eq!(sum(&reversed), expected, "{amounts:?}");
        }
        let (mut a, b) = (Sum::from(Decimal::new(1030, 2)), Sum::from(Decimal::new(103, 1)));
        assert_eq!(a, b);
        a.subtract_sum(&b);
        assert!(a.is_zero());
        a.add(Decimal::new(1, 28));
        assert!(!a.is_zero() && a != b);
    }

    #[test]
    fn random_sums_equal_integer_sums() {
        let random = paytend_vectors::Seeded::new();
        for _ in 0..2000 {
            let mut sum = Sum::default();
            let mut exact = 0i64;
            for _ in 0..random.below(8) {
                let scale = random.below(5);
                let mantissa = random.below(2_000_001) as i64 - 1_000_000;
                sum.add(Decimal::new(mantissa, u32::try_from(scale).unwrap()));
                exact += mantissa * 10i64.pow(4 - u32::try_from(scale).unwrap());
            }
            let expected = Sum::from(Decimal::new(exact, 4));
            assert_eq!(sum, expected, "{sum} {expected}");
            let shown: Decimal = sum.to_string().parse().unwrap();
            assert_eq!(shown, Decimal::new(exact, 4));
        }
    }
}
